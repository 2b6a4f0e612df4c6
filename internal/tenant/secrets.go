package tenant

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/value"
)

// What an object has that nobody may read by accident (secrets of clients, keys
// and passwords among the options of connections) is kept apart from it, sealed,
// in a record that the change log never shows.

// kept are the secrets of one object, whose id the record has.
type kept struct {
	directory.Meta

	Plain  json.RawMessage `json:"plain,omitempty"`  // where the directory cannot seal
	Sealed []byte          `json:"sealed,omitempty"` // the same
}

// Place says where the secrets are found.
func (*kept) Place() directory.Place { return directory.Place{Noun: directory.TenantSecretNoun} }

// sealName says what sealed bytes are for, so that they open nowhere else.
func (k *kept) sealName() []byte { return []byte("tenant/" + k.Realm + "/" + k.ID) }

// hide replaces the secrets of an object; none removes them.
func (t *Tenant) hide(tx directory.Tx, id string, secrets map[string]any) error {
	if err := t.forget(tx, id); err != nil || len(secrets) == 0 {
		return err
	}
	k := &kept{Meta: directory.Meta{ID: id, Realm: t.Realm}}
	text, err := json.Marshal(secrets)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the secrets cannot be written as JSON")
	}
	if t.Directory.Sealer == nil {
		k.Plain = text
	} else if k.Sealed, err = t.Directory.Sealer.Seal(text, k.sealName()); err != nil {
		return err
	}
	return t.Directory.PutObject(tx, k)
}

// forget removes the secrets of an object.
func (t *Tenant) forget(tx directory.Tx, id string) error {
	err := tx.DeleteRecord(t.Realm, directory.TenantSecretNoun, id)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// reveal returns the secrets of an object, none when it has none.
func (t *Tenant) reveal(r directory.Reader, id string) (map[string]any, error) {
	k, err := directory.Get[kept](r, t.Realm, id)
	if fault.Is(err, fault.NotFound) {
		return map[string]any{}, nil
	}
	if err != nil {
		return nil, err
	}
	text := []byte(k.Plain)
	if len(k.Sealed) > 0 {
		if t.Directory.Sealer == nil {
			return nil, fault.New(fault.Internal, "the secrets of %s are sealed, and there is no key", id)
		}
		if text, err = t.Directory.Sealer.Open(k.Sealed, k.sealName()); err != nil {
			return nil, err
		}
	}
	v, err := value.Decode(text)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the secrets of %s do not read", id)
	}
	secrets, _ := v.(map[string]any)
	return secrets, nil
}

// Secrets returns the secrets of a client or connection, by their paths.
func (t *Tenant) Secrets(ctx context.Context, id string) (secrets map[string]any, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		secrets, err = t.reveal(r, id)
		return err
	})
	return secrets, err
}

// part takes the members with some paths (a.b) out of an object, which it changes.
// Empty ones stay: they tell nothing.
func part(from map[string]any, paths []string) map[string]any {
	out := map[string]any{}
	for _, path := range paths {
		at, name := from, path
		for {
			first, rest, deeper := strings.Cut(name, ".")
			if !deeper {
				break
			}
			at, _ = at[first].(map[string]any)
			name = rest
		}
		if v, ok := at[name]; ok && !blank(v) {
			out[path] = v
			delete(at, name)
		}
	}
	return out
}

func blank(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// join puts members back that part took out.
func join(into, parts map[string]any) {
	for path, v := range parts {
		at, name := into, path
		for {
			first, rest, deeper := strings.Cut(name, ".")
			if !deeper {
				break
			}
			next, _ := at[first].(map[string]any)
			if next == nil {
				next = map[string]any{}
				at[first] = next
			}
			at, name = next, rest
		}
		at[name] = v
	}
}
