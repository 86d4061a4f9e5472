package certify

import (
	"context"
	"fmt"
	"math"

	"github.com/selfsame-ml/selfsame/baseline/gbdt"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/supervise"
)

// seer gives the logits of a probe for views [trials, classes]; t is nil for undisturbed samples.
type seer func(t domain.Transformation, ts []trial) ([]float32, error)

// treeProbe is a label-preservation probe of boosted trees, for samples that are rows.
type treeProbe struct {
	domain.Prober
	dim int
	see seer
}

// trees fits boosted trees on undisturbed rows. Unlike a network on pictures they need no practice with views: a changed
// cell holds a value that other rows hold too, and practice would teach them that a cell which decides the label does not.
func (c *certifier) trees(ctx context.Context, tune, choose []supervise.Row, labels []int32, classes int) (*treeProbe, error) {
	pr, ok := c.Samples.(domain.Prober)
	f, rows := c.Samples.(domain.Featurer)
	if !ok || !rows {
		return nil, nil
	}
	var categorical []bool
	read := func(of []supervise.Row) (out gbdt.Rows, err error) {
		var at []int
		for _, r := range of {
			at, out.Y = append(at, r.Index), append(out.Y, float64(labels[r.Index]))
		}
		if len(at) > 0 {
			out.X, out.Dim, categorical, err = f.Tree(domain.Train, at)
		}
		return out, err
	}
	val, err := read(choose)
	if err != nil {
		return nil, fmt.Errorf("certify: probe: %w", err)
	}
	train, err := read(tune)
	if err != nil {
		return nil, fmt.Errorf("certify: probe: %w", err)
	}
	if train.Dim == 0 { // identifiers and texts only
		return nil, nil
	}
	m, err := gbdt.Fit(ctx, train, val, gbdt.Config{Classes: classes, Categorical: categorical, MinLeaf: max(2, min(20, len(tune)/20))})
	if err != nil {
		return nil, fmt.Errorf("certify: probe: %w", err)
	}
	p := &treeProbe{Prober: pr, dim: train.Dim}
	p.see = func(t domain.Transformation, ts []trial) ([]float32, error) {
		x, err := p.views(t, ts)
		if err != nil {
			return nil, err
		}
		prob, err := m.Proba(x)
		if err != nil {
			return nil, err
		}
		out := make([]float32, len(prob))
		for i, v := range prob {
			out[i] = float32(math.Log(max(v, 1e-12)))
		}
		return out, nil
	}
	return p, nil
}

// views are held-out rows as the trees take them: [trials, dim].
func (p *treeProbe) views(t domain.Transformation, ts []trial) ([]float32, error) {
	x := make([]float32, len(ts)*p.dim)
	for k := range ts {
		if err := p.TreeView(x[k*p.dim:(k+1)*p.dim], t, domain.Val, ts[k].sample, ts[k].p); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// blind reports whether no view differs from its original in what the trees see: identifiers and texts are not theirs.
func (p *treeProbe) blind(t domain.Transformation, ts []trial) (bool, error) {
	a, err := p.views(nil, ts)
	if err != nil {
		return false, err
	}
	b, err := p.views(t, ts)
	if err != nil {
		return false, err
	}
	for k := range a {
		if math.Float32bits(a[k]) != math.Float32bits(b[k]) {
			return false, nil
		}
	}
	return true, nil
}
