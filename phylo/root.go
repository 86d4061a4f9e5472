package phylo

import (
	"errors"
	"fmt"
	"math"
)

// rootAbove returns a copy rooted on the edge above the node with index e of flatten(t), at distance
// below from that node. Lengths and supports belong to edges: those between the new and the old first
// node turn round with them.
func (t *Tree) rootAbove(e int, below float64) *Tree {
	c := t.Clone()
	f := flatten(c)
	n := f.nodes[e]
	root := NewNode("")
	length, support := n.Length, n.Support
	n.Length = below
	rest := length - below
	// up is the node that hangs below prev in the new tree, by the edge (rest, support).
	prev, up := root, f.parent[e]
	root.Children = append(root.Children, n)
	cut := n
	for up >= 0 {
		u := f.nodes[up]
		kids := u.Children[:0:0]
		for _, k := range u.Children {
			if k != cut {
				kids = append(kids, k)
			}
		}
		nextLength, nextSupport := u.Length, u.Support
		u.Children = kids
		u.Length, u.Support = rest, support
		prev.Children = append(prev.Children, u)
		rest, support = nextLength, nextSupport
		prev, cut, up = u, u, f.parent[up]
	}
	out := &Tree{Root: root, Rooted: true}
	out.suppress()
	return out
}

// suppress merges, in place, inner nodes with one child into their edges.
func (t *Tree) suppress() {
	for t.Root != nil && len(t.Root.Children) == 1 {
		t.Root = t.Root.Children[0]
		t.Root.Length, t.Root.Support = math.NaN(), math.NaN()
	}
	f := flatten(t)
	for i := len(f.nodes) - 1; i >= 0; i-- {
		n := f.nodes[i]
		for k, c := range n.Children {
			if len(c.Children) == 1 {
				g := c.Children[0]
				g.Length, g.Support = addLengths(c.Length, g.Length), maxSupport(c.Support, g.Support)
				if g.IsLeaf() {
					g.Support = math.NaN()
				}
				n.Children[k] = g
			}
		}
	}
}

// MidpointRoot returns a copy rooted in the middle of the longest path between two leaves (Farris
// 1972); of equal paths that with the first names. In a tree without lengths each edge counts 1 and
// the edge of the root gets no lengths. Negative lengths count 0.
func (t *Tree) MidpointRoot() (*Tree, error) {
	taxa, err := t.Taxa()
	if err != nil {
		return nil, err
	}
	if len(taxa) < 2 {
		return nil, errors.New("phylo: midpoint of a tree with one leaf")
	}
	u := t.Clone()
	u.suppress()
	u.unroot()
	f := flatten(u)
	raw := u.lengthOf()
	length := func(n *Node) float64 { return max(0, raw(n)) }
	// The farthest leaf from any leaf is an end of a longest path.
	near := f.neighbours()
	far := func(from int) (to int, dist []float64) {
		dist = make([]float64, len(f.nodes))
		came := make([]int, len(f.nodes))
		came[from] = -1
		to = from
		for stack := []int{from}; len(stack) > 0; {
			x := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if f.nodes[x].IsLeaf() && (dist[x] > dist[to] || dist[x] == dist[to] && (to == from || f.nodes[x].Name < f.nodes[to].Name) && x != from) {
				to = x
			}
			for _, y := range near[x] {
				if y == came[x] {
					continue
				}
				e := y // the edge is that above the lower one
				if f.parent[x] == y {
					e = x
				}
				dist[y], came[y] = dist[x]+length(f.nodes[e]), x
				stack = append(stack, y)
			}
		}
		return to, dist
	}
	start := -1
	for i, n := range f.nodes {
		if n.IsLeaf() && n.Name == taxa[0] {
			start = i
		}
	}
	a, _ := far(start)
	b, fromA := far(a)
	_, fromB := far(b)
	half := fromA[b] / 2
	// On the path between a and b the distances add up to the whole.
	best, at, gap := -1, 0.0, math.Inf(1)
	onPath := map[int]bool{}
	for _, end := range []int{a, b} {
		for x := end; x >= 0; x = f.parent[x] {
			onPath[x] = !onPath[x] // above the last common node both cancel
		}
	}
	for x, n := range f.nodes {
		if !onPath[x] || f.parent[x] < 0 {
			continue
		}
		p := f.parent[x]
		// The lower end is nearer to the leaf that it holds.
		lo, hi := fromA[x], fromA[p]
		if fromB[x] < fromB[p] {
			lo, hi = fromB[x], fromB[p]
		}
		l := length(n)
		switch {
		case lo <= half && half <= hi:
			return u.rooted(x, min(l, half-lo)), nil
		case math.Abs(half-lo) < gap: // rounding has left the middle between two edges
			best, at, gap = x, 0, math.Abs(half-lo)
		case math.Abs(half-hi) < gap:
			best, at, gap = x, l, math.Abs(half-hi)
		}
	}
	if best < 0 {
		return nil, errors.New("phylo: the tree has no edge to root")
	}
	return u.rooted(best, at), nil
}

// rooted is rootAbove, without lengths at the root where the tree has none.
func (t *Tree) rooted(e int, below float64) *Tree {
	if math.IsNaN(flatten(t).nodes[e].Length) {
		below = math.NaN()
	}
	return t.rootAbove(e, below)
}

// RootOn returns a copy rooted in the middle of the edge between the named taxa and all others. They
// must be a clade of the unrooted tree.
func (t *Tree) RootOn(outgroup []string) (*Tree, error) {
	ok, err := IsClade(t, outgroup)
	if err != nil {
		return nil, err
	}
	taxa, err := t.Taxa()
	if err != nil {
		return nil, err
	}
	if !ok || len(outgroup) == len(taxa) {
		return nil, fmt.Errorf("phylo: the %d taxa of the outgroup are no clade", len(outgroup))
	}
	in := map[string]bool{}
	for _, n := range outgroup {
		in[n] = true
	}
	u := t.Clone()
	u.suppress()
	u.unroot()
	f := flatten(u)
	inside, size := make([]int, len(f.nodes)), make([]int, len(f.nodes))
	for i := len(f.nodes) - 1; i >= 0; i-- {
		n := f.nodes[i]
		if n.IsLeaf() {
			size[i] = 1
			if in[n.Name] {
				inside[i] = 1
			}
		}
		p := f.parent[i]
		if p < 0 {
			break
		}
		if inside[i] == len(outgroup) && size[i] == inside[i] || inside[i] == 0 && size[i] == len(taxa)-len(outgroup) {
			return u.rootAbove(i, n.Length/2), nil
		}
		inside[p] += inside[i]
		size[p] += size[i]
	}
	return nil, fmt.Errorf("phylo: no edge parts the outgroup")
}
