package reference_test

import (
	"strings"

	library "github.com/distribution/reference"
)

// The library parses whole references, and takes the first component for a host. So each
// part is placed where the library cannot take it for another.

func libraryTakesRepository(s string) bool {
	r, err := library.Parse("host.example/" + s)
	if err != nil {
		return false
	}
	named, ok := r.(library.Named)
	return ok && library.Path(named) == s
}

func libraryTakesTag(s string) bool {
	r, err := library.Parse("host.example/wash:" + s)
	if err != nil {
		return false
	}
	tagged, ok := r.(library.Tagged)
	return ok && tagged.Tag() == s
}

func libraryTakesRegistry(s string) bool {
	r, err := library.Parse(s + "/wash")
	if err != nil {
		return false
	}
	named, ok := r.(library.Named)
	return ok && strings.EqualFold(library.Domain(named), s)
}
