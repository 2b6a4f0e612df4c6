package okta

// credentialRoutes lists the paths of passwords and recovery questions.
func (a *API) credentialRoutes() {}
