package functions_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/ingest"
	"ocireffer/pkg/lookup"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/route"
	"ocireffer/pkg/store"
	"ocireffer/pkg/template"
)

// routes are those of each function, by logical id.
func routes() map[string]route.Routes {
	return map[string]route.Routes{
		"IngestFunction": ingest.New(ingest.Settings{}, nil, nil),
		"LookupFunction": lookup.New(lookup.Settings{}, nil),
	}
}

func TestTemplateRoutesAreTheHandlers(t *testing.T) {
	t.Parallel()
	parsed := template.Read(t)
	for function, routes := range routes() {
		var got, want []string
		for _, r := range parsed.Functions[function].Routes {
			got = append(got, r.String())
		}
		for key := range routes {
			want = append(want, key)
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s: routes: -code +template\n%s", function, diff)
		}
	}
}

// TestTemplateSettingsAreRead: each variable of the template is one that the
// code reads, each variable that the code reads is one of the template, and an
// unset one means what the parameter's default means.
func TestTemplateSettingsAreRead(t *testing.T) {
	t.Parallel()
	parsed := template.Read(t)
	for function, read := range map[string]func(func(string) (string, bool)) (any, error){
		"IngestFunction": func(env func(string) (string, bool)) (any, error) { return ingest.FromEnv(env) },
		"LookupFunction": func(env func(string) (string, bool)) (any, error) { return lookup.FromEnv(env) },
	} {
		asked := map[string]bool{}
		unset, err := read(func(name string) (string, bool) { asked[name] = true; return "", false })
		if err != nil {
			t.Fatal(err)
		}
		variables := parsed.Functions[function].Variables
		defaults, err := read(func(name string) (string, bool) {
			v, ok := parsed.Parameters[variables[name]]
			return v.Default, ok
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(unset, defaults); diff != "" {
			t.Errorf("%s: -unset +defaults of the template\n%s", function, diff)
		}
		for name := range variables {
			if !asked[name] {
				t.Errorf("%s: the template sets %s, which the code does not read", function, name)
			}
		}
		for name := range asked {
			if _, ok := variables[name]; !ok {
				t.Errorf("%s: the code reads %s, which the template does not set", function, name)
			}
		}
	}
}

// storeWith is a store that answers each write with err.
type storeWith struct{ err error }

func (s storeWith) Push(context.Context, event.Push) error             { return s.err }
func (s storeWith) Delete(context.Context, event.Delete) (int, error)  { return 0, s.err }
func (s storeWith) Categorize(context.Context, event.Membership) error { return s.err }

// requestLine returns the line that ingest logs for a request.
func requestLine(t *testing.T, method, path, token, body string, db store.Writer) map[string]any {
	t.Helper()
	settings, err := ingest.FromEnv(func(name string) (string, bool) {
		return map[string]string{"WEBHOOK_TOKEN_SHA256": sampleTokenHash, "ALLOWED_REGISTRIES": "a.azurecr.io"}[name], true
	})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	h := requestlog.Handler(requestlog.NewJSON(&log), ingest.New(settings, db, requestlog.NewJSON(io.Discard)))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path+"?token="+token, strings.NewReader(body)))
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	return line
}

// TestMetricFiltersMatchRealLogLines: metrics count by the fields of log lines. A
// write by hand must not hide that every webhook fails, so the metrics of
// AllWebhooksFailAlarm count webhooks alone.
func TestMetricFiltersMatchRealLogLines(t *testing.T) {
	t.Parallel()
	const token, hook, byHand = "sample-token", "/api/azurehook", "/api/references/a.azurecr.io/app:1"
	push := func(registry string) string {
		return `{"target":{"repository":"app","tag":"1"},"request":{"host":"` + registry + `"}}`
	}
	lines := map[string]map[string]any{} // by kind of path and outcome
	for _, c := range []struct {
		method, path, token, body string
		storeErr                  error
	}{
		{method: "POST", path: hook, token: token, body: `{"action":"ping"}`},
		{method: "POST", path: hook, token: token, body: `{"action":"quarantine"}`},
		{method: "POST", path: hook, token: token, body: `{}`},
		{method: "POST", path: hook, token: token, body: strings.Repeat(" ", 2<<20)},
		{method: "POST", path: hook, token: "wrong", body: `{}`},
		{method: "POST", path: hook, token: token, body: push("a.azurecr.io")},
		{method: "POST", path: hook, token: token, body: strings.Replace(push("a.azurecr.io"), "{", `{"action":"delete",`, 1)},
		{method: "POST", path: hook, token: token, body: push("b.azurecr.io")},
		{method: "POST", path: hook, token: token, body: push("a.azurecr.io"), storeErr: errors.New("planted")},
		{method: "PUT", path: byHand, token: token},
		{method: "PUT", path: byHand, token: token, storeErr: errors.New("planted")},
		{method: "PUT", path: byHand, token: token, body: "x"},
		{method: "PUT", path: byHand, token: "wrong"},
		{method: "PUT", path: "/api/references/b.azurecr.io/app:1", token: token},
		{method: "DELETE", path: byHand, token: token},
	} {
		line := requestLine(t, c.method, c.path, c.token, c.body, storeWith{c.storeErr})
		kind := "webhook "
		if c.path != hook {
			kind = "by hand "
		}
		lines[kind+line["outcome"].(string)] = line
	}
	want := map[string][]string{
		"StoreFailedMetric": {"by hand store_failed", "webhook store_failed"},
		"RefusedMetric":     {"by hand forbidden", "by hand unauthorized", "webhook forbidden", "webhook unauthorized"},
		"UnusableMetric":    {"webhook bad_request", "webhook forbidden", "webhook too_large", "webhook unauthorized"},
		"UsableMetric":      {"webhook deleted", "webhook ignored", "webhook pong", "webhook stored"},
	}
	got := map[string][]string{}
	for name, filter := range template.Read(t).MetricFilters {
		if filter.LogGroup != "IngestLogGroup" {
			continue // it reads API Gateway's log
		}
		for kind, line := range lines {
			if matches(t, filter.Pattern, line) {
				got[name] = append(got[name], kind)
			}
		}
		slices.Sort(got[name])
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("lines that the metric filters count: -want +got\n%s", diff)
	}
}

// matches reports whether CloudWatch would count line by pattern, which has the form
// { $.field = "value" }, with || between several, in parentheses behind an && where
// there is one.
func matches(t *testing.T, pattern string, line map[string]any) bool {
	t.Helper()
	all := true
	for term := range strings.SplitSeq(strings.Trim(pattern, "{ }"), " && ") {
		one := false
		for equation := range strings.SplitSeq(strings.Trim(term, "()"), " || ") {
			field, value, ok := strings.Cut(equation, " = ")
			if !ok || !strings.HasPrefix(field, "$.") || strings.ContainsAny(equation, "()") {
				t.Fatalf("cannot judge %s of the pattern %s", equation, pattern)
			}
			one = one || line[strings.TrimPrefix(field, "$.")] == strings.Trim(value, `"`)
		}
		all = all && one
	}
	return all
}

// TestEachAlarmWatchesMetricsThatAreFed: an alarm on a metric that no filter feeds
// never goes off.
func TestEachAlarmWatchesMetricsThatAreFed(t *testing.T) {
	t.Parallel()
	parsed := template.Read(t)
	fed := map[string]bool{}
	for _, filter := range parsed.MetricFilters {
		fed[filter.Metric] = true
	}
	watched := map[string]bool{}
	for name, alarm := range parsed.Alarms {
		if len(alarm.Metrics) == 0 {
			t.Errorf("%s watches nothing", name)
		}
		for _, metric := range alarm.Metrics {
			if strings.HasPrefix(metric.Namespace, "AWS/") {
				continue
			}
			watched[metric.Name] = true
			if !fed[metric.Name] {
				t.Errorf("%s watches %s, which no metric filter feeds", name, cmp.Or(metric.Name, "a metric without a name"))
			}
		}
	}
	for name := range fed {
		if !watched[name] {
			t.Errorf("no alarm watches %s", name)
		}
	}
}
