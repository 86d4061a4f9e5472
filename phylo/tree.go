package phylo

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Score is a number that is undefined (NaN) where its denominator is zero; in JSON it is null then.
type Score float64

// MarshalJSON writes null for an undefined score.
func (s Score) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(s)) || math.IsInf(float64(s), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(s))
}

// Node is a node of a tree with the edge to its parent. A node without children is a leaf.
type Node struct {
	Name     string  // a leaf's taxon; an inner node's label where it is no number
	Length   float64 // of the edge to the parent; NaN: not given
	Support  float64 // of the edge to the parent, in the unit of the file (Support gives percent); NaN: not given
	Children []*Node
}

// NewNode returns a node without length and support.
func NewNode(name string, children ...*Node) *Node {
	return &Node{Name: name, Length: math.NaN(), Support: math.NaN(), Children: children}
}

// IsLeaf reports whether the node has no children.
func (n *Node) IsLeaf() bool { return len(n.Children) == 0 }

// Tree is a tree with a node to start from. Where Rooted is false that node has no meaning
// of its own, and comparisons never give it one.
type Tree struct {
	Root   *Node
	Rooted bool
}

// ErrFewTaxa is a comparison over fewer than four taxa, where every two trees are equal.
var ErrFewTaxa = errors.New("fewer than 4 taxa")

// flat lists the nodes of a tree parents first, children in their order.
type flat struct {
	nodes  []*Node
	parent []int // index in nodes; -1 for the root
}

func flatten(t *Tree) flat {
	var f flat
	if t == nil || t.Root == nil {
		return f
	}
	type item struct {
		n *Node
		p int
	}
	for stack := []item{{t.Root, -1}}; len(stack) > 0; {
		it := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		id := len(f.nodes)
		f.nodes, f.parent = append(f.nodes, it.n), append(f.parent, it.p)
		for i := len(it.n.Children) - 1; i >= 0; i-- {
			stack = append(stack, item{it.n.Children[i], id})
		}
	}
	return f
}

// Nodes returns all nodes, each after its parent.
func (t *Tree) Nodes() []*Node { return flatten(t).nodes }

// Leaves returns the leaves from left to right.
func (t *Tree) Leaves() []*Node {
	var out []*Node
	for _, n := range t.Nodes() {
		if n.IsLeaf() {
			out = append(out, n)
		}
	}
	return out
}

// Taxa returns the names of the leaves in sorted order. A leaf without a name and a name that
// occurs twice are errors.
func (t *Tree) Taxa() ([]string, error) {
	var out []string
	for i, n := range t.Leaves() {
		if n.Name == "" {
			return nil, fmt.Errorf("phylo: leaf %d has no name", i+1)
		}
		out = append(out, n.Name)
	}
	if len(out) == 0 {
		return nil, errors.New("phylo: the tree is empty")
	}
	slices.Sort(out)
	for i := 1; i < len(out); i++ {
		if out[i] == out[i-1] {
			return nil, fmt.Errorf("phylo: the leaf name %q occurs twice", out[i])
		}
	}
	return out, nil
}

// HasLengths reports whether any edge has a length.
func (t *Tree) HasLengths() bool {
	for _, n := range t.Nodes() {
		if n != t.Root && !math.IsNaN(n.Length) {
			return true
		}
	}
	return false
}

// Clone copies the tree and its nodes.
func (t *Tree) Clone() *Tree {
	f := flatten(t)
	if len(f.nodes) == 0 {
		return &Tree{Rooted: t.Rooted}
	}
	cp := make([]*Node, len(f.nodes))
	for i, n := range f.nodes {
		c := *n
		c.Children = nil
		cp[i] = &c
		if p := f.parent[i]; p >= 0 {
			cp[p].Children = append(cp[p].Children, cp[i])
		}
	}
	return &Tree{Root: cp[0], Rooted: t.Rooted}
}

// Ladderize returns a copy in which small subtrees come before large ones, equal ones in the
// order of their first names.
func (t *Tree) Ladderize() *Tree {
	c := t.Clone()
	f := flatten(c)
	size, first := make(map[*Node]int, len(f.nodes)), make(map[*Node]string, len(f.nodes))
	for i := len(f.nodes) - 1; i >= 0; i-- {
		n := f.nodes[i]
		if n.IsLeaf() {
			size[n], first[n] = 1, n.Name
			continue
		}
		for k, ch := range n.Children {
			size[n] += size[ch]
			if k == 0 || first[ch] < first[n] {
				first[n] = first[ch]
			}
		}
		slices.SortStableFunc(n.Children, func(a, b *Node) int {
			return cmp.Or(cmp.Compare(size[a], size[b]), cmp.Compare(first[a], first[b]))
		})
	}
	return c
}

// addLengths is the length of two edges that become one.
func addLengths(a, b float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case math.IsNaN(b):
		return a
	}
	return a + b
}

// maxSupport is the support of two edges that become one: what either supports is supported.
func maxSupport(a, b float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case math.IsNaN(b):
		return a
	}
	return max(a, b)
}

// Restrict returns a copy that has only the leaves in names. Inner nodes with one child left
// are suppressed and their lengths added; the first node of an unrooted tree keeps at least three
// neighbours where there are as many leaves. Names that are no leaves are ignored; where none
// is one, the tree is empty (Root nil).
func (t *Tree) Restrict(names []string) *Tree {
	keep := make(map[string]bool, len(names))
	for _, n := range names {
		keep[n] = true
	}
	f := flatten(t)
	left := make([]*Node, len(f.nodes)) // what is left of each node's subtree
	kids := make([][]*Node, len(f.nodes))
	for i := len(f.nodes) - 1; i >= 0; i-- {
		n := f.nodes[i]
		slices.Reverse(kids[i]) // collected from the right
		switch {
		case n.IsLeaf() && keep[n.Name]:
			c := *n
			left[i] = &c
		case len(kids[i]) == 1:
			c := kids[i][0]
			c.Length = addLengths(n.Length, c.Length)
			c.Support = maxSupport(n.Support, c.Support)
			if c.IsLeaf() {
				c.Support = math.NaN() // every tree has this edge
			}
			left[i] = c
		case len(kids[i]) > 1:
			c := *n
			c.Children = kids[i]
			left[i] = &c
		}
		if p := f.parent[i]; p >= 0 && left[i] != nil {
			kids[p] = append(kids[p], left[i])
		}
	}
	out := &Tree{Rooted: t.Rooted}
	if len(left) == 0 || left[0] == nil {
		return out
	}
	out.Root = left[0]
	// What stands above the first node is no edge between leaves.
	out.Root.Length, out.Root.Support = t.Root.Length, t.Root.Support
	if !out.Rooted {
		out.unroot()
	}
	return out
}

// Unrooted returns an unrooted copy: a first node with two children is merged into its edge.
func (t *Tree) Unrooted() *Tree {
	c := t.Clone()
	c.Rooted = false
	c.unroot()
	return c
}

// unroot merges a first node with two children into the edge between them, in place.
func (t *Tree) unroot() {
	r := t.Root
	if r == nil || len(r.Children) != 2 {
		return
	}
	in, other := r.Children[0], r.Children[1]
	swapped := in.IsLeaf()
	if swapped {
		in, other = other, in
	}
	if in.IsLeaf() {
		return // two leaves
	}
	other.Length = addLengths(other.Length, in.Length)
	other.Support = maxSupport(other.Support, in.Support)
	if other.IsLeaf() {
		other.Support = math.NaN() // every tree has this edge
	}
	if r.Name == "" {
		r.Name = in.Name
	}
	if swapped {
		r.Children = append([]*Node{other}, in.Children...)
	} else {
		r.Children = append(slices.Clone(in.Children), other)
	}
}
