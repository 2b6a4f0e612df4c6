package plan

// Forecast says how many calls a run makes.
type Forecast struct {
	Straight    int  `json:"straight"`    // every step once, sub-workflows and dependencies included
	WithRetries int  `json:"withRetries"` // every retry used up
	Loops       bool `json:"loops"`       // an action goes back: more is possible, up to the step budget
}

// Forecast counts the calls of the main workflow.
func (p *Plan) Forecast() Forecast {
	var f Forecast
	p.count(p.Main, &f, map[int]bool{})
	return f
}

// count adds a workflow's calls; dependencies count once in a run (A16).
func (p *Plan) count(index int, f *Forecast, dependencies map[int]bool) {
	w := p.Workflows[index]
	for _, d := range w.DependsOn {
		if !dependencies[d] {
			dependencies[d] = true
			p.count(d, f, dependencies)
		}
	}
	for _, s := range w.Steps {
		tries := 1
		for _, actions := range [][]Action{s.OnSuccess, s.OnFailure} {
			for _, a := range actions {
				if a.Kind == Retry {
					tries += a.RetryLimit
				}
				f.Loops = f.Loops || a.Kind == Goto && (a.Step != None && a.Step <= s.Index || a.Workflow == index)
			}
		}
		if s.Operation != nil {
			f.Straight++
			f.WithRetries += tries
			continue
		}
		var sub Forecast
		p.count(s.Workflow, &sub, dependencies)
		f.Straight += sub.Straight
		f.WithRetries += tries * sub.WithRetries
		f.Loops = f.Loops || sub.Loops
	}
}
