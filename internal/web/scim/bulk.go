package scim

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
)

// Limits of bulk where an endpoint says nothing.
const (
	defaultBulkOperations = 1000
	defaultBulkPayload    = 1 << 20
)

// bulkRequest is a bulk request that was read (RFC 7644 3.7).
type bulkRequest struct {
	failOnErrors int // stop after so many; 0: never
	operations   []*bulkOperation
}

// bulkOperation is one of its operations, and what came of it.
type bulkOperation struct {
	method  string
	bulkID  string
	version string
	typ     string // endpoint without its slash: "Users"
	id      string // "" with POST; may be a reference
	data    map[string]any

	waits   int              // for so many others that it refers to
	holdsUp []*bulkOperation // the others that refer to it

	done     bool
	err      error
	outcome  outcome
	resource string         // id of what was created or changed
	rest     map[string]any // what could not be written yet, for it refers to what comes later
}

// reference begins a text that stands for the id of what another operation creates.
const reference = "bulkId:"

// bulk runs several operations. Each is a unit of its own.
func (c *call) bulk() error {
	f := c.config.Features
	if !f.Bulk {
		return problem(fault.Unsupported, http.StatusNotImplemented, "there is no bulk")
	}
	limit := c.config.MaxBody
	if limit == 0 {
		limit = DefaultMaxBody
	}
	c.config.MaxBody = min(limit, int64(cmp.Or(f.BulkPayload, defaultBulkPayload)))
	body, err := c.readBody()
	if err != nil {
		return err
	}
	request, err := readBulk(body, cmp.Or(f.BulkOperations, defaultBulkOperations))
	if err != nil {
		return err
	}
	b := &bulkRun{call: c, request: request, created: map[string]*bulkOperation{}}
	b.link()
	b.run()
	c.subject = "" // there are many
	return c.answer(http.StatusOK, b.response())
}

// readBulk reads the whole request before any of it is run: what is not a bulk
// request at all changes nothing.
func readBulk(body map[string]any, most int) (*bulkRequest, error) {
	if err := checkMessage(body, scim.BulkRequestMessage); err != nil {
		return nil, err
	}
	m := message{body: body}
	r := &bulkRequest{}
	if n := m.number("failOnErrors"); m.err == nil && n != nil {
		if r.failOnErrors = *n; *n < 1 {
			return nil, scim.Fail(scim.InvalidValue, "failOnErrors must be at least 1")
		}
	}
	if m.err != nil {
		return nil, m.err
	}
	v, _ := member(body, "Operations")
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, scim.Fail(scim.InvalidSyntax, "operations must be an array with at least one operation")
	}
	if len(list) > most {
		return nil, scim.Fail(scim.TooLarge, "a bulk request may have %d operations, not %d", most, len(list))
	}
	seen := map[string]bool{}
	for i, item := range list {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, scim.Fail(scim.InvalidSyntax, "operation %d must be an object", i+1)
		}
		op, err := readBulkOperation(object, i+1)
		if err != nil {
			return nil, err
		}
		if op.bulkID != "" && seen[op.bulkID] {
			return nil, scim.Fail(scim.InvalidValue, "the bulkId of operation %d is another one's, too", i+1)
		}
		seen[op.bulkID] = true
		r.operations = append(r.operations, op)
	}
	return r, nil
}

// readBulkOperation reads one operation. Its method and path may be wrong: that is
// its own failure, not that of the whole request.
func readBulkOperation(object map[string]any, number int) (*bulkOperation, error) {
	m := message{body: object}
	text := func(name string) string {
		if v := m.text(name); v != nil && m.err == nil {
			return *v
		}
		return ""
	}
	op := &bulkOperation{method: strings.ToUpper(text("method")), bulkID: text("bulkId"), version: text("version")}
	path := text("path")
	if m.err != nil {
		return nil, m.err
	}
	if op.bulkID == "" && op.method == http.MethodPost {
		return nil, scim.Fail(scim.InvalidSyntax, "operation %d is a POST and needs a bulkId", number)
	}
	data, given := member(object, "data")
	if op.data, _ = data.(map[string]any); given && op.data == nil {
		return nil, scim.Fail(scim.InvalidSyntax, "data of operation %d must be an object", number)
	}
	op.typ, op.id, op.err = readBulkPath(path)
	if op.err == nil {
		op.err = op.check()
	}
	return op, nil
}

// readBulkPath reads /Users or /Users/{id}.
func readBulkPath(path string) (typ, id string, err error) {
	rest, ok := strings.CutPrefix(path, "/")
	typ, id, below := strings.Cut(rest, "/")
	if !ok || typ == "" || below && id == "" || strings.Contains(id, "/") {
		return "", "", scim.Fail(scim.InvalidPath, "a path of a bulk operation is /{type} or /{type}/{id}")
	}
	if id, err = url.PathUnescape(id); err != nil || !isText(id) {
		return "", "", scim.Fail(scim.InvalidPath, "the path of a bulk operation cannot be read")
	}
	return typ, id, nil
}

// check holds the parts of an operation against each other.
func (op *bulkOperation) check() error {
	switch op.method {
	case http.MethodPost:
		if op.id != "" {
			return scim.Fail(scim.InvalidPath, "a POST goes to the path of a type")
		}
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		if op.id == "" {
			return scim.Fail(scim.InvalidPath, "a %s goes to the path of a resource", op.method)
		}
	default:
		return problem(fault.Unsupported, http.StatusMethodNotAllowed, "the method of a bulk operation is POST, PUT, PATCH or DELETE")
	}
	if op.data == nil && op.method != http.MethodDelete {
		return scim.Fail(scim.InvalidSyntax, "a %s needs data", op.method)
	}
	return nil
}

// bulkRun is a bulk request being run.
type bulkRun struct {
	*call
	request *bulkRequest
	created map[string]*bulkOperation // by bulkId
	failed  int
}

// link finds out which operation waits for which.
func (b *bulkRun) link() {
	for _, op := range b.request.operations {
		if op.bulkID != "" {
			b.created[op.bulkID] = op
		}
	}
	for _, op := range b.request.operations {
		ids := referencesIn(op.data, referencesIn(op.id, nil))
		slices.Sort(ids)
		for _, id := range slices.Compact(ids) {
			if other := b.created[id]; other != nil && other != op {
				op.waits++
				other.holdsUp = append(other.holdsUp, op)
			}
		}
	}
}

// run runs the operations in their order, but none before those that it refers to.
// Where they wait for each other, one of them is created without the references
// that lead round, which are added when the others are there (RFC 7644 3.7.1).
func (b *bulkRun) run() {
	pending := slices.Clone(b.request.operations)
	for len(pending) > 0 && !b.stopped() {
		at := slices.IndexFunc(pending, func(op *bulkOperation) bool { return op.err != nil || op.waits == 0 })
		if at < 0 {
			at = max(0, slices.IndexFunc(pending, func(op *bulkOperation) bool { return op.method == http.MethodPost }))
		}
		op := pending[at]
		pending = slices.Delete(pending, at, at+1)
		b.execute(op)
	}
	for _, op := range b.request.operations {
		if op.rest != nil && op.err == nil {
			b.reject(op, problem(fault.Conflict, http.StatusConflict, "it was created without what it refers to: the request was given up before that was there"))
		}
	}
}

func (b *bulkRun) stopped() bool {
	return b.request.failOnErrors > 0 && b.failed >= b.request.failOnErrors
}

// referencesIn adds the bulkIds that a value refers to to those found before.
func referencesIn(v any, found []string) []string {
	switch v := v.(type) {
	case string:
		if id, ok := strings.CutPrefix(v, reference); ok {
			found = append(found, id)
		}
	case []any:
		for _, item := range v {
			found = referencesIn(item, found)
		}
	case map[string]any:
		for _, item := range v {
			found = referencesIn(item, found)
		}
	}
	return found
}

// execute runs one operation, and completes those that waited for nothing else.
func (b *bulkRun) execute(op *bulkOperation) {
	err := op.err
	if err == nil {
		op.outcome, err = b.perform(op)
	}
	op.done = true
	if err != nil {
		b.reject(op, err)
	} else if op.resource = op.id; op.outcome.resource != nil {
		op.resource, _ = op.outcome.resource["id"].(string)
	}
	b.complete(op)
	for _, other := range op.holdsUp {
		other.waits--
		b.complete(other)
	}
}

func (b *bulkRun) reject(op *bulkOperation, err error) {
	op.err = err
	b.failed++
	number := slices.Index(b.request.operations, op) + 1
	b.note(scim.Note("operation " + strconv.Itoa(number) + " of the bulk request failed: " + scim.Describe(err).Detail))
}

func (b *bulkRun) perform(op *bulkOperation) (outcome, error) {
	typ := b.typeAt(op.typ)
	if typ == nil {
		return outcome{}, unknownPath()
	}
	if id, ok := strings.CutPrefix(op.id, reference); ok {
		resolved, err := b.resolve(id)
		if err != nil {
			return outcome{}, err
		}
		op.id = resolved
	}
	if op.method == http.MethodPost && b.isOpen(op.data) {
		op.data, op.rest = b.part(op.data)
		b.note("a bulk operation refers to one behind it that refers back; it was completed by a patch")
	}
	data, err := b.resolved(op.data)
	if err != nil {
		return outcome{}, err
	}
	body, _ := data.(map[string]any)
	switch op.method {
	case http.MethodPost:
		return b.create(typ, body)
	case http.MethodPut:
		return b.replace(typ, op.id, body, op.version)
	case http.MethodPatch:
		return b.patch(typ, op.id, body, op.version)
	}
	return b.remove(typ, op.id, op.version)
}

// resolve returns the id of what an operation has created.
func (b *bulkRun) resolve(bulkID string) (string, error) {
	op := b.created[bulkID]
	if op == nil {
		return "", scim.Fail(scim.InvalidValue, "a bulkId is referred to that no operation has")
	}
	if op.resource == "" {
		return "", problem(fault.Conflict, http.StatusConflict, "what a bulkId refers to was not created")
	}
	return op.resource, nil
}

// resolved returns a copy of data with ids instead of references.
func (b *bulkRun) resolved(v any) (any, error) {
	switch v := v.(type) {
	case string:
		if id, ok := strings.CutPrefix(v, reference); ok {
			return b.resolve(id)
		}
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			var err error
			if out[i], err = b.resolved(item); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			var err error
			if out[name], err = b.resolved(item); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// part divides data into what can be written now and what refers to operations
// that have not been run: elements of lists, and attributes.
func (b *bulkRun) part(data map[string]any) (now, rest map[string]any) {
	now, rest = map[string]any{}, map[string]any{}
	for name, v := range data {
		if !b.isOpen(v) {
			now[name] = v
			continue
		}
		list, ok := v.([]any)
		if !ok {
			rest[name] = v
			continue
		}
		var ready, waiting []any
		for _, item := range list {
			if b.isOpen(item) {
				waiting = append(waiting, item)
			} else {
				ready = append(ready, item)
			}
		}
		if rest[name] = waiting; ready != nil {
			now[name] = ready
		}
	}
	return now, rest
}

// isOpen reports whether a value refers to an operation that has not been run.
func (b *bulkRun) isOpen(v any) bool {
	return slices.ContainsFunc(referencesIn(v, nil), func(id string) bool {
		op := b.created[id]
		return op != nil && !op.done
	})
}

// complete adds what an operation could not write, when all it refers to is there.
// A failure becomes the operation's.
func (b *bulkRun) complete(op *bulkOperation) {
	if !op.done || op.waits > 0 || op.rest == nil || op.err != nil {
		return
	}
	rest := op.rest
	op.rest = nil
	if err := b.add(op, rest); err != nil {
		b.reject(op, err)
	}
}

func (b *bulkRun) add(op *bulkOperation, rest map[string]any) error {
	v, err := b.resolved(rest)
	if err != nil {
		return err
	}
	typ := b.typeAt(op.typ)
	patched, err := b.patch(typ, op.resource, map[string]any{
		"schemas": []any{scim.PatchMessage}, "Operations": []any{map[string]any{"op": scim.OpAdd, "value": v}},
	}, "")
	if err != nil {
		return err
	}
	op.outcome.version = patched.version
	return nil
}

// response is the answer: what was run, in the order of the request.
func (b *bulkRun) response() map[string]any {
	list := []any{}
	for _, op := range b.request.operations {
		if op.done {
			list = append(list, b.answerOf(op))
		}
	}
	return map[string]any{"schemas": []any{scim.BulkResponseMessage}, "Operations": list}
}

func (b *bulkRun) answerOf(op *bulkOperation) map[string]any {
	out := map[string]any{"method": op.method}
	if op.bulkID != "" {
		out["bulkId"] = op.bulkID
	}
	if op.err != nil {
		e := scim.Describe(op.err)
		out["status"], out["response"] = strconv.Itoa(e.Status), e.Body()
		if op.method != http.MethodPost && op.id != "" && op.typ != "" {
			out["location"] = b.root() + "/" + url.PathEscape(op.typ) + "/" + url.PathEscape(op.id)
		}
		return out
	}
	out["status"] = strconv.Itoa(op.outcome.status)
	out["location"] = op.outcome.location
	if op.outcome.version != "" {
		out["version"] = op.outcome.version
	}
	return out
}
