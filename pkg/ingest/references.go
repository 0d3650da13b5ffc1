package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"ocireffer/pkg/acr"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
)

// byHand is the optional body of PUT /api/references/….
type byHand struct {
	Name     *string `json:"name"`     // under which the reference is found, in place of its repository's
	Digest   *string `json:"digest"`   // of its manifest
	PushedAt *string `json:"pushedAt"` // RFC 3339; now if absent
}

// putReference records a reference of any registry, such as a CI has pushed.
func (h *handler) putReference(w http.ResponseWriter, r *http.Request) {
	ref, ok := h.reference(w, r)
	if !ok {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		answer(w, r, tooLarge)
		return
	}
	p := store.Push{Reference: ref, Size: store.UnknownSize, PushedAt: time.Now().UTC()}
	if err == nil && len(body) > 0 {
		err = readByHand(body, &p)
	}
	if err != nil {
		answer(w, r, result{http.StatusBadRequest, "bad_request", err.Error()})
		return
	}
	ctx, cancel := h.deadline(r)
	defer cancel()
	if err := h.db.Push(ctx, p); err != nil {
		requestlog.Add(r.Context(), slog.Any("err", err))
		answer(w, r, notStored)
		return
	}
	answer(w, r, result{http.StatusOK, "stored", fmt.Sprintf("Url %s stored for %s", ref, p.Names()[0])})
}

// readByHand reads a body into p. An error names the field that is wrong.
func readByHand(body []byte, p *store.Push) error {
	var b *byHand // nil after the JSON null
	err := json.Unmarshal(body, &b)
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return fmt.Errorf("%s is not a string", wrongType.Field)
	}
	if err != nil || b == nil {
		return errors.New("the body is not a JSON object")
	}
	if b.Name != nil {
		if err := reference.CheckRepository(*b.Name); err != nil {
			return fmt.Errorf("name: %w", err)
		}
		p.Name = store.NameByHand(*b.Name, p.Reference)
	}
	if b.Digest != nil {
		if err := reference.CheckDigest(*b.Digest); err != nil {
			return fmt.Errorf("digest: %w", err)
		}
		p.Digest = *b.Digest
	}
	if b.PushedAt != nil {
		t, err := acr.Time(*b.PushedAt, time.Now())
		if err != nil {
			return fmt.Errorf("pushedAt: %w", err)
		}
		p.PushedAt = t
	}
	return nil
}

// deleteReference forgets a reference: untagging in Azure sends no event.
func (h *handler) deleteReference(w http.ResponseWriter, r *http.Request) {
	ref, ok := h.reference(w, r)
	if !ok {
		return
	}
	now := time.Now().UTC()
	d := store.Delete{Registry: ref.Registry, Repository: ref.Repository, Tag: ref.Tag, DeletedAt: now, ReceivedAt: now}
	if name := r.URL.Query().Get("name"); name != "" {
		if err := reference.CheckRepository(name); err != nil {
			answer(w, r, result{http.StatusBadRequest, "bad_request", "name: " + err.Error()})
			return
		}
		d.Name = store.NameByHand(name, ref)
	}
	ctx, cancel := h.deadline(r)
	defer cancel()
	n, err := h.db.Delete(ctx, d)
	if err != nil {
		requestlog.Add(r.Context(), slog.Any("err", err))
		answer(w, r, notStored)
		return
	}
	answer(w, r, deleted(n, d.Names()[0]))
}

// reference is the one in the path, if it is one and its registry is allowed;
// else the request is answered.
func (h *handler) reference(w http.ResponseWriter, r *http.Request) (reference.Reference, bool) {
	ref, err := reference.Parse(r.PathValue("reference"))
	if err != nil {
		answer(w, r, result{http.StatusBadRequest, "bad_request", err.Error()})
		return ref, false
	}
	requestlog.Add(r.Context(), slog.String("repository", ref.Repository), slog.String("reference", ref.String()))
	if !h.settings.allows(ref.Registry) {
		answer(w, r, forbidden(ref.Registry))
		return ref, false
	}
	return ref, true
}
