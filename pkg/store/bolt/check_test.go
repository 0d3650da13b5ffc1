package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

const pageSize = 4096

// An image is the bytes of a file whose pages have pageSize bytes.
type image []byte

func (f image) page(id uint64) image { return f[id*pageSize:] }

// element returns an element of a page, and the bytes behind it.
func (f image) element(i int) image { return f[headerSize+i*elementSize:] }

func (f image) u16(at int) uint16       { return binary.NativeEndian.Uint16(f[at:]) }
func (f image) u32(at int) uint32       { return binary.NativeEndian.Uint32(f[at:]) }
func (f image) u64(at int) uint64       { return binary.NativeEndian.Uint64(f[at:]) }
func (f image) set16(at int, v uint16)  { binary.NativeEndian.PutUint16(f[at:], v) }
func (f image) set32(at int, v uint32)  { binary.NativeEndian.PutUint32(f[at:], v) }
func (f image) set64(at int, v uint64)  { binary.NativeEndian.PutUint64(f[at:], v) }
func (f image) leafKey() image          { return f[f.u32(4):] }
func (f image) leafValue() image        { return f[f.u32(4)+f.u32(8):] }
func (f image) branchKey() image        { return f[f.u32(0):] }
func (f image) reader() *bytes.Reader   { return bytes.NewReader(f) }
func (f image) meta() (metaPage, error) { return readMeta(f.reader()) }

// A place is an element of a page.
type place struct {
	page    uint64
	element int
}

func (f image) at(p place) image { return f.page(p.page).element(p.element) }

// A layout tells where a file has what check reads.
type layout struct {
	branch, leaf   uint64 // pages: a branch and its first leaf
	freeList, free uint64 // pages: the free list, and the first in it
	small, tree    place  // buckets: one in a value, one with pages
}

// laidOut returns a file and its layout.
func laidOut(t *testing.T) (f image, l layout) {
	t.Helper()
	f = filled(t)
	m, err := f.meta()
	if err != nil {
		t.Fatal(err)
	}
	l.freeList, l.free = m.FreeList, f.page(m.FreeList).u64(headerSize)
	leaves := []uint64{m.Root}
	if root := f.page(m.Root); root.u16(8) == branchPage {
		leaves = nil
		for i := range int(root.u16(10)) {
			leaves = append(leaves, root.element(i).u64(8))
		}
	}
	for _, leaf := range leaves {
		for i := range int(f.page(leaf).u16(10)) {
			bucket := place{leaf, i}
			switch top := f.at(bucket).leafValue().u64(0); {
			case top == 0:
				l.small = bucket
			case f.page(top).u16(8) == branchPage && f.page(f.page(top).element(0).u64(8)).u16(8) == leafPage:
				l.tree, l.branch, l.leaf = bucket, top, f.page(top).element(0).u64(8)
			}
		}
	}
	if l.small.page == 0 || l.leaf == 0 || f.page(l.freeList).u16(10) < 2 {
		t.Fatalf("%+v, want a bucket of each kind, a branch to a leaf, and 2 free pages", l)
	}
	return f, l
}

func TestCheckFindsEachKindOfDamage(t *testing.T) {
	t.Parallel()
	sound, l := laidOut(t)
	if err := check(sound.reader()); err != nil {
		t.Fatalf("check of a sound file: %v", err)
	}
	for name, c := range map[string]struct {
		damage func(f image)
		want   string // part of the error
	}{
		"page that leads to itself": {func(f image) { f.page(l.branch).element(0).set64(8, l.branch) }, fmt.Sprintf("page %d is used twice", l.branch)},
		"two ways to one page":      {func(f image) { f.page(l.branch).element(1).set64(8, l.leaf) }, fmt.Sprintf("page %d is used twice", l.leaf)},
		"way to a meta page":        {func(f image) { f.page(l.branch).element(0).set64(8, 1) }, "there is no page 1"},
		"way beyond the file":       {func(f image) { f.page(l.branch).element(0).set64(8, 1<<60) }, fmt.Sprintf("there is no page %d", uint64(1<<60))},
		"way to a free page": {func(f image) {
			f.page(l.leaf).set64(0, l.free)
			copy(f.page(l.free)[:pageSize], f.page(l.leaf))
			f.page(l.branch).element(0).set64(8, l.free)
		}, fmt.Sprintf("free list: page %d is used twice", l.free)},
		"number of a page":     {func(f image) { f.page(l.leaf).set64(0, 7) }, fmt.Sprintf("page %d says that it is page 7", l.leaf)},
		"flags of a page":      {func(f image) { f.page(l.leaf).set16(8, 3) }, "it has the flags 0x3"},
		"free list as a page":  {func(f image) { f.page(l.leaf).set16(8, freeListPage) }, "it has the flags 0x10"},
		"longer page":          {func(f image) { f.page(l.leaf).set32(12, f.page(l.leaf).u32(12)+1) }, "is used twice"},
		"endless page":         {func(f image) { f.page(l.leaf).set32(12, 1<<31) }, "page "},
		"branch to nowhere":    {func(f image) { f.page(l.branch).set16(10, 0) }, "it leads nowhere"},
		"too many branches":    {func(f image) { f.page(l.branch).set16(10, 0xFFFF) }, fmt.Sprintf("page %d: ", l.branch)},
		"too many elements":    {func(f image) { f.page(l.leaf).set16(10, 0xFFFF) }, fmt.Sprintf("page %d: ", l.leaf)},
		"long key of a branch": {func(f image) { f.page(l.branch).element(0).set32(4, 1<<31) }, "a key or a value is beyond its end"},
		"far key":              {func(f image) { f.page(l.leaf).element(0).set32(4, 1<<31) }, "a key or a value is beyond its end"},
		"long key":             {func(f image) { f.page(l.leaf).element(0).set32(8, 1<<31) }, "a key or a value is beyond its end"},
		"long value":           {func(f image) { f.page(l.leaf).element(0).set32(12, 1<<31) }, "a key or a value is beyond its end"},
		"value one byte too long": {func(f image) {
			e := f.page(l.leaf).element(0)
			end := pageSize*(1+f.page(l.leaf).u32(12)) - headerSize
			e.set32(12, end-e.u32(4)-e.u32(8)+1)
		}, "a key or a value is beyond its end"},
		"keys not in order": {func(f image) { f.page(l.leaf).element(0).leafKey()[0] = 0xFF }, "follows"},
		"a key twice": {func(f image) {
			first := f.page(l.leaf).element(0)
			second := f.page(l.leaf).element(1)
			second.set32(4, first.u32(4)-elementSize)
			second.set32(8, first.u32(8))
		}, "follows"},
		"no key":                  {func(f image) { f.page(l.leaf).element(0).set32(8, 0) }, "follows"},
		"branch behind its leaf":  {func(f image) { f.page(l.branch).element(0).branchKey()[0] = 0xFE }, "follows"},
		"branch before a leaf":    {func(f image) { f.page(l.branch).element(1).branchKey()[0] = 0x01 }, "follows"},
		"flags of an element":     {func(f image) { f.page(l.leaf).element(0).set32(0, 2) }, "element 0 has the flags 0x2"},
		"value as a bucket":       {func(f image) { f.page(l.leaf).element(0).set32(0, bucketFlag) }, `bucket "`},
		"short bucket":            {func(f image) { f.at(l.tree).set32(12, bucketSize-1) }, "it is too short"},
		"short bucket in a value": {func(f image) { f.at(l.small).set32(12, bucketSize+headerSize-1) }, "it is too short"},
		"flags of a small bucket": {func(f image) { f.at(l.small).leafValue()[bucketSize:].set16(8, branchPage) }, "it has the flags 0x1"},
		"bucket in a small bucket": {func(f image) {
			f.at(l.small).leafValue()[bucketSize:].element(0).set32(0, bucketFlag)
		}, "it has a bucket, but no page"},
		"keys in a small bucket":   {func(f image) { f.at(l.small).leafValue()[bucketSize:].element(0).set32(8, 0) }, "follows"},
		"flags of the free list":   {func(f image) { f.page(l.freeList).set16(8, leafPage) }, "free list: it has the flags 0x2"},
		"long free list":           {func(f image) { f.page(l.freeList).set16(10, 0xFFFE) }, "free list: it is longer than its page"},
		"endless free list":        {func(f image) { f.page(l.freeList).set16(10, manyFree); f.page(l.freeList).set64(headerSize, 1<<62) }, "free list: it is longer than its page"},
		"free page that is used":   {func(f image) { f.page(l.freeList).set64(headerSize, l.leaf) }, fmt.Sprintf("free list: page %d is used twice", l.leaf)},
		"page that is free twice":  {func(f image) { f.page(l.freeList).set64(headerSize+8, l.free) }, fmt.Sprintf("free list: page %d is used twice", l.free)},
		"free meta page":           {func(f image) { f.page(l.freeList).set64(headerSize, 0) }, "free list: there is no page 0"},
		"free page beyond the end": {func(f image) { f.page(l.freeList).set64(headerSize, 1<<40) }, "free list: there is no page"},
		"no meta page":             {func(f image) { clear(f[:2*pageSize]) }, "it has no meta page"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := image(bytes.Clone(sound))
			c.damage(f)
			if err := check(f.reader()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("check: %v, want an error with %q", err, c.want)
			}
			if errs, opened := tryFile(t, f); opened || strings.Contains(errs[0].Error(), "\n") {
				t.Errorf("the file is opened, %v, want an error of one line", errs)
			}
		})
	}
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		if err := check(sound[:l.leaf*pageSize+1].reader()); err == nil || !strings.Contains(err.Error(), "EOF") {
			t.Errorf("check: %v, want an error with EOF", err)
		}
	})
}

// TestOneMetaPageIsEnough: with only one meta page, bbolt continues from the state before
// the last transaction.
func TestOneMetaPageIsEnough(t *testing.T) {
	t.Parallel()
	sound := image(filled(t))
	last, err := sound.meta()
	if err != nil {
		t.Fatal(err)
	}
	for id := range uint64(2) {
		f := image(bytes.Clone(sound))
		f.page(id).set64(headerSize+16, 5) // the root
		m, err := f.meta()
		if err != nil {
			t.Errorf("without meta page %d: %v", id, err)
			continue
		}
		want := last.Transaction
		if id == last.Transaction%2 {
			want--
		}
		if m.Transaction != want {
			t.Errorf("without meta page %d: transaction %d, want %d", id, m.Transaction, want)
		}
		if err := check(f.reader()); err != nil {
			t.Errorf("check without meta page %d: %v", id, err)
		}
		if errs, opened := tryFile(t, f); !opened {
			t.Errorf("without meta page %d the file is refused: %v", id, errs)
		}
	}
}

// TestSoundFilesPassTheCheck tries many states of a file. Keys and values of every size,
// also longer than a page, are added and deleted, one by one and many at once.
func TestSoundFilesPassTheCheck(t *testing.T) {
	t.Parallel()
	db, err := openFast(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	random := rand.New(rand.NewPCG(3, 4))
	sizes := []int{0, 1, 30, 300, 3000, 30_000}
	for range 80 {
		err := db.bolt.Update(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket(buckets()[random.IntN(2)])
			for range 1 << random.IntN(8) {
				key := fmt.Appendf(nil, "%0*d", 1+random.IntN(200), random.IntN(1000))
				if random.IntN(3) == 0 {
					if err := bucket.Delete(key); err != nil {
						return err
					}
				} else if err := bucket.Put(key, make([]byte, sizes[random.IntN(len(sizes))])); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := check(db.file); err != nil {
			t.Fatalf("check: %v", err)
		}
	}
}
