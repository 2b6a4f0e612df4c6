package api

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
)

// planOf makes a plan with so many entities.
func planOf(t *testing.T, n int) *importer.Plan {
	t.Helper()
	p := &importer.Plan{Version: 2, Label: "HR"}
	for i := range n {
		if err := p.Add(&importer.PlanEntity{Entity: importer.Entity{Seq: int64(i), Name: "ann"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// asked is a client of a service that answers commands about imports.
func asked(t *testing.T, answer func(importer.Command) (*importer.Reply, error)) *Client {
	t.Helper()
	c, _ := serve(t, &fakeService{imports: func(_ context.Context, c importer.Command) (*importer.Reply, error) { return answer(c) }})
	return c
}

// A plan comes whole out of the process that serves, and goes whole into it.
func TestPlanThroughServer(t *testing.T) {
	made := planOf(t, 3000)
	var applied string
	c := asked(t, func(c importer.Command) (*importer.Reply, error) {
		switch {
		case c.Source == "none":
			return nil, fault.New(fault.NotFound, "there is no such source")
		case c.Do == importer.MakePreview:
			return &importer.Reply{Plan: planOf(t, 3000)}, nil
		}
		applied = c.Plan.Digest
		if c.Plan.Label == "stale" {
			return nil, fault.New(fault.Stale, "it has changed")
		}
		return &importer.Reply{Session: &importer.Session{ID: "iis1"}}, nil
	})
	reply, err := c.Imports(t.Context(), importer.Command{Do: importer.MakePreview, Source: "hr"})
	if err != nil || reply.Plan.Digest != made.Digest || reply.Plan.Size != 3000 {
		t.Fatalf("%v", err)
	}
	defer reply.Plan.Close()
	done, err := c.Imports(t.Context(), importer.Command{Do: importer.ApplyPlan, Plan: reply.Plan})
	if err != nil || done.Session.ID != "iis1" || applied != made.Digest {
		t.Errorf("%+v, %v", done, err)
	}
	reply.Plan.Label = "stale"
	if _, err := c.Imports(t.Context(), importer.Command{Do: importer.ApplyPlan, Plan: reply.Plan}); !fault.Is(err, fault.Stale) {
		t.Errorf("a stale plan is answered %v", err)
	}
	applied, reply.Plan.Same = "", 7
	if _, err := c.Imports(t.Context(), importer.Command{Do: importer.ApplyPlan, Plan: reply.Plan}); !fault.Is(err, fault.Invalid) || applied != "" {
		t.Errorf("a plan that was changed is answered %v", err)
	}
	if _, err := c.Imports(t.Context(), importer.Command{Do: importer.MakePreview, Source: "none"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a preview of nothing is answered %v", err)
	}
	if _, err := c.Imports(t.Context(), importer.Command{Do: importer.ApplyPlan}); !fault.Is(err, fault.Usage) {
		t.Errorf("no plan is answered %v", err)
	}
}

// A report comes piece by piece, and one that breaks off is no whole one.
func TestReportThroughServer(t *testing.T) {
	const n = 100
	piece := []byte(strings.Repeat("x", 10_000))
	pieces := func(fails int) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for i := range n {
				if i == fails {
					yield(nil, errors.New("the disk is gone"))
					return
				}
				if !yield(piece, nil) {
					return
				}
			}
		}
	}
	c := asked(t, func(c importer.Command) (*importer.Reply, error) {
		switch c.Session {
		case "none":
			return nil, fault.New(fault.NotFound, "there is no such session")
		case "whole":
			return &importer.Reply{Pieces: pieces(-1)}, nil
		case "half":
			return &importer.Reply{Pieces: pieces(n / 2)}, nil
		}
		return &importer.Reply{Pieces: pieces(0)}, nil
	})
	for session, want := range map[string]string{"whole": "", "half": "broke off", "nothing": "internal", "none": "no such session"} {
		size := 0
		reply, err := c.Imports(t.Context(), importer.Command{Do: importer.Download, Session: session, Format: importer.CSV})
		if err == nil {
			for part, broken := range reply.Pieces {
				size, err = size+len(part), broken
			}
		}
		switch {
		case want == "" && (err != nil || size != n*len(piece)):
			t.Errorf("%s: %d bytes, %v", session, size, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %d bytes, %v, want %q", session, size, err, want)
		}
	}
}
