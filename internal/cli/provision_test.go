package cli

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// provisionSession answers every command of the desk.
func provisionSession(t *testing.T) *fakeSession {
	at := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	const app, label = "0oa1", "My SCIM app"
	target := &provision.Target{
		Meta: directory.Meta{ID: app, Realm: "okta"}, Kind: provision.Governance, BaseURL: "https://scim.example.com/v2", Enabled: true,
		Auth: provision.Auth{Scheme: provision.Bearer, Token: "vault:provision/0oa1"}, CreateUsers: true, UpdateUsers: true, PushGroups: true,
		Brake: provision.Brake{Count: 50},
	}
	view := []provision.TargetView{{App: app, Label: label, Target: target, Writes: target.Writes()}}
	mapping := &provision.MappingView{ID: "prm1", Rows: provision.Mapping{
		{Name: "emailType", Path: "emails[primary eq true].type", Namespace: provision.CoreUser, Expression: "(user.email != null && user.email != '') ? 'work' : ''", Apply: provision.ApplyAlways},
		{Name: "department", Path: "department", Namespace: provision.EnterpriseUser, Expression: "user.department", Apply: provision.ApplyOnCreate},
		{Name: "badge", Path: "badge", Expression: "user.badge", Apply: provision.ApplyAlways},
	}}
	mapping.Warnings = mapping.Rows.Warnings()
	pushes := &provision.Reply{App: app, Label: label, Notes: []provision.Note{"Push Groups is switched off"}, Pushes: []provision.PushView{
		{ID: "gPm1", Group: "00g1", Name: "Sales", Remote: "r1", Pushed: at}, {ID: "gPm2", Group: "00g2", Name: "APP-x", Rule: "apps", Paused: true},
	}, Rules: []provision.PushRule{{Name: "apps", GroupName: provision.TextMatch{StartsWith: "APP-"}, Description: provision.TextMatch{Contains: "app"}}}}
	calls := []provision.PlannedCall{
		{Method: "GET", Path: "/Users", Query: "filter=userName%20eq%20%22ada%40example.com%22", Sent: true, Why: []provision.Note{"assigned", "0 hits by userName"}},
		{Method: "POST", Path: "/Users", Body: map[string]any{"userName": "ada@example.com", "active": true}, Why: []provision.Note{"nobody has this userName there: created"}},
	}
	status := &provision.Reply{Status: []provision.Status{
		{App: app, Label: label, Enabled: true, Active: 12, Jobs: map[provision.JobState]int{provision.Waiting: 3, provision.Dead: 1}, Due: at, Condition: provision.Condition{
			Quarantine: &provision.Quarantine{Since: at, Cause: "GET /Users: 401 Unauthorized: no", Lifts: "a call with the right credential", Probes: 2, Next: at.Add(time.Minute)},
		}},
		{App: "0oa2", Label: "Other"},
	}}
	s := play(t)
	s.replies = map[provision.Verb]*provision.Reply{
		provision.ListTargets: {Targets: view},
		provision.ShowTarget:  {App: app, Label: label, Targets: view},
		provision.SetTarget:   {App: app, Label: label, Targets: view, Notes: []provision.Note{"the slash at the end of the base URL was left out"}},
		provision.TestTarget:  {App: app, Label: label, Targets: view}, provision.RemoveTarget: {App: app, Label: label},
		provision.ShowMapping: {App: app, Label: label, Mapping: mapping}, provision.SetMapping: {App: app, Label: label, Mapping: mapping},
		provision.DeleteMapping: {App: app, Label: label, Mapping: mapping}, provision.ResetMapping: {App: app, Label: label, Mapping: mapping},
		provision.ListPushes: pushes, provision.AddPush: pushes, provision.RemovePush: {App: app, Label: label},
		provision.MakePlan: {App: app, Label: label, Plan: &provision.Plan{
			App: app, Label: label, People: map[provision.Op]int{provision.OpCreate: 1, provision.OpNone: 4}, Failed: 1, Held: "12 deactivations within a day are more than 1",
			Warnings: []string{"Deactivate Users is switched off: nobody is deactivated"},
			Items: []provision.PlannedItem{
				{Kind: provision.PersonJob, Name: "ada@example.com", Op: provision.OpCreate, Calls: calls},
				{Kind: provision.PersonJob, Name: "bob\x1b@example.com", Op: provision.OpNone, Error: "attribute badge: Invalid externalNamespace"},
			},
		}},
		provision.ProvisionNow: {App: app, Label: label, Now: &provision.NowReport{
			Person: "ada@example.com", Op: provision.OpCreate, Calls: calls, Statuses: []int{200, 409}, Error: "userName is taken",
			Attributes: []provision.Resolved{
				{Row: mapping.Rows[0], Value: "", Note: "the source is empty"}, {Row: mapping.Rows[1], Note: "no value: not sent"},
			},
		}},
		provision.RunQueue: {App: app, Label: label, Run: &provision.Report{Done: 3, Waiting: 1, Quarantined: 1}},
		provision.RunImport: {App: app, Label: label, Import: &provision.ImportReport{
			Scanned: 5, Inactive: 1, Linked: 1, Confirmed: 0,
			Matched:   []provision.Match{{Remote: provision.Remote{UserName: "ada"}, Login: "ada@example.com"}},
			Ambiguous: []provision.Match{{Remote: provision.Remote{UserName: "twin"}, Login: "twin@example.com"}},
			Taken:     []provision.Match{{Remote: provision.Remote{UserName: "bob"}, Login: "bob@example.com"}},
			Orphans:   []provision.Remote{{ID: "r9", UserName: "nobody"}}, Missing: []provision.MissingLink{{UserName: "gone"}},
			Drift: []provision.Drift{{UserName: "cid", Attribute: "title", There: "Boss"}},
		}},
		provision.ShowStatus: status,
		provision.ListDead: {App: app, Label: label, Jobs: []provision.JobView{
			{Job: provision.Job{Subject: "00u1", Kind: provision.PersonJob, Attempts: 10, Status: 409, Error: "userName is taken"}, Name: "ada@example.com"},
		}},
		provision.ReplayDead: {App: app, Label: label, Count: 1}, provision.Lift: {App: app, Label: label},
		provision.Approve: {App: app, Label: label, Count: 12}, provision.Reject: {App: app, Label: label, Count: 12},
	}
	s.exchanges = []wirelog.Exchange{
		{ID: "w2", At: at.Add(time.Second), Method: "POST", Path: "/Users", Failure: "the server closed the connection", Took: 2 * time.Second},
		{
			ID: "w1", At: at, Method: "GET", Path: "/Users", Query: "startIndex=1&count=2", Status: 200, Took: 12 * time.Millisecond, Why: []string{"Test API Credentials"},
			RequestHeaders: map[string][]string{"Authorization": {"***"}}, ResponseBody: `{"totalResults":0}`,
		},
	}
	return s
}

func TestProvision(t *testing.T) {
	session := provisionSession(t)
	p := newProduct(session)
	var out []string
	for _, args := range [][]string{
		{"targets", "list"},
		{"targets", "show", "0oa1"},
		{"targets", "set", "0oa1", "--base-url", "https://scim.example.com/v2/", "--token-from", "env:SCIM_TOKEN", "--on", "--create", "--deactivate=false", "--brake", "20%", "--user-deactivate", "patch"},
		{"targets", "test", "0oa1"},
		{"targets", "remove", "0oa1"},
		{"mapping", "show", "0oa1"},
		{"mapping", "set", "0oa1", "department", "--on-create"},
		{"mapping", "delete", "0oa1", "emailType"},
		{"mapping", "reset", "0oa1"},
		{"groups", "list", "0oa1"},
		{"groups", "add", "0oa1", "Sales"},
		{"groups", "remove", "0oa1", "Sales", "--delete"},
		{"plan", "0oa1", "--bodies"},
		{"now", "0oa1", "ada@example.com"},
		{"run", "0oa1", "--wait"},
		{"import", "0oa1", "--match", "email"},
		{"status"},
		{"deadletters", "list", "0oa1"},
		{"deadletters", "replay", "0oa1"},
		{"quarantine", "show"},
		{"quarantine", "lift", "0oa1"},
		{"brake", "approve", "0oa1"},
		{"brake", "reject", "0oa1"},
		{"log", "0oa1", "--status", "4xx", "--bodies"},
		// what cannot be
		{"targets", "set", "0oa1", "--token", "tok_1"},
		{"targets", "set", "0oa1", "--brake", "some"},
		{"groups", "add", "0oa1"},
		{"groups", "add", "0oa1", "Sales", "--starts-with", "x"},
		{"mapping", "set", "0oa1"},
		{"log", "--status", "9xx"},
	} {
		s := newTestIO("", map[string]string{"SCIM_TOKEN": "tok_nobody-may-see"})
		out = append(out, transcript(t.Context(), s, p.Product, append([]string{"provision"}, args...)...))
	}
	text := strings.Join(out, "\n")
	golden(t, "provision", text)
	if strings.Contains(text, "tok_nobody-may-see") {
		t.Error("the token is printed")
	}
	if session.closed != len(p.access) {
		t.Errorf("%d of %d sessions were closed", session.closed, len(p.access))
	}
	for i, access := range p.access[:len(session.commands)-1] {
		reads := []provision.Verb{provision.ListTargets, provision.ShowTarget, provision.ShowMapping, provision.ListPushes, provision.ShowStatus, provision.ListDead, provision.ListHeld}
		if do := session.commands[i].Do; (access == ReadOnly) != slices.Contains(reads, do) {
			t.Errorf("for %s the folder was opened %v", do, access)
		}
	}
	if q := session.queries[0]; q.Scope != "target:0oa1" || q.Status != 4 || q.Direction != wirelog.Out {
		t.Errorf("the log was asked for %+v", q)
	}
}

// Work that is left undone has an exit code.
func TestProvisionOutcome(t *testing.T) {
	for reply, want := range map[*provision.Reply]int{
		{Run: &provision.Report{Done: 2, Waiting: 1}}:       exitOK,
		{Run: &provision.Report{Held: 1, Dead: 1}}:          exitThreshold,
		{Run: &provision.Report{Dead: 1}}:                   exitFailed,
		{Plan: &provision.Plan{}}:                           exitOK,
		{Plan: &provision.Plan{Failed: 1, Held: "20 %"}}:    exitThreshold,
		{Plan: &provision.Plan{Failed: 1}}:                  exitFailed,
		{Status: []provision.Status{{App: "0oa1"}}}:         exitOK,
		{Jobs: []provision.JobView{{Name: "ada"}}}:          exitOK,
		{Now: &provision.NowReport{Op: provision.OpCreate}}: exitOK,
	} {
		if got := exitCode(t.Context(), provisionOutcome(reply)); got != want {
			t.Errorf("%+v: exit code %d, want %d", reply, got, want)
		}
	}
}

// What flags say arrives at the desk.
func TestProvisionFlags(t *testing.T) {
	ptr := func(b bool) *bool { return &b }
	url, method, percent, count := "https://scim.example.com", provision.Patch, 20, 7
	for _, test := range []struct {
		args string
		want provision.Command
	}{
		{"targets set 0oa1 --base-url https://scim.example.com --token-from env:T --on --create=false --group-update patch --brake 20%", provision.Command{
			Do: provision.SetTarget, App: "0oa1", Credential: "value",
			Target: &provision.TargetChange{BaseURL: &url, Enabled: ptr(true), CreateUsers: ptr(false), GroupUpdate: &method, BrakeOff: ptr(false), BrakePercent: &percent},
		}},
		{"targets set 0oa1 --brake 7", provision.Command{Do: provision.SetTarget, App: "0oa1", Target: &provision.TargetChange{BrakeOff: ptr(false), BrakeCount: &count}}},
		{"targets set 0oa1 --brake off", provision.Command{Do: provision.SetTarget, App: "0oa1", Target: &provision.TargetChange{BrakeOff: ptr(true)}}},
		{"mapping set 0oa1 name.givenName --expression user.firstName --always", provision.Command{
			Do: provision.SetMapping, App: "0oa1", Attribute: "name.givenName", Row: &provision.Row{Path: "name.givenName", Expression: "user.firstName", Apply: provision.ApplyAlways},
		}},
		{"mapping set 0oa1 badge --path x.y --namespace urn:example:1", provision.Command{
			Do: provision.SetMapping, App: "0oa1", Attribute: "badge", Row: &provision.Row{Name: "badge", Path: "x.y", Namespace: "urn:example:1"},
		}},
		{"groups add 0oa1 --rule apps --starts-with APP-", provision.Command{
			Do: provision.AddPush, App: "0oa1", Rule: &provision.PushRule{Name: "apps", GroupName: provision.TextMatch{StartsWith: "APP-"}},
		}},
		{"groups remove 0oa1 Sales --delete", provision.Command{Do: provision.RemovePush, App: "0oa1", Group: "Sales", Remote: true}},
		{"import 0oa1 --expression appuser.userName --confirm", provision.Command{
			Do: provision.RunImport, App: "0oa1", Import: &provision.ImportOptions{Match: provision.MatchExpression, Expression: "appuser.userName", Confirm: true},
		}},
		{"deadletters replay 0oa1 ada", provision.Command{Do: provision.ReplayDead, App: "0oa1", Subject: "ada"}},
		{"now 0oa1 ada", provision.Command{Do: provision.ProvisionNow, App: "0oa1", Person: "ada"}},
	} {
		session := provisionSession(t)
		s := newTestIO("", map[string]string{"T": "value"})
		if code := Main(t.Context(), s.IO, newProduct(session).Product, append([]string{"provision"}, strings.Fields(test.args)...)); code != exitOK && !strings.HasPrefix(test.args, "now ") {
			t.Errorf("%s: exit code %d: %s", test.args, code, s.err)
			continue
		}
		if diff := cmp.Diff(test.want, session.commands[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.args, diff)
		}
	}
}

// With -o json the reply is printed as it is.
func TestProvisionJSON(t *testing.T) {
	session := provisionSession(t)
	s := newTestIO("", nil)
	if code := Main(t.Context(), s.IO, newProduct(session).Product, []string{"provision", "plan", "0oa1", "-o", "json"}); code != exitThreshold {
		t.Fatalf("exit code %d: %s", code, s.err)
	}
	var reply struct {
		Plan struct {
			People map[string]int
			Items  []struct{ Name, Op string }
		}
	}
	if err := json.Unmarshal(s.out.Bytes(), &reply); err != nil || reply.Plan.People["create"] != 1 || reply.Plan.Items[0].Op != "create" {
		t.Errorf("%v: %s", err, s.out)
	}
	session.fails["Provisioning"] = fault.New(fault.NotFound, "there is no app")
	if code := Main(t.Context(), newTestIO("", nil).IO, newProduct(session).Product, []string{"provision", "plan", "x"}); code == exitOK {
		t.Error("a failure ends well")
	}
}
