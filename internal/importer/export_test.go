package importer

// AtOnce makes the importer keep, decide about and carry out so many people at
// once.
func (im *Importer) AtOnce(n int) { im.atOnce = n }

// Seal gives a plan the digest of what it says now.
func (p *Plan) Seal() (err error) {
	p.Digest, err = p.digest()
	return err
}
