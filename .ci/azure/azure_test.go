// Package azure_test holds the stand-in of ACR, and our client, to Azure's own client
// of ACR's data plane. It is a module of its own, so that the SDK is no requirement of
// ocireffer: cd .ci/azure && go test ./...
package azure_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/containers/azcontainerregistry"

	"ocireffer/pkg/registry"
	"ocireffer/pkg/registry/acrtest"
)

// identity is an identity of Entra.
type identity string

func (i identity) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(i), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// azure returns Azure's client of s.
func azure(t *testing.T, s *acrtest.Server, credential azcore.TokenCredential) *azcontainerregistry.Client {
	t.Helper()
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	client, err := azcontainerregistry.NewClient(server.URL, credential, &azcontainerregistry.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: server.Client()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// ours returns our client of s.
func ours(t *testing.T, s http.Handler) registry.Registry {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	r, err := registry.Open(strings.TrimPrefix(server.URL, "http://"), registry.Options{Kind: registry.ACR, Rate: 10000})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// filled returns a server that nobody and identity "entra" may read, with names that
// have slashes, and repositories whose tags fill no page, one, and several.
func filled(t *testing.T) *acrtest.Server {
	t.Helper()
	s := acrtest.Public(nil)
	s.Set(func(r *acrtest.Rules) { r.Entra = map[string]acrtest.User{"entra": {}} })
	for i := range 120 {
		s.Push(fmt.Sprintf("team-%d/app/r%03d", i%7, i), "1", acrtest.Digest(fmt.Sprint(i)))
	}
	for _, n := range []int{1, 99, 100, 101, 250} {
		name := fmt.Sprintf("library/tags-%d", n)
		for i := range n {
			s.Push(name, fmt.Sprintf("%d.%d", rand.N(1000), i), acrtest.Digest(fmt.Sprint(i%70)))
		}
		s.Push(name, "x", acrtest.Digest("x"))
		s.Untag(name, "x")
	}
	return s
}

// azureRepositories lists all repositories by Azure's client.
func azureRepositories(t *testing.T, client *azcontainerregistry.Client, n int32) []string {
	t.Helper()
	var names []string
	for pager := client.NewListRepositoriesPager(&azcontainerregistry.ClientListRepositoriesOptions{MaxNum: &n}); pager.More(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range page.Repositories.Names {
			names = append(names, *name)
		}
	}
	return names
}

// azureTags lists the tags of a repository by Azure's client, as name, digest and time.
func azureTags(t *testing.T, client *azcontainerregistry.Client, name string, n int32) []string {
	t.Helper()
	var tags []string
	for pager := client.NewListTagsPager(name, &azcontainerregistry.ClientListTagsOptions{MaxNum: &n}); pager.More(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := *page.Repository; got != name {
			t.Fatalf("listed %s, want %s", got, name)
		}
		for _, tag := range page.Tags {
			tags = append(tags, fmt.Sprint(*tag.Name, " ", *tag.Digest, " ", *tag.LastUpdatedOn))
		}
	}
	slices.Sort(tags)
	return tags
}

func TestAzureListsWhatWeList(t *testing.T) {
	t.Parallel()
	s := filled(t)
	r := ours(t, s)
	catalogue, err := r.Repositories(t.Context())
	if err != nil || !catalogue.Complete {
		t.Fatalf("catalogue is %+v, %v", catalogue, err)
	}
	for name, credential := range map[string]azcore.TokenCredential{"nobody": nil, "an identity": identity("entra")} {
		client := azure(t, s, credential)
		for _, n := range []int32{7, 100, 1000} {
			if got := azureRepositories(t, client, n); !slices.Equal(got, catalogue.Names) {
				t.Errorf("%s, by %d: Azure lists %v, we %v", name, n, got, catalogue.Names)
			}
		}
		for _, name := range catalogue.Names {
			repository, err := r.Repository(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			listing, err := r.Tags(t.Context(), repository)
			if err != nil || !listing.Complete {
				t.Fatalf("tags of %s: %v, %v", name, listing.Why, err)
			}
			var tags []string
			for _, tag := range listing.Tags {
				tags = append(tags, fmt.Sprint(tag.Name, " ", tag.Digest, " ", tag.PushedAt))
			}
			slices.Sort(tags)
			if got := azureTags(t, client, name, 100); !slices.Equal(got, tags) {
				t.Errorf("tags of %s: Azure lists\n%s\nwe\n%s", name, strings.Join(got, "\n"), strings.Join(tags, "\n"))
			}
			properties, err := client.GetRepositoryProperties(t.Context(), name, nil)
			if err != nil {
				t.Fatal(err)
			}
			theirs := registry.Attributes{LastUpdate: *properties.LastUpdatedOn, Tags: int(*properties.TagCount), Manifests: int(*properties.ManifestCount)}
			if !repository.Attributes.Equal(theirs) || !strings.Contains(*properties.RegistryLoginServer, "127.0.0.1") {
				t.Errorf("attributes of %s: Azure has %+v, we %+v", name, theirs, repository.Attributes)
			}
		}
	}
}

func TestAzureAgreesOnWhatIsGone(t *testing.T) {
	t.Parallel()
	s := filled(t)
	client, r := azure(t, s, identity("entra")), ours(t, s)
	code := func(err error) string {
		if response, ok := errors.AsType[*azcore.ResponseError](err); ok {
			return fmt.Sprintf("%d %s", response.StatusCode, response.ErrorCode)
		}
		return fmt.Sprint(err)
	}
	_, err := client.DeleteTag(t.Context(), "library/tags-1", strings.Fields(azureTags(t, client, "library/tags-1", 100)[0])[0], nil)
	if err != nil {
		t.Errorf("untag: %v", err)
	}
	if got := azureTags(t, client, "library/tags-1", 100); len(got) > 0 {
		t.Errorf("after its untag Azure lists %v", got)
	}
	_, err = client.GetTagProperties(t.Context(), "library/tags-1", "none", nil)
	if got := code(err); !strings.HasPrefix(got, "404") {
		t.Errorf("Azure's error for a tag that is gone: %s", got)
	}
	answer, err := r.Tag(t.Context(), "library/tags-1", "none")
	if err != nil || answer.State != registry.Gone {
		t.Errorf("our answer for a tag that is gone: %+v, %v", answer, err)
	}
	_, err = client.GetRepositoryProperties(t.Context(), "none", nil)
	if got := code(err); !strings.HasPrefix(got, "404") {
		t.Errorf("Azure's error for a repository that is gone: %s", got)
	}
	repository, err := r.Repository(t.Context(), "none")
	if err != nil || repository.State != registry.Gone {
		t.Errorf("our answer for a repository that is gone: %+v, %v", repository, err)
	}
}

func TestAzureReadsManifests(t *testing.T) {
	t.Parallel()
	client := azure(t, filled(t), nil)
	manifests := 0
	for pager := client.NewListManifestsPager("library/tags-250", &azcontainerregistry.ClientListManifestsOptions{MaxNum: to.Ptr(int32(20))}); pager.More(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		manifests += len(page.Attributes)
	}
	if manifests != 71 {
		t.Errorf("%d manifests, want 70 and one without a tag", manifests)
	}
}

func TestAzureIsRefused(t *testing.T) {
	t.Parallel()
	s := filled(t)
	s.Set(func(r *acrtest.Rules) { r.Anonymous = false })
	if _, err := azure(t, s, nil).GetRepositoryProperties(t.Context(), "library/tags-1", nil); err == nil {
		t.Error("nobody may read")
	}
	if _, err := azure(t, s, identity("stranger")).GetRepositoryProperties(t.Context(), "library/tags-1", nil); err == nil {
		t.Error("a stranger may read")
	}
	if _, err := azure(t, s, identity("entra")).GetRepositoryProperties(t.Context(), "library/tags-1", nil); err != nil {
		t.Errorf("an identity: %v", err)
	}
}
