package selfsame

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/domain/dna"
	"github.com/selfsame-ml/selfsame/domain/dna/genome"
	"github.com/selfsame-ml/selfsame/domain/dna/kmer"
	"github.com/selfsame-ml/selfsame/domain/dna/lineage"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/phylo"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/train"
)

// Files that Tree writes.
const (
	TreeNewick     = "tree.nwk"
	TreePHYLIP     = "distances.phy"
	TreeTSV        = "distances.tsv"
	TreeEmbeddings = "embeddings.npy"
	TreeHidden     = "states.npy"
	TreeStates     = "embeddings.tsv"
	TreeLayers     = "layers.csv"
	TreeScores     = "scores.csv"
	TreeBits       = "bits.csv"
	TreeSVG        = "tree.svg"
	TreeMap        = "map.svg"
	TreeJSON       = "tree.json"
	TreeHTML       = "tree.html"
)

// TreeConfig says which networks a tree is drawn of, and what it is held against. Zero values are the defaults.
type TreeConfig struct {
	Recipe string   // is trained first: Seeds networks in Out/seed-K
	Set    []string // "key=value" overrides of the recipe
	Seeds  int      // 0 is 1
	Runs   []string // finished run directories instead of a recipe, all of the same genomes
	Out    string   // folder of the files; "" is runs/NAME-tree, or RUN/tree of one run

	Reference string            // Newick file; "": nothing is scored
	Groups    map[string]string // species -> clade, for colours
	Choosing  []string          // species of the reference that the layer is chosen on; nil: halves, 60 times
	Variant   *lineage.Variant  // of the tree; see lineage.Config
	// Windows are read of each genome, at most; 0 is TreeWindows. Replicates of the bootstrap; 0 is TreeReplicates, -1 none.
	Windows, Replicates int
	Force               bool // train again what is trained
	NoControls          bool // no untrained networks, words, sketches
	NoBits              bool // no bits per base
	Seed                uint64

	CacheDir string
	Engine   engine.Config
	Command  string            // how to repeat this, for the report
	Event    func(store.Event) // may be nil
}

// Defaults of TreeConfig.
const (
	TreeWindows    = 500
	TreeReplicates = 100
)

const treeRows = 16 // windows of one call of the network: more of them leave the cache

// TreeReport is what a tree was drawn of and what it is worth.
type TreeReport = lineage.Report

// ErrTree: the networks are not of the task genomes, or not of the same ones.
var ErrTree = errors.New("selfsame: no tree")

// Tree trains a language model of genomes unless it is trained, and draws the tree of species that its hidden states give, beside controls: see package
// lineage. It writes the files named above into Out. What took long is kept in Out/states, so that a second call with another reference or another
// variant is quick, and an interrupted one goes on.
func Tree(ctx context.Context, cfg TreeConfig) (*TreeReport, error) {
	t := &treeMaker{cfg: cfg, start: time.Now()}
	if err := t.defaults(); err != nil {
		return nil, err
	}
	var err error
	if t.tree, err = t.reference(); err != nil {
		return nil, err
	}
	t.rep = &TreeReport{
		Format: 1, Version: Version(), Created: time.Now().UTC(), Command: t.cfg.Command, Windows: t.cfg.Windows,
		Replicates: t.cfg.Replicates, Seed: t.cfg.Seed,
	}
	if t.cfg.Reference != "" {
		t.rep.Reference = filepath.Base(t.cfg.Reference)
	}
	if err := t.train(ctx); err != nil {
		return nil, err
	}
	t.rep.Out = t.cfg.Out // which a recipe may have named
	if err := t.engineOf(t.cfg.Runs[0]); err != nil {
		return nil, err
	}
	e, err := engine.Open(t.cfg.Engine)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	t.engine = e
	t.rep.Engine = e.String()
	draw := lineage.Config{Reference: t.tree, Choosing: t.cfg.Choosing, Variant: t.cfg.Variant, Seed: t.cfg.Seed}
	for k, dir := range t.cfg.Runs {
		if err := t.network(ctx, k, dir, &draw); err != nil {
			return nil, err
		}
	}
	if v, n := draw.Variant, draw.Networks[0].Layers; v != nil && v.Layer >= n {
		return nil, fmt.Errorf("%w: layer %d, the networks have 0 to %d", ErrTree, v.Layer, n-1)
	}
	draw.Controls = t.controls
	t.tell("progress", map[string]any{"text": "trees of all variants", "done": 0, "total": 1, "unit": "steps"})
	if t.rep.Result, err = lineage.Draw(ctx, draw); err != nil {
		return nil, t.interrupted(ctx, err)
	}
	t.warnings()
	for _, w := range t.rep.Warnings {
		t.tell("warning", map[string]any{"text": w})
	}
	t.rep.Newick = t.rep.Tree.Newick()
	t.rep.Seconds = time.Since(t.start).Seconds()
	return t.rep, t.write(draw.Networks[0])
}

// ReadTree reads the one tree of a Newick file, plain or gzip.
func ReadTree(path string) (*phylo.Tree, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &dataset.Error{Path: path, Err: err}
	}
	defer f.Close()
	br := bufio.NewReader(f)
	if head, _ := br.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, &dataset.Error{Path: path, Err: err}
		}
		br = bufio.NewReader(z)
	}
	if head, _ := br.Peek(9); bytes.Contains(bytes.ToUpper(head), []byte("#NEXUS")) {
		return nil, &dataset.Error{Path: path, Err: errors.New("a NEXUS file"), Hint: "a tree in the Newick format is wanted: what stands behind the = of its TREE line"}
	}
	trees, err := phylo.ReadNewick(br)
	var syntax *phylo.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, &dataset.Error{Path: path, Record: syntax.Place(), Err: errors.New(syntax.Msg)}
	case err != nil:
		return nil, &dataset.Error{Path: path, Err: err}
	case len(trees) != 1:
		return nil, dataset.Bad(path, "", "%d trees, expected one", len(trees))
	}
	return trees[0], nil
}

// treeMaker is one call of Tree.
type treeMaker struct {
	cfg      TreeConfig
	start    time.Time
	engine   *engine.Engine
	rep      *TreeReport
	anchors  [][]genome.Anchor
	marks    []string // of the genomes
	controls []lineage.Control
	bits     []genome.Score
	tree     *phylo.Tree // the reference
	recipe   string      // hash of what all networks share
}

func (t *treeMaker) tell(kind string, data map[string]any) {
	if t.cfg.Event != nil {
		t.cfg.Event(store.Event{Time: time.Now(), Stage: "tree", Kind: kind, Data: data})
	}
}

func (t *treeMaker) warn(format string, args ...any) {
	t.tell("warning", map[string]any{"text": fmt.Sprintf(format, args...)})
}

func (t *treeMaker) interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ErrInterrupted) {
		return fmt.Errorf("%w while drawing the tree; the states of finished networks are kept", ErrInterrupted)
	}
	return err
}

func (t *treeMaker) defaults() error {
	c := &t.cfg
	orDefault := func(v *int, def, low, high int, what string) error {
		switch {
		case *v == 0:
			*v = def
		case *v < 0:
			*v = 0
		}
		if *v < low || *v > high {
			return fmt.Errorf("%w: %d %s, want %d to %d", ErrTree, *v, what, low, high)
		}
		return nil
	}
	if err := errors.Join(
		orDefault(&c.Windows, TreeWindows, 2, 100_000, "windows of a genome"),
		orDefault(&c.Replicates, TreeReplicates, 0, 10_000, "replicates of the bootstrap"),
		orDefault(&c.Seeds, 1, 1, 1000, "seeds"),
	); err != nil {
		return err
	}
	if (c.Recipe == "") == (len(c.Runs) == 0) {
		return fmt.Errorf("%w: name either a recipe or run directories", ErrTree)
	}
	if v := c.Variant; v != nil && !slices.Contains(lineage.Distances(), v.Distance) {
		return fmt.Errorf("%w: distance %q is not one of %s", ErrTree, v.Distance, strings.Join(lineage.Distances(), ", "))
	}
	if c.Out == "" && len(c.Runs) == 1 {
		c.Out = filepath.Join(c.Runs[0], "tree")
	} else if c.Out == "" && c.Recipe == "" {
		return fmt.Errorf("%w: a tree of %d runs wants a folder of its own (--out)", ErrTree, len(c.Runs))
	}
	return nil
}

func (t *treeMaker) reference() (*phylo.Tree, error) {
	if t.cfg.Reference == "" {
		return nil, nil
	}
	tree, err := ReadTree(t.cfg.Reference)
	if err != nil {
		return nil, err
	}
	if _, err := tree.Taxa(); err != nil {
		return nil, &dataset.Error{Path: t.cfg.Reference, Err: err}
	}
	return tree, nil
}

// train runs the recipe once a seed.
func (t *treeMaker) train(ctx context.Context) error {
	if t.cfg.Recipe == "" {
		return nil
	}
	r, err := recipe.Load(t.cfg.Recipe, all.Specs, t.cfg.Set...)
	if err != nil {
		return err
	}
	if r.Data.Task != recipe.TaskGenomes {
		return fmt.Errorf("%w: the recipe %s is of the task %q, a tree wants data.task %s", ErrTree, t.cfg.Recipe, r.Data.Task, recipe.TaskGenomes)
	}
	if t.cfg.Out == "" {
		name := r.Name
		if name == "" {
			name = "run"
		}
		t.cfg.Out = filepath.Join("runs", name+"-tree")
	}
	// What is wrong with the genomes or the reference shows before anything is trained.
	s, err := dna.OpenGenomes(ctx, r, domain.OpenOptions{CacheDir: t.cfg.CacheDir, Warn: t.warn, Progress: t.progress()})
	if err != nil {
		return t.interrupted(ctx, err)
	}
	err = t.pool(ctx, s, r)
	s.Close()
	if err != nil {
		return t.interrupted(ctx, err)
	}
	seed := r.Seed
	for k := range t.cfg.Seeds {
		r.Seed = seed + uint64(k)
		dir := filepath.Join(t.cfg.Out, fmt.Sprintf("seed-%d", r.Seed))
		if t.cfg.Seeds > 1 {
			t.tell("note", map[string]any{"text": fmt.Sprintf("network %d of %d: %s", k+1, t.cfg.Seeds, dir)})
		}
		if _, err := RunRecipe(ctx, r, Options{Dir: dir, Until: StagePretrain, Force: t.cfg.Force, CacheDir: t.cfg.CacheDir, Event: t.cfg.Event, Command: t.cfg.Command}); err != nil {
			return err
		}
		t.cfg.Runs = append(t.cfg.Runs, dir)
	}
	return nil
}

// engineOf takes the engine of a run's recipe where none is asked for.
func (t *treeMaker) engineOf(dir string) error {
	if t.cfg.Engine != (engine.Config{}) {
		return nil
	}
	r, err := recipe.Load(filepath.Join(dir, store.RecipeFile), all.Specs)
	if err != nil {
		return t.untrained(dir, err)
	}
	t.cfg.Engine = engine.Config{Kind: r.Engine.Kind, Plugin: r.Engine.Plugin, Threads: r.Engine.Threads}
	return nil
}

// untrained is the error of a folder that is no finished run.
func (t *treeMaker) untrained(dir string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w: %s is not the run directory of a trained network (a recipe trains one, in OUT/seed-K; a folder of genomes is named by data.source of a recipe)", ErrTree, dir)
}

// network adds the states of one run, of the untrained network of its seed, and its bits per base.
func (t *treeMaker) network(ctx context.Context, k int, dir string, draw *lineage.Config) error {
	card, err := loadCard(filepath.Join(dir, cardFile))
	if err != nil {
		return t.untrained(dir, err)
	}
	var task genome.Card
	if card.Domain == recipe.DomainDNA {
		if err := json.Unmarshal(card.Data, &task); err != nil {
			return fmt.Errorf("selfsame: %s: card: %w", dir, err)
		}
	}
	if task.Task != recipe.TaskGenomes {
		return fmt.Errorf("%w: %s is not a language model of genomes (domain %s, task %q)", ErrTree, dir, card.Domain, task.Task)
	}
	weights, err := loadWeights(filepath.Join(dir, pretrainFile))
	if err != nil {
		return err
	}
	r, err := recipe.Load(filepath.Join(dir, store.RecipeFile), all.Specs)
	if err != nil {
		return err
	}
	s, err := dna.OpenGenomes(ctx, r, domain.OpenOptions{CacheDir: t.cfg.CacheDir, Warn: t.warnOnce(k), Progress: t.progress()})
	if err != nil {
		return t.interrupted(ctx, err)
	}
	defer s.Close()
	if s.Hash() != card.DataHash {
		return fmt.Errorf("%w: the genomes are not those that %s was trained on", ErrTree, dir)
	}
	if t.anchors == nil {
		if err := t.pool(ctx, s, r); err != nil {
			return t.interrupted(ctx, err)
		}
	} else if marks, _ := genomesOf(s); !slices.Equal(marks, t.marks) {
		return fmt.Errorf("%w: %s is of other genomes than %s", ErrTree, dir, t.cfg.Runs[0])
	} else if r.Data.Size != t.rep.Window {
		return fmt.Errorf("%w: %s has windows of %d bases, %s of %d", ErrTree, dir, r.Data.Size, t.cfg.Runs[0], t.rep.Window)
	}
	digest := train.Digest(weights)
	for j, run := range t.rep.Runs {
		if run.Weights == hex.EncodeToString(digest[:]) {
			return fmt.Errorf("%w: %s and %s hold the same network: they are not two seeds", ErrTree, t.cfg.Runs[j], dir)
		}
	}
	if h := r.Hash("data", "views", "encoder", "objective", "train"); k == 0 {
		t.recipe = h
	} else if h != t.recipe {
		return fmt.Errorf("%w: the recipes of %s and %s differ in more than the seed", ErrTree, t.cfg.Runs[0], dir)
	}
	t.rep.Runs = append(t.rep.Runs, lineage.Run{Dir: dir, Seed: r.Seed, Steps: card.Steps, Bases: card.Steps * r.Train.Batch * r.Data.Size, Weights: hex.EncodeToString(digest[:])})
	sum, err := t.states(ctx, s, fmt.Sprintf("network of seed %d", r.Seed), weights)
	if err != nil {
		return t.interrupted(ctx, err)
	}
	draw.Networks = append(draw.Networks, sum)
	if !t.cfg.NoControls {
		if sum, err = t.states(ctx, s, fmt.Sprintf("untrained network of seed %d", r.Seed), nil); err != nil {
			return t.interrupted(ctx, err)
		}
		draw.Untrained = append(draw.Untrained, sum)
	}
	if t.cfg.NoBits {
		return nil
	}
	return t.interrupted(ctx, t.compare(ctx, s, card.Steps*r.Train.Batch, weights, fmt.Sprintf("%x-%d", digest[:8], t.cfg.Seed)))
}

// warnOnce tells the warnings of the data for the first network only: they are the same for all.
func (t *treeMaker) warnOnce(k int) func(string, ...any) {
	if k > 0 {
		return func(string, ...any) {}
	}
	return t.warn
}

func (t *treeMaker) progress() func(text string, done, total int) {
	var last time.Time
	return func(text string, done, total int) {
		if now := time.Now(); now.Sub(last) > 200*time.Millisecond || done == total {
			last = now
			t.tell("progress", map[string]any{"text": text, "done": done, "total": total, "unit": "steps"})
		}
	}
}

// genomesOf tells the genomes of a pool apart from those of another, and names them.
func genomesOf(s *genome.Samples) (marks, names []string) {
	for _, g := range s.Genomes() {
		marks, names = append(marks, fmt.Sprintf("%s %d %d", g.Name, g.Bases, g.Sequences)), append(names, g.Name)
	}
	return marks, names
}

// pool describes the genomes, chooses the windows, and makes the controls that need no network.
func (t *treeMaker) pool(ctx context.Context, s *genome.Samples, r *recipe.Recipe) error {
	t.rep.Name, t.rep.Window = r.Name, r.Data.Size
	t.rep.Warnings = append(t.rep.Warnings, s.Describe().Warnings...)
	var names []string
	t.marks, names = genomesOf(s)
	if len(names) < 3 {
		return &dataset.Error{Path: r.Data.Source, Err: fmt.Errorf("%d species, a tree wants 3 or more", len(names)), Hint: "the pool is a folder with one FASTA file a species"}
	}
	if t.tree != nil {
		if err := lineage.CheckReference(names, t.tree, t.cfg.Choosing); errors.Is(err, phylo.ErrFewTaxa) {
			return &dataset.Error{Path: t.cfg.Reference, Err: err, Hint: "names in the tree are file names without folder and ending: " + strings.Join(names[:min(4, len(names))], ", ")}
		} else if err != nil {
			return fmt.Errorf("%w: %w", ErrTree, err)
		}
	}
	progress := t.progress()
	words := map[int][][]float64{} // by k: profiles of the genomes
	for k := 1; k <= 8; k++ {
		words[k] = make([][]float64, len(names))
	}
	sketches := make([]*kmer.Sketch, len(names))
	for g, about := range s.Genomes() {
		if err := ctx.Err(); err != nil {
			return err
		}
		progress("windows and words of "+about.Name, g, len(names))
		list, err := s.Anchors(g, t.cfg.Windows, t.cfg.Seed)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return &dataset.Error{Path: about.Path, Err: fmt.Errorf("no window of %d known bases", r.Data.Size), Hint: "a genome shorter than a window cannot be placed: set data.size lower, or leave it out"}
		}
		if len(list) < min(t.cfg.Windows, 50) {
			t.rep.Warnings = append(t.rep.Warnings, fmt.Sprintf("%s gives %d windows of %d bases only: its place is little more than a guess", about.Name, len(list), r.Data.Size))
		}
		t.anchors = append(t.anchors, list)
		one := lineage.Genome{Name: about.Name, Group: t.cfg.Groups[about.Name], Bases: about.Bases, Held: about.Held, Windows: len(list)}
		for k := range words {
			if t.cfg.NoControls && k > 1 {
				continue
			}
			c, err := kmer.NewCounter(k)
			if err != nil {
				return err
			}
			s.Contigs(g, c.Add)
			if words[k][g], err = c.Profile(); err != nil {
				return fmt.Errorf("selfsame: %s: %w", about.Name, err)
			}
		}
		if one.GC, err = kmer.GC(words[1][g]); err != nil {
			return err
		}
		if !t.cfg.NoControls {
			if sketches[g], err = kmer.NewSketch(kmer.SketchK, kmer.SketchSize); err != nil {
				return err
			}
			s.Contigs(g, sketches[g].Add)
		}
		t.rep.Genomes = append(t.rep.Genomes, one)
	}
	if t.cfg.NoControls {
		return nil
	}
	return t.control(names, words, sketches)
}

// control makes the distance matrices of the controls.
func (t *treeMaker) control(names []string, words map[int][][]float64, sketches []*kmer.Sketch) error {
	add := func(family, name string, d func(i, j int) (float64, error)) error {
		m := phylo.NewMatrix(slices.Clone(names))
		for i := range names {
			for j := range i {
				v, err := d(i, j)
				if err != nil {
					return fmt.Errorf("selfsame: %s of %s and %s: %w", name, names[i], names[j], err)
				}
				m.Set(i, j, math.Max(v, 0))
			}
		}
		t.controls = append(t.controls, lineage.Control{Family: family, Name: name, Matrix: m})
		return nil
	}
	if err := add(lineage.FamilyGC, "difference", func(i, j int) (float64, error) {
		return math.Abs(t.rep.Genomes[i].GC - t.rep.Genomes[j].GC), nil
	}); err != nil {
		return err
	}
	for _, k := range []int{4, 6, 8} {
		for _, d := range []struct {
			name string
			of   func(p, q []float64) (float64, error)
		}{{"Jensen-Shannon", kmer.JensenShannon}, {"euclidean", kmer.Euclidean}, {"cosine", kmer.Cosine}} {
			if err := add(lineage.FamilyWords, fmt.Sprintf("k = %d, %s", k, d.name), func(i, j int) (float64, error) { return d.of(words[k][i], words[k][j]) }); err != nil {
				return err
			}
		}
	}
	for _, k := range []int{4, 6, 8} {
		v := make([][]float64, len(names))
		for g := range names {
			var err error
			if v[g], err = kmer.Composition(words[k][g], words[k-1][g], words[k-2][g]); err != nil {
				return fmt.Errorf("selfsame: %s: %w", names[g], err)
			}
		}
		err := add(lineage.FamilyCV, fmt.Sprintf("k = %d, CVTree", k), func(i, j int) (float64, error) { return kmer.CVTree(v[i], v[j]) })
		if errors.Is(err, kmer.ErrEmpty) {
			t.rep.Warnings = append(t.rep.Warnings, fmt.Sprintf("composition vectors of k = %d are left out: %v", k, err))
			continue
		}
		if err != nil {
			return err
		}
	}
	return add(lineage.FamilyMash, fmt.Sprintf("k = %d, s = %d", kmer.SketchK, kmer.SketchSize), func(i, j int) (float64, error) {
		d, _, _, err := sketches[i].Distance(sketches[j])
		return d, err
	})
}

// states summarises the hidden states of one network, or reads what an earlier call has kept. Without weights it is the untrained network of the seed of s.
func (t *treeMaker) states(ctx context.Context, s *genome.Samples, what string, weights map[string]train.Value) (*lineage.Summary, error) {
	enc, err := s.Encoder()
	if err != nil {
		return nil, err
	}
	net := enc.(*genome.Encoder)
	f, err := train.NewForwardMode(t.engine, "genome layers", t.engine.Mode().FP32(), []domain.Field{s.Input()}, treeRows, func(sc *nn.Scope, in map[string]*graph.Node) []*graph.Node {
		states, scores := net.Layers(sc, in[genome.InputName])
		return append(states, scores...)
	})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if weights == nil {
		weights = f.Start(s.Recipe().Seed)
	}
	_, names := genomesOf(s)
	digest := train.Digest(weights)
	h := sha256.New()
	fmt.Fprintf(h, "9 %x %s %q %d %d %d %d %v", digest, s.Hash(), t.marks, t.rep.Window, t.cfg.Windows, t.cfg.Replicates, t.cfg.Seed, s.Recipe().Encoder)
	key := hex.EncodeToString(h.Sum(nil))
	path := filepath.Join(t.cfg.Out, "states", key[:16]+".safetensors")
	if sum, err := readSummary(path, key, names); sum != nil && err == nil {
		return sum, nil
	}
	if err := f.Bind(weights); err != nil {
		return nil, err
	}
	total := 0
	for _, a := range t.anchors {
		total += len(a)
	}
	done, progress := 0, t.progress()
	layers, widths := net.Depth(), f.Widths()
	add := lineage.NewSummariser(names, layers, widths[0], widths[layers], t.cfg.Replicates, t.cfg.Seed)
	for g, list := range t.anchors {
		fill := func(dst []domain.Array, row, i int) error {
			s.FillAnchor(&dst[0], row, g, list[i])
			return ctx.Err()
		}
		err := f.All(len(list), fill, func(i int, out [][]float32) error {
			add.Add(lineage.Window{Key: list[i].Hash, States: out[:layers], Scores: out[layers:]})
			done++
			progress("states of the "+what, done, total)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if err := add.Genome(g); err != nil {
			return nil, err
		}
	}
	sum := add.Summary()
	return sum, writeSummary(path, key, sum)
}

func writeSummary(path, key string, s *lineage.Summary) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("selfsame: %w", err)
	}
	n := len(s.Names)
	windows := make([]float32, n)
	for g, w := range s.Windows {
		windows[g] = float32(w)
	}
	list := []store.Tensor{{Name: "windows", DType: store.F32, Shape: []int{n}, Data: windows}}
	for k, w := range s.Width {
		name := lineage.Kind(k).String()
		list = append(list,
			store.Tensor{Name: name + ".mean", DType: store.F32, Shape: []int{1 + s.Replicates, s.Layers, n, w}, Data: s.Mean[k]},
			store.Tensor{Name: name + ".cov", DType: store.F32, Shape: []int{s.Layers, w, w}, Data: s.Cov[k]})
	}
	return store.SaveTensors(path, list, map[string]string{"key": key})
}

// readSummary gives nil where the file is not there or of something else.
func readSummary(path, key string, names []string) (*lineage.Summary, error) {
	ts, err := store.ReadTensors(path)
	if err != nil || ts.Meta["key"] != key {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, err
	}
	s := &lineage.Summary{Names: names}
	for k := range s.Width {
		name := lineage.Kind(k).String()
		mean := ts.Get(name + ".mean")
		if mean == nil || len(mean.Shape) != 4 || mean.Shape[2] != len(names) {
			return nil, nil
		}
		w := mean.Shape[3]
		s.Replicates, s.Layers, s.Width[k] = mean.Shape[0]-1, mean.Shape[1], w
		if s.Mean[k], err = mean.F32Data(mean.Shape...); err != nil {
			return nil, err
		}
		if s.Cov[k], err = ts.Get(name+".cov").F32Data(s.Layers, w, w); err != nil {
			return nil, err
		}
	}
	windows, err := ts.Get("windows").F32Data(len(names))
	if err != nil {
		return nil, err
	}
	for _, w := range windows {
		s.Windows = append(s.Windows, int(w))
	}
	return s, nil
}

// compare measures bits per base of a network beside Markov models, or reads what an earlier call has kept.
func (t *treeMaker) compare(ctx context.Context, s *genome.Samples, fit int, weights map[string]train.Value, digest string) error {
	path := filepath.Join(t.cfg.Out, "states", digest+".bits.json")
	var scores []genome.Score
	if b, err := os.ReadFile(path); err != nil || json.Unmarshal(b, &scores) != nil || len(scores) == 0 {
		progress := t.progress()
		scores, err = genome.Compare(ctx, genome.Config{
			Engine: t.engine, Samples: s, Weight: func(name string) []float32 { return weights[name].Data }, Order: genome.MaxOrder, Fit: fit, Held: 1000, Seed: t.cfg.Seed,
			Message: func(text string, done, total int) { progress("bits per base: "+text, done, total) },
		})
		if err != nil {
			return err
		}
		b, err := json.Marshal(scores)
		if err != nil {
			return fmt.Errorf("selfsame: %w", err)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("selfsame: %w", err)
		}
		if err := store.WriteBytes(path, b); err != nil {
			return err
		}
	}
	t.bits = append(t.bits, scores...)
	return nil
}

// warnings gathers what a reader must know, and the bits per base of all seeds.
func (t *treeMaker) warnings() {
	r := t.rep
	if len(r.Missing) > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("not in the reference, so in the tree but not scored: %s", strings.Join(r.Missing, ", ")))
	}
	if len(r.Absent) > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("in the reference without a genome: %s", strings.Join(r.Absent, ", ")))
	}
	type group struct{ part, method string }
	var order []group
	values, errs := map[group][]float64{}, map[group]float64{}
	for _, b := range t.bits {
		g := group{b.Part, b.Method}
		if values[g] == nil {
			order = append(order, g)
		}
		values[g] = append(values[g], b.Bits)
		errs[g] += b.Error
	}
	for _, g := range order {
		x := values[g]
		r.Bits = append(r.Bits, lineage.Bits{Part: g.part, Method: g.method, Seeds: len(x), Bits: lineage.SpreadOf(x), Error: errs[g] / float64(len(x))})
	}
}

// write writes all files, each whole or not at all.
func (t *treeMaker) write(first *lineage.Summary) error {
	r := t.rep
	if err := os.MkdirAll(t.cfg.Out, 0o755); err != nil {
		return fmt.Errorf("selfsame: %w", err)
	}
	groups := map[string]string{}
	for _, g := range r.Genomes {
		if g.Group != "" {
			groups[g.Name] = g.Group
		}
	}
	drawn := r.Tree
	if rooted, err := drawn.MidpointRoot(); err == nil {
		drawn = rooted
	}
	for _, f := range []struct {
		name  string
		write func(w io.Writer) error
	}{
		{TreeNewick, func(w io.Writer) error { return phylo.WriteNewick(w, r.Tree) }},
		{TreePHYLIP, func(w io.Writer) error {
			return phylo.WritePHYLIP(w, oneLine(r.Matrix), phylo.PHYLIPOptions{Underscores: true})
		}},
		{TreeTSV, func(w io.Writer) error { return phylo.WriteTSV(w, oneLine(r.Matrix)) }},
		{TreeStates, func(w io.Writer) error { return writeStates(w, first, r.Variant) }},
		{TreeLayers, func(w io.Writer) error { return writeLayers(w, r) }},
		{TreeScores, func(w io.Writer) error { return writeTreeRows(w, r) }},
		{TreeBits, func(w io.Writer) error { return writeBits(w, r) }},
		{TreeSVG, func(w io.Writer) error { return drawn.Ladderize().WriteSVG(w, phylo.DrawOptions{Groups: groups}) }},
		{TreeMap, func(w io.Writer) error { return phylo.WriteMapSVG(w, r.Matrix, phylo.MapOptions{Groups: groups}) }},
		{TreeJSON, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", " ")
			e.SetEscapeHTML(false)
			return e.Encode(r)
		}},
		{TreeHTML, r.WriteHTML},
	} {
		if err := store.WriteFile(filepath.Join(t.cfg.Out, f.name), f.write); err != nil {
			return fmt.Errorf("selfsame: %s: %w", f.name, err)
		}
	}
	if err := t.writeMeans(TreeHidden, first, lineage.State); err != nil {
		return err
	}
	return t.writeMeans(TreeEmbeddings, first, r.Variant.Kind)
}

// writeMeans writes the means of one kind [genomes, layers, width].
func (t *treeMaker) writeMeans(name string, s *lineage.Summary, kind lineage.Kind) error {
	n, err := store.CreateNPY(filepath.Join(t.cfg.Out, name), s.Layers, s.Width[kind])
	if err != nil {
		return err
	}
	defer n.Abort()
	row := make([]float32, 0, s.Layers*s.Width[kind])
	for g := range s.Names {
		row = row[:0]
		for l := range s.Layers {
			row = append(row, s.Of(kind, l, g)...)
		}
		if err := n.Write(row); err != nil {
			return err
		}
	}
	return n.Commit()
}

// oneLine takes tabs and line ends out of names, which matrices in text cannot hold.
func oneLine(m *phylo.Matrix) *phylo.Matrix {
	names := slices.Clone(m.Names)
	for k, n := range names {
		names[k] = lineOf(n)
	}
	return &phylo.Matrix{Names: names, Data: m.Data}
}

func lineOf(name string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || c == '\n' || c == '\r' {
			return ' '
		}
		return c
	}, name)
}

// writeStates writes a line a species: its name and its mean state or score in the layer of the tree, in the first network.
func writeStates(w io.Writer, s *lineage.Summary, v lineage.Variant) error {
	c := csv.NewWriter(w)
	c.Comma = '\t'
	head := []string{"species"}
	for j := range s.Width[v.Kind] {
		head = append(head, fmt.Sprintf("%s%d", v.Kind, j))
	}
	if err := c.Write(head); err != nil {
		return err
	}
	for g, name := range s.Names {
		row := []string{lineOf(name)}
		for _, x := range s.Of(v.Kind, v.Layer, g) {
			row = append(row, strconv.FormatFloat(float64(x), 'g', -1, 32))
		}
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func cell(v phylo.Score) string {
	if f := float64(v); !math.IsNaN(f) {
		return strconv.FormatFloat(f, 'f', 4, 64)
	}
	return ""
}

func spreadCells(list ...lineage.Spread) []string {
	var out []string
	for _, s := range list {
		out = append(out, cell(s.Mean), cell(s.SD))
	}
	return out
}

// writeLayers writes a line a variant.
func writeLayers(w io.Writer, r *TreeReport) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"method", "variant", "seeds", "nrf", "nrf_sd", "nqd", "nqd_sd", "spearman", "spearman_sd"}); err != nil {
		return err
	}
	for _, v := range r.Sweep {
		if err := c.Write(append([]string{v.Family, v.Name, strconv.Itoa(v.Seeds)}, spreadCells(v.All.NRF, v.All.NQD, v.All.Spearman)...)); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// writeBits writes a line a method and part: bits per base.
func writeBits(w io.Writer, r *TreeReport) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"part", "method", "seeds", "bits", "bits_sd", "standard_error"}); err != nil {
		return err
	}
	for _, b := range r.Bits {
		row := append([]string{b.Part, b.Method, strconv.Itoa(b.Seeds)}, spreadCells(b.Bits)...)
		if err := c.Write(append(row, strconv.FormatFloat(b.Error, 'f', 4, 64))); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// writeTreeRows writes a line a method: scores on species that chose nothing, then on all.
func writeTreeRows(w io.Writer, r *TreeReport) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{
		"method", "chosen", "picked", "halves", "variants", "seeds", "held_nrf", "held_nrf_sd", "held_nqd", "held_nqd_sd", "held_spearman", "held_spearman_sd",
		"all_nrf", "all_nrf_sd", "all_nqd", "all_nqd_sd", "all_spearman", "all_spearman_sd",
	}); err != nil {
		return err
	}
	for _, x := range r.Rows {
		row := []string{x.Family, x.Chosen, strconv.Itoa(x.Picked), strconv.Itoa(x.Halves), strconv.Itoa(x.Variants), strconv.Itoa(x.Seeds)}
		row = append(row, spreadCells(x.Held.NRF, x.Held.NQD, x.Held.Spearman, x.All.NRF, x.All.NQD, x.All.Spearman)...)
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}
