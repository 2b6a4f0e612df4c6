// Command okta-sdk-golang-v5 signs in with a key by Okta's SDK for Go 5 and
// changes people and groups with the token. script/clients starts it and says
// which org and which app; WANT_TOKEN_TYPE says which kind of token the app is
// to get: Bearer or DPoP.
//
// It is a module of its own so that the SDK does not enter Lanyard's.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/okta/okta-sdk-golang/v5/okta"
)

func main() {
	if err := run(context.Background(), os.Getenv("WANT_TOKEN_TYPE")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kind string) error {
	if kind != "Bearer" && kind != "DPoP" {
		return fmt.Errorf("WANT_TOKEN_TYPE is %q, not Bearer or DPoP", kind)
	}
	client, seen, err := newClient("okta.users.manage", "okta.groups.manage")
	if err != nil {
		return err
	}
	stamp := fmt.Sprint(time.Now().UnixNano())
	id, err := makePerson(ctx, client, "go5-"+stamp+"@example.com")
	if err != nil {
		return err
	}
	if err := group(ctx, client, "Go 5 "+stamp, id); err != nil {
		return err
	}
	if err := removePerson(ctx, client, id); err != nil {
		return err
	}
	if err := seen.only(kind); err != nil {
		return err
	}
	return refused(ctx)
}

// newClient makes a client that signs in with the key from the environment.
func newClient(scopes ...string) (*okta.APIClient, *schemes, error) {
	seen := &schemes{counts: map[string]int{}}
	cfg, err := okta.NewConfiguration(
		okta.WithAuthorizationMode("PrivateKey"),
		okta.WithScopes(scopes),
		okta.WithHttpClientPtr(&http.Client{Transport: seen}),
		okta.WithCache(false),
	)
	if err != nil {
		return nil, nil, err
	}
	org, err := url.Parse(cfg.Okta.Client.OrgUrl)
	if err != nil {
		return nil, nil, err
	}
	cfg.Host = org.Host // the SDK leaves out the port
	return okta.NewAPIClient(cfg), seen, nil
}

// schemes counts with which kind of token the SDK calls the API.
type schemes struct{ counts map[string]int }

func (s *schemes) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasPrefix(req.URL.Path, "/api/") {
		scheme, _, _ := strings.Cut(req.Header.Get("Authorization"), " ")
		if scheme == "DPoP" && req.Header.Get("DPoP") == "" {
			scheme = "DPoP without a proof"
		}
		s.counts[scheme]++
	}
	return http.DefaultTransport.RoundTrip(req)
}

// only reports an error unless every call had a token of this kind.
func (s *schemes) only(kind string) error {
	if len(s.counts) != 1 || s.counts[kind] == 0 {
		return fmt.Errorf("calls by kind of token: %v, want %s only", s.counts, kind)
	}
	fmt.Printf("%d calls with a %s token\n", s.counts[kind], kind)
	return nil
}

func makePerson(ctx context.Context, client *okta.APIClient, login string) (string, error) {
	profile := okta.UserProfile{Login: &login, Email: &login}
	profile.SetFirstName("Grace")
	profile.SetLastName("O'Hara-Ünal")
	made, _, err := client.UserAPI.CreateUser(ctx).Activate(false).Body(okta.CreateUserRequest{Profile: profile}).Execute()
	if err != nil {
		return "", fmt.Errorf("create a person: %w", err)
	}
	// The path has to be escaped in the proof as it is sent.
	found, _, err := client.UserAPI.GetUser(ctx, login).Execute()
	if err != nil {
		return "", fmt.Errorf("get %s by login: %w", login, err)
	}
	if found.GetId() != made.GetId() || found.Profile.GetLastName() != "O'Hara-Ünal" {
		return "", fmt.Errorf("by login: %s %s, want %s", found.GetId(), found.Profile.GetLastName(), made.GetId())
	}
	// The query does not belong into the proof.
	list, _, err := client.UserAPI.ListUsers(ctx).Search(fmt.Sprintf("profile.login eq %q", login)).Execute()
	if err != nil {
		return "", fmt.Errorf("search for %s: %w", login, err)
	}
	if len(list) != 1 || list[0].GetId() != made.GetId() {
		return "", fmt.Errorf("search for %s finds %d", login, len(list))
	}
	return made.GetId(), nil
}

func group(ctx context.Context, client *okta.APIClient, name, person string) error {
	made, _, err := client.GroupAPI.CreateGroup(ctx).Group(okta.Group{Profile: &okta.GroupProfile{Name: &name}}).Execute()
	if err != nil {
		return fmt.Errorf("create a group: %w", err)
	}
	if _, err := client.GroupAPI.AssignUserToGroup(ctx, made.GetId(), person).Execute(); err != nil {
		return fmt.Errorf("add to the group: %w", err)
	}
	members, _, err := client.GroupAPI.ListGroupUsers(ctx, made.GetId()).Execute()
	if err != nil {
		return fmt.Errorf("list the group's members: %w", err)
	}
	if len(members) != 1 || members[0].GetId() != person {
		return fmt.Errorf("the group has %d members, not the one that was added", len(members))
	}
	if _, err := client.GroupAPI.UnassignUserFromGroup(ctx, made.GetId(), person).Execute(); err != nil {
		return fmt.Errorf("remove from the group: %w", err)
	}
	if _, err := client.GroupAPI.DeleteGroup(ctx, made.GetId()).Execute(); err != nil {
		return fmt.Errorf("delete the group: %w", err)
	}
	return nil
}

func removePerson(ctx context.Context, client *okta.APIClient, id string) error {
	if _, err := client.UserAPI.DeactivateUser(ctx, id).Execute(); err != nil {
		return fmt.Errorf("deactivate: %w", err)
	}
	if _, err := client.UserAPI.DeleteUser(ctx, id).Execute(); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	_, resp, err := client.UserAPI.GetUser(ctx, id).Execute()
	if err == nil || resp == nil || resp.StatusCode != http.StatusNotFound {
		return fmt.Errorf("get a person who was deleted: %v, want 404", err)
	}
	return nil
}

// refused checks that a token is good for its scopes only.
func refused(ctx context.Context) error {
	client, _, err := newClient("okta.groups.manage")
	if err != nil {
		return err
	}
	_, resp, err := client.UserAPI.ListUsers(ctx).Limit(1).Execute()
	if err == nil {
		return errors.New("people are listed with a token for groups")
	}
	if resp == nil || resp.StatusCode != http.StatusForbidden {
		return fmt.Errorf("list people with a token for groups: %w, want 403", err)
	}
	return nil
}
