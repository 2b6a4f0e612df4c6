package plan

import "math"

// Forecast says how many calls a run makes.
type Forecast struct {
	Straight    int  `json:"straight"`    // every step once, sub-workflows and dependencies included
	WithRetries int  `json:"withRetries"` // every retry used up
	Loops       bool `json:"loops"`       // an action goes back, or a step works through a list: more is possible, up to the step budget
}

// Forecast counts the calls of the main workflow. Numbers beyond what an int
// holds are the largest int.
func (p *Plan) Forecast() Forecast {
	c := counter{plan: p, counted: map[int]Forecast{}, needed: map[int]bool{}}
	f := c.workflow(p.Main)
	for len(c.queue) > 0 { // dependencies run once, whoever needs them (A16)
		next := c.queue[0]
		c.queue = c.queue[1:]
		f = f.plus(c.workflow(next), 1)
	}
	return f
}

// counter counts each workflow once, however often it is called: calls of calls
// multiply.
type counter struct {
	plan    *Plan
	counted map[int]Forecast
	needed  map[int]bool // dependencies seen
	queue   []int        // dependencies to be counted
}

func (c *counter) workflow(index int) Forecast {
	if f, ok := c.counted[index]; ok {
		return f
	}
	w := c.plan.Workflows[index]
	for _, d := range w.DependsOn {
		if !c.needed[d] {
			c.needed[d] = true
			c.queue = append(c.queue, d)
		}
	}
	var f Forecast
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
		once := Forecast{Straight: 1, WithRetries: 1}
		f.Loops = f.Loops || s.Pages != nil
		if s.Operation == nil && s.Workflow == None {
			continue // it computes
		}
		if s.Operation == nil {
			once = c.workflow(s.Workflow)
			f.Loops = f.Loops || s.ForEach != nil // how often depends on the list
		}
		f = f.plus(once, tries)
	}
	c.counted[index] = f
	return f
}

// plus adds what is called once, or as often as tries with retries.
func (f Forecast) plus(g Forecast, tries int) Forecast {
	return Forecast{
		Straight:    add(f.Straight, g.Straight),
		WithRetries: add(f.WithRetries, times(tries, g.WithRetries)),
		Loops:       f.Loops || g.Loops,
	}
}

// add and times stop at the largest int; their operands are not negative.
func add(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

func times(a, b int) int {
	if b > 0 && a > math.MaxInt/b {
		return math.MaxInt
	}
	return a * b
}
