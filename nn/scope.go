package nn

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// Role says how the optimiser treats a parameter.
type Role uint8

// The roles of a parameter.
const (
	Weight    Role = iota // decayed, adapted by LARS
	Bias                  // not decayed (biases, gains of norm layers)
	Statistic             // not trained: running statistics of norm layers
)

// Init fills the start value of a parameter.
type Init struct {
	Kind  InitKind
	Scale float64 // standard deviation, bound or constant
}

// InitKind is the distribution of a start value.
type InitKind uint8

// The distributions.
const (
	Constant InitKind = iota
	Normal            // N(0, Scale^2)
	Uniform           // U(-Scale, Scale)
)

// Zeros, Ones are constant start values.
var (
	Zeros = Init{}
	Ones  = Init{Scale: 1}
)

// KaimingUniform is U(-sqrt(1/fanIn), sqrt(1/fanIn)): PyTorch's default for linear and
// convolution weights and biases (He et al. 2015 with a = sqrt 5).
func KaimingUniform(fanIn int) Init { return Init{Uniform, math.Sqrt(1 / float64(max(fanIn, 1)))} }

// KaimingNormal is N(0, 2/fan) (He et al. 2015, eq. 10).
func KaimingNormal(fan int) Init { return Init{Normal, math.Sqrt(2 / float64(max(fan, 1)))} }

// Decl is a parameter as declared by a layer.
type Decl struct {
	Name string // path with "/" between scopes
	Dims []int
	Role Role
	Init Init
}

// Size is the number of elements.
func (d Decl) Size() int {
	n := 1
	for _, v := range d.Dims {
		n *= v
	}
	return n
}

// Start returns the start value of the parameter for a seed. It depends on the
// seed and the name only, so it is the same on every engine.
func (d Decl) Start(seed uint64) []float32 {
	out := make([]float32, d.Size())
	if d.Init.Kind == Constant {
		for i := range out {
			out[i] = float32(d.Init.Scale)
		}
		return out
	}
	h := fnv.New64a()
	h.Write([]byte(d.Name))
	r := rng.New(seed, rng.Init, h.Sum64())
	for i := range out {
		if d.Init.Kind == Normal {
			out[i] = float32(r.NormFloat64() * d.Init.Scale)
		} else {
			out[i] = float32((2*r.Float64() - 1) * d.Init.Scale)
		}
	}
	return out
}

// Net collects the parameters that a graph function declares while it builds.
type Net struct {
	g       *graph.Graph
	train   bool
	source  func(d Decl) *graph.Node
	decls   []Decl
	nodes   map[string]*graph.Node
	updates map[string]*graph.Node

	made     map[*graph.Node]made // inference: outputs that a norm layer can be folded into
	unfolded bool
}

// NewNet starts a net on a graph. train selects batch statistics and dropout; source gives
// the node of each declared parameter (nil: a graph parameter of its name).
func NewNet(g *graph.Graph, train bool, source func(d Decl) *graph.Node) *Net {
	n := &Net{g: g, train: train, source: source, nodes: map[string]*graph.Node{}, updates: map[string]*graph.Node{}, made: map[*graph.Node]made{}}
	if n.source == nil {
		n.source = func(d Decl) *graph.Node {
			return graph.Parameter(g, d.Name, shapes.Make(dtypes.Float32, d.Dims...))
		}
	}
	return n
}

// Scope returns the root scope.
func (n *Net) Scope() *Scope { return &Scope{net: n} }

// Decls lists the parameters in the order of their declaration.
func (n *Net) Decls() []Decl { return n.decls }

// Node returns the node of a declared parameter, or nil.
func (n *Net) Node(name string) *graph.Node { return n.nodes[name] }

// Update returns the new value of a Statistic, or nil where it did not change.
func (n *Net) Update(name string) *graph.Node { return n.updates[name] }

// Scope names the parameters of one part of a network.
type Scope struct {
	net  *Net
	path string
}

// In returns the scope of a named part. Entering the same name twice shares the weights.
func (s *Scope) In(format string, args ...any) *Scope {
	return &Scope{net: s.net, path: s.path + fmt.Sprintf(format, args...) + "/"}
}

// Train reports whether the graph is built for training.
func (s *Scope) Train() bool { return s.net.train }

// Graph returns the graph being built.
func (s *Scope) Graph() *graph.Graph { return s.net.g }

// Param declares (or finds) a float32 parameter. Declaring a name twice with other
// dimensions panics, as graph functions do.
func (s *Scope) Param(name string, role Role, init Init, dims ...int) *graph.Node {
	d := Decl{Name: s.path + name, Dims: slices.Clone(dims), Role: role, Init: init}
	if node, ok := s.net.nodes[d.Name]; ok {
		for _, old := range s.net.decls {
			if old.Name == d.Name && !slices.Equal(old.Dims, d.Dims) {
				panic(fmt.Errorf("nn: parameter %q declared as %v and as %v", d.Name, old.Dims, d.Dims))
			}
		}
		return node
	}
	node := s.net.source(d)
	s.net.decls = append(s.net.decls, d)
	s.net.nodes[d.Name] = node
	return node
}

// SetStatistic records the new value of a Statistic parameter of this scope.
func (s *Scope) SetStatistic(name string, value *graph.Node) {
	s.net.updates[s.path+name] = graph.StopGradient(value)
}

// Statistic returns the newest value of a Statistic of this scope: updated in this graph, or as stored.
func (s *Scope) Statistic(name string, init Init, dims ...int) *graph.Node {
	node := s.Param(name, Statistic, init, dims...)
	if u := s.net.updates[s.path+name]; u != nil {
		return u
	}
	return node
}
