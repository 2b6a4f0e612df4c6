package okta

func (a *API) clientRoutes() {}

const clientsPath = oauthPath + "/clients"
