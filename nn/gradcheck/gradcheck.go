// Package gradcheck compares the gradient of a layer with finite differences and its output with a slow
// plain-Go reference, on any engine.
//
// A layer registers its cases with [Register]; [Run] checks a list of cases in a test and [Check] outside of one,
// [Uncovered] names the exported layer functions of a package that have no case, so that a layer without one fails its
// package's tests. The cases of package nn are in gradcheck/cases.
package gradcheck

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
)

// Input is one input of a case.
type Input struct {
	Dims   []int
	Values []float32 // start values; nil: drawn from N(0, 1)
	Ints   []int32   // an integer input, without gradient
	Const  bool      // no gradient is checked
	Scale  float64   // factor on drawn values; 0 is 1
	Shift  float64   // added to drawn values
}

// F is a float32 input drawn from N(0, 1).
func F(dims ...int) Input { return Input{Dims: dims} }

// I is an integer input `[len(v)]`.
func I(v ...int32) Input { return Input{Dims: []int{len(v)}, Ints: v} }

// Case is one call of a layer.
type Case struct {
	Layer   string // name of the exported function, "Scope.Name" for a method of Scope
	Name    string // what is awkward about it
	Inputs  []Input
	Forward func(in []*graph.Node) *graph.Node
	// Reference computes the output from the flat float inputs in float64; nil entries stand for integer inputs.
	Reference func(in [][]float64) []float64
	Tolerance float64 // relative error of the gradient; 0 is 0.001
}

func (c Case) String() string { return c.Layer + "/" + c.Name }

var registered []Case

// Register adds cases to the registry. It is meant for init functions.
func Register(cases ...Case) { registered = append(registered, cases...) }

// Registered lists the cases of the registry.
func Registered() []Case { return slices.Clone(registered) }

// Directions is the number of directions tried for each input.
const Directions = 2

// steps are the lengths of the steps along a direction of length 1. Small steps drown in float32 rounding, long ones cross
// the kinks of ReLU and max: a right gradient agrees at one of them at least, a wrong one at none.
var steps = []float64{0.01, 0.001}

// PerGraph is the number of cases compiled into one graph: compiling dominates on XLA.
const PerGraph = 24

// running is a case inside a compiled graph.
type running struct {
	Case
	first  int         // index of its first program input
	values [][]float32 // of the float inputs, nil for integers
	weight []float64   // the loss is sum(weight * y)
	dims   []int       // of y
	out    int         // index of y in the outputs; gradients follow
	grads  []int       // inputs with a gradient, in order
}

// TB is what a check needs of a test: a *testing.T, *testing.B or *rapid.T. It keeps package testing out of programs.
type TB interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
}

// Failure is what is wrong with one case.
type Failure struct {
	Layer string  `json:"layer"`
	Case  string  `json:"case"`
	Dims  [][]int `json:"dims"` // of the inputs
	Text  string  `json:"text"` // what differs, with the numbers
}

func (f Failure) String() string { return fmt.Sprintf("%s/%s: %s", f.Layer, f.Case, f.Text) }

func (c Case) fails(format string, args ...any) Failure {
	f := Failure{Layer: c.Layer, Case: c.Name, Text: fmt.Sprintf(format, args...)}
	for _, in := range c.Inputs {
		f.Dims = append(f.Dims, in.Dims)
	}
	return f
}

// Run checks the cases on an engine, in a test.
func Run(t TB, e *engine.Engine, cases []Case) {
	t.Helper()
	for i := 0; i < len(cases); i += PerGraph {
		failures, err := checkChunk(e, e.Mode(), cases[i:min(i+PerGraph, len(cases))])
		if err != nil {
			t.Error(err)
		}
		for _, f := range failures {
			t.Error(f)
		}
	}
}

// Check compares the gradients of the cases with finite differences and their outputs with the references. The mode
// must be one that computes in float32: finite differences drown in the rounding of bfloat16 ([CheckBF16]). An error
// is a graph that cannot be built or run.
func Check(e *engine.Engine, mode engine.Mode, cases []Case) (failures []Failure, err error) {
	for i := 0; i < len(cases); i += PerGraph {
		f, err := checkChunk(e, mode.FP32(), cases[i:min(i+PerGraph, len(cases))])
		if err != nil {
			return nil, err
		}
		failures = append(failures, f...)
	}
	return failures, nil
}

// Sample takes at most each cases of every layer, the same ones in every process, in the order of their names.
func Sample(cases []Case, each int) []Case {
	cases = slices.Clone(cases)
	slices.SortFunc(cases, func(a, b Case) int { return strings.Compare(a.String(), b.String()) })
	var out []Case
	for i := 0; i < len(cases); {
		n := 1
		for i+n < len(cases) && cases[i+n].Layer == cases[i].Layer {
			n++
		}
		for k := range min(each, n) {
			out = append(out, cases[i+k*n/min(each, n)])
		}
		i += n
	}
	return out
}

type program struct {
	p    *engine.Program
	feed []any
	run  []*running
}

func compile(e *engine.Engine, mode engine.Mode, cases []Case) (*program, error) {
	pr := &program{}
	p, err := e.CompileMode("gradcheck", mode, func(g *graph.Graph) []*graph.Node {
		pr.feed, pr.run = nil, nil
		var outs []*graph.Node
		for i, c := range cases {
			outs = append(outs, pr.add(g, i, c, len(outs))...)
		}
		return outs
	})
	pr.p = p
	return pr, err
}

// add builds one case and returns its output and gradients.
func (pr *program) add(g *graph.Graph, i int, c Case, out int) []*graph.Node {
	r := rand.New(rand.NewPCG(uint64(len(c.Name)), hash(c.String())))
	rc := &running{Case: c, first: len(pr.feed), out: out}
	var in, wrt []*graph.Node
	for j, x := range c.Inputs {
		name := fmt.Sprintf("x%d_%d", i, j)
		if x.Ints != nil {
			in = append(in, graph.Parameter(g, name, shapes.Make(dtypes.Int32, x.Dims...)))
			pr.feed = append(pr.feed, x.Ints)
			rc.values = append(rc.values, nil)
			continue
		}
		v := x.Values
		if v == nil {
			v = make([]float32, shapes.Make(dtypes.Float32, x.Dims...).Size())
			scale := x.Scale
			if scale == 0 {
				scale = 1
			}
			for k := range v {
				v[k] = float32(r.NormFloat64()*scale + x.Shift)
			}
		}
		node := graph.Parameter(g, name, shapes.Make(dtypes.Float32, x.Dims...))
		in, rc.values, pr.feed = append(in, node), append(rc.values, v), append(pr.feed, v)
		if !x.Const {
			wrt, rc.grads = append(wrt, node), append(rc.grads, j)
		}
	}
	y := c.Forward(in)
	if y.DType() != dtypes.Float32 {
		panic(fmt.Errorf("gradcheck: %s returns %s, want float32", c, y.Shape()))
	}
	rc.dims = slices.Clone(y.Shape().Dimensions)
	w := make([]float32, y.Shape().Size())
	for k := range w {
		w[k] = float32(r.NormFloat64())
		rc.weight = append(rc.weight, float64(w[k]))
	}
	pr.run = append(pr.run, rc)
	outs := []*graph.Node{y}
	if len(wrt) > 0 { // else nothing would read the weight, which the go back end does not bear behind its last node
		weight := graph.Parameter(g, fmt.Sprintf("w%d", i), y.Shape())
		pr.feed = append(pr.feed, w)
		outs = append(outs, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, weight)), wrt...)...)
	}
	return outs
}

func hash(s string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(s) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

func (rc *running) loss(y []float32) float64 {
	var s float64
	for k, v := range y {
		s += float64(v) * rc.weight[k]
	}
	return s
}

func checkChunk(e *engine.Engine, mode engine.Mode, cases []Case) (failures []Failure, err error) {
	pr, err := compile(e, mode, cases)
	if err != nil {
		return nil, err
	}
	defer pr.p.Finalize()
	base, err := pr.p.Floats(pr.feed...)
	if err != nil {
		return nil, err
	}
	for _, rc := range pr.run {
		if f := rc.checkForward(base[rc.out]); f != nil {
			failures = append(failures, *f)
		}
	}
	// Every case walks through its (input, direction) pairs; one run moves all of them at once.
	for pair := 0; ; pair++ {
		var moved []*move
		for _, rc := range pr.run {
			if pair/Directions < len(rc.grads) {
				moved = append(moved, newMove(rc, pair, base))
			}
		}
		if len(moved) == 0 {
			return failures, nil
		}
		for _, h := range steps {
			if err := pr.slopes(moved, h); err != nil {
				return nil, err
			}
			moved = slices.DeleteFunc(moved, func(m *move) bool { return m.agrees(h) })
			if len(moved) == 0 {
				break
			}
		}
		for _, m := range moved {
			failures = append(failures, m.rc.fails("input %d direction %d: finite differences %.6g, gradient %.6g (|gradient| %.4g)",
				m.input, pair%Directions, m.fd, m.slope, m.norm))
		}
	}
}

// move is a step of one case along one direction of one input.
type move struct {
	rc          *running
	input       int
	d           []float64
	slope, norm float64 // of the gradient
	noise       float64 // rounding of the loss
	fd          []float64
}

func newMove(rc *running, pair int, base [][]float32) *move {
	k := pair / Directions
	g := base[rc.out+1+k]
	m := &move{rc: rc, input: rc.grads[k], d: direction(g, hash(rc.String())+uint64(pair))}
	for i := range g {
		m.slope += float64(g[i]) * m.d[i]
		m.norm += float64(g[i]) * float64(g[i])
	}
	m.norm = math.Sqrt(m.norm)
	m.noise = 1e-6 * l2(rc.weight) * rms(base[rc.out])
	return m
}

func (m *move) agrees(h float64) bool {
	tol := m.rc.Tolerance
	if tol == 0 {
		tol = 0.001
	}
	return math.Abs(m.fd[len(m.fd)-1]-m.slope) <= tol*m.norm+m.noise/h // false for NaN
}

// slopes appends the central difference at step h to each move.
func (pr *program) slopes(moved []*move, h float64) error {
	for _, sign := range []float64{1, -1} {
		feed := slices.Clone(pr.feed)
		for _, m := range moved {
			v := slices.Clone(m.rc.values[m.input])
			for i := range v {
				v[i] += float32(sign * h * m.d[i])
			}
			feed[m.rc.first+m.input] = v
		}
		out, err := pr.p.Floats(feed...)
		if err != nil {
			return err
		}
		for _, m := range moved {
			part := sign * m.rc.loss(out[m.rc.out]) / (2 * h)
			if sign > 0 {
				m.fd = append(m.fd, part)
			} else {
				m.fd[len(m.fd)-1] += part
			}
		}
	}
	return nil
}

func l2(v []float64) float64 {
	var s float64
	for _, x := range v {
		s += x * x
	}
	return math.Sqrt(s)
}

func rms(v []float32) float64 {
	var s float64
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return math.Sqrt(s / float64(max(len(v), 1)))
}

// direction is gradient + random vector, each of length 1, scaled to length 1: a purely random one has a slope that drowns
// in rounding.
func direction(g []float32, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 7))
	d := make([]float64, len(g))
	var ng, nd, n float64
	for i := range d {
		d[i] = r.NormFloat64()
		nd += d[i] * d[i]
		ng += float64(g[i]) * float64(g[i])
	}
	for i := range d {
		d[i] /= math.Sqrt(nd)
		if ng > 0 {
			d[i] += float64(g[i]) / math.Sqrt(ng)
		}
		n += d[i] * d[i]
	}
	if n < 1e-6 { // the two cancelled, as may be where there is one coordinate
		for i := range d {
			d[i], n = 1, float64(len(d))
		}
	}
	for i := range d {
		d[i] /= math.Sqrt(n)
	}
	return d
}

// checkForward compares an output with the reference; nil is right.
func (rc *running) checkForward(y []float32) *Failure {
	wrong := func(format string, args ...any) *Failure {
		f := rc.fails(format, args...)
		return &f
	}
	if rc.Reference == nil {
		return wrong("no reference")
	}
	in := make([][]float64, len(rc.values))
	for i, v := range rc.values {
		if v == nil {
			continue
		}
		in[i] = make([]float64, len(v))
		for k, x := range v {
			in[i][k] = float64(x)
		}
	}
	want := rc.Reference(in)
	if len(want) != len(y) {
		return wrong("output %v has %d elements, the reference %d", rc.dims, len(y), len(want))
	}
	scale := l2(want) / math.Sqrt(float64(max(len(want), 1)))
	for k := range y {
		if diff := math.Abs(float64(y[k]) - want[k]); !(diff <= 1e-4*(math.Abs(want[k])+scale)+1e-6) {
			return wrong("output[%d] of %v is %.6g, reference %.6g", k, rc.dims, y[k], want[k])
		}
	}
	return nil
}

// RunBF16 runs CheckBF16 in a test.
func RunBF16(t TB, e *engine.Engine, cases []Case) {
	t.Helper()
	failures, err := CheckBF16(e, e.Mode(), cases)
	if err != nil {
		t.Error(err)
	}
	for _, f := range failures {
		t.Error(f)
	}
}

// CheckBF16 compares outputs and gradients in bf16 mode with those in fp32: finite differences would drown in the rounding.
// The relative error in the 2-norm must stay within 3 %.
func CheckBF16(e *engine.Engine, mode engine.Mode, cases []Case) (failures []Failure, err error) {
	for i := 0; i < len(cases); i += PerGraph {
		chunk := cases[i:min(i+PerGraph, len(cases))]
		var outs [2][][]float32
		var pr *program
		for k, bf16 := range []bool{false, true} {
			mode.BF16 = bf16
			if pr, err = compile(e, mode, chunk); err != nil {
				return nil, err
			}
			outs[k], err = pr.p.Floats(pr.feed...)
			pr.p.Finalize()
			if err != nil {
				return nil, err
			}
		}
		for _, rc := range pr.run {
			for o := rc.out; o <= rc.out+len(rc.grads); o++ {
				var diff, norm float64
				for k, v := range outs[0][o] {
					diff += math.Pow(float64(v-outs[1][o][k]), 2)
					norm += float64(v) * float64(v)
				}
				if !(math.Sqrt(diff) <= 0.03*math.Sqrt(norm)+1e-3) {
					failures = append(failures, rc.fails("output %d in bf16 is off by %.3g of %.3g", o-rc.out, math.Sqrt(diff), math.Sqrt(norm)))
				}
			}
		}
	}
	return failures, nil
}

// Uncovered parses the package in fsys and returns its exported layers that no registered case names: functions, and
// methods of Scope, that return a *graph.Node. Names in except are left out.
func Uncovered(fsys fs.FS, except ...string) ([]string, error) {
	covered := map[string]bool{}
	for _, c := range registered {
		covered[c.Layer] = true
	}
	names, err := fs.Glob(fsys, "*.go")
	if err != nil {
		return nil, fmt.Errorf("gradcheck: %w", err)
	}
	var out []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("gradcheck: %w", err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("gradcheck: %w", err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() || !returnsNode(f) {
				continue
			}
			layer := f.Name.Name
			if f.Recv != nil {
				if receiver(f) != "Scope" {
					continue
				}
				layer = "Scope." + layer
			}
			if !covered[layer] && !slices.Contains(except, layer) {
				out = append(out, layer)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

func returnsNode(f *ast.FuncDecl) bool {
	if f.Type.Results == nil {
		return false
	}
	for _, r := range f.Type.Results.List {
		if isNode(r.Type) {
			return true
		}
	}
	return false
}

// isNode reports *graph.Node under whatever import name, and slices of it.
func isNode(t ast.Expr) bool {
	switch t := t.(type) {
	case *ast.ArrayType:
		return isNode(t.Elt)
	case *ast.StarExpr:
		return isNode(t.X)
	case *ast.SelectorExpr:
		return t.Sel.Name == "Node"
	case *ast.Ident:
		return t.Name == "Node"
	}
	return false
}

func receiver(f *ast.FuncDecl) string {
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
