package ingest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/ingest"
	"ocireffer/pkg/reference"
)

// ignoring returns settings with IGNORE_TAGS.
func ignoring(t *testing.T, globs string) ingest.Settings {
	t.Helper()
	parsed, err := reference.ParseGlobs(globs)
	if err != nil {
		t.Fatal(err)
	}
	return ingest.Settings{WithoutToken: true, IgnoreTags: parsed}
}

// TestTagsThatAreNoImagesAreNotStored: in a webhook they are ignored, since nobody can
// change what it sends; by hand they are a mistake.
func TestTagsThatAreNoImagesAreNotStored(t *testing.T) {
	t.Parallel()
	hex := strings.TrimPrefix(digest, "sha256:")
	const (
		referrer = ` is that of a signature or another referrer, not of an image`
		globs    = " matches IGNORE_TAGS"
	)
	for tag, want := range map[string]string{
		"sha256-" + hex:                  referrer,
		"sha256-" + hex + ".sig":         referrer,
		"sha256-" + hex + ".att":         referrer,
		"sha256-" + hex + "0":            referrer,
		"sha256-" + strings.ToUpper(hex): referrer,
		"buildcache":                     globs,
		"pr-7":                           globs,
		"sha256-" + hex[:63]:             "",
		"sha256-" + hex[:63] + "g":       "",
		"sha256-" + hex[:63] + ".sig":    "",
		"sha512-" + hex:                  "",
		"v-sha256-" + hex:                "",
		"buildcache-2":                   "",
		"latest":                         "",
	} {
		settings := ignoring(t, "buildcache, pr-*")
		shown := reference.Quote(tag)
		db := &recorder{}
		s := newServer(settings, db)
		webhook := s.post(change("0.18.1", tag))
		byHand := s.do("PUT", "/api/references/ghcr.io/acme/app:"+tag, "")
		if want == "" {
			wantAnswer(t, tag, webhook, 200, "Url wasmcloud.azurecr.io/wash:"+tag+" stored for wash")
			wantAnswer(t, tag+" by hand", byHand, 200, "Url ghcr.io/acme/app:"+tag+" stored for acme/app")
			continue
		}
		wantAnswer(t, tag, webhook, 200, "Ignored: tag "+shown+want)
		wantAnswer(t, tag+" by hand", byHand, 400, "tag "+shown+want)
		if len(db.events) > 0 {
			t.Errorf("%s: stored %v, want nothing", tag, db.events)
		}
		if line := s.lines(t, "request")[0]; line["outcome"] != "ignored" {
			t.Errorf("%s: outcome %v, want ignored", tag, line["outcome"])
		}
	}
}

// TestIgnoredTagsOfARegistryThatIsNotAllowedAreForbidden: such tags are not even looked
// up.
func TestIgnoredTagsOfARegistryThatIsNotAllowedAreForbidden(t *testing.T) {
	t.Parallel()
	settings := ignoring(t, "0.18.1")
	settings.AllowedRegistries = []string{"a.io"}
	wantAnswer(t, "the answer", newServer(settings, broken).post(push), 403, "Registry wasmcloud.azurecr.io is not allowed")
}

// TestTagThatIsIgnoredNowGoesWhenItIsPushedAgain: it does, however late that push comes.
// The rest of its repository stays.
func TestTagThatIsIgnoredNowGoesWhenItIsPushedAgain(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]string{
		"later push":   change("0.18.1", "buildcache", "14:56", "15:56"),
		"repeat":       change("0.18.1", "buildcache"),
		"late push":    change("0.18.1", "buildcache", "14:56", "13:56"),
		"other digest": change("0.18.1", "buildcache", "14:56", "15:56", digest, "sha256:"+strings.Repeat("7", 64)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openBolt(t)
			before, after := newServer(anyone, db), newServer(ignoring(t, "buildcache"), db)
			before.post(change("14:56", "13:56", digest, "sha256:"+strings.Repeat("8", 64)))
			wantAnswer(t, "the push before", before.post(change("0.18.1", "buildcache")), 200, "Url wasmcloud.azurecr.io/wash:buildcache stored for wash")
			wantAnswer(t, "the push after", after.post(again), 200, `Ignored: tag "buildcache" matches IGNORE_TAGS`)
			wantAnswer(t, "its repeat", after.post(again), 200, `Ignored: tag "buildcache" matches IGNORE_TAGS`)
			if p, err := pick(t, db, "wash"); err != nil || p.Reference.Tag != "0.18.1" {
				t.Errorf("Pick(wash) = %s, %v, want 0.18.1", p.Reference, err)
			}
			wantAnswer(t, "a push once it is not ignored", before.post(change("0.18.1", "buildcache", "14:56", "16:56")), 200, "Url wasmcloud.azurecr.io/wash:buildcache stored for wash")
			wantPick(t, db, "wash", "wasmcloud.azurecr.io/wash:buildcache")
		})
	}
}

// TestTagThatIsIgnoredNowCanBeDeletedAtOnce: by hand, or by its registry.
func TestTagThatIsIgnoredNowCanBeDeletedAtOnce(t *testing.T) {
	t.Parallel()
	byTag := change(`"push"`, `"delete"`, `,"digest":"`+digest+`"`, "", "0.18.1", "buildcache", "14:56", "15:56")
	for name, send := range map[string]func(server) int{
		"by hand": func(s server) int {
			return s.do("DELETE", "/api/references/wasmcloud.azurecr.io/wash:buildcache", "").Code
		},
		"by webhook": func(s server) int { return s.post(byTag).Code },
	} {
		db := openBolt(t)
		newServer(anyone, db).post(change("0.18.1", "buildcache"))
		if status := send(newServer(ignoring(t, "buildcache"), db)); status != 200 {
			t.Errorf("%s: status %d, want 200", name, status)
		}
		wantPick(t, db, "wash", "")
	}
}

// TestIgnoredPushIsDatedAsTheLaterPush: the delete of a tag must not be older than what
// it removes, nor newer than the push that caused it.
func TestIgnoredPushIsDatedAsTheLaterPush(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]time.Duration{"stored before": -time.Hour, "stored at one time": 0, "stored later": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at2026(t, func(t *testing.T, now time.Time) {
				db := &recorder{pushedAt: pushedAt.Add(stored)}
				newServer(ignoring(t, "0.18.1"), db).post(push)
				target := event.Target{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "0.18.1"}
				want := []event.Event{{Delete: &event.Delete{Target: target, DeletedAt: pushedAt.Add(max(stored, 0)), ReceivedAt: now}}}
				if diff := cmp.Diff(want, db.events); diff != "" {
					t.Errorf("stored events: -want +got\n%s", diff)
				}
			})
		})
	}
}

// TestIgnoredPushThatCannotBeLookedUpIsSentAgain: the log has the event, and the sender
// repeats it. The rest of a batch of images and signatures is kept.
func TestIgnoredPushThatCannotBeLookedUpIsSentAgain(t *testing.T) {
	t.Parallel()
	db := unreadable{&recorder{}}
	s := newServer(ignoring(t, "buildcache"), db)
	w := s.post(batch(push, change("0.18.1", "buildcache")))
	wantAnswer(t, "the answer", w, 500, pushed+"\n"+notStored)
	if lines := s.lines(t, "event not stored"); len(lines) != 1 || lines[0]["err"] != "planted" {
		t.Errorf("lost events in the log = %v, want the second", lines)
	}
	s = newServer(ignoring(t, "0.18.1"), fails{broken.err})
	wantAnswer(t, "a store that fails", s.post(push), 500, notStored)
}
