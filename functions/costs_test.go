package functions_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ocireffer/pkg/template"
)

// costs is .github/docs/costs.md.
type costs struct {
	t    *testing.T
	text string
}

func readCosts(t *testing.T) costs {
	t.Helper()
	text, err := os.ReadFile("../.github/docs/costs.md")
	if err != nil {
		t.Fatal(err)
	}
	return costs{t, string(text)}
}

// table returns the first table in a section, by the first cell of a row and the head of
// a column.
func (c costs) table(section string) map[string]map[string]string {
	c.t.Helper()
	_, rest, _ := strings.Cut(c.text, "# "+section+"\n")
	rest, _, _ = strings.Cut(rest, "\n#")
	var head []string
	rows := map[string]map[string]string{}
	for line := range strings.Lines(rest) {
		line, ok := strings.CutPrefix(line, "|")
		if !ok {
			if len(rows) > 0 {
				return rows
			}
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line, "|\n"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if head == nil {
			head = cells
			continue
		}
		if strings.Trim(cells[0], "-") == "" {
			continue
		}
		row := map[string]string{}
		for i := 1; i < min(len(head), len(cells)); i++ {
			row[head[i]] = cells[i]
		}
		rows[cells[0]] = row
	}
	c.t.Fatalf("costs.md has no table in a section %s", section)
	return nil
}

// listPrices are the unit, the price in us-east-1 and the free quantity of each row that
// has a price. They were looked up in November 2026.
var listPrices = map[string]string{
	"HTTP API":          "million requests, $1.00",
	"Lambda":            "million requests, $0.20",
	"Lambda's time":     "1,000 GB-s, arm64, $0.0133334",
	"DynamoDB's reads":  "million units, $0.125",
	"DynamoDB's writes": "million units, $0.625",
	"logs taken in":     "GB, $0.50",
	"logs kept":         "GB for 30 days, $0.03",
	"answers sent":      "GB, $0.09",

	"alarms":    "metric watched, $0.10, 10",
	"metrics":   "metric counted from logs, $0.30, 10",
	"table":     "GB, $0.25, 25",
	"recovery":  "GB, point in time, $0.20, 0",
	"reconcile": "1,000 GB-s, arm64, $0.0133334, 0",
	"secret":    "secret, $0.40, 0",
}

// wantPrices fails the test if a row has another price.
func (c costs) wantPrices(rows map[string]map[string]string) {
	c.t.Helper()
	for name, row := range rows {
		got := strings.TrimSuffix(row["unit"]+", "+row["price"]+", "+row["free"], ", ")
		if name != "**sum**" && got != listPrices[name] {
			c.t.Errorf("costs.md: %s is %s, want %s", name, got, listPrices[name])
		}
	}
	c.has("list prices of us-east-1 in November 2026")
}

// roundUp returns the GB of a million times bytes, as in costs.md: in steps of 0.05, and
// with a little to spare, so that the digits of times do not matter.
func roundUp(bytes int) float64 { return math.Ceil(float64(bytes+20)/50) / 20 }

// number parses a cell such as 1,000, $0.50 or **$1.65**; an empty one is 0.
func (c costs) number(cell string) float64 {
	c.t.Helper()
	digits := strings.NewReplacer("*", "", "$", "", ",", "", "`", "").Replace(cell)
	if digits == "" {
		return 0
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		c.t.Errorf("costs.md: %q is no number", cell)
	}
	return n
}

// has fails the test if the page lacks a text. Each space in the text also matches the
// end of a line.
func (c costs) has(format string, values ...any) {
	c.t.Helper()
	want := fmt.Sprintf(format, values...)
	if !strings.Contains(strings.Join(strings.Fields(c.text), " "), want) {
		c.t.Errorf("costs.md lacks %q", want)
	}
}

// sum returns the dollars in a column of a table: each row's number times its price.
func (c costs) sum(rows map[string]map[string]string, column string) (dollars float64) {
	c.t.Helper()
	for _, row := range rows {
		if row["price"] != "" {
			dollars += c.number(row["price"]) * max(0, c.number(row[column])-c.number(row["free"]))
		}
	}
	return dollars
}

// wantSum fails the test if a column's cell in the row "sum" is not the column's sum. It
// returns the sum on the page.
func (c costs) wantSum(rows map[string]map[string]string, column string) string {
	c.t.Helper()
	sum := fmt.Sprintf("$%.2f", c.sum(rows, column))
	if got := rows["**sum**"][column]; got != "**"+sum+"**" {
		c.t.Errorf("costs.md: the sum of %s is %s, want **%s**", column, got, sum)
	}
	return sum
}

// columns returns the heads of a table's columns that have a sum.
func columns(rows map[string]map[string]string) (heads []string) {
	for head, sum := range rows["**sum**"] {
		if sum != "" {
			heads = append(heads, head)
		}
	}
	slices.Sort(heads)
	return heads
}

// billedTime returns the milliseconds that Lambda bills for an invocation, computed as in
// costs.md: from the function's processor time, its share of a core, and 5 ms for each
// call to DynamoDB.
func (c costs) billedTime(w work, memory float64) float64 {
	c.t.Helper()
	cpu := c.number(c.table("Lambda's time")[w.function]["processor time in ms"])
	return math.Ceil(cpu*coreMemory/memory + callTime*float64(w.calls))
}

const (
	coreMemory = 1769 // MB with which a function has one core
	callTime   = 5    // ms that a call of DynamoDB takes
)

// TestCostsOfAMillionRequests: a million requests use and cost what costs.md says. For
// logs and sent bytes it gives a bound, which must be close enough to be useful.
func TestCostsOfAMillionRequests(t *testing.T) {
	t.Parallel()
	page, parsed := readCosts(t), template.Read(t)
	uses, storedBytes := measure(t)
	rows := page.table("A million requests")
	if got, want := columns(rows), slices.Sorted(maps.Keys(uses)); !slices.Equal(got, want) {
		t.Fatalf("costs.md has sums of %q, want %q", got, want)
	}
	page.wantPrices(rows)
	memory := page.number(parsed.Parameters["MemorySize"].Default)
	page.has("with %[1]v MB has %[1]v/1,%03[2]d of a core", memory, coreMemory-1000)
	page.has("and %d ms for each call", callTime)
	lambda := page.table("Lambda's time")
	for requests, used := range uses {
		t.Logf("one of %s: %+v", requests, used)
		var gbSeconds float64
		for _, w := range used.invocations {
			gbSeconds += page.billedTime(w, memory) * memory / 1024 / 1000
		}
		for row, want := range map[string]float64{
			"HTTP API":          1,
			"Lambda":            float64(len(used.invocations)),
			"Lambda's time":     gbSeconds * 1000,
			"DynamoDB's reads":  used.units.Read,
			"DynamoDB's writes": used.units.Write,
			"logs taken in":     roundUp(used.logBytes),
			"logs kept":         roundUp(used.logBytes),
			"answers sent":      roundUp(used.sentBytes),
		} {
			if got := page.number(rows[row][requests]); math.Abs(got-want) > 1e-9 {
				t.Errorf("costs.md: %s of a million %s is %v, want %v", row, requests, got, want)
			}
		}
		page.wantSum(rows, requests)
	}
	// All invocations for a push, and those of a lookup.
	for _, w := range slices.Concat(uses["pushes of a new tag"].invocations, uses["lookups"].invocations) {
		if got := page.number(lambda[w.function]["calls of DynamoDB"]); got != float64(w.calls) {
			t.Errorf("costs.md: %s makes %v calls of DynamoDB, want %d", w.function, got, w.calls)
		}
		if got, want := page.number(lambda[w.function]["billed in ms"]), page.billedTime(w, memory); got != want {
			t.Errorf("costs.md: %s is billed %v ms, want %v", w.function, got, want)
		}
	}
	page.has("A million lookups cost %s", page.wantSum(rows, "lookups"))
	page.has("a million pushes of new tags %s", page.wantSum(rows, "pushes of a new tag"))
	hit, lookup := 1.06, page.sum(rows, "lookups") // per million
	operating, err := os.ReadFile("../.github/docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("about $%.2f a million", hit); !strings.Contains(string(operating), want) {
		t.Errorf("operating.md lacks %q", want)
	}
	if want := fmt.Sprintf("above %.0f %% of hits", 100*hit/lookup); !strings.Contains(string(operating), want) {
		t.Errorf("operating.md lacks %q", want)
	}

	platform := 0
	for _, line := range platformLines["INFO"] {
		platform += len(line) + eventBytes
	}
	page.has("which would be %d bytes for each run", platform)

	month := page.table("A month")
	const references = 100_000
	for _, row := range []string{"table", "recovery"} {
		got, want := page.number(month[row]["100,000 references, with reconcile"]), roundUp(storedBytes*references/1_000_000)
		if got != want {
			t.Errorf("costs.md: %s of %d references is %v GB, want %v", row, references, got, want)
		}
	}
	page.has("A reference occupies %.0f KB", float64(storedBytes)/1000)
}

// TestCostsOfAMonth: costs.md has the alarms and metrics of the template.
func TestCostsOfAMonth(t *testing.T) {
	t.Parallel()
	page, parsed := readCosts(t), template.Read(t)
	rows := page.table("A month")
	page.wantPrices(rows)
	const runMinutes, hours, gb = 8.5, 730, 0.25 // of reconcile: a run each hour
	page.has("runs of %v minutes each hour", runMinutes)
	if got, want := page.number(rows["reconcile"]["100,000 references, with reconcile"]), runMinutes*60*hours*gb/1000; got != want {
		t.Errorf("costs.md: reconcile is %v, want %v", got, want)
	}
	for column, conditions := range map[string][]string{"an idle stack": {""}, "100,000 references, with reconcile": {"", "HasReconcile"}} {
		watched, counted := 0, 0
		for _, alarm := range parsed.Alarms {
			if slices.Contains(conditions, alarm.Condition) {
				watched += len(alarm.Metrics)
			}
		}
		for _, filter := range parsed.MetricFilters {
			if slices.Contains(conditions, filter.Condition) {
				counted++
			}
		}
		for row, want := range map[string]int{"alarms": watched, "metrics": counted} {
			if got := page.number(rows[row][column]); got != float64(want) {
				t.Errorf("costs.md: %s of %s are %v, want %d", row, column, got, want)
			}
		}
		page.wantSum(rows, column)
	}
	page.has("An idle stack costs %s a month", page.wantSum(rows, "an idle stack"))
	for _, row := range rows {
		delete(row, "free")
	}
	page.has("an idle stack costs up to $%.2f", page.sum(rows, "an idle stack"))
}

// TestBoundsOfTheBill: the most that throttles and maxima allow in a month of 30 days.
func TestBoundsOfTheBill(t *testing.T) {
	t.Parallel()
	const month = 30 * 24 * 60 * 60
	page, parsed := readCosts(t), template.Read(t)
	rows := page.table("What bounds the bill")
	million := page.table("A million requests")
	parameter := func(name string) float64 { return page.number(parsed.Parameters[name].Default) }
	example := func(name string) float64 {
		found := regexp.MustCompile(`such as ([0-9]+)`).FindStringSubmatch(parsed.Parameters[name].Description)
		if found == nil {
			t.Fatalf("the description of %s has no example", name)
		}
		return page.number(found[1])
	}
	const tagReads = 77 // of a lookup with `tag`, as the page says in another table
	page.has("at most %d for 1,000", tagReads)
	page.has("A month of %d days", month/24/60/60)
	read, write := page.number(million["DynamoDB's reads"]["price"]), page.number(million["DynamoDB's writes"]["price"])
	for _, c := range []struct {
		bound  string
		second float64
		price  float64 // of a million
	}{
		{"badges, of each method", parsed.RouteRate, page.sum(million, "lookups")},
		{"their reads, if each has `tag` and the repository 1,000 tags", parsed.RouteRate * tagReads, read},
		{"refused webhooks, of each path: `WebhookRate`", parameter("WebhookRate"), page.sum(million, "refused calls")},
		{"reads: `MaxReadUnits` of 3,000", example("MaxReadUnits"), read},
		{"writes: `MaxWriteUnits` of 2,000", example("MaxWriteUnits"), write},
	} {
		row := rows[c.bound]
		if got := page.number(row["a second"]); got != c.second {
			t.Errorf("costs.md: %s: %v a second, want %v", c.bound, got, c.second)
		}
		if got := page.number(row["price of a million"]); math.Abs(got-c.price) >= 0.005 {
			t.Errorf("costs.md: %s: a million costs %v, want %.3f", c.bound, got, c.price)
		}
		if got, want := page.number(row["a month at most"]), c.second*month*page.number(row["price of a million"])/1e6; math.Abs(got-want) > 0.5 {
			t.Errorf("costs.md: %s: a month costs %v, want %.0f", c.bound, got, want)
		}
		delete(rows, c.bound)
	}
	if len(rows) > 0 {
		t.Errorf("costs.md has bounds that are not checked: %q", slices.Sorted(maps.Keys(rows)))
	}
}
