package registry_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/registry"
	"ocireffer/pkg/registry/acrtest"
)

// wasm returns a public server with two repositories, at noon.
func wasm(t *testing.T) (*acrtest.Server, *acrtest.Clock) {
	t.Helper()
	clock := acrtest.NewClock(noon.Add(-time.Hour))
	s := acrtest.Public(clock.Now)
	s.Push("wash", "0.18.0", acrtest.Digest("18"))
	clock.Advance(time.Minute)
	s.Push("wash", "0.18.1", acrtest.Digest("181"))
	s.Push("wash", "latest", acrtest.Digest("181"))
	s.Push("team/app", "1", acrtest.Digest("1"))
	clock.Advance(noon.Sub(clock.Now()))
	return s, clock
}

func TestACRIsRead(t *testing.T) {
	t.Parallel()
	s, clock := wasm(t)
	r := open(t, acrHost, s, on(clock))
	if got := catalogue(t, r); strings.Join(got.Names, ",") != "team/app,wash" || !got.Complete {
		t.Errorf("catalogue is %v, want team/app,wash, complete", got)
	}
	wash := repository(t, r, "wash")
	wantState(t, "wash", wash.State, wash.Why, registry.Found)
	if wash.Attributes.Tags != 3 || wash.Attributes.Manifests != 2 || wash.LoginServer != acrHost {
		t.Errorf("wash has %+v in %s, want 3 tags, 2 manifests in %s", wash.Attributes, wash.LoginServer, acrHost)
	}
	if !wash.Moment.Date.Equal(noon) || !wash.Moment.Trusted(0) {
		t.Errorf("wash was read at %+v, want %s", wash.Moment, noon)
	}
	l := list(t, r, "wash")
	wantComplete(t, l, "0.18.0", "0.18.1", "latest")
	pushed := noon.Add(-59 * time.Minute)
	if got := l.Tags[2]; got.Digest != acrtest.Digest("181") || !got.PushedAt.Equal(pushed) {
		t.Errorf("latest is %+v, want %s at %s", got, acrtest.Digest("181"), pushed)
	}
	// imageSize is the size of the image. Neither it nor a media type may end up in a
	// push.
	if got := l.Tags[0]; got.Size != -1 || got.MediaType != "" {
		t.Errorf("0.18.0 has size %d and media type %q, want both unknown", got.Size, got.MediaType)
	}
}

// ACR asks clients to identify themselves (Azure/acr docs/http-headers.md).
func TestACRIsToldWhoAsks(t *testing.T) {
	t.Parallel()
	s, clock := wasm(t)
	s.Set(func(r *acrtest.Rules) {
		r.Intercept = func(_ http.ResponseWriter, r *http.Request, _ int) bool {
			if got := r.Header.Get("X-Meta-Source-Client") + " " + r.UserAgent(); got != "test/1 test/1" {
				t.Errorf("%s was requested by %s, want test/1", r.URL, got)
			}
			return false
		}
	})
	r := open(t, acrHost, s, on(clock), func(o *registry.Options) { o.UserAgent = "test/1" })
	wantComplete(t, list(t, r, "wash"), "0.18.0", "0.18.1", "latest")
}

func TestTagThatIsAskedFor(t *testing.T) {
	t.Parallel()
	s, clock := wasm(t)
	s.SetListEnabled("wash", "0.18.0", false)
	s.Untag("wash", "latest")
	r := open(t, acrHost, s, on(clock))
	wantComplete(t, list(t, r, "wash"), "0.18.1")
	for _, test := range []struct {
		repository, tag string
		want            registry.State
	}{
		{"wash", "0.18.0", registry.Found}, // not listed, but present
		{"wash", "0.18.1", registry.Found},
		{"wash", "latest", registry.Gone},
		{"none", "1", registry.Gone},
	} {
		got := tag(t, r, test.repository, test.tag)
		wantState(t, test.repository+":"+test.tag, got.State, got.Why, test.want)
	}
	if got := tag(t, r, "wash", "0.18.0"); got.Tag.Digest != acrtest.Digest("18") {
		t.Errorf("Tag(wash, 0.18.0) = %+v, want its digest", got)
	}
}

// A 404 alone proves nothing. Only the last three answers prove that the tag is gone.
func TestOnlyACodeOfTheRegistryMeansGone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status int
		body   string
		aged   bool
		want   registry.State
	}{
		{"a proxy's page", 404, "<html>404</html>", false, registry.Unsure},
		{"no body", 404, "", false, registry.Unsure},
		{"another code", 404, `{"errors":[{"code":"UNSUPPORTED"}]}`, false, registry.Unsure},
		{"no such path", 404, `{"errors":[{"code":"NOT_FOUND"}]}`, false, registry.Unsure},
		{"out of a cache", 404, `{"errors":[{"code":"TAG_UNKNOWN"}]}`, true, registry.Unsure},
		{"another status", 400, `{"errors":[{"code":"TAG_UNKNOWN"}]}`, false, registry.Unsure},
		{"a server's error", 500, `{"errors":[{"code":"TAG_UNKNOWN"}]}`, false, registry.Unsure},
		{"no right", 403, `{"errors":[{"code":"DENIED"}]}`, false, registry.Forbidden},
		{"a page to sign in", 200, "<html>", false, registry.Unsure},
		{"another tag", 200, `{"registry":"wasm.azurecr.io","imageName":"wash","tag":{"name":"2"}}`, false, registry.Unsure},
		{"TAG_UNKNOWN", 404, `{"errors":[{"code":"TAG_UNKNOWN"}]}`, false, registry.Gone},
		{"MANIFEST_UNKNOWN", 404, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`, false, registry.Gone},
		{"NAME_UNKNOWN", 404, `{"errors":[{"code":"NAME_UNKNOWN"}]}`, false, registry.Gone},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := open(t, acrHost, handler(func(w http.ResponseWriter, _ *http.Request) {
				if test.aged {
					w.Header().Set("Age", "0")
				}
				w.WriteHeader(test.status)
				w.Write([]byte(test.body))
			}))
			got := tag(t, r, "wash", "1")
			wantState(t, "wash:1", got.State, got.Why, test.want)
		})
	}
}

func TestRepositoryIsGoneOnlyForATokenThatMaySeeIt(t *testing.T) {
	t.Parallel()
	s, _ := wasm(t)
	r := open(t, acrHost, s)
	got := repository(t, r, "none")
	wantState(t, "none", got.State, got.Why, registry.Gone)

	// The same answer, with a token that does not tell what it allows.
	r = open(t, acrHost, handler(func(w http.ResponseWriter, r *http.Request) {
		acrtest.Fail(w, http.StatusNotFound, "NAME_UNKNOWN", `repository "none" is not found`)
	}))
	got = repository(t, r, "none")
	wantState(t, "none", got.State, got.Why, registry.Missing)
}

func TestCountThatChangedSaysNothing(t *testing.T) {
	t.Parallel()
	s, clock := wasm(t)
	r := open(t, acrHost, s, on(clock))
	before := repository(t, r, "wash")
	clock.Advance(time.Minute)
	s.Untag("wash", "latest")
	l, err := r.Tags(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	wantComplete(t, l, "0.18.0", "0.18.1")

	before.Attributes = registry.Attributes{}
	if l, err = r.Tags(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	wantIncomplete(t, l, "count is unknown")
}

// A repository's lastUpdateTime may be older than its newest tag.
func TestRepositoryIsOlderThanItsNewestTag(t *testing.T) {
	t.Parallel()
	clock := acrtest.NewClock(noon)
	s := acrtest.Public(clock.Now)
	s.Push("wash", "1", acrtest.Digest("1"))
	clock.Advance(1400 * time.Millisecond)
	s.Push("wash", "2", acrtest.Digest("1"))
	r := open(t, acrHost, s, on(clock))
	attributes, tags := repository(t, r, "wash").Attributes, list(t, r, "wash").Tags
	if !attributes.LastUpdate.Before(tags[1].PushedAt) || attributes.Tags != 2 {
		t.Errorf("attributes are %+v and the newest tag's time is %s, want an earlier time and the new count", attributes, tags[1].PushedAt)
	}
}

func TestMomentThatIsNotTrusted(t *testing.T) {
	t.Parallel()
	const skew = 5 * time.Minute
	for _, test := range []struct {
		name string
		rule func(*acrtest.Rules)
		want bool
	}{
		{"as it should be", func(*acrtest.Rules) {}, true},
		{"5 min ahead", func(r *acrtest.Rules) { r.DateOffset = skew }, true},
		{"more than 5 min ahead", func(r *acrtest.Rules) { r.DateOffset = skew + time.Second }, false},
		{"more than 5 min behind", func(r *acrtest.Rules) { r.DateOffset = -skew - time.Second }, false},
		{"without Date", func(r *acrtest.Rules) { r.NoDate = true }, false},
		{"with Age", func(r *acrtest.Rules) { r.Aged = true }, false},
	} {
		s, clock := wasm(t)
		s.Set(test.rule)
		got := repository(t, open(t, acrHost, s, on(clock)), "wash").Moment
		if got.Trusted(skew) != test.want {
			t.Errorf("%s: %+v is trusted: %t, want %t", test.name, got, !test.want, test.want)
		}
	}
}

func TestCatalogueThatIsLimited(t *testing.T) {
	t.Parallel()
	s, _ := wasm(t)
	s.Set(func(r *acrtest.Rules) {
		r.Users = map[string]acrtest.User{
			"empty":   {Password: "p", Repositories: []string{"wash"}, Catalogue: acrtest.Empty},
			"refused": {Password: "p", Repositories: []string{"wash"}, Catalogue: acrtest.Refused},
		}
	})
	for _, user := range []string{"empty", "refused"} {
		r := open(t, acrHost, s, as(user, "p"))
		got := catalogue(t, r)
		if got.Complete || len(got.Names) > 0 || errors.Is(got.Why, registry.ErrEmptyCatalogue) != (user == "empty") {
			t.Errorf("catalogue of %s is %+v, want nothing, incomplete", user, got)
		}
		// Its own repository is readable nevertheless.
		wantComplete(t, list(t, r, "wash"), "0.18.0", "0.18.1", "latest")
		other := repository(t, r, "team/app")
		wantState(t, "team/app", other.State, other.Why, registry.Forbidden)
	}
	r := open(t, acrHost, s, as("empty", "p"), func(o *registry.Options) { o.Repositories = []string{"wash", "app", "wash"} })
	if got := catalogue(t, r); !slices.Equal(got.Names, []string{"app", "wash"}) || !got.Complete {
		t.Errorf("catalogue is %v, want the configured repositories", got)
	}
}
