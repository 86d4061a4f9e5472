package table

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

var updateVectors = flag.Bool("update-vectors", false, "rewrite testdata/scarf.json")

func TestSpecs(t *testing.T) { domaintest.Specs(t, Specs()) }

func corruption(share float64) view.Config {
	return declare("corrupt", 1, "share", invariant(share, share))
}

// TestCorruptionLaw holds the draws against the definition of SCARF (arXiv 2106.15147, algorithm 1) for any table and share.
func TestCorruptionLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns, rows := rapid.IntRange(1, 40).Draw(t, "columns"), rapid.IntRange(2, 30).Draw(t, "rows")
		percent := rapid.IntRange(0, 100).Draw(t, "percent")
		tab := &Table{Rows: rows, Source: "law"}
		m := 0
		for j := range columns {
			c := Column{Name: fmt.Sprintf("c%d", j), Kind: Number, Input: true}
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				c.Protected = true
			case 1:
				c.Input = false
			case 2:
				c.Kind, c.Levels = Category, []string{"a", "b", "c"}
				m++
			default:
				m++
			}
			v, st := make([]float64, rows), make([]State, rows)
			for i := range v {
				if v[i] = float64(rapid.IntRange(0, 2).Draw(t, "value")); rapid.IntRange(0, 9).Draw(t, "missing") == 0 {
					v[i], st[i] = 0, Missing
				}
			}
			tab.Columns, tab.Values, tab.States = append(tab.Columns, c), append(tab.Values, v), append(tab.States, st)
		}
		share := float64(percent) / 100
		want := percent * m / 100 // floor in whole numbers
		s := samplesOf(tab, nil, corruption(share))
		v, err := s.sampler()
		if want == 0 && percent > 0 {
			if err == nil || !strings.Contains(err.Error(), "none of them") {
				t.Fatalf("a share that touches nothing: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		tr := v.Transforms()[0].(RowTransformation)
		for i := range s.Len(domain.Train) {
			p := tr.Draw(rapid.Uint64().Draw(t, "seed"), 0, i)
			cs, err := tr.Details(domain.Train, i, p)
			if err != nil {
				t.Fatal(err)
			}
			if len(cs) != want {
				t.Fatalf("%d of %d columns at %d %%, want exactly %d", len(cs), m, percent, want)
			}
			src, r, hit := NewRow(columns), NewRow(columns), map[int]bool{}
			if err := s.Row(domain.Train, i, &src); err != nil {
				t.Fatal(err)
			}
			if err := tr.ViewRow(&r, domain.Train, i, p); err != nil {
				t.Fatal(err)
			}
			for _, c := range cs {
				col := &tab.Columns[c.Column]
				if hit[c.Column] || col.Protected || !col.Input {
					t.Fatalf("column %s may not be written (or twice)", col.Name)
				}
				hit[c.Column] = true
				if !slices.Contains(s.Rows(domain.Train), int32(c.Donor)) || tab.Values[c.Column][c.Donor] != c.New || tab.States[c.Column][c.Donor] != c.NewState {
					t.Fatalf("%s: %g is not the cell of training row %d", col.Name, c.New, c.Donor)
				}
				// A swap changes nothing exactly where the donor's cell is equal.
				if same(&r, &src, c.Column) != (c.New == c.Old && c.NewState == c.OldState) || r.V[c.Column] != c.New || r.S[c.Column] != c.NewState {
					t.Fatalf("%s: was %g, donor %g, view %g", col.Name, c.Old, c.New, r.V[c.Column])
				}
			}
			for j := range columns {
				if !hit[j] && !same(&r, &src, j) {
					t.Fatalf("column %d changed although it was not chosen", j)
				}
			}
		}
	})
}

// chiSquare fails where counts are unlikely (below one in a million) for the expected numbers.
func chiSquare(t *testing.T, what string, counts []int, want []float64) {
	t.Helper()
	x, df := 0.0, -1.0
	for k, w := range want {
		if w == 0 {
			if counts[k] > 0 {
				t.Errorf("%s: class %d occurs %d times, want never", what, k, counts[k])
			}
			continue
		}
		d := float64(counts[k]) - w
		x, df = x+d*d/w, df+1
	}
	if p := 1 - (distuv.ChiSquared{K: df}).CDF(x); p < 1e-6 {
		t.Errorf("%s: chi-square %.1f of %g degrees of freedom, p = %.2g: %v, want %.0f", what, x, df, p, counts, want)
	}
}

// TestCorruptionMarginals: columns are chosen uniformly, cells follow the marginal of the training part (missing cells too),
// donors are drawn for every cell on its own.
func TestCorruptionMarginals(t *testing.T) {
	s := mixedSamples(t, 500, nil, corruption(0.6))
	s.table.Columns[2].Protected = true
	tab, train := s.table, s.Rows(domain.Train)
	const draws = 20_000
	cats := []int{s.table.Lookup("c1"), s.table.Lookup("c3"), s.table.Lookup("b0")}
	chosen := make([]int, len(tab.Columns))
	levels := map[int][]int{}
	for _, j := range cats {
		levels[j] = make([]int, len(tab.Columns[j].Levels)+1)
	}
	donors := make([]int, tab.Rows)
	pairs, equal, total := 0, 0, 0
	v := mustSampler(t, s)
	for n := range draws {
		rv, err := v.View(3, uint64(n), n%len(train), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		for k, c := range rv.Changes {
			chosen[c.Column]++
			donors[c.Donor]++
			total++
			if l := levels[c.Column]; l != nil {
				if c.NewState == Missing {
					l[len(l)-1]++
				} else {
					l[int(c.New)]++
				}
			}
			if k > 0 {
				pairs++
				if c.Donor == rv.Changes[k-1].Donor {
					equal++
				}
			}
		}
	}
	m := len(tab.Columns) - 1
	want := make([]float64, len(chosen))
	for j := range want {
		if j != 2 {
			want[j] = float64(total) / float64(m)
		}
	}
	if total != draws*(6*m/10) {
		t.Errorf("%d cells written, want %d", total, draws*(6*m/10))
	}
	chiSquare(t, "columns", chosen, want)
	for _, j := range cats {
		want := make([]float64, len(levels[j]))
		for _, i := range train {
			k := int(tab.Values[j][i])
			if tab.States[j][i] == Missing {
				k = len(want) - 1
			}
			want[k] += float64(chosen[j]) / float64(len(train))
		}
		chiSquare(t, tab.Columns[j].Name, levels[j], want)
	}
	want = make([]float64, tab.Rows)
	for _, i := range train {
		want[i] = float64(total) / float64(len(train))
	}
	chiSquare(t, "donors", donors, want)
	expect := float64(pairs) / float64(len(train))
	if math.Abs(float64(equal)-expect) > 6*math.Sqrt(expect) {
		t.Errorf("%d of %d pairs of cells have one donor, want about %.0f", equal, pairs, expect)
	}
}

// scarfVectors is testdata/scarf.json: a table, and what is written where.
type scarfVectors struct {
	About   string              `json:"about"`
	Seed    uint64              `json:"seed"`
	Share   float64             `json:"share"`
	Columns []string            `json:"columns"`
	Touched []string            `json:"may_change"`
	Rows    [][]*float64        `json:"rows"` // null is missing
	Views   []scarfView         `json:"views"`
	Counts  map[string][2]int64 `json:"floor"` // share as text: [M, floor(share*M)]
}

type scarfView struct {
	Sample  int        `json:"sample"`
	Epoch   uint64     `json:"epoch"`
	View    int        `json:"view"`
	Columns []string   `json:"columns"`
	Donors  []int      `json:"donors"`
	Row     []*float64 `json:"row"`
}

func cellPointers(v []float64, s []State) []*float64 {
	out := make([]*float64, len(v))
	for j := range v {
		if s[j] == Present {
			x := v[j]
			out[j] = &x
		}
	}
	return out
}

func makeVectors(t *testing.T) scarfVectors {
	names := []string{"id", "age", "amount", "category", "label_like", "visits", "region", "score", "plan", "day"}
	tab := &Table{Rows: 12, Source: "scarf"}
	for j, n := range names {
		c := Column{Name: n, Kind: Number, Input: j != 0, Protected: n == "category"}
		v, st := make([]float64, tab.Rows), make([]State, tab.Rows)
		for i := range v {
			if v[i] = float64(100*j + i*(j+3)%7); (i+j)%9 == 8 {
				v[i], st[i] = 0, Missing
			}
		}
		tab.Columns, tab.Values, tab.States = append(tab.Columns, c), append(tab.Values, v), append(tab.States, st)
	}
	const seed, share = 20, 0.6
	s := samplesOf(tab, nil, corruption(share))
	v := mustSampler(t, s)
	out := scarfVectors{About: "SCARF corruption (arXiv 2106.15147): exactly floor(share*M) of the M columns that may change; donors are rows of the table, of the training part only",
		Seed: seed, Share: share, Columns: names, Touched: slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "id" || n == "category" }), Counts: map[string][2]int64{}}
	for i := range tab.Rows {
		r := NewRow(len(names))
		tab.Read(i, &r)
		out.Rows = append(out.Rows, cellPointers(r.V, r.S))
	}
	for i := range s.Len(domain.Train) {
		for k := range 2 {
			rv, err := v.View(seed, 1, i, 0, k)
			if err != nil {
				t.Fatal(err)
			}
			sv := scarfView{Sample: int(s.Rows(domain.Train)[i]), Epoch: 1, View: k, Row: cellPointers(rv.Row.V, rv.Row.S)}
			for _, c := range rv.Changes {
				sv.Columns, sv.Donors = append(sv.Columns, names[c.Column]), append(sv.Donors, c.Donor)
			}
			out.Views = append(out.Views, sv)
		}
	}
	for _, percent := range []int{7, 29, 30, 57, 58, 60, 70, 100} {
		for _, m := range []int{10, 50, 100} {
			share := float64(percent) / 100
			out.Counts[fmt.Sprintf("%g of %d", share, m)] = [2]int64{int64(m), int64(v.m.chosen(share, m))}
		}
	}
	return out
}

// TestConformanceVectors: the file states what everybody can check (exact counts, donors, cells), and the code gives it still.
func TestConformanceVectors(t *testing.T) {
	path := filepath.Join("testdata", "scarf.json")
	got, err := json.MarshalIndent(makeVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *updateVectors {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Error("the vectors of testdata/scarf.json are not what the code gives; if that is meant, -update-vectors, and say it in the change log: recorded runs change")
	}
	var v scarfVectors
	if err := json.Unmarshal(want, &v); err != nil {
		t.Fatal(err)
	}
	at := func(name string) int { return slices.Index(v.Columns, name) }
	equal := func(a, b *float64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }
	for _, w := range v.Views { // from outside, with nothing but the file
		if len(w.Columns) != 4 || len(w.Donors) != 4 { // floor(0.6 * 8)
			t.Errorf("sample %d, view %d: %d columns, want 4", w.Sample, w.View, len(w.Columns))
		}
		for k, c := range w.Columns {
			if !slices.Contains(v.Touched, c) || slices.Contains(w.Columns[:k], c) || w.Donors[k] == 8 || w.Donors[k] == 9 {
				t.Errorf("sample %d, view %d: column %s from row %d", w.Sample, w.View, c, w.Donors[k])
			}
			if !equal(w.Row[at(c)], v.Rows[w.Donors[k]][at(c)]) {
				t.Errorf("sample %d, view %d: %s is not that of row %d", w.Sample, w.View, c, w.Donors[k])
			}
		}
		for j, c := range v.Columns {
			if !slices.Contains(w.Columns, c) && !equal(w.Row[j], v.Rows[w.Sample][j]) {
				t.Errorf("sample %d, view %d: %s changed", w.Sample, w.View, c)
			}
		}
	}
	for name, c := range v.Counts {
		var share float64
		var m int64
		if _, err := fmt.Sscanf(name, "%g of %d", &share, &m); err != nil {
			t.Fatal(err)
		}
		if percent := int64(math.Round(share * 100)); c[1] != percent*m/100 {
			t.Errorf("%s: %d columns, want %d", name, c[1], percent*m/100)
		}
	}
}

// TestColumnTransforms: what each transformation may do to a cell, for many draws.
func TestColumnTransforms(t *testing.T) {
	keep := func(word string, days float64) view.Config {
		c := declare("bought_at.shift", 1, "shift", invariant(-days*daySeconds, days*daySeconds))
		c.Options = map[string]string{recipe.OptionKeep: word}
		return c
	}
	near := func(lo, hi float64) func(old, v float64, c *Column) bool {
		return func(old, v float64, _ *Column) bool { return v-old >= lo && v-old <= hi }
	}
	for _, c := range []struct {
		cfg view.Config
		ok  func(old, v float64, c *Column) bool
		all bool // every draw of a cell with a value changes it
	}{
		{declare("n0.jitter", 1, "jitter", invariant(-2, 3)), near(-2, 3), true},
		{declare("n0.shift", 1, "shift", invariant(5, 6)), near(5-1e-9, 6+1e-9), true},
		{declare("n1.scale", 1, "scale", invariant(0.5, 0.9)), func(o, v float64, _ *Column) bool { return math.Abs(v) <= 0.9001*math.Abs(o) }, true},
		{declare("n0.noise", 1, "sd", invariant(1, 1)), near(-6, 6), true},
		{declare("quantity.jitter", 1, "jitter", invariant(-3, 3)), func(o, v float64, _ *Column) bool { return v == math.Trunc(v) && v >= 1 && math.Abs(v-o) <= 3 }, false},
		{declare("price.noise", 1, "sd", invariant(20, 20)), func(_, v float64, c *Column) bool {
			return c.Bounds.Contains(v) && math.Round(v*100)/100 == v
		}, false},
		{declare("price.scale", 1, "scale", invariant(0.01, 100)), func(_, v float64, c *Column) bool {
			return c.Bounds.Contains(v) && math.Round(v*100)/100 == v
		}, false},
		{declare("bought_at.jitter", 1, "jitter", invariant(-600, 600)), func(o, v float64, _ *Column) bool { return v == math.Trunc(v) && math.Abs(v-o) <= 600 }, false},
		{keep("hour", 20), func(o, v float64, _ *Column) bool {
			return math.Mod(v-o, daySeconds) == 0 && math.Abs(v-o) <= 20*daySeconds
		}, false},
		{keep("weekday", 30), func(o, v float64, _ *Column) bool {
			return math.Mod(v-o, 7*daySeconds) == 0 && TimeOf(o).Weekday() == TimeOf(v).Weekday() && TimeOf(o).Hour() == TimeOf(v).Hour()
		}, false},
		{declare("c4.swap", 1, "swap", invariant(1, 1)), func(_, v float64, c *Column) bool { return v >= 0 && int(v) < len(c.Levels) }, false},
		{within("c2.swap_within", "c1"), func(_, v float64, c *Column) bool { return v >= 0 && int(v) < len(c.Levels) }, false},
		{within("c2.swap_within", "quantity"), func(_, v float64, c *Column) bool { return v >= 0 && int(v) < len(c.Levels) }, false},
	} {
		t.Run(c.cfg.Name+" "+c.cfg.Options["keep"]+c.cfg.Options["within"], func(t *testing.T) {
			s := mixedSamples(t, 200, nil, c.cfg)
			v := mustSampler(t, s)
			j := v.m.steps[0].column
			col, src := &s.table.Columns[j], NewRow(20)
			changed, present := 0, 0
			for n := range 2000 {
				i := n % s.Len(domain.Train)
				rv, err := v.View(1, uint64(n), i, 0, n%2)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Row(domain.Train, i, &src); err != nil {
					t.Fatal(err)
				}
				for k := range src.V {
					if k != j && !same(&src, &rv.Row, k) {
						t.Fatalf("column %d changed", k)
					}
				}
				if v.m.steps[0].op.moves() && src.S[j] != Present && !same(&src, &rv.Row, j) {
					t.Fatal("a missing cell got a value")
				}
				if src.S[j] != Present || rv.Row.S[j] != Present {
					continue
				}
				present++
				if !same(&src, &rv.Row, j) {
					changed++
				}
				if !c.ok(src.V[j], rv.Row.V[j], col) {
					t.Fatalf("%g became %g", src.V[j], rv.Row.V[j])
				}
				if w := v.m.steps[0].within; w >= 0 {
					if len(rv.Changes) == 0 && (src.S[w] == Missing || len(rv.Draws) == 0) {
						continue // in no group, or not drawn
					}
					d := rv.Changes[0].Donor
					if s.table.Values[w][d] != src.V[w] || s.table.States[w][d] != Present {
						t.Fatalf("donor %d is of another group", d)
					}
				}
			}
			if present < 1000 || changed < present/4 || c.all && changed < present*99/100 {
				t.Errorf("%d of %d cells changed", changed, present)
			}
		})
	}
}

// TestNoiseIsGaussian compares noise with the normal distribution by Kolmogorov and Smirnov.
func TestNoiseIsGaussian(t *testing.T) {
	x := make([]float64, 50_000)
	g := splitmix(3)
	for i := range x {
		x[i] = g.normal()
	}
	slices.Sort(x)
	d := 0.0
	for i, v := range x {
		c := distuv.UnitNormal.CDF(v)
		d = max(d, math.Abs(c-float64(i)/float64(len(x))), math.Abs(c-float64(i+1)/float64(len(x))))
	}
	if limit := 2.7 / math.Sqrt(float64(len(x))); d > limit { // p below 1e-6
		t.Errorf("distance %.4f, limit %.4f", d, limit)
	}
}

// TestTargets: the target of an Equivariant stream is the factor by which the cell was scaled; where there is no cell, it is that of
// no change.
func TestTargets(t *testing.T) {
	s := mixedSamples(t, 100, nil, append(benchTransforms(), declare("n1.shift", 1, "shift", equivariant(2, 6)), declare("n3.jitter", 1, "jitter", equivariant(-4, 4)))...)
	v := mustSampler(t, s)
	dst, scratch := newArrays(v.Fields(), 1), v.NewScratch()
	src := NewRow(20)
	missing := 0
	for _, c := range []struct {
		stream int
		column string
		rest   float32
		scale  func(added float64) float64
	}{
		{1, "n1", -1, func(a float64) float64 { return (a - 4) / 2 }},
		{2, "n3", 0, func(a float64) float64 { return a / 4 }},
	} {
		st, j := v.streams[c.stream], s.table.Lookup(c.column)
		for n := range 400 {
			i := n % s.Len(domain.Train)
			if err := v.Fill(dst, 0, 1, uint64(n), i, scratch); err != nil {
				t.Fatal(err)
			}
			rv, err := v.View(1, uint64(n), i, c.stream, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Row(domain.Train, i, &src); err != nil {
				t.Fatal(err)
			}
			got := dst[st.target].F32[0]
			if src.S[j] != Present {
				missing++
				if got != c.rest || !same(&src, &rv.Row, j) {
					t.Fatalf("%s is missing, target %g, want %g", c.column, got, c.rest)
				}
				continue
			}
			if want := c.scale(rv.Row.V[j] - src.V[j]); math.Abs(float64(got)-want) > 1e-6 {
				t.Fatalf("%s: target %g, want %g", c.column, got, want)
			}
			// corrupt still takes exactly its share, of the others.
			k := 0
			for _, ch := range rv.Changes {
				if v.m.steps[ch.Step].op == opCorrupt {
					k++
				}
			}
			if k != 11 { // floor(0.6 * 19)
				t.Fatalf("%d columns corrupted", k)
			}
			clean := make([]float32, s.encoding.Size())
			s.encoding.Put(clean, &src)
			if !slices.Equal(clean, dst[st.clean].F32) {
				t.Fatal("the clean row is not the row")
			}
		}
	}
	if missing == 0 {
		t.Error("no missing cell was seen")
	}
}

// TestReplay: the recorded draws of whole chains, applied one after the other, give the view bit for bit, for any number of workers.
func TestReplay(t *testing.T) {
	for name, rules := range map[string][]string{"free": nil, "rules": shopRules} {
		s := mixedSamples(t, 120, rules, append(suiteTransforms()[:9:9], corruption(0.4))...)
		v := mustSampler(t, s)
		n := s.Len(domain.Train)
		m, fields := v.m, v.Fields()
		whole := newArrays(fields, n)
		for i := range n {
			if err := v.Fill(whole, i, 2, 5, i, v.NewScratch()); err != nil {
				t.Fatal(err)
			}
		}
		for _, workers := range []int{2, 5} {
			again := newArrays(fields, n)
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					scratch := v.NewScratch()
					for i := n - 1 - w; i >= 0; i -= workers {
						if err := v.Fill(again, i, 2, 5, i, scratch); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			for k := range fields {
				if !slices.Equal(whole[k].F32, again[k].F32) || !slices.Equal(whole[k].U8, again[k].U8) {
					t.Errorf("%s: field %s differs with %d workers", name, fields[k].Name, workers)
				}
			}
		}
		w := v.newWorkspace()
		dst := make([]float32, s.encoding.Size())
		chains := 0
		for i := range n {
			draws := v.Drawn(2, 5, i)
			for k, st := range v.streams {
				for view := range st.Views {
					m.read(i, &w.src)
					CopyRow(&w.row, &w.src)
					for _, d := range draws {
						if d.Stream != st.Name || d.View != view || st.Kind != contract.Invariant {
							continue
						}
						at := slices.IndexFunc(m.steps, func(s *step) bool { return s.cfg.Name == d.Transform })
						dr, err := v.drawnOf(at, &d.Params)
						if err != nil {
							t.Fatal(err)
						}
						m.apply(w, m.steps[at], &dr)
						chains++
					}
					if st.Kind != contract.Invariant {
						continue
					}
					m.book.derive(&w.row, &w.src)
					if !m.book.possible(&w.row, &w.src) {
						m.book.repair(&w.row, &w.src, w.blame)
					}
					s.encoding.Put(dst, &w.row)
					at := (i*st.Views + view) * len(dst)
					if !slices.Equal(dst, whole[v.streams[k].input].F32[at:at+len(dst)]) {
						t.Fatalf("%s: sample %d, view %d is not what was recorded", name, i, view)
					}
				}
			}
		}
		if chains < n {
			t.Errorf("%d draws replayed", chains)
		}
	}
}

// TestRulesRule: derived columns follow, impossible views are drawn again, and what cannot be had keeps its cells, counted.
func TestRulesRule(t *testing.T) {
	s := smallSamples(t, smallRules, smallTransforms()...)
	v := mustSampler(t, s)
	dst, scratch := newArrays(v.Fields(), 1), v.NewScratch()
	for n := range 2000 {
		if err := v.Fill(dst, 0, 1, uint64(n), n%8, scratch); err != nil {
			t.Fatal(err)
		}
		if rv, err := v.View(1, uint64(n), n%8, 0, 0); err != nil || math.Abs(rv.Row.V[3]-rv.Row.V[1]*rv.Row.V[2]) > 0.0051 || rv.Row.V[5] < rv.Row.V[4] {
			t.Fatalf("%v, %v", rv.Row, err)
		}
	}
	if c := v.Counts(); c.Views != 4*2000 || c.Redrawn == 0 || c.Redrawn > 2000 || c.Kept > 100 {
		t.Errorf("counts %+v", c)
	}
	// The total is protected and the price stays: no other quantity is possible.
	s = smallSamples(t, []string{"total == quantity * price"}, declare("quantity.jitter", 1, "jitter", invariant(1, 1)))
	s.table.Columns[3].Protected = true
	v = mustSampler(t, s)
	dst, scratch = newArrays(v.Fields(), 1), v.NewScratch()
	src := NewRow(11)
	for i := range 8 {
		if err := v.Fill(dst, 0, 1, 0, i, scratch); err != nil {
			t.Fatal(err)
		}
		rv, err := v.View(1, 0, i, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Row(domain.Train, i, &src); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(rv.Row.V, src.V) {
			t.Errorf("%v of %v", rv.Row.V, src.V)
		}
		if b := s.VerifyView(1, 0, i); b != nil {
			t.Errorf("%+v", b)
		}
	}
	if c := v.Counts(); c.Kept != 16 || c.Redrawn != 16*(view.Tries-1) {
		t.Errorf("counts %+v", c)
	}
	// A rule that the row itself breaks is not held against its views; what follows from masked cells is masked.
	s = smallSamples(t, []string{"total = quantity * price", "price < 1"}, declare("price.mask", 1, "mask", restorable(1, 1)), declare("price.scale", 1, "scale", invariant(0.9, 1.1)))
	v = mustSampler(t, s)
	rv, err := v.View(1, 0, 0, 1, 0)
	if err != nil || rv.Row.S[2] != Masked || rv.Row.S[3] != Masked {
		t.Errorf("%v, %v", rv.Row, err)
	}
	dst = newArrays(v.Fields(), 1)
	if err := v.Fill(dst, 0, 1, 0, 0, v.NewScratch()); err != nil {
		t.Fatal(err)
	}
	if m := dst[v.streams[1].maskF].U8; m[s.encoding.First(2)] != 1 || m[s.encoding.First(3)] != 1 || m[s.encoding.First(1)] != 0 {
		t.Errorf("mask %v", m)
	}
	if c := v.Counts(); c.Redrawn != 0 || c.Kept != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestDeclarationsThatCannotBe(t *testing.T) {
	keep := func(word string, hours float64) view.Config {
		c := declare("bought_at.shift", 1, "shift", invariant(-hours*3600, hours*3600))
		c.Options = map[string]string{recipe.OptionKeep: word}
		return c
	}
	for name, c := range map[string]struct {
		cfg  view.Config
		want string
	}{
		"unknown":            {declare("price.melt", 1, ""), "unknown transformation of a column"},
		"no column":          {declare("prize.drop", 1, "drop", invariant(1, 1)), `no column "prize"`},
		"protected":          {declare("category.drop", 1, "drop", invariant(1, 1)), "the column is protected"},
		"scaled level":       {declare("city.scale", 1, "scale", invariant(0.9, 1)), "of kind category"},
		"scaled rank":        {declare("size.scale", 1, "scale", invariant(0.9, 1)), "of kind ordinal"},
		"scaled time":        {declare("bought_at.scale", 1, "scale", invariant(0.9, 1)), "of kind timestamp"},
		"target":             {declare("label.swap", 1, "swap", invariant(1, 1)), "the column is the target"},
		"derived":            {declare("total.swap", 1, "swap", invariant(1, 1)), "derived"},
		"within nothing":     {declare("city.swap_within", 1, "swap", invariant(1, 1)), `no column ""`},
		"within itself":      {within("city.swap_within", "city"), "within itself"},
		"less than a week":   {keep("weekday", 100), "holds none but 0"},
		"keep the minute":    {keep("minute", 100), "hour or weekday"},
		"nothing chosen":     {declare("mask", 1, "share", restorable(0.05, 0.05)), "none of them"},
		"probability":        {declare("mask", 2, "share", restorable(0.5, 0.5)), "p is 2"},
		"nothing to predict": {declare("price.scale", 1, "scale", equivariant(2, 2)), "nothing to predict"},
	} {
		_, err := NewSampler(smallSamples(t, smallRules, c.cfg))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "table: view: bad transformation: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for rule, want := range map[string]string{"total == quantity *": "rule", "weight > 0": "no column"} {
		if _, err := NewSampler(smallSamples(t, []string{rule}, declare("price.drop", 1, "drop", invariant(1, 1)))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	s := smallSamples(t, nil, declare("price.drop", 1, "drop", invariant(1, 1)))
	v := mustSampler(t, s)
	if err := v.Fill(newArrays(v.Fields(), 1), 0, 1, 0, 8, v.NewScratch()); err == nil {
		t.Error("sample 8 of 8 is no error")
	}
	if err := v.Fill(nil, 0, 1, 0, 0, v.NewScratch()); err == nil {
		t.Error("no field is no error")
	}
	if _, err := v.View(1, 0, 0, 3, 0); err == nil {
		t.Error("stream 3 of 1 is no error")
	}
}

func TestCellTexts(t *testing.T) {
	at := 1704103200.0 // 2024-01-01T10:00:00Z
	for _, c := range []struct {
		col         Column
		v           float64
		s           State
		text, words string
	}{
		{Column{Kind: Money, Unit: "EUR", Decimals: 2}, 12.5, Present, "12.50", "12.50 EUR"},
		{Column{Kind: Money, Unit: "EUR", Decimals: -1}, 12.5, Present, "12.5", "12.50 EUR"},
		{Column{Kind: Money, Decimals: 2}, 12.505, Present, "12.505", "12.505"},
		{Column{Kind: Number, Decimals: 1, Unit: "kg"}, 1.0 / 3, Present, "0.3333333333333333", "0.3333 kg"},
		{Column{Kind: Number, Decimals: -1}, 1e300, Present, "1e+300", "1e+300"},
		{Column{Kind: Integer, Unit: "years"}, 42, Present, "42", "42 years"},
		{Column{Kind: Timestamp, Format: "02.01.2006 15:04"}, at, Present, "01.01.2024 10:00", "01.01.2024 10:00"},
		{Column{Kind: Timestamp, Format: "2006-01-02"}, at, Present, "2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"},
		{Column{Kind: Timestamp, Format: UnixMillis}, at, Present, "1704103200000", "1704103200000"},
		{Column{Kind: Timestamp}, at - 36000, Present, "2024-01-01", "2024-01-01"},
		{Column{Kind: Category, Levels: []string{"a"}}, 0, Present, "a", "a"},
		{Column{Kind: Category, Levels: []string{"a"}}, Unknown, Present, "", "unknown"},
		{Column{Kind: Number}, 0, Missing, "", "missing"},
		{Column{Kind: Number}, 0, Dropped, "", "dropped"},
		{Column{Kind: Number}, 0, Masked, "", "masked"},
	} {
		if a, b := c.col.CellText(c.v, c.s), c.col.CellWords(c.v, c.s); a != c.text || b != c.words {
			t.Errorf("%+v %g: %q, %q, want %q, %q", c.col, c.v, a, b, c.text, c.words)
		}
	}
}
