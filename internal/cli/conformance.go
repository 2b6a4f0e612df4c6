package cli

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	suite "github.com/lanyard-id/lanyard/conformance"
	"github.com/lanyard-id/lanyard/internal/conformance"
	"github.com/lanyard-id/lanyard/internal/fault"
)

type conformanceOptions struct {
	shell  *shell
	output output
	runner string
	cases  string
	only   []string
}

func newConformance(sh *shell) *cobra.Command {
	opts := conformanceOptions{shell: sh}
	cmd := &cobra.Command{
		Use:     "conformance",
		GroupID: groupSetup,
		Short:   "Judge an Arazzo runner, this one by default",
		Long: `Run the conformance suite for the Arazzo language: each case gives documents,
inputs and scripted replies, and says what a runner must send and answer. Another
runner is judged through a command that follows the contract in
conformance/README.md.`,
		Example: `  lanyard conformance --only N44 --only A7`,
		Args:    takes(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return opts.run(cmd.Context()) },
	}
	opts.output.bind(cmd, formatText, formatJSON)
	flags := cmd.Flags()
	flags.StringVar(&opts.runner, "runner", "", "judge `COMMAND` instead of this program's engine")
	flags.StringVar(&opts.cases, "cases", "", "a `FOLDER` with cases/ and shared/; default: the suite in this program")
	flags.StringArrayVar(&opts.only, "only", nil, "only cases of this `CLAUSE`, or whose id begins with it; may be repeated")
	return cmd
}

// conformanceView is a judgement for programs.
type conformanceView struct {
	Passed  int           `json:"passed"`
	Failed  int           `json:"failed"`
	Clauses []clauseCount `json:"clauses"`
	Cases   []caseView    `json:"cases"`
}

type clauseCount struct {
	Clause string `json:"clause"`
	Passed int    `json:"passed"`
	Failed int    `json:"failed"`
}

type caseView struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Clauses  []string `json:"clauses"`
	Passed   bool     `json:"passed"`
	Problems []string `json:"problems,omitempty"`
}

func (o *conformanceOptions) run(ctx context.Context) error {
	var files fs.FS = suite.Suite
	if o.cases != "" {
		files = os.DirFS(filepath.Clean(o.cases))
	}
	cases, shared, err := conformance.ReadSuite(files)
	if err != nil {
		return err
	}
	cases = slices.DeleteFunc(cases, func(c conformance.Case) bool { return !o.wanted(&c) })
	if len(cases) == 0 {
		return fault.New(fault.Usage, "no case fits").Fix("name a clause such as N44, or the beginning of a case's id")
	}
	var runner conformance.Runner = &conformance.Machine{Shared: shared}
	if o.runner != "" {
		runner = &conformance.Command{Line: o.runner, Shared: shared}
	}
	view, err := o.judge(ctx, runner, cases)
	if err != nil {
		return err
	}
	if err := o.print(view); err != nil {
		return err
	}
	if view.Failed > 0 {
		return outcome(exitFailed)
	}
	return nil
}

func (o *conformanceOptions) wanted(c *conformance.Case) bool {
	if len(o.only) == 0 {
		return true
	}
	return slices.ContainsFunc(o.only, func(want string) bool {
		return slices.Contains(c.Clauses, want) || strings.HasPrefix(c.ID, want)
	})
}

func (o *conformanceOptions) judge(ctx context.Context, runner conformance.Runner, cases []conformance.Case) (conformanceView, error) {
	var view conformanceView
	counts := map[string]*clauseCount{}
	p := newProgress(o.shell.IO)
	defer p.done()
	for i := range cases {
		c := &cases[i]
		got, err := runner.Run(ctx, c)
		if ctx.Err() != nil {
			return view, ctx.Err()
		}
		verdict := conformance.Judge(c, got)
		if err != nil {
			verdict.Problems = append(verdict.Problems, fault.Public(err))
		}
		view.Cases = append(view.Cases, caseView{ID: c.ID, Title: c.Title, Clauses: c.Clauses, Passed: verdict.Passed(), Problems: verdict.Problems})
		if verdict.Passed() {
			view.Passed++
		} else {
			view.Failed++
		}
		for _, clause := range c.Clauses {
			n := counts[clause]
			if n == nil {
				n = &clauseCount{Clause: clause}
				counts[clause] = n
			}
			if verdict.Passed() {
				n.Passed++
			} else {
				n.Failed++
			}
		}
		p.show("judged %d of %d cases, %d failed", i+1, len(cases), view.Failed)
	}
	for _, n := range counts {
		view.Clauses = append(view.Clauses, *n)
	}
	slices.SortFunc(view.Clauses, func(a, b clauseCount) int { return compareClauses(a.Clause, b.Clause) })
	return view, nil
}

// compareClauses orders N before A, and by number.
func compareClauses(a, b string) int {
	if a[0] != b[0] {
		return int(b[0]) - int(a[0])
	}
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func (o *conformanceOptions) print(v conformanceView) error {
	if o.output.json() {
		return writeJSON(o.shell.Out, o.output.format, v)
	}
	for _, c := range v.Cases {
		if c.Passed {
			continue
		}
		fmt.Fprintf(o.shell.Out, "FAIL %s (%s): %s\n", c.ID, strings.Join(c.Clauses, ", "), c.Title)
		for _, p := range c.Problems {
			fmt.Fprintln(o.shell.Out, "     "+printable(p))
		}
	}
	fmt.Fprintf(o.shell.Out, "%d passed, %d failed, %d clauses\n", v.Passed, v.Failed, len(v.Clauses))
	return nil
}
