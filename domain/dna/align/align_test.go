package align

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// slowDistance is the full dynamic programming table.
func slowDistance(a, b []uint8) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		corner := row[0]
		row[0] = i + 1
		for j, y := range b {
			c := corner
			if x != y {
				c++
			}
			corner = row[j+1]
			row[j+1] = min(c, corner+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// slowOverlap is the least number of edits of a path that goes through the cells left of and above (i, j), begins where a read
// begins and ends where a read ends.
func slowOverlap(a, b []uint8, i, j int) int {
	end := func(a, b []uint8) int {
		d := make([][]int, len(a)+1)
		best := 1 << 30
		for i := range d {
			d[i] = make([]int, len(b)+1)
			for j := range d[i] {
				switch {
				case i == 0:
					d[i][j] = j
				case j == 0:
					d[i][j] = i
				default:
					c := d[i-1][j-1]
					if a[i-1] != b[j-1] {
						c++
					}
					d[i][j] = min(c, d[i-1][j]+1, d[i][j-1]+1)
				}
				if i == len(a) || j == len(b) {
					best = min(best, d[i][j])
				}
			}
		}
		return best
	}
	x, y := slices.Clone(a[:i]), slices.Clone(b[:j])
	slices.Reverse(x)
	slices.Reverse(y)
	return end(a[i:], b[j:]) + end(x, y)
}

func random(r *rand.Rand, n int) []uint8 {
	s := make([]uint8, n)
	for i := range s {
		s[i] = uint8(r.IntN(4))
		if i > 0 && r.IntN(4) == 0 {
			s[i] = s[i-1] // homopolymers
		}
	}
	return s
}

// noisy returns s with errors, and for each base of the result the position in s that it stands for, or -1 for an insertion.
func noisy(r *rand.Rand, s []uint8, sub, ins, del float64) (out []uint8, at []int32) {
	for i, x := range s {
		for r.Float64() < ins {
			out, at = append(out, uint8(r.IntN(4))), append(at, -1)
		}
		v := r.Float64()
		if v < del {
			continue
		}
		if v < del+sub {
			x = (x + 1 + uint8(r.IntN(3))) & 3
		}
		out, at = append(out, x), append(at, int32(i))
	}
	return out, at
}

func complement(s []uint8) []uint8 {
	out := make([]uint8, len(s))
	for i, x := range s {
		if x < 4 {
			x = 3 - x
		}
		out[len(s)-1-i] = x
	}
	return out
}

// replay applies ops to a with b's bases, and returns the edits; it fails where they do not fit.
func replay(t testing.TB, a, b []uint8, ops []Op) int {
	t.Helper()
	i, j, edits := 0, 0, 0
	for n, op := range ops {
		if op.Len <= 0 || n > 0 && ops[n-1].Kind == op.Kind {
			t.Fatalf("bad run %v in %v", op, ops)
		}
		for range op.Len {
			switch op.Kind {
			case Match, Mismatch:
				if (a[i] == b[j]) != (op.Kind == Match) {
					t.Fatalf("%v at a[%d]=%d, b[%d]=%d", op.Kind, i, a[i], j, b[j])
				}
				i, j = i+1, j+1
			case Insert:
				j++
			case Delete:
				i++
			}
		}
		if op.Kind != Match {
			edits += int(op.Len)
		}
	}
	if i != len(a) || j != len(b) {
		t.Fatalf("ops end at %d, %d of %d, %d", i, j, len(a), len(b))
	}
	return edits
}

// check holds out to its definition and returns its edits.
func check(t testing.TB, a, b []uint8, o *Overlap) int {
	t.Helper()
	if o.AFrom < 0 || o.ATo > len(a) || o.AFrom >= o.ATo || o.BFrom < 0 || o.BTo > len(b) || len(o.B) != o.ATo-o.AFrom {
		t.Fatalf("overlap %d..%d, %d..%d with %d columns of reads of %d and %d", o.AFrom, o.ATo, o.BFrom, o.BTo, len(o.B), len(a), len(b))
	}
	if int(o.B[0]) != o.BFrom || int(o.B[len(o.B)-1]) != o.BTo-1 {
		t.Fatalf("columns run from %d to %d, overlap from %d to %d", o.B[0], o.B[len(o.B)-1], o.BFrom, o.BTo)
	}
	last := -1
	for i, j := range o.B {
		if j >= 0 {
			if int(j) <= last {
				t.Fatalf("column %d: %d after %d", i, j, last)
			}
			last = int(j)
		}
	}
	ops := o.Ops(a, b, nil)
	edits := replay(t, a[o.AFrom:o.ATo], b[o.BFrom:o.BTo], ops)
	if edits != o.Edits() {
		t.Fatalf("ops have %d edits, overlap says %d", edits, o.Edits())
	}
	columns := 0
	for _, op := range ops {
		columns += int(op.Len)
	}
	if columns != o.Matches+o.Edits() {
		t.Fatalf("ops have %d columns, overlap says %d", columns, o.Matches+o.Edits())
	}
	leftmost(t, a[o.AFrom:o.ATo], b, o.B)
	return edits
}

// leftmost fails if a gap beside pairs could move one base to the left without an edit more.
func leftmost(t testing.TB, a, b []uint8, to []int32) {
	t.Helper()
	cost := func(i int, j int32) int {
		if a[i] != b[j] {
			return 1
		}
		return 0
	}
	for i := 2; i < len(to); i++ {
		if to[i] >= 0 && to[i-1] >= 0 && to[i] > to[i-1]+1 && to[i-2] >= 0 && cost(i-1, to[i]-1) == 0 {
			t.Fatalf("insertion before column %d could stand before column %d", i, i-1)
		}
		if to[i-1] >= 0 && to[i-2] == to[i-1]-1 && to[i] < 0 {
			q := i
			for q+1 < len(to) && to[q+1] < 0 {
				q++
			}
			if (q+1 == len(to) || to[q+1] == to[i-1]+1) && cost(q, to[i-1]) == 0 {
				t.Fatalf("deletion %d..%d could begin at %d", i, q+1, i-1)
			}
		}
	}
}

func TestDistanceAndGlobalAgainstTable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for trial := range 3000 {
		a := random(r, r.IntN(200))
		if trial%10 == 0 {
			a = random(r, 200+r.IntN(400))
		}
		var b []uint8
		switch trial % 3 {
		case 0:
			b = random(r, r.IntN(200))
		case 1:
			b, _ = noisy(r, a, .05, .1, .1)
		default:
			b, _ = noisy(r, a, .01, .002, .002)
			if len(b) > 20 {
				b = slices.Delete(b, 5, 5+r.IntN(15))
			}
		}
		want := slowDistance(a, b)
		if got := Distance(a, b); got != want {
			t.Fatalf("trial %d: distance %d, want %d", trial, got, want)
		}
		if got := replay(t, a, b, Global(a, b, nil)); got != want {
			t.Fatalf("trial %d: global alignment has %d edits, want %d", trial, got, want)
		}
	}
}

func TestGlobalSplit(t *testing.T) {
	defer func(n int) { traceLimit = n }(traceLimit)
	traceLimit = 64
	r := rand.New(rand.NewPCG(3, 4))
	for trial := range 300 {
		a := random(r, r.IntN(600))
		b, _ := noisy(r, a, .05, .1, .1)
		if trial%5 == 0 {
			b = random(r, r.IntN(600))
		}
		want := slowDistance(a, b)
		if got := replay(t, a, b, Global(a, b, nil)); got != want {
			t.Fatalf("trial %d: global alignment has %d edits, want %d", trial, got, want)
		}
	}
}

func TestGlobalGapsStandLeft(t *testing.T) {
	for _, c := range []struct {
		a, b []uint8
		want string
	}{
		{[]uint8{1, 0, 0, 0, 0, 2}, []uint8{1, 0, 0, 0, 2}, "1= 1D 4="},
		{[]uint8{1, 0, 0, 0, 2}, []uint8{1, 0, 0, 0, 0, 2}, "1= 1I 4="},
		{[]uint8{3, 0, 1, 0, 1, 0, 1, 2}, []uint8{3, 0, 1, 0, 1, 2}, "1= 2D 5="},
		{[]uint8{0, 0, 0}, []uint8{0}, "2D 1="},
		{[]uint8{0}, []uint8{0, 0, 0}, "2I 1="},
		{nil, []uint8{1, 2}, "2I"},
		{[]uint8{1, 2}, nil, "2D"},
		{nil, nil, ""},
		{[]uint8{1}, []uint8{2}, "1X"},
	} {
		got := ""
		for _, op := range Global(c.a, c.b, nil) {
			if got != "" {
				got += " "
			}
			got += fmt.Sprintf("%d%v", op.Len, op.Kind)
		}
		if got != c.want {
			t.Errorf("%v with %v: %s, want %s", c.a, c.b, got, c.want)
		}
	}
}

// pair cuts two reads from one genome that overlap by n bases, and returns a true seed of length k, if there is one.
func pair(r *rand.Rand, length, n int, sub, ins, del float64, k int) (a, b []uint8, seeds []Seed) {
	g := random(r, 2*length-n)
	from, to := 0, length-n
	if r.IntN(2) == 0 {
		from, to = to, from
	}
	a, atA := noisy(r, g[from:from+length], sub, ins, del)
	b, atB := noisy(r, g[to:to+length], sub, ins, del)
	where := map[int32]int32{}
	for j, x := range atB {
		if x >= 0 {
			where[x+int32(to)] = int32(j)
		}
	}
	for i := 0; i+k <= len(a); i++ {
		if atA[i] < 0 {
			continue
		}
		j, ok := where[atA[i]+int32(from)]
		if ok && int(j)+k <= len(b) && slices.Equal(a[i:i+k], b[j:int(j)+k]) {
			seeds = append(seeds, Seed{int32(i), j, int32(k)})
		}
	}
	return a, b, seeds
}

func TestOverlapOfOneSeedIsOptimal(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var s Scratch
	var o Overlap
	opt := Options{MinOverlap: 1, MaxDivergence: 1, Band: 64, MaxOverhang: -1}
	for trial := range 2000 {
		length := 60 + r.IntN(140)
		e := []float64{.003, .02, .08}[trial%3]
		opt.PreferGaps = trial%2 == 1
		a, b, seeds := pair(r, length, 30+r.IntN(length-30), e, e, e, 9)
		if len(seeds) == 0 {
			continue
		}
		seed := seeds[r.IntN(len(seeds))]
		if !s.Overlap(a, b, []Seed{seed}, opt, &o) {
			t.Fatalf("trial %d: no overlap", trial)
		}
		got := check(t, a, b, &o)
		want := slowOverlap(a, b, int(seed.A), int(seed.B))
		// At each end mismatches are kept where a gap saves but one edit.
		if got > want+2 {
			t.Fatalf("trial %d: %d edits, want %d", trial, got, want)
		}
		if got > want+1 && o.Gaps > 0 {
			t.Fatalf("trial %d: %d edits with gaps, want %d", trial, got, want)
		}
		if min(o.AFrom, o.BFrom) > want || min(len(a)-o.ATo, len(b)-o.BTo) > want {
			t.Fatalf("trial %d: overlap %d..%d of %d, %d..%d of %d does not reach the ends", trial, o.AFrom, o.ATo, len(a), o.BFrom, o.BTo, len(b))
		}
	}
}

func TestOverlapOfLongReads(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var s Scratch
	var o Overlap
	opt := Long()
	for trial := range 30 {
		length := 1000 + r.IntN(2500)
		n := 600 + r.IntN(length-700)
		a, b, seeds := pair(r, length, n, .02, .08, .04, 13)
		// What an index would give: some of the true seeds and some false ones.
		var some []Seed
		for i, x := range seeds {
			if i%4 == 0 {
				some = append(some, x)
			}
		}
		for range 5 {
			some = append(some, Seed{int32(r.IntN(len(a) - 13)), int32(r.IntN(len(b) - 13)), 1})
		}
		r.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
		if len(seeds) < 3 {
			continue
		}
		if !s.Overlap(a, b, some, opt, &o) {
			t.Fatalf("trial %d: no overlap of %d bases with %d seeds (%+v)", trial, n, len(some), o.Edits())
		}
		got := check(t, a, b, &o)
		best := slowDistance(a[o.AFrom:o.ATo], b[o.BFrom:o.BTo])
		if got > best+best/50+1 {
			t.Errorf("trial %d: %d edits, the best alignment of the same stretch has %d", trial, got, best)
		}
		if l := o.ATo - o.AFrom; abs(l-n) > n/8 {
			t.Errorf("trial %d: overlap of %d bases, want about %d", trial, l, n)
		}
		if min(o.AFrom, o.BFrom) > 30 || min(len(a)-o.ATo, len(b)-o.BTo) > 30 {
			t.Errorf("trial %d: overlap %d..%d of %d, %d..%d of %d does not reach the ends", trial, o.AFrom, o.ATo, len(a), o.BFrom, o.BTo, len(b))
		}
	}
}

func TestOverlapPaths(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	g := random(r, 400)
	at := func(from, to int) []uint8 { return slices.Clone(g[from:to]) }
	var s Scratch
	var o Overlap
	opt := Short()
	type want struct{ aFrom, aTo, bFrom, bTo, mismatches, gaps int }
	run := func(name string, a, b []uint8, seeds []Seed, opt Options, w *want) {
		t.Helper()
		ok := s.Overlap(a, b, seeds, opt, &o)
		if ok != (w != nil) {
			t.Errorf("%s: overlap %v, want %v", name, ok, w != nil)
			return
		}
		if !ok {
			return
		}
		check(t, a, b, &o)
		if got := (want{o.AFrom, o.ATo, o.BFrom, o.BTo, o.Mismatches, o.Gaps}); got != *w {
			t.Errorf("%s: %+v, want %+v", name, got, *w)
		}
	}
	run("dovetail", at(0, 150), at(100, 250), []Seed{{110, 10, 15}}, opt, &want{100, 150, 0, 50, 0, 0})
	run("the other dovetail", at(100, 250), at(0, 150), []Seed{{10, 110, 15}}, opt, &want{0, 50, 100, 150, 0, 0})
	run("a holds b", at(0, 150), at(20, 120), []Seed{{50, 30, 15}}, opt, &want{20, 120, 0, 100, 0, 0})
	run("b holds a", at(20, 120), at(0, 150), []Seed{{30, 50, 15}}, opt, &want{0, 100, 20, 120, 0, 0})
	run("equal", at(0, 150), at(0, 150), []Seed{{0, 0, 15}, {135, 135, 15}}, opt, &want{0, 150, 0, 150, 0, 0})
	run("too short", at(0, 150), at(130, 280), []Seed{{132, 2, 15}}, opt, nil)
	run("no seed", at(0, 150), at(0, 150), nil, opt, nil)
	run("seed outside", at(0, 150), at(0, 150), []Seed{{130, 130, 15}, {1000, 0, 15}, {-1, -1, 5}, {5, 5, 0}}, opt, &want{0, 150, 0, 150, 0, 0})
	run("unrelated", at(0, 150), at(200, 350), []Seed{{10, 10, 1}, {20, 20, 1}, {30, 30, 1}, {40, 40, 1}}, opt, nil)

	b := at(100, 250)
	b[20], b[40] = (b[20]+1)&3, (b[40]+1)&3
	run("two mismatches", at(0, 250), b, []Seed{{105, 5, 11}}, opt, &want{100, 250, 0, 150, 2, 0})
	b = slices.Concat(at(100, 170), at(174, 250))
	run("deletion of four, seeds on both sides", at(0, 250), b, []Seed{{105, 5, 15}, {205, 101, 15}}, opt, &want{100, 250, 0, 146, 0, 4})
	run("deletion of four, seed on the left", at(0, 250), b, []Seed{{105, 5, 15}}, opt, &want{100, 250, 0, 146, 0, 4})
	run("deletion of four, seed on the right", at(0, 250), b, []Seed{{205, 101, 15}}, opt, &want{100, 250, 0, 146, 0, 4})
	b = slices.Concat(at(100, 170), []uint8{0, 1, 2, 3, 3}, at(170, 250))
	run("insertion of five, seed on the left", at(0, 250), b, []Seed{{105, 5, 15}}, opt, &want{100, 250, 0, 155, 0, 5})
	b = slices.Concat(at(100, 200), random(r, 60))
	opt.MaxDivergence = .3
	if !s.Overlap(at(0, 300), b, []Seed{{105, 5, 15}}, opt, &o) || abs(o.ATo-200) > 8 {
		t.Errorf("an unrelated tail is not cut: %d..%d", o.AFrom, o.ATo)
	}
	opt.MaxOverhang = 20
	run("overhang", at(0, 300), b, []Seed{{105, 5, 15}}, opt, nil)
}

// A base missing from a homopolymer must show at the same position whatever the seeds, the other end and the strand.
func TestHomopolymerGapsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	var s Scratch
	var o Overlap
	opt := Short()
	for trial := range 300 {
		opt.PreferGaps = trial%2 == 1
		g := random(r, 300)
		run := 2 + r.IntN(8)
		at := 120 + r.IntN(60)
		g[at-1], g[at+run] = 0, 2
		for i := range run {
			g[at+i] = 3
		}
		a := g[50:250]
		short := slices.Delete(slices.Clone(g), at+r.IntN(run), at+run)
		if len(short) == len(g) {
			continue
		}
		missing := len(g) - len(short)
		for range 4 {
			lo, hi := r.IntN(60), len(short)-r.IntN(50)
			// The read comes from the other strand and is turned, as a caller does.
			b := complement(complement(short[lo:hi]))
			var seeds []Seed
			left := Seed{int32(at - 50 - 12 - r.IntN(20)), 0, 12}
			left.B = left.A + 50 - int32(lo)
			right := Seed{int32(at - 50 + run - r.IntN(run-missing+1)), 0, 12}
			right.B = right.A + 50 - int32(lo+missing)
			switch r.IntN(3) {
			case 0:
				seeds = []Seed{left}
			case 1:
				seeds = []Seed{right}
			default:
				seeds = []Seed{left, right}
			}
			if !s.Overlap(a, b, seeds, opt, &o) {
				t.Fatalf("trial %d: no overlap", trial)
			}
			check(t, a, b, &o)
			if o.Gaps != missing || o.Mismatches != 0 {
				t.Fatalf("trial %d: %d gaps and %d mismatches, want %d and 0", trial, o.Gaps, o.Mismatches, missing)
			}
			for i, j := range o.B {
				p := o.AFrom + i + 50
				if (j < 0) != (p >= at && p < at+missing) {
					t.Fatalf("trial %d: position %d over %d; the gap belongs at %d..%d", trial, p, j, at, at+missing)
				}
			}
		}
	}
}

func codes(t *rapid.T, name string, n int) []uint8 {
	n = rapid.IntRange(0, n).Draw(t, name+" length") // rapid's own lengths are mostly small
	return rapid.SliceOfN(rapid.Uint8Range(0, 4), n, n).Draw(t, name)
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := codes(t, "a", 300), codes(t, "b", 300), codes(t, "c", 80)
		if rapid.Bool().Draw(t, "related") {
			b = slices.Concat(a[:len(a)/3], c, a[min(len(a), len(a)/3+len(c)/2):])
		}
		d := Distance(a, b)
		if e := Distance(b, a); e != d {
			t.Fatalf("distance %d, turned round %d", d, e)
		}
		if e := Distance(complement(a), complement(b)); e != d {
			t.Fatalf("distance %d, of the reverse complements %d", d, e)
		}
		if ac, cb := Distance(a, c), Distance(c, b); d > ac+cb {
			t.Fatalf("distance %d, over a third sequence %d+%d", d, ac, cb)
		}
		if (d == 0) != slices.Equal(a, b) || d > max(len(a), len(b)) || d < abs(len(a)-len(b)) {
			t.Fatalf("distance %d of %v and %v", d, a, b)
		}
		edits := 0
		for _, op := range Global(a, b, nil) {
			if op.Kind != Match {
				edits += int(op.Len)
			}
		}
		if edits != d {
			t.Fatalf("alignment with %d edits, distance %d", edits, d)
		}
	})
}

func TestOverlapIsDeterministicAndTurns(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	var s Scratch
	var o, p Overlap
	// A gap that reached an end is no part of the overlap: it shows as overhang.
	cost := func(o *Overlap, a, b []uint8) int {
		return o.Edits() + min(o.AFrom, o.BFrom) + min(len(a)-o.ATo, len(b)-o.BTo)
	}
	opt := Options{MinOverlap: 20, MaxDivergence: .5, Band: 64, XDrop: 0, MaxOverhang: -1}
	for trial := range 300 {
		a, b, seeds := pair(r, 200+r.IntN(200), 150, .02, .02, .02, 12)
		if len(seeds) == 0 {
			continue
		}
		seed := seeds[:1]
		if !s.Overlap(a, b, seed, opt, &o) {
			t.Fatalf("trial %d: no overlap", trial)
		}
		if !new(Scratch).Overlap(a, b, seed, opt, &p) || !slices.Equal(o.B, p.B) || o.AFrom != p.AFrom {
			t.Fatalf("trial %d: a fresh scratch gives another overlap", trial)
		}
		swap := []Seed{{seed[0].B, seed[0].A, seed[0].Len}}
		if !s.Overlap(b, a, swap, opt, &p) || cost(&p, b, a) != cost(&o, a, b) {
			t.Fatalf("trial %d: %d edits, b with a %d", trial, cost(&o, a, b), cost(&p, b, a))
		}
		turned := []Seed{{int32(len(a)) - seed[0].A - seed[0].Len, int32(len(b)) - seed[0].B - seed[0].Len, seed[0].Len}}
		if !s.Overlap(complement(a), complement(b), turned, opt, &p) || cost(&p, a, b) != cost(&o, a, b) {
			t.Fatalf("trial %d: %d edits, of the reverse complements %d", trial, cost(&o, a, b), cost(&p, a, b))
		}
	}
}

// Where most errors are indels, PreferGaps must put more of the missing bases where they are missing.
func TestPreferGapsFindsDeletions(t *testing.T) {
	var s Scratch
	var o Overlap
	found := func(opt Options) (deleted, paired float64) {
		r := rand.New(rand.NewPCG(17, 18))
		var hit, all, right, pairs int
		for range 40 {
			a := random(r, 2000)
			b, at := noisy(r, a, .02, .08, .05)
			where := map[int]int32{}
			for j, i := range at {
				if i >= 0 {
					where[int(i)] = int32(j)
				}
			}
			var seeds []Seed
			for i := 0; i+13 <= len(a); i += 3 {
				if j, ok := where[i]; ok && int(j)+13 <= len(b) {
					seeds = append(seeds, Seed{int32(i), j, 13})
				}
			}
			if !s.Overlap(a, b, seeds, opt, &o) {
				t.Fatal("no overlap")
			}
			check(t, a, b, &o)
			missing := map[int]bool{}
			for i := range a {
				if _, ok := where[i]; ok {
					continue
				}
				for i > 0 && a[i-1] == a[i] {
					i-- // to the left end of the homopolymer
				}
				for missing[i] {
					i++
				}
				missing[i] = true
			}
			for i, j := range o.B {
				i += o.AFrom
				if missing[i] {
					all++
					if j < 0 {
						hit++
					}
				} else if w, ok := where[i]; ok {
					pairs++
					if w == j {
						right++
					}
				}
			}
		}
		return float64(hit) / float64(all), float64(right) / float64(pairs)
	}
	opt := Long()
	with, pairsWith := found(opt)
	opt.PreferGaps = false
	without, pairsWithout := found(opt)
	t.Logf("deletions at their place %.3f (%.3f without), pairs right %.3f (%.3f)", with, without, pairsWith, pairsWithout)
	if with <= without || with < .5 || pairsWith < .9 || pairsWith < pairsWithout {
		t.Errorf("deletions at their place %.3f (%.3f without), pairs right %.3f (%.3f)", with, without, pairsWith, pairsWithout)
	}
}

func TestNoAllocation(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	var s Scratch
	var o Overlap
	a, b, seeds := pair(r, 3000, 2000, .03, .06, .04, 13)
	short, other, few := pair(r, 150, 100, .01, .01, .01, 12)
	run := func() {
		s.Overlap(a, b, seeds, Long(), &o)
		s.Overlap(short, other, few, Short(), &o)
		s.Distance(a, b)
	}
	run()
	if n := testing.AllocsPerRun(10, run); n != 0 {
		t.Errorf("%g allocations a call, want 0", n)
	}
}

func TestValidate(t *testing.T) {
	for _, o := range []Options{Short(), Long()} {
		if err := o.Validate(); err != nil {
			t.Error(err)
		}
	}
	for name, change := range map[string]func(*Options){
		"min_overlap": func(o *Options) { o.MinOverlap = 0 }, "max_divergence": func(o *Options) { o.MaxDivergence = 0 },
		"band": func(o *Options) { o.Band = 0 }, "x_drop": func(o *Options) { o.XDrop = -1 },
	} {
		o := Short()
		change(&o)
		if o.Validate() == nil {
			t.Errorf("bad %s is accepted", name)
		}
	}
}

// Any bytes, any seeds, any options: no panic, and what is returned holds.
func FuzzOverlap(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x00\x01\x02\x03"), []byte("\x00\x01\x02\x03\x00\x01\x02"), []byte{0, 0, 4, 4, 4, 3}, uint8(8))
	f.Fuzz(func(t *testing.T, a, b, seeds []byte, band uint8) {
		if len(a) > 2000 || len(b) > 2000 {
			return
		}
		for i := range a {
			a[i] &= 7
		}
		for i := range b {
			b[i] &= 7
		}
		var list []Seed
		for ; len(seeds) >= 3; seeds = seeds[3:] {
			list = append(list, Seed{int32(int8(seeds[0])), int32(int8(seeds[1])), int32(int8(seeds[2]))})
		}
		var s Scratch
		var o Overlap
		if s.Overlap(a, b, list, Options{MinOverlap: 1, MaxDivergence: 1, Band: int(band) + 1, XDrop: int(band % 3 * 20), MaxOverhang: -1, PreferGaps: band&1 != 0}, &o) {
			check(t, a, b, &o)
		}
		d := s.Distance(a, b)
		if edits := replay(t, a, b, s.Global(a, b, nil)); edits != d {
			t.Fatalf("%d edits, distance %d", edits, d)
		}
	})
}
