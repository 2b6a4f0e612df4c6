package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/report"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/spelling"
	"github.com/lanyard-id/lanyard/internal/value"
)

type actionsRunOptions struct {
	shell        *shell
	inputs       inputFlags
	output       output
	connection   string
	server       string
	allowPrivate bool
	sandbox      bool
	dryRun       bool
	yes          bool
	id           string
	cmd          *cobra.Command
}

func newActionsRun(sh *shell) *cobra.Command {
	opts := actionsRunOptions{shell: sh}
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Run an action",
		Long: `Run an action of the catalogue. Inputs are read by their type: true and false, a
number, a list as a,b,c or as JSON. Those that are missing, unknown or of another
type are refused before anything is sent. The run is recorded like every other
one: lanyard runs shows it. An action that deletes something asks first.`,
		Example: `  lanyard actions run okta.deactivate_user --input userId=ada.min@example.com --connection okta
  lanyard actions run okta.add_user_to_groups --sandbox --input userId=ada.min@example.com --input groupIds=00g1,00g2`,
		Args:              takes("NAME"),
		ValidArgsFunction: completeActions,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.cmd = cmd
			return opts.run(cmd.Context(), args[0])
		},
	}
	opts.inputs.bind(cmd)
	opts.output.bind(cmd, formatText, formatJSON, formatNDJSON)
	flags := cmd.Flags()
	flags.StringVar(&opts.connection, "connection", "", "the connection `NAME` to run it on; default: the provider's")
	flags.StringVar(&opts.server, "server", "", "run it on the server at `URL`")
	flags.BoolVar(&opts.allowPrivate, "allow-private", false, "let this run reach loopback and private addresses")
	flags.BoolVar(&opts.sandbox, "sandbox", false, "run on the embedded directory: nothing leaves this machine")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "show what would be called and do nothing")
	flags.BoolVar(&opts.yes, "yes", false, "do not ask before something is deleted")
	flags.StringVar(&opts.id, "id", "", "the run's `ID`, for callers that must not start it twice; default: a new one")
	cmd.MarkFlagsMutuallyExclusive("sandbox", "connection")
	cmd.MarkFlagsMutuallyExclusive("sandbox", "server")
	return cmd
}

func (o *actionsRunOptions) run(ctx context.Context, name string) error {
	a, err := catalog.FindAction(name)
	if err != nil {
		return err
	}
	inputs, err := o.read(a)
	if err != nil {
		return err
	}
	if err := o.knownConnection(ctx); err != nil {
		return err
	}
	req := actionRequest(o.shell, o.cmd, a, o.bindings(a))
	built, err := o.shell.plan(ctx, req)
	if err != nil {
		return err
	}
	if err := checkInputs(built.Plan, inputs); err != nil {
		return err
	}
	if o.dryRun {
		show := planOptions{shell: o.shell, output: o.output}
		return show.show(ctx, req, built)
	}
	if err := o.confirm(ctx, a, req, built.Plan, inputs); err != nil {
		return err
	}
	return o.start(ctx, a, req, built.Plan, inputs)
}

func (o *actionsRunOptions) bindings(a *catalog.Action) run.Bindings {
	b := run.Bindings{Sandbox: o.sandbox, AllowPrivate: o.allowPrivate}
	if o.server != "" {
		b.Servers = map[string]string{a.Provider: o.server}
	}
	if o.connection != "" {
		b.Connections = map[string]string{a.Provider: o.connection}
	}
	return b
}

// knownConnection refuses a connection that is not there.
func (o *actionsRunOptions) knownConnection(ctx context.Context) error {
	if o.connection == "" {
		return nil
	}
	if o.shell.product.Connections == nil {
		return missingPart("connections")
	}
	_, err := o.shell.product.Connections.Report(ctx, o.shell.settings(o.cmd), []string{o.connection}, false)
	return err
}

// read returns the inputs by their types. All mistakes are reported at once.
func (o *actionsRunOptions) read(a *catalog.Action) (map[string]any, error) {
	inputs, err := o.inputs.read(o.shell.IO)
	if err != nil {
		return nil, err
	}
	asText := map[string]bool{}
	for _, pair := range o.inputs.pairs {
		if name, _, _ := strings.Cut(pair, "="); !strings.HasSuffix(name, ":") {
			asText[name] = true
		}
	}
	declared := map[string]catalog.Input{}
	for _, in := range a.Inputs {
		declared[in.Name] = in
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		in, ok := declared[name]
		if !ok {
			problems = append(problems, unknownInput(a, name, slices.Sorted(maps.Keys(declared))))
			continue
		}
		if text, isText := inputs[name].(string); isText && asText[name] {
			v, err := typed(in, text)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			inputs[name] = v
		}
	}
	for _, in := range a.Inputs {
		if _, given := inputs[in.Name]; in.Required && !given {
			problems = append(problems, fault.New(fault.Usage, "%s needs the input %s (%s)", a.Name, in.Name, strings.TrimSuffix(in.Description, ".")).Fix("give it with --input %s=%s", in.Name, example(in)))
		}
	}
	return inputs, fault.Join(problems...)
}

func unknownInput(a *catalog.Action, name string, known []string) error {
	f := fault.New(fault.Usage, "%s has no input %q", a.Name, name).At("--input %s", name)
	if near := spelling.Nearest(name, known); near != "" {
		return f.Fix("did you mean %s?", near)
	}
	return f.Fix("it has %s", strings.Join(known, ", "))
}

// example shows how the value of an input is written.
func example(in catalog.Input) string {
	switch in.Type {
	case "boolean":
		return "true"
	case "array":
		return "A,B"
	case "object":
		return "JSON"
	}
	return "TEXT"
}

// typed reads a text as the input's type. Messages never show the text.
func typed(in catalog.Input, text string) (any, error) {
	wrong := func(want string) error {
		return fault.New(fault.Usage, "the input is not %s", want).At("--input %s", in.Name).Fix("write --input %s=%s", in.Name, example(in))
	}
	switch in.Type {
	case "boolean":
		if text != "true" && text != "false" {
			return nil, wrong("true or false")
		}
		return text == "true", nil
	case "array":
		if strings.HasPrefix(strings.TrimSpace(text), "[") {
			if list, err := value.Decode([]byte(text)); err == nil {
				return list, nil
			}
			return nil, wrong("a list")
		}
		list := []any{}
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		return list, nil
	case "object", "integer", "number":
		v, err := value.Decode([]byte(text))
		if err != nil {
			return nil, wrong("of type " + in.Type)
		}
		return v, nil
	}
	return text, nil
}

// confirm has a person agree to what an action destroys.
func (o *actionsRunOptions) confirm(ctx context.Context, a *catalog.Action, req PlanRequest, p *plan.Plan, inputs map[string]any) error {
	if a.Confirm == "" || o.yes {
		return nil
	}
	what := o.what(a, inputs)
	if !o.shell.InTerminal() {
		return fault.New(fault.Usage, "%s %s, and nobody is here to be asked", a.Name, what).Fix("say --yes")
	}
	bind, err := o.shell.bindings(ctx, req)
	if err != nil {
		return err
	}
	server := ""
	for op := range p.Operations() {
		server = bind(op).Server
	}
	fmt.Fprintf(o.shell.Err, "%s %s\nat %s. Go on? [y/N] ", a.Name, printable(what), printable(server))
	answer, err := bufio.NewReader(o.shell.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fault.Wrap(fault.Usage, err, "the answer cannot be read").Fix("say --yes")
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return fault.New(fault.Usage, "nothing was done: %s was not agreed to", a.Name).Fix("answer y, or say --yes")
}

// what fills the inputs in to what an action destroys.
func (o *actionsRunOptions) what(a *catalog.Action, inputs map[string]any) string {
	t, err := expr.ParseTemplate(a.Confirm)
	if err != nil {
		return a.Confirm
	}
	v, err := t.Eval(&expr.Data{Inputs: inputs})
	if err != nil {
		return a.Confirm
	}
	return value.Text(v)
}

func (o *actionsRunOptions) start(ctx context.Context, a *catalog.Action, req PlanRequest, p *plan.Plan, inputs map[string]any) error {
	session, err := o.shell.open(ctx, req.Settings, ReadWrite)
	if err != nil {
		return err
	}
	defer closeSession(o.shell, session)
	id := o.id
	if id == "" {
		id = newRunID(time.Now())
	}
	if err := session.Start(ctx, id, p, inputs, req.Bindings); err != nil {
		return err
	}
	w := watcher{shell: o.shell, session: session, output: o.output, remedy: func(r *report.Report) string { return remedy(a, p, r) }}
	return w.watch(ctx, id, inputs)
}

// remedy says what to do about a failed run of an action: by the first refusal
// that a failed step, or the first failed item of its list, was given.
func remedy(a *catalog.Action, p *plan.Plan, r *report.Report) string {
	for _, s := range r.Steps {
		if s.Status != engine.StepFailed {
			continue
		}
		if s.FailedItem != nil {
			if text := remedy(a, p, s.FailedItem); text != "" {
				return text
			}
		}
		answer := lastAnswer(s)
		if answer == nil {
			continue // nobody has answered, so no answer was wrong
		}
		code := codeOf(a, answer)
		if code == "" && answer.Status/100 != 2 {
			continue // a proxy's page says nothing about who was looked for
		}
		text := a.Remedy(code, s.StepID)
		if text != "" {
			return strings.ReplaceAll(text, "{scopes}", strings.Join(scopesOf(p), " "))
		}
	}
	return ""
}

// lastAnswer returns the last answer that a step was given, nil when its last
// call was given none.
func lastAnswer(s *report.Step) *engine.Answer {
	if len(s.Calls) == 0 {
		return nil
	}
	answer := s.Calls[len(s.Calls)-1].Answer
	if answer == nil || answer.Failure != nil {
		return nil
	}
	return answer
}

// codeOf returns the provider's code of the error that an answer is.
func codeOf(a *catalog.Action, answer *engine.Answer) string {
	e := catalog.Find(a.Provider)
	if e == nil || answer.JSON == nil {
		return ""
	}
	body, err := value.Decode(answer.JSON)
	pointer, bad := value.ParsePointer(e.ErrorCode)
	if err != nil || bad != nil {
		return ""
	}
	switch code, _ := pointer.Get(body); code := code.(type) {
	case string:
		return code
	case json.Number:
		return code.String()
	}
	return ""
}

// scopesOf returns the scopes that a plan's operations name.
func scopesOf(p *plan.Plan) []string {
	var out []string
	for op := range p.Operations() {
		for _, alternative := range op.Security {
			for _, scopes := range alternative {
				out = append(out, scopes...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
