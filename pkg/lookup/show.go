package lookup

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
)

// The errors of a reference that lacks what is to be shown.
var (
	errNoDigest  = errors.New("no digest is known")
	errNoVersion = errors.New("no tag is a version")
)

// answer returns what to show of the reference that req asks for.
func answer(ctx context.Context, db store.Reader, req request) (string, error) {
	push, err := db.Pick(ctx, req.pick())
	if err != nil {
		return "", err
	}
	ref := push.Reference
	requestlog.Add(ctx, slog.String("reference", ref.String()))
	switch req.query.show {
	case "tag":
		return ref.Tag, nil
	case "digest":
		return withDigest(ref.Name().String(), push)
	case "pinned":
		return withDigest(ref.String(), push)
	case "version":
		return version(ctx, db, req, push)
	case "date":
		return push.PushedAt.UTC().Format(time.DateOnly), nil
	default:
		return ref.String(), nil
	}
}

func withDigest(text string, p event.Push) (string, error) {
	if p.Digest == "" {
		return "", errNoDigest
	}
	return text + "@" + p.Digest, nil
}

// version returns the version of p's tag, with or without the prefix of the query, or
// else the version of another tag with p's digest.
func version(ctx context.Context, db store.Reader, req request, p event.Push) (string, error) {
	if v := versionBehind(req.query.prefix(), p); v != "" {
		return v, nil
	}
	if req.query.match() == nil { // p would be that other tag
		return "", errNoVersion
	}
	other, err := db.Versioned(ctx, req.name, p)
	if errors.Is(err, store.ErrNotFound) {
		return "", errNoVersion
	}
	return other.Version(), err
}

// versionBehind returns the version of p's tag, else that of the tag without prefix, else
// "".
func versionBehind(prefix string, p event.Push) string {
	if v := p.Version(); v != "" {
		return v
	}
	rest, ok := strings.CutPrefix(p.Reference.Tag, prefix)
	if !ok {
		return ""
	}
	return event.Push{Reference: reference.Reference{Tag: rest}}.Version()
}
