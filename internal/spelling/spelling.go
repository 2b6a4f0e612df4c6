// Package spelling finds the name that a mistyped one was meant to be: the
// remedy for most unknown commands, steps and operations. Which names there
// are, and how the remedy is worded, is left to its users.
package spelling

import "strings"

// Limits that keep hostile documents cheap. Beyond them nothing is near.
const (
	maxLength     = 100
	maxCandidates = 5000
)

// Nearest returns the name among the given ones that typed most likely means:
// one that differs in case only, one that typed begins, or the one with the
// fewest edits. Two edits are allowed, in long names one for every three
// letters, but never as many as there are letters. It returns "" when no name
// is near; of equally near ones it returns the first.
func Nearest(typed string, among []string) string {
	if len(typed) > maxLength {
		return ""
	}
	folded := strings.ToLower(typed)
	best, limit := "", min(max(2, len(folded)/3), len(folded)-1)
	for _, name := range among[:min(len(among), maxCandidates)] {
		if limit < 0 {
			break
		}
		d := closeness(folded, strings.ToLower(name), limit)
		if d <= limit && name != "" {
			best, limit = name, d-1
		}
	}
	return best
}

// closeness is Distance, but a name that typed begins is as near as one edit.
func closeness(typed, name string, limit int) int {
	d := Distance(typed, name, limit)
	if d > 1 && typed != "" && strings.HasPrefix(name, typed) {
		return 1
	}
	return d
}

// Distance counts the insertions, deletions and replacements of single bytes
// that turn a into b. It returns limit+1 when there are more than limit, and
// stops counting as soon as it knows.
func Distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	// Levenshtein's table, one row at a time: row[j] is the distance between the
	// part of a read so far and b[:j].
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal, lowest := row[0], i+1
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
			lowest = min(lowest, row[j+1])
		}
		if lowest > limit {
			return limit + 1
		}
	}
	return min(row[len(b)], limit+1)
}
