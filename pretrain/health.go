package pretrain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/objective"
	"github.com/selfsame-ml/selfsame/train"
)

// Health is one look at the encoder while it trains.
type Health struct {
	Step          int      `json:"step"`
	Epoch         float64  `json:"epoch"`
	EffectiveRank float64  `json:"effective_rank"` // exp of the entropy of the singular values (Roy & Vetterli 2007), 1..Dim
	Dim           int      `json:"dim"`
	Spread        float64  `json:"spread"`      // standard deviation of the normalised features times sqrt(dim): 1 well spread, 0 collapsed
	Projections   *float64 `json:"projections"` // spread of the projections that the loss sees; nil before the first step
	Alignment     *float64 `json:"alignment"`   // mean squared distance of two views (Wang & Isola 2020); nil without an Invariant stream
	Uniformity    float64  `json:"uniformity"`  // log mean exp(-2 d^2) (Wang & Isola 2020): 0 collapsed, lower is better
	KNN           *float64 `json:"knn"`         // accuracy inside the validation part, labels of that part only; nil without labels
	Verdict       string   `json:"verdict"`     // "healthy", "at risk", "collapsed"
	Why           string   `json:"why"`
}

// The words of a health verdict.
const (
	Healthy   = "healthy"
	AtRisk    = "at risk"
	Collapsed = "collapsed"
)

// judge names the state: collapse as objective.Health does, and, after the first look, a fall to a
// fraction of the untrained encoder's values as a risk.
func (w *watch) judge(h *Health, m objective.Health) {
	first := w.first
	if w.places {
		h.Verdict, h.Why = Healthy, fmt.Sprintf("every place of a sample is restored by itself, so that features of whole samples need not differ (effective rank %.1f of %d, spread %.2f)", h.EffectiveRank, h.Dim, h.Spread)
		return
	}
	switch word := m.Verdict(); {
	case word != objective.Healthy && h.Step == 0: // nothing has been trained that could have collapsed
		h.Verdict, h.Why = AtRisk, "the untrained encoder hardly tells the samples apart: "+strings.TrimPrefix(m.String(), "collapse ")
	case word != objective.Healthy:
		h.Verdict, h.Why = Collapsed, m.String()
	case fell(h.Projections, w.projections, 10):
		h.Verdict, h.Why = Collapsed, fmt.Sprintf("spread of the projections fell from %.3f to %.3f: all samples look alike to the loss", *w.projections, *h.Projections)
	case fell(h.Projections, w.projections, 4):
		h.Verdict, h.Why = AtRisk, fmt.Sprintf("spread of the projections fell from %.3f to %.3f", *w.projections, *h.Projections)
	case first != nil && h.Spread < first.Spread/4:
		h.Verdict, h.Why = AtRisk, fmt.Sprintf("spread fell from %.3f to %.3f", first.Spread, h.Spread)
	case first != nil && h.EffectiveRank < first.EffectiveRank/2:
		h.Verdict, h.Why = AtRisk, fmt.Sprintf("effective rank fell from %.1f to %.1f", first.EffectiveRank, h.EffectiveRank)
	default:
		h.Verdict, h.Why = Healthy, fmt.Sprintf("effective rank %.1f of %d, spread %.2f", h.EffectiveRank, h.Dim, h.Spread)
	}
}

// baseline is the name of the first look in a checkpoint, [3]: spread of the projections at the first
// step, spread and effective rank of the untrained encoder. A resumed run is held against them too.
const baseline = "watch/first"

// keep adds the first look to a state that is about to be saved.
func (w *watch) keep(st *train.State) {
	if w.first != nil && w.projections != nil {
		st.Values[baseline] = train.Value{Dims: []int{3}, Data: []float32{float32(*w.projections), float32(w.first.Spread), float32(w.first.EffectiveRank)}}
	}
}

// restore takes the first look out of a saved state.
func (w *watch) restore(st *train.State) {
	if v := st.Values[baseline].Data; len(v) == 3 {
		p := float64(v[0])
		w.projections, w.first = &p, &Health{Spread: float64(v[1]), EffectiveRank: float64(v[2])}
	}
	delete(st.Values, baseline)
}

func fell(now, first *float64, times float64) bool {
	return now != nil && first != nil && *now < *first/times
}

// How many samples a look takes.
const (
	watchRows  = 250
	watchVal   = 1000
	watchPairs = 500
)

// watch computes Health values with the current weights of a step.
type watch struct {
	cfg         Config
	forward     *train.Forward
	dim         int
	val         []int // rows of the validation part (the training part where there is none)
	part        domain.Part
	labels      []int32 // the known ones of val
	labelled    []int   // which of val they belong to
	views       func(dst *domain.Array, row, i, v int) error
	nPairs      int
	first       *Health
	projections *float64 // at the first step
	places      bool     // only places of samples are restored (domain.Truther): no collapse can be seen in features of whole ones
}

func newWatch(cfg Config, m *Model, sampler domain.Sampler) (*watch, error) {
	w := &watch{cfg: cfg, dim: m.Encoder.Dim(), part: domain.Val}
	if cfg.Samples.Len(domain.Val) == 0 {
		w.part = domain.Train
	}
	n := cfg.Samples.Len(w.part)
	w.val = rng.New(cfg.Recipe.Seed, rng.Probe, 1).Perm(n)[:min(n, watchVal)]
	if w.part == domain.Val { // training labels are never asked for here
		if l := cfg.Samples.Labels(domain.Val); l != nil {
			for k, i := range w.val {
				if l[i] >= 0 {
					w.labels, w.labelled = append(w.labels, l[i]), append(w.labelled, k)
				}
			}
		}
	}
	w.places = len(m.Streams) > 0
	for _, st := range m.Streams {
		truther := slices.ContainsFunc(sampler.Transforms(), func(t domain.Transformation) bool {
			_, ok := t.(domain.Truther)
			return ok && t.Config().Name == st.Name
		})
		w.places = w.places && st.Kind == contract.Restorable && truther
	}
	input := cfg.Samples.Input()
	var err error
	w.forward, err = train.NewForward(cfg.Engine, "health", []domain.Field{input}, watchRows, encodeInput(m.Encoder, input.Name))
	if err != nil {
		return nil, err
	}
	return w, w.drawPairs(m, sampler)
}

// drawPairs keeps two views of some training samples, as the Invariant stream gives them in epoch 0.
func (w *watch) drawPairs(m *Model, sampler domain.Sampler) error {
	var st *domain.Stream
	for i := range m.Streams {
		if m.Streams[i].Kind == contract.Invariant {
			st = &m.Streams[i]
		}
	}
	if st == nil {
		return nil
	}
	fields := sampler.Fields()
	at := slices.IndexFunc(fields, func(f domain.Field) bool { return f.Name == st.Input })
	if at < 0 {
		return fmt.Errorf("pretrain: stream %q names no field %q", st.Name, st.Input)
	}
	dst := make([]domain.Array, len(fields))
	for i, f := range fields {
		dst[i] = domain.NewArray(f, 1)
	}
	w.nPairs = min(w.cfg.Samples.Len(domain.Train), watchPairs)
	one := domain.Field{DType: fields[at].DType, Dims: fields[at].Dims[1:]} // a view
	store := domain.NewArray(one, w.nPairs*st.Views)
	scratch := sampler.NewScratch()
	for i := range w.nPairs {
		if err := sampler.Fill(dst, 0, w.cfg.Recipe.Seed, 0, i, scratch); err != nil {
			return err
		}
		for v := range st.Views {
			domain.CopyRow(one, &store, i*st.Views+v, &dst[at], v)
		}
	}
	w.views = func(d *domain.Array, row, i, v int) error {
		domain.CopyRow(one, d, row, &store, i*st.Views+v)
		return nil
	}
	return nil
}

// embed returns n rows of features, flat.
func (w *watch) embed(n int, fill func(dst *domain.Array, row, i int) error) ([]float32, error) {
	out := make([]float32, n*w.dim)
	err := w.forward.All(n, func(dst []domain.Array, row, i int) error { return fill(&dst[0], row, i) },
		func(i int, o [][]float32) error { copy(out[i*w.dim:(i+1)*w.dim], o[0]); return nil })
	return out, err
}

func (w *watch) check(s *train.Step, perEpoch int, projections *float64) (Health, error) {
	h := Health{Projections: projections, Step: s.Steps(), Epoch: float64(s.Steps()) / float64(perEpoch), Dim: w.dim}
	if err := w.forward.BindStep(s); err != nil {
		return h, err
	}
	x, err := w.embed(len(w.val), func(dst *domain.Array, row, i int) error {
		return w.cfg.Samples.Fill(dst, row, w.part, w.val[i])
	})
	if err != nil {
		return h, err
	}
	m, err := objective.Measure(x, nil, w.dim)
	if err != nil {
		return h, err
	}
	h.EffectiveRank, h.Spread, h.Uniformity = m.EffectiveRank, m.Spread, m.Uniformity
	if w.views != nil {
		var ab [2][]float32
		for v := range ab {
			if ab[v], err = w.embed(w.nPairs, func(dst *domain.Array, row, i int) error { return w.views(dst, row, i, v) }); err != nil {
				return h, err
			}
		}
		a, err := objective.Alignment(ab[0], ab[1], w.dim)
		if err != nil {
			return h, err
		}
		h.Alignment = &a
	}
	// One half answers for the other: labels of the validation part only.
	if half := len(w.labels) / 2; half > 0 {
		f := make([]float32, 0, len(w.labels)*w.dim)
		for _, k := range w.labelled {
			f = append(f, x[k*w.dim:(k+1)*w.dim]...)
		}
		pred, err := metric.KNN{K: 20}.Predict(f[:half*w.dim], w.labels[:half], f[half*w.dim:], w.dim)
		if err != nil {
			return h, err
		}
		acc, err := metric.Accuracy(pred, w.labels[half:])
		if err != nil {
			return h, err
		}
		h.KNN = &acc
	}
	w.judge(&h, m)
	if w.first == nil {
		w.first = &h
	}
	return h, nil
}

func (w *watch) close() { w.forward.Close() }
