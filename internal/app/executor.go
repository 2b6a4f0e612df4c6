package app

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/lanyard-id/lanyard/internal/connector/catalog"
	"github.com/lanyard-id/lanyard/internal/egress"
	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/plan"
	"github.com/lanyard-id/lanyard/internal/run"
	"github.com/lanyard-id/lanyard/internal/worker"
)

type executor struct {
	folder *Folder
	client *egress.Client

	mu   sync.Mutex
	jobs map[string]map[string]string // run -> source -> server
	made bool
}

func newExecutor(f *Folder) (*executor, error) {
	return &executor{folder: f, jobs: map[string]map[string]string{}}, nil
}

func (x *executor) close() {
	if x.client != nil {
		x.client.Close()
	}
}

func (x *executor) prepare(ctx context.Context, id string, p *plan.Plan, b run.Bindings) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	handlers := map[string]http.Handler{}
	if b.Sandbox && x.client == nil {
		s, err := x.folder.openSandbox(ctx)
		if err != nil {
			return err
		}
		handlers = s.inProcess()
	}
	if x.client == nil {
		x.client = egress.New(egress.Policy{InProcess: handlers})
	}
	servers := map[string]string{}
	for _, w := range p.Workflows {
		for _, s := range w.Steps {
			if s.Operation == nil {
				continue
			}
			if url := b.Servers[s.Operation.Source]; url != "" {
				servers[s.Operation.Source] = url
				continue
			}
			if b.Sandbox {
				e := catalog.Match(s.Operation.Source, s.Operation.Title, nil)
				if e != nil && e.Sandbox == "okta" {
					servers[s.Operation.Source] = oktaSandbox
				} else if e != nil {
					servers[s.Operation.Source] = auth0Sandbox + e.BasePath
				}
				continue
			}
			url, err := openapi.ResolveServer(s.Operation.Servers[0], s.Operation.SourceURL, nil)
			if err != nil {
				return err
			}
			servers[s.Operation.Source] = url
		}
	}
	x.jobs[id] = servers
	return nil
}

func (x *executor) Secrets(worker.Job) []string { return nil }

func (x *executor) Call(ctx context.Context, job worker.Job, call *engine.Call) *engine.Answer {
	x.mu.Lock()
	server := x.jobs[job.Run][call.Operation.Source]
	x.mu.Unlock()
	url := server + call.Request.Path
	if call.Request.Query != "" {
		url += "?" + call.Request.Query
	}
	header := http.Header{}
	for k, v := range call.Request.Header {
		header[k] = v
	}
	if call.Request.ContentType != "" {
		header.Set("Content-Type", call.Request.ContentType)
	}
	res, err := x.client.Do(ctx, &egress.Request{Method: call.Request.Method, URL: url, Header: header, Body: call.Request.Body, Hosts: []string{server}, AllowPrivate: job.Bindings.AllowPrivate, Timeout: call.Timeout})
	if err != nil {
		var f *fault.Error
		kind := fault.KindOf(err)
		msg := fault.Public(err)
		if errors.As(err, &f) {
			msg = f.Msg
		}
		return &engine.Answer{URL: url, Failure: &engine.Failure{Kind: kind.String(), Message: msg, Sent: egress.Sent(err)}}
	}
	a := &engine.Answer{Status: res.Status, Header: res.Header, URL: url, Micros: res.Duration.Microseconds()}
	a.SetBody(res.Body)
	return a
}
