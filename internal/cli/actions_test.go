package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/report"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/sources"
	"github.com/lanyard-id/lanyard/internal/value"
)

// actionProduct plans actions for real and plays the runs of a session.
func actionProduct(session *fakeSession) Product {
	return Product{
		Plan: func(ctx context.Context, req PlanRequest) (*plan.Result, error) {
			text, err := catalog.Document(req.File)
			if err != nil {
				return nil, err
			}
			loader := &sources.Loader{Own: catalog.Document}
			return plan.Build(ctx, loader, plan.Request{File: req.File, Data: text, Dialect: req.Dialect, Workflow: req.Workflow})
		},
		Bind: func(context.Context, PlanRequest) (func(*plan.Operation) Binding, error) {
			return func(*plan.Operation) Binding {
				return Binding{Server: "https://example.okta.com", Connection: "okta", Credential: "ssws", Scopes: []string{"okta.users.manage"}}
			}, nil
		},
		Open:        func(context.Context, Settings, Access) (Session, error) { return session, nil },
		Connections: anyConnection{},
	}
}

// anyConnection has every connection, and nothing but reports.
type anyConnection struct{ Connections }

func (anyConnection) Report(_ context.Context, _ Settings, names []string, _ bool) ([]ConnectionReport, error) {
	return []ConnectionReport{{Name: names[0], OK: true}}, nil
}

func TestActionsShow(t *testing.T) {
	for _, name := range []string{"okta.delete_user", "okta.add_user_to_groups"} {
		s := newTestIO("", nil)
		if code := Main(t.Context(), s.IO, actionProduct(play(t)), []string{"actions", "show", name}); code != exitOK {
			t.Fatalf("exit %d: %s", code, s.err)
		}
		golden(t, "actions-show-"+strings.TrimPrefix(name, "okta."), s.out.String())
	}
}

// Nothing is deleted without a yes: of the person, or of the command line.
func TestActionsAsk(t *testing.T) {
	for _, test := range []struct {
		name     string
		action   string
		stdin    string
		terminal bool
		yes      bool
		code     int
		asked    bool
	}{
		{"yes", "okta.delete_user", "y\n", true, false, exitOK, true},
		{"Yes", "okta.delete_user", "Yes\n", true, false, exitOK, true},
		{"no", "okta.delete_user", "n\n", true, false, exitError, true},
		{"nothing", "okta.delete_user", "\n", true, false, exitError, true},
		{"end of input", "okta.delete_user", "", true, false, exitError, true},
		{"nobody to ask", "okta.delete_user", "y\n", false, false, exitError, false},
		{"--yes", "okta.delete_user", "", false, true, exitOK, false},
		{"what destroys nothing", "okta.get_user", "", true, false, exitOK, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			session := play(t, "succeeded")
			s := newTestIO(test.stdin, nil)
			s.InTerminal = func() bool { return test.terminal }
			args := []string{"actions", "run", test.action, "--id", "succeeded", "--input", "userId=00u1"}
			if test.yes {
				args = append(args, "--yes")
			}
			code := Main(t.Context(), s.IO, actionProduct(session), args)
			if code != test.code || (len(session.started) > 0) != (test.code == exitOK) {
				t.Errorf("exit %d, started %v: %s", code, session.started, s.err)
			}
			question := strings.Contains(s.err.String(), "deletes the user 00u1 for good") && strings.Contains(s.err.String(), "at https://example.okta.com. Go on? [y/N]")
			if question != test.asked {
				t.Errorf("stderr: %s", s.err)
			}
		})
	}
}

// Inputs reach the run by their type, and the bindings as the flags say.
func TestActionsInputs(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string // inputs as JSON; what stderr says when they are refused
		code int
	}{
		{"text", []string{"okta.get_user", "--input", "userId=7"}, `{"userId":"7"}`, exitOK},
		{"boolean", []string{"okta.activate_user", "--input", "userId=a", "--input", "sendEmail=false"}, `{"sendEmail":false,"userId":"a"}`, exitOK},
		{"list of words", []string{"okta.add_user_to_groups", "--input", "userId=a", "--input", "groupIds=x, y,"}, `{"groupIds":["x","y"],"userId":"a"}`, exitOK},
		{"list as JSON", []string{"okta.add_user_to_groups", "--input", "userId=a", "--input", `groupIds=["x,y"]`}, `{"groupIds":["x,y"],"userId":"a"}`, exitOK},
		{"JSON for anything", []string{"okta.add_user_to_groups", "--input", "userId=a", "--input", `groupIds:=["x"]`}, `{"groupIds":["x"],"userId":"a"}`, exitOK},
		{"object", []string{"okta.assign_user_to_application", "--input", "appId=a", "--input", "userId=b", "--input", `profile={"a":1}`}, `{"appId":"a","profile":{"a":1},"userId":"b"}`, exitOK},
		{"an empty list", []string{"okta.add_user_to_groups", "--input", "userId=a", "--input", "groupIds="}, "do not fit", exitError},
		{"text for an object", []string{"okta.assign_user_to_application", "--input", "appId=a", "--input", "userId=b", "--input", "profile=x"}, "not of type object", exitError},
		{"a number in JSON for text", []string{"okta.get_user", "--input", "userId:=7"}, "got number, want string", exitError},
		{"a secret is not repeated", []string{"okta.activate_user", "--input", "userId=a", "--input", "sendEmail=hunter2"}, "not true or false", exitError},
	} {
		t.Run(test.name, func(t *testing.T) {
			session := play(t, "succeeded")
			s := newTestIO("", nil)
			code := Main(t.Context(), s.IO, actionProduct(session), append([]string{"actions", "run", "--id", "succeeded", "--connection", "other"}, test.args...))
			if code != test.code || strings.Contains(s.err.String(), "hunter2") {
				t.Fatalf("exit %d: %s", code, s.err)
			}
			if test.code != exitOK {
				if !strings.Contains(s.err.String(), test.want) || len(session.started) > 0 {
					t.Errorf("started %v: %s", session.started, s.err)
				}
				return
			}
			got, err := value.Encode(session.spec.Inputs)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("inputs (-want +got):\n%s", diff)
			}
			want := run.Bindings{Connections: map[string]string{"okta": "other"}}
			if diff := cmp.Diff(want, session.spec.Bindings); diff != "" {
				t.Errorf("bindings (-want +got):\n%s", diff)
			}
		})
	}
}

// What to do about an answer is not said when there was none: somebody whose
// connection is broken is not sent to look for another person.
func TestActionRemedyNeedsAnAnswer(t *testing.T) {
	action, err := catalog.FindAction("okta.get_user")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		calls []*report.Call
		want  string
	}{
		{"nothing was sent", nil, ""},
		{"no answer", []*report.Call{{}}, ""},
		{"no connection", []*report.Call{{Answer: &engine.Answer{Failure: &engine.Failure{Message: "no access token"}}}}, ""},
		{"a proxy's page", []*report.Call{{Answer: &engine.Answer{Status: 502}}}, ""},
		{"nobody", []*report.Call{{Answer: &engine.Answer{Status: 404, JSON: json.RawMessage(`{"errorCode":"E0000007"}`)}}}, "nobody has this id"},
		{"somebody else", []*report.Call{{Answer: &engine.Answer{Status: 200, JSON: json.RawMessage(`{"id":"other"}`)}}}, "nobody has this id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &report.Report{Steps: []*report.Step{{StepID: "get", Status: engine.StepFailed, Calls: test.calls}}}
			got := remedy(action, &plan.Plan{}, r)
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("remedy = %q, want %q", got, test.want)
			}
		})
	}
}
