// Package optim holds the optimisers and the learning-rate schedule of a training step.
//
// Most users need [Config.Update], the graph function that moves one parameter, and
// [Schedule.LR], the learning rate of a step on the host.
package optim

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/nn"
)

// The optimisers.
const (
	SGD   = "sgd"   // momentum as PyTorch's SGD (Sutskever et al. 2013 with the rate outside of the buffer)
	Adam  = "adam"  // Kingma & Ba 2015, arXiv:1412.6980; weight decay is added to the gradient
	AdamW = "adamw" // Loshchilov & Hutter 2019, arXiv:1711.05101; decoupled weight decay
	LARS  = "lars"  // You, Gitman & Ginsburg 2017, arXiv:1708.03888, algorithm 1
)

// ErrConfig is wrapped by every error of Validate.
var ErrConfig = errors.New("optim: configuration")

// Config is an optimiser. [Defaults] gives the usual values of one.
type Config struct {
	Name        string  `yaml:"name" json:"name"`                 // sgd | adam | adamw | lars
	Momentum    float64 `yaml:"momentum" json:"momentum"`         // sgd, lars
	Nesterov    bool    `yaml:"nesterov" json:"nesterov"`         // sgd
	Beta1       float64 `yaml:"beta1" json:"beta1"`               // adam, adamw
	Beta2       float64 `yaml:"beta2" json:"beta2"`               // adam, adamw
	Eps         float64 `yaml:"eps" json:"eps"`                   // adam, adamw
	Trust       float64 `yaml:"trust" json:"trust"`               // lars: trust coefficient
	WeightDecay float64 `yaml:"weight_decay" json:"weight_decay"` // of parameters of role Weight
	DecayAll    bool    `yaml:"decay_all" json:"decay_all"`       // decay role Bias too, as PyTorch does unless told otherwise (not lars)
	Clip        float64 `yaml:"clip" json:"clip"`                 // global norm of the gradients; 0 = off (see ClipGlobalNorm)
}

// Defaults returns the usual values of a named optimiser: PyTorch's, with momentum 0.9 for
// sgd, and those of the paper for lars. The name is not checked here.
func Defaults(name string) Config {
	c := Config{Name: name}
	switch name {
	case SGD:
		c.Momentum = 0.9
	case Adam:
		c.Beta1, c.Beta2, c.Eps = 0.9, 0.999, 1e-8
	case AdamW:
		c.Beta1, c.Beta2, c.Eps, c.WeightDecay = 0.9, 0.999, 1e-8, 1e-2
	case LARS:
		c.Momentum, c.Trust, c.WeightDecay = 0.9, 0.001, 1e-4
	}
	return c
}

// Validate reports every value that is out of its range.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
		}
	}
	unit := func(name string, v float64) {
		check(v >= 0 && v < 1, "%s %g is not in [0, 1)", name, v)
	}
	positive := func(name string, v float64) {
		check(v > 0 && !math.IsInf(v, 1), "%s %g is not positive", name, v)
	}
	switch c.Name {
	case SGD:
		unit("momentum", c.Momentum)
		check(!c.Nesterov || c.Momentum > 0, "nesterov needs momentum, which is %g", c.Momentum)
	case LARS:
		unit("momentum", c.Momentum)
		positive("trust", c.Trust)
	case Adam, AdamW:
		unit("beta1", c.Beta1)
		unit("beta2", c.Beta2)
		positive("eps", c.Eps)
	default:
		check(false, "optimiser %q is not sgd, adam, adamw or lars", c.Name)
	}
	check(c.WeightDecay >= 0 && !math.IsInf(c.WeightDecay, 1), "weight decay %g is negative or not finite", c.WeightDecay)
	check(c.Clip >= 0, "clip %g is negative", c.Clip)
	return errors.Join(errs...)
}

// Slots is the number of state arrays of a parameter, each of the parameter's shape and zero at
// the start: 0 (sgd without momentum), 1 (momentum) or 2 (moments of Adam).
func (c Config) Slots() int {
	switch {
	case c.Name == Adam || c.Name == AdamW:
		return 2
	case c.Momentum == 0 && c.Name == SGD:
		return 0
	}
	return 1
}

// Update moves one parameter by one step. w, g and the slots are float32 of the parameter's
// shape, lr is a float32 scalar, step a scalar of any number type: the updates made before
// this one (0 at first; exact to 2^24). The formulas are PyTorch's, element by element; with
// l the decay of this parameter:
//
//	sgd    g += l w; v = Momentum v + g; w -= lr v            (Nesterov: w -= lr (g + Momentum v))
//	adam   g += l w; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
//	       w -= lr (m/(1-b1^t)) / (sqrt(v)/sqrt(1-b2^t) + Eps), t = step+1
//	adamw  the same without g += l w, after w -= lr l w
//	lars   r = Trust |w|/(|g| + l|w|), or 1 where either norm is 0; v = Momentum v + lr r (g + l w); w -= v
//
// l is WeightDecay for role Weight, and for role Bias with DecayAll, else 0. Under lars, role Bias is
// neither decayed nor adapted (r = 1, l = 0). Role Statistic comes back unchanged.
func (c Config) Update(d nn.Decl, w, g *graph.Node, slots []*graph.Node, lr, step *graph.Node) (*graph.Node, []*graph.Node) {
	if d.Role == nn.Statistic {
		return w, slots
	}
	if len(slots) != c.Slots() {
		panic(fmt.Errorf("optim: %s has %d slots for %q, %d given", c.Name, c.Slots(), d.Name, len(slots)))
	}
	for _, n := range append([]*graph.Node{g}, slots...) {
		if n.DType() != w.DType() || !slices.Equal(n.Shape().Dimensions, w.Shape().Dimensions) {
			panic(fmt.Errorf("optim: parameter %q is %s, its gradient or slot is %s", d.Name, w.Shape(), n.Shape()))
		}
	}
	decay := c.WeightDecay
	if d.Role == nn.Bias && (!c.DecayAll || c.Name == LARS) {
		decay = 0
	}
	plus := func(a, b *graph.Node, scale float64) *graph.Node { // a + scale b
		switch scale {
		case 0:
			return a
		case 1:
			return graph.Add(a, b)
		}
		return graph.Add(a, graph.MulScalar(b, scale))
	}
	switch c.Name {
	case SGD:
		g = plus(g, w, decay)
		if c.Momentum == 0 {
			return graph.Sub(w, graph.Mul(lr, g)), nil
		}
		v := plus(g, slots[0], c.Momentum)
		move := v
		if c.Nesterov {
			move = plus(g, v, c.Momentum)
		}
		return graph.Sub(w, graph.Mul(lr, move)), []*graph.Node{v}

	case Adam, AdamW:
		if c.Name == Adam {
			g = plus(g, w, decay)
		} else if decay != 0 {
			w = graph.Mul(w, graph.OneMinus(graph.MulScalar(lr, decay)))
		}
		t := graph.OnePlus(graph.ConvertDType(step, dtypes.Float32))
		m := graph.Add(graph.MulScalar(slots[0], c.Beta1), graph.MulScalar(g, 1-c.Beta1))
		v := graph.Add(graph.MulScalar(slots[1], c.Beta2), graph.MulScalar(graph.Square(g), 1-c.Beta2))
		denom := graph.AddScalar(graph.Div(graph.Sqrt(v), graph.Sqrt(bias(t, c.Beta2))), c.Eps)
		rate := graph.Div(lr, bias(t, c.Beta1))
		return graph.Sub(w, graph.Mul(rate, graph.Div(m, denom))), []*graph.Node{m, v}

	case LARS:
		rate := lr
		if d.Role == nn.Weight {
			wn, gn := norm(w), norm(g)
			zero, one := graph.ZerosLike(wn), graph.OnesLike(wn)
			both := graph.LogicalAnd(graph.GreaterThan(wn, zero), graph.GreaterThan(gn, zero))
			ratio := graph.Div(graph.MulScalar(wn, c.Trust), graph.Where(both, plus(gn, wn, decay), one))
			rate = graph.Mul(lr, graph.Where(both, ratio, one))
		}
		v := plus(graph.Mul(rate, plus(g, w, decay)), slots[0], c.Momentum)
		return graph.Sub(w, v), []*graph.Node{v}
	}
	panic(fmt.Errorf("%w: optimiser %q is not sgd, adam, adamw or lars", ErrConfig, c.Name))
}

// bias is 1 - beta^t. Written with expm1, because 1 - 0.999 has lost four digits in float32.
func bias(t *graph.Node, beta float64) *graph.Node {
	if beta == 0 {
		return graph.OnesLike(t)
	}
	return graph.Neg(graph.Expm1(graph.MulScalar(t, math.Log(beta))))
}

func norm(x *graph.Node) *graph.Node { return graph.Sqrt(graph.ReduceAllSum(graph.Square(x))) }

// ClipGlobalNorm scales the gradients together so that their common Euclidean norm is at most
// limit, as PyTorch's clip_grad_norm_ (Pascanu, Mikolov & Bengio 2013): by
// min(1, limit/(norm + 1e-6)). norm is the float32 scalar before clipping. With limit 0 the
// gradients come back unchanged.
func ClipGlobalNorm(grads []*graph.Node, limit float64) (clipped []*graph.Node, norm *graph.Node) {
	if len(grads) == 0 || !(limit >= 0) {
		panic(fmt.Errorf("optim: clip %d gradients to %g", len(grads), limit))
	}
	for _, g := range grads {
		s := graph.ReduceAllSum(graph.Square(g))
		if norm == nil {
			norm = s
		} else {
			norm = graph.Add(norm, s)
		}
	}
	norm = graph.Sqrt(norm)
	if limit == 0 {
		return grads, norm
	}
	factor := graph.MinScalar(graph.Div(graph.Scalar(norm.Graph(), norm.DType(), limit), graph.AddScalar(norm, 1e-6)), 1)
	for _, g := range grads {
		clipped = append(clipped, graph.Mul(g, factor))
	}
	return clipped, norm
}

// EMA is the exponential moving average of weights, momentum teacher + (1-momentum) student, of the
// same shape. momentum is a float32 scalar node (see [TeacherMomentum]); no gradient passes.
func EMA(teacher, student, momentum *graph.Node) *graph.Node {
	return graph.StopGradient(graph.Add(student, graph.Mul(momentum, graph.Sub(teacher, student))))
}
