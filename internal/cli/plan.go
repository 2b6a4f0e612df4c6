package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/plan"
)

// Binding is what a source's calls are bound to. It never holds a credential.
type Binding struct {
	Server     string   `json:"server"`
	Connection string   `json:"connection,omitempty"` // its name in the configuration, or where else it comes from
	Credential string   `json:"credential"`           // the kind: none, ssws, bearer ...
	Scopes     []string `json:"scopes,omitempty"`     // that the operation needs
	Problem    string   `json:"problem,omitempty"`    // why a call could not be made
}

type planOptions struct {
	shell    *shell
	document documentFlags
	output   output
	cmd      *cobra.Command
}

func newPlan(sh *shell) *cobra.Command {
	opts := planOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "plan FILE",
		GroupID: groupWork,
		Short:   "Show what a run would do, without doing it",
		Long: `Resolve a document and show, for each step, what would be called where and with
which credential, whether it reads, writes or destroys, and whether it may be
repeated. Nothing is sent but requests for the descriptions of the sources.`,
		Example: `  lanyard plan flow.yaml --server oktaApi=https://example.okta.com -o json`,
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.cmd = cmd
			return opts.run(cmd.Context(), args[0])
		},
	}
	opts.document.bind(cmd)
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

// planView is a plan for programs.
type planView struct {
	Digest   string        `json:"digest"`
	Workflow string        `json:"workflow"`
	Title    string        `json:"title,omitempty"`
	Inputs   any           `json:"inputs,omitempty"` // the schema
	Steps    []planStep    `json:"steps"`
	Forecast plan.Forecast `json:"forecast"`
	Notices  []string      `json:"notices,omitempty"`
}

type planStep struct {
	StepID      string      `json:"stepId"`
	Workflow    string      `json:"workflow"`
	Calls       string      `json:"calls,omitempty"` // the sub-workflow
	Operation   string      `json:"operation,omitempty"`
	Method      string      `json:"method,omitempty"`
	URL         string      `json:"url,omitempty"`
	Source      string      `json:"source,omitempty"`
	Binding     *Binding    `json:"binding,omitempty"`
	Effect      plan.Effect `json:"effect,omitempty"`
	Repeatable  bool        `json:"repeatable"`
	Settled     string      `json:"settledBy"` // how a call in doubt is settled
	Description string      `json:"description,omitempty"`
}

func (o *planOptions) run(ctx context.Context, file string) error {
	req, err := o.document.request(o.shell, o.cmd, file)
	if err != nil {
		return err
	}
	built, err := o.shell.plan(ctx, req)
	if err != nil {
		return err
	}
	return o.show(ctx, req, built)
}

// show prints a plan with what its operations are bound to.
func (o *planOptions) show(ctx context.Context, req PlanRequest, built *plan.Result) error {
	view := planView{
		Digest: built.Plan.Digest, Workflow: built.Plan.Workflows[built.Plan.Main].ID, Title: built.Plan.Title,
		Forecast: built.Plan.Forecast(), Notices: built.Notices,
	}
	if schema := built.Plan.Workflows[built.Plan.Main].InputSchema(); schema != nil {
		view.Inputs = schema
	}
	bind, err := o.shell.bindings(ctx, req)
	if err != nil {
		return err
	}
	for _, w := range o.workflows(built.Plan) {
		for _, s := range w.Steps {
			view.Steps = append(view.Steps, stepView(built.Plan, w, s, bind))
		}
	}
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, view)
	}
	return o.print(view)
}

// workflows returns the main workflow first, then the others as they were met.
func (o *planOptions) workflows(p *plan.Plan) []*plan.Workflow {
	out := []*plan.Workflow{p.Workflows[p.Main]}
	for i, w := range p.Workflows {
		if i != p.Main {
			out = append(out, w)
		}
	}
	return out
}

func stepView(p *plan.Plan, w *plan.Workflow, s *plan.Step, bind func(*plan.Operation) Binding) planStep {
	v := planStep{StepID: s.ID, Workflow: w.ID, Description: s.Description}
	if s.Operation == nil && s.Workflow == plan.None {
		v.Effect, v.Settled, v.Repeatable = plan.Reads, "computing it again", true
		return v
	}
	if s.Operation == nil {
		v.Calls, v.Settled, v.Repeatable = p.Workflows[s.Workflow].ID, "its own steps", false
		return v
	}
	b := bind(s.Operation)
	v.Operation, v.Method, v.Source, v.Binding = s.Operation.ID, s.Operation.Method, s.Operation.Source, &b
	v.URL = strings.TrimSuffix(b.Server, "/") + s.Operation.Path
	v.Effect, v.Repeatable, v.Settled = s.Operation.Effect(), s.Operation.Repeatable(), settledBy(s)
	return v
}

// settledBy words what happens to a call whose answer is lost.
func settledBy(s *plan.Step) string {
	rule := s.Idempotency
	switch {
	case rule != nil && rule.Lookup != nil:
		return "looking it up"
	case rule != nil && rule.Key != nil:
		return "sending it again with its idempotency key"
	case rule != nil && len(rule.Done) > 0:
		return "sending it again and accepting an answer that it was done"
	case s.Operation.Repeatable() || rule != nil && rule.Repeat:
		return "sending it again"
	}
	return "asking a person"
}

func (o *planOptions) print(v planView) error {
	out := o.shell.Out
	fmt.Fprintf(out, "%s  %s\n", v.Workflow, v.Digest)
	t := newTable(o.shell.IO, "STEP", "CALL", "CONNECTION", "CREDENTIAL", "EFFECT", "IF THE ANSWER IS LOST", "SCOPES")
	t.look = func(column, text string) style {
		if column == "EFFECT" && text == string(plan.Destroys) {
			return red
		}
		return plain
	}
	var problems []string
	for _, s := range v.Steps {
		name := s.StepID
		if s.Workflow != v.Workflow {
			name = s.Workflow + "." + name
		}
		if s.Binding == nil && s.Calls == "" {
			t.row(name, "computes", "", "", "", "", "")
			continue
		}
		if s.Binding == nil {
			t.row(name, "workflow "+s.Calls, "", "", "", "", "")
			continue
		}
		if s.Binding.Problem != "" && !slices.Contains(problems, s.Binding.Problem) {
			problems = append(problems, s.Binding.Problem)
		}
		t.row(name, s.Method+" "+s.URL, s.Binding.Connection, s.Binding.Credential, string(s.Effect), s.Settled, strings.Join(s.Binding.Scopes, " "))
	}
	if err := t.print(); err != nil {
		return err
	}
	loops := ""
	if v.Forecast.Loops {
		loops = "; some may be made more often"
	}
	fmt.Fprintf(out, "%d calls, at most %d with every retry%s\n", v.Forecast.Straight, v.Forecast.WithRetries, loops)
	for _, p := range problems {
		fmt.Fprintln(out, "not ready to run: "+p)
	}
	return nil
}
