package engine

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/shapes"
)

// The go engine is GoMLX's portable back end with an executor of its own. Graphs are built by the inner
// back end, which infers shapes and checks them, and recorded beside it (this file); at Compile the
// record becomes a plan (go_plan.go) of float32 kernels (internal/gokernel), and what they lack runs as a
// program of one operation on the inner back end (go_exec.go). A graph with an operation that is not
// recorded, such as a loop, is left to the inner back end as a whole.

// goBackend is the inner back end with another executor.
type goBackend struct {
	compute.Backend
	threads int
	slabs   slabs
}

// Builder starts a graph.
func (b *goBackend) Builder(name string) compute.Builder {
	return &goBuilder{Builder: b.Backend.Builder(name), backend: b}
}

type goBuilder struct {
	compute.Builder
	backend *goBackend
	main    *goFunction
}

// Main is the recorded main function.
func (b *goBuilder) Main() compute.Function {
	if b.main == nil {
		b.main = &goFunction{Function: b.Builder.Main(), builder: b, nodes: map[compute.Value]*goNode{}}
	}
	return b.main
}

// Compile plans the record, or compiles on the inner back end where something was not recorded.
func (b *goBuilder) Compile() (compute.Executable, error) {
	f := b.main
	if f == nil {
		return b.Builder.Compile()
	}
	outs := make([]*goNode, len(f.outputs))
	for i, o := range f.outputs {
		if outs[i] = f.nodes[o]; outs[i] == nil {
			if err := f.Function.Return(f.outputs, f.shardings); err != nil {
				return nil, err
			}
			exe, err := b.Builder.Compile()
			if err != nil {
				return nil, err
			}
			why := f.unknown
			if why == "" {
				why = fmt.Sprintf("output %d", i)
			}
			return &goFallback{exe, why + " depends on an operation that the go engine does not record"}, nil
		}
		if outs[i].half {
			outs[i] = f.narrow(outs[i])
		}
	}
	return newGoPlan(b.backend, f.params, f.order, outs)
}

// goFallback is a graph that runs on the inner back end as a whole.
type goFallback struct {
	compute.Executable
	why string
}

// goNode is one recorded operation.
type goNode struct {
	id     int
	op     compute.OpType
	in     []*goNode
	shape  shapes.Shape
	attr   any
	replay replay
	half   bool // bfloat16 held as float32
	rounds bool // a conversion to bfloat16 that is an operation; see markRounding
	param  int  // of a parameter
	name   string
	flat   any // of a constant
}

type replay func(f compute.Function, in []compute.Value) (compute.Value, error)

type goFunction struct {
	compute.Function
	builder   *goBuilder
	nodes     map[compute.Value]*goNode
	order     []*goNode
	params    []*goNode
	outputs   []compute.Value
	shardings []*compute.ShardingSpec
	unknown   string // the first operation that reads a value which is not recorded
}

// Builder is the recording builder.
func (f *goFunction) Builder() compute.Builder { return f.builder }

// Return keeps the outputs for Compile.
func (f *goFunction) Return(outputs []compute.Value, shardings []*compute.ShardingSpec) error {
	f.outputs, f.shardings = slices.Clone(outputs), shardings
	return nil
}

// record builds the operation on the inner back end and notes it. A value that comes from an operation that
// is not recorded stays unknown, and what depends on it too.
func (f *goFunction) record(op compute.OpType, attr any, r replay, in ...compute.Value) (compute.Value, error) {
	v, err := r(f.Function, in)
	if err != nil || f.nodes[v] != nil { // known: the inner back end shares equal operations
		return v, err
	}
	n := &goNode{op: op, attr: attr, replay: r, param: -1}
	for _, x := range in {
		src := f.nodes[x]
		if src == nil {
			if f.unknown == "" {
				f.unknown = op.String()
			}
			return v, nil
		}
		n.in = append(n.in, src)
	}
	if n.shape, err = f.Function.Shape(v); err != nil || n.shape.IsDynamic() {
		return v, err
	}
	f.widen(n)
	f.add(v, n)
	return v, nil
}

// A value of bfloat16 that comes from float32 is held as float32 (half is set): products round it when they read it, and nothing
// else does. XLA takes the same liberty (xla_allow_excess_precision).

func (f *goFunction) widen(n *goNode) {
	half, real := false, false
	for _, x := range n.in {
		half, real = half || x.half, real || x.shape.DType == dtypes.BFloat16
	}
	if half && real {
		for i, x := range n.in {
			if x.half {
				n.in[i] = f.narrow(x)
			}
		}
		return
	}
	if n.shape.DType == dtypes.BFloat16 && (half || n.op == compute.OpTypeConvertDType && n.in[0].f32()) {
		n.shape, n.half = wide(n.shape), true
	}
}

func wide(s shapes.Shape) shapes.Shape {
	s = s.Clone()
	s.DType = dtypes.Float32
	return s
}

// narrow adds a node that rounds x to real bfloat16.
func (f *goFunction) narrow(x *goNode) *goNode {
	s := x.shape.Clone()
	s.DType = dtypes.BFloat16
	n := &goNode{id: len(f.order), op: compute.OpTypeConvertDType, in: []*goNode{x}, shape: s, param: -1,
		replay: func(f compute.Function, in []compute.Value) (compute.Value, error) {
			return f.ConvertDType(in[0], dtypes.BFloat16)
		}}
	f.order = append(f.order, n)
	return n
}

func (f *goFunction) add(v compute.Value, n *goNode) {
	n.id = len(f.order)
	f.nodes[v] = n
	f.order = append(f.order, n)
}

// Parameter declares an input.
func (f *goFunction) Parameter(name string, shape shapes.Shape, sharding *compute.ShardingSpec) (compute.Value, error) {
	v, err := f.Function.Parameter(name, shape, sharding)
	if err != nil {
		return nil, err
	}
	if f.nodes[v] != nil || shape.IsDynamic() {
		return nil, fmt.Errorf("engine: go: parameter %q %s is declared twice or dynamic", name, shape)
	}
	n := &goNode{op: compute.OpTypeParameter, shape: shape.Clone(), param: len(f.params), name: name}
	f.params = append(f.params, n)
	f.add(v, n)
	return v, nil
}

// Constant declares a constant.
func (f *goFunction) Constant(flat any, dims ...int) (compute.Value, error) {
	v, err := f.Function.Constant(flat, dims...)
	if err != nil || f.nodes[v] != nil {
		return v, err
	}
	s, err := f.Function.Shape(v)
	if err != nil {
		return nil, err
	}
	n := &goNode{op: compute.OpTypeConstant, shape: s, param: -1, flat: cloneFlat(flat)}
	if h, ok := flat.([]bfloat16.BFloat16); ok {
		w := make([]float32, len(h))
		for i, x := range h {
			w[i] = x.Float32()
		}
		n.shape, n.flat, n.half = wide(s), w, true
	}
	f.add(v, n)
	return v, nil
}

type (
	dotAttr struct {
		aContract, aBatch, bContract, bBatch []int
		config                               compute.DotGeneralConfig
	}
	convAttr struct {
		axes                      compute.ConvolveAxesConfig
		strides                   []int
		pads                      [][2]int
		inputDilation, dilation   []int
		channelGroups, batchGroup int
	}
	sliceAttr  struct{ starts, limits, strides []int }
	gatherAttr struct {
		vectorAxis                         int
		offset, collapsed, startMap, sizes []int
	}
	scatterAttr struct {
		vectorAxis               int
		update, inserted, toAxes []int
	}
)

// BroadcastInDim is recorded.
func (f *goFunction) BroadcastInDim(x compute.Value, shape shapes.Shape, axes []int) (compute.Value, error) {
	axes = slices.Clone(axes)
	return f.record(compute.OpTypeBroadcastInDim, axes, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.BroadcastInDim(in[0], shape, axes)
	}, x)
}

// Concatenate is recorded.
func (f *goFunction) Concatenate(axis int, xs ...compute.Value) (compute.Value, error) {
	return f.record(compute.OpTypeConcatenate, axis, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Concatenate(axis, in...)
	}, slices.Clone(xs)...)
}

// ConvGeneral is recorded.
func (f *goFunction) ConvGeneral(x, w compute.Value, axes compute.ConvolveAxesConfig, strides []int, pads [][2]int, inputDilations, kernelDilations []int, groups, batchGroups int) (compute.Value, error) {
	a := convAttr{axes.Clone(), slices.Clone(strides), slices.Clone(pads), slices.Clone(inputDilations), slices.Clone(kernelDilations), groups, batchGroups}
	return f.record(compute.OpTypeConvGeneral, a, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.ConvGeneral(in[0], in[1], a.axes.Clone(), slices.Clone(a.strides), slices.Clone(a.pads), slices.Clone(a.inputDilation), slices.Clone(a.dilation), groups, batchGroups)
	}, x, w)
}

// ConvertDType is recorded.
func (f *goFunction) ConvertDType(x compute.Value, d dtypes.DType) (compute.Value, error) {
	return f.record(compute.OpTypeConvertDType, d, func(f compute.Function, in []compute.Value) (compute.Value, error) { return f.ConvertDType(in[0], d) }, x)
}

// DotGeneral is recorded.
func (f *goFunction) DotGeneral(a compute.Value, aContract, aBatch []int, b compute.Value, bContract, bBatch []int, config compute.DotGeneralConfig) (compute.Value, error) {
	d := dotAttr{slices.Clone(aContract), slices.Clone(aBatch), slices.Clone(bContract), slices.Clone(bBatch), config}
	return f.record(compute.OpTypeDotGeneral, d, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.DotGeneral(in[0], slices.Clone(d.aContract), slices.Clone(d.aBatch), in[1], slices.Clone(d.bContract), slices.Clone(d.bBatch), config)
	}, a, b)
}

// Gather is recorded.
func (f *goFunction) Gather(x, start compute.Value, indexVectorAxis int, offsetOutputAxes, collapsedSliceAxes, startIndexMap, sliceSizes []int, sorted bool) (compute.Value, error) {
	a, b, c, d := slices.Clone(offsetOutputAxes), slices.Clone(collapsedSliceAxes), slices.Clone(startIndexMap), slices.Clone(sliceSizes)
	return f.record(compute.OpTypeGather, gatherAttr{indexVectorAxis, a, b, c, d}, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Gather(in[0], in[1], indexVectorAxis, slices.Clone(a), slices.Clone(b), slices.Clone(c), slices.Clone(d), sorted)
	}, x, start)
}

type scatter func(f compute.Function) func(x, at, updates compute.Value, indexVectorAxis int, updateWindowAxes, insertedWindowAxes, scatterAxes []int, sorted, unique bool) (compute.Value, error)

func (f *goFunction) scatter(op compute.OpType, which scatter, x, at, updates compute.Value, indexVectorAxis int, updateWindowAxes, insertedWindowAxes, scatterAxes []int, sorted, unique bool) (compute.Value, error) {
	a, b, c := slices.Clone(updateWindowAxes), slices.Clone(insertedWindowAxes), slices.Clone(scatterAxes)
	return f.record(op, scatterAttr{indexVectorAxis, a, b, c}, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return which(f)(in[0], in[1], in[2], indexVectorAxis, slices.Clone(a), slices.Clone(b), slices.Clone(c), sorted, unique)
	}, x, at, updates)
}

// Iota is recorded.
func (f *goFunction) Iota(shape shapes.Shape, axis int) (compute.Value, error) {
	return f.record(compute.OpTypeIota, axis, func(f compute.Function, _ []compute.Value) (compute.Value, error) { return f.Iota(shape, axis) })
}

// ArgMinMax is recorded.
func (f *goFunction) ArgMinMax(x compute.Value, axis int, d dtypes.DType, isMin bool) (compute.Value, error) {
	return f.record(compute.OpTypeArgMinMax, nil, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.ArgMinMax(in[0], axis, d, isMin)
	}, x)
}

// CumSum is recorded.
func (f *goFunction) CumSum(x compute.Value, axis int, opt compute.CumSumOptions) (compute.Value, error) {
	return f.record(compute.OpTypeCumSum, nil, func(f compute.Function, in []compute.Value) (compute.Value, error) { return f.CumSum(in[0], axis, opt) }, x)
}

// Clamp is recorded.
func (f *goFunction) Clamp(lo, x, hi compute.Value) (compute.Value, error) {
	return f.record(compute.OpTypeClamp, nil, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Clamp(in[0], in[1], in[2])
	}, lo, x, hi)
}

// Pad is recorded.
func (f *goFunction) Pad(x, fill compute.Value, axes ...compute.PadAxis) (compute.Value, error) {
	axes = slices.Clone(axes)
	return f.record(compute.OpTypePad, axes, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Pad(in[0], in[1], slices.Clone(axes)...)
	}, x, fill)
}

// Reshape is recorded.
func (f *goFunction) Reshape(x compute.Value, dims ...int) (compute.Value, error) {
	dims = slices.Clone(dims)
	return f.record(compute.OpTypeReshape, nil, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Reshape(in[0], slices.Clone(dims)...)
	}, x)
}

// Reverse is recorded.
func (f *goFunction) Reverse(x compute.Value, axes ...int) (compute.Value, error) {
	axes = slices.Clone(axes)
	return f.record(compute.OpTypeReverse, axes, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Reverse(in[0], slices.Clone(axes)...)
	}, x)
}

// Slice is recorded.
func (f *goFunction) Slice(x compute.Value, starts, limits, strides []int) (compute.Value, error) {
	a := sliceAttr{slices.Clone(starts), slices.Clone(limits), slices.Clone(strides)}
	return f.record(compute.OpTypeSlice, a, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Slice(in[0], slices.Clone(a.starts), slices.Clone(a.limits), slices.Clone(a.strides))
	}, x)
}

// Transpose is recorded.
func (f *goFunction) Transpose(x compute.Value, axes ...int) (compute.Value, error) {
	axes = slices.Clone(axes)
	return f.record(compute.OpTypeTranspose, axes, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Transpose(in[0], slices.Clone(axes)...)
	}, x)
}

// Where is recorded.
func (f *goFunction) Where(c, a, b compute.Value) (compute.Value, error) {
	return f.record(compute.OpTypeWhere, nil, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return f.Where(in[0], in[1], in[2])
	}, c, a, b)
}

func (f *goFunction) unary(op compute.OpType, run func(f compute.Function, x compute.Value) (compute.Value, error), x compute.Value) (compute.Value, error) {
	return f.record(op, nil, func(f compute.Function, in []compute.Value) (compute.Value, error) { return run(f, in[0]) }, x)
}

func (f *goFunction) binary(op compute.OpType, run func(f compute.Function, a, b compute.Value) (compute.Value, error), a, b compute.Value) (compute.Value, error) {
	return f.record(op, nil, func(f compute.Function, in []compute.Value) (compute.Value, error) { return run(f, in[0], in[1]) }, a, b)
}

func (f *goFunction) reduce(op compute.OpType, run func(f compute.Function, x compute.Value, axes ...int) (compute.Value, error), x compute.Value, axes []int) (compute.Value, error) {
	axes = slices.Clone(axes)
	return f.record(op, axes, func(f compute.Function, in []compute.Value) (compute.Value, error) {
		return run(f, in[0], slices.Clone(axes)...)
	}, x)
}

// Abs is recorded.
func (f *goFunction) Abs(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeAbs, compute.Function.Abs, x)
}

// BitwiseNot is recorded.
func (f *goFunction) BitwiseNot(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeBitwiseNot, compute.Function.BitwiseNot, x)
}

// Ceil is recorded.
func (f *goFunction) Ceil(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeCeil, compute.Function.Ceil, x)
}

// Cos is recorded.
func (f *goFunction) Cos(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeCos, compute.Function.Cos, x)
}

// Erf is recorded.
func (f *goFunction) Erf(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeErf, compute.Function.Erf, x)
}

// Exp is recorded.
func (f *goFunction) Exp(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeExp, compute.Function.Exp, x)
}

// Expm1 is recorded.
func (f *goFunction) Expm1(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeExpm1, compute.Function.Expm1, x)
}

// Floor is recorded.
func (f *goFunction) Floor(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeFloor, compute.Function.Floor, x)
}

// Identity is recorded.
func (f *goFunction) Identity(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeIdentity, compute.Function.Identity, x)
}

// IsFinite is recorded.
func (f *goFunction) IsFinite(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeIsFinite, compute.Function.IsFinite, x)
}

// IsNaN is recorded.
func (f *goFunction) IsNaN(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeIsNaN, compute.Function.IsNaN, x)
}

// Log is recorded.
func (f *goFunction) Log(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeLog, compute.Function.Log, x)
}

// Log1p is recorded.
func (f *goFunction) Log1p(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeLog1p, compute.Function.Log1p, x)
}

// LogicalNot is recorded.
func (f *goFunction) LogicalNot(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeLogicalNot, compute.Function.LogicalNot, x)
}

// Logistic is recorded.
func (f *goFunction) Logistic(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeLogistic, compute.Function.Logistic, x)
}

// Neg is recorded.
func (f *goFunction) Neg(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeNeg, compute.Function.Neg, x)
}

// Round is recorded.
func (f *goFunction) Round(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeRound, compute.Function.Round, x)
}

// Rsqrt is recorded.
func (f *goFunction) Rsqrt(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeRsqrt, compute.Function.Rsqrt, x)
}

// Sign is recorded.
func (f *goFunction) Sign(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeSign, compute.Function.Sign, x)
}

// Sin is recorded.
func (f *goFunction) Sin(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeSin, compute.Function.Sin, x)
}

// Sqrt is recorded.
func (f *goFunction) Sqrt(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeSqrt, compute.Function.Sqrt, x)
}

// Tanh is recorded.
func (f *goFunction) Tanh(x compute.Value) (compute.Value, error) {
	return f.unary(compute.OpTypeTanh, compute.Function.Tanh, x)
}

// Add is recorded.
func (f *goFunction) Add(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeAdd, compute.Function.Add, a, b)
}

// Atan2 is recorded.
func (f *goFunction) Atan2(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeAtan2, compute.Function.Atan2, a, b)
}

// BitwiseAnd is recorded.
func (f *goFunction) BitwiseAnd(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeBitwiseAnd, compute.Function.BitwiseAnd, a, b)
}

// BitwiseOr is recorded.
func (f *goFunction) BitwiseOr(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeBitwiseOr, compute.Function.BitwiseOr, a, b)
}

// BitwiseXor is recorded.
func (f *goFunction) BitwiseXor(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeBitwiseXor, compute.Function.BitwiseXor, a, b)
}

// Div is recorded.
func (f *goFunction) Div(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeDiv, compute.Function.Div, a, b)
}

// Equal is recorded.
func (f *goFunction) Equal(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeEqual, compute.Function.Equal, a, b)
}

// GreaterOrEqual is recorded.
func (f *goFunction) GreaterOrEqual(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeGreaterOrEqual, compute.Function.GreaterOrEqual, a, b)
}

// GreaterThan is recorded.
func (f *goFunction) GreaterThan(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeGreaterThan, compute.Function.GreaterThan, a, b)
}

// LessOrEqual is recorded.
func (f *goFunction) LessOrEqual(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeLessOrEqual, compute.Function.LessOrEqual, a, b)
}

// LessThan is recorded.
func (f *goFunction) LessThan(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeLessThan, compute.Function.LessThan, a, b)
}

// LogicalAnd is recorded.
func (f *goFunction) LogicalAnd(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeLogicalAnd, compute.Function.LogicalAnd, a, b)
}

// LogicalOr is recorded.
func (f *goFunction) LogicalOr(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeLogicalOr, compute.Function.LogicalOr, a, b)
}

// LogicalXor is recorded.
func (f *goFunction) LogicalXor(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeLogicalXor, compute.Function.LogicalXor, a, b)
}

// Max is recorded.
func (f *goFunction) Max(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeMax, compute.Function.Max, a, b)
}

// Min is recorded.
func (f *goFunction) Min(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeMin, compute.Function.Min, a, b)
}

// Mul is recorded.
func (f *goFunction) Mul(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeMul, compute.Function.Mul, a, b)
}

// NotEqual is recorded.
func (f *goFunction) NotEqual(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeNotEqual, compute.Function.NotEqual, a, b)
}

// Pow is recorded.
func (f *goFunction) Pow(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypePow, compute.Function.Pow, a, b)
}

// Rem is recorded.
func (f *goFunction) Rem(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeRem, compute.Function.Rem, a, b)
}

// Sub is recorded.
func (f *goFunction) Sub(a, b compute.Value) (compute.Value, error) {
	return f.binary(compute.OpTypeSub, compute.Function.Sub, a, b)
}

// ReduceLogicalAnd is recorded.
func (f *goFunction) ReduceLogicalAnd(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceLogicalAnd, compute.Function.ReduceLogicalAnd, x, axes)
}

// ReduceLogicalOr is recorded.
func (f *goFunction) ReduceLogicalOr(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceLogicalOr, compute.Function.ReduceLogicalOr, x, axes)
}

// ReduceMax is recorded.
func (f *goFunction) ReduceMax(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceMax, compute.Function.ReduceMax, x, axes)
}

// ReduceMin is recorded.
func (f *goFunction) ReduceMin(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceMin, compute.Function.ReduceMin, x, axes)
}

// ReduceProduct is recorded.
func (f *goFunction) ReduceProduct(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceProduct, compute.Function.ReduceProduct, x, axes)
}

// ReduceSum is recorded.
func (f *goFunction) ReduceSum(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceSum, compute.Function.ReduceSum, x, axes)
}

// ScatterMax is recorded.
func (f *goFunction) ScatterMax(x, at, updates compute.Value, indexVectorAxis int, updateWindowAxes, insertedWindowAxes, scatterAxes []int, sorted, unique bool) (compute.Value, error) {
	return f.scatter(compute.OpTypeScatterMax, func(f compute.Function) func(x, at, updates compute.Value, indexVectorAxis int, updateWindowAxes, insertedWindowAxes, scatterAxes []int, sorted, unique bool) (compute.Value, error) {
		return f.ScatterMax
	}, x, at, updates, indexVectorAxis, updateWindowAxes, insertedWindowAxes, scatterAxes, sorted, unique)
}

// ScatterMin is recorded.
func (f *goFunction) ScatterMin(x, at, updates compute.Value, indexVectorAxis int, updateWindowAxes, insertedWindowAxes, scatterAxes []int, sorted, unique bool) (compute.Value, error) {
	return f.scatter(compute.OpTypeScatterMin, func(f compute.Function) func(x, at, updates compute.Value, indexVectorAxis int, updateWindowAxes, insertedWindowAxes, scatterAxes []int, sorted, unique bool) (compute.Value, error) {
		return f.ScatterMin
	}, x, at, updates, indexVectorAxis, updateWindowAxes, insertedWindowAxes, scatterAxes, sorted, unique)
}

// ScatterSum is recorded.
func (f *goFunction) ScatterSum(x, at, updates compute.Value, indexVectorAxis int, updateWindowAxes, insertedWindowAxes, scatterAxes []int, sorted, unique bool) (compute.Value, error) {
	return f.scatter(compute.OpTypeScatterSum, func(f compute.Function) func(x, at, updates compute.Value, indexVectorAxis int, updateWindowAxes, insertedWindowAxes, scatterAxes []int, sorted, unique bool) (compute.Value, error) {
		return f.ScatterSum
	}, x, at, updates, indexVectorAxis, updateWindowAxes, insertedWindowAxes, scatterAxes, sorted, unique)
}

// OptimizationBarrier is recorded as the identity of each operand: there is nothing across which the go engine moves work.
func (f *goFunction) OptimizationBarrier(xs ...compute.Value) ([]compute.Value, error) {
	xs = slices.Clone(xs)
	out, err := f.Function.OptimizationBarrier(xs...)
	if err != nil {
		return nil, err
	}
	for i, v := range out {
		f.identity(v, xs[i])
	}
	return out, nil
}

// SchedulingBarrier is recorded as the identity.
func (f *goFunction) SchedulingBarrier(x compute.Value, after ...compute.Value) (compute.Value, error) {
	v, err := f.Function.SchedulingBarrier(x, after...)
	if err == nil {
		f.identity(v, x)
	}
	return v, err
}

func (f *goFunction) identity(v, x compute.Value) {
	if src := f.nodes[x]; src != nil && f.nodes[v] == nil {
		f.add(v, &goNode{op: compute.OpTypeIdentity, in: []*goNode{src}, shape: src.shape, half: src.half, param: -1})
	}
}
