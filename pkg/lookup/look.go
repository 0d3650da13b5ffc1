package lookup

import (
	"cmp"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"ocireffer/pkg/badge"
)

// A look is how a reader wants a badge to look. Empty fields mean the configured look.
type look struct {
	label, color, labelColor, logo string
	isSquare                       bool
}

// maxLookText is how many characters a label or a logo may have: as many as the template
// allows for a configured one.
const maxLookText = 64

// parseLook parses the parameters that shields.io also has. With an error it also returns
// the fields before the bad one.
func parseLook(values url.Values) (l look, err error) {
	if l.label, err = lookText(values, "label"); err != nil {
		return l, err
	}
	if l.labelColor, err = lookColor(values, "labelColor"); err != nil {
		return l, err
	}
	if l.color, err = lookColor(values, "color"); err != nil {
		return l, err
	}
	if l.logo, err = lookText(values, "logo"); err != nil {
		return l, err
	}
	style, err := oneOf(values, "style", "flat", "flat-square")
	l.isSquare = style == "flat-square"
	return l, err
}

// lookText returns a text of one line. A logo is as unrestricted as a label, since
// shields.io also accepts a logo's name, such as Node.js, instead of its slug.
func lookText(values url.Values, name string) (string, error) {
	v := parameter(values, name)
	if utf8.RuneCountInString(v) > maxLookText || strings.ContainsFunc(v, unicode.IsControl) {
		return "", &queryError{name}
	}
	return v, nil
}

func lookColor(values url.Values, name string) (string, error) {
	v := parameter(values, name)
	if v != "" && !badge.IsColor(v) {
		return "", &queryError{name}
	}
	return v, nil
}

// badge returns a badge with this message and the look in req.
func (h *handler) badge(req request, message string) badge.Badge {
	l := req.query.look
	return badge.Badge{
		Label:      cmp.Or(l.label, h.settings.Label),
		Message:    message,
		Color:      cmp.Or(l.color, h.settings.Color),
		LabelColor: l.labelColor,
		Logo:       cmp.Or(l.logo, h.settings.Logo),
		IsSquare:   l.isSquare,
	}
}
