package catalog

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/spelling"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Address begins the addresses of what the catalogue holds. They never change
// and are read without a network:
//
//	lanyard:catalog/okta/openapi         the description
//	lanyard:catalog/okta/actions         all actions, as one Arazzo document
//	lanyard:catalog/okta/actions/users   those of one file
const Address = "lanyard:catalog/"

const (
	openapiPart   = "openapi"
	actionsPart   = "actions"
	actionsFolder = "actions"
	actionsSuffix = ".arazzo.yaml"
)

// Document returns the document at an address below Address. Nobody may write
// to it. An address that leads nowhere is a fault of kind NotFound.
func Document(address string) ([]byte, error) {
	missing := func(what, name string, known []string) error {
		f := fault.New(fault.NotFound, "the catalogue has no %s %q", what, name).At("%s", address)
		if near := spelling.Nearest(name, known); near != "" {
			return f.Fix("did you mean %s?", near)
		}
		return f.Fix("it has %s", strings.Join(known, ", "))
	}
	rest, ok := strings.CutPrefix(address, Address)
	provider, part, _ := strings.Cut(rest, "/")
	e := Find(provider)
	if !ok || e == nil {
		list, _ := entries()
		var names []string
		for _, e := range list {
			names = append(names, e.Name)
		}
		return nil, missing("provider", provider, names)
	}
	part, file, one := strings.Cut(part, "/")
	switch {
	case part == openapiPart && !one:
		return e.Description(), nil
	case part == actionsPart && len(e.actions) > 0 && !one:
		return e.allActions(), nil
	case part == actionsPart && len(e.actions) > 0:
		if text, ok := e.actions[file]; ok {
			return text, nil
		}
		return nil, missing("actions", file, slices.Sorted(maps.Keys(e.actions)))
	}
	return nil, missing("document", part, []string{openapiPart, actionsPart})
}

// workflowsLine ends the head that every file of actions has, so that several
// can be read as one.
const workflowsLine = "\nworkflows:\n"

// allActions joins the files: the head of the first, the workflows of all.
func (e *Entry) allActions() []byte {
	var out []byte
	for i, file := range slices.Sorted(maps.Keys(e.actions)) {
		text := e.actions[file]
		if at := bytes.Index(text, []byte(workflowsLine)); i > 0 {
			text = text[at+len(workflowsLine):]
		}
		out = append(out, text...)
	}
	return out
}

// readActions reads the files of actions in an entry's folder.
func (c *checker) readActions(fsys fs.FS, e *Entry) {
	names, err := fs.Glob(fsys, path.Join(e.Name, actionsFolder, "*"+actionsSuffix))
	c.need(err == nil, "the actions cannot be listed")
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		c.need(err == nil && bytes.Count(text, []byte(workflowsLine)) == 1, "%s: a file of actions needs one line workflows: with nothing but workflows behind it", name)
		if e.actions == nil {
			e.actions = map[string][]byte{}
		}
		e.actions[strings.TrimSuffix(path.Base(name), actionsSuffix)] = text
	}
}

// Action is one thing that a provider can be asked to do, with typed inputs and
// outputs: a workflow of the entry's actions that has x-lanyard-action.
type Action struct {
	Name        string // okta.deactivate_user
	Title       string
	Description string
	Provider    string // of the entry
	Group       string // the file that it stands in: users, groups ...
	Workflow    string // workflowId in the document at Document
	Document    string // address

	Inputs  []Input
	Outputs []string // names, in order; Success is one of them

	// Confirm says what the action destroys, for a person to agree to, with
	// expressions of the inputs; it is empty when it destroys nothing.
	Confirm string
	// Remedies say what to do about an error, by its code; Steps about a step
	// whose answer is not what was looked for, by stepId.
	Remedies, Steps map[string]string
}

// Input is one input of an action.
type Input struct {
	Name        string
	Type        string // of JSON Schema
	Title       string
	Description string
	Required    bool
	Secret      bool
	Default     any   // nil: none
	Enum        []any // the values that it may have; nil: any
}

var actions = sync.OnceValues(func() ([]*Action, error) {
	list, err := entries()
	if err != nil {
		return nil, err
	}
	var out []*Action
	for _, e := range list {
		for _, file := range slices.Sorted(maps.Keys(e.actions)) {
			found, err := e.actionsOf(file)
			if err != nil {
				return nil, err
			}
			out = append(out, found...)
		}
	}
	return out, nil
})

// Actions returns all actions, by provider and file, as they are written. They
// are shared: nobody may write to them. An error means that the binary was built
// with a wrong catalogue.
func Actions() ([]*Action, error) {
	list, err := actions()
	return slices.Clone(list), err
}

// FindAction returns the action with a name. The error for one that is not
// there offers the nearest name.
func FindAction(name string) (*Action, error) {
	list, err := actions()
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list))
	for i, a := range list {
		if names[i] = a.Name; a.Name == name {
			return a, nil
		}
	}
	f := fault.New(fault.Usage, "there is no action %q", name)
	if near := spelling.Nearest(name, names); near != "" {
		return nil, f.Fix("did you mean %s?", near)
	}
	return nil, f.Fix("lanyard actions list shows all")
}

// actionDocument is what is read of a file of actions; the rest is Arazzo.
type actionDocument struct {
	Workflows []struct {
		ID          string   `yaml:"workflowId"`
		Summary     string   `yaml:"summary"`
		Description string   `yaml:"description"`
		Action      *marking `yaml:"x-lanyard-action"`
		Success     string   `yaml:"x-lanyard-success"`
		Inputs      struct {
			Required   []string  `yaml:"required"`
			Properties yaml.Node `yaml:"properties"`
		} `yaml:"inputs"`
		Outputs yaml.Node `yaml:"outputs"`
	} `yaml:"workflows"`
}

// marking is x-lanyard-action, which makes a workflow an action.
type marking struct {
	Confirm  string            `yaml:"confirm"`
	Remedies map[string]string `yaml:"remedies"`
	Steps    map[string]string `yaml:"steps"`
}

func (e *Entry) actionsOf(file string) ([]*Action, error) {
	var doc actionDocument
	if err := yaml.Unmarshal(e.actions[file], &doc); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the actions cannot be read").At("%s/%s", e.Name, file)
	}
	var out []*Action
	for _, w := range doc.Workflows {
		if w.Action == nil {
			continue
		}
		a := &Action{
			Name: e.Name + "." + w.ID, Title: w.Summary, Description: w.Description, Provider: e.Name, Group: file,
			Workflow: w.ID, Document: Address + e.Name + "/" + actionsPart + "/" + file,
			Confirm: w.Action.Confirm, Remedies: w.Action.Remedies, Steps: w.Action.Steps,
		}
		for i := 0; i+1 < len(w.Outputs.Content); i += 2 {
			a.Outputs = append(a.Outputs, w.Outputs.Content[i].Value)
		}
		if w.Success != "" {
			a.Outputs = append(a.Outputs, w.Success)
		}
		for i := 0; i+1 < len(w.Inputs.Properties.Content); i += 2 {
			in, err := readInput(w.Inputs.Properties.Content[i].Value, w.Inputs.Properties.Content[i+1])
			if err != nil {
				return nil, err
			}
			in.Required = slices.Contains(w.Inputs.Required, in.Name)
			a.Inputs = append(a.Inputs, in)
		}
		out = append(out, a)
	}
	return out, nil
}

func readInput(name string, node *yaml.Node) (Input, error) {
	schema, ok := value.FromYAML(node).(map[string]any)
	if !ok {
		return Input{}, fault.Wrap(fault.Internal, errors.New("no mapping"), "the input %s has no schema", name)
	}
	text := func(key string) string { s, _ := schema[key].(string); return s }
	in := Input{Name: name, Type: text("type"), Title: text("title"), Description: text("description"), Default: schema["default"], Secret: text("format") == "password"}
	in.Enum, _ = schema["enum"].([]any)
	return in, nil
}

// Remedy says what to do about a failure of the action: by the code that an
// answer has, else by the step that failed, else by what the provider's errors
// mean in general; empty when nothing is known.
func (a *Action) Remedy(code, step string) string {
	if text, ok := a.Remedies[code]; ok && code != "" {
		return text
	}
	if text, ok := a.Steps[step]; ok && (code == "" || code == notFoundCode(a.Provider)) {
		return text
	}
	if e := Find(a.Provider); e != nil && code != "" {
		return e.Remedies[code]
	}
	return ""
}

func notFoundCode(provider string) string {
	if e := Find(provider); e != nil {
		return e.NotFound
	}
	return ""
}
