package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
)

// putReference records a reference of any registry, such as one that a CI job has pushed.
func (h *handler) putReference(r *http.Request, body []byte) (response, error) {
	ref, err := reference.Parse(r.PathValue("reference"))
	if err != nil {
		return response{}, badRequest{err.Error()}
	}
	logReference(r.Context(), ref)
	if why := h.settings.whyIgnored(ref.Tag); why != "" {
		return response{}, badRequest{why}
	}
	p, err := parsePush(ref, body, time.Now().UTC())
	if err != nil {
		return response{}, badRequest{err.Error()}
	}
	return h.storeByHand(r.Context(), event.Event{Push: &p})
}

// deleteReference removes a reference. One use is a tag that was untagged in Azure, which
// sends no event for that.
func (h *handler) deleteReference(r *http.Request, _ []byte) (response, error) {
	ref, err := reference.Parse(r.PathValue("reference"))
	if err != nil {
		return response{}, badRequest{err.Error()}
	}
	logReference(r.Context(), ref)
	target := event.Target{Registry: ref.Registry, Repository: ref.Repository, Tag: ref.Tag}
	if name := r.URL.Query().Get("name"); name != "" {
		if target.GivenName, err = parseGivenName(name, ref); err != nil {
			return response{}, badRequest{err.Error()}
		}
	}
	d, err := h.deleteNow(r.Context(), target)
	if err != nil {
		return response{}, err
	}
	return h.storeByHand(r.Context(), event.Event{Delete: &d})
}

// deleteNow returns a delete of the present reference of target, even if its push is
// dated ahead of the clock: the caller can see that reference. The later date of the
// delete does not harm other pushes, because the deleted push already wins against all
// pushes before it.
func (h *handler) deleteNow(ctx context.Context, target event.Target) (event.Delete, error) {
	if err := h.settings.allow(target.Registry); err != nil {
		return event.Delete{}, err
	}
	pushedAt, err := h.db.PushedAt(ctx, target)
	if err != nil {
		return event.Delete{}, err
	}
	now := time.Now().UTC()
	d := event.Delete{Target: target, DeletedAt: now, ReceivedAt: now}
	if pushedAt.After(now) {
		d.DeletedAt = pushedAt
	}
	return d, nil
}

// pushJSON is the body of PUT /api/references/….
type pushJSON struct {
	Name      *string `json:"name"`      // the name to find the reference under, instead of its own names
	Digest    *string `json:"digest"`    // of its manifest
	PushedAt  *string `json:"pushedAt"`  // RFC 3339; the time of receipt if absent
	MediaType *string `json:"mediaType"` // of its manifest
	Size      *int64  `json:"size"`      // of its manifest, in bytes
}

// parsePush returns the push of ref with the fields in body, which may be empty. An error
// names the wrong field.
func parsePush(ref reference.Reference, body []byte, now time.Time) (event.Push, error) {
	p := event.Push{Reference: ref, Size: event.UnknownSize, PushedAt: now}
	if len(body) == 0 {
		return p, nil
	}
	fields, err := parseFields(body)
	if err != nil {
		return event.Push{}, err
	}
	if fields.Name != nil {
		if p.GivenName, err = parseGivenName(*fields.Name, ref); err != nil {
			return event.Push{}, err
		}
	}
	if fields.Digest != nil {
		if err := reference.CheckDigest(*fields.Digest); err != nil {
			return event.Push{}, fmt.Errorf("digest: %w", err)
		}
		p.Digest = *fields.Digest
	}
	if fields.PushedAt != nil {
		if p.PushedAt, err = event.ParseTime(*fields.PushedAt, now); err != nil {
			return event.Push{}, fmt.Errorf("pushedAt: %w", err)
		}
	}
	if fields.MediaType != nil {
		if !reference.IsMediaType(*fields.MediaType) {
			return event.Push{}, fmt.Errorf("mediaType: %s is not a media type", reference.Quote(*fields.MediaType))
		}
		p.MediaType = *fields.MediaType
	}
	if fields.Size != nil {
		if *fields.Size < 0 {
			return event.Push{}, fmt.Errorf("size: %d is below 0", *fields.Size)
		}
		p.Size = *fields.Size
	}
	return p, nil
}

func parseFields(body []byte) (*pushJSON, error) {
	var fields *pushJSON // nil after the JSON null
	err := json.Unmarshal(body, &fields)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		if e.Field == "size" {
			return nil, errors.New("size is not a whole number of bytes below 2^63")
		}
		return nil, fmt.Errorf("%s is not a string", e.Field)
	}
	if err != nil || fields == nil {
		return nil, errors.New("the body is not a JSON object")
	}
	return fields, nil
}

// parseGivenName parses the repository under which readers find a reference.
func parseGivenName(s string, ref reference.Reference) (string, error) {
	name, err := reference.ParseRepository(s)
	if err != nil {
		return "", fmt.Errorf("name: %w", err)
	}
	return event.GivenName(name.Repository, ref), nil
}
