package genome

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
)

var even = [4]float64{0.25, 0.25, 0.25, 0.25}

func normals(seed uint64, n int) []float32 {
	r := rng.New(seed, rng.Generate)
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64())
	}
	return out
}

// TestScan holds the recurrence against a loop, and its adjoint, that of taps and that of glu against finite differences.
func TestScan(t *testing.T) {
	for _, length := range []int{1, 5, 16, 33, 96, 512} {
		const c = 3
		a, b, w := normals(1, 2*length*c), normals(2, 2*length*c), normals(3, 2*length*c)
		for i := range a {
			a[i] = float32(1 / (1 + math.Exp(float64(-a[i]-1))))
		}
		want := make([]float64, len(a))
		for i := range want {
			if want[i] = float64(b[i]); i/c%length > 0 {
				want[i] += float64(a[i]) * want[i-c]
			}
		}
		enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
			p, err := e.CompileMode("scan", e.Mode().FP32(), func(g *graph.Graph) []*graph.Node {
				sh := shapes.Make(dtypes.Float32, 2, length, c)
				a, b, w := graph.Parameter(g, "a", sh), graph.Parameter(g, "b", sh), graph.Parameter(g, "w", sh)
				h := scan(a, b)
				grads := graph.Gradient(graph.ReduceAllSum(graph.Mul(h, w)), a, b)
				return []*graph.Node{h, grads[0], grads[1]}
			})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Finalize()
			out, err := p.Floats(a, b, w)
			if err != nil {
				t.Fatal(err)
			}
			// The adjoint by the loop: g(t) = w(t) + a(t+1) g(t+1), da = g(t) h(t-1), db = g.
			g := make([]float64, len(a))
			for i := len(a) - 1; i >= 0; i-- {
				if g[i] = float64(w[i]); i/c%length < length-1 {
					g[i] += float64(a[i+c]) * g[i+c]
				}
				da := 0.0
				if i/c%length > 0 {
					da = g[i] * want[i-c]
				}
				for k, v := range []float64{want[i], da, g[i]} {
					if d := math.Abs(float64(out[k][i]) - v); d > 1e-4*(1+math.Abs(v)) {
						t.Fatalf("length %d, output %d, value %d: %g, want %g", length, k, i, out[k][i], v)
					}
				}
			}
		})
	}
	const length, c = 12, 4
	x, v := normals(4, 2*length*c), normals(5, 2*length*2*c)
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		for name, f := range map[string]func(x *graph.Node) *graph.Node{
			"taps 1": func(x *graph.Node) *graph.Node { return taps(x, 1) }, "taps 5": func(x *graph.Node) *graph.Node { return taps(x, 5) },
			"taps 20": func(x *graph.Node) *graph.Node { return taps(x, 20) }, "glu": func(x *graph.Node) *graph.Node { return glu(x) },
		} {
			p, err := e.CompileMode(name, e.Mode().FP32(), func(g *graph.Graph) []*graph.Node {
				x := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 2, length, c))
				y := f(x)
				all := graph.Const(g, v[:y.Shape().Size()])
				loss := graph.ReduceAllSum(graph.Mul(y, graph.Reshape(all, y.Shape().Dimensions...)))
				return []*graph.Node{graph.Gradient(loss, x)[0], loss}
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.Floats(x)
			if err != nil {
				t.Fatal(err)
			}
			grad := out[0]
			for i := range x {
				loss := func(d float32) float64 {
					y := append([]float32(nil), x...)
					y[i] += d
					out, err := p.Floats(y)
					if err != nil {
						t.Fatal(err)
					}
					return float64(out[1][0])
				}
				if fd := (loss(0.02) - loss(-0.02)) / 0.04; math.Abs(fd-float64(grad[i])) > 5e-3 {
					t.Errorf("%s: gradient %d is %g, finite difference %g", name, i, grad[i], fd)
				}
			}
			p.Finalize()
		}
	})
}

// forward runs a graph of tokens with start values.
func forward(t *testing.T, e *engine.Engine, rows, window int, tokens []uint8, fn func(s *nn.Scope, x *graph.Node) []*graph.Node) [][]float32 {
	t.Helper()
	var net *nn.Net
	p, err := e.CompileMode("genome test", e.Mode().FP32(), func(g *graph.Graph) []*graph.Node {
		net = nn.NewNet(g, false, nil)
		x := graph.Parameter(g, "batch", shapes.Make(dtypes.Uint8, rows, window))
		return fn(net.Scope(), x)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Finalize()
	args := make([]any, len(p.Names()))
	for i, name := range p.Names() {
		args[i] = tokens
		for _, d := range net.Decls() {
			if d.Name == name {
				args[i] = d.Start(7)
			}
		}
	}
	out, err := p.Floats(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestCausal: a token changes what is said of later bases, and nothing that is said before; layers are as many as said, the last is Pooled.
func TestCausal(t *testing.T) {
	const window, at = 32, 13
	r := rng.New(1, rng.Generate)
	tokens := make([]uint8, 2*window)
	for i := range window {
		tokens[i] = uint8(r.IntN(4))
	}
	tokens[0] = Begin
	copy(tokens[window:], tokens[:window])
	tokens[window+at] = (tokens[at] + 1) % 4
	for _, kind := range []string{recipe.EncoderConvLM, recipe.EncoderGRU, recipe.EncoderTransformer} {
		enc, err := NewEncoder(recipe.Encoder{Kind: kind, Width: 16, Depth: 3, Heads: 2}, window, even)
		if err != nil {
			t.Fatal(err)
		}
		enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
			out := forward(t, e, 2, window, tokens, func(s *nn.Scope, x *graph.Node) []*graph.Node {
				all, scores := enc.Layers(s, x)
				if len(all) != enc.Depth() || len(scores) != enc.Depth() {
					t.Fatalf("%d layers and %d of scores, want %d", len(all), len(scores), enc.Depth())
				}
				return append([]*graph.Node{enc.Logits(s, x), enc.Encode(s.In("encoder"), x).Pooled}, all...)
			})
			for j := range window {
				same := true
				for k := range bases {
					if d := math.Abs(float64(out[0][j*bases+k] - out[0][(window+j)*bases+k])); d > 1e-5 {
						same = false
					}
				}
				if j < at && !same {
					t.Fatalf("%s: token %d changes what is said at %d", kind, at, j)
				}
				if j == at && same {
					t.Errorf("%s: token %d changes nothing", kind, at)
				}
			}
			for i, v := range out[1] {
				if d := math.Abs(float64(v - out[len(out)-1][i])); d > 1e-5 {
					t.Fatalf("%s: the last layer is not Pooled", kind)
				}
			}
		})
	}
}

// TestScores: the score of a layer is the gradient of the mean log-likelihood of the next bases with respect to a linear map of its states that is added to the logits; unknown
// bases do not count, and a window of nothing else has a score of 0.
func TestScores(t *testing.T) {
	const window, rows, width = 24, 3, 8
	r := rng.New(2, rng.Generate)
	tokens := make([]uint8, rows*window)
	for i := range tokens {
		tokens[i] = uint8(r.IntN(4))
	}
	for row := range rows {
		tokens[row*window] = Begin
	}
	for i := range 5 {
		tokens[window+7+i] = unknown
	}
	for i := 1; i < window; i++ {
		tokens[2*window+i] = unknown
	}
	enc, err := NewEncoder(recipe.Encoder{Kind: recipe.EncoderConvLM, Width: width, Depth: 2}, window, even)
	if err != nil {
		t.Fatal(err)
	}
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		out := forward(t, e, rows, window, tokens, func(s *nn.Scope, x *graph.Node) []*graph.Node {
			_, scores := enc.Layers(s, x)
			g := x.Graph()
			next := graph.ConvertDType(graph.SliceAxis(x, 1, graph.AxisRange(1)), dtypes.Int32)
			hot := graph.SliceAxis(graph.OneHot(next, Tokens, dtypes.Float32), -1, graph.AxisRange(0, bases))
			count := graph.MaxScalar(graph.ReduceSum(hot, 1, 2), 1)
			for _, h := range enc.states(s.In("encoder"), x) {
				w := graph.Zeros(g, shapes.Make(dtypes.Float32, rows, bases, width))
				logits := graph.Add(enc.Logits(s, x), graph.Einsum("btw,bcw->btc", h, w))
				logp := graph.SliceAxis(nn.LogSoftmax(logits), 1, graph.AxisRange(0, window-1))
				scores = append(scores, graph.Gradient(graph.ReduceAllSum(graph.Div(graph.ReduceSum(graph.Mul(hot, logp), 1, 2), count)), w)[0])
			}
			return scores
		})
		for l := range enc.Depth() {
			got, want := out[l], out[enc.Depth()+l]
			size := 0.0
			for i := range want {
				if d := math.Abs(float64(got[i] - want[i])); d > 1e-5 {
					t.Fatalf("layer %d, entry %d: %g, want %g", l, i, got[i], want[i])
				}
				if size = max(size, math.Abs(float64(got[i]))); i >= 2*bases*width && got[i] != 0 {
					t.Fatalf("layer %d: the score of unknown bases is %g", l, got[i])
				}
			}
			if size < 1e-3 {
				t.Errorf("layer %d: scores of %g at most show nothing", l, size)
			}
		}
	})
}

// TestRestore holds the losses against plain Go from the logits; an unknown base does not count.
func TestRestore(t *testing.T) {
	const window, rows = 24, 2
	r := rng.New(5, rng.Generate)
	tokens, clean, mask := make([]uint8, rows*window), make([]uint8, rows*window), make([]uint8, rows*window)
	for i := range tokens {
		tokens[i], clean[i] = uint8(r.IntN(5)), uint8(r.IntN(5))
		if clean[i] < Unknown && r.IntN(3) > 0 {
			mask[i] = 1
		}
	}
	comp := [4]float64{0.1, 0.2, 0.3, 0.4}
	enc, err := NewEncoder(recipe.Encoder{Kind: recipe.EncoderConvLM, Width: 8, Depth: 2}, window, comp)
	if err != nil {
		t.Fatal(err)
	}
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		out := forward(t, e, rows, window, tokens, func(s *nn.Scope, x *graph.Node) []*graph.Node {
			of := func(v []uint8) *graph.Node { return graph.Reshape(graph.Const(x.Graph(), v), rows, window) }
			loss, trivial := enc.Restore(s.In("restorer").In(Next), enc.Encode(s.In("encoder"), x), of(clean), of(mask))
			return []*graph.Node{enc.Logits(s, x), loss, trivial}
		})
		for row := range rows {
			var loss, trivial, n float64
			for j := range window {
				i := row*window + j
				if mask[i] == 0 {
					continue
				}
				sum := 0.0
				for k := range bases {
					sum += math.Exp(float64(out[0][i*bases+k]))
				}
				loss += math.Log(sum) - float64(out[0][i*bases+int(clean[i])])
				trivial -= math.Log(comp[clean[i]])
				n++
			}
			if math.Abs(loss/n-float64(out[1][row])) > 1e-4 || math.Abs(trivial/n-float64(out[2][row])) > 1e-4 {
				t.Errorf("losses %g and %g, want %g and %g", out[1][row], out[2][row], loss/n, trivial/n)
			}
		}
	})
}

func TestNewEncoderBad(t *testing.T) {
	for want, c := range map[string]recipe.Encoder{
		"kind": {Kind: "vit", Width: 8, Depth: 1}, "heads": {Kind: recipe.EncoderTransformer, Width: 8, Depth: 1, Heads: 3},
		"positive": {Kind: recipe.EncoderGRU, Width: 8},
	} {
		if _, err := NewEncoder(c, 64, even); !errors.Is(err, ErrEncoder) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := NewEncoder(recipe.Encoder{Kind: recipe.EncoderGRU, Width: 8, Depth: 1}, 64, [4]float64{1}); !errors.Is(err, ErrEncoder) {
		t.Error(err)
	}
}

// TestDilation: from 1 to the largest power of 2 below half of a window at any depth, then from the beginning.
func TestDilation(t *testing.T) {
	for _, c := range []struct {
		window, depth int
		want          []int
	}{
		{512, 1, []int{1}},
		{512, 2, []int{1, 256}},
		{512, 6, []int{1, 4, 8, 32, 64, 256}},
		{512, 8, []int{1, 2, 4, 8, 32, 64, 128, 256}},
		{512, 11, []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 1, 2}},
		{300, 3, []int{1, 16, 128}},
		{2, 3, []int{1, 1, 1}},
	} {
		e, err := NewEncoder(recipe.Encoder{Kind: recipe.EncoderConvLM, Width: 8, Depth: c.depth}, c.window, even)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for k := range c.depth {
			got = append(got, e.Dilation(k))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("window %d, depth %d: dilations %v, want %v", c.window, c.depth, got, c.want)
		}
	}
}

var _ domain.Restorer = (*Encoder)(nil)
