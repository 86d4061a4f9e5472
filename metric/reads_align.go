package metric

import "bytes"

// The alignment of a true, a raw and a corrected read. Columns are bit sets of the sequences that
// have a base in them.
const (
	inTrue      = 1
	inRaw       = 2
	inCorrected = 4
	inAll       = inTrue | inRaw | inCorrected
)

const (
	alignDirect = 48  // highest sum-of-pairs cost tried on whole reads
	alignPiece  = 64  // and on the pieces between anchors
	alignStored = 192 // edits up to which a pairwise alignment keeps its wavefronts
	anchorRun   = 12  // true bases that both other reads match, one after another
	anchorEdge  = 3   // of these, bases left to the pieces at either side
	trimLeast   = 3   // bases missing at one end of a corrected read that make a trim
	seedLeast   = 512 // length from which a pairwise alignment is cut at a seed where there is one
	seedSize    = 20  // bases of a seed, which occurs once in its neighbourhood
)

// aligner aligns triples of reads; its memory is reused. Codes are 0 to 3 for A, C, G, T, 4 for N
// and 5 for what else a true read may hold.
//
// The cost of a column is the number of unequal pairs among its three signs, a gap being a sign of
// its own (unit sum-of-pairs cost): nothing for three equal signs, 2 where one differs, 3 where
// all do. Up to [alignDirect] the alignment is optimal: wavefronts in three dimensions (Ukkonen
// 1985 and Marco-Sola et al. 2021, one dimension up), in the order of A* with the differences of the
// lengths that are left as lower bound. Both facts that wavefronts need hold for this cost: a
// column of three equal signs may always be taken, and further along a diagonal is never worse.
type aligner struct {
	ops []uint8 // columns of the last alignment

	// wavefronts of three
	states  []state3
	buckets [][]int32
	best    []int32

	// pairwise
	front       []int32
	fwd, bwd    [2][]int32
	pairA       []uint8 // ops of true and raw: 1 true only, 2 other only, 3 both
	pairB       []uint8 // ops of true and corrected
	two, rev    []uint8
	rawAt, ecAt []int32 // partner of a true base, -1 without
	ra, rb      []uint8 // reversed
	origin      [2][]int32
}

type state3 struct {
	d1, d2 int32 // raw and corrected position minus true position
	start  int32 // true position after the move, before the equal columns
	end    int32 // and after them
	parent int32
	move   uint8
	cost   int32
}

// align3 fills g.ops with the columns of t, r and c.
func (g *aligner) align3(t, r, c []uint8) {
	g.ops = g.ops[:0]
	head, tail := 0, 0
	if len(r)-len(c) >= trimLeast {
		head, tail = g.trim(r, c)
	}
	if head+tail == 0 {
		g.inner(t, r, c)
		return
	}
	// What was cut off lies in the raw read: the true bases that go with it come from their alignment.
	g.pairA = g.pair(g.pairA[:0], t, r)
	from, i, j := 0, 0, 0
	n := len(g.pairA)
	for from < n && j < head {
		i, j = step2(g.pairA[from], i, j)
		from++
	}
	to, it, jt := n, len(t), len(r)
	for to > from && jt > len(r)-tail {
		i2, j2 := step2(g.pairA[to-1], 0, 0)
		it, jt = it-i2, jt-j2
		to--
	}
	left, right := g.pairA[:from], append([]uint8(nil), g.pairA[to:]...)
	g.ops = append(g.ops, left...)
	g.inner(t[i:it], r[j:jt], c)
	g.ops = append(g.ops, right...)
}

func step2(op uint8, i, j int) (int, int) { return i + int(op&1), j + int(op>>1&1) }

// inner appends the columns of three reads without trimmed ends.
func (g *aligner) inner(t, r, c []uint8) {
	bound := alignDirect
	if len(t) == len(r) && len(t) == len(c) {
		flat := 0
		for i, b := range t {
			flat += pairs(b, r[i], c[i])
		}
		// Without a gap this is the cost; two columns with gaps cost 4 at least.
		if flat <= 4 || flat-1 <= bound {
			if flat <= 4 || !g.wave3(t, r, c, flat-1) {
				for range t {
					g.ops = append(g.ops, inAll)
				}
			}
			return
		}
	}
	if g.twins(t, r, c) || g.wave3(t, r, c, bound) {
		return
	}
	g.pieces(t, r, c)
}

// twins appends the columns where two of the three are equal: an alignment of two with the fewest
// edits is optimal then, since each of the two unequal pairs costs that at least.
func (g *aligner) twins(t, r, c []uint8) bool {
	one, other := uint8(inTrue), uint8(inRaw|inCorrected)
	switch {
	case bytes.Equal(r, c):
	case bytes.Equal(t, c):
		one, other = inTrue|inCorrected, inRaw
	case bytes.Equal(t, r):
		one, other, r = inTrue|inRaw, inCorrected, c
	default:
		return false
	}
	g.two = g.pair(g.two[:0], t, r)
	columns := [4]uint8{1: one, 2: other, 3: inAll}
	for _, op := range g.two {
		g.ops = append(g.ops, columns[op])
	}
	return true
}

func pairs(a, b, c uint8) int {
	n := 0
	if a != b {
		n++
	}
	if a != c {
		n++
	}
	if b != c {
		n++
	}
	return n
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}

// wave3 appends the columns of an optimal alignment if its cost is at most limit, else nothing.
func (g *aligner) wave3(t, r, c []uint8, limit int) bool {
	nt, nr, nc := len(t), len(r), len(c)
	e1, e2 := nr-nt, nc-nt
	left := func(d1, d2 int) int { return abs(e1-d1) + abs(e2-d2) + abs(e1-d1-e2+d2) }
	if limit < 0 || left(0, 0) > limit {
		return false
	}
	radius := limit/2 + 1
	width := 2*radius + 1
	if len(g.best) < width*width {
		g.best = make([]int32, width*width)
	}
	best := g.best[:width*width]
	for i := range best {
		best[i] = -1
	}
	for len(g.buckets) <= limit {
		g.buckets = append(g.buckets, nil)
	}
	for i := range g.buckets {
		g.buckets[i] = g.buckets[i][:0]
	}
	g.states = g.states[:0]
	// push adds a state unless another one is as far at no more cost; equal columns are taken at once.
	push := func(d1, d2, i, cost int, parent int32, move uint8) {
		f := cost + left(d1, d2)
		if f > limit || abs(d1) > radius || abs(d2) > radius {
			return
		}
		end := i
		for end < nt && end+d1 < nr && end+d2 < nc && t[end] == r[end+d1] && t[end] == c[end+d2] {
			end++
		}
		if at := (d1+radius)*width + d2 + radius; best[at] >= int32(end) {
			// A state is pushed with a cost that may be above that of a later one: only those
			// that are settled count, see below.
			return
		}
		g.states = append(g.states, state3{int32(d1), int32(d2), int32(i), int32(end), parent, move, int32(cost)})
		g.buckets[f] = append(g.buckets[f], int32(len(g.states)-1))
	}
	push(0, 0, 0, 0, -1, 0)
	for f := 0; f <= limit; f++ {
		for n := 0; n < len(g.buckets[f]); n++ {
			id := g.buckets[f][n]
			s := g.states[id]
			d1, d2, i := int(s.d1), int(s.d2), int(s.end)
			at := (d1+radius)*width + d2 + radius
			if best[at] >= s.end {
				continue
			}
			best[at] = s.end
			j, k := i+d1, i+d2
			if i == nt && j == nr && k == nc {
				g.back3(id)
				return true
			}
			cost := int(s.cost)
			hasT, hasR, hasC := i < nt, j < nr, k < nc
			if hasT && hasR && hasC {
				push(d1, d2, i+1, cost+pairs(t[i], r[j], c[k]), id, inAll)
			}
			if hasT && hasR {
				push(d1, d2-1, i+1, cost+2+unequal(t[i], r[j]), id, inTrue|inRaw)
			}
			if hasT && hasC {
				push(d1-1, d2, i+1, cost+2+unequal(t[i], c[k]), id, inTrue|inCorrected)
			}
			if hasR && hasC {
				push(d1+1, d2+1, i, cost+2+unequal(r[j], c[k]), id, inRaw|inCorrected)
			}
			if hasT {
				push(d1-1, d2-1, i+1, cost+2, id, inTrue)
			}
			if hasR {
				push(d1+1, d2, i, cost+2, id, inRaw)
			}
			if hasC {
				push(d1, d2+1, i, cost+2, id, inCorrected)
			}
		}
	}
	return false
}

func unequal(a, b uint8) int {
	if a != b {
		return 1
	}
	return 0
}

func (g *aligner) back3(id int32) {
	from := len(g.ops)
	for id >= 0 {
		s := g.states[id]
		for n := s.end - s.start; n > 0; n-- {
			g.ops = append(g.ops, inAll)
		}
		if s.move != 0 {
			g.ops = append(g.ops, s.move)
		}
		id = s.parent
	}
	reverse(g.ops[from:])
}

func reverse(b []uint8) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

// pieces aligns raw and corrected with true, takes stretches where both agree with it as they are
// and aligns what lies between.
func (g *aligner) pieces(t, r, c []uint8) {
	g.pairA = g.pair(g.pairA[:0], t, r)
	g.pairB = g.pair(g.pairB[:0], t, c)
	g.rawAt = partners(g.rawAt[:0], g.pairA)
	g.ecAt = partners(g.ecAt[:0], g.pairB)
	i0, j0, k0 := 0, 0, 0
	flush := func(i, j, k int) {
		if p, q, v := t[i0:i], r[j0:j], c[k0:k]; !g.twins(p, q, v) && !g.wave3(p, q, v, alignPiece) {
			g.merge(i0, i, j0, j, k0, k)
		}
		i0, j0, k0 = i, j, k
	}
	equal := func(i int) bool {
		j, k := g.rawAt[i], g.ecAt[i]
		return j >= 0 && k >= 0 && r[j] == t[i] && c[k] == t[i]
	}
	for i := 0; i < len(t); {
		if !equal(i) {
			i++
			continue
		}
		end := i + 1
		for end < len(t) && equal(end) && g.rawAt[end] == g.rawAt[end-1]+1 && g.ecAt[end] == g.ecAt[end-1]+1 {
			end++
		}
		if end-i >= anchorRun {
			from, to := i+anchorEdge, end-anchorEdge
			flush(from, int(g.rawAt[from]), int(g.ecAt[from]))
			for n := from; n < to; n++ {
				g.ops = append(g.ops, inAll)
			}
			i0, j0, k0 = to, int(g.rawAt[to-1])+1, int(g.ecAt[to-1])+1
		}
		i = end
	}
	flush(len(t), len(r), len(c))
}

// partners lists for every true base the index of the base aligned with it, or -1.
func partners(dst []int32, ops []uint8) []int32 {
	j := int32(0)
	for _, op := range ops {
		switch op {
		case 1:
			dst = append(dst, -1)
		case 2:
			j++
		default:
			dst = append(dst, j)
			j++
		}
	}
	return dst
}

// merge appends the columns of a piece as the two pairwise alignments have them, on the places of
// the true read; bases that both insert there share columns from the left.
func (g *aligner) merge(i0, i1, j0, j1, k0, k1 int) {
	j, k := j0, k0
	insert := func(jn, kn int) {
		for j < jn && k < kn {
			g.ops = append(g.ops, inRaw|inCorrected)
			j, k = j+1, k+1
		}
		for ; j < jn; j++ {
			g.ops = append(g.ops, inRaw)
		}
		for ; k < kn; k++ {
			g.ops = append(g.ops, inCorrected)
		}
	}
	for i := i0; i < i1; i++ {
		op, jn, kn := uint8(inTrue), j, k
		if p := int(g.rawAt[i]); p >= j {
			op, jn = op|inRaw, p
		}
		if p := int(g.ecAt[i]); p >= k {
			op, kn = op|inCorrected, p
		}
		insert(jn, kn)
		g.ops = append(g.ops, op)
		if op&inRaw != 0 {
			j++
		}
		if op&inCorrected != 0 {
			k++
		}
	}
	insert(j1, k1)
}

// pair appends the columns of an alignment of a and b with the fewest edits (Levenshtein): 1 for a
// base of a only, 2 of b only, 3 of both. Wavefronts of furthest points; where there are more than
// alignStored edits it is cut at a point where wavefronts from both ends meet, so that memory is
// linear (Hirschberg 1975, Myers 1986). Sequences of seedLeast bases and more are cut at seeds
// before, which an alignment with the fewest edits could in rare cases avoid.
func (g *aligner) pair(dst, a, b []uint8) []uint8 {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		dst, a, b = append(dst, 3), a[1:], b[1:]
	}
	tail := 0
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail, a, b = tail+1, a[:len(a)-1], b[:len(b)-1]
	}
	switch {
	case len(a) == 0:
		for range b {
			dst = append(dst, 2)
		}
	case len(b) == 0:
		for range a {
			dst = append(dst, 1)
		}
	default:
		i, j, ok := 0, 0, false
		if min(len(a), len(b)) >= seedLeast {
			i, j, ok = seed(a, b)
		}
		if !ok {
			if dst, ok = g.stored(dst, a, b); ok {
				break
			}
			i, j = g.meet(a, b)
		}
		dst = g.pair(dst, a[:i], b[:j])
		dst = g.pair(dst, a[i:], b[j:])
	}
	for ; tail > 0; tail-- {
		dst = append(dst, 3)
	}
	return dst
}

// seed returns the middle of a stretch of seedSize bases, near the middle of a, that a and b share
// and that occurs once in the neighbourhood of that place in both.
func seed(a, b []uint8) (i, j int, ok bool) {
	around := 100 + len(a)/8
	for n := range 400 {
		p := len(a)/2 + (n+1)/2*(1-n&1*2)
		if p < 0 || p+seedSize > len(a) {
			continue
		}
		word := a[p : p+seedSize]
		at := int(int64(p) * int64(len(b)) / int64(len(a)))
		from, to := max(0, at-around), min(len(b), at+around)
		x := bytes.Index(b[from:to], word)
		if x < 0 || bytes.Contains(b[from+x+1:to], word) {
			continue
		}
		lo, hi := max(0, p-around), min(len(a), p+around)
		if bytes.Index(a[lo:hi], word) != p-lo || bytes.Contains(a[p+1:hi], word) {
			continue
		}
		return p + seedSize/2, from + x + seedSize/2, true
	}
	return 0, 0, false
}

const unreached = -1 << 30

// next is the furthest point (as a position in a) of diagonal k (b minus a) after one more edit
// than prev, before equal bases, and the edit that leads there. prev holds diagonals -e..e.
func next(prev []int32, e, k, na, nb int) (v int32, op uint8) {
	v = unreached
	if x := k + e; x >= 0 && x < len(prev) { // substitution
		if p := prev[x]; p >= 0 && int(p) < na && int(p)+k < nb {
			v, op = p+1, 3
		}
	}
	if x := k + 1 + e; x >= 0 && x < len(prev) { // base of a only
		if p := prev[x]; p >= 0 && int(p) < na && p+1 > v {
			v, op = p+1, 1
		}
	}
	if x := k - 1 + e; x >= 0 && x < len(prev) { // base of b only
		if p := prev[x]; p >= 0 && int(p)+k <= nb && p > v {
			v, op = p, 2
		}
	}
	return v, op
}

// slide goes on over equal bases.
func slide(a, b []uint8, i int32, k int) int32 {
	if i < 0 {
		return i
	}
	n := min(len(a), len(b)-k)
	x := int(i)
	for x < n && a[x] == b[x+k] {
		x++
	}
	return int32(x)
}

// stored appends the alignment of a and b if it has at most alignStored edits.
func (g *aligner) stored(dst, a, b []uint8) ([]uint8, bool) {
	na, nb := len(a), len(b)
	goal := nb - na
	if abs(goal) > alignStored {
		return dst, false
	}
	if len(g.front) < (alignStored+1)*(alignStored+1) {
		g.front = make([]int32, (alignStored+1)*(alignStored+1))
	}
	row := func(e int) []int32 { return g.front[e*e : (e+1)*(e+1)] } // 2e+1 diagonals
	row(0)[0] = slide(a, b, 0, 0)
	e := 0
	for abs(goal) > e || row(e)[goal+e] < int32(na) {
		if e++; e > alignStored {
			return dst, false
		}
		cur, prev := row(e), row(e-1)
		for k := -e; k <= e; k++ {
			v, _ := next(prev, e-1, k, na, nb)
			cur[k+e] = slide(a, b, v, k)
		}
	}
	g.rev = g.rev[:0]
	i, k := int32(na), goal
	for ; e > 0; e-- {
		v, op := next(row(e-1), e-1, k, na, nb)
		for ; i > v; i-- {
			g.rev = append(g.rev, 3)
		}
		g.rev = append(g.rev, op)
		switch op {
		case 1:
			i, k = i-1, k+1
		case 2:
			k--
		default:
			i--
		}
	}
	for ; i > 0; i-- {
		g.rev = append(g.rev, 3)
	}
	reverse(g.rev)
	return append(dst, g.rev...), true
}

// meet returns a point of an optimal alignment of a and b, about half of its edits from either end.
func (g *aligner) meet(a, b []uint8) (i, j int) {
	na, nb := len(a), len(b)
	g.ra, g.rb = append(g.ra[:0], a...), append(g.rb[:0], b...)
	reverse(g.ra)
	reverse(g.rb)
	goal := nb - na
	f, r := &g.fwd, &g.bwd
	f[0] = append(f[0][:0], slide(a, b, 0, 0))
	r[0] = append(r[0][:0], slide(g.ra, g.rb, 0, 0))
	step := func(w *[2][]int32, a, b []uint8, e int) {
		prev, cur := w[0], w[1][:0]
		for k := -e; k <= e; k++ {
			v, _ := next(prev, e-1, k, na, nb)
			cur = append(cur, slide(a, b, v, k))
		}
		w[0], w[1] = cur, prev
	}
	// met looks for a diagonal on which the two fronts touch: diagonal k from the start is goal-k from the end.
	met := func(ef, er int) bool {
		for k := max(-ef, goal-er); k <= min(ef, goal+er); k++ {
			p, q := f[0][k+ef], r[0][goal-k+er]
			if p >= 0 && q >= 0 && int(p)+int(q) >= na {
				i, j = int(p), int(p)+k
				return true
			}
		}
		return false
	}
	for e := 1; ; e++ {
		step(f, a, b, e)
		if met(e, e-1) {
			return i, j
		}
		step(r, g.ra, g.rb, e)
		if met(e, e) {
			return i, j
		}
	}
}

// trim returns how many bases of raw the corrected read lacks before its first and after its last
// base, by the alignment of all of c inside r with the fewest edits: zero at an end where that is
// fewer than trimLeast, and everywhere if more than a third of c would be edits.
func (g *aligner) trim(r, c []uint8) (head, tail int) {
	nr, nc := len(r), len(c)
	spare := nr - nc
	// Diagonals d (r minus c) from -e to spare+e; c is a here, and the start on r is free.
	prev, cur := g.fwd[0][:0], g.fwd[1][:0]
	po, co := g.origin[0][:0], g.origin[1][:0]
	for d := 0; d <= spare; d++ {
		prev = append(prev, slide(c, r, 0, d))
		po = append(po, int32(d))
	}
	for e := 0; ; e++ {
		for x, v := range prev { // the first diagonal: the smallest head
			if v >= int32(nc) {
				head, tail = int(po[x]), nr-nc-(x-e)
				g.fwd[0], g.fwd[1], g.origin[0], g.origin[1] = prev, cur, po, co
				if head < trimLeast {
					head = 0
				}
				if tail < trimLeast {
					tail = 0
				}
				return head, tail
			}
		}
		if e >= nc/3 {
			return 0, 0
		}
		cur, co = cur[:0], co[:0]
		for d := -e - 1; d <= spare+e+1; d++ {
			v, op := next(prev, e, d, nc, nr)
			x := d + e
			switch op {
			case 1:
				x++
			case 2:
				x--
			}
			if v < 0 {
				cur, co = append(cur, unreached), append(co, 0)
				continue
			}
			cur, co = append(cur, slide(c, r, v, d)), append(co, po[x])
		}
		prev, cur, po, co = cur, prev, co, po
	}
}
