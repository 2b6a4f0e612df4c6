package importer_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
)

// broken is a store that is gone.
type broken struct{ asked int }

func (s *broken) View(context.Context, func(importer.Reader) error) error {
	s.asked++
	return errors.New("gone")
}

func (s *broken) Update(context.Context, func(importer.Tx) error) error {
	s.asked++
	return errors.New("gone")
}

// What cannot be done is tried again, but not all the time.
func TestServeWaitsLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &broken{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		im := &importer.Importer{Directory: directory.New(nil), Store: store, Realm: directory.OktaRealm, Log: slog.New(slog.DiscardHandler)}
		if err := im.Serve(ctx); err != nil {
			t.Fatal(err)
		}
		if store.asked < 100 || store.asked > 1000 {
			t.Errorf("asked %d times in an hour", store.asked)
		}
	})
}
