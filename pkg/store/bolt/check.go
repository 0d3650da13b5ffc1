package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
)

// bbolt trusts its file. In a damaged file it panics, reads memory that is not mapped, or
// follows pages in a circle until the stack overflows, which ends the process without a
// chance to recover. So check walks the file first.
//
// A file consists of pages. The first two are meta pages. They are written in turn, and
// the one with the later transaction counts. It names the root of a tree of pages. The
// leaves of the tree contain keys and values. A value may be a bucket: another tree, or,
// if it is small, a leaf inside the value. The free list names the pages that may be used
// next. Numbers have the machine's byte order.
//
// See https://github.com/etcd-io/bbolt/tree/v1.5.0/internal/common

// Flags of a page. Each page has exactly one.
const (
	branchPage   = 0x01
	leafPage     = 0x02
	freeListPage = 0x10
)

const (
	headerSize  = 16 // of a page
	elementSize = 16 // of a branch or a leaf
	bucketSize  = 16 // of a bucket's header

	bucketFlag = 1      // of an element whose value is a bucket
	manyFree   = 0xFFFF // count of a free list whose first number is the count
	noFreeList = math.MaxUint64

	minPageSize, maxPageSize = 1 << 10, 1 << 24
)

// A damage is an error that says what is wrong with a file.
type damage struct{ error }

func (d damage) Error() string {
	return fmt.Sprintf("the file is damaged: %v; put back a copy of it, or move it away to begin with an empty store", d.error)
}

// check returns a damage unless file is sound. It reads all pages that are in use, but
// does not interpret keys and values.
func check(file io.ReaderAt) error {
	m, err := readMeta(file)
	if err != nil {
		return damage{err}
	}
	c := checker{file: file, meta: m, used: map[uint64]bool{}}
	if err := c.checkTree(m.Root); err != nil {
		return damage{err}
	}
	if err := c.checkFreeList(); err != nil {
		return damage{fmt.Errorf("free list: %w", err)}
	}
	return nil
}

// A metaPage is one of the first two pages, without its header.
type metaPage struct {
	Magic, Version, PageSize, Flags                        uint32
	Root, Sequence, FreeList, Pages, Transaction, Checksum uint64
}

// readMeta returns the meta page that counts. If the first one is unreadable, the place
// of the second is unknown, because it begins where the first ends.
func readMeta(file io.ReaderAt) (metaPage, error) {
	first, ok := readMetaAt(file, 0)
	if ok {
		second, ok := readMetaAt(file, int64(first.PageSize))
		if ok && second.Transaction > first.Transaction {
			return second, nil
		}
		return first, nil
	}
	for size := uint32(minPageSize); size <= maxPageSize; size *= 2 {
		if second, ok := readMetaAt(file, int64(size)); ok && second.PageSize == size {
			return second, nil
		}
	}
	return metaPage{}, errors.New("it has no meta page")
}

func readMetaAt(file io.ReaderAt, offset int64) (m metaPage, ok bool) {
	b := make([]byte, binary.Size(m))
	if _, err := file.ReadAt(b, offset+headerSize); err != nil {
		return m, false
	}
	if _, err := binary.Decode(b, binary.NativeEndian, &m); err != nil {
		return m, false
	}
	hash := fnv.New64a()
	hash.Write(b[:len(b)-binary.Size(m.Checksum)])
	return m, m.Magic == 0xED0CDAED && m.Version == 2 && m.Checksum == hash.Sum64() && minPageSize <= m.PageSize && m.PageSize <= maxPageSize
}

// A checker walks the pages of a file.
type checker struct {
	file io.ReaderAt
	meta metaPage
	used map[uint64]bool // pages seen so far

	last []byte // the last key seen in the current tree; empty: none yet
	led  bool   // last is from a branch, so the next key may be equal
}

// A page is the parsed header of a page, and all its bytes.
type page struct {
	flags, count uint16
	bytes        []byte
}

// readPage reads a page and the pages that continue it.
func (c *checker) readPage(id uint64) (p page, err error) {
	if err := c.use(id); err != nil {
		return p, err
	}
	b := make([]byte, c.meta.PageSize)
	offset := int64(id) * int64(len(b))
	if _, err := c.file.ReadAt(b, offset); err != nil {
		return p, fmt.Errorf("page %d: %w", id, err)
	}
	if says := binary.NativeEndian.Uint64(b); says != id {
		return p, fmt.Errorf("page %d says that it is page %d", id, says)
	}
	more := number(b[12:])
	for i := range more {
		if err := c.use(id + 1 + i); err != nil {
			return p, err
		}
	}
	if more > 0 {
		b = make([]byte, int64(len(b))*int64(more+1))
		if _, err := c.file.ReadAt(b, offset); err != nil {
			return p, fmt.Errorf("page %d: %w", id, err)
		}
	}
	return pageOf(b), nil
}

func pageOf(b []byte) page {
	return page{binary.NativeEndian.Uint16(b[8:]), binary.NativeEndian.Uint16(b[10:]), b}
}

// use marks a page as used. The page must exist and must not be in use already.
func (c *checker) use(id uint64) error {
	if id < 2 || id >= c.meta.Pages {
		return fmt.Errorf("there is no page %d", id)
	}
	if c.used[id] {
		return fmt.Errorf("page %d is used twice", id)
	}
	c.used[id] = true
	return nil
}

// checkTree checks the tree of a bucket.
func (c *checker) checkTree(root uint64) error {
	return c.inOrder(func() error { return c.checkPage(root) })
}

// inOrder runs check on a tree that has its own order of keys.
func (c *checker) inOrder(check func() error) error {
	last, led := c.last, c.led
	c.last, c.led = nil, false
	err := check()
	c.last, c.led = last, led
	return err
}

// checkPage checks a page of a tree and everything below it.
func (c *checker) checkPage(id uint64) error {
	p, err := c.readPage(id)
	if err != nil {
		return err
	}
	switch p.flags {
	case branchPage:
		err = c.checkBranch(p)
	case leafPage:
		err = c.checkLeaf(p, c.checkBucket)
	default:
		err = fmt.Errorf("it has the flags %#x", p.flags)
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// checkBranch checks a page whose elements point to other pages.
func (c *checker) checkBranch(p page) error {
	if p.count == 0 {
		return errors.New("it leads nowhere")
	}
	for i := range p.count {
		e, err := p.element(i)
		if err != nil {
			return err
		}
		key, err := cut(e, number(e), number(e[4:]))
		if err != nil {
			return err
		}
		if err := c.checkKey(key, true); err != nil {
			return err
		}
		if err := c.checkPage(binary.NativeEndian.Uint64(e[8:])); err != nil {
			return err
		}
	}
	return nil
}

// checkLeaf checks a page with keys and values.
func (c *checker) checkLeaf(p page, checkBucket func(value []byte) error) error {
	for i := range p.count {
		e, err := p.element(i)
		if err != nil {
			return err
		}
		begin, keySize, valueSize := number(e[4:]), number(e[8:]), number(e[12:])
		key, err := cut(e, begin, keySize)
		if err != nil {
			return err
		}
		if err := c.checkKey(key, false); err != nil {
			return err
		}
		value, err := cut(e, begin+keySize, valueSize)
		if err != nil {
			return err
		}
		switch flags := number(e); flags {
		case 0:
		case bucketFlag:
			if err := checkBucket(value); err != nil {
				return fmt.Errorf("bucket %q: %w", key, err)
			}
		default:
			return fmt.Errorf("element %d has the flags %#x", i, flags)
		}
	}
	return nil
}

// element returns the bytes of a page from element i on.
func (p page) element(i uint16) ([]byte, error) {
	at := headerSize + elementSize*int(i)
	if at+elementSize > len(p.bytes) {
		return nil, fmt.Errorf("element %d is beyond its end", i)
	}
	return p.bytes[at:], nil
}

// number returns the first 4 bytes of b as a number.
func number(b []byte) uint64 { return uint64(binary.NativeEndian.Uint32(b)) }

// cut returns a part of an element and the bytes behind that part.
func cut(e []byte, begin, size uint64) ([]byte, error) {
	if begin+size > uint64(len(e)) {
		return nil, errors.New("a key or a value is beyond its end")
	}
	return e[begin : begin+size], nil
}

// checkKey checks that a key comes after the last one. leads says that it is the key of a
// branch.
func (c *checker) checkKey(key []byte, leads bool) error {
	order := bytes.Compare(c.last, key)
	if order > 0 || order == 0 && !c.led {
		return fmt.Errorf("key %q follows %q", key, c.last)
	}
	c.last, c.led = key, leads
	return nil
}

// checkBucket checks a bucket in a value.
func (c *checker) checkBucket(value []byte) error {
	if len(value) < bucketSize {
		return errors.New("it is too short")
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return c.checkTree(root)
	}
	if len(value) < bucketSize+headerSize {
		return errors.New("it is too short")
	}
	p := pageOf(value[bucketSize:])
	if p.flags != leafPage {
		return fmt.Errorf("it has the flags %#x", p.flags)
	}
	return c.inOrder(func() error {
		return c.checkLeaf(p, func([]byte) error { return errors.New("it has a bucket, but no page") })
	})
}

// checkFreeList checks that no free page is in use.
func (c *checker) checkFreeList() error {
	if c.meta.FreeList == noFreeList {
		return nil
	}
	p, err := c.readPage(c.meta.FreeList)
	if err != nil {
		return err
	}
	if p.flags != freeListPage {
		return fmt.Errorf("it has the flags %#x", p.flags)
	}
	ids := p.bytes[headerSize:]
	count := uint64(p.count)
	if count == manyFree {
		count, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return errors.New("it is longer than its page")
	}
	for i := range count {
		if err := c.use(binary.NativeEndian.Uint64(ids[8*i:])); err != nil {
			return err
		}
	}
	return nil
}
