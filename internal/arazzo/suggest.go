package arazzo

import "strings"

// nearest returns the candidate that name was most likely meant to be, "" when
// none is close: the remedy of most unknown names is a typing mistake.
func nearest(name string, candidates []string) string {
	const maxLen, maxCandidates = 80, 2000
	if name == "" || len(name) > maxLen {
		return ""
	}
	best, bestDistance := "", max(1, len(name)/3)+1
	for i, c := range candidates {
		if i == maxCandidates {
			break
		}
		if c == name || c == "" || len(c) > maxLen {
			continue
		}
		if strings.EqualFold(c, name) {
			return c
		}
		if d := distance(name, c, bestDistance); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance counts the changes that turn a into b, up to limit: a byte more,
// less or other, or two neighbours exchanged.
func distance(a, b string, limit int) int {
	if n := len(a) - len(b); n >= limit || -n >= limit {
		return limit
	}
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := row[j-1]
			if a[i-1] != b[j-1] {
				cost++
			}
			next[j] = min(cost, row[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}

// didYouMean words a suggestion as a remedy, "" when there is none.
func didYouMean(name string, candidates []string) string {
	if c := nearest(name, candidates); c != "" {
		return "did you mean " + c + "?"
	}
	return ""
}
