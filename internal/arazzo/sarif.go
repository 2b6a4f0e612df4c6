package arazzo

import (
	"encoding/json"
	"path/filepath"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Sarif writes diagnostics as a SARIF 2.1.0 log for code scanning and editors.
// Edits become fixes. Places are as in the diagnostics: columns count
// characters.
func Sarif(diags []Diagnostic) ([]byte, error) {
	run := sarifRun{
		Tool:       sarifTool{Driver: sarifDriver{Name: "Lanyard", Rules: []sarifRule{}}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	rules := map[string]int{}
	for _, d := range diags {
		index, ok := rules[d.Code]
		if !ok {
			index = len(run.Tool.Driver.Rules)
			rules[d.Code] = index
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: d.Code})
		}
		run.Results = append(run.Results, sarifResultOf(d, index))
	}
	out, err := json.MarshalIndent(sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	}, "", "  ")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the diagnostics cannot be written as SARIF")
	}
	return append(out, '\n'), nil
}

var sarifLevels = map[Severity]string{Error: "error", Warning: "warning", Info: "note"}

func sarifResultOf(d Diagnostic, rule int) sarifResult {
	text := d.Message
	if d.Remedy != "" {
		text += "; " + d.Remedy
	}
	artifact := sarifArtifact{URI: filepath.ToSlash(d.File)}
	place := sarifPlace{Artifact: artifact}
	if d.Line > 0 {
		place.Region = &sarifRegion{StartLine: d.Line, StartColumn: d.Col}
	}
	r := sarifResult{
		RuleID: d.Code, RuleIndex: rule, Level: sarifLevels[d.Severity], Message: sarifText{text},
		Locations: []sarifLocation{{Physical: place}},
	}
	if len(d.Edits) == 0 {
		return r
	}
	change := sarifChange{Artifact: artifact}
	for _, e := range d.Edits {
		change.Replacements = append(change.Replacements, sarifReplacement{
			Deleted:  sarifRegion{StartLine: e.From.Line, StartColumn: e.From.Col, EndLine: e.To.Line, EndColumn: e.To.Col},
			Inserted: sarifText{e.Text},
		})
	}
	r.Fixes = []sarifFix{{Description: sarifText{d.Remedy}, Changes: []sarifChange{change}}}
	return r
}

// The parts of SARIF 2.1.0 that are written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
		Fixes     []sarifFix      `json:"fixes,omitempty"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical sarifPlace `json:"physicalLocation"`
	}
	sarifPlace struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
		EndLine     int `json:"endLine,omitempty"`
		EndColumn   int `json:"endColumn,omitempty"`
	}
	sarifFix struct {
		Description sarifText     `json:"description"`
		Changes     []sarifChange `json:"artifactChanges"`
	}
	sarifChange struct {
		Artifact     sarifArtifact      `json:"artifactLocation"`
		Replacements []sarifReplacement `json:"replacements"`
	}
	sarifReplacement struct {
		Deleted  sarifRegion `json:"deletedRegion"`
		Inserted sarifText   `json:"insertedContent"`
	}
)
