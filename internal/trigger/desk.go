package trigger

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/spelling"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Desk carries out what administrators ask for: it is behind the commands, here
// and in a process that serves. It is safe for concurrent use.
type Desk struct {
	Engine *Engine
	Dir    string // of the configuration: flows of added triggers start there
	Served bool   // the engine serves: what is fired need not be waited for

	changing sync.Mutex // held from reading what is to be armed until it is

	mu   sync.Mutex
	file map[string]config.Section // triggers of lanyard.yaml
}

// Verb is what a Command asks for.
type Verb string

// The verbs.
const (
	List    Verb = "list"
	Show    Verb = "show"
	Add     Verb = "add"
	Remove  Verb = "remove"
	On      Verb = "on"
	Off     Verb = "off"
	Fire    Verb = "fire"
	History Verb = "history"
	Test    Verb = "test"

	// Definitions asks for the triggers that were added by command, as they were.
	Definitions Verb = "definitions"
)

// Command is something to be done. Which fields count depends on the verb.
type Command struct {
	Do   Verb   `json:"do"`
	Name string `json:"name,omitempty"` // of the trigger
	Flow string `json:"flow,omitempty"` // FILE or FILE#WORKFLOW instead of Name, to switch

	Text  string `json:"text,omitempty"`  // of a trigger to be added, YAML
	File  string `json:"file,omitempty"`  // where Text was read, for messages
	Event *Event `json:"event,omitempty"` // nil: none was given
	Run   bool   `json:"run,omitempty"`   // a test runs on the sandbox
	Wait  bool   `json:"wait,omitempty"`  // for the end of what is fired
	By    string `json:"by,omitempty"`
	Why   string `json:"why,omitempty"`
	Ahead bool   `json:"ahead,omitempty"` // Off is said before the trigger is there

	State State `json:"state,omitempty"` // of the history
	Limit int   `json:"limit,omitempty"`
}

// Event is what a trigger is told, for a test or to fire it: the body of a
// request, or the event itself for a schedule and a directory change.
type Event struct {
	Body string `json:"body"`           // as it is in the file
	From string `json:"from,omitempty"` // where it was given, for messages; empty: --event
}

func (e *Event) place() string {
	if e == nil || e.From == "" {
		return "--event"
	}
	return e.From
}

// Local reports whether a command only reads what is kept here.
func (c *Command) Local() bool {
	return c.Do == List || c.Do == Show || c.Do == Definitions || c.Do == History || c.Do == Test && !c.Run
}

// Reply is what came of a Command: those members that its verb fills.
type Reply struct {
	Triggers []View      `json:"triggers,omitempty"`
	Firings  []Firing    `json:"firings,omitempty"`
	Would    []Would     `json:"would,omitempty"`
	Notes    []string    `json:"notes,omitempty"`
	Switch   *Switch     `json:"switch,omitempty"`
	Added    *Definition `json:"added,omitempty"`

	Definitions []Definition `json:"definitions,omitempty"`
}

// View is a trigger for people.
type View struct {
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Kind        Kind      `json:"kind"`
	When        string    `json:"when"`
	Starts      string    `json:"starts"`
	Inputs      []string  `json:"inputs,omitempty"` // that are mapped
	Filter      string    `json:"filter,omitempty"`
	CatchUp     CatchUp   `json:"catchUp,omitempty"`
	Overlap     Overlap   `json:"overlap,omitempty"`
	Concurrent  int       `json:"concurrent,omitempty"`
	Sandbox     bool      `json:"sandbox,omitempty"`
	On          bool      `json:"on"`
	Why         string    `json:"why,omitempty"` // it is off
	Next        time.Time `json:"next,omitzero"` // due time, by the directory's clock
	Waiting     int       `json:"waiting,omitempty"`
	Last        *Firing   `json:"last,omitempty"`
	Added       bool      `json:"added,omitempty"` // by command
	Place       string    `json:"place"`
}

// Would is what one event leads to.
type Would struct {
	ID       string         `json:"id"`
	Key      string         `json:"key"`
	Starts   string         `json:"starts"`
	Inputs   map[string]any `json:"inputs,omitempty"`
	Filtered bool           `json:"filtered,omitempty"` // the filter leaves it out
	Before   State          `json:"before,omitempty"`   // it was told before, with this result
	Problem  string         `json:"problem,omitempty"`
	Run      string         `json:"run,omitempty"`
	Outcome  *Outcome       `json:"outcome,omitempty"`
}

// Use takes the triggers of lanyard.yaml over.
func (d *Desk) Use(file map[string]config.Section) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.file = file
}

// Reload takes the triggers of lanyard.yaml over and arms them. When anything is
// wrong, all stays as it was.
func (d *Desk) Reload(ctx context.Context, file map[string]config.Section) error {
	d.mu.Lock()
	before := d.file
	d.mu.Unlock()
	d.Use(file)
	err := d.Arm(ctx)
	if err != nil {
		d.Use(before)
	}
	return err
}

// entry is a trigger with where it comes from.
type entry struct {
	*Trigger
	added bool
}

// read reads all triggers, by name. Those that cannot be read are in the error.
func (d *Desk) read(ctx context.Context) (map[string]entry, []string, error) {
	d.mu.Lock()
	file := d.file
	d.mu.Unlock()
	out := map[string]entry{}
	triggers, err := Read(file)
	errs := []error{err}
	for _, t := range triggers {
		out[t.Name] = entry{t, false}
	}
	definitions, err := d.Engine.Store.Definitions(ctx)
	if err != nil {
		return nil, nil, err
	}
	var notes []string
	for _, def := range definitions {
		if _, taken := file[def.Name]; taken {
			notes = append(notes, "the trigger "+def.Name+" that was added by command is hidden by the one of lanyard.yaml")
			continue
		}
		t, err := parseOne(def.Name, "triggers add "+def.Name, def.Dir, def.Text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[t.Name] = entry{t, true}
	}
	return out, notes, fault.Join(errs...)
}

// parseOne reads the text of one trigger: what stands under its name in
// lanyard.yaml.
func parseOne(name, file, dir, text string) (*Trigger, error) {
	n, err := value.ParseYAML([]byte(text), file)
	if err != nil {
		return nil, err
	}
	return readOne(name, config.Section{Node: n, File: file, Dir: dir})
}

// Arm makes the engine take over all triggers. Everything that is wrong with any
// of them is reported, and then nothing changes.
func (d *Desk) Arm(ctx context.Context) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	all, _, err := d.read(ctx)
	if err != nil {
		return err
	}
	var triggers []*Trigger
	for _, name := range slices.Sorted(maps.Keys(all)) {
		triggers = append(triggers, all[name].Trigger)
	}
	return d.Engine.Arm(ctx, triggers)
}

// Do carries a command out.
func (d *Desk) Do(ctx context.Context, c Command) (*Reply, error) {
	if d.Served { // what was decided a moment ago belongs to what is shown
		if err := d.Engine.flush(ctx); err != nil {
			return nil, err
		}
	}
	switch c.Do {
	case List:
		return d.list(ctx)
	case Show:
		return d.show(ctx, c.Name)
	case Add:
		return d.add(ctx, c)
	case Remove:
		return d.remove(ctx, c.Name)
	case On, Off:
		return d.turn(ctx, c)
	case Fire:
		return d.fire(ctx, c)
	case History:
		return d.history(ctx, c)
	case Test:
		return d.test(ctx, c)
	case Definitions:
		all, err := d.Engine.Store.Definitions(ctx)
		return &Reply{Definitions: all}, err
	}
	return nil, fault.New(fault.Usage, "triggers know no command %q", c.Do)
}

// find returns one trigger.
func (d *Desk) find(ctx context.Context, name string) (entry, error) {
	all, _, err := d.read(ctx)
	if t, ok := all[name]; ok {
		return t, nil // the mistakes of others do not matter
	}
	if err != nil {
		return entry{}, err
	}
	missing := fault.New(fault.NotFound, "there is no trigger %q", name)
	if near := spelling.Nearest(name, slices.Sorted(maps.Keys(all))); near != "" {
		return entry{}, missing.Fix("did you mean %q?", near)
	}
	return entry{}, missing.Fix("%q shows them", "lanyard triggers list")
}

func (d *Desk) list(ctx context.Context) (*Reply, error) {
	all, notes, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.Engine.readSwitches(ctx); err != nil {
		return nil, err
	}
	waiting, err := d.Engine.Store.Waiting(ctx)
	if err != nil {
		return nil, err
	}
	reply := &Reply{Notes: notes}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t := all[name]
		if _, err := d.Engine.Starter.Load(ctx, t.Action); err != nil {
			errs = append(errs, atTrigger(t.Trigger, err))
		}
		v, err := d.view(ctx, t)
		if err != nil {
			return nil, err
		}
		v.Waiting = waiting[name]
		reply.Triggers = append(reply.Triggers, v)
	}
	return reply, fault.Join(errs...)
}

func (d *Desk) view(ctx context.Context, t entry) (View, error) {
	v := View{
		Name: t.Name, Description: t.Description, Kind: t.Kind(), When: t.When(), Starts: t.Action.String(), Concurrent: t.Concurrent,
		Sandbox: t.Action.Sandbox, Added: t.added, Place: t.Place,
	}
	if t.Inputs != nil {
		v.Inputs = t.Inputs.Names()
	}
	if t.Filter != nil {
		v.Filter = t.Filter.String()
	}
	v.Why, _ = d.Engine.off(t.Trigger)
	v.On = v.Why == ""
	if s := t.Schedule; s != nil {
		v.CatchUp, v.Overlap = s.CatchUp, s.Overlap
		if v.On {
			v.Next = s.Cron.Next(d.Engine.now())
		}
	}
	last, err := d.Engine.Store.Firings(ctx, Query{Trigger: t.Name, Limit: 1})
	if len(last) > 0 {
		v.Last = &last[0]
	}
	return v, err
}

func (d *Desk) show(ctx context.Context, name string) (*Reply, error) {
	t, err := d.find(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := d.Engine.readSwitches(ctx); err != nil {
		return nil, err
	}
	v, err := d.view(ctx, t)
	if err != nil {
		return nil, err
	}
	waiting, err := d.Engine.Store.Waiting(ctx)
	if err != nil {
		return nil, err
	}
	v.Waiting = waiting[name]
	_, err = d.Engine.Starter.Load(ctx, t.Action)
	if err != nil {
		err = atTrigger(t.Trigger, err)
	}
	return &Reply{Triggers: []View{v}}, err
}

// add keeps a trigger, once it is known to work.
func (d *Desk) add(ctx context.Context, c Command) (*Reply, error) {
	d.mu.Lock()
	_, taken := d.file[c.Name]
	d.mu.Unlock()
	if taken {
		return nil, fault.New(fault.Conflict, "lanyard.yaml has a trigger %q", c.Name).Fix("change it there, or choose another name")
	}
	t, err := parseOne(c.Name, cmp.Or(c.File, "the trigger"), d.Dir, c.Text)
	if err != nil {
		return nil, err
	}
	r, err := d.Engine.Starter.Load(ctx, t.Action)
	if err != nil {
		return nil, atTrigger(t, err)
	}
	def := Definition{Name: c.Name, Text: c.Text, Dir: d.Dir, By: c.By, At: d.Engine.real()}
	if err := d.keep(ctx, def, t, r); err != nil {
		return nil, err
	}
	v, err := d.view(ctx, entry{t, true})
	return &Reply{Added: &def, Triggers: []View{v}}, err
}

// keep stores a trigger, and arms it where triggers are served.
func (d *Desk) keep(ctx context.Context, def Definition, t *Trigger, r Runnable) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	if err := d.Engine.Store.PutDefinition(ctx, def); err != nil {
		return err
	}
	if !d.Served {
		return nil
	}
	return d.Engine.add(ctx, t, r)
}

func (d *Desk) remove(ctx context.Context, name string) (*Reply, error) {
	t, err := d.find(ctx, name)
	if err == nil && !t.added {
		return nil, fault.New(fault.Conflict, "the trigger %q stands in lanyard.yaml", name).At("%s", t.Place).Fix("remove it there, or switch it off: lanyard triggers off %s", name)
	}
	d.changing.Lock()
	defer d.changing.Unlock()
	// One that cannot be read any more can still be removed.
	if removed := d.Engine.remove(ctx, name); removed != nil {
		return nil, cmp.Or(err, removed)
	}
	return &Reply{}, nil
}

// turn switches a trigger or a flow. That others cannot be read or loaded must not
// keep anybody from switching one off.
func (d *Desk) turn(ctx context.Context, c Command) (*Reply, error) {
	s := Switch{What: SwitchTrigger, Name: c.Name, Off: c.Do == Off, By: c.By, Why: c.Why, At: d.Engine.real()}
	if c.Flow != "" {
		s.What, s.Name = SwitchFlow, c.Flow
	}
	reply := &Reply{Switch: &s}
	uses, err := d.switched(ctx, c)
	if err != nil {
		return nil, err
	}
	if c.Flow != "" && len(uses) == 0 {
		reply.Notes = append(reply.Notes, "no trigger starts the flow "+c.Flow)
	}
	if !s.Off {
		if err := d.Engine.fromNow(ctx, uses); err != nil {
			return nil, err
		}
	}
	if err := d.Engine.Store.PutSwitch(ctx, s); err != nil {
		return nil, err
	}
	return reply, d.Engine.readSwitches(ctx)
}

// switched returns the triggers that a switch is about. One that is switched off
// ahead need not be there.
func (d *Desk) switched(ctx context.Context, c Command) ([]*Trigger, error) {
	switch {
	case c.Flow != "":
		return d.users(ctx, c.Flow)
	case c.Ahead && c.Do == Off:
		return nil, nil
	}
	t, err := d.find(ctx, c.Name)
	if err != nil {
		return nil, err
	}
	return []*Trigger{t.Trigger}, nil
}

// users returns the triggers that start a flow, or any of a file.
func (d *Desk) users(ctx context.Context, flow string) ([]*Trigger, error) {
	all, _, err := d.read(ctx)
	if all == nil {
		return nil, err
	}
	var out []*Trigger
	for _, name := range slices.Sorted(maps.Keys(all)) {
		file, _, _ := strings.Cut(all[name].Action.Flow, "#")
		if flow == all[name].Action.Flow || flow == file {
			out = append(out, all[name].Trigger)
		}
	}
	return out, nil
}

func (d *Desk) history(ctx context.Context, c Command) (*Reply, error) {
	firings, err := d.Engine.Store.Firings(ctx, Query{Trigger: c.Name, State: c.State, Limit: cmp.Or(c.Limit, 50)})
	if err == nil && len(firings) == 0 && c.Name != "" { // of one that was removed, there may be some
		_, err = d.find(ctx, c.Name)
	}
	return &Reply{Firings: firings}, err
}
