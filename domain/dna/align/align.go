// Package align lays two overlapping reads over one another.
//
// [Scratch.Overlap] is the call most users need: from a few seeds (exact matches) it finds which base of read b lies over
// every base of read a, without allocating. [Distance] and [Global] give the edit distance and a full alignment of two
// sequences.
//
// Sequences are base codes, one a byte: 0 A, 1 C, 2 G, 3 T, 4 N. Bases are compared by their codes alone, so N equals N
// only. Codes above 7 are outside the contract: they do no harm, but what comes out means nothing.
//
// How it works: an overlap whose seeds lie on one diagonal is first compared base by base, eight bytes at a time. Where
// that finds more than a mismatch or two, the seeds are chained as in minimap2 (Li, Bioinformatics 34, 2018), the stretches
// between neighbouring seeds are aligned by Myers' bit-vector algorithm (J. ACM 46, 1999) in Hyyrö's form with blocks
// (2003) and with a band as in Edlib (Šošić & Šikić, 2017), and the ends are extended until one of the reads ends. The cost
// is the edit distance: a mismatch, an inserted or a deleted base cost 1 each.
//
// Of the alignments of one cost the gaps of the one given are shifted to the left in a's direction as far as the bases
// allow, whatever the strand of b. So all reads that lack a base of a homopolymer of a say so at the same position.
package align

import (
	"errors"
	"fmt"
)

// Seed is an exact match: a[A:A+Len] equals b[B:B+Len]. For a match with the other strand the caller hands over the
// reverse complement of b and positions in it. Seeds that lie outside the reads or do not match are passed over.
type Seed struct{ A, B, Len int32 }

// Options say which overlaps are wanted. The zero value is not valid: start from [Short] or [Long].
type Options struct {
	// MinOverlap is the least number of bases of a in an overlap, 1 or more.
	MinOverlap int
	// MaxDivergence is the largest share of edits (mismatches and gap bases) among the columns of the alignment, in (0, 1].
	MaxDivergence float64
	// Band is how far, in bases, the alignment may leave the straight line between two seeds, and how far two neighbouring
	// seeds may differ in their diagonals; 1 or more. Time and memory grow with it in steps of 64.
	Band int
	// XDrop cuts an end: where the score (2 a match, -3 an edit, -1 each further base of one gap) from some column to the end
	// of the overlap falls below -XDrop, the alignment stops at the best column. 0 never cuts.
	XDrop int
	// MaxOverhang is the largest number of bases by which both reads may go on beyond one end of the overlap, after XDrop has cut.
	// A true overlap ends where a read ends, so a long overhang tells of a repeat or a chimera. Negative means no limit.
	MaxOverhang int
	// PreferGaps takes, of alignments of one cost, a deletion before a mismatch. It suits sequencers whose errors are mostly
	// insertions and deletions: more missing bases then stand where they are missing.
	PreferGaps bool
}

func (o Options) gapsFirst() uint64 {
	if o.PreferGaps {
		return ^uint64(0)
	}
	return 0
}

// Short returns the options for short accurate reads: 30 bases or more, at most 8 % edits, indels up to 16 bases.
func Short() Options {
	return Options{MinOverlap: 30, MaxDivergence: 0.08, Band: 16, XDrop: 30, MaxOverhang: -1}
}

// Long returns the options for long noisy reads (10 to 15 % errors in each): 500 bases or more, at most 35 % edits.
func Long() Options {
	return Options{MinOverlap: 500, MaxDivergence: 0.35, Band: 128, XDrop: 100, MaxOverhang: -1, PreferGaps: true}
}

// Validate says which option is out of range.
func (o Options) Validate() error {
	switch {
	case o.MinOverlap < 1:
		return fmt.Errorf("align: min_overlap is %d, it must be 1 or more", o.MinOverlap)
	case !(o.MaxDivergence > 0 && o.MaxDivergence <= 1):
		return fmt.Errorf("align: max_divergence is %g, it must lie in (0, 1]", o.MaxDivergence)
	case o.Band < 1 || o.Band > 1<<20:
		return fmt.Errorf("align: band is %d, it must lie in 1..%d", o.Band, 1<<20)
	case o.XDrop < 0:
		return errors.New("align: x_drop is negative, it must be 0 (never cut) or more")
	}
	return nil
}

// Overlap is how b lies over a: a[AFrom:ATo] over b[BFrom:BTo]. Its memory is reused by the next call.
type Overlap struct {
	AFrom, ATo, BFrom, BTo int
	// B has the length ATo-AFrom. B[i] is the index in b of the base that lies over a[AFrom+i], or -1 where b lacks it.
	// Indices that are not -1 rise strictly; bases of b between two of them are inserted after the left one's column (after
	// the deletion, where one lies between). The first and the last entry are never -1.
	B []int32
	// Matches and Mismatches count pairs of bases; Gaps counts the bases of a that b lacks and those that b inserts.
	Matches, Mismatches, Gaps int
}

// Edits is the number of mismatches and gap bases: the edit distance of a[AFrom:ATo] and b[BFrom:BTo] along this alignment.
func (o *Overlap) Edits() int { return o.Mismatches + o.Gaps }

// Divergence is the share of edits among the columns of the alignment, in [0, 1]; 0 for the empty overlap.
func (o *Overlap) Divergence() float64 {
	n := o.Matches + o.Edits()
	if n == 0 {
		return 0
	}
	return float64(o.Edits()) / float64(n)
}

// Ops appends the overlap's columns to ops, from left to right: applied to a[AFrom:ATo] they give b[BFrom:BTo]. a and b are
// the reads given to [Scratch.Overlap].
func (o *Overlap) Ops(a, b []uint8, ops []Op) []Op {
	return appendOps(ops, a[o.AFrom:o.ATo], b[:o.BTo], o.B, o.BFrom)
}

// Scratch is the memory of the aligner. The zero value is ready; it grows to what the longest reads need and is then reused.
// One goroutine at a time may use it.
type Scratch struct {
	eq          []uint64   // [blocks, 8]: where in the pattern each code stands
	pv, mv      []uint64   // [blocks]: rises and falls of the current column
	trace       []uint64   // [columns, blocks of the band, 2]: rises, and diagonals without cost
	count       []int32    // 0, 1, 2, ...
	anchors     []Seed     // the chain
	score       []int32    // [anchors]
	from        []int32    // [anchors]
	left, right []int32    // Hirschberg's two columns
	rev         [2][]uint8 // the reversed halves
	column      []int32    // of Global
}

// chunk is how many bases of a the ends are extended by at once: a few blocks, so that a true end is seldom far.
const chunk = 256

// Overlap aligns b to a through the seeds and fills out. It reports whether there is an overlap that opt allows; if not, out's
// contents mean nothing. One seed suffices; seeds may come in any order, and of contradicting ones the best chain is followed.
// The alignment is extended to where a read ends (dovetail or containment), unless opt.XDrop cuts it.
//
// The result depends on the arguments alone. Options must be valid.
func (s *Scratch) Overlap(a, b []uint8, seeds []Seed, opt Options, out *Overlap) bool {
	if len(seeds) == 0 || len(a) < opt.MinOverlap || len(b) == 0 {
		return false
	}
	diagonal := seeds[0].B - seeds[0].A
	same := true
	for _, x := range seeds[1:] {
		if x.B-x.A != diagonal {
			same = false
			break
		}
	}
	hamming, chained := -1, false
	if !same {
		if !s.chain(a, b, seeds, opt.Band) {
			return false
		}
		chained = true
		diagonal = s.anchors[0].B - s.anchors[0].A
		same = true
		for _, x := range s.anchors[1:] {
			same = same && x.B-x.A == diagonal
		}
	}
	if same {
		d := int(diagonal)
		from := max(0, -d)
		n := min(len(a)-from, len(b)-from-d)
		if n+opt.Band < opt.MinOverlap || n <= 0 {
			return false
		}
		limit := int(opt.MaxDivergence * float64(n))
		if h := mismatches(a[from:from+n], b[from+d:from+d+n], limit); h <= limit {
			hamming = h
			// A gap costs an edit at least, and is not worth less than two.
			if h <= 2 && (opt.XDrop == 0 || 3*h <= opt.XDrop) {
				return s.straight(n, from, d, h, opt, out)
			}
		}
	}
	if !chained && !s.chain(a, b, seeds, opt.Band) {
		return false
	}
	ok := s.gapped(a, b, opt, out)
	if hamming >= 0 && (!ok || hamming-out.Edits() < 2) && (opt.XDrop == 0 || 3*hamming <= opt.XDrop) {
		// As in gapPays.
		d := int(diagonal)
		from := max(0, -d)
		return s.straight(min(len(a)-from, len(b)-from-d), from, d, hamming, opt, out)
	}
	return ok
}

// straight fills out with n pairs on diagonal d.
func (s *Scratch) straight(n, from, d, hamming int, opt Options, out *Overlap) bool {
	if n < opt.MinOverlap {
		return false
	}
	out.AFrom, out.ATo, out.BFrom, out.BTo = from, from+n, from+d, from+d+n
	out.Matches, out.Mismatches, out.Gaps = n-hamming, hamming, 0
	out.B = append(out.B[:0], s.counting(from + d + n)[from+d:]...)
	return true
}

// counting returns 0, 1, ..., n-1.
func (s *Scratch) counting(n int) []int32 {
	if len(s.count) < n {
		s.count = make([]int32, n+n/2)
		for i := range s.count {
			s.count[i] = int32(i)
		}
	}
	return s.count[:n]
}

// gapped aligns along s.anchors.
func (s *Scratch) gapped(a, b []uint8, opt Options, out *Overlap) bool {
	if cap(out.B) < len(a) {
		out.B = make([]int32, len(a)+len(a)/4)
	}
	to := out.B[:len(a)]
	count := s.counting(len(b))
	first := s.anchors[0]
	i, j := int(first.A), int(first.B)
	allowed := opt.MaxDivergence * float64(2*min(len(a), len(b))+2*opt.Band)
	edits := 0
	for n, x := range s.anchors {
		if n > 0 {
			edits += s.between(a[i:x.A], b[j:x.B], to[i:x.A], j, opt)
			if float64(edits) > allowed {
				return false
			}
		}
		i, j = int(x.A), int(x.B)
		copy(to[i:i+int(x.Len)], count[j:])
		i, j = i+int(x.Len), j+int(x.Len)
	}
	end := s.extendRight(a, b, to, i, j, opt)
	start := s.extendLeft(a, b, to, int(first.A), int(first.B), opt)
	for end > start && to[end-1] < 0 {
		end--
	}
	if start == end {
		return false
	}
	shiftLeft(a[start:end], b[:to[end-1]+1], to[start:end])
	for to[start] < 0 {
		start++ // a gap that got to the free end
	}
	return s.finish(a, b, to, start, end, opt, out)
}

// finish cuts bad ends, counts, and says whether opt allows the overlap.
func (s *Scratch) finish(a, b []uint8, to []int32, start, end int, opt Options, out *Overlap) bool {
	for pass := 0; ; pass++ {
		matches, mismatch, gaps := 0, 0, 0
		sum, lowest, highest := 0, 0, 0
		low, high := start, end
		last := int(to[start]) - 1
		for i := start; i < end; i++ {
			j := int(to[i])
			if j < 0 {
				gaps++
				if i > start && to[i-1] < 0 {
					sum--
				} else {
					sum -= 3
				}
				continue
			}
			if in := j - last - 1; in > 0 {
				gaps += in
				sum -= 2 + in
			}
			last = j
			if sum < lowest {
				lowest, low = sum, i
			}
			if a[i] == b[j] {
				matches++
				sum += 2
			} else {
				mismatch++
				sum -= 3
			}
			if sum >= highest {
				highest, high = sum, i+1
			}
		}
		cutLeft, cutRight := opt.XDrop > 0 && -lowest > opt.XDrop, opt.XDrop > 0 && highest-sum > opt.XDrop
		if pass == 0 && (cutLeft || cutRight) {
			if cutLeft {
				start = low
			}
			if cutRight {
				end = high
			}
			if start >= end {
				return false
			}
			continue
		}
		out.AFrom, out.ATo, out.BFrom, out.BTo = start, end, int(to[start]), last+1
		out.Matches, out.Mismatches, out.Gaps = matches, mismatch, gaps
		break
	}
	copy(to, to[start:end])
	out.B = to[:end-start]
	if end-start < opt.MinOverlap || float64(out.Edits()) > opt.MaxDivergence*float64(out.Matches+out.Edits()) {
		return false
	}
	over := max(min(start, out.BFrom), min(len(a)-end, len(b)-out.BTo))
	return opt.MaxOverhang < 0 || over <= opt.MaxOverhang
}

// between aligns the stretch between two anchors, all of a with all of b, into to (indices shifted by shift), and returns
// its edits.
func (s *Scratch) between(a, b []uint8, to []int32, shift int, opt Options) int {
	n, m := len(a), len(b)
	if n == m {
		// Of equal lengths, fewer than two edits are mismatches: no gaps can beat two mismatches.
		if h := mismatches(a, b, 2); h <= 2 {
			copy(to, s.counting(shift + m)[shift:])
			return h
		}
	}
	if n == 0 {
		return m
	}
	if m == 0 {
		clearTo(to)
		return n
	}
	k := min(opt.Band, 32+max(n, m)/8)
	r := s.sweep(a, b, task{lo: min(0, n-m) - k, hi: max(0, n-m) + k, store: true, gapsFirst: opt.gapsFirst()})
	i, _ := s.traceback(a, b, to, shift, n, m, r)
	clearTo(to[:i])
	return r.distance
}

// clearTo marks positions of a that b lacks.
func clearTo(to []int32) {
	for i := range to {
		to[i] = -1
	}
}

// hopeless is the share of edits of a whole chunk above which an extension ends: unrelated sequence has about 0.5.
const hopeless = 0.45

// gapTries is the largest number of mismatches for which gapPays looks for something better.
const gapTries = 8

// gapPays reports whether a path with gaps from the start of a and b (their end, if not forwards) to where one of them ends
// saves two edits or more over h mismatches on one diagonal; above gapTries it says yes unseen. A gap near an end that saves
// a single edit is more often two mismatches. It follows the furthest points on each diagonal (Landau & Vishkin 1986).
func gapPays(a, b []uint8, h int, forwards bool) bool {
	if h < 3 || h > gapTries {
		return h > gapTries
	}
	slide := func(i, j int) int {
		if forwards {
			return i + common(a[i:], b[j:])
		}
		return i + commonEnd(a[:len(a)-i], b[:len(b)-j])
	}
	const none = -1 << 30
	// reach[d+gapTries] is how far into a the edits so far get on diagonal d: d more bases of a used than of b.
	var reach [2*gapTries + 1]int
	for i := range reach {
		reach[i] = none
	}
	for edits := 0; edits <= h-2; edits++ {
		left := none // reach of diagonal d-1 before this edit
		for d := -edits; d <= edits; d++ {
			i := 0
			if edits > 0 {
				i = max(reach[d+gapTries]+1, left+1, reach[d+1+gapTries])
			}
			left = reach[d+gapTries]
			j := i - d
			if i >= len(a) || j >= len(b) {
				return true
			}
			reach[d+gapTries] = slide(i, j)
			if i = reach[d+gapTries]; i == len(a) || i-d == len(b) {
				return true
			}
		}
	}
	return false
}

// extendRight aligns from a[i], b[j] on until a read ends, and returns the end in a.
func (s *Scratch) extendRight(a, b []uint8, to []int32, i, j int, opt Options) int {
	count := s.counting(len(b))
	for {
		if n := common(a[i:], b[j:]); n > 0 {
			copy(to[i:i+n], count[j:])
			i, j = i+n, j+n
		}
		restA, restB := len(a)-i, len(b)-j
		if restA == 0 || restB == 0 {
			return i
		}
		if n := min(restA, restB); n <= chunk && !gapPays(a[i:], b[j:], mismatches(a[i:i+n], b[j:j+n], gapTries), true) {
			copy(to[i:i+n], count[j:])
			return i + n
		}
		k := min(opt.Band, 64)
		n := restA
		if n > chunk+chunk/2 {
			n = chunk
		}
		n = min(n, restB+k)
		m := min(restB, n+k)
		p, t := a[i:i+n], b[j:j+m]
		r := s.sweep(p, t, task{lo: -k, hi: k, store: true, ends: true, textEnds: m == restB, gapsFirst: opt.gapsFirst()})
		c, _ := s.traceback(p, t, to[i:i+n], j, r.row, r.column, r)
		clearTo(to[i : i+c])
		if r.column == m && m == restB || r.row == n && n == restA {
			return i + r.row
		}
		stop := r.row
		if float64(r.distance) <= hopeless*float64(r.row) {
			stop = r.row * 3 / 4
		}
		c = stop
		for c > 0 && to[i+c-1] < 0 {
			c--
		}
		if c == 0 {
			return i
		}
		i, j = i+c, int(to[i+c-1])+1
		if stop == r.row {
			return i
		}
	}
}

// extendLeft aligns what lies before a[i], b[j] until a read begins, and returns the start in a.
func (s *Scratch) extendLeft(a, b []uint8, to []int32, i, j int, opt Options) int {
	count := s.counting(len(b))
	for {
		if n := commonEnd(a[:i], b[:j]); n > 0 {
			i, j = i-n, j-n
			copy(to[i:i+n], count[j:])
		}
		if i == 0 || j == 0 {
			return i
		}
		if n := min(i, j); n <= chunk && !gapPays(a[:i], b[:j], mismatches(a[i-n:i], b[j-n:j], gapTries), false) {
			copy(to[i-n:i], count[j-n:])
			return i - n
		}
		k := min(opt.Band, 64)
		n := i
		if n > chunk+chunk/2 {
			n = chunk
		}
		n = min(n, j+k)
		m := min(j, n+k)
		p, t := a[i-n:i], b[j-m:j]
		r := s.sweep(p, t, task{lo: n - m - k, hi: n - m + k, store: true, freeStart: true, gapsFirst: opt.gapsFirst()})
		row, column := s.traceback(p, t, to[i-n:i], j-m, n, m, r)
		if row == 0 && n == i || column == 0 && m == j {
			return i - n + row
		}
		stop := row
		if float64(r.distance) <= hopeless*float64(n-row) {
			stop = max(row, n/4)
		}
		c := stop
		for c < n && to[i-n+c] < 0 {
			c++
		}
		if c == n {
			return i
		}
		i, j = i-n+c, int(to[i-n+c])
		if stop == row {
			return i
		}
	}
}
