package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/arazzo"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/spelling"
)

// documentFlags say which document is meant and how it is bound: shared by
// plan, run and sources.
type documentFlags struct {
	dialect      string
	workflow     string
	sources      []string // name=path|url
	servers      []string // name=url
	allowPrivate bool
	sandbox      bool
}

func (f *documentFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	bindDialect(cmd, &f.dialect)
	flags.StringVar(&f.workflow, "workflow", "", "the `ID` of the workflow to run; default: the first of the document")
	flags.StringArrayVar(&f.sources, "source", nil, "read a source from elsewhere: `NAME=PATH|URL`; may be repeated")
	flags.StringArrayVar(&f.servers, "server", nil, "bind a source's server: `NAME=URL`; may be repeated")
	flags.BoolVar(&f.allowPrivate, "allow-private", false, "let this run reach loopback and private addresses")
	flags.BoolVar(&f.sandbox, "sandbox", false, "run on the embedded directory: nothing leaves this machine")
}

// bindDialect gives cmd the flag --dialect.
func bindDialect(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "dialect", string(arazzo.Strict), "how the document is read: strict, as the specification says, or compat, as people write")
	_ = cmd.RegisterFlagCompletionFunc("dialect", cobra.FixedCompletions([]string{string(arazzo.Strict), string(arazzo.Compat)}, cobra.ShellCompDirectiveNoFileComp))
}

func parseDialect(s string) (arazzo.Dialect, error) {
	switch d := arazzo.Dialect(s); d {
	case arazzo.Strict, arazzo.Compat:
		return d, nil
	}
	return "", fault.New(fault.Usage, "there is no dialect %q", s).At("--dialect").Fix("use strict or compat")
}

// request turns the flags into a PlanRequest.
func (f *documentFlags) request(sh *shell, cmd *cobra.Command, file string) (PlanRequest, error) {
	dialect, err := parseDialect(f.dialect)
	sources, err2 := pairs("--source", f.sources)
	servers, err3 := pairs("--server", f.servers)
	if err := fault.Join(err, err2, err3); err != nil {
		return PlanRequest{}, err
	}
	return PlanRequest{
		Settings: sh.settings(cmd), File: file, Dialect: dialect, Workflow: f.workflow, Sources: sources,
		Bindings: run.Bindings{Sandbox: f.sandbox, Servers: servers, AllowPrivate: f.allowPrivate},
	}, nil
}

func (sh *shell) settings(cmd *cobra.Command) Settings {
	return Settings{Config: sh.config, ConfigGiven: configGiven(cmd), Data: sh.data, DataGiven: cmd.Flags().Changed("data"), Log: sh.log}
}

// pairs reads NAME=VALUE flags.
func pairs(flag string, list []string) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := map[string]string{}
	for _, item := range list {
		name, v, ok := strings.Cut(item, "=")
		if !ok || name == "" || v == "" {
			return nil, fault.New(fault.Usage, "%q is not NAME=VALUE", item).At("%s", flag).Fix("write %s NAME=VALUE", flag)
		}
		if _, twice := out[name]; twice {
			return nil, fault.New(fault.Usage, "%s is given twice", name).At("%s", flag)
		}
		out[name] = v
	}
	return out, nil
}

// plan builds a plan and prints what the person should know on stderr: notices
// about sources always, warnings of the document, and all errors when there is
// no plan.
func (sh *shell) plan(ctx context.Context, req PlanRequest) (*plan.Result, error) {
	if sh.product.Plan == nil {
		return nil, missingPart("plans")
	}
	result, err := sh.product.Plan(ctx, req)
	if err != nil {
		return nil, err
	}
	for _, n := range result.Notices {
		fmt.Fprintln(sh.Err, "note: "+printable(n))
	}
	if err := checkNames(result, req); err != nil {
		return result, err
	}
	if !result.OK() {
		return result, result.Err()
	}
	for _, d := range result.Diagnostics {
		if d.Severity == arazzo.Warning {
			fmt.Fprintln(sh.Err, printable(d.String()))
		}
	}
	return result, knownSources(result.Plan, req)
}

// knownSources refuses flags for sources that no document of the plan has: a
// mistyped name would otherwise be passed over in silence.
func knownSources(p *plan.Plan, req PlanRequest) error {
	var names []string
	for _, d := range p.Bundle.Documents {
		for _, s := range d.Sources {
			names = append(names, s.Name)
		}
	}
	var problems []error
	for _, flag := range []struct {
		name  string
		given map[string]string
	}{{"--source", req.Sources}, {"--server", req.Bindings.Servers}} {
		for _, name := range slices.Sorted(maps.Keys(flag.given)) {
			if slices.Contains(names, name) {
				continue
			}
			e := fault.New(fault.Usage, "the document has no source %q", name).At("%s", flag.name)
			if near := spelling.Nearest(name, names); near != "" {
				problems = append(problems, e.Fix("did you mean %s?", near))
				continue
			}
			problems = append(problems, e.Fix("its sources are %s", strings.Join(names, ", ")))
		}
	}
	return fault.Join(problems...)
}

// checkNames refuses flags for a source that no document of the plan has: what
// was meant for a mistyped name would silently go somewhere else.
func checkNames(result *plan.Result, req PlanRequest) error {
	names := make([]string, 0, len(result.Sources))
	for _, s := range result.Sources {
		names = append(names, s.Name)
	}
	if result.Document != nil {
		for _, s := range result.Document.Sources {
			names = append(names, s.Name.Value)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var errs []error
	for _, flag := range []struct {
		name  string
		given map[string]string
	}{{"--source", req.Sources}, {"--server", req.Bindings.Servers}} {
		for _, name := range slices.Sorted(maps.Keys(flag.given)) {
			if len(names) == 0 || slices.Contains(names, name) {
				continue
			}
			fix := "the document has " + strings.Join(names, ", ")
			if near := spelling.Nearest(name, names); near != "" {
				fix = "did you mean " + near + "?"
			}
			errs = append(errs, fault.New(fault.Usage, "the document has no source %q", name).At("%s", flag.name).Fix("%s", fix))
		}
	}
	return fault.Join(errs...)
}

// missingPart says that a Product lacks a part.
func missingPart(what string) error {
	return fault.New(fault.Unsupported, "this build has no %s", what)
}
