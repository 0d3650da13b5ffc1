package dynamomodel

import (
	"cmp"
	"math/rand/v2"
	"strings"
)

// position is the place of an item in the table or in an index.
type position struct {
	partition string
	sort      string // as value.order returns it
	tie       uint64 // in an index, the order of entries with the same sort key
	primary   string // in an index, the table's sort key
}

func (p position) compare(q position) int {
	if p.partition != q.partition {
		return strings.Compare(p.partition, q.partition)
	}
	if p.sort != q.sort {
		return strings.Compare(p.sort, q.sort)
	}
	if p.tie != q.tie {
		return cmp.Compare(p.tie, q.tie)
	}
	return strings.Compare(p.primary, q.primary)
}

// tree is a treap of items by position. A change copies the nodes on its path and leaves
// the old tree unchanged, so that a snapshot is a copy of the root.
type tree struct{ root *treeNode }

type treeNode struct {
	at          position
	item        *item
	priority    uint32 // at least that of every node below
	left, right *treeNode
}

func (t tree) get(at position) *item {
	for n := t.root; n != nil; {
		switch order := at.compare(n.at); {
		case order < 0:
			n = n.left
		case order > 0:
			n = n.right
		default:
			return n.item
		}
	}
	return nil
}

// with returns t with an item at a position.
func (t tree) with(at position, it *item) tree { return tree{t.root.with(at, it)} }

func (n *treeNode) with(at position, it *item) *treeNode {
	if n == nil {
		return &treeNode{at: at, item: it, priority: rand.Uint32()}
	}
	changed := *n
	switch order := at.compare(n.at); {
	case order == 0:
		changed.item = it
	case order < 0:
		changed.left = n.left.with(at, it)
		if left := changed.left; left.priority > n.priority { // left is a copy, which may change
			changed.left, left.right = left.right, &changed
			return left
		}
	default:
		changed.right = n.right.with(at, it)
		if right := changed.right; right.priority > n.priority {
			changed.right, right.left = right.left, &changed
			return right
		}
	}
	return &changed
}

// without returns t without the item at a position.
func (t tree) without(at position) tree { return tree{t.root.without(at)} }

func (n *treeNode) without(at position) *treeNode {
	if n == nil {
		return nil
	}
	order := at.compare(n.at)
	if order == 0 {
		return merge(n.left, n.right)
	}
	changed := *n
	if order < 0 {
		changed.left = n.left.without(at)
	} else {
		changed.right = n.right.without(at)
	}
	return &changed
}

// merge returns a tree of the nodes of left and right. All nodes of left come first.
func merge(left, right *treeNode) *treeNode {
	switch {
	case left == nil:
		return right
	case right == nil:
		return left
	case left.priority > right.priority:
		changed := *left
		changed.right = merge(left.right, right)
		return &changed
	default:
		changed := *right
		changed.left = merge(left, right.left)
		return &changed
	}
}

// ascend calls yield for the items in a range, in order, until yield returns false. Then
// ascend returns false too. side says where a position lies: before the range (-1), in it
// (0) or after it (1).
func (n *treeNode) ascend(side func(position) int, yield func(*treeNode) bool) bool {
	if n == nil {
		return true
	}
	s := side(n.at)
	return (s < 0 || n.left.ascend(side, yield)) &&
		(s != 0 || yield(n)) &&
		(s > 0 || n.right.ascend(side, yield))
}

// descend is ascend in reverse order.
func (n *treeNode) descend(side func(position) int, yield func(*treeNode) bool) bool {
	if n == nil {
		return true
	}
	s := side(n.at)
	return (s > 0 || n.right.descend(side, yield)) &&
		(s != 0 || yield(n)) &&
		(s < 0 || n.left.descend(side, yield))
}
