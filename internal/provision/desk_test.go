package provision_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/provision"
)

func (b *bench) desk() *provision.Desk {
	mappings := provision.NewMappings()
	b.engine.Mapper = mappings
	return &provision.Desk{Settings: b.settings, Engine: b.engine, Mappings: mappings, Actor: me}
}

// ask carries a command out that has to succeed.
func (b *bench) ask(c provision.Command) *provision.Reply {
	b.t.Helper()
	if c.App == "" && c.Do != provision.ListTargets && c.Do != provision.ShowStatus {
		c.App = b.app
	}
	r, err := b.desk().Do(b.t.Context(), c)
	b.do(err)
	return r
}

// mover brings a target into a state in which a plan has one of everything.
func mover(t *testing.T) *bench {
	b := newBench(t, provision.Governance, nil)
	b.fake.users["there"] = map[string]any{"id": "there", "userName": "link@example.com", "active": true}
	for _, login := range []string{"same@example.com", "update@example.com", "leave@example.com", "back@example.com"} {
		b.assign(login)
	}
	b.settle()
	suspend := func(op directory.Operation) {
		_, err := b.engine.Directory.Transition(t.Context(), me, org, b.ids["back@example.com"], op)
		b.do(err)
	}
	suspend(directory.Suspend)
	b.settle()
	suspend(directory.Unsuspend)
	b.assign("create@example.com")
	b.assign("link@example.com")
	b.edit("update@example.com", map[string]any{"title": "Boss"})
	b.unassign("leave@example.com")
	b.group("Sales", "same@example.com", "create@example.com")
	b.push("Sales")
	b.fake.taken()
	return b
}

// A plan says what would be done, sends reads only, and changes nothing here; the
// queue then does exactly that.
func TestPlan(t *testing.T) {
	b := mover(t)
	plan := b.ask(provision.Command{Do: provision.MakePlan}).Plan
	b.equal("people", plan.People, map[provision.Op]int{
		provision.OpNone: 1, provision.OpCreate: 1, provision.OpLink: 1, provision.OpUpdate: 1, provision.OpDeactivate: 1, provision.OpReactivate: 1,
	})
	b.equal("groups", plan.Groups, map[provision.Op]int{provision.OpPush: 1})
	b.equal("summary", plan.Summary(), "1 to create, 1 to link, 1 to update, 1 to deactivate, 1 to reactivate, 1 group to push")
	for _, request := range b.fake.taken() {
		if !strings.HasPrefix(request, "GET ") {
			t.Errorf("the plan sent %s", request)
		}
	}
	planned := map[string][]string{}
	for _, item := range plan.Items {
		for _, c := range item.Calls {
			if c.Sent != (c.Method == "GET") {
				t.Errorf("%s %s: sent is %v", c.Method, c.Path, c.Sent)
			}
			if !c.Sent {
				planned[item.Name] = append(planned[item.Name], c.Method)
			}
		}
	}
	b.equal("writes", planned, map[string][]string{
		"create@example.com": {"POST"}, "link@example.com": {"PUT"}, "update@example.com": {"PUT"}, "leave@example.com": {"PUT"}, "back@example.com": {"PUT"}, "Sales": {"POST"},
	})
	group := plan.Items[len(plan.Items)-1]
	members, err := json.Marshal(group.Calls[len(group.Calls)-1].Body["members"])
	b.do(err)
	if !strings.Contains(string(members), provision.VirtualID+b.ids["create@example.com"]) {
		t.Errorf("who would be created is no member: %s", members)
	}
	text, err := json.Marshal(plan)
	b.do(err)
	if !strings.Contains(string(text), `"password":"(a random placeholder)"`) || strings.Contains(string(text), "s3cret") {
		t.Errorf("the plan shows %s", text)
	}
	b.equal("the second plan", b.ask(provision.Command{Do: provision.MakePlan}).Plan, plan)

	b.settle()
	var writes []string
	for _, request := range b.fake.taken() {
		if method, _, _ := strings.Cut(request, " "); method != "GET" {
			writes = append(writes, method)
		}
	}
	slices.Sort(writes)
	b.equal("what the queue wrote", writes, []string{"POST", "POST", "PUT", "PUT", "PUT", "PUT"})
	after := b.ask(provision.Command{Do: provision.MakePlan}).Plan
	if len(after.Items) > 0 {
		t.Errorf("afterwards something is left to do: %s, %+v", after.Summary(), after.Items)
	}
}

func TestPlanWarns(t *testing.T) {
	b := newBench(t, provision.Wizard, func(target *provision.Target) { target.DeactivateUsers, target.Brake.Count = false, 1 })
	for n := range 12 {
		b.assign(fmt.Sprintf("p%02d@example.com", n))
	}
	b.settle()
	for n := range 12 {
		b.unassign(fmt.Sprintf("p%02d@example.com", n))
	}
	plan := b.ask(provision.Command{Do: provision.MakePlan}).Plan
	if plan.People[provision.OpDeactivate] != 0 || plan.Held != "" || !slices.Contains(plan.Warnings, "Deactivate Users is switched off: nobody is deactivated") || len(plan.Warnings) != 4 {
		t.Errorf("%+v", plan)
	}
	on := true
	b.ask(provision.Command{Do: provision.SetTarget, Target: &provision.TargetChange{DeactivateUsers: &on}})
	plan = b.ask(provision.Command{Do: provision.MakePlan}).Plan
	if plan.People[provision.OpDeactivate] != 12 || plan.Held != "12 deactivations within a day are more than 1" {
		t.Errorf("%s, held: %q", plan.Summary(), plan.Held)
	}
}

// A plan ends when the credential is refused, and shows whose attributes fail.
func TestPlanFails(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	b.assign("ada@example.com")
	b.ask(provision.Command{Do: provision.SetMapping, Row: &provision.Row{Name: "badge", Path: "badge", Expression: "'7'"}})
	plan := b.ask(provision.Command{Do: provision.MakePlan}).Plan
	if plan.Failed != 1 || len(plan.Items) != 1 || plan.Items[0].Error != "attribute badge: Invalid externalNamespace; give the attribute the URN of the schema that it is of" {
		t.Errorf("%+v", plan)
	}
	b.ask(provision.Command{Do: provision.ResetMapping})
	b.fake.fail = refuse(401)
	if _, err := b.desk().Do(t.Context(), provision.Command{Do: provision.MakePlan, App: b.app}); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Public(err), "check the credential") {
		t.Errorf("with a refused credential: %v", err)
	}
	if _, err := b.desk().Do(t.Context(), provision.Command{Do: provision.TestTarget, App: b.app}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("the test of the credential: %v", err)
	}
}

func TestProvisionNow(t *testing.T) {
	b := newBench(t, provision.Governance, nil)
	b.assign("ada@example.com")
	now := b.ask(provision.Command{Do: provision.ProvisionNow, Person: "ada@example.com"}).Now
	if now.Op != provision.OpCreate || now.Error != "" || !slices.Equal(now.Statuses, []int{200, 201}) || len(now.Attributes) != 31 {
		t.Errorf("%+v", now)
	}
	for _, a := range now.Attributes {
		if a.Name == "primaryPhoneType" && (a.Value != "" || !strings.Contains(a.Note, "delete the row")) {
			t.Errorf("the trap is not told: %+v", a)
		}
	}
	if now = b.ask(provision.Command{Do: provision.ProvisionNow, Person: "ada@example.com"}).Now; now.Op != provision.OpNone || len(now.Calls) > 0 {
		t.Errorf("a second time: %+v", now)
	}
	b.unassign("ada@example.com")
	if now = b.ask(provision.Command{Do: provision.ProvisionNow, Person: "ada@example.com"}).Now; now.Op != provision.OpDeactivate || len(now.Attributes) > 0 {
		t.Errorf("unassigned: %+v", now)
	}
}

// refuse answers everything with a status.
func refuse(status int) func(*http.Request) failure {
	return func(*http.Request) failure { return failure{status: status, body: `{"detail":"no"}`} }
}

// remote puts a user into the application.
func (b *bench) remote(id, userName, email string, active bool) {
	b.fake.users[id] = map[string]any{
		"id": id, "userName": userName, "active": active, "externalId": b.ids[userName], "emails": []any{map[string]any{"value": email, "primary": true}},
	}
}

func names(matches []provision.Match) (out []string) {
	for _, m := range matches {
		out = append(out, m.UserName+" = "+m.Login)
	}
	slices.Sort(out)
	return out
}

func TestImport(t *testing.T) {
	b := newBench(t, provision.Governance, func(target *provision.Target) { target.CreateUsers = true })
	b.assign("linked@example.com")
	b.assign("gone@example.com")
	b.settle()
	for _, login := range []string{"known@example.com", "assigned@example.com", "off@example.com"} {
		b.join(login)
	}
	userName := "as"
	_, err := b.engine.Directory.AssignUser(t.Context(), me, org, b.app, b.ids["assigned@example.com"], directory.AppUserDraft{UserName: &userName})
	b.do(err)
	for id, u := range b.fake.users {
		if u["userName"] == "gone@example.com" {
			delete(b.fake.users, id)
		} else {
			u["title"] = "Changed there"
		}
	}
	b.remote("k", "known@example.com", "x@example.com", true)
	b.remote("a", "AS", "y@example.com", true)
	b.remote("o", "off@example.com", "z@example.com", false)
	b.remote("n", "nobody@example.com", "w@example.com", true)
	b.fake.taken()

	report := b.ask(provision.Command{Do: provision.RunImport}).Import
	b.equal("figures", []int{report.Scanned, report.Linked, report.Inactive, report.Confirmed}, []int{5, 1, 1, 0})
	b.equal("matched", names(report.Matched), []string{"AS = assigned@example.com", "known@example.com = known@example.com"})
	b.equal("orphans", report.Orphans, []provision.Remote{{ID: "n", UserName: "nobody@example.com", Active: true}})
	if len(report.Missing) != 1 || report.Missing[0].UserName != "gone@example.com" {
		t.Errorf("missing: %+v", report.Missing)
	}
	if len(report.Drift) != 1 || report.Drift[0].Attribute != "title" || report.Drift[0].There != "Changed there" || report.Drift[0].Here != nil {
		t.Errorf("drift: %+v", report.Drift)
	}
	for _, request := range b.fake.taken() {
		if !strings.HasPrefix(request, "GET /scim/Users?startIndex=") || !strings.Contains(request, "count=100") {
			t.Errorf("sent %s", request)
		}
	}

	report = b.ask(provision.Command{Do: provision.RunImport, Import: &provision.ImportOptions{Confirm: true, Inactive: true}}).Import
	b.equal("confirmed", []int{report.Confirmed, report.Inactive}, []int{3, 0})
	u, err := b.engine.Directory.AppUser(t.Context(), org, b.app, b.ids["known@example.com"])
	if err != nil || u.UserName != "known@example.com" {
		t.Errorf("the link is no assignment: %+v, %v", u, err)
	}
	link, err := b.engine.Store.Link(t.Context(), org, b.app, b.ids["known@example.com"])
	if err != nil || link.RemoteID != "k" || !link.Active {
		t.Errorf("the link is %+v, %v", link, err)
	}
	b.settle()
	for _, request := range b.fake.taken() {
		if strings.HasPrefix(request, "POST") {
			t.Errorf("somebody who was confirmed was created: %s", request)
		}
	}
	again := b.ask(provision.Command{Do: provision.RunImport}).Import
	if len(again.Matched) > 0 || again.Linked != 4 {
		t.Errorf("a second import: %+v", again)
	}
}

func TestImportRules(t *testing.T) {
	b := newBench(t, provision.Governance, nil)
	for _, login := range []string{"ada@example.com", "bob@example.com", "twin@example.com"} {
		b.join(login)
	}
	_, err := b.engine.Directory.CreateAccount(t.Context(), me, org, directory.Draft{Profile: map[string]any{"login": "twin2@example.com", "email": "twin@example.com", "firstName": "T", "lastName": "W"}})
	b.do(err)
	b.remote("1", "ada", "ADA@example.com", true)
	b.remote("2", "bob", "other@example.com", true)
	b.remote("3", "twin", "twin@example.com", true)
	b.fake.users["2"]["externalId"] = b.ids["bob@example.com"]
	b.fake.users["4"] = map[string]any{"id": "4", "userName": "ada2", "active": true, "emails": []any{map[string]any{"value": "ada@example.com"}}}
	for _, test := range []struct {
		options            provision.ImportOptions
		matched, ambiguous []string
		orphans            int
	}{
		{provision.ImportOptions{}, nil, nil, 4},
		{provision.ImportOptions{Match: provision.MatchEmail}, nil, []string{"ada = ada@example.com", "ada2 = ada@example.com", "twin = twin2@example.com", "twin = twin@example.com"}, 1},
		{provision.ImportOptions{Match: provision.MatchExternalID}, []string{"bob = bob@example.com"}, nil, 3},
		{
			provision.ImportOptions{Match: provision.MatchExpression, Expression: "appuser.userName + '@example.com'"},
			[]string{"ada = ada@example.com", "bob = bob@example.com", "twin = twin@example.com"}, nil, 1,
		},
		{provision.ImportOptions{Match: provision.MatchExpression, Expression: "appuser.email"}, []string{"ada = ada@example.com", "twin = twin@example.com"}, nil, 2},
	} {
		report := b.ask(provision.Command{Do: provision.RunImport, Import: &test.options}).Import
		if !slices.Equal(names(report.Matched), test.matched) || !slices.Equal(names(report.Ambiguous), test.ambiguous) || len(report.Orphans) != test.orphans {
			t.Errorf("%+v: matched %q, ambiguous %q, orphans %v", test.options, names(report.Matched), names(report.Ambiguous), report.Orphans)
		}
	}
	for _, o := range []provision.ImportOptions{{Match: "name"}, {Match: provision.MatchExpression, Expression: "("}, {Match: provision.MatchExpression, Expression: "user.login"}} {
		if _, err := b.desk().Do(t.Context(), provision.Command{Do: provision.RunImport, App: b.app, Import: &o}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// Pages of a hundred, to the end; a server that repeats itself is not followed.
func TestImportPages(t *testing.T) {
	b := newBench(t, provision.Governance, nil)
	for n := range 250 {
		b.remote(fmt.Sprintf("u%03d", n), fmt.Sprintf("u%03d@example.com", n), "", true)
	}
	report := b.ask(provision.Command{Do: provision.RunImport}).Import
	var asked []string
	for _, request := range b.fake.taken() {
		line, _, _ := strings.Cut(request, "\n")
		asked = append(asked, strings.TrimPrefix(line, "GET /scim/Users?"))
	}
	b.equal("pages", asked, []string{"startIndex=1&count=100", "startIndex=101&count=100", "startIndex=201&count=100"})
	b.equal("orphans", len(report.Orphans), 250)
	b.fake.sticky = true
	if _, err := b.desk().Do(t.Context(), provision.Command{Do: provision.RunImport, App: b.app}); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Public(err), "the same users again") {
		t.Errorf("a server that repeats itself: %v", err)
	}
}

func TestDesk(t *testing.T) {
	b := newBench(t, provision.Governance, nil)
	b.assign("ada@example.com")
	b.group("Sales", "ada@example.com")
	b.group("APP-one", "ada@example.com")
	b.settle()
	ask := func(do provision.Verb) *provision.Reply {
		t.Helper()
		return b.ask(provision.Command{Do: do, App: "target"})
	}
	if r := b.ask(provision.Command{Do: provision.ListTargets}); len(r.Targets) != 1 || r.Targets[0].Label != "Target" || r.Targets[0].Writes.GroupUpdate != provision.Patch {
		t.Errorf("%+v", r)
	}
	ask(provision.TestTarget)
	if r := ask(provision.ShowMapping); r.Mapping.Changed || len(r.Mapping.Warnings) != 3 {
		t.Errorf("%+v", r.Mapping)
	}
	b.ask(provision.Command{Do: provision.DeleteMapping, Attribute: "emails[primary eq true].type"})
	r := b.ask(provision.Command{Do: provision.SetMapping, Row: &provision.Row{Path: "title", Apply: provision.ApplyOnCreate}})
	if row := r.Mapping.Rows[r.Mapping.Rows.Find("title")]; row.Expression != "user.title" || row.Apply != provision.ApplyOnCreate || row.Name != "title" || !r.Mapping.Changed {
		t.Errorf("%+v", row)
	}
	r = b.ask(provision.Command{Do: provision.SetMapping, Row: &provision.Row{Name: "emailType", Expression: "'home'"}})
	if row := r.Mapping.Rows[r.Mapping.Rows.Find("emailType")]; row.Path != "emails[primary eq true].type" || row.Namespace != provision.CoreUser {
		t.Errorf("a deleted row does not come back: %+v", row)
	}
	r = b.ask(provision.Command{Do: provision.SetMapping, Row: &provision.Row{Path: provision.EnterpriseUser + ":department", Expression: "'x'"}})
	if row := r.Mapping.Rows[r.Mapping.Rows.Find("department")]; row.Path != "department" || row.Namespace != provision.EnterpriseUser || row.Expression != "'x'" {
		t.Errorf("by its full name: %+v", row)
	}
	r = b.ask(provision.Command{Do: provision.SetMapping, Row: &provision.Row{Path: "urn:example:1.0:badge", Expression: "'x'"}})
	if row := r.Mapping.Rows[len(r.Mapping.Rows)-1]; row.Path != "badge" || row.Namespace != "urn:example:1.0" || row.Name != "badge" {
		t.Errorf("a new row by its full name: %+v", row)
	}
	b.ask(provision.Command{Do: provision.DeleteMapping, Attribute: "urn:example:1.0:badge"})
	if r := b.ask(provision.Command{Do: provision.AddPush, Group: "sales"}); len(r.Pushes) != 1 || r.Pushes[0].Name != "Sales" || len(r.Notes) > 0 {
		t.Errorf("%+v", r)
	}
	b.ask(provision.Command{Do: provision.AddPush, Rule: &provision.PushRule{Name: "apps", GroupName: provision.TextMatch{StartsWith: "app-"}}})
	b.settle()
	if r := ask(provision.ListPushes); len(r.Pushes) != 2 || len(r.Rules) != 1 || r.Pushes[0].Remote == "" || r.Pushes[1].Rule+r.Pushes[0].Rule != "apps" {
		t.Errorf("%+v", r)
	}
	b.ask(provision.Command{Do: provision.RemovePush, Group: "apps", Remote: true})
	b.ask(provision.Command{Do: provision.RemovePush, Group: b.ids["Sales"]})
	b.settle()
	if len(b.fake.groups) != 1 {
		t.Errorf("the application has the groups %v, want Sales", b.fake.groups)
	}
	if r := ask(provision.ShowStatus); len(r.Status) != 1 || r.Status[0].Active != 1 || !r.Status[0].Enabled {
		t.Errorf("%+v", r.Status)
	}
	if r := b.ask(provision.Command{Do: provision.RunQueue}); r.Run == nil || r.Run.Dead != 0 {
		t.Errorf("%+v", r.Run)
	}

	b.fake.fail = refuse(400)
	b.assign("bob@example.com")
	b.settle()
	if r := ask(provision.ListDead); len(r.Jobs) != 1 || r.Jobs[0].Name != "bob@example.com" {
		t.Errorf("%+v", r.Jobs)
	}
	b.fake.fail = nil
	if r := b.ask(provision.Command{Do: provision.ReplayDead, Subject: "bob@example.com"}); r.Count != 1 {
		t.Errorf("%+v", r)
	}
	ask(provision.Lift)
	b.settle()
	if r := ask(provision.ShowStatus); r.Status[0].Active != 2 {
		t.Errorf("%+v", r.Status)
	}
	for _, do := range []provision.Verb{provision.Approve, provision.Reject} {
		if _, err := b.desk().Do(t.Context(), provision.Command{Do: do, App: b.app}); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s with nothing held: %v", do, err)
		}
	}
	ask(provision.RemoveTarget)
	for _, do := range []provision.Verb{provision.ShowTarget, provision.RemoveTarget, provision.MakePlan, provision.RunQueue, provision.TestTarget} {
		if _, err := b.desk().Do(t.Context(), provision.Command{Do: do, App: b.app}); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s without a target: %v", do, err)
		}
	}
	if _, err := b.desk().Do(t.Context(), provision.Command{Do: "dance", App: b.app}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an unknown verb: %v", err)
	}
}

// Commands and replies survive the way between processes.
func TestCommandsAsJSON(t *testing.T) {
	b := newBench(t, provision.Wizard, nil)
	b.assign("ada@example.com")
	r := b.ask(provision.Command{Do: provision.MakePlan})
	text, err := json.Marshal(r)
	b.do(err)
	var back provision.Reply
	b.do(json.Unmarshal(text, &back))
	if diff := cmp.Diff(r, &back); diff != "" {
		t.Errorf("(-sent +received):\n%s", diff)
	}
}
