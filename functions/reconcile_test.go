package functions_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reconcile"
	lambda "ocireffer/pkg/reconcile/invoke"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/registry"
	"ocireffer/pkg/registry/acrtest"
	"ocireffer/pkg/registry/ocitest"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo"
	"ocireffer/pkg/store/dynamo/dynamolocal"
	"ocireffer/pkg/store/dynamo/dynamotest"
	"ocireffer/pkg/template"
)

// reconcileLines returns the log lines of the reconcile function by outcome, and one of a
// run that the brake stopped.
func reconcileLines(t *testing.T) map[string]map[string]any {
	t.Helper()
	lines := map[string]map[string]any{}
	add := func(name string, r reconcile.Report, err error) {
		var log bytes.Buffer
		r.Log(t.Context(), requestlog.NewJSON(&log), err, time.Second)
		var line map[string]any
		if err := json.Unmarshal(log.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		lines[name] = line
	}
	for _, outcome := range []reconcile.Outcome{reconcile.Reconciled, reconcile.Incomplete, reconcile.Stopped, reconcile.Running, reconcile.Failed} {
		add(string(outcome), reconcile.Report{Outcome: outcome, Deleted: 7}, errors.New("planted"))
	}
	add("braked", reconcile.Report{Outcome: reconcile.Incomplete, Braked: 12}, nil)
	return lines
}

func TestReconcileSample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../events/reconcile.json")
	if err != nil {
		t.Fatal(err)
	}
	var e lambda.Event
	if err := json.Unmarshal(text, &e); err != nil || e.Registry == "" {
		t.Errorf("events/reconcile.json is %+v, %v, want a registry", e, err)
	}
}

// TestReconcileRegistriesAreTaken: what the template accepts is a list of registries.
func TestReconcileRegistriesAreTaken(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(template.Read(t).Parameters["ReconcileRegistries"].AllowedPattern)
	for value, want := range map[string]bool{
		"":                                     true,
		"wasmcloud.azurecr.io":                 true,
		"wasmcloud.azurecr.io,docker.io/a/b":   true,
		"ghcr.io/acme/app,ghcr.io/acme/app__x": true,
		"localhost:5000/a.b-c/d":               true,
		"[::1]:5000":                           true,
		"ghcr.io/":                             false,
		"ghcr.io/Acme":                         false,
		"ghcr.io/acme/":                        false,
		"ghcr.io//acme":                        false,
		"ghcr.io/acme:1":                       false,
		"acme/app":                             false,
		"demo":                                 false,
		"a.io,":                                false,
		"a.io, b.io":                           false,
		"https://a.io":                         false,
		strings.Repeat("a", 64) + ".io":        false,
	} {
		if got := pattern.MatchString(value); got != want {
			t.Errorf("the pattern accepts %q: %t, want %t", value, got, want)
		}
		_, err := reconcile.ParseSources(value)
		if value != "" && want && err != nil {
			t.Errorf("ParseSources(%q): %v", value, err)
		}
	}
}

// TestReconcileRoleAllowsJustWhatItDoes runs on a real DynamoDB that allows each call
// only what the role in template.yaml allows.
func TestReconcileRoleAllowsJustWhatItDoes(t *testing.T) {
	t.Parallel()
	const host = "acme.azurecr.io"
	table := dynamotest.StreamTable(t)
	role := dynamotest.NewRole(t, "ReconcileRole")
	cfg := dynamolocal.Config(t)
	other, err := dynamo.Open(cfg, table, dynamo.WithoutStream()) // it also writes the catalogue
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTPClient = &http.Client{Transport: role}
	db, err := dynamo.Open(cfg, table)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.StartWriter(t.Context()); err != nil {
		t.Errorf("StartWriter: %v", err)
	}
	now := time.Now().UTC()
	clock := acrtest.NewClock(now.Add(-time.Hour))
	acr := acrtest.Public(clock.Now)
	push := func(registry, repository, tag string, at time.Time) {
		p := event.Push{Reference: reference.Reference{Registry: registry, Repository: repository, Tag: tag}, Digest: acrtest.Digest(tag), Size: event.UnknownSize, PushedAt: at}
		if err := other.Push(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	for _, repository := range []string{"wash", "gone", "shared"} {
		for _, tag := range []string{"1", "2", "latest"} {
			push(host, repository, tag, acr.Push(repository, tag, acrtest.Digest(tag)))
		}
	}
	push("ghcr.io", "shared", "9", now) // newer, so the catalogue does not show the other one
	acr.Push("wash", "3", acrtest.Digest("3"))
	acr.Untag("wash", "1")
	acr.DeleteRepository("gone")
	acr.DeleteRepository("shared")
	clock.Advance(time.Hour)
	r, err := registry.Open(host, registry.Options{Transport: acr, Clock: clock, Rate: math.Inf(1)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		report, err := reconcile.Run(t.Context(), r, db, reconcile.Options{Full: true})
		if err != nil || !report.Complete() {
			t.Errorf("Run: %+v, %v", report, err)
		}
	}
	for repository, want := range map[string]string{"wash": "2 3 latest", "gone": "", "shared": ""} {
		h, err := other.History(t.Context(), host, repository)
		if err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(h.Pushes, func(_ string, p event.Push) bool { return !h.Live(p) })
		if got := strings.Join(slices.Sorted(maps.Keys(h.Pushes)), " "); got != want {
			t.Errorf("live tags of %s: %q, want %q", repository, got, want)
		}
	}
	role.Check(t)
}

// TestReconcileReadsTheSecret runs the function as Lambda does, with a secret.
func TestReconcileReadsTheSecret(t *testing.T) {
	t.Parallel()
	small := ocitest.StartSmall(t, map[string]map[string]string{"wash": {"1": acrtest.Digest("1")}})
	small.Require("reader", "s3cret")
	secrets := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || !strings.Contains(string(body), "arn:aws:secretsmanager:eu-west-1:") || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/secretsmanager/") {
			t.Errorf("Secrets Manager is asked %s of %s by %s", r.Header.Get("X-Amz-Target"), body, r.Header.Get("Authorization"))
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		json.NewEncoder(w).Encode(map[string]string{"SecretString": fmt.Sprintf(`{%q: {"user": "reader", "password": "s3cret"}}`, small.Host)})
	}))
	defer secrets.Close()
	table := dynamotest.Table(t)
	got := invoke(t, binary(t, "reconcile"), "{}", failing(t),
		"AWS_ENDPOINT_URL_DYNAMODB="+dynamolocal.Endpoint(t), "TABLE_NAME="+table,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER="+secrets.URL,
		"RECONCILE_REGISTRIES="+small.Host, "RECONCILE_SECRET_ARN=arn:aws:secretsmanager:eu-west-1:123456789012:secret:ocireffer-AbCdEf")
	if want := fmt.Sprintf(`[{"registry":%q,"outcome":"reconciled","pushed":1,"deleted":0}]`, small.Host); got.exit != nil || got.raw != want {
		t.Errorf("answer = %s, %v, want %s; the log: %s", got.raw, got.exit, want, got.log)
	}
	if strings.Contains(got.log, "s3cret") || strings.Count(got.log, `"msg":"reconcile"`) != 1 {
		t.Errorf("the log is %s, want one line of the run and no password", got.log)
	}
	db, err := dynamo.Open(dynamolocal.Config(t), table)
	if err != nil {
		t.Fatal(err)
	}
	p, err := db.Pick(t.Context(), store.Query{Name: reference.Name{Repository: "wash"}})
	if err != nil || p.Reference.Registry != small.Host {
		t.Errorf("Pick(wash) = %s, %v, want that of %s", p.Reference, err, small.Host)
	}
}
