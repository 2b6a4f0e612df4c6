package okta

// orgRoutes lists the paths of the org itself.
func (a *API) orgRoutes() {}
