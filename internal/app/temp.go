package app

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/cli"
	"github.com/lanyard-id/lanyard/internal/plan"
)

func (a *App) bind(context.Context, cli.PlanRequest) (func(*plan.Operation) cli.Binding, error) {
	return func(*plan.Operation) cli.Binding { return cli.Binding{} }, nil
}
func (a *App) connections(context.Context, cli.Settings, []string, bool) ([]cli.ConnectionReport, error) {
	return nil, nil
}
func (a *App) checkSandbox(context.Context) error { return nil }
