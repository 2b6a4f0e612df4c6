package okta

// appRoutes lists the paths of applications.
func (a *API) appRoutes() {}
