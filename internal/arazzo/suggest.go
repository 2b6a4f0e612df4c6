package arazzo

import "github.com/lanyard-id/lanyard/internal/spelling"

// didYouMean words a suggestion as a remedy, "" when there is none: most
// unknown names are mistyped ones.
func didYouMean(name string, candidates []string) string {
	c := spelling.Nearest(name, candidates)
	if c == "" || c == name {
		return ""
	}
	return "did you mean " + c + "?"
}
