package dynamomodel

import (
	"cmp"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNumbersHaveOneForm(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{"0", "0"}, {"-0", "0"}, {"0.000", "0"}, {"0e500", "0"},
		{"1", "1"}, {"+1", "1"}, {"007", "7"}, {"1.0", "1"}, {"-1.50", "-1.5"},
		{".5", "0.5"}, {"5.", "5"}, {"1e2", "100"}, {"1E+2", "100"}, {"12.5e-3", "0.0125"}, {"100e-2", "1"},
		{"12345678901234567890123456789012345678", "12345678901234567890123456789012345678"},
		{"1" + strings.Repeat("0", 125), "1" + strings.Repeat("0", 125)},
		{"1e-130", "0." + strings.Repeat("0", 129) + "1"},
	} {
		n, err := parseNumber(test.text)
		if err != nil || n.String() != test.want {
			t.Errorf("parseNumber(%q) = %v, %v, want %s", test.text, n, err, test.want)
		}
	}
}

func TestWhatIsNoNumberIsRefused(t *testing.T) {
	t.Parallel()
	const (
		none      = "A value provided cannot be converted into a number"
		precision = "DynamoDB only supports precision up to 38 digits"
		overflow  = "Number overflow. Attempting to store a number with magnitude larger than supported range"
		underflow = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
	)
	for _, test := range []struct{ text, want string }{
		{"", none}, {".", none}, {"-", none}, {"e1", none}, {"1e", none}, {"1e+", none}, {"1e1.5", none},
		{" 1", none}, {"1 ", none}, {"1_0", none}, {"0x1", none}, {"NaN", none}, {"--1", none}, {"-+1", none}, {"1.2.3", none},
		{strings.Repeat("1", 39), precision}, {"1e126", overflow}, {"-1e126", overflow}, {"1e-131", underflow}, {"1e9999999", none},
	} {
		_, err := parseNumber(test.text)
		wantInvalid(t, "parseNumber "+test.text, err, test.want)
	}
}

// numbers returns a generator of numbers, many of them close to each other.
func numbers() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return rapid.StringMatching(`-?[0-9]{1,3}(\.[0-9]{1,3})?(e-?[0-9]{1,2})?`).Draw(t, "number")
	})
}

func parsedNumber(t *rapid.T, text string) number {
	n, err := parseNumber(text)
	if err != nil {
		t.Fatalf("parseNumber(%q): %v", text, err)
	}
	return n
}

// rational parses text in another way than the model does.
func rational(t *rapid.T, text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("no number: %q", text)
	}
	return r
}

func TestNumbersSortByTheirValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := numbers().Draw(t, "x"), numbers().Draw(t, "y")
		m, n := parsedNumber(t, x), parsedNumber(t, y)
		want := rational(t, x).Cmp(rational(t, y))
		if got := m.compare(n); got != want {
			t.Errorf("compare(%s, %s) = %d, want %d", x, y, got, want)
		}
		if got := cmp.Compare(m.order(), n.order()); got != want {
			t.Errorf("the orders of %s and %s compare as %d, want %d", x, y, got, want)
		}
		if same := m == n; same != (want == 0) {
			t.Errorf("%s == %s is %t, want %t", x, y, same, want == 0)
		}
	})
}

func TestNumbersInOrder(t *testing.T) {
	t.Parallel()
	sorted := []string{
		"-1e125", "-100", "-11", "-10.5", "-10", "-2", "-1.5", "-1.05", "-1", "-0.15", "-0.1", "-1e-130",
		"0", "1e-130", "0.1", "0.15", "1", "1.05", "1.5", "2", "10", "10.5", "11", "100", "1e125",
	}
	for i, x := range sorted {
		for j, y := range sorted {
			m, err := parseNumber(x)
			if err != nil {
				t.Fatal(err)
			}
			n, err := parseNumber(y)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := m.compare(n), cmp.Compare(i, j); got != want {
				t.Errorf("compare(%s, %s) = %d, want %d", x, y, got, want)
			}
		}
	}
}

func TestNumbersPrintAndAddExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := numbers().Draw(t, "x"), numbers().Draw(t, "y")
		m, n := parsedNumber(t, x), parsedNumber(t, y)
		if got, want := rational(t, m.String()), rational(t, x); got.Cmp(want) != 0 {
			t.Errorf("%s is printed as %s", x, m)
		}
		sum, err := m.add(n)
		if err != nil { // the sum has too many digits
			return
		}
		if got, want := rational(t, sum.String()), new(big.Rat).Add(rational(t, x), rational(t, y)); got.Cmp(want) != 0 {
			t.Errorf("%s + %s = %s, want %s", x, y, sum, want)
		}
	})
}

func TestSumsHaveAtMost38Digits(t *testing.T) {
	t.Parallel()
	big, err := parseNumber("1e38")
	if err != nil {
		t.Fatal(err)
	}
	one, err := parseNumber("1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = big.add(one)
	wantInvalid(t, "1e38 + 1", err, "38 digits")
	if sum, err := big.add(big.negate()); err != nil || sum.String() != "0" {
		t.Errorf("1e38 - 1e38 = %v, %v, want 0", sum, err)
	}
}

// The sizes come from DynamoDB Local's files.
func TestNumberSizes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want int
	}{
		{"0", 1}, {"1", 2}, {"12", 2}, {"123", 3}, {"1234", 3}, {"12345", 4}, {"-1", 3}, {"-123", 4},
		{"100", 2}, {"10000", 2}, {"0.1", 2}, {"0.01", 2}, {"0.001", 2}, {"1.5", 3}, {"10.5", 3}, {"100.5", 4},
		{"123.456", 5}, {"12.3456", 4}, {"-0.5", 3}, {"0.12", 2}, {"0.123", 3}, {"1010", 3}, {"12e100", 2}, {"12e101", 3},
		{"99999999999999999999999999999999999999", 20},
	} {
		n, err := parseNumber(test.text)
		if err != nil || n.size() != test.want {
			t.Errorf("size of %s = %d, %v, want %d", test.text, n.size(), err, test.want)
		}
	}
}
