package selfsame

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	"golang.org/x/sync/errgroup"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/domain/dna"
	"github.com/selfsame-ml/selfsame/domain/dna/denoise"
	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/train"
)

// calibrationFile holds the calibration of a denoiser in its run directory.
const calibrationFile = "calibration.json"

// DenoiseConfig says which reads are denoised, by what, and how carefully.
type DenoiseConfig struct {
	// Model is a run directory, a model file that ExportDenoiser wrote, the name of a built-in model (illumina, pacbio, nanopore), or
	// "bayes", the baseline without training. "" is illumina.
	Model string
	// In is one FASTQ or FASTA file, or two with the mates of each pair; plain or gzip; "-" is Stdin.
	In []string
	// Out are as many files, written as a whole or not at all; ".gz" compresses; "-" is Stdout. Empty with DryRun.
	Out         []string
	Interleaved bool // the one input holds mates by turns
	Alone       bool // every read by itself, in one pass over the input
	DryRun      bool // change nothing, report only
	// MaxFalse is the most false corrections in a million bases; 0 promises nothing. Where the model's calibration knows no
	// threshold that keeps the promise at its confidence, nothing is changed, and the report says so.
	MaxFalse float64
	// MinPosterior is the least calibrated posterior of a change; 0 is 0.5.
	MinPosterior float64
	Thorough     bool              // ask the network about windows too in which nothing speaks against any base
	MinDepth     int               // leave positions under fewer other reads as they are
	Qualities    denoise.Qualities // "" is "keep"
	Tags         bool              // append "ec:i:N" to headers, N changes
	Changes      string            // TSV file, one line a change; "" is none
	Report       string            // JSON file of the report; "" is none; "-" is Stdout
	Kind         string            // of overlaps: "short" or "long"; "" is the model's ("short" for bayes)
	Threads      int               // 0 is all cores; the output does not depend on it
	Memory       int64             // bytes for the index of overlaps; 0 is 512 MiB
	Tmp          string            // folder of temporary files; "" is the system's
	Seed         uint64            // written to the report; nothing is drawn while denoising
	Engine       engine.Config     // Threads is not used

	Stdin  io.Reader         // nil is os.Stdin
	Stdout io.Writer         // nil is os.Stdout
	Event  func(store.Event) // told of progress and warnings; may be nil
}

// DenoiseReport says what was done.
type DenoiseReport = denoise.Report

// ErrDenoisePaths: inputs and outputs cannot be used together, as one onto the other.
var ErrDenoisePaths = denoise.ErrPaths

// Denoise corrects sequencing reads. Order, names, letter case and pairing stay; lengths change where bases were inserted or
// deleted. On an error or where ctx ends nothing appears under the names of the outputs, and the error says how far it came.
func Denoise(ctx context.Context, cfg DenoiseConfig) (DenoiseReport, error) {
	tell := func(kind string, data map[string]any) {
		if cfg.Event != nil {
			cfg.Event(store.Event{Time: time.Now(), Stage: "denoise", Kind: kind, Data: data})
		}
	}
	warn := func(format string, args ...any) {
		tell("warning", map[string]any{"text": fmt.Sprintf(format, args...)})
	}
	outputs := append([]string{cfg.Changes, cfg.Report}, cfg.Out...)
	if err := denoise.CheckPaths(cfg.In, outputs); err != nil {
		return DenoiseReport{}, err
	}
	m, err := openDenoiser(cfg.Model)
	if err != nil {
		return DenoiseReport{}, err
	}
	policy, err := denoise.Choose(m.calibration, cfg.MinPosterior, cfg.MaxFalse)
	if err != nil {
		return DenoiseReport{}, err
	}
	pile := m.card.Pileup
	switch cfg.Kind {
	case "", m.card.Kind:
	case pileup.Short, pileup.Long:
		pile = pileup.DefaultConfig(cfg.Kind)
		if m.name != denoise.Bayes {
			warn("overlaps are found as of %s reads, the model was trained on %s ones", cfg.Kind, m.card.Kind)
		}
	default:
		return DenoiseReport{}, fmt.Errorf("selfsame: kind of overlaps %q is not %s or %s", cfg.Kind, pileup.Short, pileup.Long)
	}
	net, engineName, free, err := m.network(cfg.Engine)
	if err != nil {
		return DenoiseReport{}, err
	}
	defer free()
	if m.calibration == nil && m.name != denoise.Bayes {
		warn("the model has no calibration: its posteriors are the network's own (selfsame denoise calibrate RUN makes one)")
	}
	if cfg.Qualities == "" {
		cfg.Qualities = denoise.KeepQualities
	}
	if cfg.Stdin == nil {
		cfg.Stdin = os.Stdin
	}
	if cfg.Stdout == nil {
		cfg.Stdout = os.Stdout
	}
	var last time.Time
	tell("start", map[string]any{"text": "model " + m.name})
	rep, err := denoise.Run(ctx, denoise.Config{
		In: cfg.In, Out: cfg.Out, Interleaved: cfg.Interleaved, Alone: cfg.Alone, DryRun: cfg.DryRun, Threads: cfg.Threads, Thorough: cfg.Thorough, MinDepth: cfg.MinDepth,
		Qualities: cfg.Qualities, Tags: cfg.Tags, Changes: cfg.Changes, Memory: cfg.Memory, Tmp: cfg.Tmp, Pileup: pile,
		Network: net, Calibration: m.calibration, Policy: policy, Stdin: cfg.Stdin, Stdout: cfg.Stdout, Warn: warn,
		Progress: func(pass string, done, total int64) {
			if now := time.Now(); now.Sub(last) > 200*time.Millisecond || total > 0 && done == total {
				last = now
				data := map[string]any{"text": pass, "done": done, "unit": "reads"}
				if total > 0 {
					data["total"] = total
				}
				tell("progress", data)
			}
		},
	})
	if err != nil {
		return DenoiseReport{}, err
	}
	rep.Version, rep.Engine, rep.Seed, rep.Model, rep.Sum, rep.MaxFalsePerMb = Version(), engineName, cfg.Seed, m.name, m.sum, cfg.MaxFalse
	if rep.Reads > 0 && m.card.Kind == pileup.Short && cfg.Kind != pileup.Long && rep.Bases/rep.Reads > 1000 {
		text := fmt.Sprintf("the reads are %d bases long in the mean, the model %s is for short ones", rep.Bases/rep.Reads, m.name)
		rep.Warnings = append(rep.Warnings, text)
		warn("%s", text)
	}
	tell("end", map[string]any{"seconds": rep.Seconds})
	if cfg.Report == "" {
		return *rep, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false) // "A>C"
	if err = enc.Encode(rep); err != nil {
		return *rep, fmt.Errorf("selfsame: report: %w", err)
	}
	if cfg.Report == "-" {
		_, err = cfg.Stdout.Write(b.Bytes())
	} else {
		err = writeReport(cfg.Report, b.Bytes())
	}
	if err != nil {
		return *rep, fmt.Errorf("selfsame: the reads are written, the report is not: %w", err)
	}
	return *rep, nil
}

// writeReport writes a file whole or not at all; devices and pipes are written directly.
func writeReport(path string, b []byte) error {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() && !st.IsDir() {
		return os.WriteFile(path, b, 0o644)
	}
	return store.WriteBytes(path, b)
}

// denoiser is a loaded model of reads.
type denoiser struct {
	name        string
	sum         string // sha256 of the weights
	encoder     recipe.Encoder
	card        dna.Card
	model       Card
	weights     map[string]train.Value
	calibration *denoise.Calibration
}

// DefaultDenoiser is the model that is taken where none is named.
const DefaultDenoiser = "illumina"

// openDenoiser loads a model by name or path.
func openDenoiser(name string) (*denoiser, error) {
	if name == "" {
		name = DefaultDenoiser
	}
	if name == denoise.Bayes {
		return &denoiser{name: name, card: dna.Card{Kind: pileup.Short, Pileup: pileup.DefaultConfig(pileup.Short)}}, nil
	}
	if b, ok := denoise.Model(name); ok {
		return readDenoiser(name, b)
	}
	st, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(name, `/\.`) {
		return nil, fmt.Errorf("%w: %s is neither a run directory, nor a model file, nor one of the models of this build: %s", ErrStage, name, strings.Join(DenoiserNames(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("selfsame: model: %w", err)
	}
	if st.IsDir() {
		return loadDenoiser(name)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("selfsame: model: %w", err)
	}
	return readDenoiser(name, b)
}

// DenoiserNames lists the models of reads that this build holds.
func DenoiserNames() []string { return append(denoise.Models(), denoise.Bayes) }

// loadDenoiser reads a run directory.
func loadDenoiser(dir string) (*denoiser, error) {
	card, err := loadCard(filepath.Join(dir, cardFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %s holds no trained model: %w", ErrStage, dir, err)
	}
	weights, err := loadWeights(filepath.Join(dir, pretrainFile))
	if err != nil {
		return nil, err
	}
	m := &denoiser{name: dir, model: *card, weights: weights}
	b, err := os.ReadFile(filepath.Join(dir, calibrationFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("selfsame: %w", err)
	default:
		if m.calibration, err = denoise.ParseCalibration(b); err != nil {
			return nil, fmt.Errorf("selfsame: %s: %w", filepath.Join(dir, calibrationFile), err)
		}
	}
	return m, m.bind()
}

// The metadata of a model file.
const (
	metaCard        = "selfsame.card"
	metaCalibration = "selfsame.calibration"
)

// readDenoiser reads a model file.
func readDenoiser(name string, b []byte) (*denoiser, error) {
	ts, err := store.DecodeTensors(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("selfsame: model %s: %w", name, err)
	}
	m := &denoiser{name: name}
	text, ok := ts.Meta[metaCard]
	if !ok {
		return nil, fmt.Errorf("selfsame: model %s has no card: it was not written by selfsame denoise export (a run is named by its directory)", name)
	}
	if err := json.Unmarshal([]byte(text), &m.model); err != nil {
		return nil, fmt.Errorf("selfsame: model %s: card: %w", name, err)
	}
	if m.weights, err = valuesOf(ts); err != nil {
		return nil, fmt.Errorf("selfsame: model %s: %w", name, err)
	}
	if text, ok := ts.Meta[metaCalibration]; ok {
		if m.calibration, err = denoise.ParseCalibration([]byte(text)); err != nil {
			return nil, fmt.Errorf("selfsame: model %s: %w", name, err)
		}
	}
	return m, m.bind()
}

// bind checks that the model is one of reads.
func (m *denoiser) bind() error {
	if m.model.Domain != recipe.DomainDNA {
		return fmt.Errorf("%w: the model %s is of the domain %s, denoise wants %s", ErrStage, m.name, m.model.Domain, recipe.DomainDNA)
	}
	if err := json.Unmarshal(m.model.Data, &m.card); err != nil {
		return fmt.Errorf("selfsame: model %s: card: %w", m.name, err)
	}
	if m.card.Task != recipe.TaskReads {
		return fmt.Errorf("%w: the model %s is for the task %q, denoise wants %s", ErrStage, m.name, m.card.Task, recipe.TaskReads)
	}
	if m.card.Channels != pileup.Channels {
		return fmt.Errorf("selfsame: model %s reads %d features a position, this build makes %d: train it again", m.name, m.card.Channels, pileup.Channels)
	}
	m.encoder = m.model.Encoder
	d := train.Digest(m.weights)
	m.sum = hex.EncodeToString(d[:])
	return nil
}

// denoiseRows is the number of windows of one call of the network.
const denoiseRows = 64

// graph builds the logits [windows, Window, denoise.Logits].
func (m *denoiser) graph() (domain.Field, train.ForwardFunc, error) {
	field := domain.Field{Name: dna.InputName, DType: domain.F32, Dims: []int{m.card.Window, m.card.Channels}}
	enc, err := dna.NewEncoder(m.encoder, m.card.Window)
	if err != nil {
		return field, nil, fmt.Errorf("selfsame: model %s: %w", m.name, err)
	}
	return field, func(s *nn.Scope, in map[string]*graph.Node) []*graph.Node {
		return []*graph.Node{enc.Logits(s, in[dna.InputName])}
	}, nil
}

// network opens an engine for the model. Every worker has a compiled network of its own that computes on one thread, so that the
// results do not depend on how many there are.
func (m *denoiser) network(cfg engine.Config) (net *denoise.Network, engineName string, free func(), err error) {
	if m.name == denoise.Bayes {
		return denoise.NewBayes(), "none", func() {}, nil
	}
	cfg.Threads = 0
	e, err := engine.Open(cfg)
	if err != nil {
		return nil, "", nil, err
	}
	if e.Kind() == engine.Go {
		e.Close()
		cfg.Kind, cfg.Threads = engine.Go, 1
		if e, err = engine.Open(cfg); err != nil {
			return nil, "", nil, err
		}
	}
	mode := e.Mode()
	if cfg.Precision != engine.BF16 {
		mode = mode.FP32()
	}
	field, fn, err := m.graph()
	if err != nil {
		e.Close()
		return nil, "", nil, err
	}
	size, width := m.card.Window*m.card.Channels, m.card.Window*denoise.Logits
	net = &denoise.Network{Name: m.name, Window: m.card.Window, Channels: m.card.Channels, Margin: m.card.Margin, Rows: denoiseRows,
		Open: func() (denoise.Forward, func(), error) {
			f, err := train.NewForwardMode(e, "denoise", mode, []domain.Field{field}, denoiseRows, fn)
			if err != nil {
				return nil, nil, err
			}
			if err := f.Bind(m.weights); err != nil {
				f.Close()
				return nil, nil, err
			}
			if w := f.Widths(); len(w) != 1 || w[0] != width {
				f.Close()
				return nil, nil, fmt.Errorf("selfsame: model %s gives %v values a window, want %d", m.name, w, width)
			}
			return func(x []float32, windows int, out []float32) error {
				if windows < 1 || windows > denoiseRows || len(x) != windows*size || len(out) != windows*width {
					return fmt.Errorf("selfsame: %d windows of %d values into %d, want at most %d of %d", windows, len(x), len(out), denoiseRows, size)
				}
				dst := f.Slot().Arrays[0].F32
				clear(dst[copy(dst, x):])
				got, err := f.Run()
				if err != nil {
					return err
				}
				copy(out, got[0])
				return nil
			}, f.Close, nil
		}}
	return net, e.String(), e.Close, nil
}

// CalibrateConfig says how a denoiser is calibrated.
type CalibrateConfig struct {
	Windows  int // simulated windows of held-out stretches of the reference; 0 is 40,000
	Seed     uint64
	CacheDir string
	Engine   engine.Config
	Event    func(store.Event) // may be nil
}

// CalibrateDenoiser makes calibration.json in a run directory: windows of reads are simulated from the validation part of the run's
// reference, which training has not seen, and the network's posteriors on them are held against the truth. The audit stage of a
// run does the same.
func CalibrateDenoiser(ctx context.Context, dir string, cfg CalibrateConfig) (*denoise.Calibration, error) {
	m, err := loadDenoiser(dir)
	if err != nil {
		return nil, err
	}
	r, err := recipe.Load(filepath.Join(dir, store.RecipeFile), all.Specs)
	if err != nil {
		return nil, err
	}
	warn := func(format string, args ...any) {
		if cfg.Event != nil {
			cfg.Event(store.Event{Time: time.Now(), Stage: "calibrate", Kind: "warning", Data: map[string]any{"text": fmt.Sprintf(format, args...)}})
		}
	}
	s, err := dna.Open(ctx, r, domain.OpenOptions{CacheDir: cfg.CacheDir, Warn: warn})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if s.Hash() != m.model.DataHash {
		return nil, fmt.Errorf("%w: the reference is not the one that %s was trained on", ErrStage, dir)
	}
	return m.calibrate(ctx, dir, s, cfg)
}

// calibrate writes calibration.json of the model in dir on the validation part of s.
func (m *denoiser) calibrate(ctx context.Context, dir string, s *dna.Samples, cfg CalibrateConfig) (*denoise.Calibration, error) {
	n := s.Len(domain.Val)
	if n < 2 {
		return nil, fmt.Errorf("%w: the validation part (data.val) has %d windows, calibration wants 2 or more", ErrStage, n)
	}
	if cfg.Windows == 0 {
		cfg.Windows = 40_000
	}
	if cfg.Windows < 0 {
		return nil, fmt.Errorf("selfsame: calibration on %d windows", cfg.Windows)
	}
	net, _, free, err := m.network(cfg.Engine)
	if err != nil {
		return nil, err
	}
	defer free()
	views, err := s.Views()
	if err != nil {
		return nil, err
	}
	t, ok := views.Transforms()[0].(truther)
	if !ok {
		return nil, errors.New("selfsame: the transformation of reads tells no truth")
	}
	fit := &denoise.Fitter{Bound: metric.ClopperPearsonUpper}
	if err := m.held(ctx, net, t, n, fit, cfg); err != nil {
		return nil, err
	}
	c, err := fit.Fit(fmt.Sprintf("%d windows of the validation part, profile %s, seed %d", cfg.Windows, m.card.Profile, cfg.Seed))
	if err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return nil, fmt.Errorf("selfsame: calibration: %w", err)
	}
	return c, store.WriteBytes(filepath.Join(dir, calibrationFile), append(b, '\n'))
}

// calibrateWindows is the number of windows of calibration for each draw of the audit.
const calibrateWindows = 20

// calibrate is the part of the audit that denoisers of reads have: it gives the files that it wrote.
func (l *line) calibrate() ([]string, error) {
	s, ok := l.samples.(*dna.Samples)
	if !ok {
		return nil, nil
	}
	if s.Len(domain.Val) < 2 {
		l.text(StageAudit, "warning", "there is no validation part (data.val), so the posteriors of the denoiser are not calibrated")
		return nil, nil
	}
	m, err := loadDenoiser(l.dir.Path())
	if err != nil {
		return nil, err
	}
	report := l.progress(StageAudit, "windows")
	c, err := m.calibrate(l.ctx, l.dir.Path(), s, CalibrateConfig{Windows: calibrateWindows * max(1, l.r.Audit.Samples), Seed: l.r.Seed,
		Engine: engine.Config{Kind: l.engine.Kind(), Plugin: l.engine.Plugin()}, Event: func(e store.Event) {
			if done, ok := e.Data["done"].(int); ok {
				report("calibration", done, e.Data["total"].(int))
			}
		}})
	if err != nil {
		return nil, err
	}
	for _, p := range c.Promises {
		if p.Threshold == 0.9 {
			l.text(StageAudit, "note", "depth %s: changes of posterior 0.9 or more correct %.3f of the errors, with %.1f false corrections per Mb (at most %.1f)", p.Depth, p.Found, p.PerMb, p.UpperPerMb)
		}
	}
	return []string{calibrationFile}, nil
}

// held feeds a fitter with windows of the validation part. Its two halves of the genome give the two halves of the calibration.
func (m *denoiser) held(ctx context.Context, net *denoise.Network, t truther, places int, fit *denoise.Fitter, cfg CalibrateConfig) error {
	forward, done, err := net.Open()
	if err != nil {
		return err
	}
	defer done()
	size := m.card.Window * m.card.Channels
	x := domain.Array{F32: make([]float32, net.Rows*size)}
	clean, mask := domain.Array{U8: make([]uint8, net.Rows*m.card.Window*2)}, domain.Array{U8: make([]uint8, net.Rows*m.card.Window)}
	out := make([]float32, net.Rows*m.card.Window*denoise.Logits)
	place := make([]int, net.Rows)
	var last time.Time
	for base := 0; base < cfg.Windows; base += net.Rows {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("selfsame: calibration stopped after %d of %d windows: %w", base, cfg.Windows, err)
		}
		n := min(net.Rows, cfg.Windows-base)
		var g errgroup.Group
		g.SetLimit(runtime.GOMAXPROCS(0))
		for row := range n {
			g.Go(func() error {
				k := base + row
				i := rng.New(cfg.Seed, rng.Probe, calibrationKey, uint64(k)).IntN(places)
				place[row] = i
				p := t.Draw(cfg.Seed^calibrationKey, uint64(k), i)
				if err := t.Fill(&x, row, domain.Val, i, p); err != nil {
					return err
				}
				return t.Truth(&clean, &mask, row, domain.Val, i, p)
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if err := forward(x.F32[:n*size], n, out[:n*m.card.Window*denoise.Logits]); err != nil {
			return err
		}
		w := m.card.Window
		for row := range n {
			half := denoise.FitHalf
			if 2*place[row] >= places {
				half = denoise.CheckHalf
			}
			err := fit.AddWindow(half, x.F32[row*size:(row+1)*size], clean.U8[row*w*2:(row+1)*w*2], mask.U8[row*w:(row+1)*w], out[row*w*denoise.Logits:(row+1)*w*denoise.Logits])
			if err != nil {
				return err
			}
		}
		if now := time.Now(); cfg.Event != nil && (now.Sub(last) > 200*time.Millisecond || base+n == cfg.Windows) {
			last = now
			cfg.Event(store.Event{Time: now, Stage: "calibrate", Kind: "progress", Data: map[string]any{"done": base + n, "total": cfg.Windows, "unit": "windows"}})
		}
	}
	return nil
}

// calibrationKey keeps the draws of calibration apart from those of training and audit.
const calibrationKey = 0xca1b

// truther is a transformation with known truth.
type truther interface {
	domain.Transformation
	domain.Truther
}

// ExportDenoiser writes the model of a run as one file: weights, card and calibration. Built-in models are such files.
func ExportDenoiser(dir, path string) error {
	m, err := loadDenoiser(dir)
	if err != nil {
		return err
	}
	field, fn, err := m.graph()
	if err != nil {
		return err
	}
	e, err := engine.Open(engine.Config{Kind: engine.Go, Threads: 1})
	if err != nil {
		return err
	}
	defer e.Close()
	f, err := train.NewForwardMode(e, "denoise", e.Mode().FP32(), []domain.Field{field}, 1, fn)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Bind(m.weights); err != nil {
		return err
	}
	used := map[string]train.Value{} // no projector, no heads of other streams
	for _, d := range f.Decls() {
		used[d.Name] = m.weights[d.Name]
	}
	card, err := json.Marshal(m.model)
	if err != nil {
		return fmt.Errorf("selfsame: card: %w", err)
	}
	meta := map[string]string{metaCard: string(card)}
	if m.calibration != nil {
		b, err := json.Marshal(m.calibration)
		if err != nil {
			return fmt.Errorf("selfsame: calibration: %w", err)
		}
		meta[metaCalibration] = string(b)
	}
	return store.SaveTensors(path, tensorsOf(used), meta)
}
