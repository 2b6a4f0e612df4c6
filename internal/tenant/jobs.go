package tenant

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/directory"
)

// Job is work that a caller asks for and asks about later.
type Job struct {
	directory.Meta

	Type           string           `json:"type"`   // users_import, users_export, verification_email
	Status         string           `json:"status"` // pending, completed, failed
	Connection     string           `json:"connection,omitempty"`
	ConnectionName string           `json:"connectionName,omitempty"`
	ExternalID     string           `json:"externalId,omitempty"`
	Format         string           `json:"format,omitempty"` // of an export: json or csv
	Limit          int              `json:"limit,omitempty"`
	Fields         []map[string]any `json:"fields,omitempty"`
	Key            string           `json:"-"` // lets whoever has it fetch the export; kept apart
	Summary        *JobSummary      `json:"summary,omitempty"`
	Errors         []JobError       `json:"errors,omitempty"`
}

// The types of jobs.
const (
	ImportJob       = "users_import"
	ExportJob       = "users_export"
	VerificationJob = "verification_email"
)

// The states of jobs.
const (
	JobPending   = "pending"
	JobCompleted = "completed"
	JobFailed    = "failed"
)

// JobSummary says what an import did.
type JobSummary struct {
	Failed   int `json:"failed"`
	Updated  int `json:"updated"`
	Inserted int `json:"inserted"`
	Total    int `json:"total"`
}

// JobError is what was wrong with one user of an import.
type JobError struct {
	User   map[string]any `json:"user"` // as it was given, without its password
	Errors []JobMistake   `json:"errors"`
}

// JobMistake is one thing wrong with a user, in Auth0's words.
type JobMistake struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Path    string `json:"path,omitempty"`
}

// Place says where the job is found.
func (*Job) Place() directory.Place { return directory.Place{Noun: directory.JobNoun} }

func (j *Job) target() directory.Target { return directory.Target{Type: "Job", ID: j.ID} }

// CreateJob keeps a job whose ID it fills in.
func (t *Tenant) CreateJob(ctx context.Context, actor directory.Actor, j *Job) error {
	j.Meta = directory.Meta{ID: t.Directory.IDs.Auth0("job"), Realm: t.Realm}
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		if j.Key != "" {
			if err := t.hide(tx, j.ID, map[string]any{jobKeyPath: j.Key}); err != nil {
				return err
			}
		}
		return t.Directory.InsertObject(tx, j, t.event(actor, "auth0.job.create", j.target()))
	})
}

// FinishJob keeps what became of a job.
func (t *Tenant) FinishJob(ctx context.Context, j *Job) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error { return t.Directory.ReplaceObject(tx, j) })
}

// AbandonJobs ends all jobs that are not done: who did them is gone. What an
// import has added stays.
func (t *Tenant) AbandonJobs(ctx context.Context) error {
	return t.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		left, err := directory.All(tx, directory.RecordQuery{Realm: t.Realm}, 0, func(j *Job) bool { return j.Status == JobPending })
		if err != nil {
			return err
		}
		for _, j := range left {
			j, err := directory.CloneObject(j)
			if err != nil {
				return err
			}
			j.Status = JobFailed
			if err := t.Directory.ReplaceObject(tx, j); err != nil {
				return err
			}
		}
		return nil
	})
}

// Job returns a job by its id.
func (t *Tenant) Job(ctx context.Context, id string) (j *Job, err error) {
	err = t.Directory.Store.View(ctx, func(r directory.Reader) error {
		if j, err = directory.Get[Job](r, t.Realm, id); err != nil {
			return err
		}
		secrets, err := t.reveal(r, id)
		j.Key, _ = secrets[jobKeyPath].(string)
		return err
	})
	return j, err
}

// jobKeyPath is where a job's key is among its secrets.
const jobKeyPath = "key"
