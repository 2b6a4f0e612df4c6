package wirelog_test

import (
	"context"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/wirelog"
)

// What an exchange costs, from Record to the disk.
func BenchmarkRecorder(b *testing.B) {
	db := sqlitetest.Open(b)
	r := wirelog.NewRecorder(wirelog.Options{Store: db.WireLog()})
	e := wirelog.Exchange{
		At: time.Now(), Scope: "connection:con_1", Direction: wirelog.In, Method: "POST", Path: "/Users", Status: 201, Actor: "tok_1", Subject: "okta|acme|00u1",
		RequestHeaders: map[string][]string{"Authorization": {"Bearer x"}, "Content-Type": {"application/scim+json"}, "User-Agent": {"Okta SCIM Client 1.0.0"}},
		RequestBody:    `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bjensen@example.com","externalId":"00u1","name":{"givenName":"Barbara","familyName":"Jensen"},"emails":[{"primary":true,"value":"bjensen@example.com","type":"work"}],"displayName":"Barbara Jensen","active":true,"password":"secret"}`,
		ResponseBody:   `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"okta|acme|00u1","userName":"bjensen@example.com","externalId":"00u1","name":{"givenName":"Barbara","familyName":"Jensen"},"emails":[{"primary":true,"value":"bjensen@example.com","type":"work"}],"displayName":"Barbara Jensen","active":true}`,
	}
	b.ResetTimer()
	for b.Loop() {
		r.Record(b.Context(), e)
	}
	if err := r.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
}
