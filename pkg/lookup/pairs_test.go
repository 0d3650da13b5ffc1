package lookup_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
)

// absent is the value of a parameter that is left out.
const absent = "-"

type parameter struct {
	name   string
	values []string
}

// pairs returns combinations of values that contain every pair of values of different
// parameters. It begins each combination with a pair that is still missing, and then
// gives every other parameter the value with the most new pairs.
func pairs(parameters []parameter) []url.Values {
	type choice struct{ parameter, value int }
	missing := map[[2]choice]bool{}
	var ordered [][2]choice
	for i, a := range parameters {
		for j := i + 1; j < len(parameters); j++ {
			for x := range a.values {
				for y := range parameters[j].values {
					pair := [2]choice{{i, x}, {j, y}}
					missing[pair] = true
					ordered = append(ordered, pair)
				}
			}
		}
	}
	pairOf := func(a, b choice) [2]choice {
		if a.parameter > b.parameter {
			a, b = b, a
		}
		return [2]choice{a, b}
	}
	var all []url.Values
	for _, first := range ordered {
		if !missing[first] {
			continue
		}
		row := first[:]
		for i, p := range parameters {
			if i == first[0].parameter || i == first[1].parameter {
				continue
			}
			best, most := choice{i, 0}, -1
			for v := range p.values {
				n := 0
				for _, other := range row {
					if missing[pairOf(other, choice{i, v})] {
						n++
					}
				}
				if n > most {
					best, most = choice{i, v}, n
				}
			}
			row = append(slices.Clip(row), best)
		}
		q := url.Values{}
		for i, c := range row {
			for _, other := range row[:i] {
				delete(missing, pairOf(c, other))
			}
			if value := parameters[c.parameter].values[c.value]; value != absent {
				q.Set(parameters[c.parameter].name, value)
			}
		}
		all = append(all, q)
	}
	return all
}

// TestPairsHasThemAll: every two values are in at least one combination.
func TestPairsHasThemAll(t *testing.T) {
	t.Parallel()
	parameters := []parameter{{"a", []string{absent, "1", "2"}}, {"b", []string{absent, "1"}}, {"c", []string{"1", "2", "3", "4"}}, {"d", []string{absent, ""}}}
	combinations := pairs(parameters)
	seen := map[string]bool{}
	for _, q := range combinations {
		for i, a := range parameters {
			for _, b := range parameters[i+1:] {
				seen[fmt.Sprintf("%s%q %s%q", a.name, q[a.name], b.name, q[b.name])] = true
			}
		}
	}
	if want := 3*2 + 3*4 + 3*2 + 2*4 + 2*2 + 4*2; len(seen) != want {
		t.Errorf("%d pairs, want %d: %v", len(seen), want, combinations)
	}
	if len(combinations) > 16 {
		t.Errorf("%d combinations, want no more than 16", len(combinations))
	}
}
