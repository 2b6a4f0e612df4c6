package extract

import (
	"context"
	"iter"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/strict"
)

// tableOrigin is a table of Lanyard.
type tableOrigin struct{ name string }

// table reads table: a name.
func (s *section) table(n *yaml.Node) origin {
	o := &tableOrigin{}
	if n.Kind == yaml.MappingNode {
		s.required(n, "table", s.Mapping(n, "table", map[string]strict.Field{"name": s.Text(&o.name)}), "name")
		return o
	}
	if s.Text(&o.name)(n); n.Kind == yaml.ScalarNode && o.name == "" {
		s.Wrong(n, "", "the table has no name")
	}
	return o
}

func (o *tableOrigin) open(_ context.Context, env Env) (Reader, error) {
	if env.Tables == nil {
		return nil, fault.New(fault.Internal, "there are no tables here")
	}
	return &tableReader{tableOrigin: o, tables: env.Tables}, nil
}

// tableReader reads a table of Lanyard.
type tableReader struct {
	*tableOrigin
	tables Tables
}

// Describe implements Reader.
func (t *tableReader) Describe() string { return "table " + t.name }

// Identity implements Reader: a table tells nothing.
func (t *tableReader) Identity() string { return "" }

// Rows implements Reader.
func (t *tableReader) Rows(ctx context.Context) iter.Seq2[Located, error] {
	return rows(func(yield func(Located) bool) error {
		n := 0
		for row, err := range t.tables.Rows(ctx, t.name) {
			if err != nil {
				return err
			}
			n++
			if !yield(Located{Place: "table " + t.name + " row " + strconv.Itoa(n), Row: reconcile.Row(row)}) {
				return nil
			}
		}
		return nil
	})
}
