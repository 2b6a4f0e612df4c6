package okta

import (
	"errors"
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// credentialRoutes lists the paths of passwords, recovery questions and sign-in.
func (a *API) credentialRoutes() {
	const base = basePath + "/users/{id}/credentials/"
	a.route(base+"change_password", method{"POST", manageUsers, a.changePassword})
	a.route(base+"forgot_password", method{"POST", manageUsers, a.forgotPassword})
	a.route(base+"forgot_password_recovery_question", method{"POST", manageUsers, a.answerRecovery})
	a.route(base+"change_recovery_question", method{"POST", manageUsers, a.changeQuestion})
	a.mux.Handle("POST "+authnPath, a.front.Handle(a.authenticate))
}

// changePassword is POST .../credentials/change_password. strict asks for the
// policy's history and minimum age, of which the default policy has neither.
func (a *API) changePassword(w http.ResponseWriter, r *http.Request) error {
	if _, err := flag(r, "strict", false); err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	var change directory.PasswordChange
	if change.Old, err = body.secretIn("oldPassword"); err != nil {
		return err
	}
	if change.New, err = body.secretIn("newPassword"); err != nil {
		return err
	}
	switch revoke := body["revokeSessions"].(type) {
	case nil:
	case bool:
		change.RevokeSessions = revoke
	default:
		return problem("E0000003")
	}
	account, err := a.Directory.ChangePassword(r.Context(), actor(r), a.Realm, userRef(r, "id"), change)
	return a.answerCredentials(w, r, account, err)
}

// secretIn reads the value of a member such as {"value": "..."}.
func (o object) secretIn(name string) (string, error) {
	member, err := o.object(name)
	if err != nil {
		return "", err
	}
	text, err := member.text("value")
	if err == nil && text == "" {
		return "", invalid(name, name+": The field cannot be left blank")
	}
	return text, err
}

// answerCredentials writes the credentials of a user after a change of them. A
// password that the policy refuses is E0000014 here, not the validation error
// of other calls.
func (a *API) answerCredentials(w http.ResponseWriter, r *http.Request, account *directory.Account, err error) error {
	var violations directory.Violations
	if errors.As(err, &violations) && violations[0].Field == "password" {
		return problem("E0000014", passwordPolicy).because(err)
	}
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	return web.WriteJSON(w, http.StatusOK, credentials(account))
}

// forgotPassword is POST .../credentials/forgot_password. With a body it is the
// older form of answerRecovery.
func (a *API) forgotPassword(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength != 0 {
		body, err := readObject(r)
		if err != nil {
			return err
		}
		if body["recovery_question"] != nil {
			return a.recover(w, r, body)
		}
	}
	send, err := sendEmail(r, true)
	if err != nil {
		return err
	}
	// Classic Engine needs a recovery question; Identity Engine recovers by mail.
	allow := func(account *directory.Account) bool { return !a.classic() || account.RecoveryQuestion != "" }
	token, err := a.Directory.ForgetPassword(r.Context(), actor(r), a.Realm, userRef(r, "id"), allow)
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	if send {
		return empty(w)
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "resetPasswordUrl", Value: a.base(r) + "/signin/reset-password/" + token}})
}

// answerRecovery is POST .../credentials/forgot_password_recovery_question.
func (a *API) answerRecovery(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	return a.recover(w, r, body)
}

func (a *API) recover(w http.ResponseWriter, r *http.Request, body object) error {
	password, err := body.secretIn("password")
	if err != nil {
		return err
	}
	question, err := body.question()
	if err != nil {
		return err
	}
	if question == nil {
		return invalid("recovery_question", "recovery_question: The field cannot be left blank")
	}
	account, err := a.Directory.AnswerRecovery(r.Context(), actor(r), a.Realm, userRef(r, "id"), question.Answer, password)
	return a.answerCredentials(w, r, account, err)
}

// changeQuestion is POST .../credentials/change_recovery_question.
func (a *API) changeQuestion(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	password, err := body.secretIn("password")
	if err != nil {
		return err
	}
	question, err := body.question()
	if err != nil {
		return err
	}
	if question == nil {
		question = &directory.RecoveryQuestion{}
	}
	account, err := a.Directory.ChangeQuestion(r.Context(), actor(r), a.Realm, userRef(r, "id"), password, *question)
	return a.answerCredentials(w, r, account, err)
}

// question reads a recovery question; nil when there is none.
func (o object) question() (*directory.RecoveryQuestion, error) {
	q, err := o.object("recovery_question")
	if err != nil || q == nil {
		return nil, err
	}
	var out directory.RecoveryQuestion
	if out.Question, err = q.text("question"); err != nil {
		return nil, err
	}
	out.Answer, err = q.text("answer")
	return &out, err
}
