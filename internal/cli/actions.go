package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/spelling"
)

func newActions(sh *shell) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "actions",
		GroupID: groupWork,
		Short:   "List, look at and run single actions",
		Long: `List, look at and run the actions that the catalogue offers: single things that a
provider can be asked to do, such as okta.deactivate_user, with typed inputs and
outputs. Each is an Arazzo workflow, which documents can call as a step.`,
		Example: `  lanyard actions run okta.deactivate_user --input userId=ada.min@example.com`,
	})
	cmd.AddCommand(newActionsList(sh), newActionsShow(sh), newActionsRun(sh))
	return cmd
}

// actionView is an action for programs.
type actionView struct {
	Name        string            `json:"name"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Provider    string            `json:"provider"`
	Group       string            `json:"group"`
	Document    string            `json:"document"`
	Workflow    string            `json:"workflowId"`
	Inputs      []inputView       `json:"inputs"`
	Outputs     []string          `json:"outputs"`
	Confirm     string            `json:"confirm,omitempty"` // what it destroys
	Scopes      []string          `json:"scopes,omitempty"`
	Requests    []planStep        `json:"requests,omitempty"`
	Remedies    map[string]string `json:"remedies,omitempty"`
}

type inputView struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Required    bool   `json:"required"`
	Secret      bool   `json:"secret,omitempty"`
	Default     any    `json:"default,omitempty"`
	Enum        []any  `json:"enum,omitempty"`
}

func viewAction(a *catalog.Action) actionView {
	v := actionView{
		Name: a.Name, Title: a.Title, Description: a.Description, Provider: a.Provider, Group: a.Group,
		Document: a.Document, Workflow: a.Workflow, Confirm: a.Confirm, Outputs: a.Outputs, Inputs: []inputView{},
	}
	for _, in := range a.Inputs {
		v.Inputs = append(v.Inputs, inputView(in))
	}
	return v
}

type actionsListOptions struct {
	shell    *shell
	output   output
	provider string
}

func newActionsList(sh *shell) *cobra.Command {
	opts := actionsListOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the actions",
		Long:    `List the actions of the catalogue with their inputs. A * marks what must be given.`,
		Example: `  lanyard actions list --provider okta`,
		Args:    takes(),
		RunE:    func(*cobra.Command, []string) error { return opts.run() },
	}
	cmd.Flags().StringVar(&opts.provider, "provider", "", "only those of the provider `NAME`")
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

func (o *actionsListOptions) run() error {
	all, err := catalog.Actions()
	if err != nil {
		return err
	}
	if err := knownProvider(o.provider, all); err != nil {
		return err
	}
	views := []actionView{}
	t := newTable(o.shell.IO, "ACTION", "INPUTS", "DOES")
	for _, a := range all {
		if o.provider != "" && a.Provider != o.provider {
			continue
		}
		views = append(views, viewAction(a))
		t.row(a.Name, inputNames(a), a.Title)
	}
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, struct {
			Actions []actionView `json:"actions"`
		}{views})
	}
	return t.print()
}

func knownProvider(name string, all []*catalog.Action) error {
	var names []string
	for _, a := range all {
		if !slices.Contains(names, a.Provider) {
			names = append(names, a.Provider)
		}
	}
	if name == "" || slices.Contains(names, name) {
		return nil
	}
	f := fault.New(fault.Usage, "no action is of a provider %q", name).At("--provider")
	if near := spelling.Nearest(name, names); near != "" {
		return f.Fix("did you mean %s?", near)
	}
	return f.Fix("there are actions of %s", strings.Join(names, ", "))
}

// inputNames lists the inputs that must be given, and how many more there are.
func inputNames(a *catalog.Action) string {
	var names []string
	more := 0
	for _, in := range a.Inputs {
		if in.Required {
			names = append(names, in.Name+"*")
		} else {
			more++
		}
	}
	if more > 0 {
		names = append(names, fmt.Sprintf("(%d more)", more))
	}
	return strings.Join(names, " ")
}

type actionsShowOptions struct {
	shell  *shell
	output output
	cmd    *cobra.Command
}

func newActionsShow(sh *shell) *cobra.Command {
	opts := actionsShowOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show what an action takes, gives and does",
		Long: `Show the inputs and outputs of an action, the scopes that it needs, the requests
that it makes, and what to do about its errors. Nothing is sent.`,
		Example:           `  lanyard actions show okta.create_user`,
		Args:              takes("NAME"),
		ValidArgsFunction: completeActions,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.cmd = cmd
			return opts.run(cmd.Context(), args[0])
		},
	}
	opts.output.bind(cmd, formatText, formatJSON)
	return cmd
}

// completeActions completes the name of an action.
func completeActions(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	all, err := catalog.Actions()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, a := range all {
		names = append(names, cobra.CompletionWithDesc(a.Name, a.Title))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// actionRequest asks for the plan of an action.
func actionRequest(sh *shell, cmd *cobra.Command, a *catalog.Action, b run.Bindings) PlanRequest {
	return PlanRequest{Settings: sh.settings(cmd), File: a.Document, Dialect: arazzo.Strict, Workflow: a.Workflow, Bindings: b}
}

func (o *actionsShowOptions) run(ctx context.Context, name string) error {
	a, err := catalog.FindAction(name)
	if err != nil {
		return err
	}
	req := actionRequest(o.shell, o.cmd, a, run.Bindings{})
	built, err := o.shell.plan(ctx, req)
	if err != nil {
		return err
	}
	bind, err := o.shell.bindings(ctx, req)
	if err != nil {
		return err
	}
	v := viewAction(a)
	v.Remedies = remediesOf(a)
	for _, w := range built.Plan.Workflows {
		for _, s := range w.Steps {
			step := stepView(built.Plan, w, s, bind)
			if step.Binding != nil {
				v.Scopes = append(v.Scopes, step.Binding.Scopes...)
				step.URL, step.Binding = s.Operation.Path, nil // what it is bound to is for plan to say
			}
			v.Requests = append(v.Requests, step)
		}
	}
	slices.Sort(v.Scopes)
	v.Scopes = slices.Compact(v.Scopes)
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, v)
	}
	return o.print(v)
}

// remediesOf gathers what is known about an action's errors: by code, and by
// step for answers that are not what was looked for.
func remediesOf(a *catalog.Action) map[string]string {
	out := map[string]string{}
	for step, text := range a.Steps {
		out["step "+step] = text
	}
	for code, text := range a.Remedies {
		out[code] = text
	}
	return out
}

func (o *actionsShowOptions) print(v actionView) error {
	out := o.shell.Out
	fmt.Fprintf(out, "%s  %s\n%s\n", v.Name, v.Title, v.Description)
	if v.Confirm != "" {
		fmt.Fprintf(out, "It %s.\n", strings.ReplaceAll(v.Confirm, "$inputs.", ""))
	}
	fmt.Fprintf(out, "scopes: %s\noutputs: %s\nas a step: workflowId %s of %s\n\n", strings.Join(v.Scopes, " "), strings.Join(v.Outputs, " "), v.Workflow, v.Document)
	inputs := newTable(o.shell.IO, "INPUT", "TYPE", "DEFAULT", "MEANS")
	for _, in := range v.Inputs {
		inputs.row(in.mark(), in.kind(), in.shownDefault(), in.Description)
	}
	if err := inputs.print(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	requests := newTable(o.shell.IO, "REQUEST", "EFFECT", "IF THE ANSWER IS LOST")
	for _, s := range v.Requests {
		if s.Operation == "" && s.Calls == "" {
			continue // it computes
		}
		if s.Operation == "" {
			requests.row("for each item: "+s.Calls, "", s.Settled)
			continue
		}
		requests.row(s.Method+" "+s.URL, string(s.Effect), s.Settled)
	}
	if err := requests.print(); err != nil || len(v.Remedies) == 0 {
		return err
	}
	fmt.Fprintln(out)
	errors := newTable(o.shell.IO, "ERROR", "WHAT TO DO")
	for _, code := range slices.Sorted(maps.Keys(v.Remedies)) {
		errors.row(code, v.Remedies[code])
	}
	return errors.print()
}

// mark is the input's name, with a * when it must be given.
func (in inputView) mark() string {
	if in.Required {
		return in.Name + "*"
	}
	return in.Name
}

func (in inputView) kind() string {
	if in.Secret {
		return "secret"
	}
	return in.Type
}

func (in inputView) shownDefault() string {
	if in.Default == nil {
		return ""
	}
	return fmt.Sprint(in.Default)
}

// bindings returns what says what operations are bound to.
func (sh *shell) bindings(ctx context.Context, req PlanRequest) (func(*plan.Operation) Binding, error) {
	if sh.product.Bind == nil {
		return nil, missingPart("connections")
	}
	return sh.product.Bind(ctx, req)
}
