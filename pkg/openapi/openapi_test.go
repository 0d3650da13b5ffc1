package openapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ocireffer/pkg/openapi"
)

// A description is the part of the document that has its own rules.
type description struct {
	Security   *[]any
	Paths      map[string]map[string]operation
	Components map[string]map[string]any
}

type operation struct {
	OperationID string
	Summary     string
	Tags        []string
}

func parse(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(openapi.Document), v); err != nil {
		t.Fatal(err)
	}
}

// TestSchemasSuitGenerators: each value has one named type, and objects may have unknown
// fields. Otherwise oapi-codegen or openapi-python-client cannot read the description, or
// a client breaks when a field is added.
func TestSchemasSuitGenerators(t *testing.T) {
	t.Parallel()
	var document map[string]any
	parse(t, &document)
	count := 0
	eachSchema("", document, func(path string, schema any) {
		count++
		fields, ok := schema.(map[string]any)
		if !ok {
			t.Errorf("%s is %v, want an object", path, schema)
		}
		for _, word := range []string{"anyOf", "oneOf", "allOf", "not", "additionalProperties"} {
			if fields[word] != nil {
				t.Errorf("%s has %s", path, word)
			}
		}
		_, isText := fields["type"].(string)
		_, isReference := fields["$ref"]
		switch anything := slices.Equal(slices.Collect(maps.Keys(fields)), []string{"description"}); {
		case isReference && len(fields) > 1:
			t.Errorf("%s has other keys beside its $ref", path)
		case !isReference && !isText && !anything:
			t.Errorf("%s has the type %v, want one name", path, fields["type"])
		}
	})
	if count < 100 {
		t.Errorf("only %d schemas were found", count)
	}
}

// eachSchema calls visit for all schemas in v, including nested ones.
func eachSchema(path string, v any, visit func(path string, schema any)) {
	list, _ := v.([]any)
	for i, item := range list {
		eachSchema(fmt.Sprint(path, "/", i), item, visit)
	}
	object, _ := v.(map[string]any)
	for key, value := range object {
		at := path + "/" + key
		switch key {
		case "example", "examples": // values, not schemas
		case "schemas", "properties":
			for name, schema := range value.(map[string]any) {
				visit(at+"/"+name, schema)
				eachSchema(at+"/"+name, schema, visit)
			}
		case "schema", "items":
			visit(at, value)
			eachSchema(at, value, visit)
		default:
			eachSchema(at, value, visit)
		}
	}
}

// TestComponentNamesDifferInMoreThanCase: oapi-codegen makes a Go type from each, with an
// upper-case name, in one package.
func TestComponentNamesDifferInMoreThanCase(t *testing.T) {
	t.Parallel()
	var d description
	parse(t, &d)
	seen := map[string]string{}
	for kind, components := range d.Components {
		for name := range components {
			at := kind + "/" + name
			if other := seen[strings.ToLower(name)]; other != "" {
				t.Errorf("%s and %s have the same name", at, other)
			}
			seen[strings.ToLower(name)] = at
			if kind != "securitySchemes" && !strings.Contains(openapi.Document, `"#/components/`+at+`"`) {
				t.Errorf("%s is not used", at)
			}
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d components were found", len(seen))
	}
}

// TestOperationsMakeFunctions: generators name functions by operationId, sort them by
// tag, and document them by summary. An operation without security has that of the root:
// none.
func TestOperationsMakeFunctions(t *testing.T) {
	t.Parallel()
	var d description
	parse(t, &d)
	if d.Security == nil || len(*d.Security) > 0 {
		t.Errorf("security = %v, want an empty list", d.Security)
	}
	functionName := regexp.MustCompile(`^[a-z]+([A-Z][a-z]+)+$`)
	for path, methods := range d.Paths {
		for method, o := range methods {
			if !functionName.MatchString(o.OperationID) || len(o.Tags) != 1 || o.Summary == "" {
				t.Errorf("%s %s = %+v, want a name such as listRepositories, a tag and a summary", method, path, o)
			}
		}
	}
}
