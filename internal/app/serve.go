package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/config"
	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/localca"
	"github.com/lanyard-id/lanyard/internal/secret"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web/api"
	"github.com/lanyard-id/lanyard/internal/web/auth0"
	"github.com/lanyard-id/lanyard/internal/web/okta"
)

// Where lanyard serve listens unless it is told otherwise. Real SDKs accept no
// path in the base URL, hence a port for each API.
const (
	defaultListen    = "127.0.0.1"
	defaultAPIPort   = 8480
	defaultOktaPort  = 8481
	defaultAuth0Port = 8482
)

// serveCommand is the command that serves a data folder.
const serveCommand = "serve"

// credentialsFile holds the credentials that the served APIs accept.
const credentialsFile = "sandbox.json"

// credentials are made once for a data folder. Only its owner can read them.
type credentials struct {
	OktaAPIToken      string `json:"oktaApiToken"`
	Auth0ClientID     string `json:"auth0ClientId"`
	Auth0ClientSecret string `json:"auth0ClientSecret"`
}

// shutdownTime is how long requests under way may take when serve ends.
const shutdownTime = 10 * time.Second

// serve owns a data folder and serves it until ctx ends.
func (a *App) serve(ctx context.Context, req cli.ServeRequest) error {
	c, err := a.configuration(&req.Settings)
	if err != nil {
		return err
	}
	merge(&req, c)
	if err := checkListen(req); err != nil {
		return err
	}
	stage, err := serveStage(req, cmp.Or(req.Log, a.Log))
	if err != nil {
		return err
	}
	f, err := a.openStaged(ctx, req.Settings, serveCommand, c, stage)
	if err != nil {
		return err
	}
	s := &server{folder: f, req: req}
	return errors.Join(s.run(ctx), f.Close())
}

// merge fills in what flags left open from the configuration and the defaults.
func merge(req *cli.ServeRequest, c *config.Config) {
	pick := func(flag *int, configured, otherwise int) {
		switch {
		case *flag == -1:
			*flag = 0 // any free one
		case *flag == 0 && configured != 0:
			*flag = configured
		case *flag == 0:
			*flag = otherwise
		}
	}
	pick(&req.APIPort, c.Serve.APIPort, defaultAPIPort)
	pick(&req.OktaPort, c.Serve.OktaPort, defaultOktaPort)
	pick(&req.Auth0Port, c.Serve.Auth0Port, defaultAuth0Port)
	req.Listen = cmp.Or(req.Listen, c.Serve.Listen, defaultListen)
	req.AllowRemote = req.AllowRemote || c.Serve.PlainHTTP
	req.TLS = req.TLS || c.Serve.TLS
}

// checkListen refuses to show people and credentials to the network in the clear.
func checkListen(req cli.ServeRequest) error {
	ip := net.ParseIP(req.Listen)
	if req.Listen == "localhost" || ip != nil && ip.IsLoopback() || req.AllowRemote || req.TLS {
		return nil
	}
	return fault.New(fault.Refused, "listening on %s would show people and credentials to the network unencrypted", req.Listen).At("--listen").
		Fix("say --tls, listen on 127.0.0.1 behind a TLS proxy, or say --insecure-remote")
}

// server is one lanyard serve.
type server struct {
	folder  *Folder
	req     cli.ServeRequest
	servers []*http.Server

	working sync.WaitGroup // on what goes on after requests
}

func (s *server) run(ctx context.Context) error {
	box, err := s.folder.openSandbox(ctx)
	if err != nil {
		return err
	}
	secure, err := s.tls()
	if err != nil {
		return err
	}
	if err := tenant.New(box.directory, directory.Auth0Realm).AbandonJobs(ctx); err != nil {
		return err
	}
	if _, err := s.folder.openImports(ctx); err != nil {
		return err
	}
	reload, err := s.folder.armTriggers(ctx)
	if err != nil {
		return err
	}
	handlers, token, err := s.handlers(ctx, box)
	if err != nil {
		return err
	}
	defer s.working.Wait() // after the last request
	scheme := "http://"
	if secure != nil {
		scheme = "https://"
	}
	addresses := map[string]string{}
	failed := make(chan error, len(handlers))
	var serving sync.WaitGroup
	defer serving.Wait()
	defer s.shutdown(ctx)
	for _, h := range handlers {
		address, err := s.listen(ctx, h, secure, &serving, failed)
		if err != nil {
			return err
		}
		addresses[h.name] = scheme + address
	}
	org, tenant := reachable(addresses["okta"]), reachable(addresses["auth0"])
	s.folder.oktaBase.Store(&org)
	s.folder.auth0Base.Store(&tenant)
	if err := writeEndpoint(s.folder.data, endpoint{PID: os.Getpid(), URL: reachable(addresses["api"]), Token: token, Authority: s.authorityFile()}); err != nil {
		return err
	}
	defer func() { _ = os.Remove(filepath.Join(s.folder.data, serveFile)) }() // the lock is what counts
	if _, err := s.folder.worker.Recover(ctx); err != nil {
		s.folder.log.Error("some runs could not be resumed", "error", err)
	}
	stop, err := s.folder.serveProvisioning(ctx)
	if err != nil {
		return err
	}
	defer stop()
	stopImports, err := s.folder.serveImports(ctx)
	if err != nil {
		return err
	}
	defer stopImports()
	stopTriggers := s.folder.serveTriggers(ctx, reload)
	defer stopTriggers()
	addresses["issuer"] = reachable(addresses["okta"])
	s.req.Ready(addresses)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return fault.Wrap(fault.Internal, err, "a server stopped")
	}
}

// listen opens a port and serves it. What ends that too early is sent to failed,
// which has room for it.
func (s *server) listen(ctx context.Context, m mounted, secure *tls.Config, serving *sync.WaitGroup, failed chan<- error) (address string, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(s.req.Listen, strconv.Itoa(m.port)))
	if err != nil {
		return "", fault.Wrap(fault.Usage, err, "the port %d of the %s API cannot be listened on", m.port, m.name).
			Fix("stop what holds it, or choose another with --%s-port", m.name)
	}
	srv := &http.Server{Handler: m.handler, TLSConfig: secure, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.folder.log.Handler(), slog.LevelDebug)} // handshakes that fail, above all
	s.servers = append(s.servers, srv)
	serving.Go(func() {
		if err := answer(srv, listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	})
	return listener.Addr().String(), nil
}

// answer serves until the server is shut down.
func answer(srv *http.Server, l net.Listener) error {
	if srv.TLSConfig != nil {
		return srv.ServeTLS(l, "", "")
	}
	return srv.Serve(l)
}

// tls returns the TLS settings of every server, nil for none.
func (s *server) tls() (*tls.Config, error) {
	if !s.req.TLS {
		return nil, nil
	}
	authority, err := localca.Open(s.folder.data, time.Now)
	if err != nil {
		return nil, err
	}
	return authority.ServerConfig(), nil
}

// authorityFile is what clients have to trust, "" when nothing is encrypted.
func (s *server) authorityFile() string {
	if !s.req.TLS {
		return ""
	}
	return localca.CertFile
}

// reachable is a base URL by which this machine reaches a server: one that
// listens on every address is called on the loopback one.
func reachable(base string) string {
	return strings.NewReplacer("//0.0.0.0:", "//127.0.0.1:", "//[::]:", "//[::1]:").Replace(base)
}

// shutdown lets requests under way end.
func (s *server) shutdown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	s.folder.letGo()
	for _, srv := range s.servers {
		if err := srv.Shutdown(ctx); err != nil {
			_ = srv.Close() // they had their time
		}
	}
}

type mounted struct {
	name    string
	port    int
	handler http.Handler
}

func (s *server) handlers(ctx context.Context, box *sandbox) ([]mounted, string, error) {
	cred, err := readCredentials(s.folder.data)
	if err != nil {
		return nil, "", err
	}
	stage := s.folder.stage
	clients := auth0.NewClients(tenant.New(box.directory, directory.Auth0Realm),
		auth0.Client{ID: cred.Auth0ClientID, Secret: cred.Auth0ClientSecret, Scopes: auth0.Scopes()})
	people, err := s.login(box, clients)
	if err != nil {
		return nil, "", err
	}
	token := randomText(32)
	mux := http.NewServeMux()
	(&api.API{Service: s.folder, Stage: stage, Token: token, Callers: s.folder.apiCallers, Log: s.folder.log}).Mount(mux)
	s.folder.hooks().Mount(mux)
	return []mounted{
		{"api", s.req.APIPort, mux},
		{"okta", s.req.OktaPort, stage.Faults.Wrap(oktaFacade, s.okta(box, cred))},
		{"auth0", s.req.Auth0Port, beside(stage.Faults.Wrap(auth0Facade, auth0.New(auth0.Options{
			Directory: box.directory, Authorizer: clients, Exchanges: box.exchanges, Login: people, Describe: people.Describe, Log: s.folder.log,
			Background:    func(work func(context.Context)) { s.working.Go(func() { work(ctx) }) },
			EnforceLimits: func() bool { return stage.Faults.Limits().Enforce },
		})), stage.Faults.Wrap(scimFacade, scimAPI(byToken{box.inbound}, s.folder.key, box.wire, stage, s.folder.log)))},
	}, token, nil
}

// okta is the org as other programs reach it: by the token of the credentials
// file, API tokens, and access tokens of its authorization server.
func (s *server) okta(box *sandbox, cred credentials) *okta.API {
	made := okta.Tokens(map[string]string{cred.OktaAPIToken: directory.Administrator})
	return okta.New(withSwitches(s.folder.config.Sandbox.Okta, okta.Options{
		Directory: box.directory, OAuth: box.oauth, Authorizer: okta.Authorization(box.oauth, made), Log: s.folder.log,
		Limits: oktaLimits(s.folder.stage.Faults), Vault: &secret.FileVault{Dir: s.folder.data, Env: s.folder.env}, Pushed: s.folder.db.Provision(),
		Sources: box.imports,
	}))
}

// readCredentials returns the credentials of the served APIs, making them once.
func readCredentials(data string) (credentials, error) {
	var c credentials
	file := filepath.Join(data, credentialsFile)
	text, err := os.ReadFile(file)
	if err == nil {
		if err := json.Unmarshal(text, &c); err != nil || c.OktaAPIToken == "" || c.Auth0ClientSecret == "" {
			return c, fault.New(fault.Internal, "the credentials of the served APIs do not read").At("%s", file).Fix("remove the file; new ones are made")
		}
		return c, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return c, fault.Wrap(fault.Internal, err, "the credentials of the served APIs cannot be read").At("%s", file)
	}
	c = credentials{OktaAPIToken: "00" + randomText(20), Auth0ClientID: randomText(16), Auth0ClientSecret: randomText(32)}
	text, err = json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return c, fault.Wrap(fault.Internal, err, "the credentials of the served APIs cannot be kept").At("%s", file)
	}
	return c, nil
}

func randomText(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) // never fails (Go 1.24)
	return hex.EncodeToString(b)
}
