package sequencer

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// Read is one simulated read with its truth. A Read may be used again; its memory is kept.
//
// For read position j, Here[j] is the true base 0..3, [Delete] where the sequencer inserted the base, or
// [Unknown] where the template is N. After[j] is 0, or 1 + the first base that is missing directly after j.
// The truth is an alignment without needless edits, with every gap as far to the start of the read as it can be without
// more edits, so that reads with the same bases have the same truth wherever in a homopolymer the sequencer slipped.
type Read struct {
	Bases []uint8 // codes 0..4
	Quals []uint8 // Phred scores
	Here  []uint8
	After []uint8
	// Pos is the index of each base in the template, -1 for inserted bases and the adapter.
	Pos []int32
	// Used is how many template bases the read consumed.
	Used int
	// Body is how many positions come before the adapter; all after it have Here = Delete.
	Body int
	// Lost is how many missing bases After cannot tell: those after the first of a gap.
	Lost int
}

func (o *Read) reset(n int) {
	if cap(o.Bases) < n || cap(o.Quals) < n || cap(o.Here) < n || cap(o.After) < n || cap(o.Pos) < n {
		o.Bases, o.Quals, o.Here, o.After, o.Pos = make([]uint8, n), make([]uint8, n), make([]uint8, n), make([]uint8, n), make([]int32, n)
	}
	o.Bases, o.Quals, o.Here, o.After, o.Pos = o.Bases[:n], o.Quals[:n], o.Here[:n], o.After[:n], o.Pos[:n]
	o.Used, o.Body, o.Lost = 0, 0, 0
}

const never = math.MaxInt32

// skip draws how many bases pass before the next event; scale is from skipOf.
func skip(r *rand.Rand, scale float64) int {
	if scale == 0 {
		return never
	}
	return int(min(r.ExpFloat64()*scale, never))
}

// run returns the length of the homopolymer of t[i], at most limit.
func run(t []uint8, i, limit int) int {
	b, n := t[i], 1
	for j := i - 1; j >= 0 && n < limit && t[j] == b; j-- {
		n++
	}
	for j := i + 1; j < len(t) && n < limit && t[j] == b; j++ {
		n++
	}
	return n
}

// Read draws a read of n bases from template (codes 0..4, in read direction), which should
// have some n·(1+rate of deletion) bases: the read ends with it, or goes on with the adapter where p has one. It is
// shorter than n by truncation only, or where the template runs out. Everything is drawn from r, so the same r, template
// and n give the same read. Nothing is allocated once out is large enough. An invalid p gives an empty read.
func (p *Profile) Read(r *rand.Rand, template []uint8, n int, out *Read) {
	t := p.compiled()
	if t == nil || n <= 0 || len(template) == 0 {
		out.reset(0)
		return
	}
	out.reset(n)
	c := &t.classes[0]
	if len(t.classes) > 1 {
		c = &t.classes[draw(t.pick, t.pbits, r.Uint64())]
	}
	want, frag := n, len(template)
	if t.trunc > 0 && r.Float64() < t.trunc && t.truncMin < n {
		want = max(1, t.truncMin+r.IntN(n-t.truncMin))
	}
	if t.adapt > 0 && r.Float64() < t.adapt && t.adaptMin < n {
		frag = min(frag, t.adaptMin+r.IntN(n-t.adaptMin))
	}
	g := generator{t: t, c: c, r: r, out: out, q: uint32(t.k), prev: 4, until: t.end[0], weyl: r.Uint64()}
	g.body(template[:frag], want)
	out.Body = g.j
	g.truth(template)
	g.adapter(want)
	if g.j < n {
		out.Bases, out.Quals, out.Here, out.After, out.Pos = out.Bases[:g.j], out.Quals[:g.j], out.Here[:g.j], out.After[:g.j], out.Pos[:g.j]
	}
}

// generator is the state of one read.
type generator struct {
	t     *tables
	c     *classTables
	r     *rand.Rand
	out   *Read
	j     int    // read position
	bin   int    // of j
	until int    // first position of the next bin
	q     uint32 // state of the chain of scores
	prev  uint8  // previous template base, 4 none
	amb   int    // bases until the next N
	weyl  uint64 // state of word
	gaps  bool   // there are indels
}

func (g *generator) body(template []uint8, want int) {
	t, c, r, out := g.t, g.c, g.r, g.out
	ins, del := skip(r, c.insSkip), skip(r, c.delSkip)
	g.amb = skip(r, t.amb)
	pos := 0
	for g.j < want && pos < len(template) {
		if del == 0 {
			m := 0
			if g.j > 0 && t.delete(g, template, pos) {
				m = 1
				for t.delExt > 0 && r.Float64() < t.delExt {
					m++
				}
				left := 0 // an N cannot be told in After, and the read must go on after the gap
				for left < m && pos+left < len(template) && template[pos+left] < N {
					left++
				}
				m = left
			}
			del = skip(r, c.delSkip)
			if del < never {
				del++ // between two gaps there is a base
			}
			if pos += m; m > 0 {
				if pos == len(template) {
					pos -= m
					break
				}
				g.gaps = true
				g.prev = template[pos-1]
				if t.delQ != nil {
					g.one(template[pos], pos, draw(t.delQ, t.bits, r.Uint64()))
					pos++
					del--
					ins--
					if ins < 0 {
						ins = g.insert(template, pos-1, want)
					}
					continue
				}
			}
		}
		m := min(want-g.j, len(template)-pos, del)
		if ins < m {
			m = ins + 1
		}
		g.plain(template[pos:pos+m], pos)
		pos += m
		del -= m
		ins -= m
		if ins < 0 {
			ins = g.insert(template, pos-1, want)
		}
	}
	out.Used = pos
}

// delete decides whether the candidate of a deletion at pos is one.
func (t *tables) delete(g *generator, template []uint8, pos int) bool {
	if template[pos] > 3 {
		return false
	}
	rate := t.delRun[run(template, pos, len(t.delRun))-1] * g.c.del
	return rate >= g.c.delMax || g.r.Float64()*g.c.delMax < rate
}

// insert decides on the candidate of an insertion after template[pos], makes it and returns the bases until the next.
func (g *generator) insert(template []uint8, pos, want int) int {
	t, c, r := g.t, g.c, g.r
	b := template[pos]
	n := 1
	if b < N {
		n = run(template, pos, len(t.insRun))
	}
	rate := t.insRun[n-1] * c.ins
	if g.j < want && (rate >= c.insMax || r.Float64()*c.insMax < rate) {
		for {
			g.gaps = true
			var o uint8
			switch {
			case b > 3:
				o = uint8(r.Uint64() >> 62)
			case r.Float64() < t.repeat:
				o = b
			default:
				o = (b + 1 + uint8(r.Uint64()>>32*3>>32)) & 3
			}
			row := t.insQ
			if row == nil {
				row = g.row()
			}
			g.q = draw(row, t.bits, r.Uint64())
			g.out.Bases[g.j], g.out.Quals[g.j], g.out.Pos[g.j] = o, t.q[g.q], -1
			g.step()
			if g.j >= want || t.insExt == 0 || r.Float64() >= t.insExt {
				break
			}
		}
	}
	return skip(r, c.insSkip)
}

func (g *generator) row() []uint32 {
	return g.c.chain[g.bin][g.q<<g.t.bits : (g.q+1)<<g.t.bits]
}

// step moves on by one read position.
func (g *generator) step() {
	g.j++
	g.amb--
	if g.amb < 0 {
		g.ambiguous()
	}
	g.turn()
}

// turn finds the bin of the position.
func (g *generator) turn() {
	for g.j >= g.until {
		g.bin++
		g.until = math.MaxInt
		if g.bin < len(g.t.end)-1 {
			g.until = g.t.end[g.bin]
		}
		if g.bin >= len(g.t.end) {
			g.bin = len(g.t.end) - 1
		}
	}
}

// ambiguous makes the base before the position an N.
func (g *generator) ambiguous() {
	g.out.Bases[g.j-1], g.out.Quals[g.j-1] = N, g.t.nq
	g.amb = skip(g.r, g.t.amb)
	if g.t.ambExt > 0 && g.r.Float64() < g.t.ambExt {
		g.amb = 0
	}
}

// one reads the template base b at pos with the state q.
func (g *generator) one(b uint8, pos int, q uint32) {
	g.q = q
	base, score := b, g.t.q[q]
	if b > 3 {
		base, score = N, g.t.nq
	} else if uint32(g.r.Uint64()>>32) < g.c.sub[g.bin][int(q)*contexts+int(g.prev<<2|b)] {
		base = g.other(b)
	}
	g.out.Bases[g.j], g.out.Quals[g.j], g.out.Pos[g.j] = base, score, int32(pos)
	g.prev = min(b, 4)
	g.step()
}

// other draws what is read instead of b.
func (g *generator) other(b uint8) uint8 {
	x, to := uint32(g.r.Uint64()>>32), &g.t.to[g.prev<<2|b]
	o := uint8(0)
	if x >= to[0] {
		o++
	}
	if x >= to[1] {
		o++
	}
	if o >= b {
		o++
	}
	return o
}

// plain reads src without indels; pos is its place in the template.
func (g *generator) plain(src []uint8, pos int) {
	t := g.t
	for len(src) > 0 {
		m := min(len(src), g.until-g.j)
		if g.amb < m {
			m = g.amb + 1
		}
		part := src[:m]
		bases, quals, place := g.out.Bases[g.j:][:len(part)], g.out.Quals[g.j:][:len(part)], g.out.Pos[g.j:][:len(part)]
		chain, sub := g.c.chain[g.bin], g.c.sub[g.bin]
		q, prev := g.q, g.prev
		nbits := t.bits
		mask := uint32(1)<<nbits - 1
		score, nq, weyl := &t.q, t.nq, g.weyl
		for i, b := range part {
			// One word (wyrand, Wang Yi 2019, started from r): the slot, its share of 16 bits, and in the upper half the substitution.
			weyl += 0xa0761d6478bd642f
			hi, lo := bits.Mul64(weyl, weyl^0xe7037ed1a0b428db)
			u := hi ^ lo
			k := uint32(u) & mask
			e := chain[q<<nbits|k]
			q = k
			if uint32(u>>nbits)&0xffff >= e>>16 {
				q = e & 0xffff
			}
			place[i] = int32(pos + i)
			if b > 3 {
				bases[i], quals[i], prev = N, nq, 4
				continue
			}
			quals[i] = score[q&127]
			bases[i] = b
			if uint32(u>>32) < sub[q*contexts+uint32(prev<<2|b)] {
				g.prev = prev
				bases[i] = g.other(b)
			}
			prev = b
		}
		g.q, g.prev, g.weyl = q, prev, weyl
		g.j += m
		if g.amb -= m; g.amb < 0 {
			g.ambiguous()
		}
		g.turn()
		src = src[m:]
		pos += m
	}
}

// adapter reads on in the adapter until the read has its length.
func (g *generator) adapter(want int) {
	from := g.j
	for src := g.t.adapter; g.j < want && len(src) > 0; src = g.t.tail {
		g.plain(src[:min(len(src), want-g.j)], 0)
	}
	for j := from; j < g.j; j++ {
		g.out.Here[j], g.out.After[j], g.out.Pos[j] = Delete, 0, -1
	}
}

// truth makes the alignment canonical and writes Here, After, Used and Lost.
func (g *generator) truth(template []uint8) {
	o := g.out
	pos, n := o.Pos[:g.j], g.j
	here, after := o.Here[:n], o.After[:n]
	clear(after)
	if !g.gaps {
		copy(here, template[:n]) // without gaps a read consumes as many bases as it has
		for j, b := range here {
			if b > 3 {
				here[j] = Unknown
			}
		}
		return
	}
	canonical(o.Bases[:n], pos, template)
	last := int32(-1)
	for j, p := range pos {
		if p < 0 {
			here[j] = Delete
			continue
		}
		here[j] = template[p]
		if template[p] > 3 {
			here[j] = Unknown
		}
		if p > last+1 && j > 0 {
			after[j-1] = template[last+1] + 1
			o.Lost += int(p - last - 2)
		}
		last = p
	}
	o.Used = int(last) + 1
}

// canonical moves the gaps of an alignment (pos[j]: template index of base j or -1): an inserted base beside a missing one
// becomes a substitution, a gap beside a substitution that it explains takes it, and all go left while that costs nothing.
func canonical(bases []uint8, pos []int32, template []uint8) {
	n := len(pos)
	for j := 1; j < n; j++ {
		switch {
		case pos[j] < 0 && pos[j-1] >= 0: // a block of inserted bases starts
			canonicalInsertion(bases, pos, template, j)
		case pos[j] >= 0 && pos[j-1] >= 0 && pos[j] > pos[j-1]+1:
			canonicalDeletion(bases, pos, template, j-1)
		}
	}
}

// fill gives the missing bases from+1.. to the inserted ones s..e-1, as many as both have.
func fill(pos []int32, s, e int, from, to int32) {
	for i := s; i < e && from+1 < to; i++ {
		from++
		pos[i] = from
	}
}

func canonicalInsertion(bases []uint8, pos []int32, template []uint8, s int) {
	e := s
	for e < len(pos) && pos[e] < 0 {
		e++
	}
	if e < len(pos) && pos[e] > pos[s-1]+1 {
		fill(pos, s, e, pos[s-1], pos[e])
		for s < e && pos[s] >= 0 {
			s++
		}
		if s == e {
			if e < len(pos) && pos[e] > pos[e-1]+1 {
				canonicalDeletion(bases, pos, template, e-1)
			}
			return
		}
	}
	// To the right only where that makes a substitution a match.
	for e < len(pos) && pos[e] == pos[s-1]+1 {
		h := template[pos[e]]
		if bases[s] != h || bases[e] == h {
			break
		}
		pos[s], pos[e] = pos[e], -1
		s, e = s+1, e+1
	}
	if e < len(pos) && pos[e] < 0 { // it met the next block, which is handled with it
		return
	}
	for s > 0 && pos[s-1] >= 0 {
		last, before := bases[e-1], bases[s-1]
		if last != before && last != template[pos[s-1]] {
			return
		}
		pos[e-1], pos[s-1] = pos[s-1], -1
		s, e = s-1, e-1
		if s > 0 && pos[s-1] >= 0 && pos[e] > pos[s-1]+1 { // beside a gap
			fill(pos, s, e, pos[s-1], pos[e])
			return
		}
	}
}

func canonicalDeletion(bases []uint8, pos []int32, template []uint8, j int) {
	// The gap is between j and j+1: template p+1 .. q-1 are missing.
	for j+1 < len(pos) && pos[j+1] >= 0 {
		p, q := pos[j], pos[j+1]
		h := template[q]
		if h > 3 || bases[j+1] == h || bases[j+1] != template[p+1] {
			break
		}
		if j+2 < len(pos) && pos[j+2] != q+1 { // no gaps are joined
			break
		}
		pos[j+1] = p + 1
		j++
		if j+1 == len(pos) {
			return
		}
	}
	for j > 0 {
		p, q := pos[j], pos[j+1]
		b := template[p]
		if b > 3 || b != template[q-1] && bases[j] != template[q-1] {
			return
		}
		if pos[j-1] >= 0 && pos[j-1] != p-1 {
			return
		}
		pos[j] = q - 1
		j--
		if pos[j] < 0 { // an inserted base: it was read for the last of the missing ones
			for j > 0 && pos[j] < 0 {
				if q--; q-1 <= p-1 {
					break
				}
				pos[j] = q - 1
				j--
			}
			return
		}
	}
}
