package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lanyard-id/lanyard/internal/arazzo/expr"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/value"
)

// request builds a step's request. An expression without a value is an error
// here, before anything is sent (A7); only what is made of an absent optional
// input alone is left out.
func (t *turn) request(f *frame, step *plan.Step) (waiting, error) {
	none := waiting{}
	data := t.scope(f, nil, nil)
	params, err := t.params(f, step.Params, data)
	if err != nil {
		return none, err
	}
	if rule := step.Idempotency; rule != nil && rule.Key != nil {
		key, _, err := rule.Key.Eval(data, nil)
		if err != nil {
			return none, at("the idempotency key", err)
		}
		params = append(params, openapi.Param{Name: rule.Header, In: "header", Value: value.Text(key)})
	}
	var content *openapi.Content
	if step.Body != nil {
		if content, err = t.content(f, step.Body, data); err != nil {
			return none, err
		}
	}
	params = append(params, step.Supplied()...)
	w := waiting{Kind: waitCall}
	if content != nil {
		w.Body = content.Value
	}
	w.Request, err = step.Operation.Render(params, content)
	return w, err
}

// params evaluates the parameters of an operation.
func (t *turn) params(f *frame, from []plan.Param, data *expr.Data) ([]openapi.Param, error) {
	out := make([]openapi.Param, 0, len(from))
	for i := range from {
		p := &from[i]
		v, drop, err := p.Value.Eval(data, t.absent(f))
		if err != nil {
			return nil, at("parameter "+p.Name, err)
		}
		if drop {
			continue
		}
		if err := t.checkQuoted(p, data); err != nil {
			return nil, err
		}
		out = append(out, openapi.Param{Name: p.Name, In: p.In, Value: v})
	}
	return out, nil
}

// checkQuoted refuses a value that would end the quotes it is embedded in, as a
// user name with a quote would in userName eq "{$inputs.user}": the filter would
// match other people than the author meant.
func (t *turn) checkQuoted(p *plan.Param, data *expr.Data) error {
	if t.m.plan.Profile.QuotedValues == "verbatim" {
		return nil
	}
	for _, q := range p.Quoted {
		v, err := expr.Resolve(q.Expression, data)
		if err != nil {
			return at("parameter "+p.Name, err)
		}
		if strings.ContainsAny(value.Text(v), string(q.Quote)+`\`) {
			return fault.New(fault.Invalid, "the value of %s contains the quote or a backslash, so it would change the meaning of parameter %s",
				q.Expression, p.Name).Fix("look the person up by another attribute, or set the profile switch quotedValues to verbatim")
		}
	}
	return nil
}

// absent tells which expressions may be without a value: optional inputs that
// were not given.
func (t *turn) absent(f *frame) func(expr.Expression) bool {
	w := t.m.workflow(f)
	return func(e expr.Expression) bool {
		if e.Root != expr.RootInputs {
			return false
		}
		name := e.Name
		if !w.Optional(name) {
			name, _, _ = strings.Cut(name, ".")
		}
		_, given := f.Inputs[name]
		return !given && w.Optional(name)
	}
}

// arguments evaluates the parameters that become another workflow's inputs (N18, N64).
func (t *turn) arguments(f *frame, from []plan.Param, data *expr.Data) (map[string]any, error) {
	out := map[string]any{}
	for i := range from {
		p := &from[i]
		v, drop, err := p.Value.Eval(data, t.absent(f))
		if err != nil {
			return nil, at("parameter "+p.Name, err)
		}
		if !drop {
			out[p.Name] = v
		}
	}
	return out, nil
}

// content evaluates a request body (N22).
func (t *turn) content(f *frame, body *plan.Body, data *expr.Data) (*openapi.Content, error) {
	if body.JSONText != nil {
		text, err := body.JSONText.EvalJSON(data)
		if err != nil {
			return nil, at("the request body", err)
		}
		return t.replaced(f, body, data, &openapi.Content{Type: body.Type, Value: text, JSONText: true})
	}
	v, drop, err := body.Value.Eval(data, t.absent(f))
	if err != nil {
		return nil, at("the request body", err)
	}
	if drop {
		return nil, nil
	}
	return t.replaced(f, body, data, &openapi.Content{Type: body.Type, Value: v})
}

// replaced applies a body's replacements in order (N23).
func (t *turn) replaced(f *frame, body *plan.Body, data *expr.Data, content *openapi.Content) (*openapi.Content, error) {
	if len(body.Replacements) == 0 {
		return content, nil
	}
	var err error
	if text, ok := content.Value.(string); ok && content.JSONText {
		if content.Value, err = value.Decode([]byte(text)); err != nil {
			return nil, at("the request body", err)
		}
		content.JSONText = false
	}
	for i := range body.Replacements {
		r := &body.Replacements[i]
		v, drop, err := r.Value.Eval(data, t.absent(f))
		if err != nil {
			return nil, at("the replacement at "+r.Target, err)
		}
		if drop {
			continue
		}
		if r.Kind == "jsonpointer" {
			content.Value, err = r.Pointer.Set(content.Value, v)
		} else {
			content.Value, err = expr.Replace(r.Kind, r.Target, content.Value, v)
		}
		if err != nil {
			return nil, at("the replacement at "+r.Target, err)
		}
	}
	return content, nil
}

// at names the part of the step that could not be evaluated.
func at(part string, err error) error {
	return fault.New(fault.Invalid, "%s", fmt.Sprintf("%s: %s", part, message(err)))
}

// message is the public text of an error; expressions without a value say which
// and why.
func message(err error) string {
	var u *expr.Unresolved
	if errors.As(err, &u) {
		return u.Error()
	}
	return fault.Public(err)
}
