package webhook_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/webhook"
)

const (
	digest = "sha256:0116c9dd59ca86bf8069dc8e56c02eb91d1296bbe66b511c279af77cba44d445"
	where  = `"request":{"host":"wasmcloud.azurecr.io"}`
)

// native returns a native payload from Azure.
func native(action, target string) string {
	return fmt.Sprintf(`{"action":%q,"timestamp":"2023-07-03T14:56:52.0604218Z","target":%s,%s}`, action, target, where)
}

// pushedAt is the time in a native payload.
var pushedAt = time.Date(2023, 7, 3, 14, 56, 52, 60421800, time.UTC)

func TestPushDropsBadOptionalFields(t *testing.T) {
	t.Parallel()
	const (
		mediaType = "application/vnd.oci.image.manifest.v1+json"
		target    = `{"mediaType":"` + mediaType + `","size":2203,"digest":"` + digest + `","repository":"wash","tag":"0.18.1"}`
	)
	full := native("push", target)
	replace := func(old, new string) string { return strings.Replace(full, old, new, 1) }
	stamp := func(value string) string { return replace(`"2023-07-03T14:56:52.0604218Z"`, value) }

	unchanged := func(*event.Push) {}
	noDigest := func(p *event.Push) { p.Digest = "" }
	noSize := func(p *event.Push) { p.Size = event.UnknownSize }
	noMediaType := func(p *event.Push) { p.MediaType = "" }
	size := func(n int64) func(*event.Push) { return func(p *event.Push) { p.Size = n } }
	at := func(at time.Time) func(*event.Push) { return func(p *event.Push) { p.PushedAt = at } }

	for name, c := range map[string]struct {
		body string
		want func(*event.Push) // changes the push in the full payload
	}{
		"full":                          {body: full, want: unchanged},
		"no action":                     {body: replace(`"action":"push",`, ""), want: unchanged},
		"null action":                   {body: replace(`"push"`, "null"), want: unchanged},
		"action of another type":        {body: replace(`"push"`, "7"), want: unchanged},
		"host in upper case":            {body: replace("wasmcloud.azurecr.io", "WasmCloud.azurecr.IO"), want: unchanged},
		"host with a port":              {body: replace("azurecr.io", "azurecr.io:443"), want: func(p *event.Push) { p.Reference.Registry += ":443" }},
		"localhost":                     {body: replace("wasmcloud.azurecr.io", "localhost"), want: func(p *event.Push) { p.Reference.Registry = "localhost" }},
		"unknown fields":                {body: replace(`"target":{`, `"target":{"length":[1],"name":{},"Tag":"other",`), want: unchanged},
		"two tags":                      {body: replace(`"tag":"0.18.1"`, `"tag":"1","tag":"0.18.1"`), want: unchanged},
		"no digest":                     {body: replace(`"digest":"`+digest+`",`, ""), want: noDigest},
		"null digest":                   {body: replace(`"`+digest+`"`, "null"), want: noDigest},
		"digest of another type":        {body: replace(`"`+digest+`"`, "[]"), want: noDigest},
		"malformed digest":              {body: replace(digest, "sha256:xyz"), want: noDigest},
		"empty digest":                  {body: replace(digest, ""), want: noDigest},
		"no size":                       {body: replace(`"size":2203,`, ""), want: noSize},
		"null size":                     {body: replace("2203", "null"), want: noSize},
		"size as text":                  {body: replace("2203", `"2203"`), want: noSize},
		"size below 0":                  {body: replace("2203", "-1"), want: noSize},
		"size 0":                        {body: replace("2203", "0"), want: size(0)},
		"size above int32":              {body: replace("2203", "5000000000"), want: size(5e9)},
		"greatest size":                 {body: replace("2203", "9223372036854775807"), want: size(1<<63 - 1)},
		"size above int64":              {body: replace("2203", "9223372036854775808"), want: noSize},
		"size with a fraction":          {body: replace("2203", "1.5"), want: noSize},
		"no media type":                 {body: replace(`"mediaType":"`+mediaType+`",`, ""), want: noMediaType},
		"null media type":               {body: replace(`"`+mediaType+`"`, "null"), want: noMediaType},
		"media type of another type":    {body: replace(`"`+mediaType+`"`, "{}"), want: noMediaType},
		"malformed media type":          {body: replace(mediaType, "<script>"), want: noMediaType},
		"media type too long":           {body: replace(mediaType, "a/"+strings.Repeat("b", 128)), want: noMediaType},
		"null timestamp":                {body: stamp("null"), want: at(now)},
		"timestamp in words":            {body: stamp(`"yesterday"`), want: at(now)},
		"timestamp as a number":         {body: stamp("1688396212"), want: at(now)},
		"timestamp without a zone":      {body: stamp(`"2023-07-03T14:56:52"`), want: at(now)},
		"timestamp in another zone":     {body: stamp(`"2023-07-03T16:56:52.0604218+02:00"`), want: unchanged},
		"timestamp 5 minutes ahead":     {body: stamp(`"2026-01-02T03:09:05Z"`), want: at(now.Add(5 * time.Minute))},
		"timestamp further ahead":       {body: stamp(`"2026-01-02T03:09:05.000000001Z"`), want: at(now)},
		"timestamp before the year 0":   {body: stamp(`"0000-01-01T00:00:00+01:00"`), want: at(now)},
		"timestamp of the year 1":       {body: stamp(`"0001-01-01T00:00:00Z"`), want: at(now)},
		"timestamp of 2013":             {body: stamp(`"2013-01-01T00:00:00Z"`), want: at(time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC))},
		"timestamp before 2013":         {body: stamp(`"2012-12-31T23:59:59.999Z"`), want: at(now)},
		"time of another envelope":      {body: stamp(`null,"eventTime":"2023-07-03T15:00:00Z","time":"2023-07-03T15:00:00Z"`), want: at(now)},
		"request with more than a host": {body: replace(`"request":{`, `"request":{"id":7,"useragent":null,`), want: unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := event.Push{
				Reference: reference.Reference{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: "0.18.1"},
				Digest:    digest,
				MediaType: mediaType,
				Size:      2203,
				PushedAt:  pushedAt,
			}
			c.want(&want)
			got := parseOne(t, c.body)
			if diff := cmp.Diff(event.Event{Push: &want}, got.Event); diff != "" {
				t.Errorf("Parse(%s) = %v, error %v: -want +got\n%s", c.body, got.Event, got.Err, diff)
			}
			if string(got.Raw) != c.body {
				t.Errorf("Raw = %s, want %s", got.Raw, c.body)
			}
		})
	}
}

func TestDeleteCoversDigestElseTagElseRepository(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ target, wantTag, wantDigest string }{
		"digest":                          {target: `{"repository":"wash","digest":"` + digest + `"}`, wantDigest: digest},
		"tag":                             {target: `{"repository":"wash","tag":"1"}`, wantTag: "1"},
		"tag beside a digest":             {target: `{"repository":"wash","tag":"1","digest":"` + digest + `"}`, wantDigest: digest},
		"empty tag beside a digest":       {target: `{"repository":"wash","tag":"","digest":"` + digest + `"}`, wantDigest: digest},
		"empty digest beside a tag":       {target: `{"repository":"wash","tag":"1","digest":""}`, wantTag: "1"},
		"neither":                         {target: `{"repository":"wash"}`},
		"both null":                       {target: `{"repository":"wash","tag":null,"digest":null}`},
		"optional fields of another type": {target: `{"repository":"wash","tag":"1","size":"x","mediaType":7}`, wantTag: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := event.Delete{
				Target:     event.Target{Registry: "wasmcloud.azurecr.io", Repository: "wash", Tag: c.wantTag, Digest: c.wantDigest},
				DeletedAt:  pushedAt,
				ReceivedAt: now,
			}
			got := parseOne(t, native("delete", c.target))
			if diff := cmp.Diff(event.Event{Delete: &want}, got.Event); diff != "" {
				t.Errorf("Parse(%s), error %v: -want +got\n%s", got.Raw, got.Err, diff)
			}
		})
	}
}

// TestTimesAreInUTC: the time of receipt is, too, since backends write both.
func TestTimesAreInUTC(t *testing.T) {
	t.Parallel()
	there := now.In(time.FixedZone("there", 3600))
	body := `{"action":"delete","target":{"repository":"wash"},` + where + `}`
	items, err := webhook.Parse([]byte(body), webhook.Delivery{Header: noHeaders, Now: there})
	if err != nil || len(items) != 1 {
		t.Fatalf("Parse(%s) = %v, %v, want one item", body, items, err)
	}
	d := items[0].Event.Delete
	if d.DeletedAt != now {
		t.Errorf("DeletedAt = %s, want %s", d.DeletedAt, now)
	}
	if d.ReceivedAt != now {
		t.Errorf("ReceivedAt = %s, want %s", d.ReceivedAt, now)
	}
}

func TestEventsWithoutAChangeAreAnswered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want webhook.Answer
	}{
		"ping":               {body: `{"action":"ping"}`, want: webhook.Answer{Outcome: webhook.Pong, Text: "pong"}},
		"ping with a target": {body: native("ping", `{}`), want: webhook.Answer{Outcome: webhook.Pong, Text: "pong"}},
		"push without a tag": {
			body: native("push", `{"repository":"wash","digest":"`+digest+`"}`),
			want: ignored("push of wash@" + digest + " has no tag")},
		"push with an empty tag": {
			body: native("push", `{"repository":"wash","tag":"","digest":"`+digest+`"}`),
			want: ignored("push of wash@" + digest + " has no tag")},
		"push with a null tag": {
			body: native("push", `{"repository":"wash","tag":null,"digest":"`+digest+`"}`),
			want: ignored("push of wash@" + digest + " has no tag")},
		"quarantine":            {body: native("quarantine", `{"repository":"wash","tag":"1"}`), want: ignored(`action "quarantine"`)},
		"chart_push":            {body: `{"action":"chart_push"}`, want: ignored(`action "chart_push"`)},
		"chart_delete":          {body: `{"action":"chart_delete","target":7}`, want: ignored(`action "chart_delete"`)},
		"validate is no action": {body: `{"action":"validate","validationCode":"1"}`, want: ignored(`action "validate"`)},
		"namespace alone is no event type": {
			body: `{"eventType":"Microsoft.ContainerRegistry.","data":` + native("push", `{"repository":"wash","tag":"1"}`) + `}`,
			want: ignored(`event type "Microsoft.ContainerRegistry."`)},
		"action in upper case": {body: native("PUSH", `{"repository":"wash","tag":"1"}`), want: ignored(`action "PUSH"`)},
		"empty action":         {body: `{"action":"","target":{}}`, want: ignored(`action ""`)},
		"action in two lines":  {body: `{"action":"a\nb"}`, want: ignored(`action "a\nb"`)},
		"long action":          {body: `{"action":"` + strings.Repeat("é", 100) + `"}`, want: ignored(`action "` + strings.Repeat("é", 32) + `"…`)},
		"unknown event type": {
			body: `{"eventType":"Microsoft.Storage.BlobCreated","data":{}}`,
			want: ignored(`event type "Microsoft.Storage.BlobCreated"`)},
		"chart event": {
			body: `{"specversion":"1.0","type":"Microsoft.ContainerRegistry.ChartPushed","data":{}}`,
			want: ignored(`event type "Microsoft.ContainerRegistry.ChartPushed"`)},
		"action against the event type": {
			body: `{"eventType":"Microsoft.ContainerRegistry.ImagePushed","data":{"action":"delete","target":{}}}`,
			want: ignored(`action "delete" in an event of type "Microsoft.ContainerRegistry.ImagePushed"`)},
		"validation": {
			body: `{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"<a&b>"}}`,
			want: webhook.Answer{Outcome: webhook.Validated, Text: `{"validationResponse":"\u003ca\u0026b\u003e"}`, JSON: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := parseOne(t, c.body)
			if got.Answer != c.want || got.Err != nil || !got.Event.IsZero() {
				t.Errorf("Parse(%s) = %+v, event %v, error %v, want %+v", c.body, got.Answer, got.Event, got.Err, c.want)
			}
		})
	}
}

func ignored(why string) webhook.Answer {
	return webhook.Answer{Outcome: webhook.Ignored, Text: "Ignored: " + why}
}

func TestBadEventsAreRefusedAndTheFieldNamed(t *testing.T) {
	t.Parallel()
	withRequest := func(request string) string {
		return `{"action":"push","target":{"repository":"wash","tag":"1"},"request":` + request + `}`
	}
	for name, c := range map[string]struct{ body, want string }{
		"nothing":                                {body: "{}", want: "action and target are missing"},
		"all null":                               {body: `{"action":null,"target":null,"request":null}`, want: "action and target are missing"},
		"fields in another case":                 {body: `{"Action":"push","Target":{}}`, want: "action and target are missing"},
		"no target":                              {body: `{"action":"push"}`, want: "target is missing"},
		"target of another type":                 {body: native("push", `"wash"`), want: "target is missing"},
		"no repository":                          {body: native("push", `{"tag":"1"}`), want: "target.repository is missing"},
		"null repository":                        {body: native("push", `{"repository":null,"tag":"1"}`), want: "target.repository is missing"},
		"empty repository":                       {body: native("push", `{"repository":"","tag":"1"}`), want: "target.repository is empty"},
		"repository of another type":             {body: native("push", `{"repository":{"a":1},"tag":"1"}`), want: `target.repository is not a string: "{\"a\":1}"`},
		"repository in upper case":               {body: native("push", `{"repository":"Wash","tag":"1"}`), want: `target.repository: repository "Wash" is not an OCI name`},
		"no request":                             {body: `{"action":"push","target":{"repository":"wash","tag":"1"}}`, want: "request.host is missing"},
		"request of another type":                {body: withRequest("[]"), want: "request.host is missing"},
		"null host":                              {body: withRequest(`{"host":null}`), want: "request.host is missing"},
		"empty host":                             {body: withRequest(`{"host":""}`), want: "request.host is empty"},
		"host of another type":                   {body: withRequest(`{"host":1}`), want: `request.host is not a string: "1"`},
		"malformed host":                         {body: withRequest(`{"host":"a b"}`), want: `request.host: registry "a b" is not a host`},
		"host of a single word":                  {body: withRequest(`{"host":"Demo"}`), want: `request.host: registry "Demo" has neither a dot nor a port: want a host such as demo.azurecr.io or docker.io`},
		"neither tag nor digest":                 {body: native("push", `{"repository":"wash"}`), want: "target.tag and target.digest are missing"},
		"no tag and malformed digest":            {body: native("push", `{"repository":"wash","digest":"sha256:xyz"}`), want: "target.tag and target.digest are missing"},
		"tag of another type":                    {body: native("push", `{"repository":"wash","tag":1,"digest":"`+digest+`"}`), want: `target.tag is not a string: "1"`},
		"malformed tag":                          {body: native("push", `{"repository":"wash","tag":"a b"}`), want: `target.tag: tag "a b" is not an OCI tag`},
		"delete without a repository":            {body: native("delete", `{"tag":"1"}`), want: "target.repository is missing"},
		"delete without a host":                  {body: `{"action":"delete","target":{"repository":"wash"}}`, want: "request.host is missing"},
		"delete, host of a single word":          {body: `{"action":"delete","target":{"repository":"wash"},"request":{"host":"demo"}}`, want: `registry "demo" has neither a dot nor a port`},
		"delete with an empty tag":               {body: native("delete", `{"repository":"wash","tag":""}`), want: "target.tag is empty"},
		"delete with a malformed tag":            {body: native("delete", `{"repository":"wash","tag":"a b"}`), want: `target.tag: tag "a b" is not an OCI tag`},
		"delete, tag of another type":            {body: native("delete", `{"repository":"wash","tag":[]}`), want: `target.tag is not a string: "[]"`},
		"delete with an empty digest":            {body: native("delete", `{"repository":"wash","digest":""}`), want: "target.digest is empty"},
		"delete, malformed digest":               {body: native("delete", `{"repository":"wash","digest":"sha256:xyz"}`), want: `target.digest: digest "sha256:xyz" is not an OCI digest`},
		"delete, digest of no type":              {body: native("delete", `{"repository":"wash","digest":{}}`), want: `target.digest is not a string: "{}"`},
		"delete, both empty":                     {body: native("delete", `{"repository":"wash","tag":"","digest":""}`), want: "target.tag is empty"},
		"empty tag, no type":                     {body: native("delete", `{"repository":"wash","tag":"","digest":7}`), want: "target.tag is empty"},
		"empty digest, no type":                  {body: native("delete", `{"repository":"wash","tag":7,"digest":""}`), want: "target.tag is not a string"},
		"delete, empty tag beside a null digest": {body: native("delete", `{"repository":"wash","tag":"","digest":null}`), want: "target.tag is empty"},
		"delete, empty digest beside a null tag": {body: native("delete", `{"repository":"wash","tag":null,"digest":""}`), want: "target.digest is empty"},
		"delete, malformed tag beside a digest": {
			body: native("delete", `{"repository":"wash","tag":"a b","digest":"`+digest+`"}`),
			want: `target.tag: tag "a b" is not an OCI tag`},
		"validation without a code": {
			body: `{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{}}`,
			want: "data.validationCode is missing"},
		"validation with an empty code": {
			body: `{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":""}}`,
			want: "data.validationCode is missing"},
		"event without data": {body: `{"eventType":"Microsoft.ContainerRegistry.ImagePushed"}`, want: "target is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := parseOne(t, c.body)
			if got.Err == nil {
				t.Fatalf("Parse(%s) = %v %+v, want an error", c.body, got.Event, got.Answer)
			}
			text := got.Err.Error()
			if !strings.HasPrefix(text, c.want) && !strings.Contains(text, ": "+c.want) {
				t.Errorf("Parse(%s): error %q, want %q", c.body, text, c.want)
			}
			if strings.ContainsAny(text, "\n\r") {
				t.Errorf("Parse(%s): error of more than one line: %q", c.body, text)
			}
			if !got.Event.IsZero() || got.Answer != (webhook.Answer{}) {
				t.Errorf("Parse(%s) has an event %v or an answer %+v besides its error", c.body, got.Event, got.Answer)
			}
			if string(got.Raw) != c.body {
				t.Errorf("Raw = %s, want %s", got.Raw, c.body)
			}
		})
	}
}

const envelopeTime = "2023-07-03T15:00:00Z"

// binaryMode returns the headers of a CloudEvent in binary mode.
func binaryMode(eventType string) http.Header {
	header := http.Header{}
	header.Set("ce-specversion", "1.0")
	header.Set("ce-type", eventType)
	header.Set("ce-time", envelopeTime)
	return header
}

// envelopes are the ways in which Azure can send a payload.
var envelopes = map[string]struct {
	body   func(payload string) string
	header http.Header
}{
	"native": {body: func(payload string) string { return payload }},
	"event grid": {body: func(payload string) string {
		return `{"eventType":"Microsoft.ContainerRegistry.ImagePushed","eventTime":"` + envelopeTime + `","data":` + payload + `}`
	}},
	"event grid batch": {body: func(payload string) string {
		return `[{"eventType":"Microsoft.ContainerRegistry.ImagePushed","eventTime":"` + envelopeTime + `","data":` + payload + `}]`
	}},
	"cloud event": {body: func(payload string) string {
		return `{"specversion":"1.0","type":"Microsoft.ContainerRegistry.ImagePushed","time":"` + envelopeTime + `","data":` + payload + `}`
	}},
	"cloud event batch": {body: func(payload string) string {
		return `[{"specversion":"1.0","type":"Microsoft.ContainerRegistry.ImagePushed","time":"` + envelopeTime + `","data":` + payload + `}]`
	}},
	"cloud event in binary mode": {
		body:   func(payload string) string { return payload },
		header: binaryMode("Microsoft.ContainerRegistry.ImagePushed"),
	},
}

func TestEveryEnvelopeYieldsTheSamePush(t *testing.T) {
	t.Parallel()
	payload := native("push", `{"repository":"wash","tag":"0.18.1","digest":"`+digest+`"}`)
	want := parseOne(t, payload).Event
	for name, envelope := range envelopes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			item := parseWith(t, envelope.body(payload), envelope.header)
			if diff := cmp.Diff(want, item.Event); diff != "" {
				t.Errorf("-native +%s\n%s", name, diff)
			}
			if diff := cmp.Diff(want, parseOne(t, string(item.Raw)).Event); diff != "" {
				t.Errorf("Raw sent again without headers: -native +%s\n%s", name, diff)
			}
		})
	}
}

func TestEnvelopeTimeReplacesAMissingPayloadTime(t *testing.T) {
	t.Parallel()
	payload := `{"action":"push","timestamp":null,"target":{"repository":"wash","tag":"0.18.1"},` + where + `}`
	for name, envelope := range envelopes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := time.Date(2023, 7, 3, 15, 0, 0, 0, time.UTC)
			if name == "native" {
				want = now
			}
			item := parseWith(t, envelope.body(payload), envelope.header)
			if got := item.Event.Push.PushedAt; got != want {
				t.Errorf("PushedAt = %s, want %s", got, want)
			}
			if got := parseOne(t, string(item.Raw)).Event.Push.PushedAt; got != want {
				t.Errorf("Raw sent again without headers: PushedAt = %s, want %s", got, want)
			}
		})
	}
}

func TestEnvelopeTypeReplacesAMissingAction(t *testing.T) {
	t.Parallel()
	payload := `{"target":{"repository":"wash","tag":"1"},` + where + `}`
	item := parseWith(t, payload, binaryMode("Microsoft.ContainerRegistry.ImageDeleted"))
	if item.Event.Delete == nil || item.Event.Delete.Tag != "1" {
		t.Errorf("binary mode: %v, error %v, want a delete of tag 1", item.Event, item.Err)
	}
	item = parseOne(t, `{"eventType":"Microsoft.ContainerRegistry.ImagePushed","data":`+payload+`}`)
	if item.Event.Push == nil || item.Event.Push.Reference.Tag != "1" {
		t.Errorf("event grid: %v, error %v, want a push of tag 1", item.Event, item.Err)
	}
}

// TestConnectedRegistryIsIgnored: it is a copy on somebody's premises, and not reachable
// under the registry's host.
func TestConnectedRegistryIsIgnored(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"connectedRegistry", "connectedregistry", "ConnectedRegistry"} {
		payload := strings.Replace(native("push", `{"repository":"wash","tag":"1"}`), "{", `{"`+name+`":{"name":"edge"},`, 1)
		for how, envelope := range envelopes {
			got := parseWith(t, envelope.body(payload), envelope.header)
			if want := ignored("event of a connected registry"); got.Answer != want {
				t.Errorf("%s, %s: %+v, event %v, error %v, want %+v", name, how, got.Answer, got.Event, got.Err, want)
			}
		}
	}
	null := strings.Replace(native("push", `{"repository":"wash","tag":"1"}`), "{", `{"connectedRegistry":null,`, 1)
	if got := parseOne(t, null); got.Event.Push == nil {
		t.Errorf("Parse(%s) = %+v, error %v, want a push", null, got.Answer, got.Err)
	}
}

// TestDataMayBeText: a sample in one of Azure's SDKs has the payload as text in data.
func TestDataMayBeText(t *testing.T) {
	t.Parallel()
	payload := native("push", `{"repository":"wash","tag":"0.18.1","digest":"`+digest+`"}`)
	want := parseOne(t, payload).Event
	for name, envelope := range envelopes {
		if name == "native" || name == "cloud event in binary mode" {
			continue // the payload is the body
		}
		item := parseWith(t, envelope.body(strconv.Quote(payload)), envelope.header)
		if diff := cmp.Diff(want, item.Event); diff != "" {
			t.Errorf("%s: error %v, -want +got\n%s", name, item.Err, diff)
		}
	}
	for _, data := range []string{`"push"`, `"\"{}\""`, `""`} {
		body := `{"eventType":"Microsoft.ContainerRegistry.ImagePushed","data":` + data + `}`
		if item := parseOne(t, body); item.Err == nil || item.Err.Error() != "target is missing" {
			t.Errorf("Parse(%s): %v, error %v, want target is missing", body, item.Event, item.Err)
		}
	}
}

// TestShortEventTypesAreUnderstood: Microsoft's own sample has them.
func TestShortEventTypesAreUnderstood(t *testing.T) {
	t.Parallel()
	payload := `{"target":{"repository":"wash","tag":"1"},` + where + `}`
	if item := parseOne(t, `{"eventType":"ImagePushed","data":`+payload+`}`); item.Event.Push == nil {
		t.Errorf("ImagePushed: %+v, error %v, want a push", item.Answer, item.Err)
	}
	if item := parseOne(t, `{"specversion":"1.0","type":"ImageDeleted","data":`+payload+`}`); item.Event.Delete == nil {
		t.Errorf("ImageDeleted: %+v, error %v, want a delete", item.Answer, item.Err)
	}
	if item := parseOne(t, `{"eventType":"ImageQuarantined","data":`+payload+`}`); item.Answer != ignored(`event type "ImageQuarantined"`) {
		t.Errorf("ImageQuarantined: %+v, event %v, error %v, want it ignored", item.Answer, item.Event, item.Err)
	}
}

// TestResourceNamesTheRegistryWithoutAHost: request is optional in Event Grid's schema.
func TestResourceNamesTheRegistryWithoutAHost(t *testing.T) {
	t.Parallel()
	const resource = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/"
	for name, c := range map[string]struct {
		topic, request string
		want           string // the registry, or the error
	}{
		"topic":                  {topic: resource + "demo", want: "demo.azurecr.io"},
		"in another case":        {topic: strings.ToUpper(resource + "demo"), want: "demo.azurecr.io"},
		"something behind it":    {topic: resource + "demo/replications/eastus", want: "demo.azurecr.io"},
		"request without a host": {topic: resource + "demo", request: `,"request":{"id":"1"}`, want: "demo.azurecr.io"},
		"null host":              {topic: resource + "demo", request: `,"request":{"host":null}`, want: "demo.azurecr.io"},
		"host goes first":        {topic: resource + "demo", request: `,"request":{"host":"other.azurecr.io"}`, want: "other.azurecr.io"},
		"bad host is not mended": {topic: resource + "demo", request: `,"request":{"host":"a b"}`, want: `request.host: registry "a b" is not a host`},
		"no name":                {topic: resource, want: "request.host is missing"},
		"name of no registry":    {topic: resource + "<name>", want: `: registry "<name>.azurecr.io" is not a host`},
		"topic without registry": {topic: "/subscriptions/0", want: "request.host is missing"},
		"no topic":               {want: "request.host is missing"},
	} {
		data := `{"target":{"repository":"wash","tag":"1"}` + c.request + `}`
		for how, body := range map[string]string{
			"topic":  `{"eventType":"Microsoft.ContainerRegistry.ImagePushed","topic":"` + c.topic + `","data":` + data + `}`,
			"source": `{"specversion":"1.0","type":"Microsoft.ContainerRegistry.ImagePushed","source":"` + c.topic + `","data":` + data + `}`,
		} {
			item := parseOne(t, body)
			switch {
			case item.Err != nil:
				if text := item.Err.Error(); !strings.HasPrefix(text, c.want) && !strings.HasPrefix(text, how+c.want) {
					t.Errorf("%s: Parse(%s): error %q, want %q", name, body, text, c.want)
				}
			case item.Event.Registry() != c.want:
				t.Errorf("%s: Parse(%s) = %v, want %q", name, body, item.Event, c.want)
			}
		}
	}
}

// TestRegionalEndpointIsItsRegistry: a push to one region can be deleted in all.
func TestRegionalEndpointIsItsRegistry(t *testing.T) {
	t.Parallel()
	body := strings.Replace(native("push", `{"repository":"wash","tag":"1"}`), "wasmcloud.azurecr.io", "WasmCloud.eastus.geo.azurecr.io", 1)
	if got := parseOne(t, body).Event.Registry(); got != "wasmcloud.azurecr.io" {
		t.Errorf("Parse(%s) is of the registry %q, want wasmcloud.azurecr.io", body, got)
	}
}

// TestGivenRegistryTakesThePlaceOfAnyOther: it does even if the event's own registry is
// invalid or missing.
func TestGivenRegistryTakesThePlaceOfAnyOther(t *testing.T) {
	t.Parallel()
	for _, request := range []string{`,"request":{"host":"registry:5000"}`, `,"request":{"host":"a b"}`, `,"request":{"host":7}`, ""} {
		for _, action := range []string{"push", "delete"} {
			body := `{"action":"` + action + `","target":{"repository":"wash","tag":"1"}` + request + `}`
			items, err := webhook.Parse([]byte(body), webhook.Delivery{Header: noHeaders, Registry: "demo.azurecr.io", Now: now})
			if err != nil || len(items) != 1 || items[0].Event.Registry() != "demo.azurecr.io" {
				t.Errorf("Parse(%s) = %+v, %v, want an event of demo.azurecr.io", body, items, err)
			}
		}
	}
}
