package metric

import (
	"fmt"
	"math"
)

// Probe fits the linear probe of SSL evaluation: multinomial logistic
// regression on frozen features, by L-BFGS. The zero value takes the defaults.
type Probe struct {
	// L2 is the grid of penalties; the one with the best validation accuracy is
	// taken, the first on a tie. Default 1e-5, 1e-4, 1e-3, 1e-2.
	L2     []float64
	LBFGS  LBFGS
	MatMul MatMul // serves Linear.Logits; nil: Mul of this package on all cores
}

// Linear is a fitted linear probe: logits = W·((x-Mean)/Std) + B.
type Linear struct {
	Dim, Classes int
	Mean, Std    []float32 // [dim], of the training rows; Std has 1e-6 added
	W            []float32 // [classes, dim]
	B            []float32 // [classes]
	L2           float64   // the penalty taken
	ValAccuracy  float64   // accuracy on the validation rows, NaN without any
	Fit          Minimum   // how the optimisation ended

	mul MatMul
}

// Fit standardises the features on the training rows (sample standard deviation
// plus 1e-6, so constant features become 0) and minimises
//
//	mean cross-entropy + L2 * sum(W^2)
//
// from zero, once for each L2 of the grid; the bias has no penalty. x is
// [n, dim] with labels y in [0, classes), v and vy the validation rows. The
// validation labels must be part of the stated label budget. Sums over features are float32
// (float64 where n*dim*classes is at most 2^19). Without validation
// rows the grid must hold exactly one value, since nothing may choose.
func (p Probe) Fit(x []float32, y []int32, v []float32, vy []int32, dim, classes int) (*Linear, error) {
	if p.L2 == nil {
		p.L2 = []float64{1e-5, 1e-4, 1e-3, 1e-2}
	}
	if dim < 1 || classes < 2 || len(y) == 0 || len(x) != len(y)*dim || len(v) != len(vy)*dim {
		return nil, fmt.Errorf("metric: probe: %d and %d feature values of dimension %d for %d and %d labels of %d classes", len(x), len(v), dim, len(y), len(vy), classes)
	}
	if len(p.L2) == 0 || len(vy) == 0 && len(p.L2) > 1 {
		return nil, fmt.Errorf("metric: probe: %d penalties and %d validation labels to choose by", len(p.L2), len(vy))
	}
	for part, ls := range map[string][]int32{"training": y, "validation": vy} {
		for i, l := range ls {
			if l < 0 || int(l) >= classes {
				return nil, fmt.Errorf("metric: probe: %s row %d has class %d, want 0 to %d", part, i, l, classes-1)
			}
		}
	}
	m, s, err := moments(x, dim)
	if err != nil {
		return nil, fmt.Errorf("metric: probe: %w", err)
	}
	xs := standardise(x, m, s)
	loss := softmaxLoss
	if len(x)*classes <= 1<<19 { // a few labels: float64 costs nothing and converges further
		loss = softmaxLoss64
	}
	var best *Linear
	for _, l2 := range p.L2 {
		if !(l2 >= 0) {
			return nil, fmt.Errorf("metric: probe: penalty %g, want at least 0", l2)
		}
		params := make([]float64, classes*dim+classes)
		fit, err := p.LBFGS.Minimise(params, loss(xs, y, dim, classes, l2))
		if err != nil {
			return nil, fmt.Errorf("metric: probe: penalty %g: %w", l2, err)
		}
		l := &Linear{Dim: dim, Classes: classes, Mean: m, Std: s, L2: l2, Fit: fit, mul: p.MatMul,
			W: narrow(params[:classes*dim]), B: narrow(params[classes*dim:]), ValAccuracy: math.NaN()}
		if len(vy) > 0 {
			pred, err := l.Predict(v)
			if err != nil {
				return nil, err
			}
			if l.ValAccuracy, err = Accuracy(pred, vy); err != nil {
				return nil, err
			}
		}
		if best == nil || l.ValAccuracy > best.ValAccuracy {
			best = l
		}
	}
	return best, nil
}

func narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

// Logits returns [n, classes] for features [n, dim].
func (l *Linear) Logits(x []float32) ([]float32, error) {
	if len(x)%l.Dim != 0 {
		return nil, fmt.Errorf("metric: probe: %d values are not rows of dimension %d", len(x), l.Dim)
	}
	n := len(x) / l.Dim
	out := make([]float32, n*l.Classes)
	const rows = 256
	fill := func(lo, hi int, mul MatMul) {
		mul(out[lo*l.Classes:hi*l.Classes], standardiseRows(nil, x[lo*l.Dim:hi*l.Dim], l.Mean, l.Std), l.W, hi-lo, l.Dim, l.Classes)
		for i := lo; i < hi; i++ {
			for c, b := range l.B {
				out[i*l.Classes+c] += b
			}
		}
	}
	if l.mul != nil {
		for lo := 0; lo < n; lo += 16 * rows {
			fill(lo, min(lo+16*rows, n), l.mul)
		}
		return out, nil
	}
	parallel(n, rows, func(_, lo, hi int) { fill(lo, hi, Mul) })
	return out, nil
}

// Predict returns the class of the largest logit, the smaller class on a tie.
func (l *Linear) Predict(x []float32) ([]int32, error) {
	z, err := l.Logits(x)
	if err != nil {
		return nil, err
	}
	out := make([]int32, len(z)/l.Classes)
	for i := range out {
		row := z[i*l.Classes : (i+1)*l.Classes]
		for c, v := range row {
			if v > row[out[i]] {
				out[i] = int32(c)
			}
		}
	}
	return out, nil
}

// Probabilities returns the softmax of the logits, [n, classes], as [LogLoss]
// and [CalibrationError] take it.
func (l *Linear) Probabilities(x []float32) ([]float64, error) {
	z, err := l.Logits(x)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(z))
	for i := 0; i < len(z); i += l.Classes {
		softmax(out[i:i+l.Classes], z[i:i+l.Classes])
	}
	return out, nil
}

// softmax writes the probabilities and returns log sum exp.
func softmax(p []float64, z []float32) float64 {
	high := z[0]
	for _, v := range z {
		high = max(high, v)
	}
	var sum float64
	for c, v := range z {
		p[c] = math.Exp(float64(v - high))
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
	return float64(high) + math.Log(sum)
}

// chunks is the number of pieces into which sums over samples are cut: fixed, so
// that their order and with it the result does not depend on the cores.
const chunks = 16

// softmaxLoss returns the objective of Fit over parameters [classes*dim] weights
// then [classes] biases.
func softmaxLoss(x []float32, y []int32, dim, classes int, l2 float64) func(params, grad []float64) float64 {
	const rows = 64 // a block of features stays in cache between its two passes
	n, nw := len(y), classes*dim
	size := (n + chunks - 1) / chunks
	parts := make([][]float64, (n+size-1)/size) // gradient of each chunk, its loss last
	for i := range parts {
		parts[i] = make([]float64, nw+classes+1)
	}
	return func(params, grad []float64) float64 {
		w, b := narrow(params[:nw]), params[nw:]
		parallel(len(parts), 1, func(_, c, _ int) {
			part := parts[c]
			clear(part)
			z, p, g := make([]float32, rows*classes), make([]float64, classes), make([]float32, nw)
			for lo, k := c*size, 0; lo < min((c+1)*size, n); lo, k = lo+rows, k+1 {
				hi := min(lo+rows, (c+1)*size, n)
				Mul(z, x[lo*dim:hi*dim], w, hi-lo, dim, classes)
				for i := lo; i < hi; i++ {
					zi := z[(i-lo)*classes : (i-lo+1)*classes]
					for k := range zi {
						zi[k] += float32(b[k])
					}
					t := y[i]
					part[nw+classes] -= float64(zi[t])
					part[nw+classes] += softmax(p, zi)
					p[t]--
					for k, v := range p {
						part[nw+k] += v
						zi[k] = float32(v)
					}
				}
				addOuter(g, z, x[lo*dim:hi*dim], hi-lo, classes, dim)
				if k%8 == 7 || hi == min((c+1)*size, n) { // float32 sums stay short
					for i, v := range g {
						part[i] += float64(v)
					}
					clear(g)
				}
			}
		})
		clear(grad)
		var loss float64
		for _, part := range parts {
			addScaled(grad, 1/float64(n), part[:len(grad)])
			loss += part[len(grad)] / float64(n)
		}
		for i, v := range params[:nw] {
			loss += l2 * v * v
			grad[i] += 2 * l2 * v
		}
		return loss
	}
}

// softmaxLoss64 is softmaxLoss in float64 on one core.
func softmaxLoss64(x []float32, y []int32, dim, classes int, l2 float64) func(params, grad []float64) float64 {
	z := make([]float64, classes)
	return func(params, grad []float64) float64 {
		clear(grad)
		w, b, scale := params[:classes*dim], params[classes*dim:], 1/float64(len(y))
		var loss float64
		for i, t := range y {
			row := x[i*dim : (i+1)*dim]
			high := math.Inf(-1)
			for c := range z {
				z[c] = b[c]
				for k, v := range w[c*dim : (c+1)*dim] {
					z[c] += v * float64(row[k])
				}
				high = max(high, z[c])
			}
			loss += scale * (high - z[t])
			var sum float64
			for c := range z {
				z[c] = math.Exp(z[c] - high)
				sum += z[c]
			}
			loss += scale * math.Log(sum)
			for c := range z {
				d := z[c] / sum
				if c == int(t) {
					d--
				}
				d *= scale
				grad[classes*dim+c] += d
				gc := grad[c*dim : (c+1)*dim]
				for k, v := range row {
					gc[k] += d * float64(v)
				}
			}
		}
		for i, v := range w {
			loss += l2 * v * v
			grad[i] += 2 * l2 * v
		}
		return loss
	}
}

// moments returns mean and sample standard deviation + 1e-6 of every column.
func moments(x []float32, dim int) (m, s []float32, err error) {
	n := len(x) / dim
	size := (n + chunks - 1) / chunks
	sums := make([][]float64, (n+size-1)/size)
	pass := func(centre []float64) []float64 {
		parallel(len(sums), 1, func(_, c, _ int) {
			sum := make([]float64, dim)
			for i := c * size; i < min((c+1)*size, n); i++ {
				for k, v := range x[i*dim : (i+1)*dim] {
					if centre == nil {
						sum[k] += float64(v)
					} else {
						d := float64(v) - centre[k]
						sum[k] += d * d
					}
				}
			}
			sums[c] = sum
		})
		total := make([]float64, dim)
		for _, s := range sums {
			addScaled(total, 1, s)
		}
		return total
	}
	centre := pass(nil)
	for k := range centre {
		centre[k] /= float64(n)
		if math.IsNaN(centre[k]) || math.IsInf(centre[k], 0) {
			return nil, nil, fmt.Errorf("feature %d has a value that is NaN or infinite", k)
		}
	}
	sq := pass(centre)
	for k := range sq {
		sq[k] = math.Sqrt(sq[k]/float64(max(n-1, 1))) + 1e-6
	}
	return narrow(centre), narrow(sq), nil
}

func standardise(x, m, s []float32) []float32 {
	out := make([]float32, len(x))
	dim := len(m)
	parallel(len(x)/dim, 512, func(_, lo, hi int) { standardiseRows(out[lo*dim:hi*dim], x[lo*dim:hi*dim], m, s) })
	return out
}

func standardiseRows(dst, x, m, s []float32) []float32 {
	if dst == nil {
		dst = make([]float32, len(x))
	}
	dim := len(m)
	for i := 0; i < len(x); i += dim {
		for k, v := range x[i : i+dim] {
			dst[i+k] = (v - m[k]) / s[k]
		}
	}
	return dst
}
