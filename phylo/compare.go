package phylo

import (
	"fmt"
	"math"
	"slices"
)

// Patristic returns the distances between the leaves along the tree, in the order of their sorted
// names. In a tree without any length each edge counts 1; else a missing length counts 0.
func Patristic(t *Tree) (*Matrix, error) {
	taxa, err := t.Taxa()
	if err != nil {
		return nil, err
	}
	if !t.HasLengths() {
		t = t.Unrooted() // both edges at a root are one
	}
	f := flatten(t)
	length := t.lengthOf()
	n := len(taxa)
	at := index(taxa)
	m := NewMatrix(taxa)
	// Each pair meets at its last common node: there the leaves of one child meet those of earlier ones.
	depth := make([]float64, len(f.nodes))
	for i := 1; i < len(f.nodes); i++ {
		depth[i] = depth[f.parent[i]] + length(f.nodes[i])
	}
	// Leaves in the order of the nodes: below a node they are a run.
	var leaves []int
	first, last := make([]int, len(f.nodes)), make([]int, len(f.nodes))
	for i, node := range f.nodes {
		first[i] = len(leaves)
		if node.IsLeaf() {
			leaves = append(leaves, i)
		}
	}
	for i := len(f.nodes) - 1; i >= 0; i-- {
		if f.nodes[i].IsLeaf() {
			last[i] = first[i] + 1
		}
		if p := f.parent[i]; p >= 0 {
			last[p] = max(last[p], last[i])
		}
	}
	for i := 1; i < len(f.nodes); i++ {
		p := f.parent[i]
		for _, x := range leaves[first[i]:last[i]] {
			ax := at[f.nodes[x].Name]
			for _, y := range leaves[first[p]:first[i]] { // those of the children before
				d := (depth[x] - depth[p]) + (depth[y] - depth[p])
				ay := at[f.nodes[y].Name]
				m.Data[ax*n+ay], m.Data[ay*n+ax] = d, d
			}
		}
	}
	return m, nil
}

// lengthOf tells the length that an edge counts.
func (t *Tree) lengthOf() func(*Node) float64 {
	missing := 0.0
	if !t.HasLengths() {
		missing = 1
	}
	return func(n *Node) float64 {
		if math.IsNaN(n.Length) {
			return missing
		}
		return n.Length
	}
}

// Spearman returns the rank correlation of the distances that two matrices give the same pairs of
// taxa; equal distances get the mean of their ranks. It goes by names and uses the taxa that
// both have; NaN where one of them gives all pairs the same distance.
func Spearman(a, b *Matrix) (Score, error) {
	for _, m := range []*Matrix{a, b} {
		if err := uniqueNames(m.Names); err != nil {
			return 0, err
		}
	}
	var shared []string
	inB := index(b.Names)
	for _, n := range a.Names {
		if _, ok := inB[n]; ok {
			shared = append(shared, n)
		}
	}
	if len(shared) < 3 {
		return 0, fmt.Errorf("phylo: rank correlation over %d shared taxa, at least 3 expected", len(shared))
	}
	sa, err := a.Select(shared)
	if err != nil {
		return 0, err
	}
	sb, err := b.Select(shared)
	if err != nil {
		return 0, err
	}
	var x, y []float64
	for i := range shared {
		for j := range i {
			x, y = append(x, sa.At(i, j)), append(y, sb.At(i, j))
		}
	}
	return pearson(ranks(x), ranks(y)), nil
}

// nearlyEqual: distances that are sums of the same lengths in another order differ by rounding.
const nearlyEqual = 1e-12

// ranks gives ranks from 1, the mean rank to equal values.
func ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return a - b
	})
	out := make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && x[order[j]]-x[order[j-1]] <= nearlyEqual*math.Abs(x[order[j]]) {
			j++
		}
		for k := i; k < j; k++ {
			out[order[k]] = float64(i+j+1) / 2
		}
		i = j
	}
	return out
}

func pearson(x, y []float64) Score {
	var mx, my float64
	for i := range x {
		mx, my = mx+x[i], my+y[i]
	}
	mx, my = mx/float64(len(x)), my/float64(len(y)) // exact for ranks: equal ones leave no spread
	var xx, yy, xy float64
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xx, yy, xy = xx+dx*dx, yy+dy*dy, xy+dx*dy
	}
	if xx == 0 || yy == 0 {
		return Score(math.NaN())
	}
	return Score(min(1, max(-1, xy/math.Sqrt(xx*yy))))
}

// Comparison scores a tree against a reference on the taxa that both have.
type Comparison struct {
	RF         int   `json:"rf"`          // Robinson-Foulds distance, unrooted
	NRF        Score `json:"nrf"`         // RF / MaxRF
	NQD        Score `json:"nqd"`         // quartet distance / Quartets
	Spearman   Score `json:"spearman"`    // of the distances between leaves along the trees
	SharedTaxa int   `json:"shared_taxa"` // on which all of this is measured

	MaxRF             int `json:"max_rf"`             // non-trivial splits of both trees
	Splits            int `json:"splits"`             // of the tree
	SplitsReference   int `json:"splits_reference"`   // of the reference
	SplitsShared      int `json:"splits_shared"`      // in both
	SplitsConflicting int `json:"splits_conflicting"` // of the tree, that contradict the reference; others may resolve a polytomy of it

	Quartets        int64 `json:"quartets"`         // n choose 4
	QuartetDistance int64 `json:"quartet_distance"` // quartets that the trees show differently, resolved or not
	QuartetsAgree   int64 `json:"quartets_agree"`   // resolved alike
	QuartetsDiffer  int64 `json:"quartets_differ"`  // resolved in both, differently
	Resolved        int64 `json:"resolved"`         // quartets that the reference resolves
	NQDResolved     Score `json:"nqd_resolved"`     // share of Resolved that the tree does not show alike

	Lengths            bool     `json:"lengths"`              // both trees have lengths; where one has none its edges count 1
	MissingInTree      []string `json:"missing_in_tree"`      // taxa of the reference only
	MissingInReference []string `json:"missing_in_reference"` // taxa of the tree only
}

// Compare scores tree against reference as unrooted trees, restricted to their shared taxa. Fewer than
// four of them is an error that wraps ErrFewTaxa. See RF, Quartets and Spearman for the definitions, and
// for what polytomies mean.
func Compare(tree, reference *Tree) (*Comparison, error) {
	ta, err := tree.Taxa()
	if err != nil {
		return nil, fmt.Errorf("%w (tree)", err)
	}
	tb, err := reference.Taxa()
	if err != nil {
		return nil, fmt.Errorf("%w (reference)", err)
	}
	c := &Comparison{MissingInTree: difference(tb, ta), MissingInReference: difference(ta, tb)}
	var shared []string
	for _, n := range ta {
		if _, ok := slices.BinarySearch(tb, n); ok {
			shared = append(shared, n)
		}
	}
	c.SharedTaxa = len(shared)
	if len(shared) < 4 {
		return nil, fmt.Errorf("phylo: the trees share %d taxa (%d and %d): %w", len(shared), len(ta), len(tb), ErrFewTaxa)
	}
	a, b := tree.Restrict(shared).Unrooted(), reference.Restrict(shared).Unrooted()
	rf, err := RobinsonFoulds(a, b)
	if err != nil {
		return nil, err
	}
	c.RF, c.NRF, c.MaxRF = rf.Distance(), rf.Normalised(), rf.Max()
	c.Splits, c.SplitsReference, c.SplitsShared = rf.A, rf.B, rf.Shared
	at := index(shared)
	c.SplitsConflicting = conflicts(splitSet(a, at), splitSet(b, at))
	q, err := CountQuartets(a, b)
	if err != nil {
		return nil, err
	}
	c.NQD, c.NQDResolved = q.Normalised(), q.NormalisedResolved()
	c.Quartets, c.QuartetDistance, c.QuartetsAgree, c.QuartetsDiffer, c.Resolved = q.Total(), q.Distance(), q.Agree, q.Differ, q.ResolvedB()
	da, err := Patristic(a)
	if err != nil {
		return nil, err
	}
	db, err := Patristic(b)
	if err != nil {
		return nil, err
	}
	c.Lengths = tree.HasLengths() && reference.HasLengths()
	c.Spearman, err = Spearman(da, db)
	return c, err
}
