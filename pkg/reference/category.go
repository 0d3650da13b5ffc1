package reference

import (
	"fmt"
	"strings"
)

const maxCategory = 63

// CheckCategory checks the name of a category: 1 to 63 lower-case letters, digits and
// hyphens. No specification has categories; the limits are ocireffer's own.
func CheckCategory(s string) error {
	isOther := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	if s == "" || len(s) > maxCategory || strings.ContainsFunc(s, isOther) {
		return fmt.Errorf("category %s is not 1 to %d lower-case letters, digits and hyphens", Quote(s), maxCategory)
	}
	return nil
}
