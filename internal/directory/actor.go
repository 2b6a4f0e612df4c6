package directory

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Actor is who makes a change, and from where. The change log keeps it.
type Actor struct {
	ID    string    `json:"id"`             // of an account or application; a name for parts of the product
	Type  ActorType `json:"type,omitempty"` // empty: System
	Name  string    `json:"name,omitempty"` // for people
	Login string    `json:"login,omitempty"`

	Request   string `json:"request,omitempty"` // id of the API request, which its answer shows
	IP        string `json:"ip,omitempty"`
	UserAgent string `json:"userAgent,omitempty"`
}

// ActorType is the sort of thing that acts, as Okta's system log names it.
type ActorType string

// The actor types.
const (
	UserActor   ActorType = "User"
	ClientActor ActorType = "PublicClientApp" // an OAuth client that acts for itself
	SystemActor ActorType = "SystemPrincipal"
)

// System is a part of the product that acts by itself.
func System(name string) Actor { return Actor{ID: name, Type: SystemActor, Name: name} }

// named completes an actor that is known by the id of its account only.
func named(r Reader, realm string, who Actor) (Actor, error) {
	if who.Type != UserActor || who.Login != "" {
		return who, nil
	}
	a, err := r.Account(realm, who.ID)
	if fault.Is(err, fault.NotFound) {
		return who, nil // of another realm, or gone by what is logged
	}
	if err != nil {
		return who, err
	}
	t := a.target()
	who.Name, who.Login = t.DisplayName, t.AlternateID
	return who, nil
}

// Target is one thing that an event of the log is about.
type Target struct {
	Type        string `json:"type"` // "User", "UserGroup", "AppInstance" ..., as Okta's system log names them
	ID          string `json:"id"`
	AlternateID string `json:"alternateId,omitempty"` // the login of a user
	DisplayName string `json:"displayName,omitempty"`
}

// Outcome says how an event ended. The zero value is success.
type Outcome struct {
	Result string `json:"result,omitempty"` // "FAILURE", "DENY" ...; empty: SUCCESS
	Reason string `json:"reason,omitempty"`
}

func (a *Account) target() Target {
	name := strings.TrimSpace(a.Text("firstName") + " " + a.Text("lastName"))
	return Target{Type: "User", ID: a.ID, AlternateID: a.Login(), DisplayName: name}
}

func (g *Group) target() Target {
	return Target{Type: "UserGroup", ID: g.ID, DisplayName: g.Name()}
}
