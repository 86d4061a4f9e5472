package table

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// declare is a transformation as a recipe holds it.
func declare(name string, p float64, principal string, terms ...contract.Term) view.Config {
	c := view.Config{Name: name, P: p, Terms: terms}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, t := range terms {
		lo, hi = min(lo, t.Range.From), max(hi, t.Range.To)
	}
	if len(terms) > 0 {
		c.Params = map[string]contract.Range{principal: rg(lo, hi)}
	}
	return c
}

func invariant(lo, hi float64) contract.Term {
	return contract.Term{Kind: contract.Invariant, Range: rg(lo, hi)}
}

func equivariant(lo, hi float64) contract.Term {
	return contract.Term{Kind: contract.Equivariant, Range: rg(lo, hi)}
}

func restorable(lo, hi float64) contract.Term {
	return contract.Term{Kind: contract.Restorable, Range: rg(lo, hi)}
}

// mixedSamples are n rows of 20 columns with seeded content: 8 numbers (one of them whole), 2 amounts, 1 time, 6 categories, 1
// identifier, 2 booleans; four fifths of them train.
func mixedSamples(t testing.TB, n int, rules []string, transforms ...view.Config) *Samples {
	t.Helper()
	r := rng.New(7, rng.Split)
	tab := &Table{Rows: n, Source: "mixed.csv"}
	add := func(c Column, missing float64, value func(i int) float64) {
		c.Input, c.Decimals = true, -1
		v, s := make([]float64, n), make([]State, n)
		var sum, sq float64
		for i := range v {
			if r.Float64() < missing {
				s[i] = Missing
				continue
			}
			v[i] = value(i)
			sum, sq, c.Present = sum+v[i], sq+v[i]*v[i], c.Present+1
		}
		c.Mean = sum / float64(n)
		c.Std = math.Sqrt(max(sq/float64(n)-c.Mean*c.Mean, 0))
		tab.Columns, tab.Values, tab.States = append(tab.Columns, c), append(tab.Values, v), append(tab.States, s)
	}
	for k := range 7 {
		add(Column{Name: fmt.Sprintf("n%d", k), Kind: Number}, 0.05*float64(k%2), func(int) float64 { return r.NormFloat64()*float64(k+1) + 10 })
	}
	add(Column{Name: "quantity", Kind: Integer}, 0, func(int) float64 { return float64(1 + r.IntN(9)) })
	add(Column{Name: "price", Kind: Money, Unit: "EUR", Bounded: true, Bounds: rg(0.01, 1000)}, 0, func(int) float64 { return math.Round(100*math.Exp(r.NormFloat64()+2)) / 100 })
	add(Column{Name: "total", Kind: Money, Unit: "EUR"}, 0, func(i int) float64 { return math.Round(tab.Values[7][i]*tab.Values[8][i]*100) / 100 })
	add(Column{Name: "bought_at", Kind: Timestamp, Format: "2006-01-02 15:04:05"}, 0, func(int) float64 { return float64(1.7e9 + r.IntN(1e7)) })
	levels := func(k int) (out []string) {
		for i := range k {
			out = append(out, fmt.Sprintf("level %d", i))
		}
		return out
	}
	for k := range 6 {
		m := 3 + 5*k
		add(Column{Name: fmt.Sprintf("c%d", k), Kind: Category, Levels: levels(m)}, 0.1*float64(k%2), func(int) float64 { return float64(r.IntN(m) * r.IntN(2)) })
	}
	add(Column{Name: "customer", Kind: Identifier, Levels: levels(n/3 + 1)}, 0, func(int) float64 { return float64(r.IntN(n/3 + 1)) })
	for k := range 2 {
		add(Column{Name: fmt.Sprintf("b%d", k), Kind: Boolean, Levels: []string{"no", "yes"}}, 0, func(int) float64 { return float64(r.IntN(2)) })
	}
	return samplesOf(tab, rules, transforms...)
}

// samplesOf makes samples of a table; of five rows one is held out for each of validation and test where there are enough.
func samplesOf(tab *Table, rules []string, transforms ...view.Config) *Samples {
	rec := recipe.Default()
	rec.Domain, rec.Rules, rec.Views.Count = recipe.DomainTable, rules, 2
	rec.Views.Transforms = transforms
	s := &Samples{recipe: rec, table: tab, encoding: NewEncoding(tab.Columns), hash: "test"}
	for i := range tab.Rows {
		p := domain.Train
		if tab.Rows >= 10 && i%10 >= 8 {
			p = domain.Part(i%10 - 7)
		}
		s.parts[p] = append(s.parts[p], int32(i))
	}
	return s
}

// benchTransforms are those of the benchmark: every number is moved, categories are swapped, 0.6 of all is corrupted.
func benchTransforms() []view.Config {
	var out []view.Config
	for k := range 7 {
		out = append(out, []view.Config{
			declare(fmt.Sprintf("n%d.jitter", k), 0.8, "jitter", invariant(-0.5, 0.5)),
			declare(fmt.Sprintf("n%d.scale", k), 0.8, "scale", invariant(0.95, 1.05)),
			declare(fmt.Sprintf("n%d.noise", k), 0.5, "sd", invariant(0.1, 0.1)),
		}[k%3])
	}
	out = append(out, declare("quantity.jitter", 0.8, "jitter", invariant(-1, 1)),
		declare("price.scale", 0.8, "scale", invariant(0.95, 1.05)), declare("total.scale", 0.8, "scale", invariant(0.95, 1.05)),
		declare("bought_at.jitter", 0.8, "jitter", invariant(-600, 600)), declare("customer.drop", 0.5, "drop", invariant(1, 1)))
	for k := range 3 {
		out = append(out, declare(fmt.Sprintf("c%d.swap", k), 0.3, "swap", invariant(1, 1)))
	}
	return append(out, declare("corrupt", 1, "share", invariant(0.6, 0.6)))
}

func mustSampler(t testing.TB, s *Samples) *Sampler {
	t.Helper()
	v, err := s.sampler()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newArrays(fields []domain.Field, rows int) []domain.Array {
	out := make([]domain.Array, len(fields))
	for k, f := range fields {
		out[k] = domain.NewArray(f, rows)
	}
	return out
}

// BenchmarkTableViews makes two views of rows of 20 columns on one goroutine; `-cpu 2` runs two. One op is one row: both
// of its views.
func BenchmarkTableViews(b *testing.B) {
	s := mixedSamples(b, 100_000, nil, benchTransforms()...)
	v := mustSampler(b, s)
	const batch = 256
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		dst, scratch := newArrays(v.Fields(), batch), v.NewScratch()
		i, n := uint64(0), uint64(s.Len(domain.Train))
		for pb.Next() {
			if err := v.Fill(dst, int(i%batch), 1, i/n, int(i*7919%n), scratch); err != nil {
				b.Error(err)
				return
			}
			i++
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// flatSamples have an encoder that hands the cells on: enough for the suite of the views.
type flatSamples struct{ *Samples }

type flatEncoder struct{ cells int }

func (s flatSamples) Encoder() (domain.Encoder, error) {
	return flatEncoder{len(s.encoding.Cells)}, nil
}
func (e flatEncoder) Dim() int { return 2 * e.cells }
func (e flatEncoder) Encode(_ *nn.Scope, x *graph.Node) domain.Features {
	return domain.Features{Pooled: graph.Reshape(x, -1, 2*e.cells)}
}

func (e flatEncoder) Restore(_ *nn.Scope, f domain.Features, clean, mask *graph.Node) (loss, trivial *graph.Node) {
	m := graph.ConvertDType(mask, clean.DType())
	values := func(x *graph.Node) *graph.Node {
		return graph.ReduceSum(graph.Slice(graph.Reshape(x, -1, e.cells, 2), graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, 1)), -1)
	}
	return graph.ReduceSum(graph.Mul(m, graph.AddScalar(graph.Square(graph.Sub(values(f.Pooled), values(clean))), 0.1)), 1), graph.ReduceSum(graph.Mul(m, graph.Square(values(clean))), 1)
}

var shopRules = []string{"total = round(quantity * price, 2)", "quantity <= 12"}

func suiteTransforms() []view.Config {
	within := declare("c2.swap_within", 0.3, "swap", invariant(1, 1))
	within.Options = map[string]string{recipe.OptionWithin: "c1"}
	keep := declare("bought_at.shift", 0.1, "shift", invariant(-30*daySeconds, 30*daySeconds))
	keep.Options = map[string]string{recipe.OptionKeep: "weekday"}
	return []view.Config{
		declare("n0.jitter", 0.1, "jitter", invariant(-0.5, 0.5), equivariant(-5, 5)),
		declare("n1.noise", 0.1, "sd", invariant(0, 0.1), restorable(0.5, 1)),
		declare("quantity.jitter", 0.1, "jitter", invariant(-1, 1)),
		declare("price.scale", 0.1, "scale", invariant(0.95, 1.05), equivariant(0.5, 2)),
		keep,
		declare("bought_at.jitter", 0.1, "jitter", invariant(-600, 600)),
		declare("c0.swap", 0.1, "swap", invariant(1, 1)),
		within,
		declare("c3.mask", 1, "mask", restorable(1, 1)),
		declare("customer.drop", 0.1, "drop", invariant(1, 1)),
		declare("corrupt", 0.1, "share", invariant(0.3, 0.6)),
		declare("mask", 1, "share", restorable(0.3, 0.3)),
	}
}

func TestViewsSuite(t *testing.T) {
	for name, rules := range map[string][]string{"free": nil, "rules": shopRules} {
		t.Run(name, func(t *testing.T) {
			domaintest.Run(t, func(t *testing.T) domain.Samples {
				s := mixedSamples(t, 200, rules, suiteTransforms()...)
				s.table.Columns[s.table.Lookup("c5")].Protected = true
				return flatSamples{s}
			})
		})
	}
}

// TestLargeTablesAreNotPacked: without the packed copy of the training part, views are the same.
func TestLargeTablesAreNotPacked(t *testing.T) {
	a, b := mixedSamples(t, 100, nil, benchTransforms()...), mixedSamples(t, 100, nil, benchTransforms()...)
	va, vb := mustSampler(t, a), mustSampler(t, b)
	vb.m.pack = nil
	x, y := newArrays(va.Fields(), 1), newArrays(vb.Fields(), 1)
	for i := range a.Len(domain.Train) {
		if err := va.Fill(x, 0, 1, 0, i, va.NewScratch()); err != nil {
			t.Fatal(err)
		}
		if err := vb.Fill(y, 0, 1, 0, i, vb.NewScratch()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(x[0].F32, y[0].F32) {
			t.Fatalf("sample %d differs", i)
		}
	}
}

// TestViewsOfRecipe goes from the text of a recipe and a CSV file to views.
func TestViewsOfRecipe(t *testing.T) {
	text := `domain: table
data: {source: ` + writeFile(t, "orders.csv", orders(400)) + `, target: churn}
columns:
  customer_id: {kind: identifier, drop: invariant}
  bought_at: [{kind: timestamp, jitter: 10m, contract: invariant}, {shift: 28d, keep: weekday, p: 0.5, contract: invariant}]
  category: {contract: protected}
  quantity: {bounds: 1..9, jitter: 1, contract: invariant}
  price: [{kind: money, unit: EUR, bounds: 0..1e6}, {scale: 0.95..1.05, contract: invariant}, {scale: 0.5..2, contract: equivariant}]
  gift: {swap_within: invariant, within: category}
rules: ["total = quantity * price"]
views:
  - corrupt: {share: 0.5, contract: invariant, p: 0.5}
  - mask: {share: 0.4}
`
	r, err := recipe.Parse("orders.yaml", []byte(text), func(string) ([]view.Spec, error) { return Specs(), nil })
	if err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, r)
	v := mustSampler(t, s)
	var got []string
	for _, st := range v.Streams() {
		got = append(got, st.Kind.String()+" "+st.Name)
	}
	if want := "[invariant views equivariant price.scale restorable mask]"; fmt.Sprint(got) != want {
		t.Errorf("streams %v, want %s", got, want)
	}
	if n := len(v.m.touch); n != 5 { // customer_id, bought_at, quantity, price, gift; total is derived, category protected
		t.Errorf("%d columns may change", n)
	}
	for i := range s.Len(domain.Train) {
		for epoch := range uint64(10) {
			if b := s.VerifyView(1, epoch, i); b != nil {
				t.Fatalf("sample %d, epoch %d: %+v", i, epoch, b)
			}
		}
	}
	dst, scratch := newArrays(v.Fields(), 1), v.NewScratch()
	for i := range s.Len(domain.Train) {
		if err := v.Fill(dst, 0, 1, 0, i, scratch); err != nil {
			t.Fatal(err)
		}
	}
	if c := v.Counts(); c.Views != int64(4*s.Len(domain.Train)) || c.Kept > 0 {
		t.Errorf("counts %+v", c)
	}
	for _, p := range s.Properties() {
		got = append(got, p.Kind.String()+" "+p.Name)
	}
	if want := "[protected category invariant customer_id invariant gift]"; fmt.Sprint(got[3:]) != want && fmt.Sprint(got[3:]) != "[invariant customer_id protected category invariant gift]" {
		t.Errorf("properties %v, want %s", got[3:], want)
	}
}
