package functions_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// documents returns the project's documentation by path: the README and the documents in
// .github.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths := []string{"../README.md"}
	for _, pattern := range []string{"../.github/*.md", "../.github/docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	all := map[string]string{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = string(b)
	}
	if len(all) < 3 {
		t.Fatalf("found %d documents, want the README and others", len(all))
	}
	return all
}

// documentation returns the text of all documents.
func documentation(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, text := range documents(t) {
		all.WriteString(text + "\n")
	}
	return all.String()
}

var (
	codeBlock = regexp.MustCompile("(?ms)^```.*?^```$")
	codeSpan  = regexp.MustCompile("`[^`\n]*`")
	heading   = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"`)
	scheme    = regexp.MustCompile(`^[a-z]+:`)
)

// anchors returns the anchors that GitHub gives to a document's headings: without
// punctuation, in lower case, with hyphens for blanks. It omits the number that GitHub
// appends to a repeated anchor; see TestHeadingsOfADocumentDiffer.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, m[1])
		all[anchor] = true
	}
	return all
}

// releases is GitHub's page of releases, relative to the folder in which GitHub shows the
// README.
const releases = "../../releases"

// TestLinksResolve: each relative link in the documentation leads to a file in the
// project, and its fragment to a heading.
func TestLinksResolve(t *testing.T) {
	t.Parallel()
	all, links := documents(t), 0
	for path, text := range all {
		text = codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(text, ""), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := m[1] + m[2]
			if scheme.MatchString(target) || target == releases {
				continue
			}
			links++
			file, fragment, _ := strings.Cut(target, "#")
			to := path
			if file != "" {
				to = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(to); errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s links to %s, which does not exist", path, target)
				continue
			}
			if fragment != "" && !anchors(all[to])[fragment] {
				t.Errorf("%s links to %s, and %s has no such heading", path, target, to)
			}
		}
	}
	if links == 0 {
		t.Error("found no relative link")
	}
}

// TestHeadingsOfADocumentDiffer: otherwise a link to one might mean another.
func TestHeadingsOfADocumentDiffer(t *testing.T) {
	t.Parallel()
	for path, text := range documents(t) {
		if filepath.Base(path) == "CHANGELOG.md" {
			continue // its releases have the same headings, and nothing links to one
		}
		headings := heading.FindAllString(codeBlock.ReplaceAllString(text, ""), -1)
		if n := len(anchors(text)); n != len(headings) {
			t.Errorf("%s has %d headings with %d anchors", path, len(headings), n)
		}
	}
}

// TestREADMEIsAFrontPage: details belong in .github/docs.
func TestREADMEIsAFrontPage(t *testing.T) {
	t.Parallel()
	const most = 250
	if lines := strings.Count(documents(t)["../README.md"], "\n"); lines > most {
		t.Errorf("the README has %d lines, want %d at most", lines, most)
	}
}
