// Command client asks a runner that .ci/clients has filled through api.go, which
// oapi-codegen makes. It ends with an error at the first answer that is not due.
// usage: client URL TOKEN
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"time"
)

const app = "ghcr.io/team/app:1.2.3"

var names = []string{"alpha", "beta", "gamma", "team/app"}

func main() {
	log.SetFlags(0)
	client, err := NewClientWithResponses(os.Args[1])
	check(err)
	read(client)
	write(client, os.Args[2])
}

func read(client *ClientWithResponses) {
	ctx := context.Background()
	all, err := client.ListRepositoriesWithResponse(ctx, nil)
	check(err)
	repositories := parsed(all.JSON200, all).Repositories
	want("names of the catalogue", namesOf(repositories), names)
	var newest string = repositories[3].Reference // no pointer: it is always there
	want("newest reference", newest, app)

	var paged []string
	limit := 3
	for params := (&ListRepositoriesParams{Limit: &limit}); ; {
		answer, err := client.ListRepositoriesWithResponse(ctx, params)
		check(err)
		page := parsed(answer.JSON200, answer)
		paged = append(paged, namesOf(page.Repositories)...)
		if params.Next = page.Next; page.Next == nil {
			break
		}
	}
	want("names of all pages", paged, names)

	references, err := client.ListReferencesWithResponse(ctx, "team/app", nil)
	check(err)
	reference := parsed(references.JSON200, references).References[0]
	want("reference", reference.Reference, app)
	want("size", reference.Size, 1337)
	want("pushedAt", reference.PushedAt.Format(time.RFC3339Nano), "2023-07-03T14:56:52.060421812Z")

	unknown, err := client.ListReferencesWithResponse(ctx, "team/nothing", nil)
	check(err)
	want("error of 404", parsed(unknown.JSON404, unknown).Error, "Provider not yet published")

	sort, ignore := SortSemver, []string{"latest", "*-rc.*"}
	badge, err := client.GetNewestWithResponse(ctx, "team/app", &GetNewestParams{Sort: &sort, Ignore: &ignore})
	check(err)
	want("badge", parsed(badge.JSON200, badge).Message, app)

	official, err := client.ListMembersWithResponse(ctx, "official", nil)
	check(err)
	members := parsed(official.JSON200, official).Repositories
	want("references of members", []*Reference{members[0].Reference, members[1].Reference}, []any{nil, app})
}

func write(client *ClientWithResponses, token string) {
	ctx := context.Background()
	withToken := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	const tool = "localhost:5000/team/tool:1"
	body := ReferenceDetails{PushedAt: new(time.Now())}
	refused, err := client.PutReferenceWithResponse(ctx, tool, body)
	check(err)
	want("status of PUT without the token", refused.StatusCode(), 401)
	stored, err := client.PutReferenceWithResponse(ctx, tool, body, withToken)
	check(err)
	want("PUT", string(stored.Body), "Url "+tool+" stored for team/tool")
	deleted, err := client.DeleteReferenceWithResponse(ctx, tool, nil, withToken)
	check(err)
	want("DELETE", string(deleted.Body), "Deleted 1 reference of team/tool")
}

func namesOf(repositories []Repository) (all []string) {
	for _, r := range repositories {
		all = append(all, r.Name)
	}
	return all
}

// parsed returns the parsed body of an answer, which has none if its status is
// another.
func parsed[T any](body *T, answer interface{ Status() string }) T {
	if body == nil {
		log.Fatalf("%T with an unexpected status: %s", answer, answer.Status())
	}
	return *body
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// want compares values as JSON, which follows pointers.
func want(what string, got, want any) {
	gotJSON, err := json.Marshal(got)
	check(err)
	wantJSON, err := json.Marshal(want)
	check(err)
	if !bytes.Equal(gotJSON, wantJSON) {
		log.Fatalf("%s = %s, want %s", what, gotJSON, wantJSON)
	}
}
