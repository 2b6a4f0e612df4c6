package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/oauth"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/wirelog"
	"github.com/lanyard-id/lanyard/internal/worker"
)

// Client is a Service in another process of this machine.
type Client struct {
	Base  string // "http://127.0.0.1:8480"
	Token string
	HTTP  *http.Client
}

var _ Service = (*Client)(nil)

// call makes one request; into is nil when the answer's body does not matter.
func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return fault.Wrap(fault.Internal, err, "the request cannot be written")
		}
	}
	return c.send(ctx, method, path, data, into)
}

// send is call with a body that is written already.
func (c *Client) send(ctx context.Context, method, path string, body []byte, into any) error {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	res, err := c.open(ctx, method, path, reader)
	if err != nil {
		return err
	}
	return c.finish(ctx, res, into)
}

// open makes a request and returns its answer, whatever that is.
func (c *Client) open(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.Base+prefix+path, body)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the address of the serving process is wrong")
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	res, err := c.HTTP.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fault.Wrap(fault.Unavailable, err, "the lanyard serve that holds the data folder does not answer").Fix("stop it, or start it again")
	}
	return res, nil
}

func brokeOff(err error) error {
	return fault.Wrap(fault.Unavailable, err, "the lanyard serve that holds the data folder broke off").Fix("stop it, or start it again")
}

// finish reads an answer.
func (c *Client) finish(ctx context.Context, res *http.Response, into any) error {
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return brokeOff(err)
	case len(data) > maxAnswer:
		return fault.New(fault.TooLarge, "the answer of the serving process has more than %d bytes", maxAnswer)
	}
	if res.StatusCode/100 != 2 {
		return remote(res.StatusCode, data)
	}
	if into == nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return fault.Wrap(fault.Internal, err, "the answer of the serving process does not read").Fix("use the same version of lanyard for both")
	}
	return nil
}

// remote gives a failure of the other process its kind back.
func remote(status int, data []byte) error {
	var body errorBody
	if err := json.Unmarshal(data, &body); err != nil || body.Message == "" {
		return fault.New(fault.Internal, "the serving process answered %d", status).Fix("use the same version of lanyard for both")
	}
	if len(body.Errors) == 0 {
		return body.fault()
	}
	errs := make([]error, len(body.Errors))
	for i, one := range body.Errors {
		errs[i] = one.fault()
	}
	return fault.Join(errs...)
}

// fault is the failure that a body describes. A kind that this version does not
// know is Internal.
func (b errorBody) fault() error {
	e := &fault.Error{Kind: fault.Internal, Place: b.Place, Msg: b.Message, Remedy: b.Remedy}
	for kind := fault.Internal; kind <= fault.Held; kind++ {
		if kind.String() == b.Kind {
			e.Kind = kind
		}
	}
	return e
}

// Start implements Service.
func (c *Client) Start(ctx context.Context, id string, p *plan.Plan, inputs map[string]any, b run.Bindings) error {
	bundle, _, err := p.Bundle.Encode()
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, "/runs", startBody{ID: id, Bundle: bundle, Inputs: inputs, Bindings: b, StartedBy: run.Starter(ctx)}, nil)
}

// StartFlow implements Service.
func (c *Client) StartFlow(ctx context.Context, id string, f Flow) (run.Run, error) {
	var r run.Run
	err := c.call(ctx, http.MethodPut, "/runs/"+url.PathEscape(id), f, &r)
	return r, err
}

// Run implements Service.
func (c *Client) Run(ctx context.Context, id string) (run.Run, error) {
	var r run.Run
	err := c.call(ctx, http.MethodGet, "/runs/"+url.PathEscape(id), nil, &r)
	return r, err
}

// Runs implements Service.
func (c *Client) Runs(ctx context.Context, f worker.Filter) ([]run.Run, error) {
	q := url.Values{"limit": {strconv.Itoa(f.Limit)}}
	if f.Workflow != "" {
		q.Set("workflow", f.Workflow)
	}
	for _, s := range f.Statuses {
		q.Add("status", string(s))
	}
	var runs []run.Run
	err := c.call(ctx, http.MethodGet, "/runs?"+q.Encode(), nil, &runs)
	return runs, err
}

// Records implements Service.
func (c *Client) Records(ctx context.Context, id string, after int, wait bool) ([]run.Record, error) {
	var all []run.Record
	for {
		q := url.Values{"after": {strconv.Itoa(after)}, "wait": {strconv.FormatBool(wait)}}
		var page []run.Record
		if err := c.call(ctx, http.MethodGet, "/runs/"+url.PathEscape(id)+"/records?"+q.Encode(), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < recordsPage {
			return all, nil
		}
		after, wait = page[len(page)-1].Seq, false
	}
}

// Items implements Service.
func (c *Client) Items(ctx context.Context, f worker.ItemFilter) ([]run.Item, error) {
	q := url.Values{"list": {strconv.Itoa(f.Loop)}, "step": {f.Step}, "from": {strconv.Itoa(f.From)}, "limit": {strconv.Itoa(f.Limit)}}
	for _, s := range f.Statuses {
		q.Add("status", string(s))
	}
	var items []run.Item
	err := c.call(ctx, http.MethodGet, "/runs/"+url.PathEscape(f.Run)+"/items?"+q.Encode(), nil, &items)
	return items, err
}

// Signal implements Service.
func (c *Client) Signal(ctx context.Context, id string, e engine.Event, inputs map[string]any) error {
	return c.call(ctx, http.MethodPost, "/runs/"+url.PathEscape(id)+"/signal", signalBody{Event: e, Inputs: inputs}, nil)
}

// People implements Service.
func (c *Client) People(ctx context.Context, email string) ([]directory.Person, error) {
	var people []directory.Person
	err := c.call(ctx, http.MethodGet, "/people?email="+url.QueryEscape(email), nil, &people)
	return people, err
}

// CreateToken implements Service.
func (c *Client) CreateToken(ctx context.Context, n oauth.NewAPIToken) (token string, kept oauth.APIToken, err error) {
	var body tokenBody
	err = c.call(ctx, http.MethodPost, "/tokens", n, &body)
	return body.Token, body.Kept, err
}

// Tokens implements Service.
func (c *Client) Tokens(ctx context.Context) ([]oauth.APIToken, error) {
	var tokens []oauth.APIToken
	err := c.call(ctx, http.MethodGet, "/tokens", nil, &tokens)
	return tokens, err
}

// RevokeToken implements Service.
func (c *Client) RevokeToken(ctx context.Context, ref string) (oauth.APIToken, error) {
	var kept oauth.APIToken
	err := c.call(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(ref), nil, &kept)
	return kept, err
}

// Provisioning implements Service.
func (c *Client) Provisioning(ctx context.Context, command provision.Command) (*provision.Reply, error) {
	var reply provision.Reply
	if err := c.call(ctx, http.MethodPost, "/provisioning", command, &reply); err != nil {
		return nil, err
	}
	return &reply, nil
}

// Triggers implements Service.
func (c *Client) Triggers(ctx context.Context, command trigger.Command) (*trigger.Reply, error) {
	var reply trigger.Reply
	if err := c.call(ctx, http.MethodPost, "/triggers", command, &reply); err != nil {
		return nil, err
	}
	return &reply, nil
}

// Exchanges implements Service.
func (c *Client) Exchanges(ctx context.Context, q wirelog.Query) (wirelog.Page, error) {
	var page wirelog.Page
	err := c.call(ctx, http.MethodPost, "/exchanges", q, &page)
	return page, err
}

// ReplayExchange implements Service.
func (c *Client) ReplayExchange(ctx context.Context, id string) (*wirelog.Replayed, error) {
	var again wirelog.Replayed
	if err := c.call(ctx, http.MethodPost, "/exchanges/replay", replayBody{id}, &again); err != nil {
		return nil, err
	}
	return &again, nil
}
