//go:build unix

package main

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// Every part measures something. How much is nothing for a test: the machine
// may be busy.
func TestParts(t *testing.T) {
	server := httptest.NewServer(services())
	defer server.Close()
	for name, part := range parts {
		t.Run(name, func(t *testing.T) {
			o := &options{runs: 40, at: 4, rounds: 2, steps: 500, items: 20, target: server.URL}
			if strings.HasPrefix(name, "import") {
				to, err := json.Marshal(importsTo{Folder: t.TempDir(), People: 20})
				if err != nil {
					t.Fatal(err)
				}
				o.target = string(to)
			}
			measured, err := part(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(measured) // as the parent gets it
			if err != nil {
				t.Fatal(err)
			}
			switch name {
			case "import", "import-bare":
				var f importFigures
				if err := json.Unmarshal(raw, &f); err != nil || f.Seconds <= 0 {
					t.Errorf("figures are %s, %v", raw, err)
				}
				return
			case "items":
				var f itemFigures
				if err := json.Unmarshal(raw, &f); err != nil || f.Items != 20 || f.Rate <= 0 {
					t.Errorf("figures are %s, %v", raw, err)
				}
				return
			case "machine":
				var f machineFigures
				if err := json.Unmarshal(raw, &f); err != nil || f.Steps != 500 || f.PerStep <= 0 || f.Decode <= 0 || f.Late <= 0 {
					t.Errorf("figures are %s, %v", raw, err)
				}
				return
			}
			var f figures
			if err := json.Unmarshal(raw, &f); err != nil || f.Runs != 40 || f.Rate <= 0 || f.P99 < f.P50 || f.Memory <= 0 {
				t.Errorf("figures are %s, %v", raw, err)
			}
			if (f.Disk > 0) != (name == "journal" || name == "journalled") {
				t.Errorf("bytes on disk are %v", f.Disk)
			}
		})
	}
}

// The state of an endless loop does not grow.
func TestLoopIsFlat(t *testing.T) {
	size := func(steps int) int {
		measured, err := measureLoop(t.Context(), &options{steps: steps})
		if err != nil {
			t.Fatal(err)
		}
		return measured.(machineFigures).StateSize
	}
	if early, late := size(100), size(3000); late > early+20 {
		t.Errorf("the state has %d bytes after 100 steps and %d after 3,000", early, late)
	}
}
