package okta

// authenticatorRoutes lists the paths of authenticators.
func (a *API) authenticatorRoutes() {}
