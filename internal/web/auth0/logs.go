package auth0

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/login"
	"github.com/lanyard-id/lanyard/internal/web"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// The tenant's logs are the change log of its realm in Auth0's words, and the
// calls that reached the SCIM endpoints of its connections.

// Exchanges is the request log of the connections' SCIM endpoints. A
// wirelog.Store is one.
type Exchanges interface {
	Exchange(ctx context.Context, id string) (wirelog.Exchange, error)
	Exchanges(ctx context.Context, q wirelog.Query) (wirelog.Page, error)
}

func (a *API) logRoutes() []route {
	return []route{
		op("GET", "/logs", a.listLogs, "read:logs", "read:logs_users"),
		op("GET", "/logs/{id}", a.getLog, "read:logs", "read:logs_users"),
		op("GET", "/users/{id}/logs", a.listUserLogs, "read:logs", "read:logs_users"),
		op("GET", "/stats/active-users", a.activeUsers, "read:stats"),
		op("GET", "/stats/daily", a.dailyStats, "read:stats"),
	}
}

// maxMerged bounds how many SCIM calls one page of the logs looks through.
const maxMerged = 5000

// logEntry is one entry of the logs.
type logEntry struct {
	id   string
	at   time.Time
	typ  string
	what string

	connection, strategy, client, clientName, ip, agent, user, userName string

	details web.Object
}

// object is the wire form of an entry, in the documented order.
func (e logEntry) object() web.Object {
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	o := web.Object{
		{Key: "date", Value: date(e.at)}, {Key: "type", Value: e.typ}, {Key: "description", Value: e.what},
		{Key: "connection", Value: text(e.connection)}, {Key: "connection_id", Value: nil},
		{Key: "organization_id", Value: nil}, {Key: "organization_name", Value: nil},
		{Key: "client_id", Value: text(e.client)}, {Key: "client_name", Value: e.clientName},
		{Key: "ip", Value: e.ip}, {Key: "hostname", Value: nil}, {Key: "details", Value: e.details},
		{Key: "user_id", Value: text(e.user)}, {Key: "user_name", Value: text(e.userName)}, {Key: "user_agent", Value: e.agent},
		{Key: "audience", Value: nil}, {Key: "strategy", Value: text(e.strategy)}, {Key: "strategy_type", Value: nil},
	}
	return append(o, web.Field{Key: "isMobile", Value: false}, web.Field{Key: "location_info", Value: nil},
		web.Field{Key: "log_id", Value: e.id}, web.Field{Key: "_id", Value: e.id})
}

// values are what a search looks at.
func (e logEntry) values(path string) []any {
	if path == "date" {
		return []any{e.at}
	}
	text, ok := map[string]string{
		"log_id": e.id, "_id": e.id, "type": e.typ, "description": e.what, "connection": e.connection, "strategy": e.strategy,
		"client_id": e.client, "client_name": e.clientName, "ip": e.ip, "user_agent": e.agent, "user_id": e.user, "user_name": e.userName,
	}[path]
	if !ok || text == "" {
		return nil
	}
	return []any{text}
}

// Ids of entries begin with their time, so that a caller can go on from one: 900,
// time, microseconds, then the number of the change or the id of the exchange.
const (
	logPrefix  = "900"
	logTime    = "20060102150405"
	changeTail = 30 // digits
)

func logID(at time.Time, tail string) string {
	at = at.UTC()
	return fmt.Sprintf("%s%s%06d%s", logPrefix, at.Format(logTime), at.Nanosecond()/1000, tail)
}

// logIDPattern parts an id into its time, microseconds and the rest.
var logIDPattern = regexp.MustCompile(`^` + logPrefix + `(\d{14})(\d{6})(?:(\d{30})|([a-z0-9]{1,29}))$`)

// readLogID returns when an entry was made, and the number of its change, or else
// the id of its exchange.
func readLogID(id string) (at time.Time, seq int64, exchange string, ok bool) {
	m := logIDPattern.FindStringSubmatch(id)
	if m == nil {
		return at, 0, "", false
	}
	at, err := time.Parse(logTime, m[1])
	if err != nil {
		return at, 0, "", false
	}
	micros, _ := strconv.Atoi(m[2]) // six digits
	at = at.Add(time.Duration(micros) * time.Microsecond)
	if m[4] != "" {
		return at, 0, m[4], true
	}
	seq, err = strconv.ParseInt(m[3], 10, 64)
	return at, seq, "", err == nil
}

// logWords are what Auth0 calls operations of its API. Kinds that are not here
// are called by their own parts.
var logWords = map[string]string{
	"user.lifecycle.create":                "Create a User",
	"user.lifecycle.delete.initiated":      "Delete a User",
	"user.lifecycle.delete.completed":      "Delete a User",
	"user.account.update_profile":          "Update a User",
	"user.account.update_password":         "Update a User",
	"user.lifecycle.suspend":               "Block a user",
	"user.lifecycle.unsuspend":             "Unblock a user",
	"user.session.clear":                   "Delete sessions for user",
	"group.lifecycle.create":               "Create a group",
	"group.profile.update":                 "Update a group",
	"group.lifecycle.delete":               "Delete a group",
	"auth0.role.assign":                    "Assign roles to a user",
	"auth0.role.unassign":                  "Removes roles from a user",
	"auth0.role.permissions.add":           "Associate permissions with a role",
	"auth0.role.permissions.remove":        "Remove permissions from a role",
	"auth0.user.permission.add":            "Assign permissions to a user",
	"auth0.user.permission.remove":         "Remove permissions from a user",
	"auth0.organization.create":            "Create organization",
	"auth0.organization.update":            "Modify an organization",
	"auth0.organization.delete":            "Delete organization",
	"auth0.organization.member.add":        "Add members to an organization",
	"auth0.organization.member.remove":     "Delete members from an organization",
	"auth0.organization.connection.add":    "Add connections to an organization",
	"auth0.organization.invitation.create": "Create invitations to organization",
	"auth0.client.rotate_secret":           "Rotate a client secret",
	"auth0.client_grant.create":            "Create client grant",
	"auth0.resource_server.create":         "Create a resource server",
	"auth0.connection.clients.update":      "Update enabled clients for a connection",
	"auth0.keys.rotate":                    "Rotate the Application Signing Key",
	"auth0.grant.delete":                   "Delete a grant",
}

// describe returns what the log calls a kind of change.
func describe(kind string) string {
	if words, ok := logWords[kind]; ok {
		return words
	}
	parts := strings.Split(strings.ReplaceAll(strings.TrimPrefix(kind, "auth0."), "_", " "), ".")
	verb := parts[len(parts)-1]
	return strings.ToUpper(verb[:1]) + verb[1:] + " a " + strings.Join(parts[:len(parts)-1], " ")
}

// logType is the type of an entry (Auth0's list of log event types): what came
// through the API is sapi, the others by what they are.
func logType(c *directory.Change) string {
	failed := c.Outcome.Result != "" && c.Outcome.Result != "SUCCESS"
	switch {
	case c.Kind == login.FailedKind:
		return "f"
	case c.Kind == login.ExchangedKind:
		return "seacft"
	case c.Kind == "user.session.start" && failed:
		return "fp"
	case c.Kind == "user.session.start":
		return "s"
	case c.Kind == "user.session.end":
		return "slo"
	case c.Actor.Type != directory.ClientActor && c.Kind == "user.lifecycle.create":
		return "ss"
	case c.Actor.Type != directory.ClientActor && c.Kind == "user.account.update_password":
		return "scp"
	case failed:
		return "fapi"
	}
	return "sapi"
}

// changeEntry shows a change.
func changeEntry(c *directory.Change) logEntry {
	client := strings.TrimSuffix(c.Actor.ID, "@clients")
	e := logEntry{
		id: logID(c.At, fmt.Sprintf("%0*d", changeTail, c.Seq)), at: c.At, typ: logType(c), what: describe(c.Kind),
		client: client, clientName: "", ip: c.Actor.IP, agent: c.Actor.UserAgent,
	}
	if e.typ != "sapi" && e.typ != "fapi" { // then it is about the user, not by a client
		e.user, e.client, e.what = c.Target, "", ""
	}
	var about []web.Object
	for _, t := range c.Targets {
		about = append(about, web.Object{{Key: "type", Value: t.Type}, {Key: "id", Value: t.ID}, {Key: "name", Value: cmp.Or(t.DisplayName, t.AlternateID)}})
		if t.Type == "User" && e.user != "" {
			e.userName = cmp.Or(t.AlternateID, t.DisplayName)
		}
	}
	e.details = web.Object{
		{Key: "request", Value: web.Object{
			{Key: "channel", Value: "api"}, {Key: "ip", Value: c.Actor.IP}, {Key: "userAgent", Value: c.Actor.UserAgent}, {Key: "id", Value: c.Actor.Request},
		}},
		{Key: "kind", Value: c.Kind}, {Key: "targets", Value: about},
	}
	if c.Outcome.Reason != "" {
		e.details = append(e.details, web.Field{Key: "error", Value: c.Outcome.Reason})
	}
	return e
}

// exchangeEntry shows a call that reached a SCIM endpoint.
func exchangeEntry(x *wirelog.Exchange) logEntry {
	e := logEntry{
		id: logID(x.At, x.ID), at: x.At, typ: "sscim", what: x.Method + " " + x.Path, client: x.Actor, user: x.Subject,
		details: web.Object{
			{Key: "request", Value: web.Object{
				{Key: "method", Value: x.Method}, {Key: "path", Value: x.Path}, {Key: "query", Value: x.Query}, {Key: "body", Value: x.RequestBody},
			}},
			{Key: "response", Value: web.Object{{Key: "statusCode", Value: x.Status}, {Key: "body", Value: x.ResponseBody}}},
			{Key: "why", Value: orNone(x.Why)},
		},
	}
	if x.Status == 0 || x.Status >= http.StatusBadRequest {
		e.typ = "fscim"
	}
	if agent := x.RequestHeaders["User-Agent"]; len(agent) > 0 {
		e.agent = agent[0]
	}
	return e
}

// logScan is which entries are wanted.
type logScan struct {
	match func(logEntry) bool
	limit int // at most so many, from the newest or from the oldest behind a place

	forward bool
	after   time.Time // forward: entries behind this one
	afterID string
}

// scan reads entries in the order that is wanted.
func (a *API) scan(ctx context.Context, s logScan) (list []logEntry, err error) {
	err = a.within(ctx, func(ctx context.Context, limited func(func() bool) bool) error {
		if match := s.match; match != nil {
			s.match = func(e logEntry) bool { return limited(func() bool { return match(e) }) }
		}
		list, err = a.scanBoth(ctx, s)
		return err
	})
	return list, err
}

// scanBoth reads changes and calls.
func (a *API) scanBoth(ctx context.Context, s logScan) ([]logEntry, error) {
	changes, err := a.scanChanges(ctx, s)
	if err != nil {
		return nil, err
	}
	calls, err := a.scanCalls(ctx, s)
	if err != nil {
		return nil, err
	}
	all := append(changes, calls...)
	slices.SortStableFunc(all, func(x, y logEntry) int {
		c := cmp.Or(x.at.Compare(y.at), cmp.Compare(x.id, y.id))
		if !s.forward {
			c = -c
		}
		return c
	})
	return all[:min(s.limit, len(all))], nil
}

// fits reports whether an entry is behind the place that a scan begins at.
func (s logScan) fits(e logEntry) bool {
	if s.forward && cmp.Or(e.at.Compare(s.after), cmp.Compare(e.id, s.afterID)) <= 0 {
		return false
	}
	return s.match == nil || s.match(e)
}

func (a *API) scanChanges(ctx context.Context, s logScan) ([]logEntry, error) {
	q := directory.ChangeQuery{Realm: a.Realm, Newest: !s.forward}
	if s.forward {
		q.Since = s.after
	}
	list, err := a.Directory.Changes(ctx, q, s.limit, func(c *directory.Change) bool {
		if a.Exchanges != nil && strings.HasPrefix(c.Actor.ID, "tok_") {
			return false // the call that made the change is in the log itself
		}
		return s.fits(changeEntry(c))
	})
	out := make([]logEntry, len(list))
	for i := range list {
		out[i] = changeEntry(&list[i])
	}
	return out, err
}

// scanCalls reads the calls to SCIM endpoints, which are kept newest first.
func (a *API) scanCalls(ctx context.Context, s logScan) ([]logEntry, error) {
	if a.Exchanges == nil {
		return nil, nil
	}
	q := wirelog.Query{Direction: wirelog.In}
	if s.forward {
		q.Since = s.after
	}
	var out []logEntry
	for read := 0; read < maxMerged; {
		page, err := a.Exchanges.Exchanges(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Exchanges {
			if e := exchangeEntry(&page.Exchanges[i]); s.fits(e) {
				out = append(out, e)
			}
		}
		read += len(page.Exchanges)
		if q.Cursor = page.Next; q.Cursor == "" || !s.forward && len(out) >= s.limit {
			break
		}
	}
	return out, nil
}

// listLogs is GET /logs: by page, newest first, or from a place on, oldest first.
func (a *API) listLogs(w http.ResponseWriter, r *http.Request) error {
	return a.writeLogs(w, r, nil)
}

// listUserLogs is GET /users/{id}/logs.
func (a *API) listUserLogs(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	return a.writeLogs(w, r, func(e logEntry) bool { return e.user == id })
}

func (a *API) writeLogs(w http.ResponseWriter, r *http.Request, only func(logEntry) bool) error {
	q := r.URL.Query()
	show, err := readProjection(q)
	if err != nil {
		return err
	}
	match, err := logFilter(q.Get("q"), only)
	if err != nil {
		return err
	}
	if q.Has("from") {
		return a.writeLogsFrom(w, r, show, match)
	}
	l, err := readListing(q, style{})
	if err != nil {
		return err
	}
	skip := l.page * l.perPage
	list, err := a.scan(r.Context(), logScan{match: match, limit: skip + l.perPage})
	if err != nil {
		return err
	}
	list = list[min(skip, len(list)):]
	if q.Get("sort") == "date:1" {
		slices.Reverse(list)
	}
	rows := shownLogs(list, show)
	if !l.totals {
		return web.WriteJSON(w, http.StatusOK, rows)
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{
		{Key: "start", Value: skip}, {Key: "limit", Value: l.perPage}, {Key: "length", Value: len(rows)},
		{Key: "logs", Value: rows}, {Key: "total", Value: skip + len(rows)},
	})
}

// writeLogsFrom answers the entries behind one.
func (a *API) writeLogsFrom(w http.ResponseWriter, r *http.Request, show projection, match func(logEntry) bool) error {
	q := r.URL.Query()
	take, err := queryInt(q, "take", defaultPerPage, 1, maxPerPage, aboutPerPage)
	if err != nil {
		return err
	}
	s := logScan{match: match, limit: take, forward: true, afterID: q.Get("from")}
	var ok bool
	if s.after, _, _, ok = readLogID(s.afterID); !ok {
		return wrongQuery("Invalid checkpoint", "from", aboutFrom)
	}
	list, err := a.scan(r.Context(), s)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, shownLogs(list, show))
}

func shownLogs(list []logEntry, show projection) []web.Object {
	rows := make([]web.Object, len(list))
	for i, e := range list {
		rows[i] = show(e.object())
	}
	return rows
}

// logFilter reads the search of a list of logs. Case does not count.
func logFilter(text string, only func(logEntry) bool) (func(logEntry) bool, error) {
	if text == "" {
		return only, nil
	}
	expr, err := filter.ParseLucene(text)
	if err != nil {
		return nil, &apiError{http.StatusBadRequest, fault.Public(err), "invalid_query_string", err}
	}
	return func(e logEntry) bool {
		return (only == nil || only(e)) && filter.Match(expr, filter.Subject{
			Get: e.values, Fold: func(_, text string) string { return strings.ToLower(text) },
		})
	}, nil
}

func (a *API) getLog(w http.ResponseWriter, r *http.Request) error {
	_, seq, exchange, ok := readLogID(r.PathValue("id"))
	switch {
	case !ok:
		return noLog()
	case exchange != "" && a.Exchanges != nil:
		x, err := a.Exchanges.Exchange(r.Context(), exchange)
		if fault.Is(err, fault.NotFound) {
			return noLog()
		}
		if err != nil {
			return err
		}
		return web.WriteJSON(w, http.StatusOK, exchangeEntry(&x).object())
	}
	list, err := a.Directory.Changes(r.Context(), directory.ChangeQuery{Realm: a.Realm, After: seq - 1}, 1, nil)
	if err != nil {
		return err
	}
	if len(list) == 0 || list[0].Seq != seq {
		return noLog()
	}
	return web.WriteJSON(w, http.StatusOK, changeEntry(&list[0]).object())
}

func noLog() error { return &apiError{status: http.StatusNotFound, message: "Log not found."} }

// activeDays is how far back active users are counted.
const activeDays = 30

// activeUsers is GET /stats/active-users: who signed in during the last 30 days.
func (a *API) activeUsers(w http.ResponseWriter, r *http.Request) error {
	seen := map[string]bool{}
	q := directory.ChangeQuery{Realm: a.Realm, Since: a.now().AddDate(0, 0, -activeDays), Kind: "user.session.start"}
	_, err := a.Directory.Changes(r.Context(), q, 0, func(c *directory.Change) bool {
		if logType(c) == "s" {
			seen[c.Target] = true
		}
		return false
	})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, len(seen))
}

// day is one row of the daily figures.
type day struct {
	logins, signups int
	first, last     time.Time
}

// dailyStats is GET /stats/daily: sign-ins and new users by day.
func (a *API) dailyStats(w http.ResponseWriter, r *http.Request) error {
	const layout = "20060102"
	q := r.URL.Query()
	query := directory.ChangeQuery{Realm: a.Realm}
	for name, at := range map[string]*time.Time{"from": &query.Since, "to": &query.Until} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		parsed, err := time.Parse(layout, text)
		if err != nil {
			return wrongQuery("String does not match pattern ^\\d{8}$: "+text, name, "Date in YYYYMMDD format.").because(err)
		}
		*at = parsed
	}
	if !query.Until.IsZero() {
		query.Until = query.Until.AddDate(0, 0, 1)
	}
	days := map[time.Time]*day{}
	_, err := a.Directory.Changes(r.Context(), query, 0, func(c *directory.Change) bool {
		typ := logType(c)
		if typ != "s" && c.Kind != "user.lifecycle.create" {
			return false
		}
		date := c.At.UTC().Truncate(24 * time.Hour)
		if days[date] == nil {
			days[date] = &day{first: c.At}
		}
		if days[date].last = c.At; typ == "s" {
			days[date].logins++
		} else {
			days[date].signups++
		}
		return false
	})
	if err != nil {
		return err
	}
	rows := []web.Object{}
	for _, at := range slices.SortedFunc(maps.Keys(days), time.Time.Compare) {
		rows = append(rows, web.Object{
			{Key: "date", Value: date(at)}, {Key: "created_at", Value: date(days[at].first)}, {Key: "leaked_passwords", Value: 0},
			{Key: "logins", Value: days[at].logins}, {Key: "signups", Value: days[at].signups}, {Key: "updated_at", Value: date(days[at].last)},
		})
	}
	return web.WriteJSON(w, http.StatusOK, rows)
}
