package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/scim/scimtest"
)

// The patches on which programs are compared.
const (
	patchSeed  = 1
	patchCount = 20_000
)

// useSCIMPatch compares how scim-patch and we apply patches.
func useSCIMPatch(ctx context.Context, _ *org, out io.Writer) error {
	return comparePatches(ctx, out, "scim-patch")
}

// useSCIMMYPatch compares how SCIMMY and we apply patches.
func useSCIMMYPatch(ctx context.Context, _ *org, out io.Writer) error {
	return comparePatches(ctx, out, "scimmy")
}

// comparePatches has a program from npm apply what we apply. Every difference
// has to be explained in internal/scim/scimtest/differences.yaml.
func comparePatches(ctx context.Context, out io.Writer, name string) (err error) {
	if err := haveModules(); err != nil {
		return err
	}
	p, err := startPatcher(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	ledger, err := scimtest.OpenLedger(name, p.apply)
	if err != nil {
		return err
	}
	const shown = 20
	var unexplained []error
	for _, patch := range scimtest.Patches(patchSeed, patchCount) {
		more, err := ledger.Check(patch)
		if err != nil {
			return err
		}
		unexplained = append(unexplained, more...)
	}
	fmt.Fprintf(out, "  of %d patches\n%s\n", patchCount, indent(ledger.String()))
	if n := len(unexplained); n > 0 {
		return errors.Join(fmt.Errorf("%d differences that differences.yaml does not explain", n), errors.Join(unexplained[:min(n, shown)]...))
	}
	return ledger.Unused()
}

// patcher is a running scim-patches.mjs.
type patcher struct{ *conversation }

func startPatcher(ctx context.Context, name string) (patcher, error) {
	c, err := converse(ctx, "scim-patches.mjs", name)
	return patcher{c}, err
}

// apply is a scimtest.Program.
func (p patcher) apply(typ string, r scim.Resource, op map[string]any) (scim.Resource, error) {
	v, err := p.ask(map[string]any{"type": typ, "resource": r, "op": op})
	out, _ := v.(map[string]any)
	return out, err
}
