package lookup

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ocireffer/pkg/badge"
)

// Settings of the read side.
type Settings struct {
	Label        string // BADGE_LABEL: the left side of a badge, default empty
	Color        string // BADGE_COLOR: color of the right side, see badge.IsColor, default 253746
	Logo         string // BADGE_LOGO: a slug of Simple Icons, default wasmcloud; set but empty: none
	SiteTitle    string // SITE_TITLE: title of the pages, default ocireffer
	PullCommand  string // PULL_COMMAND: command that pulls a {reference}, default docker pull {reference}
	CacheSeconds int    // CACHE_SECONDS: how long an answer may be cached, and how old lists may be, in seconds, default 60

	// No variable sets the rest; the program does.

	// Instance distinguishes the feeds of this installation from those of others. It is
	// the name of the store, which stays when the host's name changes.
	Instance string
	Version  string // version of the build, for GET /api/status
	// CatalogueBytes is how much memory the lists held for CacheSeconds may use, in
	// bytes; 0: each list is read from the store. See the function CatalogueBytes.
	CatalogueBytes int
}

// Deadline is how long a lookup may take, including retries in the store. The contract
// promises an answer within 3 s; a cold start may need a part of them.
const Deadline = 2 * time.Second

// FromEnv reads the settings with lookup, which is os.LookupEnv outside of tests. An
// error names every wrong variable.
func FromEnv(lookup func(string) (string, bool)) (Settings, error) {
	value := func(name, preset string) string {
		if v, ok := lookup(name); ok {
			return v
		}
		return preset
	}
	s := Settings{
		Label: value("BADGE_LABEL", ""),
		Color: cmp.Or(value("BADGE_COLOR", ""), "253746"),
		Logo:  value("BADGE_LOGO", "wasmcloud"),

		SiteTitle:   cmp.Or(value("SITE_TITLE", ""), "ocireffer"),
		PullCommand: cmp.Or(value("PULL_COMMAND", ""), "docker pull {reference}"),
	}
	var errs []error
	if !badge.IsColor(s.Color) {
		errs = append(errs, fmt.Errorf("BADGE_COLOR is %q: want three or six hex digits (253746) or a name in lower case (blue)", s.Color))
	}
	if !strings.Contains(s.PullCommand, "{reference}") {
		errs = append(errs, fmt.Errorf("PULL_COMMAND is %q: want a command with {reference} in it (docker pull {reference})", s.PullCommand))
	}
	for name, text := range map[string]string{"SITE_TITLE": s.SiteTitle, "PULL_COMMAND": s.PullCommand} {
		if strings.ContainsFunc(text, unicode.IsControl) {
			errs = append(errs, fmt.Errorf("%s is %q: want one line", name, text))
		}
	}
	seconds := value("CACHE_SECONDS", "60")
	n, err := strconv.Atoi(seconds)
	if err != nil || n < 0 {
		errs = append(errs, fmt.Errorf("CACHE_SECONDS is %q: want a number of seconds, 0 or more", seconds))
	}
	s.CacheSeconds = n
	return s, errors.Join(errs...)
}
