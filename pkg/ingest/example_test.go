package ingest_test

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"ocireffer/pkg/ingest"
	"ocireffer/pkg/store/bolt"
)

func ExampleNew() {
	db, err := bolt.OpenTemporary()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	routes := ingest.New(ingest.Settings{Tokens: []ingest.TokenHash{sha256.Sum256([]byte("example"))}}, db, slog.New(slog.DiscardHandler))

	const push = `{"action": "push", "target": {"repository": "wash", "tag": "0.18.1"}, "request": {"host": "wasmcloud.azurecr.io"}}`
	for _, token := range []string{"example", "wrong"} {
		r := httptest.NewRequest(http.MethodPost, "/api/webhook", strings.NewReader(push))
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 Url wasmcloud.azurecr.io/wash:0.18.1 stored for wash
	// 401 Unauthorized
}
