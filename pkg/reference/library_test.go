package reference_test

import (
	"strings"

	library "github.com/distribution/reference"
)

// The library reads whole references, and reads the first component as a host.
// So each part is put where it can be nothing else.

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
