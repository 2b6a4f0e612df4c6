package arazzo

// Our extensions that give a document names which the specification does not
// know, or read values (docs/dialect.md). Package plan compiles them.
const (
	ForEachExtension = "x-lanyard-forEach" // on a step that calls a workflow
	ComputeExtension = "x-lanyard-compute" // on a step
	SuccessExtension = "x-lanyard-success" // on a workflow
)

// The outputs that a step with x-lanyard-forEach has instead of those of the
// workflow that it calls.
const (
	ResultsOutput   = "results"   // one object for each item, in order
	SucceededOutput = "succeeded" // how many items did
	FailedOutput    = "failed"    // how many did not
	CollectedOutput = "collected" // with collect: one value for each item, in order
)

// forEach reads the fields of x-lanyard-forEach as far as names go. Whether
// they make sense is for package plan to say.
func (s *Step) forEach() (items Any, as string, ok bool) {
	ext, ok := s.Extensions[ForEachExtension]
	if !ok {
		return Any{}, "", false
	}
	if as := deref(mapValue(deref(ext.Node), "as")); as != nil {
		return Any{Pos: ext.Pos, Node: mapValue(deref(ext.Node), "items")}, as.Value, true
	}
	return Any{Pos: ext.Pos, Node: mapValue(deref(ext.Node), "items")}, "", true
}

// names returns the names of the outputs that a workflow has.
func (w *Workflow) outputNames() map[string]bool {
	names := outputNames(w.Outputs)
	if name, ok := w.Extensions[SuccessExtension].Value().(string); ok {
		names[name] = true
	}
	return names
}

// outputNames returns the names of the outputs that a step has of its own.
func (s *Step) outputNames() map[string]bool {
	names := outputNames(s.Outputs)
	if _, _, ok := s.forEach(); ok {
		names[ResultsOutput], names[SucceededOutput], names[FailedOutput] = true, true, true
		names[CollectedOutput] = mapValue(s.Extensions[ForEachExtension].Node, "collect") != nil
	}
	c, _ := s.Computed(nil)
	for _, f := range c.Formulas {
		names[f.Name] = true
	}
	return names
}
