package trigger

import (
	"context"
	"strings"
)

// readSwitches takes over what was switched, also by another process.
func (e *Engine) readSwitches(ctx context.Context) error {
	all, err := e.Store.Switches(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.switches = map[Switched]map[string]Switch{SwitchTrigger: {}, SwitchFlow: {}}
	for _, s := range all {
		if e.switches[s.What] != nil {
			e.switches[s.What][s.Name] = s
		}
	}
	return nil
}

// off says why a trigger does not fire, "" when it does. silent says that it was
// written so: then nobody need be told.
func (e *Engine) off(t *Trigger) (why string, silent bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switched, ok := e.switches[SwitchTrigger][t.Name]
	switch {
	case ok && switched.Off:
		return because("the trigger is switched off", switched), false
	case !ok && !t.Enabled:
		return "the trigger is not enabled", true
	}
	if name, s := e.flowOff(t); name != "" {
		return because("the flow "+name+" is switched off", s), false
	}
	return "", false
}

// flowOff returns the flow of a trigger that is switched off, under the name that
// was given to the switch; "" when none is. The caller holds mu.
func (e *Engine) flowOff(t *Trigger) (name string, s Switch) {
	file, _, _ := strings.Cut(t.Action.Flow, "#")
	for _, name := range []string{t.Action.Flow, file} {
		if s, ok := e.switches[SwitchFlow][name]; ok && s.Off && name != "" {
			return name, s
		}
	}
	return "", Switch{}
}

// turnOn is the command that lets a trigger fire that is off.
func (e *Engine) turnOn(t *Trigger) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	name, _ := e.flowOff(t)
	if s, ok := e.switches[SwitchTrigger][t.Name]; name == "" || ok && s.Off || !ok && !t.Enabled {
		return "lanyard triggers on " + t.Name
	}
	return "lanyard triggers on --flow " + name
}

func because(what string, s Switch) string {
	if s.Why != "" {
		return what + ": " + s.Why
	}
	return what
}
