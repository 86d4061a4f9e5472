package engine

import (
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/selfsame-ml/selfsame/internal/gokernel"
)

const (
	blockSize = 1024 // elements that a group computes at a time: a few such blocks fit the first-level cache
	maxBlock  = 8192
	maxTasks  = 64 // of a group: fixed, since partial sums depend on it
)

// loopKind is an element-wise operation: types of its operands and result ('f' float32, 'b' Bool as masks, 'i' Int32).
type loopKind struct {
	args   string
	result byte
	run    func(dst []float32, in [3][]float32)
}

func (k loopKind) holds(n *goNode) bool {
	is := func(t byte, x *goNode) bool {
		return t == 'f' && x.f32() || t == 'b' && x.boolean() || t == 'i' && x.shape.DType == dtypes.Int32
	}
	if len(n.in) != len(k.args) || !is(k.result, n) {
		return false
	}
	for i, x := range n.in {
		if !is(k.args[i], x) {
			return false
		}
	}
	return true
}

func loop2(f func(dst, a, b []float32)) func(dst []float32, in [3][]float32) {
	return func(dst []float32, in [3][]float32) { f(dst, in[0], in[1]) }
}

func swapped(f func(dst, a, b []float32)) func(dst []float32, in [3][]float32) {
	return func(dst []float32, in [3][]float32) { f(dst, in[1], in[0]) }
}

// loop1 is a function of float64 rounded to float32.
func loop1(f func(x float64) float64) loopKind {
	return loopKind{"f", 'f', func(dst []float32, in [3][]float32) {
		a := in[0]
		for i := range dst {
			dst[i] = float32(f(float64(a[i])))
		}
	}}
}

var goLoops = map[compute.OpType]loopKind{
	compute.OpTypeAdd: {"ff", 'f', loop2(gokernel.Add)},
	compute.OpTypeSub: {"ff", 'f', loop2(gokernel.Sub)},
	compute.OpTypeMul: {"ff", 'f', loop2(gokernel.Mul)},
	compute.OpTypeDiv: {"ff", 'f', loop2(gokernel.Div)},
	compute.OpTypeMax: {"ff", 'f', loop2(gokernel.Max)},
	compute.OpTypeMin: {"ff", 'f', loop2(gokernel.Min)},
	compute.OpTypePow: {"ff", 'f', loop2(func(dst, a, b []float32) {
		for i := range dst {
			dst[i] = float32(math.Pow(float64(a[i]), float64(b[i])))
		}
	})},
	compute.OpTypeGreaterThan:    {"ff", 'b', loop2(gokernel.Greater)},
	compute.OpTypeGreaterOrEqual: {"ff", 'b', loop2(gokernel.GreaterOrEqual)},
	compute.OpTypeLessThan:       {"ff", 'b', swapped(gokernel.Greater)},
	compute.OpTypeLessOrEqual:    {"ff", 'b', swapped(gokernel.GreaterOrEqual)},
	compute.OpTypeEqual:          {"ff", 'b', loop2(gokernel.Equal)},
	compute.OpTypeNotEqual:       {"ff", 'b', loop2(gokernel.NotEqual)},
	compute.OpTypeLogicalAnd:     {"bb", 'b', loop2(gokernel.And)},
	compute.OpTypeLogicalOr:      {"bb", 'b', loop2(gokernel.Or)},
	compute.OpTypeLogicalXor:     {"bb", 'b', loop2(gokernel.Xor)},
	compute.OpTypeLogicalNot:     {"b", 'b', one(gokernel.Not)},
	compute.OpTypeWhere:          {"bff", 'f', func(dst []float32, in [3][]float32) { gokernel.Select(dst, in[0], in[1], in[2]) }},
	compute.OpTypeNeg:            {"f", 'f', one(gokernel.Neg)},
	compute.OpTypeAbs:            {"f", 'f', one(gokernel.Abs)},
	compute.OpTypeSqrt:           {"f", 'f', one(gokernel.Sqrt)},
	compute.OpTypeRsqrt:          {"f", 'f', one(gokernel.Rsqrt)},
	compute.OpTypeExp:            {"f", 'f', one(gokernel.Exp)},
	compute.OpTypeErf:            {"f", 'f', one(gokernel.Erf)},
	compute.OpTypeTanh:           {"f", 'f', one(gokernel.Tanh)},
	compute.OpTypeLogistic:       {"f", 'f', one(gokernel.Logistic)},
	compute.OpTypeLog:            loop1(math.Log),
	compute.OpTypeLog1p:          loop1(math.Log1p),
	compute.OpTypeSin:            loop1(math.Sin),
	compute.OpTypeCos:            loop1(math.Cos),
}

// goIntLoops are the loops over Int32.
var goIntLoops = map[compute.OpType]loopKind{
	compute.OpTypeEqual:    {"ii", 'b', loop2(gokernel.Same)},
	compute.OpTypeNotEqual: {"ii", 'b', func(dst []float32, in [3][]float32) { gokernel.Same(dst, in[0], in[1]); gokernel.Not(dst, dst) }},
}

// loopOf is the loop of an operation, or false.
func loopOf(n *goNode) (k loopKind, ok bool) {
	if n.rounds {
		return loopKind{"f", 'f', one(func(dst, a []float32) { copy(dst, a[:len(dst)]) })}, true
	}
	if n.op == compute.OpTypeConvertDType {
		k = loopKind{"b", 'f', one(gokernel.Ones)}
		return k, k.holds(n)
	}
	if k, ok = goLoops[n.op]; ok && k.holds(n) {
		return k, true
	}
	k, ok = goIntLoops[n.op]
	return k, ok && k.holds(n)
}

func one(f func(dst, a []float32)) func(dst []float32, in [3][]float32) {
	return func(dst []float32, in [3][]float32) { f(dst, in[0]) }
}

// goGroup is a set of element-wise operations and reductions over the same n elements.
type goGroup struct {
	n      int
	unit   int // blocks are multiples of it, so that rows and periods are whole in each
	member map[*goNode]bool
	steps  []groupStep
	serial bool // one task
}

type groupStep struct {
	node     *goNode
	ops      []operand
	red      reduction
	isReduce bool
}

func lcm(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}

func (g *goGroup) reduces(n *goNode) bool {
	for _, s := range g.steps {
		if s.node == n {
			return s.isReduce
		}
	}
	return false
}

// ownRows reports that o repeats the result of each row over that row: blocks hold whole rows, so that it is known within the block.
func (g *goGroup) ownRows(o operand) bool {
	for _, s := range g.steps {
		if s.node == o.node {
			return s.isReduce && s.red.rows && s.red.inner == o.inner && o.inner*o.block == g.n
		}
	}
	return false
}

func stepUnit(red reduction) int {
	if red.rows {
		return red.inner
	}
	return red.block
}

func (g *goGroup) accepts(n *goNode, ops []operand, red reduction, isReduce bool) bool {
	for _, o := range ops {
		if g.member[o.node] && (g.reduces(o.node) && !g.ownRows(o) || !g.reduces(o.node) && !o.full(g.n)) {
			return false
		}
	}
	return !isReduce || lcm(g.unit, stepUnit(red)) <= maxBlock
}

func (g *goGroup) add(n *goNode, ops []operand, red reduction, isReduce bool) {
	g.member[n] = true
	g.steps = append(g.steps, groupStep{n, ops, red, isReduce})
	if isReduce {
		g.unit = lcm(g.unit, stepUnit(red))
		return
	}
	for _, o := range ops { // whole periods in a block are filled once
		if o.inner == 1 && o.block > 1 && o.block < g.n {
			if u := lcm(g.unit, o.block); u <= blockSize {
				g.unit = u
			}
		}
	}
}

// source is where a step finds an operand within a block.
type source struct {
	kind sourceKind
	reg  int     // of temporaries
	node *goNode // in memory
}

type sourceKind uint8

const (
	fromReg sourceKind = iota
	fromMemory
)

// fill is an operand that has to be brought into a temporary: Bools and repeated values.
type fill struct {
	op   operand
	reg  int
	once bool // the same for all blocks
	late bool // computed by the group: filled before the first step that reads it
}

type loopStep struct {
	run    func(dst []float32, in [3][]float32)
	in     [3]source
	args   int
	dst    source
	bools  *goNode // also stored as Bool
	halves *goNode // also stored as bfloat16
	red    reduction
	part   int // of partial sums; -1: not a sum over columns
	node   *goNode
	max    bool
	fills  []fill // before the step
}

// compile turns the group into a function that runs it block by block.
func (g *goGroup) compile(stored []goStore, outside []bool) func(r *goRun) error {
	block := g.unit * max(blockSize/g.unit, 1)
	blocks := (g.n + block - 1) / block
	tasks := min(blocks, maxTasks)
	if g.serial {
		tasks = 1
	}
	var fills []fill
	var steps []loopStep
	regs, sums := 0, 0
	var spare []int
	take := func() int {
		if k := len(spare) - 1; k >= 0 {
			r := spare[k]
			spare = spare[:k]
			return r
		}
		regs++
		return regs - 1
	}
	lastUse := map[*goNode]int{}
	for i, s := range g.steps {
		for _, o := range s.ops {
			lastUse[o.node] = i
		}
	}
	at := map[*goNode]int{} // temporaries of members
	find := func(o operand) source {
		if o.full(g.n) && o.node.word() && !stored[o.node.id].half {
			if g.member[o.node] && !outside[o.node.id] {
				return source{kind: fromReg, reg: at[o.node]}
			}
			return source{kind: fromMemory, node: o.node}
		}
		late := g.member[o.node] && g.reduces(o.node)
		if g.member[o.node] && !late { // Bool, or rounded
			return source{kind: fromReg, reg: at[o.node]}
		}
		for _, f := range fills {
			if f.op == o {
				return source{kind: fromReg, reg: f.reg}
			}
		}
		regs++ // never reused
		f := fill{op: o, reg: regs - 1, late: late, once: !late && !o.full(g.n) && (o.block == 1 || o.inner == 1 && block%o.block == 0)}
		fills = append(fills, f)
		return source{kind: fromReg, reg: f.reg}
	}
	for i, s := range g.steps {
		n := s.node
		k, _ := loopOf(n)
		st := loopStep{run: k.run, args: len(s.ops), red: s.red, part: -1, node: n, max: n.op == compute.OpTypeReduceMax}
		known := len(fills)
		for j, o := range s.ops {
			st.in[j] = find(o)
		}
		for _, f := range fills[known:] {
			if f.late {
				st.fills = append(st.fills, f)
			}
		}
		for _, o := range s.ops { // temporaries that end here may take the result
			if r, ok := at[o.node]; ok && lastUse[o.node] == i {
				spare = append(spare, r)
				delete(at, o.node)
			}
		}
		switch {
		case s.isReduce:
			st.run = nil
			if !s.red.rows {
				st.part = sums
				sums += s.red.block
			}
		case outside[n.id] && n.f32() && !stored[n.id].half:
			st.dst = source{kind: fromMemory, node: n}
		default:
			st.dst = source{kind: fromReg, reg: take()}
			at[n] = st.dst.reg
			if outside[n.id] && n.boolean() {
				st.bools = n
			}
			if stored[n.id].half {
				st.halves = n
			}
			if _, used := lastUse[n]; !used || lastUse[n] <= i {
				spare = append(spare, st.dst.reg)
				delete(at, n)
			}
		}
		steps = append(steps, st)
	}
	return func(r *goRun) error {
		memory := make([][][]float32, len(steps)) // by step: operands and result in memory
		for i, st := range steps {
			memory[i] = make([][]float32, 4)
			for j := range st.args {
				if st.in[j].kind == fromMemory {
					memory[i][j] = r.floats(st.in[j].node)
				}
			}
			if st.dst.kind == fromMemory {
				memory[i][3] = r.floats(st.dst.node)
			}
			if st.run == nil {
				memory[i][3] = r.floats(st.node)
			}
		}
		var partial []float32
		if sums > 0 {
			partial = make([]float32, tasks*sums+tasks)
		}
		gokernel.Parallel(r.threads, tasks, func(task int) {
			work := gokernel.Scratch(regs * block)
			defer gokernel.Release(work)
			reg := func(i, n int) []float32 { return (*work)[i*block : i*block+n] }
			for _, f := range fills {
				if f.once {
					r.fill(f.op, reg(f.reg, block), 0)
				}
			}
			for b := task * blocks / tasks; b < (task+1)*blocks/tasks; b++ {
				from := b * block
				n := min(block, g.n-from)
				for _, f := range fills {
					if !f.once && !f.late {
						r.fill(f.op, reg(f.reg, n), from)
					}
				}
				for i := range steps {
					st := &steps[i]
					for _, f := range st.fills {
						r.fill(f.op, reg(f.reg, n), from)
					}
					var in [3][]float32
					for j := range st.args {
						if st.in[j].kind == fromMemory {
							in[j] = memory[i][j][from : from+n]
						} else {
							in[j] = reg(st.in[j].reg, n)
						}
					}
					switch {
					case st.run != nil && st.dst.kind == fromMemory:
						st.run(memory[i][3][from:from+n], in)
					case st.run != nil:
						dst := reg(st.dst.reg, n)
						st.run(dst, in)
						if st.halves != nil {
							to := r.values(st.halves).Halves[from : from+n]
							gokernel.Round(to, dst)
							if st.node.rounds {
								gokernel.Widen(dst, to)
							}
						}
						if st.bools != nil {
							gokernel.Bools(r.bools(st.bools)[from:from+n], dst)
						}
					case st.part >= 0:
						to := partial[task*sums+st.part : task*sums+st.part+st.red.block]
						if st.red.block == 1 {
							last := partial[tasks*sums+task : tasks*sums+task+1]
							gokernel.SumRows(last, in[0], n)
							to[0] += last[0]
						} else {
							gokernel.SumColumns(to, in[0], n/st.red.block)
						}
					default:
						l := st.red.inner
						to := memory[i][3][from/l : (from+n)/l]
						if st.max {
							gokernel.MaxRows(to, in[0], l)
						} else {
							gokernel.SumRows(to, in[0], l)
						}
					}
				}
			}
		})
		for i, st := range steps {
			if st.part < 0 {
				continue
			}
			for j := range st.red.block {
				var s float64
				for t := range tasks {
					s += float64(partial[t*sums+st.part+j])
				}
				memory[i][3][j] = float32(s)
			}
		}
		return nil
	}
}

// fill sets dst to the operand's elements from..from+len(dst) of the group's space.
func (r *goRun) fill(o operand, dst []float32, from int) {
	var f []float32
	var b []bool
	if r.plan.values[o.node.id].half {
		gokernel.Widen(dst, r.values(o.node).Halves[from:from+len(dst)])
		return
	}
	if o.node.boolean() {
		b = r.bools(o.node)
		if o.inner == 1 && o.block >= from+len(dst) {
			gokernel.Masks(dst, b[from:])
			return
		}
	} else {
		f = r.floats(o.node)
		if o.inner == 1 && o.block > 1 {
			for i := 0; i < len(dst); {
				i += copy(dst[i:], f[(from+i)%o.block:o.block])
			}
			return
		}
	}
	for i := 0; i < len(dst); {
		run := min(o.inner-(from+i)%o.inner, len(dst)-i)
		if o.block == 1 {
			run = len(dst) - i
		}
		at := (from + i) / o.inner % o.block
		var v float32
		if b == nil {
			v = f[at]
		} else if b[at] {
			v = gokernel.True
		}
		gokernel.Fill(dst[i:i+run], v)
		i += run
	}
}
