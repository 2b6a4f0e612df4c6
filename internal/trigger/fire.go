package trigger

import (
	"cmp"
	"context"
	"maps"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

// told reads the event of a command as the trigger would be told it. user is the
// person of a directory change.
func (t *Trigger) told(event *Event, now time.Time) (out []Occurrence, user map[string]any, err error) {
	if t.Okta != nil || t.Auth0 != nil {
		if event == nil {
			return nil, nil, fault.New(fault.Usage, "an event hook needs a delivery").At("%s", event.place()).Fix("name a file with what the provider sends")
		}
		out, err = t.occurrences([]byte(event.Body))
		if err == nil && len(out) == 0 {
			err = fault.New(fault.Invalid, "the delivery has no event of the types that are wanted").At("%s", event.place())
		}
		return out, nil, err
	}
	var v any
	if event != nil {
		if v, err = value.DecodeExact([]byte(event.Body)); err != nil {
			return nil, nil, fault.Wrap(fault.Invalid, err, "this does not read as JSON: %s", fault.Public(err)).At("%s", event.place())
		}
	}
	body, isObject := v.(map[string]any)
	switch {
	case t.Endpoint != nil:
		if s := t.Endpoint.Schema; s != nil {
			if problems := s.Check(v); len(problems) > 0 {
				return nil, nil, fault.New(fault.Invalid, "the body does not fit the endpoint's schema: %s", problems[0].Message).At("%s", event.place())
			}
		}
		return []Occurrence{{Event: map[string]any{"body": v, "query": map[string]any{}}}}, nil, nil
	case t.Schedule != nil && v == nil:
		return []Occurrence{scheduled(t.Schedule.Cron.Next(now))}, nil, nil
	case !isObject:
		return nil, nil, fault.New(fault.Usage, "the trigger needs an event, which is an object").At("%s", event.place()).Fix("docs/triggers.md shows what it has")
	}
	person, _ := body["person"].(map[string]any)
	user, _ = person["profile"].(map[string]any)
	return []Occurrence{{Event: body}}, user, nil
}

// would says what each event of a command leads to.
func (d *Desk) would(ctx context.Context, t *Trigger, r Runnable, c Command, prefix string) ([]Would, []map[string]any, error) {
	events, user, err := t.told(c.Event, d.Engine.now())
	if err != nil {
		return nil, nil, err
	}
	var out []Would
	var all []map[string]any
	for _, o := range events {
		w := Would{Key: o.Key, Starts: t.Action.String()}
		if w.Key == "" || prefix != "" {
			w.Key = cmp.Or(prefix, "call/") + randomKey()
		}
		w.ID = firingID(t.Name, w.Key)
		ok, err := t.wants(o.Event, user)
		var inputs map[string]any
		if err == nil && ok {
			inputs, err = t.inputs(o.Event)
		}
		if err == nil && ok {
			err = t.check(r, inputs)
		}
		w.Filtered, w.Problem, w.Inputs = err == nil && !ok, fault.Public(err), masked(inputs)
		if known, err := d.Engine.Store.Firing(ctx, w.ID); err == nil {
			w.Before = known.State
		}
		out, all = append(out, w), append(all, inputs)
	}
	return out, all, nil
}

// masked hides inputs that have the name of a secret.
func masked(inputs map[string]any) map[string]any {
	out := maps.Clone(inputs)
	for name, v := range out {
		if secret.SecretName(name) {
			out[name] = secret.MaskAll(v)
		}
	}
	return out
}

// test shows what an event leads to, and runs it on the sandbox when asked to.
func (d *Desk) test(ctx context.Context, c Command) (*Reply, error) {
	t, err := d.find(ctx, c.Name)
	if err != nil {
		return nil, err
	}
	r, err := d.Engine.Starter.Load(ctx, t.Action)
	if err != nil {
		return nil, atTrigger(t.Trigger, err)
	}
	prefix := ""
	if c.Run {
		prefix = "test/"
	}
	would, inputs, err := d.would(ctx, t.Trigger, r, c, prefix)
	if err != nil || !c.Run {
		return &Reply{Would: would}, err
	}
	return &Reply{Would: would}, d.runAll(ctx, t.Trigger, r, would, inputs, true, true)
}

// fire starts what an event leads to at once, whatever else is under way.
func (d *Desk) fire(ctx context.Context, c Command) (*Reply, error) {
	t, err := d.find(ctx, c.Name)
	if err != nil {
		return nil, err
	}
	if err := d.Engine.readSwitches(ctx); err != nil {
		return nil, err
	}
	if why, _ := d.Engine.off(t.Trigger); why != "" {
		return nil, fault.New(fault.Conflict, "%s", why).Fix("%s", d.Engine.turnOn(t.Trigger))
	}
	r, err := d.Engine.Starter.Load(ctx, t.Action)
	if err != nil {
		return nil, atTrigger(t.Trigger, err)
	}
	would, inputs, err := d.would(ctx, t.Trigger, r, c, "manual/")
	if err != nil {
		return nil, err
	}
	return &Reply{Would: would}, d.runAll(ctx, t.Trigger, r, would, inputs, false, c.Wait || !d.Served)
}

// runAll starts what events lead to, and waits for the end when asked to.
func (d *Desk) runAll(ctx context.Context, t *Trigger, r Runnable, would []Would, inputs []map[string]any, sandbox, wait bool) error {
	for i := range would {
		w := &would[i]
		if w.Filtered || w.Problem != "" {
			continue
		}
		f := d.Engine.row(t, w.Key)
		f.Kind, f.Sandbox = Manual, sandbox
		if err := d.begin(ctx, r, &f, inputs[i]); err != nil {
			return err
		}
		if w.Problem = f.Reason; f.State == Started {
			w.Run = f.ID
		}
	}
	for i := range would {
		if w := &would[i]; wait && w.Run != "" {
			o, err := r.Await(ctx, w.Run)
			if err != nil {
				return err
			}
			w.Outcome = &o
		}
	}
	return nil
}

// begin starts the run of a firing that somebody asks for. Like any other, it is on
// disk before that: when this process is killed while an import reads its source, the
// next one that serves begins again. Of a test, only what came of it is kept.
func (d *Desk) begin(ctx context.Context, r Runnable, f *Firing, inputs map[string]any) (err error) {
	e := d.Engine
	f.State = Waiting
	if !f.Sandbox {
		if f.Sealed, err = e.seal(f.ID, inputs); err != nil {
			return err
		}
		if d.Served {
			e.claim(f, e.real())
		}
		if _, err := e.Store.Accept(ctx, nil, []Firing{*f}); err != nil {
			e.unclaim(f.ID)
			return err
		}
	}
	kept := context.WithoutCancel(ctx)
	switch err := r.Start(ctx, f.ID, f.Trigger, inputs, f.Sandbox); {
	case err == nil:
		f.State = Started
	case ctx.Err() != nil && d.Served && !f.Sandbox: // nobody listens any more, or the process ends
		e.unclaim(f.ID)
		e.more()
		return err
	case ctx.Err() != nil:
		f.State, f.Reason = Failed, "it was interrupted before it had begun; fire it again"
	default:
		f.State, f.Reason = Failed, fault.Public(err)
	}
	f.Sealed = nil
	if f.Sandbox {
		_, err = e.Store.Accept(kept, nil, []Firing{*f})
	} else {
		err = e.Store.Settle(kept, *f)
	}
	e.finish(f.ID)
	return err
}
