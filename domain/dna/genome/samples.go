package genome

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// InputName is the name of the Input field.
const InputName = "bases"

// Tokens of the Input field. 0..3 are A, C, G, T.
const (
	Unknown = unknown // N, and the other ambiguity codes
	Begin   = 5       // stands before the first base of every window
	Tokens  = 6
)

// Bounds of data.size.
const (
	minWindow = 16
	maxWindow = 4096
)

// Next is the name of the one transformation, and of its stream: everything behind a base is hidden from it.
const Next = "next"

// The parameters of Next by their place in view.Params.V; where the window lies has no name.
const (
	paramStrand = iota
	paramCount
	paramShift = paramCount
)

// Options of Next.
const (
	optionWeights = "weights"
	optionMasked  = "soft_masked"
)

// Spec describes the transformation of the task.
func Spec() view.Spec {
	return view.Spec{
		Name: Next,
		Doc:  "the next nucleotide of windows of pooled genomes, each predicted from the bases before it (Bengio et al. 2003, causal language model)",
		P:    1, Identity: math.NaN(), Kinds: []contract.Kind{contract.Restorable},
		Params: []view.ParamSpec{
			paramStrand: {Name: "strand", Unit: "0 as in the file, 1 reverse complement", Max: 1, Default: contract.Range{From: 0, To: 1}, Integer: true, Doc: "which strand is read"},
		},
		Options: []view.OptionSpec{
			{Name: optionWeights, Default: "size^0.5", Doc: "how often a genome is read: uniform (all genomes alike), size, or size^ALPHA with ALPHA in 0..1"},
			{Name: optionMasked, Default: "keep", Doc: "soft-masked (lower-case) bases: keep, or context (seen, but not predicted)"},
		},
	}
}

// alpha reads the option weights.
func alpha(word string) (float64, error) {
	switch word {
	case "uniform":
		return 0, nil
	case "size":
		return 1, nil
	}
	if s, ok := strings.CutPrefix(word, "size^"); ok {
		if a, err := strconv.ParseFloat(s, 64); err == nil && a >= 0 && a <= 1 {
			return a, nil
		}
	}
	return 0, fmt.Errorf("%w: %s: weights %q is not uniform, size or size^ALPHA with ALPHA in 0..1", view.ErrConfig, Next, word)
}

// Samples are windows of pooled genomes in three parts. They are safe for concurrent use.
//
// Train and Val are disjoint blocks (of about 20,000 bases, drawn by the seed) of the genomes of the pool; Test are further blocks of
// these, or, where the recipe names held-out species (data.hold_out, data.test), windows of these, of which nothing
// is trained on. A sample is a window on the strand of the file; its views lie between it and the next sample's place, on either strand.
type Samples struct {
	recipe *recipe.Recipe
	window int
	cfg    view.Config
	set    view.Set
	pool   []*sequence // in the order of their content
	owner  [3][]int    // genome of each share
	parts  [3]*part
	base   [4]float64
	hash   string
	about  domain.About
	views  *Sampler
}

// Files are where the genomes of a recipe lie: one FASTA file a species.
type Files struct {
	Pool []string // data.source
	Held []string // data.test: held-out species
}

// Open reads the genomes and divides them. Errors of the data are *dataset.Error values: a name that occurs twice, a genome without a
// window of known bases, FASTQ, N only.
func Open(ctx context.Context, r *recipe.Recipe, files Files, opt domain.OpenOptions) (*Samples, error) {
	if r.Data.Task != recipe.TaskGenomes {
		return nil, fmt.Errorf("genome: data.task is %q, want %q", r.Data.Task, recipe.TaskGenomes)
	}
	if r.Data.Size < minWindow || r.Data.Size > maxWindow {
		return nil, recipe.Errors{{Path: "data.size", Msg: fmt.Sprintf("windows of %d bases, want %d..%d", r.Data.Size, minWindow, maxWindow)}}
	}
	ts := r.Views.Transforms
	if len(ts) != 1 || ts[0].Name != Next {
		return nil, recipe.Errors{{Path: "views", Msg: "the views of genomes are one transformation, " + Next, Hint: "write - next"}}
	}
	s := &Samples{recipe: r, window: r.Data.Size}
	bad := func(err error) error { return recipe.Errors{{Path: "views", Msg: err.Error()}} }
	var err error
	if s.cfg, err = Spec().Resolve(ts[0]); err != nil {
		return nil, bad(err)
	}
	if s.set = view.SetOf(s.cfg.Terms, contract.Restorable, s.cfg.Params["strand"], true); s.set.Empty() {
		return nil, bad(fmt.Errorf("%w: %s: no strand of %s is Restorable", view.ErrConfig, Next, s.cfg.Params["strand"]))
	}
	a, err := alpha(s.cfg.Options[optionWeights])
	if err != nil {
		return nil, bad(err)
	}
	skip := s.cfg.Options[optionMasked] == "context"
	if m := s.cfg.Options[optionMasked]; !skip && m != "keep" {
		return nil, bad(fmt.Errorf("%w: %s: soft_masked %q is not keep or context", view.ErrConfig, Next, m))
	}
	if len(files.Pool) == 0 {
		return nil, &dataset.Error{Path: r.Data.Source, Err: errors.New("no FASTA file"), Hint: "data.source is a folder with one FASTA file a species"}
	}
	if s.pool, err = readPool(files.Pool, files.Held, r.Data.HoldOut, opt, ctx.Err); err != nil {
		return nil, err
	}
	held := slices.ContainsFunc(s.pool, func(g *sequence) bool { return g.Held })
	test := r.Data.TestShare
	if held {
		test = 0
	}
	val := r.Data.Val
	if val >= 1 { // a count of windows
		total := 0
		for _, g := range s.pool {
			if !g.Held {
				total += g.Bases / s.window
			}
		}
		val = min(val/float64(max(total, 1)), 0.5)
	}
	h := sha256.New()
	both := s.set.Contains(0) && s.set.Contains(1)
	fmt.Fprintf(h, "genomes 1 %d %d %g %g %g %v\n", s.window, r.Seed, val, test, a, skip)
	for p := range s.parts {
		s.parts[p] = &part{window: s.window, skip: skip}
	}
	for k, g := range s.pool {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fmt.Fprintf(h, "%x %v\n", g.digest, g.Held)
		any := false
		for p, blocks := range g.split(s.window, r.Seed, val, test) {
			sh := newShare(g, blocks, s.window, skip)
			if len(sh.runs) == 0 {
				continue
			}
			any = true
			s.parts[p].shares = append(s.parts[p].shares, sh)
			s.owner[p] = append(s.owner[p], k)
		}
		if !any {
			return nil, &dataset.Error{Path: g.Path, Err: fmt.Errorf("%d known bases in %d sequences hold no window of %d bases without a run of %d unknown ones", g.Bases, g.Sequences, s.window, gap),
				Hint: "take a smaller data.size, or leave the genome out"}
		}
	}
	for p := range s.parts {
		if len(s.parts[p].shares) > 0 {
			s.parts[p].weigh(a, domain.Part(p) == domain.Train, r.Data.Limit)
		}
	}
	if len(s.parts[domain.Train].shares) == 0 {
		return nil, &dataset.Error{Path: r.Data.Source, Err: errors.New("no genome is left for the training part"), Hint: "data.hold_out names them all"}
	}
	fmt.Fprintf(h, "samples %d %d %d\n", s.parts[0].len, s.parts[1].len, s.parts[2].len)
	s.hash = hex.EncodeToString(h.Sum(nil))
	s.base = s.parts[domain.Train].composition(both)
	s.describe(val, test)
	s.views = newSampler(s.cfg, s.set, s.parts)
	return s, nil
}

func (s *Samples) describe(val, test float64) {
	warn := func(format string, args ...any) {
		s.about.Warnings = append(s.about.Warnings, fmt.Sprintf(format, args...))
	}
	trained := s.owner[domain.Train]
	if len(trained) == 1 {
		warn("one genome only (%s): there is nothing to tell apart", s.pool[trained[0]].Name)
	}
	for k, g := range s.pool {
		if k > 0 && g.digest == s.pool[k-1].digest {
			warn("%s and %s hold the same sequences", s.pool[k-1].Name, g.Name)
		}
		if g.Held {
			continue
		}
		for p, share := range map[domain.Part]float64{domain.Train: 1, domain.Val: val, domain.Test: test} {
			if share > 0 && !slices.Contains(s.owner[p], k) {
				warn("%s is too small to give windows of %d bases to the %s part", g.Name, s.window, [...]string{"training", "validation", "test"}[p])
			}
		}
	}
	slices.Sort(s.about.Warnings)
	if e, ok := dataset.Lookup(s.recipe.Data.Source); ok {
		s.about.Licence = e.Licence
	}
}

// Genomes are the genomes of the pool in the order of their content: what a person wants to know, and no stage of training asks for.
func (s *Samples) Genomes() []Genome {
	out := make([]Genome, len(s.pool))
	for k, g := range s.pool {
		out[k] = g.Genome
	}
	return out
}

// GenomeOf is the genome, by its place in Genomes, of sample i of a part. It is for measuring what a trained network knows.
func (s *Samples) GenomeOf(p domain.Part, i int) int {
	if i < 0 || i >= s.Len(p) {
		return -1
	}
	for k, sh := range s.parts[p].shares {
		if i < sh.first+sh.n {
			return s.owner[p][k]
		}
	}
	return -1
}

// Weights are how often each genome of Genomes is read in training; 0 for held-out species, sum 1.
func (s *Samples) Weights() []float64 {
	out := make([]float64, len(s.pool))
	for k, g := range s.owner[domain.Train] {
		out[g] = s.parts[domain.Train].weight[k]
	}
	return out
}

// Len is the number of windows in a part.
func (s *Samples) Len(p domain.Part) int { return s.parts[p].len }

// Labels is nil: there are none.
func (s *Samples) Labels(domain.Part) []int32 { return nil }

// Classes is nil.
func (s *Samples) Classes() []string { return nil }

// Input is a window as the encoder takes it: tokens [size], Begin and all its bases but the last.
func (s *Samples) Input() domain.Field {
	return domain.Field{Name: InputName, DType: domain.U8, Dims: []int{s.window}}
}

func check(p *part, i, row, have int) error {
	if i < 0 || i >= p.len {
		return fmt.Errorf("genome: sample %d of a part that has %d", i, p.len)
	}
	if row < 0 || (row+1)*p.window > have {
		return fmt.Errorf("genome: row %d of %d bases does not fit an array of %d", row, p.window, have)
	}
	return nil
}

// Fill writes sample i of a part.
func (s *Samples) Fill(dst *domain.Array, row int, p domain.Part, i int) error {
	return s.parts[p].view(dst.U8, row, i, &view.Params{})
}

// Name says where a sample lies, for people: "genome:base", counted from 1 through all its sequences.
func (s *Samples) Name(p domain.Part, i int) string {
	g := s.GenomeOf(p, i)
	if g < 0 {
		return ""
	}
	_, at := s.parts[p].place(i, 0)
	return fmt.Sprintf("%s:%d", s.pool[g].Name, at+1)
}

// Hash identifies the sequences and their division; names of files are not in it.
func (s *Samples) Hash() string { return s.hash }

// Describe tells of the data.
func (s *Samples) Describe() domain.About { return s.about }

// Recipe is the recipe that the samples were opened with.
func (s *Samples) Recipe() *recipe.Recipe { return s.recipe }

// Close releases nothing: genomes lie in memory, a byte a base.
func (s *Samples) Close() error { return nil }

// Composition is the order-0 model of the pool: the shares of A, C, G, T, which the trivial predictor gives.
func (s *Samples) Composition() [4]float64 { return s.base }

// Views returns the sampler.
func (s *Samples) Views() (domain.Sampler, error) { return s.views, nil }

// Encoder returns the graph of the recipe's encoder.
func (s *Samples) Encoder() (domain.Encoder, error) {
	return NewEncoder(s.recipe.Encoder, s.window, s.base)
}

// Card is what a language model of genomes must know beside its weights; it stands in the model card.
type Card struct {
	Task        string     `json:"task"`
	Window      int        `json:"window"`      // bases
	Stream      string     `json:"stream"`      // whose restorer gives the logits
	Composition [4]float64 `json:"composition"` // of the pool: A, C, G, T
}

// CardData is a Card.
func (s *Samples) CardData() (json.RawMessage, error) {
	return json.Marshal(Card{Task: recipe.TaskGenomes, Window: s.window, Stream: Next, Composition: s.base})
}

var (
	_ domain.Samples   = (*Samples)(nil)
	_ domain.Describer = (*Samples)(nil)
	_ domain.Namer     = (*Samples)(nil)
	_ domain.Carder    = (*Samples)(nil)
)
