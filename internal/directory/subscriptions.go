package directory

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// NotificationTypes are the mails that administrators may have (Okta OpenAPI
// 2026.06.3, NotificationType).
var NotificationTypes = []string{
	"AD_AGENT", "AGENT_AUTO_UPDATE_NOTIFICATION", "AGENT_AUTO_UPDATE_NOTIFICATION_LDAP", "APP_IMPORT", "CONNECTOR_AGENT", "IWA_AGENT", "LDAP_AGENT",
	"OKTA_ANNOUNCEMENT", "OKTA_UPDATE", "RATELIMIT_NOTIFICATION", "REPORT_SUSPICIOUS_ACTIVITY",
	"USER_DEPROVISION", "USER_LOCKED_OUT",
}

// unsubscribed marks that somebody, a role or a user, does not want a mail:
// those who said nothing get it.
type unsubscribed struct {
	Meta
	Who  string `json:"who"`
	Type string `json:"type"`
}

func (u *unsubscribed) Place() Place { return Place{Noun: unsubscribedNoun, Subject: u.Who} }

const unsubscribedNoun Noun = "unsubscribed"

// Subscribed reports whether a role, by its type, or an account gets a mail.
func (d *Directory) Subscribed(ctx context.Context, realm, who, typ string) (yes bool, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		_, err := get[unsubscribed](r, realm, who+" "+typ)
		yes = fault.Is(err, fault.NotFound)
		if yes {
			return nil
		}
		return err
	})
	return yes, err
}

// Subscribe lets a role, by its type, have a mail or not.
func (d *Directory) Subscribe(ctx context.Context, actor Actor, realm, role, typ string, on bool) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		return d.subscribe(tx, realm, role, typ, on, change{
			actor: actor, kind: "iam.role.subscriptions.update", targets: []Target{{Type: "ROLE", ID: role, DisplayName: role}},
		})
	})
}

// SubscribeAccount lets an account have a mail or not.
func (d *Directory) SubscribeAccount(ctx context.Context, actor Actor, realm, ref, typ string, on bool) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		return d.subscribe(tx, realm, a.ID, typ, on, change{
			actor: actor, kind: "user.account.subscriptions.update", targets: []Target{a.target()},
		})
	})
}

func (d *Directory) subscribe(tx Tx, realm, who, typ string, on bool, c change) error {
	mark := &unsubscribed{Meta: Meta{ID: who + " " + typ, Realm: realm}, Who: who, Type: typ}
	_, err := get[unsubscribed](tx, realm, mark.ID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if was := err != nil; was == on {
		return nil
	}
	if on {
		err = tx.DeleteRecord(realm, unsubscribedNoun, mark.ID)
	} else {
		err = putObject(tx, mark, d.now())
	}
	if err != nil {
		return err
	}
	c.at, c.realm, c.target = d.now(), realm, who
	return d.log(tx, c)
}

// Risk is how much an administrator trusts an account.
type Risk struct {
	Meta
	Account string `json:"account"`
	Level   string `json:"level"` // LOW, MEDIUM or HIGH
}

func (r *Risk) Place() Place { return Place{Noun: riskNoun, Subject: r.Account} }

const riskNoun Noun = "user risk"

// Risk returns the risk that was set for an account; an empty level when none was.
func (d *Directory) Risk(ctx context.Context, realm, ref string) (risk *Risk, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		a, err := find(r, realm, ref)
		if err != nil {
			return err
		}
		risk, err = get[Risk](r, realm, a.ID)
		if fault.Is(err, fault.NotFound) {
			risk = &Risk{Account: a.ID}
			return nil
		}
		return err
	})
	return risk, err
}

// SetRisk sets the risk of an account and reports whether it had none before.
func (d *Directory) SetRisk(ctx context.Context, actor Actor, realm, ref, level string) (risk *Risk, fresh bool, err error) {
	if level != "LOW" && level != "MEDIUM" && level != "HIGH" {
		return nil, false, Violations{{Field: "riskLevel", Rule: WrongValue}}.err()
	}
	err = d.Store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, realm, ref)
		if err != nil {
			return err
		}
		risk = &Risk{Meta: Meta{ID: a.ID, Realm: realm}, Account: a.ID, Level: level}
		c := change{at: d.now(), actor: actor, kind: "user.risk.change", target: a.ID, targets: []Target{a.target()}}
		before, err := get[Risk](tx, realm, a.ID)
		if fault.Is(err, fault.NotFound) {
			fresh = true
			return d.insertObject(tx, risk, c)
		}
		if err != nil {
			return err
		}
		risk.Created = before.Created
		return d.updateObject(tx, before, risk, c)
	})
	return risk, fresh, err
}
