package okta

// factorRoutes lists the paths of factors.
func (a *API) factorRoutes() {}
