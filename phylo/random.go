package phylo

import (
	"fmt"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// Model is a distribution of random trees.
type Model int

const (
	// Uniform gives every unrooted binary tree the same probability.
	Uniform Model = iota
	// Yule lets pairs of lineages join at random: the tree is rooted, and balanced ones are likelier.
	Yule
)

// RandomTree draws a binary tree with the given leaves; equal seeds and counters give equal trees.
// Lengths are exponential with mean 1.
func RandomTree(names []string, model Model, seed uint64, counters ...uint64) (*Tree, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("phylo: a random tree without leaves")
	}
	if err := uniqueNames(names); err != nil {
		return nil, err
	}
	r := rng.New(seed, rng.Generate, append([]uint64{0x7472656573, uint64(model)}, counters...)...)
	leaves := make([]*Node, len(names))
	for i, n := range names {
		leaves[i] = NewNode(n)
		leaves[i].Length = r.ExpFloat64()
	}
	if len(leaves) == 1 {
		return &Tree{Root: NewNode(names[0])}, nil
	}
	switch model {
	case Yule:
		for len(leaves) > 1 {
			i := r.IntN(len(leaves))
			a := leaves[i]
			leaves[i] = leaves[len(leaves)-1]
			leaves = leaves[:len(leaves)-1]
			j := r.IntN(len(leaves))
			u := NewNode("", a, leaves[j])
			if len(leaves) > 1 {
				u.Length = r.ExpFloat64()
			}
			leaves[j] = u
		}
		return &Tree{Root: leaves[0], Rooted: true}, nil
	case Uniform:
		// Each leaf goes on an edge drawn from all: that gives each topology one way to arise.
		k := min(3, len(leaves))
		root := NewNode("", leaves[:k:k]...)
		edges := append([]*Node(nil), root.Children...) // each with the edge above it
		parent := map[*Node]*Node{}
		for _, c := range root.Children {
			parent[c] = root
		}
		for _, leaf := range leaves[k:] {
			e := edges[r.IntN(len(edges))]
			p := parent[e]
			u := NewNode("", e, leaf)
			u.Length = r.ExpFloat64()
			for i, c := range p.Children {
				if c == e {
					p.Children[i] = u
				}
			}
			parent[u], parent[e], parent[leaf] = p, u, u
			edges = append(edges, u, leaf)
		}
		return &Tree{Root: root}, nil
	}
	return nil, fmt.Errorf("phylo: model of random trees %d, expected Uniform or Yule", model)
}
