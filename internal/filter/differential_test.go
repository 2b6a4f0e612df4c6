package filter_test

import (
	"fmt"
	"testing"

	scim2 "github.com/scim2/filter-parser/v2"

	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/filter/filtertest"
)

// The seed and number of the filters that parsers are compared on.
const (
	seed  = 1
	texts = 20_000
)

// TestAgainstSCIM2 compares with github.com/scim2/filter-parser. The parsers
// from npm are compared by script/clients, on the same filters.
func TestAgainstSCIM2(t *testing.T) {
	t.Parallel()
	ledger, err := filtertest.OpenLedger("scim2/filter-parser 2.2.0", parseSCIM2, filtertest.Same)
	if err != nil {
		t.Fatal(err)
	}
	unexplained := 0
	for _, text := range filtertest.Texts(seed, texts) {
		if err := ledger.Check(text); err != nil {
			if unexplained++; unexplained <= 20 {
				t.Error(err)
			}
		}
	}
	if unexplained > 0 {
		t.Errorf("%d differences that differences.yaml does not explain", unexplained)
	}
	if err := ledger.Unshown(); err != nil {
		t.Error(err)
	}
	t.Logf("of %d filters\n%s", texts, ledger)
}

// parseSCIM2 returns nil when the parser refuses.
func parseSCIM2(text string) filter.Expr {
	e, err := scim2.ParseFilterNumber([]byte(text))
	if err != nil {
		return nil
	}
	return fromSCIM2(e)
}

func fromSCIM2(e scim2.Expression) filter.Expr {
	switch e := e.(type) {
	case *scim2.LogicalExpression:
		terms := []filter.Expr{fromSCIM2(e.Left), fromSCIM2(e.Right)}
		if e.Operator == scim2.AND {
			return &filter.And{Terms: terms}
		}
		return &filter.Or{Terms: terms}
	case *scim2.NotExpression:
		return &filter.Not{Term: fromSCIM2(e.Expression)}
	case *scim2.ValuePath:
		return &filter.Has{Path: e.AttributePath.String(), Term: fromSCIM2(e.ValueFilter)}
	case *scim2.AttributeExpression:
		return &filter.Compare{Path: e.AttributePath.String(), Op: filter.Op(e.Operator), Value: e.CompareValue}
	}
	panic(fmt.Sprintf("%T", e))
}
