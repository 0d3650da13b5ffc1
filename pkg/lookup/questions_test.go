package lookup_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/store"
)

// fillTags pushes tags of a repository in this order. A tag may end with = and its
// content; tags with the same content have the same digest.
func fillTags(t *testing.T, db store.Store, repository, tags string) {
	t.Helper()
	for i, field := range strings.Fields(tags) {
		tag, content, ok := strings.Cut(field, "=")
		if !ok {
			content = tag
		}
		p := pushOf("reg.azurecr.io/"+repository+":"+tag, time.Unix(int64(i)*60, 0))
		p.Digest = digestOf(content)
		push(t, db, p)
	}
}

func digestOf(content string) string { return fmt.Sprintf("sha256:%064x", content) }

// questions are what people ask in public about badges and the newest version, with the
// answers that they want.
var questions = []struct {
	name    string
	tags    string
	answers map[string]string // by query
}{
	{"latest hides no version", "0.18.1=x latest=x", map[string]string{
		"": "reg.azurecr.io/r:0.18.1", "show=tag": "0.18.1", "show=version": "0.18.1", "show=digest": "reg.azurecr.io/r@" + digestOf("x"),
		"tag=latest&show=tag": "latest", "tag=latest&show=version": "0.18.1",
	}},
	{"which version is stable", "4.2.0=a stable=a 5.0.0-rc.1=b edge=b", map[string]string{
		"tag=stable&show=version": "4.2.0", "tag=edge&show=version": "5.0.0-rc.1", "tag=stable": "reg.azurecr.io/r:stable",
		"show=version": "5.0.0-rc.1", "tag=stable&show=date": "1970-01-01",
	}},
	{"a floating tag is not the version", "1.2.0 1.2 1 latest", map[string]string{"sort=semver&show=tag": "1.2.0", "sort=semver&show=version": "1.2.0", "show=version&tag=1": "no version"}},
	{"floating tags of one image", "1.2.0=x 1.2=x 1=x latest=x", map[string]string{"show=tag": "1.2.0", "tag=1&show=version": "1.2.0", "tag=1,1.2&show=tag": "1.2"}},
	{"versions of four numbers", "v0.9.1 v0.9.2.4 v0.9.2.5", map[string]string{"sort=semver&show=tag": "v0.9.2.5", "sort=semver&show=version": "0.9.2.5"}},
	{"and with a suffix", "4.0.15.2941-ls289 4.0.9.2244-ls257", map[string]string{"sort=semver&show=tag": "4.0.15.2941-ls289"}},
	{"a version as it is tagged", "20.04 22.04=u latest=u", map[string]string{"sort=semver&show=version": "22.04", "show=version": "22.04", "show=tag": "22.04"}},
	{"a chart's version has its +", "8.7.2_unicode 8.7.3_unicode", map[string]string{"sort=semver&show=version": "8.7.3+unicode", "sort=semver&show=tag": "8.7.3_unicode"}},
	{"one repository, several components", "foo-1.9.0 foo-1.10.0 bar-0.2.0 foo-1.9.1", map[string]string{
		"sort=semver&tag=foo-*&show=tag": "foo-1.10.0", "sort=semver&tag=foo-*&show=version": "1.10.0", "tag=foo-*&show=tag": "foo-1.9.1",
		"sort=semver&tag=foo-*,bar-*&show=tag": "foo-1.9.1", "sort=semver&tag=foo-[0-9]*&ignore=*.1?.*&show=version": "1.9.1",
		"tag=foo-*&show=version": "no version",
	}},
	{"a filter that leaves nothing", "2026-08-10 2026-08-28", map[string]string{"tag=v*": "No tag matches", "ignore=latest,*-*": "No tag matches", "sort=semver&tag=v*&show=version": "No tag matches"}},
	{"classes of characters", "v9.1.0 vacuum-26.03.18", map[string]string{"tag=v[0-9]*&show=tag": "v9.1.0", "tag=v[!0-9]*&show=tag": "vacuum-26.03.18", "tag=v[^a-z]*&show=tag": "v9.1.0"}},
	{"a blank in a list", "3f2a9c10 master latest", map[string]string{"ignore=latest,%20master&show=tag": "3f2a9c10"}},
	{"several to ignore", "2.8.1 2.8.2 2.18.3 main latest", map[string]string{"ignore=latest,main&show=tag": "2.18.3"}},
	{"prereleases that are not wanted", "3.13.0 4.0.0beta1 4.0.0-beta.1", map[string]string{
		"sort=semver&include_prereleases=false&show=tag": "3.13.0", "sort=semver&include_prereleases=0&show=tag": "3.13.0",
		"sort=semver&include_prereleases=no&show=tag": "3.13.0", "sort=semver&include_prereleases&show=tag": "4.0.0-beta.1",
	}},
	{"release candidates of the next major", "v1.46.0-RC4 v1.46.6 v1.47.0-RC1", map[string]string{"sort=semver&show=tag": "v1.46.6", "sort=semver&include_prereleases=1&show=tag": "v1.47.0-RC1"}},
	{"release candidates by number", "7.8.0-rc.9 7.8.0-rc.10", map[string]string{"sort=semver&show=tag": "7.8.0-rc.10"}},
	{"a patch of an old line", "1.20.3 1.21.1 1.20.4", map[string]string{"sort=semver&show=tag": "1.21.1", "tag=1.20.*&show=tag": "1.20.4"}},
	{"variants", "1.15-alpine 1.9-alpine 1.15-alpine-perl", map[string]string{"sort=semver&tag=*-alpine&show=tag": "1.15-alpine"}},
	{"a beta that is no version", "3.8.0-alpine3.10 3.8.0b1-alpine3.10", map[string]string{"sort=semver&tag=*-alpine3.10&show=tag": "3.8.0-alpine3.10"}},
	{"odd tags beside versions", "1.09 3.3.9 3.3.11 3.51b untagged-a28b5342e0bdb1f3776a", map[string]string{"sort=semver&show=tag": "3.3.11"}},
	{"a channel", "ga-015fcaa=k beta-015fcaa=k", map[string]string{"tag=ga-*&show=tag": "ga-015fcaa", "tag=ga-*&show=version": "no version"}},
	{"the newest commit", "sha-9f sha-1a v1 sha-77 latest", map[string]string{"tag=sha-*&show=tag": "sha-77"}},
	{"what says nothing at all", "latest", map[string]string{"show=tag": "latest", "show=version": "no version", "sort=semver&show=version": "no version"}},
}

func TestWhatPeopleAsk(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		h := handlerOf(t, db)
		for i, q := range questions {
			repository := fmt.Sprintf("r%d", i)
			fillTags(t, db, repository, q.tags)
			for query, answer := range q.answers {
				want := strings.NewReplacer("/r:", "/"+repository+":", "/r@", "/"+repository+"@").Replace(answer)
				status := http.StatusOK
				if answer == "no version" || answer == "No tag matches" {
					status = http.StatusNotFound
				}
				t.Logf("%s: GET /%s?%s", q.name, repository, query)
				wantAnswer(t, h, "/"+repository+"?format=text&"+query, status, typeText, want+"\n")
			}
		}
	})
}

// TestCatalogueShowsWhatCanBePulled: JSON, page and feed follow the same rules as badges.
func TestCatalogueShowsWhatCanBePulled(t *testing.T) {
	onBoth(t, func(t *testing.T, db store.Store) {
		fillTags(t, db, "app", "22.04=old v22.04.1-rc.1=new latest=new")
		for what, h := range map[string]http.Handler{"the store": handlerOf(t, db), "memory": holding(db, plenty)} {
			for range 2 {
				body := get(t, h, "/api/repositories")
				for _, want := range []string{`"reference":"reg.azurecr.io/app:v22.04.1-rc.1"`, `"version":"22.04"`, `"highest":"reg.azurecr.io/app:22.04"`} {
					if !strings.Contains(body, want) {
						t.Errorf("GET /api/repositories from %s = %s, want %s in it", what, body, want)
					}
				}
				wantTexts(t, h, "/", 200, "<code>reg.azurecr.io/app:v22.04.1-rc.1<", "<code>reg.azurecr.io/app:22.04<")
				feed := get(t, h, "/?format=atom")
				if want := "highest version: reg.azurecr.io/app:22.04<"; !strings.Contains(feed, want) || strings.Contains(feed, ":latest") {
					t.Errorf("GET /?format=atom from %s = %s, want %s and no latest in it", what, feed, want)
				}
			}
		}
	})
}

// TestLabelOfOneBadge checks the label and the other parts of a badge's look.
func TestLabelOfOneBadge(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, open(t, "a.io/wash:0.18.1"))
	const query = "show=tag&label=my-image&labelColor=%23fffe&color=success&logo=Node.js"
	wantAnswer(t, h, "/wash?"+query, 200, typeJSON, `{"schemaVersion":1,"label":"my-image","message":"0.18.1","color":"success","labelColor":"#fffe","namedLogo":"Node.js"}`)
	wantAnswer(t, h, "/wash?style=flat-square&"+query+"&tag=9", 200, typeJSON, `{"schemaVersion":1,"label":"my-image","message":"No tag matches","color":"lightgrey","labelColor":"#fffe","isError":true}`)
	wantAnswer(t, h, "/none?"+query, 200, typeJSON, `{"schemaVersion":1,"label":"my-image","message":"Provider not yet published","color":"lightgrey","labelColor":"#fffe","isError":true}`)
	wantAnswer(t, h, "/wash?show=tag&label=&color=&labelColor=&logo=&style=", 200, typeJSON, showing("0.18.1"))
	for query, wants := range map[string][]string{
		query + "&style=flat-square": {"<title>my-image: 0.18.1</title>", `fill="#fffe"`, `fill="#4b0"`, "crispEdges"},
		query + "&style=flat":        {"<title>my-image: 0.18.1</title>", `fill="#fffe"`, `fill="#4b0"`, "linearGradient"},
		query + "&tag=9":             {"<title>my-image: No tag matches</title>", `fill="#fffe"`, `fill="#939393"`},
	} {
		for _, want := range wants {
			if body := get(t, h, "/wash?format=svg&"+query); !strings.Contains(body, want) {
				t.Errorf("GET /wash?format=svg&%s = %s, want %s in it", query, body, want)
			}
		}
	}
	longest := strings.Repeat("é", 64)
	if got := endpointBadge(t, []byte(get(t, h, "/wash?label="+longest+"&logo="+longest))); *got.Label != longest || *got.NamedLogo != longest {
		t.Errorf("the longest label and logo: %+v", got)
	}
}

// TestShownVersionIsOneReadMoreAtMost: there is none if the first read gives the version.
func TestShownVersionIsOneReadMoreAtMost(t *testing.T) {
	t.Parallel()
	db := open(t)
	fillTags(t, db, "wash", "1.0.0=a stable=a foo-2.0.0 latest")
	for query, want := range map[string]int{
		"show=version": 1, "show=version&sort=semver": 1, "show=version&tag=1.*": 1, "show=version&tag=stable": 2,
		"show=version&tag=foo-*&sort=semver": 1, "show=version&tag=foo-*": 2, "show=date&tag=stable": 1, "show=version&tag=none": 1,
	} {
		spy := &spy{Reader: db}
		do(handlerOf(t, spy), "GET", "/wash?"+query)
		if spy.reads != want {
			t.Errorf("GET /wash?%s reads the store %d times, want %d", query, spy.reads, want)
		}
	}
}

// stable is a store whose only tag is not a version. The read that would find the version
// fails.
type stable struct{ stub }

func (stable) Pick(_ context.Context, q store.Query) (event.Push, error) {
	p := stubPush(q.Name)
	p.Reference.Tag = "stable"
	return p, nil
}

func (stable) Versioned(context.Context, reference.Name, event.Push) (event.Push, error) {
	return event.Push{}, errPlanted
}

// TestFailedReadOfAVersionIsNoAnswer: it must not say that there is no version.
func TestFailedReadOfAVersionIsNoAnswer(t *testing.T) {
	t.Parallel()
	wantAnswer(t, handlerOf(t, stable{}), "/wash?format=text&tag=stable&show=version", 503, typeText, "Lookup failed, try again\n")
	wantAnswer(t, handlerOf(t, stable{}), "/wash?format=text&tag=stable", 200, typeText, "wasmcloud.azurecr.io/wash:stable\n")
}
