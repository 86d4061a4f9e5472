package optim

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/nn"
)

// state is one parameter in the slow reference.
type state struct {
	w    []float64
	slot [2][]float64
}

// update is one step of an optimiser in loops: PyTorch's update rules, with its order of operations.
func (s *state) update(c Config, role nn.Role, g []float64, lr float64, step int) {
	decay := c.WeightDecay
	if role == nn.Bias && (!c.DecayAll || c.Name == LARS) {
		decay = 0
	}
	var ww, gg float64
	for i := range g {
		ww += s.w[i] * s.w[i]
		gg += g[i] * g[i]
	}
	trust := 1.0
	if role == nn.Weight && ww > 0 && gg > 0 {
		trust = c.Trust * math.Sqrt(ww) / (math.Sqrt(gg) + decay*math.Sqrt(ww))
	}
	for i, gi := range g {
		w, a, b := &s.w[i], &s.slot[0][i], &s.slot[1][i]
		switch c.Name {
		case SGD:
			gi += decay * *w
			*a = c.Momentum**a + gi
			if c.Nesterov {
				*w -= lr * (gi + c.Momentum**a)
			} else {
				*w -= lr * *a
			}
		case Adam, AdamW:
			if c.Name == Adam {
				gi += decay * *w
			} else {
				*w *= 1 - lr*decay
			}
			*a = c.Beta1**a + (1-c.Beta1)*gi
			*b = c.Beta2**b + (1-c.Beta2)*gi*gi
			t := float64(step + 1)
			denom := math.Sqrt(*b)/math.Sqrt(1-math.Pow(c.Beta2, t)) + c.Eps
			*w -= lr / (1 - math.Pow(c.Beta1, t)) * *a / denom
		case LARS:
			*a = c.Momentum**a + lr*trust*(gi+decay**w)
			*w -= *a
		}
	}
}

// stepper compiles Update for parameters of several roles and runs it.
type stepper struct {
	c     Config
	p     *engine.Program
	decls []nn.Decl
	w     [][]float32
	slots [][][]float32
}

func newStepper(t *testing.T, e *engine.Engine, c Config, decls []nn.Decl, w [][]float32) *stepper {
	t.Helper()
	s := &stepper{c: c, decls: decls, w: w}
	for _, d := range decls {
		var sl [][]float32
		for range c.Slots() {
			sl = append(sl, make([]float32, d.Size()))
		}
		s.slots = append(s.slots, sl)
	}
	var err error
	s.p, err = e.Compile(t.Name(), func(g *graph.Graph) []*graph.Node {
		lr := graph.Parameter(g, "lr", shapes.Make(dtypes.Float32))
		step := graph.Parameter(g, "step", shapes.Make(dtypes.Int32))
		var out []*graph.Node
		for _, d := range decls {
			param := func(what string) *graph.Node {
				return graph.Parameter(g, d.Name+what, shapes.Make(dtypes.Float32, d.Dims...))
			}
			w, grad := param("/w"), param("/g")
			var slots []*graph.Node
			for i := range c.Slots() {
				slots = append(slots, param(fmt.Sprintf("/%d", i)))
			}
			w, slots = c.Update(d, w, grad, slots, lr, step)
			out = append(append(out, w), slots...)
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stepper) step(t *testing.T, g [][]float32, lr float64, step int) {
	t.Helper()
	args := []any{[]float32{float32(lr)}, []int32{int32(step)}}
	for i := range s.decls {
		args = append(args, s.w[i], g[i])
		for _, sl := range s.slots[i] {
			args = append(args, sl)
		}
	}
	out, err := s.p.Floats(args...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.decls {
		s.w[i], out = out[0], out[1:]
		n := s.c.Slots()
		s.slots[i], out = out[:n], out[n:]
	}
}

var all = map[string]Config{
	"sgd":                      {Name: SGD},
	"sgd decayed":              {Name: SGD, WeightDecay: 0.1},
	"sgd momentum":             {Name: SGD, Momentum: 0.9, WeightDecay: 0.05},
	"sgd as the peer":          {Name: SGD, Momentum: 0.9, WeightDecay: 0.05, DecayAll: true},
	"sgd nesterov":             {Name: SGD, Momentum: 0.8, Nesterov: true, WeightDecay: 0.05},
	"adam":                     {Name: Adam, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1},
	"adam without betas":       {Name: Adam, Eps: 1e-3},
	"adamw":                    {Name: AdamW, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1},
	"adamw decays all":         {Name: AdamW, Beta1: 0.8, Beta2: 0.95, Eps: 1e-6, WeightDecay: 0.1, DecayAll: true},
	"lars":                     {Name: LARS, Momentum: 0.9, Trust: 0.02, WeightDecay: 0.1},
	"lars, asked to decay all": {Name: LARS, Momentum: 0.9, Trust: 0.5, WeightDecay: 0.1, DecayAll: true},
}

func TestUpdateMatchesReference(t *testing.T) {
	decls := []nn.Decl{
		{Name: "s", Dims: []int{2}, Role: nn.Statistic}, // first: the go back end fails on an unread parameter after the last node read
		{Name: "w", Dims: []int{3, 2}, Role: nn.Weight},
		{Name: "b", Dims: []int{4}, Role: nn.Bias},
		{Name: "zero", Dims: []int{2}, Role: nn.Weight}, // starts at zero: no norm to trust
	}
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
				r := rng.New(1, rng.Probe)
				var w [][]float32
				var ref []*state
				for _, d := range decls {
					x, s := make([]float32, d.Size()), &state{}
					for i := range x {
						if d.Name != "zero" {
							x[i] = float32(r.NormFloat64())
						}
						s.w = append(s.w, float64(x[i]))
					}
					s.slot = [2][]float64{make([]float64, len(x)), make([]float64, len(x))}
					w, ref = append(w, x), append(ref, s)
				}
				st := newStepper(t, e, c, decls, w)
				for k := range 6 {
					lr := 0.1 / float64(k+1)
					var gs [][]float32
					for i, d := range decls {
						g := make([]float32, d.Size())
						g64 := make([]float64, len(g))
						for j := range g {
							if k > 0 || d.Name != "w" { // the first gradient of w is zero
								g[j] = float32(r.NormFloat64())
							}
							g64[j] = float64(g[j])
						}
						gs = append(gs, g)
						if d.Role != nn.Statistic {
							ref[i].update(c, d.Role, g64, lr, k)
						}
					}
					st.step(t, gs, lr, k)
					for i, d := range decls {
						for j := range ref[i].w {
							near(t, fmt.Sprintf("step %d %s[%d]", k, d.Name, j), float64(st.w[i][j]), ref[i].w[j], 3e-6)
						}
					}
				}
			})
		})
	}
}

// TestUpdateKnownValues holds values that follow from PyTorch's formulas by hand: w = 1, gradient 2, 3.
func TestUpdateKnownValues(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		lr   float64
		want [2]float64
	}{
		// v = 2.1, w = 0.79; g = 3 + 0.079, v = 0.9*2.1 + 3.079 = 4.969, w = 0.79 - 0.4969
		{"sgd", Config{Name: SGD, Momentum: 0.9, WeightDecay: 0.1}, 0.1, [2]float64{0.79, 0.2931}},
		// move = 2 + 0.9*2 = 3.8; v = 0.9*2 + 3 = 4.8, move = 3 + 0.9*4.8 = 7.32
		{"nesterov", Config{Name: SGD, Momentum: 0.9, Nesterov: true}, 0.1, [2]float64{0.62, -0.112}},
		// The first step of Adam is lr sign(g); m = 0.9*0.2+0.3, v = 0.999*0.004+0.009:
		// m/(1-0.81) = 2.5263158, sqrt(v/(1-0.998001)) = 2.5498...
		{"adam", Defaults(Adam), 0.1, [2]float64{0.9, 0.9 - 0.1*(0.48/0.19)/math.Sqrt(0.012996/0.001999)}},
		// 1 - lr*decay = 0.999
		{"adamw", Defaults(AdamW), 0.1, [2]float64{0.899, 0.899*0.999 - 0.1*(0.48/0.19)/math.Sqrt(0.012996/0.001999)}},
		// r = 0.5/(2) of |w| = 1: v = 0.1*0.25*2 = 0.05, w = 0.95; v = 0.045 + 0.1*(0.5*0.95/3)*3 = 0.0925
		{"lars", Config{Name: LARS, Momentum: 0.9, Trust: 0.5}, 0.1, [2]float64{0.95, 0.8575}},
	} {
		t.Run(c.name, func(t *testing.T) {
			enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
				s := newStepper(t, e, c.cfg, []nn.Decl{{Name: "w", Dims: []int{1}}}, [][]float32{{1}})
				for k, g := range []float32{2, 3} {
					s.step(t, [][]float32{{g}}, c.lr, k)
					near(t, fmt.Sprintf("step %d", k), float64(s.w[0][0]), c.want[k], 1e-6)
				}
			})
		})
	}
}

func TestAdamBiasLateAndEarly(t *testing.T) {
	// With a constant gradient Adam moves by lr every step: any loss of digits in 1 - beta^t shows.
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		for _, beta := range []float64{0.9, 0.999, 0.9999} {
			for _, step := range []int{0, 1, 10, 1000, 100000} {
				p, err := e.Compile("bias", func(g *graph.Graph) []*graph.Node {
					return []*graph.Node{bias(graph.Parameter(g, "t", shapes.Make(dtypes.Float32)), beta)}
				})
				if err != nil {
					t.Fatal(err)
				}
				out, err := p.Floats([]float32{float32(step + 1)})
				if err != nil {
					t.Fatal(err)
				}
				want := -math.Expm1(float64(step+1) * math.Log(beta))
				near(t, fmt.Sprintf("1 - %g^%d", beta, step+1), float64(out[0][0])/want, 1, 1e-6)
				p.Finalize()
				if step == 10 && e.Kind() == engine.XLA {
					break // one compilation costs more there
				}
			}
		}
	})
}

func TestClipGlobalNorm(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		p, err := e.Compile("clip", func(g *graph.Graph) []*graph.Node {
			a := graph.Parameter(g, "a", shapes.Make(dtypes.Float32, 2))
			b := graph.Parameter(g, "b", shapes.Make(dtypes.Float32, 1, 1))
			at1, n := ClipGlobalNorm([]*graph.Node{a, b}, 1)
			off, _ := ClipGlobalNorm([]*graph.Node{a, b}, 0)
			return []*graph.Node{at1[0], at1[1], off[0], off[1], n}
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			a, b   []float32
			want   []float64 // a, b at limit 1
			length float64
		}{
			{[]float32{2, 3}, []float32{6}, []float64{2. / 7, 3. / 7, 6. / 7}, 7},
			{[]float32{0.1, 0.2}, []float32{0.2}, []float64{0.1, 0.2, 0.2}, 0.3},
			{[]float32{0, 0}, []float32{0}, []float64{0, 0, 0}, 0},
		} {
			out, err := p.Floats(c.a, c.b)
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range c.want {
				near(t, "clipped", float64([]float32{out[0][0], out[0][1], out[1][0]}[i]), w, 1e-6)
				near(t, "unclipped", float64([]float32{out[2][0], out[2][1], out[3][0]}[i]), float64([]float32{c.a[0], c.a[1], c.b[0]}[i]), 0)
			}
			near(t, "norm", float64(out[4][0]), c.length, 1e-6)
		}
	})
}

func TestEMA(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		p, err := e.Compile("ema", func(g *graph.Graph) []*graph.Node {
			s := shapes.Make(dtypes.Float32, 3)
			return []*graph.Node{EMA(graph.Parameter(g, "t", s), graph.Parameter(g, "s", s), graph.Parameter(g, "m", shapes.Make(dtypes.Float32)))}
		})
		if err != nil {
			t.Fatal(err)
		}
		teacher, student := []float32{1, -2, 0.5}, []float32{3, 2, 0.5}
		for _, m := range []float64{0, 0.25, 0.99, 1} {
			out, err := p.Floats(teacher, student, []float32{float32(m)})
			if err != nil {
				t.Fatal(err)
			}
			for i := range teacher {
				near(t, fmt.Sprintf("momentum %g", m), float64(out[0][i]), m*float64(teacher[i])+(1-m)*float64(student[i]), 1e-6)
			}
		}
	})
}

func TestSlots(t *testing.T) {
	for want, cs := range map[int][]Config{
		0: {{Name: SGD}},
		1: {Defaults(SGD), Defaults(LARS), {Name: LARS, Trust: 1}},
		2: {Defaults(Adam), Defaults(AdamW), {Name: Adam, Eps: 1}},
	} {
		for _, c := range cs {
			if got := c.Slots(); got != want {
				t.Errorf("%+v has %d slots, want %d", c, got, want)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	for _, name := range []string{SGD, Adam, AdamW, LARS} {
		if err := Defaults(name).Validate(); err != nil {
			t.Errorf("defaults of %s: %v", name, err)
		}
	}
	for want, c := range map[string]Config{
		`"sgdm" is not`:       {Name: "sgdm"},
		"momentum 1 ":         {Name: SGD, Momentum: 1},
		"momentum -0.1":       {Name: SGD, Momentum: -0.1},
		"momentum NaN":        {Name: SGD, Momentum: math.NaN()},
		"nesterov needs":      {Name: SGD, Nesterov: true},
		"beta2 1 ":            {Name: Adam, Beta2: 1, Eps: 1},
		"eps 0 ":              {Name: AdamW, Beta1: 0.9},
		"trust 0 ":            {Name: LARS},
		"weight decay -1":     {Name: SGD, WeightDecay: -1},
		"clip -2 is negative": {Name: SGD, Clip: -2},
	} {
		err := c.Validate()
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", c, err, want)
		}
	}
	if err := (Config{Name: Adam, Beta1: 2, Beta2: 3, Eps: 1}).Validate(); !strings.Contains(err.Error(), "beta1 2") || !strings.Contains(err.Error(), "beta2 3") {
		t.Errorf("not every fault was named: %v", err)
	}
}

func TestUpdateRefusesWrongShapes(t *testing.T) {
	for name, f := range map[string]func(a, b, s *graph.Node) (*graph.Node, []*graph.Node){
		"gradient": func(a, b, s *graph.Node) (*graph.Node, []*graph.Node) {
			return Config{Name: SGD}.Update(nn.Decl{Name: "p"}, a, b, nil, s, s)
		},
		"slots": func(a, b, s *graph.Node) (*graph.Node, []*graph.Node) {
			return Defaults(SGD).Update(nn.Decl{Name: "p"}, a, a, nil, s, s)
		},
		"name": func(a, b, s *graph.Node) (*graph.Node, []*graph.Node) {
			return Config{Name: "x", Momentum: 1}.Update(nn.Decl{Name: "p"}, a, a, []*graph.Node{a}, s, s)
		},
	} {
		_, err := enginetest.Engines(t)[0].Compile(name, func(g *graph.Graph) []*graph.Node {
			w, _ := f(graph.Parameter(g, "a", shapes.Make(dtypes.Float32, 2)), graph.Parameter(g, "b", shapes.Make(dtypes.Float32, 3)),
				graph.Parameter(g, "s", shapes.Make(dtypes.Float32)))
			return []*graph.Node{w}
		})
		if err == nil || !strings.Contains(err.Error(), "optim:") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tol*max(1, math.Abs(want)) {
		t.Errorf("%s: %.9g, want %.9g within %.2g", what, got, want, tol)
	}
}
