package acr_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/acr"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	digest = "sha256:0116c9dd59ca86bf8069dc8e56c02eb91d1296bbe66b511c279af77cba44d445"
	where  = `"request":{"host":"wasmcloud.azurecr.io"}`
)

func noHeaders(string) string { return "" }

// parse wants one event of body.
func parse(t *testing.T, body string) acr.Event {
	t.Helper()
	events, err := acr.Parse([]byte(body), noHeaders, now)
	if err != nil {
		return acr.Event{Kind: acr.Bad, Err: err}
	}
	if len(events) != 1 {
		t.Fatalf("%d events, want 1", len(events))
	}
	return events[0]
}

// withTarget is a native payload.
func withTarget(action, target string) string {
	return fmt.Sprintf(`{"action":%q,"timestamp":"2023-07-03T14:56:52.0604218Z","target":%s,%s}`, action, target, where)
}

func TestPush(t *testing.T) {
	full := acr.Event{
		Kind: acr.Push, Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "0.18.1", Digest: digest,
		MediaType: "application/vnd.oci.image.manifest.v1+json", Size: 2203, Time: time.Date(2023, 7, 3, 14, 56, 52, 60421800, time.UTC),
	}
	const target = `{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":2203,"digest":"` + digest + `","repository":"wash","tag":"0.18.1"}`
	change := func(f func(*acr.Event)) acr.Event {
		e := full
		f(&e)
		return e
	}
	replace := func(old, new string) string { return withTarget("push", strings.Replace(target, old, new, 1)) }
	noDigest := change(func(e *acr.Event) { e.Digest = "" })
	noSize := change(func(e *acr.Event) { e.Size = -1 })
	noMediaType := change(func(e *acr.Event) { e.MediaType = "" })
	atNow := change(func(e *acr.Event) { e.Time = now })
	size := func(n int64) acr.Event { return change(func(e *acr.Event) { e.Size = n }) }
	stamp := func(v string) string {
		return strings.Replace(withTarget("push", target), `"2023-07-03T14:56:52.0604218Z"`, v, 1)
	}
	for name, c := range map[string]struct {
		body string
		want acr.Event
	}{
		"all there":               {withTarget("push", target), full},
		"no action":               {strings.Replace(withTarget("push", target), `"action":"push",`, "", 1), full},
		"action null":             {strings.Replace(withTarget("push", target), `"push"`, "null", 1), full},
		"action of another type":  {strings.Replace(withTarget("push", target), `"push"`, "7", 1), full},
		"host in upper case":      {strings.Replace(withTarget("push", target), "wasmcloud.azurecr.io", "WasmCloud.azurecr.IO", 1), full},
		"host with port":          {strings.Replace(withTarget("push", target), "azurecr.io", "azurecr.io:443", 1), change(func(e *acr.Event) { e.Registry += ":443" })},
		"unknown fields":          {replace(`{`, `{"length":[1],"name":{},"Tag":"other",`), full},
		"last of two tags":        {replace(`"tag":"0.18.1"`, `"tag":"1","tag":"0.18.1"`), full},
		"no digest":               {replace(`"digest":"`+digest+`",`, ""), noDigest},
		"digest null":             {replace(`"`+digest+`"`, "null"), noDigest},
		"digest of another type":  {replace(`"`+digest+`"`, "[]"), noDigest},
		"digest that is none":     {replace(digest, "sha256:xyz"), noDigest},
		"empty digest":            {replace(digest, ""), noDigest},
		"no size":                 {replace(`"size":2203,`, ""), noSize},
		"size null":               {replace("2203", "null"), noSize},
		"size as text":            {replace("2203", `"2203"`), noSize},
		"size below 0":            {replace("2203", "-1"), noSize},
		"size 0":                  {replace("2203", "0"), size(0)},
		"size above int32":        {replace("2203", "5000000000"), size(5e9)},
		"greatest size":           {replace("2203", "9223372036854775807"), size(1<<63 - 1)},
		"size above int64":        {replace("2203", "9223372036854775808"), noSize},
		"size no integer":         {replace("2203", "1.5"), noSize},
		"media type null":         {replace(`"application/vnd.oci.image.manifest.v1+json"`, "null"), noMediaType},
		"media type of no type":   {replace(`"application/vnd.oci.image.manifest.v1+json"`, "{}"), noMediaType},
		"media type that is none": {replace("application/vnd.oci.image.manifest.v1+json", "<script>"), noMediaType},
		"media type too long":     {replace("application/vnd.oci.image.manifest.v1+json", "a/"+strings.Repeat("b", 128)), noMediaType},
		"no timestamp":            {stamp("null"), atNow},
		"timestamp no time":       {stamp(`"yesterday"`), atNow},
		"timestamp a number":      {stamp("1688396212"), atNow},
		"timestamp without zone":  {stamp(`"2023-07-03T14:56:52"`), atNow},
		"timestamp with zone":     {stamp(`"2023-07-03T16:56:52.0604218+02:00"`), full},
		"timestamp far ahead":     {stamp(`"2026-01-02T03:09:05.000000001Z"`), atNow},
		"timestamp 5 minutes on":  {stamp(`"2026-01-02T03:09:05Z"`), change(func(e *acr.Event) { e.Time = now.Add(5 * time.Minute) })},
		"timestamp before year 0": {stamp(`"0000-01-01T00:00:00+01:00"`), atNow},
		"timestamp of year 1":     {stamp(`"0001-01-01T00:00:00Z"`), change(func(e *acr.Event) { e.Time = time.Time{}.UTC() })},
	} {
		t.Run(name, func(t *testing.T) {
			got := parse(t, c.body)
			if string(got.Raw) != c.body {
				t.Errorf("Raw = %s", got.Raw)
			}
			got.Raw = nil
			if diff := cmp.Diff(c.want, got); diff != "" || got.Err != nil {
				t.Errorf("Parse(%s): %v; -want +got\n%s", c.body, got.Err, diff)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	for name, c := range map[string]struct{ target, tag, digest string }{
		"by digest":           {`{"repository":"wash","digest":"` + digest + `"}`, "", digest},
		"by tag":              {`{"repository":"wash","tag":"1"}`, "1", ""},
		"by both":             {`{"repository":"wash","tag":"1","digest":"` + digest + `"}`, "1", digest},
		"of a repository":     {`{"repository":"wash"}`, "", ""},
		"with both null":      {`{"repository":"wash","tag":null,"digest":null}`, "", ""},
		"optional of no type": {`{"repository":"wash","tag":"1","size":"x","mediaType":7}`, "1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := parse(t, withTarget("delete", c.target))
			if got.Kind != acr.Delete || got.Registry != "wasmcloud.azurecr.io" || got.Repository != "wash" || got.Tag != c.tag || got.Digest != c.digest {
				t.Errorf("Parse = %+v", got)
			}
		})
	}
}

func TestNothingToDo(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		kind acr.Kind
		why  string
	}{
		"ping":                   {`{"action":"ping"}`, acr.Ping, ""},
		"ping with a target":     {withTarget("ping", `{}`), acr.Ping, ""},
		"untagged push":          {withTarget("push", `{"repository":"wash","digest":"`+digest+`"}`), acr.Ignored, "push of wash@" + digest + " has no tag"},
		"push with an empty tag": {withTarget("push", `{"repository":"wash","tag":"","digest":"`+digest+`"}`), acr.Ignored, "push of wash@" + digest + " has no tag"},
		"quarantine":             {withTarget("quarantine", `{"repository":"wash","tag":"1"}`), acr.Ignored, `action "quarantine"`},
		"chart_push":             {`{"action":"chart_push"}`, acr.Ignored, `action "chart_push"`},
		"chart_delete":           {`{"action":"chart_delete","target":7}`, acr.Ignored, `action "chart_delete"`},
		"another case":           {withTarget("PUSH", `{"repository":"wash","tag":"1"}`), acr.Ignored, `action "PUSH"`},
		"no line breaks":         {`{"action":"a\nb"}`, acr.Ignored, `action "a\nb"`},
		"shortened":              {`{"action":"` + strings.Repeat("é", 100) + `"}`, acr.Ignored, `action "` + strings.Repeat("é", 32) + `"…`},
		"empty action":           {`{"action":"","target":{}}`, acr.Ignored, `action ""`},
		"unknown event type":     {`{"eventType":"Microsoft.Storage.BlobCreated","data":{}}`, acr.Ignored, `event type "Microsoft.Storage.BlobCreated"`},
		"chart event":            {`{"specversion":"1.0","type":"Microsoft.ContainerRegistry.ChartPushed","data":{}}`, acr.Ignored, `event type "Microsoft.ContainerRegistry.ChartPushed"`},
		"action against type": {`{"eventType":"Microsoft.ContainerRegistry.ImagePushed","data":{"action":"delete","target":{}}}`, acr.Ignored,
			`action "delete" in an event of type "Microsoft.ContainerRegistry.ImagePushed"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parse(t, c.body); got.Kind != c.kind || got.Why != c.why {
				t.Errorf("Parse(%s) = kind %d, %q, %v", c.body, got.Kind, got.Why, got.Err)
			}
		})
	}
}

func TestBad(t *testing.T) {
	deep := strings.Repeat(`{"target":`, 20000) + "1" + strings.Repeat("}", 20000)
	for name, c := range map[string]struct{ body, want string }{
		"empty":                     {"", "not JSON"},
		"not JSON":                  {"x", "not JSON"},
		"cut":                       {`{"action":"push","target":{"repo`, "not JSON"},
		"two bodies":                {`{"action":"ping"}{"action":"ping"}`, "not JSON"},
		"not UTF-8":                 {"{\"action\":\"\xff\"}", "not UTF-8"},
		"deep":                      {deep, "not JSON"},
		"text":                      {`"push"`, "not an object"},
		"number":                    {"1", "not an object"},
		"null":                      {"null", "not an object"},
		"empty object":              {"{}", "action and target are missing"},
		"empty array":               {"[]", "empty array"},
		"too many events":           {"[" + strings.Repeat("1,", acr.MaxBatch) + "1]", "the body has 5001 events, more than 5000"},
		"array of null":             {"[null]", "not an object"},
		"all null":                  {`{"action":null,"target":null,"request":null}`, "action and target are missing"},
		"fields of other case":      {`{"Action":"push","Target":{}}`, "action and target are missing"},
		"no target":                 {`{"action":"push"}`, "target is missing"},
		"target of another type":    {withTarget("push", `"wash"`), "target is missing"},
		"no repository":             {withTarget("push", `{"tag":"1"}`), "target.repository is missing"},
		"repository null":           {withTarget("push", `{"repository":null,"tag":"1"}`), "target.repository is missing"},
		"empty repository":          {withTarget("push", `{"repository":"","tag":"1"}`), "target.repository is empty"},
		"repository of no type":     {withTarget("push", `{"repository":{"a":1},"tag":"1"}`), `target.repository is not a string: "{\"a\":1}"`},
		"repository in upper case":  {withTarget("push", `{"repository":"Wash","tag":"1"}`), `"Wash"`},
		"no request":                {`{"action":"push","target":{"repository":"wash","tag":"1"}}`, "request.host is missing"},
		"request of no type":        {`{"action":"push","target":{"repository":"wash","tag":"1"},"request":[]}`, "request.host is missing"},
		"host null":                 {`{"action":"push","target":{"repository":"wash","tag":"1"},"request":{"host":null}}`, "request.host is missing"},
		"host empty":                {`{"action":"push","target":{"repository":"wash","tag":"1"},"request":{"host":""}}`, "request.host is empty"},
		"host of no type":           {`{"action":"push","target":{"repository":"wash","tag":"1"},"request":{"host":1}}`, "request.host is not a string"},
		"host that is none":         {`{"action":"push","target":{"repository":"wash","tag":"1"},"request":{"host":"a b"}}`, `"a b"`},
		"neither tag nor digest":    {withTarget("push", `{"repository":"wash"}`), "target.tag and target.digest are missing"},
		"no tag, no digest":         {withTarget("push", `{"repository":"wash","digest":"sha256:xyz"}`), "target.tag and target.digest are missing"},
		"tag of no type":            {withTarget("push", `{"repository":"wash","tag":1,"digest":"`+digest+`"}`), "target.tag is not a string"},
		"tag that is none":          {withTarget("push", `{"repository":"wash","tag":"a b"}`), `"a b"`},
		"delete without repository": {withTarget("delete", `{"tag":"1"}`), "target.repository is missing"},
		"delete without host":       {`{"action":"delete","target":{"repository":"wash"}}`, "request.host is missing"},
		"delete with empty tag":     {withTarget("delete", `{"repository":"wash","tag":""}`), "target.tag is empty"},
		"delete with bad tag":       {withTarget("delete", `{"repository":"wash","tag":"a b"}`), `"a b"`},
		"delete, tag of no type":    {withTarget("delete", `{"repository":"wash","tag":[]}`), "target.tag is not a string"},
		"delete with empty digest":  {withTarget("delete", `{"repository":"wash","digest":""}`), "target.digest is empty"},
		"delete with bad digest":    {withTarget("delete", `{"repository":"wash","digest":"sha256:xyz"}`), `"sha256:xyz"`},
		"delete, digest of no type": {withTarget("delete", `{"repository":"wash","digest":{}}`), "target.digest is not a string"},
		"validation without code":   {`[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{}}]`, "data.validationCode is missing"},
		"event without data":        {`[{"eventType":"Microsoft.ContainerRegistry.ImagePushed"}]`, "target is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			got := parse(t, c.body)
			if got.Kind != acr.Bad || !strings.Contains(fmt.Sprint(got.Err), c.want) {
				t.Errorf("Parse = kind %d, error %v, want one with %q", got.Kind, got.Err, c.want)
			}
			if strings.ContainsAny(fmt.Sprint(got.Err), "\n\r") {
				t.Errorf("the error has more than one line: %q", got.Err)
			}
		})
	}
}

// TestEnvelopes: one push in each of its envelopes is the same push.
func TestEnvelopes(t *testing.T) {
	payload := withTarget("push", `{"repository":"wash","tag":"0.18.1","digest":"`+digest+`"}`)
	noTime := strings.Replace(payload, `"timestamp":"2023-07-03T14:56:52.0604218Z"`, `"timestamp":null`, 1)
	const envelopeTime = "2023-07-03T15:00:00Z"
	binary := http.Header{}
	binary.Set("ce-specversion", "1.0")
	binary.Set("ce-type", "Microsoft.ContainerRegistry.ImagePushed")
	binary.Set("ce-time", envelopeTime)
	for name, wrap := range map[string]func(data string) (string, http.Header){
		"native": func(data string) (string, http.Header) { return data, nil },
		"event grid": func(data string) (string, http.Header) {
			return `{"eventType":"Microsoft.ContainerRegistry.ImagePushed","eventTime":"` + envelopeTime + `","data":` + data + `}`, nil
		},
		"array": func(data string) (string, http.Header) {
			return `[{"eventType":"Microsoft.ContainerRegistry.ImagePushed","eventTime":"` + envelopeTime + `","data":` + data + `}]`, nil
		},
		"cloud event": func(data string) (string, http.Header) {
			return `{"specversion":"1.0","type":"Microsoft.ContainerRegistry.ImagePushed","time":"` + envelopeTime + `","data":` + data + `}`, nil
		},
		"cloud batch": func(data string) (string, http.Header) {
			return `[{"specversion":"1.0","type":"Microsoft.ContainerRegistry.ImagePushed","time":"` + envelopeTime + `","data":` + data + `}]`, nil
		},
		"binary": func(data string) (string, http.Header) { return data, binary },
	} {
		t.Run(name, func(t *testing.T) {
			want := parse(t, payload)
			for _, c := range []struct {
				data string
				time time.Time
			}{{payload, want.Time}, {noTime, time.Date(2023, 7, 3, 15, 0, 0, 0, time.UTC)}} {
				body, header := wrap(c.data)
				if name == "native" && c.data == noTime {
					c.time = now
				}
				events, err := acr.Parse([]byte(body), header.Get, now)
				if err != nil || len(events) != 1 {
					t.Fatalf("Parse = %v, %v", events, err)
				}
				got := events[0]
				// What is logged must be the event again, without headers.
				again := parse(t, string(got.Raw))
				again.Raw, got.Raw, want.Raw = nil, nil, nil
				want.Time = c.time
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
				if diff := cmp.Diff(got, again); diff != "" {
					t.Errorf("Raw: -want +got\n%s", diff)
				}
			}
		})
	}
}

func TestBinaryDeleteNeedsNoAction(t *testing.T) {
	header := http.Header{}
	header.Set("ce-specversion", "1.0")
	header.Set("ce-type", "Microsoft.ContainerRegistry.ImageDeleted")
	events, err := acr.Parse([]byte(`{"target":{"repository":"wash","tag":"1"},`+where+`}`), header.Get, now)
	if err != nil || len(events) != 1 || events[0].Kind != acr.Delete || events[0].Tag != "1" {
		t.Errorf("Parse = %+v, %v", events, err)
	}
}

func TestBatchKeepsOrderAndTheGood(t *testing.T) {
	events, err := acr.Parse([]byte(`[{"action":"ping"},7,{"eventType":"x"},{}]`), noHeaders, now)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []acr.Kind
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	if diff := cmp.Diff([]acr.Kind{acr.Ping, acr.Bad, acr.Ignored, acr.Bad}, kinds); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	samples, err := filepath.Glob("../../events/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, sample := range samples {
		b, err := os.ReadFile(sample)
		if err != nil {
			f.Fatal(err)
		}
		var event struct{ Body string }
		if json.Unmarshal(b, &event) == nil {
			f.Add([]byte(event.Body), "")
		}
	}
	f.Add([]byte(withTarget("delete", `{"repository":"wash"}`)), "Microsoft.ContainerRegistry.ImageDeleted")
	f.Add([]byte(`[{"specversion":"1.0","type":"Microsoft.ContainerRegistry.ImagePushed","data":null}]`), "")
	f.Fuzz(func(t *testing.T, body []byte, ceType string) {
		header := http.Header{}
		if ceType != "" {
			header.Set("ce-specversion", "1.0")
			header.Set("ce-type", ceType)
		}
		events, err := acr.Parse(body, header.Get, now)
		if (err == nil) == (len(events) == 0) {
			t.Fatalf("%d events and error %v", len(events), err)
		}
		for _, e := range events {
			if e.Time.After(now.Add(acr.ClockSkew)) || e.Time.Year() < 0 || e.Time.Location() != time.UTC {
				t.Errorf("time %v", e.Time)
			}
			if (e.Kind == acr.Push || e.Kind == acr.Delete) && (e.Registry == "" || e.Repository == "" || e.Err != nil) {
				t.Errorf("event without a place: %+v", e)
			}
			if e.Kind == acr.Push && e.Tag == "" || (e.Kind == acr.Bad) != (e.Err != nil) || (e.Kind == acr.Ignored) != (e.Why != "") {
				t.Errorf("half an event: %+v", e)
			}
			if strings.ContainsAny(e.Why+fmt.Sprint(e.Err), "\n\r") {
				t.Errorf("more than one line: %q %q", e.Why, e.Err)
			}
			// What is logged is the same event again.
			again, err := acr.Parse(e.Raw, noHeaders, now)
			if err != nil || len(again) != 1 {
				if e.Kind != acr.Bad {
					t.Fatalf("Parse(%s) = %v, %v", e.Raw, again, err)
				}
				continue
			}
			again[0].Raw, e.Raw = nil, nil
			if e.Kind != acr.Bad {
				if diff := cmp.Diff(e, again[0]); diff != "" {
					t.Errorf("parsed again: -want +got\n%s", diff)
				}
			}
		}
	})
}
