package okta

// logRoutes lists the paths of the system log.
func (a *API) logRoutes() {}
