package phylo

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// A bipartition (split) of the taxa is the set of those on one side of an edge, as bits in the order
// of the sorted names; of the two sides the one without the first taxon.

// index gives each taxon its bit.
func index(taxa []string) map[string]int {
	at := make(map[string]int, len(taxa))
	for i, n := range taxa {
		at[n] = i
	}
	return at
}

// splits returns for each node of f the split of the edge above it as a key, "" where it is trivial:
// fewer than two taxa on a side.
func (f flat) splits(at map[string]int) []string {
	n := len(at)
	words := (n + 63) / 64
	sets := make([]uint64, len(f.nodes)*words)
	keys := make([]string, len(f.nodes))
	buf := make([]byte, 8*words)
	for i := len(f.nodes) - 1; i >= 0; i-- {
		set := sets[i*words : (i+1)*words]
		if f.nodes[i].IsLeaf() {
			b := at[f.nodes[i].Name]
			set[b/64] |= 1 << (b % 64)
		}
		p := f.parent[i]
		if p < 0 {
			continue
		}
		size := 0
		for w, x := range set {
			sets[p*words+w] |= x
			size += bits.OnesCount64(x)
		}
		if size < 2 || size > n-2 {
			continue
		}
		flip := set[0]&1 != 0
		for w, x := range set {
			if flip {
				x = ^x
				if w == words-1 && n%64 != 0 {
					x &= 1<<(n%64) - 1
				}
			}
			binary.LittleEndian.PutUint64(buf[8*w:], x)
		}
		keys[i] = string(buf)
	}
	return keys
}

func keyWords(key string) []uint64 {
	out := make([]uint64, len(key)/8)
	for i := range out {
		out[i] = binary.LittleEndian.Uint64([]byte(key[8*i : 8*i+8]))
	}
	return out
}

// splitSet returns the non-trivial splits of a tree.
func splitSet(t *Tree, at map[string]int) map[string]bool {
	out := map[string]bool{}
	for _, k := range flatten(t).splits(at) {
		if k != "" {
			out[k] = true
		}
	}
	return out
}

// sameTaxa returns the taxa of trees that must all have the same ones.
func sameTaxa(a *Tree, others ...*Tree) ([]string, error) {
	taxa, err := a.Taxa()
	if err != nil {
		return nil, err
	}
	for i, b := range others {
		tb, err := b.Taxa()
		if err != nil {
			return nil, fmt.Errorf("%w (tree %d)", err, i+2)
		}
		if !slices.Equal(taxa, tb) {
			onlyA, onlyB := difference(taxa, tb), difference(tb, taxa)
			var name string
			lacks := i + 2
			if len(onlyA) > 0 {
				name = onlyA[0]
			} else {
				name, lacks = onlyB[0], 1
			}
			return nil, fmt.Errorf("phylo: trees 1 and %d have other taxa: tree %d lacks %q (%d and %d taxa, see Restrict)", i+2, lacks, name, len(taxa), len(tb))
		}
	}
	return taxa, nil
}

// difference returns what sorted a has and sorted b has not.
func difference(a, b []string) []string {
	out := []string{}
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); !ok {
			out = append(out, x)
		}
	}
	return out
}

// RF holds the Robinson-Foulds comparison of two unrooted trees with the same taxa.
type RF struct {
	A, B   int // non-trivial splits of each: those of edges with two taxa or more on either side
	Shared int
}

// Distance is the number of splits that one tree has and the other has not (Robinson & Foulds 1981).
func (r RF) Distance() int { return r.A + r.B - 2*r.Shared }

// Max is the number of non-trivial splits of both trees, A + B: 2(n-3) for two binary ones. A
// polytomy counts with the splits that it has, so max falls with it (the max_rf of ete3 and AFproject).
func (r RF) Max() int { return r.A + r.B }

// Normalised is Distance/Max, from 0 to 1; NaN where neither tree has a split.
func (r RF) Normalised() Score {
	if r.Max() == 0 {
		return Score(math.NaN())
	}
	return Score(float64(r.Distance()) / float64(r.Max()))
}

// RobinsonFoulds compares two trees with the same taxa as unrooted ones. Rooting and inner nodes
// with one child change nothing.
func RobinsonFoulds(a, b *Tree) (RF, error) {
	taxa, err := sameTaxa(a, b)
	if err != nil {
		return RF{}, err
	}
	at := index(taxa)
	sa, sb := splitSet(a, at), splitSet(b, at)
	r := RF{A: len(sa), B: len(sb)}
	for k := range sa {
		if sb[k] {
			r.Shared++
		}
	}
	return r, nil
}

// conflicts counts the splits of a that cannot stand in one tree with the splits of b.
func conflicts(a, b map[string]bool) int {
	var bs [][]uint64
	for k := range b {
		bs = append(bs, keyWords(k))
	}
	out := 0
	for k := range a {
		if b[k] {
			continue
		}
		x := keyWords(k)
		for _, y := range bs {
			// Neither side holds the first taxon, so two splits fit if they are nested or disjoint.
			var both, onlyX, onlyY bool
			for w := range x {
				both = both || x[w]&y[w] != 0
				onlyX = onlyX || x[w]&^y[w] != 0
				onlyY = onlyY || y[w]&^x[w] != 0
			}
			if both && onlyX && onlyY {
				out++
				break
			}
		}
	}
	return out
}

// Support returns a copy of t in which the support of each inner edge is the percentage of the
// replicates that have its split (Felsenstein 1985). All trees must have the same taxa. Edges with a
// trivial split get none.
func Support(t *Tree, replicates []*Tree) (*Tree, error) {
	if len(replicates) == 0 {
		return nil, errors.New("phylo: support from no replicates")
	}
	taxa, err := sameTaxa(t, replicates...)
	if err != nil {
		return nil, err
	}
	at := index(taxa)
	count := map[string]int{}
	for _, r := range replicates {
		for k := range splitSet(r, at) {
			count[k]++
		}
	}
	out := t.Clone()
	f := flatten(out)
	for i, k := range f.splits(at) {
		f.nodes[i].Support = math.NaN()
		if k != "" {
			f.nodes[i].Support = 100 * float64(count[k]) / float64(len(replicates))
		}
	}
	return out, nil
}

// Consensus returns the unrooted tree of the splits that more than share of the trees have, share
// from 0.5 (majority rule, Margush & McMorris 1981) to below 1. Supports are percentages and
// lengths means over the trees that have the split, where all of these give a length.
func Consensus(trees []*Tree, share float64) (*Tree, error) {
	if len(trees) == 0 {
		return nil, errors.New("phylo: consensus of no trees")
	}
	if !(share >= 0.5 && share < 1) {
		return nil, fmt.Errorf("phylo: consensus with share %g, expected 0.5 or more and below 1", share)
	}
	taxa, err := sameTaxa(trees[0], trees[1:]...)
	if err != nil {
		return nil, err
	}
	type stat struct {
		key    string
		n      int
		length float64
	}
	at := index(taxa)
	stats := map[string]*stat{}
	leaf := make([]float64, len(taxa))
	for _, t := range trees {
		u := t.Unrooted()
		f := flatten(u)
		keys := f.splits(at)
		seen := map[string]float64{}
		for i, k := range keys {
			n := f.nodes[i]
			switch {
			case n.IsLeaf():
				leaf[at[n.Name]] += n.Length / float64(len(trees))
			case k != "":
				if l, ok := seen[k]; ok {
					seen[k] = addLengths(l, n.Length) // nodes with one child
				} else {
					seen[k] = n.Length
				}
			}
		}
		for k, l := range seen {
			s := stats[k]
			if s == nil {
				s = &stat{key: k}
				stats[k] = s
			}
			s.n++
			s.length += l
		}
	}
	var kept []*stat
	for _, s := range stats {
		if float64(s.n) > share*float64(len(trees)) {
			kept = append(kept, s)
		}
	}
	size := func(s *stat) (n int) {
		for _, w := range keyWords(s.key) {
			n += bits.OnesCount64(w)
		}
		return n
	}
	// From large to small each taxon stands below the smallest split so far that holds it.
	slices.SortFunc(kept, func(a, b *stat) int {
		return cmp.Or(cmp.Compare(size(b), size(a)), strings.Compare(a.key, b.key))
	})
	root := NewNode("")
	above := make([]*Node, len(taxa))
	for i := range above {
		above[i] = root
	}
	for _, s := range kept {
		n := NewNode("")
		n.Support = 100 * float64(s.n) / float64(len(trees))
		n.Length = s.length / float64(s.n)
		words := keyWords(s.key)
		first := true
		for i := range taxa {
			if words[i/64]>>(i%64)&1 != 0 {
				if first {
					above[i].Children = append(above[i].Children, n)
					first = false
				}
				above[i] = n
			}
		}
	}
	for i, name := range taxa {
		n := NewNode(name)
		n.Length = leaf[i]
		above[i].Children = append(above[i].Children, n)
	}
	return (&Tree{Root: root}).Ladderize(), nil
}

// IsClade reports whether an edge of the unrooted tree parts the named taxa from all others. One
// taxon, and all but one, and all, always are. Names that the tree lacks are errors.
func IsClade(t *Tree, names []string) (bool, error) {
	ok, err := Nested(t, names)
	if err != nil {
		return false, err
	}
	return ok[0], nil
}

// Nested tells for each i whether the taxa of groups[0..i] together are a clade of the
// unrooted tree: Nested(t, {human, chimp}, {gorilla}, {orangutan}) holds throughout where human stands
// with chimp before gorilla before orangutan before everything else. Names that the tree
// lacks, or that occur twice, are errors.
func Nested(t *Tree, groups ...[]string) ([]bool, error) {
	taxa, err := t.Taxa()
	if err != nil {
		return nil, err
	}
	at := index(taxa)
	set := splitSet(t, at)
	n := len(taxa)
	words := make([]uint64, (n+63)/64)
	size := 0
	out := make([]bool, len(groups))
	for g, names := range groups {
		for _, name := range names {
			i, ok := at[name]
			if !ok {
				return nil, fmt.Errorf("phylo: the tree has no taxon %q", name)
			}
			if words[i/64]>>(i%64)&1 != 0 {
				return nil, fmt.Errorf("phylo: the taxon %q is named twice", name)
			}
			words[i/64] |= 1 << (i % 64)
			size++
		}
		if size == 0 {
			return nil, errors.New("phylo: a clade of no taxa")
		}
		if size < 2 || size > n-2 {
			out[g] = true
			continue
		}
		key := make([]byte, 0, 8*len(words))
		for w, x := range words {
			if words[0]&1 != 0 {
				x = ^x
				if w == len(words)-1 && n%64 != 0 {
					x &= 1<<(n%64) - 1
				}
			}
			key = binary.LittleEndian.AppendUint64(key, x)
		}
		out[g] = set[string(key)]
	}
	return out, nil
}
