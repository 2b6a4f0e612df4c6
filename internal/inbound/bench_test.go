package inbound_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// BenchmarkEndpoint measures an endpoint with many users on the disk, without
// HTTP. LANYARD_BENCH_USERS says how many: 2,000 if it does not.
func BenchmarkEndpoint(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("LANYARD_BENCH_USERS"))
	if err != nil {
		n = 2000
	}
	bench := newBench(b)
	secret, _, err := bench.tenant.CreateSCIMToken(bench.ctx, operator, acme, tenant.NewSCIMToken{Scopes: tenant.SCIMScopes()})
	bench.must(err)
	c := bench.open()
	c.fill(0, n)
	next := n
	open := func() *client {
		e, err := bench.service.Open(bench.ctx, acme, secret)
		bench.must(err)
		return &client{b: bench, Endpoint: e}
	}

	b.Run("open", func(b *testing.B) {
		for range b.N {
			open()
		}
	})
	b.Run("userName eq", func(b *testing.B) {
		b.RunParallel(func(p *testing.PB) {
			for i := 0; p.Next(); i++ {
				c := open()
				page, err := c.List(context.Background(), c.typ("User"), c.query("User", fmt.Sprintf(`userName eq "person%d@example.com"`, i*7919%n)))
				if err != nil || page.Total != 1 {
					b.Error(page.Total, err)
				}
			}
		})
	})
	b.Run("page of 100", func(b *testing.B) {
		b.RunParallel(func(p *testing.PB) {
			for i := 0; p.Next(); i++ {
				c := open()
				q := c.query("User", "")
				q.StartIndex = 1 + i*7919%(n-100)
				page, err := c.List(context.Background(), c.typ("User"), q)
				if err != nil || len(page.Resources) != 100 {
					b.Error(len(page.Resources), err)
				}
			}
		})
	})
	b.Run("POST", func(b *testing.B) {
		c.fill(next, b.N)
		next += b.N
	})
	b.Run("scan", func(b *testing.B) {
		for range b.N {
			if got := c.find("User", `title eq "Title 5"`); got == "" {
				b.Fatal("nothing found")
			}
		}
	})
	for _, size := range []int{100, n / 2} {
		g := c.mustCreate("Group", group(fmt.Sprintf("Group %d", size)))
		for from := 0; from < size; from += 1000 {
			c.enlist(g, from, min(1000, size-from))
		}
		b.Run(fmt.Sprintf("add 1 of %d", size), func(b *testing.B) {
			for i := range b.N {
				c.enlist(g, size+i%(n-size), 1)
			}
		})
	}
	b.Run("PATCH of 1000", func(b *testing.B) {
		for i := range b.N {
			g := c.mustCreate("Group", group(fmt.Sprintf("PATCH %d %d", b.N, i)))
			c.enlist(g, 0, min(n, 1000))
		}
	})
}

// fill adds users at the pace of many clients at once.
func (c *client) fill(from, n int) {
	c.b.t.Helper()
	const clients = 64
	var work sync.WaitGroup
	for k := range clients {
		work.Go(func() {
			for i := from + k; i < from+n; i += clients {
				body := strings.NewReplacer("Ada@Example.com", fmt.Sprintf("person%d@example.com", i), "00uADA", fmt.Sprintf("00u%09d", i),
					"Engineer", fmt.Sprintf("Title %d", i)).Replace(full)
				if _, _, err := c.Create(c.b.ctx, c.typ("User"), object(c.b.t, body)); err != nil {
					c.b.t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
}

// enlist adds users to a group by PATCH.
func (c *client) enlist(g scim.Resource, from, n int) {
	c.b.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf(`{"value":"okta|acme|00u%09d"}`, from+i)
	}
	_, _, err := c.patch("Group", g, `[{"op":"add","path":"members","value":[`+strings.Join(ids, ",")+`]}]`)
	c.b.must(err)
}
