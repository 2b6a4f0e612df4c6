package importer

// AtOnce makes the importer keep, decide about and carry out so many people at
// once.
func (im *Importer) AtOnce(n int) { im.atOnce = n }
