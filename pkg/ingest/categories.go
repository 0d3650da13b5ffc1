package ingest

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/requestlog"
	"ocireffer/pkg/store"
)

// categorize puts a name into a category, or takes it out. That it was there, or
// was not, is no matter.
func (h *handler) categorize(out bool) http.HandlerFunc {
	outcome := "stored"
	if out {
		outcome = "deleted"
	}
	return func(w http.ResponseWriter, r *http.Request) {
		m := store.Membership{Member: store.Member{Category: r.PathValue("category")}, Out: out, At: time.Now().UTC()}
		err := store.CheckCategory(m.Member.Category)
		if err == nil {
			m.Member.Name, err = reference.Name(r.PathValue("name"))
		}
		if err != nil {
			answer(w, r, result{http.StatusBadRequest, "bad_request", err.Error()})
			return
		}
		requestlog.Add(r.Context(), slog.String("repository", m.Member.Name), slog.String("category", m.Member.Category))
		ctx, cancel := h.deadline(r)
		defer cancel()
		if err := h.db.Categorize(ctx, m); err != nil {
			requestlog.Add(r.Context(), slog.Any("err", err))
			answer(w, r, result{http.StatusInternalServerError, "store_failed", fmt.Sprintf("Failed to store %s in %s", m.Member.Name, m.Member.Category)})
			return
		}
		answer(w, r, result{http.StatusNoContent, outcome, ""})
	}
}
