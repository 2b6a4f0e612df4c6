package okta

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web"
)

// The only user type so far, and its schema.
const (
	userTypeID = "oty0default0000001d7"
	schemaID   = "osc0default0000001d7"
)

// timeLayout has the second resolution of all recorded timestamps.
const timeLayout = "2006-01-02T15:04:05.000Z"

// date returns a time on the wire: null when the thing never happened.
func date(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Second).Format(timeLayout)
}

// shape says which parts of a user an answer has.
type shape struct {
	links           bool // all links of the status; lists have only self
	omitCredentials bool
	omitLinks       bool // links of credentials
}

// user is the wire form of an account, in the recorded order of keys.
func user(base string, a *directory.Account, s shape) web.Object {
	o := web.Object{
		{Key: "id", Value: a.ID},
		{Key: "status", Value: string(a.Status)},
		{Key: "created", Value: date(a.Created)},
		{Key: "activated", Value: date(a.Activated)},
		{Key: "statusChanged", Value: date(a.StatusChanged)},
		{Key: "lastLogin", Value: date(a.LastLogin)},
		{Key: "lastUpdated", Value: date(a.Updated)},
		{Key: "passwordChanged", Value: date(a.PasswordChanged)},
		{Key: "type", Value: web.Object{{Key: "id", Value: userTypeID}}},
		{Key: "profile", Value: profile(a.Profile)},
	}
	if !s.omitCredentials {
		o = append(o, web.Field{Key: "credentials", Value: credentials(a)})
	}
	return append(o, web.Field{Key: "_links", Value: userLinks(base, a, s)})
}

// The attributes at the start and at the end of every recorded profile; they
// are there even without a value. The others stand between them.
var (
	profileHead = []string{"firstName", "lastName", "mobilePhone"}
	profileTail = []string{"secondEmail", "login", "email"}
)

func profile(attributes map[string]any) web.Object {
	var o web.Object
	add := func(names []string) {
		for _, name := range names {
			o = append(o, web.Field{Key: name, Value: attributes[name]})
		}
	}
	add(profileHead)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if !slices.Contains(profileHead, name) && !slices.Contains(profileTail, name) {
			o = append(o, web.Field{Key: name, Value: attributes[name]})
		}
	}
	add(profileTail)
	return o
}

// credentials never shows a password: {} says that there is one.
func credentials(a *directory.Account) web.Object {
	var o web.Object
	if a.HasPassword {
		o = append(o, web.Field{Key: "password", Value: struct{}{}})
	}
	if a.HasPassword && a.Provider.Type == directory.ProviderOkta {
		email := web.Object{{Key: "value", Value: a.Email()}, {Key: "status", Value: "VERIFIED"}, {Key: "type", Value: "PRIMARY"}}
		o = append(o, web.Field{Key: "emails", Value: []web.Object{email}})
	}
	if a.RecoveryQuestion != "" {
		o = append(o, web.Field{Key: "recovery_question", Value: web.Object{{Key: "question", Value: a.RecoveryQuestion}}})
	}
	provider := web.Object{{Key: "type", Value: a.Provider.Type}, {Key: "name", Value: a.Provider.Name}}
	return append(o, web.Field{Key: "provider", Value: provider})
}

// linksByStatus are the links of a single user, recorded from Identity Engine
// orgs of 2025 and 2026. RECOVERY and LOCKED_OUT were never recorded: theirs
// follow from what the state machine allows.
var linksByStatus = map[directory.Status][]string{
	directory.Staged:          {"schema", "activate", "self", "resetFactors", "type"},
	directory.Provisioned:     {"suspend", "schema", "resetPassword", "reactivate", "self", "resetFactors", "type", "deactivate"},
	directory.Active:          activeLinks,
	directory.PasswordExpired: activeLinks,
	directory.Recovery:        {"schema", "resetPassword", "reactivate", "self", "resetFactors", "type", "changePassword", "deactivate"},
	directory.LockedOut:       {"schema", "unlock", "resetPassword", "self", "resetFactors", "type", "deactivate"},
	directory.Suspended:       {"schema", "unsuspend", "self", "resetFactors", "type", "deactivate"},
	directory.Deprovisioned:   {"schema", "activate", "self", "resetFactors", "type", "delete"},
}

var activeLinks = []string{
	"suspend", "schema", "resetPassword", "forgotPassword", "expirePassword", "changeRecoveryQuestion",
	"self", "resetFactors", "type", "changePassword", "deactivate",
}

// linkTargets says where a link leads, behind the user's own address, and with
// which method; links without one lead to things to be read.
var linkTargets = map[string]struct {
	path, method string
	credential   bool
}{
	"self":                   {},
	"activate":               {path: "/lifecycle/activate", method: "POST"},
	"reactivate":             {path: "/lifecycle/reactivate", method: "POST"},
	"deactivate":             {path: "/lifecycle/deactivate", method: "POST"},
	"suspend":                {path: "/lifecycle/suspend", method: "POST"},
	"unsuspend":              {path: "/lifecycle/unsuspend", method: "POST"},
	"unlock":                 {path: "/lifecycle/unlock", method: "POST"},
	"resetPassword":          {path: "/lifecycle/reset_password", method: "POST", credential: true},
	"expirePassword":         {path: "/lifecycle/expire_password", method: "POST", credential: true},
	"resetFactors":           {path: "/lifecycle/reset_factors", method: "POST", credential: true},
	"forgotPassword":         {path: "/credentials/forgot_password", method: "POST", credential: true},
	"changePassword":         {path: "/credentials/change_password", method: "POST", credential: true},
	"changeRecoveryQuestion": {path: "/credentials/change_recovery_question", method: "POST", credential: true},
	"delete":                 {method: "DELETE"},
}

func userLinks(base string, a *directory.Account, s shape) web.Object {
	self := base + "/api/v1/users/" + a.ID
	if !s.links {
		return web.Object{link("self", self, "")}
	}
	var o web.Object
	for _, rel := range linksByStatus[a.Status] {
		switch rel {
		case "schema":
			o = append(o, link(rel, base+"/api/v1/meta/schemas/user/"+schemaID, ""))
		case "type":
			o = append(o, link(rel, base+"/api/v1/meta/types/user/"+userTypeID, ""))
		default:
			target := linkTargets[rel]
			if !target.credential || !s.omitLinks {
				o = append(o, link(rel, self+target.path, target.method))
			}
		}
	}
	return o
}

func link(rel, href, method string) web.Field {
	o := web.Object{{Key: "href", Value: href}}
	if method != "" {
		o = append(o, web.Field{Key: "method", Value: method})
	}
	return web.Field{Key: rel, Value: o}
}

// etag is the weak entity tag of a user. Recordings show that it depends on
// the profile alone: it is the same for two users with equal profiles, and
// stays when status or password change.
func etag(a *directory.Account) string {
	b, err := value.Encode(a.Profile)
	if err != nil { // cannot happen: the profile was read from JSON
		return ""
	}
	sum := sha256.Sum256(b)
	return `W/"` + hex.EncodeToString(sum[:]) + `"`
}

// matches reports whether an If-Match header lets a user with this tag
// through. Tags compare without the weakness mark.
func matches(header, tag string) (bool, error) {
	if strings.TrimSpace(header) == "*" {
		return true, nil
	}
	found := false
	for part := range strings.SplitSeq(header, ",") {
		opaque := strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' || strings.Contains(opaque[1:len(opaque)-1], `"`) {
			return false, problem("E0000242")
		}
		if opaque == strings.TrimPrefix(tag, "W/") {
			found = true
		}
	}
	return found, nil
}
