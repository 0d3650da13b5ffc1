package lookup_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// TestLongestAnswersFit into what Lambda returns, with 1,000 entries whose texts are all
// as long as they may be, and without compression.
func TestLongestAnswersFit(t *testing.T) {
	t.Parallel()
	const limit = 6_291_556 // https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	db := open(t)
	registry := strings.Repeat("r", 63) + strings.Repeat("."+strings.Repeat("r", 63), 3)
	longest := func(repository, tag string, i int) event.Push {
		return event.Push{
			Reference: reference.Reference{Registry: registry, Repository: repository, Tag: tag},
			Digest:    "x:" + strings.Repeat("d", 253),
			MediaType: strings.Repeat("m", 127) + "/" + strings.Repeat("m", 127),
			Size:      1<<63 - 1,
			PushedAt:  time.Unix(int64(i)+1e9, 999_999_999).UTC(),
		}
	}
	var pushes []event.Push
	var members []string
	one := strings.Repeat("one/", 63) + "one"
	for i := range 1000 {
		repository := fmt.Sprintf("%0255d", i)
		members = append(members, registry+"/"+repository)
		pushes = append(pushes, longest(repository, fmt.Sprintf("1.%0126d", i), i), longest(one, fmt.Sprintf("1.%0126d", i), i))
	}
	if err := db.PushAll(t.Context(), pushes); err != nil {
		t.Fatal(err)
	}
	categorize(t, db, "apps", members...)
	h := handlerOf(t, db)
	for target, least := range map[string]int{
		"/api/repositories?limit=1000":             1_000_000,
		"/api/repositories?limit=1000&sort=pushed": 1_000_000,
		"/api/repositories/" + one + "?limit=1000": 1_000_000,
		"/api/categories/apps?limit=1000":          1_000_000,
		"/":                                        100_000,
		"/?category=apps":                          100_000,
		"/?format=atom":                            10_000,
		"/" + one + "?format=html":                 100_000,
		"/" + one + "?format=atom":                 10_000,
	} {
		w := do(h, "GET", target)
		for range 20 { // a busy machine may need longer than a lookup may take
			if w.Code != 503 {
				break
			}
			w = do(h, "GET", target)
		}
		answer, err := json.Marshal(w.Body.String())
		if err != nil {
			t.Fatal(err)
		}
		if w.Code != 200 || len(answer) > limit || len(answer) < least {
			t.Errorf("GET %.40s: status %d, %d bytes, want 200 with %d to %d", target, w.Code, len(answer), least, limit)
		}
		t.Logf("GET %.40s: %d bytes", target, len(answer))
	}
}
