package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"ocireffer/pkg/webhook/webhooktest"
)

// TestSamplesOfAllSendersAreAnswered sends each sample to a store that contains only what
// the sample is about.
func TestSamplesOfAllSendersAreAnswered(t *testing.T) {
	t.Parallel()
	for _, s := range webhooktest.Samples(t) {
		t.Run(s.File, func(t *testing.T) {
			t.Parallel()
			p := startNew(t, []string{tokenEnv, "WEBHOOK_SECRETS=" + webhooktest.Secret})
			for _, r := range s.There {
				reference, digest, _ := strings.Cut(r, "@")
				body := `{"digest":"` + digest + `","pushedAt":"2020-01-01T00:00:00Z"}`
				if status, answer := p.do(t, "PUT", "/api/references/"+reference, body, "Authorization", "Bearer test2"); status != 200 {
					t.Fatalf("PUT %s = %d %q", reference, status, answer)
				}
			}
			query, header := url.Values{}, []string(nil)
			if s.Registry != "" {
				query.Set("registry", s.Registry)
			}
			if s.Signature != "" {
				header = append(header, "X-Hub-Signature-256", s.Signature)
			} else {
				query.Set("token", "test2")
			}
			for name, value := range s.Header {
				header = append(header, name, value)
			}
			p.want(t, "POST", "/api/webhook?"+query.Encode(), string(s.Body), s.Status, s.Answer, header...)
			wantReferences(t, p, s)
		})
	}
}

// wantReferences wants the store to have the references that a sample leaves in its
// repositories.
func wantReferences(t *testing.T, p program, s webhooktest.Sample) {
	t.Helper()
	var got []string
	var seen []string
	for _, reference := range slices.Concat(s.There, s.Left) {
		reference, _, _ = strings.Cut(reference, "@")
		name := reference[:strings.LastIndexByte(reference, ':')]
		if slices.Contains(seen, name) {
			continue
		}
		seen = append(seen, name)
		got = append(got, p.references(t, name)...)
	}
	want := slices.Sorted(slices.Values(s.Left))
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("references are %q, want %q", got, want)
	}
	if len(s.Left) > 0 {
		return
	}
	if _, body := p.do(t, "GET", "/api/repositories", ""); body != `{"repositories":[]}` {
		t.Errorf("GET /api/repositories = %s, want none", body)
	}
}

// references returns the references in a registry/repository.
func (p program) references(t *testing.T, name string) (all []string) {
	t.Helper()
	_, body := p.do(t, "GET", "/api/repositories/"+name, "")
	var answer struct{ References []struct{ Reference string } }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("GET /api/repositories/%s = %s: %v", name, body, err)
	}
	for _, r := range answer.References {
		all = append(all, r.Reference)
	}
	return all
}
