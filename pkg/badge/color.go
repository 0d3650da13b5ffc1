package badge

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// IsColor reports whether a badge can have this color. The colors are those of shields.io
// (https://shields.io/docs/static-badges), except for CSS functions: one of its own names
// or a CSS name, both in lower case; three or six hex digits; or # and three, four, six
// or eight hex digits.
func IsColor(color string) bool {
	_, _, ok := parseColor(color)
	return ok
}

// lightgrey is shields.io's color for unknown values, in SVG's notation.
const lightgrey = "#939393"

// parseColor returns a color in SVG's notation, and its red, green and blue parts, from 0
// to 255.
func parseColor(color string) (fill string, rgb [3]int, ok bool) {
	color = cmp.Or(shieldsColor(color), color)
	byName := func(c cssColor, name string) int { return cmp.Compare(c.name, name) }
	if i, found := slices.BinarySearchFunc(cssColors[:], color, byName); found {
		return color, parts(cssColors[i].rgb), true
	}
	digits, isCSS := strings.CutPrefix(strings.ToLower(color), "#")
	fill = "#" + digits
	switch n := len(digits); {
	case n == 3 || n == 4 && isCSS:
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]}) + digits[3:]
	case n == 6 || n == 8 && isCSS:
	default:
		return "", rgb, false
	}
	if strings.Trim(digits, "0123456789abcdef") != "" {
		return "", rgb, false
	}
	n, err := strconv.ParseUint(digits[:6], 16, 32)
	return fill, parts(uint32(n)), err == nil
}

func parts(rgb uint32) [3]int { return [3]int{int(rgb >> 16), int(rgb >> 8 & 0xff), int(rgb & 0xff)} }

// shieldsColor returns the hex digits of a color that shields.io names, from its
// badge-maker 6, or "" for any other name.
func shieldsColor(name string) string {
	switch name {
	case "brightgreen", "success":
		return "4b0"
	case "green":
		return "67ac09"
	case "yellowgreen":
		return "95991a"
	case "yellow":
		return "d8b800"
	case "orange", "important":
		return "ea7233"
	case "red", "critical":
		return "dd4343"
	case "blue", "informational":
		return "007ec6"
	case "grey", "gray":
		return "555"
	case "lightgrey", "lightgray", "inactive":
		return "939393"
	default:
		return ""
	}
}

// isLight reports whether dark text is easier to read on a color: from a brightness of
// 0.7 on, rounded to two decimals, by https://www.w3.org/TR/AERT/#color-contrast.
func isLight(rgb [3]int) bool { return 299*rgb[0]+587*rgb[1]+114*rgb[2] > 695*255 }
