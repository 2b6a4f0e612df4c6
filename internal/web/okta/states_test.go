package okta_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

var statuses = []string{"STAGED", "PROVISIONED", "ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "SUSPENDED", "DEPROVISIONED"}

// in makes a user with a status, by requests and sign-ins alone, and returns its
// id. All but PROVISIONED ones were made with a password, Sesame4you, and a
// recovery question.
func (b *bench) in(status, login string) string {
	b.t.Helper()
	query, body := "?activate=true", profileOf(login)+`,"credentials":{"password":{"value":"Sesame4you"},"recovery_question":{"question":"Why?","answer":"Because"}}}`
	switch status {
	case "STAGED":
		query = "?activate=false"
	case "PROVISIONED":
		body = profileOf(login) + `}`
	case "PASSWORD_EXPIRED":
		query += "&nextLogin=changePassword"
	}
	id := b.user(body, query)
	then := map[string]string{"RECOVERY": "reset_password", "SUSPENDED": "suspend", "DEPROVISIONED": "deactivate"}[status]
	if then != "" {
		b.ok(200, "POST", "/api/v1/users/"+id+"/lifecycle/"+then, "")
	}
	if status == "LOCKED_OUT" {
		for range 10 {
			_, _ = b.dir.SignIn(b.t.Context(), directory.OktaRealm, login, "wrong")
		}
	}
	if got := b.status(id); got != status {
		b.t.Fatalf("the user to start with is %s, want %s", got, status)
	}
	return id
}

func profileOf(login string) string {
	return fmt.Sprintf(`{"profile":{"firstName":"Ann","lastName":"Lee","email":%q,"login":%[1]q}`, login)
}

// status is that of a user, "gone" when there is none.
func (b *bench) status(id string) string {
	b.t.Helper()
	a := b.call("GET", "/api/v1/users/"+id, "")
	if a.status == 404 {
		return "gone"
	}
	return a.object(b.t)["status"].(string)
}

// TestStates is the whole state machine on the wire: what every operation
// answers in every status, and the status that it leads to ("=" leaves it) or
// the code of its error.
func TestStates(t *testing.T) {
	t.Parallel()
	const (
		credentials = "/credentials/"
		lifecycle   = "/lifecycle/"
		change      = `{"oldPassword":{"value":"Sesame4you"},"newPassword":{"value":"Sesame4me"}}`
		answer      = `{"password":{"value":"Sesame4me"},"recovery_question":{"answer":"because"}}`
		question    = `{"password":{"value":"Sesame4you"},"recovery_question":{"question":"How?","answer":"So"}}`
	)
	tests := []struct {
		method, path, body string
		want               [8]string // in the order of statuses
	}{
		{"POST", lifecycle + "activate", "",
			[8]string{"200 ACTIVE", "403 E0000016", "403 E0000016", "403 E0000016", "403 E0000016", "403 E0000016", "403 E0000016", "200 PROVISIONED"}},
		{"POST", lifecycle + "reactivate", "",
			[8]string{"403 E0000038", "200 =", "403 E0000038", "200 =", "403 E0000038", "403 E0000038", "403 E0000038", "403 E0000038"}},
		{"POST", lifecycle + "deactivate", "",
			[8]string{"200 DEPROVISIONED", "200 DEPROVISIONED", "200 DEPROVISIONED", "200 DEPROVISIONED", "200 DEPROVISIONED", "200 DEPROVISIONED", "200 DEPROVISIONED", "403 E0000038"}},
		{"POST", lifecycle + "suspend", "",
			[8]string{"400 E0000001", "400 E0000001", "200 SUSPENDED", "400 E0000001", "400 E0000001", "400 E0000001", "400 E0000001", "400 E0000001"}},
		{"POST", lifecycle + "unsuspend", "",
			[8]string{"400 E0000001", "400 E0000001", "400 E0000001", "400 E0000001", "400 E0000001", "400 E0000001", "200 ACTIVE", "400 E0000001"}},
		{"POST", lifecycle + "unlock", "",
			[8]string{"403 E0000032", "403 E0000032", "403 E0000032", "403 E0000032", "403 E0000032", "200 ACTIVE", "403 E0000032", "403 E0000032"}},
		{"POST", lifecycle + "reset_password?sendEmail=false", "",
			[8]string{"403 E0000038", "200 RECOVERY", "200 RECOVERY", "200 =", "200 RECOVERY", "200 RECOVERY", "403 E0000038", "403 E0000038"}},
		{"POST", lifecycle + "reset_password?provider=FEDERATION&sendEmail=false", "",
			[8]string{"403 E0000038", "200 ACTIVE", "200 =", "200 ACTIVE", "200 ACTIVE", "200 ACTIVE", "403 E0000038", "403 E0000038"}},
		{"POST", lifecycle + "expire_password", "",
			[8]string{"403 E0000038", "403 E0000038", "200 PASSWORD_EXPIRED", "403 E0000038", "200 =", "403 E0000038", "403 E0000038", "403 E0000038"}},
		{"POST", lifecycle + "expire_password?tempPassword=true", "",
			[8]string{"403 E0000038", "403 E0000038", "200 PASSWORD_EXPIRED", "403 E0000038", "200 =", "403 E0000038", "403 E0000038", "403 E0000038"}},
		{"POST", lifecycle + "expire_password_with_temp_password?revokeSessions=true", "",
			[8]string{"403 E0000038", "403 E0000038", "200 PASSWORD_EXPIRED", "403 E0000038", "200 =", "403 E0000038", "403 E0000038", "403 E0000038"}},
		{"POST", lifecycle + "reset_factors", "",
			[8]string{"200 =", "200 =", "200 =", "200 =", "200 =", "200 =", "200 =", "200 ="}},
		{"DELETE", "/sessions", "",
			[8]string{"204 =", "204 =", "204 =", "204 =", "204 =", "204 =", "204 =", "204 ="}},
		{"POST", credentials + "change_password", change,
			[8]string{"200 =", "403 E0000035", "200 =", "200 ACTIVE", "200 ACTIVE", "403 E0000035", "403 E0000035", "403 E0000035"}},
		{"POST", credentials + "change_recovery_question", question,
			[8]string{"200 =", "403 E0000036", "200 =", "200 =", "403 E0000036", "403 E0000036", "403 E0000036", "403 E0000036"}},
		{"POST", credentials + "forgot_password?sendEmail=false", "",
			[8]string{"403 E0000034", "403 E0000034", "200 =", "403 E0000034", "403 E0000034", "403 E0000034", "403 E0000034", "403 E0000034"}},
		{"POST", credentials + "forgot_password", answer,
			[8]string{"403 E0000034", "403 E0000034", "200 =", "403 E0000034", "403 E0000034", "403 E0000034", "403 E0000034", "403 E0000034"}},
		{"POST", credentials + "forgot_password_recovery_question", answer,
			[8]string{"403 E0000034", "403 E0000034", "200 =", "403 E0000034", "403 E0000034", "403 E0000034", "403 E0000034", "403 E0000034"}},
		{"POST", "", `{"profile":{"title":"Boss"}}`,
			[8]string{"200 =", "200 =", "200 =", "200 =", "200 =", "200 =", "200 =", "200 ="}},
		{"POST", "", `{"credentials":{"password":{"value":"Sesame4me"}}}`,
			[8]string{"200 =", "200 ACTIVE", "200 =", "200 ACTIVE", "200 ACTIVE", "200 =", "200 =", "200 ="}},
		{"POST", "", `{"credentials":{"password":{"hash":{"algorithm":"MD5","value":"XUFAKrxLKna5cZ2REBfFkg=="}}}}`,
			[8]string{"200 =", "403 E0000038", "403 E0000038", "403 E0000038", "403 E0000038", "403 E0000038", "403 E0000038", "403 E0000038"}},
		{"DELETE", "", "",
			[8]string{"204 DEPROVISIONED", "204 DEPROVISIONED", "204 DEPROVISIONED", "204 DEPROVISIONED", "204 DEPROVISIONED", "204 DEPROVISIONED", "204 DEPROVISIONED", "204 gone"}},
	}
	for i, test := range tests {
		t.Run(test.method+test.path+test.body, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			for j, status := range statuses {
				id := b.in(status, fmt.Sprintf("u%d.%d@example.com", i, j))
				a := b.call(test.method, "/api/v1/users/"+id+test.path, test.body)
				after := b.status(id)
				if after == status {
					after = "="
				}
				got := fmt.Sprintf("%d %s", a.status, after)
				if a.status >= 400 {
					got = fmt.Sprintf("%d %s", a.status, a.object(t)["errorCode"])
					if after != "=" {
						t.Errorf("%s was refused in %s and led to %s", test.path, status, after)
					}
				}
				if got != test.want[j] {
					t.Errorf("%s %s in %s = %s (%s), want %s", test.method, test.path, status, got, a.body, test.want[j])
				}
			}
		})
	}
}

// TestLinksByStatus is the table of links; only self is left in lists.
func TestLinksByStatus(t *testing.T) {
	t.Parallel()
	const active = "suspend schema resetPassword forgotPassword expirePassword changeRecoveryQuestion self resetFactors type changePassword deactivate"
	want := map[string]string{
		"STAGED":           "schema activate self resetFactors type",
		"PROVISIONED":      "suspend schema resetPassword reactivate self resetFactors type deactivate",
		"ACTIVE":           active,
		"PASSWORD_EXPIRED": active,
		"RECOVERY":         "schema resetPassword reactivate self resetFactors type changePassword deactivate",
		"LOCKED_OUT":       "schema unlock resetPassword self resetFactors type deactivate",
		"SUSPENDED":        "schema unsuspend self resetFactors type deactivate",
		"DEPROVISIONED":    "schema activate self resetFactors type delete",
	}
	rels := func(a answer) string {
		var o struct {
			Links json.RawMessage `json:"_links"`
		}
		if err := json.Unmarshal([]byte(a.body), &o); err != nil {
			t.Fatal(err)
		}
		return strings.Join(keys(t, string(o.Links)), " ")
	}
	oie := newBench(t)
	classic := newBench(t, func(o *okta.Options) { o.Engine = "classic" })
	for _, status := range statuses {
		a := oie.ok(200, "GET", "/api/v1/users/"+oie.in(status, status+"@example.com"), "")
		if got := rels(a); got != want[status] {
			t.Errorf("%s has the links %s, want %s", status, got, want[status])
		}
		for rel, link := range a.object(t)["_links"].(map[string]any) {
			method := link.(map[string]any)["method"]
			reading := rel == "self" || rel == "schema" || rel == "type"
			if (method == nil) != reading {
				t.Errorf("%s: the link %s has the method %v", status, rel, method)
			}
		}
		a = classic.ok(200, "GET", "/api/v1/users/"+classic.in(status, status+"@example.com"), "")
		if got, want := rels(a), strings.ReplaceAll(want[status], " resetFactors", ""); got != want {
			t.Errorf("Classic: %s has the links %s, want %s", status, got, want)
		}
	}
	id := classic.user(profileOf("noquestion@example.com")+`,"credentials":{"password":{"value":"Sesame4you"}}}`, "")
	if got := rels(classic.ok(200, "GET", "/api/v1/users/"+id, "")); strings.Contains(got, "forgotPassword") {
		t.Errorf("Classic without a recovery question has the links %s, want no forgotPassword", got)
	}
	wantProblem(t, classic.call("POST", "/api/v1/users/"+id+"/credentials/forgot_password?sendEmail=false", ""), 403, "E0000034", "Forgot password not allowed on specified user.")
	activated := classic.ok(200, "POST", "/api/v1/users/"+classic.in("STAGED", "s@example.com")+"/lifecycle/activate?sendEmail=false", "").object(t)
	if url, _ := activated["activationUrl"].(string); url != fmt.Sprintf("%s/welcome/%s", org, activated["activationToken"]) {
		t.Errorf("Classic: activation = %v, want /welcome/", activated)
	}
}

// TestSwitches covers behaviour that Okta leaves open, each beside its default.
func TestSwitches(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.dir.DeactivateAgain, b.dir.EditDeprovisioned, b.dir.SuspendPending = true, true, true
	gone := "/api/v1/users/" + b.in("DEPROVISIONED", "a@example.com")
	b.ok(200, "POST", gone+"/lifecycle/deactivate", "")
	if got := b.ok(200, "POST", gone, `{"profile":{"title":"Boss"}}`).object(t)["profile"].(map[string]any)["title"]; got != "Boss" {
		t.Errorf("title = %v, want that it was edited", got)
	}
	for _, status := range []string{"PROVISIONED", "PASSWORD_EXPIRED"} {
		id := b.in(status, status+"@example.com")
		b.ok(200, "POST", "/api/v1/users/"+id+"/lifecycle/suspend", "")
	}
}
