package webhook

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/webhook/webhooktest"
)

// deletesRepositories are the senders whose deletes may be of a whole repository. From
// any other sender, such a delete would mean that a field was missed.
var deletesRepositories = []string{"isAnything", "isDistribution"}

// nameOf returns the name of a sender's shape, such as isHarbor.
func nameOf(s sender) string {
	name := runtime.FuncForPC(reflect.ValueOf(s.shape).Pointer()).Name()
	return name[strings.LastIndexByte(name, '.')+1:]
}

// FuzzSenders gives any body to each sender's parser, also one of another's shape. A
// parser must not panic, must give the same result for the same body, and must not turn
// the delete of a tag or a digest into one of the repository.
func FuzzSenders(f *testing.F) {
	for _, s := range webhooktest.Samples(f) {
		body := s.Body
		if s.Header != nil {
			var err error
			if body, err = fromBinaryMode(body, func(name string) string { return s.Header[name] }); err != nil {
				f.Fatal(err)
			}
		}
		f.Add([]byte(body), s.Registry)
	}
	f.Add([]byte(`{"action":"deleted","package":{"type":"container","owner":{"login":"a"},"name":"b","html_url":"https://a.io/","version":""}}`), "")
	f.Add([]byte(`{"type":"DELETE_ARTIFACT","event_data":{"resources":[{"resource_url":"a.io/b:"}],"repository":{"repo_full_name":"b"}}}`), "")
	f.Add([]byte(`{"source":"aws.ecr","detail-type":"ECR Image Action","detail":{"action-type":"DELETE","result":"SUCCESS","repository-name":"b"}}`), "a.io")
	f.Add([]byte(`{"message":{"data":"eyJhY3Rpb24iOiJERUxFVEUiLCJ0YWciOiJhLmlvL2IifQ=="},"subscription":""}`), "")
	f.Add([]byte(`{"domain":"docker","event_type":"deleted","data":{"repo_key":"a","path":"b//c"}}`), "a.io")
	f.Add([]byte(`{"repositoryName":"","action":"DELETED","component":{"format":"docker","name":"b","version":null}}`), "a.io")
	f.Add([]byte(`{"specversion":"1.0","type":"zotregistry.image.deleted","data":{"name":"b","reference":""}}`), "a.io")
	f.Fuzz(func(t *testing.T, raw []byte, registry string) {
		body := objectOf(raw)
		if body == nil || !json.Valid(raw) {
			return
		}
		if parsed, err := reference.ParseRegistry(registry); err != nil || parsed != registry {
			registry = ""
		}
		d := Delivery{Registry: registry, Now: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)}
		for _, s := range senders {
			checkParser(t, s, body, d)
		}
	})
}

func checkParser(t *testing.T, s sender, body object, d Delivery) {
	t.Helper()
	items := s.parse(body, d)
	if len(items) == 0 {
		t.Errorf("%s returns an empty item", nameOf(s))
	}
	for _, item := range items {
		if e := item.Event.Delete; e != nil && e.Tag == "" && e.Digest == "" && !slices.Contains(deletesRepositories, nameOf(s)) {
			t.Errorf("%s deletes the repository %s", nameOf(s), e.Target)
		}
		if e := item.Event; !e.IsZero() && d.Registry != "" && e.Registry() != d.Registry {
			t.Errorf("%s = %v, want an event of %s", nameOf(s), e, d.Registry)
		}
		if item.Raw != nil && !json.Valid(item.Raw) {
			t.Errorf("%s: Raw = %s, want JSON", nameOf(s), item.Raw)
		}
	}
	sameText := cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
	if diff := cmp.Diff(items, s.parse(body, d), sameText); diff != "" {
		t.Errorf("%s, parsed again: -first +second\n%s", nameOf(s), diff)
	}
}

// TestSamplesHaveOneShape: at most one sender's shape matches a known body, so their
// order does not matter. The last sender matches anything.
func TestSamplesHaveOneShape(t *testing.T) {
	t.Parallel()
	for _, sample := range webhooktest.Samples(t) {
		body := objectOf(sample.Body)
		var shapes []string
		for _, s := range senders[:len(senders)-1] {
			if s.shape(body) {
				shapes = append(shapes, nameOf(s))
			}
		}
		if len(shapes) > 1 {
			t.Errorf("%s has the shapes %v, want at most one", sample.File, shapes)
		}
	}
}

func TestLastSenderTakesAnything(t *testing.T) {
	t.Parallel()
	if got := nameOf(senderOf(object{})); got != "isAnything" {
		t.Errorf("the sender of {} is %s, want isAnything", got)
	}
	for _, name := range deletesRepositories {
		if !slices.ContainsFunc(senders, func(s sender) bool { return nameOf(s) == name }) {
			t.Errorf("%s is not a sender", name)
		}
	}
}
