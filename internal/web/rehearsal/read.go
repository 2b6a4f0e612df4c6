package rehearsal

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Scope is what rules can speak of.
type Scope struct {
	APIs []string // names of the façades
	// Endpoints returns where an operation of a façade's description is, none when
	// it is not known. Nil: rules cannot name operations.
	Endpoints func(operationID string) []Endpoint
}

// Bounds of a setting.
const (
	maxRules = 1000
	maxDelay = 10 * time.Minute
	maxCount = 1_000_000_000
)

// Parse reads a setting from YAML, of which JSON is a part. file is the name in
// places. Everything that is wrong is reported at once, each with line and
// column.
func Parse(file string, data []byte, scope Scope) (*Setting, error) {
	root, err := value.ParseYAML(data, file)
	if err != nil {
		return nil, err
	}
	r := &reader{Reader: strict.Reader{File: file}, scope: scope}
	s := r.setting(root)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// reader knows the form of a setting.
type reader struct {
	strict.Reader
	scope Scope
}

// text reads a text that is not empty.
func (r *reader) text(into *string) strict.Field {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Value == "" || value.FromYAML(n) == nil {
			r.Wrong(n, "", "this must be text")
			return
		}
		*into = n.Value
	}
}

func (r *reader) duration(into *Duration) strict.Field {
	return func(n *yaml.Node) {
		v, err := time.ParseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || v <= 0 || v > maxDelay {
			r.Wrong(n, "write it as 500ms or 2s", "this must be a time of at most %v", maxDelay)
			return
		}
		*into = Duration(v)
	}
}

func (r *reader) setting(n *yaml.Node) *Setting {
	s := &Setting{Rules: []Rule{}}
	r.Mapping(n, "the setting", map[string]strict.Field{
		"seed": func(n *yaml.Node) {
			number, ok := value.FromYAML(n).(json.Number)
			v, err := strconv.ParseUint(string(number), 10, 64)
			if !ok || err != nil {
				r.Wrong(n, "", "this must be a whole number that is not negative")
			}
			s.Seed = v
		},
		"limits": func(n *yaml.Node) { s.Limits = r.limits(n) },
		"rules": func(n *yaml.Node) {
			r.Each(func(n *yaml.Node) { s.Rules = append(s.Rules, r.rule(n, len(s.Rules)+1)) })(n)
			if len(s.Rules) > maxRules {
				r.Wrong(n, "", "there are %d rules, the limit is %d", len(s.Rules), maxRules)
			}
			r.names(n, s.Rules)
		},
	})
	return s
}

// names refuses names that several rules have: counts go by them.
func (r *reader) names(list *yaml.Node, rules []Rule) {
	seen := map[string]bool{}
	for i, rule := range rules {
		if seen[rule.Name] {
			r.Wrong(strict.Follow(list.Content[i]), "", "another rule is called %q, too", rule.Name)
		}
		seen[rule.Name] = true
	}
}

func (r *reader) limits(n *yaml.Node) *Limits {
	l := &Limits{}
	var share int
	r.Mapping(n, "limits", map[string]strict.Field{
		"enforce": r.Flag(&l.Enforce),
		"org":     r.Choice(&l.Org, orgs...),
		"share":   r.Percent(&share),
	})
	l.Share = Percent(share)
	return l
}

// rule reads the rule that stands at a place of the list.
func (r *reader) rule(n *yaml.Node, place int) Rule {
	rule := Rule{Name: "rule " + strconv.Itoa(place)}
	method := func(n *yaml.Node) {
		var name string
		r.Choice(&name, http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete)(n)
		rule.Methods = append(rule.Methods, name)
	}
	written := r.Mapping(n, "a rule", map[string]strict.Field{
		"name": r.text(&rule.Name),
		"api":  r.Choice(&rule.API, r.scope.APIs...),
		"method": func(n *yaml.Node) {
			if n.Kind == yaml.SequenceNode {
				r.Each(method)(n)
				return
			}
			method(n)
		},
		"path":      r.path(&rule.Path),
		"operation": r.text(&rule.Operation),
		"caller":    r.caller(&rule.Caller),
		"times": func(n *yaml.Node) {
			r.Each(func(n *yaml.Node) {
				var v int
				r.Between(&v, 1, maxCount)(n)
				rule.Times = append(rule.Times, v)
			})(n)
			if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
				r.Wrong(n, "", "the list is empty: the rule would never fire")
			}
		},
		"first":       r.Between(&rule.First, 1, maxCount),
		"every":       r.Between(&rule.Every, 1, maxCount),
		"probability": r.probability(&rule.Probability),
		"effect":      r.Choice(&rule.Effect, slices.Sorted(maps.Keys(effects))...),
		"status":      r.Between(&rule.Status, 200, 599),
		"wait":        r.duration(&rule.Wait),
		"delay":       r.duration(&rule.Delay),
		"fields": r.Each(func(n *yaml.Node) {
			var name string
			r.text(&name)(n)
			rule.Fields = append(rule.Fields, name)
		}),
	})
	if written != nil {
		r.whole(strict.Follow(n), &rule, written)
	}
	return rule
}

func (r *reader) path(into *string) strict.Field {
	return func(n *yaml.Node) {
		r.text(into)(n)
		if *into == "" {
			return
		}
		if _, err := web.ParsePattern(*into); err != nil {
			r.Wrong(n, "", "%s", fault.Public(err))
		}
	}
}

func (r *reader) probability(into *float64) strict.Field {
	return func(n *yaml.Node) {
		number, ok := value.FromYAML(n).(json.Number)
		v, err := number.Float64()
		if !ok || err != nil || v <= 0 || v > 1 {
			r.Wrong(n, "write it as 0.1", "this must be a number above 0, at most 1")
			return
		}
		*into = v
	}
}

// minDigest is how many digits of a token's digest tell it from others.
const minDigest = 8

func (r *reader) caller(into *string) strict.Field {
	return func(n *yaml.Node) {
		r.text(into)(n)
		digest, ok := strings.CutPrefix(*into, digestPrefix)
		if !ok {
			return
		}
		_, err := hex.DecodeString(digest[:len(digest)/2*2])
		if err != nil || len(digest) < minDigest || len(digest) > 64 || digest != strings.ToLower(digest) {
			r.Wrong(n, "write "+digestPrefix+" and at least 8 hexadecimal digits in lower case", "this is no digest of a token")
		}
	}
}

// whole checks what concerns several keys of a rule.
func (r *reader) whole(n *yaml.Node, rule *Rule, written map[string]*yaml.Node) {
	r.schedule(written)
	r.effect(n, rule, written)
	if at := written["operation"]; at != nil && rule.Operation != "" {
		for _, key := range []string{"api", "method", "path"} {
			if written[key] != nil {
				r.Wrong(written[key], "remove it, or operation", "operation says already what %s would", key)
			}
		}
		if r.scope.Endpoints == nil || len(r.scope.Endpoints(rule.Operation)) == 0 {
			r.Wrong(at, "use path and method", "no description has the operation %q", rule.Operation)
		}
	}
	if r.Err() == nil {
		if err := rule.compile(r.scope.Endpoints); err != nil {
			r.Wrong(n, "", "%s", fault.Public(err))
		}
	}
}

// schedule refuses several ways to say when a rule fires.
func (r *reader) schedule(written map[string]*yaml.Node) {
	var first string
	for _, key := range []string{"times", "first", "every", "probability"} {
		switch {
		case written[key] == nil:
		case first == "":
			first = key
		default:
			r.Wrong(written[key], "keep one of them", "%s and %s exclude each other", first, key)
		}
	}
}

// effect checks that the keys fit the effect: one that is silently unused is a
// misunderstanding.
func (r *reader) effect(n *yaml.Node, rule *Rule, written map[string]*yaml.Node) {
	if written["effect"] == nil {
		r.Wrong(n, strict.OneOf(maps.Keys(effects)), "the rule needs an effect")
	}
	e, ok := effects[rule.Effect]
	if !ok {
		return
	}
	for _, key := range []string{"status", "wait", "delay", "fields"} {
		switch at := written[key]; {
		case at == nil && slices.Contains(e.needs, key):
			r.Wrong(n, "", "the effect %s needs %s", rule.Effect, key)
		case at != nil && !slices.Contains(e.needs, key) && !slices.Contains(e.may, key):
			r.Wrong(at, "remove it, or change the effect", "the effect %s has no use for %s", rule.Effect, key)
		}
	}
	if e.failing && rule.Status != 0 && rule.Status < 400 {
		r.Wrong(written["status"], "use one from 400 to 599", "%d is not the status of a failure", rule.Status)
	}
}
