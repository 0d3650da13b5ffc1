package dynamo

import (
	"testing"
	"time"

	"ocireffer/pkg/event"
	"ocireffer/pkg/store"
	"ocireffer/pkg/store/dynamo/dynamotest"
)

func TestPushedAtUnits(t *testing.T) {
	t.Parallel()
	var m dynamotest.Meter
	db := openNew(t, &m)
	given := washOf("1.0.0", 1, 0)
	given.GivenName = "other"
	push(t, db, washOf("1.0.0", 1, 0), given)
	target := deleteOfTag("1.0.0", 0).Target
	for name, units := range map[string]float64{"": 2, "other": 1} {
		target.GivenName = name
		m.Take()
		if _, err := db.PushedAt(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		m.Want(t, "PushedAt of "+target.String()+" as "+name, map[string]int{"BatchGetItem": 1}, map[string]float64{"BatchGetItem": units})
	}
}

// TestPushedAtSeesAPushUnderOneNameAlone: a caller that deletes a reference by hand may
// have found it under one name before it was written under the other.
func TestPushedAtSeesAPushUnderOneNameAlone(t *testing.T) {
	t.Parallel()
	db := openNew(t, nil)
	for i, name := range washNames {
		for _, both := range []bool{false, true} {
			tag := []string{"1", "2"}[i]
			if both {
				tag += ".0"
				push(t, db, washOf(tag, 1, 0))
			}
			half := marshalPush(washOf(tag, 1, 60))
			half[attrName] = str(store.Partition(name))
			putAll(t, db, []attributes{half})
			got, err := db.PushedAt(t.Context(), event.Target{Registry: registry, Repository: "wash", Tag: tag})
			if want := noon.Add(time.Minute); err != nil || !got.Equal(want) {
				t.Errorf("PushedAt(%s), newest only under %s: %s, %v, want %s", tag, name, got, err, want)
			}
		}
	}
}
