//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// serve answers like the directory of workload/directory.yaml, and like the
// three operations of the seed workflow, until its standard input is closed. It
// does as little as it can: it is not what is measured.
func serve(ctx context.Context, out io.Writer) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var count atomic.Int64
	user := func(status int, field, prefix string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // so that the connection can be used again
			id := prefix + strconv.FormatInt(count.Add(1), 10)
			if r.PathValue("userId") != "" {
				id = r.PathValue("userId")
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{%q:%q,"status":"ACTIVE","created":"2026-01-01T00:00:00.000Z","lastLogin":null,`+
				`"profile":{"email":"ada@example.com","login":"ada@example.com","firstName":"Ada","lastName":"Lovelace","mobilePhone":null},`+
				`"credentials":{"provider":{"type":"OKTA","name":"OKTA"}},"_links":{"self":{"href":"https://directory.test/users/%s"}}}`, field, id, id)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /users", user(http.StatusCreated, "id", "00u"))
	mux.HandleFunc("GET /users/{userId}", user(http.StatusOK, "id", "00u"))
	mux.HandleFunc("PUT /groups/{groupId}/users/{userId}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /api/v2/users", user(http.StatusCreated, "user_id", "auth0|"))
	mux.HandleFunc("POST /api/v1/users", user(http.StatusOK, "id", "00u"))
	mux.HandleFunc("PUT /api/v1/groups/{groupId}/users/{userId}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it or is gone
		_ = server.Close()
	}()
	if _, err := fmt.Fprintf(out, "http://%s\n", listener.Addr()); err != nil {
		return err
	}
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}
