package directory

import (
	"context"
	"slices"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// OrgSettings is what an org says of itself. There is one for each realm.
type OrgSettings struct {
	Meta
	General      map[string]string `json:"general"`  // address, website ... by the names of Okta's API
	Contacts     map[string]string `json:"contacts"` // BILLING, TECHNICAL: id of an account
	EmailOptOut  bool              `json:"emailOptOut"`
	FooterHidden bool              `json:"footerHidden"`
	SupportUntil time.Time         `json:"supportUntil,omitzero"` // the provider's people may look in until then
}

func (s *OrgSettings) Place() Place { return Place{Noun: orgNoun} }

const orgNoun Noun = "org"

// settings is the id of the one record.
const settings = "settings"

// ContactTypes are the contacts that an org has.
var ContactTypes = []string{"BILLING", "TECHNICAL"}

// OrgSettings returns the settings of a realm, empty while nobody changed them.
func (d *Directory) OrgSettings(ctx context.Context, realm string) (s *OrgSettings, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		s, err = orgSettings(r, realm)
		return err
	})
	return s, err
}

func orgSettings(r Reader, realm string) (*OrgSettings, error) {
	s, err := get[OrgSettings](r, realm, settings)
	if !fault.Is(err, fault.NotFound) {
		return s, err
	}
	owner, err := r.Realm(realm)
	if err != nil {
		return nil, err
	}
	s = &OrgSettings{Meta: Meta{ID: settings, Realm: realm, Created: owner.Created, Updated: owner.Created}}
	s.General, s.Contacts = map[string]string{}, map[string]string{}
	return s, nil
}

// ChangeOrgSettings changes the settings of a realm. The system log has no event
// for it. A contact must be an account of the realm.
func (d *Directory) ChangeOrgSettings(ctx context.Context, realm string, f func(*OrgSettings)) (s *OrgSettings, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		if s, err = orgSettings(tx, realm); err != nil {
			return err
		}
		fresh := s.Version == 0
		f(s)
		for _, typ := range ContactTypes {
			if id := s.Contacts[typ]; id != "" {
				if _, err := tx.Account(realm, id); err != nil {
					return err
				}
			}
		}
		if fresh {
			return putObject(tx, s, d.now())
		}
		return replaceObject(tx, s, d.now())
	})
	return s, err
}

// TrustedOrigin is a site whose pages may call the org.
type TrustedOrigin struct {
	Meta
	Name      string   `json:"name"`
	Origin    string   `json:"origin"`
	Scopes    []string `json:"scopes"` // CORS, REDIRECT, IFRAME_EMBED
	Status    State    `json:"status"`
	CreatedBy string   `json:"createdBy"`
	UpdatedBy string   `json:"updatedBy"`
}

func (o *TrustedOrigin) Place() Place { return Place{Noun: TrustedOriginNoun, Key: o.Name} }

func (o *TrustedOrigin) target() Target {
	return Target{Type: "TrustedOrigin", ID: o.ID, AlternateID: o.Origin, DisplayName: o.Name}
}

// TrustedOriginNoun is what errors call one.
const TrustedOriginNoun Noun = "trusted origin"

// TrustedOrigins returns those of an org.
func (d *Directory) TrustedOrigins(ctx context.Context, realm string) (out []*TrustedOrigin, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		out, err = all[TrustedOrigin](r, RecordQuery{Realm: realm}, 0, nil)
		return err
	})
	return out, err
}

// TrustedOrigin returns one by its id.
func (d *Directory) TrustedOrigin(ctx context.Context, realm, id string) (o *TrustedOrigin, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		o, err = get[TrustedOrigin](r, realm, id)
		return err
	})
	return o, err
}

func (o *TrustedOrigin) check() error {
	v := checkName(o.Name)
	v = append(v, (&Attribute{Name: "origin", Type: TextType, Required: true, Max: 255}).check(o.Origin)...)
	known := []string{"CORS", "REDIRECT", "IFRAME_EMBED"}
	if slices.ContainsFunc(o.Scopes, func(s string) bool { return !slices.Contains(known, s) }) {
		v = append(v, Violation{Field: "scopes", Rule: WrongValue})
	}
	return v.err()
}

// CreateTrustedOrigin adds one, active.
func (d *Directory) CreateTrustedOrigin(ctx context.Context, actor Actor, realm string, o *TrustedOrigin) (*TrustedOrigin, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	err := d.Store.Update(ctx, func(tx Tx) error {
		o.ID, o.Realm, o.Status = d.IDs.Okta("tos"), realm, On
		o.CreatedBy, o.UpdatedBy = actor.ID, actor.ID
		return d.insertObject(tx, o, change{at: d.now(), actor: actor, kind: "security.trusted_origin.create", targets: []Target{o.target()}})
	})
	return o, err
}

// ChangeTrustedOrigin changes one; kind says what happened: update, activate or
// deactivate.
func (d *Directory) ChangeTrustedOrigin(ctx context.Context, actor Actor, realm, id string, kind string, f func(*TrustedOrigin)) (after *TrustedOrigin, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		before, err := get[TrustedOrigin](tx, realm, id)
		if err != nil {
			return err
		}
		after, err = amend(d, tx, before, change{at: d.now(), actor: actor, kind: "security.trusted_origin." + kind}, func(o *TrustedOrigin) error {
			f(o)
			o.UpdatedBy = actor.ID
			return o.check()
		})
		return err
	})
	return after, err
}

// DeleteTrustedOrigin removes one.
func (d *Directory) DeleteTrustedOrigin(ctx context.Context, actor Actor, realm, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		o, err := get[TrustedOrigin](tx, realm, id)
		if err != nil {
			return err
		}
		return d.deleteObject(tx, o, change{at: d.now(), actor: actor, kind: "security.trusted_origin.delete", targets: []Target{o.target()}})
	})
}
