package auth0

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) connectionRoutes() []route {
	return []route{
		op("GET", "/connections", a.listConnections, "read:connections"),
		op("POST", "/connections", a.createConnection, "create:connections"),
		op("GET", "/connections/{id}", a.getConnection, "read:connections"),
		op("PATCH", "/connections/{id}", a.updateConnection, "update:connections"),
		op("DELETE", "/connections/{id}", a.deleteConnection, "delete:connections"),
		op("DELETE", "/connections/{id}/users", a.deleteConnectionUser, "delete:users"),
		op("GET", "/connections/{id}/status", a.connectionStatus, "read:connections"),
		op("GET", "/connections/{id}/clients", a.listConnectionClients, "read:connections"),
		op("PATCH", "/connections/{id}/clients", a.updateConnectionClients, "update:connections"),
		op("GET", "/connections/{id}/keys", a.listConnectionKeys, "read:connections_keys", "read:connections"),
		op("POST", "/connections/{id}/keys", a.createConnectionKeys, "create:connections_keys", "update:connections"),
		op("POST", "/connections/{id}/keys/rotate", a.rotateConnectionKeys, "update:connections_keys", "update:connections"),
		op("GET", "/clients/{id}/connections", a.listClientConnections, "read:connections"),
	}
}

var connectionNamePattern = regexp.MustCompile(`^[a-zA-Z0-9](-[a-zA-Z0-9]|[a-zA-Z0-9])*$`)

// connectionProperties are those that a connection can be created and changed
// with.
var connectionProperties = map[string]property{
	"display_name": {typ: "string", max: 128, about: "Connection name used in the new universal login experience"},
	"options":      {typ: "object", nullable: true, about: "The connection's options (depend on the connection strategy)"},
	"enabled_clients": {
		typ: "array", items: &property{typ: "string"},
		about: "DEPRECATED property. Use the PATCH /v2/connections/{id}/clients endpoint to enable or disable the connection for any clients.",
	},
	"is_domain_connection": {typ: "boolean", about: "<code>true</code> promotes to a domain-level connection so that third-party applications can use it. " +
		"<code>false</code> does not promote the connection, so only first-party applications with the connection enabled can use it. " +
		"(Defaults to <code>false</code>.)"},
	"show_as_button": {typ: "boolean", about: "Enables showing a button for the connection in the login page (new experience only). " +
		"If false, it will be usable only by HRD. (Defaults to <code>false</code>.)"},
	"realms": {
		typ: "array", items: &property{typ: "string"},
		about: "Defines the realms for which the connection will be used (ie: email domains). If the array is empty or the property is not specified, " +
			"the connection name will be added as realm.",
	},
	"metadata": {
		typ: "object", max: 10, items: &property{typ: "string", max: 255},
		about: "Metadata associated with the connection in the form of an object with string values (max 255 chars). Maximum of 10 metadata properties allowed.",
	},
	"authentication":     {typ: "object", about: "Configure the purpose of a connection to be used for authentication during login."},
	"connected_accounts": {typ: "object", about: "Configure the purpose of a connection to be used for connected accounts and Token Vault."},
}

// newConnectionProperties are those that a connection is created with.
func newConnectionProperties() map[string]property {
	all := map[string]property{
		"name": {typ: "string", max: 128, pattern: connectionNamePattern, about: "The name of the connection. Must start and end with an alphanumeric " +
			"character and can only contain alphanumeric characters and '-'. Max length 128"},
		"strategy": {typ: "string", enum: tenant.Strategies(), about: "The identity provider identifier for the connection"},
	}
	for name, p := range connectionProperties {
		all[name] = p
	}
	return all
}

// connection is the wire form of a connection, in the recorded order of keys.
// That of lists is another at the end.
func (a *API) connection(r *http.Request, c *tenant.Connection, listed bool) web.Object {
	o := web.Object{
		{Key: "id", Value: c.ID}, {Key: "options", Value: orEmpty(c.Options)},
		{Key: "strategy", Value: c.Strategy}, {Key: "name", Value: c.Name},
	}
	if c.Ticket != "" {
		o = append(o, web.Field{Key: "provisioning_ticket_url", Value: a.issuer(r) + "p/" + c.Strategy + "/" + c.Ticket})
	}
	o = append(o, web.Field{Key: "is_domain_connection", Value: c.DomainConnection})
	if c.ShowAsButton != nil {
		o = append(o, web.Field{Key: "show_as_button", Value: *c.ShowAsButton})
	}
	if c.Authentication != nil {
		o = append(o, web.Field{Key: "authentication", Value: c.Authentication})
	}
	if c.ConnectedAccounts != nil {
		o = append(o, web.Field{Key: "connected_accounts", Value: c.ConnectedAccounts})
	}
	if c.DisplayName != "" {
		o = append(o, web.Field{Key: "display_name", Value: c.DisplayName})
	}
	if len(c.Metadata) > 0 {
		o = append(o, web.Field{Key: "metadata", Value: c.Metadata})
	}
	ends := web.Object{{Key: "enabled_clients", Value: orNone(c.EnabledClients)}, {Key: "realms", Value: orNone(c.Realms)}}
	if listed {
		slices.Reverse(ends)
	}
	return append(o, ends...)
}

func orEmpty(o map[string]any) map[string]any {
	if o == nil {
		return map[string]any{}
	}
	return o
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// connectionError puts the tenant's words about a connection or client into the
// API's form.
func connectionError(err error) error {
	var wrong *tenant.Mistake
	if !errors.As(err, &wrong) {
		return err
	}
	return &apiError{status: http.StatusBadRequest, message: wrong.Text, code: "invalid_body", err: err}
}

// listConnections is GET /connections, by name and strategies.
func (a *API) listConnections(w http.ResponseWriter, r *http.Request) error {
	s := style{checkpoints: true, numbered: true}
	q := r.URL.Query()
	show, err := readProjection(q)
	if err != nil {
		return err
	}
	name, chosen := q.Get("name"), q["strategy"]
	shown := func(o web.Object) web.Object {
		row := show(o)
		if q.Has("fields") && !slices.ContainsFunc(row, func(f web.Field) bool { return f.Key == "is_domain_connection" }) {
			row = append(row, web.Field{Key: "is_domain_connection", Value: false}) // whatever is chosen (recorded)
		}
		return row
	}
	return a.writeConnections(w, r, s, shown, func(l listing) (tenant.Page[*tenant.Connection], error) {
		return a.tenant.Connections(r.Context(), l.window(), func(c *tenant.Connection) bool {
			return (name == "" || c.Name == name) && (len(chosen) == 0 || slices.Contains(chosen, c.Strategy))
		})
	})
}

// writeConnections answers with a part of the connections.
func (a *API) writeConnections(w http.ResponseWriter, r *http.Request, s style, show projection, find func(listing) (tenant.Page[*tenant.Connection], error)) error {
	l, err := readListing(r.URL.Query(), s)
	if err != nil {
		return err
	}
	p, err := find(l)
	if err != nil {
		return err
	}
	rows := make([]web.Object, len(p.Items))
	for i, c := range p.Items {
		whole, err := a.tenant.WithSecrets(r.Context(), c)
		if err != nil {
			return err
		}
		rows[i] = show(a.connection(r, whole, true))
	}
	return l.write(w, s, "connections", rows, restOf(p, func(c *tenant.Connection) tenant.Mark { return markOf(c.Meta) }))
}

// markOf is the place of an object in a list that is in the order of ids.
func markOf(m directory.Meta) tenant.Mark { return tenant.Mark{At: m.Created, ID: m.ID} }

// metadataOf reads an object with texts.
func (p payload) strings(name string) map[string]string {
	o, ok := p[name].(map[string]any)
	if !ok {
		return nil
	}
	out := map[string]string{}
	for k, v := range o {
		out[k], _ = v.(string)
	}
	return out
}

// list returns a member that is an array of texts, nil when it is absent.
func (p payload) list(name string) []string {
	if !p.has(name) {
		return nil
	}
	return p.texts(name)
}

// tree returns a member that is an object, nil when it is absent.
func (p payload) tree(name string) map[string]any {
	o, _ := p[name].(map[string]any)
	return o
}

func (a *API) createConnection(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, newConnectionProperties(), "name", "strategy")
	if err != nil {
		return err
	}
	c := &tenant.Connection{
		Name: p.text("name"), DisplayName: p.text("display_name"), Strategy: p.text("strategy"), Options: p.tree("options"),
		EnabledClients: p.list("enabled_clients"), Realms: p.list("realms"), Metadata: p.strings("metadata"),
		DomainConnection: p["is_domain_connection"] == true, ShowAsButton: p.flag("show_as_button"),
		Authentication: p.tree("authentication"), ConnectedAccounts: p.tree("connected_accounts"),
	}
	if c.Strategy == "waad" && c.Options != nil && c.Options["app_domain"] == nil {
		c.Options["app_domain"] = a.host(r) // the directory knows the tenant by it
	}
	a.describe(r.Context(), c)
	if err := a.tenant.CreateConnection(r.Context(), actor(r), c); err != nil {
		return connectionError(err)
	}
	return web.WriteJSON(w, http.StatusCreated, a.connection(r, c, false))
}

// describe lets a new connection keep what its identity provider says of itself
// (recorded). A provider that cannot be asked leaves it as it is: a sandbox may
// be cut off from the one that people name.
func (a *API) describe(ctx context.Context, c *tenant.Connection) {
	at := c.DescribedAt()
	if at == "" || a.Describe == nil {
		return
	}
	said, err := a.Describe(ctx, at)
	if err != nil {
		a.Log.WarnContext(ctx, "the identity provider of a new connection cannot be asked", "connection", c.Name, "error", err)
		return
	}
	c.Describe(said)
}

func (a *API) getConnection(w http.ResponseWriter, r *http.Request) error {
	show, err := readProjection(r.URL.Query())
	if err != nil {
		return err
	}
	c, err := a.tenant.Connection(r.Context(), r.PathValue("id"))
	if err == nil {
		c, err = a.tenant.WithSecrets(r.Context(), c)
	}
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, show(a.connection(r, c, false)))
}

// updateConnection is PATCH /connections/{id}. It replaces options as a whole.
func (a *API) updateConnection(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, connectionProperties)
	if err != nil {
		return err
	}
	edited, err := a.tenant.EditConnection(r.Context(), actor(r), r.PathValue("id"), tenant.ConnectionEdit{
		DisplayName: p.given("display_name"), Options: p.tree("options"), EnabledClients: p.list("enabled_clients"),
		Realms: p.list("realms"), Metadata: p.strings("metadata"), DomainConnection: p.flag("is_domain_connection"),
		ShowAsButton: p.flag("show_as_button"), Authentication: p.tree("authentication"), ConnectedAccounts: p.tree("connected_accounts"),
	})
	if err != nil {
		return connectionError(err)
	}
	return web.WriteJSON(w, http.StatusOK, a.connection(r, edited, false))
}

// deleteConnection is DELETE /connections/{id}: 202 with the time, or 204 for one
// that is not there (recorded).
func (a *API) deleteConnection(w http.ResponseWriter, r *http.Request) error {
	_, err := a.tenant.DeleteConnection(r.Context(), actor(r), r.PathValue("id"))
	if fault.Is(err, fault.NotFound) {
		return noContent(w)
	}
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, web.Object{{Key: "deleted_at", Value: date(a.now())}})
}

// deleteConnectionUser is DELETE /connections/{id}/users?email=. Somebody who is
// not there is deleted already.
func (a *API) deleteConnectionUser(w http.ResponseWriter, r *http.Request) error {
	email := r.URL.Query().Get("email")
	if email == "" {
		return badQuery("'Missing required property: email'.")
	}
	if err := a.tenant.DeleteConnectionUser(r.Context(), actor(r), r.PathValue("id"), email); err != nil {
		return err
	}
	return noContent(w)
}

// connectionStatus is GET /connections/{id}/status, which asks the connector of
// an on-premises directory. There is none here, so nothing is to say against it.
func (a *API) connectionStatus(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.tenant.Connection(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, struct{}{})
}

// maxClients is how many clients one PATCH may name.
const maxClients = 50

// listConnectionClients is GET /connections/{id}/clients, by checkpoint only. The
// list is short, and kept whole in the connection.
func (a *API) listConnectionClients(w http.ResponseWriter, r *http.Request) error {
	s := style{only: true}
	l, err := readListing(r.URL.Query(), s)
	if err != nil {
		return err
	}
	c, err := a.tenant.Connection(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	ids := slices.Sorted(slices.Values(c.EnabledClients))
	if l.after.ID != "" {
		at, found := slices.BinarySearch(ids, l.after.ID)
		if found {
			at++
		}
		ids = ids[at:]
	}
	rows := []web.Object{}
	for _, id := range ids[:min(l.perPage, len(ids))] {
		rows = append(rows, web.Object{{Key: "client_id", Value: id}})
	}
	p := rest{more: len(ids) > l.perPage}
	if n := len(rows); n > 0 {
		p.last = tenant.Mark{At: c.Created, ID: ids[n-1]}
	}
	return l.write(w, s, "clients", rows, p)
}

var connectionClientProperty = property{
	typ: "object", required: []string{"client_id", "status"},
	members: map[string]property{
		"client_id": {typ: "string", about: "The client_id of the client to be the subject to change status"},
		"status":    {typ: "boolean", about: "Whether the connection is enabled or not for this client_id"},
	},
}

func (a *API) updateConnectionClients(w http.ResponseWriter, r *http.Request) error {
	items, err := readItems(r, connectionClientProperty)
	if err != nil {
		return err
	}
	if len(items) == 0 || len(items) > maxClients {
		return badBody("'Array must have between 1 and 50 items'.")
	}
	enable := map[string]bool{}
	for _, item := range items {
		enable[item.text("client_id")] = item["status"] == true
	}
	if err := a.tenant.EnableClients(r.Context(), actor(r), r.PathValue("id"), enable); err != nil {
		return err
	}
	return noContent(w)
}

// listClientConnections is GET /clients/{id}/connections.
func (a *API) listClientConnections(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	show, err := readProjection(q)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := a.tenant.Client(r.Context(), id); err != nil {
		return err
	}
	without := func(o web.Object) web.Object { // such lists do not say who else uses it (recorded)
		return slices.DeleteFunc(show(o), func(f web.Field) bool { return f.Key == "enabled_clients" })
	}
	return a.writeConnections(w, r, style{only: true}, without, func(l listing) (tenant.Page[*tenant.Connection], error) {
		return a.tenant.ConnectionsOf(r.Context(), id, l.window(), q["strategy"])
	})
}

// key is the wire form of a key of a connection, in the recorded order.
func connectionKey(k tenant.ShownKey) web.Object {
	o := web.Object{
		{Key: "kid", Value: k.ID}, {Key: "algorithm", Value: "RS256"}, {Key: "key_use", Value: "signing"},
		{Key: "subject_dn", Value: "/CN=" + k.Subject}, {Key: "cert", Value: k.Certificate},
		{Key: "fingerprint", Value: k.Fingerprint}, {Key: "thumbprint", Value: strings.ReplaceAll(k.Fingerprint, ":", "")},
		{Key: "pkcs", Value: k.PKCS7},
	}
	if k.State == tenant.CurrentKey {
		return append(o, web.Field{Key: "current", Value: true}, web.Field{Key: "current_since", Value: date(k.Since)})
	}
	return append(o, web.Field{Key: string(k.State), Value: true})
}

func (a *API) listConnectionKeys(w http.ResponseWriter, r *http.Request) error {
	return a.writeConnectionKeys(w, r, http.StatusOK)
}

func (a *API) createConnectionKeys(w http.ResponseWriter, r *http.Request) error {
	return a.writeConnectionKeys(w, r, http.StatusCreated)
}

func (a *API) writeConnectionKeys(w http.ResponseWriter, r *http.Request, status int) error {
	keys, err := a.tenant.ConnectionKeys(r.Context(), r.PathValue("id"))
	if err != nil {
		return connectionError(err)
	}
	rows := []web.Object{}
	for _, k := range keys {
		rows = append(rows, connectionKey(k))
	}
	return web.WriteJSON(w, status, rows)
}

// rotateConnectionKeys is POST /connections/{id}/keys/rotate. It answers the key
// that comes next, in short (recorded).
func (a *API) rotateConnectionKeys(w http.ResponseWriter, r *http.Request) error {
	next, err := a.tenant.RotateConnectionKeys(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return connectionError(err)
	}
	return web.WriteJSON(w, http.StatusCreated, web.Object{{Key: "kid", Value: next.ID}, {Key: "cert", Value: next.Certificate}})
}
