package nn_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/nn/gradcheck"
)

// A wrong adjoint of any registered case is seen: each input of each is given one that is 3 % too long, one with every other
// element 10 % too long and the rest as much too short, and one that is shifted by an element.
func TestGateSeesWrongAdjoints(t *testing.T) {
	e := enginetest.Engines(t)[0]
	mutants := map[string]func(v *graph.Node) *graph.Node{
		"3 % too long": func(v *graph.Node) *graph.Node { return graph.MulScalar(v, 1.03) },
		"uneven": func(v *graph.Node) *graph.Node {
			n := v.Shape().Size()
			f := make([]float32, n)
			for i := range f {
				f[i] = 1.1 - 0.2*float32(i%2)
			}
			return graph.Mul(v, graph.Reshape(graph.Const(v.Graph(), f), v.Shape().Dimensions...))
		},
		"shifted": func(v *graph.Node) *graph.Node {
			n := v.Shape().Size()
			flat := graph.Reshape(v, n)
			if n > 1 {
				flat = graph.Concatenate([]*graph.Node{graph.Slice(flat, graph.AxisRange(1, n)), graph.Slice(flat, graph.AxisRange(0, 1))}, 0)
			}
			return graph.Reshape(flat, v.Shape().Dimensions...)
		},
	}
	input := func(layer, name string) string { return layer + name[strings.LastIndex(name, ", input"):] }
	inputs := map[string]bool{} // of every layer: whether any mutant of it was seen
	for what, mutate := range mutants {
		var cases []gradcheck.Case
		for _, c := range gradcheck.Registered() {
			for j, x := range c.Inputs {
				if x.Ints != nil || x.Const {
					continue
				}
				m := c
				m.Name = fmt.Sprintf("%s, input %d", c.Name, j)
				m.Inputs = slices.Clone(c.Inputs)
				for k := range m.Inputs { // the others are not looked at
					m.Inputs[k].Const = k != j && m.Inputs[k].Ints == nil
				}
				m.Forward = func(in []*graph.Node) *graph.Node {
					in = slices.Clone(in)
					in[j] = graph.IdentityWithCustomGradient(in[j], func(_, v *graph.Node) *graph.Node { return mutate(v) })
					return c.Forward(in)
				}
				cases = append(cases, m)
			}
		}
		seen := map[string]bool{}
		failures, err := gradcheck.Check(e, e.Mode(), cases)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range failures {
			if !strings.Contains(f.Text, "finite differences") {
				t.Fatalf("%s", f)
			}
			seen[f.Layer+"/"+f.Case] = true
		}
		blind := map[string][]string{}
		caught := map[string]int{}
		for _, c := range cases {
			in := input(c.Layer, c.Name)
			inputs[in] = inputs[in] || seen[c.String()]
			if seen[c.String()] {
				caught[c.Layer]++
			} else {
				blind[c.Layer] = append(blind[c.Layer], c.Name)
			}
		}
		t.Logf("%s: %d of %d seen", what, len(seen), len(cases))
		for layer, names := range blind { // gradients of 0, one element that is shifted
			t.Logf("%s: not seen for %s: %s", what, layer, strings.Join(names, "; "))
			if caught[layer] == 0 {
				t.Errorf("%s: a wrong adjoint of %s is seen in none of its cases", what, layer)
			}
		}
	}
	for in, ok := range inputs {
		if !ok {
			t.Errorf("no wrong adjoint of %s is seen", in)
		}
	}
}

// A layer of this package without a case is found: the package as it is, with one function more.
func TestUnregisteredLayerIsFound(t *testing.T) {
	fsys := fstest.MapFS{}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if src, err := os.ReadFile(f.Name()); err == nil {
			fsys[f.Name()] = &fstest.MapFile{Data: src}
		}
	}
	for text, want := range map[string][]string{
		"func Fresh(x *graph.Node) *graph.Node { return x }":                                            {"Fresh"},
		"func Fresh(x *graph.Node) (a, b *graph.Node) { return x, x }":                                  {"Fresh"},
		"func Fresh(x *graph.Node) []*graph.Node { return nil }":                                        {"Fresh"},
		"func (s *Scope) Fresh(x *graph.Node) *graph.Node { return x }":                                 {"Scope.Fresh"},
		"import . \"github.com/gomlx/gomlx/core/graph\"\nfunc Fresh(x *Node) *Node { return x }":        {"Fresh"},
		"import gr \"github.com/gomlx/gomlx/core/graph\"\nfunc Fresh(x *gr.Node) *gr.Node { return x }": {"Fresh"},
		"func fresh(x *graph.Node) *graph.Node { return x }":                                            nil,
	} {
		fsys["fresh.go"] = &fstest.MapFile{Data: []byte("package nn\n" + text)}
		got, err := gradcheck.Uncovered(fsys, notLayers...)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: found %v, %v, want %v", text, got, err, want)
		}
	}
}
