package ingest

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
)

// putMember puts a name into a category. It may be in it already.
func (h *handler) putMember(r *http.Request, _ []byte) (response, error) {
	return h.categorize(r.Context(), r.PathValue("category"), r.PathValue("name"), false)
}

// deleteMember removes a name from a category. It need not be in it.
func (h *handler) deleteMember(r *http.Request, _ []byte) (response, error) {
	return h.categorize(r.Context(), r.PathValue("category"), r.PathValue("name"), true)
}

func (h *handler) categorize(ctx context.Context, category, name string, remove bool) (response, error) {
	member, err := parseMember(category, name)
	if err != nil {
		return response{}, badRequest{err.Error()}
	}
	requestlog.Add(ctx, slog.String("repository", member.Name.String()), slog.String("category", member.Category))
	m := event.Membership{Member: member, Removed: remove, At: time.Now().UTC()}
	answer, err := h.storeByHand(ctx, event.Event{Membership: &m})
	if err != nil {
		return response{}, notCategorized{m, err}
	}
	return answer, nil
}

func parseMember(category, name string) (event.Member, error) {
	if err := reference.CheckCategory(category); err != nil {
		return event.Member{}, err
	}
	parsed, err := reference.ParseName(name)
	return event.Member{Category: category, Name: parsed}, err
}
