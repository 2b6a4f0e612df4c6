package okta

// roleRoutes lists the paths of admin roles.
func (a *API) roleRoutes() {}
