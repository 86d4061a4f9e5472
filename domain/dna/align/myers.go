package align

import (
	"math/bits"
	"sync"
)

// task says which cells a sweep visits and where its paths may start and end. Rows are positions of the pattern, columns
// positions of the text, both from 1; row 0 and column 0 lie before the first base.
type task struct {
	lo, hi    int  // the band: column j visits the blocks that hold rows j+lo to j+hi
	store     bool // keep what traceback needs
	freeStart bool // paths may start anywhere in row 0 and column 0
	ends      bool // look for the best end in the last row and, if textEnds, in the last column
	textEnds  bool
	gapsFirst uint64 // all ones: of paths of one cost traceback takes a deletion before a mismatch; 0: after
}

// result is what a sweep found. distance is that of (row, column), which is the last cell unless the task asks for ends.
type result struct {
	distance, row, column int
	bottom                int // the distance at the lower end of the last block, in the last column
	lo, hi, stride        int
	gapsFirst             uint64
}

// prepare fills s.eq for a pattern.
func (s *Scratch) prepare(p []uint8) int {
	blocks := (len(p) + 63) / 64
	s.eq = grow(s.eq, blocks*8)
	clear(s.eq)
	for i, x := range p {
		s.eq[(i>>6)<<3|int(x&7)] |= 1 << (i & 63)
	}
	return blocks
}

// sweep runs the bit-vector algorithm over the columns of the text t for a pattern p, neither empty. Beyond the band it
// takes the values of gaps that run along the band's edge, so every distance is that of an alignment; it is the least of
// those that stay in the band.
func (s *Scratch) sweep(p, t []uint8, k task) result {
	n, m := len(p), len(t)
	blocks := s.prepare(p)
	if blocks == 1 {
		return s.sweepWord(p, t, k)
	}
	s.pv, s.mv = grow(s.pv, blocks), grow(s.mv, blocks)
	r := result{row: n, column: m, lo: k.lo, hi: k.hi, stride: min(blocks, (k.hi-k.lo)>>6+2), gapsFirst: k.gapsFirst}
	if k.store {
		s.trace = grow(s.trace, m*r.stride*2)
	}
	first := max(0, k.lo) >> 6
	start := uint64(0) // how column 0 and row 0 rise
	if !k.freeStart {
		start = 1
	}
	for i := range s.pv {
		s.pv[i], s.mv[i] = -start, 0
	}
	last := min(blocks-1, max(0, k.hi)>>6)
	bottom := 0 // the distance at the lower end of block last
	if !k.freeStart {
		bottom = (last + 1) * 64
	}
	pad := uint(n-1)&63 + 1 // rows of the last block
	best, bestGap := 1<<62, 0
	for j := 1; j <= m; j++ {
		if f := max(0, j+k.lo-1) >> 6; f > first {
			first = f
		}
		if l := min(blocks-1, (j+k.hi-1)>>6); l > last {
			for last < l {
				last++
				s.pv[last], s.mv[last] = ^uint64(0), 0
				bottom += 64
			}
		}
		hp, hn := start, uint64(0)
		if first > 0 {
			hp = 1
		}
		code := int(t[j-1] & 7)
		pvs, mvs := s.pv[first:last+1], s.mv[first:last+1]
		mvs = mvs[:len(pvs)]
		eqs := s.eq[first*8 : (last+1)*8]
		if k.store {
			out := s.trace[(j-1)*r.stride*2:][:2*len(pvs)]
			for i := range pvs {
				pv, mv := pvs[i], mvs[i]
				eq := eqs[i*8+code] | hn
				d0 := ((eq&pv + pv) ^ pv) | eq | mv
				ph := mv | ^(d0 | pv)
				mh := pv & d0
				nextP, nextN := ph>>63, mh>>63
				ph = ph<<1 | hp
				mh = mh<<1 | hn
				pv = mh | ^(d0 | ph)
				pvs[i], mvs[i] = pv, ph&d0
				hp, hn = nextP, nextN
				out[2*i], out[2*i+1] = pv, d0
			}
		} else {
			for i := range pvs {
				pv, mv := pvs[i], mvs[i]
				eq := eqs[i*8+code] | hn
				d0 := ((eq&pv + pv) ^ pv) | eq | mv
				ph := mv | ^(d0 | pv)
				mh := pv & d0
				nextP, nextN := ph>>63, mh>>63
				ph = ph<<1 | hp
				mh = mh<<1 | hn
				pvs[i], mvs[i] = mh|^(d0|ph), ph&d0
				hp, hn = nextP, nextN
			}
		}
		bottom += int(hp) - int(hn)
		if k.ends && last == blocks-1 {
			d := bottom - bits.OnesCount64(s.pv[last]>>pad) + bits.OnesCount64(s.mv[last]>>pad)
			if gap := abs(n - j); d < best || d == best && gap <= bestGap {
				best, bestGap, r.column = d, gap, j
			}
		}
	}
	r.bottom = bottom
	r.distance = bottom - bits.OnesCount64(s.pv[last]>>pad) + bits.OnesCount64(s.mv[last]>>pad)
	if k.ends {
		if k.textEnds {
			d := bottom
			for i := (last + 1) * 64; i > first*64; i-- {
				if gap := abs(m - i); i <= n && (d < best || d == best && gap < bestGap) {
					best, bestGap, r.row, r.column = d, gap, i, m
				}
				bit := uint(i-1) & 63
				d += int(s.mv[(i-1)>>6]>>bit&1) - int(s.pv[(i-1)>>6]>>bit&1)
			}
		}
		r.distance = best
	}
	return r
}

// sweepWord is sweep for a pattern of up to 64 bases: one word, no band.
func (s *Scratch) sweepWord(p, t []uint8, k task) result {
	n, m := len(p), len(t)
	r := result{row: n, column: m, lo: -m, hi: n, stride: 1, gapsFirst: k.gapsFirst}
	if k.store {
		s.trace = grow(s.trace, m*2)
	}
	eqs := (*[8]uint64)(s.eq)
	start := uint64(0)
	d := 0
	if !k.freeStart {
		start, d = 1, n
	}
	pv, mv := -start, uint64(0)
	shift := uint(n-1) & 63
	best, bestGap := 1<<62, 0
	trace := s.trace
	for j, x := range t {
		eq := eqs[x&7]
		d0 := ((eq&pv + pv) ^ pv) | eq | mv
		ph := mv | ^(d0 | pv)
		mh := pv & d0
		d += int(ph>>shift&1) - int(mh>>shift&1)
		ph = ph<<1 | start
		mh <<= 1
		pv = mh | ^(d0 | ph)
		mv = ph & d0
		if k.store {
			trace[2*j], trace[2*j+1] = pv, d0
		}
		if k.ends {
			if gap := abs(n - j - 1); d < best || d == best && gap <= bestGap {
				best, bestGap, r.column = d, gap, j+1
			}
		}
	}
	r.distance, r.bottom = d, d+bits.OnesCount64(pv>>uint(n))-bits.OnesCount64(mv>>uint(n))
	if k.ends {
		if k.textEnds {
			for i := n; i > 0; i-- {
				if gap := abs(m - i); d < best || d == best && gap < bestGap {
					best, bestGap, r.row, r.column = d, gap, i, m
				}
				d += int(mv>>uint(i-1)&1) - int(pv>>uint(i-1)&1)
			}
		}
		r.distance = best
	}
	// Hirschberg's split reads the last column.
	s.pv, s.mv = grow(s.pv, 1), grow(s.mv, 1)
	s.pv[0], s.mv[0] = pv, mv
	return r
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}

// traceback follows a stored sweep back from cell (i, j) until row 0 or column 0, which it returns, and writes to[i-1] for
// each row it passes: the index in the text plus shift, or -1. Of paths of one cost it takes equal bases before gaps, so gaps
// stand as far left as they can; r.gapsFirst says what comes first where the bases differ.
func (s *Scratch) traceback(p, t []uint8, to []int32, shift, i, j int, r result) (int, int) {
	blocks := (len(p) + 63) / 64
	if blocks == 1 {
		for i > 0 && j > 0 {
			if p[i-1] != t[j-1] {
				pv, d0, bit := s.trace[2*j-2], s.trace[2*j-1], uint(i-1)&63
				if (d0|pv&r.gapsFirst)>>bit&1 != 0 {
					if pv>>bit&1 != 0 {
						i--
						to[i] = -1
					} else {
						j--
					}
					continue
				}
			}
			i, j = i-1, j-1
			to[i] = int32(j + shift)
		}
		return i, j
	}
	for i > 0 && j > 0 {
		block := (i - 1) >> 6
		first := max(0, j+r.lo-1) >> 6
		if block < first {
			j-- // above the band
			continue
		}
		if block > min(blocks-1, max(0, j+r.hi-1)>>6) {
			i-- // below the band
			to[i] = -1
			continue
		}
		if p[i-1] != t[j-1] {
			at := ((j-1)*r.stride + block - first) * 2
			bit := uint(i-1) & 63
			pv := s.trace[at]
			if (s.trace[at+1]|pv&r.gapsFirst)>>bit&1 != 0 {
				if pv>>bit&1 != 0 {
					i--
					to[i] = -1
				} else {
					j--
				}
				continue
			}
		}
		i, j = i-1, j-1
		to[i] = int32(j + shift)
	}
	return i, j
}

// Kind is what a column of an alignment is.
type Kind uint8

const (
	Match    Kind = iota // equal bases
	Mismatch             // different bases
	Insert               // bases of b that a lacks
	Delete               // bases of a that b lacks
)

// String returns the SAM letter: =, X, I or D.
func (k Kind) String() string {
	if k > Delete {
		return "?"
	}
	return "=XID"[k : k+1]
}

// Op is a run of columns of one kind. a is the reference: applied from left to right, the runs turn a into b.
type Op struct {
	Kind Kind
	Len  int32
}

// appendOps turns indices into runs. b ends where the alignment ends; to's indices count from b's start, the alignment
// begins at b[from].
func appendOps(ops []Op, a, b []uint8, to []int32, from int) []Op {
	start := len(ops)
	add := func(k Kind, n int) {
		if n <= 0 {
			return
		}
		if l := len(ops); l > start && ops[l-1].Kind == k {
			ops[l-1].Len += int32(n)
			return
		}
		ops = append(ops, Op{k, int32(n)})
	}
	next := from
	for i, j := range to {
		if j < 0 {
			add(Delete, 1)
			continue
		}
		add(Insert, int(j)-next)
		next = int(j) + 1
		if a[i] == b[j] {
			add(Match, 1)
		} else {
			add(Mismatch, 1)
		}
	}
	add(Insert, len(b)-next)
	return ops
}

var pool = sync.Pool{New: func() any { return new(Scratch) }}

// Distance returns the edit distance of a and b: the least number of substitutions, insertions and deletions of one base
// that turn a into b. Time O(len·distance/64). See [Scratch.Distance] for many calls.
func Distance(a, b []uint8) int {
	s := pool.Get().(*Scratch)
	defer pool.Put(s)
	return s.Distance(a, b)
}

// Global appends an alignment of the whole of a with the whole of b to ops: as few edits as possible ([Distance]), gaps
// shifted to the left in a. See [Scratch.Global] for many calls.
func Global(a, b []uint8, ops []Op) []Op {
	s := pool.Get().(*Scratch)
	defer pool.Put(s)
	return s.Global(a, b, ops)
}

// Distance is [Distance] in the scratch's memory.
func (s *Scratch) Distance(a, b []uint8) int {
	n := common(a, b)
	a, b = a[n:], b[n:]
	n = commonEnd(a, b)
	a, b = a[:len(a)-n], b[:len(b)-n]
	d, _ := s.distance(a, b)
	return d
}

// distance returns the edit distance and the half width of a band that holds a best alignment. The band grows until it does
// (Ukkonen 1985): a path that leaves it costs 2·half+|n-m|+2 or more.
func (s *Scratch) distance(a, b []uint8) (d, half int) {
	n, m := len(a), len(b)
	if n == 0 || m == 0 {
		return n + m, 0
	}
	diff := abs(n - m)
	for k := 32; ; k *= 3 {
		d = s.sweep(a, b, task{lo: min(0, n-m) - k, hi: max(0, n-m) + k}).distance
		if d <= diff+2*k+1 {
			return d, max(0, d-diff) / 2
		}
		// No wider than the distance found can need.
		k = min(k, (d-diff)/6+1)
	}
}

// Global is [Global] in the scratch's memory.
func (s *Scratch) Global(a, b []uint8, ops []Op) []Op {
	s.column = grow(s.column, len(a))
	d, half := s.distance(a, b)
	s.global(a, b, s.column, 0, d, half)
	shiftLeft(a, b, s.column)
	return appendOps(ops, a, b, s.column, 0)
}

// traceLimit is the number of words above which an alignment is split (Hirschberg 1975) instead of stored: 32 MiB.
var traceLimit = 1 << 22

// global writes to. d is the distance of a and b, half as in distance.
func (s *Scratch) global(a, b []uint8, to []int32, shift, d, half int) {
	n := common(a, b)
	copy(to[:n], s.counting(shift + n)[shift:])
	a, b, to, shift = a[n:], b[n:], to[n:], shift+n
	if len(a) == 0 || len(b) == 0 {
		clearTo(to)
		return
	}
	n, m := len(a), len(b)
	lo, hi := min(0, n-m)-half, max(0, n-m)+half
	stride := (hi-lo)>>6 + 2
	if m < 2 || m*stride*2 <= traceLimit {
		r := s.sweep(a, b, task{lo: lo, hi: hi, store: true})
		i, _ := s.traceback(a, b, to, shift, n, m, r)
		clearTo(to[:i])
		return
	}
	// Where does a best path cross the middle of b?
	mid := m / 2
	s.left = s.lastColumn(a, b[:mid], lo, hi, s.left)
	s.rev[0], s.rev[1] = reversed(s.rev[0], a), reversed(s.rev[1], b[mid:])
	// Seen from the other end the band lies about diagonal m-n.
	s.right = s.lastColumn(s.rev[0], s.rev[1], n-m-hi, n-m-lo, s.right)
	best, row := 1<<62, 0
	for i := 0; i <= n; i++ {
		if v := int(s.left[i]) + int(s.right[n-i]); v < best {
			best, row = v, i
		}
	}
	dl, dr := int(s.left[row]), int(s.right[n-row])
	s.global(a[:row], b[:mid], to[:row], shift, dl, max(0, dl-abs(row-mid))/2)
	s.global(a[row:], b[mid:], to[row:], shift+mid, dr, max(0, dr-abs(n-row-m+mid))/2)
}

// lastColumn returns the distances of all prefixes of p to t, those outside the band as very large.
func (s *Scratch) lastColumn(p, t []uint8, lo, hi int, out []int32) []int32 {
	const outside = 1 << 29
	n, m := len(p), len(t)
	out = grow(out, n+1)
	for i := range out {
		out[i] = outside
	}
	blocks := (n + 63) / 64
	first, last := max(0, m+lo-1)>>6, min(blocks-1, max(0, m+hi-1)>>6)
	// The distance at the lower end of the band, then upwards.
	d := s.sweep(p, t, task{lo: lo, hi: hi}).bottom
	for i := (last + 1) * 64; i >= first*64; i-- {
		if i <= n {
			out[i] = int32(d)
		}
		if i > 0 {
			bit := uint(i-1) & 63
			if i > first*64 {
				d += int(s.mv[(i-1)>>6]>>bit&1) - int(s.pv[(i-1)>>6]>>bit&1)
			}
		}
	}
	return out
}

// reversed copies x backwards into out.
func reversed(out, x []uint8) []uint8 {
	out = grow(out, len(x))
	for i, v := range x {
		out[len(x)-1-i] = v
	}
	return out
}
