package dynamo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
)

func TestUnreadableItemIsAnErrorWithoutAValue(t *testing.T) {
	t.Parallel()
	readPush := func(item attributes) (any, error) { return unmarshalPush(item) }
	readEntry := func(item attributes) (any, error) { return unmarshalEntry(item) }
	readTombstone := func(item attributes) (any, error) { return unmarshalTombstone(item) }
	for _, c := range []struct {
		name     string
		read     func(attributes) (any, error)
		item     attributes
		want     any
		wantText string // part of the error
	}{
		{name: "key without a tag", read: readPush, item: keyOf("wash", "a.io/wash"), want: event.Push{}, wantText: `"a.io/wash"`},
		{name: "reference without a rank", read: readPush, item: keyOf("wash", "a.io/wash:1"), want: event.Push{}, wantText: "a.io/wash:1"},
		{
			name: "entry without a rank", read: readEntry, want: store.Entry{}, wantText: "a.io/wash:1",
			item: attributes{attrKey: str("wash"), "byPushed": str("2023-07-03T12:00:00.000000000Z a.io/wash:1 wash"), attrHighest: str("a.io/wash:1.0.0")},
		},
		{
			name: "entry without a reference", read: readEntry, want: store.Entry{}, wantText: "entry of wash",
			item: attributes{attrKey: str("wash"), "byPushed": str("2023-07-03T12:00:00.000000000Z a.io/wash:1")},
		},
		{name: "tombstone without a target", read: readTombstone, item: keyOf("wash", "#deleted/wash"), want: event.Delete{}, wantText: "#deleted/wash"},
		{name: "tombstone without a time", read: readTombstone, item: keyOf("wash", "#deleted/a.io/wash"), want: event.Delete{}, wantText: "tombstone of a.io/wash"},
		{
			name: "tombstone without a receipt", read: readTombstone, want: event.Delete{}, wantText: "tombstone of a.io/wash",
			item: attributes{attrName: str("wash"), attrKey: str("#deleted/a.io/wash"), attrRank: str(event.Stamp(noon))},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.read(c.item)
			if err == nil || !strings.Contains(err.Error(), c.wantText) {
				t.Errorf("read: %v, want an error with %s", err, c.wantText)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("read, with an error: -want +got\n%s", diff)
			}
		})
	}
}
