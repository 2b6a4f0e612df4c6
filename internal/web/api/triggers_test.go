package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

func TestTriggerRoutes(t *testing.T) {
	t.Parallel()
	var asked []trigger.Command
	_, server := serve(t, &fakeService{triggers: func(ctx context.Context, c trigger.Command) (*trigger.Reply, error) {
		asked = append(asked, c)
		if who := run.Starter(ctx); c.Do == trigger.Fire && who != byAPI {
			t.Errorf("fired by %q", who)
		}
		if c.Name == "none" {
			return nil, fault.New(fault.NotFound, "there is no trigger %q", c.Name)
		}
		return &trigger.Reply{
			Triggers: []trigger.View{{Name: "nightly", On: c.Do != trigger.Off}}, Firings: []trigger.Firing{{ID: "trg-1", State: trigger.Started}},
			Would: []trigger.Would{{ID: "trg-2", Run: "trg-2"}},
		}, nil
	}})
	for _, tt := range []struct {
		request string // METHOD PATH BODY
		status  int
		says    string
		asks    []trigger.Command
	}{
		{"GET /triggers", 200, `{"notes":[],"triggers":[{"name":"nightly"`, []trigger.Command{{Do: trigger.List}}},
		{"GET /triggers/nightly", 200, `{"name":"nightly"`, []trigger.Command{{Do: trigger.Show, Name: "nightly"}}},
		{"GET /triggers/none", 404, `"there is no trigger \"none\""`, []trigger.Command{{Do: trigger.Show, Name: "none"}}},
		{"GET /triggers/nightly/history?state=refused&limit=3", 200, `{"firings":[{"id":"trg-1"`, []trigger.Command{{Do: trigger.History, Name: "nightly", State: trigger.Refused, Limit: 3}}},
		{"GET /firings?trigger=push", 200, `"trg-1"`, []trigger.Command{{Do: trigger.History, Name: "push", Limit: 50}}},
		{"GET /firings?limit=0", 400, "limit", nil},
		{"POST /triggers/nightly/fire", 200, `{"started":[{"id":"trg-2"`, []trigger.Command{{Do: trigger.Fire, Name: "nightly", By: "api"}}},
		{`POST /triggers/push/fire {"event":{"n":1.10},"wait":true}`, 200, "trg-2", []trigger.Command{{Do: trigger.Fire, Name: "push", By: "api", Wait: true, Event: &trigger.Event{Body: `{"n":1.10}`, From: "event"}}}},
		{`POST /triggers/push/fire {"events":1}`, 400, "unknown field", nil},
		{`POST /triggers/nightly/off {"why":"holidays"}`, 200, `"name":"nightly"`, []trigger.Command{{Do: trigger.Off, Name: "nightly", Why: "holidays", By: "api"}, {Do: trigger.Show, Name: "nightly"}}},
		{"POST /triggers/nightly/on", 200, `"on":true`, []trigger.Command{{Do: trigger.On, Name: "nightly", By: "api"}, {Do: trigger.Show, Name: "nightly"}}},
	} {
		asked = nil
		status, text := askAs(t, server, "Bearer "+token, tt.request)
		if status != tt.status || !strings.Contains(text, tt.says) {
			t.Errorf("%s: %d %s, want %d with %s", tt.request, status, text, tt.status, tt.says)
		}
		if diff := cmp.Diff(tt.asks, asked); diff != "" {
			t.Errorf("%s asks (-want +got):\n%s", tt.request, diff)
		}
		// Triggers reach the connections: no scope opens them.
		if status, _ := askAs(t, server, "Bearer wrong", tt.request); status != http.StatusUnauthorized {
			t.Errorf("%s without the folder's token: %d", tt.request, status)
		}
	}
}
