package identitysource

import (
	"iter"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
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

// form is how a kind of change is sent.
type form struct {
	name  string
	list  string // member that holds the entries
	entry func(Change) any
	typed bool // the body says entityType
}

// begin is what stands in front of the entries in a body, and end behind them: what
// a body has is known before it is made.
func (f form) begin() string {
	if f.typed {
		return `{"entityType":"USERS","` + f.list + `":[`
	}
	return `{"` + f.list + `":[`
}

const end = `]}`

// around is how many bytes a body has beside its entries and their commas.
func (f form) around() int { return len(f.begin()) + len(end) }

// forms say how each kind of change is sent.
var forms = map[Kind]form{
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
func requests(changes iter.Seq2[Change, error], skip int) iter.Seq2[request, error] {
	return func(yield func(request, error) bool) {
		var open pending
		n := 0
		for c, err := range changes {
			if err != nil {
				yield(request{}, err)
				return
			}
			if n++; n <= skip {
				continue
			}
			entry, err := value.Encode(forms[c.Kind].entry(c))
			if alone := forms[c.Kind].around() + len(entry); err == nil && alone > maxBytes {
				err = fault.New(fault.TooLarge, "what the source says of %q makes a request of %d bytes; the tenant takes %d", c.ExternalID, alone, maxBytes).
					Fix("leave the longest attribute out of the import: profile: {NAME: none}")
			}
			if err != nil {
				yield(request{}, err)
				return
			}
			if open.full(c.Kind, len(entry)) && !yield(open.take(), nil) {
				return
			}
			open.add(c.Kind, entry)
		}
		if open.changes > 0 {
			yield(open.take(), nil)
		}
	}
}

// pending is a request that is being filled.
type pending struct {
	kind    Kind
	body    []byte
	changes int
}

// full reports whether an entry needs the next request.
func (p *pending) full(kind Kind, bytes int) bool {
	return p.changes > 0 && (kind != p.kind || p.changes == maxEntries || len(p.body)+len(",")+bytes+len(end) > maxBytes)
}

func (p *pending) add(kind Kind, entry []byte) {
	switch {
	case p.changes == 0:
		p.kind, p.body = kind, []byte(forms[kind].begin())
	default:
		p.body = append(p.body, ',')
	}
	p.body = append(p.body, entry...)
	p.changes++
}

func (p *pending) take() request {
	r := request{name: forms[p.kind].name, body: append(p.body, end...), changes: p.changes}
	*p = pending{}
	return r
}
