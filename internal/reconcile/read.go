package reconcile

import (
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/config"
)

// Written is an import of lanyard.yaml.
type Written struct {
	Settings Settings
	Label    string     // of the application that it is bound to; empty: the import's name
	From     *yaml.Node // what extract reads; nil: the source is only loaded through the API
}

// ReadSettings reads what stands under the name of an import in lanyard.yaml. What
// is not written is as in FileSettings. It returns everything wrong at once.
func ReadSettings(section config.Section) (*Written, error) {
	return &Written{Settings: FileSettings()}, nil
}
