package certify_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/certify"
	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/view"
)

// grown are rows whose first value decides the label and whose last value no tree sees.
type grown struct {
	*domaintest.Tabular
	ts []*domaintest.Change
}

const (
	seen    = domaintest.Width - 1
	missing = -9 // trees take it for a missing value
)

func (g grown) Tree(p domain.Part, rows []int) (x []float32, dim int, categorical []bool, err error) {
	all, dim, _, err := g.Tabular.Tree(p, rows)
	for i := 0; i < len(all); i += dim {
		x = append(x, all[i:i+seen]...)
	}
	return x, seen, make([]bool, seen), err
}

func (g grown) TreeView(dst []float32, t domain.Transformation, p domain.Part, i int, params view.Params) error {
	v := g.X[p][i]
	if t != nil {
		for _, c := range g.ts {
			if c.S.Name == t.Spec().Name {
				src := v
				c.Apply(&v, &src, &params)
			}
		}
	}
	if copy(dst, v[:seen]); v[0] == missing {
		dst[0] = float32(math.NaN())
	}
	return nil
}

// TestTrees: a swap of the value that decides the label is a violation although training views would show it with
// either label; a change of a value that decides nothing is kept, and one that trees do not see is not shown.
func TestTrees(t *testing.T) {
	unit := func(name string, do func(dst *vec, p *view.Params)) *domaintest.Change {
		c := domaintest.NewChange(name, contract.Invariant, 1, 1, func(dst, src *vec, p *view.Params) {
			if *dst = *src; p.V[0] == 1 {
				do(dst, p)
			}
		})
		c.S.Params[0].Integer = true
		return c
	}
	swap := unit("swap", func(dst *vec, p *view.Params) { dst[0] = float32(int(p.V[1]) >> 52) })
	swap.Also = domaintest.Noise(1).Also // 53 random bits
	gap := unit("gap", func(dst *vec, _ *view.Params) { dst[0] = missing })
	other := unit("other", func(dst *vec, _ *view.Params) { dst[1] = 0 })
	hidden := unit("hidden", func(dst *vec, _ *view.Params) { dst[seen] = 0 })
	for _, c := range []struct {
		change *domaintest.Change
		want   string
		why    string
	}{
		{swap, certify.Violated, "the probe's answer changes"},
		{gap, certify.Violated, "the probe's answer changes"},
		{other, certify.Kept, "changes in 0 of 150"},
		{hidden, certify.NotShown, "does not see"},
	} {
		t.Run(c.change.S.Name, func(t *testing.T) {
			f := domaintest.NewFake(tiny(), 2, [3]int{400, 200, 0}, c.change)
			f.Recipe.Certify.Labels = 300
			for p := range f.X {
				for i := range f.X[p] {
					for k := range f.X[p][i] { // nothing but the first value tells the label
						f.X[p][i][k] = float32(math.Sin(float64(1 + i*domaintest.Width + k)))
					}
					f.X[p][i][0] = float32(f.Y[p][i])
				}
			}
			s := grown{&domaintest.Tabular{Fake: f}, []*domaintest.Change{c.change}}
			// No engine: trees need none.
			cert, err := certify.Run(context.Background(), certify.Config{Recipe: f.Recipe, Samples: s})
			if err != nil {
				t.Fatal(err)
			}
			x := cert.Findings[0]
			if x.Outcome != c.want || !strings.Contains(x.Why, c.why) || cert.Probe.Accuracy != 1 || cert.Probe.Labels != 300 {
				t.Errorf("%s: %s; %+v", x.Outcome, x.Why, cert.Probe)
			}
			if c.want == certify.Violated && (x.Counter == nil || x.Counter.Label == x.Counter.Answer || x.Probe.Rate < 0.35 || x.Probe.Rate > 0.65) {
				t.Errorf("%+v, %+v", x.Counter, x.Probe)
			}
		})
	}
}
