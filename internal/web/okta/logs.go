package okta

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Page sizes of the log (Okta OpenAPI 2026.06.3, listLogEvents).
const (
	logsPage = 100
	logsMost = 1000
)

// logsWindow is how far back the log is read when nobody says since when.
const logsWindow = 7 * 24 * time.Hour

// logRoutes lists the paths of the system log.
func (a *API) logRoutes() {
	a.route(basePath+"/logs", method{"GET", "okta.logs.read", a.listLogs})
}

// listLogs is GET /logs. In ascending order the next link is there even at the
// end: a client polls it for what comes later.
func (a *API) listLogs(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	query, err := a.logQuery(q)
	if err != nil {
		return err
	}
	limit, err := web.Int(q, "limit", logsPage, 0, logsMost)
	if err != nil {
		return invalid("limit", "limit: The field has an invalid value").because(err)
	}
	if limit == 0 {
		limit = logsPage
	}
	match, needed, err := logMatch(q)
	if err != nil {
		return err
	}
	query.Holding = web.PlainRun(needed)
	list, err := a.Directory.Changes(r.Context(), query, limit+1, match)
	if err != nil {
		return err
	}
	list, more := cut(list, limit, func(c directory.Change) string { return strconv.FormatInt(c.Seq, 10) })
	a.logLinks(w, r, q, list, more)
	out := make([]web.Object, len(list))
	for i, c := range list {
		out[i] = logEvent(c)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// logLinks adds the links of a page of the log.
func (a *API) logLinks(w http.ResponseWriter, r *http.Request, q url.Values, list []directory.Change, more string) {
	self := a.base(r) + r.URL.EscapedPath()
	web.AddLink(w, "self", self+query(q))
	last := more
	if last == "" && !descending(q) {
		last = q.Get("after")
		if len(list) > 0 {
			last = strconv.FormatInt(list[len(list)-1].Seq, 10)
		}
		if last == "" {
			last = "0"
		}
	}
	if last != "" {
		q.Set("after", last)
		web.AddLink(w, "next", self+query(q))
	}
}

func query(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func descending(q url.Values) bool { return strings.EqualFold(q.Get("sortOrder"), "DESCENDING") }

// logQuery reads since, until, sortOrder and after.
func (a *API) logQuery(q url.Values) (directory.ChangeQuery, error) {
	query := directory.ChangeQuery{Realm: a.Realm, Newest: descending(q)}
	if order := strings.ToUpper(q.Get("sortOrder")); order != "" && order != "ASCENDING" && order != "DESCENDING" {
		return query, invalid("sortOrder", "sortOrder: The field has an invalid value")
	}
	if text := q.Get("after"); text != "" {
		after, err := strconv.ParseInt(text, 10, 64)
		if err != nil || after < 0 {
			return query, problem("E0000031", "Invalid cursor.")
		}
		query.After = after
	}
	var err error
	if query.Since, err = logTime(q, "since"); err != nil {
		return query, err
	}
	if query.Until, err = logTime(q, "until"); err != nil {
		return query, err
	}
	if query.Since.IsZero() && query.After == 0 {
		query.Since = a.now().Add(-logsWindow)
	}
	return query, nil
}

func logTime(q url.Values, name string) (time.Time, error) {
	text := q.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, ok := filter.ParseTime(text)
	if !ok {
		return t, invalid(name, name+": The date format in your query is not recognized. Please enter dates using ISO8601 string format.")
	}
	return t, nil
}

// logAttributes are what filters can ask for (Okta: system log query).
var logAttributes = []string{
	"uuid", "eventType", "published", "severity", "version", "displayMessage",
	"actor.id", "actor.type", "actor.alternateId", "actor.displayName",
	"target.id", "target.type", "target.alternateId", "target.displayName",
	"outcome.result", "outcome.reason", "transaction.id", "client.ipAddress", "client.userAgent.rawUserAgent",
}

var logFilter = grammar{
	attributes: logAttributes,
	operators:  append([]filter.Op{filter.Contains, filter.NotEqual, filter.EndsWith}, searchOperators...),
	folded:     true,
}

// logMatch is the condition of filter and q; q asks for every word anywhere in
// the event. needed is a text that an entry must be stored with to be accepted.
func logMatch(q url.Values) (match func(*directory.Change) bool, needed string, err error) {
	var expr filter.Expr
	if text := q.Get("filter"); text != "" {
		if expr, err = logFilter.parse(text); err != nil {
			return nil, "", err
		}
		needed = filter.Needed(expr, func(path string) bool { return slices.Contains(storedAsShown, path) })
	}
	words := strings.Fields(strings.ToLower(q.Get("q")))
	for _, word := range words {
		needed = cmp.Or(needed, word)
	}
	return func(c *directory.Change) bool {
		for _, word := range words {
			if !strings.Contains(strings.ToLower(logText(c)), word) {
				return false
			}
		}
		return expr == nil || filter.Match(expr, filter.Subject{
			Get: func(path string) []any { return logValues(c, path) }, Fold: logFilter.fold(),
		})
	}, needed, nil
}

// storedAsShown are the attributes of events that entries of the change log hold
// in the same letters.
var storedAsShown = []string{"eventType", "actor.id", "target.id"}

func logText(c *directory.Change) string {
	parts := []string{c.Kind, c.Actor.ID, c.Actor.Name, c.Actor.Login, c.Outcome.Reason, c.Actor.IP}
	for _, t := range c.Targets {
		parts = append(parts, t.ID, t.AlternateID, t.DisplayName)
	}
	return strings.Join(parts, " ")
}

// logValues are the values of an attribute of an event.
func logValues(c *directory.Change, path string) []any {
	event := logEvent(*c)
	if name, ok := strings.CutPrefix(path, "target."); ok {
		var out []any
		for _, t := range c.Targets {
			if v, ok := field(logTarget(t), name).(string); ok {
				out = append(out, v)
			}
		}
		return out
	}
	if path == "published" {
		return moment(c.At)
	}
	var v any = event
	for name := range strings.SplitSeq(path, ".") {
		o, ok := v.(web.Object)
		if !ok {
			return nil
		}
		v = field(o, name)
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

func field(o web.Object, name string) any {
	i := slices.IndexFunc(o, func(f web.Field) bool { return f.Key == name })
	if i < 0 {
		return nil
	}
	return o[i].Value
}

// logEvent is the wire form of a change (Okta OpenAPI 2026.06.3, LogEvent).
func logEvent(c directory.Change) web.Object {
	targets := []web.Object{}
	for _, t := range c.Targets {
		targets = append(targets, logTarget(t))
	}
	severity := "INFO"
	if c.Outcome.Result != "" && c.Outcome.Result != "SUCCESS" {
		severity = "WARN"
	}
	return web.Object{
		{Key: "actor", Value: logActor(c.Actor)},
		{Key: "client", Value: web.Object{
			{Key: "userAgent", Value: web.Object{
				{Key: "rawUserAgent", Value: orNull(c.Actor.UserAgent)}, {Key: "os", Value: "Unknown"}, {Key: "browser", Value: "UNKNOWN"},
			}},
			{Key: "zone", Value: "null"}, {Key: "device", Value: "Unknown"}, {Key: "id", Value: nil},
			{Key: "ipAddress", Value: orNull(c.Actor.IP)}, {Key: "geographicalContext", Value: nil},
		}},
		{Key: "device", Value: nil},
		{Key: "authenticationContext", Value: web.Object{
			{Key: "authenticationProvider", Value: nil}, {Key: "credentialProvider", Value: nil}, {Key: "credentialType", Value: nil},
			{Key: "issuer", Value: nil}, {Key: "interface", Value: nil}, {Key: "authenticationStep", Value: 0},
			{Key: "externalSessionId", Value: orUnknown(c.Actor.Request)},
		}},
		{Key: "displayMessage", Value: displayMessage(c.Kind)},
		{Key: "eventType", Value: c.Kind},
		{Key: "outcome", Value: web.Object{
			{Key: "result", Value: orDefault(c.Outcome.Result, "SUCCESS")}, {Key: "reason", Value: orNull(c.Outcome.Reason)},
		}},
		{Key: "published", Value: c.At.UTC().Format(timeLayout)},
		{Key: "securityContext", Value: web.Object{
			{Key: "asNumber", Value: nil}, {Key: "asOrg", Value: nil}, {Key: "isp", Value: nil}, {Key: "domain", Value: nil}, {Key: "isProxy", Value: nil},
		}},
		{Key: "severity", Value: severity},
		{Key: "debugContext", Value: web.Object{{Key: "debugData", Value: web.Object{{Key: "requestId", Value: orUnknown(c.Actor.Request)}}}}},
		{Key: "legacyEventType", Value: nil},
		{Key: "transaction", Value: web.Object{
			{Key: "type", Value: "WEB"}, {Key: "id", Value: orUnknown(c.Actor.Request)}, {Key: "detail", Value: web.Object{}},
		}},
		{Key: "uuid", Value: eventUUID(c)},
		{Key: "version", Value: "0"},
		{Key: "request", Value: web.Object{{Key: "ipChain", Value: []any{}}}},
		{Key: "target", Value: targets},
	}
}

func logActor(who directory.Actor) web.Object {
	return web.Object{
		{Key: "id", Value: who.ID}, {Key: "type", Value: orDefault(string(who.Type), string(directory.SystemActor))},
		{Key: "alternateId", Value: orDefault(who.Login, "unknown")}, {Key: "displayName", Value: orDefault(who.Name, who.ID)},
		{Key: "detailEntry", Value: nil},
	}
}

func logTarget(t directory.Target) web.Object {
	return web.Object{
		{Key: "id", Value: t.ID}, {Key: "type", Value: t.Type}, {Key: "alternateId", Value: orUnknown(t.AlternateID)},
		{Key: "displayName", Value: orDefault(t.DisplayName, t.ID)}, {Key: "detailEntry", Value: nil},
	}
}

// displayMessage makes a sentence of an event type: "user.lifecycle.create" is
// "User lifecycle create".
func displayMessage(kind string) string {
	text := strings.NewReplacer(".", " ", "_", " ").Replace(kind)
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// eventUUID is the same for an event whenever it is read: made of its number.
func eventUUID(c directory.Change) string {
	d := directory.Digest(c.Realm + " " + strconv.FormatInt(c.Seq, 10))
	return d[:8] + "-" + d[8:12] + "-11f0-" + d[12:16] + "-" + d[16:28]
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func orUnknown(s string) string { return orDefault(s, "unknown") }
