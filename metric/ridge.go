package metric

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Ridge fits linear regression with an L2 penalty in closed form, to ask whether
// continuous parameters (a nuisance that was drawn) can be decoded from frozen
// features. The zero value takes the defaults.
type Ridge struct {
	// Lambda is the grid of penalties on standardised features; the one with the
	// best mean validation R2 is taken, the first on a tie. Default 1e-4 .. 10
	// in steps of ten.
	Lambda []float64
}

// RidgeModel is a fitted ridge regression: y = W·((x-Mean)/Std) + B.
type RidgeModel struct {
	Dim, Targets int
	Mean, Std    []float32 // [dim]
	W            []float64 // [targets, dim]
	B            []float64 // [targets]
	Lambda       float64
	ValR2        float64 // mean over targets on the validation rows, NaN without any
}

// Fit minimises, for every target on its own,
//
//	mean squared error + Lambda * sum(W^2)
//
// on features standardised as in [Probe.Fit], by Cholesky factorisation of
// XᵀX/n + Lambda. x is [n, dim], y [n, targets] row-major, v and vy the
// validation rows. Without validation rows the grid must hold exactly one value.
func (r Ridge) Fit(x []float32, y []float64, v []float32, vy []float64, dim, targets int) (*RidgeModel, error) {
	if r.Lambda == nil {
		r.Lambda = []float64{1e-4, 1e-3, 1e-2, 1e-1, 1, 10}
	}
	if dim < 1 || targets < 1 || len(x) == 0 || len(x)%dim != 0 || len(v)%dim != 0 || len(y) != len(x)/dim*targets || len(vy) != len(v)/dim*targets {
		return nil, fmt.Errorf("metric: ridge: %d and %d feature values of dimension %d for %d and %d values of %d targets", len(x), len(v), dim, len(y), len(vy), targets)
	}
	if len(r.Lambda) == 0 || len(v) == 0 && len(r.Lambda) > 1 {
		return nil, fmt.Errorf("metric: ridge: %d penalties and %d validation rows to choose by", len(r.Lambda), len(v)/dim)
	}
	for _, part := range [][]float64{y, vy} {
		if err := checkFinite("ridge: target", part); err != nil {
			return nil, err
		}
	}
	m, s, err := moments(x, dim)
	if err != nil {
		return nil, fmt.Errorf("metric: ridge: %w", err)
	}
	n := len(x) / dim
	b := make([]float64, targets)
	for i, t := range y {
		b[i%targets] += t / float64(n)
	}
	cov, cross := crossProducts(standardise(x, m, s), y, b, dim, targets)
	var best *RidgeModel
	for _, l := range r.Lambda {
		if !(l > 0) {
			return nil, fmt.Errorf("metric: ridge: penalty %g, want above 0", l)
		}
		a := mat.NewSymDense(dim, append([]float64(nil), cov...))
		for i := range dim {
			a.SetSym(i, i, a.At(i, i)+l)
		}
		var ch mat.Cholesky
		if !ch.Factorize(a) {
			return nil, fmt.Errorf("metric: ridge: penalty %g is too small for these features: not positive definite", l)
		}
		var w mat.Dense
		if err := ch.SolveTo(&w, mat.NewDense(targets, dim, cross).T()); err != nil {
			return nil, fmt.Errorf("metric: ridge: penalty %g: %w", l, err)
		}
		model := &RidgeModel{Dim: dim, Targets: targets, Mean: m, Std: s, B: b, Lambda: l, ValR2: math.NaN(), W: make([]float64, targets*dim)}
		for t := range targets {
			for k := range dim {
				model.W[t*dim+k] = w.At(k, t)
			}
		}
		if len(v) > 0 {
			r2, err := model.R2(v, vy)
			if err != nil {
				return nil, err
			}
			model.ValR2 = mean(r2)
		}
		if best == nil || model.ValR2 > best.ValR2 {
			best = model
		}
	}
	return best, nil
}

// crossProducts returns XᵀX/n [dim, dim] and (Y-B)ᵀX/n [targets, dim]: float32
// products of 256 rows at a time, summed in float64 in a fixed order.
func crossProducts(x []float32, y, b []float64, dim, targets int) (cov, cross []float64) {
	const rows = 256
	n := len(x) / dim
	size := (n + chunks - 1) / chunks
	parts := make([][]float64, (n+size-1)/size)
	parallel(len(parts), 1, func(_, c, _ int) {
		part := make([]float64, (dim+targets)*dim)
		xt, prod := make([]float32, dim*rows), make([]float32, dim*dim)
		for lo := c * size; lo < min((c+1)*size, n); lo += rows {
			hi := min(lo+rows, (c+1)*size, n)
			w := hi - lo
			for i := lo; i < hi; i++ {
				for k, v := range x[i*dim : (i+1)*dim] {
					xt[k*w+i-lo] = v
				}
				for t := range targets {
					d := y[i*targets+t] - b[t]
					p := part[(dim+t)*dim : (dim+t+1)*dim]
					for k, v := range x[i*dim : (i+1)*dim] {
						p[k] += d * float64(v)
					}
				}
			}
			Mul(prod, xt[:dim*w], xt[:dim*w], dim, w, dim)
			for i, v := range prod {
				part[i] += float64(v)
			}
		}
		parts[c] = part
	})
	total := make([]float64, (dim+targets)*dim)
	for _, p := range parts {
		addScaled(total, 1/float64(n), p)
	}
	return total[:dim*dim], total[dim*dim:]
}

// Predict returns [n, targets] for features [n, dim].
func (m *RidgeModel) Predict(x []float32) ([]float64, error) {
	if len(x)%m.Dim != 0 {
		return nil, fmt.Errorf("metric: ridge: %d values are not rows of dimension %d", len(x), m.Dim)
	}
	n := len(x) / m.Dim
	out := make([]float64, n*m.Targets)
	parallel(n, 256, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := standardiseRows(nil, x[i*m.Dim:(i+1)*m.Dim], m.Mean, m.Std)
			for t := range m.Targets {
				s := m.B[t]
				for k, w := range m.W[t*m.Dim : (t+1)*m.Dim] {
					s += w * float64(row[k])
				}
				out[i*m.Targets+t] = s
			}
		}
	})
	return out, nil
}

// R2 returns the coefficient of determination of every target on features x
// [n, dim] and truth y [n, targets]. Chance is 0 (the mean) or below.
func (m *RidgeModel) R2(x []float32, y []float64) ([]float64, error) {
	pred, err := m.Predict(x)
	if err != nil {
		return nil, err
	}
	if err := sameLen("ridge r2", len(pred), len(y)); err != nil {
		return nil, err
	}
	out := make([]float64, m.Targets)
	p, t := make([]float64, len(y)/m.Targets), make([]float64, len(y)/m.Targets)
	for k := range out {
		for i := range p {
			p[i], t[i] = pred[i*m.Targets+k], y[i*m.Targets+k]
		}
		if out[k], err = R2(p, t); err != nil {
			return nil, fmt.Errorf("target %d: %w", k, err)
		}
	}
	return out, nil
}
