package cli

import (
	"errors"
	"io/fs"
	"log/slog"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/web/api"
)

// Settings are the flags that say where configuration and data are.
type Settings struct {
	Config      string // the configuration file
	ConfigGiven bool   // it was named, so it must exist
	Data        string // the data folder
	DataGiven   bool   // it was named, so it wins over the configuration's
	Log         *slog.Logger
}

// UseData takes the configuration's data folder, unless one was named on the
// command line or in the environment.
func (s *Settings) UseData(configured string) {
	if configured != "" && !s.DataGiven {
		s.Data = configured
	}
}

// PlanRequest asks for the plan of a document.
type PlanRequest struct {
	Settings
	File     string
	Dialect  arazzo.Dialect
	Workflow string
	Sources  map[string]string // --source: name to path or URL
	Bindings run.Bindings
}

// Access says what a session is opened for.
type Access bool

// The kinds of access.
const (
	ReadOnly  Access = false // look at runs and people, even while another process holds the folder
	ReadWrite Access = true
)

// Session is an open data folder: in this process, or in the lanyard serve that
// holds it.
type Session interface {
	api.Service
	// Close lets the data folder go. Runs that are moving are interrupted; they
	// go on when the folder is served or they are resumed.
	Close() error
}

// asOutcome reports whether err is an exit code and nothing else.
func asOutcome(err error, into *outcome) bool { return errors.As(err, into) }

// plainCause words a file error without repeating the path.
func plainCause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
