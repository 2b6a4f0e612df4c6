//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// serve runs the server that measurements call, until its standard input is closed.
func serve(ctx context.Context, out io.Writer) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: services(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it or is gone
		_ = server.Close()
	}()
	if _, err := fmt.Fprintf(out, "http://%s\n", listener.Addr()); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// services answers like the directory of workload/directory.yaml, and like the
// three operations of the seed workflow. It does as little as it can: it is not
// what is measured.
func services() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /users", answer(http.StatusCreated, userBody))
	mux.HandleFunc("GET /users/{userId}", answer(http.StatusOK, userBody))
	mux.HandleFunc("PUT /groups/{groupId}/users/{userId}", answer(http.StatusNoContent, ""))
	mux.HandleFunc("POST /api/v2/users", answer(http.StatusCreated, `{"user_id":"auth0|1"}`))
	mux.HandleFunc("POST /api/v1/users", answer(http.StatusOK, `{"id":"00u1","status":"PROVISIONED"}`))
	mux.HandleFunc("PUT /api/v1/groups/{groupId}/users/{userId}", answer(http.StatusNoContent, ""))
	return withSCIM(withUsers(mux))
}

// withUsers adds what a directory of the least kind answers: users of a map, and
// a page that is always the same.
func withUsers(mux *http.ServeMux) *http.ServeMux {
	users := make(map[string]string, fewPeople)
	for i := range fewPeople {
		users[personID(i)] = userBody
	}
	mux.HandleFunc("GET /api/v1/users/{userId}", func(w http.ResponseWriter, r *http.Request) {
		answer(http.StatusOK, users[r.PathValue("userId")])(w, r)
	})
	page := "[" + strings.Repeat(userBody+",", pageSize-1) + userBody + "]"
	mux.HandleFunc("GET /api/v1/users", answer(http.StatusOK, page))
	return mux
}

// withSCIM adds what a SCIM endpoint of the least kind answers.
func withSCIM(mux *http.ServeMux) *http.ServeMux {
	users := make(map[string]string, fewPeople)
	for i := range fewPeople {
		users[`userName eq "`+login(i)+`"`] = scimUserBody
	}
	list := func(n int, resources string) string {
		return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":%d,"Resources":[%s]}`, n, resources)
	}
	page := list(fewPeople, strings.Repeat(scimUserBody+",", scimPage-1)+scimUserBody)
	mux.HandleFunc("GET /Users", func(w http.ResponseWriter, r *http.Request) {
		body := page
		if filter := r.URL.Query().Get("filter"); filter != "" {
			body = list(1, users[filter])
		}
		answer(http.StatusOK, body)(w, r)
	})
	mux.HandleFunc("POST /Users", answer(http.StatusCreated, scimUserBody))
	mux.HandleFunc("PATCH /Groups/{id}", answer(http.StatusNoContent, ""))
	return mux
}

// scimUserBody is a user as SCIM describes one.
const scimUserBody = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"okta|bench|00u1","externalId":"00u1","userName":"ada@example.com",` +
	`"name":{"givenName":"Ada","familyName":"Lovelace"},"emails":[{"primary":true,"value":"ada@example.com"}],"active":true,` +
	`"meta":{"resourceType":"User","location":"https://directory.test/Users/00u1"}}`

// userBody is a user as a directory of the usual kind describes one.
const userBody = `{"id":"00u1","status":"ACTIVE","created":"2026-01-01T00:00:00.000Z","lastLogin":null,` +
	`"profile":{"email":"ada@example.com","login":"ada@example.com","firstName":"Ada","lastName":"Lovelace","mobilePhone":null},` +
	`"credentials":{"provider":{"type":"OKTA","name":"OKTA"}},"_links":{"self":{"href":"https://directory.test/users/00u1"}}}`

// answer gives the same answer every time.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the connection can be used again
		if body != "" {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the caller may have gone
	}
}
