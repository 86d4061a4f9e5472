package denoise

import (
	"context"
	"math"

	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
)

// columner is an index that is ready: pileup.Index or pileup.MemIndex.
type columner interface {
	Columns(id int, s *pileup.Scratch, dst *pileup.Columns) error
}

// columns is the pile of one goroutine.
type columns struct {
	x    columner
	none *pileup.MemIndex // where reads are alone
	s    pileup.Scratch
	cols pileup.Columns
}

func (c *columns) load(id int64, bases, quals []uint8) error {
	if c.none != nil {
		return c.none.ColumnsOf(bases, quals, &c.s, &c.cols)
	}
	return c.x.Columns(int(id), &c.s, &c.cols)
}

func (c *columns) features(dst []float32) { c.cols.Features(dst) }

func (c *columns) cells(dst []cell) {
	if c.cols.Reads == 0 {
		clear(dst)
		return
	}
	small := func(n int) uint16 { return uint16(min(n, math.MaxUint16)) }
	for j := range dst {
		col := c.cols.At(j)
		d := &dst[j]
		d.depth = small(col.Depth())
		for b := range 4 {
			d.here[b], d.after[b] = small(col.Count[b]), small(col.Inserted[b])
		}
		d.here[deleteClass] = small(col.Deleted)
	}
}

// singles is the indexer of reads that are alone.
type singles struct{ cfg pileup.Config }

func (singles) add(_, _ []uint8) error       { return nil }
func (singles) finish(context.Context) error { return nil }
func (singles) close() error                 { return nil }
func (s singles) worker() (pile, error) {
	none, err := pileup.NewMemIndex(s.cfg)
	if err != nil {
		return nil, err
	}
	if err := none.Finish(); err != nil {
		return nil, err
	}
	return &columns{none: none}, nil
}

// overlaps is the indexer of reads that see one another.
type overlaps struct {
	b *pileup.Builder
	x *pileup.Index
}

func newOverlaps(dir string, cfg pileup.Config, memory int64) (*overlaps, error) {
	b, err := pileup.NewBuilder(dir, cfg, memory)
	if err != nil {
		return nil, err
	}
	return &overlaps{b: b}, nil
}

func (o *overlaps) add(bases, quals []uint8) error { return o.b.Add(bases, quals) }

func (o *overlaps) finish(ctx context.Context) (err error) {
	o.x, err = o.b.FinishContext(ctx)
	return err
}

func (o *overlaps) worker() (pile, error) { return &columns{x: o.x}, nil }

func (o *overlaps) close() error {
	if o.x != nil {
		return o.x.Close()
	}
	return o.b.Close()
}
