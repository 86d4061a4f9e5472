package table

import (
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// TestSuite runs the shared suite on tables of several shapes.
func TestSuite(t *testing.T) {
	mixed := []view.Config{
		declare("n0.jitter", 0.3, "jitter", invariant(-0.5, 0.5)),
		declare("n1.noise", 0.3, "sd", invariant(0.1, 0.1)),
		declare("price.scale", 0.3, "scale", invariant(0.95, 1.05), equivariant(0.5, 2)),
		declare("bought_at.shift", 0.3, "shift", equivariant(-86400, 86400)),
		declare("c0.swap", 0.3, "swap", invariant(1, 1)),
		declare("customer.drop", 0.3, "drop", invariant(1, 1)),
		declare("c1.mask", 1, "mask", restorable(1, 1)),
		declare("mask", 1, "share", restorable(0.2, 0.4)),
	}
	for name, c := range map[string]struct {
		encoder recipe.Encoder
		make    func(t *testing.T) *Samples
	}{
		"mixed, mlp":         {mlpOf(16, 1), func(t *testing.T) *Samples { return mixedSamples(t, 60, nil, mixed...) }},
		"mixed, transformer": {transformerOf(8, 1), func(t *testing.T) *Samples { return mixedSamples(t, 60, nil, mixed...) }},
		"rule": {mlpOf(8, 1), func(t *testing.T) *Samples {
			return mixedSamples(t, 60, []string{"total = quantity * price"}, declare("price.scale", 0.5, "scale", invariant(0.9, 1.1)), declare("mask", 1, "share", restorable(0.3, 0.3)))
		}},
		"one number": {transformerOf(8, 1), func(t *testing.T) *Samples {
			tab := &Table{Rows: 30, Source: "one.csv", Columns: []Column{{Name: "x", Kind: Number, Input: true, Decimals: -1}}, Values: [][]float64{nil}, States: [][]State{make([]State, 30)}}
			for i := range tab.Rows {
				tab.Values[0] = append(tab.Values[0], float64(i*i)+1)
			}
			return samplesOf(tab, nil, declare("x.scale", 0.5, "scale", contract.Term{Kind: contract.Invariant, Range: rg(0.9, 1.1)}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			domaintest.Run(t, func(t *testing.T) domain.Samples {
				s := measured(c.make(t), 8)
				s.recipe.Encoder = c.encoder
				return s
			})
		})
	}
}
