package view

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/contract"
)

// shift adds its principal parameter to a number.
type shift struct{ name string }

func (s shift) Spec() Spec {
	return Spec{Name: s.name, Params: []ParamSpec{{Name: "by", Min: -100, Max: 100, Default: contract.Range{From: 0, To: 1}}},
		Kinds: []contract.Kind{contract.Invariant, contract.Equivariant, contract.Restorable}}
}

func (s shift) Draw(r *rand.Rand, p *Params) { s.DrawAt(r, r.Float64(), p) }

func (s shift) DrawAt(_ *rand.Rand, v float64, p *Params) bool {
	*p = Params{N: 1, Applied: true}
	p.V[0] = v
	return true
}

func (s shift) Apply(dst, src *float64, p *Params) { *dst = *src*10 + p.V[0] }

func rg(a, b float64) contract.Range { return contract.Range{From: a, To: b} }

func TestSetOf(t *testing.T) {
	inv, equi := contract.Invariant, contract.Equivariant
	terms := contract.Terms{{Kind: inv, Range: rg(-10, 10)}, {Kind: equi, Range: rg(-60, 60)}, {Kind: contract.Protected, Range: rg(2, 3)}}
	for _, c := range []struct {
		name     string
		terms    contract.Terms
		kind     contract.Kind
		declared contract.Range
		integer  bool
		want     []contract.Range
	}{
		{"narrow inside wide", terms, inv, rg(-60, 60), false, []contract.Range{rg(-10, 2), rg(3, 10)}},
		{"wide around narrow", terms, equi, rg(-60, 60), false, []contract.Range{rg(-60, -10), rg(10, 60)}},
		{"cut by the declared range", terms, equi, rg(-5, 20), false, []contract.Range{rg(10, 20)}},
		{"nothing left", terms, equi, rg(-5, 5), false, nil},
		{"single declared value", terms, inv, rg(1, 1), false, []contract.Range{rg(1, 1)}},
		{"single promised values", contract.Terms{{Kind: inv, Range: rg(1, 1)}, {Kind: inv, Range: rg(4, 4)}}, inv, rg(0, 9), false, []contract.Range{rg(1, 1), rg(4, 4)}},
		{"whole numbers", contract.Terms{{Kind: equi, Range: rg(0, 3)}, {Kind: inv, Range: rg(2, 2)}}, equi, rg(0, 3), true, []contract.Range{rg(0, 1), rg(3, 3)}},
	} {
		s := SetOf(c.terms, c.kind, c.declared, c.integer)
		if !slices.Equal(s.Ranges, c.want) {
			t.Errorf("%s: %v, want %v", c.name, s.Ranges, c.want)
		}
	}
}

// TestSetDraw: draws lie in the set, and land in each range by its width.
func TestSetDraw(t *testing.T) {
	terms := contract.Terms{{Kind: contract.Invariant, Range: rg(0, 1)}, {Kind: contract.Invariant, Range: rg(5, 8)}}
	s := SetOf(terms, contract.Invariant, rg(0, 10), false)
	r := rand.New(rand.NewPCG(1, 2))
	low := 0
	for range 4000 {
		v := s.Draw(r)
		if !s.Contains(v) {
			t.Fatalf("drew %g outside %v", v, s.Ranges)
		}
		if v <= 1 {
			low++
		}
	}
	if math.Abs(float64(low)/4000-0.25) > 0.03 {
		t.Errorf("%d of 4000 draws in the range that has a quarter of the width", low)
	}
	n := SetOf(contract.Terms{{Kind: contract.Invariant, Range: rg(0, 2)}}, contract.Invariant, rg(0, 2), true)
	var seen [3]int
	for range 3000 {
		seen[int(n.Draw(r))]++
	}
	for v, k := range seen {
		if k < 900 || k > 1100 {
			t.Errorf("value %d drawn %d times of 3000", v, k)
		}
	}
}

func TestSetAgreesWithTerms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var terms contract.Terms
		for range rapid.IntRange(1, 4).Draw(t, "terms") {
			a, b := rapid.IntRange(-9, 9).Draw(t, "a"), rapid.IntRange(-9, 9).Draw(t, "b")
			terms = append(terms, contract.Term{Kind: contract.Kinds[rapid.IntRange(0, 3).Draw(t, "kind")], Range: rg(float64(min(a, b)), float64(max(a, b)))})
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for _, k := range contract.Kinds {
			for _, integer := range []bool{false, true} {
				s := SetOf(terms, k, rg(-9, 9), integer)
				if s.Empty() {
					continue
				}
				for range 20 {
					v := s.Draw(r)
					if got, ok := terms.At(v); !ok || got.Kind != k {
						if !integer && v == math.Trunc(v) {
							continue // the very end of a range, which two terms share
						}
						t.Fatalf("drew %g for %s, but terms say %v %v", v, k, got.Kind, ok)
					}
				}
			}
		}
	})
}

func TestPipeline(t *testing.T) {
	step := func(name string, p float64, terms ...contract.Term) Step[float64] {
		tr := shift{name}
		s, err := NewStep[float64](tr, Config{Name: name, P: p, Terms: terms})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := func(k contract.Kind, v float64) contract.Term { return contract.Term{Kind: k, Range: rg(v, v)} }
	l := NewPipeline([]Step[float64]{
		step("a", 1, one(contract.Invariant, 1)), step("b", 1, one(contract.Equivariant, 2)),
		step("c", 1, one(contract.Invariant, 3)), step("d", 1, one(contract.Restorable, 4)), step("e", 0, one(contract.Invariant, 5)),
	}, func(dst, src *float64) { *dst = *src }, func(target, other string) bool { return target != "b" || other != "c" })
	ps, r := make([]Params, 5), rand.New(rand.NewPCG(1, 1))
	var dst float64
	src := 9.0
	l.DrawInvariant(r, ps)
	if l.Apply(&dst, &src, ps, -1); dst != 913 {
		t.Errorf("the Invariant view is %g, want 913: a and c in order, nothing else", dst)
	}
	l.DrawEquivariant(r, 1, ps)
	if l.Apply(&dst, &src, ps, 1); dst != 912 {
		t.Errorf("the Equivariant view is %g, want 912: a, then the target; c is excluded", dst)
	}
	l.DrawEquivariant(r, 1, ps)
	ps[2] = ps[0]
	ps[2].V[0] = 3
	if l.Apply(&dst, &src, ps, 1); dst != 9132 {
		t.Errorf("the target is not last: %g, want 9132", dst)
	}
	l.DrawRestorable(r, 3, &ps[3])
	if ps[3].V[0] != 4 || !ps[3].Applied {
		t.Error("the damage was not drawn")
	}
	if l.Apply(&dst, &src, make([]Params, 5), -1); dst != 9 {
		t.Errorf("nothing applied, and yet %g", dst)
	}
}

func TestResolve(t *testing.T) {
	s := shift{"a"}.Spec()
	c, err := s.Resolve(Config{Name: "a", P: 1, Terms: contract.Terms{{Kind: contract.Invariant, Range: rg(-1, 1)}, {Kind: contract.Protected, Range: rg(1, 50)}}})
	if err != nil || c.Params["by"] != rg(-1, 1) {
		t.Errorf("the declared range is %v (%v), want -1..1: Protected ranges are not drawn from", c.Params["by"], err)
	}
	c, err = s.Resolve(Config{Name: "a", P: 1})
	if err != nil || len(c.Terms) != 1 || c.Terms[0].Kind != contract.Invariant || c.Terms[0].Range != rg(0, 1) {
		t.Errorf("defaults: %v, %v", c, err)
	}
	for name, c := range map[string]Config{
		"name":    {Name: "b"},
		"p":       {Name: "a", P: math.NaN()},
		"unknown": {Name: "a", Params: map[string]contract.Range{"of": {}}},
		"bounds":  {Name: "a", Params: map[string]contract.Range{"by": rg(0, 101)}},
		"nan":     {Name: "a", Params: map[string]contract.Range{"by": rg(0, math.NaN())}},
		"term":    {Name: "a", Terms: contract.Terms{{Kind: contract.Invariant, Range: rg(-200, 0)}}},
		"weight":  {Name: "a", Terms: contract.Terms{{Kind: contract.Invariant, Range: rg(0, 1), Weight: -1}}},
	} {
		if _, err := s.Resolve(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
}
