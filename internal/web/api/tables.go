package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/table"
	"github.com/lanyard-id/lanyard/internal/web"
)

// TableService is what the API offers of tables.
type TableService interface {
	// Tables carries out what is asked of a table.
	Tables(ctx context.Context, c table.Command) (*table.Reply, error)
	// ImportTable makes rows of a text file.
	ImportTable(ctx context.Context, o table.ImportOptions, file io.Reader) (*table.ImportReport, error)
	// ExportTable writes the rows of a table.
	ExportTable(ctx context.Context, o table.ExportOptions, w io.Writer) error
}

// Paths of tables.
const (
	tablesPath = prefix + "/tables"
	tablePath  = tablesPath + "/{table}"
	rowsPath   = tablePath + "/rows"
	rowPath    = rowsPath + "/{row}"
)

// tables are the paths of tables that callers with a scope may use.
func (a *API) tables() map[string]route {
	return map[string]route{
		"GET " + tablesPath:            {ReadTables, a.listTables},
		"POST " + tablesPath:           {ManageTables, a.createTable},
		"GET " + tablePath:             {ReadTables, a.showTable},
		"PATCH " + tablePath:           {ManageTables, a.alterTable},
		"DELETE " + tablePath:          {ManageTables, a.dropTable},
		"GET " + rowsPath:              {ReadTables, a.listRows},
		"POST " + rowsPath:             {ManageTables, a.insertRow},
		"PUT " + rowsPath:              {ManageTables, a.upsertRows},
		"DELETE " + rowsPath:           {ManageTables, a.clearTable},
		"GET " + rowPath:               {ReadTables, a.getRow},
		"PATCH " + rowPath:             {ManageTables, a.updateRow},
		"DELETE " + rowPath:            {ManageTables, a.deleteRow},
		"GET " + tablePath + "/row":    {ReadTables, a.getRow},
		"PUT " + tablePath + "/import": {ManageTables, a.importTable},
		"GET " + tablePath + "/export": {ReadTables, a.exportTable},
		// For the commands.
		"POST " + prefix + "/desk/tables":  {owner, a.tableCommand},
		"POST " + tablePath + "/import":    {owner, a.importFile},
		"POST " + prefix + "/export/table": {owner, a.exportFile},
	}
}

// desk carries a command out in the name of the caller.
func (a *API) desk(r *http.Request, c table.Command) (*table.Reply, error) {
	c.Table, c.Actor = r.PathValue("table"), actor(r.Context())
	return a.Service.Tables(r.Context(), c)
}

func (a *API) tableCommand(w http.ResponseWriter, r *http.Request) error {
	var body table.Command
	if err := read(r, &body); err != nil {
		return err
	}
	reply, err := a.Service.Tables(r.Context(), body)
	return answer(w, http.StatusOK, reply, err)
}

func (a *API) listTables(w http.ResponseWriter, r *http.Request) error {
	reply, err := a.desk(r, table.Command{Do: table.ListTables})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"tables": orEmpty(reply.Tables)})
}

// newTable is the body of createTable.
type newTable struct {
	Name    string         `json:"name"`
	Columns []table.Column `json:"columns"`
}

func (a *API) createTable(w http.ResponseWriter, r *http.Request) error {
	var body newTable
	if err := read(r, &body); err != nil {
		return err
	}
	reply, err := a.Service.Tables(r.Context(), table.Command{Do: table.CreateTable, Table: body.Name, Columns: body.Columns, Actor: actor(r.Context())})
	return oneTable(w, http.StatusCreated, reply, err)
}

func oneTable(w http.ResponseWriter, status int, reply *table.Reply, err error) error {
	if err != nil {
		return err
	}
	return web.WriteJSON(w, status, reply.Tables[0])
}

func (a *API) showTable(w http.ResponseWriter, r *http.Request) error {
	reply, err := a.desk(r, table.Command{Do: table.ShowTable})
	return oneTable(w, http.StatusOK, reply, err)
}

func (a *API) alterTable(w http.ResponseWriter, r *http.Request) error {
	var body table.Alteration
	if err := read(r, &body); err != nil {
		return err
	}
	reply, err := a.desk(r, table.Command{Do: table.AlterTable, Alter: &body})
	return oneTable(w, http.StatusOK, reply, err)
}

func (a *API) dropTable(w http.ResponseWriter, r *http.Request) error {
	return a.removed(w, r, table.Command{Do: table.DropTable})
}

func (a *API) clearTable(w http.ResponseWriter, r *http.Request) error {
	return a.removed(w, r, table.Command{Do: table.ClearTable})
}

func (a *API) deleteRow(w http.ResponseWriter, r *http.Request) error {
	return a.removed(w, r, table.Command{Do: table.DeleteRow, Row: r.PathValue("row")})
}

// removed answers how many rows went.
func (a *API) removed(w http.ResponseWriter, r *http.Request, c table.Command) error {
	reply, err := a.desk(r, c)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"removed": reply.Removed})
}

func (a *API) listRows(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := web.Int(q, "limit", table.DefaultLimit, 1, table.MaxLimit)
	if err != nil {
		return err
	}
	reply, err := a.desk(r, table.Command{Do: table.ListRows, Query: table.Query{Filter: q.Get("filter"), Order: q.Get("order"), Limit: limit, After: q.Get("after")}})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, table.Page{Rows: orEmpty(reply.Rows), Next: reply.Next})
}

// rowBody is a row that is inserted or changed.
type rowBody struct {
	Values  map[string]any `json:"values"`
	Version int64          `json:"version,omitempty"` // that it must have; 0: any
}

// rowAnswer is a row and what became of it.
type rowAnswer struct {
	table.Row
	Outcome table.Outcome `json:"outcome,omitempty"`
}

func oneRow(w http.ResponseWriter, status int, reply *table.Reply, err error) error {
	if err != nil {
		return err
	}
	return web.WriteJSON(w, status, rowAnswer{reply.Rows[0], reply.Outcome})
}

func (a *API) insertRow(w http.ResponseWriter, r *http.Request) error {
	var body rowBody
	if err := read(r, &body); err != nil {
		return err
	}
	reply, err := a.desk(r, table.Command{Do: table.AddRow, Values: body.Values, Once: r.Header.Get("Idempotency-Key")})
	return oneRow(w, http.StatusCreated, reply, err)
}

// getRow returns a row by its id, or by the parameter key.
func (a *API) getRow(w http.ResponseWriter, r *http.Request) error {
	c := table.Command{Do: table.GetRow, Row: r.PathValue("row")}
	if q := r.URL.Query(); c.Row == "" && q.Has("key") {
		c.Key = q.Get("key")
	}
	reply, err := a.desk(r, c)
	return oneRow(w, http.StatusOK, reply, err)
}

func (a *API) updateRow(w http.ResponseWriter, r *http.Request) error {
	var body rowBody
	if err := read(r, &body); err != nil {
		return err
	}
	reply, err := a.desk(r, table.Command{Do: table.SetRow, Row: r.PathValue("row"), Values: body.Values, Version: body.Version})
	return oneRow(w, http.StatusOK, reply, err)
}

// rowsBody are rows that are inserted or changed by their keys.
type rowsBody struct {
	Rows []map[string]any `json:"rows"`
}

// rowsAnswer is what became of them.
type rowsAnswer struct {
	table.Counts
	Rows []table.Row `json:"rows"`
}

func (a *API) upsertRows(w http.ResponseWriter, r *http.Request) error {
	var body rowsBody
	if err := read(r, &body); err != nil {
		return err
	}
	reply, err := a.desk(r, table.Command{Do: table.PutRows, Rows: body.Rows})
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, rowsAnswer{*reply.Counts, orEmpty(reply.Rows)})
}

// importBody is a file in a request. Only the modes that may be repeated are there.
type importBody struct {
	CSV       string         `json:"csv"`
	Mode      table.Mode     `json:"mode"`
	Columns   []table.Column `json:"columns,omitempty"`
	Key       string         `json:"key,omitempty"`
	Delimiter string         `json:"delimiter,omitempty"`
	SkipBad   bool           `json:"skipBad,omitempty"`
	Preview   bool           `json:"preview,omitempty"`
}

func (a *API) importTable(w http.ResponseWriter, r *http.Request) error {
	var body importBody
	if err := read(r, &body); err != nil {
		return err
	}
	if body.Mode != table.Replace && body.Mode != table.Merge {
		return fault.New(fault.Invalid, "there is no mode %q", body.Mode).At("mode").Fix("use replace or upsert: they may be repeated when an answer was lost")
	}
	report, err := a.Service.ImportTable(r.Context(), table.ImportOptions{
		Table: r.PathValue("table"), Mode: body.Mode, File: "csv", Columns: body.Columns, Key: body.Key,
		Delimiter: body.Delimiter, SkipBad: body.SkipBad, Preview: body.Preview, Actor: actor(r.Context()),
	}, strings.NewReader(body.CSV))
	return answer(w, http.StatusOK, report, err)
}

// exportTable writes the whole table. One that changes its columns meanwhile cuts
// the answer off: half a table does not pass for a whole one.
func (a *API) exportTable(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	return a.export(w, r, table.ExportOptions{Table: r.PathValue("table"), Format: table.Format(q.Get("format")), Filter: q.Get("filter")})
}

func (a *API) exportFile(w http.ResponseWriter, r *http.Request) error {
	var body table.ExportOptions
	if err := read(r, &body); err != nil {
		return err
	}
	return a.export(w, r, body)
}

func (a *API) export(w http.ResponseWriter, r *http.Request, o table.ExportOptions) error {
	out := &firstWrite{ResponseWriter: w, media: "text/csv; charset=utf-8"}
	if o.Format == table.JSONList {
		out.media = "application/json"
	}
	err := a.Service.ExportTable(r.Context(), o, out)
	if err != nil && out.begun {
		panic(http.ErrAbortHandler) // the status is out: only a cut tells
	}
	return err
}

// firstWrite names the media type once something is written: until then, what goes
// wrong is answered as any error.
type firstWrite struct {
	http.ResponseWriter
	media string
	begun bool
}

func (f *firstWrite) Write(b []byte) (int, error) {
	if !f.begun {
		f.begun = true
		f.Header().Set("Content-Type", f.media)
	}
	return f.ResponseWriter.Write(b)
}

// importFile reads a file of any size from a command: the options are in a
// parameter, the body is the file.
func (a *API) importFile(w http.ResponseWriter, r *http.Request) error {
	var o table.ImportOptions
	dec := json.NewDecoder(strings.NewReader(r.URL.Query().Get("options")))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return fault.Wrap(fault.Invalid, err, "the options of the import do not read")
	}
	report, err := a.Service.ImportTable(r.Context(), o, r.Body)
	return answer(w, http.StatusOK, report, err)
}

// Tables implements Service.
func (c *Client) Tables(ctx context.Context, command table.Command) (*table.Reply, error) {
	var reply table.Reply
	if err := c.call(ctx, http.MethodPost, "/desk/tables", command, &reply); err != nil {
		return nil, err
	}
	return &reply, nil
}

// ImportTable implements Service.
func (c *Client) ImportTable(ctx context.Context, o table.ImportOptions, file io.Reader) (*table.ImportReport, error) {
	options, err := json.Marshal(o)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the request cannot be written")
	}
	path := "/tables/" + url.PathEscape(o.Table) + "/import?" + url.Values{"options": {string(options)}}.Encode()
	res, err := c.open(ctx, http.MethodPost, path, io.NopCloser(file))
	if err != nil {
		return nil, err
	}
	var report table.ImportReport
	return &report, c.finish(ctx, res, &report)
}

// ExportTable implements Service.
func (c *Client) ExportTable(ctx context.Context, o table.ExportOptions, w io.Writer) error {
	data, err := json.Marshal(o)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the request cannot be written")
	}
	res, err := c.open(ctx, http.MethodPost, "/export/table", bytes.NewReader(data))
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return c.finish(ctx, res, nil)
	}
	defer res.Body.Close()
	_, err = io.Copy(w, &answering{ctx: ctx, body: res.Body})
	return err
}
