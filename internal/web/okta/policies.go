package okta

// policyRoutes lists the paths of policies.
func (a *API) policyRoutes() {}
