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

// TestDocumentationKnowsTheTemplate: the documentation's tables name each parameter with
// its default, each variable, each route and each alarm.
func TestDocumentationKnowsTheTemplate(t *testing.T) {
	t.Parallel()
	text, parsed := documentation(t), template.Read(t)
	_, rest, _ := strings.Cut(text, "\n## Configuration\n")
	configuration, _, _ := strings.Cut(rest, "\n## ")
	for name, parameter := range parsed.Parameters {
		i := strings.Index(configuration, "`"+name+"`")
		if i < 0 {
			t.Errorf("the documentation does not name the parameter %s", name)
			continue
		}
		line, _, _ := strings.Cut(configuration[i:], "\n")
		if parameter.Default == "" && !strings.Contains(line, "empty") && !strings.Contains(line, "none") ||
			!strings.Contains(line, parameter.Default) {
			t.Errorf("the documentation's line for %s lacks its default %q: %s", name, parameter.Default, line)
		}
	}
	for name := range parsed.Alarms {
		if !strings.Contains(text, "| `"+name+"` |") {
			t.Errorf("the documentation does not explain %s", name)
		}
	}
	for _, function := range parsed.Functions {
		for variable := range function.Variables {
			if !strings.Contains(text, "`"+variable+"`") {
				t.Errorf("the documentation does not name %s", variable)
			}
		}
		for _, route := range function.Routes {
			if path := strings.ReplaceAll(route.Path, "+}", "}"); !strings.Contains(text, path+"`") {
				t.Errorf("the documentation does not name the route %s", path)
			}
		}
	}
}

func TestDocumentationNamesTestsThatExist(t *testing.T) {
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
	named := regexp.MustCompile("`([Tt]est_?[A-Za-z_0-9]+)`").FindAllStringSubmatch(documentation(t), -1)
	if len(named) == 0 {
		t.Error("the documentation names no test")
	}
	for _, name := range named {
		if !strings.Contains(tests.String(), "func "+name[1]+"(") && !strings.Contains(tests.String(), "def "+name[1]+"(") {
			t.Errorf("the documentation names %s, which is not a test", name[1])
		}
	}
}

// TestDescriptionHasTheRoutes: the OpenAPI description has exactly the routes of both
// functions, each with its own operationId.
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
