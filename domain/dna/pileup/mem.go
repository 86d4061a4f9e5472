package pileup

import (
	"errors"
	"sort"
)

// MemIndex is an index of some hundreds of reads in memory, for the pile-ups of training. It gives the same Columns as
// Index. Reset, Add and Finish reuse its memory.
type MemIndex struct {
	r       rules
	done    bool
	bases   []uint8
	quals   []uint8
	start   []int // of each read, and the end
	max     int
	limit   int
	ring    [MaxW]uint64
	scratch []seed
	keys    []memPlace
	spare   []memPlace
	sizes   [hardLimit + 1]int64
}

type memPlace struct {
	key    uint64
	id, at uint32 // at: position<<1 | strand
}

// NewMemIndex returns an empty index.
func NewMemIndex(cfg Config) (*MemIndex, error) {
	x := &MemIndex{}
	if err := x.r.set(cfg); err != nil {
		return nil, err
	}
	x.Reset()
	return x, nil
}

// Reset empties the index.
func (x *MemIndex) Reset() {
	x.bases, x.quals, x.keys = x.bases[:0], x.quals[:0], x.keys[:0]
	x.start = append(x.start[:0], 0)
	x.max, x.done = 0, false
}

// Len is the number of reads.
func (x *MemIndex) Len() int { return len(x.start) - 1 }

// Config returns the rules of the index.
func (x *MemIndex) Config() Config { return x.r.Config }

// Limit is the number of places above which a seed is ignored, known after Finish.
func (x *MemIndex) Limit() int { return x.limit }

// Add takes a read of base codes (0..3, all others are N) and Phred qualities, or nil where it has none; its id is the
// number of reads before it.
func (x *MemIndex) Add(bases, quals []uint8) error {
	if x.done {
		return errors.New("pileup: Add after Finish")
	}
	if err := checkRead(bases, quals); err != nil {
		return err
	}
	id := uint32(x.Len())
	n := len(x.bases)
	x.bases = append(x.bases, bases...)
	for i, b := range x.bases[n:] {
		x.bases[n+i] = min(b, N)
	}
	if quals != nil {
		x.quals = append(x.quals, quals...)
		for i, q := range x.quals[n:] {
			x.quals[n+i] = min(q, MaxQuality)
		}
	} else {
		for range bases {
			x.quals = append(x.quals, uint8(x.r.NoQuality))
		}
	}
	x.start = append(x.start, len(x.bases))
	x.max = max(x.max, len(bases))
	x.scratch = minimizers(x.scratch[:0], x.bases[n:], x.r.K, x.r.W, &x.ring)
	for _, m := range x.scratch {
		x.keys = append(x.keys, memPlace{m.key, id, m.pos<<1 | m.rev})
	}
	return nil
}

// Finish makes the index ready for Columns.
func (x *MemIndex) Finish() error {
	if x.done {
		return errors.New("pileup: Finish twice")
	}
	x.done = true
	x.sort()
	clear(x.sizes[:])
	for i := 0; i < len(x.keys); {
		j := i
		for i < len(x.keys) && x.keys[i].key == x.keys[j].key {
			i++
		}
		x.sizes[min(i-j, hardLimit)]++
	}
	x.limit = x.r.MaxOccurrence
	if x.limit == 0 {
		x.limit = chooseLimit(&x.sizes)
	}
	return nil
}

// sort orders the places by key; equal keys stay in the order of reads.
func (x *MemIndex) sort() {
	a := x.keys
	if cap(x.spare) < len(a) {
		x.spare = make([]memPlace, cap(a))
	}
	b := x.spare[:len(a)]
	for shift := 0; shift < 2*x.r.K; shift += 8 {
		var at [256]uint32
		for i := range a {
			at[a[i].key>>shift&0xff]++
		}
		sum := uint32(0)
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for i := range a {
			c := a[i].key >> shift & 0xff
			b[at[c]] = a[i]
			at[c]++
		}
		a, b = b, a
	}
	x.keys, x.spare = a, b
}

// chooseLimit picks the number of places above which a seed is a repeat; sizes[n] is the number of seeds that occur at n
// places (the last of at least as many). It is the number that 2 of 10,000 seeds pass, as minimap2 -f, but not less than 64
// nor four times the usual depth and not more than 256 or sixteen times the usual depth, where the usual depth is the
// median over all places, seeds of one place left out.
func chooseLimit(sizes *[hardLimit + 1]int64) int {
	seeds, places := int64(0), int64(0)
	for n, times := range sizes {
		seeds += times
		if n > 1 {
			places += int64(n) * times
		}
	}
	rare, depth := 0, 0
	seen, half := int64(0), int64(0)
	for n, times := range sizes {
		if times == 0 {
			continue
		}
		if seen < seeds-seeds/5000 {
			rare = n
		}
		seen += times
		if n > 1 {
			if 2*half < places {
				depth = n
			}
			half += int64(n) * times
		}
	}
	return min(hardLimit, max(rare, 64, 4*depth), max(256, 16*depth))
}

func (x *MemIndex) rule() *rules { return &x.r }

func (x *MemIndex) longest() int { return x.max }

func (x *MemIndex) seeds(s *Scratch) error {
seeds:
	for _, m := range s.seeds {
		i := sort.Search(len(x.keys), func(i int) bool { return x.keys[i].key >= m.key })
		j := i
		for j < len(x.keys) && x.keys[j].key == m.key {
			if j++; j-i > x.limit {
				continue seeds
			}
		}
		for _, p := range x.keys[i:j] {
			s.add(m, p.id, p.at)
		}
	}
	return nil
}

func (x *MemIndex) expect(*Scratch) {}

func (x *MemIndex) fetch(id uint32, opposite bool, s *Scratch) (bases, quals []uint8, err error) {
	from, to := x.start[id], x.start[id+1]
	if !opposite {
		return x.bases[from:to:to], x.quals[from:to:to], nil
	}
	n := to - from
	mem := s.take(2 * n)
	reverseComplement(mem[:n], x.bases[from:to])
	reverse(mem[n:], x.quals[from:to])
	return mem[:n:n], mem[n:], nil
}

// Columns fills dst with the evidence for read id from all other reads that overlap it, on both strands.
// Several workers may call it at once, each with a Scratch and a dst of its own.
func (x *MemIndex) Columns(id int, s *Scratch, dst *Columns) error {
	if !x.done {
		return errors.New("pileup: Columns before Finish")
	}
	if err := checkID(id, x.Len()); err != nil {
		return err
	}
	b, q, _ := x.fetch(uint32(id), false, s)
	return columns(x, b, q, int64(id), s, dst)
}

// ColumnsOf is Columns for a read that is not in the index; quals may be nil.
func (x *MemIndex) ColumnsOf(bases, quals []uint8, s *Scratch, dst *Columns) error {
	if !x.done {
		return errors.New("pileup: ColumnsOf before Finish")
	}
	if err := checkRead(bases, quals); err != nil {
		return err
	}
	return columns(x, bases, quals, -1, s, dst)
}
