package extract

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
)

// sqlOrigin is a query of a database.
type sqlOrigin struct {
	database   string     // sqlite:PATH or postgres://..., without a password
	address    secret.Ref // of such an address instead
	password   secret.Ref // PostgreSQL
	query      string
	parameters []any // nil, bool, json.Number, string
}

// sql reads sql.
func (s *section) sql(n *yaml.Node) origin {
	o := &sqlOrigin{}
	written := s.Mapping(n, "sql", map[string]strict.Field{
		"database": s.database(o),
		"password": s.credential(&o.password),
		"query": func(n *yaml.Node) {
			s.Text(&o.query)(n)
			if err := checkQuery(o.query); err != nil {
				s.Wrong(n, "", "%s", fault.Public(err))
			}
		},
		"parameters": s.Each(func(n *yaml.Node) {
			v := value.FromYAML(n)
			if n.Kind != yaml.ScalarNode {
				s.Wrong(n, "", "a parameter must be a text, a number, true, false or null")
			}
			o.parameters = append(o.parameters, v)
		}),
	})
	s.required(n, "sql", written, "database", "query")
	return o
}

// database reads where a database is, or a reference to that.
func (s *section) database(o *sqlOrigin) strict.Field {
	const how = "write sqlite:PATH, postgres://USER@HOST/DATABASE, or env:NAME for an address with a password"
	return func(n *yaml.Node) {
		kind, rest, _ := strings.Cut(n.Value, ":")
		switch {
		case n.Kind == yaml.ScalarNode && secret.IsRef(n.Value):
			s.credential(&o.address)(n)
		case kind == "sqlite" && rest != "":
			o.database = "sqlite:" + s.resolve(rest)
		case kind == "postgres" || kind == "postgresql":
			u, err := url.Parse(n.Value)
			if err != nil || hasPassword(u) {
				s.Wrong(n, "refer to it: password: env:NAME", "a password must not stand in the file")
				return
			}
			o.database = n.Value
		default:
			s.Wrong(n, how, "this database is not known")
		}
	}
}

func hasPassword(u *url.URL) bool {
	_, inUser := u.User.Password()
	return inUser || u.Query().Has("password")
}

// checkQuery makes sure that a query is one statement that reads. The database
// is told to refuse writing as well; this finds it out before anything is sent.
func checkQuery(query string) error {
	words, rest := words(query)
	switch {
	case len(words) == 0:
		return fault.New(fault.Invalid, "the query is empty")
	case rest:
		return fault.New(fault.Invalid, "there is more than one statement; only one is run")
	case words[0] != "select" && words[0] != "with":
		return fault.New(fault.Invalid, "a query begins with SELECT or WITH, and this with %s", strings.ToUpper(words[0]))
	}
	for _, word := range words {
		switch word {
		case "insert", "update", "delete", "merge", "into", "drop", "alter", "create", "truncate", "grant", "revoke", "call":
			return fault.New(fault.Invalid, "the query has the word %s, and may only read; if it is the name of a column, put it between double quotes", strings.ToUpper(word))
		}
	}
	return nil
}

// words returns the words of a statement in lower case, without texts, quoted
// names and comments, and whether another statement follows.
func words(query string) (words []string, more bool) {
	ended := false
	for i := 0; i < len(query); {
		c := query[i]
		switch {
		case c == '\'' || c == '"' || c == '`':
			i = behind(query, i+1, string(c))
		case strings.HasPrefix(query[i:], "--"):
			i = behind(query, i, "\n")
			continue
		case strings.HasPrefix(query[i:], "/*"):
			i = behind(query, i+2, "*/")
			continue
		case c == '$':
			i = behindDollar(query, i)
		case c == ';':
			ended = true
			i++
			continue
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
			continue
		case isWord(c):
			end := i
			for end < len(query) && (isWord(query[end]) || query[end] >= '0' && query[end] <= '9' || query[end] == '$') {
				end++
			}
			words = append(words, strings.ToLower(query[i:end]))
			i = end
		default:
			i++
		}
		if ended {
			return words, true
		}
	}
	return words, false
}

func isWord(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80 }

// behind returns where s goes on behind the next mark after from.
func behind(s string, from int, mark string) int {
	i := strings.Index(s[min(from, len(s)):], mark)
	if i < 0 {
		return len(s)
	}
	return from + i + len(mark)
}

// behindDollar skips PostgreSQL's $tag$text$tag$, or just the sign.
func behindDollar(s string, at int) int {
	end := at + 1
	for end < len(s) && isWord(s[end]) {
		end++
	}
	if end == len(s) || s[end] != '$' {
		return at + 1
	}
	return behind(s, end+1, s[at:end+1])
}

// database is a connection to one.
type database interface {
	// read runs the query in a transaction that only reads, and gives each row
	// until row returns false.
	read(ctx context.Context, query string, parameters []any, columns func(names []string) error, row func(values []any) bool) error
	String() string
}

func (o *sqlOrigin) open(ctx context.Context, env Env) (Reader, error) {
	address := o.database
	if o.address != "" {
		v, err := env.resolve(ctx, o.address)
		if err != nil {
			return nil, err
		}
		address = v.Reveal()
	}
	password, err := env.resolve(ctx, o.password)
	if err != nil {
		return nil, err
	}
	var db database
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		db, err = openSQLite(path)
	} else {
		db, err = openPostgres(address, password)
	}
	if err != nil {
		return nil, err
	}
	return &sqlReader{sqlOrigin: o, db: db}, nil
}

// sqlReader reads the rows of a query.
type sqlReader struct {
	*sqlOrigin
	db database
}

// Describe implements Reader.
func (r *sqlReader) Describe() string { return "query of " + r.db.String() }

// Identity implements Reader: a database tells nothing.
func (r *sqlReader) Identity() string { return "" }

// Rows implements Reader.
func (r *sqlReader) Rows(ctx context.Context) iter.Seq2[Located, error] {
	return rows(func(yield func(Located) bool) error {
		var names []string
		n := 0
		err := r.db.read(ctx, r.query, r.parameters, func(columns []string) error {
			names = columns
			i, err := badHeading(columns)
			if err != nil {
				return fault.New(fault.Invalid, "the name of column %d %s", i+1, fault.Public(err)).At("%s", r.Describe()).
					Fix("give each column a name of its own: SELECT a.id AS id, ...")
			}
			return nil
		}, func(values []any) bool {
			n++
			row := make(reconcile.Row, len(values))
			for i, v := range values {
				row[names[i]] = v
			}
			return yield(Located{Place: "row " + strconv.Itoa(n), Row: row})
		})
		var f *fault.Error
		switch {
		case err == nil:
			return nil
		case errors.As(err, &f) && f.Place == "":
			return f.At("%s", r.Describe())
		case f != nil:
			return f
		}
		return broken(ctx, err, "the query").At("%s", r.Describe())
	})
}

// fromDriver turns a value of database/sql into one of JSON. kind is the
// column's declared type.
func fromDriver(v any, kind string) any {
	switch v := v.(type) {
	case int64:
		if strings.EqualFold(kind, "boolean") && (v == 0 || v == 1) {
			return v == 1 // SQLite has no booleans of its own
		}
		return json.Number(strconv.FormatInt(v, 10))
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
	case time.Time:
		if strings.EqualFold(kind, "date") {
			return v.Format(time.DateOnly)
		}
		return v.Format(time.RFC3339Nano)
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	}
	return v
}

// toDriver turns a parameter into what drivers take.
func toDriver(parameters []any, number func(json.Number) any) []any {
	out := slices.Clone(parameters)
	for i, p := range out {
		if n, ok := p.(json.Number); ok {
			out[i] = number(n)
		}
	}
	return out
}
