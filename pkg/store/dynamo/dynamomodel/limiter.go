package dynamomodel

import (
	"sync"
	"time"
)

// The units that DynamoDB grants one partition each second.
const (
	PartitionReads  = 3000 // read units
	PartitionWrites = 1000 // write units
)

// Limiter is a Throttle that grants each partition key PartitionReads and PartitionWrites
// a second. So does DynamoDB in a table with local indexes, which never splits a key.
// Unused units of a second are lost. A call may use more units than are left; then the
// next calls are refused until the partition has made up for them. Refused calls cost
// nothing.
type Limiter struct {
	now func() time.Time

	mu      sync.Mutex
	budgets map[string]*budget
	refused int
}

// budget is the units that a partition has left.
type budget struct {
	left Units
	at   time.Time
}

// NewLimiter returns a limiter that reads the time from now.
func NewLimiter(now func() time.Time) *Limiter {
	return &Limiter{now: now, budgets: map[string]*budget{}}
}

// Allow implements Throttle.
func (l *Limiter) Allow(partition string, write bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := l.budget(partition).left
	if write && left.Write > 0 || !write && left.Read > 0 {
		return true
	}
	l.refused++
	return false
}

// Consume implements Throttle.
func (l *Limiter) Consume(partition string, used Units) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.budget(partition)
	b.left.Read -= used.Read
	b.left.Write -= used.Write
}

// Refused returns how many calls and parts of batches Allow has refused.
func (l *Limiter) Refused() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused
}

// budget returns a partition's current budget.
func (l *Limiter) budget(partition string) *budget {
	now := l.now()
	b, ok := l.budgets[partition]
	if !ok {
		b = &budget{Units{PartitionReads, PartitionWrites}, now}
		l.budgets[partition] = b
		return b
	}
	seconds := now.Sub(b.at).Seconds()
	b.at = now
	b.left.Read = min(PartitionReads, b.left.Read+seconds*PartitionReads)
	b.left.Write = min(PartitionWrites, b.left.Write+seconds*PartitionWrites)
	return b
}
