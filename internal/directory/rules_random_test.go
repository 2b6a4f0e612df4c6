package directory_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// TestRulesAtRandom does many things in an order that nobody thought of, and
// looks after each whether memberships and rules agree.
func TestRulesAtRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			newPlay(t, seed).play(120)
		})
	}
}

// play is a directory that random things happen to.
type play struct {
	bench
	random         *rand.Rand
	people, groups []string
	rules          map[string]directory.RuleDraft
	made           int
}

func newPlay(t *testing.T, seed uint64) *play {
	p := &play{bench: newBench(t), random: rand.New(rand.NewPCG(seed, 0)), rules: map[string]directory.RuleDraft{}}
	for i := range 6 {
		p.people = append(p.people, p.person(fmt.Sprintf("p%d", i), "A"))
	}
	for i := range 5 {
		p.groups = append(p.groups, p.group(fmt.Sprintf("G%d", i)))
	}
	return p
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func (p *play) play(steps int) {
	for i := range steps {
		what := p.step()
		p.check(i, what)
		if p.t.Failed() {
			return
		}
	}
}

// step does one thing. What is not allowed just now is no mistake.
func (p *play) step() string {
	ctx, person, group := p.t.Context(), pick(p.random, p.people), pick(p.random, p.groups)
	var err error
	what := p.random.IntN(12)
	switch what {
	case 0, 1, 2:
		p.edit(person)
	case 3:
		err = p.AddMember(ctx, me, org, group, person)
	case 4:
		err = p.RemoveMember(ctx, me, org, group, person)
	case 5, 6:
		err = p.newRule()
	case 7, 8:
		err = p.anyRule(func(id string) error { return p.ActivateRule(ctx, me, org, id) })
	case 9:
		err = p.anyRule(func(id string) error { return p.DeactivateRule(ctx, me, org, id) })
	case 10:
		err = p.anyRule(func(id string) error { return p.DeleteRule(ctx, me, org, id, p.random.IntN(2) == 0) })
	case 11:
		_, err = p.Transition(ctx, me, org, person, pick(p.random, []directory.Operation{directory.Deactivate, directory.Activate}))
	}
	if p.random.IntN(40) == 0 {
		p.replaceGroup()
	}
	if k := fault.KindOf(err); err != nil && k != fault.Conflict && k != fault.Invalid && k != fault.NotFound {
		p.t.Fatalf("step %d: %v", what, err)
	}
	return fmt.Sprint(what, " ", err)
}

func (p *play) edit(person string) {
	p.retitle(person, pick(p.random, []string{"A", "B", "C"}))
}

// newRule makes a rule. Group functions only look down the list, so that there
// is a stable state.
func (p *play) newRule() error {
	p.made++
	at := p.random.IntN(len(p.groups))
	draft := directory.RuleDraft{
		Name: fmt.Sprint(p.made), Groups: []string{p.groups[at]},
		Expression: fmt.Sprintf(`user.title == %q`, pick(p.random, []string{"A", "B", "C"})),
	}
	if at > 0 && p.random.IntN(2) == 0 {
		draft.Expression = fmt.Sprintf(`isMemberOfGroup(%q) %s`, p.groups[p.random.IntN(at)], pick(p.random, []string{"", `AND user.title != "C"`, `OR user.title == "B"`}))
	}
	r, err := p.CreateRule(p.t.Context(), me, org, draft)
	if err == nil {
		p.rules[r.ID] = draft
	}
	return err
}

func (p *play) anyRule(f func(id string) error) error {
	list, err := p.Rules(p.t.Context(), org, "", 0, nil)
	if err != nil || len(list) == 0 {
		return err
	}
	return f(pick(p.random, list).ID)
}

func (p *play) replaceGroup() {
	i := p.random.IntN(len(p.groups))
	p.do(p.DeleteGroup(p.t.Context(), me, org, p.groups[i]))
	p.made++
	p.groups[i] = p.group(fmt.Sprint("new ", p.made))
}

// check compares the claims and memberships with what the rules say.
func (p *play) check(step int, what string) {
	p.t.Helper()
	ctx := p.t.Context()
	rules, err := p.Rules(ctx, org, "", 0, nil)
	p.do(err)
	claims := p.claims()
	for _, c := range claims {
		known := slices.ContainsFunc(rules, func(r *directory.GroupRule) bool { return r.ID == c.Rule })
		if !known || !slices.Contains(p.members(c.Group), c.Account) {
			p.t.Errorf("step %d (%s): the claim %+v has no rule or no member", step, what, c)
		}
	}
	for _, r := range rules {
		if r.Status != directory.RuleActive {
			continue
		}
		for _, person := range p.people {
			a, err := p.Account(ctx, org, person)
			p.do(err)
			if a.Status == directory.Deprovisioned {
				continue
			}
			in := slices.Contains(p.members(r.Groups[0]), person)
			claimed := slices.Contains(claims, claim{r.ID, r.Groups[0], person})
			switch want := p.holds(r, a); {
			case want && !in:
				p.t.Errorf("step %d (%s): %s is true of %s, who is not in the group", step, what, r.Expression, a.Text("title"))
			case !want && claimed:
				p.t.Errorf("step %d (%s): %s is not true of %s, but keeps a membership", step, what, r.Expression, a.Text("title"))
			}
		}
	}
}

// holds is the expression of a rule in Go.
func (p *play) holds(r *directory.GroupRule, a *directory.Account) bool {
	if slices.Contains(r.ExcludedUsers, a.ID) {
		return false
	}
	title := a.Text("title")
	var group, rest, letter string
	if n, _ := fmt.Sscanf(r.Expression, `user.title == %q`, &letter); n == 1 {
		return title == letter
	}
	if _, err := fmt.Sscanf(r.Expression, `isMemberOfGroup(%q) %s`, &group, &rest); err != nil && rest != "" {
		p.t.Fatal(err)
	}
	in := slices.Contains(p.members(group), a.ID)
	switch rest {
	case "AND":
		return in && title != "C"
	case "OR":
		return in || title == "B"
	}
	return in
}

type claim struct{ Rule, Group, Account string }

func (p *play) claims() (out []claim) {
	p.t.Helper()
	p.do(p.Store.View(p.t.Context(), func(r directory.Reader) error {
		for record, err := range r.Records(directory.RecordQuery{Realm: org, Noun: "rule claim"}) {
			if err != nil {
				return err
			}
			var c claim
			if err := json.Unmarshal(record.Body, &c); err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	}))
	return out
}
