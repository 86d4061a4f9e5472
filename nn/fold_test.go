package nn_test

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/nn"
)

// values gives every parameter a value that a trained net may have: variances from 0.5 to 1.5, means and biases off zero.
func values(d nn.Decl) []float32 {
	v := nn.Decl{Name: d.Name, Dims: d.Dims, Init: nn.Init{Kind: nn.Uniform, Scale: 0.5}}.Start(5)
	if d.Role != nn.Weight && d.Init == nn.Ones { // gains and variances
		for i := range v {
			v[i]++
		}
	}
	return v
}

func TestFoldedNorm(t *testing.T) {
	same := nn.ConvOptions{Pad: nn.PadSquare(1)}
	for _, c := range []struct {
		name string
		dims []int
		f    func(s *nn.Scope, x *graph.Node) *graph.Node
	}{
		{"conv", []int{3, 6, 5, 4}, func(s *nn.Scope, x *graph.Node) *graph.Node {
			return s.BatchNormReLU("n", s.Conv2D("c", x, 6, nn.Square(3), false, same), nil)
		}},
		{"conv with bias, stride 2", []int{2, 7, 6, 4}, func(s *nn.Scope, x *graph.Node) *graph.Node {
			return s.BatchNorm("n", s.Conv2D("c", x, 6, nn.Square(3), true, nn.ConvOptions{Stride: nn.Square(2), Pad: nn.PadSquare(1)}))
		}},
		{"groups", []int{2, 5, 5, 4}, func(s *nn.Scope, x *graph.Node) *graph.Node {
			return s.BatchNorm("n", s.Conv2D("c", x, 6, nn.Square(3), true, nn.ConvOptions{Pad: nn.PadSquare(1), Groups: 2}))
		}},
		{"depthwise", []int{2, 5, 5, 4}, func(s *nn.Scope, x *graph.Node) *graph.Node {
			return s.BatchNorm("n", s.Conv2D("c", x, 4, nn.Square(3), false, nn.ConvOptions{Pad: nn.PadSquare(1), Groups: 4}))
		}},
		{"1-D, causal", []int{2, 9, 3}, func(s *nn.Scope, x *graph.Node) *graph.Node {
			return s.BatchNormReLU("n", s.CausalConv1D("c", x, 5, 3, 2, true), nil)
		}},
		{"linear", []int{4, 7}, func(s *nn.Scope, x *graph.Node) *graph.Node {
			return s.BatchNormReLU("n", s.Linear("l", x, 5, true), nil)
		}},
		{"residual block with 1x1 shortcut", []int{2, 6, 6, 4}, func(s *nn.Scope, x *graph.Node) *graph.Node {
			short := s.BatchNorm("sn", s.Conv2D("s", x, 8, nn.Square(1), false, nn.ConvOptions{}))
			y := s.BatchNormReLU("n1", s.Conv2D("c1", x, 8, nn.Square(3), false, same), nil)
			return s.BatchNormReLU("n2", s.Conv2D("c2", y, 8, nn.Square(3), false, same), short)
		}},
		{"output used twice", []int{2, 5, 5, 4}, func(s *nn.Scope, x *graph.Node) *graph.Node {
			y := s.Conv2D("c", x, 4, nn.Square(3), true, same)
			return graph.Add(y, graph.Mul(s.BatchNorm("n", y), s.BatchNorm("n2", y)))
		}},
		{"norm behind no layer", []int{2, 5, 5, 4}, func(s *nn.Scope, x *graph.Node) *graph.Node {
			return s.BatchNorm("n2", nn.ReLU(s.BatchNorm("n", x)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
				run := func(folded bool) []float32 {
					var decls []nn.Decl
					p, err := e.CompileMode(t.Name(), e.Mode().FP32(), func(g *graph.Graph) []*graph.Node {
						x := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, c.dims...))
						net := nn.NewNet(g, false, nil)
						s := net.Scope()
						if !folded {
							s = s.Unfolded()
						}
						y := c.f(s, x)
						decls = net.Decls()
						return []*graph.Node{y}
					})
					if err != nil {
						t.Fatal(err)
					}
					defer p.Finalize()
					in := []any{nn.Decl{Name: "x", Dims: c.dims, Init: nn.Init{Kind: nn.Normal, Scale: 1}}.Start(6)}
					for _, name := range p.Names()[1:] {
						for _, d := range decls {
							if d.Name == name {
								in = append(in, values(d))
							}
						}
					}
					out, err := p.Floats(in...)
					if err != nil {
						t.Fatal(err)
					}
					return out[0]
				}
				got, want := run(true), run(false)
				var diff, size float64
				for i := range want {
					diff += math.Pow(float64(got[i]-want[i]), 2)
					size += math.Pow(float64(want[i]), 2)
				}
				if r := math.Sqrt(diff / size); !(r <= 1e-5) || size == 0 {
					t.Errorf("folded and unfolded differ by %g relative, want 1e-5 or less", r)
				}
			})
		})
	}
}

// Batch statistics cannot be folded: a net in training keeps its norm layers.
func TestNoFoldInTraining(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		p, err := e.Compile("train", func(g *graph.Graph) []*graph.Node {
			x := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 64, 3))
			s := nn.NewNet(g, true, func(d nn.Decl) *graph.Node { return graph.Const(g, shaped(values(d), d.Dims)) }).Scope()
			return []*graph.Node{graph.ReduceMean(s.BatchNorm("n", s.Linear("l", x, 2, true)), 0), s.Statistic("n/bias", nn.Zeros, 2)}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Finalize()
		out, err := p.Floats(nn.Decl{Name: "x", Dims: []int{64, 3}, Init: nn.Init{Kind: nn.Normal, Scale: 1}}.Start(6))
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range out[0] { // the mean over the batch is the bias
			if math.Abs(float64(m-out[1][i])) > 1e-4 {
				t.Errorf("channel %d: mean %g, want the bias %g", i, m, out[1][i])
			}
		}
	})
}

func shaped(v []float32, dims []int) any {
	if len(dims) == 1 {
		return v
	}
	out := make([][]float32, dims[0])
	for i := range out {
		out[i] = v[i*dims[1] : (i+1)*dims[1]]
	}
	return out
}
