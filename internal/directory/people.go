package directory

import (
	"cmp"
	"context"
	"slices"
)

// Person is everything the directory knows of one human being: all accounts,
// in all realms, that share an e-mail address. An account that has none is a
// person of its own.
type Person struct {
	Email    string          `json:"email"` // as the first account writes it
	Accounts []PersonAccount `json:"accounts"`
}

// PersonAccount is one account of a person with the groups it is in.
type PersonAccount struct {
	*Account
	Kind   Kind     `json:"kind"` // of the realm
	Groups []*Group `json:"groups"`
}

// People returns the person with an e-mail address, compared without case, or
// everybody when email is empty. Nobody is an empty list, not an error. People
// are ordered by address, accounts by realm and id, groups by name.
func (d *Directory) People(ctx context.Context, email string) (out []Person, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		out, err = people(r, email)
		return err
	})
	return out, err
}

func people(r Reader, email string) ([]Person, error) {
	kinds := map[string]Kind{}
	byEmail := map[string]*Person{}
	var order []string
	for a, err := range r.Accounts(AccountQuery{Email: Fold(email)}) {
		if err != nil {
			return nil, err
		}
		key := personKey(a)
		p := byEmail[key]
		if p == nil {
			p = &Person{Email: a.Email()}
			byEmail[key] = p
			order = append(order, key)
		}
		p.Accounts = append(p.Accounts, PersonAccount{Account: a})
	}
	slices.Sort(order)
	out := make([]Person, 0, len(order))
	for _, key := range order {
		p := byEmail[key]
		for i := range p.Accounts {
			if err := complete(r, &p.Accounts[i], kinds); err != nil {
				return nil, err
			}
		}
		out = append(out, *p)
	}
	return out, nil
}

// personKey is the same for the accounts of one person. Those without an
// address sort last.
func personKey(a *Account) string {
	if email := Fold(a.Email()); email != "" {
		return email
	}
	return "\U0010ffff" + a.Realm + " " + a.ID
}

// complete adds the realm's kind and the groups to an account of a person.
func complete(r Reader, a *PersonAccount, kinds map[string]Kind) error {
	if kinds[a.Realm] == "" {
		realm, err := r.Realm(a.Realm)
		if err != nil {
			return err
		}
		kinds[a.Realm] = realm.Kind
	}
	a.Kind = kinds[a.Realm]
	for g, err := range r.Groups(GroupQuery{Realm: a.Realm, Member: a.ID}) {
		if err != nil {
			return err
		}
		a.Groups = append(a.Groups, g)
	}
	slices.SortStableFunc(a.Groups, func(x, y *Group) int { return cmp.Compare(x.Name(), y.Name()) })
	return nil
}
