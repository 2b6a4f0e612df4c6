package secret

import (
	"testing"
	"time"
)

// TestEntryIsBoundToItsName opens an entry, and each half of it, under another
// name. The seal of the file refuses that before; this is what holds when
// somebody has the file's key and no more.
func TestEntryIsBoundToItsName(t *testing.T) {
	key, err := NewKey(newKeyBytes())
	if err != nil {
		t.Fatal(err)
	}
	okta, err := newEntry([]byte("tok-okta"), key, "okta", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	auth0, err := newEntry([]byte("tok-auth0"), key, "auth0", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := okta.open(vaultVersion, key, "okta"); err != nil || string(got) != "tok-okta" {
		t.Errorf("open = %q, %v", got, err)
	}
	if got, err := okta.open(vaultVersion, key, "auth0"); err == nil {
		t.Errorf("the entry of okta opens as auth0: %q", got)
	}
	if _, err := key.Open(okta.Key, dataKeyAAD("auth0")); err == nil {
		t.Error("the data key of okta opens as that of auth0")
	}
	okta.Key = auth0.Key
	if got, err := okta.open(vaultVersion, key, "okta"); err == nil {
		t.Errorf("the entry opens with another data key: %q", got)
	}
}
