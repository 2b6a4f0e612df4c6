package okta

import (
	"cmp"
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
	classic         bool // the org is of the Classic Engine
	blocks          bool // what bars the account, as an embedded list
	fields          selector
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
		{Key: "type", Value: web.Object{{Key: "id", Value: a.UserType()}}},
		{Key: "profile", Value: profile(a.Profile)},
	}
	if !s.omitCredentials {
		o = append(o, web.Field{Key: "credentials", Value: credentials(a)})
	}
	o = append(o, web.Field{Key: "_links", Value: userLinks(base, a, s)})
	if s.blocks {
		o = append(o, web.Field{Key: "_embedded", Value: web.Object{{Key: "blocks", Value: blocks(a)}}})
	}
	return s.fields.project(o)
}

// blocks are the reasons why an account cannot sign in although its status
// would let it.
func blocks(a *directory.Account) []web.Object {
	if a.Status != directory.LockedOut {
		return []web.Object{}
	}
	return []web.Object{{{Key: "type", Value: "DEVICE_BASED"}, {Key: "appliesTo", Value: "ANY_DEVICES"}}}
}

// shown are the attributes that every recorded profile has, even without a value.
var shown = []string{"firstName", "lastName", "mobilePhone", "secondEmail", "login", "email"}

// profile is the wire form of a profile. Its members stand in the order of a
// hash table of Java's, as recorded profiles do: clients that compare texts see
// no difference.
func profile(attributes map[string]any) web.Object {
	names := slices.Sorted(maps.Keys(attributes))
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(shown, name) })
	names = append(names, shown...) // among those of one bucket, custom attributes came first
	buckets := uint32(16)
	for len(names) > int(buckets)*3/4 {
		buckets *= 2
	}
	slices.SortStableFunc(names, func(x, y string) int {
		return cmp.Compare(javaHash(x)&(buckets-1), javaHash(y)&(buckets-1))
	})
	o := make(web.Object, len(names))
	for i, name := range names {
		o[i] = web.Field{Key: name, Value: attributes[name]}
	}
	return o
}

// javaHash is String.hashCode with its upper half folded in, as java.util.HashMap
// does. Names of attributes are ASCII.
func javaHash(s string) uint32 {
	var h uint32
	for i := 0; i < len(s); i++ {
		h = 31*h + uint32(s[i])
	}
	return h ^ h>>16
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

// absentOnClassic reports whether Classic Engine leaves out a link: it resets
// factors elsewhere, and recovers passwords by a question only (recorded).
func absentOnClassic(rel string, a *directory.Account) bool {
	return rel == "resetFactors" || rel == "forgotPassword" && a.RecoveryQuestion == ""
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
			o = append(o, link(rel, base+"/api/v1/meta/schemas/user/"+directory.SchemaOf(a.UserType()), ""))
		case "type":
			o = append(o, link(rel, base+"/api/v1/meta/types/user/"+a.UserType(), ""))
		default:
			if s.classic && absentOnClassic(rel, a) {
				continue
			}
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
