package lineage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/phylo"
)

func parsed(t testing.TB, newick string) *phylo.Tree {
	t.Helper()
	tree, err := phylo.ParseNewick(newick)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// balanced is a rooted tree of 2^depth species s0, s1, ...: branches of length 1, the last ones shorter; nodes above four species are called K0, K4, ...
func balanced(t testing.TB, depth int) *phylo.Tree {
	t.Helper()
	next := 0
	var node func(int) string
	node = func(d int) string {
		if d == 0 {
			next++
			return fmt.Sprintf("s%d:0.3", next-1)
		}
		first := next
		s := "(" + node(d-1) + "," + node(d-1) + ")"
		if d == 2 {
			s += fmt.Sprintf("K%d", first)
		}
		if d < depth {
			s += ":1"
		}
		return s
	}
	return parsed(t, node(depth)+";")
}

func leaves(t *phylo.Tree) []string {
	var out []string
	for _, l := range t.Leaves() {
		out = append(out, l.Name)
	}
	return out
}

// Shape of the made-up networks: the states of one layer have moved along a tree, the others know nothing.
const (
	madeLayers, madeWidth, madeReplicates = 3, 96, 10
	informed                              = 1
)

// brownian is a made-up network: its scores in layer informed are a Brownian motion along the tree (Felsenstein 1985), and those of other
// layers, and the states of all layers, are drawn for each species by itself. trees gives each layer a tree; nil for none.
func brownian(t testing.TB, names []string, seed uint64, trees ...*phylo.Tree) *Summary {
	t.Helper()
	states := make([]map[string][]float64, madeLayers)
	for l := range states {
		states[l] = map[string][]float64{}
		r := rng.New(seed, rng.Generate, uint64(l))
		var walk func(n *phylo.Node, x []float64)
		walk = func(n *phylo.Node, x []float64) {
			if n.IsLeaf() {
				states[l][n.Name] = x
			}
			for _, c := range n.Children {
				y := slices.Clone(x)
				for j := range y {
					y[j] += math.Sqrt(c.Length) * r.NormFloat64()
				}
				walk(c, y)
			}
		}
		if l < len(trees) && trees[l] != nil {
			walk(trees[l].Root, make([]float64, madeWidth))
		}
		for _, n := range names { // whom the tree lacks
			if states[l][n] == nil {
				states[l][n] = gaussian(r, 2)
			}
		}
	}
	s := NewSummariser(names, madeLayers, madeWidth, madeWidth, madeReplicates, seed)
	for g, n := range names {
		r := rng.New(seed, rng.Generate, 100, uint64(g))
		confound := gaussian(r, 5) // as composition is
		for w := range 32 {
			x, y := make([][]float32, madeLayers), make([][]float32, madeLayers)
			for l := range x {
				for j := range madeWidth {
					v := states[l][n][j] + 0.2*r.NormFloat64()
					x[l], y[l] = append(x[l], float32(v+confound[j])), append(y[l], float32(v))
				}
			}
			s.Add(Window{Key: uint64(w), States: x, Scores: y})
		}
		if err := s.Genome(g); err != nil {
			t.Fatal(err)
		}
	}
	return s.Summary()
}

func gaussian(r *rand.Rand, sd float64) []float64 {
	x := make([]float64, madeWidth)
	for j := range x {
		x[j] = sd * r.NormFloat64()
	}
	return x
}

// networks are n of brownian that know one tree, or nothing where it is nil.
func networks(t testing.TB, names []string, n int, seed uint64, tree *phylo.Tree) []*Summary {
	t.Helper()
	var out []*Summary
	for k := range n {
		out = append(out, brownian(t, names, seed+uint64(k), nil, tree))
	}
	return out
}

func drawnBy(t testing.TB, cfg Config) *Result {
	t.Helper()
	r, err := Draw(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func rowOf(t testing.TB, r *Result, family string) Row {
	t.Helper()
	for _, row := range r.Rows {
		if row.Family == family {
			return row
		}
	}
	t.Fatalf("no row of %q", family)
	return Row{}
}

// far is a control of random distances.
func far(names []string, name string, seed uint64) Control {
	m := phylo.NewMatrix(names)
	r := rng.New(seed, rng.Generate, 7)
	for i := range names {
		for j := range i {
			m.Set(i, j, 1+r.Float64())
		}
	}
	return Control{FamilyWords, name, m}
}

// TestDrawBrownian: the layer whose states have moved along the reference is chosen, its tree is the reference, and all is found in it.
func TestDrawBrownian(t *testing.T) {
	ref := balanced(t, 4)
	names := slices.Sorted(slices.Values(leaves(ref)))
	exact, err := phylo.Patristic(ref)
	if err != nil {
		t.Fatal(err)
	}
	const seeds = 3
	cfg := Config{
		Networks: networks(t, names, seeds, 1, ref), Untrained: networks(t, names, seeds, 50, nil), Reference: ref, Seed: 1,
		Controls: []Control{far(names, "k = 1", 1), {FamilyWords, "exact", exact}, far(names, "k = 3", 2), {FamilyGC, "difference", far(names, "", 3).Matrix}},
	}
	r := drawnBy(t, cfg)
	if r.Variant.Layer != informed || r.Variant.Kind != Score || !strings.Contains(r.Why, "of 3 layers the lowest quartet distance on 120 of 120 halves") {
		t.Errorf("chosen %s: %s", r.Variant, r.Why)
	}
	if len(r.Choosing) != 8 || len(r.Reported) != 8 || r.Choosing[0] != "s0" || r.Reported[0] != "s1" || r.Missing != nil || r.Absent != nil {
		t.Errorf("chosen on %v, reported on %v; missing %v, absent %v", r.Choosing, r.Reported, r.Missing, r.Absent)
	}
	for _, family := range []string{FamilyMean, FamilyNetwork, FamilyWords} {
		row := rowOf(t, r, family)
		for name, s := range map[string]Scores{"all": row.All, "held": row.Held} {
			if s.NRF.Mean != 0 || s.NQD.Mean != 0 || !(s.Spearman.Mean > 0.8) {
				t.Errorf("%s, %s: %+v", family, name, s)
			}
		}
	}
	if row := rowOf(t, r, FamilyWords); row.Chosen != "exact" || row.Picked != 120 || row.Halves != 120 || row.Variants != 3 || row.Seeds != 1 || !math.IsNaN(float64(row.All.NRF.SD)) {
		t.Errorf("controls: %+v", row)
	}
	if row := rowOf(t, r, FamilyNetwork); row.Chosen != r.Variant.String() || row.Variants != 3 || row.Seeds != seeds || row.Held.NRF.SD != 0 {
		t.Errorf("networks: %+v", row)
	}
	for _, family := range []string{FamilyStates, FamilyUntrainedMean, FamilyUntrained, FamilyGC, FamilyRandom} {
		if row := rowOf(t, r, family); !(row.Held.NQD.Mean > 0.4) || !(row.All.NQD.Mean > 0.4) || math.Abs(float64(row.Held.Spearman.Mean)) > 0.4 {
			t.Errorf("%s: %+v", family, row)
		}
	}
	if random := rowOf(t, r, FamilyRandom); random.Seeds != randomTrees || math.Abs(float64(random.All.NQD.Mean)-2.0/3) > 0.03 {
		t.Errorf("random trees %+v: a quartet agrees by chance in a third", random.All)
	}
	var order []string
	for _, row := range r.Rows {
		order = append(order, row.Family)
	}
	if want := []string{FamilyMean, FamilyNetwork, FamilyStates, FamilyUntrainedMean, FamilyUntrained, FamilyWords, FamilyGC, FamilyRandom}; !slices.Equal(order, want) || len(r.Sweep) != 3*18+2*36+3+1+1 {
		t.Errorf("rows %v, want %v; %d lines of the sweep", order, want, len(r.Sweep))
	}
	verdicts := map[string]string{}
	for _, d := range r.Differences {
		verdicts[d.Family+" "+d.Score] = d.Verdict
	}
	if len(verdicts) != 8 || verdicts[FamilyStates+" nqd"] != Better || verdicts[FamilyUntrained+" nqd"] != Better || verdicts[FamilyGC+" nqd"] != Better || verdicts[FamilyWords+" nqd"] != Tie {
		t.Errorf("verdicts %v", verdicts)
	}

	c, err := phylo.Compare(r.Tree, ref)
	if err != nil || c.RF != 0 || c.SharedTaxa != 16 {
		t.Errorf("the tree: %+v, %v", c, err)
	}
	supported := 0
	for _, n := range r.Tree.Nodes() {
		if !n.IsLeaf() && !math.IsNaN(n.Support) {
			if supported++; n.Support < 95 {
				t.Errorf("support %g of a long branch", n.Support)
			}
		}
	}
	if supported != 13 || len(r.Clades) != 13 { // n - 3 branches of a binary tree; both sides of the root are one
		t.Errorf("%d branches with support, %d clades, want 13", supported, len(r.Clades))
	}
	labels := 0
	for _, c := range r.Clades {
		if !c.Found || c.Support < 95 || c.Seeds != seeds || len(c.Taxa) < 2 {
			t.Errorf("clade %+v", c)
		}
		if c.Name == "K4" {
			if labels++; !slices.Equal(c.Taxa, []string{"s4", "s5", "s6", "s7"}) {
				t.Errorf("clade %+v", c)
			}
		}
	}
	if labels != 1 {
		t.Errorf("%d clades are called K4", labels)
	}
	if again := drawnBy(t, cfg); again.Tree.Newick() != r.Tree.Newick() || again.Variant != r.Variant {
		t.Error("the second time it is another tree")
	}
}

// swapped permutes the states of some species among each other, in all layers, fields and replicates: their mean, and what is between the others, stay.
func swapped(s *Summary, names []string, r *rand.Rand) *Summary {
	out := *s
	var at []int
	for _, n := range names {
		at = append(at, slices.Index(s.Names, n))
	}
	to := r.Perm(len(at))
	for f := range kinds {
		out.Mean[f] = slices.Clone(s.Mean[f])
		for b := range 1 + s.Replicates {
			for l := range s.Layers {
				for k, g := range at {
					copy(out.mean(f, b, l, g), s.mean(f, b, l, at[to[k]]))
				}
			}
		}
	}
	return &out
}

// relabelled permutes the names of some leaves.
func relabelled(t *phylo.Tree, names []string, r *rand.Rand) *phylo.Tree {
	to := r.Perm(len(names))
	t = t.Clone()
	for _, l := range t.Leaves() {
		if k := slices.Index(names, l.Name); k >= 0 {
			l.Name = names[to[k]]
		}
	}
	return t
}

// TestChoosingIsBlind: what is chosen on one set does not move with anything between the species of the other: neither with their states, nor with the distances of
// controls, nor with their places in the reference. All layers know a little, so that there is something to choose.
func TestChoosingIsBlind(t *testing.T) {
	ref := balanced(t, 4)
	names := leaves(ref)
	weak := ref.Clone() // short inner branches: no layer has the whole tree
	for _, n := range weak.Nodes() {
		if n.Length = 1; !n.IsLeaf() {
			n.Length = 0.25
		}
	}
	var sets [2][]string
	for k, n := range names {
		if k%4 < 2 {
			sets[0] = append(sets[0], n)
		} else {
			sets[1] = append(sets[1], n)
		}
	}
	base := Config{Choosing: sets[0], Reference: ref, Seed: 1}
	for k := range uint64(2) {
		base.Networks = append(base.Networks, brownian(t, names, 10+k, weak, weak, weak))
		base.Untrained = append(base.Untrained, brownian(t, names, 20+k, weak, weak, weak))
	}
	for k := range uint64(8) {
		base.Controls = append(base.Controls, far(names, fmt.Sprint("control ", k), k))
	}
	chosenOn := func(cfg Config, k int) *Result {
		t.Helper()
		cfg.Choosing = sets[k]
		r := drawnBy(t, cfg)
		if !sameNames(r.Choosing, sets[k]) || !sameNames(r.Reported, sets[1-k]) || r.Partings != 1 {
			t.Fatalf("chosen on %v, reported on %v, %d partings", r.Choosing, r.Reported, r.Partings)
		}
		return r
	}
	want := [2]*Result{chosenOn(base, 0), chosenOn(base, 1)}
	families := []string{FamilyMean, FamilyNetwork, FamilyUntrainedMean, FamilyUntrained, FamilyWords}
	for k, fixed := range sets {
		other := sets[1-k]
		moved := 0
		r := rng.New(1, rng.Generate, 9)
		states, labels := base, base
		states.Networks, states.Untrained, states.Controls = nil, nil, nil
		for i := range base.Networks {
			states.Networks = append(states.Networks, swapped(base.Networks[i], other, r))
			states.Untrained = append(states.Untrained, swapped(base.Untrained[i], other, r))
		}
		for _, c := range base.Controls {
			m := phylo.NewMatrix(names)
			for i := range names {
				for j := range i {
					d := c.Matrix.At(i, j)
					if slices.Contains(other, names[i]) && slices.Contains(other, names[j]) {
						d = 1 + r.Float64()
					}
					m.Set(i, j, d)
				}
			}
			states.Controls = append(states.Controls, Control{c.Family, c.Name, m})
		}
		labels.Reference = relabelled(ref, other, r)
		for what, cfg := range map[string]Config{"states": states, "reference": labels} {
			got, turned := chosenOn(cfg, k), chosenOn(cfg, 1-k)
			for _, f := range families {
				if a, b := rowOf(t, want[k], f).Chosen, rowOf(t, got, f).Chosen; a != b {
					t.Errorf("%s: chosen on %v: %q, and %q with other %s of the other set", f, fixed, a, b, what)
				}
				if rowOf(t, want[1-k], f).Chosen != rowOf(t, turned, f).Chosen {
					moved++
				}
			}
			if got.Variant != want[k].Variant {
				t.Errorf("the variant %s, and %s with other %s of the reported set", want[k].Variant, got.Variant, what)
			}
		}
		if moved < 3 {
			t.Errorf("%d of 8 choices on %v have moved: the test shows nothing", moved, other)
		}
	}
}

// TestHeldIsScoredByTheOther: a layer that knows the choosing species only, and one that knows the others only, are each chosen where they know, and scored
// where they do not.
func TestHeldIsScoredByTheOther(t *testing.T) {
	ref := balanced(t, 4)
	names := leaves(ref)
	var sets [2][]string
	for k, n := range names {
		sets[k%2] = append(sets[k%2], n)
	}
	for k, layer := range []int{0, 2} {
		r := drawnBy(t, Config{Networks: []*Summary{brownian(t, names, 3, ref.Restrict(sets[0]), nil, ref.Restrict(sets[1]))}, Reference: ref, Choosing: sets[k]})
		row := rowOf(t, r, FamilyNetwork)
		if !strings.HasPrefix(row.Chosen, fmt.Sprintf("layer %d, score", layer)) || r.Variant.Layer != layer || row.Picked != 1 || row.Halves != 2 {
			t.Errorf("chosen %q, drawn %s", row.Chosen, r.Variant)
		}
		if !(row.Held.NQD.Mean > 0.4) || !(row.Held.NRF.Mean > 0.4) {
			t.Errorf("scores of layers on species they know nothing of: %+v", row.Held)
		}
	}
}

// pairs is a ladder of pairs ((s0,s1),((s2,s3),...)); the last of an odd number of species stands alone.
func pairs(names []string) *phylo.Tree {
	var root *phylo.Node
	for at := (len(names) - 1) / 2 * 2; at >= 0; at -= 2 {
		n := phylo.NewNode(names[at])
		if at+1 < len(names) {
			n = phylo.NewNode("", n, phylo.NewNode(names[at+1]))
		}
		if root != nil {
			n = phylo.NewNode("", n, root)
		}
		root = n
	}
	return &phylo.Tree{Root: root}
}

// TestPartings: halves that part neighbours of the reference, and in turn such that keep clades whole, not all alike, the same for the same seed.
func TestPartings(t *testing.T) {
	for n := 8; n < 14; n++ {
		var names []string
		for k := range n {
			names = append(names, fmt.Sprint("s", k))
		}
		var r, again Result
		for _, x := range []*Result{&r, &again} {
			if err := x.halves(Config{Seed: 3, Reference: pairs(names)}, names); err != nil {
				t.Fatal(err)
			}
		}
		kinds := map[string]bool{}
		for k, p := range r.partings {
			for at := 0; at+1 < n; at += 2 {
				if together := slices.Contains(p[0], names[at]) == slices.Contains(p[0], names[at+1]); together != (k%2 == 1) {
					t.Errorf("parting %d: that %s and %s are on one side is %v", k, names[at], names[at+1], together)
				}
			}
			if all := slices.Sorted(slices.Values(slices.Concat(p[0], p[1]))); !slices.Equal(all, slices.Sorted(slices.Values(names))) {
				t.Errorf("parting %d: %v", k, p)
			}
			if len(p[0]) < leastChoice || len(p[1]) < leastChoice {
				t.Errorf("parting %d: %d and %d species", k, len(p[0]), len(p[1]))
			}
			if !slices.Equal(p[0], again.partings[k][0]) {
				t.Errorf("parting %d: %v, then %v", k, p, again.partings[k])
			}
			kinds[strings.Join(p[0], " ")] = true
		}
		if r.Partings != choiceSplits || len(kinds) < choiceSplits/3 {
			t.Errorf("%d species: %d partings of %d kinds", n, r.Partings, len(kinds))
		}
	}
}

// TestVerdicts: the same networks as their own control are a tie, networks that know something are better than such that do not, and the other way round; with
// one seed nothing is said.
func TestVerdicts(t *testing.T) {
	ref := balanced(t, 4)
	names := leaves(ref)
	good, bad := networks(t, names, 3, 1, ref), networks(t, names, 3, 50, nil)
	for _, c := range []struct {
		ours, theirs []*Summary
		verdict      string
	}{{good, good, Tie}, {bad, bad, Tie}, {good, bad, Better}, {bad, good, Worse}, {good[:1], bad[:1], Unknown}} {
		cfg := Config{Networks: c.ours, Untrained: c.theirs, Reference: ref}
		if c.verdict == Tie { // else the control has more to choose from
			cfg.Variant = &Variant{informed, Score, Euclidean}
		}
		found := slices.DeleteFunc(drawnBy(t, cfg).Differences, func(d Difference) bool { return d.Family != FamilyUntrained })
		if len(found) != 2 {
			t.Fatalf("%d differences, want nrf and nqd", len(found))
		}
		for _, d := range found {
			if d.Verdict != c.verdict {
				t.Errorf("%+v, want %s", d, c.verdict)
			}
			if nan := math.IsNaN(float64(d.Low)) && math.IsNaN(float64(d.High)); nan != (c.verdict == Unknown) {
				t.Errorf("bounds %+v", d)
			}
			if same := c.verdict == Tie; same && (d.Mean != 0 || d.Low != 0 || d.High != 0) {
				t.Errorf("a network and itself: %+v", d)
			}
		}
	}
}

// TestDifferences: the t interval by hand, at both sides of 0 and over it; a control of one seed is held against each of ours.
func TestDifferences(t *testing.T) {
	const half = 4.302652729911275 * 0.1 / 1.7320508075688772 // t of 2 degrees of freedom at 0.975, sd 0.1, 3 seeds
	for _, c := range []struct {
		shift   float64
		verdict string
	}{{-0.25, Better}, {-0.24, Tie}, {0.24, Tie}, {0.25, Worse}} {
		r := &Result{Rows: []Row{{Family: FamilyMean}, {Family: FamilyNetwork}, {Family: FamilyGC}, {Family: FamilyRandom}}}
		r.differences(map[string][]score{
			FamilyMean: {{0, 0, 0}}, FamilyRandom: {{1, 1, 1}}, FamilyGC: {{0.5, 0.3, 0}},
			FamilyNetwork: {{0.4 + c.shift, 0.3, 0}, {0.5 + c.shift, 0.3, 0}, {0.6 + c.shift, 0.3, 0}},
		})
		if len(r.Differences) != 2 || r.Differences[1].Verdict != Tie || r.Differences[1].Score != "nqd" {
			t.Fatalf("%+v", r.Differences)
		}
		d := r.Differences[0]
		if d.Family != FamilyGC || d.Score != "nrf" || d.Verdict != c.verdict || !near(float64(d.Low), c.shift-half, 1e-9) || !near(float64(d.High), c.shift+half, 1e-9) || !near(float64(d.Mean), c.shift, 1e-9) {
			t.Errorf("%+v, want %s, %g ± %g", d, c.verdict, c.shift, half)
		}
	}
}

// TestBest: the lowest mean quartet distance, then the lower Robinson-Foulds distance, then the first.
func TestBest(t *testing.T) {
	for want, scores := range [][][]score{
		{{{0.5, 0.2, 0}}, {{0.5, 0.2, 1}}},
		{{{0.1, 0.3, 0}}, {{0.9, 0.2, 0}}, {{0.1, 0.25, 0}}},
		{{{0.1, 0.3, 0}}, {{0.4, 0.2, 0}}, {{0.3, 0.2, 0}}, {{0.3, 0.2, 0}}},
		{{{0, 0.1, 0}, {0, 0.9, 0}}, {{0, 0.5, 0}, {0, 0.5, 0}}, {{1, 0.6, 0}, {1, 0.6, 0}}, {{1, 0.4, 0}, {1, 0.4, 0}}},
	} {
		if got := best(scores, (&family{variants: make([]string, len(scores))}).among(), 0); got != want {
			t.Errorf("%v: %d, want %d", scores, got, want)
		}
	}
}

// TestTogether: each matrix counts alike, however large its distances.
func TestTogether(t *testing.T) {
	names := []string{"a", "b", "c"}
	a, b := phylo.NewMatrix(names), phylo.NewMatrix(names)
	for k, ij := range [][2]int{{1, 0}, {2, 0}, {2, 1}} {
		a.Set(ij[0], ij[1], float64(1+k))
		b.Set(ij[0], ij[1], 1000*float64(3-k))
	}
	m := together([]*phylo.Matrix{a, b})
	for _, ij := range [][2]int{{1, 0}, {2, 0}, {2, 1}} { // 1+3, 2+2, 3+1 of a mean of 12/9
		if !near(m.At(ij[0], ij[1]), 1.5, 1e-12) {
			t.Errorf("%v: %g", ij, m.At(ij[0], ij[1]))
		}
	}
	if a.At(2, 1) != 3 {
		t.Error("the first matrix is changed")
	}
}

// TestDrawNoReference: the default, nothing scored; bootstrap supports all the same.
func TestDrawNoReference(t *testing.T) {
	ref := balanced(t, 3)
	names := leaves(ref)
	r := drawnBy(t, Config{Networks: networks(t, names, 2, 1, ref)})
	if r.Variant != Default(madeLayers) || !strings.Contains(r.Why, "no reference") || r.Rows != nil || r.Sweep != nil || r.Differences != nil || r.Clades != nil || r.Choosing != nil {
		t.Errorf("%+v", r)
	}
	c, err := phylo.Compare(r.Tree, ref)
	if err != nil || c.RF != 0 { // the layer in the middle is the informed one
		t.Errorf("%+v, %v", c, err)
	}
	if !strings.Contains(r.Tree.Newick(), ")100:") {
		t.Errorf("no support in %s", r.Tree.Newick())
	}
	if !slices.Equal(r.Names, names) || !slices.Equal(r.Matrix.Names, names) {
		t.Errorf("names %v, of the matrix %v", r.Names, r.Matrix.Names)
	}
	half := brownian(t, names, 1, nil, ref) // in three replicates of ten s0 and s7 have changed places, and with them all clades but those of s2, s3 and s4, s5
	for b := range 3 {
		for l := range madeLayers {
			x, y := half.mean(Score, b+1, l, 0), half.mean(Score, b+1, l, 7)
			for j := range x {
				x[j], y[j] = y[j], x[j]
			}
		}
	}
	r = drawnBy(t, Config{Networks: []*Summary{half}, Reference: ref, Variant: &Variant{informed, Score, Euclidean}})
	for _, c := range r.Clades {
		want := phylo.Score(70)
		if slices.Equal(c.Taxa, []string{"s2", "s3"}) || slices.Equal(c.Taxa, []string{"s4", "s5"}) {
			want = 100
		}
		if c.Support != want {
			t.Errorf("support %g of %v, want %g", c.Support, c.Taxa, want)
		}
	}
	if s := r.Tree.Newick(); strings.Count(s, ")70:") != 3 || strings.Count(s, ")100:") != 2 {
		t.Errorf("supports of %s, want 70 three times and 100 twice", s)
	}
	none := *brownian(t, names, 1, nil, ref)
	none.Replicates = 0
	r = drawnBy(t, Config{Networks: []*Summary{&none}, Reference: ref})
	if !math.IsNaN(float64(r.Clades[0].Support)) || strings.Contains(r.Tree.Newick(), ")100") {
		t.Errorf("supports without a bootstrap: %s, %+v", r.Tree.Newick(), r.Clades[0])
	}
}

// TestDrawOneWindow: of a window a genome nothing can be whitened; all else is drawn and chosen from, and to ask for the impossible is an error.
func TestDrawOneWindow(t *testing.T) {
	ref := balanced(t, 4)
	nets := networks(t, leaves(ref), 2, 1, ref)
	for _, s := range nets {
		for f := range kinds {
			clear(s.Cov[f])
		}
	}
	r := drawnBy(t, Config{Networks: nets, Reference: ref})
	if row := rowOf(t, r, FamilyNetwork); row.Variants != 3 || len(r.Sweep) != 3*9+1 || row.Chosen != r.Variant.String() || r.Variant.Layer != informed {
		t.Errorf("%+v, drawn %s", row, r.Variant)
	}
	if _, err := Draw(t.Context(), Config{Networks: nets, Reference: ref, Variant: &Variant{1, Score, Whitened}}); !errors.Is(err, ErrStates) {
		t.Errorf("whitened: %v", err)
	}
}

// TestDrawVariant: what is asked for is drawn; a reference scores it, and chooses nothing of it.
func TestDrawVariant(t *testing.T) {
	ref := balanced(t, 4)
	names := leaves(ref)
	v := Variant{2, State, Whitened}
	nets := networks(t, names, 2, 1, ref)
	for _, reference := range []*phylo.Tree{nil, ref} {
		r := drawnBy(t, Config{Networks: nets, Untrained: nets, Reference: reference, Variant: &v})
		if r.Variant != v || r.Why != "as asked for" {
			t.Errorf("%s, %s", r.Variant, r.Why)
		}
		var ms []*phylo.Matrix
		for _, s := range nets {
			ms = append(ms, matrix(t, s, v))
		}
		if want := together(ms); !slices.Equal(r.Matrix.Data, want.Data) {
			t.Error("the matrix is not of the variant")
		}
		for _, row := range r.Rows {
			if row.Family != FamilyRandom && (row.Variants != 1 || row.Chosen != v.String()) {
				t.Errorf("%+v", row)
			}
		}
	}
	// Layer -1 fixes the distance alone.
	r := drawnBy(t, Config{Networks: nets, Variant: &Variant{-1, State, Cosine}})
	if want := (Variant{Default(madeLayers).Layer, State, Cosine}); r.Variant != want || !strings.Contains(r.Why, "default layer") {
		t.Errorf("%s (%s), want %s", r.Variant, r.Why, want)
	}
	r = drawnBy(t, Config{Networks: networks(t, names, 2, 1, nil), Untrained: nets, Reference: ref, Variant: &Variant{-1, State, Cosine}})
	for _, row := range r.Rows {
		if fixed := strings.HasSuffix(row.Chosen, ", cosine") && row.Variants == madeLayers; row.Family == FamilyNetwork && !fixed || row.Family == FamilyUntrained && row.Variants != len(Variants(madeLayers, State, Score)) {
			t.Errorf("%+v", row)
		}
	}
	if r.Variant.Distance != Cosine || r.Variant.Kind != State {
		t.Errorf("drawn %s", r.Variant)
	}
	for _, bad := range []Variant{{9, Score, Euclidean}, {-2, Score, Euclidean}, {-1, Score, "no such"}, {0, Score, "no such"}} {
		for _, reference := range []*phylo.Tree{nil, ref} {
			if _, err := Draw(context.Background(), Config{Networks: nets, Reference: reference, Variant: &bad}); err == nil {
				t.Errorf("no error about %s", bad)
			}
		}
	}
}

// TestDrawPartialReference: taxa that only one side has are named; what is scored, are the shared ones.
func TestDrawPartialReference(t *testing.T) {
	ref := balanced(t, 4)
	names := slices.Concat(leaves(ref)[2:], []string{"x", "y"})
	r := drawnBy(t, Config{Networks: networks(t, names, 1, 1, ref), Reference: ref})
	if !slices.Equal(r.Missing, []string{"x", "y"}) || !slices.Equal(r.Absent, []string{"s0", "s1"}) {
		t.Errorf("missing %v, absent %v", r.Missing, r.Absent)
	}
	if n := len(r.Choosing) + len(r.Reported); n != 14 {
		t.Errorf("%d shared species, want 14", n)
	}
	if taxa, err := r.Tree.Taxa(); err != nil || !slices.Equal(taxa, slices.Sorted(slices.Values(names))) {
		t.Errorf("species of the tree %v, %v", taxa, err)
	}
	if len(r.Clades) != 11 {
		t.Errorf("%d clades, want 14 - 3", len(r.Clades))
	}
	for _, c := range r.Clades {
		if !c.Found || c.Support < 90 || slices.Contains(c.Taxa, "s0") {
			t.Errorf("clade %+v", c)
		}
	}
	if row := rowOf(t, r, FamilyNetwork); row.All.NRF.Mean != 0 {
		t.Errorf("%+v", row.All)
	}
}

// TestDrawPolytomies: a reference that does not resolve is no fault of a tree's clades; one that resolves nothing scores, and has no clade.
func TestDrawPolytomies(t *testing.T) {
	ref := balanced(t, 4)
	names := leaves(ref)
	nets := networks(t, names, 2, 1, ref)
	four := parsed(t, "((s0,s1,s2,s3)A,(s4,s5,s6,s7)B,(s8,s9,s10,s11),(s12,s13,s14,s15)D);") // and without lengths
	r := drawnBy(t, Config{Networks: nets, Reference: four})
	var got []string
	for _, c := range r.Clades {
		if got = append(got, c.Name); !c.Found {
			t.Errorf("clade %+v", c)
		}
	}
	if want := []string{"A", "B", "s10, s11, ... (4)", "D"}; !slices.Equal(got, want) {
		t.Errorf("clades %q, want %q", got, want)
	}
	if row := rowOf(t, r, FamilyNetwork); r.Variant.Layer != informed || math.Abs(float64(row.All.NRF.Mean)-9.0/17) > 1e-12 { // 13 splits against 4 of them
		t.Errorf("%s: %+v", r.Variant, row.All)
	}
	r = drawnBy(t, Config{Networks: nets, Reference: parsed(t, "("+strings.Join(names, ",")+");")})
	row := rowOf(t, r, FamilyNetwork)
	if row.All.NRF.Mean != 1 || row.All.NQD.Mean != 1 || !math.IsNaN(float64(row.All.Spearman.Mean)) || len(r.Clades) != 0 {
		t.Errorf("a star: %+v, clades %+v", row.All, r.Clades)
	}
}

// TestCladesOnce: a branch that several nodes of the reference stand for is one clade, by its label.
func TestCladesOnce(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f", "g"}
	tree := parsed(t, "((a,b),c,((d,e),(f,g)));")
	for newick, want := range map[string]string{
		"((a,b,c),((d,e),(f,g)));":                "a, b, c|d, e|f, g",
		"((a,b,c)X,((d,e),(f,g))Y);":              "X|d, e|f, g",
		"((a,b,c),((d,e),(f,g))Y);":               "Y d,e,f,g|d, e|f, g",
		"(((a,b,c),z)X,((d,e)D,(f,g)));":          "X|D|f, g", // z has no genome
		"((a,b,c,d),(e,f,g));":                    "!a, b, ... (4)",
		"(a,b,c,d,(e,f,g));":                      "!e, f, g",
		"(a,(b,(c,(d,(e,(f,g))))));":              "!b, c, ... (6)",
		"((b,c,d,e,f,g)none,a);":                  "",
		"((a,b)P,(c,d,e,f,g)Q);":                  "P",
		"(c,((a,b),(d,(e,(f,g)S)R)));":            "a, b|d, e, ... (4)|!R|S",
		"((a,b)'it''s','x:y',((f,g)[note],d,e));": "it's|f, g",
	} {
		if newick == "(a,(b,(c,(d,(e,(f,g))))));" {
			want = "c, d, ... (5)|d, e, ... (4)|!e, f, g|f, g"
		}
		r := &Result{Names: names, Tree: tree}
		if err := r.clades(parsed(t, newick), nil, []*phylo.Tree{tree, tree}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range r.Clades {
			name := c.Name
			if name == "Y" {
				name += " " + strings.Join(c.Taxa, ",")
			}
			if !c.Found {
				name = "!" + name
			}
			if got = append(got, name); c.Found != (c.Seeds == 2) || !math.IsNaN(float64(c.Support)) {
				t.Errorf("%s: %+v", newick, c)
			}
		}
		if g := strings.Join(got, "|"); g != want {
			t.Errorf("%s: clades %s, want %s", newick, g, want)
		}
	}
}

// TestCladesWithStrangers: a genome that the reference lacks may stand inside a clade.
func TestCladesWithStrangers(t *testing.T) {
	tree := parsed(t, "(((a,x),b),c,(d,e));")
	r := &Result{Names: []string{"a", "b", "c", "d", "e", "x"}, Tree: tree}
	if err := r.clades(parsed(t, "((a,b),c,(d,e));"), []*phylo.Tree{tree, parsed(t, "((a,d),(x,b),(c,e));")}, []*phylo.Tree{tree}); err != nil {
		t.Fatal(err)
	}
	if len(r.Clades) != 2 {
		t.Fatalf("%+v", r.Clades)
	}
	for _, c := range r.Clades {
		if !c.Found || c.Support != 50 || c.Seeds != 1 {
			t.Errorf("%+v", c)
		}
	}
}

// TestDrawFewSpecies: with fewer than 8 shared species nothing is chosen; 4 are scored, 3 are drawn, 2 are nothing.
func TestDrawFewSpecies(t *testing.T) {
	ref := balanced(t, 4)
	for n := 2; n <= 8; n++ {
		names := leaves(ref)[:n]
		nets := networks(t, names, 2, 1, ref)
		r, err := Draw(context.Background(), Config{Networks: nets})
		if n < 3 {
			if !errors.Is(err, ErrStates) {
				t.Errorf("%d species: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if taxa, err := r.Tree.Taxa(); err != nil || len(taxa) != n {
			t.Errorf("%d species: a tree of %v, %v", n, taxa, err)
		}
		r, err = Draw(context.Background(), Config{Networks: nets, Untrained: nets, Reference: ref, Controls: []Control{far(names, "one", 1), far(names, "two", 2)}})
		if n < 4 {
			if !errors.Is(err, phylo.ErrFewTaxa) {
				t.Errorf("%d species: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		row := rowOf(t, r, FamilyNetwork)
		if chosen := n >= 8; chosen != (r.Choosing != nil) || chosen != !math.IsNaN(float64(row.Held.NQD.Mean)) {
			t.Errorf("%d species: chosen on %v, %+v", n, r.Choosing, row)
		} else if !chosen {
			if r.Variant != Default(madeLayers) || row.Chosen != r.Variant.String() || !strings.Contains(r.Why, fmt.Sprintf("%d species are too few", n)) || row.All.NQD.Mean != 0 {
				t.Errorf("%d species: %s (%s), %+v", n, r.Variant, r.Why, row)
			}
			if len(r.Sweep) != 3*18+2*36+2+1 || len(r.Differences) != 6 {
				t.Errorf("%d species: %d lines of the sweep, %d differences", n, len(r.Sweep), len(r.Differences))
			}
		}
	}
}

// TestDrawNames: names that Newick must quote come back from the Newick of the tree, and agree with those of a reference.
func TestDrawNames(t *testing.T) {
	names := []string{"O'Brien's bug", "a:b;c", "x[1](2),y", "日本 – é", `"quoted"`, "with space", "with_underscore", "'", "1e5", "{}<&>"}
	ref := balanced(t, 4)
	ref = ref.Restrict(leaves(ref)[:len(names)])
	for k, l := range ref.Leaves() {
		l.Name = names[k]
	}
	r := drawnBy(t, Config{Networks: networks(t, names, 2, 1, ref), Reference: parsed(t, ref.Newick())})
	if r.Missing != nil || r.Absent != nil || rowOf(t, r, FamilyNetwork).All.NRF.Mean != 0 {
		t.Errorf("missing %q, absent %q, %+v", r.Missing, r.Absent, rowOf(t, r, FamilyNetwork).All)
	}
	again := parsed(t, r.Tree.Newick())
	if taxa, err := again.Taxa(); err != nil || !slices.Equal(taxa, slices.Sorted(slices.Values(names))) {
		t.Errorf("species %q, %v", taxa, err)
	}
	if c, err := phylo.Compare(again, ref); err != nil || c.RF != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestDrawBad: what cannot be drawn, and why.
func TestDrawBad(t *testing.T) {
	ref := balanced(t, 4)
	names := leaves(ref)
	nets := networks(t, names, 1, 1, ref)
	other := networks(t, slices.Concat(names[1:], names[:1]), 1, 1, ref)
	deeper := *nets[0]
	deeper.Layers++
	strangers := make([]string, len(names))
	for i := range strangers {
		strangers[i] = fmt.Sprint("stranger ", i)
	}
	twice := slices.Clone(names)
	twice[1] = twice[0]
	small := far(names[:9], "small", 1)
	for what, c := range map[string]struct {
		cfg  Config
		is   error
		text string
	}{
		"no network":       {Config{}, nil, "no network"},
		"other species":    {Config{Networks: slices.Concat(nets, other)}, ErrStates, "networks of"},
		"other untrained":  {Config{Networks: nets, Untrained: other}, ErrStates, "networks of"},
		"other layers":     {Config{Networks: []*Summary{nets[0], &deeper}}, ErrStates, "3 layers"},
		"strangers":        {Config{Networks: networks(t, strangers, 1, 1, nil), Reference: ref}, phylo.ErrFewTaxa, "0 of the 16"},
		"names twice":      {Config{Networks: networks(t, twice, 1, 1, ref)}, nil, `"s0"`},
		"reference twice":  {Config{Networks: nets, Reference: parsed(t, "((s0,s1),(s0,s2),(s3,s4));")}, nil, `"s0"`},
		"unknown choosing": {Config{Networks: nets, Reference: ref, Choosing: []string{"s0", "Yeti", "s2", "s3"}}, nil, `"Yeti"`},
		"few choosing":     {Config{Networks: nets, Reference: ref, Choosing: names[:3]}, nil, "3 species to choose on and 13"},
		"few reported":     {Config{Networks: nets, Reference: ref, Choosing: names[3:]}, nil, "13 species to choose on and 3"},
		"empty choosing":   {Config{Networks: nets, Reference: ref, Choosing: []string{}}, nil, "0 species to choose on"},
		"small control":    {Config{Networks: nets, Reference: ref, Controls: []Control{small}}, nil, "s9"},
	} {
		if r, err := Draw(context.Background(), c.cfg); !hasText(err, c.text) || c.is != nil && !errors.Is(err, c.is) || r != nil {
			t.Errorf("%s: %v, %v", what, r, err)
		}
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	for _, reference := range []*phylo.Tree{nil, ref} {
		if _, err := Draw(stopped, Config{Networks: nets, Reference: reference}); !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: %v", err)
		}
	}
}

// TestBestFavourite: a tie goes to the favourite, a better one does not.
func TestBestFavourite(t *testing.T) {
	scores := [][]score{{{nrf: 0.5, nqd: 0.2}}, {{nrf: 0.5, nqd: 0.2}}, {{nrf: 0.5, nqd: 0.2}}}
	if got := best(scores, (&family{variants: make([]string, len(scores))}).among(), 1); got != 1 {
		t.Errorf("of three that tie %d, want the favourite 1", got)
	}
	scores[2][0].nrf = 0.4
	if got := best(scores, (&family{variants: make([]string, len(scores))}).among(), 1); got != 2 {
		t.Errorf("%d, want 2, which has the lower nRF", got)
	}
	scores[0][0].nqd = 0.1
	if got := best(scores, (&family{variants: make([]string, len(scores))}).among(), 1); got != 0 {
		t.Errorf("%d, want 0, which has the lowest nQD", got)
	}
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
