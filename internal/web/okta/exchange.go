package okta

import (
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// What the handlers of several resources read and write alike.

// flagParam reads a boolean parameter.
func flagParam(r *http.Request, name string, def bool) (bool, error) {
	v, err := web.Bool(r.URL.Query(), name, def)
	if err != nil {
		return false, invalid(name, name+": must be true or false").because(err)
	}
	return v, nil
}

// initialState reads activate: whether what is made begins as active.
func initialState(r *http.Request) (directory.State, error) {
	activate, err := flagParam(r, "activate", true)
	if !activate {
		return directory.Off, err
	}
	return directory.On, err
}

// writeList answers with a list, each of its items in its wire form.
func writeList[T any](w http.ResponseWriter, r *http.Request, list []T, wire func(*http.Request, T) web.Object) error {
	out := make([]web.Object, len(list))
	for i, one := range list {
		out[i] = wire(r, one)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}
