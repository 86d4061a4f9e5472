package view_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/view"
)

// shift moves a number: a domain of one value.
type shift struct{ cfg view.Config }

var shiftSpec = view.Spec{
	Name: "shift", Doc: "adds", P: 1, Kinds: []contract.Kind{contract.Invariant, contract.Equivariant},
	Params: []view.ParamSpec{{Name: "by", Min: -9, Max: 9, Default: contract.Range{From: 1, To: 2}, Integer: true}},
}

func (shift) Spec() view.Spec { return shiftSpec }

func (t shift) Draw(r *rand.Rand, p *view.Params) {
	t.DrawAt(r, view.Uniform(r, t.cfg.Params["by"], true), p)
}

func (shift) DrawAt(_ *rand.Rand, v float64, p *view.Params) bool {
	*p = view.Params{N: 1, Applied: true, V: [view.MaxParams]float64{v}}
	return true
}

func (shift) Apply(dst, src *float64, p *view.Params) { *dst = *src + p.V[0] }

// A declaration is completed by its Spec; what breaks it says so.
func ExampleSpec_Resolve() {
	c, err := shiftSpec.Resolve(view.Config{Name: "shift", P: 0.5})
	fmt.Println(c.Params["by"], c.Terms[0].Kind, c.Terms[0].Range, err)
	_, err = shiftSpec.Resolve(view.Config{Name: "shift", Params: map[string]contract.Range{"by": {From: 0, To: 20}}})
	fmt.Println(err)
	// Output:
	// 1..2 invariant 1..2 <nil>
	// view: bad transformation: shift: by is 0..20, allowed is -9..9
}

// What was drawn is recorded: it is the target of an Equivariant term, and it replays the view.
func ExamplePipeline() {
	c, err := shiftSpec.Resolve(view.Config{Name: "shift", P: 1, Terms: contract.Terms{
		{Kind: contract.Invariant, Range: contract.Range{From: 0, To: 1}},
		{Kind: contract.Equivariant, Range: contract.Range{From: 0, To: 9}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	step, err := view.NewStep[float64](shift{c}, c)
	if err != nil {
		fmt.Println(err)
		return
	}
	pipe := view.NewPipeline([]view.Step[float64]{step}, func(dst, src *float64) { *dst = *src }, nil)
	r := rand.New(rand.NewPCG(1, 2))
	ps := make([]view.Params, 1)
	src, a, b := 100.0, 0.0, 0.0
	ok := true
	for range 1000 {
		pipe.DrawInvariant(r, ps)
		ok = ok && step.Invariant.Contains(ps[0].V[0])
		pipe.DrawEquivariant(r, 0, ps)
		ok = ok && step.Equi.Contains(ps[0].V[0])
		pipe.Apply(&a, &src, ps, 0)
		pipe.Apply(&b, &src, ps, 0)
		ok = ok && a == b && a-src == ps[0].V[0]
	}
	fmt.Println(step.Invariant.Hull(), step.Equi.Hull(), ok)
	// Output: 0..1 2..9 true
}
