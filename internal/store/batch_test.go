package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// recorder is a database that keeps nothing. It writes down what it is told
// between BEGIN and COMMIT, and refuses what it is asked to. That one batch
// holds what it should is thus seen from outside; that real databases do the
// same is tested in storetest.
type recorder struct {
	mu      sync.Mutex
	log     []string
	refuses string // the statement that fails
}

var errRefused = errors.New("refused")

func (r *recorder) do(statement string) (driver.Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if statement == r.refuses {
		return nil, errRefused
	}
	r.log = append(r.log, statement)
	return driver.RowsAffected(1), nil
}

// statements returns what was done so far.
func (r *recorder) statements() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.log...)
}

// The parts of a driver. Every connection writes to the one recorder.
type (
	recorderConn struct{ r *recorder }
	recorderStmt struct {
		r    *recorder
		text string
	}
)

func (r *recorder) Connect(context.Context) (driver.Conn, error) { return recorderConn{r}, nil }
func (r *recorder) Driver() driver.Driver                        { return nil }

func (c recorderConn) Prepare(text string) (driver.Stmt, error) { return recorderStmt{c.r, text}, nil }
func (c recorderConn) Close() error                             { return nil }
func (c recorderConn) Begin() (driver.Tx, error)                { _, err := c.r.do("BEGIN"); return c, err }
func (c recorderConn) Commit() error                            { _, err := c.r.do("COMMIT"); return err }
func (c recorderConn) Rollback() error                          { _, err := c.r.do("ROLLBACK"); return err }

func (s recorderStmt) Close() error                               { return nil }
func (s recorderStmt) NumInput() int                              { return 0 }
func (s recorderStmt) Exec([]driver.Value) (driver.Result, error) { return s.r.do(s.text) }
func (s recorderStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, io.ErrUnexpectedEOF }

func openRecorder(t *testing.T, r *recorder) *DB {
	t.Helper()
	db := New(sql.OpenDB(r), Dialect{Name: "recorder", Kind: func(error) fault.Kind { return fault.Internal }})
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// write is an update that runs one statement.
func write(text string) func(*Tx) error {
	return func(t *Tx) error {
		_, err := t.exec(text)
		return err
	}
}

// together runs updates so that all of them wait while the first one runs, in
// their order, and returns what became of each.
func together(t *testing.T, db *DB, updates ...func(*Tx) error) []error {
	t.Helper()
	errs := make([]error, len(updates))
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i, f := range updates {
		if i == 0 {
			first := f
			f = func(tx *Tx) error {
				<-start
				return first(tx)
			}
		}
		wg.Go(func() { errs[i] = db.Update(t.Context(), f) })
		synctest.Wait() // it has the turn, or its place in the queue
	}
	close(start)
	wg.Wait()
	return errs
}

func TestBatchSharesACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		for _, err := range together(t, openRecorder(t, r), write("a"), write("b")) {
			if err != nil {
				t.Error(err)
			}
		}
		want := []string{"BEGIN", "a", "SAVEPOINT one", "b", "RELEASE SAVEPOINT one", "COMMIT"}
		if diff := cmp.Diff(want, r.statements()); diff != "" {
			t.Errorf("the statements (-want +got):\n%s", diff)
		}
	})
}

// TestBatchIsBounded makes sure that the first of many does not wait for all.
func TestBatchIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		updates := make([]func(*Tx) error, 2*maxBatch+10)
		for i := range updates {
			updates[i] = write("x")
		}
		together(t, openRecorder(t, r), updates...)
		var sizes []int
		for batch := range strings.SplitSeq(strings.Join(r.statements(), ","), "COMMIT") {
			if n := strings.Count(batch, "x"); n > 0 {
				sizes = append(sizes, n)
			}
		}
		if diff := cmp.Diff([]int{maxBatch, maxBatch, 10}, sizes); diff != "" {
			t.Errorf("updates in each commit (-want +got):\n%s", diff)
		}
	})
}

// TestBatchUndoesOne makes sure that who fails takes nobody along.
func TestBatchUndoesOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		failing := func(tx *Tx) error { return errors.Join(write("b")(tx), fault.New(fault.Refused, "no")) }
		errs := together(t, openRecorder(t, r), write("a"), failing, write("c"))
		if errs[0] != nil || !fault.Is(errs[1], fault.Refused) || errs[2] != nil {
			t.Errorf("the updates = %v", errs)
		}
		want := []string{
			"BEGIN", "a", "SAVEPOINT one", "b", "ROLLBACK TO SAVEPOINT one",
			"SAVEPOINT one", "c", "RELEASE SAVEPOINT one", "COMMIT",
		}
		if diff := cmp.Diff(want, r.statements()); diff != "" {
			t.Errorf("the statements (-want +got):\n%s", diff)
		}
	})
}

// TestBatchIsLost makes sure that everybody in a batch hears that nothing was
// written, and that the next ones can write.
func TestBatchIsLost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, refuses string
		updates       []func(*Tx) error
		kinds         []fault.Kind
	}{
		{
			name: "the commit fails", refuses: "COMMIT",
			updates: []func(*Tx) error{write("a"), write("b")},
			kinds:   []fault.Kind{fault.Internal, fault.Internal},
		},
		{
			name: "one cannot be undone", refuses: "ROLLBACK TO SAVEPOINT one",
			updates: []func(*Tx) error{write("a"), func(*Tx) error { return fault.New(fault.Refused, "no") }},
			kinds:   []fault.Kind{fault.Unavailable, fault.Refused},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{refuses: test.refuses}
				db := openRecorder(t, r)
				for i, err := range together(t, db, test.updates...) {
					if !fault.Is(err, test.kinds[i]) {
						t.Errorf("update %d = %v, want the kind %v", i, err, test.kinds[i])
					}
				}
				r.refuses = ""
				if err := db.Update(t.Context(), write("c")); err != nil {
					t.Errorf("the next update = %v", err)
				}
			})
		})
	}
}

// TestBatchOutlivesContexts ends the context of whoever opened the batch while
// others are in it.
func TestBatchOutlivesContexts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		db := openRecorder(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		start := make(chan struct{})
		var errs [2]error
		var wg sync.WaitGroup
		wg.Go(func() {
			errs[0] = db.Update(ctx, func(tx *Tx) error {
				<-start
				cancel()
				synctest.Wait() // whoever listens to the context has heard
				return write("a")(tx)
			})
		})
		synctest.Wait()
		wg.Go(func() { errs[1] = db.Update(t.Context(), write("b")) })
		synctest.Wait()
		close(start)
		wg.Wait()
		if errs[0] != nil || errs[1] != nil {
			t.Errorf("the updates = %v", errs)
		}
		if log := r.statements(); log[len(log)-1] != "COMMIT" {
			t.Errorf("the statements are %q", log)
		}
	})
}

// TestBatchSurvivesPanic makes sure that a panic gives the turn to the next one.
func TestBatchSurvivesPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		db := openRecorder(t, r)
		func() {
			defer func() { _ = recover() }()
			_ = db.Update(t.Context(), func(*Tx) error { panic("oh") })
		}()
		if err := db.Update(t.Context(), write("a")); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"BEGIN", "ROLLBACK", "BEGIN", "a", "COMMIT"}, r.statements()); diff != "" {
			t.Errorf("the statements (-want +got):\n%s", diff)
		}
	})
}
