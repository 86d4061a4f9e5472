package engine

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/selfsame-ml/selfsame/internal/gokernel"
)

// slabs keeps the memory of finished runs for the next ones.
type slabs struct {
	mu   sync.Mutex
	free [][]float32
}

const keptSlabs = 2

func (s *slabs) take(n int) []float32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := -1
	for i, f := range s.free {
		if len(f) >= n && (best < 0 || len(f) < len(s.free[best])) {
			best = i
		}
	}
	if best >= 0 {
		f := s.free[best]
		s.free = slices.Delete(s.free, best, best+1)
		return f
	}
	if len(s.free) > 0 { // too small for what runs now
		s.free = slices.Delete(s.free, 0, 1)
	}
	return make([]float32, n)
}

func (s *slabs) give(f []float32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < keptSlabs {
		s.free = append(s.free, f)
	}
}

func cloneFlat(flat any) any {
	v := reflect.ValueOf(flat)
	if v.Kind() != reflect.Slice {
		return flat
	}
	c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(c, v)
	return c.Interface()
}

// goRun is one execution of a plan.
type goRun struct {
	plan  *goPlan
	slab  []float32
	in    []compute.Buffer
	flats []any // of the parameters
	outs  []compute.Buffer
	dsts  []any
	inner []compute.Buffer // by node

	threads int
	chain   *goChain // whose slice is computed; nil: the whole
	slice   int
	local   []float32 // memory of the chain's local values
}

// Finalize frees the inner programs.
func (p *goPlan) Finalize() {
	for _, f := range p.finish {
		f()
	}
	p.finish = nil
}

// Inputs are the parameters.
func (p *goPlan) Inputs() (names []string, ins []shapes.Shape) {
	for _, n := range p.params {
		names, ins = append(names, n.name), append(ins, n.shape)
	}
	return names, ins
}

// Outputs are the shapes of the results.
func (p *goPlan) Outputs() (outs []shapes.Shape) {
	for _, n := range p.outs {
		outs = append(outs, n.shape)
	}
	return outs
}

// Execute runs the plan. Donated inputs are finalised.
func (p *goPlan) Execute(in []compute.Buffer, donate []bool, _ compute.DeviceNum) (out []compute.Buffer, err error) {
	if len(in) != len(p.params) {
		return nil, fmt.Errorf("engine: go: %d inputs for %d parameters", len(in), len(p.params))
	}
	r := &goRun{plan: p, in: in, flats: make([]any, len(in)), outs: make([]compute.Buffer, len(p.outs)), dsts: make([]any, len(p.outs)), inner: make([]compute.Buffer, len(p.values)), threads: p.backend.threads}
	for i, b := range in {
		if b == nil {
			return nil, fmt.Errorf("engine: go: input %q is nil", p.params[i].name)
		}
		s, err := b.Shape()
		if err != nil {
			return nil, err
		}
		if !s.Equal(p.params[i].shape) {
			return nil, fmt.Errorf("engine: go: input %q is %s, want %s", p.params[i].name, s, p.params[i].shape)
		}
		if r.flats[i], err = b.Data(); err != nil {
			return nil, err
		}
	}
	r.slab = p.backend.slabs.take(p.size)
	defer func() {
		p.backend.slabs.give(r.slab)
		FreeAll(r.inner)
		if err != nil {
			FreeAll(r.outs)
		}
	}()
	for i, n := range p.outs {
		if v := p.values[n.root().id]; v.kind == storeInner && p.firstOutput(i) && n.shape.Equal(n.root().shape) {
			continue // given away below
		}
		if r.outs[i], r.dsts[i], err = p.backend.NewSharedBuffer(0, n.shape); err != nil {
			return nil, err
		}
	}
	for i, u := range p.units {
		if err := u.run(r); err != nil {
			return nil, fmt.Errorf("engine: go: %s: %w", u.nodes[0].op, err)
		}
		for _, id := range p.last[i] {
			FreeAll(r.inner[id : id+1])
			r.inner[id] = nil
		}
	}
	for i := range p.outs {
		if r.outs[i] == nil {
			continue
		}
		root := p.outs[i].root()
		if v := p.values[root.id]; v.kind == storeOutput && v.index == i {
			continue
		}
		reflect.Copy(reflect.ValueOf(r.dsts[i]), reflect.ValueOf(r.flat(root)))
	}
	for i := range p.outs {
		if r.outs[i] == nil {
			id := p.outs[i].root().id
			r.outs[i], r.inner[id] = r.inner[id], nil
		}
	}
	for i, d := range donate {
		if d {
			_ = in[i].Finalize()
		}
	}
	return r.outs, nil
}

// firstOutput reports that no earlier output has the same root.
func (p *goPlan) firstOutput(i int) bool {
	return !slices.ContainsFunc(p.outs[:i], func(n *goNode) bool { return n.root() == p.outs[i].root() })
}

// flat is the typed slice of a root's elements.
func (r *goRun) flat(n *goNode) any {
	v := r.plan.values[n.id]
	switch v.kind {
	case storeParam:
		return r.flats[v.index]
	case storeConst:
		return n.flat
	case storeOutput:
		return r.dsts[v.index]
	case storeInner:
		f, err := r.inner[n.id].Data()
		if err != nil {
			panic(err)
		}
		return f
	case storeSlab:
		p := unsafe.Pointer(unsafe.SliceData(r.slab[v.index:]))
		switch n.shape.DType {
		case dtypes.Float32:
			return unsafe.Slice((*float32)(p), n.size())
		case dtypes.Int32:
			return unsafe.Slice((*int32)(p), n.size())
		case dtypes.Uint32:
			return unsafe.Slice((*uint32)(p), n.size())
		case dtypes.Bool:
			return unsafe.Slice((*bool)(p), n.size())
		}
	}
	panic(fmt.Errorf("engine: go: no place for %s %s", n.op, n.shape))
}

// values is the memory of a root of float32 elements, which may be kept in bfloat16.
func (r *goRun) values(n *goNode) gokernel.Values {
	if v := r.plan.values[n.id]; v.half {
		h := unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(r.slab[v.index:]))), n.size())
		if from, size, ok := r.part(n); ok {
			h = h[from : from+size : from+size]
		}
		return gokernel.Values{Halves: h}
	}
	return gokernel.F(r.floats(n))
}

// floats is the memory of a root of 4-byte elements.
func (r *goRun) floats(n *goNode) []float32 {
	if from, size, ok := r.part(n); ok {
		if at, ok := r.chain.local[n]; ok {
			return r.local[at : at+size : at+size]
		}
		return r.all(n)[from : from+size : from+size]
	}
	return r.all(n)
}

// part is the stretch of n that the slice in hand of a chain consists of; ok is false where n is seen as a whole.
func (r *goRun) part(n *goNode) (from, size int, ok bool) {
	if r.chain == nil || !r.chain.sliced[n] {
		return 0, 0, false
	}
	size = n.size() / r.chain.slices
	return r.slice * size, size, true
}

func (r *goRun) all(n *goNode) []float32 {
	if r.plan.values[n.id].half {
		panic(fmt.Errorf("engine: go: %s %s is kept in bfloat16", n.op, n.shape))
	}
	if v := r.plan.values[n.id]; v.kind == storeSlab && n.word() { // the common case without an allocation
		return r.slab[v.index : v.index+n.size() : v.index+n.size()]
	}
	switch f := r.flat(n).(type) {
	case []float32:
		return f
	case []int32:
		return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(f))), len(f))
	case []uint32:
		return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(f))), len(f))
	}
	panic(errors.New("engine: go: not a type of 4 bytes"))
}

func (r *goRun) bools(n *goNode) []bool {
	b, ok := r.flat(n).([]bool)
	if !ok {
		panic(errors.New("engine: go: not Bool"))
	}
	if from, size, ok := r.part(n); ok {
		b = b[from : from+size : from+size]
	}
	return b
}

// buffer is x as a buffer of the inner back end; made says that it is the caller's.
func (r *goRun) buffer(x *goNode) (b compute.Buffer, made bool, err error) {
	root := x.root()
	if x.shape.Equal(root.shape) {
		switch v := r.plan.values[root.id]; v.kind {
		case storeParam:
			return r.in[v.index], false, nil
		case storeInner:
			return r.inner[root.id], false, nil
		case storeOutput:
			if r.outs[v.index] != nil && x.shape.Equal(r.plan.outs[v.index].shape) {
				return r.outs[v.index], false, nil
			}
		}
	}
	b, err = r.plan.backend.BufferFromFlatData(0, r.flat(root), x.shape)
	return b, true, err
}

// nativeOp is the kernel of an operation, or nil.
func nativeOp(n *goNode) func(r *goRun) error {
	empty := slices.ContainsFunc(n.in, func(x *goNode) bool { return x.size() == 0 })
	switch {
	case n.size() == 0 && (n.word() || n.boolean()):
		return func(*goRun) error { return nil }
	case empty && n.f32() && (n.op == compute.OpTypeReduceSum || n.op == compute.OpTypeDotGeneral): // an empty sum
		return func(r *goRun) error {
			clear(r.floats(n))
			return nil
		}
	case empty:
		return nil
	}
	switch n.op {
	case compute.OpTypeDotGeneral:
		return nativeDot(n)
	case compute.OpTypeConvGeneral:
		return nativeConv(n)
	case compute.OpTypeReduceSum, compute.OpTypeReduceMax:
		return nativeReduce(n)
	case compute.OpTypeTranspose, compute.OpTypeSlice, compute.OpTypeReverse, compute.OpTypeBroadcastInDim:
		return nativeView(n)
	case compute.OpTypeConcatenate:
		return nativeConcatenate(n)
	case compute.OpTypeGather:
		return nativeGather(n)
	case compute.OpTypeScatterSum, compute.OpTypeScatterMax:
		return nativeScatter(n)
	case compute.OpTypeIota:
		return nativeIota(n)
	case compute.OpTypePad:
		return nativePad(n)
	}
	return nil
}

// steps are the row-major steps of dims.
func steps(dims []int) []int {
	s := make([]int, len(dims))
	n := 1
	for i := len(dims) - 1; i >= 0; i-- {
		s[i] = n
		n *= dims[i]
	}
	return s
}

// line collapses axes of a row-major array to one axis of size n and step s; ok is false where they are no line.
func line(dims, axes []int) (n, s int, ok bool) {
	st := steps(dims)
	n, s = 1, 0
	for _, a := range axes {
		if dims[a] == 1 {
			continue
		}
		if n > 1 && s != st[a]*dims[a] {
			return 0, 0, false
		}
		n, s = n*dims[a], st[a]
	}
	return n, s, true
}

// dotOf is the matrix product behind a DotGeneral, or false.
func dotOf(n *goNode) (m gokernel.Matrices, ok bool) {
	d := n.attr.(dotAttr)
	a, b := n.in[0], n.in[1]
	if !a.f32() || !b.f32() || !n.f32() || d.config.AccumulatorDType != dtypes.InvalidDType && d.config.AccumulatorDType != dtypes.Float32 {
		return m, false
	}
	rest := func(dims []int, used ...[]int) (out []int) {
		for i := range dims {
			if !slices.Contains(used[0], i) && !slices.Contains(used[1], i) {
				out = append(out, i)
			}
		}
		return out
	}
	ok = true
	get := func(dims, axes []int, size, step *int) {
		n, s, good := line(dims, axes)
		*size, *step, ok = n, s, ok && good
	}
	get(a.dims(), d.aBatch, &m.Batch, &m.ABatch)
	get(b.dims(), d.bBatch, &m.Batch, &m.BBatch)
	get(a.dims(), rest(a.dims(), d.aContract, d.aBatch), &m.M, &m.ARow)
	get(b.dims(), rest(b.dims(), d.bContract, d.bBatch), &m.N, &m.BCol)
	get(a.dims(), d.aContract, &m.K, &m.ACol)
	get(b.dims(), d.bContract, &m.K, &m.BRow)
	m.Half = a.half && b.half
	return m, ok
}

func nativeDot(n *goNode) func(r *goRun) error {
	m, ok := dotOf(n)
	if !ok {
		return nil
	}
	x, y := n.in[0].root(), n.in[1].root()
	return func(r *goRun) error {
		gokernel.MatMul(r.threads, r.floats(n), r.floats(x), r.floats(y), m)
		return nil
	}
}

func ones(v []int) bool { return !slices.ContainsFunc(v, func(x int) bool { return x != 1 }) }

// convForm says which part of a convolution a ConvGeneral is.
type convForm uint8

const (
	convNone convForm = iota
	convForward
	convInput  // adjoint of the input: of v in the place of x, by the turned kernel
	convKernel // adjoint of the kernel: of x, by v in the place of the kernel
)

// convOf is the convolution that the kernels know behind a ConvGeneral, and its form.
func convOf(n *goNode) (k gokernel.Conv, form convForm) {
	c := n.attr.(convAttr)
	x, w := n.in[0], n.in[1]
	if !x.f32() || !w.f32() || c.channelGroups > 1 || c.batchGroup > 1 || len(x.dims()) != 4 {
		return k, convNone
	}
	two := func(v []int) [2]int {
		if len(v) == 0 {
			return [2]int{1, 1}
		}
		return [2]int{v[0], v[1]}
	}
	pad := [2]int{}
	if len(c.pads) == 2 {
		pad = [2]int{c.pads[0][0], c.pads[1][0]}
	}
	is := func(want compute.ConvolveAxesConfig) bool { return reflect.DeepEqual(c.axes, want) }
	half := x.half && w.half
	xd, wd, yd := x.dims(), w.dims(), n.dims()
	switch {
	case is(ConvAxes) && ones(c.dilation) && ones(c.inputDilation):
		return gokernel.Conv{N: xd[0], H: xd[1], W: xd[2], C: xd[3], KH: wd[0], KW: wd[1], O: wd[3], OH: yd[1], OW: yd[2], S: two(c.strides), P: pad, Half: half}, convForward
	case is(ConvAxes) && ones(c.dilation) && ones(c.strides):
		// A dilated input is the adjoint of a strided convolution by the turned kernel.
		return gokernel.Conv{N: xd[0], H: yd[1], W: yd[2], C: yd[3], KH: wd[0], KW: wd[1], O: xd[3], OH: xd[1], OW: xd[2], S: two(c.inputDilation),
			P: [2]int{wd[0] - 1 - pad[0], wd[1] - 1 - pad[1]}, Half: half}, convInput
	case is(KernelAxes) && ones(c.strides) && ones(c.inputDilation):
		return gokernel.Conv{N: xd[0], H: xd[1], W: xd[2], C: xd[3], KH: yd[0], KW: yd[1], O: wd[3], OH: wd[1], OW: wd[2], S: two(c.dilation), P: pad, Half: half}, convKernel
	}
	return k, convNone
}

func nativeConv(n *goNode) func(r *goRun) error {
	k, form := convOf(n)
	w := n.in[1]
	xr, wr := n.in[0].root(), w.root()
	switch form {
	case convForward:
		return func(r *goRun) error {
			k.Forward(r.threads, r.values(n), r.values(xr), r.floats(wr))
			return nil
		}
	case convInput:
		return func(r *goRun) error {
			turned := gokernel.Scratch(w.size())
			defer gokernel.Release(turned)
			size := k.C * k.O
			// [kh, kw, o, c] turned by 180 degrees to [kh, kw, c, o]
			gokernel.Move(r.threads, *turned, r.floats(wr), 0, w.size()-size, []int{k.KH * k.KW, k.C, k.O}, []int{size, k.O, 1}, []int{-size, 1, k.C})
			k.Input(r.threads, r.values(n), r.values(xr), *turned)
			return nil
		}
	case convKernel:
		return func(r *goRun) error {
			k.Kernel(r.threads, r.floats(n), r.values(xr), r.values(wr))
			return nil
		}
	}
	return nil
}

// The forms of ConvGeneral for which the go engine has kernels.
var (
	// ConvAxes is a convolution of `[n, h, w, c]` by `[kh, kw, c, o]`, of unit kernel dilation; with input dilation its stride must be 1.
	ConvAxes = compute.ConvolveAxesConfig{
		InputBatch: 0, InputSpatial: []int{1, 2}, InputChannels: 3,
		KernelSpatial: []int{0, 1}, KernelInputChannels: 2, KernelOutputChannels: 3,
		OutputBatch: 0, OutputSpatial: []int{1, 2}, OutputChannels: 3,
	}
	// KernelAxes is the adjoint of a kernel `[kh, kw, c, o]`: the convolution over the batch of x `[n, h, w, c]` by the output's
	// adjoint `[n, oh, ow, o]`, of unit stride, dilated by the stride.
	KernelAxes = compute.ConvolveAxesConfig{
		InputBatch: 3, InputSpatial: []int{1, 2}, InputChannels: 0,
		KernelSpatial: []int{1, 2}, KernelInputChannels: 0, KernelOutputChannels: 3,
		OutputBatch: 2, OutputSpatial: []int{0, 1}, OutputChannels: 3,
	}
)

// nativeReduce sums or maximises over any axes, one run of axes after the other.
func nativeReduce(n *goNode) func(r *goRun) error {
	if !n.f32() {
		return nil
	}
	x := n.in[0]
	dims := slices.Clone(x.dims())
	gone := make([]bool, len(dims))
	for _, a := range n.attr.([]int) {
		gone[a] = true
	}
	if len(n.attr.([]int)) == 0 {
		for i := range gone {
			gone[i] = true
		}
	}
	type pass struct{ outer, run, inner int }
	var passes []pass
	for i := len(dims) - 1; i >= 0; {
		if !gone[i] || dims[i] == 1 {
			i--
			continue
		}
		p := pass{1, 1, 1}
		for _, d := range dims[i+1:] {
			p.inner *= d
		}
		for ; i >= 0 && (gone[i] || dims[i] == 1); i-- {
			p.run *= dims[i]
			dims[i] = 1
		}
		for _, d := range dims[:i+1] {
			p.outer *= d
		}
		passes = append(passes, p)
	}
	root := x.root()
	isMax := n.op == compute.OpTypeReduceMax
	return func(r *goRun) error {
		src := r.floats(root)
		var held *[]float32
		for i, p := range passes {
			dst, own := r.floats(n), (*[]float32)(nil)
			if i < len(passes)-1 {
				own = gokernel.Scratch(p.outer * p.inner)
				dst = *own
			}
			gokernel.Reduce(r.threads, dst, src, p.outer, p.run, p.inner, isMax)
			if held != nil {
				gokernel.Release(held)
			}
			src, held = dst, own
		}
		if len(passes) == 0 {
			copy(r.floats(n), src)
		}
		return nil
	}
}

// nativeView runs what only picks elements by steps.
func nativeView(n *goNode) func(r *goRun) error {
	x := n.in[0]
	if !x.word() {
		return nil
	}
	in := steps(x.dims())
	src, from := make([]int, len(n.dims())), 0
	switch n.op {
	case compute.OpTypeTranspose:
		for i, a := range n.attr.([]int) {
			src[i] = in[a]
		}
		if len(n.attr.([]int)) == 0 {
			return nil
		}
	case compute.OpTypeSlice:
		s := n.attr.(sliceAttr)
		for i := range src {
			stride := 1
			if len(s.strides) > i && s.strides[i] > 0 {
				stride = s.strides[i]
			}
			src[i] = in[i] * stride
			from += s.starts[i] * in[i]
		}
	case compute.OpTypeReverse:
		copy(src, in)
		for _, a := range n.attr.([]int) {
			from += in[a] * (n.dims()[a] - 1)
			src[a] = -src[a]
		}
	case compute.OpTypeBroadcastInDim:
		for i, a := range n.attr.([]int) {
			if x.dims()[i] != 1 {
				src[a] = in[i]
			}
		}
	}
	root, out := x.root(), steps(n.dims())
	return func(r *goRun) error {
		gokernel.Move(r.threads, r.floats(n), r.floats(root), 0, from, n.dims(), out, src)
		return nil
	}
}

func nativeConcatenate(n *goNode) func(r *goRun) error {
	if !n.word() {
		return nil
	}
	axis := n.attr.(int)
	out := steps(n.dims())
	return func(r *goRun) error {
		at := 0
		for _, x := range n.in {
			gokernel.Move(r.threads, r.floats(n), r.floats(x.root()), at*out[axis], 0, x.dims(), out, steps(x.dims()))
			at += x.dims()[axis]
		}
		return nil
	}
}

func nativePad(n *goNode) func(r *goRun) error {
	x := n.in[0]
	if !n.word() {
		return nil
	}
	at := 0
	out := steps(n.dims())
	for i, p := range n.attr.([]compute.PadAxis) {
		if p.Interior != 0 || p.Start < 0 || p.End < 0 {
			return nil
		}
		at += p.Start * out[i]
	}
	root, fill := x.root(), n.in[1].root()
	return func(r *goRun) error {
		threads := r.threads
		gokernel.Move(threads, r.floats(n), r.floats(fill), 0, 0, []int{n.size()}, []int{1}, []int{0})
		gokernel.Move(threads, r.floats(n), r.floats(root), at, 0, x.dims(), out, steps(x.dims()))
		return nil
	}
}

// rowIndex returns the root of an index of rows: Int32 with one number for each row, or nil.
func rowIndex(x *goNode, vectorAxis int) *goNode {
	d := x.dims()
	if x.shape.DType != dtypes.Int32 || vectorAxis < len(d)-1 || vectorAxis == len(d)-1 && d[vectorAxis] != 1 {
		return nil
	}
	return x.root()
}

func upwards(v []int, from int) bool {
	for i, x := range v {
		if x != from+i {
			return false
		}
	}
	return true
}

// nativeGather picks whole rows, which are runs of all axes but the first.
func nativeGather(n *goNode) func(r *goRun) error {
	a, x := n.attr.(gatherAttr), n.in[0]
	index := rowIndex(n.in[1], a.vectorAxis)
	if index == nil || !x.word() || !slices.Equal(a.startMap, []int{0}) || !slices.Equal(a.collapsed, []int{0}) || !slices.Equal(a.sizes[1:], x.dims()[1:]) ||
		!upwards(a.offset, len(n.dims())-len(a.offset)) {
		return nil
	}
	rows, root := x.dims()[0], x.root()
	return func(r *goRun) error {
		gokernel.Gather(r.threads, r.floats(n), r.floats(root), r.flat(index).([]int32), rows, x.size()/rows)
		return nil
	}
}

// nativeScatter adds (or takes the maximum of) whole rows.
func nativeScatter(n *goNode) func(r *goRun) error {
	a, x, u := n.attr.(scatterAttr), n.in[0], n.in[2]
	index := rowIndex(n.in[1], a.vectorAxis)
	if index == nil || !n.f32() || !slices.Equal(a.toAxes, []int{0}) || !slices.Equal(a.inserted, []int{0}) || !upwards(a.update, len(u.dims())-len(a.update)) ||
		!slices.Equal(u.dims()[len(u.dims())-len(a.update):], x.dims()[1:]) {
		return nil
	}
	rows, root, updates := x.dims()[0], x.root(), u.root()
	greatest := n.op == compute.OpTypeScatterMax
	return func(r *goRun) error {
		threads := r.threads
		gokernel.Copy(threads, r.floats(n), r.floats(root))
		gokernel.Scatter(threads, r.floats(n), r.floats(updates), r.flat(index).([]int32), rows, n.size()/rows, greatest)
		return nil
	}
}

func nativeIota(n *goNode) func(r *goRun) error {
	if n.shape.DType != dtypes.Int32 && !n.f32() || len(n.dims()) == 0 {
		return nil
	}
	axis := n.attr.(int)
	inner, size := steps(n.dims())[axis], n.dims()[axis]
	return func(r *goRun) error {
		switch d := r.flat(n).(type) {
		case []int32:
			for i := range d {
				d[i] = int32(i / inner % size)
			}
		case []float32:
			for i := range d {
				d[i] = float32(i / inner % size)
			}
		}
		return nil
	}
}
