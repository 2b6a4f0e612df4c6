package expr

import "testing"

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("$steps.create.outputs.user#/profile/email"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCriterion(b *testing.B) {
	for _, c := range []struct{ name, context, condition, typ string }{
		{"status", "", "$statusCode == 201", ""},
		{"range", "", "$statusCode >= 200 && $statusCode < 300", ""},
		{"body", "", "$response.body.status == 'active' && $response.body.items[1].id > 1", ""},
		{"fails", "", "$statusCode == 200", ""},
		{"regex", "$statusCode", `^2\d{2}$`, "regex"},
		{"jsonpath", "$response.body", "$.items[?@.id == 2]", "jsonpath"},
		{"jsonpath-embedded", "$response.body", "$.items[?@.id == {$response.body#/count}]", "jsonpath"},
		{"xpath", "$steps.create.outputs.xml", "/invoice/line[@sku = 'b'] = 2", "xpath"},
	} {
		b.Run(c.name, func(b *testing.B) {
			crit, err := CompileCriterion(c.context, c.condition, Type{Name: c.typ})
			if err != nil {
				b.Fatal(err)
			}
			scope := Scope(testScope(b))
			b.ReportAllocs()
			for b.Loop() {
				crit.Eval(scope)
			}
		})
	}
}

func BenchmarkPayload(b *testing.B) {
	v, err := Compile(map[string]any{
		"profile": map[string]any{"login": "$inputs.user", "email": "{$inputs.user}@example.com", "id": "$steps.create.outputs.id", "store": "s-{$inputs.x-store-id}"},
		"rate":    "$response.header.X-Rate-Limit", "fixed": []any{"a", "b"},
	}, Options{Selectors: true})
	if err != nil {
		b.Fatal(err)
	}
	scope := Scope(testScope(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := v.Eval(scope, nil); err != nil {
			b.Fatal(err)
		}
	}
}
