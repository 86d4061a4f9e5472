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

var scratches = sync.Pool{New: func() any { return new([]float32) }}

// Scratch lends n floats of any content; give them back by Release.
func Scratch(n int) *[]float32 {
	s := scratches.Get().(*[]float32)
	if cap(*s) < n {
		*s = make([]float32, n)
	}
	*s = (*s)[:n]
	return s
}

// Release takes back what Scratch lent.
func Release(s *[]float32) { scratches.Put(s) }
