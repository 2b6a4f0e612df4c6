package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/filter/filtertest"
	"github.com/lanyard-id/lanyard/internal/value"
)

// The filters on which parsers are compared: those of internal/filter's tests.
const (
	filterSeed  = 1
	filterCount = 20_000
)

// useParseFilter compares how scim2-parse-filter and we read filters.
func useParseFilter(ctx context.Context, _ *org, out io.Writer) error {
	return compareFilters(ctx, out, "scim2-parse-filter", fromParseFilter, filtertest.Same)
}

// useSCIMMYFilter compares how SCIMMY and we read filters. It keeps no tree, so
// what counts is what the filters mean.
func useSCIMMYFilter(ctx context.Context, _ *org, out io.Writer) error {
	return compareFilters(ctx, out, "scimmy", fromSCIMMY, filtertest.Equivalent)
}

// compareFilters asks a program for the trees of a parser from npm and compares
// them with ours.
func compareFilters(
	ctx context.Context, out io.Writer, name string, read func(tree any) (filter.Expr, error), same func(a, b filter.Expr) bool,
) error {
	if err := haveModules(); err != nil {
		return err
	}
	p, err := startParser(ctx, name)
	if err != nil {
		return err
	}
	ledger, err := filtertest.OpenLedger(name, func(text string) filter.Expr { return p.parse(text, read) }, same)
	if err != nil {
		return errors.Join(err, p.stop())
	}
	const shown = 20
	var unexplained []error
	for _, text := range filtertest.Texts(filterSeed, filterCount) {
		if err := ledger.Check(text); err != nil {
			unexplained = append(unexplained, err)
		}
	}
	err = ledger.Unshown()
	fmt.Fprintf(out, "  of %d filters\n%s\n", filterCount, indent(ledger.String()))
	if n := len(unexplained); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d differences that differences.yaml does not explain", n), errors.Join(unexplained[:min(n, shown)]...))
	}
	return errors.Join(err, p.stop())
}

// parserProgram is a running scim-filters.mjs.
type parserProgram struct {
	*conversation
	failure error // the first; afterwards everything counts as refused
}

func startParser(ctx context.Context, name string) (*parserProgram, error) {
	c, err := converse(ctx, "scim-filters.mjs", name)
	return &parserProgram{conversation: c}, err
}

// stop ends the program and says what went wrong with it.
func (p *parserProgram) stop() error { return errors.Join(p.failure, p.conversation.stop()) }

// parse asks for the tree of a filter: nil when the parser refuses it.
func (p *parserProgram) parse(text string, read func(tree any) (filter.Expr, error)) filter.Expr {
	if p.failure != nil {
		return nil
	}
	tree, err := p.ask(text)
	if err != nil {
		p.failure = fmt.Errorf("%q: %w", text, err)
		return nil
	}
	if tree == nil {
		return nil
	}
	e, err := read(tree)
	if err != nil {
		p.failure = fmt.Errorf("%q: the tree %s: %w", text, value.Text(tree), err)
		return nil
	}
	return e
}

// fromParseFilter reads a tree of scim2-parse-filter: op, and filters, filter,
// valFilter or compValue.
func fromParseFilter(tree any) (filter.Expr, error) {
	node, ok := tree.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	op, _ := node["op"].(string)
	path, _ := node["attrPath"].(string)
	switch op {
	case "and", "or", "not":
		if term, ok := node["filter"]; ok {
			e, err := fromParseFilter(term)
			return &filter.Not{Term: e}, err
		}
		list, _ := node["filters"].([]any)
		terms := make([]filter.Expr, len(list))
		for i, item := range list {
			var err error
			if terms[i], err = fromParseFilter(item); err != nil {
				return nil, err
			}
		}
		switch op {
		case "and":
			return &filter.And{Terms: terms}, nil
		case "or":
			return &filter.Or{Terms: terms}, nil
		}
		return &filter.Not{Term: &filter.And{Terms: terms}}, nil // a not b, which has no meaning
	case "[]":
		term, err := fromParseFilter(node["valFilter"])
		return &filter.Has{Path: path, Term: term}, err
	case "":
		return nil, errors.New("no operator")
	}
	return &filter.Compare{Path: path, Op: filter.Op(strings.ToLower(op)), Value: node["compValue"]}, nil
}

// fromSCIMMY reads SCIMMY's form: a list of alternatives, each an object in which
// a name leads to ["not"?, operator, value], to several of these, which all have
// to hold, or to an object about its sub-attributes.
func fromSCIMMY(tree any) (filter.Expr, error) {
	list, ok := tree.([]any)
	if !ok {
		return nil, errors.New("not a list")
	}
	or := &filter.Or{}
	for _, item := range list {
		and := &filter.And{}
		if item, ok := item.([]any); ok && len(item) == 0 {
			and.Terms = append(and.Terms, fromSCIMMYTerm("", []any{""}))
			or.Terms = append(or.Terms, and)
			continue
		}
		if err := fromSCIMMYObject(item, "", and); err != nil {
			return nil, err
		}
		or.Terms = append(or.Terms, and)
	}
	return or, nil
}

func fromSCIMMYObject(item any, prefix string, and *filter.And) error {
	object, ok := item.(map[string]any)
	if !ok {
		return errors.New("not an object")
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		list, ok := object[name].([]any)
		if !ok {
			if err := fromSCIMMYObject(object[name], prefix+name+".", and); err != nil {
				return err
			}
			continue
		}
		if _, several := list[0].([]any); !several {
			list = []any{list}
		}
		for _, item := range list {
			parts, ok := item.([]any)
			if !ok || len(parts) == 0 {
				return errors.New("not a comparison")
			}
			and.Terms = append(and.Terms, fromSCIMMYTerm(prefix+name, parts))
		}
	}
	return nil
}

func fromSCIMMYTerm(path string, parts []any) filter.Expr {
	if parts[0] == "not" {
		return &filter.Not{Term: fromSCIMMYTerm(path, parts[1:])}
	}
	c := &filter.Compare{Path: path, Op: filter.Op(value.Text(parts[0]))}
	if c.Op != filter.Present {
		c.Value = filtertest.Nothing
	}
	if len(parts) > 1 {
		c.Value = parts[1]
	}
	return c
}
