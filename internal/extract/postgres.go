package extract

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/value"
)

// postgresServer is a database of PostgreSQL.
type postgresServer struct{ config *pgx.ConnConfig }

func openPostgres(address string, password secret.Value) (database, error) {
	config, err := pgx.ParseConfig(address)
	if kind, _, _ := strings.Cut(address, "://"); err != nil || kind != "postgres" && kind != "postgresql" { // it quotes the address, which may hold a password
		return nil, fault.New(fault.Invalid, "the address of the database cannot be read").Fix("write it as postgres://USER@HOST:PORT/DATABASE")
	}
	if !password.Empty() {
		config.Password = password.Reveal()
	}
	if config.ConnectTimeout == 0 { // connect_timeout of the address says otherwise
		config.ConnectTimeout = dialTimeout
	}
	return &postgresServer{config}, nil
}

func (p *postgresServer) String() string { return p.config.Host + "/" + p.config.Database }

// settings make PostgreSQL write times as everybody reads them.
const settings = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL bytea_output = 'hex'"

// read implements database. Values come as PostgreSQL writes them, so that no
// digit is lost.
func (p *postgresServer) read(ctx context.Context, query string, parameters []any, columns func([]string) error, row func([]any) bool) error {
	conn, err := pgx.ConnectConfig(ctx, p.config)
	if err != nil {
		return p.refused(ctx, err, "PostgreSQL at "+net.JoinHostPort(p.config.Host, strconv.Itoa(int(p.config.Port)))+" cannot be reached"+inTime(err), "check address, password and network")
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it was only read
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // there is nothing to keep
	if _, err := tx.Exec(ctx, settings); err != nil {
		return err
	}
	reading, stop := context.WithCancel(ctx)
	arguments := append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, toDriver(parameters, func(n json.Number) any { return n.String() })...)
	found, err := tx.Query(reading, query, arguments...)
	if err != nil {
		stop()
		return p.refused(ctx, err, "PostgreSQL refuses the query", "correct it; it may only read")
	}
	defer found.Close()
	defer stop() // first: else Close reads what is left
	if done, err := p.rows(conn.TypeMap(), found, columns, row); err != nil || !done {
		return err
	}
	if err := found.Err(); err != nil {
		return p.refused(ctx, err, "PostgreSQL refuses the query", "correct it; it may only read")
	}
	return ctx.Err()
}

// inTime says that an error is one of time.
func inTime(err error) string {
	if t := (net.Error)(nil); errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout() {
		return " in time"
	}
	return ""
}

func (p *postgresServer) rows(types *pgtype.Map, found pgx.Rows, columns func([]string) error, row func([]any) bool) (done bool, err error) {
	fields := found.FieldDescriptions()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	if err := columns(names); err != nil {
		return false, err
	}
	values := make([]any, len(fields))
	for found.Next() {
		for i, text := range found.RawValues() {
			v, err := fromPostgres(types, fields[i].DataTypeOID, text)
			if err != nil {
				return false, fault.Wrap(fault.Invalid, err, "column %s cannot be read", names[i]).Fix("cast it to text in the query")
			}
			values[i] = v
		}
		if !row(values) {
			return false, nil
		}
	}
	return true, nil
}

// fromPostgres reads a value as PostgreSQL writes it.
func fromPostgres(types *pgtype.Map, oid uint32, text []byte) (any, error) {
	if text == nil {
		return nil, nil
	}
	s := string(text)
	switch oid {
	case pgtype.BoolOID:
		return s == "t", nil
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.NumericOID, pgtype.Float4OID, pgtype.Float8OID:
		if json.Valid(text) {
			return json.Number(s), nil
		}
		return s, nil // NaN, Infinity
	case pgtype.JSONOID, pgtype.JSONBOID:
		return value.Decode(text)
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		return isoTime(s), nil
	case pgtype.ByteaOID:
		raw, err := hex.DecodeString(strings.TrimPrefix(s, `\x`))
		return base64.StdEncoding.EncodeToString(raw), err
	case pgtype.BPCharOID:
		return strings.TrimRight(s, " "), nil // char(10) is padded
	}
	if t, ok := types.TypeForOID(oid); ok {
		if array, ok := t.Codec.(*pgtype.ArrayCodec); ok {
			list, rest, err := postgresList(s, 1, func(text []byte) (any, error) { return fromPostgres(types, array.ElementType.OID, text) })
			if err == nil && rest != "" {
				err = errors.New("text behind an array")
			}
			return list, err
		}
	}
	return s, nil
}

// isoTime turns "2026-01-31 10:00:00.5+00" into RFC 3339. Infinity stays.
func isoTime(s string) string {
	day, hour, ok := strings.Cut(s, " ")
	if !ok {
		return s
	}
	if utc, ok := strings.CutSuffix(hour, "+00"); ok {
		hour = utc + "Z"
	}
	return day + "T" + hour
}

// maxDimensions bounds arrays in arrays; PostgreSQL has six.
const maxDimensions = 8

// postgresList reads an array as PostgreSQL writes it: {a,"b c",NULL,{d}}.
func postgresList(s string, depth int, element func([]byte) (any, error)) (list []any, rest string, err error) {
	bad := errors.New("not an array")
	if strings.HasPrefix(s, "[") { // bounds other than usual: [0:1]={a,b}
		_, s, _ = strings.Cut(s, "=")
	}
	if !strings.HasPrefix(s, "{") || depth > maxDimensions {
		return nil, "", bad
	}
	list, s = []any{}, s[1:]
	if rest, ok := strings.CutPrefix(s, "}"); ok {
		return list, rest, nil
	}
	for {
		var v any
		switch {
		case s == "":
			return nil, "", bad
		case s[0] == '{':
			v, s, err = postgresList(s, depth+1, element)
		case s[0] == '"':
			var text []byte
			if text, s, err = postgresQuoted(s[1:]); err == nil {
				v, err = element(text)
			}
		default:
			end := strings.IndexAny(s, ",}")
			if end < 0 {
				return nil, "", bad
			}
			if s[:end] != "NULL" {
				v, err = element([]byte(s[:end]))
			}
			s = s[end:]
		}
		if err != nil {
			return nil, "", err
		}
		list = append(list, v)
		switch {
		case strings.HasPrefix(s, ","):
			s = s[1:]
		case strings.HasPrefix(s, "}"):
			return list, s[1:], nil
		default:
			return nil, "", bad
		}
	}
}

// postgresQuoted reads an element between quotes, whose opening one was read.
func postgresQuoted(s string) (text []byte, rest string, err error) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i < len(s) {
				text = append(text, s[i])
			}
		case '"':
			if text == nil {
				text = []byte{}
			}
			return text, s[i+1:], nil
		default:
			text = append(text, s[i])
		}
	}
	return nil, "", errors.New("a quote is missing")
}

// refused words an error of the server. Its message is shown where it is about
// the query; others may hold values.
func (p *postgresServer) refused(ctx context.Context, err error, what, remedy string) error {
	if ctx.Err() != nil {
		return err
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return fault.Wrap(fault.Unavailable, err, "%s", what).Fix("%s", remedy)
	}
	switch e.Code[:min(2, len(e.Code))] {
	case "42", "25", "28", "3D": // the query, what is read-only, who it is, which database: PostgreSQL, appendix A
		return fault.Wrap(fault.Invalid, err, "%s: %s (%s)", what, e.Message, e.Code).Fix("%s", remedy)
	}
	return fault.Wrap(fault.Unavailable, err, "PostgreSQL broke off with %s", e.Code).Fix("see the server's log; nothing was taken over")
}
