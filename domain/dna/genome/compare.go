package genome

import (
	"context"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
)

// Config of a comparison.
type Config struct {
	Engine  *engine.Engine
	Samples *Samples
	// Weight gives the values of a weight by its name in pretraining ("encoder/...", "restorer/next/..."), nil where there is none. A nil
	// Weight leaves the network out.
	Weight  func(name string) []float32
	Order   int // of the Markov models: 0..Order, at most MaxOrder
	Fit     int // windows that the Markov models are fitted on: as many as the network was trained on (steps * batch)
	Held    int // windows looked at in each held-out part; 0 is 2,000
	Seed    uint64
	Rows    int // windows the network takes at once; 0 is 16
	Message func(text string, done, total int)
}

// Score is what one method says of one part.
type Score struct {
	Method string  `json:"method"` // "network", "markov-K", "composition"
	Part   string  `json:"part"`   // "windows" (validation part), "test windows", "species" (held-out ones)
	Bits   float64 `json:"bits"`   // per base
	Error  float64 `json:"error"`  // standard error over windows
	Bases  int     `json:"bases"`
}

// Compare measures bits per base of the network, of Markov models fitted on the same training windows, and of the composition of the pool, on
// the same held-out windows, each on the strand and at the place that a draw gives.
func Compare(ctx context.Context, cfg Config) ([]Score, error) {
	s := cfg.Samples
	if cfg.Held <= 0 {
		cfg.Held = 2000
	}
	if cfg.Rows <= 0 {
		cfg.Rows = 16
	}
	if cfg.Message == nil {
		cfg.Message = func(string, int, int) {}
	}
	cfg.Message("markov models", 0, 3)
	m, err := s.FitMarkov(cfg.Order, cfg.Fit, cfg.Seed)
	if err != nil {
		return nil, err
	}
	var out []Score
	for k, p := range []domain.Part{domain.Val, domain.Test} {
		n := min(s.Len(p), cfg.Held)
		if n == 0 {
			continue
		}
		name := [...]string{domain.Val: "windows", domain.Test: "test windows"}[p]
		if p == domain.Test && s.pool[s.owner[p][0]].Held {
			name = "species"
		}
		cfg.Message(name, k+1, 3)
		rows := rng.New(cfg.Seed, rng.Probe, 11, uint64(p)).Perm(s.Len(p))[:n]
		h := held{cfg: cfg, part: p, rows: rows}
		if cfg.Weight != nil {
			if err := h.network(ctx); err != nil {
				return nil, err
			}
			out = append(out, h.score("network", name))
		}
		if err := h.markov(ctx, m, func(k int) { out = append(out, h.score(fmt.Sprintf("markov-%d", k), name)) }); err != nil {
			return nil, err
		}
		if err := h.composition(); err != nil {
			return nil, err
		}
		out = append(out, h.score("composition", name))
	}
	return out, nil
}

// held are the held-out windows of one part, and what the method at hand says of each: bits and bases.
type held struct {
	cfg  Config
	part domain.Part
	rows []int
	bits []float64
	n    []int
}

func (h *held) reset() { h.bits, h.n = make([]float64, len(h.rows)), make([]int, len(h.rows)) }

// view writes tokens (unless nil), bases and mask of window i.
func (h *held) view(i int, tokens, clean, mask []uint8) error {
	p := h.cfg.Samples.views.transforms[0].Draw(h.cfg.Seed, 1<<41, h.rows[i])
	part := h.cfg.Samples.parts[h.part]
	if tokens != nil {
		if err := part.view(tokens, 0, h.rows[i], &p); err != nil {
			return err
		}
	}
	return part.target(clean, mask, 0, h.rows[i], &p)
}

// score is the mean over bases, and the standard error of a ratio of sums over windows (Cochran 1977, eq. 2.46).
func (h *held) score(method, part string) Score {
	var bits, n float64
	for i := range h.bits {
		bits, n = bits+h.bits[i], n+float64(h.n[i])
	}
	mean := bits / max(n, 1)
	var v float64
	for i := range h.bits {
		d := h.bits[i] - mean*float64(h.n[i])
		v += d * d
	}
	k := float64(len(h.bits))
	return Score{Method: method, Part: part, Bits: mean, Error: math.Sqrt(v*k/max(k-1, 1)) / max(n, 1), Bases: int(n)}
}

func (h *held) composition() error {
	h.reset()
	w := h.cfg.Samples.window
	clean, mask := make([]uint8, w), make([]uint8, w)
	for i := range h.rows {
		if err := h.view(i, nil, clean, mask); err != nil {
			return err
		}
		for j, c := range clean {
			if mask[j] != 0 {
				h.bits[i] -= math.Log2(h.cfg.Samples.base[c])
				h.n[i]++
			}
		}
	}
	return nil
}

// markov calls done after h holds the scores of order k.
func (h *held) markov(ctx context.Context, m *Markov, done func(k int)) error {
	w := h.cfg.Samples.window
	clean, mask := make([]uint8, w), make([]uint8, w)
	all := make([][]float64, len(h.rows))
	h.reset()
	for i := range h.rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := h.view(i, nil, clean, mask); err != nil {
			return err
		}
		all[i] = make([]float64, m.Order+1)
		h.n[i] = m.Bits(all[i], clean, mask)
	}
	for k := range m.Order + 1 {
		for i := range all {
			h.bits[i] = all[i][k]
		}
		done(k)
	}
	return nil
}

// network runs the trained network in fp32.
func (h *held) network(ctx context.Context) error {
	h.reset()
	s, rows := h.cfg.Samples, h.cfg.Rows
	enc, err := NewEncoder(s.recipe.Encoder, s.window, s.base)
	if err != nil {
		return err
	}
	var net *nn.Net
	p, err := h.cfg.Engine.CompileMode("genome compare", h.cfg.Engine.Mode().FP32(), func(g *graph.Graph) []*graph.Node {
		net = nn.NewNet(g, false, nil)
		of := func(name string) *graph.Node {
			return graph.Parameter(g, name, shapes.Make(dtypes.Uint8, rows, s.window))
		}
		sc := net.Scope()
		loss, _ := enc.Restore(sc.In("restorer").In(Next), enc.Encode(sc.In("encoder"), of("batch/input")), of("batch/clean"), of("batch/mask"))
		return []*graph.Node{loss}
	})
	if err != nil {
		return fmt.Errorf("genome: %w", err)
	}
	defer p.Finalize()
	batch := map[string][]uint8{}
	args := make([]any, len(p.Names()))
	for i, name := range p.Names() {
		switch name {
		case "batch/input", "batch/clean", "batch/mask":
			batch[name] = make([]uint8, rows*s.window)
			args[i] = batch[name]
		default:
			v := h.cfg.Weight(name)
			for _, d := range net.Decls() {
				if d.Name == name && d.Size() != len(v) {
					return fmt.Errorf("genome: weight %s has %d values, want %d (%s)", name, len(v), d.Size(), recipe.TaskGenomes)
				}
			}
			args[i] = v
		}
	}
	for from := 0; from < len(h.rows); from += rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(rows, len(h.rows)-from)
		for r := range n {
			of := func(name string) []uint8 { return batch[name][r*s.window : (r+1)*s.window] }
			if err := h.view(from+r, of("batch/input"), of("batch/clean"), of("batch/mask")); err != nil {
				return err
			}
			for _, m := range of("batch/mask") {
				h.n[from+r] += int(m)
			}
		}
		out, err := p.Floats(args...)
		if err != nil {
			return fmt.Errorf("genome: %w", err)
		}
		for r := range n {
			h.bits[from+r] = Bits(float64(out[0][r])) * float64(h.n[from+r])
		}
	}
	return nil
}
