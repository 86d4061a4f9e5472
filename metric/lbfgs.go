package metric

import (
	"fmt"
	"math"
	"slices"
)

// LBFGS holds the settings of [LBFGS.Minimise]; the zero value takes the
// defaults, which are those of torch.optim.LBFGS with
// line_search_fn="strong_wolfe" as SSL evaluations use it.
type LBFGS struct {
	MaxIter   int     // default 80
	MaxEval   int     // default MaxIter*5/4
	History   int     // pairs kept; default 10
	TolGrad   float64 // stop at this largest absolute gradient value; default 1e-7
	TolChange float64 // stop at this change of the parameters or of the value; default 1e-9
}

// Minimum says where a minimisation ended.
type Minimum struct {
	Value     float64
	GradMax   float64 // largest absolute gradient value
	Iter      int
	Eval      int
	Converged bool // stopped by a tolerance, not by MaxIter or MaxEval
}

// Minimise moves x to a minimum of f by limited-memory BFGS (Liu & Nocedal
// 1989) with a strong-Wolfe line search (Nocedal & Wright 2006, algorithms 3.5
// and 3.6, cubic interpolation, c1 = 1e-4, c2 = 0.9). f returns the value at x
// and writes the gradient. A value that is NaN or infinite at the start is an
// error; later ones are steps that the line search shortens.
func (c LBFGS) Minimise(x []float64, f func(x, grad []float64) float64) (Minimum, error) {
	if c.MaxIter == 0 {
		c.MaxIter = 80
	}
	if c.MaxEval == 0 {
		c.MaxEval = c.MaxIter * 5 / 4
	}
	if c.History == 0 {
		c.History = 10
	}
	if c.TolGrad == 0 {
		c.TolGrad = 1e-7
	}
	if c.TolChange == 0 {
		c.TolChange = 1e-9
	}
	n := len(x)
	g := make([]float64, n)
	m := Minimum{Value: f(x, g), Eval: 1}
	m.GradMax = maxAbs(g)
	if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) || math.IsNaN(m.GradMax) {
		return m, fmt.Errorf("metric: lbfgs: value %g, gradient %g at the start", m.Value, m.GradMax)
	}
	if m.GradMax <= c.TolGrad {
		m.Converged = true
		return m, nil
	}
	var ss, ys [][]float64 // steps and gradient changes, oldest first
	var rho []float64
	d, prev, alpha := make([]float64, n), make([]float64, n), make([]float64, c.History)
	scale, step := 1.0, 0.0
	for m.Iter < c.MaxIter {
		m.Iter++
		if m.Iter == 1 {
			for i := range d {
				d[i] = -g[i]
			}
		} else {
			y, s := make([]float64, n), make([]float64, n)
			for i := range y {
				y[i], s[i] = g[i]-prev[i], d[i]*step
			}
			if sy := inner(y, s); sy > 1e-10 {
				if len(ss) == c.History {
					ss, ys, rho = ss[1:], ys[1:], rho[1:]
				}
				ss, ys, rho = append(ss, s), append(ys, y), append(rho, 1/sy)
				scale = sy / inner(y, y)
			}
			for i := range d {
				d[i] = -g[i]
			}
			for k := len(ss) - 1; k >= 0; k-- {
				alpha[k] = inner(ss[k], d) * rho[k]
				addScaled(d, -alpha[k], ys[k])
			}
			for i := range d {
				d[i] *= scale
			}
			for k := range ss {
				addScaled(d, alpha[k]-inner(ys[k], d)*rho[k], ss[k])
			}
		}
		copy(prev, g)
		before := m.Value
		slope := inner(g, d)
		if slope > -c.TolChange {
			m.Converged = true
			break
		}
		step = 1
		if m.Iter == 1 {
			var sum float64
			for _, v := range g {
				sum += math.Abs(v)
			}
			step = min(1, 1/sum)
		}
		var evals int
		m.Value, step, evals = wolfe(f, x, d, step, m.Value, g, slope, c.TolChange)
		m.Eval += evals
		addScaled(x, step, d)
		m.GradMax = maxAbs(g)
		if m.GradMax <= c.TolGrad || maxAbs(d)*math.Abs(step) <= c.TolChange || math.Abs(m.Value-before) < c.TolChange {
			m.Converged = true
			break
		}
		if m.Eval >= c.MaxEval {
			break
		}
	}
	return m, nil
}

// wolfe searches a step along d that meets the strong Wolfe conditions. g holds
// the gradient at x and afterwards that at the step found.
func wolfe(f func(x, grad []float64) float64, x, d []float64, t, f0 float64, g []float64, slope0, tol float64) (value, step float64, evals int) {
	const c1, c2, maxSteps = 1e-4, 0.9, 25
	type point struct {
		t, f, slope float64
		g           []float64
	}
	at := make([]float64, len(x))
	eval := func(t float64) point {
		copy(at, x)
		addScaled(at, t, d)
		p := point{t: t, g: make([]float64, len(x))}
		p.f = f(at, p.g)
		p.slope = inner(p.g, d)
		if math.IsNaN(p.f) || math.IsNaN(p.slope) { // outside the domain of f: as bad as can be, so that the bracket shrinks
			p.f, p.slope = math.Inf(1), math.Abs(slope0)
		}
		evals++
		return p
	}
	dmax := maxAbs(d)
	last := point{0, f0, slope0, slices.Clone(g)}
	start := last
	now := eval(t)
	var bracket [2]point
	done, found := false, false
	k := 0
	for ; k < maxSteps; k++ {
		if now.f > f0+c1*now.t*slope0 || k > 1 && now.f >= last.f {
			bracket, found = [2]point{last, now}, true
			break
		}
		if math.Abs(now.slope) <= -c2*slope0 {
			bracket, found, done = [2]point{now, now}, true, true
			break
		}
		if now.slope >= 0 {
			bracket, found = [2]point{last, now}, true
			break
		}
		next := cubic(last.t, last.f, last.slope, now.t, now.f, now.slope, now.t+0.01*(now.t-last.t), now.t*10)
		last, now = now, eval(next)
	}
	if !found {
		bracket = [2]point{start, now}
	}
	low, high := 0, 1
	if bracket[0].f > bracket[1].f {
		low, high = 1, 0
	}
	stuck := false
	for ; !done && k < maxSteps; k++ {
		a, b := bracket[0], bracket[1]
		left, right := min(a.t, b.t), max(a.t, b.t)
		if (right-left)*dmax < tol {
			break
		}
		t := cubic(a.t, a.f, a.slope, b.t, b.f, b.slope, left, right)
		// Keep off the ends: a second try near one is moved a tenth inside.
		if eps := 0.1 * (right - left); min(right-t, t-left) < eps {
			if stuck || t >= right || t <= left {
				if math.Abs(t-right) < math.Abs(t-left) {
					t = right - eps
				} else {
					t = left + eps
				}
				stuck = false
			} else {
				stuck = true
			}
		} else {
			stuck = false
		}
		p := eval(t)
		if p.f > f0+c1*t*slope0 || p.f >= bracket[low].f {
			bracket[high] = p
			low, high = 0, 1
			if bracket[0].f > bracket[1].f {
				low, high = 1, 0
			}
			continue
		}
		if math.Abs(p.slope) <= -c2*slope0 {
			done = true
		} else if p.slope*(bracket[high].t-bracket[low].t) >= 0 {
			bracket[high] = bracket[low]
		}
		bracket[low] = p
	}
	copy(g, bracket[low].g)
	return bracket[low].f, bracket[low].t, evals
}

// cubic is the minimum inside [lo, hi] of the cubic through two points with
// slopes.
func cubic(x1, f1, g1, x2, f2, g2, lo, hi float64) float64 {
	d1 := g1 + g2 - 3*(f1-f2)/(x1-x2)
	sq := d1*d1 - g1*g2
	if !(sq >= 0) || math.IsInf(sq, 0) {
		return (lo + hi) / 2
	}
	d2 := math.Sqrt(sq)
	var t float64
	if x1 <= x2 {
		t = x2 - (x2-x1)*((g2+d2-d1)/(g2-g1+2*d2))
	} else {
		t = x1 - (x1-x2)*((g1+d2-d1)/(g1-g2+2*d2))
	}
	if math.IsNaN(t) {
		return (lo + hi) / 2
	}
	return min(max(t, lo), hi)
}

func inner(a, b []float64) float64 {
	var s float64
	b = b[:len(a)]
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

func addScaled(dst []float64, a float64, x []float64) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += a * x[i]
	}
}

// maxAbs is the largest absolute value, NaN if there is one.
func maxAbs(x []float64) float64 {
	var m float64
	for _, v := range x {
		if a := math.Abs(v); a > m || math.IsNaN(a) {
			m = a
		}
	}
	return m
}
