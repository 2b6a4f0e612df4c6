package report

import (
	"cmp"
	"encoding/xml"
	"fmt"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
)

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure"`
	Skipped *junitMessage `xml:"skipped"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
}

// JUnit returns the run as one test suite with a case for each step visit. A
// visit that failed and was handled is no failure; the run's own is.
func (r *Report) JUnit() ([]byte, error) {
	suite := junitSuite{Name: r.Workflow, Time: seconds(r.Ended.Sub(r.Created).Microseconds())}
	if r.Ended.IsZero() {
		suite.Time = seconds(0)
	}
	for _, s := range r.Steps {
		c := junitCase{Name: s.StepID, Class: cmp.Or(s.Workflow, r.Workflow), Time: seconds(s.Micros)}
		switch {
		case s.Status == engine.StepSkipped:
			c.Skipped = &junitMessage{s.Message}
			suite.Skipped++
		case s.Status != engine.StepSucceeded && !r.handled(s):
			c.Failure = &junitMessage{s.Message}
			if s.Message == "" {
				c.Failure.Message = s.Status
			}
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, c)
	}
	if r.Status != run.Succeeded && suite.Failures == 0 {
		suite.Cases = append(suite.Cases, junitCase{Name: "run", Class: r.Workflow, Time: suite.Time, Failure: &junitMessage{r.Error}})
		suite.Failures++
	}
	suite.Tests = len(suite.Cases)
	out, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(out, '\n')...), nil
}

// handled reports whether a visit failed and the run went on from there.
func (r *Report) handled(s *Step) bool {
	if s.Status != engine.StepFailed {
		return false
	}
	return r.Status == run.Succeeded || s.Action != nil && s.Action.Type == string(plan.Goto)
}

// seconds writes a duration; a clock that was set back gives none.
func seconds(micros int64) string {
	micros = max(micros, 0)
	return fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6)
}
