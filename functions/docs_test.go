package functions_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/openapi"
	"ocireffer/pkg/template"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestREADMEKnowsTheTemplate: the README's tables name each parameter with its
// default, each variable, each route and each alarm.
func TestREADMEKnowsTheTemplate(t *testing.T) {
	t.Parallel()
	text, parsed := readme(t), template.Read(t)
	_, configuration, _ := strings.Cut(text, "### Configuration")
	for name, parameter := range parsed.Parameters {
		i := strings.Index(configuration, "`"+name+"`")
		if i < 0 {
			t.Errorf("the README does not name the parameter %s", name)
			continue
		}
		line, _, _ := strings.Cut(configuration[i:], "\n")
		if parameter.Default == "" && !strings.Contains(line, "empty") && !strings.Contains(line, "none") ||
			!strings.Contains(line, parameter.Default) {
			t.Errorf("the README's line for %s lacks its default %q: %s", name, parameter.Default, line)
		}
	}
	for name := range parsed.Alarms {
		if !strings.Contains(text, "| `"+name+"` |") {
			t.Errorf("the README does not explain %s", name)
		}
	}
	for _, function := range parsed.Functions {
		for variable := range function.Variables {
			if !strings.Contains(text, "`"+variable+"`") {
				t.Errorf("the README does not name %s", variable)
			}
		}
		for _, route := range function.Routes {
			if path := strings.ReplaceAll(route.Path, "+}", "}"); !strings.Contains(text, path+"`") {
				t.Errorf("the README does not name the route %s", path)
			}
		}
	}
}

func TestREADMENamesTestsThatExist(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", `{{$dir := .Dir}}{{range .TestGoFiles}}{{$dir}}/{{.}} {{end}}{{range .XTestGoFiles}}{{$dir}}/{{.}} {{end}}`, "ocireffer/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, file := range append(strings.Fields(string(out)), "../.ci/template_test.py") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(b)
	}
	named := regexp.MustCompile("`([Tt]est_?[A-Za-z_0-9]+)`").FindAllStringSubmatch(readme(t), -1)
	if len(named) == 0 {
		t.Error("the README names no test")
	}
	for _, name := range named {
		if !strings.Contains(tests.String(), "func "+name[1]+"(") && !strings.Contains(tests.String(), "def "+name[1]+"(") {
			t.Errorf("the README names %s, which is no test", name[1])
		}
	}
}

// TestDescriptionHasTheRoutes: the OpenAPI description has all routes of both
// functions, and no other, each with an operationId of its own.
func TestDescriptionHasTheRoutes(t *testing.T) {
	t.Parallel()
	var description struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal([]byte(openapi.Document), &description); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	ids := map[string]string{}
	for path, methods := range description.Paths {
		for method, operation := range methods {
			route := strings.ToUpper(method) + " " + path
			got = append(got, route)
			if other, ok := ids[operation.OperationID]; ok || operation.OperationID == "" {
				t.Errorf("%s has the operationId %q, and so has %q", route, operation.OperationID, other)
			}
			ids[operation.OperationID] = route
		}
	}
	for _, routes := range routes() {
		for key := range routes {
			want = append(want, strings.ReplaceAll(key, "+}", "}"))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes: -code +description\n%s", diff)
	}
}
