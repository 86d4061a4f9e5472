package engine

import (
	"slices"

	"github.com/gomlx/compute"

	"github.com/selfsame-ml/selfsame/internal/gokernel"
)

// A goChain is a run of units around batched matrix products, such as attention, that is computed for one matrix of the batch after the
// other: what lies between the units then stays in the cache, and what no other unit reads has memory for one slice only.
type goChain struct {
	slices int
	sliced map[*goNode]bool // values of which a slice sees its part; the others are seen as a whole
	local  map[*goNode]int  // offsets of the values that live within the chain
	floats int              // of the local values
	runs   []func(r *goRun) error
}

const fewSlices = 8

// slicing is how a unit takes part in a chain: what it reads as a whole, and by parts.
type slicing struct {
	parts, wholes []*goNode
}

// cut tells how u is computed in slices, or false.
func cut(u *goUnit, slices int) (s slicing, ok bool) {
	if u.group == nil {
		n := u.nodes[0]
		if n.op != compute.OpTypeDotGeneral {
			return s, false
		}
		m, ok := dotOf(n)
		a, b := n.in[0].root(), n.in[1].root()
		if !ok || m.Batch != slices || m.ABatch*slices != a.size() || m.BBatch*slices != b.size() || n.size() == 0 || a.size() == 0 {
			return s, false
		}
		s.parts = append(s.parts, n, a, b)
		return s, true
	}
	g := u.group
	if g.n%slices != 0 || g.n/slices%g.unit != 0 {
		return s, false
	}
	for _, st := range g.steps {
		s.parts = append(s.parts, st.node)
		if st.isReduce && !st.red.rows || st.node.size()%slices != 0 {
			return s, false
		}
		for _, o := range st.ops {
			switch size := g.n / slices; {
			case o.inner*o.block == g.n && o.block%slices == 0 && o.block > 1:
				s.parts = append(s.parts, o.node)
			case size%(o.inner*o.block) == 0:
				s.wholes = append(s.wholes, o.node)
			default:
				return s, false
			}
		}
	}
	return s, true
}

// sliced is the group of one slice.
func (g *goGroup) sliced(slices int) *goGroup {
	h := &goGroup{n: g.n / slices, unit: g.unit, member: g.member, serial: true}
	for _, st := range g.steps {
		ops := make([]operand, len(st.ops))
		for i, o := range st.ops {
			if o.inner*o.block == g.n && o.block > 1 {
				o.block /= slices
			}
			ops[i] = o
		}
		if st.isReduce {
			st.red.block /= slices
		}
		st.ops = ops
		h.steps = append(h.steps, st)
	}
	return h
}

// chains finds runs of consecutive units that can be computed slice by slice, and returns all units in order, those of a run together.
func chains(units []*goUnit) (out [][]*goUnit, found []*goChain) {
	for i := 0; i < len(units); {
		us, c := chainAt(units[i:])
		if c == nil {
			us = units[i : i+1]
		}
		out, found = append(out, us), append(found, c)
		i += len(us)
	}
	return out, found
}

// chainAt is the longest chain that begins with the first unit.
func chainAt(units []*goUnit) ([]*goUnit, *goChain) {
	const ahead = 6 // units before the first product
	n := 0
	for _, u := range units[:min(ahead, len(units))] {
		if u.group != nil {
			continue
		}
		if x := u.nodes[0]; x.op == compute.OpTypeDotGeneral {
			if m, ok := dotOf(x); ok && m.Batch >= fewSlices {
				n = m.Batch
			}
		}
		break
	}
	if n == 0 {
		return nil, nil
	}
	c := &goChain{slices: n, sliced: map[*goNode]bool{}}
	whole, made := map[*goNode]bool{}, map[*goNode]bool{}
	k, products := 0, 0
	for _, u := range units {
		s, ok := cut(u, n)
		for _, x := range s.parts {
			ok = ok && !whole[x]
		}
		for _, x := range s.wholes {
			ok = ok && !c.sliced[x] && !made[x] && !slices.Contains(s.parts, x)
		}
		if !ok {
			break
		}
		for _, x := range s.parts {
			c.sliced[x] = true
		}
		for _, x := range s.wholes {
			whole[x] = true
		}
		for _, x := range u.nodes {
			made[x] = true
		}
		if u.group == nil {
			products++
		}
		k++
	}
	if products == 0 || k < 2 {
		return nil, nil
	}
	return units[:k], c
}

// keep gives memory within the chain to the float32 values that nobody beyond it reads.
func (c *goChain) keep(units []*goUnit, outside, beyond []bool) {
	c.local = map[*goNode]int{}
	for _, u := range units {
		for _, n := range u.nodes {
			if beyond[n.id] || !n.f32() || u.group != nil && !outside[n.id] && !u.group.reduces(n) {
				continue
			}
			c.local[n] = c.floats
			c.floats += (n.size()/c.slices + 16 + 15) &^ 15 // room for whole vectors
		}
	}
}

// run computes the chain.
func (c *goChain) run(r *goRun) error {
	errs := make([]error, c.slices)
	gokernel.Parallel(r.threads, c.slices, func(i int) {
		local := gokernel.Scratch(c.floats)
		defer gokernel.Release(local)
		s := *r
		s.threads, s.chain, s.slice, s.local = 1, c, i, *local
		for _, run := range c.runs {
			if errs[i] = run(&s); errs[i] != nil {
				return
			}
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// batchedDot is nativeDot for one matrix of the batch.
func batchedDot(n *goNode) func(r *goRun) error {
	m, _ := dotOf(n)
	m.Batch = 1
	x, y := n.in[0].root(), n.in[1].root()
	return func(r *goRun) error {
		gokernel.MatMul(1, r.floats(n), r.floats(x), r.floats(y), m)
		return nil
	}
}
