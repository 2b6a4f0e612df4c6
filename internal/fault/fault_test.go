package fault

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestKindNames(t *testing.T) {
	seen := map[string]Kind{}
	for k := Internal; k <= Held; k++ {
		name := k.String()
		if name == "" || strings.HasPrefix(name, "kind(") {
			t.Errorf("kind %d has no name", k)
		}
		if other, twice := seen[name]; twice {
			t.Errorf("kinds %d and %d are both %q", other, k, name)
		}
		seen[name] = k
	}
	if got := Kind(200).String(); got != "kind(200)" {
		t.Errorf("an unknown kind is %q", got)
	}
	if KindOf(errors.New("x")) != Internal {
		t.Error("an unclassified error is not Internal")
	}
}

func TestErrorKeepsItsCausePrivate(t *testing.T) {
	cause := errors.New("password=hunter2")
	err := Wrap(Unavailable, cause, "%s did not answer", "okta").At("step %s", "create").Fix("try %s", "later")
	if got, want := err.Public(), "step create: okta did not answer; try later"; got != want {
		t.Errorf("Public() = %q, want %q", got, want)
	}
	if got, want := err.Error(), "step create: okta did not answer; try later: password=hunter2"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	wrapped := fmt.Errorf("while starting: %w", err)
	if got := Public(wrapped); got != err.Public() {
		t.Errorf("Public of a wrapped error = %q", got)
	}
	if KindOf(wrapped) != Unavailable || !Is(wrapped, Unavailable) || Is(wrapped, Internal) {
		t.Errorf("the kind of a wrapped error is %v", KindOf(wrapped))
	}
}

func TestNewWithoutPlaceAndRemedy(t *testing.T) {
	err := New(Invalid, "%d is too much", 7)
	if err.Public() != "7 is too much" || err.Error() != "7 is too much" || err.Unwrap() != nil {
		t.Errorf("New = %+v", err)
	}
}

func TestAtAndFixCopy(t *testing.T) {
	base := New(Invalid, "wrong")
	_ = base.At("here")
	_ = base.Fix("so")
	if base.Place != "" || base.Remedy != "" {
		t.Errorf("At or Fix changed the error itself: %+v", base)
	}
}

func TestTheOutermostKindCounts(t *testing.T) {
	err := Wrap(Refused, New(NotFound, "inner"), "outer")
	if KindOf(err) != Refused || !Is(err, Refused) || Is(err, NotFound) {
		t.Errorf("KindOf = %v", KindOf(err))
	}
}

func TestPublicOfStrangeErrors(t *testing.T) {
	if got := Public(nil); got != "" {
		t.Errorf("Public(nil) = %q", got)
	}
	if got := Public(io.ErrUnexpectedEOF); strings.Contains(got, "EOF") || got == "" {
		t.Errorf("Public of a foreign error = %q: it gives something away", got)
	}
	if Is(nil, Internal) {
		t.Error("no error is of kind Internal")
	}
}

func TestJoin(t *testing.T) {
	one, two := New(Invalid, "one"), Wrap(NotFound, errors.New("secret"), "two").At("f:2:1")
	if err := Join(); err != nil {
		t.Errorf("Join() = %v", err)
	}
	if err := Join(nil, nil); err != nil {
		t.Errorf("Join(nil, nil) = %v", err)
	}
	if err := Join(nil, one); err != error(one) {
		t.Errorf("Join(nil, one) = %v", err)
	}
	err := Join(one, nil, two, io.EOF)
	const public = "one\nf:2:1: two\nan internal error happened; the log has the details"
	if got := Public(err); got != public {
		t.Errorf("Public = %q, want %q", got, public)
	}
	if got := Public(fmt.Errorf("all: %w", err)); got != public {
		t.Errorf("Public of a wrapped list = %q, want %q", got, public)
	}
	if got, want := err.Error(), "one\nf:2:1: two: secret\nEOF"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if !errors.Is(err, io.EOF) || !errors.Is(err, one) {
		t.Error("the joined errors are lost")
	}
	if KindOf(err) != Invalid {
		t.Errorf("KindOf = %v, want that of the first", KindOf(err))
	}
}
