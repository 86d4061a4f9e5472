package audit

import (
	"math"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/train"
	"github.com/selfsame-ml/selfsame/view"
)

// columns is a table of numbers whose columns have properties.
type columns struct {
	*domaintest.Tabular
	props []domain.Property
}

func (columns) VerifyView(seed, epoch uint64, i int) *domain.Breach { return nil }
func (columns) Verify(t domain.Transformation, p domain.Part, i int, params view.Params) *domain.Breach {
	return nil
}
func (c columns) Properties() []domain.Property { return c.props }

var _ domain.Verifier = columns{}

// sign tells whether the last value of a vector is positive, number is that value.
func sign(f *domaintest.Fake) func(domain.Part, int) (float64, bool) {
	return func(p domain.Part, i int) (float64, bool) {
		if f.X[p][i][width-1] > 0 {
			return 1, true
		}
		return 0, true
	}
}

func number(f *domaintest.Fake) func(domain.Part, int) (float64, bool) {
	return func(p domain.Part, i int) (float64, bool) {
		return 1e5 + 1e4*float64(f.X[p][i][width-1]), i%10 != 3 // a money column, every tenth cell missing
	}
}

// TestProperties: the encoder sees the last column as it is, not at all, or is a constant.
func TestProperties(t *testing.T) {
	scaled := func(others, last, shift float32) map[string]train.Value {
		w := weights()
		w["encoder/scale"] = value([]int{width}, append(repeat(width-1, others), last)...)
		w["encoder/shift"] = value([]int{width}, repeat(width, shift)...)
		return w
	}
	seen, blind, collapsed := scaled(1, 1, 0), scaled(1, 0, 0), scaled(0, 0, 1)
	for _, c := range []struct {
		name    string
		kind    contract.Kind
		weights map[string]train.Value
		want    string
		why     string
	}{
		{"protected, seen", contract.Protected, seen, Kept, "can be told"},
		{"protected, blind", contract.Protected, blind, NotKept, "hardly"},
		{"protected, collapsed", contract.Protected, collapsed, NotKept, "collapsed"},
		{"nuisance, seen", contract.Invariant, seen, NotShown, "as well as before"},
		{"nuisance, blind", contract.Invariant, blind, Kept, ""},
		{"nuisance, collapsed", contract.Invariant, collapsed, NotKept, "collapsed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fake(0)
			f = domaintest.NewFake(f.Recipe, 0, [3]int{40, 400, 0}) // without classes values hold independent noise
			f.Enc, f.Recipe.Audit.Samples = domaintest.Same{}, 400
			centre(f)
			s := columns{&domaintest.Tabular{Fake: f}, []domain.Property{
				{Name: "member", Kind: c.kind, Classes: 2, Value: sign(f)},
				{Name: "income", Kind: c.kind, Value: number(f)},
			}}
			res := run(t, s, f.Recipe, c.weights)
			if len(res.Rows) != 2 || res.Failed() != nil {
				t.Fatalf("%+v", res)
			}
			for k, r := range res.Rows {
				if r.Transform != s.props[k].Name || !r.Property || r.Term.Kind != c.kind || r.Outcome != c.want || !strings.Contains(r.Why, c.why) {
					t.Errorf("%+v", r)
				}
				if !(*r.Lower <= r.Value && r.Value <= *r.Upper) || *r.Ceiling < 0.95 || *r.Untrained < 0.95 {
					t.Errorf("interval %g..%g of %g, ceiling %g, untrained %g", *r.Lower, *r.Upper, r.Value, *r.Ceiling, *r.Untrained)
				}
				if higher := c.kind == contract.Protected; higher != (r.Better == "higher") {
					t.Errorf("better %s", r.Better)
				}
			}
			if r := res.Rows[0]; *r.Reference < 0.5 || *r.Reference > 0.65 || r.Samples != 200 || !strings.Contains(r.Measure, "accuracy") {
				t.Errorf("classes: %+v", r)
			}
			if r := res.Rows[1]; *r.Reference != 0 || r.Samples != 180 || !strings.Contains(r.Measure, "R2") {
				t.Errorf("numbers: %+v", r)
			}
		})
	}
}

// centre moves the middle of each value of the held-out part to 0.
func centre(f *domaintest.Fake) {
	x := f.X[domain.Val]
	for k := range width {
		var m float64
		for _, v := range x {
			m += float64(v[k]) / float64(len(x))
		}
		for i := range x {
			x[i][k] -= float32(m)
		}
	}
}

// TestPropertyLearned: training that brings a nuisance out is not kept.
func TestPropertyLearned(t *testing.T) {
	f := fake(0)
	f = domaintest.NewFake(f.Recipe, 0, [3]int{40, 400, 0})
	f.Enc, f.Recipe.Audit.Samples = domaintest.Net{Out: 2}, 400 // two features of eight values
	centre(f)
	s := columns{&domaintest.Tabular{Fake: f}, []domain.Property{{Name: "shop", Kind: contract.Invariant, Classes: 2, Value: sign(f)}}}
	emb, err := train.NewEmbedder(enginetest.Engines(t)[0], s)
	if err != nil {
		t.Fatal(err)
	}
	defer emb.Close()
	w := map[string]train.Value{}
	for name, v := range emb.Start(f.Recipe.Seed) {
		w[name] = value(v.Dims, append([]float32(nil), v.Data...)...)
	}
	// The first layer passes the last value alone, in both signs.
	in := w["encoder/in/weight"]
	if len(in.Data) != width*4 {
		t.Fatalf("weights %v of %v", in.Dims, len(in.Data))
	}
	clear(in.Data)
	for k := range 4 {
		in.Data[(width-1)*4+k] = float32(1 - 2*(k%2))
	}
	r := first(t, run(t, s, f.Recipe, w))
	if r.Outcome != NotKept || !strings.Contains(r.Why, "better than before") || !(r.Value > *r.Untrained) {
		t.Errorf("%+v, untrained %g", r, *r.Untrained)
	}
}

// TestPropertyNotes: what cannot be asked is said.
func TestPropertyNotes(t *testing.T) {
	f := fake(0)
	s := columns{&domaintest.Tabular{Fake: f}, []domain.Property{
		{Name: "rare", Kind: contract.Protected, Classes: 2, Value: func(p domain.Part, i int) (float64, bool) { return 1, i < 30 }},
		{Name: "same", Kind: contract.Protected, Value: func(p domain.Part, i int) (float64, bool) { return 7, true }},
		{Name: "broken", Kind: contract.Protected, Value: func(p domain.Part, i int) (float64, bool) { return math.NaN(), true }},
	}}
	res := run(t, s, f.Recipe, weights())
	if len(res.Rows) != 0 || len(res.Notes) != 3 || !strings.Contains(res.Notes[0], "rare can be told from the features: 30 held-out") ||
		!strings.Contains(res.Notes[1], "nearly the same") || !strings.Contains(res.Notes[2], "0 held-out") {
		t.Errorf("%+v", res)
	}
}

// TestProtectedLimit: without raw values chance is the limit.
func TestProtectedLimit(t *testing.T) {
	row := func(lo, v, hi float64, ceiling *float64) Row {
		return Row{Value: v, Lower: &lo, Upper: &hi, Ceiling: ceiling}
	}
	at := func(v float64) *float64 { return &v }
	for _, c := range []struct {
		r    Row
		want string
	}{
		{row(0.26, 0.30, 0.34, nil), Kept},
		{row(0.21, 0.24, 0.27, nil), NotShown},
		{row(0.26, 0.30, 0.34, at(0.27)), Kept},          // the raw values tell nothing
		{row(0.50, 0.58, 0.61, at(1)), NotKept},          // half-way is 0.625
		{row(0.60, 0.64, 0.68, at(1)), NotShown},         //
		{row(0.63, 0.66, 0.69, at(1)), Kept},             //
		{row(0.20, 0.22, 0.24, at(0.25)), NotKept},       // below chance
		{row(0.40, 0.45, 0.50, at(0.4)), Kept},           // better than the raw values
		{row(0.26, 0.30, 0.34, at(0.4)), NotShown},       // holds 0.325
		{row(0.2501, 0.3, 0.31, at(0.2999999)), Kept},    // within rounding of chance
		{row(0.2501, 0.26, 0.27, at(0.350001)), NotKept}, //
	} {
		if protectedOutcome(&c.r, 0.25, false); c.r.Outcome != c.want {
			t.Errorf("%g..%g: %s, want %s (%s)", *c.r.Lower, *c.r.Upper, c.r.Outcome, c.want, c.r.Why)
		}
	}
}
