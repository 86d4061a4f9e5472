package train

import (
	"context"
	"sync"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
)

// Filler writes samples into the rows of a batch. Fill is called by several workers at
// once, each with its own scratch.
type Filler interface {
	NewScratch() any
	Fill(dst []domain.Array, row int, seed, epoch uint64, i int, scratch any) error
}

// FillFunc is a Filler without scratch.
type FillFunc func(dst []domain.Array, row int, seed, epoch uint64, i int) error

// NewScratch returns nil.
func (f FillFunc) NewScratch() any { return nil }

// Fill calls f.
func (f FillFunc) Fill(dst []domain.Array, row int, seed, epoch uint64, i int, _ any) error {
	return f(dst, row, seed, epoch, i)
}

// Feed prepares batches while the device computes. What batch number n holds depends only on
// (seed, n): a resumed run continues where it stopped, whatever the number of workers.
type Feed struct {
	Filler  Filler
	Slots   []*Slot
	Samples int // samples of the training part
	Batch   int // rows of a slot
	Group   int // batches of one step (accumulation): an epoch holds whole steps only; 0 is 1
	Seed    uint64
	Workers int
	Ceil    bool // the last batch of an epoch is filled up from the epoch's beginning instead of dropped
}

// PerEpoch is the number of batches of an epoch: the incomplete last one is dropped, or filled up
// with Ceil. It is at least one; fewer samples than rows wrap around.
func (f *Feed) PerEpoch() int {
	if f.Ceil {
		return max(1, (f.Samples+f.Batch-1)/f.Batch)
	}
	group := max(1, f.Group)
	return max(1, f.Samples/(f.Batch*group)) * group
}

// Epoch writes the order of the samples in an epoch: a permutation keyed by (seed, epoch).
func (f *Feed) Epoch(epoch int) []int {
	return rng.New(f.Seed, rng.Order, uint64(epoch)).Perm(f.Samples)
}

// Run fills slots for the batches from (inclusive) to to (exclusive) and calls step with each in
// order; step runs while the next slots are being filled. It stops at the first error of
// a filler or of step, or when ctx ends between two steps.
func (f *Feed) Run(ctx context.Context, from, to int, step func(n int, s *Slot) error) error {
	type ready struct {
		n   int
		s   *Slot
		err error
	}
	free := make(chan *Slot, len(f.Slots))
	full := make(chan ready, len(f.Slots))
	for _, s := range f.Slots {
		free <- s
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Add(1)
	go func() {
		defer wg.Done()
		defer close(full)
		workers := max(1, min(f.Workers, f.Batch))
		scratch := make([]any, workers)
		for w := range scratch {
			scratch[w] = f.Filler.NewScratch()
		}
		errs := make([]error, workers)
		epoch, order := -1, []int(nil)
		per := f.PerEpoch()
		for n := from; n < to; n++ {
			var s *Slot
			select {
			case s = <-free:
			case <-ctx.Done():
				return
			}
			if e := n / per; e != epoch {
				epoch, order = e, f.Epoch(e)
			}
			base := n % per * f.Batch
			fill := func(w int) {
				lo, hi := w*f.Batch/workers, (w+1)*f.Batch/workers
				for row := lo; row < hi && errs[w] == nil; row++ {
					errs[w] = f.Filler.Fill(s.Arrays, row, f.Seed, uint64(epoch), order[(base+row)%len(order)], scratch[w])
				}
			}
			if workers == 1 {
				fill(0)
			} else {
				var group sync.WaitGroup
				for w := range workers {
					group.Add(1)
					go func() { defer group.Done(); fill(w) }()
				}
				group.Wait()
			}
			r := ready{n: n, s: s}
			for _, err := range errs {
				if err != nil {
					r.err = err
				}
			}
			select {
			case full <- r:
			case <-ctx.Done():
				return
			}
			if r.err != nil {
				return
			}
		}
	}()
	for r := range full {
		if r.err != nil {
			return r.err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(r.n, r.s); err != nil {
			return err
		}
		free <- r.s
	}
	return ctx.Err()
}
