package dna

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// InputName is the name of the Input field.
const InputName = "pileup"

// Samples are places of reference genomes in three parts. They are safe for concurrent use.
//
// A sample is a place: its undisturbed form is the read of one window without errors, alone; its views are
// windows of noisy reads over that place, with the reads that overlap them. Parts are disjoint stretches (blocks of 20,000 bases, fewer
// in small genomes, given by a draw keyed by the seed), and everything that a view is made from lies inside one stretch. With
// data.test the test part is that source, whole.
type Samples struct {
	recipe *recipe.Recipe
	set    *settings
	parts  [3]part
	hash   string
	about  domain.About
	pool   sync.Pool // of *island
	once   sync.Once
	views  *Sampler
	err    error
	rates  rates
}

// part is where the samples of a part lie.
type part struct {
	ref    *reference
	blocks []stretch
	places []int // first base of each sample's window, rising
}

// Open reads the references that r names and divides them. Errors of the data are *dataset.Error values.
func Open(ctx context.Context, r *recipe.Recipe, opt domain.OpenOptions) (*Samples, error) {
	if r.Data.Task != recipe.TaskReads {
		return nil, fmt.Errorf("dna: data.task is %q, there is %q", r.Data.Task, recipe.TaskReads)
	}
	if r.Data.Size < minWindow || r.Data.Size > 4096 {
		return nil, recipe.Errors{{Path: "data.size", Msg: fmt.Sprintf("windows of %d positions, want %d..4096", r.Data.Size, minWindow)}}
	}
	cfg, err := sequencerOf(r.Views.Transforms)
	if err != nil {
		return nil, recipe.Errors{{Path: "views", Msg: err.Error(), Hint: "write - sequencer: {profile: illumina}"}}
	}
	set, err := newSettings(cfg, r.Data.Size)
	if err != nil {
		return nil, recipe.Errors{{Path: "views", Msg: err.Error()}}
	}
	s := &Samples{recipe: r, set: set}
	s.pool.New = func() any { l, err := newIsland(set); return &poolItem{l, err} }
	ref, err := readReference(r.Data.Source, opt.CacheDir, opt, ctx.Err)
	if err != nil {
		return nil, err
	}
	test := r.Data.TestShare
	if r.Data.Test != "" {
		test = 0
	}
	known := 0
	for _, b := range ref.bases {
		if b != baseN {
			known++
		}
	}
	// A block must hold a read with all that overlaps it.
	least := set.longest + set.slack(set.longest) + set.window
	size := max(min(blockSize, len(ref.bases)/40), 2*least)
	blocks := ref.blocks(size, least)
	want := 1
	if test > 0 {
		want++
	}
	if r.Data.Val > 0 {
		want++
	}
	if len(blocks) < want {
		return nil, &dataset.Error{Path: r.Data.Source, Err: fmt.Errorf("%d known bases in %d sequences give %d stretches of %d, want %d: one for each part", known, len(ref.contigs), len(blocks), size, want),
			Hint: "take a longer reference, shorter reads, or set data.test_share or data.val to 0"}
	}
	split := split(blocks, r.Seed, r.Data.Val, test, func(b stretch) int { return len(places(ref, b, set, nil)) })
	for p := range split {
		s.parts[p] = part{ref: ref, blocks: split[p]}
		for _, b := range split[p] {
			s.parts[p].places = places(ref, b, set, s.parts[p].places)
		}
	}
	h := sha256.New()
	fmt.Fprintf(h, "reads 1 %s %d %d %g %g\n", ref.digest(), set.window, r.Seed, r.Data.Val, test)
	if r.Data.Test != "" {
		other, err := readReference(r.Data.Test, opt.CacheDir, opt, ctx.Err)
		if err != nil {
			return nil, err
		}
		t := part{ref: other, blocks: other.blocks(max(min(blockSize, len(other.bases)), 2*least), least)}
		for _, b := range t.blocks {
			t.places = places(other, b, set, t.places)
		}
		if len(t.places) == 0 {
			return nil, &dataset.Error{Path: r.Data.Test, Err: fmt.Errorf("no stretch of %d known bases", least)}
		}
		s.parts[domain.Test] = t
		fmt.Fprintf(h, "test %s\n", other.digest())
		if other.digest() == ref.digest() {
			s.about.Warnings = append(s.about.Warnings, "data.test holds the same sequences as data.source: the test part was trained on")
		}
	}
	if n := r.Data.Limit; n > 0 && n < len(s.parts[domain.Train].places) {
		s.parts[domain.Train].places = s.parts[domain.Train].places[:n]
		fmt.Fprintf(h, "limit %d\n", n)
	}
	if len(s.parts[domain.Train].places) == 0 {
		return nil, &dataset.Error{Path: r.Data.Source, Err: errors.New("no window of known bases is left for the training part"), Hint: "a genome of N only, or sequences that are too short"}
	}
	if n := len(ref.bases) - known; n > 0 {
		s.about.Warnings = append(s.about.Warnings, fmt.Sprintf("%d of %d bases of the reference are not A, C, G or T: no truth is known there", n, len(ref.bases)))
	}
	for p, name := range map[domain.Part]string{domain.Val: "validation", domain.Test: "test"} {
		if text := sharing(&s.parts[domain.Train], &s.parts[p], set.window, name); text != "" {
			s.about.Warnings = append(s.about.Warnings, text)
		}
	}
	slices.Sort(s.about.Warnings)
	if e, ok := dataset.Lookup(r.Data.Source); ok {
		s.about.Licence = e.Licence
	}
	s.hash = hex.EncodeToString(h.Sum(nil))
	return s, nil
}

// minWindow is the least number of positions of a window.
const minWindow = 48

// places appends the first bases of windows in a block, side by side, that hold known bases only.
func places(ref *reference, b stretch, s *settings, dst []int) []int {
	for at := b.from; at+s.window <= b.to; {
		if k := slices.Index(ref.bases[at:at+s.window], baseN); k >= 0 {
			at += k + 1
			continue
		}
		dst = append(dst, at)
		at += s.window
	}
	return dst
}

// block finds the block of a place.
func (p *part) block(at int) stretch {
	i, _ := slices.BinarySearchFunc(p.blocks, at, func(b stretch, at int) int { return b.to - at - 1 })
	return p.blocks[i]
}

type poolItem struct {
	island *island
	err    error
}

// borrow takes an island from the pool.
func (s *Samples) borrow() (*island, error) {
	it, ok := s.pool.Get().(*poolItem)
	if !ok {
		return nil, errors.New("dna: the pool is empty")
	}
	return it.island, it.err
}

func (s *Samples) giveBack(l *island) { s.pool.Put(&poolItem{l, nil}) }

// Len is the number of windows in a part.
func (s *Samples) Len(p domain.Part) int { return len(s.parts[p].places) }

// Labels is nil: reads need none.
func (s *Samples) Labels(domain.Part) []int32 { return nil }

// Classes is nil.
func (s *Samples) Classes() []string { return nil }

// Input is a window as the encoder takes it: [positions, pileup.Channels].
func (s *Samples) Input() domain.Field {
	return domain.Field{Name: InputName, DType: domain.F32, Dims: []int{s.set.window, pileup.Channels}}
}

func (s *Samples) place(p domain.Part, i int) (*part, int, error) {
	if i < 0 || i >= s.Len(p) {
		return nil, 0, fmt.Errorf("dna: sample %d of a part that has %d", i, s.Len(p))
	}
	return &s.parts[p], s.parts[p].places[i], nil
}

// row is the room of one sample in dst.
func (s *Samples) row(dst *domain.Array, row int) ([]float32, error) {
	n := s.set.window * pileup.Channels
	if row < 0 || (row+1)*n > len(dst.F32) {
		return nil, fmt.Errorf("dna: row %d of %d values does not fit an array of %d", row, n, len(dst.F32))
	}
	return dst.F32[row*n : (row+1)*n], nil
}

// Fill writes sample i of a part: the read without errors, at quality 40, alone.
func (s *Samples) Fill(dst *domain.Array, row int, p domain.Part, i int) error {
	pt, at, err := s.place(p, i)
	if err != nil {
		return err
	}
	to, err := s.row(dst, row)
	if err != nil {
		return err
	}
	l, err := s.borrow()
	if err != nil {
		return err
	}
	defer s.giveBack(l)
	if err := l.perfect(pt.ref.bases, pt.block(at), at); err != nil {
		return err
	}
	l.window(to)
	return nil
}

// Name says where a sample lies: "sequence:place".
func (s *Samples) Name(p domain.Part, i int) string {
	pt, at, err := s.place(p, i)
	if err != nil {
		return ""
	}
	return pt.ref.place(at)
}

// Hash identifies the references and their division.
func (s *Samples) Hash() string { return s.hash }

// Describe tells of the data.
func (s *Samples) Describe() domain.About { return s.about }

// Recipe is the recipe that the samples were opened with.
func (s *Samples) Recipe() *recipe.Recipe { return s.recipe }

// Close releases nothing: references lie in memory.
func (s *Samples) Close() error { return nil }

// Card is what a model of reads must know beside its weights; it stands in the model card.
type Card struct {
	Task     string        `json:"task"`
	Window   int           `json:"window"`   // positions
	Channels int           `json:"channels"` // of a position
	Margin   int           `json:"margin"`   // positions to either side that an output depends on
	Profile  string        `json:"profile"`  // as in the recipe
	Kind     string        `json:"kind"`     // of overlaps: pileup.Short or pileup.Long
	Pileup   pileup.Config `json:"pileup"`   // with which it was trained
	Stream   string        `json:"stream"`   // whose restorer gives the logits
}

// CardData is a Card.
func (s *Samples) CardData() (json.RawMessage, error) {
	e, err := NewEncoder(s.recipe.Encoder, s.set.window)
	if err != nil {
		return nil, err
	}
	return json.Marshal(Card{Task: recipe.TaskReads, Window: s.set.window, Channels: pileup.Channels, Margin: e.Margin(),
		Profile: s.set.cfg.Options[optionProfile], Kind: s.set.kind, Pileup: s.set.pile, Stream: Sequencer})
}

// Views returns the sampler of the recipe's transformation; the same one in every call.
func (s *Samples) Views() (domain.Sampler, error) { return s.sampler() }

func (s *Samples) sampler() (*Sampler, error) {
	s.once.Do(func() {
		s.views = newSampler(s)
		s.rates, s.err = s.views.measure()
	})
	return s.views, s.err
}

// Encoder returns the graph of the recipe's encoder.
func (s *Samples) Encoder() (domain.Encoder, error) {
	e, err := NewEncoder(s.recipe.Encoder, s.set.window)
	if err != nil {
		return nil, err
	}
	if _, err := s.sampler(); err != nil {
		return nil, err
	}
	e.rates = s.rates
	return e, nil
}

// each makes a view and gives it to fn.
func (s *Samples) view(l *island, p domain.Part, i int, params *view.Params) error {
	pt, at, err := s.place(p, i)
	if err != nil {
		return err
	}
	return l.make(pt.ref.bases, pt.block(at), at, params)
}

// uniform draws the noise from the Restorable range.
func (s *settings) noise(r *rand.Rand) float64 { return s.set.Draw(r) }

var (
	_ domain.Samples   = (*Samples)(nil)
	_ domain.Describer = (*Samples)(nil)
	_ domain.Namer     = (*Samples)(nil)
	_ domain.Carder    = (*Samples)(nil)
)
