package okta

import (
	"maps"
	"net/http"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

const (
	readPolicies   = "okta.policies.read"
	managePolicies = "okta.policies.manage"
)

// policyRoutes lists the paths of policies.
func (a *API) policyRoutes() {
	a.route(basePath+"/policies",
		method{"GET", readPolicies, a.listPolicies},
		method{"POST", managePolicies, a.createPolicy})
	a.route(basePath+"/policies/{id}",
		method{"GET", readPolicies, a.getPolicy},
		method{"PUT", managePolicies, a.replacePolicy},
		method{"DELETE", managePolicies, a.deletePolicy})
	a.route(basePath+"/policies/{id}/rules",
		method{"GET", readPolicies, a.listPolicyRules},
		method{"POST", managePolicies, a.createPolicyRule})
	a.route(basePath+"/policies/{id}/rules/{rule}",
		method{"GET", readPolicies, a.getPolicyRule},
		method{"PUT", managePolicies, a.replacePolicyRule},
		method{"DELETE", managePolicies, a.deletePolicyRule})
	for name, state := range switches {
		a.route(basePath+"/policies/{id}/lifecycle/"+name, method{"POST", managePolicies, a.switchPolicy(state)})
		a.route(basePath+"/policies/{id}/rules/{rule}/lifecycle/"+name, method{"POST", managePolicies, a.switchPolicyRule(state)})
	}
}

// switches are the life-cycle operations of things that are on or off.
var switches = map[string]directory.State{"activate": directory.On, "deactivate": directory.Off}

// listPolicies is GET /policies?type=: there is no list of all.
func (a *API) listPolicies(w http.ResponseWriter, r *http.Request) error {
	typ := r.URL.Query().Get("type")
	if directory.PolicyTypes[typ] == "" {
		return invalid("type", "type: The field has an invalid value")
	}
	list, err := a.Directory.Policies(r.Context(), a.Realm, typ)
	if err != nil {
		return err
	}
	status := r.URL.Query().Get("status")
	out := []web.Object{}
	for _, p := range list {
		if status == "" || status == string(p.Status) {
			out = append(out, a.policy(r, p))
		}
	}
	web.AddLink(w, "self", a.base(r)+r.URL.RequestURI())
	return web.WriteJSON(w, http.StatusOK, out)
}

func (a *API) createPolicy(w http.ResponseWriter, r *http.Request) error {
	status, err := initialState(r)
	if err != nil {
		return err
	}
	p, err := readPolicy(r)
	if err != nil {
		return err
	}
	p.Status = status
	created, err := a.Directory.CreatePolicy(r.Context(), actor(r), a.Realm, p)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.policy(r, created))
}

func (a *API) getPolicy(w http.ResponseWriter, r *http.Request) error {
	p, err := a.Directory.Policy(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.policy(r, p))
}

func (a *API) replacePolicy(w http.ResponseWriter, r *http.Request) error {
	p, err := readPolicy(r)
	if err != nil {
		return err
	}
	after, err := a.Directory.ReplacePolicy(r.Context(), actor(r), a.Realm, r.PathValue("id"), p)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.policy(r, after))
}

func (a *API) deletePolicy(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.DeletePolicy(r.Context(), actor(r), a.Realm, r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) switchPolicy(to directory.State) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := a.Directory.SwitchPolicy(r.Context(), actor(r), a.Realm, r.PathValue("id"), to); err != nil {
			return err
		}
		return noContent(w)
	}
}

func (a *API) listPolicyRules(w http.ResponseWriter, r *http.Request) error {
	list, err := a.Directory.PolicyRules(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeList(w, r, list, a.policyRule)
}

func (a *API) createPolicyRule(w http.ResponseWriter, r *http.Request) error {
	status, err := initialState(r)
	if err != nil {
		return err
	}
	rule, err := readPolicyRule(r)
	if err != nil {
		return err
	}
	rule.Status = status
	created, err := a.Directory.CreatePolicyRule(r.Context(), actor(r), a.Realm, r.PathValue("id"), rule)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.policyRule(r, created))
}

func (a *API) getPolicyRule(w http.ResponseWriter, r *http.Request) error {
	rule, err := a.Directory.PolicyRule(r.Context(), a.Realm, r.PathValue("id"), r.PathValue("rule"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.policyRule(r, rule))
}

func (a *API) replacePolicyRule(w http.ResponseWriter, r *http.Request) error {
	rule, err := readPolicyRule(r)
	if err != nil {
		return err
	}
	after, err := a.Directory.ReplacePolicyRule(r.Context(), actor(r), a.Realm, r.PathValue("id"), r.PathValue("rule"), rule)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.policyRule(r, after))
}

func (a *API) deletePolicyRule(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.DeletePolicyRule(r.Context(), actor(r), a.Realm, r.PathValue("id"), r.PathValue("rule")); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) switchPolicyRule(to directory.State) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := a.Directory.SwitchPolicyRule(r.Context(), actor(r), a.Realm, r.PathValue("id"), r.PathValue("rule"), to); err != nil {
			return err
		}
		return noContent(w)
	}
}

// ours are the members that the server sets, or that have a field of their own.
var ours = []string{
	"id", "type", "name", "description", "status", "priority", "system", "created", "lastUpdated", "_links", "_embedded",
	"key", "provider.type",
}

// rest is what of a body has no field of its own.
func (o object) rest() map[string]any {
	out := map[string]any{}
	for k, v := range o {
		if !slices.Contains(ours, k) {
			out[k] = v
		}
	}
	return out
}

// named reads what policies, rules and authenticators have in common.
func (o object) named() (name, typ string, priority int, err error) {
	if name, err = o.text("name"); err != nil {
		return "", "", 0, err
	}
	if typ, err = o.text("type"); err != nil {
		return "", "", 0, err
	}
	priority, err = o.integer("priority")
	return name, typ, priority, err
}

func readPolicy(r *http.Request) (*directory.Policy, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	p := &directory.Policy{Rest: body.rest()}
	if p.Name, p.Type, p.Priority, err = body.named(); err != nil {
		return nil, err
	}
	p.Description, err = body.text("description")
	return p, err
}

func readPolicyRule(r *http.Request) (*directory.PolicyRule, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	rule := &directory.PolicyRule{Rest: body.rest()}
	rule.Name, rule.Type, rule.Priority, err = body.named()
	return rule, err
}

// policy is the wire form of a policy, as recorded.
func (a *API) policy(r *http.Request, p *directory.Policy) web.Object {
	self := a.base(r) + "/api/v1/policies/" + p.ID
	rest := maps.Clone(p.Rest)
	conditions := rest["conditions"]
	delete(rest, "conditions")
	o := web.Object{{Key: "id", Value: p.ID}, {Key: "status", Value: p.Status}, {Key: "name", Value: p.Name}}
	if p.Description != "" {
		o = append(o, web.Field{Key: "description", Value: p.Description})
	}
	o = append(o, web.Field{Key: "priority", Value: p.Priority}, web.Field{Key: "system", Value: p.System})
	if conditions != nil || unconditional[p.Type] {
		o = append(o, web.Field{Key: "conditions", Value: conditions})
	}
	o = append(o, web.Field{Key: "created", Value: date(p.Created)}, web.Field{Key: "lastUpdated", Value: date(p.Updated)})
	o = append(o, sortedFields(rest)...)
	methods := []string{"GET", "PUT", "DELETE"}
	if p.System {
		methods = []string{"GET", "PUT"}
	}
	links := web.Object{allowing("self", self, methods...), allowing("rules", self+"/rules", "GET", "POST")}
	if !p.System {
		links = append(links, switchLink(self, p.Status))
	}
	if p.Type != "ACCESS_POLICY" {
		return append(o, web.Field{Key: "_links", Value: links}, web.Field{Key: "type", Value: p.Type})
	}
	if !p.System {
		links = slices.Insert(links, 0, allowing("mappings", self+"/mappings", "GET", "POST"))
	}
	resource := web.Object{{Key: "resourceType", Value: "APP"}}
	return append(o, web.Field{Key: "_links", Value: links}, web.Field{Key: "_embedded", Value: resource}, web.Field{Key: "type", Value: p.Type})
}

// unconditional are the types of policies whose conditions are always null:
// only their rules have some (Okta OpenAPI 2026.06.3).
var unconditional = map[string]bool{"ACCESS_POLICY": true, "IDP_DISCOVERY": true, "PROFILE_ENROLLMENT": true, "POST_AUTH_SESSION": true, "ENTITY_RISK": true}

func (a *API) policyRule(r *http.Request, rule *directory.PolicyRule) web.Object {
	self := a.base(r) + "/api/v1/policies/" + rule.Policy + "/rules/" + rule.ID
	rest := maps.Clone(rule.Rest)
	conditions := rest["conditions"]
	delete(rest, "conditions")
	o := web.Object{
		{Key: "id", Value: rule.ID}, {Key: "status", Value: rule.Status}, {Key: "name", Value: rule.Name},
		{Key: "priority", Value: rule.Priority},
		{Key: "created", Value: date(rule.Created)}, {Key: "lastUpdated", Value: date(rule.Updated)},
		{Key: "system", Value: rule.System}, {Key: "conditions", Value: conditions},
	}
	o = append(o, sortedFields(rest)...)
	links := web.Object{allowing("self", self, "GET", "PUT", "DELETE")}
	if !rule.System {
		links = append(links, switchLink(self, rule.Status))
	}
	return append(o, web.Field{Key: "_links", Value: links}, web.Field{Key: "type", Value: rule.Type})
}

// switchLink leads to the opposite of the state.
func switchLink(self string, s directory.State) web.Field {
	if s == directory.On {
		return allowing("deactivate", self+"/lifecycle/deactivate", "POST")
	}
	return allowing("activate", self+"/lifecycle/activate", "POST")
}

// sortedFields are the members of a map in the order of their names.
func sortedFields(m map[string]any) web.Object {
	var o web.Object
	for _, k := range slices.Sorted(maps.Keys(m)) {
		o = append(o, web.Field{Key: k, Value: m[k]})
	}
	return o
}
