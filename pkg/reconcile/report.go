package reconcile

import (
	"fmt"

	"ocireffer/pkg/reference"
)

// A Report says what a run did, or has done so far.
type Report struct {
	Registry     string
	Outcome      Outcome // of a Job's run
	Repositories int     // of the registry or the store
	Resumed      bool    // the run went on with the pass of a former one
	Done         int     // of Repositories, by this run and the former ones of the same pass

	// Of the repositories that this run read:
	Listed     int // all tags were read, or it is gone
	Skipped    int // it is as it was at the last run
	Incomplete int // of Listed: not all tags could be read, so that nothing was found to be gone
	Forbidden  int // the credential may not read it
	Missing    int // the registry does not know it, or hides it
	Unsure     int // there was no usable answer

	// Of their tags:
	Pushed     int // references that were written
	Deleted    int // references that were deleted
	Later      int // changed within the margin: the next run will tell
	UnsureTags int // there was no usable answer

	NoCatalogue bool  // the registry's repositories could not all be listed
	Braked      int   // how many references are gone, if that is too many to delete them
	Calls       int64 // HTTP requests to the registry
	Finished    bool  // the pass is over: all repositories have been read
	Stopped     error // why not, if nothing went wrong: no time was left, or the registry is busy

	Problems []string // what went wrong, the first few
}

// maxProblems is how many problems a report shows.
const maxProblems = 10

// Complete reports whether everything was read that the registry has, and nothing held
// back.
func (r Report) Complete() bool {
	return r.Finished && !r.NoCatalogue && r.Incomplete+r.Forbidden+r.Missing+r.Unsure+r.UnsureTags+r.Braked == 0
}

func (r *Report) addProblem(format string, args ...any) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, reference.Line(fmt.Sprintf(format, args...)))
	}
}
