package lookup_test

import "testing"

// TestOnlyA200IsNotModified: If-None-Match changes no other answer (RFC 9110, section
// 13.2.1). A badge that reports a mistake is a 200.
func TestOnlyA200IsNotModified(t *testing.T) {
	t.Parallel()
	h := handlerOf(t, open(t, "a.azurecr.io/wash:1"))
	for target, status := range map[string]int{
		"/wash":                         304,
		"/wash?format=text":             304,
		"/wash?format=svg":              304,
		"/wash?format=html":             304,
		"/":                             304,
		"/?q=none":                      304,
		"/api/repositories":             304,
		"/api/repositories/wash":        304,
		"/api/categories":               304,
		"/api/status":                   304,
		"/wash?format=atom":             304,
		"/?format=atom":                 304,
		"/wash?tag=2":                   304,
		"/wash?show=version":            304,
		"/api/repositories/wash?tag=2":  304,
		"/api/openapi.json":             304,
		"/nothing":                      304,
		"/nothing?format=svg":           304,
		"/wash?sort=x":                  304,
		"/wash?show=digest":             304,
		"/nothing?format=text":          404,
		"/nothing?format=html":          404,
		"/Wash?format=text":             404,
		"/wash?format=text&tag=2":       404,
		"/wash?format=html&tag=2":       404,
		"/wash?format=atom&tag=2":       404,
		"/nothing?format=atom":          404,
		"/wash?format=atom&sort=x":      400,
		"/wash?format=text&show=digest": 404,
		"/wash?format=text&sort=x":      400,
		"/wash?format=html&sort=x":      400,
		"/?next=x":                      400,
		"/?category=none":               404,
		"/api/repositories?limit=0":     400,
		"/api/repositories/nothing":     404,
		"/api/categories/none":          404,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			plain := do(h, method, target)
			for _, tag := range []string{"*", plain.Header().Get("ETag")} {
				w := do(h, method, target, "If-None-Match", tag)
				if w.Code != status {
					t.Errorf("%s %s with If-None-Match: %s: status %d, want %d", method, target, tag, w.Code, status)
				}
				if status != 304 && w.Body.String() != plain.Body.String() {
					t.Errorf("%s %s with If-None-Match: %s = %s, want %s", method, target, tag, w.Body, plain.Body)
				}
			}
		}
	}
}
