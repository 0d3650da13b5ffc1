package webhook_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ocireffer/pkg/event"
	"ocireffer/pkg/webhook"
	"ocireffer/pkg/webhook/webhooktest"
)

// delivery returns the delivery of a sample.
func delivery(s webhooktest.Sample) webhook.Delivery {
	header := http.Header{}
	for name, value := range s.Header {
		header.Set(name, value)
	}
	return webhook.Delivery{Header: header.Get, Registry: s.Registry, Now: s.Received}
}

// TestSamplesAreRead wants the events of each known body, and the answers of bodies that
// change nothing.
func TestSamplesAreRead(t *testing.T) {
	t.Parallel()
	for _, s := range webhooktest.Samples(t) {
		t.Run(s.File, func(t *testing.T) {
			t.Parallel()
			items, err := webhook.Parse(s.Body, delivery(s))
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			var events []event.Event
			for i, item := range items {
				line := strings.Split(s.Answer, "\n")[i]
				switch {
				case !item.Event.IsZero():
					events = append(events, item.Event)
				case item.Err != nil:
					if !strings.HasSuffix(line, item.Err.Error()) || s.Status != 400 {
						t.Errorf("error %q, want the answer %d %q", item.Err, s.Status, line)
					}
				case item.Answer.Text != line:
					t.Errorf("answer %q, want %q", item.Answer.Text, line)
				}
			}
			if diff := cmp.Diff(s.Events, events, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("events: -want +got\n%s", diff)
			}
		})
	}
}

// TestSamplesCanBeSentAgain sends each logged event by itself, without headers.
func TestSamplesCanBeSentAgain(t *testing.T) {
	t.Parallel()
	for _, s := range webhooktest.Samples(t) {
		items, err := webhook.Parse(s.Body, delivery(s))
		if err != nil {
			t.Fatalf("%s: %v", s.File, err)
		}
		for _, item := range items {
			if item.Err == nil {
				checkSentAgain(t, item, s.Registry, s.Received)
			}
		}
	}
}

// bodyOf returns a sample's body with parts of it replaced. oldnew has pairs of old and
// new text.
func bodyOf(t *testing.T, file string, oldnew ...string) string {
	t.Helper()
	for _, s := range webhooktest.Samples(t) {
		if s.File != file {
			continue
		}
		var compact strings.Builder
		encoder := json.NewEncoder(&compact)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(json.RawMessage(s.Body)); err != nil {
			t.Fatal(err)
		}
		body := compact.String()
		for i := 0; i < len(oldnew); i += 2 {
			if !strings.Contains(body, oldnew[i]) {
				t.Fatalf("%s does not contain %s: %s", file, oldnew[i], body)
			}
		}
		return strings.NewReplacer(oldnew...).Replace(body)
	}
	t.Fatalf("no sample %s", file)
	return ""
}

// TestOtherEventsOfSendersAreIgnored: each sender has other kinds of events than pushes
// and deletes of images.
func TestOtherEventsOfSendersAreIgnored(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file   string
		oldnew []string
		want   string
	}{
		{"ghcr-package-published.json", []string{`"published"`, `"deleted"`}, `action "deleted"`},
		{"ghcr-package-published.json", []string{`"published"`, `null`}, `action ""`},
		{"ghcr-package-published.json", []string{`"package_type":"CONTAINER"`, `"package_type":"docker"`}, `package of type "docker"`},
		{"ghcr-package-published.json", []string{`"package_type":"CONTAINER"`, `"package_type":7`}, `package of type ""`},
		{"gitea-package-created.json", []string{`"created"`, `"updated"`}, `action "updated"`},
		{"gitea-package-created.json", []string{`"container"`, `"npm"`}, `package of type "npm"`},
		{"gitea-package-created.json", []string{`"version":"1.9.0"`, `"version":"` + digest + `"`}, "package " + digest + " has no tag"},
		{"gitea-package-deleted.json", []string{`"version":"1.9.0"`, `"version":"` + digest + `"`}, "package " + digest + " has no tag"},
		{"dockerhub-push.json", []string{`"repository":{`, `"repository":{"region":"cn-hangzhou",`}, "event of Alibaba Cloud's registry, which names neither its host nor the zone of its time"},
		{"harbor-push.json", []string{"PUSH_ARTIFACT", "TAG_RETENTION"}, `event type "TAG_RETENTION"`},
		{"harbor-cloudevents-push.json", []string{"artifact.pushed", "scan.completed"}, `event type "harbor.scan.completed"`},
		{"quay-push.json", []string{`["5.2.0"]`, `[]`}, "no updated_tags, so no push"},
		{"quay-push.json", []string{`["5.2.0"]`, `"5.2.0"`}, "no updated_tags, so no push"},
		{"ecr-push.json", []string{`"SUCCESS"`, `"FAILURE"`}, `result "FAILURE"`},
		{"ecr-push.json", []string{`"PUSH"`, `"SCAN"`}, `action "SCAN"`},
		{"artifactory-pushed.json", []string{`"pushed"`, `"cached"`}, `event type "cached" of "docker"`},
		{"artifactory-pushed.json", []string{`"domain":"docker"`, `"domain":"artifact"`, `"pushed"`, `"deployed"`}, `event type "deployed" of "artifact"`},
		{"nexus-created.json", []string{`"CREATED"`, `"PURGED"`}, `action "PURGED"`},
		{"nexus-created.json", []string{`"7.7.0"`, `"` + digest + `"`}, "component " + digest + " has no tag"},
	} {
		got := parseIn(t, bodyOf(t, c.file, c.oldnew...), "registry.example.com")
		if len(got) != 1 || got[0].Answer != ignored(c.want) {
			t.Errorf("%s with %q = %+v, want one answer, Ignored: %s", c.file, c.oldnew, got, c.want)
		}
	}
}

// parseIn returns the items in a body sent to a URL with a registry.
func parseIn(t *testing.T, body, registry string) []webhook.Item {
	t.Helper()
	items, err := webhook.Parse([]byte(body), webhook.Delivery{Header: noHeaders, Registry: registry, Now: now})
	if err != nil {
		t.Fatalf("Parse(%s): %v", body, err)
	}
	return items
}

// TestBadEventsOfSendersAreRefusedAndTheFieldNamed: no delete may remove more than was
// meant, and no push may be stored under part of its name.
func TestBadEventsOfSendersAreRefusedAndTheFieldNamed(t *testing.T) {
	t.Parallel()
	const neither = "tag and digest are missing"
	for _, c := range []struct {
		file   string
		oldnew []string
		want   string
	}{
		{"ghcr-package-published.json", []string{`"owner":{`, `"nobody":{`}, "package.owner.login is missing"},
		{"ghcr-package-published.json", []string{`"name":"widget"`, `"name":""`}, "package.name is missing"},
		{"ghcr-package-published.json", []string{`"name":"widget"`, `"name":"wid get"`}, `package.name: repository "acme-labs/wid get" is not an OCI name`},
		{"ghcr-package-published.json", []string{`"name":"2.1.0"`, `"name":"2 1"`}, `container_metadata.tag.name: tag "2 1" is not an OCI tag`},
		{"ghcr-package-published.json", []string{`"name":"2.1.0"`, `"name":7`}, `container_metadata.tag.name is not a string: "7"`},
		{"ghcr-untagged-platform.json", []string{`sha256:`, `x`}, neither},
		{"gitea-package-created.json", []string{"https://gitea.example.com/", "/"}, "package.html_url is missing"},
		{"gitea-package-created.json", []string{"gitea.example.com", "gitea"}, `package.html_url: registry "gitea" has neither a dot nor a port`},
		{"gitea-package-created.json", []string{`"version":"1.9.0"`, `"version":"1 9"`}, `package.version: tag "1 9" is not an OCI tag`},
		{"gitea-package-deleted.json", []string{`"version":"1.9.0",`, ""}, "package.version is missing"},
		{"gitea-package-deleted.json", []string{`"version":"1.9.0"`, `"version":""`}, "package.version is missing"},
		{"dockerhub-push.json", []string{`"repo_name":"acmelabs/widget",`, ""}, "repository.repo_name is missing"},
		{"dockerhub-push.json", []string{`acmelabs/widget"`, `Acme/Widget"`}, `repository.repo_name: repository "Acme/Widget" is not an OCI name`},
		{"dockerhub-push.json", []string{`"3.0.1"`, `""`}, neither},
		{"dockerhub-push.json", []string{`"3.0.1"`, `[]`}, `push_data.tag is not a string: "[]"`},
		{"harbor-push.json", []string{"harbor.example.com/acme/widget:4.0.0", ""}, "resource_url is missing"},
		{"harbor-push.json", []string{"harbor.example.com/acme/widget:4.0.0", "harbor.example.com/other:4.0.0"}, `resource_url: registry "harbor.example.com/other:4.0.0" is not a host`},
		{"harbor-push.json", []string{`"repo_full_name":"acme/widget"`, `"repo_full_name":null`}, "repository.repo_full_name is missing"},
		{"harbor-push.json", []string{`"resources":[`, `"resource":[`}, "resources are missing"},
		{"harbor-push.json", []string{`"tag":"4.0.0"`, `"tag":"4 0"`}, `tag: tag "4 0" is not an OCI tag`},
		{"harbor-delete.json", []string{`"sha256:3842ed`, `"sha256:xyz`}, `digest: digest "sha256:xyz91fed`},
		{"harbor-delete.json", []string{`"digest":`, `"other":`, `"tag":"4.0.0"`, `"tag":""`}, neither},
		{"harbor-cloudevents-delete.json", []string{`"digest":`, `"other":`, `"tag":`, `"else":`}, neither},
		{"quay-push.json", []string{`"docker_url":"quay.io/acme/widget"`, `"docker_url":"quay.io"`}, `docker_url: repository "" is not an OCI name`},
		{"quay-push.json", []string{`"docker_url":"quay.io/acme/widget"`, `"docker_url":"quay/acme/widget"`}, `docker_url: registry "quay" has neither a dot nor a port`},
		{"quay-push.json", []string{`["5.2.0"]`, `[5.2]`}, `updated_tags is not a string: "5.2"`},
		{"quay-push.json", []string{`["5.2.0"]`, `[null]`}, "updated_tags is missing"},
		{"ecr-push.json", []string{`"210987654321"`, `210987654321`}, "account or region is missing"},
		{"ecr-push.json", []string{`"acme/widget"`, `"Acme"`}, `detail.repository-name: repository "Acme" is not an OCI name`},
		{"ecr-push-empty-tag.json", []string{`sha256:`, `x`}, neither},
		{"ecr-delete-tag.json", []string{`"image-tag":"8.0.0"`, `"image-tag":""`, `"image-digest":"sha256:aef265dfd1d46ad2696f552dbc18a372efe3022f440702c78b633dcc249e721c"`, `"image-digest":""`}, neither},
		{"ecr-delete-tag.json", []string{`721c"`, `7"`}, `detail.image-digest: digest "sha256:aef2`},
		{"artifactory-pushed.json", []string{`"jpd_origin":"https://acme.jfrog.io/"`, `"x":1`}, "nothing names the registry: write ?registry=HOST behind the webhook's URL"},
		{"artifactory-pushed.json", []string{`https://acme.jfrog.io/`, `https://artifactory/`}, `jpd_origin: registry "artifactory" has neither a dot nor a port`},
		{"artifactory-pushed.json", []string{`"widget/6.0.0/manifest.json"`, `"6.0.0/manifest.json"`}, `data.path "6.0.0/manifest.json" is not IMAGE/TAG/manifest.json`},
		{"artifactory-pushed.json", []string{`"widget/6.0.0/manifest.json"`, `"widget/6 0/manifest.json"`}, `data.path: tag "6 0" is not an OCI tag`},
		{"artifactory-deleted.json", []string{`"path":"widget/6.0.0/manifest.json",`, ""}, "data.path is missing"},
		{"artifactory-deleted.json", []string{`"widget/6.0.0/manifest.json"`, `"widget//manifest.json"`}, `data.path: tag "" is not an OCI tag`},
		{"artifactory-deleted.json", []string{`"docker-local"`, `"Docker"`}, `data.path: repository "Docker/widget" is not an OCI name`},
		{"nexus-created.json", nil, "nothing names the registry: write ?registry=HOST behind the webhook's URL"},
	} {
		checkRefused(t, c.file, bodyOf(t, c.file, c.oldnew...), "", c.want)
	}
	for _, c := range []struct {
		file   string
		oldnew []string
		want   string
	}{
		{"nexus-created.json", []string{`"name":"acme/widget",`, ""}, "component.name is missing"},
		{"nexus-deleted.json", []string{`"version":"7.7.0"`, `"version":""`}, "component.version is missing"},
		{"nexus-deleted.json", []string{`"7.7.0"`, `"7 7"`}, `component.version: tag "7 7" is not an OCI tag`},
	} {
		checkRefused(t, c.file, bodyOf(t, c.file, c.oldnew...), "nexus.example.com", c.want)
	}
}

// checkRefused wants one item, with an error that begins with want.
func checkRefused(t *testing.T, what, body, registry, want string) {
	t.Helper()
	items := parseIn(t, body, registry)
	if len(items) != 1 || items[0].Err == nil || !strings.HasPrefix(items[0].Err.Error(), want) {
		t.Errorf("%s: Parse(%s) = %+v, want one error, %q", what, body, items, want)
	}
}

// TestZotNeedsARegistryAndAReference: nothing else in zot's events names a host.
func TestZotNeedsARegistryAndAReference(t *testing.T) {
	t.Parallel()
	cloudEvent := func(kind, data string) string {
		return `{"specversion":"1.0","type":"zotregistry.image.` + kind + `","source":"zotregistry.dev","data":` + data + `}`
	}
	checkRefused(t, "no registry", cloudEvent("updated", `{"name":"wash","reference":"1"}`), "", "nothing names the registry")
	checkRefused(t, "no name", cloudEvent("updated", `{"reference":"1"}`), "zot.example.com", "data.name is missing")
	checkRefused(t, "no reference", cloudEvent("deleted", `{"name":"wash"}`), "zot.example.com", "data.reference is missing")
	checkRefused(t, "no data", cloudEvent("deleted", `7`), "zot.example.com", "data.name is missing")
	items := parseIn(t, cloudEvent("deleted", `{"name":"wash","reference":"`+digest+`"}`), "zot.example.com")
	want := event.Target{Registry: "zot.example.com", Repository: "wash", Digest: digest}
	if d := items[0].Event.Delete; d == nil || d.Target != want {
		t.Errorf("delete by digest = %+v, want a delete of %v", items[0], want)
	}
	items = parseIn(t, cloudEvent("updated", `{"name":"wash","reference":"`+digest+`"}`), "zot.example.com")
	if want := ignored("push of wash@" + digest + " has no tag"); items[0].Answer != want {
		t.Errorf("push by digest = %+v, want %+v", items[0], want)
	}
}

// google returns a Pub/Sub message with this data.
func google(data string) string {
	return `{"message":{"data":"` + base64.StdEncoding.EncodeToString([]byte(data)) + `","publishTime":"2023-07-03T14:56:52.5Z"},"subscription":"s"}`
}

func TestGoogleTellsOfTagsAndDigests(t *testing.T) {
	t.Parallel()
	const image = "europe-docker.pkg.dev/acme/images/widget"
	for data, want := range map[string]string{
		`{"action":"INSERT","tag":"` + image + `:1","digest":"` + image + `@` + digest + `"}`: "push " + image + ":1@" + digest,
		`{"action":"INSERT","tag":"` + image + `:1"}`:                                         "push " + image + ":1@ ",
		`{"action":"INSERT","tag":"` + image + `:1","digest":"x"}`:                            "push " + image + ":1@ ",
		`{"action":"INSERT","tag":"` + image + `:1","digest":7}`:                              "push " + image + ":1@ ",
		`{"action":"INSERT","tag":"","digest":"` + image + `@` + digest + `"}`:                "Ignored: push of acme/images/widget@" + digest + " has no tag",
		`{"action":"DELETE","tag":"` + image + `:1"}`:                                         "delete " + image + ":1 ",
		`{"action":"DELETE","tag":"` + image + `:1","digest":"` + image + `@` + digest + `"}`: "delete " + image + "@" + digest + " ",
		`{"action":"DELETE","tag":"","digest":"` + image + `@` + digest + `"}`:                "delete " + image + "@" + digest + " ",
		`{"action":"DELETE","tag":"` + image + `:1","digest":""}`:                             "delete " + image + ":1 ",
		`{"action":"DELETE","tag":"` + image + `:1","digest":"` + image + `@x"}`:              `error: digest: digest "x" is not an OCI digest`,
		`{"action":"DELETE","tag":"` + image + `"}`:                                           `error: tag: tag "" is not an OCI tag`,
		`{"action":"DELETE","tag":"images/widget:1"}`:                                         `error: tag: registry "images" has neither a dot nor a port`,
		`{"action":"DELETE"}`:                     "error: tag and digest are missing",
		`{"action":"INSERT"}`:                     "error: tag and digest are missing",
		`{"action":"INSERT","digest":"gcr.io/a"}`: `error: digest: digest "" is not an OCI digest`,
		`{"action":"INSERT","tag":7}`:             `error: tag is not a string: "7"`,
		`{"action":"UPDATE"}`:                     `Ignored: action "UPDATE"`,
		`{}`:                                      `Ignored: action ""`,
		`[]`:                                      "error: message.data is not an object",
	} {
		got := said(parseIn(t, google(data), "")[0])
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s = %s, want %s", data, got, want)
		}
	}
	checkRefused(t, "no base64", strings.Replace(google(`{}`), `"data":"`, `"data":"!`, 1), "", "message.data is not base64")
}

// said returns a text for an item.
func said(item webhook.Item) string {
	switch {
	case item.Err != nil:
		return "error: " + item.Err.Error()
	case item.Event.IsZero():
		return item.Answer.Text
	default:
		return item.Event.String()
	}
}

// TestGitHubTimeIsThatOfThisPushOrReceipt: in some events, the package's time is that of
// its creation long ago.
func TestGitHubTimeIsThatOfThisPushOrReceipt(t *testing.T) {
	t.Parallel()
	const sent = `"updated_at":"2026-11-20T09:20:31Z"`
	updated := time.Date(2026, 11, 20, 9, 20, 31, 0, time.UTC)
	for name, c := range map[string]struct {
		oldnew   []string
		received time.Time
		isItsOwn bool
	}{
		"at once":               {received: updated.Add(time.Second), isItsOwn: true},
		"sent again in 4 days":  {received: updated.Add(4 * 24 * time.Hour), isItsOwn: true},
		"later":                 {received: updated.Add(4*24*time.Hour + 1)},
		"clock behind GitHub's": {received: updated.Add(-5 * time.Minute), isItsOwn: true},
		"from the future":       {received: updated.Add(-5*time.Minute - 1)},
		"that of its creation":  {oldnew: []string{"2025-02-03T11:00:00Z", "2026-11-20T09:20:31Z"}, received: updated},
		"the same elsewhere":    {oldnew: []string{"2025-02-03T11:00:00Z", "2026-11-20T10:20:31+01:00"}, received: updated.Add(time.Hour)},
		"no creation":           {oldnew: []string{`"created_at":"2025-02-03T11:00:00Z",`, ""}, received: updated.Add(time.Hour), isItsOwn: true},
		"none":                  {oldnew: []string{sent, `"updated_at":null`}, received: updated.Add(time.Hour)},
		"year 1":                {oldnew: []string{sent, `"updated_at":"0001-01-01T00:00:00Z"`}, received: updated.Add(time.Hour)},
	} {
		want := c.received
		if c.isItsOwn {
			want = updated
		}
		items, err := webhook.Parse([]byte(bodyOf(t, "ghcr-package-published.json", c.oldnew...)), webhook.Delivery{Header: noHeaders, Now: c.received})
		if err != nil || len(items) != 1 || items[0].Event.Push == nil || items[0].Event.Push.PushedAt != want {
			t.Errorf("%s: %+v, %v, want a push at %s", name, items, err, want)
		}
	}
}

// TestGitHubPackagesAreNamedByOwnerAndURL: GitHub Enterprise has its own hosts, and
// GitHub Apps get the package in another field.
func TestGitHubPackagesAreNamedByOwnerAndURL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		oldnew []string
		want   string
	}{
		"App":                     {oldnew: []string{`"package":{`, `"registry_package":{`}, want: "ghcr.io/acme-labs/widget:2.1.0"},
		"Enterprise":              {oldnew: []string{`"package_url":"ghcr.io/`, `"package_url":"containers.github.example.com/`}, want: "containers.github.example.com/acme-labs/widget:2.1.0"},
		"no URL":                  {oldnew: []string{`"package_url":`, `"x":`}, want: "ghcr.io/acme-labs/widget:2.1.0"},
		"URL without a host":      {oldnew: []string{`"package_url":"ghcr.io/`, `"package_url":"`}, want: "ghcr.io/acme-labs/widget:2.1.0"},
		"name with a slash":       {oldnew: []string{`"id":3300001,"name":"widget"`, `"id":3300001,"name":"Team/Widget"`}, want: "ghcr.io/acme-labs/team/widget:2.1.0"},
		"no metadata, tag in URL": {oldnew: []string{`"container_metadata":{`, `"container_metadata":null,"x":{`}, want: "ghcr.io/acme-labs/widget:2.1.0"},
		"type in lower case":      {oldnew: []string{`"package_type":"CONTAINER"`, `"package_type":"container"`}, want: "ghcr.io/acme-labs/widget:2.1.0"},
	} {
		item := parseOne(t, bodyOf(t, "ghcr-package-published.json", c.oldnew...))
		if item.Event.Push == nil || item.Event.Push.Reference.String() != c.want || item.Event.Push.Digest == "" {
			t.Errorf("%s = %s, want a push of %s with its digest", name, said(item), c.want)
		}
	}
	item := parseOne(t, bodyOf(t, "ghcr-package-published.json", `"container_metadata":{`, `"container_metadata":null,"x":{`, `widget:2.1.0"}`, `widget:"}`))
	if item.Answer.Outcome != webhook.Ignored {
		t.Errorf("no metadata, and no tag in the URL = %s, want it ignored", said(item))
	}
}

// TestEventsOfSeveralTagsAreSeveral: one bad tag does not spoil the others.
func TestEventsOfSeveralTagsAreSeveral(t *testing.T) {
	t.Parallel()
	items := parseIn(t, bodyOf(t, "quay-push.json", `["5.2.0"]`, `["a b","5.2.0",7,"5.2.0"]`), "")
	var got []string
	for _, item := range items {
		got = append(got, said(item))
		if !item.Insistent {
			t.Errorf("%s is not insistent: Quay ends its webhook after three refusals", said(item))
		}
	}
	want := []string{`error: updated_tags: tag "a b"`, "push quay.io/acme/widget:5.2.0@", `error: updated_tags is not a string: "7"`, "push quay.io/acme/widget:5.2.0@"}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("items = %q, want %q", got, want)
	}
	resource := `{"digest":"` + digest + `","tag":"5","resource_url":"harbor.example.com/acme/widget:5"}`
	items = parseIn(t, bodyOf(t, "harbor-push.json", `"resources":[`, `"resources":[7,`+resource+`,`), "")
	got = nil
	for _, item := range items {
		got = append(got, said(item))
	}
	want = []string{"error: resource_url is missing", "push harbor.example.com/acme/widget:5@" + digest, "push harbor.example.com/acme/widget:4.0.0@sha256:3842"}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("items = %q, want %q", got, want)
	}
}

func TestSendersNameTheirRegistry(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file   string
		oldnew []string
		want   string
	}{
		"official image of Docker's": {"dockerhub-push.json", []string{`"acmelabs/widget"`, `"widget"`}, "docker.io/library/widget:3.0.1"},
		"ECR in China":               {"ecr-push.json", []string{"eu-central-1", "cn-north-1"}, "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn/acme/widget:8.0.0"},
		"Harbor with a port":         {"harbor-push.json", []string{"harbor.example.com/", "harbor.example.com:8443/"}, "harbor.example.com:8443/acme/widget:4.0.0"},
		"Gitea with a port":          {"gitea-package-created.json", []string{"https://gitea.example.com/Acme/-", "http://localhost:3000/Acme/-"}, "localhost:3000/acme/widget:1.9.0"},
		"Artifactory's promoted":     {"artifactory-pushed.json", []string{`"pushed"`, `"promoted"`}, "acme.jfrog.io/docker-local/widget:6.0.0"},
		"tag like a digest's folder": {"artifactory-pushed.json", []string{"6.0.0", "my__tag"}, "acme.jfrog.io/docker-local/widget:my__tag"},
	} {
		item := parseOne(t, bodyOf(t, c.file, c.oldnew...))
		if item.Event.Push == nil || item.Event.Push.Reference.String() != c.want {
			t.Errorf("%s = %s, want a push of %s", name, said(item), c.want)
		}
	}
	if got := parseIn(t, bodyOf(t, "quay-test-button.json", `,"pruned_image_count":3`, ""), ""); len(got) != 2 || got[0].Event.Push == nil {
		t.Errorf("a push of the tags of Quay's test = %+v, want two pushes", got)
	}
	item := parseIn(t, bodyOf(t, "nexus-created.json", `"CREATED"`, `"UPDATED"`), "nexus.example.com")[0]
	if item.Event.Push == nil {
		t.Errorf("Nexus's UPDATED = %s, want a push", said(item))
	}
}

// TestECRDeletesWhatItNames: a delete by tag removes only that tag, a delete by digest
// all tags of the digest.
func TestECRDeletesWhatItNames(t *testing.T) {
	t.Parallel()
	for _, oldnew := range [][]string{{`,"image-tag":"8.0.0"`, ""}, {`"image-tag":"8.0.0"`, `"image-tag":""`}} {
		d := parseOne(t, bodyOf(t, "ecr-delete-tag.json", oldnew...)).Event.Delete
		if d == nil || d.Tag != "" || d.Digest == "" {
			t.Errorf("delete with %q = %+v, want one of a digest", oldnew, d)
		}
	}
}

// TestUnusableTimesAreThoseOfReceipt: an event with an unusable time still counts.
func TestUnusableTimesAreThoseOfReceipt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file   string
		oldnew []string
	}{
		{"dockerhub-push.json", []string{"1795166431", "0"}},
		{"dockerhub-push.json", []string{"1795166431", `"1688396212"`}},
		{"dockerhub-push.json", []string{`"pushed_at":1795166431,`, ""}},
		{"harbor-push.json", []string{"1795166431", "null"}},
		{"harbor-delete.json", []string{"1795252831", "-1"}},
		{"harbor-cloudevents-push.json", []string{"2026-11-20T09:20:31Z", "now"}},
		{"ecr-push.json", []string{"2026-11-20T09:20:31Z", "0001-01-01T00:00:00Z"}},
		{"gitea-package-created.json", []string{"2026-11-20T10:20:31+01:00", ""}},
		{"gar-push.json", []string{`"publishTime":"2026-11-20T09:20:31.512Z"`, `"publishTime":7`}},
	} {
		e := parseOne(t, bodyOf(t, c.file, c.oldnew...)).Event
		if e.Push == nil && e.Delete == nil || e.Push != nil && e.Push.PushedAt != now || e.Delete != nil && e.Delete.DeletedAt != now {
			t.Errorf("%s with %q = %v, want an event at %s", c.file, c.oldnew, e, now)
		}
	}
}
