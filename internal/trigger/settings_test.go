package trigger_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/trigger"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Every mistake is reported at once, at its line and column.
func TestReadMistakes(t *testing.T) {
	const text = `triggers:
  "a b":
    flow: f.yaml
    schedule: {cron: "@daily"}
  both: {flow: f.yaml, import: hr, schedule: {cron: "@daily"}, okta: {secret: env:S}}
  neither: {enabled: yes}
  cron:
    flow: "#x"
    concurrent: 3
    filter: event.x == 1
    schedule: {cron: "0 6 * * 9", catchUp: all, overlap: some}
  zone:
    flow: f.yaml#
    schedule: {cron: "0 6 * * *", zone: Europe/Atlantis, jitter: 2w, catchUpLimit: 3, seconds: 1}
  twice: {import: hr, inputs: {a: 1}, schedule: {cron: "0 6 * * *", catchUp: all}}
  open: {flow: f.yaml, endpoint: {mode: accept, timeout: 5s}}
  auth: {flow: f.yaml, endpoint: {auth: {hmac: {signature: "X Y", window: 1s}, token: hunter2}, limits: {body: 0, rate: 99999999}, schema: {type: 7}}}
  closed: {flow: f.yaml, endpoint: {auth: {public: false}}}
  oauth: {flow: f.yaml, endpoint: {auth: {oauth: {issuer: example.com}}}}
  hook: {flow: f.yaml, okta: {runs: perYear}, inputs: {a: $event, b: $body, c: "{$event#/x", d: "$event#x"}, filter: "person.x == 1 OR groups()"}
  move: {flow: f.yaml, directory: {on: mover, events: [created]}}
  join: {flow: f.yaml, directory: {on: joiner, events: [deleted], groups: [x]}}
  when: {flow: f.yaml, directory: {}}
`
	c, err := config.Parse("lanyard.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, err = trigger.Read(c.Triggers)
	got := fault.Public(err)
	if strings.Contains(got, "hunter2") {
		t.Error("a credential is shown")
	}
	var places []string
	for line := range strings.SplitSeq(got, "\n") {
		place, rest, _ := strings.Cut(strings.TrimPrefix(line, "lanyard.yaml:"), ": ")
		message, _, _ := strings.Cut(rest, ";")
		places = append(places, place+" "+message)
	}
	if diff := cmp.Diff(mistakes, places); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
}

// mistakes are those of TestReadMistakes, in the order of the triggers' names.
var mistakes = []string{
	`3:5 "a b" cannot be the name of a trigger`,
	`17:60 "X Y" is not the name of a header`,
	"17:75 this must be a time from 10s to 1h0m0s",
	"17:48 hmac needs a secret",
	"17:87 a credential must be a reference, not the value itself",
	"17:41 auth says one way to tell who calls",
	"17:112 this must be a whole number from 1 to 16777216",
	"17:121 this must be a whole number from 1 to 10000",
	"17:140 this is no valid JSON Schema",
	"5:9 a trigger starts either a flow or an import",
	"5:9 a trigger waits for exactly one thing",
	"18:43 auth says one way to tell who calls",
	`8:11 "#x" does not name a flow`,
	`11:58 "some" is not known here`,
	"11:35 with overlap: skip all but the first of the missed runs would be left out",
	`11:16 "0 6 * * 9" is no cron expression`,
	"9:5 a schedule has no concurrent",
	"10:5 a schedule has nothing to filter",
	`20:37 "perYear" is not known here`,
	"20:30 an Okta event hook needs a secret",
	`20:70 input b: "$body" is not known here`,
	`20:80 input c: "{$event#/x" has no closing brace`,
	`20:97 input d: JSON Pointer "x" does not start with /`,
	`20:118 the filter knows no "person.x"`,
	`20:118 the filter knows no function "groups"`,
	`22:48 a joiner has no event "deleted"`,
	"22:67 only a mover has groups",
	"21:47 a mover has no events",
	"21:35 a mover needs what has to change",
	"6:22 this must be true or false",
	"6:12 a trigger starts either a flow or an import",
	"6:12 a trigger waits for exactly one thing",
	`19:59 "example.com" is no address`,
	"19:50 oauth needs audience",
	"16:34 an endpoint needs auth",
	"16:49 only an endpoint that waits has a timeout",
	"15:69 with overlap: skip all but the first of the missed runs would be left out",
	"15:23 an import has no inputs",
	"23:35 a directory change needs on",
	`13:11 "f.yaml#" does not name a flow`,
	"14:66 this must be a time from 0s to 24h0m0s",
	`14:87 a schedule has no key "seconds"`,
	"14:70 only catchUp: all has a limit",
	`14:35 there is no time zone "Europe/Atlantis"`,
}

func TestRead(t *testing.T) {
	const text = `triggers:
  nightly:
    description: people from HR
    schedule: {cron: "0 3 * * 1-5", zone: Europe/Berlin, jitter: 90s}
    flow: flows/../flows/hr.yaml#sync
    sandbox: true
  push:
    enabled: false
    concurrent: 4
    endpoint:
      auth: {hmac: {secret: "file:secrets/hr", window: 1m}}
      mode: wait
      timeout: 20s
      limits: {body: 1000, rate: 3, burst: 4}
    flow: /srv/flow.yaml
  events: {flow: f.yaml, auth0: {secret: env:S, header: X-Auth, eventTypes: [ss]}}
`
	c, err := config.Parse("conf/lanyard.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	all, err := trigger.Read(c.Triggers)
	if err != nil {
		t.Fatal(fault.Public(err))
	}
	events, nightly, push := all[0], all[1], all[2]
	if diff := cmp.Diff(trigger.Action{File: "conf/flows/../flows/hr.yaml", Workflow: "sync", Flow: "flows/hr.yaml#sync", Sandbox: true}, nightly.Action, cmp.Transformer("clean", func(a trigger.Action) map[string]any {
		return map[string]any{"file": strings.ReplaceAll(a.File, "flows/../", ""), "workflow": a.Workflow, "flow": a.Flow, "sandbox": a.Sandbox}
	})); diff != "" {
		t.Errorf("action (-want +got):\n%s", diff)
	}
	if s := nightly.Schedule; s.CatchUp != trigger.CatchOne || s.Overlap != trigger.OverlapSkip || s.Jitter != 90*time.Second || nightly.Concurrent != 1 || nightly.Place != "conf/lanyard.yaml:3:5" {
		t.Errorf("schedule = %+v at %s", s, nightly.Place)
	}
	e := push.Endpoint
	rate, burst := e.Limits.PerSecond()
	if push.Enabled || push.Action.File != "/srv/flow.yaml" || e.Auth.HMAC.Secret != "file:conf/secrets/hr" || e.Auth.HMAC.Window != time.Minute ||
		e.Auth.HMAC.Signature != "X-Lanyard-Signature" || e.Mode != trigger.ModeWait || e.Timeout != 20*time.Second || e.Limits.MaxBody() != 1000 || rate != 3 || burst != 4 || push.Concurrent != 4 {
		t.Errorf("endpoint = %+v, auth %+v", e, e.Auth.HMAC)
	}
	if a := events.Auth0; a.Header != "X-Auth" || a.Secret != "env:S" || a.PerDelivery || !events.Enabled || events.Kind() != trigger.Auth0Kind {
		t.Errorf("events = %+v", a)
	}
}

// Documents that cannot run keep all triggers from being armed, with their place.
func TestArmBroken(t *testing.T) {
	b := newBench(t, endpoint)
	b.text = "  x: {flow: broken.yaml, schedule: {cron: '@daily'}}\n" + endpoint
	b.flows.broken = "broken.yaml"
	err := b.desk.Reload(t.Context(), sections(t, b.text))
	if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Public(err), "lanyard.yaml:2:6: trigger x cannot start broken.yaml: broken.yaml:7:3: there is no step x") {
		t.Errorf("Reload = %v", fault.Public(err))
	}
	b.called(trigger.Call{}, `{}`) // what was there goes on
	if _, err := b.desk.Do(t.Context(), trigger.Command{Do: trigger.Show, Name: "x"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("the broken trigger is shown: %v", err)
	}
}

// The schema for editors takes what the reader takes, and refuses what breaks its
// form.
func TestSchema(t *testing.T) {
	var doc any
	if err := json.Unmarshal(config.Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("lanyard.json", doc); err != nil {
		t.Fatal(err)
	}
	schema := c.MustCompile("lanyard.json")
	check := func(text string) error {
		n, err := value.ParseYAML([]byte(text), "x")
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(value.FromYAML(n))
	}
	examples, err := os.ReadFile("../../docs/triggers.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(triggers:\n.*?)```").FindAllStringSubmatch(string(examples), -1) {
		if err := check(block[1]); err != nil {
			t.Errorf("%v in\n%s", err, block[1])
		}
	}
	for _, wrong := range []string{
		"x: {flow: f.yaml}", "x: {schedule: {cron: '@daily'}}", "x: {flow: f.yaml, schedule: {}}", "x: {flow: f.yaml, schedule: {cron: '@daily', jitter: soon}}",
		"x: {flow: f.yaml, endpoint: {}}", "x: {flow: f.yaml, endpoint: {auth: {public: false}}}", "x: {flow: f.yaml, endpoint: {auth: {token: hunter2}}}",
		"x: {flow: f.yaml, okta: {}}", "x: {flow: f.yaml, directory: {on: sleeper}}", "a b: {flow: f.yaml, schedule: {cron: '@daily'}}", "x: {flow: f.yaml, schedule: {cron: '@daily'}, color: red}",
	} {
		if check("triggers: {"+wrong+"}") == nil {
			t.Errorf("the schema takes %s", wrong)
		}
		if _, err := trigger.Read(sections(t, "  "+wrong)); err == nil {
			t.Errorf("the reader takes %s", wrong)
		}
	}
}
