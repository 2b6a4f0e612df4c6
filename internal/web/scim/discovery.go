package scim

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/web"
)

// The endpoints of discovery (RFC 7644 4).
const (
	configPath  = "ServiceProviderConfig"
	typesPath   = "ResourceTypes"
	schemasPath = "Schemas"
)

func isDiscovery(path []string) bool {
	if len(path) == 0 {
		return false
	}
	return path[0] == configPath || path[0] == typesPath || path[0] == schemasPath
}

// discovery answers what the server says of itself. A filter is 403, a method
// other than GET 405.
func (c *call) discovery() error {
	if len(c.path) > 2 || c.path[0] == configPath && len(c.path) > 1 {
		return unknownPath()
	}
	return c.only(methods{http.MethodGet: func() error {
		if c.values.Has("filter") {
			return problem(fault.Forbidden, http.StatusForbidden, "what a server says of itself cannot be filtered")
		}
		if c.path[0] == configPath {
			return c.providerConfig()
		}
		if err := c.authorize(); err != nil {
			return err
		}
		return c.describe()
	}})
}

// providerConfig needs no token (RFC 7643 5).
func (c *call) providerConfig() error {
	features, err := c.Backend.Features(c.r.Context(), c.connection)
	if err != nil {
		return err
	}
	c.known = true
	return c.found(features.ServiceProviderConfig(c.root()))
}

// describe answers resource types and schemas, all or one.
func (c *call) describe() error {
	types := c.endpoint.Types()
	all, one := types.ResourceTypes, types.ResourceType
	if c.path[0] == schemasPath {
		all, one = types.Schemas, types.Schema
	}
	if len(c.path) == 1 {
		documents := all(c.root())
		return c.answer(http.StatusOK, scim.Page{Total: len(documents), Resources: documents, StartIndex: 1}.Body())
	}
	return c.found(one(c.root(), c.path[1]))
}

func (c *call) found(document scim.Resource) error {
	if document == nil {
		return unknownPath()
	}
	return c.answer(http.StatusOK, document)
}

// answer writes a body.
func (c *call) answer(status int, body any) error {
	if err := c.abridge(body); err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", contentType)
	return web.WriteJSON(c.w, status, body)
}
