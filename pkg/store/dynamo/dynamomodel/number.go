package dynamomodel

import (
	"math/big"
	"strings"
)

// Limits of DynamoDB's numbers.
const (
	maxDigits   = 38
	maxExponent = 126  // of 0.d × 10^exponent: 9.99E+125
	minExponent = -129 // 1E-130
)

// number is 0.digits × 10^exponent. digits neither begins nor ends with a zero, and is
// empty for zero.
type number struct {
	negative bool
	digits   string
	exponent int
}

// parseNumber reads a decimal number as DynamoDB does: 12, -1.50, .5 or 1e2. Its errors
// have DynamoDB's texts.
func parseNumber(text string) (number, error) {
	mantissa, exponent, ok := splitExponent(text)
	mantissa, negative := cutSign(mantissa)
	n := number{negative: negative}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if !ok || whole+fraction == "" || !isDigits(whole) || !isDigits(fraction) {
		return number{}, invalid("A value provided cannot be converted into a number")
	}
	return n.normalize(whole+fraction, len(whole)+exponent)
}

// splitExponent returns the exponent behind an e or E, which is 0 if there is none.
func splitExponent(text string) (mantissa string, exponent int, ok bool) {
	at := strings.IndexAny(text, "eE")
	if at < 0 {
		return text, 0, true
	}
	digits, negative := cutSign(text[at+1:])
	if digits == "" || len(digits) > 6 || !isDigits(digits) {
		return "", 0, false
	}
	for _, d := range digits {
		exponent = 10*exponent + int(d-'0')
	}
	if negative {
		exponent = -exponent
	}
	return text[:at], exponent, true
}

// cutSign removes a sign from the front of text.
func cutSign(text string) (rest string, negative bool) {
	if text != "" && (text[0] == '-' || text[0] == '+') {
		return text[1:], text[0] == '-'
	}
	return text, false
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// normalize returns n with these digits, without leading and trailing zeros, or an error
// if it is outside DynamoDB's range.
func (n number) normalize(digits string, exponent int) (number, error) {
	significant := strings.TrimLeft(digits, "0")
	exponent -= len(digits) - len(significant)
	significant = strings.TrimRight(significant, "0")
	switch {
	case significant == "":
		return number{}, nil
	case len(significant) > maxDigits:
		return number{}, invalid("DynamoDB only supports precision up to 38 digits")
	case exponent > maxExponent:
		return number{}, invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case exponent < minExponent:
		return number{}, invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	}
	return number{n.negative, significant, exponent}, nil
}

// String returns n without an exponent, as DynamoDB does.
func (n number) String() string {
	if n.digits == "" {
		return "0"
	}
	sign := ""
	if n.negative {
		sign = "-"
	}
	switch {
	case n.exponent <= 0:
		return sign + "0." + strings.Repeat("0", -n.exponent) + n.digits
	case n.exponent >= len(n.digits):
		return sign + n.digits + strings.Repeat("0", n.exponent-len(n.digits))
	default:
		return sign + n.digits[:n.exponent] + "." + n.digits[n.exponent:]
	}
}

// size returns how many bytes n occupies in an item: one, one for each two digits counted
// from the decimal point, and one for a minus sign.
func (n number) size() int {
	if n.digits == "" {
		return 1
	}
	digits := len(n.digits) + n.exponent&1
	size := 1 + (digits+1)/2
	if n.negative {
		size++
	}
	return size
}

// compare returns a negative number if n < m, 0 if they are equal, and a positive
// number if n > m.
func (n number) compare(m number) int { return strings.Compare(n.order(), m.order()) }

// order returns a text that sorts as n does among numbers.
func (n number) order() string {
	if n.digits == "" {
		return "1"
	}
	text := make([]byte, 0, 4+len(n.digits))
	biased := byte(n.exponent - minExponent)
	if !n.negative {
		return string(append(append(text, '2', biased), n.digits...))
	}
	text = append(text, '0', ^biased)
	for i := range len(n.digits) {
		text = append(text, ^n.digits[i])
	}
	return string(append(text, 0xff)) // -1 is greater than -1.5
}

// add returns n + m.
func (n number) add(m number) (number, error) {
	last := min(n.exponent-len(n.digits), m.exponent-len(m.digits)) // the exponent of the last digit of either
	sum := new(big.Int).Add(n.integer(last), m.integer(last))
	digits := new(big.Int).Abs(sum).String()
	return number{negative: sum.Sign() < 0}.normalize(digits, len(digits)+last)
}

// integer returns n / 10^last.
func (n number) integer(last int) *big.Int {
	if n.digits == "" {
		return new(big.Int)
	}
	i, _ := new(big.Int).SetString(n.digits+strings.Repeat("0", n.exponent-len(n.digits)-last), 10)
	if n.negative {
		i.Neg(i)
	}
	return i
}

func (n number) negate() number {
	n.negative = !n.negative && n.digits != ""
	return n
}
