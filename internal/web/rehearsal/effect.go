package rehearsal

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/web"
)

// effect is one way to go wrong.
type effect struct {
	needs, may []string // keys of a rule beside those of every effect
	failing    bool     // status is one of a failure
	act        func(x *injection)
}

// The effects. Of those that name no status, the answer to a request that was
// handled has the status the façade gave it.
var effects = map[string]effect{
	// Not handled; the façade's own error. A 429 shows the limit as used up.
	"error": {needs: []string{"status"}, may: []string{"wait"}, failing: true, act: (*injection).refuse},
	// Not handled; what a proxy in front of the provider says.
	"html": {may: []string{"status"}, failing: true, act: (*injection).page},
	// Handled at once; the answer comes late.
	"slow": {needs: []string{"delay"}, act: (*injection).slow},
	// Not handled; no answer until the client gives up, or the connection is cut.
	"timeoutBefore": {may: []string{"delay"}, act: (*injection).loseRequest},
	// Handled; the connection is cut instead of an answer.
	"timeoutAfter": {may: []string{"delay"}, act: (*injection).loseAnswer},
	// Not handled; the connection is reset.
	"reset": {act: (*injection).reset},
	// Handled; the connection is cut in the middle of the answer's body.
	"truncated": {act: (*injection).truncate},
	// Handled; what the answer lists is left out.
	"emptyList": {act: (*injection).emptyList},
	// Handled; the answer has another status.
	"otherStatus": {needs: []string{"status"}, act: (*injection).otherStatus},
	// Handled; the objects of the answer lack fields.
	"without": {needs: []string{"fields"}, act: (*injection).without},
}

// injection is an effect on one request.
type injection struct {
	rule    *Rule
	facade  Facade
	w       http.ResponseWriter
	r       *http.Request
	stopped <-chan struct{}
}

// defaultWait is what a 429 asks for unless the rule says otherwise.
const defaultWait = time.Second

func (x *injection) refuse() {
	wait := time.Duration(x.rule.Wait)
	if wait == 0 {
		wait = defaultWait
	}
	x.facade.Refuse(x.w, x.r, x.rule.Status, wait)
}

func (x *injection) page() {
	status := x.rule.Status
	if status == 0 {
		status = http.StatusBadGateway
	}
	x.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	x.w.WriteHeader(status)
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	fmt.Fprintf(x.w, "<html>\n<head><title>%s</title></head>\n<body>\n<center><h1>%[1]s</h1></center>\n</body>\n</html>\n", title)
}

func (x *injection) slow() {
	a := x.handle()
	if !x.hold(time.Duration(x.rule.Delay)) {
		cut()
	}
	a.send(x.w)
}

func (x *injection) loseRequest() {
	// Only a server that has read the request notices that the client leaves.
	_, _ = io.Copy(io.Discard, io.LimitReader(x.r.Body, web.MaxBody))
	delay := time.Duration(x.rule.Delay)
	if delay == 0 {
		delay = maxDelay
	}
	x.hold(delay)
	cut()
}

func (x *injection) loseAnswer() {
	// The write is to happen even when the client is gone before its end; only
	// holding the answer back is then of no use.
	patient := *x
	patient.r = x.r.WithContext(context.WithoutCancel(x.r.Context()))
	patient.handle()
	x.hold(time.Duration(x.rule.Delay))
	cut()
}

// reset closes the connection so that the client gets a TCP reset. Where the
// connection cannot be reached, as with HTTP/2, it is cut.
func (x *injection) reset() {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		cut()
	}
	inner := conn
	if secured, ok := conn.(*tls.Conn); ok {
		inner = secured.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // what is not sent is dropped, and the peer told
	}
	_ = inner.Close()
}

func (x *injection) truncate() {
	a := x.handle()
	half := a.body.Len() / 2
	if half == 0 {
		cut()
	}
	a.header.Set("Content-Length", strconv.Itoa(a.body.Len()))
	a.body.Truncate(half)
	a.send(x.w)
	_ = http.NewResponseController(x.w).Flush() // or the half would never leave
	cut()
}

func (x *injection) otherStatus() {
	a := x.handle()
	if a.status = x.rule.Status; a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		a.replace(nil)
	}
	a.send(x.w)
}

// totals are the members that count what a list holds, in Auth0's and SCIM's.
var totals = []string{"total", "length", "totalResults", "itemsPerPage"}

// emptyList leaves an answer as if nothing had been found: an array without
// items, or an object whose arrays have none.
func (x *injection) emptyList() {
	a := x.handle()
	if a.status/100 != 2 {
		a.send(x.w)
		return
	}
	a.header["Link"] = slices.DeleteFunc(a.header["Link"], func(link string) bool { return strings.Contains(link, `rel="next"`) })
	if isArray(a.body.Bytes()) {
		a.replace([]byte("[]"))
	} else if page, ok := readObject(a.body.Bytes()); ok {
		for i, f := range page {
			if isArray(f.Value) {
				page[i].Value = []byte("[]")
			} else if slices.Contains(totals, f.Key) {
				page[i].Value = []byte("0")
			}
		}
		a.replace(page.text())
	}
	a.send(x.w)
}

// without removes fields of the object that the answer is, or of those that it
// lists.
func (x *injection) without() {
	a := x.handle()
	if a.status/100 != 2 {
		a.send(x.w)
		return
	}
	missing := func(f member) bool { return slices.Contains(x.rule.Fields, f.Key) }
	if one, ok := readObject(a.body.Bytes()); ok {
		a.replace(slices.DeleteFunc(one, missing).text())
	} else if list, ok := readObjects(a.body.Bytes()); ok {
		for i := range list {
			list[i] = slices.DeleteFunc(list[i], missing)
		}
		a.replace(textOf(list))
	}
	a.send(x.w)
}

// cut ends a request without an answer, or in the middle of one: the server
// closes the connection.
func cut() { panic(http.ErrAbortHandler) }

// hold waits. It reports false when the client gave up or the server ends.
func (x *injection) hold(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.r.Context().Done():
	case <-x.stopped:
	}
	return false
}

// handle lets the façade answer, and keeps the answer.
func (x *injection) handle() *answer {
	a := &answer{header: http.Header{}}
	x.facade.ServeHTTP(a, x.r)
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a
}
