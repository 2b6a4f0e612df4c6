package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// exchangeLog is the log of SCIM calls, in or out: the flags that select from it,
// and how it is printed.
type exchangeLog struct {
	shell  *shell
	output output
	query  wirelog.Query
	status string
	since  time.Duration
	bodies bool
	last   int
}

// bind gives a command the flags of the log.
func (l *exchangeLog) bind(cmd *cobra.Command) {
	l.output.bind(cmd, formatText, formatJSON)
	flags := cmd.Flags()
	flags.StringVar(&l.status, "status", "", "calls with this `STATUS`: 404, 4xx, or none for those without an answer")
	flags.StringVar(&l.query.Method, "method", "", "calls with this `METHOD`")
	flags.StringVar(&l.query.Subject, "subject", "", "calls about the account, group or resource with this `ID`")
	flags.StringVar(&l.query.Text, "text", "", "calls with this `TEXT` in address, bodies or reasons")
	flags.DurationVar(&l.since, "since", 0, "calls of the last `TIME`, such as 10m or 24h")
	flags.IntVar(&l.last, "last", wirelog.DefaultLimit, "how `MANY` calls at most, the newest")
	flags.BoolVar(&l.bodies, "bodies", false, "show headers and bodies too; secrets are masked")
}

// show prints what the flags select of a scope; "" is every scope.
func (l *exchangeLog) show(ctx context.Context, session Session, scope string, direction wirelog.Direction) error {
	q := l.query
	q.Scope, q.Direction = scope, direction
	var err error
	if q.Status, err = readStatus(l.status); err != nil {
		return err
	}
	if l.since > 0 {
		q.Since = time.Now().Add(-l.since)
	}
	exchanges := []wirelog.Exchange{}
	for len(exchanges) < l.last {
		q.Limit = min(l.last-len(exchanges), wirelog.DefaultLimit)
		page, err := session.Exchanges(ctx, q)
		if err != nil {
			return err
		}
		exchanges = append(exchanges, page.Exchanges...)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if l.output.json() {
		return writeJSON(l.shell.Out, l.output.format, struct {
			Exchanges []wirelog.Exchange `json:"exchanges"`
		}{exchanges})
	}
	slices.Reverse(exchanges) // as it happened
	for i := range exchanges {
		l.print(&exchanges[i])
	}
	return nil
}

// readStatus reads 404, 4xx and none.
func readStatus(text string) (int, error) {
	class, isClass := strings.CutSuffix(strings.ToLower(text), "xx")
	n, err := strconv.Atoi(class)
	switch {
	case text == "":
		return 0, nil
	case text == "none":
		return wirelog.NoAnswer, nil
	case err != nil, isClass && (n < 1 || n > 5), !isClass && (n < 100 || n > 599):
		return 0, fault.New(fault.Usage, "%q is no status", text).At("--status").Fix("write 404, 4xx or none")
	}
	return n, nil
}

// print writes an exchange for people.
func (l *exchangeLog) print(e *wirelog.Exchange) {
	line := func(format string, args ...any) { fmt.Fprintln(l.shell.Out, printable(fmt.Sprintf(format, args...))) }
	answer := strconv.Itoa(e.Status)
	if e.Status == 0 {
		answer = "no answer: " + e.Failure
	}
	address := e.Path
	if e.Query != "" {
		address += "?" + e.Query
	}
	line("%s  %s %s  → %s  (%s, %s)", e.At.Local().Format("2006-01-02 15:04:05.000"), e.Method, address, answer, e.Took.Round(time.Millisecond), e.ID)
	for _, why := range e.Why {
		line("    because: %s", why)
	}
	if !l.bodies {
		return
	}
	for _, part := range []struct {
		headers map[string][]string
		body    string
	}{{e.RequestHeaders, e.RequestBody}, {e.ResponseHeaders, e.ResponseBody}} {
		for _, name := range slices.Sorted(maps.Keys(part.headers)) {
			line("    %s: %s", name, strings.Join(part.headers[name], ", "))
		}
		for text := range strings.SplitSeq(indented(part.body), "\n") {
			if text != "" {
				line("    %s", text)
			}
		}
	}
}

// indented is a JSON text on many lines; other texts stay as they are.
func indented(body string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(body), "", "  ") != nil {
		return body
	}
	return b.String()
}

func newProvisionLog(sh *shell) *cobra.Command {
	return newExchangeLog(sh, wirelog.Out, &cobra.Command{
		Use:   "log [APP]",
		Short: "Show the requests that were sent to targets",
		Long: `Show the requests that were sent to a target, or to all of them, with the answer
and the reasons for each, as they happened. Secrets are masked.`,
		Example: `  lanyard provision log "My SCIM app" --status 4xx --bodies`,
	}, func(ctx context.Context, session Session, app string) (string, error) {
		reply, err := session.Provisioning(ctx, provision.Command{Do: provision.ShowMapping, App: app})
		if err != nil {
			return "", err
		}
		return wirelog.TargetScope(reply.App), nil
	})
}

func newSCIMLog(sh *shell) *cobra.Command {
	return newExchangeLog(sh, wirelog.In, &cobra.Command{
		Use:   "log [CONNECTION]",
		Short: "Show the requests that SCIM clients sent",
		Long: `Show the requests that SCIM clients sent to a connection, or to all of them, with
the answer and the reasons for each, as they happened; those with a token that
was rejected too. Secrets are masked.`,
		Example: `  lanyard scim log acme --status 4xx --bodies`,
	}, func(ctx context.Context, session Session, ref string) (string, error) {
		connection, err := session.SCIMConnection(ctx, ref)
		if err != nil {
			return "", err
		}
		return wirelog.ConnectionScope(connection.ID), nil
	})
}

// newReplay returns a command that makes a call of the log once more.
func newReplay(sh *shell, cmd *cobra.Command) *cobra.Command {
	var format output
	cmd.Args = takes("ID")
	format.bind(cmd, formatText, formatJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withSession(sh, cmd, ReadWrite, func(ctx context.Context, session Session) error {
			again, err := session.ReplayExchange(ctx, args[0])
			if err != nil {
				return err
			}
			if format.json() {
				return writeJSON(sh.Out, format.format, again)
			}
			fmt.Fprintln(sh.Out, strconv.Itoa(again.Status))
			if again.Body != "" {
				fmt.Fprintln(sh.Out, printable(indented(again.Body)))
			}
			if again.LeftOut {
				fmt.Fprintln(sh.Err, "the log has no secrets: they were left out")
			}
			return nil
		})
	}
	return cmd
}

func newSCIMReplay(sh *shell) *cobra.Command {
	return newReplay(sh, &cobra.Command{
		Use:   "replay ID",
		Short: "Make a call of the log once more",
		Long: `Make a call that a SCIM client sent once more, at the same connection, and show
the answer. The log shows the ids. It needs no token, and is in the log again.
What it changes is changed: look at the call first.`,
		Example: `  lanyard scim replay p7dq2mvk4xw3c5ajrt6n`,
	})
}

func newProvisionReplay(sh *shell) *cobra.Command {
	return newReplay(sh, &cobra.Command{
		Use:   "replay ID",
		Short: "Send a call of the log once more",
		Long: `Send a call of the log to its target once more, by the credential that the target
has now, and show the answer. The log shows the ids, and the call is in it again.
What it changes is changed: look at the call first. A creation may create twice;
"lanyard provision now" looks first.`,
		Example: `  lanyard provision replay p7dq2mvk4xw3c5ajrt6n`,
	})
}

// newExchangeLog completes a command that shows the calls of one direction. scope
// is that of what its argument names.
func newExchangeLog(sh *shell, direction wirelog.Direction, cmd *cobra.Command, scope func(context.Context, Session, string) (string, error)) *cobra.Command {
	log := &exchangeLog{shell: sh}
	log.bind(cmd)
	cmd.Args = takes(strings.Fields(cmd.Use)[1:]...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withSession(sh, cmd, ReadOnly, func(ctx context.Context, session Session) (err error) {
			of := ""
			if len(args) > 0 {
				if of, err = scope(ctx, session, args[0]); err != nil {
					return err
				}
			}
			return log.show(ctx, session, of, direction)
		})
	}
	return cmd
}
