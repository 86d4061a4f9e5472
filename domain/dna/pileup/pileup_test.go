package pileup

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type read struct{ bases, quals []uint8 }

func randomBases(r *rand.Rand, n int) []uint8 {
	b := make([]uint8, n)
	for i := range b {
		b[i] = uint8(r.IntN(4))
	}
	return b
}

func turned(b []uint8) []uint8 {
	out := make([]uint8, len(b))
	for i, c := range b {
		out[len(b)-1-i] = c
		if c < 4 {
			out[len(b)-1-i] = 3 - c
		}
	}
	return out
}

// chances[q] is the error probability of a quality by the book.
var chances = func() (t [94]float64) {
	for q := range t {
		t[q] = math.Pow(10, -float64(q)/10)
	}
	return t
}()

// sample draws n reads of a genome, on both strands, with substitutions as the qualities promise and a few N.
func sample(r *rand.Rand, genome []uint8, n, length int) []read {
	reads := make([]read, n)
	for i := range reads {
		l := min(len(genome), length)
		at := r.IntN(len(genome) - l + 1)
		b := slices.Clone(genome[at : at+l])
		if r.IntN(2) == 1 {
			b = turned(b)
		}
		q := make([]uint8, l)
		for j := range q {
			q[j] = uint8(12 + r.IntN(28))
			switch {
			case r.IntN(300) == 0:
				b[j], q[j] = N, 2
			case r.Float64() < chances[q[j]]:
				b[j] = (b[j] + 1 + uint8(r.IntN(3))) % 4
			}
		}
		reads[i] = read{b, q}
	}
	return reads
}

func memIndex(t testing.TB, cfg Config, reads []read) *MemIndex {
	t.Helper()
	x, err := NewMemIndex(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reads {
		if err := x.Add(r.bases, r.quals); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Finish(); err != nil {
		t.Fatal(err)
	}
	return x
}

// The slow reference: all against all by the definitions of the package comment, in strings, maps and float64.

// slowSeeds returns the canonical k-mer at every minimizer place.
func slowSeeds(bases []uint8, k, w int) map[int]string {
	kmer := func(p int) string {
		s := ""
		for _, c := range bases[p : p+k] {
			s += string("ACGTN"[c])
		}
		return s
	}
	hash := func(p int) uint64 {
		x, y := uint64(0), uint64(0)
		for i := range k {
			if bases[p+i] > 3 {
				return none
			}
			x = x*4 + uint64(bases[p+i])
			y = y*4 + uint64(3-bases[p+k-1-i])
		}
		for period := 1; period <= 3; period++ {
			same := true
			for i := period; i < k; i++ {
				same = same && bases[p+i] == bases[p+i-period]
			}
			if same {
				return none
			}
		}
		if x == y {
			return none
		}
		return hashKmer(min(x, y), 1<<(2*k)-1)
	}
	known := func(p int) bool { return p >= 0 && p+k <= len(bases) && !slices.Contains(bases[p:p+k], N) }
	out := map[int]string{}
	for p := range bases {
		if !known(p) || known(p-1) {
			continue
		}
		end := p
		for known(end) {
			end++
		}
		for from := p; from == p || from+w <= end; from++ {
			best := -1
			for q := from; q < min(from+w, end); q++ {
				if h := hash(q); h != none && (best < 0 || h < hash(best)) {
					best = q
				}
			}
			if best >= 0 {
				out[best] = min(kmer(best), kmerOf(turned(bases[best:best+k])))
			}
		}
	}
	return out
}

func kmerOf(b []uint8) string {
	s := ""
	for _, c := range b {
		s += string("ACGTN"[c])
	}
	return s
}

type slowOverlap struct {
	from, to, d int
	b, q        []uint8
}

// slowColumns is Columns by definition; limit is the greatest number of places of a seed.
func slowColumns(cfg Config, reads []read, id, limit int) []Column {
	a := reads[id]
	places := map[string]int{}
	seeds := make([]map[int]string, len(reads))
	for i, r := range reads {
		seeds[i] = slowSeeds(r.bases, cfg.K, cfg.W)
		for _, s := range seeds[i] {
			places[s]++
		}
	}
	e := func(q uint8) float64 { return min(0.75, math.Pow(10, -float64(min(q, 40))/10)) }
	ev := func(q uint8) float64 {
		return math.Round(64*max(0, math.Log((1-e(q))/(e(q)/3)))) / 64
	}
	var overlaps []slowOverlap
	for other, r := range reads {
		if other == id {
			continue
		}
		for _, opposite := range []bool{false, true} {
			b, q, bSeeds := r.bases, r.quals, map[int]string{}
			for p, s := range seeds[other] {
				bSeeds[p] = s
			}
			if opposite {
				b, q = turned(b), slices.Clone(q)
				slices.Reverse(q)
				bSeeds = map[int]string{}
				for p, s := range seeds[other] {
					bSeeds[len(b)-cfg.K-p] = s
				}
			}
			votes := map[int]int{}
			for pa, sa := range seeds[id] {
				for pb, sb := range bSeeds {
					if sa == sb && places[sa] <= limit && slices.Equal(a.bases[pa:pa+cfg.K], b[pb:pb+cfg.K]) {
						votes[pa-pb]++
					}
				}
			}
			best, most := 0, 0
			for d, n := range votes {
				if n > most || n == most && d < best {
					best, most = d, n
				}
			}
			if most == 0 {
				continue
			}
			o := slowOverlap{max(0, best), min(len(a.bases), best+len(b)), best, b, q}
			if o.to-o.from < cfg.MinOverlap {
				continue
			}
			sum := 0.0
			for j := o.from; j < o.to; j++ {
				x, y := a.bases[j], b[j-best]
				if x < 4 && y < 4 && x != y {
					sum += math.Round(1024*cfg.MaxDivergence/(cfg.MaxDivergence+e(a.quals[j])+e(q[j-best]))) / 1024
				}
			}
			if sum <= 1+math.Floor(1024*cfg.MaxDivergence*float64(o.to-o.from))/1024 {
				overlaps = append(overlaps, o)
			}
		}
	}
	cols := make([]Column, len(a.bases))
	for j := range cols {
		cols[j].Own, cols[j].Qual = a.bases[j], a.quals[j]
		for _, o := range overlaps {
			if j < o.from || j >= o.to || o.b[j-o.d] > 3 {
				continue
			}
			cols[j].Count[o.b[j-o.d]]++
			cols[j].Evidence[o.b[j-o.d]] += ev(o.q[j-o.d])
		}
	}
	for j := range cols {
		for _, o := range overlaps {
			if j < o.from || j >= o.to || o.b[j-o.d] > 3 {
				continue
			}
			telling := 0
			for i := o.from; i < o.to; i++ {
				x, y := a.bases[i], o.b[i-o.d]
				if x > 3 || y > 3 || x == y || int(a.quals[i]) < cfg.HighQuality || int(o.q[i-o.d]) < cfg.HighQuality {
					continue
				}
				depth := 0
				for _, p := range overlaps {
					if i >= p.from && i < p.to {
						depth++
					}
				}
				own := cols[i].Count[x] >= 1+depth/cfg.SupportDepth
				that := cols[i].Count[y]-1 >= 1+depth/cfg.SupportDepth
				if own == that && (i != j || own && cols[i].Count[x] >= 2+depth/8) {
					telling++
				}
			}
			if telling <= int(cfg.CloseDivergence*float64(o.to-o.from)) {
				cols[j].Close[o.b[j-o.d]]++
				cols[j].CloseEvidence[o.b[j-o.d]] += ev(o.q[j-o.d])
			}
		}
	}
	return cols
}

func columnsOf(c *Columns) []Column {
	out := make([]Column, c.Len)
	for j := range out {
		out[j] = c.At(j)
	}
	return out
}

// repeats is a genome with two copies of a piece that differ at one base of 60, and a tandem repeat.
func repeats(r *rand.Rand, n int) []uint8 {
	g := randomBases(r, n)
	copied := slices.Clone(g[:n/4])
	for i := range copied {
		if r.IntN(60) == 0 {
			copied[i] = (copied[i] + 1 + uint8(r.IntN(3))) % 4
		}
	}
	g = append(g, copied...)
	g = append(g, randomBases(r, n/4)...)
	unit := randomBases(r, 23)
	for range 4 {
		g = append(g, unit...)
	}
	return append(g, randomBases(r, n/4)...)
}

func TestColumnsAgreeWithReference(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		cfg := DefaultConfig(Short)
		cfg.Band = 0
		cfg.MaxReads = 1000
		if seed%2 == 1 {
			cfg.K, cfg.W, cfg.MinOverlap = 12, 4, 20
			cfg.CloseDivergence = 0.02
		}
		reads := sample(r, repeats(r, 600), 90, 80)
		reads = append(reads, read{[]uint8{}, []uint8{}}, read{bases: []uint8{0, 1}, quals: []uint8{3, 4}})
		x := memIndex(t, cfg, reads)
		var s Scratch
		var c Columns
		notClose, used := 0, 0
		for id := range reads {
			if err := x.Columns(id, &s, &c); err != nil {
				t.Fatal(err)
			}
			want := slowColumns(cfg, reads, id, x.Limit())
			if got := columnsOf(&c); !slices.Equal(want, got) {
				diff := cmp.Diff(want, got)
				t.Fatalf("seed %d, read %d (-want +got):\n%s", seed, id, diff)
			}
			for j := range want {
				used += want[j].Depth()
				notClose += want[j].Depth() - want[j].CloseDepth()
			}
		}
		if used < 10000 || notClose < 100 {
			t.Fatalf("seed %d: %d bases of evidence, %d not close: the sample shows nothing", seed, used, notClose)
		}
	}
}

func TestMinimizersAgreeWithReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, w := rapid.IntRange(MinK, MaxK).Draw(t, "k"), rapid.IntRange(1, 12).Draw(t, "w")
		// Few letters and copied pieces: repeats, low complexity and palindromes are frequent.
		b := rapid.SliceOfN(rapid.Uint8Range(0, 4), 0, 12).Draw(t, "unit")
		var bases []uint8
		for range rapid.IntRange(1, 8).Draw(t, "copies") {
			bases = append(bases, b...)
			bases = append(bases, rapid.SliceOfN(rapid.Uint8Range(0, 3), 0, 30).Draw(t, "piece")...)
		}
		var ring [MaxW]uint64
		got := map[int]string{}
		for _, m := range minimizers(nil, bases, k, w, &ring) {
			piece := bases[m.pos : int(m.pos)+k]
			if m.rev == 1 {
				piece = turned(piece)
			}
			if _, twice := got[int(m.pos)]; twice {
				t.Fatalf("place %d twice", m.pos)
			}
			got[int(m.pos)] = kmerOf(piece)
		}
		if diff := cmp.Diff(slowSeeds(bases, k, w), got); diff != "" {
			t.Fatalf("k %d, w %d, %v (-want +got):\n%s", k, w, bases, diff)
		}
	})
}

func TestHashAndSpreadAreInvertible(t *testing.T) {
	const k = 7 // small enough to try all
	mask := uint64(1)<<(2*k) - 1
	seen := make([]bool, mask+1)
	for x := range mask + 1 {
		y := spread(hashKmer(x, mask), mask)
		if seen[y] {
			t.Fatalf("%d hit twice", y)
		}
		seen[y] = true
	}
}

func TestOrderOfReadsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		cfg := DefaultConfig(Short)
		cfg.MaxReads = rapid.SampledFrom([]int{2, 5, 1000}).Draw(t, "reads")
		reads := sample(r, repeats(r, 300), 60, 60)
		reads = append(reads, reads[:10]...) // identical reads tie
		perm := r.Perm(len(reads))
		shuffled := make([]read, len(reads))
		for i, p := range perm {
			shuffled[p] = reads[i]
		}
		x, err := NewMemIndex(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var s Scratch
		var a, b Columns
		cols := make([][]Column, len(reads))
		for round, set := range [][]read{reads, shuffled} {
			x.Reset()
			for _, r := range set {
				if err := x.Add(r.bases, r.quals); err != nil {
					t.Fatal(err)
				}
			}
			if err := x.Finish(); err != nil {
				t.Fatal(err)
			}
			for id := range reads {
				if round == 0 {
					err = x.Columns(id, &s, &a)
					cols[id] = columnsOf(&a)
				} else {
					err = x.Columns(perm[id], &s, &b)
					if got := columnsOf(&b); !slices.Equal(cols[id], got) {
						diff := cmp.Diff(cols[id], got)
						t.Fatalf("read %d (-first +shuffled):\n%s", id, diff)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestFeatures(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	reads := sample(r, repeats(r, 400), 400, 100)
	x := memIndex(t, DefaultConfig(Short), reads)
	var s Scratch
	var c Columns
	e := func(q uint8) float64 { return min(0.75, math.Pow(10, -float64(min(q, 40))/10)) }
	for id := range 60 {
		if err := x.Columns(id, &s, &c); err != nil {
			t.Fatal(err)
		}
		got := make([]float32, c.Len*Channels)
		for i := range got {
			got[i] = float32(math.NaN())
		}
		c.Features(got)
		for j, col := range columnsOf(&c) {
			var want [Channels]float64
			lp := col.CloseEvidence
			want[4] = 0.75
			if col.Own < N {
				want[col.Own] = 1
				want[4], want[5] = e(col.Qual), float64(col.Qual)/40
				lp[col.Own] += math.Round(64*max(0, math.Log((1-e(col.Qual))/(e(col.Qual)/3)))) / 64
				from, to := j, j
				for from > 0 && c.Bases[from-1] == col.Own {
					from--
				}
				for to < c.Len && c.Bases[to] == col.Own {
					to++
				}
				want[29] = float64(min(to-from, 16)-1) / 15
			}
			sum := 0.0
			for b := range 4 {
				sum += math.Exp(lp[b] - slices.Max(lp[:]))
			}
			for b := range 4 {
				want[6+b] = math.Log1p(float64(col.Count[b])) / 2
				want[10+b] = math.Log1p(float64(col.Close[b])) / 2
				want[14+b] = min(col.Evidence[b], 60) / 20
				want[18+b] = 1 + max(-12, lp[b]-slices.Max(lp[:])-math.Log(sum))/6
				want[23+b] = math.Log1p(float64(col.Inserted[b])) / 2
			}
			want[22] = math.Log1p(float64(col.Deleted)) / 2
			want[27] = math.Log1p(float64(col.Depth())) / 2
			want[28] = math.Log1p(float64(col.CloseDepth())) / 2
			want[30], want[31] = float64(min(j, 64))/64, float64(min(c.Len-1-j, 64))/64
			for ch := range want {
				if g := float64(got[j*Channels+ch]); !(math.Abs(g-want[ch]) < 1e-4) {
					t.Fatalf("read %d, position %d, channel %d: %v, want %v (%+v)", id, j, ch, g, want[ch], col)
				}
			}
		}
	}
}

// A copy of the read's own place that differs at high quality is dropped or not close, and says which base is true at an
// error of the read itself.
func TestParalogousCopies(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	own := randomBases(r, 200)
	mutated := func(every int) []uint8 {
		b := slices.Clone(own)
		for i := every / 2; i < len(b); i += every {
			b[i] = (b[i] + 1) % 4
		}
		return b
	}
	good := slices.Repeat([]uint8{37}, 200)
	set := func(other []uint8) []read {
		var reads []read
		for range 6 {
			reads = append(reads, read{own, good})
		}
		for range 6 {
			reads = append(reads, read{other, good})
		}
		return reads
	}
	var s Scratch
	var c Columns
	for _, tt := range []struct{ every, depth, close int }{
		{1000, 11, 11}, // no difference
		{10, 5, 5},     // 20 differences: dropped
		{60, 11, 5},    // 3 differences: used, not close
	} {
		x := memIndex(t, DefaultConfig(Short), set(mutated(tt.every)))
		if err := x.Columns(0, &s, &c); err != nil {
			t.Fatal(err)
		}
		if col := c.At(100); col.Depth() != tt.depth || col.CloseDepth() != tt.close {
			t.Errorf("copy with a difference every %d: depth %d, close %d, want %d, %d", tt.every, col.Depth(), col.CloseDepth(), tt.depth, tt.close)
		}
	}
	// Two alleles, one difference: the reads of the other one are close where nobody tells them apart, that is nowhere.
	x := memIndex(t, DefaultConfig(Short), set(mutated(150)))
	if err := x.Columns(0, &s, &c); err != nil {
		t.Fatal(err)
	}
	for _, j := range []int{74, 75, 76} {
		if col := c.At(j); col.Depth() != 11 || col.CloseDepth() != 5 || col.Close[own[j]] != 5 {
			t.Errorf("position %d: %+v, want 5 close reads of 11", j, col)
		}
	}
	// Two errors of high quality in the read itself: the others are still close.
	wrong := slices.Clone(own)
	wrong[40], wrong[160] = 3-wrong[40], 3-wrong[160]
	x = memIndex(t, DefaultConfig(Short), []read{{wrong, good}, {own, good}, {own, good}, {own, good}})
	if err := x.Columns(0, &s, &c); err != nil {
		t.Fatal(err)
	}
	for _, j := range []int{40, 100, 160} {
		if col := c.At(j); col.CloseDepth() != 3 || col.Close[own[j]] != 3 {
			t.Errorf("position %d: %+v, want 3 close reads for base %d", j, col, own[j])
		}
	}
}

func TestOddReads(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	half := randomBases(r, 60)
	palindrome := append(slices.Clone(half), turned(half)...)
	long := randomBases(r, 70000)
	reads := []read{
		{nil, nil},
		{[]uint8{1}, []uint8{0}},
		{slices.Repeat([]uint8{N}, 100), slices.Repeat([]uint8{2}, 100)},
		{slices.Repeat([]uint8{0}, 300), slices.Repeat([]uint8{40}, 300)},
		{slices.Repeat([]uint8{0, 3}, 150), slices.Repeat([]uint8{40}, 300)},
		{palindrome, slices.Repeat([]uint8{93}, 120)},
		{palindrome, nil},
		{long, nil},
		{long[66000:], slices.Repeat([]uint8{255}, 4000)},
		{turned(long[69900:]), slices.Repeat([]uint8{30}, 100)},
		{slices.Repeat([]uint8{9}, 40), nil},
	}
	x := memIndex(t, DefaultConfig(Short), reads)
	var s Scratch
	var c Columns
	depth := func(id, at int) int {
		t.Helper()
		if err := x.Columns(id, &s, &c); err != nil {
			t.Fatal(err)
		}
		c.Features(make([]float32, c.Len*Channels))
		if c.Len != len(reads[id].bases) {
			t.Fatalf("read %d: %d columns for %d bases", id, c.Len, len(reads[id].bases))
		}
		if c.Len == 0 {
			return 0
		}
		col := c.At(at)
		return col.Depth()
	}
	for _, tt := range []struct{ id, at, want int }{
		{0, 0, 0}, {1, 0, 0}, {2, 50, 0}, {3, 50, 0}, {4, 50, 0}, {10, 3, 0},
		{5, 60, 2}, {6, 60, 2}, // a palindrome overlaps its copy on both strands, never itself
		{7, 10, 0}, {7, 69950, 2}, {8, 3950, 2}, {9, 50, 2},
	} {
		if got := depth(tt.id, tt.at); got != tt.want {
			t.Errorf("read %d, position %d: depth %d, want %d", tt.id, tt.at, got, tt.want)
		}
	}
}

func TestErrors(t *testing.T) {
	if _, err := NewMemIndex(DefaultConfig("medium")); err == nil {
		t.Error("a config of no kind is accepted")
	}
	x, err := NewMemIndex(DefaultConfig(Long))
	if err != nil {
		t.Fatal(err)
	}
	var s Scratch
	var c Columns
	check := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	check("qualities of another length", x.Add([]uint8{1, 2}, []uint8{1}))
	check("before Finish", x.Columns(0, &s, &c))
	check("before Finish", x.ColumnsOf(nil, nil, &s, &c))
	if err := x.Finish(); err != nil {
		t.Error(err)
	}
	check("Add after Finish", x.Add(nil, nil))
	check("Finish twice", x.Finish())
	check("no such read", x.Columns(0, &s, &c))
	check("no such read", x.Columns(-1, &s, &c))
	for _, change := range []func(*Config){
		func(c *Config) { c.K = 20 }, func(c *Config) { c.W = 0 }, func(c *Config) { c.MaxReads = 0 },
		func(c *Config) { c.MaxDivergence = math.NaN() }, func(c *Config) { c.SupportDepth = 0 },
		func(c *Config) { c.NoQuality = 94 }, func(c *Config) { c.MaxOccurrence = -1 },
	} {
		cfg := DefaultConfig(Short)
		change(&cfg)
		check(fmt.Sprintf("%+v", cfg), cfg.Validate())
	}
}

func TestNoAllocationsPerRead(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	reads := sample(r, randomBases(r, 2000), 400, 150)
	x := memIndex(t, DefaultConfig(Short), reads)
	var s Scratch
	var c Columns
	f := make([]float32, 150*Channels)
	all := func() {
		for id := range reads {
			if err := x.Columns(id, &s, &c); err != nil {
				t.Fatal(err)
			}
			c.Features(f)
		}
	}
	all()
	if n := testing.AllocsPerRun(3, all); n != 0 {
		t.Errorf("%v allocations for %d reads", n, len(reads))
	}
	fill := func() {
		x.Reset()
		for _, r := range reads {
			if err := x.Add(r.bases, r.quals); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	if n := testing.AllocsPerRun(3, fill); n != 0 {
		t.Errorf("%v allocations for a new set of reads", n)
	}
}

func BenchmarkMem(b *testing.B) {
	for _, depth := range []int{1, 8, 32} {
		r := rand.New(rand.NewPCG(3, 3))
		const size = 3000
		reads := sample(r, randomBases(r, size), size*depth/150, 150)
		x := memIndex(b, DefaultConfig(Short), reads)
		var s Scratch
		var c Columns
		f := make([]float32, 150*Channels)
		b.Run(fmt.Sprintf("Columns/%dx", depth), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				if err := x.Columns(i%len(reads), &s, &c); err != nil {
					b.Fatal(err)
				}
				c.Features(f)
			}
			b.ReportMetric(float64(c.Reads), "overlaps")
		})
		b.Run(fmt.Sprintf("Build/%dx", depth), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				x.Reset()
				for _, r := range reads {
					_ = x.Add(r.bases, r.quals)
				}
				_ = x.Finish()
			}
			b.ReportMetric(float64(b.N*len(reads))/b.Elapsed().Seconds(), "reads/s")
		})
	}
}
