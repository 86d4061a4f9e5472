package gokernel

import (
	"sync"
	"sync/atomic"
)

// Parallel calls f(task) for task 0..tasks-1 on at most threads goroutines, the caller's among them.
func Parallel(threads, tasks int, f func(task int)) {
	threads = min(threads, tasks)
	if threads <= 1 {
		for i := range tasks {
			f(i)
		}
		return
	}
	var next atomic.Int64
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= tasks {
				return
			}
			f(i)
		}
	}
	var wg sync.WaitGroup
	for range threads - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// scratches is memory that was lent and given back. A sync.Pool would lose it at every collection of garbage, and asking the system
// for it anew costs more than the loops that use it.
var scratches struct {
	mu   sync.Mutex
	free []*[]float32
	size int // floats
}

const keptScratch = 64 << 20 // floats

// Scratch lends n floats of any content; give them back by Release.
func Scratch(n int) *[]float32 {
	c := &scratches
	c.mu.Lock()
	best := -1
	for i, f := range c.free {
		if k := cap(*f); k >= n && k <= 8*n+1<<12 && (best < 0 || k < cap(*c.free[best])) {
			best = i
		}
	}
	if best >= 0 {
		s := c.free[best]
		last := len(c.free) - 1
		c.free[best], c.free[last] = c.free[last], nil
		c.free = c.free[:last]
		c.size -= cap(*s)
		c.mu.Unlock()
		*s = (*s)[:n]
		return s
	}
	c.mu.Unlock()
	s := make([]float32, n, n+n/8)
	return &s
}

// Release takes back what Scratch lent.
func Release(s *[]float32) {
	c := &scratches
	c.mu.Lock()
	if c.size+cap(*s) <= keptScratch && len(c.free) < 256 {
		c.free = append(c.free, s)
		c.size += cap(*s)
	}
	c.mu.Unlock()
}
