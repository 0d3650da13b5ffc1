package functions_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ocireffer/pkg/event"
	"ocireffer/pkg/ingest"
	"ocireffer/pkg/lookup"
	reconcile "ocireffer/pkg/reconcile/invoke"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/route"
	"ocireffer/pkg/store"
	"ocireffer/pkg/template"
)

// routes returns the routes of each function, by logical ID.
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

// TestTemplateSettingsAreRead: the code reads each variable in the template, and each
// gets the parameter of the same name. The template has each variable that the code
// reads. An unset variable means the same as the parameter's default.
func TestTemplateSettingsAreRead(t *testing.T) {
	t.Parallel()
	parsed := template.Read(t)
	for function, read := range map[string]func(func(string) (string, bool)) (any, error){
		"IngestFunction": func(env func(string) (string, bool)) (any, error) { return ingest.FromEnv(env) },
		"LookupFunction": func(env func(string) (string, bool)) (any, error) { return lookup.FromEnv(env) },

		"ReconcileFunction": func(env func(string) (string, bool)) (any, error) { return reconcile.FromEnv(env) },
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
		all := gocmp.Exporter(func(reflect.Type) bool { return true })
		if diff := gocmp.Diff(unset, defaults, all); diff != "" {
			t.Errorf("%s: -unset +defaults of the template\n%s", function, diff)
		}
		for name, parameter := range variables {
			if !strings.EqualFold(strings.ReplaceAll(name, "_", ""), parameter) {
				t.Errorf("%s: the template sets %s to %s, want the parameter of that name", function, name, parameter)
			}
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

// TestLambdaWaitsForTheAnswer: if Lambda stops a function before it has answered, there
// is no log line with the event.
func TestLambdaWaitsForTheAnswer(t *testing.T) {
	t.Parallel()
	parsed := template.Read(t)
	for function, answer := range map[string]time.Duration{"IngestFunction": ingestAnswer, "LookupFunction": lookupAnswer} {
		if got := time.Duration(parsed.Functions[function].Timeout) * time.Second; got <= answer {
			t.Errorf("%s ends after %s, want more than the %s that an answer may take", function, got, answer)
		}
	}
}

// registryPattern returns the pattern of the parameter AllowedRegistries.
func registryPattern(t *testing.T) *regexp.Regexp {
	t.Helper()
	return regexp.MustCompile(template.Read(t).Parameters["AllowedRegistries"].AllowedPattern)
}

// TestAllowedRegistriesAreTaken: what the template accepts starts ingest, and what it
// refuses is not a list of registries.
func TestAllowedRegistriesAreTaken(t *testing.T) {
	t.Parallel()
	pattern := registryPattern(t)
	for _, c := range []struct {
		value string
		want  bool
	}{
		{value: "", want: true},
		{value: "wasmcloud.azurecr.io", want: true},
		{value: "wasmcloud.azurecr.io,docker.io,GHCR.io", want: true},
		{value: "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", want: true},
		{value: strings.Repeat("a", 63) + ".io", want: true},
		{value: "localhost", want: true},
		{value: "localhost:5000", want: true},
		{value: "demo:5000", want: true},
		{value: "127.0.0.1:5000", want: true},
		{value: "[::1]:5000", want: true},
		{value: "[::1]", want: true},
		{value: strings.Repeat("a", 63) + strings.Repeat("."+strings.Repeat("a", 61), 3) + ":65535", want: true}, // 255 bytes
		{value: strings.Repeat("a", 64) + ".io"},
		{value: strings.Repeat("aaaaaaaa.", 28) + "io:5000"}, // 259 bytes
		{value: "demo"},
		{value: "docker.io,demo"},
		{value: "acme.azurecr.io."},
		{value: ".azurecr.io"},
		{value: "a..b"},
		{value: "acme.azurecr.io:"},
		{value: "https:"},
		{value: "https://acme.azurecr.io"},
		{value: "acme.azurecr.io/wash"},
		{value: "-"},
		{value: "-a.io"},
		{value: "a-.io"},
		{value: "a.io:x"},
		{value: "a_b.io"},
		{value: "[::1"},
		{value: "[abcd]"},
		{value: "[::1]x"},
		{value: ",,,"},
		{value: "a.io,"},
		{value: ",a.io"},
		{value: "a.io, b.io"},
		{value: "*.azurecr.io"},
	} {
		if got := pattern.MatchString(c.value); got != c.want {
			t.Errorf("the pattern accepts %q: %t, want %t", c.value, got, c.want)
		}
		if err := readRegistries(c.value); c.want && err != nil {
			t.Errorf("ingest with %q: %v", c.value, err)
		}
	}
}

// readRegistries starts ingest with this ALLOWED_REGISTRIES.
func readRegistries(value string) error { return readVariable("ALLOWED_REGISTRIES", value) }

// readVariable starts ingest with this value of a variable.
func readVariable(variable, value string) error {
	_, err := ingest.FromEnv(func(name string) (string, bool) {
		if name != variable {
			return "", false
		}
		return value, true
	})
	return err
}

// TestListsOfTagsAndSecretsAreTaken: what the template accepts starts ingest.
func TestListsOfTagsAndSecretsAreTaken(t *testing.T) {
	t.Parallel()
	parameters := template.Read(t).Parameters
	for parameter, c := range map[string]struct {
		variable       string
		taken, refused []string
	}{
		"IgnoreTags": {variable: "IGNORE_TAGS",
			taken:   []string{"", "buildcache", "*", "buildcache,pr-*,*-dev", "sha-???????", "v[0-9]*", "[!a-z]*", "[^0-9a-f]", "1.[0-4]", "a[b_.]c"},
			refused: []string{",", "a,", ",a", "a, b", "[", "]", "[]", "[!]", "a[b", "a]b", "[z-a]", "[9-0]", "[a-]", `\\*`, "a b", "é", "a/b", "a:b"}},
		"WebhookSecrets": {variable: "WEBHOOK_SECRETS",
			taken:   []string{"", " ", "a", "It's-a-Secret", "a,b", "!~-+", strings.Repeat("0", 64) + "," + strings.Repeat("1", 64)},
			refused: []string{",", "a,", ",a", "a, b", "a b", "  ", "é", "a\tb"}},
	} {
		t.Run(parameter, func(t *testing.T) {
			t.Parallel()
			pattern := regexp.MustCompile(parameters[parameter].AllowedPattern)
			for _, value := range c.taken {
				if !pattern.MatchString(value) {
					t.Errorf("%s does not accept %q", parameter, value)
				}
				if err := readVariable(c.variable, value); err != nil {
					t.Errorf("ingest with %s=%q: %v", c.variable, value, err)
				}
			}
			for _, value := range c.refused {
				if pattern.MatchString(value) {
					t.Errorf("%s accepts %q", parameter, value)
				}
			}
			rapid.Check(t, func(t *rapid.T) {
				value := rapid.OneOf(rapid.StringMatching(pattern.String()), rapid.StringOfN(rapid.SampledFrom([]rune("a9-[]!^*?,.")), 0, 12, -1)).Draw(t, "value")
				if err := readVariable(c.variable, value); err != nil && pattern.MatchString(value) {
					t.Fatalf("%s accepts %q, but ingest says: %v", parameter, value, err)
				}
			})
		})
	}
}

// TestTextsOfPagesAreTaken: the template accepts a title and a command of one line, with
// which lookup starts, and no others.
func TestTextsOfPagesAreTaken(t *testing.T) {
	t.Parallel()
	parameters := template.Read(t).Parameters
	for parameter, c := range map[string]struct {
		variable       string
		taken, refused []string
	}{
		"SiteTitle":   {variable: "SITE_TITLE", taken: []string{"ocireffer", "Images of ACME", "Bilder für alle", "<b>"}, refused: []string{"a\nb", "a\tb", "\x7f"}},
		"PullCommand": {variable: "PULL_COMMAND", taken: []string{"{reference}", "helm pull oci://{reference}", "wash pull '{reference}' && true"}, refused: []string{"docker pull", "docker pull {reference", "docker pull {reference}\n"}},
	} {
		pattern := regexp.MustCompile(parameters[parameter].AllowedPattern)
		for _, value := range append(c.taken, c.refused...) {
			want := slices.Contains(c.taken, value)
			if got := pattern.MatchString(value); got != want {
				t.Errorf("%s accepts %q: %t, want %t", parameter, value, got, want)
			}
			_, err := lookup.FromEnv(func(name string) (string, bool) { return value, name == c.variable })
			if (err == nil) != want {
				t.Errorf("lookup with %s=%q: %v, want it to start: %t", c.variable, value, err, want)
			}
		}
	}
}

// storeWith is a store that answers each write with err.
type storeWith struct{ err error }

func (s storeWith) Push(context.Context, event.Push) error             { return s.err }
func (s storeWith) Categorize(context.Context, event.Membership) error { return s.err }
func (s storeWith) Delete(context.Context, event.Delete) (store.Deleted, error) {
	return store.Deleted{}, s.err
}
func (s storeWith) PushedAt(context.Context, event.Target) (time.Time, error) {
	return time.Time{}, s.err
}

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

// accessText returns a line of API Gateway's log with these values of variables.
func accessText(format string, values map[string]string) string {
	return regexp.MustCompile(`\$context\.[A-Za-z.]+|\$\{[A-Za-z]+}`).ReplaceAllStringFunc(format, func(variable string) string {
		return cmp.Or(values[variable], "-")
	})
}

// accessLine returns API Gateway's log line for an answer.
func accessLine(t *testing.T, format, path, status string) map[string]any {
	t.Helper()
	text := accessText(format, map[string]string{"$context.path": path, "$context.status": status})
	var line map[string]any
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Fatalf("access log line %s: %v", text, err)
	}
	return line
}

// TestMetricFiltersMatchRealLogLines: metrics count by the fields of log lines. A write
// by hand must not hide that every webhook fails, so the metrics of AllWebhooksFailAlarm
// count only webhooks.
func TestMetricFiltersMatchRealLogLines(t *testing.T) {
	t.Parallel()
	for _, hook := range []string{"/api/webhook", "/api/azurehook"} {
		testMetricFilters(t, hook)
	}
}

// testMetricFilters wants the metric filters to count the lines of webhooks that arrive
// at a path.
func testMetricFilters(t *testing.T, hook string) {
	t.Helper()
	const token, byHand = "sample-token", "/api/references/a.azurecr.io/app:1"
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
		{method: "POST", path: hook, body: `{}`},
		{method: "POST", path: hook, token: token, body: push("a.azurecr.io")},
		{method: "POST", path: hook, token: token, body: strings.Replace(push("a.azurecr.io"), "{", `{"action":"delete",`, 1)},
		{method: "POST", path: hook, token: token, body: push("b.azurecr.io")},
		{method: "POST", path: hook, token: token, body: push("a.azurecr.io"), storeErr: errors.New("planted")},
		{method: "PUT", path: byHand, token: token},
		{method: "PUT", path: byHand, token: token, storeErr: errors.New("planted")},
		{method: "PUT", path: byHand, token: token, body: "x"},
		{method: "PUT", path: byHand, token: "wrong"},
		{method: "PUT", path: byHand},
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
	parsed := template.Read(t)
	access := map[string]map[string]any{} // by status and path
	for _, c := range []struct{ status, path string }{{"429", hook}, {"200", hook}, {"500", hook}, {"429", "/"}, {"429", byHand}} {
		access[c.status+" "+c.path] = accessLine(t, parsed.AccessLogFormat, c.path, c.status)
	}
	groups := map[string]map[string]map[string]any{"IngestLogGroup": lines, "AccessLogGroup": access, "ReconcileLogGroup": reconcileLines(t)}
	want := map[string][]string{
		"StoreFailedMetric": {"by hand store_failed", "webhook store_failed"},
		"RefusedMetric":     {"by hand forbidden", "by hand no_token", "by hand wrong_token", "webhook forbidden", "webhook no_token", "webhook wrong_token"},
		"UnusableMetric":    {"webhook bad_request", "webhook forbidden", "webhook no_token", "webhook too_large", "webhook wrong_token"},
		"WrongTokenMetric":  {"by hand wrong_token", "webhook wrong_token"},
		"UsableMetric":      {"webhook deleted", "webhook ignored", "webhook pong", "webhook stored"},

		"WebhookThrottledMetric": {"429 " + hook},

		"ReconciledMetric": {"braked", "incomplete", "reconciled", "stopped"},
		"BrakedMetric":     {"braked"},
	}
	got := map[string][]string{}
	for name, filter := range parsed.MetricFilters {
		for kind, line := range groups[filter.LogGroup] {
			if matches(t, filter.Pattern, line) {
				got[name] = append(got[name], kind)
			}
		}
		slices.Sort(got[name])
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("lines that the metric filters count, of %s: -want +got\n%s", hook, diff)
	}
}

// matches reports whether CloudWatch would count line. pattern has the form { $.field =
// "value" } or { $.field > 0 }. Several comparisons are joined with ||, in parentheses if
// an && stands before them.
func matches(t *testing.T, pattern string, line map[string]any) bool {
	t.Helper()
	all := true
	for term := range strings.SplitSeq(strings.Trim(pattern, "{ }"), " && ") {
		one := false
		for equation := range strings.SplitSeq(strings.Trim(term, "()"), " || ") {
			if field, ok := strings.CutSuffix(equation, " > 0"); ok {
				n, isNumber := line[strings.TrimPrefix(field, "$.")].(float64)
				one = one || isNumber && n > 0
				continue
			}
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

// TestEachAlarmWatchesMetricsThatAreFed: an alarm never goes off if no filter feeds its
// metric.
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
