package sequencer

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

func random(r *rand.Rand, n int) []uint8 {
	t := make([]uint8, n)
	for i := range t {
		if t[i] = uint8(r.IntN(4)); i > 0 && r.IntN(4) == 0 {
			t[i] = t[i-1] // some homopolymers
		}
	}
	return t
}

// rebuild applies the truth of o to its bases: all that was in the template, where no gap is longer than one base.
func rebuild(o *Read) []uint8 {
	var out []uint8
	for j := range o.Bases {
		switch h := o.Here[j]; h {
		case Delete:
		case Unknown:
			out = append(out, N)
		default:
			out = append(out, h)
		}
		if a := o.After[j]; a > 0 {
			out = append(out, a-1)
		}
	}
	return out
}

// restore is rebuild with the bases that After cannot tell, from the positions.
func restore(o *Read, template []uint8) []uint8 {
	var out []uint8
	for _, p := range o.Pos[:o.Body] {
		if p >= 0 {
			out = append(out, template[len(out):p+1]...)
		}
	}
	return out
}

func builtins(t testing.TB) map[string]*Profile {
	out := map[string]*Profile{"rate": Rate(0.03, 0.05, 0.05), "sub": Rate(0.1, 0, 0), "perfect": Rate(0, 0, 0)}
	for _, n := range Names() {
		p, err := Builtin(n)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = p
	}
	hard := Rate(0.1, 0.2, 0.2)
	hard.Ins.Extend, hard.Del.Extend, hard.Ins.Repeat = 0.4, 0.3, 0.6
	hard.N = Ambiguous{0.02, 0.5}
	hard.Adapter = Adapter{"ACGTTGCA", 0.3, 5}
	hard.Truncate = Truncation{0.2, 1}
	out["hard"] = hard
	return out
}

// Applying the truth to the bases gives back the template, for every profile, template and seed.
func TestReconstruction(t *testing.T) {
	profiles := builtins(t)
	lost := map[string][2]int{}
	rapid.Check(t, func(t *rapid.T) {
		for name, p := range profiles {
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
			n := rapid.IntRange(1, 300).Draw(t, "n")
			template := random(r, rapid.IntRange(1, 500).Draw(t, "template"))
			if rapid.Bool().Draw(t, "ambiguous") {
				for range 1 + len(template)/20 {
					template[r.IntN(len(template))] = N
				}
			}
			var o Read
			p.Read(r, template, n, &o)
			if len(o.Bases) > n || len(o.Quals) != len(o.Bases) || len(o.Here) != len(o.Bases) || len(o.After) != len(o.Bases) || len(o.Pos) != len(o.Bases) {
				t.Fatalf("%s: lengths %d %d %d %d %d for %d", name, len(o.Bases), len(o.Quals), len(o.Here), len(o.After), len(o.Pos), n)
			}
			if got := restore(&o, template); !bytes.Equal(got, template[:o.Used]) {
				t.Fatalf("%s: positions do not ascend over the template: %v", name, o.Pos)
			}
			gaps := 0
			last := int32(-1)
			for j, p := range o.Pos {
				if p < 0 {
					if o.Here[j] != Delete {
						t.Fatalf("%s: inserted base %d has truth %d", name, j, o.Here[j])
					}
					continue
				}
				if p <= last {
					t.Fatalf("%s: position %d after %d", name, p, last)
				}
				gaps += max(0, int(p-last-2))
				last = p
			}
			if got := rebuild(&o); o.Lost == 0 && !bytes.Equal(got, template[:o.Used]) {
				t.Fatalf("%s: rebuilt %v\nwant %v\nread %v\nhere %v\nafter %v", name, got, template[:o.Used], o.Bases, o.Here, o.After)
			} else if len(got)+o.Lost != o.Used {
				t.Fatalf("%s: %d rebuilt, %d lost, %d used", name, len(got), o.Lost, o.Used)
			}
			if gaps != o.Lost {
				t.Fatalf("%s: lost %d, counted %d", name, o.Lost, gaps)
			}
			l := lost[name]
			lost[name] = [2]int{l[0] + o.Lost, l[1] + o.Used}
		}
	})
	for name, l := range lost {
		t.Logf("%s: %d of %d template bases lost in gaps of more than one (%.3g)", name, l[0], l[1], float64(l[0])/float64(max(1, l[1])))
	}
}

// edits of the truth: substitutions, inserted and missing bases.
func edits(o *Read) (n int) {
	last := int32(-1)
	for j, p := range o.Pos {
		switch {
		case p < 0:
			n++
			continue
		case o.Bases[j] != o.Here[j]:
			n++
		}
		n += int(p - last - 1)
		last = p
	}
	return n
}

// distance is the edit distance of a and b (Wagner & Fischer 1974).
func distance(a, b []uint8) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diag := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// The truth holds hardly more edits than the edit distance, and equal reads of a homopolymer have equal truth.
func TestCanonical(t *testing.T) {
	p := builtins(t)["pacbio"]
	r := rand.New(rand.NewPCG(5, 5))
	var o Read
	made, least := 0, 0
	for range 300 {
		template := random(r, 300)
		p.Read(r, template, 200, &o)
		d := distance(template[:o.Used], o.Bases)
		e := edits(&o)
		if e < d {
			t.Fatalf("%d edits, distance %d", e, d)
		}
		made, least = made+e, least+d
	}
	if float64(made) > 1.12*float64(least) {
		t.Errorf("%d edits where %d are enough", made, least)
	}
	t.Logf("%d edits, %d are enough", made, least)

	slip := Rate(0, 0, 0.2)
	truths := map[string]string{}
	template := []uint8{0, 2, 1, 1, 1, 1, 1, 3, 0, 2}
	for range 2000 {
		slip.Read(r, template, 9, &o)
		if o.Used != 10 || len(o.Bases) != 9 {
			continue
		}
		bases := string(o.Bases)
		truth := string(o.Here) + string(o.After)
		if was, ok := truths[bases]; ok && was != truth {
			t.Fatalf("read %v has truth % x and % x", o.Bases, was, truth)
		}
		truths[bases] = truth
	}
	missing := string([]uint8{0, 2, 1, 1, 1, 1, 3, 0, 2}) // CCCC for CCCCC: the C is missing right after the G
	want := missing + string([]uint8{0, 2, 0, 0, 0, 0, 0, 0, 0})
	if truths[missing] != want {
		t.Errorf("truth % x, want % x", truths[missing], want)
	}
}

func TestCanonicalCases(t *testing.T) {
	for _, c := range []struct {
		name            string
		template, bases string
		pos, want       []int32
	}{
		{"insertion goes left in a run", "GAAAT", "GAAAAT", []int32{0, 1, 2, 3, -1, 4}, []int32{0, -1, 1, 2, 3, 4}},
		{"deletion goes left in a run", "GAAAT", "GAAT", []int32{0, 1, 2, 4}, []int32{0, 2, 3, 4}},
		{"deletion of a repeat goes left", "GACACACT", "GACACT", []int32{0, 1, 2, 3, 4, 7}, []int32{0, 3, 4, 5, 6, 7}},
		{"deletion goes no further than the first base", "AAAT", "AAT", []int32{0, 1, 3}, []int32{0, 2, 3}},
		{"insertion before deletion is a substitution", "GAT", "GCT", []int32{0, -1, 2}, []int32{0, 1, 2}},
		{"insertion and deletion in a run cancel", "GAAAT", "GAAAT", []int32{0, 1, -1, 3, 4}, []int32{0, 1, 2, 3, 4}},
		{"insertion meets a deletion to its left", "GAAAAT", "GAAAAT", []int32{0, 2, 3, -1, 4, 5}, []int32{0, 1, 2, 3, 4, 5}},
		{"deletion meets an insertion to its left", "GAAAAT", "GAAAAT", []int32{0, -1, 1, 2, 4, 5}, []int32{0, 1, 2, 3, 4, 5}},
		{"substitution and deletion are one deletion", "TACG", "TCG", []int32{0, 1, 3}, []int32{0, 2, 3}},
		{"deletion and substitution are one deletion", "TACG", "TAG", []int32{0, 2, 3}, []int32{0, 1, 3}},
		{"substitution and insertion are one insertion", "TAG", "TCAG", []int32{0, 1, -1, 2}, []int32{0, -1, 1, 2}},
		{"insertion and substitution are one insertion", "TAG", "TACG", []int32{0, -1, 1, 2}, []int32{0, 1, -1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pos := slices.Clone(c.pos)
			canonical(Encode(nil, []byte(c.bases)), pos, Encode(nil, []byte(c.template)))
			if !slices.Equal(pos, c.want) {
				t.Errorf("%v, want %v", pos, c.want)
			}
		})
	}
}

// The same source of randomness gives the same read, whatever was in out; another gives another.
func TestPure(t *testing.T) {
	for name, p := range builtins(t) {
		template := random(rand.New(rand.NewPCG(1, 1)), 2000)
		var fresh, used Read
		p.Read(rand.New(rand.NewPCG(3, 3)), template, 999, &used)
		for range 3 {
			p.Read(rand.New(rand.NewPCG(9, 1)), template, 500, &used)
			p.Read(rand.New(rand.NewPCG(9, 1)), template, 500, &fresh)
			if !bytes.Equal(used.Bases, fresh.Bases) || !bytes.Equal(used.Quals, fresh.Quals) || !bytes.Equal(used.Here, fresh.Here) || !bytes.Equal(used.After, fresh.After) || used.Used != fresh.Used {
				t.Fatalf("%s: the read depends on what was in its memory", name)
			}
		}
	}
}

// chi is the upper tail of Pearson's chi-squared statistic; cells expected below 5 are pooled.
func chi(seen, expect []float64) (p float64) {
	var x, restSeen, restExpect float64
	cells := 0
	add := func(s, e float64) { x += (s - e) * (s - e) / e; cells++ }
	for i, e := range expect {
		if e < 5 {
			restSeen, restExpect = restSeen+seen[i], restExpect+e
			continue
		}
		add(seen[i], e)
	}
	if restExpect >= 5 {
		add(restSeen, restExpect)
	}
	return distuv.ChiSquared{K: float64(max(1, cells-1))}.Survival(x)
}

// Scores follow the marginals of every bin although they are a chain; substitutions follow scores.
func TestScores(t *testing.T) {
	for _, name := range []string{"illumina", "miseq", "nanopore"} {
		p := builtins(t)[name]
		p = &Profile{Version: version, Name: name, Quality: p.Quality, Sub: p.Sub, Ins: Insertion{ByRun: []float64{0}}, Del: Deletion{ByRun: []float64{0}}, Classes: p.Classes[:1]}
		p.Sub.ByContext, p.Sub.ByCycle, p.Classes[0].Sub = nil, nil, 1
		r := rand.New(rand.NewPCG(11, 4))
		k := len(p.Quality.Phred)
		index := map[uint8]int{}
		for i, q := range p.Quality.Phred {
			index[uint8(q)] = i
		}
		n := 150
		seen := make([][]float64, n)
		for j := range seen {
			seen[j] = make([]float64, k)
		}
		errs, all := make([]float64, k), make([]float64, k)
		template := random(r, n)
		var o Read
		const reads = 4000
		for range reads {
			p.Read(r, template, n, &o)
			for j, q := range o.Quals {
				i := index[q]
				seen[j][i]++
				all[i]++
				if o.Bases[j] != o.Here[j] {
					errs[i]++
				}
			}
		}
		bin, low := 0, 1.0
		for j := range seen {
			for bin < len(p.Quality.Ends)-1 && j >= p.Quality.Ends[bin] {
				bin++
			}
			expect := normalised(p.Classes[0].Marginal[bin])
			for i := range expect {
				expect[i] *= reads
			}
			low = min(low, chi(seen[j], expect))
		}
		if low < 1e-6 { // the least of 150
			t.Errorf("%s: scores at one cycle have p = %g", name, low)
		}
		var expected, got []float64
		for i, rate := range p.Sub.ByQuality {
			got = append(got, errs[i], all[i]-errs[i])
			expected = append(expected, all[i]*rate, all[i]*(1-rate))
		}
		if pv := chi(got, expected); pv < 1e-3 {
			t.Errorf("%s: errors by score %v of %v, p = %g", name, errs, all, pv)
		}
	}
}

// Neighbouring scores have the odds of Link.
func TestLink(t *testing.T) {
	p := Rate(0, 0, 0)
	p.Quality = Quality{Phred: []int{2, 20, 40}, Ends: []int{1}, Link: [][]float64{{20, 1, 0.1}, {1, 3, 1}, {0.1, 1, 5}}}
	p.Sub.ByQuality = []float64{0, 0, 0}
	p.Classes[0].Marginal = [][]float64{{0.2, 0.3, 0.5}}
	r := rand.New(rand.NewPCG(2, 7))
	const n = 200_000
	var o Read
	p.Read(r, random(r, n), n, &o)
	pair := map[[2]uint8]float64{}
	count := map[uint8]float64{}
	for j := 1; j < n; j++ {
		pair[[2]uint8{o.Quals[j-1], o.Quals[j]}]++
		count[o.Quals[j]]++
	}
	for i, q := range p.Quality.Phred {
		if f := count[uint8(q)] / n; math.Abs(f-p.Classes[0].Marginal[0][i]) > 0.01 {
			t.Errorf("score %d has share %g", q, f)
		}
	}
	for i := range 2 {
		for j := range 2 {
			a, b := uint8(p.Quality.Phred[i]), uint8(p.Quality.Phred[i+1])
			c, d := uint8(p.Quality.Phred[j]), uint8(p.Quality.Phred[j+1])
			got := math.Log(pair[[2]uint8{a, c}] * pair[[2]uint8{b, d}] / pair[[2]uint8{a, d}] / pair[[2]uint8{b, c}])
			l := p.Quality.Link
			want := math.Log(l[i][j] * l[i+1][j+1] / l[i][j+1] / l[i+1][j])
			if math.Abs(got-want) > 0.12 {
				t.Errorf("log odds ratio of %d,%d by %d,%d is %g, want %g", a, b, c, d, got, want)
			}
		}
	}
}

// Indels come at the rate of their homopolymer, N at its own, adapter and truncation at theirs.
func TestRates(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	const n = 400_000
	template := make([]uint8, 0, 2*n)
	for b := uint8(0); len(template) < 2*n; b = (b + 1 + uint8(r.IntN(3))) & 3 {
		for range 1 + r.IntN(4) {
			template = append(template, b)
		}
	}
	count := func(p *Profile) (runs, events []float64) {
		var o Read
		p.Read(r, template, n, &o)
		runs, events = make([]float64, 4), make([]float64, 4)
		for _, q := range o.Pos {
			if q >= 0 {
				runs[run(template, int(q), 4)-1]++
			}
		}
		last := int32(-1)
		for j, q := range o.Pos {
			if q < 0 {
				next := j
				for next < len(o.Pos)-1 && o.Pos[next] < 0 {
					next++
				}
				events[run(template, int(max(0, o.Pos[next])), 4)-1]++ // repeats of the run go to its start
				continue
			}
			if q > last+1 {
				events[run(template, int(last+1), 4)-1]++
				runs[run(template, int(last+1), 4)-1]++
			}
			last = q
		}
		return runs, events
	}
	rates := []float64{0.002, 0.005, 0.01, 0.02}
	for _, kind := range []string{"ins", "del"} {
		p := Rate(0, 0, 0)
		if kind == "ins" {
			p.Ins = Insertion{ByRun: rates, Repeat: 1}
		} else {
			p.Del = Deletion{ByRun: rates}
		}
		runs, events := count(p)
		var seen, expect []float64
		for i := range runs {
			seen = append(seen, events[i], runs[i]-events[i])
			expect = append(expect, runs[i]*rates[i], runs[i]*(1-rates[i]))
		}
		if pv := chi(seen, expect); pv < 1e-3 {
			t.Errorf("%s: %v of %v, want rates %v: p = %g", kind, events, runs, rates, pv)
		}
	}

	p := Rate(0.01, 0, 0)
	p.N = Ambiguous{0.01, 0.5}
	p.Adapter = Adapter{"AGATCGGAAG", 0.25, 20}
	p.Truncate = Truncation{0.1, 10}
	var o Read
	const reads = 4000
	starts, ns, all, short, adapters := 0.0, 0.0, 0.0, 0.0, 0.0
	for range reads {
		p.Read(r, template, 100, &o)
		if len(o.Bases) < 100 {
			short++
		}
		if o.Body < len(o.Bases) {
			adapters++
			if o.Used != o.Body || !slices.Equal(slices.Compact(slices.Clone(o.Here[o.Body:])), []uint8{Delete}) {
				t.Fatal("adapter without its truth")
			}
		}
		for j, b := range o.Bases {
			all++
			if b == N {
				ns++
				if j == 0 || o.Bases[j-1] != N {
					starts++
				}
			}
		}
	}
	for _, c := range []struct {
		what           string
		got, n, wanted float64
	}{{"truncated reads", short, reads, 0.1}, {"reads with adapter", adapters, reads, 0.25 * (0.9 + 0.1*0.45)}, {"N", ns, all, 2.0 / (2 + 1/0.01 - 1)}} {
		sd := math.Sqrt(c.wanted * (1 - c.wanted) / c.n)
		if c.what == "N" {
			sd *= 2 // they come in bursts
		}
		if math.Abs(c.got/c.n-c.wanted) > 4*sd {
			t.Errorf("%s: %g of %g, want %g", c.what, c.got, c.n, c.wanted)
		}
	}
	if mean := ns / starts; math.Abs(mean-2) > 0.15 {
		t.Errorf("bursts of N are %g long, want 2", mean)
	}
}

func TestAllocations(t *testing.T) {
	for name, p := range builtins(t) {
		r := rand.New(rand.NewPCG(1, 2))
		template := random(r, 3000)
		var o Read
		p.Read(r, template, 2000, &o)
		if n := testing.AllocsPerRun(20, func() { p.Read(r, template, 2000, &o) }); n > 0 {
			t.Errorf("%s: %g allocations a read", name, n)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
	}{{"illumina", 150}, {"miseq", 250}, {"pacbio", 8000}, {"nanopore", 8000}} {
		b.Run(c.name, func(b *testing.B) {
			p, err := Builtin(c.name)
			if err != nil {
				b.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 2))
			genome := random(r, 1<<20)
			var o Read
			p.Read(r, genome, c.n, &o) // makes the tables
			b.ReportAllocs()
			bases := 0
			for b.Loop() {
				at := r.IntN(len(genome) - 2*c.n)
				p.Read(r, genome[at:at+2*c.n], c.n, &o)
				bases += len(o.Bases)
			}
			b.ReportMetric(float64(bases)/1e6/b.Elapsed().Seconds(), "Mb/s")
		})
	}
}
