package script_test

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// callbackOfScripts is the address of the clients that scripts make. Nobody
// listens there: browsing ends when it is reached.
const callbackOfScripts = "https://app.example.com/"

var hiddenForm = regexp.MustCompile(`<form method="post" action="([^"]+)">\s*<input type="hidden" name="form" value="([^"]+)">`)

// browse goes to an address as a browser does that keeps its cookies for the
// rest of the script, follows redirects, and signs in when it is asked to: browse
// URL [LOGIN PASSWORD]. stdout gets the status and the address at which it ended,
// and the page.
func browse(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 && len(args) != 3 {
		ts.Fatalf("usage: browse URL [LOGIN PASSWORD]")
	}
	jar, ok := ts.Value(browserKey{}).(*cookiejar.Jar)
	if !ok {
		ts.Fatalf("the script has no browser")
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callbackOfScripts) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	res, page := visited(ts)(client.Get(args[0]))
	if form := hiddenForm.FindStringSubmatch(page); form != nil && len(args) == 3 {
		action, err := res.Request.URL.Parse(html.UnescapeString(form[1]))
		ts.Check(err)
		res, page = visited(ts)(client.PostForm(action.String(), url.Values{
			"form": {html.UnescapeString(form[2])}, "login": {args[1]}, "password": {args[2]},
		}))
	}
	at := res.Request.URL.String()
	if to := res.Header.Get("Location"); to != "" {
		at = to
	}
	_, err := io.WriteString(ts.Stdout(), res.Status+" "+at+"\n"+page+"\n")
	ts.Check(err)
}

type browserKey struct{}

// visited reads what a visit led to.
func visited(ts *testscript.TestScript) func(*http.Response, error) (*http.Response, string) {
	return func(res *http.Response, err error) (*http.Response, string) {
		ts.Check(err)
		defer res.Body.Close()
		page, err := io.ReadAll(res.Body)
		ts.Check(err)
		return res, string(page)
	}
}
