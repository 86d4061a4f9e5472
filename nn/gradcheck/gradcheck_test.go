package gradcheck

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine/enginetest"
)

// recorder keeps what a check reports.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}

func (r *recorder) Error(args ...any) { r.errors = append(r.errors, fmt.Sprint(args...)) }

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestRunFindsWhatIsWrong(t *testing.T) {
	square := func(in []*graph.Node) *graph.Node { return graph.Square(in[0]) }
	reference := func(in [][]float64) []float64 {
		y := make([]float64, len(in[0]))
		for i, x := range in[0] {
			y[i] = x * x
		}
		return y
	}
	// withAdjoint leaves the value of x as it is and multiplies its adjoint by factor.
	withAdjoint := func(factor float64) func(in []*graph.Node) *graph.Node {
		return func(in []*graph.Node) *graph.Node {
			return graph.IdentityWithCustomGradient(graph.Square(in[0]), func(_, v *graph.Node) *graph.Node { return graph.MulScalar(v, factor) })
		}
	}
	for name, c := range map[string]struct {
		c    Case
		want string // "" where nothing is wrong
	}{
		"right":              {Case{Forward: square, Reference: reference}, ""},
		"gradient 1 % off":   {Case{Forward: withAdjoint(1.01), Reference: reference}, "finite differences"},
		"gradient negated":   {Case{Forward: withAdjoint(-1), Reference: reference}, "finite differences"},
		"gradient is zero":   {Case{Forward: func(in []*graph.Node) *graph.Node { return graph.StopGradient(graph.Square(in[0])) }, Reference: reference}, "finite differences"},
		"gradient is NaN":    {Case{Forward: withAdjoint(nan()), Reference: reference}, "finite differences"},
		"forward is off":     {Case{Forward: func(in []*graph.Node) *graph.Node { return graph.MulScalar(graph.Square(in[0]), 1.001) }, Reference: reference}, "reference"},
		"size differs":       {Case{Forward: square, Reference: func([][]float64) []float64 { return nil }}, "elements"},
		"no reference":       {Case{Forward: square}, "no reference"},
		"graph does not fit": {Case{Forward: func([]*graph.Node) *graph.Node { panic(fmt.Errorf("too wide")) }, Reference: reference}, "too wide"},
	} {
		r := &recorder{TB: t}
		c.c.Layer, c.c.Name, c.c.Inputs = "Square", name, []Input{F(2, 3)}
		Run(r, enginetest.Engines(t)[0], []Case{c.c})
		if all := strings.Join(r.errors, "\n"); (c.want == "") != (all == "") || !strings.Contains(all, c.want) {
			t.Errorf("%s: reported %q, want %q", name, all, c.want)
		}
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestUncovered(t *testing.T) {
	fsys := fstest.MapFS{
		"a.go": {Data: []byte(`package p
func Layer(x *graph.Node) *graph.Node { return x }
func Two(x *graph.Node) (y *graph.Node, err error) { return x, nil }
func hidden(x *graph.Node) *graph.Node { return x }
func Number() int { return 1 }
func (s *Scope) Layer(x *graph.Node) *graph.Node { return x }
func (o Options) Layer(x *graph.Node) *graph.Node { return x }
func Excepted() *graph.Node { return nil }`)},
		"a_test.go": {Data: []byte("package p\nfunc InTest() *graph.Node { return nil }")},
	}
	got, err := Uncovered(fsys, "Excepted")
	if want := []string{"Layer", "Scope.Layer", "Two"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("uncovered %v, %v, want %v", got, err, want)
	}
	if _, err := Uncovered(fstest.MapFS{"a.go": {Data: []byte("package")}}); err == nil {
		t.Error("a file that does not parse was passed over")
	}
}
