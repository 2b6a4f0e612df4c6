package scim

import (
	"maps"
	"net/http"
	"net/url"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
)

// outcome is what an operation on one resource came to.
type outcome struct {
	status   int
	resource scim.Resource // nil: no body
	location string
	version  string
}

// resource answers the operations on one resource.
func (c *call) resource(typ *scim.ResourceType, id string) error {
	c.subject = id
	ifMatch := c.r.Header.Get("If-Match")
	return c.only(methods{
		http.MethodGet: func() error { return c.get(typ, id) },
		http.MethodPut: func() error {
			return c.write(typ, func(body map[string]any) (outcome, error) { return c.replace(typ, id, body, ifMatch) })
		},
		http.MethodPatch: func() error {
			return c.write(typ, func(body map[string]any) (outcome, error) { return c.patch(typ, id, body, ifMatch) })
		},
		http.MethodDelete: func() error {
			if _, err := c.remove(typ, id, ifMatch); err != nil {
				return err
			}
			c.w.WriteHeader(http.StatusNoContent)
			return nil
		},
	})
}

// me answers for the resource that the caller is (RFC 7644 3.11).
func (c *call) me() error {
	p, ok := c.endpoint.(Personal)
	if !ok {
		return noMe()
	}
	typ, id, err := p.Me(c.r.Context())
	if err != nil {
		return err
	}
	if id == "" {
		return noMe()
	}
	return c.resource(typ, id)
}

func noMe() error {
	return problem(fault.Unsupported, http.StatusNotImplemented, "the token of a SCIM client is nobody's own: there is no /Me")
}

func (c *call) post(typ *scim.ResourceType) error {
	return c.write(typ, func(body map[string]any) (outcome, error) { return c.create(typ, body) })
}

func (c *call) get(typ *scim.ResourceType, id string) error {
	if err := c.endpoint.Allow(http.MethodGet, typ); err != nil {
		return err
	}
	p, err := projection(c.values)
	if err != nil {
		return err
	}
	r, err := c.endpoint.Get(c.r.Context(), typ, id, p)
	if err != nil {
		return err
	}
	o := c.outcome(http.StatusOK, typ, r)
	if header := c.r.Header.Get("If-None-Match"); header != "" && scim.Matches(header, o.version) {
		c.w.Header().Set("ETag", o.version)
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return c.show(typ, o, p)
}

// write runs an operation with a body, and answers what came of it. The
// projection is read first: a request that is wrong must not change anything.
func (c *call) write(typ *scim.ResourceType, run func(body map[string]any) (outcome, error)) error {
	p, err := projection(c.values)
	if err != nil {
		return err
	}
	if err := c.endpoint.Allow(c.r.Method, typ); err != nil {
		return err
	}
	body, err := c.readBody()
	if err != nil {
		return err
	}
	o, err := run(body)
	if err != nil {
		return err
	}
	return c.show(typ, o, p)
}

// show answers an outcome.
func (c *call) show(typ *scim.ResourceType, o outcome, p scim.Projection) error {
	h := c.w.Header()
	if o.version != "" {
		h.Set("ETag", o.version)
	}
	if o.status == http.StatusCreated {
		h.Set("Location", o.location)
	}
	if o.resource == nil {
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if c.r.Method == http.MethodGet {
		h.Set("Content-Location", o.location)
	}
	return c.answer(o.status, typ.Project(o.resource, p))
}

func (c *call) create(typ *scim.ResourceType, body map[string]any) (outcome, error) {
	if err := c.endpoint.Allow(http.MethodPost, typ); err != nil {
		return outcome{}, err
	}
	r, notes, err := c.endpoint.Create(c.r.Context(), typ, body)
	c.note(notes...)
	if err != nil {
		return outcome{}, err
	}
	return c.outcome(http.StatusCreated, typ, r), nil
}

func (c *call) replace(typ *scim.ResourceType, id string, body map[string]any, ifMatch string) (outcome, error) {
	if err := c.endpoint.Allow(http.MethodPut, typ); err != nil {
		return outcome{}, err
	}
	r, notes, err := c.endpoint.Replace(c.r.Context(), typ, id, body, ifMatch)
	c.note(notes...)
	if err != nil {
		return outcome{}, err
	}
	return c.outcome(http.StatusOK, typ, r), nil
}

// patch changes a resource. The answer is 204, which costs neither side the whole
// of a group; a request that says which attributes it wants gets them (RFC 7644
// 3.5.2).
func (c *call) patch(typ *scim.ResourceType, id string, body map[string]any, ifMatch string) (outcome, error) {
	if err := c.endpoint.Allow(http.MethodPatch, typ); err != nil {
		return outcome{}, err
	}
	ops, notes, err := scim.ParsePatch(body, c.config.Leniency)
	c.note(notes...)
	if err != nil {
		return outcome{}, err
	}
	r, notes, err := c.endpoint.Patch(c.r.Context(), typ, id, ops, ifMatch)
	c.note(notes...)
	if err != nil {
		return outcome{}, err
	}
	if query := c.values; query.Has("attributes") || query.Has("excludedAttributes") {
		return c.patched(typ, id, r, query)
	}
	o := outcome{status: http.StatusNoContent, location: c.location(typ, id)}
	if r != nil {
		_, located := c.located(typ, r)
		o.version = located.version
	}
	return o, nil
}

// patched is the outcome of a patch whose answer is asked for.
func (c *call) patched(typ *scim.ResourceType, id string, r scim.Resource, query url.Values) (outcome, error) {
	if r == nil {
		p, err := projection(query)
		if err != nil {
			return outcome{}, err
		}
		if r, err = c.endpoint.Get(c.r.Context(), typ, id, p); err != nil {
			return outcome{}, err
		}
	}
	return c.outcome(http.StatusOK, typ, r), nil
}

func (c *call) remove(typ *scim.ResourceType, id, ifMatch string) (outcome, error) {
	if err := c.endpoint.Allow(http.MethodDelete, typ); err != nil {
		return outcome{}, err
	}
	if err := c.endpoint.Delete(c.r.Context(), typ, id, ifMatch); err != nil {
		return outcome{}, err
	}
	return outcome{status: http.StatusNoContent, location: c.location(typ, id)}, nil
}

// outcome says where a resource is found.
func (c *call) outcome(status int, typ *scim.ResourceType, r scim.Resource) outcome {
	c.about(r)
	r, o := c.located(typ, r)
	o.status, o.resource = status, r
	return o
}

// located returns a copy of a resource that says where it is found.
func (c *call) located(typ *scim.ResourceType, r scim.Resource) (scim.Resource, outcome) {
	r = maps.Clone(r)
	if meta, ok := r["meta"].(map[string]any); ok {
		r["meta"] = maps.Clone(meta)
	}
	return r, c.locate(typ, r)
}

// locate writes into a resource where it is found.
func (c *call) locate(typ *scim.ResourceType, r scim.Resource) outcome {
	id, _ := r["id"].(string)
	meta, ok := r["meta"].(map[string]any)
	if !ok {
		meta = map[string]any{}
		r["meta"] = meta
	}
	o := outcome{location: c.location(typ, id)}
	o.version, _ = meta["version"].(string)
	meta["location"] = o.location
	return o
}

func (c *call) location(typ *scim.ResourceType, id string) string {
	return c.root() + typ.Endpoint + "/" + url.PathEscape(id)
}

// projection reads the parameters that say which attributes an answer has.
func projection(q url.Values) (scim.Projection, error) {
	return scim.ParseProjection(q["attributes"], q["excludedAttributes"])
}
