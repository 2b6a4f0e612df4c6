package directory

import (
	"encoding/json"
	"slices"
)

// What a change of a schema does to the objects that have values for it.

// reshaping says how objects must be rewritten.
type reshaping struct {
	drop  []string // attributes that are gone
	rekey []string // attributes that became unique, or stopped to be
}

func compare(before, after *Shape) reshaping {
	var r reshaping
	for _, a := range before.Custom() {
		if _, ok := after.Attribute(a.Name); !ok {
			r.drop = append(r.drop, a.Name)
		}
	}
	for _, a := range after.Custom() {
		if old, ok := before.Attribute(a.Name); ok && old.Unique != a.Unique {
			r.rekey = append(r.rekey, a.Name)
		}
	}
	return r
}

// touches reports whether a profile has a value that the change is about.
func (r reshaping) touches(profile map[string]any) bool {
	has := func(name string) bool { return profile[name] != nil }
	return slices.ContainsFunc(r.drop, has) || slices.ContainsFunc(r.rekey, has)
}

// reshapeAccounts erases the values of attributes that are gone and sees to the
// keys of those whose uniqueness changed. It reads all accounts of the realm,
// and only when there is such an attribute.
func (d *Directory) reshapeAccounts(tx Tx, realm string, before, after *Shape) error {
	change := compare(before, after)
	if len(change.drop)+len(change.rekey) == 0 {
		return nil
	}
	owner, err := tx.Realm(realm)
	if err != nil {
		return err
	}
	var affected []*Account
	for a, err := range tx.Accounts(AccountQuery{Realm: realm}) {
		if err != nil {
			return err
		}
		if SchemaOf(a.UserType()) == after.Schema.ID && change.touches(a.Profile) {
			affected = append(affected, a)
		}
	}
	for _, a := range affected {
		for _, name := range change.drop {
			delete(a.Profile, name)
		}
		a.Version++
		if err := tx.UpdateAccount(a, after.keys(owner.Kind, a)); err != nil {
			return err
		}
	}
	return nil
}

// reshapeGroups is reshapeAccounts for groups.
func (d *Directory) reshapeGroups(tx Tx, before, after *Shape) error {
	change := compare(before, after)
	if len(change.drop)+len(change.rekey) == 0 {
		return nil
	}
	var affected []*Group
	for g, err := range tx.Groups(GroupQuery{Realm: after.Schema.Realm}) {
		if err != nil {
			return err
		}
		if change.touches(g.Profile) {
			affected = append(affected, g)
		}
	}
	seen := map[string]bool{}
	for _, g := range affected {
		for _, name := range change.rekey {
			a, _ := after.Attribute(name)
			text := name + "\x00" + keyText(g.Profile[name])
			if a.Unique && g.Profile[name] != nil && seen[text] {
				return Duplicate(name)
			}
			seen[text] = true
		}
		if !slices.ContainsFunc(change.drop, func(name string) bool { return g.Profile[name] != nil }) {
			continue
		}
		for _, name := range change.drop {
			delete(g.Profile, name)
		}
		g.Version++
		if err := tx.UpdateGroup(g); err != nil {
			return err
		}
	}
	return nil
}

// keys are what must be unique of an account: what its kind of realm says, and
// the attributes that its schema, if it has one, says so of.
func (s *Shape) keys(kind Kind, a *Account) []Key {
	keys := a.Keys(kind)
	if s == nil {
		return keys
	}
	for _, name := range s.unique {
		if text := keyText(a.Profile[name]); text != "" {
			keys = append(keys, Key{Scope: profileScope, Name: name, Value: text})
		}
	}
	return keys
}

// profileScope is the scope of keys that a schema made. They are unique in the
// realm, over all user types.
const profileScope = "profile"

// keyText is the form in which unique values are compared.
func keyText(v any) string {
	switch v := v.(type) {
	case string:
		return Fold(v)
	case json.Number:
		return v.String()
	}
	return ""
}

// checkGroup returns what is wrong with the profile of a group, which has the
// given id or none yet. Groups have no keys but their name, so uniqueness of a
// custom attribute is checked by reading them all.
func (d *Directory) checkGroup(tx Tx, realm, id string, profile map[string]any) error {
	shape, err := d.shape(tx, realm, GroupSchema)
	if err != nil {
		return err
	}
	v := shape.checkProfile(profile)
	for i := range v {
		v[i].Noun = GroupNoun
	}
	if err := v.err(); err != nil || !slices.ContainsFunc(shape.unique, func(name string) bool { return profile[name] != nil }) {
		return err
	}
	for g, err := range tx.Groups(GroupQuery{Realm: realm}) {
		if err != nil {
			return err
		}
		for _, name := range shape.unique {
			if text := keyText(profile[name]); g.ID != id && text != "" && text == keyText(g.Profile[name]) {
				return Duplicate(name)
			}
		}
	}
	return nil
}
