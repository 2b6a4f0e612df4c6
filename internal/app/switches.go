package app

import (
	"net/http"
	"time"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

// setSwitches sets what the directory itself does otherwise.
func setSwitches(c config.OktaSandbox, d *directory.Directory) {
	d.SuspendPending, d.DeactivateAgain, d.EditDeprovisioned = c.SuspendPending, c.DeactivateAgain, c.EditDeprovisioned
}

// withSwitches sets the behaviour that the configuration chose for the org that
// the sandbox plays.
func withSwitches(c config.OktaSandbox, o okta.Options) okta.Options {
	o.Engine, o.IndexDelay = c.Engine, time.Duration(c.IndexDelay)*time.Second
	if c.Statuses == config.StatusesDescribed || c.Statuses == config.Statuses2022 {
		o.SourceStatuses = okta.SourceStatuses{CreateSession: http.StatusOK, DeleteGroup: http.StatusNoContent}
	}
	if c.Statuses == config.Statuses2022 {
		o.DeleteStatus, o.GroupRoleStatus = http.StatusAccepted, http.StatusOK
	}
	return o
}
