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

// What a reference may lack that is to be shown of it.
var (
	errNoDigest  = errors.New("no digest is known")
	errNoVersion = errors.New("no tag is a version")
)

// answer returns what is to be shown of the reference that req asks for.
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

// version returns the version that p's tag is, as it is or without the prefix behind
// which versions were looked for, or else the version of another tag of its digest.
func version(ctx context.Context, db store.Reader, req request, p event.Push) (string, error) {
	if v := versionBehind(req.query.prefix(), p); v != "" {
		return v, nil
	}
	if req.query.match() == nil { // p would be that other one
		return "", errNoVersion
	}
	other, err := db.Versioned(ctx, req.name, p)
	if errors.Is(err, store.ErrNotFound) {
		return "", errNoVersion
	}
	return other.Version(), err
}

// versionBehind returns the version that p's tag is, else the one that it is without a
// prefix, else "".
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
