package reconcile

import (
	"fmt"
	"strings"
	"unicode"
)

// A Report tells what a run did, or has done so far.
type Report struct {
	Registry     string  // host
	Outcome      Outcome // set by Job
	Repositories int     // number of repositories in the registry or the store
	Resumed      bool    // the run continued the pass of an earlier one
	Done         int     // how many of Repositories this run and earlier ones of the same pass have done

	// Numbers of repositories that this run read:
	Listed     int // their tags were listed, or they are gone
	Skipped    int // unchanged since the last run
	Incomplete int // among Listed: not all tags could be read, so none can be known to be gone
	Forbidden  int // the credential may not read them
	Missing    int // the registry does not know them, or hides them
	Unsure     int // no usable answer

	// Numbers of their tags:
	Pushed     int // references written
	Deleted    int // references deleted
	Later      int // changed within the margin: the next run will tell
	UnsureTags int // no usable answer

	NoCatalogue bool  // the registry did not list all its repositories
	Braked      int   // how many references are gone, if that is too many to delete
	Calls       int64 // HTTP requests to the registry
	Finished    bool  // the pass is over: all repositories have been read
	Stopped     error // why it is not, if nothing went wrong: no time was left, or the registry is busy

	Problems []string // what went wrong, at most maxProblems
}

// maxProblems is how many problems a report shows.
const maxProblems = 10

// Complete reports whether the run read everything in the registry and held nothing back.
func (r Report) Complete() bool {
	return r.Finished && !r.NoCatalogue && r.Incomplete+r.Forbidden+r.Missing+r.Unsure+r.UnsureTags+r.Braked == 0
}

func (r *Report) addProblem(format string, args ...any) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, plain(fmt.Sprintf(format, args...)))
	}
}

// maxProblem is the longest text of a problem, in bytes.
const maxProblem = 500

// plain makes a text that a registry may have written safe for logs and terminals: short,
// on one line, and without control characters.
func plain(text string) string {
	if len(text) > maxProblem {
		text = text[:maxProblem] + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}
