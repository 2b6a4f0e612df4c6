package app

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/bundle"
	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/durable"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/trigger"
)

// bundles packs and unpacks folders of flows.
type bundles struct{ app *App }

// Export implements cli.Folders.
func (f bundles) Export(ctx context.Context, req cli.ExportFolder) (*cli.FolderExport, error) {
	c, err := f.app.configuration(&req.Settings)
	if err != nil {
		return nil, err
	}
	origin := bundle.Origin{Dir: configFolder(req.Settings), Data: req.Data, Config: c}
	if origin.Connections, err = knownConnections(req.Settings, c); err != nil {
		return nil, err
	}
	session, err := f.session(ctx, req.Settings, c, cli.ReadOnly)
	if err != nil {
		return nil, err
	}
	if session != nil {
		defer func() { _ = session.Close() }() // nothing was changed
		origin.Tables = session
		if origin.Triggers, err = addedTriggers(ctx, session); err != nil {
			return nil, err
		}
	}
	b, left, err := bundle.Gather(ctx, origin, req.Options)
	if err != nil {
		return nil, err
	}
	data, err := b.Encode()
	if err != nil {
		return nil, err
	}
	if err := durable.Write(req.File, data); err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the file cannot be written").At("%s", req.File).Fix("choose another folder")
	}
	return &cli.FolderExport{File: req.File, Size: len(data), Manifest: b.Manifest, Files: slices.Sorted(maps.Keys(b.Files)), Left: left}, nil
}

// configFolder is the folder in which the configuration is.
func configFolder(s cli.Settings) string {
	dir := filepath.Dir(s.Config)
	if full, err := filepath.Abs(dir); err == nil {
		return full
	}
	return dir
}

// knownConnections are those of the file and those added by command.
func knownConnections(s cli.Settings, c *config.Config) (map[string]config.Connection, error) {
	book, err := config.ReadBook(s.Data)
	if err != nil {
		return nil, err
	}
	out := map[string]config.Connection{}
	for name, added := range book.Connections {
		out[name] = added.Connection
	}
	maps.Copy(out, c.Connections)
	return out, nil
}

// session opens the data folder; nil when there is none and nothing has to be
// written.
func (f bundles) session(ctx context.Context, s cli.Settings, c *config.Config, access cli.Access) (cli.Session, error) {
	if _, err := os.Stat(s.Data); access == cli.ReadOnly && c.Store == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f.app.open(ctx, s, access)
}

func addedTriggers(ctx context.Context, s cli.Session) ([]bundle.Trigger, error) {
	reply, err := s.Triggers(ctx, trigger.Command{Do: trigger.Definitions})
	if err != nil {
		return nil, err
	}
	var out []bundle.Trigger
	for _, d := range reply.Definitions {
		out = append(out, bundle.Trigger{Name: d.Name, Text: d.Text, Dir: d.Dir})
	}
	return out, nil
}

// Import implements cli.Folders.
func (f bundles) Import(ctx context.Context, req cli.ImportFolder) (*cli.FolderImport, error) {
	b, err := readBundle(req.File)
	if err != nil {
		return nil, err
	}
	packed, err := checkBundle(b)
	if err != nil {
		return nil, err
	}
	s := req.Settings
	s.ConfigGiven = false // it is made when it is missing
	c, err := f.app.configuration(&s)
	if err != nil {
		return nil, err
	}
	session, err := f.session(ctx, s, c, cli.ReadOnly)
	if err != nil {
		return nil, err
	}
	defer func() {
		if session != nil {
			_ = session.Close() // what was written is on disk
		}
	}()
	target := bundle.Target{Dir: configFolder(s), Config: s.Config}
	if session != nil {
		target.Tables = session
		if target.Triggers, err = addedTriggers(ctx, session); err != nil {
			return nil, err
		}
	}
	p, err := bundle.Compare(ctx, b, target)
	if err != nil {
		return nil, err
	}
	report := &cli.FolderImport{Name: b.Manifest.Name, Dir: target.Dir, DryRun: req.DryRun, Changes: p.Changes, Triggers: p.Triggers()}
	if err := f.missing(report, b, packed, s, c); err != nil {
		return nil, err
	}
	if err := p.Conflicts(req.Replace); err != nil {
		if req.DryRun {
			report.Refused = fault.Public(err)
			return report, nil
		}
		return nil, err
	}
	if req.DryRun {
		return report, nil
	}
	if session != nil { // that one may only read
		if err := session.Close(); err != nil {
			return nil, err
		}
		session = nil
	}
	return report, f.apply(ctx, p, s, b, req.By)
}

// apply writes what a plan says.
func (f bundles) apply(ctx context.Context, p *bundle.Plan, s cli.Settings, b *bundle.Bundle, by string) error {
	session, err := f.app.open(ctx, s, cli.ReadWrite)
	if err != nil {
		return err
	}
	err = p.Apply(ctx, session, func(ctx context.Context, name string) error {
		_, err := session.Triggers(ctx, trigger.Command{Do: trigger.Off, Name: name, Ahead: true, By: by, Why: "imported with " + b.Manifest.Name})
		return err
	})
	return errors.Join(err, session.Close())
}

// readBundle reads a file and verifies it.
func readBundle(path string) (*bundle.Bundle, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the file cannot be opened").At("%s", path).Fix("check the path")
	}
	defer func() { _ = file.Close() }() // nothing is written to it
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, fault.New(fault.Usage, "this is no plain file").At("%s", path).Fix("check the path")
	}
	b, err := bundle.Read(file, info.Size())
	return b, at(err, path)
}

// checkBundle checks what the packages that own the sections know of them.
func checkBundle(b *bundle.Bundle) (*config.Config, error) {
	if b.Settings == nil {
		return &config.Config{}, nil
	}
	c, err := config.Parse("settings.yaml", b.Settings)
	if err != nil {
		return nil, err
	}
	_, err = trigger.Read(c.Triggers)
	return c, err
}

// envName finds references to variables of the environment.
var envName = regexp.MustCompile(`\benv:([A-Za-z_][A-Za-z0-9_]*)`)

// missing says what the operator has to add: connections and variables.
func (f bundles) missing(r *cli.FolderImport, b *bundle.Bundle, packed *config.Config, s cli.Settings, c *config.Config) error {
	known, err := knownConnections(s, c)
	if err != nil {
		return err
	}
	for _, n := range b.Manifest.Connections {
		if _, ok := known[n.Name]; ok {
			continue
		}
		if _, ok := known[n.Provider]; ok && n.Provider != "" {
			continue
		}
		r.Connections = append(r.Connections, cli.ToBind{Name: n.Name, Command: bindCommand(n), Sandbox: onSandbox(packed)})
	}
	names := map[string]bool{}
	for _, m := range envName.FindAllSubmatch(b.Settings, -1) {
		names[string(m[1])] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if v, ok := f.app.Env(name); !ok || v == "" {
			r.Environment = append(r.Environment, name)
		}
	}
	return nil
}

// onSandbox reports whether all triggers that start flows do so on the sandbox,
// which needs no connection to Okta or Auth0.
func onSandbox(c *config.Config) bool {
	all, err := trigger.Read(c.Triggers)
	if err != nil || len(all) == 0 {
		return false
	}
	return !slices.ContainsFunc(all, func(t *trigger.Trigger) bool { return t.Action.Flow != "" && !t.Action.Sandbox })
}

// plainWord is what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// word quotes a word for a shell: it comes from a file of others.
func word(s string) string {
	if plainWord.MatchString(s) && !strings.HasPrefix(s, "-") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// credentialFlag is the flag of connections add for a field of auth.
var credentialFlag = map[string]string{
	"token": "--token-from", "password": "--password-from", "clientSecret": "--secret-from", "privateKey": "--key-from",
}

// bindCommand is the command that makes a connection. What only the operator
// knows stands in capitals.
func bindCommand(n bundle.Connection) string {
	words := []string{"lanyard connections add", word(n.Name)}
	if n.Provider != "" && n.Provider != n.Name {
		words = append(words, "--provider", word(n.Provider))
	}
	words = append(words, "--server", word(cmp.Or(n.Server, "https://HOST")))
	if n.Type != "" {
		words = append(words, "--type", word(n.Type))
	}
	switch n.Type {
	case config.AuthBasic:
		words = append(words, "--username NAME")
	case config.AuthClientCredentials, config.AuthPrivateKeyJWT, config.AuthAuthorizationCode:
		words = append(words, "--client-id ID")
	}
	for _, need := range n.Needs {
		if flag := credentialFlag[need.Field]; flag != "" && !strings.HasPrefix(need.Ref, "vault:") { // of the vault, it is asked for
			words = append(words, flag, word(need.Ref))
		}
	}
	for _, scope := range n.Scopes {
		words = append(words, "--scope", word(scope))
	}
	if n.AllowPrivate {
		words = append(words, "--allow-private")
	}
	return strings.Join(words, " ")
}
