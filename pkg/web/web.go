// Package web draws the pages that people read: the catalogue, a repository with its
// references, and errors. It knows neither requests nor the store's calls: everything
// that a page shows is in its struct. Each page is complete without its script, which
// only adds buttons that copy, previews of badges, and a search that answers while the
// reader types.
//
// The pages are plain functions, not html/template. That would add 3.9 MB to a Lambda
// binary, because it makes the linker keep every method of every type, and it would need
// three times as long to draw a page. These functions add 0.35 MB. They escape just as
// well, because no value is part of a script or a style.
package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/url"
	"strings"
	"sync"
	"time"

	"ocireffer/pkg/reference"
)

// Site is what all pages need.
type Site struct {
	URL      string    // scheme and host, without a slash at its end
	Now      time.Time // the time from which ages are counted
	Instance string    // distinguishes its feeds from those of other sites, whatever the URL
	Version  string    // version of the build

	Title       string // title of the site, in the head of each page
	PullCommand string // with {reference} where a reference goes
}

// path returns the path of a name's answers, without parameters.
func path(name reference.Name) string { return (&url.URL{Path: "/" + name.String()}).EscapedPath() }

// RepositoryPath returns the path of a name's page with these parameters.
func RepositoryPath(name reference.Name, parameters url.Values) string {
	return pathOf(name, "html", parameters)
}

// ReferencesPath returns the path of the same references in the API.
func ReferencesPath(name reference.Name, parameters url.Values) string {
	p := "/api/repositories" + path(name)
	if len(parameters) > 0 {
		p += "?" + parameters.Encode()
	}
	return p
}

func feedPath(name reference.Name, parameters url.Values) string {
	return pathOf(name, "atom", parameters)
}

func pathOf(name reference.Name, format string, parameters url.Values) string {
	p := path(name) + "?format=" + format
	if len(parameters) > 0 {
		p += "&" + parameters.Encode()
	}
	return p
}

func badgePath(name reference.Name, parameters url.Values) string {
	return pathOf(name, "svg", parameters)
}

// Policy returns the Content-Security-Policy of all pages. It allows their own style and
// script, badges and searches of their own origin, and nothing else.
var Policy = sync.OnceValue(func() string {
	return "default-src 'none'; style-src '" + hash(style) + "'; script-src '" + hash(script()) + "'; img-src 'self' data:; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
})

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

//go:embed style.css
var style string

//go:embed script.js
var scriptFile string

// script returns the script as it is sent: without indentation and comment lines, which
// are a fifth of it. It is shortened for the first page, not at the start, because a
// badge needs no script.
var script = sync.OnceValue(func() string {
	var b strings.Builder
	for line := range strings.Lines(scriptFile) {
		if line = strings.TrimLeft(line, " "); line != "\n" && !strings.HasPrefix(line, "//") {
			b.WriteString(line)
		}
	}
	return b.String()
})

// icon is the icon of the browser's tab: a tag on a string.
const icon = `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path fill='%230b5cad' d='M1 2v6l7 7 6-6-7-7z'/><circle cx='4.5' cy='5.5' r='1.5' fill='white'/></svg>`
