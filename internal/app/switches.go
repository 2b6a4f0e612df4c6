package app

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

// withSwitches sets the behaviour that the configuration chose for the org that
// the sandbox plays.
func withSwitches(c config.OktaSandbox, o okta.Options) okta.Options {
	o.Engine = c.Engine
	if c.Statuses == config.Statuses2022 {
		o.DeleteStatus, o.GroupRoleStatus = http.StatusAccepted, http.StatusOK
	}
	return o
}
