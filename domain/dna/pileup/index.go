package pileup

import (
	"encoding/binary"
	"errors"
)

// Index finds the reads that overlap a read. It lies in temporary files of which as much is kept in memory (mapped, where
// the system can) as the Builder was allowed. Several workers may use it at once, each with a Scratch of its own.
type Index struct {
	r        rules
	n        int
	bases    int64
	places   int64
	max      int
	limit    int
	slotBits int
	pinned   int64
	reads    *temp // records
	offsets  *temp // of the records, and the end
	slots    *temp // by the first bits of a key: offset of the first group of the slot, and the end
	groups   *temp
}

// Stats describe an index.
type Stats struct {
	Reads, Bases int64
	Longest      int   // bases of the longest read
	Seeds        int64 // places of minimizers
	Limit        int   // seeds of more places are ignored
	Disk         int64 // bytes of temporary files
	Memory       int64 // bytes of them kept in memory
}

// Stats describes the index.
func (x *Index) Stats() Stats {
	return Stats{int64(x.n), x.bases, x.max, x.places, x.limit,
		x.reads.size + x.offsets.size + x.slots.size + x.groups.size, x.pinned}
}

// Len is the number of reads.
func (x *Index) Len() int { return x.n }

// Config returns the rules of the index.
func (x *Index) Config() Config { return x.r.Config }

// Limit is the number of places above which a seed is ignored: Config.MaxOccurrence or, where that is 0, the number that
// 2 of 10,000 seeds pass, but at least 64 and four times and at most 256 or sixteen times the usual depth.
func (x *Index) Limit() int { return x.limit }

// Close removes the temporary files. No call may be under way.
func (x *Index) Close() error {
	if x.reads == nil {
		return nil
	}
	err := errors.Join(x.reads.close(), x.offsets.close(), x.slots.close(), x.groups.close())
	x.reads = nil
	return err
}

func (x *Index) rule() *rules { return &x.r }

func (x *Index) longest() int { return x.max }

// seeds goes over the seeds three times, so that the processor waits for many places of memory at once: slots, first
// bytes of groups, groups.
func (x *Index) seeds(s *Scratch) error {
	low := uint(2*x.r.K - x.slotBits)
	s.spans = s.spans[:0]
	for _, m := range s.seeds {
		g, err := x.slots.span(int64(m.key>>low), s)
		if err != nil {
			return err
		}
		s.spans = append(s.spans, g)
	}
	s.touch(x.groups.mapped)
	for i, m := range s.seeds {
		if s.spans[i].from == s.spans[i].to {
			continue
		}
		g, err := x.groups.view(s.spans[i], &s.buf)
		if err != nil {
			return err
		}
		x.group(m, uint32(m.key&(1<<low-1)), g, s)
	}
	return nil
}

// group finds a seed among the groups of its slot.
func (x *Index) group(m seed, rest uint32, g []byte, s *Scratch) {
	for len(g) >= 8 {
		this, n := binary.LittleEndian.Uint32(g), int(binary.LittleEndian.Uint32(g[4:]))
		if this > rest {
			return
		}
		size := 8 * stored(n, &x.r)
		if this < rest {
			g = g[8+size:]
			continue
		}
		if n > x.limit {
			return
		}
		for p := g[8 : 8+size]; len(p) >= 8; p = p[8:] {
			s.add(m, binary.LittleEndian.Uint32(p), binary.LittleEndian.Uint32(p[4:]))
		}
		return
	}
}

// touch loads what is in memory of the first cache lines of all spans.
func (s *Scratch) touch(mapped []byte) {
	sum := uint8(0)
	for _, p := range s.spans {
		for at := p.from; at < min(p.to, p.from+256, int64(len(mapped))); at += 64 {
			sum += mapped[at]
		}
	}
	s.touched += sum // a use, or the loads would go
}

func (x *Index) expect(s *Scratch) {
	if len(x.reads.mapped) == 0 {
		return
	}
	s.spans = s.spans[:0]
	for i := range s.cand {
		id := int64(s.cand[i].key >> s.shift)
		if p, err := x.offsets.span(id, s); err == nil { // fetch will say what is wrong
			s.spans = append(s.spans, p)
		}
	}
	s.touch(x.reads.mapped)
}

// unpack[c] holds the four bases of a byte, turn[c] those of their reverse complement.
var unpack, turn = func() (f, r [256]uint32) {
	for c := range 256 {
		for j := range 4 {
			b := uint32(c >> (2 * j) & 3)
			f[c] |= b << (8 * j)
			r[c] |= (3 - b) << (8 * (3 - j))
		}
	}
	return f, r
}()

func (x *Index) fetch(id uint32, opposite bool, s *Scratch) (bases, quals []uint8, err error) {
	at, err := x.offsets.span(int64(id), s)
	if err != nil {
		return nil, nil, err
	}
	rec, err := x.reads.view(at, &s.buf)
	if err != nil {
		return nil, nil, err
	}
	head := binary.LittleEndian.Uint32(rec)
	n := int(head >> 2)
	code := rec[4 : 4+(n+3)/4]
	rec = rec[4+len(code):]
	m := 4 * len(code)
	mem := s.take(m + n)
	quals = mem[m:]
	if opposite {
		bases = mem[m-n : m : m]
		for i, c := range code {
			binary.LittleEndian.PutUint32(mem[m-4*i-4:], turn[c])
		}
	} else {
		bases = mem[:n:n]
		for i, c := range code {
			binary.LittleEndian.PutUint32(mem[4*i:], unpack[c])
		}
	}
	if head&2 != 0 {
		runs := int(binary.LittleEndian.Uint32(rec))
		rec = rec[4:]
		for range runs {
			first, last := int(binary.LittleEndian.Uint32(rec)), int(binary.LittleEndian.Uint32(rec[4:]))
			last += first
			if opposite {
				first, last = n-last, n-first
			}
			for i := first; i < last; i++ {
				bases[i] = N
			}
			rec = rec[8:]
		}
	}
	switch {
	case head&1 == 0:
		for i := range quals {
			quals[i] = uint8(x.r.NoQuality)
		}
	case opposite:
		reverse(quals, rec)
	default:
		copy(quals, rec)
	}
	return bases, quals, nil
}

// Read returns the bases and qualities of a read as they were added (N for every unknown base, qualities of at most
// MaxQuality, Config.NoQuality where it had none). They lie in s and are good until its next use.
func (x *Index) Read(id int, s *Scratch) (bases, quals []uint8, err error) {
	if err := checkID(id, x.n); err != nil {
		return nil, nil, err
	}
	s.arena = s.arena[:0]
	return x.fetch(uint32(id), false, s)
}

// Columns fills dst with the evidence for read id from all other reads that overlap it, on both strands; the read itself
// is not counted. It allocates nothing once s and dst have seen reads of this length and depth.
func (x *Index) Columns(id int, s *Scratch, dst *Columns) error {
	b, q, err := x.Read(id, s)
	if err != nil {
		return err
	}
	return columns(x, b, q, int64(id), s, dst)
}

// ColumnsOf is Columns for a read that is not in the index; quals may be nil.
func (x *Index) ColumnsOf(bases, quals []uint8, s *Scratch, dst *Columns) error {
	if err := checkRead(bases, quals); err != nil {
		return err
	}
	return columns(x, bases, quals, -1, s, dst)
}
