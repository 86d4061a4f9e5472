package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLBFGS(t *testing.T) {
	// Rosenbrock in 10 dimensions: minimum 0 at ones.
	x := make([]float64, 10)
	for i := range x {
		x[i] = -1.2 + 0.2*float64(i%2)
	}
	m := must(LBFGS{MaxIter: 500, TolChange: 1e-14}.Minimise(x, func(x, g []float64) float64 {
		clear(g)
		var f float64
		for i := range len(x) - 1 {
			a, b := x[i+1]-x[i]*x[i], 1-x[i]
			f += 100*a*a + b*b
			g[i] += -400*a*x[i] - 2*b
			g[i+1] += 200 * a
		}
		return f
	}))
	for i, v := range x {
		near(t, fmt.Sprintf("Rosenbrock x[%d]", i), v, 1, 1e-5)
	}
	if !m.Converged || m.Iter > 150 {
		t.Errorf("Rosenbrock: %+v", m)
	}
	// A badly scaled quadratic, and a function that is NaN beyond its domain.
	q := []float64{5, 5, 5}
	must(LBFGS{MaxIter: 200}.Minimise(q, func(x, g []float64) float64 {
		var f float64
		for i, w := range []float64{1, 100, 10000} {
			f += w * (x[i] - 1) * (x[i] - 1) / 2
			g[i] = w * (x[i] - 1)
		}
		return f
	}))
	near(t, "quadratic", max(math.Abs(q[0]-1), math.Abs(q[1]-1), math.Abs(q[2]-1)), 0, 1e-5)
	l := []float64{0.001}
	must(LBFGS{}.Minimise(l, func(x, g []float64) float64 { g[0] = 1 - 2/x[0]; return x[0] - 2*math.Log(x[0]) }))
	near(t, "x - 2 log x", l[0], 2, 1e-4)
	if _, err := (LBFGS{}).Minimise(l, func(x, g []float64) float64 { return math.NaN() }); err == nil {
		t.Error("NaN at the start gave no error")
	}
}

func TestProbeGradient(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		const n, dim, classes = 333, 11, 4
		x, y := normals(1, n*dim), make([]int32, n)
		for i := range y {
			y[i] = int32(i*i) % classes
		}
		f, f64 := softmaxLoss(x, y, dim, classes, 0.03), softmaxLoss64(x, y, dim, classes, 0.03)
		params := make([]float64, classes*dim+classes)
		for i := range params {
			params[i] = float64(normals(2, len(params))[i])
		}
		// Reference in float64 by the definition.
		ref := func(p []float64) float64 {
			var loss float64
			for i, t := range y {
				z := make([]float64, classes)
				var sum float64
				for c := range z {
					z[c] = p[classes*dim+c]
					for k := range dim {
						z[c] += p[c*dim+k] * float64(x[i*dim+k])
					}
					sum += math.Exp(z[c])
				}
				loss += (math.Log(sum) - z[t]) / n
			}
			for _, w := range p[:classes*dim] {
				loss += 0.03 * w * w
			}
			return loss
		}
		g := make([]float64, len(params))
		g64 := make([]float64, len(params))
		near(t, "loss", f(params, g), ref(params), 1e-6)
		near(t, "float64 loss", f64(params, g64), ref(params), 1e-12)
		for i := range params {
			const h = 1e-5
			p := slices.Clone(params)
			p[i] += h
			up := ref(p)
			p[i] -= 2 * h
			near(t, fmt.Sprintf("gradient %d", i), g[i], (up-ref(p))/(2*h), 2e-6)
			near(t, fmt.Sprintf("float64 gradient %d", i), g64[i], (up-ref(p))/(2*h), 1e-8)
		}
	})
}

// Closed form: one balanced binary feature of +-1 (standardised +-a), two classes; k of each side's n/2
// rows have the other class. By symmetry W1 = -W0 = u and b = 0; the mean
// cross-entropy is p log(1+e^(-2ua)) + (1-p) log(1+e^(2ua)), p = share of right sides, and the stationary
// point solves 2a(sigma(2ua) - p) + 2*l2*2u = 0: found here by bisection in float64.
func TestProbeClosedForm(t *testing.T) {
	const n, wrong, l2 = 400, 60, 0.01
	var x []float32
	var y []int32
	for i := range n {
		side := int32(i % 2)
		x = append(x, float32(2*side-1))
		if i/2 < wrong {
			side = 1 - side
		}
		y = append(y, side)
	}
	l := must(Probe{L2: []float64{l2}, LBFGS: LBFGS{TolChange: 1e-14}}.Fit(x, y, nil, nil, 1, 2))
	p, a := 1-float64(wrong)/(n/2), 1/(math.Sqrt(float64(n)/(n-1))+1e-6)
	lo, hi := 0.0, 10.0
	for range 200 {
		u := (lo + hi) / 2
		if 2*a*(1/(1+math.Exp(-2*u*a))-p)+4*l2*u > 0 {
			hi = u
		} else {
			lo = u
		}
	}
	near(t, "weight", float64(l.W[1]), lo, 2e-6)
	near(t, "weight", float64(l.W[0]), -lo, 2e-6)
	near(t, "bias", float64(l.B[1]-l.B[0]), 0, 2e-6)
	near(t, "gradient", l.Fit.GradMax, 0, 1e-6) // golden: solved to 1e-6
	z := must(l.Probabilities([]float32{1}))
	near(t, "probability", z[1], 1/(1+math.Exp(-2*lo*a)), 1e-5)
}

func blobs(seed uint64, n, dim, classes int, spread float64) ([]float32, []int32) {
	r := rand.New(rand.NewPCG(seed, 77))
	centre := normals(99, classes*dim)
	x, y := make([]float32, n*dim), make([]int32, n)
	for i := range y {
		y[i] = int32(i % classes)
		for k := range dim {
			x[i*dim+k] = 50 + 10*(centre[int(y[i])*dim+k]+float32(spread*r.NormFloat64()))
		}
	}
	return x, y
}

func TestProbeFits(t *testing.T) {
	const dim, classes = 16, 10
	x, y := blobs(1, 1500, dim, classes, 1)
	v, vy := blobs(2, 500, dim, classes, 1)
	g, gy := blobs(3, 2000, dim, classes, 1)
	l := must(Probe{}.Fit(x, y, v, vy, dim, classes))
	acc := must(Accuracy(must(l.Predict(g)), gy))
	// Nearest true centre is Bayes-optimal here.
	centre, bayes := normals(99, classes*dim), 0.0
	for i := range gy {
		best, at := math.Inf(1), int32(0)
		for c := range int32(classes) {
			var s float64
			for k := range dim {
				d := float64((g[i*dim+k]-50)/10 - centre[int(c)*dim+k])
				s += d * d
			}
			if s < best {
				best, at = s, c
			}
		}
		if at == gy[i] {
			bayes += 1. / float64(len(gy))
		}
	}
	if acc < bayes-0.02 {
		t.Errorf("accuracy %.3f, Bayes %.3f", acc, bayes)
	}
	if again := must(Probe{}.Fit(x, y, v, vy, dim, classes)); !slices.Equal(again.W, l.W) {
		t.Error("a second fit gave other weights")
	}
	mul := must(Probe{MatMul: Mul}.Fit(x, y, v, vy, dim, classes))
	if !slices.Equal(must(mul.Predict(g)), must(l.Predict(g))) {
		t.Error("an injected MatMul gave other predictions")
	}
	if p := must(l.Probabilities(g)); must(CalibrationError(p, gy, classes, 15)) > 0.1 || must(LogLoss(p, gy, classes)) > 1 {
		t.Error("probabilities are far off")
	}

	// Labels without information sit at chance.
	r := rand.New(rand.NewPCG(4, 4))
	ys, vs := slices.Clone(y), slices.Clone(vy)
	r.Shuffle(len(ys), func(i, j int) { ys[i], ys[j] = ys[j], ys[i] })
	r.Shuffle(len(vs), func(i, j int) { vs[i], vs[j] = vs[j], vs[i] })
	chance := must(Accuracy(must(must(Probe{}.Fit(x, ys, v, vs, dim, classes)).Predict(g)), gy))
	if math.Abs(chance-0.1) > 0.06 {
		t.Errorf("shuffled labels score %.3f, chance is 0.1", chance)
	}

	// Features that are constant, and a validation part that picks strong shrinkage on noise.
	x[0] = float32(math.NaN())
	for what, err := range map[string]error{
		"NaN":           second(Probe{}.Fit(x, y, v, vy, dim, classes)),
		"no validation": second(Probe{}.Fit(v, vy, nil, nil, dim, classes)),
		"class":         second(Probe{}.Fit(v, vy, g, gy, dim, 5)),
		"shape":         second(Probe{}.Fit(v, vy[1:], g, gy, dim, classes)),
		"penalty":       second(Probe{L2: []float64{-1}}.Fit(v, vy, nil, nil, dim, classes)),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	flat := must(Probe{L2: []float64{1e-3}}.Fit([]float32{1, 7, 2, 7, 3, 7, 4, 7}, []int32{0, 0, 1, 1}, nil, nil, 2, 2))
	if pred := must(flat.Predict([]float32{1, 7, 4, 7})); pred[0] != 0 || pred[1] != 1 {
		t.Errorf("with a constant feature: %v", pred)
	}
}

// One evaluation of loss and gradient at the size of Fashion-MNIST, and a whole fit on 64 features.
func BenchmarkProbe(b *testing.B) {
	const n, classes = 55000, 10
	for _, dim := range []int{64, 784} {
		x, y := blobs(1, n, dim, classes, 3)
		b.Run(fmt.Sprintf("eval/dim=%d", dim), func(b *testing.B) {
			f := softmaxLoss(x, y, dim, classes, 1e-4)
			p := make([]float64, classes*(dim+1))
			g := make([]float64, len(p))
			for b.Loop() {
				f(p, g)
			}
		})
		b.Run(fmt.Sprintf("fit/dim=%d", dim), func(b *testing.B) {
			for b.Loop() {
				if _, err := (Probe{}).Fit(x, y, x[:1000*dim], y[:1000], dim, classes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
