package provision

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// Resend makes a call of the request log once more, by the credential that the
// target has now. What the log does not have, secrets, is left out. The answer is
// returned whatever it says; an error means that there was none, or that not
// enough of the call was kept (fault.Unsupported).
func (c *Client) Resend(ctx context.Context, t *Target, e wirelog.Exchange) (*wirelog.Replayed, error) {
	again, err := e.Replay()
	if err != nil {
		return nil, err
	}
	body, ok := again.Unmasked().(map[string]any)
	if !ok && again.Body != nil {
		return nil, fault.New(fault.Unsupported, "the exchange %q has a body that no call to a target has", e.ID)
	}
	why := []Note{Note("the call " + e.ID + " was made once more")}
	if len(again.Masked) > 0 {
		why = append(why, "its secrets were left out")
	}
	s := c.Open(t, e.Subject, "replay")
	defer s.Close(ctx)
	if _, err := s.Call(ctx, Call{Method: again.Method, Path: again.Path, Query: again.Query, Body: body, Why: why}); err != nil && (s.last == nil || s.last.Status == 0) {
		return nil, err
	}
	return &wirelog.Replayed{Status: s.last.Status, Body: s.last.ResponseBody, LeftOut: len(again.Masked) > 0, Exchange: e.ID}, nil
}
