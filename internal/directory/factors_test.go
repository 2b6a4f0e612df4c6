package directory_test

import (
	"slices"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// TestFactorIsLoggedWhenItIsActive enrols a factor at once, and one that waits
// for a pass code.
func TestFactorIsLoggedWhenItIsActive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.staff("ada")
	logged := func() (kinds []string) {
		t.Helper()
		list, err := b.Changes(t.Context(), directory.ChangeQuery{Realm: org, Target: id}, 0, func(c *directory.Change) bool {
			return slices.Contains([]string{"user.mfa.factor.activate", "user.mfa.factor.update"}, c.Kind)
		})
		b.do(err)
		for _, c := range list {
			kinds = append(kinds, c.Kind)
		}
		return kinds
	}
	sms := directory.FactorDraft{Type: "sms", Profile: map[string]any{"phoneNumber": "16284001133"}}
	f, _, err := b.EnrollFactor(t.Context(), me, org, id, sms)
	b.do(err)
	if got := logged(); !slices.Equal(got, []string{"user.mfa.factor.update"}) {
		t.Errorf("a factor that waits for its code is logged as %v", got)
	}
	if _, err := b.ActivateFactor(t.Context(), me, org, id, f.ID, "000000"); !fault.Is(err, fault.Refused) {
		t.Errorf("a wrong code = %v", err)
	}
	_, err = b.ActivateFactor(t.Context(), me, org, id, f.ID, "271828")
	b.do(err)
	sms.Activate = true
	_, _, err = b.EnrollFactor(t.Context(), me, org, id, sms)
	b.do(err)
	want := []string{"user.mfa.factor.update", "user.mfa.factor.activate", "user.mfa.factor.activate"}
	if got := logged(); !slices.Equal(got, want) {
		t.Errorf("the factors are logged as %v, want %v", got, want)
	}
}
