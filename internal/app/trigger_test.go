package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/web/api"
)

// titleFlow gives somebody of the Okta org a title.
const titleFlow = `
arazzo: 1.0.1
info: {title: A title, version: "1"}
sourceDescriptions: [{name: oktaApi, url: "https://example.okta.com/openapi.yaml", type: openapi}]
workflows:
  - workflowId: title
    inputs: {type: object, required: [login, title], properties: {login: {type: string}, title: {type: string}}}
    steps:
      - stepId: set
        operationId: partialUpdateUser
        parameters: [{name: userId, in: path, value: $inputs.login}]
        requestBody: {payload: {profile: {title: $inputs.title}}}
        successCriteria: [{condition: $statusCode == 200}]
        outputs: {title: $response.body#/profile/title}
    outputs: {title: $steps.set.outputs.title}
`

const titleTriggers = `triggers:
  set:
    endpoint: {auth: {token: env:TOKEN}, mode: wait}
    flow: title.yaml#title
    sandbox: true
  moved:
    directory: {on: mover, attributes: [title]}
    flow: title.yaml
    sandbox: true
    inputs: {login: $event#/person/profile/login, title: "{$event#/after/profile/title}!"}
  nightly:
    schedule: {cron: "0 3 * * *", zone: Europe/Berlin}
    flow: title.yaml
    sandbox: true
    inputs: {login: ada.min@example.com, title: $event#/date}
`

func (b *bench) titled() *bench {
	b.env["TOKEN"] = "the-token"
	b.write("title.yaml", titleFlow)
	b.write("lanyard.yaml", titleTriggers)
	return b
}

// somebody returns the login of a person of the sandbox who can be changed.
func (b *bench) somebody(s cli.Session) string {
	b.t.Helper()
	f := s.(*Folder)
	box, err := f.openSandbox(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	a, err := box.directory.CreateAccount(b.t.Context(), directory.System("test"), directory.OktaRealm, directory.Draft{Activate: true, Profile: map[string]any{
		"login": "tess@example.com", "email": "tess@example.com", "firstName": "Tess", "lastName": "T",
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	return a.Login()
}

// triggers asks a session.
func triggersOf(t *testing.T, s cli.Session, c trigger.Command) *trigger.Reply {
	t.Helper()
	r, err := s.Triggers(t.Context(), c)
	if err != nil {
		t.Fatalf("%s: %v", c.Do, fault.Public(err))
	}
	return r
}

// Without a server: tests run on the sandbox, firing waits for the end, triggers
// are added and removed.
func TestTriggersWithoutServer(t *testing.T) {
	b := newBench(t).titled()
	s := b.session(cli.ReadWrite)
	login := b.somebody(s)
	var names []string
	for _, v := range triggersOf(t, s, trigger.Command{Do: trigger.List}).Triggers {
		names = append(names, v.Name+" "+string(v.Kind))
	}
	if diff := cmp.Diff([]string{"moved directory", "nightly schedule", "set endpoint"}, names); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	event := &trigger.Event{Body: `{"login":"` + login + `","title":"Boss"}`}
	would := triggersOf(t, s, trigger.Command{Do: trigger.Test, Name: "set", Event: event}).Would[0]
	if would.Problem != "" || would.Run != "" || would.Inputs["title"] != "Boss" {
		t.Errorf("test = %+v", would)
	}
	if w := triggersOf(t, s, trigger.Command{Do: trigger.Test, Name: "set", Event: &trigger.Event{Body: `{"login":1}`}}).Would[0]; !strings.Contains(w.Problem, "title") || !strings.Contains(w.Problem, "as a member of the body") {
		t.Errorf("test with wrong inputs = %+v", w)
	}
	for _, c := range []trigger.Command{{Do: trigger.Test, Run: true}, {Do: trigger.Fire}} {
		c.Name, c.Event = "set", event
		w := triggersOf(t, s, c).Would[0]
		if w.Outcome == nil || w.Outcome.Status != run.Succeeded || string(w.Outcome.Outputs) != `{"title":"Boss"}` {
			t.Errorf("%s = %+v, outcome %+v", c.Do, w, w.Outcome)
		}
	}
	text := "schedule: {cron: '@daily'}\nflow: title.yaml\nsandbox: true\n"
	triggersOf(t, s, trigger.Command{Do: trigger.Add, Name: "daily", Text: text, By: "ada"})
	if v := triggersOf(t, s, trigger.Command{Do: trigger.Show, Name: "daily"}).Triggers[0]; !v.Added || v.When != "@daily UTC" || v.Next.IsZero() {
		t.Errorf("the added trigger = %+v", v)
	}
	if _, err := s.Triggers(t.Context(), trigger.Command{Do: trigger.Add, Name: "nightly", Text: text}); !fault.Is(err, fault.Conflict) {
		t.Errorf("adding one of lanyard.yaml = %v, want Conflict", err)
	}
	if _, err := s.Triggers(t.Context(), trigger.Command{Do: trigger.Add, Name: "x", File: "x.yaml", Text: "flow: gone.yaml\nschedule: {cron: '@daily'}"}); err == nil || !strings.Contains(fault.Public(err), "x.yaml:1:1") {
		t.Errorf("adding one whose flow is not there = %v", err)
	}
	triggersOf(t, s, trigger.Command{Do: trigger.Remove, Name: "daily"})
	if _, err := s.Triggers(t.Context(), trigger.Command{Do: trigger.Show, Name: "nigthly"}); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.Public(err), `did you mean "nightly"`) {
		t.Errorf("a mistyped name = %v", err)
	}
	history := triggersOf(t, s, trigger.Command{Do: trigger.History}).Firings
	if len(history) != 2 || history[0].Kind != trigger.Manual {
		t.Errorf("history = %+v", history)
	}
}

// A served folder: calls over HTTP, changes of people without loops, the clock of
// the sandbox, commands beside it, and lanyard.yaml read again.
func TestTriggersServed(t *testing.T) {
	b := newBench(t).titled()
	s := b.session(cli.ReadWrite)
	login := b.somebody(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	served := b.served()
	call := func(token string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, served.addresses["api"]+"/hooks/set", strings.NewReader(`{"login":"`+login+`","title":"Boss"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Client-Token", token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	if status, body := call("wrong"); status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d %s", status, body)
	}
	status, body := call("the-token")
	var answer struct {
		Run, Status string
		Outputs     map[string]any
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || answer.Outputs["title"] != "Boss" {
		t.Fatalf("the call: %d %s", status, body)
	}
	beside := b.session(cli.ReadWrite)
	r := rest(t, beside, answer.Run)
	if r.Trigger != "trigger set" || r.Status != run.Succeeded {
		t.Errorf("the run = %+v", r)
	}

	// The change starts moved, whose own change does not start it again.
	settled := func(name string, states ...trigger.State) []trigger.Firing {
		t.Helper()
		for ctx := t.Context(); ; {
			f := triggersOf(t, beside, trigger.Command{Do: trigger.History, Name: name}).Firings
			var got []trigger.State
			for _, one := range slices.Backward(f) {
				got = append(got, one.State)
			}
			if slices.Equal(got, states) {
				return f
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				t.Fatalf("%s is %v, want %v", name, got, states)
			}
		}
	}
	moved := settled("moved", trigger.Started, trigger.Refused)
	if !strings.Contains(moved[0].Reason, "own flow") || moved[1].Cause != answer.Run {
		t.Errorf("moved = %+v", moved)
	}

	// The sandbox's time leaps over the night: one run makes up for it.
	stage, err := b.rehearsal(t.Context(), b.settings())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stage.SetClock(t.Context(), api.ClockChange{Advance: "24h"}); err != nil {
		t.Fatal(err)
	}
	settled("nightly", trigger.Started)

	triggersOf(t, beside, trigger.Command{Do: trigger.Off, Name: "set", Why: "an audit"})
	if status, body := call("the-token"); status != http.StatusServiceUnavailable || !strings.Contains(body, "switched off: an audit") {
		t.Errorf("switched off: %d %s", status, body)
	}
	triggersOf(t, beside, trigger.Command{Do: trigger.Add, Name: "more", Text: "endpoint: {auth: {token: env:TOKEN}}\nflow: title.yaml\nsandbox: true\n"})
	if got := len(triggersOf(t, beside, trigger.Command{Do: trigger.List}).Triggers); got != 4 {
		t.Errorf("%d triggers, want 4", got)
	}
	if err := served.stop(); err != nil {
		t.Fatal(err)
	}
	served = b.served() // the switch is still off
	if status, _ := call("the-token"); status != http.StatusServiceUnavailable {
		t.Errorf("switched off, after a restart: %d", status)
	}
}

// A document that cannot run keeps lanyard serve from starting, and says where.
func TestServeWithBrokenTrigger(t *testing.T) {
	b := newBench(t).titled()
	b.write("title.yaml", strings.Replace(titleFlow, "name: userId", "name: user", 1))
	err := b.serve(t.Context(), cli.ServeRequest{Settings: b.settings(), APIPort: -1, OktaPort: -1, Auth0Port: -1, Ready: func(map[string]string) { t.Error("it serves") }})
	if err == nil || !strings.Contains(fault.Public(err), "lanyard.yaml:3:5: trigger set cannot start title.yaml#title") || !strings.Contains(fault.Public(err), "title.yaml:9:") {
		t.Errorf("serve = %v", fault.Public(err))
	}
	s := b.session(cli.ReadOnly)
	if _, err := s.Triggers(t.Context(), trigger.Command{Do: trigger.List}); err == nil || !strings.Contains(fault.Public(err), "title.yaml:9:") {
		t.Errorf("list = %v", fault.Public(err))
	}
}

// Reading lanyard.yaml again takes over what is right, and leaves all as it was
// when anything is wrong.
func TestTriggersReload(t *testing.T) {
	b := newBench(t).titled()
	s := b.session(cli.ReadWrite).(*Folder)
	reload, err := s.armTriggers(t.Context())
	if err != nil {
		t.Fatal(fault.Public(err))
	}
	has := func(name string) bool {
		_, ok := s.triggers.engine.Find(name)
		return ok
	}
	b.write("lanyard.yaml", titleTriggers+"  more: {schedule: {cron: nonsense}, flow: title.yaml}\n")
	if err := reload(t.Context()); err == nil || has("more") || !has("set") {
		t.Errorf("a wrong file: %v; more %v, set %v", err, has("more"), has("set"))
	}
	b.write("lanyard.yaml", strings.Replace(titleTriggers, "  set:", "  put:", 1))
	if err := reload(t.Context()); err != nil || has("set") || !has("put") {
		t.Errorf("a right file: %v; put %v, set %v", err, has("put"), has("set"))
	}
	if err := os.Remove(b.path("title.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := reload(context.WithoutCancel(t.Context())); err == nil || !has("put") {
		t.Errorf("without its flow: %v", err)
	}
}

// Imports are taken over with the triggers that start them, or both stay as they
// were, also in the org.
func TestImportsReload(t *testing.T) {
	const hr = "imports:\n  hr: {label: HR, from: {csv: %s}, removal: %s}\ntriggers:\n  nightly: {schedule: {cron: '@daily'}, import: %s}\n"
	b := newBench(t)
	b.write("one.csv", "id,first name,last name,email\n1,Ann,Ash,ann@example.com\n")
	b.write("two.csv", "id,first name,last name,email\n1,Ann,Ash,ann@example.com\n2,Bob,Birch,bob@example.com\n")
	b.write("lanyard.yaml", fmt.Sprintf(hr, "one.csv", "suspend", "hr"))
	s := b.session(cli.ReadWrite).(*Folder)
	reload, err := s.armTriggers(t.Context())
	if err != nil {
		t.Fatal(fault.Public(err))
	}
	is := func(when string, removal reconcile.Removal, rows int) {
		t.Helper()
		shown, err := s.Imports(t.Context(), importer.Command{Do: importer.ShowSource, Source: "HR"})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := s.Imports(t.Context(), importer.Command{Do: importer.MakePreview, Source: "HR"})
		if err != nil {
			t.Fatal(err)
		}
		if got := shown.Source.Settings.Removal; got != removal || plan.Plan.Counts.Scanned != rows {
			t.Errorf("%s: removal %s, %d rows; want %s, %d", when, got, plan.Plan.Counts.Scanned, removal, rows)
		}
	}
	is("at first", reconcile.RemovalSuspends, 1)
	for text, wrong := range map[string]string{
		fmt.Sprintf(hr, "two.csv", "sometimes", "hr"):                          `"sometimes" is not known here`,
		fmt.Sprintf(hr, "two.csv", "deactivate", "payroll"):                    `there is no import "payroll"`,
		fmt.Sprintf(hr, "two.csv", "deactivate, mapping: {nope: '1 +'}", "hr"): "lanyard.yaml:2:",
		"imports: [": "lanyard.yaml:",
	} {
		b.write("lanyard.yaml", text)
		if err := reload(t.Context()); err == nil || !strings.Contains(fault.Public(err), wrong) {
			t.Errorf("%s: %v", text, fault.Public(err))
		}
		is(text, reconcile.RemovalSuspends, 1)
	}
	b.write("lanyard.yaml", strings.Replace(fmt.Sprintf(hr, "two.csv", "deactivate", "payroll"), "  hr:", "  payroll:", 1))
	if err := reload(t.Context()); err != nil {
		t.Error(fault.Public(err))
	}
	is("another name and other settings", reconcile.RemovalDeactivates, 2)
	b.write("lanyard.yaml", "imports: {}\n")
	if err := reload(t.Context()); err != nil {
		t.Error(fault.Public(err))
	}
	if _, err := s.Imports(t.Context(), importer.Command{Do: importer.RunImport, Source: "HR"}); err == nil || !strings.Contains(fault.Public(err), "not said where") {
		t.Errorf("an import that is not written any more: %v", err)
	}
}
