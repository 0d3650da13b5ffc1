package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/webhook"
)

// whyIgnored says why pushes of a tag are not stored. It is empty if they are.
func (s Settings) whyIgnored(tag string) string {
	switch {
	case isReferrer(tag):
		return fmt.Sprintf("tag %s is that of a signature or another referrer, not of an image", reference.Quote(tag))
	case s.IgnoreTags.Match(tag):
		return fmt.Sprintf("tag %s matches IGNORE_TAGS", reference.Quote(tag))
	default:
		return ""
	}
}

// Ignores reports whether pushes of a tag are not stored.
func (s Settings) Ignores(tag string) bool { return s.whyIgnored(tag) != "" }

// isReferrer reports whether a tag begins with sha256- and 64 hex digits. In a registry
// without the referrers API, such a tag points to what refers to an image, such as its
// signature.
//
// See https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
// and https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#tag-based-discovery.
func isReferrer(tag string) bool {
	const digits = 64
	hex, ok := strings.CutPrefix(tag, "sha256-")
	return ok && len(hex) >= digits && strings.Trim(hex[:digits], "0123456789abcdefABCDEF") == ""
}

// ignore answers a push that is not stored. The tag may be in the store, since an earlier
// configuration did not ignore it. Then it is deleted.
func (h *handler) ignore(ctx context.Context, p event.Push, raw json.RawMessage, why string) (response, error) {
	t := event.Target{Registry: p.Reference.Registry, Repository: p.Reference.Repository, Tag: p.Reference.Tag}
	pushedAt, err := h.db.PushedAt(ctx, t)
	if err != nil {
		return response{}, err
	}
	if !pushedAt.IsZero() {
		if pushedAt.Before(p.PushedAt) {
			pushedAt = p.PushedAt
		}
		d := event.Delete{Target: t, DeletedAt: pushedAt, ReceivedAt: time.Now().UTC()}
		if _, err := h.apply(ctx, event.Event{Delete: &d}, raw); err != nil {
			return response{}, err
		}
	}
	return response{status: http.StatusOK, outcome: string(webhook.Ignored), text: "Ignored: " + why}, nil
}
