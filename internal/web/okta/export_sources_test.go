package okta

import (
	"github.com/lanyard-id/lanyard/internal/directory"
)

// emptyStore has no schemas.
type emptyStore struct{ directory.Reader }

func (emptyStore) Record(_ string, noun directory.Noun, id string) (*directory.Record, error) {
	return nil, directory.NotFound(noun, id)
}

// ReadLoads reads a body as each bulk load of a new identity source, and returns
// the codes of the refusals; "" where it is taken.
func ReadLoads(body map[string]any) map[string]string {
	shape, err := directory.New(nil).AppShape(emptyStore{}, &directory.App{Name: directory.SourceApp})
	if err != nil {
		return map[string]string{"shape": err.Error()}
	}
	out := map[string]string{}
	for name, read := range bulkLoads {
		out[name] = ""
		if _, err := read(body, &sourceShape{Shape: shape}); err != nil {
			out[name] = translate(err).code
		}
	}
	return out
}
