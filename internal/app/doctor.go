package app

import (
	"context"
	"os"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// checkSandbox opens a directory in a temporary folder and asks it something.
func (a *App) checkSandbox(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "lanyard-doctor-")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "no temporary folder can be made").Fix("check TMPDIR")
	}
	defer func() {
		if e := os.RemoveAll(dir); err == nil && e != nil {
			err = fault.Wrap(fault.Internal, e, "the temporary folder cannot be removed").At("%s", dir)
		}
	}()
	f, err := a.openFolder(ctx, cli.Settings{Data: dir}, "doctor", &config.Config{})
	if err != nil {
		return err
	}
	people, err := f.People(ctx, "")
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil && len(people) == 0 {
		err = fault.New(fault.Internal, "the sandbox's directory is empty")
	}
	return err
}
