package okta

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Page sizes of group rules (Okta OpenAPI).
const (
	rulesPage    = 50
	rulesPageMax = 200
)

// ruleRoutes lists the paths of group rules.
func (a *API) ruleRoutes() {
	a.route(rulesPath,
		method{"GET", readGroups, a.listRules},
		method{"POST", manageGroups, a.createRule})
	a.route(rulesPath+"/{id}",
		method{"GET", readGroups, a.getRule},
		method{"PUT", manageGroups, a.replaceRule},
		method{"DELETE", manageGroups, a.deleteRule})
	a.route(rulesPath+"/{id}/lifecycle/activate", method{"POST", manageGroups, a.activateRule})
	a.route(rulesPath+"/{id}/lifecycle/deactivate", method{"POST", manageGroups, a.deactivateRule})
}

// The only type of rules and the only language of their expressions.
const (
	groupRuleType  = "group_rule"
	expressionType = "urn:okta:expression:1.0"
)

// listRules is GET /groups/rules. search matches the start of the name; the
// older q does the same.
func (a *API) listRules(w http.ResponseWriter, r *http.Request) error {
	p, err := a.newPage(r, rulesPage, rulesPageMax)
	if err != nil {
		return err
	}
	if err := p.cursor("0pr", "E0000029"); err != nil {
		return err
	}
	q := r.URL.Query()
	match := func(rule *directory.GroupRule) bool {
		return startsWith(q.Get("search"), rule.Name) && startsWith(q.Get("q"), rule.Name)
	}
	list, err := a.Directory.Rules(r.Context(), a.Realm, p.after, p.limit+1, match)
	if err != nil {
		return err
	}
	list, last := cut(list, p.limit, func(rule *directory.GroupRule) string { return rule.ID })
	out := make([]web.Object, len(list))
	for i, rule := range list {
		if out[i], err = a.rule(r, rule); err != nil {
			return err
		}
	}
	p.links(w, last)
	return web.WriteJSON(w, http.StatusOK, out)
}

// createRule is POST /groups/rules. It answers 200, and the rule is INACTIVE.
func (a *API) createRule(w http.ResponseWriter, r *http.Request) error {
	draft, err := ruleDraft(r)
	if err != nil {
		return err
	}
	rule, err := a.Directory.CreateRule(r.Context(), actor(r), a.Realm, draft)
	if err != nil {
		return err
	}
	return a.answerRule(w, r, rule)
}

func (a *API) getRule(w http.ResponseWriter, r *http.Request) error {
	rule, err := a.Directory.Rule(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.answerRule(w, r, rule)
}

// replaceRule is PUT /groups/rules/{id}.
func (a *API) replaceRule(w http.ResponseWriter, r *http.Request) error {
	draft, err := ruleDraft(r)
	if err != nil {
		return err
	}
	rule, err := a.Directory.ReplaceRule(r.Context(), actor(r), a.Realm, r.PathValue("id"), draft)
	if err != nil {
		return err
	}
	return a.answerRule(w, r, rule)
}

// deleteRule is DELETE /groups/rules/{id}. It answers 202 with an empty object.
func (a *API) deleteRule(w http.ResponseWriter, r *http.Request) error {
	remove, err := web.Bool(r.URL.Query(), "removeUsers", false)
	if err != nil {
		return invalid("removeUsers", "removeUsers: must be true or false").because(err)
	}
	if err := a.Directory.DeleteRule(r.Context(), actor(r), a.Realm, r.PathValue("id"), remove); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, struct{}{})
}

func (a *API) activateRule(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.ActivateRule(r.Context(), actor(r), a.Realm, r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

func (a *API) deactivateRule(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.DeactivateRule(r.Context(), actor(r), a.Realm, r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}

// ruleDraft reads the body of POST and PUT. What the server owns is ignored.
func ruleDraft(r *http.Request) (d directory.RuleDraft, err error) {
	body, err := readObject(r)
	if err != nil {
		return d, err
	}
	if typ, err := body.text("type"); err != nil || typ != groupRuleType {
		return d, invalid("type", "type: only "+groupRuleType+" is allowed").because(err)
	}
	if d.Name, err = body.text("name"); err != nil {
		return d, err
	}
	expression, err := body.path("conditions", "expression")
	if err != nil {
		return d, err
	}
	language, err := expression.text("type")
	if err != nil {
		return d, err
	}
	if language != expressionType {
		return d, invalid("validateRule", "type: only "+expressionType+" is allowed")
	}
	if d.Expression, err = expression.text("value"); err != nil {
		return d, err
	}
	users, err := body.path("conditions", "people", "users")
	if err != nil {
		return d, err
	}
	if d.ExcludedUsers, err = users.texts("exclude"); err != nil {
		return d, err
	}
	groups, err := body.path("actions", "assignUserToGroups")
	if err != nil {
		return d, err
	}
	d.Groups, err = groups.texts("groupIds")
	return d, err
}

// path returns a member of members that is an object: nil when it, or one on
// the way to it, is absent or null.
func (o object) path(names ...string) (object, error) {
	for _, name := range names {
		next, err := o.object(name)
		if err != nil || next == nil {
			return nil, err
		}
		o = next
	}
	return o, nil
}

func (a *API) answerRule(w http.ResponseWriter, r *http.Request, rule *directory.GroupRule) error {
	o, err := a.rule(r, rule)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, o)
}

// namesOfGroups is the value of expand that adds the names of a rule's groups.
const namesOfGroups = "groupIdToGroupNameMap"

// rule is the wire form of a group rule, in the recorded order of keys.
func (a *API) rule(r *http.Request, rule *directory.GroupRule) (web.Object, error) {
	exclude := func(ids []string) web.Object {
		return web.Object{{Key: "exclude", Value: append([]string{}, ids...)}}
	}
	o := web.Object{
		{Key: "type", Value: groupRuleType},
		{Key: "id", Value: rule.ID},
		{Key: "status", Value: rule.Status},
		{Key: "name", Value: rule.Name},
		{Key: "created", Value: date(rule.Created)},
		{Key: "lastUpdated", Value: date(rule.Updated)},
		{Key: "conditions", Value: web.Object{
			{Key: "people", Value: web.Object{
				{Key: "users", Value: exclude(rule.ExcludedUsers)},
				{Key: "groups", Value: exclude(nil)},
			}},
			{Key: "expression", Value: web.Object{{Key: "value", Value: rule.Expression}, {Key: "type", Value: expressionType}}},
		}},
		{Key: "actions", Value: web.Object{
			{Key: "assignUserToGroups", Value: web.Object{{Key: "groupIds", Value: rule.Groups}}},
		}},
		{Key: "allGroupsValid", Value: rule.Status != directory.RuleInvalid},
	}
	if !expands(r, namesOfGroups) {
		return o, nil
	}
	byID, err := a.Directory.GroupNames(r.Context(), a.Realm, rule.Groups)
	if err != nil {
		return nil, err
	}
	names := web.Object{}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		names = append(names, web.Field{Key: id, Value: byID[id]})
	}
	return append(o, web.Field{Key: "_embedded", Value: web.Object{{Key: namesOfGroups, Value: names}}}), nil
}

// expands reports whether a request asks for an embedded part.
func expands(r *http.Request, part string) bool {
	for _, list := range r.URL.Query()["expand"] {
		if slices.Contains(strings.Split(list, ","), part) {
			return true
		}
	}
	return false
}

// ruleRefusal words what is wrong with a group rule. The text of a taken name is
// relied on by clients, as is validateRule; the others are inferred.
func ruleRefusal(e *directory.RuleError) *apiError {
	switch e.Problem {
	case directory.RuleNameTaken:
		return invalid("name", "name: Policy rule name already in use")
	case directory.RuleWithoutGroups:
		return invalid("groupIds", "groupIds: The field cannot be left blank")
	case directory.RuleGroupType, directory.RuleGroupAdmin, directory.RuleExpression:
		return invalid("validateRule", e.Detail)
	case directory.RuleNotValid:
		return invalid("updateRuleStatus", e.Detail)
	case directory.RuleIsActive:
		return invalid("deleteRule", e.Detail)
	}
	return invalid("updateRule", e.Detail)
}
