package engine

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/selfsame-ml/selfsame/internal/gokernel"
)

// A goPlan is a sequence of units: one operation each, or a group of element-wise operations and sums that
// run together over blocks small enough for the first-level cache, so that what lies between them never goes to memory.
type goPlan struct {
	backend *goBackend
	params  []*goNode
	outs    []*goNode
	units   []*goUnit
	values  []goStore // by node
	size    int       // of the slab in floats
	last    [][]int   // by unit: nodes whose inner buffers end there
	finish  []func()
}

// goStore says where the value of a node lives while the plan runs.
type goStore struct {
	kind   storeKind
	index  int // offset in the slab, parameter or output
	floats int
	half   bool // in the slab as bfloat16
}

type storeKind uint8

const (
	storeNone storeKind = iota
	storeSlab
	storeParam
	storeOutput
	storeConst
	storeInner // a buffer of the inner back end
	storeLocal // within a chain
)

// goUnit runs one or more nodes.
type goUnit struct {
	id    int
	nodes []*goNode
	in    []*goNode // roots read
	out   []*goNode // nodes stored
	run   func(r *goRun) error
	group *goGroup
}

// size is the number of elements.
func (n *goNode) size() int { return n.shape.Size() }

func (n *goNode) dims() []int { return n.shape.Dimensions }

func (n *goNode) f32() bool { return n.shape.DType == dtypes.Float32 }

func (n *goNode) boolean() bool { return n.shape.DType == dtypes.Bool }

// word reports types of 4 bytes that kernels move as floats.
func (n *goNode) word() bool {
	return n.f32() || n.shape.DType == dtypes.Int32 || n.shape.DType == dtypes.Uint32
}

// alias reports operations that change the shape only.
func (n *goNode) alias() bool {
	switch n.op {
	case compute.OpTypeReshape, compute.OpTypeIdentity:
		return true
	case compute.OpTypeBroadcastInDim:
		return n.size() == n.in[0].size()
	case compute.OpTypeConvertDType:
		return n.shape.DType == n.in[0].shape.DType && !n.rounds
	case compute.OpTypeTranspose: // of axes of size 1 only
		axes := n.attr.([]int)
		at := -1
		for _, a := range axes {
			if n.in[0].dims()[a] == 1 {
				continue
			}
			if a < at {
				return false
			}
			at = a
		}
		return len(axes) > 0
	}
	return false
}

// root is the node that computes n's elements.
func (n *goNode) root() *goNode {
	for n.alias() {
		n = n.in[0]
	}
	return n
}

// period describes how an operand repeats over a row-major space: element i reads i/inner%block.
type period struct{ inner, block int }

// periodOf is the period of a value whose axes (given as their places in dims) are stretched over dims.
func periodOf(size []int, axes []int, dims []int) (period, bool) {
	first, last := -1, -1
	for i, a := range axes {
		if dims[a] == 1 {
			continue
		}
		if size[i] == 1 {
			continue
		}
		if first < 0 {
			first = a
		}
		last = a
	}
	p := period{1, 1}
	if first < 0 {
		return p, true
	}
	present := map[int]bool{}
	for i, a := range axes {
		present[a] = size[i] != 1 || dims[a] == 1
	}
	for a := first; a <= last; a++ {
		if dims[a] != 1 && !present[a] {
			return p, false
		}
		p.block *= dims[a]
	}
	for _, d := range dims[last+1:] {
		p.inner *= d
	}
	return p, true
}

// operand is an input of an element-wise operation over n elements.
type operand struct {
	node *goNode // root
	period
}

func (o operand) full(n int) bool { return o.inner == 1 && o.block == n }

// operandOf resolves input x of an operation with output dims, or fails where x repeats irregularly.
func operandOf(x *goNode, dims []int) (operand, bool) {
	n := 1
	for _, d := range dims {
		n *= d
	}
	if x.size() == n {
		y := x
		for {
			if y.alias() {
				y = y.in[0]
				continue
			}
			if y.op == compute.OpTypeBroadcastInDim && (y.word() || y.boolean()) {
				if p, ok := periodOf(y.in[0].dims(), y.attr.([]int), y.dims()); ok {
					return operand{y.in[0].root(), p}, true
				}
			}
			return operand{y, period{1, n}}, true
		}
	}
	if x.size() == 1 {
		return operand{x.root(), period{1, 1}}, true
	}
	if len(x.dims()) != len(dims) {
		return operand{}, false
	}
	axes := make([]int, len(dims))
	for i := range axes {
		axes[i] = i
	}
	p, ok := periodOf(x.dims(), axes, dims)
	return operand{x.root(), p}, ok
}

// elementwise returns the operands of an operation that a group can run, or false.
func elementwise(n *goNode) ([]operand, bool) {
	if n.size() == 0 {
		return nil, false
	}
	if _, ok := loopOf(n); !ok {
		return nil, false
	}
	var out []operand
	for _, x := range n.in {
		o, ok := operandOf(x, n.dims())
		if !ok {
			return nil, false
		}
		out = append(out, o)
	}
	return out, true
}

// reduction describes a sum or maximum that a group can run: over leading axes (columns of block), or within
// rows of inner elements.
type reduction struct {
	period
	rows bool
}

func reductionOf(n *goNode) (operand, reduction, bool) {
	if (n.op != compute.OpTypeReduceSum && n.op != compute.OpTypeReduceMax) || !n.f32() || n.in[0].size() == 0 {
		return operand{}, reduction{}, false
	}
	dims := n.in[0].dims()
	axes := n.attr.([]int)
	kept := slices.Clone(dims)
	for _, a := range axes {
		kept[a] = 1
	}
	if len(axes) == 0 {
		for i := range kept {
			kept[i] = 1
		}
	}
	all := make([]int, len(dims))
	for i := range all {
		all[i] = i
	}
	p, ok := periodOf(kept, all, dims)
	size := n.in[0].size()
	r := reduction{period: p}
	switch {
	case !ok:
		return operand{}, r, false
	case p.inner == 1 && n.op == compute.OpTypeReduceSum && p.block <= maxBlock && p.block < size:
	case p.inner*p.block == size && p.inner > 1 && p.inner <= maxBlock:
		r.rows = true
	default:
		return operand{}, r, false
	}
	o, ok := operandOf(n.in[0], dims)
	return o, r, ok
}

// newGoPlan plans the nodes that outs need.
func newGoPlan(b *goBackend, params, order, outs []*goNode) (*goPlan, error) {
	p := &goPlan{backend: b, params: params, outs: outs, values: make([]goStore, len(order))}
	join(order)
	markRounding(order, outs)
	need := make([]bool, len(order))
	var visit func(n *goNode)
	deps := make([][]*goNode, len(order)) // roots that a node reads
	pl := &planner{plan: p, unitOf: make([]*goUnit, len(order)), deps: deps}
	visit = func(n *goNode) {
		if need[n.id] {
			return
		}
		need[n.id] = true
		deps[n.id] = pl.inputs(n)
		for _, d := range deps[n.id] {
			visit(d)
		}
	}
	for _, o := range outs {
		visit(o.root())
	}
	for _, n := range order {
		if !need[n.id] || n.op == compute.OpTypeParameter || n.op == compute.OpTypeConstant {
			continue
		}
		pl.place(n)
	}
	if err := pl.finish(order, need); err != nil {
		p.Finalize()
		return nil, err
	}
	return p, nil
}

// join turns sums of parts padded by 0, the adjoint of slices that share a source, into concatenations.
func join(order []*goNode) {
	type padded struct {
		axis   int
		starts []int
		parts  []*goNode
	}
	known := make([]*padded, len(order))
	for _, n := range order {
		switch {
		case n.op == compute.OpTypePad && n.f32():
			fill, ok := n.in[1].root().flat.([]float32)
			q := &padded{axis: -1}
			for i, a := range n.attr.([]compute.PadAxis) {
				if a != (compute.PadAxis{}) {
					ok = ok && q.axis < 0 && a.Interior == 0 && a.Start >= 0 && a.End >= 0
					q.axis, q.starts = i, []int{a.Start}
				}
			}
			if ok && q.axis >= 0 && len(fill) == 1 && fill[0] == 0 {
				q.parts = n.in[:1]
				known[n.id] = q
			}
		case n.op == compute.OpTypeAdd && n.f32():
			a, b := known[n.in[0].id], known[n.in[1].id]
			if a == nil || b == nil || a.axis != b.axis || !n.in[0].shape.Equal(n.in[1].shape) {
				continue
			}
			q := &padded{axis: a.axis}
			size, apart := 0, true
			for i, j := 0, 0; i < len(a.parts) || j < len(b.parts); {
				from, at := a, &i
				if i == len(a.parts) || j < len(b.parts) && b.starts[j] < a.starts[i] {
					from, at = b, &j
				}
				if k := len(q.parts) - 1; k >= 0 {
					apart = apart && q.starts[k]+q.parts[k].dims()[q.axis] <= from.starts[*at]
				}
				q.starts, q.parts = append(q.starts, from.starts[*at]), append(q.parts, from.parts[*at])
				size += from.parts[*at].dims()[q.axis]
				*at++
			}
			switch {
			case !apart:
			case size == n.dims()[q.axis]:
				axis := q.axis
				n.op, n.attr, n.in = compute.OpTypeConcatenate, axis, q.parts
				n.replay = func(f compute.Function, in []compute.Value) (compute.Value, error) { return f.Concatenate(axis, in...) }
			default:
				known[n.id] = q
			}
		}
	}
}

var fewHalves = 4096 // elements; smaller values are not worth the rounding

// readsHalf reports that n can read its input root x from memory in bfloat16.
func readsHalf(n, x *goNode) bool {
	if ops, ok := elementwise(n); ok {
		for _, o := range ops {
			if o.node == x && !o.full(n.size()) {
				return false
			}
		}
		return true
	}
	if o, _, ok := reductionOf(n); ok {
		return o.full(n.in[0].size())
	}
	if n.op != compute.OpTypeConvGeneral {
		return false
	}
	k, form := convOf(n)
	even := map[convForm]int{convForward: k.C, convInput: k.O}[form]%2 == 0
	return form != convNone && k.Half && gokernel.HasBF16() && even && (form == convKernel || n.in[1].root() != x)
}

// readers lists by root the live operations that read it; outputs of the plan are read by themselves.
func readers(order, outs []*goNode) [][]*goNode {
	live := make([]bool, len(order))
	var visit func(n *goNode)
	visit = func(n *goNode) {
		if live[n.id] {
			return
		}
		live[n.id] = true
		for _, x := range n.in {
			visit(x)
		}
	}
	for _, o := range outs {
		visit(o)
	}
	by := make([][]*goNode, len(order))
	for _, n := range order {
		if !live[n.id] || n.alias() {
			continue
		}
		var in []*goNode
		if ops, ok := elementwise(n); ok { // through repetitions
			for _, o := range ops {
				in = append(in, o.node)
			}
		} else if o, _, ok := reductionOf(n); ok {
			in = append(in, o.node)
		} else {
			for _, x := range n.in {
				in = append(in, x.root())
			}
		}
		for _, x := range in {
			by[x.id] = append(by[x.id], n)
		}
	}
	for _, o := range outs {
		by[o.root().id] = append(by[o.root().id], o.root())
	}
	return by
}

func allReadHalf(x *goNode, by []*goNode) bool {
	return len(by) > 0 && !slices.ContainsFunc(by, func(n *goNode) bool { return n == x || !readsHalf(n, x) })
}

// markRounding finds conversions to bfloat16 that are worth an operation of their own: of what element-wise operations compute, for readers
// that take it from memory as bfloat16. The others are none: products round what they read.
func markRounding(order, outs []*goNode) {
	for _, n := range order {
		if n.op != compute.OpTypeConvertDType || !n.half || !n.in[0].f32() || n.size() < fewHalves || !gokernel.HasBF16() {
			continue
		}
		root := n.in[0].root()
		if _, ok := elementwise(root); ok && !root.half {
			n.rounds = true
		}
	}
	by := readers(order, outs)
	for _, n := range order {
		if !n.rounds {
			continue
		}
		n.rounds = allReadHalf(n, by[n.id])
		for _, other := range by[n.in[0].root().id] { // a value that is kept in float32 as well gains nothing
			n.rounds = n.rounds && (other == n || other.boolean())
		}
	}
}

// halve decides which values lie in memory as bfloat16: those that are of that type, and those computed without rounding from such.
func (pl *planner) halve(order []*goNode, outside []bool, links []*goChain) {
	by := readers(order, pl.plan.outs)
	exact := func(x *goNode) bool {
		r := x.root()
		if c, ok := r.flat.([]float32); ok && r.op == compute.OpTypeConstant && len(c) == 1 {
			return c[0] == 0
		}
		return pl.plan.values[r.id].half
	}
	for _, n := range order {
		u := pl.unitOf[n.id]
		if u == nil || !outside[n.id] || n.size() < fewHalves || !n.f32() || pl.plan.values[n.id].kind != storeNone || !allReadHalf(n, by[n.id]) {
			continue
		}
		if slices.ContainsFunc(links, func(c *goChain) bool { return c != nil && c.sliced[n] }) {
			continue // the kernels of products read floats
		}
		v := &pl.plan.values[n.id]
		switch {
		case n.rounds:
			v.half = true
		case n.op == compute.OpTypeConvGeneral && n.half:
			k, form := convOf(n)
			v.half = form == convForward || form == convInput && k.S == [2]int{1, 1}
		case n.op == compute.OpTypeWhere && u.group != nil:
			v.half = exact(operandRoot(n.in[1])) && exact(operandRoot(n.in[2]))
		}
	}
}

// operandRoot is the root of x behind repetitions.
func operandRoot(x *goNode) *goNode {
	for {
		x = x.root()
		if x.op != compute.OpTypeBroadcastInDim {
			return x
		}
		x = x.in[0]
	}
}

type planner struct {
	plan   *goPlan
	units  []*goUnit
	unitOf []*goUnit
	deps   [][]*goNode
	above  []bitset // by unit: units that must run before
}

type bitset []uint64

func (b bitset) has(i int) bool { return i/64 < len(b) && b[i/64]>>(i%64)&1 != 0 }

func (b *bitset) set(i int) {
	for len(*b) <= i/64 {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

func (b *bitset) or(c bitset) {
	for len(*b) < len(c) {
		*b = append(*b, 0)
	}
	for i, x := range c {
		(*b)[i] |= x
	}
}

func (pl *planner) inputs(n *goNode) []*goNode {
	var out []*goNode
	add := func(x *goNode) {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	if ops, ok := elementwise(n); ok {
		for _, o := range ops {
			add(o.node)
		}
		return out
	}
	if o, _, ok := reductionOf(n); ok {
		add(o.node)
		return out
	}
	for _, x := range n.in {
		add(x.root())
	}
	return out
}

// place puts n into a unit: a group that it may join, or a new one.
func (pl *planner) place(n *goNode) {
	ops, isLoop := elementwise(n)
	var red reduction
	isReduce := false
	size := n.size()
	if !isLoop {
		var o operand
		if o, red, isReduce = reductionOf(n); isReduce {
			ops, size = []operand{o}, n.in[0].size()
		}
	}
	var above bitset
	inputs := map[*goUnit]bool{}
	for _, d := range pl.deps[n.id] {
		if u := pl.unitOf[d.id]; u != nil {
			inputs[u] = true
			above.set(u.id)
			above.or(pl.above[u.id])
		}
	}
	if isLoop || isReduce {
		for i := len(pl.units) - 1; i >= 0; i-- {
			u := pl.units[i]
			if !inputs[u] || u.group == nil || u.group.n != size || !u.group.accepts(n, ops, red, isReduce) {
				continue
			}
			cycle := false
			for w := range inputs {
				cycle = cycle || w != u && pl.above[w.id].has(u.id)
			}
			if cycle {
				continue
			}
			u.group.add(n, ops, red, isReduce)
			u.nodes = append(u.nodes, n)
			pl.unitOf[n.id] = u
			var more bitset
			for w := range inputs {
				if w != u {
					more.set(w.id)
					more.or(pl.above[w.id])
				}
			}
			pl.above[u.id].or(more)
			for w := range pl.above {
				if pl.above[w].has(u.id) {
					pl.above[w].or(more)
				}
			}
			return
		}
	}
	u := &goUnit{id: len(pl.units), nodes: []*goNode{n}}
	if isLoop || isReduce {
		u.group = &goGroup{n: size, unit: 1, member: map[*goNode]bool{}}
		u.group.add(n, ops, red, isReduce)
	}
	pl.units = append(pl.units, u)
	pl.above = append(pl.above, above)
	pl.unitOf[n.id] = u
}

// finish orders the units, decides what is stored where and compiles each unit.
func (pl *planner) finish(order []*goNode, need []bool) error {
	p := pl.plan
	done := make([]bool, len(pl.units))
	var schedule func(u *goUnit)
	schedule = func(u *goUnit) {
		if done[u.id] {
			return
		}
		done[u.id] = true
		for _, n := range u.nodes {
			for _, d := range pl.deps[n.id] {
				if w := pl.unitOf[d.id]; w != nil && w != u {
					schedule(w)
				}
			}
		}
		p.units = append(p.units, u)
	}
	for _, u := range pl.units {
		schedule(u)
	}
	together, links := chains(p.units)
	p.units = p.units[:0:0]
	at := make([]int, len(pl.units)) // by unit: its place
	for i, us := range together {
		for _, u := range us {
			at[u.id] = i
		}
	}
	outside := make([]bool, len(order)) // needed outside its unit
	beyond := make([]bool, len(order))  // and outside its chain
	end := make([]int, len(order))
	for i, us := range together {
		for _, u := range us {
			for _, n := range u.nodes {
				for _, d := range pl.deps[n.id] {
					w := pl.unitOf[d.id]
					if w == u {
						continue
					}
					if w != nil {
						outside[d.id] = true
						beyond[d.id] = beyond[d.id] || at[w.id] != i
						end[d.id] = max(end[d.id], i)
					}
					if !slices.Contains(u.in, d) {
						u.in = append(u.in, d)
					}
				}
			}
		}
	}
	for i, o := range p.outs {
		r := o.root()
		if pl.unitOf[r.id] == nil {
			continue
		}
		outside[r.id], beyond[r.id] = true, true
		end[r.id] = math.MaxInt
		if v := &p.values[r.id]; v.kind == storeNone {
			*v = goStore{kind: storeOutput, index: i}
		}
	}
	for _, n := range order {
		if !need[n.id] {
			continue
		}
		switch n.op {
		case compute.OpTypeParameter:
			p.values[n.id] = goStore{kind: storeParam, index: n.param}
		case compute.OpTypeConstant:
			p.values[n.id] = goStore{kind: storeConst}
		}
	}
	for i, c := range links {
		if c != nil {
			c.keep(together[i], outside, beyond)
		}
	}
	pl.halve(order, outside, links)
	p.last = make([][]int, len(together))
	free := &regions{}
	ends := make([][]*goNode, len(together))
	for i, us := range together {
		for _, u := range us {
			if err := pl.compile(u, links[i], i, outside, end, ends, free); err != nil {
				return err
			}
			if links[i] == nil {
				p.units = append(p.units, u)
			}
		}
		if c := links[i]; c != nil {
			whole := &goUnit{run: c.run}
			for _, u := range us {
				whole.nodes, c.runs = append(whole.nodes, u.nodes...), append(c.runs, u.run)
			}
			p.units = append(p.units, whole)
		}
		for _, n := range ends[i] {
			free.give(p.values[n.id].index, p.values[n.id].floats)
		}
	}
	p.size = free.top
	return nil
}

// compile makes the function of a unit, which is the i-th or belongs to chain c there, and gives its values their places.
func (pl *planner) compile(u *goUnit, c *goChain, i int, outside []bool, end []int, ends [][]*goNode, free *regions) error {
	p := pl.plan
	for _, n := range u.nodes {
		if !outside[n.id] && u.group != nil && !u.group.reduces(n) {
			continue
		}
		u.out = append(u.out, n)
	}
	native := true
	switch {
	case u.group != nil && c != nil:
		u.run = u.group.sliced(c.slices).compile(p.values, outside)
	case u.group != nil:
		u.run = u.group.compile(p.values, outside)
	case c != nil:
		u.run = batchedDot(u.nodes[0])
	default:
		if u.run = nativeOp(u.nodes[0]); u.run != nil {
			break
		}
		native = false
		run, err := pl.inner(u.nodes[0])
		if err != nil {
			return err
		}
		u.run = run
	}
	for _, n := range u.out {
		v := &p.values[n.id]
		if c != nil {
			if _, ok := c.local[n]; ok {
				v.kind = storeLocal
				continue
			}
		}
		switch {
		case !native:
			v.kind = storeInner
			if end[n.id] < len(p.last) {
				p.last[max(end[n.id], i)] = append(p.last[max(end[n.id], i)], n.id)
			}
		case v.kind == storeNone:
			bytes := n.size() * n.shape.DType.Size()
			if v.half {
				bytes = 2 * n.size()
			}
			floats := (bytes+3)/4 + 16 // room for whole vectors
			floats = (floats + 15) &^ 15
			*v = goStore{kind: storeSlab, index: free.take(floats), floats: floats, half: v.half}
			at := max(end[n.id], i)
			ends[at] = append(ends[at], n)
		}
	}
	return nil
}

// regions hands out stretches of the slab, first fit.
type regions struct {
	free [][2]int // offset, length; in order
	top  int
}

func (r *regions) take(n int) int {
	for i, f := range r.free {
		if f[1] < n {
			continue
		}
		if f[1] == n {
			r.free = slices.Delete(r.free, i, i+1)
		} else {
			r.free[i] = [2]int{f[0] + n, f[1] - n}
		}
		return f[0]
	}
	if k := len(r.free) - 1; k >= 0 && r.free[k][0]+r.free[k][1] == r.top { // grow the last stretch
		at := r.free[k][0]
		r.free = r.free[:k]
		r.top = at + n
		return at
	}
	at := r.top
	r.top += n
	return at
}

func (r *regions) give(at, n int) {
	i, _ := slices.BinarySearchFunc(r.free, at, func(f [2]int, at int) int { return f[0] - at })
	r.free = slices.Insert(r.free, i, [2]int{at, n})
	if i+1 < len(r.free) && at+n == r.free[i+1][0] {
		r.free[i][1] += r.free[i+1][1]
		r.free = slices.Delete(r.free, i+1, i+2)
	}
	if i > 0 && r.free[i-1][0]+r.free[i-1][1] == r.free[i][0] {
		r.free[i-1][1] += r.free[i][1]
		r.free = slices.Delete(r.free, i, i+1)
	}
}

// inner compiles n as a program of one operation on the inner back end.
func (pl *planner) inner(n *goNode) (func(r *goRun) error, error) {
	b := pl.plan.backend
	builder := b.Backend.Builder(fmt.Sprintf("%s%d", n.op, n.id))
	main := builder.Main()
	in := make([]compute.Value, len(n.in))
	for i, x := range n.in {
		v, err := main.Parameter(fmt.Sprintf("in%d", i), x.shape, nil)
		if err != nil {
			return nil, err
		}
		in[i] = v
	}
	v, err := n.replay(main, in)
	if err != nil {
		return nil, err
	}
	if err := main.Return([]compute.Value{v}, nil); err != nil {
		return nil, err
	}
	exe, err := builder.Compile()
	if err != nil {
		return nil, err
	}
	pl.plan.finish = append(pl.plan.finish, exe.Finalize)
	return func(r *goRun) error {
		bufs := make([]compute.Buffer, len(n.in))
		var own []compute.Buffer
		defer func() { FreeAll(own) }()
		for i, x := range n.in {
			buf, made, err := r.buffer(x)
			if err != nil {
				return err
			}
			bufs[i] = buf
			if made {
				own = append(own, buf)
			}
		}
		outs, err := exe.Execute(bufs, make([]bool, len(bufs)), 0)
		if err != nil {
			return err
		}
		r.inner[n.id] = outs[0]
		return nil
	}, nil
}
