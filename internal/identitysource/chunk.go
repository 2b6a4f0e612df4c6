package identitysource

import (
	"iter"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// The limits of a tenant (okta.md 3.2). Okta says 200 KB and not whether those are
// of 1000 or of 1024 bytes.
const (
	maxEntries  = 200
	maxBytes    = 200_000
	maxRequests = 50 // a session
)

// request is one bulk request.
type request struct {
	name    string // last segment of the path
	body    []byte
	changes int // that it makes, so that they are counted as done
}

// forms say how each kind of change is sent.
var forms = map[Kind]struct {
	name  string
	list  string // member that holds the entries
	entry func(Change) any
	typed bool // the body says entityType
}{
	PutUser:     {"bulk-upsert", "profiles", withProfile, true},
	DropUser:    {"bulk-delete", "profiles", func(c Change) any { return map[string]any{"externalId": c.ExternalID} }, true},
	PutGroup:    {"bulk-groups-upsert", "profiles", withProfile, false},
	PutMembers:  {"bulk-group-memberships-upsert", "memberships", withMembers, false},
	DropMembers: {"bulk-group-memberships-delete", "memberships", withMembers, false},
	DropGroup:   {"bulk-groups-delete", "externalIds", func(c Change) any { return c.ExternalID }, false},
}

func withProfile(c Change) any {
	return map[string]any{"externalId": c.ExternalID, "profile": c.Profile}
}

func withMembers(c Change) any {
	members := make([]any, len(c.Members))
	for i, m := range c.Members {
		members[i] = m
	}
	return map[string]any{"groupExternalId": c.ExternalID, "memberExternalIds": members}
}

// requests yields changes as bulk requests, in their order. The same changes give
// the same requests, however many are skipped at the beginning. An entry that no
// request can hold is an error, which ends it.
func requests(changes iter.Seq[Change], skip int) iter.Seq2[request, error] {
	return func(yield func(request, error) bool) {
		var open pending
		n := 0
		for c := range changes {
			if n++; n <= skip {
				continue
			}
			entry, err := encode(map[string]any{"": forms[c.Kind].entry(c)})
			if err == nil && len(entry) > maxBytes {
				err = fault.New(fault.TooLarge, "what the source says of %q has %d bytes; the tenant takes %d", c.ExternalID, len(entry), maxBytes)
			}
			if err != nil {
				yield(request{}, err)
				return
			}
			if open.full(c.Kind, len(entry)) && !yield(open.take()) {
				return
			}
			open.add(c, len(entry))
		}
		if len(open.entries) > 0 {
			yield(open.take())
		}
	}
}

// pending is a request that is being filled.
type pending struct {
	kind    Kind
	entries []any
	bytes   int
}

// room is what a body has beside its entries.
const room = 64

func (p *pending) full(kind Kind, bytes int) bool {
	return len(p.entries) > 0 && (kind != p.kind || len(p.entries) == maxEntries || room+p.bytes+bytes > maxBytes)
}

func (p *pending) add(c Change, bytes int) {
	p.kind, p.bytes = c.Kind, p.bytes+bytes
	p.entries = append(p.entries, forms[c.Kind].entry(c))
}

func (p *pending) take() (request, error) {
	form := forms[p.kind]
	body := map[string]any{form.list: p.entries}
	if form.typed {
		body["entityType"] = "USERS"
	}
	text, err := encode(body)
	r := request{name: form.name, body: text, changes: len(p.entries)}
	*p = pending{}
	return r, err
}
