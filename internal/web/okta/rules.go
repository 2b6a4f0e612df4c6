package okta

// ruleRoutes lists the paths of group rules.
func (a *API) ruleRoutes() {}
