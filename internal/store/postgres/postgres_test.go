package postgres_test

import (
	"context"
	"strings"
	"testing"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/store/postgres"
)

func TestOpenErrors(t *testing.T) {
	tests := []struct {
		name, address string
		want          fault.Kind
	}{
		{"not an address", "postgres://u:s3cr3t@:x/", fault.Usage},
		{"nobody listens", "postgres://u:s3cr3t@127.0.0.1:1/db?connect_timeout=2", fault.Unavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := postgres.Open(context.Background(), test.address)
			if !fault.Is(err, test.want) {
				t.Fatalf("Open = %v, want %v", err, test.want)
			}
			if strings.Contains(fault.Public(err), "s3cr3t") {
				t.Errorf("the error shows the password: %s", fault.Public(err))
			}
		})
	}
}
