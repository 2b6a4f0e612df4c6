package okta

import (
	"net/http"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// factorRoutes lists the paths of factors.
func (a *API) factorRoutes() {
	const factors = basePath + "/users/{id}/factors"
	a.route(factors,
		method{"GET", readUsers, a.listFactors},
		method{"POST", manageUsers, a.enrollFactor})
	a.route(factors+"/catalog", method{"GET", readUsers, a.factorCatalog})
	a.route(factors+"/questions", method{"GET", readUsers, a.factorQuestions})
	a.route(factors+"/{factor}",
		method{"GET", readUsers, a.getFactor},
		method{"PUT", manageUsers, a.replaceFactor},
		method{"DELETE", manageUsers, a.removeFactor})
	a.route(factors+"/{factor}/lifecycle/activate", method{"POST", manageUsers, a.activateFactor})
	a.route(factors+"/{factor}/resend", method{"POST", manageUsers, a.resendFactor})
	a.route(factors+"/{factor}/verify", method{"POST", manageUsers, a.verifyFactor})
}

// questions are the security questions that can be chosen, as recorded.
var questions = [][2]string{
	{"disliked_food", "What is the food you least liked as a child?"},
	{"name_of_first_plush_toy", "What is the name of your first stuffed animal?"},
	{"first_award", "What did you earn your first medal or award for?"},
	{"favorite_security_question", "What is your favorite security question?"},
	{"favorite_toy", "What is the toy/stuffed animal you liked the most as a kid?"},
	{"first_computer_game", "What was the first computer game you played?"},
	{"favorite_movie_quote", "What is your favorite movie quote?"},
	{"first_sports_team_mascot", "What was the mascot of the first sports team you played on?"},
	{"first_music_purchase", "What music album or song did you first purchase?"},
	{"favorite_art_piece", "What is your favorite piece of art?"},
	{"grandmother_favorite_desert", "What was your grandmother's favorite dessert?"},
	{"first_thing_cooked", "What was the first thing you learned to cook?"},
	{"childhood_dream_job", "What was your dream job as a child?"},
	{"place_where_significant_other_was_met", "Where did you meet your spouse/significant other?"},
	{"favorite_vacation_location", "Where did you go for your favorite vacation?"},
	{"new_years_two_thousand", "Where were you on New Year's Eve in the year 2000?"},
	{"favorite_speaker_actor", "Who is your favorite speaker/orator?"},
	{"favorite_book_movie_character", "Who is your favorite book/movie character?"},
	{"favorite_sports_player", "Who is your favorite sports player?"},
}

func questionText(key string) string {
	i := slices.IndexFunc(questions, func(q [2]string) bool { return q[0] == key })
	if i < 0 {
		return ""
	}
	return questions[i][1]
}

func (a *API) listFactors(w http.ResponseWriter, r *http.Request) error {
	list, err := a.Directory.Factors(r.Context(), a.Realm, userRef(r, "id"))
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	return writeList(w, r, list, a.factor)
}

// enrollFactor is POST /users/{id}/factors.
func (a *API) enrollFactor(w http.ResponseWriter, r *http.Request) error {
	activate, err := web.Bool(r.URL.Query(), "activate", false)
	if err != nil {
		return invalid("activate", "activate: must be true or false").because(err)
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	draft := directory.FactorDraft{Activate: activate}
	if draft.Type, err = body.text("factorType"); err != nil {
		return err
	}
	if draft.Provider, err = body.text("provider"); err != nil {
		return err
	}
	profile, err := body.object("profile")
	if err != nil {
		return err
	}
	draft.Profile = profile
	if draft.Type == "question" {
		question, answer, err := chosenQuestion(profile)
		if err != nil {
			return err
		}
		draft.Profile, draft.Answer = map[string]any{"question": question}, answer
	}
	f, seed, err := a.Directory.EnrollFactor(r.Context(), actor(r), a.Realm, userRef(r, "id"), draft)
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	o := a.factor(r, f)
	if seed != "" && f.Status == directory.PendingFactor {
		o = append(o, web.Field{Key: "_embedded", Value: web.Object{{Key: "activation", Value: web.Object{
			{Key: "timeStep", Value: 30}, {Key: "sharedSecret", Value: seed},
			{Key: "encoding", Value: "base32"}, {Key: "keyLength", Value: 6},
		}}}})
	}
	return web.WriteJSON(w, http.StatusOK, o)
}

// chosenQuestion reads the profile of a question factor.
func chosenQuestion(profile object) (question, answer string, err error) {
	if question, err = profile.text("question"); err != nil {
		return "", "", err
	}
	if answer, err = profile.text("answer"); err != nil {
		return "", "", err
	}
	if questionText(question) == "" {
		return "", "", invalid("factorEnrollRequest", "Invalid question key.")
	}
	return question, answer, nil
}

func (a *API) getFactor(w http.ResponseWriter, r *http.Request) error {
	f, err := a.Directory.Factor(r.Context(), a.Realm, userRef(r, "id"), r.PathValue("factor"))
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	return web.WriteJSON(w, http.StatusOK, a.factor(r, f))
}

// replaceFactor is PUT /users/{id}/factors/{factorId}: another question.
func (a *API) replaceFactor(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	profile, err := body.object("profile")
	if err != nil {
		return err
	}
	question, answer, err := chosenQuestion(profile)
	if err != nil {
		return err
	}
	f, err := a.Directory.ReplaceQuestion(r.Context(), actor(r), a.Realm, userRef(r, "id"), r.PathValue("factor"),
		directory.RecoveryQuestion{Question: question, Answer: answer})
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	return web.WriteJSON(w, http.StatusOK, a.factor(r, f))
}

func (a *API) removeFactor(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.RemoveFactor(r.Context(), actor(r), a.Realm, userRef(r, "id"), r.PathValue("factor")); err != nil {
		return a.asCalled(r, "id", err)
	}
	return noContent(w)
}

// activateFactor is POST .../lifecycle/activate with the code that the person
// has got.
func (a *API) activateFactor(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	code, err := body.text("passCode")
	if err != nil {
		return err
	}
	f, err := a.Directory.ActivateFactor(r.Context(), actor(r), a.Realm, userRef(r, "id"), r.PathValue("factor"), code)
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	return web.WriteJSON(w, http.StatusOK, a.factor(r, f))
}

// resendFactor sends the code again, which goes nowhere here.
func (a *API) resendFactor(w http.ResponseWriter, r *http.Request) error { return a.getFactor(w, r) }

// verifyFactor is POST .../verify. Without a code it is the challenge, which
// goes nowhere here.
func (a *API) verifyFactor(w http.ResponseWriter, r *http.Request) error {
	body := object{}
	if r.ContentLength != 0 {
		var err error
		if body, err = readObject(r); err != nil {
			return err
		}
	}
	code, err := body.text("passCode")
	if err != nil {
		return err
	}
	answer, err := body.text("answer")
	if err != nil {
		return err
	}
	result := "CHALLENGE"
	if code != "" || answer != "" {
		err := a.Directory.VerifyFactor(r.Context(), a.Realm, userRef(r, "id"), r.PathValue("factor"), code, answer)
		if err != nil {
			return a.asCalled(r, "id", err)
		}
		result = "SUCCESS"
	} else if _, err := a.Directory.Factor(r.Context(), a.Realm, userRef(r, "id"), r.PathValue("factor")); err != nil {
		return a.asCalled(r, "id", err)
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{{Key: "factorResult", Value: result}})
}

// factorCatalog is GET .../catalog: what can be enrolled, and what is.
func (a *API) factorCatalog(w http.ResponseWriter, r *http.Request) error {
	enrolled, err := a.Directory.Factors(r.Context(), a.Realm, userRef(r, "id"))
	if err != nil {
		return a.asCalled(r, "id", err)
	}
	self := a.base(r) + "/api/v1/users/" + userRef(r, "id") + "/factors"
	out := []web.Object{}
	for _, kind := range directory.FactorKinds {
		status := "NOT_SETUP"
		for _, f := range enrolled {
			if f.Type == kind.Type && f.Provider == kind.Provider {
				status = string(f.Status)
			}
		}
		links := web.Object{}
		if kind.Type == "question" {
			links = append(links, allowing("questions", self+"/questions", "GET"))
		}
		out = append(out, web.Object{
			{Key: "factorType", Value: kind.Type}, {Key: "provider", Value: kind.Provider},
			{Key: "vendorName", Value: kind.Vendor}, {Key: "status", Value: status},
			{Key: "enrollment", Value: "OPTIONAL"},
			{Key: "_links", Value: append(links, allowing("enroll", self, "POST"))},
		})
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

func (a *API) factorQuestions(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.Directory.FindAccount(r.Context(), a.Realm, userRef(r, "id")); err != nil {
		return a.asCalled(r, "id", err)
	}
	out := make([]web.Object, len(questions))
	for i, q := range questions {
		out[i] = web.Object{{Key: "question", Value: q[0]}, {Key: "questionText", Value: q[1]}}
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// factor is the wire form of a factor, as recorded.
func (a *API) factor(r *http.Request, f *directory.Factor) web.Object {
	owner := a.base(r) + "/api/v1/users/" + f.Account
	self := owner + "/factors/" + f.ID
	var links web.Object
	switch {
	case f.Type == "question":
		links = append(links, allowing("questions", owner+"/factors/questions", "GET"))
	case f.Status == directory.PendingFactor:
		links = append(links, allowing("activate", self+"/lifecycle/activate", "POST"))
		if f.Type == "sms" || f.Type == "call" || f.Type == "email" {
			links = append(links, web.Field{Key: "resend", Value: []web.Object{{
				{Key: "name", Value: f.Type}, {Key: "href", Value: self + "/resend"},
				{Key: "hints", Value: web.Object{{Key: "allow", Value: []string{"POST"}}}},
			}}})
		}
	}
	links = append(links, allowing("self", self, "GET", "DELETE"))
	if f.Type != "question" && f.Status == directory.ActiveFactor {
		links = append(links, allowing("verify", self+"/verify", "POST"))
	}
	links = append(links, allowing("user", owner, "GET"))
	return web.Object{
		{Key: "id", Value: f.ID}, {Key: "factorType", Value: f.Type}, {Key: "provider", Value: f.Provider},
		{Key: "vendorName", Value: vendor(f)}, {Key: "status", Value: f.Status},
		{Key: "created", Value: date(f.Created)}, {Key: "lastUpdated", Value: date(f.Updated)},
		{Key: "profile", Value: factorProfile(f)},
		{Key: "_links", Value: links},
	}
}

func vendor(f *directory.Factor) string {
	for _, kind := range directory.FactorKinds {
		if kind.Type == f.Type && kind.Provider == f.Provider {
			return kind.Vendor
		}
	}
	return f.Provider
}

func factorProfile(f *directory.Factor) any {
	question, ok := f.Profile["question"].(string)
	if !ok {
		return f.Profile
	}
	return web.Object{{Key: "question", Value: question}, {Key: "questionText", Value: questionText(question)}}
}
