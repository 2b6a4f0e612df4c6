package auth0

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/subtle"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web"
)

// An import goes on after its request is answered, where there is somebody to do
// it (Options.Background). All other jobs are done at once. All are answered as
// pending, as Auth0's are.

func (a *API) jobRoutes() []route {
	return []route{
		op("POST", "/jobs/users-imports", a.importUsers, "create:users", "create:passwords_import"),
		op("POST", "/jobs/users-exports", a.exportUsers, "read:users"),
		op("POST", "/jobs/verification-email", a.verifyEmail, "update:users"),
		op("GET", "/jobs/{id}", a.getJob, "create:users", "read:users", "create:passwords_import"),
		op("GET", "/jobs/{id}/errors", a.getJobErrors, "create:users", "read:users", "create:passwords_import"),
	}
}

const (
	maxImport    = 500 << 10 // bytes of the file (Auth0's OpenAPI document)
	maxImportErr = 1000      // users whose mistakes are kept
	exportPath   = "/exports/"
	exportLife   = 24 * time.Hour
)

// job is the wire form of a job, in the recorded order.
func (a *API) job(r *http.Request, j *tenant.Job, status string) web.Object {
	o := web.Object{{Key: "type", Value: j.Type}, {Key: "status", Value: status}}
	add := func(key string, v any, have bool) {
		if have {
			o = append(o, web.Field{Key: key, Value: v})
		}
	}
	add("connection_id", j.Connection, j.Connection != "")
	add("format", j.Format, j.Format != "")
	add("limit", j.Limit, j.Limit > 0)
	add("fields", j.Fields, j.Fields != nil)
	if j.Summary != nil && status != tenant.JobPending {
		add("summary", web.Object{
			{Key: "failed", Value: j.Summary.Failed}, {Key: "updated", Value: j.Summary.Updated},
			{Key: "inserted", Value: j.Summary.Inserted}, {Key: "total", Value: j.Summary.Total},
		}, true)
	}
	if j.Type == tenant.ExportJob && status == tenant.JobCompleted {
		add("location", a.exportLocation(r, j), true)
	}
	add("connection", j.ConnectionName, j.ConnectionName != "")
	add("external_id", j.ExternalID, j.ExternalID != "")
	return append(o, web.Field{Key: "created_at", Value: date(j.Created)}, web.Field{Key: "id", Value: j.ID})
}

// connectionOfJob returns the database that a job works on, nil for none.
func (a *API) connectionOfJob(r *http.Request, id string) (*tenant.Connection, error) {
	if id == "" {
		return nil, nil
	}
	c, err := a.tenant.Connection(r.Context(), id)
	if fault.Is(err, fault.NotFound) {
		return nil, &apiError{http.StatusBadRequest, "The connection does not exist", "inexistent_connection", err}
	}
	return c, err
}

// importUsers is POST /jobs/users-imports: a form with a file of users.
func (a *API) importUsers(w http.ResponseWriter, r *http.Request) error {
	form, err := readImport(r)
	if err != nil {
		return err
	}
	c, err := a.connectionOfJob(r, form.connection)
	if err != nil {
		return err
	}
	if c == nil {
		return badBody("'Missing required property: connection_id'.")
	}
	if c.Class() != tenant.Database {
		return &apiError{status: http.StatusBadRequest, code: "operation_not_supported", message: "Connection must be a database connection"}
	}
	j := &tenant.Job{Type: tenant.ImportJob, Status: tenant.JobPending, Connection: c.ID, ConnectionName: c.Name, ExternalID: form.externalID}
	if err := a.tenant.CreateJob(r.Context(), actor(r), j); err != nil {
		return err
	}
	run := importRun{api: a, by: actor(r), into: c, job: j, form: form}
	if a.Background != nil {
		a.Background(run.background)
	} else if err := run.do(r.Context()); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, a.job(r, j, tenant.JobPending))
}

// importRun is an import that is being done.
type importRun struct {
	api  *API
	by   directory.Actor
	into *tenant.Connection
	job  *tenant.Job
	form importForm
}

// background does an import that nobody waits for.
func (i importRun) background(ctx context.Context) {
	if err := i.do(ctx); err != nil {
		i.api.Log.ErrorContext(ctx, "an import of users could not be completed", "job", i.job.ID, "error", err)
	}
}

// do imports one user after the other. When ctx ends on the way the job has
// failed, with what was done until then.
func (i importRun) do(ctx context.Context) error {
	whole := context.WithoutCancel(ctx) // nobody is imported by half
	done := *i.job
	done.Summary = &tenant.JobSummary{Total: len(i.form.users)}
	done.Status = tenant.JobCompleted
	for _, v := range i.form.users {
		if ctx.Err() != nil {
			done.Status = tenant.JobFailed
			break
		}
		i.user(whole, &done, v)
	}
	return i.api.tenant.FinishJob(whole, &done)
}

// importForm is the body of an import.
type importForm struct {
	connection, externalID string
	upsert                 bool
	users                  []any
}

func readImport(r *http.Request) (importForm, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return importForm{}, badBody("'Expected a multipart/form-data body'.").because(err)
	}
	var f importForm
	left := int64(maxImport) + 64<<10 // what the other fields may have
	found := false
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return f, badBody("'Invalid multipart/form-data body'.").because(err)
		}
		text, err := io.ReadAll(io.LimitReader(part, left+1))
		if err != nil {
			return f, badBody("'Invalid multipart/form-data body'.").because(err)
		}
		if left -= int64(len(text)); left < 0 || part.FormName() == "users" && len(text) > maxImport {
			return f, &apiError{status: http.StatusRequestEntityTooLarge, message: "Payload content length greater than maximum allowed: " + strconv.Itoa(maxImport)}
		}
		switch part.FormName() {
		case "connection_id":
			f.connection = string(text)
		case "external_id":
			f.externalID = string(text)
		case "upsert":
			f.upsert = string(text) == "true"
		case "users":
			found = true
			if f.users, err = readUsers(text); err != nil {
				return f, err
			}
		}
	}
	if !found {
		return f, &apiError{status: http.StatusBadRequest, code: "invalid_body", message: "Users file not found"}
	}
	return f, nil
}

func readUsers(text []byte) ([]any, error) {
	v, err := value.Decode(text)
	if err != nil {
		return nil, &apiError{http.StatusBadRequest, "Failed to parse users file JSON when importing users. Make sure it is valid JSON.", "invalid_body", err}
	}
	list, ok := v.([]any)
	if !ok {
		return nil, &apiError{status: http.StatusBadRequest, code: "invalid_body", message: "Users file must be a JSON array of users."}
	}
	return list, nil
}

// importProperties are those that a user of an import can have.
var importProperties = func() map[string]property {
	all := map[string]property{
		"password_hash":        {typ: "string"},
		"custom_password_hash": {typ: "object"},
		"mfa_factors":          {typ: "array"},
		"roles":                {typ: "array"},
	}
	for name, p := range createProperties {
		if name != "connection" && name != "password" && name != "verify_email" {
			all[name] = p
		}
	}
	return all
}()

// importSecrets are members of a user of an import that nobody gets to see again.
// A password is not among those that a user can have, but is given all the same.
var importSecrets = []string{"password", "password_hash", "custom_password_hash", "mfa_factors"}

// user does what an import says of one user, and keeps what went wrong.
func (i importRun) user(ctx context.Context, j *tenant.Job, v any) {
	outcome, err := i.one(ctx, v)
	switch {
	case err != nil:
		j.Summary.Failed++
		if len(j.Errors) < maxImportErr {
			// What went wrong may be read by more people than secrets, and is kept.
			given, _ := value.Clone(v).(map[string]any)
			for _, name := range importSecrets {
				delete(given, name)
			}
			j.Errors = append(j.Errors, tenant.JobError{User: given, Errors: []tenant.JobMistake{importMistake(err)}})
		}
	case outcome == updated:
		j.Summary.Updated++
	default:
		j.Summary.Inserted++
	}
}

// outcome is what became of a user of an import.
type imported int

const (
	inserted imported = iota
	updated
)

// errKnown says that a user is there, and must not be changed.
var errKnown = errors.New("the user exists")

func (i importRun) one(ctx context.Context, v any) (imported, error) {
	if m := (property{typ: "object", members: importProperties, required: []string{"email"}}).check("", v); m != nil {
		return 0, &importError{m}
	}
	a, c, p := i.api, i.into, payload(v.(map[string]any))
	profile := p.profile()
	known, err := a.Directory.Accounts(ctx, directory.AccountQuery{Realm: a.Realm, Email: directory.Fold(p.text("email"))}, 1,
		func(account *directory.Account) bool { return account.Connection == c.Name })
	switch {
	case err != nil:
		return 0, err
	case len(known) > 0 && !i.form.upsert:
		return 0, errKnown
	case len(known) > 0:
		delete(profile, "email") // who it is stays
		_, err := a.Directory.EditAccount(ctx, i.by, a.Realm, known[0].ID, directory.Edit{
			Profile: profile, EmailVerified: p.flag("email_verified"), Blocked: p.flag("blocked"),
			UserMetadata: p.metadata("user_metadata"), AppMetadata: p.metadata("app_metadata"), Password: importedPassword(p),
		})
		return updated, err
	}
	withDefaults(profile)
	id := p.text("user_id")
	if id == "" {
		id = a.Directory.IDs.Object()
	}
	draft := directory.Draft{
		ID: c.Provider() + "|" + id, Connection: c.Name, Profile: profile, Password: importedPassword(p),
		Blocked: p.flag("blocked"), UserMetadata: p.metadata("user_metadata"), AppMetadata: p.metadata("app_metadata"),
	}
	if verified := p.flag("email_verified"); verified != nil {
		draft.EmailVerified = *verified
	}
	_, err = a.Directory.CreateAccount(ctx, i.by, a.Realm, draft)
	return inserted, err
}

// bcryptPattern is a hash of bcrypt in modular crypt form.
var bcryptPattern = regexp.MustCompile(`^\$2[ab]\$(\d\d)\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$`)

// importedPassword is the hash that an import gives, in the directory's form.
// Hashes of other algorithms than bcrypt are not taken: such users have to set a
// new password.
func importedPassword(p payload) *directory.Password {
	text := p.text("password_hash")
	if custom := p.object("custom_password_hash"); text == "" && custom.text("algorithm") == "bcrypt" {
		text = payload(custom.object("hash")).text("value")
	}
	m := bcryptPattern.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	factor, _ := strconv.Atoi(m[1]) // two digits
	hash, err := json.Marshal(map[string]any{"algorithm": "BCRYPT", "workFactor": factor, "salt": m[2], "value": m[3]})
	if err != nil {
		return nil // texts and a number
	}
	return &directory.Password{Import: string(hash)}
}

// importError is a user of an import that has the wrong form.
type importError struct{ m *mistake }

func (e *importError) Error() string { return e.m.wrong }

// importMistake says what is wrong with a user (the first recorded).
func importMistake(err error) tenant.JobMistake {
	var wrong *importError
	switch {
	case errors.Is(err, errKnown):
		return tenant.JobMistake{Code: "DUPLICATED_USER", Message: "The user already exist and upsert parameter is false"}
	case fault.Is(err, fault.Conflict):
		return tenant.JobMistake{Code: "DUPLICATED_USER", Message: "The user already exist"}
	case errors.As(err, &wrong):
		return tenant.JobMistake{Code: "INVALID_FORMAT", Message: wrong.m.wrong, Path: wrong.m.path}
	}
	return tenant.JobMistake{Code: "INVALID_USER", Message: fault.Public(err)}
}

var exportProperties = map[string]property{
	"connection_id": {typ: "string", about: "connection_id of the connection from which users will be exported."},
	"format":        {typ: "string", enum: []string{"json", "csv"}, about: "Format of the file. Must be `json` or `csv`."},
	"limit":         {typ: "integer", min: 1, about: "Limit the number of records."},
	"fields": {
		typ: "array", about: "List of fields to be included in the CSV. Defaults to a predefined set of fields.",
		items: &property{typ: "object", required: []string{"name"}, members: map[string]property{
			"name": {typ: "string", about: "Name of the field in the profile."}, "export_as": {typ: "string", about: "Title of the column in the exported CSV."},
		}},
	},
}

// exportUsers is POST /jobs/users-exports. The file is made when it is fetched.
func (a *API) exportUsers(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, exportProperties)
	if err != nil {
		return err
	}
	c, err := a.connectionOfJob(r, p.text("connection_id"))
	if err != nil {
		return err
	}
	j := &tenant.Job{Type: tenant.ExportJob, Status: tenant.JobCompleted, Format: p.text("format"), Limit: int(p.number("limit"))}
	if c != nil {
		j.Connection, j.ConnectionName = c.ID, c.Name
	}
	if j.Format == "" {
		j.Format = "json"
	}
	for _, field := range p.objects("fields") {
		j.Fields = append(j.Fields, field)
	}
	j.Key = a.Directory.IDs.Token(32)
	if err := a.tenant.CreateJob(r.Context(), actor(r), j); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.job(r, j, tenant.JobPending))
}

// exportLocation is where anybody who has the address can fetch an export.
func (a *API) exportLocation(r *http.Request, j *tenant.Job) string {
	return strings.TrimSuffix(a.issuer(r), "/") + exportPath + j.ID + "/" + a.tenantName(r) + "." + j.Format + ".gz?token=" + url.QueryEscape(j.Key)
}

// download is GET /exports/{id}/{file}: the users of an export, zipped. What is
// in it is what is there now.
func (a *API) download(w http.ResponseWriter, r *http.Request) error {
	j, err := a.tenant.Job(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	key := r.URL.Query().Get("token")
	if j.Key == "" || subtle.ConstantTimeCompare([]byte(j.Key), []byte(key)) != 1 || a.now().Sub(j.Created) > exportLife {
		return notFound()
	}
	accounts, err := a.Directory.Accounts(r.Context(), directory.AccountQuery{Realm: a.Realm}, j.Limit, func(account *directory.Account) bool {
		return j.ConnectionName == "" || account.Connection == j.ConnectionName
	})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	write := writeLines
	if j.Format == "csv" {
		write = writeTable
	}
	if err := errors.Join(write(zipped, accounts, exportFields(j)), zipped.Close()); err != nil {
		return fault.Wrap(fault.Internal, err, "the export cannot be written")
	}
	w.Header().Set("Content-Type", "application/gzip")
	_, _ = w.Write(out.Bytes()) // fails when the client is gone
	return nil
}

// exportField is a column of an export.
type exportField struct{ name, title string }

// defaultExport are the columns of a CSV export that names none.
var defaultExport = []string{
	"user_id", "email", "email_verified", "name", "given_name", "family_name", "nickname", "username", "phone_number", "picture", "created_at", "updated_at",
}

func exportFields(j *tenant.Job) []exportField {
	var out []exportField
	for _, field := range j.Fields {
		name, _ := field["name"].(string)
		title, _ := field["export_as"].(string)
		if title == "" {
			title = name
		}
		out = append(out, exportField{name, title})
	}
	if out == nil && j.Format == "csv" {
		for _, name := range defaultExport {
			out = append(out, exportField{name, name})
		}
	}
	return out
}

// writeLines writes one JSON object a line.
func writeLines(w io.Writer, accounts []*directory.Account, fields []exportField) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, account := range accounts {
		row := user(account)
		if fields != nil {
			row = nil
			for _, f := range fields {
				row = append(row, web.Field{Key: f.title, Value: fieldOf(account, f.name)})
			}
		}
		if err := enc.Encode(row); err != nil {
			return err
		}
	}
	return nil
}

func writeTable(w io.Writer, accounts []*directory.Account, fields []exportField) error {
	table := csv.NewWriter(w)
	row := make([]string, len(fields))
	for i, f := range fields {
		row[i] = f.title
	}
	if err := table.Write(row); err != nil {
		return err
	}
	for _, account := range accounts {
		for i, f := range fields {
			if row[i] = ""; fieldOf(account, f.name) != nil {
				row[i] = fmt.Sprint(fieldOf(account, f.name))
			}
		}
		if err := table.Write(row); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

// index is the place in an array that a field's path may name: identities[0].
var index = regexp.MustCompile(`\[(\d+)\]`)

// fieldOf returns what a path (identities[0].connection) leads to in a user, nil
// for nothing.
func fieldOf(account *directory.Account, path string) any {
	text, err := json.Marshal(user(account))
	if err != nil {
		return nil
	}
	v, err := value.Decode(text)
	if err != nil {
		return nil
	}
	var at value.Pointer
	at = append(at, strings.Split(index.ReplaceAllString(path, ".$1"), ".")...)
	found, _ := at.Get(v)
	return found
}

var verificationProperties = map[string]property{
	"user_id":         {typ: "string", about: "The user_id of the user to send the email to."},
	"client_id":       {typ: "string", about: "client_id of the client (application). If no value provided, the global Client ID will be used."},
	"organization_id": {typ: "string", about: "(Optional) Organization ID"},
	"identity": {typ: "object", about: "This must be provided to verify primary social, enterprise and passwordless email identities.", members: map[string]property{
		"user_id": {typ: "string"}, "provider": {typ: "string"}, "connection_id": {typ: "string"},
	}},
}

// verifyEmail is POST /jobs/verification-email. No mail leaves the house, so the
// job fails, as it does at Auth0 in tenants that cannot send mail (recorded).
func (a *API) verifyEmail(w http.ResponseWriter, r *http.Request) error {
	p, err := readPayload(r, verificationProperties, "user_id")
	if err != nil {
		return err
	}
	if _, err := a.Directory.Account(r.Context(), a.Realm, p.text("user_id")); err != nil {
		return err
	}
	j := &tenant.Job{Type: tenant.VerificationJob, Status: tenant.JobFailed}
	if err := a.tenant.CreateJob(r.Context(), actor(r), j); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, a.job(r, j, tenant.JobPending))
}

func (a *API) getJob(w http.ResponseWriter, r *http.Request) error {
	j, err := a.tenant.Job(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, a.job(r, j, j.Status))
}

// getJobErrors is GET /jobs/{id}/errors: 204 when there are none.
func (a *API) getJobErrors(w http.ResponseWriter, r *http.Request) error {
	j, err := a.tenant.Job(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if len(j.Errors) == 0 {
		return noContent(w)
	}
	return web.WriteJSON(w, http.StatusOK, j.Errors)
}
