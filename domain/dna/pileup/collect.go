package pileup

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/selfsame-ml/selfsame/domain/dna/align"
)

// source is what Columns asks of an index.
type source interface {
	rule() *rules
	longest() int
	// seeds adds the places of the seeds of the read at hand to its hits.
	seeds(s *Scratch) error
	// expect is told the candidates, the reads that fetch will be asked for one after the other.
	expect(s *Scratch)
	// fetch returns bases and qualities of a read, or of its reverse complement, in the memory of the index or in the arena of s.
	fetch(id uint32, opposite bool, s *Scratch) (bases, quals []uint8, err error)
}

// hit is one seed that the read at hand shares with another.
type hit struct {
	key uint64 // read, strand, diagonal: see Scratch.layout
	pos uint32 // in the read at hand
}

// candidate is a read on one strand with its best diagonal.
type candidate struct {
	key         uint64
	votes       int32
	first, last int32 // its hits, over all diagonals
}

// overlap is one read laid along the read at hand.
type overlap struct {
	from, to   int     // in the read at hand
	obs, qual  []uint8 // [to-from]: base code of the other read (4: N, 5: it has no base here) and its quality
	matches    int     // equal bases
	mis0, mis1 int     // its mismatches in Scratch.mis
	ins0, ins1 int     // its insertions in Scratch.ins
	id         uint32
	cut        [2]bool // both reads go on beyond its left, right end for too long
	tie        uint64
}

// mismatch is one place where an overlap disagrees with the read at hand, both bases known.
type mismatch struct {
	pos  int32
	base uint8
	high bool // both qualities are high; after close: it is telling
	sure bool // this read's base is well supported: the mismatch counts at its own position too
}

// insertion is a base that another read has after a position of the read at hand.
type insertion struct {
	pos  int32
	base uint8
}

// span is a piece of a file.
type span struct{ from, to int64 }

// deleted is the code of a base that another read does not have.
const deleted = 5

// Scratch is the memory of Columns: one for each worker, usable as it is, reused from read to read.
type Scratch struct {
	ring    [MaxW]uint64
	seeds   []seed
	hits    []hit
	spare   []hit
	cand    []candidate
	ovl     []overlap
	mis     []mismatch
	ins     []insertion
	arena   []uint8 // bases and qualities of other reads
	buf     []byte  // what was read from disk
	votes   []int32
	aligner align.Scratch
	aligned align.Overlap
	matched []align.Seed
	spans   []span // of groups or records in their file
	touched uint8
	shift   uint // bits of strand and diagonal in a key
	skip    int64
}

// add notes that the read at hand (seed m) and read id (place and strand in at) share a seed.
func (s *Scratch) add(m seed, id, at uint32) {
	if int64(id) == s.skip {
		return
	}
	// On the same strand m.pos - at stays the same along the diagonal, on the opposite m.pos + at does.
	half := uint64(1) << (s.shift - 2)
	pos, opposite := at>>1, uint64(at&1^m.rev)
	d := half + uint64(m.pos) - uint64(pos)
	if opposite == 1 {
		d = uint64(m.pos) + uint64(pos)
	}
	s.hits = append(s.hits, hit{uint64(id)<<s.shift | opposite<<(s.shift-1) | d, m.pos})
}

// layout sets the bits of a key: read | strand | diagonal.
func (s *Scratch) layout(n, longest int) {
	s.shift = uint(bits.Len(uint(max(n, longest)))) + 2
}

// sortHits orders hits by key, keeping the order of equals (LSD radix sort by bytes; bytes that are all equal cost nothing).
func (s *Scratch) sortHits() {
	a := s.hits
	if len(a) < 48 {
		for i := 1; i < len(a); i++ {
			h, j := a[i], i
			for ; j > 0 && a[j-1].key > h.key; j-- {
				a[j] = a[j-1]
			}
			a[j] = h
		}
		return
	}
	if cap(s.spare) < len(a) {
		s.spare = make([]hit, cap(a))
	}
	b := s.spare[:len(a)]
	var or uint64
	and := ^uint64(0)
	for i := range a {
		or |= a[i].key
		and &= a[i].key
	}
	for shift := uint(0); shift < 64; shift += 8 {
		if (or^and)>>shift&0xff == 0 {
			continue
		}
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
	s.hits, s.spare = a, b
}

// candidates groups the hits by read and strand; the diagonal with most hits stands for the group, the lowest of equals.
// Where reads must share several seeds, the votes of a diagonal are those from it up to a band beyond.
// Where there are too many candidates, only those with most votes stay (and all that tie with the last of them).
func (s *Scratch) candidates(r *rules) {
	s.cand = s.cand[:0]
	most := int32(0)
	band, limit := uint64(0), 4*r.MaxReads
	if r.MinSeeds > 1 {
		band, limit = uint64(r.Band), r.MaxReads+r.MaxReads/2 // alignments with gaps are dear
	}
	for i := 0; i < len(s.hits); {
		group := s.hits[i].key >> (s.shift - 1)
		c := candidate{first: int32(i)}
		for end := i; i < len(s.hits) && s.hits[i].key>>(s.shift-1) == group; i++ {
			if i > int(c.first) && s.hits[i].key == s.hits[i-1].key {
				continue
			}
			for end < len(s.hits) && s.hits[end].key>>(s.shift-1) == group && s.hits[end].key <= s.hits[i].key+band {
				end++
			}
			if n := int32(end - i); n > c.votes {
				c.votes, c.key = n, s.hits[(i+end-1)/2].key
			}
		}
		c.last = int32(i)
		if int(c.votes) >= r.MinSeeds {
			most = max(most, c.votes)
			s.cand = append(s.cand, c)
		}
	}
	if len(s.cand) <= limit {
		return
	}
	if cap(s.votes) <= int(most) {
		s.votes = make([]int32, 2*most+64)
	}
	s.votes = s.votes[:most+1]
	clear(s.votes)
	for _, c := range s.cand {
		s.votes[c.votes]++
	}
	n, least := int32(0), most
	for ; least > 1; least-- {
		if n += s.votes[least]; int(n) >= limit {
			break
		}
	}
	s.cand = slices.DeleteFunc(s.cand, func(c candidate) bool { return c.votes < least })
}

// columns fills dst with the evidence of all reads of x that overlap the read of these bases and qualities;
// skip is the id of a read that does not count, or -1.
func columns(x source, bases, quals []uint8, skip int64, s *Scratch, dst *Columns) error {
	r := x.rule()
	dst.reset(bases, quals, r.NoQuality)
	s.skip = skip
	s.seeds = minimizers(s.seeds[:0], dst.Bases, r.K, r.W, &s.ring)
	s.hits = s.hits[:0]
	s.layout(len(bases), x.longest())
	if err := x.seeds(s); err != nil {
		return err
	}
	s.sortHits()
	s.candidates(r)
	x.expect(s)
	s.ovl, s.mis, s.ins, s.arena = s.ovl[:0], s.mis[:0], s.ins[:0], s.arena[:0]
	for i := range s.cand {
		if err := s.lay(x, r, &s.cand[i], dst); err != nil {
			return err
		}
	}
	dst.Overlaps = len(s.ovl)
	s.best(r.MaxReads)
	dst.Reads = len(s.ovl)
	for i := range s.ovl {
		o := &s.ovl[i]
		dst.add(o, s.ins[o.ins0:o.ins1])
	}
	s.close(r, dst)
	return nil
}

// take returns n bytes of the arena.
func (s *Scratch) take(n int) []uint8 {
	if cap(s.arena)-len(s.arena) < n {
		// Slices of the old arena stay good: nobody writes there any more.
		s.arena = make([]uint8, 0, 2*cap(s.arena)+n+1024)
	}
	m := len(s.arena)
	s.arena = s.arena[:m+n]
	return s.arena[m : m+n : m+n]
}

var complement = [8]uint8{3, 2, 1, 0, 4, 4, 4, 4}

func reverseComplement(dst, src []uint8) {
	dst = dst[:len(src)]
	for i, c := range src {
		dst[len(dst)-1-i] = complement[c&7]
	}
}

func reverse(dst, src []uint8) {
	n := len(src)
	i := 0
	for ; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(dst[n-i-8:], bits.ReverseBytes64(binary.LittleEndian.Uint64(src[i:])))
	}
	for ; i < n; i++ {
		dst[n-1-i] = src[i]
	}
}

// lay aligns a candidate with the read at hand and keeps the overlap if the rules accept it.
func (s *Scratch) lay(x source, r *rules, c *candidate, dst *Columns) error {
	arena, mis, ins := len(s.arena), len(s.mis), len(s.ins)
	opposite := c.key>>(s.shift-1)&1 == 1
	b, q, err := x.fetch(uint32(c.key>>s.shift), opposite, s)
	if err != nil {
		return err
	}
	d := s.diagonal(c.key, len(b), r.K)
	o := overlap{id: uint32(c.key >> s.shift), from: max(0, d), to: min(dst.Len, d+len(b)), mis0: mis, ins0: ins, ins1: ins}
	n := o.to - o.from
	ok := false
	if n >= r.MinOverlap {
		o.obs, o.qual = b[o.from-d:o.to-d], q[o.from-d:o.to-d]
		ok = s.ungapped(r, &o, dst)
	}
	if !ok && r.Band > 0 && n+r.Band >= r.MinOverlap && (r.MinSeeds > 1 || n > 0 && shifted(dst.Bases[o.from:o.to], b[o.from-d:o.to-d])) {
		s.mis = s.mis[:mis]
		ok = s.gapped(r, &o, c, b, q, dst)
	}
	if !ok {
		// The arena may have been replaced since; then there is nothing to give back.
		s.arena, s.mis, s.ins = s.arena[:min(arena, len(s.arena))], s.mis[:mis], s.ins[:ins]
		return nil
	}
	o.mis1, o.ins1 = len(s.mis), len(s.ins)
	s.ovl = append(s.ovl, o)
	return nil
}

// diagonal is the place in the read at hand of the first base of another read (turned, on the opposite strand) of n bases.
func (s *Scratch) diagonal(key uint64, n, k int) int {
	d := int(key & (1<<(s.shift-1) - 1))
	if key>>(s.shift-1)&1 == 1 {
		return d + k - n
	}
	return d - 1<<(s.shift-2)
}

// shifted tells whether the reads look like an overlap with a gap: somewhere at least half of eight neighbouring bases differ.
func shifted(a, b []uint8) bool {
	const low, high = 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	if len(a) < 8 {
		return false
	}
	for i := 0; ; i += 8 {
		i = min(i, len(a)-8)
		x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:])
		if bits.OnesCount64(((x&low)+low|x)&high) >= 4 {
			return true
		}
		if i == len(a)-8 {
			return false
		}
	}
}

// gapped aligns a candidate along all its seeds.
func (s *Scratch) gapped(r *rules, o *overlap, c *candidate, b, q []uint8, dst *Columns) bool {
	s.matched = s.matched[:0]
	for _, h := range s.hits[c.first:c.last] {
		s.matched = append(s.matched, align.Seed{A: int32(h.pos), B: int32(int(h.pos) - s.diagonal(h.key, len(b), r.K)), Len: int32(r.K)})
	}
	v := &s.aligned
	if !s.aligner.Overlap(dst.Bases, b, s.matched, r.align, v) {
		return false
	}
	n := v.ATo - v.AFrom
	if n < r.MinOverlap {
		return false
	}
	if r.MaxOverhang >= 0 {
		o.cut = [2]bool{min(v.AFrom, v.BFrom) > r.MaxOverhang, min(dst.Len-v.ATo, len(b)-v.BTo) > r.MaxOverhang}
	}
	mem := s.take(2 * n)
	o.from, o.to, o.obs, o.qual, o.matches = v.AFrom, v.ATo, mem[:n:n], mem[n:], v.Matches
	bound, weight := r.bound(n), int64(0)
	last := v.BFrom // base of b that the column before has, or had
	for i, j := range v.B[:n] {
		aq := int(dst.Quals[o.from+i])
		if j < 0 {
			o.obs[i], o.qual[i] = deleted, q[last]
			weight += int64(r.weight[aq*(MaxQuality+1)+int(q[last])])
			continue
		}
		if i > 0 {
			for k := last + 1; k < int(j); k++ {
				weight += int64(r.weight[aq*(MaxQuality+1)+int(q[k])])
			}
			if last+1 < int(j) {
				s.ins = append(s.ins, insertion{int32(o.from + i - 1), b[last+1]})
			}
		}
		last = int(j)
		x, y := dst.Bases[o.from+i], b[j]
		o.obs[i], o.qual[i] = y, q[j]
		if x != y && x <= 3 && y <= 3 {
			weight += int64(r.weight[aq*(MaxQuality+1)+int(q[j])])
			s.mis = append(s.mis, mismatch{pos: int32(o.from + i), base: y, high: aq >= r.HighQuality && int(q[j]) >= r.HighQuality})
		}
	}
	return weight <= bound
}

// ungapped compares an overlap along its diagonal, eight bases at a time; it gives up at the first mismatch too many.
func (s *Scratch) ungapped(r *rules, o *overlap, dst *Columns) bool {
	a, aq := dst.Bases[o.from:o.to], dst.Quals[o.from:o.to]
	b, bq := o.obs[:len(a)], o.qual[:len(a)]
	aq = aq[:len(a)]
	bound := r.bound(len(a))
	weight, equal := int64(0), len(a)
	compare := func(i int) bool {
		equal--
		if a[i] > 3 || b[i] > 3 {
			return true
		}
		weight += int64(r.weight[int(aq[i])*(MaxQuality+1)+int(bq[i])])
		s.mis = append(s.mis, mismatch{pos: int32(o.from + i), base: b[i], high: int(aq[i]) >= r.HighQuality && int(bq[i]) >= r.HighQuality})
		return weight <= bound
	}
	i := 0
	for ; i+8 <= len(a); i += 8 {
		x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:])
		for x != 0 {
			at := bits.TrailingZeros64(x) >> 3
			x &^= 0xff << (8 * at)
			if !compare(i + at) {
				return false
			}
		}
	}
	for ; i < len(a); i++ {
		if a[i] != b[i] && !compare(i) {
			return false
		}
	}
	o.matches = equal
	return true
}

// best keeps the overlaps with most equal bases. Ties are broken by what the overlaps hold, so that the choice does not
// depend on the order of the reads in the file.
func (s *Scratch) best(limit int) {
	if len(s.ovl) <= limit {
		return
	}
	for i := range s.ovl {
		o := &s.ovl[i]
		h := uint64(o.from)<<32 | uint64(o.to)
		for _, part := range [2][]uint8{o.obs, o.qual} {
			for ; len(part) >= 8; part = part[8:] {
				h = (h ^ binary.LittleEndian.Uint64(part)) * 0x9e3779b97f4a7c15
				h ^= h >> 29
			}
			for _, c := range part {
				h = (h ^ uint64(c)) * 0x9e3779b97f4a7c15
				h ^= h >> 29
			}
		}
		for _, in := range s.ins[o.ins0:o.ins1] {
			h = (h ^ uint64(in.pos)<<8 ^ uint64(in.base)) * 0x9e3779b97f4a7c15
			h ^= h >> 29
		}
		o.tie = h
	}
	slices.SortFunc(s.ovl, func(a, b overlap) int {
		return cmp.Or(cmp.Compare(b.matches, a.matches), cmp.Compare(a.tie, b.tie), cmp.Compare(a.id, b.id))
	})
	s.ovl = s.ovl[:limit]
}

// close finds which overlaps come from the read's own place and takes the others out of the close cells.
func (s *Scratch) close(r *rules, dst *Columns) {
	dst.close = append(dst.close[:0], dst.all...)
	for i := range s.ovl {
		o := &s.ovl[i]
		telling := 0
		mis := s.mis[o.mis0:o.mis1]
		for k := range mis {
			m := &mis[k]
			if !m.high {
				continue
			}
			cell := &dst.all[m.pos]
			depth := 0
			for _, v := range cell {
				depth += int(uint32(v))
			}
			need := 1 + depth/r.SupportDepth
			own := int(uint32(cell[dst.Bases[m.pos]]))
			other := int(uint32(cell[m.base])) - 1
			// Nobody else says what this read says, others say what that one does: an error of this read.
			// The other way round: an error of that one. Neither tells two places apart.
			if (own < need && other >= need) || (own >= need && other < need) {
				m.high = false
				continue
			}
			m.sure = own >= 2+depth/8
			telling++
		}
		switch allowed := int(r.CloseDivergence * float64(o.to-o.from)); {
		case o.cut[0] && !s.broken(r, dst, 0, o.from) || o.cut[1] && !s.broken(r, dst, 1, o.to):
			dst.remove(o, o.from, o.to)
		case telling <= allowed:
		case telling == allowed+1: // close where its own mismatch does not count
			at := o.from
			for _, m := range mis {
				if m.high && !m.sure {
					dst.remove(o, at, int(m.pos))
					at = int(m.pos) + 1
				}
			}
			dst.remove(o, at, o.to)
		default:
			dst.remove(o, o.from, o.to)
		}
	}
}

// broken tells whether the read at hand is a chimera of two places that meet at a position: overlaps end there, and
// hardly any goes on. side is 0 for overlaps that begin at the position, 1 for those that end there.
func (s *Scratch) broken(r *rules, dst *Columns, side, at int) bool {
	near := r.MaxOverhang/2 + 1 // both reads go on for longer
	cuts := 0
	for i := range s.ovl {
		o := &s.ovl[i]
		if end := [2]int{o.from, o.to}[side]; o.cut[side] && max(end-at, at-end) <= near {
			cuts++
		}
	}
	beyond := at + near - 1
	if side == 0 {
		beyond = at - near
	}
	on := 0
	for _, v := range &dst.all[beyond] {
		on += int(uint32(v))
	}
	return cuts >= 2 && on < 1+cuts/16
}

func checkID(id, n int) error {
	if id < 0 || id >= n {
		return fmt.Errorf("pileup: read %d of %d", id, n)
	}
	return nil
}

func checkRead(bases, quals []uint8) error {
	if quals != nil && len(quals) != len(bases) {
		return fmt.Errorf("pileup: %d qualities for %d bases", len(quals), len(bases))
	}
	if len(bases) > MaxLen {
		return fmt.Errorf("pileup: read of %d bases, at most %d", len(bases), MaxLen)
	}
	return nil
}
