// Package hooks is the HTTP side of triggers: endpoints that start flows, and
// the event hooks of Okta and Auth0, each at /hooks/NAME.
//
// It tells who may call (signature, client token, access token, a provider's
// secret), bounds what is let in, and words the answers. What a call leads to is
// decided by package trigger. Bodies are never logged.
package hooks

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Triggers is what calls lead to. trigger.Engine satisfies it.
type Triggers interface {
	Find(name string) (*trigger.Trigger, bool)
	Call(ctx context.Context, name string, c trigger.Call) (trigger.Answer, error)
	Await(ctx context.Context, name, id string) (trigger.Outcome, error)
	Deliver(ctx context.Context, name string, body []byte) (trigger.Delivered, error)
	Refuse(t *trigger.Trigger, reason string)
}

// Secrets turns references into credentials.
type Secrets interface {
	Resolve(ctx context.Context, ref secret.Ref) (secret.Value, error)
}

// Hooks serves the addresses of triggers. Its fields are set before Mount.
type Hooks struct {
	Triggers Triggers
	Secrets  Secrets
	Client   *egress.Client   // asks issuers of access tokens for their keys
	Now      func() time.Time // the machine's clock
	Log      *slog.Logger

	mu        sync.Mutex // guards what follows
	buckets   map[string]*web.Bucket
	known     map[secret.Ref]knownSecret
	verifiers map[issuer]*verifier
}

// knownSecret is a credential that need not be read again for a while.
type knownSecret struct {
	value secret.Value
	until time.Time
}

// Bounds of requests.
const (
	secretsKept = 5 * time.Second
	bodyTime    = 10 * time.Second // for a body to arrive
	// deliverTime leaves room within the 3 s in which Okta wants its answer
	// (product.md 4).
	deliverTime  = 2500 * time.Millisecond
	maxKey       = 255  // bytes of an Idempotency-Key
	maxChallenge = 4096 // bytes of what Okta wants repeated
)

// Mount puts the hooks on a mux.
func (h *Hooks) Mount(mux *http.ServeMux) {
	h.buckets, h.known, h.verifiers = map[string]*web.Bucket{}, map[secret.Ref]knownSecret{}, map[issuer]*verifier{}
	front := &web.Front{Log: h.Log, NewID: requestID, Open: open, Fail: fail}
	mux.Handle(trigger.HooksPath+"{name}", front.Handle(h.serve))
	mux.Handle(trigger.HooksPath, front.Handle(unknown))
}

func requestID() string {
	b := make([]byte, 8)
	rand.Read(b) // never fails (Go 1.24)
	return hex.EncodeToString(b)
}

// open sets what every answer has.
func open(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", web.RequestID(r.Context()))
	w.Header().Set("Cache-Control", "no-store")
}

func unknown(http.ResponseWriter, *http.Request) error {
	return fault.New(fault.NotFound, "there is no such hook")
}

func (h *Hooks) serve(w http.ResponseWriter, r *http.Request) error {
	t, ok := h.Triggers.Find(r.PathValue("name"))
	if !ok || !t.Listens() {
		return unknown(w, r)
	}
	if t.Okta != nil && r.Method == http.MethodGet {
		return verification(w, r)
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return errMethod
	}
	// Not every connection knows deadlines: then the server's own count.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	err := h.handle(w, r, t)
	if refused(err) {
		h.Triggers.Refuse(t, fault.Public(err))
	}
	return err
}

// refused reports whether a request was not let in, which the history tells. A
// body that does not fit is not told: it may be anything.
func refused(err error) bool {
	var limited *limitError
	var start *trigger.StartError
	if errors.As(err, &start) {
		return false
	}
	return fault.Is(err, fault.Unauthorized) || fault.Is(err, fault.Forbidden) || fault.Is(err, fault.TooLarge) || errors.As(err, &limited)
}

func (h *Hooks) handle(w http.ResponseWriter, r *http.Request, t *trigger.Trigger) error {
	switch {
	case t.Okta != nil:
		return h.deliver(w, r, t, &t.Okta.Deliveries)
	case t.Auth0 != nil:
		return h.deliver(w, r, t, &t.Auth0.Deliveries)
	}
	return h.call(w, r, t)
}

// verification answers Okta's one-time question whether the address is ours
// (product.md 5): what it sent is sent back.
func verification(w http.ResponseWriter, r *http.Request) error {
	challenge := r.Header.Get("X-Okta-Verification-Challenge")
	if challenge == "" || len(challenge) > maxChallenge || !utf8.ValidString(challenge) {
		return fault.New(fault.Invalid, "the header x-okta-verification-challenge is missing")
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "verification", Value: challenge}})
}

// deliver takes a delivery of a provider's events.
func (h *Hooks) deliver(w http.ResponseWriter, r *http.Request, t *trigger.Trigger, d *trigger.Deliveries) error {
	key, err := h.secret(r.Context(), d.Secret)
	if err != nil {
		return err
	}
	if !sameSecret(r.Header.Get(d.Header), key) {
		return fault.New(fault.Unauthorized, "the header %s does not have the secret of this hook", d.Header)
	}
	if err := h.limit(t.Name, d.Limits); err != nil {
		return err
	}
	body, err := readBody(w, r, d.Limits)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), deliverTime)
	defer cancel()
	done, err := h.Triggers.Deliver(ctx, t.Name, body)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{
		{Key: "accepted", Value: done.Accepted}, {Key: "duplicates", Value: done.Duplicates}, {Key: "refused", Value: done.Refused},
	})
}

// call starts the flow of an endpoint.
func (h *Hooks) call(w http.ResponseWriter, r *http.Request, t *trigger.Trigger) error {
	e := t.Endpoint
	body, err := readBody(w, r, e.Limits)
	if err != nil {
		return err
	}
	proof, err := h.authorize(r, &e.Auth, body)
	if err != nil {
		return err
	}
	if err := h.limit(t.Name, e.Limits); err != nil {
		return err
	}
	call, err := readCall(r, body)
	if err != nil {
		return err
	}
	call.Proof = proof
	answer, err := h.Triggers.Call(r.Context(), t.Name, call)
	if err != nil {
		return err
	}
	if answer.Duplicate {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	switch {
	case answer.Ignored:
		return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "status", Value: "ignored"}})
	case e.Mode == trigger.ModeWait:
		return h.wait(w, r, t, answer)
	}
	return accepted(w, answer.Run)
}

func accepted(w http.ResponseWriter, id string) error {
	return web.WriteJSON(w, http.StatusAccepted, web.Object{{Key: "run", Value: id}, {Key: "status", Value: "accepted"}})
}

// wait answers with what the run led to, or that it goes on.
func (h *Hooks) wait(w http.ResponseWriter, r *http.Request, t *trigger.Trigger, answer trigger.Answer) error {
	ctx, cancel := context.WithTimeout(r.Context(), t.Endpoint.Timeout)
	defer cancel()
	// The server's own limit for an answer must not be shorter.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(t.Endpoint.Timeout + bodyTime))
	o, err := h.Triggers.Await(ctx, t.Name, answer.Run)
	if err != nil || !o.Status.Final() { // it goes on, whatever kept us from waiting
		return accepted(w, answer.Run)
	}
	out := web.Object{{Key: "run", Value: answer.Run}, {Key: "status", Value: string(o.Status)}}
	status := http.StatusOK
	if o.Status != run.Succeeded {
		status = http.StatusInternalServerError
	}
	if len(o.Outputs) > 0 {
		out = append(out, web.Field{Key: "outputs", Value: json.RawMessage(o.Outputs)})
	}
	return web.WriteJSON(w, status, out)
}

// readBody reads a body, which has to arrive in time. The deadline ends with it: one
// that goes on would end the request of a caller who waits for longer.
func readBody(w http.ResponseWriter, r *http.Request, l trigger.Limits) ([]byte, error) {
	body, err := web.ReadBody(r, l.MaxBody())
	if err == nil {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // as where it was set
	}
	return body, err
}

// readCall reads what a flow may be told of a request.
func readCall(r *http.Request, body []byte) (trigger.Call, error) {
	c := trigger.Call{Key: r.Header.Get("Idempotency-Key"), Query: map[string]any{}}
	if len(c.Key) > maxKey || len(r.Header.Values("Idempotency-Key")) > 1 {
		return c, fault.New(fault.Invalid, "the Idempotency-Key has more than %d bytes, or there are several", maxKey)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return c, fault.Wrap(fault.Invalid, err, "the query cannot be read")
	}
	query.Del(trigger.TokenQuery)
	for name, values := range query {
		c.Query[name] = values[0]
		if len(values) > 1 {
			all := make([]any, len(values))
			for i, v := range values {
				all[i] = v
			}
			c.Query[name] = all
		}
	}
	if len(strings.TrimSpace(string(body))) > 0 {
		if !utf8.Valid(body) { // what is not would be changed silently
			return c, fault.New(fault.Invalid, "the body is not UTF-8")
		}
		if c.Body, err = value.DecodeExact(body); err != nil {
			return c, fault.Wrap(fault.Invalid, err, "the body does not read: %s", fault.Public(err))
		}
	}
	sum := sha256.New()
	_, _ = sum.Write([]byte(query.Encode() + "\n")) // never fails
	_, _ = sum.Write(body)
	c.Fingerprint = hex.EncodeToString(sum.Sum(nil))
	return c, nil
}

// limitError says how long a caller has to wait.
type limitError struct{ wait time.Duration }

func (e *limitError) Error() string { return "wait " + e.wait.String() }

// limit counts a request that may call.
func (h *Hooks) limit(name string, l trigger.Limits) error {
	rate, burst := l.PerSecond()
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.buckets[name]
	if b == nil {
		b = &web.Bucket{}
		h.buckets[name] = b
	}
	if _, wait := b.Take(h.Now(), burst, rate); wait > 0 {
		return fault.Wrap(fault.RateLimited, &limitError{wait}, "more than %v requests a second", rate)
	}
	return nil
}

var errMethod = fault.New(fault.Usage, "a hook takes POST")

// fail answers an error. What a stranger may read of it is in the body; of what
// goes wrong inside it says nothing more than that.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	status, message := http.StatusInternalServerError, "the call could not be carried out; the log has the details"
	kind := fault.KindOf(err)
	var body *trigger.BodyError
	var key *trigger.KeyError
	var limited *limitError
	var start *trigger.StartError
	switch {
	case errors.As(err, &start) && statuses[kind] != http.StatusServiceUnavailable:
		kind = fault.Internal // a 401 because we lack a credential would be a lie
	case errors.Is(err, errMethod):
		status = http.StatusMethodNotAllowed
	case errors.As(err, &key):
		status = http.StatusUnprocessableEntity
	case kind == fault.RateLimited:
		wait := time.Second
		if errors.As(err, &limited) {
			wait = limited.wait
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		status = http.StatusTooManyRequests
	default:
		if s, ok := statuses[kind]; ok {
			status = s
		}
	}
	if status < http.StatusInternalServerError || status == http.StatusServiceUnavailable {
		message = fault.Public(err)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	out := web.Object{{Key: "error", Value: kind.String()}, {Key: "message", Value: message}, {Key: "request", Value: web.RequestID(r.Context())}}
	if errors.As(err, &body) {
		problems := make([]any, len(body.Problems))
		for i, p := range body.Problems {
			problems[i] = p.Message
		}
		out = append(out, web.Field{Key: "problems", Value: problems})
	}
	_ = web.WriteJSON(w, status, out) // its values are texts: it can be written
}

// statuses translates kinds of failure to HTTP. What is not here is a 500.
var statuses = map[fault.Kind]int{
	fault.Invalid: http.StatusBadRequest, fault.NotFound: http.StatusNotFound, fault.Conflict: http.StatusConflict,
	fault.Unauthorized: http.StatusUnauthorized, fault.Forbidden: http.StatusForbidden, fault.TooLarge: http.StatusRequestEntityTooLarge,
	fault.Unavailable: http.StatusServiceUnavailable, fault.Timeout: http.StatusServiceUnavailable,
}
