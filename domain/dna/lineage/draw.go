package lineage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/phylo"
)

// Families of methods, in the order of tables.
const (
	FamilyMean    = "mean of the networks" // one tree of the distances of all seeds, each divided by its mean
	FamilyNetwork = "network"
	// FamilyStates are the mean hidden states of the same networks, without what they predict.
	FamilyStates    = "mean hidden states"
	FamilyUntrained = "untrained network"
	// FamilyUntrainedMean is to the untrained networks what FamilyMean is to the trained ones.
	FamilyUntrainedMean = "mean of untrained"
	FamilyGC            = "GC content"
	FamilyWords         = "k-mers"
	FamilyCV            = "composition vectors"
	FamilyMash          = "Mash"
	FamilyRandom        = "random trees"
)

// leastChoice is the least number of species of a set that layers are chosen on, and of the one that is reported on: below there is one tree only.
const leastChoice = 4

// choiceSplits is how many times the species are parted into two sets: a choice among many variants on ten species is a matter of luck, its mean over
// many partings much less so: at 20 of them the mean quartet distance of a method moves by 0.03 with the seed, at 60 by 0.01.
const choiceSplits = 60

// randomTrees is how many random trees are scored.
const randomTrees = 200

// Config says what trees are drawn of.
type Config struct {
	Networks  []*Summary // trained, one a seed
	Untrained []*Summary // as many untrained ones, or none
	Controls  []Control
	Reference *phylo.Tree // nil: nothing is scored, nothing is chosen
	// Choosing are species of the reference that the layer (of controls the variant) is chosen on; the others are reported on, and then the other way round. nil parts the
	// species 60 times: first every other one along the reference tree, then in turn by whole clades and one at random of each two neighbours.
	Choosing []string
	Variant  *Variant // takes this one, and chooses nothing; of layer -1 it fixes kind and distance and chooses the layer; nil is layer -1 of Default
	Seed     uint64
}

// Control is a distance between the species without a trained network.
type Control struct {
	Family, Name string
	Matrix       *phylo.Matrix
}

// Spread is a mean over seeds with its standard deviation; NaN where there is nothing to measure.
type Spread struct {
	Mean phylo.Score `json:"mean"`
	SD   phylo.Score `json:"sd"` // NaN below two seeds
}

// Scores hold a method against the reference; see phylo.Comparison. Spearman is of the distances that the tree is made of against the patristic ones
// of the reference, for random trees of those along the tree.
type Scores struct {
	NRF      Spread `json:"nrf"`
	NQD      Spread `json:"nqd"`
	Spearman Spread `json:"spearman"`
}

// Row is one family of methods.
type Row struct {
	Family   string `json:"family"`
	Variants int    `json:"variants"` // that were chosen from: of networks the layers
	Seeds    int    `json:"seeds"`
	Chosen   string `json:"chosen"` // by most halves; of Config.Choosing, by that one
	Picked   int    `json:"picked"` // halves that chose it
	Halves   int    `json:"halves"` // that chose, two a parting; 0: too few species
	All      Scores `json:"all"`    // all species, with Chosen, in which all of them have had a say
	Held     Scores `json:"held"`   // mean over all partings, both ways: each half scored with what the other has chosen
}

// Clade is one branch of the reference.
type Clade struct {
	Name    string      `json:"name"` // its label, or its species
	Taxa    []string    `json:"taxa"`
	Found   bool        `json:"found"`   // in the tree that is drawn
	Support phylo.Score `json:"support"` // percent of the bootstrap trees that have it, found or not; NaN without a bootstrap
	Seeds   int         `json:"seeds"`   // networks whose own tree has it
}

// Difference of the networks and one family in a score, on species that chose nothing; below 0 the network is better.
type Difference struct {
	Family  string      `json:"family"`
	Score   string      `json:"score"` // "nrf" or "nqd"
	Mean    phylo.Score `json:"mean"`
	Low     phylo.Score `json:"low"` // 95 % t interval over seeds; NaN below two
	High    phylo.Score `json:"high"`
	Verdict string      `json:"verdict"` // Better, Tie, Worse, or Unknown below two seeds and where there is nothing to measure
}

// Verdicts.
const (
	Better  = "better"
	Tie     = "tie"
	Worse   = "worse"
	Unknown = "one seed"
)

// VariantScore is one line of the sweep over layers.
type VariantScore struct {
	Family string `json:"family"`
	Name   string `json:"name"`
	Seeds  int    `json:"seeds"`
	All    Scores `json:"all"`
}

// Result is what Draw finds.
type Result struct {
	Names       []string       `json:"names"`
	Missing     []string       `json:"missing_in_reference"` // genomes that the reference lacks: in the tree, but not scored
	Absent      []string       `json:"missing_genomes"`      // species of the reference without a genome
	Variant     Variant        `json:"variant"`              // of the tree
	Why         string         `json:"why"`                  // this one
	Choosing    []string       `json:"choosing,omitempty"`   // the first parting
	Reported    []string       `json:"reported,omitempty"`
	Partings    int            `json:"partings,omitempty"`
	Rows        []Row          `json:"rows,omitempty"`
	Sweep       []VariantScore `json:"sweep,omitempty"`
	Differences []Difference   `json:"differences,omitempty"`
	Clades      []Clade        `json:"clades,omitempty"`
	Tree        *phylo.Tree    `json:"-"` // with supports
	Matrix      *phylo.Matrix  `json:"-"`

	partings [][2][]string
}

// family is a family of methods: variants by their names, each with a matrix a seed.
type family struct {
	name     string
	keys     []Variant // of networks
	variants []string
	matrices [][]*phylo.Matrix // [variant][seed]
	choice   []int             // variants that are chosen from; nil: all
	random   bool
}

// among are the variants of a family that are chosen from.
func (f *family) among() []int {
	if f.choice != nil {
		return f.choice
	}
	all := make([]int, len(f.variants))
	for v := range all {
		all[v] = v
	}
	return all
}

type score struct{ nrf, nqd, spearman float64 }

func (s *score) add(x score, share float64) {
	s.nrf, s.nqd, s.spearman = s.nrf+share*x.nrf, s.nqd+share*x.nqd, s.spearman+share*x.spearman
}

// judge scores matrices on sets of species.
type judge struct {
	reference *phylo.Tree
	patristic *phylo.Matrix
	seed      uint64
}

// bench is what a judge wants for one set of species.
type bench struct {
	taxa      []string
	reference *phylo.Tree // unrooted, of these alone
	patristic *phylo.Matrix
}

func (j *judge) on(taxa []string) (*bench, error) {
	b := &bench{taxa: taxa, reference: j.reference.Restrict(taxa).Unrooted()}
	var err error
	b.patristic, err = j.patristic.Select(taxa)
	return b, err
}

func (b *bench) score(m *phylo.Matrix) (score, error) {
	sub, err := m.Select(b.taxa)
	if err != nil {
		return score{}, err
	}
	t, err := phylo.NeighborJoining(sub)
	if err != nil {
		return score{}, err
	}
	rf, err := phylo.RobinsonFoulds(t, b.reference)
	if err != nil {
		return score{}, err
	}
	q, err := phylo.CountQuartets(t, b.reference)
	if err != nil {
		return score{}, err
	}
	r, err := phylo.Spearman(sub, b.patristic)
	if err != nil {
		return score{}, err
	}
	return score{float64(rf.Normalised()), float64(q.Normalised()), float64(r)}, nil
}

func (j *judge) random(taxa []string, k int) (score, error) {
	t, err := phylo.RandomTree(taxa, phylo.Uniform, j.seed, uint64(k))
	if err != nil {
		return score{}, err
	}
	c, err := phylo.Compare(t, j.reference)
	if err != nil {
		return score{}, err
	}
	return score{float64(c.NRF), float64(c.NQD), float64(c.Spearman)}, nil
}

// scores of a family on some species: [variant][seed].
func (j *judge) scores(f *family, taxa []string) ([][]score, error) {
	if f.random {
		out := make([]score, randomTrees)
		for k := range out {
			var err error
			if out[k], err = j.random(taxa, k); err != nil {
				return nil, err
			}
		}
		return [][]score{out}, nil
	}
	b, err := j.on(taxa)
	if err != nil {
		return nil, err
	}
	out := make([][]score, len(f.matrices))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for v, ms := range f.matrices {
		group.Go(func() error {
			for _, m := range ms {
				s, err := b.score(m)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", f.name, f.variants[v], err)
				}
				out[v] = append(out[v], s)
			}
			return nil
		})
	}
	return out, group.Wait()
}

// best is the variant among some with the lowest mean quartet distance; ties go to the lower Robinson-Foulds distance, then to a favourite, then to the first.
func best(scores [][]score, among []int, favourite int) int {
	mean := func(v int, of func(score) float64) float64 {
		t := 0.0
		for _, s := range scores[v] {
			t += of(s)
		}
		return t / float64(len(scores[v]))
	}
	out := favourite
	for _, v := range among {
		if v == out {
			continue
		}
		a, b := mean(v, func(s score) float64 { return s.nqd }), mean(out, func(s score) float64 { return s.nqd })
		const same = 1e-12
		if a < b-same || a < b+same && mean(v, func(s score) float64 { return s.nrf }) < mean(out, func(s score) float64 { return s.nrf })-same {
			out = v
		}
	}
	return out
}

// SpreadOf is the mean of values with their standard deviation.
func SpreadOf(x []float64) Spread {
	if len(x) == 0 {
		return Spread{phylo.Score(math.NaN()), phylo.Score(math.NaN())}
	}
	m, sd := stat.MeanStdDev(x, nil)
	if len(x) < 2 {
		sd = math.NaN()
	}
	return Spread{phylo.Score(m), phylo.Score(sd)}
}

func spreads(s []score) Scores {
	var x [3][]float64
	for _, v := range s {
		x[0], x[1], x[2] = append(x[0], v.nrf), append(x[1], v.nqd), append(x[2], v.spearman)
	}
	return Scores{SpreadOf(x[0]), SpreadOf(x[1]), SpreadOf(x[2])}
}

// Draw builds, chooses, scores. It needs one network at least, of which all are of the same genomes.
func Draw(ctx context.Context, cfg Config) (*Result, error) {
	if len(cfg.Networks) == 0 {
		return nil, errors.New("lineage: no network")
	}
	first := cfg.Networks[0]
	for _, s := range append(slices.Clone(cfg.Networks), cfg.Untrained...) {
		if !slices.Equal(s.Names, first.Names) || s.Layers != first.Layers {
			return nil, fmt.Errorf("%w: networks of %d species and %d layers, and of %d species and %d layers", ErrStates, len(first.Names), first.Layers, len(s.Names), s.Layers)
		}
	}
	if len(first.Names) < 3 {
		return nil, fmt.Errorf("%w: %d species, a tree wants 3", ErrStates, len(first.Names))
	}
	r := &Result{Names: slices.Clone(first.Names), Variant: Default(first.Layers), Why: "the default: there is no reference to choose by"}
	if v := cfg.Variant; v != nil && v.Layer == -1 {
		r.Variant.Kind, r.Variant.Distance, cfg.Variant = v.Kind, v.Distance, nil
		r.Why = "the default layer: there is no reference to choose by"
		if _, err := first.Space(r.Variant); err != nil {
			return nil, err
		}
	} else if _, err := first.Space(r.Variant); errors.Is(err, errCovariance) {
		r.Variant.Distance = Euclidean
	}
	if cfg.Reference != nil {
		if err := r.choose(ctx, cfg); err != nil {
			return nil, err
		}
	}
	if cfg.Variant != nil {
		r.Variant, r.Why = *cfg.Variant, "as asked for"
	}
	if err := r.draw(ctx, cfg); err != nil {
		return nil, err
	}
	return r, nil
}

// share finds the species that genomes and reference share, in the order of the reference.
func (r *Result) share(reference *phylo.Tree) ([]string, error) {
	var shared []string
	in := map[string]bool{}
	for _, l := range reference.Leaves() {
		in[l.Name] = true
		if slices.Contains(r.Names, l.Name) {
			shared = append(shared, l.Name)
		} else {
			r.Absent = append(r.Absent, l.Name)
		}
	}
	for _, n := range r.Names {
		if !in[n] {
			r.Missing = append(r.Missing, n)
		}
	}
	if len(shared) < leastChoice {
		return nil, fmt.Errorf("lineage: %w: the reference has %d of the %d genomes (names must agree to the letter)", phylo.ErrFewTaxa, len(shared), len(r.Names))
	}
	return shared, nil
}

// CheckReference tells whether Draw could score trees of some genomes against a reference, and choose on those species: an error that wraps
// phylo.ErrFewTaxa where they share fewer than four.
func CheckReference(names []string, reference *phylo.Tree, choosing []string) error {
	r := &Result{Names: names}
	shared, err := r.share(reference)
	if err != nil {
		return err
	}
	return r.halves(Config{Choosing: choosing, Reference: reference}, shared)
}

// halves parts the shared species.
func (r *Result) halves(cfg Config, shared []string) error {
	if cfg.Choosing == nil {
		for k, n := range shared {
			if k%2 == 0 {
				r.Choosing = append(r.Choosing, n)
			} else {
				r.Reported = append(r.Reported, n)
			}
		}
	} else {
		for _, n := range cfg.Choosing {
			if !slices.Contains(shared, n) {
				return fmt.Errorf("lineage: the choosing set names %q, which genomes and reference do not both have", n)
			}
		}
		for _, n := range shared {
			if slices.Contains(cfg.Choosing, n) {
				r.Choosing = append(r.Choosing, n)
			} else {
				r.Reported = append(r.Reported, n)
			}
		}
	}
	if len(r.Choosing) < leastChoice || len(r.Reported) < leastChoice {
		if cfg.Choosing != nil {
			return fmt.Errorf("lineage: %d species to choose on and %d to report on, want %d of each", len(r.Choosing), len(r.Reported), leastChoice)
		}
		r.Choosing, r.Reported = nil, nil
		r.Why = fmt.Sprintf("the default: %d species are too few to choose on some and report on others", len(shared))
		return nil
	}
	r.partings = [][2][]string{{r.Choosing, r.Reported}}
	for k := 1; k < choiceSplits && cfg.Choosing == nil; k++ {
		coin := rng.New(cfg.Seed, rng.Probe, 15, uint64(k))
		if k%2 == 1 {
			if p := wholeClades(cfg.Reference, shared, coin); p != nil {
				r.partings = append(r.partings, *p)
				continue
			}
		}
		// Of two neighbours one goes to each side, so that every clade is on both.
		var p [2][]string
		for at := 0; at < len(shared); at += 2 {
			side := coin.IntN(2)
			if p[side] = append(p[side], shared[at]); at+1 < len(shared) {
				p[1-side] = append(p[1-side], shared[at+1])
			}
		}
		r.partings = append(r.partings, p)
	}
	r.Partings = len(r.partings)
	return nil
}

// below gives the leaves below a node that are among some species.
func below(n *phylo.Node, species []string) (names []string) {
	for _, l := range (&phylo.Tree{Root: n}).Leaves() {
		if slices.Contains(species, l.Name) {
			names = append(names, l.Name)
		}
	}
	return names
}

// wholeClades parts species by clades of at most a fifth of them, so that no near relative of a species that chooses is reported on (blocked cross-validation:
// Roberts et al. 2017, Ecography 40:913). nil: a side would have too few.
func wholeClades(t *phylo.Tree, species []string, coin *rand.Rand) *[2][]string {
	most := max(2, (len(species)+4)/5)
	var blocks [][]string
	var down func(n *phylo.Node)
	down = func(n *phylo.Node) {
		if names := below(n, species); len(names) == 0 {
			return
		} else if len(names) <= most {
			blocks = append(blocks, names)
			return
		}
		for _, c := range n.Children {
			down(c)
		}
	}
	down(t.Root)
	coin.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
	slices.SortStableFunc(blocks, func(a, b []string) int { return len(b) - len(a) }) // large ones first: the sides come out alike
	var p [2][]string
	for _, b := range blocks {
		side := coin.IntN(2)
		if d := len(p[0]) - len(p[1]); d != 0 {
			side = 0
			if d > 0 {
				side = 1
			}
		}
		p[side] = append(p[side], b...)
	}
	if min(len(p[0]), len(p[1])) < leastChoice {
		return nil
	}
	return &p
}

// families gathers the matrices of every method.
// Of the networks the layer alone is chosen, for the kind and the distance of standard: a choice among all variants on some ten species would be one of luck. What they are held against,
// untrained networks too, chooses among all its variants.
func families(ctx context.Context, cfg Config, standard Variant) ([]*family, error) {
	networks := func(name string, list []*Summary, variants []Variant) (*family, error) {
		f := &family{name: name}
	variants:
		for _, v := range variants {
			var ms []*phylo.Matrix
			for _, s := range list {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				m, err := s.Matrix(v)
				if errors.Is(err, errCovariance) && len(variants) > 1 { // a window a genome
					continue variants
				}
				if err != nil {
					return nil, err
				}
				ms = append(ms, m)
			}
			f.keys, f.variants, f.matrices = append(f.keys, v), append(f.variants, v.String()), append(f.matrices, ms)
		}
		return f, nil
	}
	layers := cfg.Networks[0].Layers
	ours, theirs := Variants(layers, standard.Kind), Variants(layers, Score, State)
	if cfg.Variant != nil {
		ours, theirs = []Variant{*cfg.Variant}, []Variant{*cfg.Variant}
	}
	trained, err := networks(FamilyNetwork, cfg.Networks, ours)
	if err != nil {
		return nil, err
	}
	for k, v := range trained.keys {
		if cfg.Variant != nil || v.Distance == standard.Distance {
			trained.choice = append(trained.choice, k)
		}
	}
	var out []*family
	add := func(mean string, f *family) {
		if len(f.matrices) > 0 && len(f.matrices[0]) > 1 {
			m := &family{name: mean, variants: f.variants, choice: f.choice}
			for _, ms := range f.matrices {
				m.matrices = append(m.matrices, []*phylo.Matrix{together(ms)})
			}
			out = append(out, m)
		}
		out = append(out, f)
	}
	add(FamilyMean, trained)
	if standard.Kind == Score && cfg.Variant == nil {
		f, err := networks(FamilyStates, cfg.Networks, Variants(layers, State))
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	if len(cfg.Untrained) > 0 {
		f, err := networks(FamilyUntrained, cfg.Untrained, theirs)
		if err != nil {
			return nil, err
		}
		add(FamilyUntrainedMean, f)
	}
	for _, c := range cfg.Controls {
		k := slices.IndexFunc(out, func(f *family) bool { return f.name == c.Family })
		if k < 0 {
			k = len(out)
			out = append(out, &family{name: c.Family})
		}
		out[k].variants, out[k].matrices = append(out[k].variants, c.Name), append(out[k].matrices, []*phylo.Matrix{c.Matrix})
	}
	return append(out, &family{name: FamilyRandom, variants: []string{"uniform"}, random: true}), nil
}

// together is the mean of matrices, each divided by its mean distance; one alone stays as it is.
func together(ms []*phylo.Matrix) *phylo.Matrix {
	if len(ms) == 1 {
		return ms[0]
	}
	out := phylo.NewMatrix(ms[0].Names)
	for _, m := range ms {
		mean := stat.Mean(m.Data, nil)
		if mean == 0 {
			continue
		}
		for k, v := range m.Data {
			out.Data[k] += v / mean / float64(len(ms))
		}
	}
	return out
}

// choose fills in all that needs a reference.
func (r *Result) choose(ctx context.Context, cfg Config) error {
	shared, err := r.share(cfg.Reference)
	if err != nil {
		return err
	}
	if err := r.halves(cfg, shared); err != nil {
		return err
	}
	j := &judge{reference: cfg.Reference, seed: cfg.Seed}
	if j.patristic, err = phylo.Patristic(cfg.Reference); err != nil {
		return err
	}
	standard := r.Variant
	fs, err := families(ctx, cfg, standard)
	if err != nil {
		return err
	}
	held := map[string][]score{}
	for _, f := range fs {
		if err := ctx.Err(); err != nil {
			return err
		}
		all, err := j.scores(f, shared)
		if err != nil {
			return err
		}
		among := f.among()
		row := Row{Family: f.name, Variants: len(among), Seeds: len(all[0])}
		for v, name := range f.variants {
			r.Sweep = append(r.Sweep, VariantScore{f.name, name, len(all[v]), spreads(all[v])})
		}
		if r.Choosing == nil {
			v := 0
			if len(f.variants) > 1 && slices.Contains([]string{FamilyNetwork, FamilyMean, FamilyUntrained, FamilyUntrainedMean}, f.name) {
				v = slices.Index(f.variants, r.Variant.String())
			} else if !f.random {
				v = best(all, among, 0) // a control may choose on what it is scored on: it is the better control for it
			}
			row.Chosen = f.variants[v]
			row.All, row.Held = spreads(all[v]), spreads(nil)
			held[f.name] = all[v]
			r.Rows = append(r.Rows, row)
			continue
		}
		favourite := among[0]
		if v := slices.Index(f.variants, standard.String()); slices.Contains(among, v) {
			favourite = v
		}
		held[f.name] = make([]score, len(all[0]))
		picks := make([]int, len(f.variants))
		chosen := -1
		partings := r.partings
		if f.random {
			partings = partings[:1] // one is like another, and their spread is that of single trees
		}
		for _, p := range partings {
			if err := ctx.Err(); err != nil {
				return err
			}
			var sets [2][][]score
			for k, taxa := range p {
				if sets[k], err = j.scores(f, taxa); err != nil {
					return err
				}
			}
			pick := [2]int{best(sets[0], among, favourite), best(sets[1], among, favourite)}
			if picks[pick[0]]++; chosen < 0 {
				chosen = pick[0]
			}
			picks[pick[1]]++
			for k := range held[f.name] {
				held[f.name][k].add(sets[1][pick[0]][k], 0.5/float64(len(partings)))
				held[f.name][k].add(sets[0][pick[1]][k], 0.5/float64(len(partings)))
			}
		}
		if len(partings) > 1 {
			for v, n := range picks {
				if n > picks[chosen] {
					chosen = v
				}
			}
		}
		row.Chosen, row.Picked, row.Halves = f.variants[chosen], picks[chosen], 2*len(partings)
		row.All = spreads(all[chosen])
		row.Held = spreads(held[f.name])
		r.Rows = append(r.Rows, row)
		if f.name == FamilyNetwork && cfg.Variant == nil {
			r.Variant = f.keys[chosen]
			r.Why = fmt.Sprintf("of %d layers the lowest quartet distance on %d of %d halves of the species", len(among), row.Picked, row.Halves)
			if len(r.partings) == 1 {
				r.Why = fmt.Sprintf("the lowest quartet distance of %d layers on the %d species of the choosing set", len(among), len(r.Choosing))
			}
		}
	}
	r.differences(held)
	return nil
}

// differences holds the networks against every other family, seed by seed.
func (r *Result) differences(held map[string][]score) {
	ours := held[FamilyNetwork]
	for _, row := range r.Rows {
		if row.Family == FamilyNetwork || row.Family == FamilyMean || row.Family == FamilyUntrainedMean || row.Family == FamilyRandom {
			continue
		}
		theirs := held[row.Family]
		for _, what := range []string{"nrf", "nqd"} {
			of := func(s score) float64 { return s.nrf }
			if what == "nqd" {
				of = func(s score) float64 { return s.nqd }
			}
			x := make([]float64, len(ours))
			for k := range ours {
				x[k] = of(ours[k]) - of(theirs[min(k, len(theirs)-1)])
			}
			nan := phylo.Score(math.NaN())
			d := Difference{Family: row.Family, Score: what, Mean: phylo.Score(stat.Mean(x, nil)), Low: nan, High: nan, Verdict: Unknown}
			if n := float64(len(x)); n > 1 && !math.IsNaN(float64(d.Mean)) {
				half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975) * stat.StdDev(x, nil) / math.Sqrt(n)
				d.Low, d.High = d.Mean-phylo.Score(half), d.Mean+phylo.Score(half)
				switch {
				case d.High < 0:
					d.Verdict = Better
				case d.Low > 0:
					d.Verdict = Worse
				default:
					d.Verdict = Tie
				}
			}
			r.Differences = append(r.Differences, d)
		}
	}
}

// draw builds the tree with supports, and looks for the branches of the reference.
func (r *Result) draw(ctx context.Context, cfg Config) error {
	spaces := make([]*Space, len(cfg.Networks))
	var own []*phylo.Tree
	replicates := cfg.Networks[0].Replicates
	for k, s := range cfg.Networks {
		var err error
		if spaces[k], err = s.Space(r.Variant); err != nil {
			return err
		}
		replicates = min(replicates, s.Replicates)
	}
	matrix := func(b int, one bool) (*phylo.Matrix, error) {
		ms := make([]*phylo.Matrix, len(spaces))
		for k, p := range spaces {
			var err error
			if ms[k], err = p.Matrix(b); err != nil {
				return nil, err
			}
			if one {
				t, err := phylo.NeighborJoining(ms[k])
				if err != nil {
					return nil, err
				}
				own = append(own, t)
			}
		}
		return together(ms), nil
	}
	var err error
	if r.Matrix, err = matrix(0, true); err != nil {
		return err
	}
	t, err := phylo.NeighborJoining(r.Matrix)
	if err != nil {
		return err
	}
	trees := make([]*phylo.Tree, replicates)
	for b := range trees {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := matrix(b+1, false)
		if err != nil {
			return err
		}
		if trees[b], err = phylo.NeighborJoining(m); err != nil {
			return err
		}
	}
	if r.Tree = t; replicates > 0 {
		if r.Tree, err = phylo.Support(t, trees); err != nil {
			return err
		}
	}
	if cfg.Reference != nil {
		return r.clades(cfg.Reference, trees, own)
	}
	return nil
}

// clades looks for each branch of the reference that parts two shared species or more from two or more. A branch that several nodes stand for, such as
// that at the root, comes once, by the first node with a label.
func (r *Result) clades(reference *phylo.Tree, trees, own []*phylo.Tree) error {
	seen := map[string]int{} // either side of a branch: its place in r.Clades
	labelled := map[int]bool{}
	var shared []string
	for _, l := range reference.Leaves() {
		if slices.Contains(r.Names, l.Name) {
			shared = append(shared, l.Name)
		}
	}
	within := func(t *phylo.Tree, taxa []string) (bool, error) { return phylo.IsClade(t.Restrict(shared), taxa) }
	for _, n := range reference.Nodes() {
		taxa := below(n, shared)
		if n.IsLeaf() || len(taxa) < 2 || len(taxa) > len(shared)-2 {
			continue
		}
		slices.Sort(taxa)
		key := strings.Join(taxa, "\x00")
		if k, ok := seen[key]; ok {
			if n.Name != "" && !labelled[k] {
				r.Clades[k].Name, r.Clades[k].Taxa, labelled[k] = n.Name, taxa, true
			}
			continue
		}
		rest := slices.DeleteFunc(slices.Sorted(slices.Values(shared)), func(s string) bool { return slices.Contains(taxa, s) })
		k := len(r.Clades)
		seen[key], seen[strings.Join(rest, "\x00")], labelled[k] = k, k, n.Name != ""
		c := Clade{Name: n.Name, Taxa: taxa, Support: phylo.Score(math.NaN())}
		if c.Name == "" {
			if c.Name = strings.Join(taxa, ", "); len(taxa) > 3 {
				c.Name = fmt.Sprintf("%s, ... (%d)", strings.Join(taxa[:2], ", "), len(taxa))
			}
		}
		var err error
		if c.Found, err = within(r.Tree, taxa); err != nil {
			return err
		}
		count := func(list []*phylo.Tree) (int, error) {
			k := 0
			for _, t := range list {
				ok, err := within(t, taxa)
				if err != nil {
					return 0, err
				}
				if ok {
					k++
				}
			}
			return k, nil
		}
		if c.Seeds, err = count(own); err != nil {
			return err
		}
		if len(trees) > 0 {
			k, err := count(trees)
			if err != nil {
				return err
			}
			c.Support = phylo.Score(100 * float64(k) / float64(len(trees)))
		}
		r.Clades = append(r.Clades, c)
	}
	return nil
}
