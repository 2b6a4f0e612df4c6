package okta

// schemaRoutes lists the paths of user types and schemas.
func (a *API) schemaRoutes() {}
