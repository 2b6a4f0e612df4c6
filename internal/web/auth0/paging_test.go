package auth0_test

import (
	"testing"
	"time"

	tenants "github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web/auth0"
)

// TestRecordedCheckpoint reads a checkpoint of a real tenant
// (TestOrganizationManager_MembersCheckpointPagination), and writes it.
func TestRecordedCheckpoint(t *testing.T) {
	t.Parallel()
	const recorded = "MjAyMy0wMy0xNCAxMzozNjoxMy44MjkwMDBVVEMsYXV0aDB8NjQxMDc4NGQzOGIzZTAyYjc3ZmRkNjYw"
	want := tenants.Mark{At: time.Date(2023, time.March, 14, 13, 36, 13, 829e6, time.UTC), ID: "auth0|6410784d38b3e02b77fdd660"}
	if got, ok := auth0.ReadMark(recorded); !ok || got != want {
		t.Errorf("ReadMark = %v, %v, want %v", got, ok, want)
	}
	if got := auth0.WriteMark(want); got != recorded {
		t.Errorf("WriteMark = %s, want %s", got, recorded)
	}
}

func FuzzCheckpoint(f *testing.F) {
	for _, seed := range []string{"", "AAAA", "MjAyMy0wMy0xNCAxMzozNjoxMy44MjkwMDBVVEMsYQ", "VVRDLA", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		mark, ok := auth0.ReadMark(text)
		if !ok {
			return
		}
		if again, ok := auth0.ReadMark(auth0.WriteMark(mark)); !ok || !again.At.Equal(mark.At) || again.ID != mark.ID {
			t.Errorf("%q is %v, and then %v", text, mark, again)
		}
	})
}
