// Package audit is the stage that holds the trained encoder against its contracts, on held-out
// samples, beside the untrained encoder and chance.
//
// [Run] is the one call. It also checks the evaluation itself: weights stay as they were, features
// do not depend on the neighbours in a batch, and a probe on shuffled labels sits at chance.
package audit

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
	"github.com/selfsame-ml/selfsame/view"
)

// The words of a row.
const (
	Kept     = "kept"
	NotKept  = "not kept"
	NotShown = "not shown"
)

// Row is one measure of one contract.
type Row struct {
	Transform string        `json:"transform"`          // or the column, of a property
	Property  bool          `json:"property,omitempty"` // of samples, without range (domain.Property)
	Term      contract.Term `json:"term"`
	Measure   string        `json:"measure"`
	Value     float64       `json:"value"`     // of the trained encoder
	Untrained *float64      `json:"untrained"` // of the untrained encoder
	Reference *float64      `json:"reference"` // chance, or the trivial predictor
	RefName   string        `json:"reference_name"`
	Ceiling   *float64      `json:"ceiling,omitempty"` // of the raw values, for a property
	Lower     *float64      `json:"lower"`             // interval of Value at 95 %, where there is one
	Upper     *float64      `json:"upper"`
	Better    string        `json:"better"` // "lower" or "higher": what keeps the contract
	Samples   int           `json:"samples"`
	Outcome   string        `json:"outcome"`
	Why       string        `json:"why"`
}

// SelfCheck is one check of the evaluation itself.
type SelfCheck struct {
	Name   string  `json:"name"`
	Passed bool    `json:"passed"`
	Value  float64 `json:"value"`
	Limit  float64 `json:"limit"`
	Text   string  `json:"text"`
}

// Result of the stage.
type Result struct {
	// Skipped says why nothing could be measured; "" where it was.
	Skipped string      `json:"skipped,omitempty"`
	Part    domain.Part `json:"part"` // held-out part that was used
	Rows    []Row       `json:"rows"`
	Checks  []SelfCheck `json:"checks"`
	// Notes say what could not be asked.
	Notes []string `json:"notes,omitempty"`
}

// Config is what the stage needs.
type Config struct {
	Recipe   *recipe.Recipe
	Engine   *engine.Engine
	Samples  domain.Samples
	Weights  map[string]train.Value // of pretraining: "encoder/...", "head/...", "restorer/..."
	Progress func(text string, done, total int)
}

type auditor struct {
	Config
	sampler domain.Sampler
	emb     *train.Embedder
	start   map[string]train.Value
	part    domain.Part
	rows    []int
	res     *Result
}

// minRows is the fewest samples that a row of the audit is measured on.
const minRows = 40

// Run audits. With too few held-out samples the result says so and has no rows.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if cfg.Progress == nil {
		cfg.Progress = func(string, int, int) {}
	}
	part := domain.Val
	if cfg.Samples.Len(part) < minRows {
		part = domain.Test // no label is read here
	}
	n := cfg.Samples.Len(part)
	if n < minRows {
		return &Result{Part: part, Skipped: fmt.Sprintf("%d held-out samples are too few to measure on, want %d (data.val, data.test_share)", n, minRows)}, nil
	}
	sampler, err := cfg.Samples.Views()
	if err != nil {
		return nil, err
	}
	emb, err := train.NewEmbedder(cfg.Engine, cfg.Samples)
	if err != nil {
		return nil, err
	}
	defer emb.Close()
	a := &auditor{Config: cfg, sampler: sampler, emb: emb, start: emb.Start(cfg.Recipe.Seed), part: part, res: &Result{Part: part}}
	a.rows = rng.New(cfg.Recipe.Seed, rng.Probe, 2).Perm(n)[:min(n, cfg.Recipe.Audit.Samples)]
	before := train.Digest(cfg.Weights)
	ts := sampler.Transforms()
	for i, t := range ts {
		for _, term := range t.Config().Terms {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			cfg.Progress(t.Spec().Name, i, len(ts))
			var err error
			switch term.Kind {
			case contract.Invariant:
				err = a.invariant(t, term)
			case contract.Equivariant:
				err = a.equivariant(t, term)
			case contract.Restorable:
				err = a.restorable(t, term)
			case contract.Protected:
				err = a.decodable(t, term, true)
			}
			if err != nil {
				return nil, fmt.Errorf("audit: %s: %w", t.Spec().Name, err)
			}
		}
	}
	if err := a.properties(ctx); err != nil {
		return nil, err
	}
	if err := a.selfChecks(before); err != nil {
		return nil, err
	}
	cfg.Progress("done", len(ts), len(ts))
	return a.res, nil
}

// draw draws parameters in the range of a term for held-out row k.
func (a *auditor) draw(t domain.Transformation, term contract.Term, k int) (view.Params, bool) {
	terms := t.Config().Terms
	in := func(p view.Params) bool { at, ok := terms.At(p.V[0]); return p.Applied && ok && at == term }
	// Targets that are classes are drawn from the term itself, as training does: a flip declared 1..1
	// is told from no flip.
	if term.Kind != contract.Equivariant || t.Spec().Classes == 0 {
		for try := range uint64(64) {
			if p := t.Draw(a.Recipe.Seed, 1<<40|try, a.rows[k]); in(p) {
				return p, true
			}
		}
	}
	r := rng.New(a.Recipe.Seed, rng.Probe, 6, uint64(a.rows[k])) // hardly a draw falls into a narrow range
	for range 16 {
		if p := t.AtValue(view.Uniform(r, term.Range, t.Spec().Params[0].Integer), a.Recipe.Seed, a.rows[k]); in(p) {
			return p, true
		}
	}
	return view.Params{}, false
}

// drawn are the held-out rows for which a draw in the range exists, and the draws.
func (a *auditor) drawn(t domain.Transformation, term contract.Term) (rows []int, ps []view.Params) {
	for k := range a.rows {
		if p, ok := a.draw(t, term, k); ok {
			rows, ps = append(rows, a.rows[k]), append(ps, p)
		}
	}
	return rows, ps
}

func (a *auditor) embedViews(t domain.Transformation, rows []int, ps []view.Params) ([]float32, error) {
	dim := a.emb.Dim()
	out := make([]float32, len(rows)*dim)
	err := a.emb.Each(len(rows), func(dst *domain.Array, row, i int) error {
		return t.Fill(dst, row, a.part, rows[i], ps[i])
	}, func(i int, f []float32) error { copy(out[i*dim:(i+1)*dim], f); return nil })
	return out, err
}

// both returns features of samples and of views under the trained and the untrained weights.
func (a *auditor) both(t domain.Transformation, rows []int, ps []view.Params) (x, y [2][]float32, err error) {
	for k, w := range []map[string]train.Value{a.Weights, a.start} {
		if err = a.emb.Bind(w); err != nil {
			return
		}
		if x[k], err = a.emb.Part(a.part, rows); err != nil {
			return
		}
		if y[k], err = a.embedViews(t, rows, ps); err != nil {
			return
		}
	}
	return
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// minSpread is the mean distance 1-cos between samples below which an encoder tells them no longer apart:
// ten times what rounding to float32 leaves.
const minSpread = 1e-6

// ratios are, for every sample, the distance 1-cos to its own view over the mean distance to other samples.
// Where there is no such distance (collapse), nothing is nearer than anything else: all ratios are 1.
func ratios(x, y []float32, dim int) (r []float64, collapsed bool) {
	n := len(x) / dim
	var other float64
	pairs := 0
	for i := range n {
		for _, off := range []int{1, n/3 + 1, n/2 + 1} {
			if j := (i + off) % n; j != i {
				other += 1 - cosine(x[i*dim:(i+1)*dim], x[j*dim:(j+1)*dim])
				pairs++
			}
		}
	}
	other /= float64(max(pairs, 1))
	r = make([]float64, n)
	for i := range r {
		if r[i] = 1; other > minSpread {
			r[i] = (1 - cosine(x[i*dim:(i+1)*dim], y[i*dim:(i+1)*dim])) / other
		}
	}
	return r, other <= minSpread
}

// MaxRatio is the largest ratio of view distance to sample distance of a kept Invariant contract.
const MaxRatio = 0.5

// invariant measures how far a view moves against the distance between samples.
func (a *auditor) invariant(t domain.Transformation, term contract.Term) error {
	rows, ps := a.drawn(t, term)
	if len(rows) < minRows {
		return nil // nothing is drawn there
	}
	x, y, err := a.both(t, rows, ps)
	if err != nil {
		return err
	}
	dim := a.emb.Dim()
	trained, collapsed := ratios(x[0], y[0], dim)
	untrained, _ := ratios(x[1], y[1], dim)
	iv, err := metric.TInterval(trained, 0.95)
	if err != nil {
		return err
	}
	u := mean(untrained)
	r := Row{Transform: t.Spec().Name, Term: term, Measure: "view distance / sample distance", Value: mean(trained), Untrained: &u, Lower: &iv.Lo, Upper: &iv.Hi, Better: "lower", Samples: len(rows)}
	one := 1.0
	r.Reference, r.RefName = &one, "another sample"
	switch {
	case collapsed: // a constant would keep every Invariant contract
		r.Outcome, r.Why = NotKept, "the encoder has collapsed: it tells no samples apart, so a view is no nearer than another sample"
	case iv.Hi <= MaxRatio:
		r.Outcome, r.Why = Kept, fmt.Sprintf("a view lies %.2f of the distance to another sample away", r.Value)
	case iv.Lo > MaxRatio:
		r.Outcome, r.Why = NotKept, fmt.Sprintf("a view lies %.2f of the distance to another sample away, the limit is %.2f", r.Value, MaxRatio)
	default:
		r.Outcome, r.Why = NotShown, fmt.Sprintf("the interval %.2f..%.2f holds the limit %.2f", iv.Lo, iv.Hi, MaxRatio)
	}
	a.res.Rows = append(a.res.Rows, r)
	return a.decodable(t, term, false)
}

// decodable asks whether the drawn parameter can be read from the features of the views by a linear
// probe trained on half of them. For Protected terms (and Equivariant ones whose head was not trained) it must be; for Invariant ones it is
// reported beside the untrained encoder: what is decodable is still there, though it need not hurt.
func (a *auditor) decodable(t domain.Transformation, term contract.Term, must bool) error {
	spec := t.Spec()
	rows := slices.Clone(a.rows)
	ps := make([]view.Params, len(rows))
	classes := 0
	if spec.Params[0].Integer || spec.Classes > 0 {
		classes = int(math.Floor(term.Range.To)-math.Ceil(term.Range.From)) + 1
	}
	if classes == 1 || (classes == 0 && term.Range.Width() == 0) {
		return nil // one value: nothing to decode
	}
	draw := rng.New(a.Recipe.Seed, rng.Probe, 4)
	for k, i := range rows {
		v := term.Range.Lerp(draw.Float64())
		if classes > 0 {
			v = math.Ceil(term.Range.From) + float64(draw.IntN(classes))
		}
		ps[k] = t.AtValue(v, a.Recipe.Seed, i)
	}
	_, y, err := a.both(t, rows, ps)
	if err != nil {
		return err
	}
	dim, n := a.emb.Dim(), len(rows)
	fit, choose := n*2/5, n/2 // 40 % fit, 10 % choose the penalty, half measures
	var value [2]float64
	r := Row{Transform: spec.Name, Term: term, Samples: n - choose, Better: "lower", Measure: "parameter decodable (R2)", RefName: "chance"}
	chance := 0.0
	if classes > 1 && classes <= 64 {
		r.Measure = "parameter decodable (accuracy)"
		chance = 1 / float64(classes)
		target := make([]int32, n)
		for k := range ps {
			target[k] = int32(math.Round(ps[k].V[0] - math.Ceil(term.Range.From)))
		}
		for k := range y {
			lin, err := metric.Probe{}.Fit(y[k][:fit*dim], target[:fit], y[k][fit*dim:choose*dim], target[fit:choose], dim, classes)
			if err != nil {
				return err
			}
			pred, err := lin.Predict(y[k][choose*dim:])
			if err != nil {
				return err
			}
			if value[k], err = metric.Accuracy(pred, target[choose:]); err != nil {
				return err
			}
		}
		iv, err := metric.ClopperPearson(int(math.Round(value[0]*float64(n-choose))), n-choose, 0.95)
		if err != nil {
			return err
		}
		r.Lower, r.Upper = &iv.Lo, &iv.Hi
	} else {
		target := make([]float64, n)
		for k := range ps {
			target[k] = ps[k].V[0]
		}
		for k := range y {
			m, err := metric.Ridge{}.Fit(y[k][:fit*dim], target[:fit], y[k][fit*dim:choose*dim], target[fit:choose], dim, 1)
			if err != nil {
				return err
			}
			r2, err := m.R2(y[k][choose*dim:], target[choose:])
			if err != nil {
				return err
			}
			value[k] = r2[0]
		}
	}
	r.Value, r.Untrained, r.Reference = value[0], &value[1], &chance
	if must {
		r.Better = "higher"
		above := r.Value > chance+0.05
		if r.Lower != nil {
			above = *r.Lower > chance
		}
		what := "what is protected"
		if term.Kind == contract.Equivariant {
			what = "the parameter, for which no head was trained,"
		}
		if above {
			r.Outcome, r.Why = Kept, what+" can be told from the features"
		} else {
			r.Outcome, r.Why = NotKept, what+" cannot be told from the features"
		}
	} else {
		less := r.Value < value[1]
		r.Outcome, r.Why = NotShown, "the nuisance can be told as well as before training"
		if less {
			r.Outcome, r.Why = Kept, "the nuisance can be told less well than before training"
		}
		if r.Value <= chance+0.05 {
			r.Outcome, r.Why = Kept, "the nuisance can hardly be told"
		}
		if r.Samples < minDecoded {
			r.Outcome, r.Why = NotShown, fmt.Sprintf("%d samples are too few to say what can be told, want %d", r.Samples, minDecoded)
		}
	}
	a.res.Rows = append(a.res.Rows, r)
	return nil
}

// minDecoded is the least number of samples on which "can hardly be told" says anything of an
// Invariant nuisance: a probe fitted on as few fails whatever the features hold.
const minDecoded = 100

func mean(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v
	}
	return s / float64(max(len(x), 1))
}

// stream finds the stream that trained a term.
func (a *auditor) stream(name string, kind contract.Kind) *domain.Stream {
	ss := a.sampler.Streams()
	for i := range ss {
		if ss[i].Name == name && ss[i].Kind == kind {
			return &ss[i]
		}
	}
	return nil
}

// equivariant measures the trained head on held-out samples under the transformation alone.
func (a *auditor) equivariant(t domain.Transformation, term contract.Term) error {
	st := a.stream(t.Spec().Name, contract.Equivariant)
	if st == nil {
		return nil
	}
	rows, ps := a.drawn(t, term)
	if len(rows) < minRows {
		return nil
	}
	enc, err := a.Samples.Encoder()
	if err != nil {
		return err
	}
	input := a.Samples.Input()
	width := max(st.Classes, 1)
	head := a.Weights["head/"+st.Name+"/bias"]
	if len(head.Data) == 0 { // the objective left this stream out
		return a.decodable(t, term, true)
	}
	width = len(head.Data)
	fields := []domain.Field{input}
	if st.Clean != "" { // the head was trained on the view beside the undisturbed sample
		clean := input
		clean.Name += ".clean"
		fields = append(fields, clean)
	}
	f, err := train.NewForward(a.Engine, "audit head", fields, 250, func(s *nn.Scope, in map[string]*graph.Node) []*graph.Node {
		x := enc.Encode(s.In(train.EncoderScope), in[input.Name]).Pooled
		if st.Clean != "" {
			x = graph.Concatenate([]*graph.Node{x, enc.Encode(s.In(train.EncoderScope), in[fields[1].Name]).Pooled}, -1)
		}
		return []*graph.Node{s.In("head").Linear(st.Name, x, width, true)}
	})
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Bind(a.Weights); err != nil {
		return err
	}
	out := make([]float32, len(rows)*width)
	err = f.All(len(rows), func(dst []domain.Array, row, i int) error {
		if st.Clean != "" {
			if err := a.Samples.Fill(&dst[1], row, a.part, rows[i]); err != nil {
				return err
			}
		}
		return t.Fill(&dst[0], row, a.part, rows[i], ps[i])
	}, func(i int, o [][]float32) error { copy(out[i*width:(i+1)*width], o[0]); return nil })
	if err != nil {
		return err
	}
	r := Row{Transform: t.Spec().Name, Term: term, Better: "higher", Samples: len(rows), RefName: "chance"}
	if st.Classes > 0 {
		r.Measure = "drawn parameter predicted (accuracy)"
		hits := 0
		seen := make([]int, st.Classes)
		for i := range rows {
			best := 0
			for c := range st.Classes {
				if out[i*width+c] > out[i*width+best] {
					best = c
				}
			}
			k := int(math.Round(ps[i].V[0]))
			if k == best {
				hits++
			}
			if k >= 0 && k < len(seen) {
				seen[k]++
			}
		}
		chance := float64(slices.Max(seen)) / float64(len(rows)) // always the most frequent answer
		r.Value, r.Reference = float64(hits)/float64(len(rows)), &chance
		iv, err := metric.ClopperPearson(hits, len(rows), 0.95)
		if err != nil {
			return err
		}
		r.Lower, r.Upper = &iv.Lo, &iv.Hi
		if iv.Lo > chance {
			r.Outcome, r.Why = Kept, fmt.Sprintf("%.1f %% are predicted, chance is %.1f %%", 100*r.Value, 100*chance)
		} else {
			r.Outcome, r.Why = NotKept, fmt.Sprintf("%.1f %% are predicted, which chance (%.1f %%) does too", 100*r.Value, 100*chance)
		}
	} else {
		r.Measure = "drawn parameter predicted (R2)"
		truth := make([]float64, len(rows))
		pred := make([]float64, len(rows))
		for i := range rows {
			truth[i], pred[i] = ps[i].V[0], float64(out[i*width])
		}
		// The head predicts the parameter scaled to [-1, 1] over the Equivariant range.
		cfg, ps := t.Config(), t.Spec().Params[0]
		set := view.SetOf(cfg.Terms, contract.Equivariant, cfg.Params[ps.Name], ps.Integer)
		for h, i := set.Hull(), 0; i < len(pred); i++ {
			pred[i] = h.Lerp(0.5) + pred[i]*h.Width()/2
		}
		zero := 0.0
		if r.Value, err = metric.R2(pred, truth); err != nil {
			return err
		}
		r.Reference, r.RefName = &zero, "the mean"
		if r.Value > 0.05 {
			r.Outcome, r.Why = Kept, fmt.Sprintf("R2 %.2f", r.Value)
		} else {
			r.Outcome, r.Why = NotKept, fmt.Sprintf("R2 %.2f: no better than the mean", r.Value)
		}
	}
	a.res.Rows = append(a.res.Rows, r)
	return nil
}

// restorable measures the held-out restoring loss against the trivial predictor. Where what is restored is the sample itself
// (domain.Truther), the test part is looked at too: it may be another source than what was trained on.
func (a *auditor) restorable(t domain.Transformation, term contract.Term) error {
	if err := a.restoring(t, term, ""); err != nil {
		return err
	}
	n := a.Samples.Len(domain.Test)
	if _, ok := t.(domain.Truther); !ok || a.part == domain.Test || n < minRows {
		return nil
	}
	b := *a
	b.part, b.rows = domain.Test, rng.New(a.Recipe.Seed, rng.Probe, 7).Perm(n)[:min(n, a.Recipe.Audit.Samples)]
	return b.restoring(t, term, ", test part")
}

// restoring is restorable on one part; where is added to the name of the measure.
func (a *auditor) restoring(t domain.Transformation, term contract.Term, where string) error {
	st := a.stream(t.Spec().Name, contract.Restorable)
	masked, ok := t.(domain.Masked)
	truther, moves := t.(domain.Truther)
	if st == nil || !ok && !moves {
		return nil
	}
	measure := "restoring loss (mean squared error)"
	if moves {
		measure = "restoring loss"
	}
	measure += where
	enc, err := a.Samples.Encoder()
	if err != nil {
		return err
	}
	rest, ok := enc.(domain.Restorer)
	if !ok {
		return nil
	}
	rows, ps := a.drawn(t, term)
	prefix := "restorer/" + st.Name + "/"
	trained := func(name string) bool { return strings.HasPrefix(name, prefix) }
	if len(rows) < minRows || !slices.ContainsFunc(slices.Collect(maps.Keys(a.Weights)), trained) { // or: the objective left this stream out
		return nil
	}
	var fields []domain.Field
	for _, f := range a.sampler.Fields() {
		if f.Name == st.Input || f.Name == st.Clean || f.Name == st.Mask {
			fields = append(fields, f)
		}
	}
	at := func(name string) int {
		return slices.IndexFunc(fields, func(f domain.Field) bool { return f.Name == name })
	}
	in, clean, mask := at(st.Input), at(st.Clean), at(st.Mask)
	f, err := train.NewForward(a.Engine, "audit restore", fields, 250, func(s *nn.Scope, x map[string]*graph.Node) []*graph.Node {
		loss, trivial := rest.Restore(s.In("restorer").In("%s", st.Name), enc.Encode(s.In(train.EncoderScope), x[st.Input]), x[st.Clean], x[st.Mask])
		return []*graph.Node{loss, trivial}
	})
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Bind(a.Weights); err != nil {
		return err
	}
	size := fields[mask].Size()
	diff := make([]float64, len(rows))
	var sum, trivial float64
	err = f.All(len(rows), func(dst []domain.Array, row, i int) error {
		if moves {
			if err := truther.Truth(&dst[clean], &dst[mask], row, a.part, rows[i], ps[i]); err != nil {
				return err
			}
			return t.Fill(&dst[in], row, a.part, rows[i], ps[i])
		}
		masked.Mask(dst[mask].U8[row*size:(row+1)*size], ps[i])
		if err := a.Samples.Fill(&dst[clean], row, a.part, rows[i]); err != nil {
			return err
		}
		return t.Fill(&dst[in], row, a.part, rows[i], ps[i])
	}, func(i int, o [][]float32) error {
		sum += float64(o[0][0])
		trivial += float64(o[1][0])
		diff[i] = float64(o[1][0]) - float64(o[0][0])
		return nil
	})
	if err != nil {
		return err
	}
	n := float64(len(rows))
	iv, err := metric.TInterval(diff, 0.95)
	if err != nil {
		return err
	}
	ref := trivial / n
	r := Row{Transform: t.Spec().Name, Term: term, Measure: measure, Value: sum / n, Reference: &ref, RefName: "trivial predictor", Better: "lower", Samples: len(rows)}
	switch {
	case iv.Lo > 0:
		r.Outcome, r.Why = Kept, fmt.Sprintf("the loss is %.0f %% of the trivial predictor's", 100*sum/trivial)
	case iv.Hi < 0:
		r.Outcome, r.Why = NotKept, "the trivial predictor restores better"
	default:
		r.Outcome, r.Why = NotShown, "no difference to the trivial predictor is shown"
	}
	a.res.Rows = append(a.res.Rows, r)
	return nil
}

// selfChecks tests the evaluation itself.
func (a *auditor) selfChecks(before [32]byte) error {
	add := func(name string, ok bool, value, limit float64, format string, args ...any) {
		a.res.Checks = append(a.res.Checks, SelfCheck{Name: name, Passed: ok, Value: value, Limit: limit, Text: fmt.Sprintf(format, args...)})
	}
	if err := a.emb.Bind(a.Weights); err != nil {
		return err
	}
	// One sample among different neighbours: norm layers in inference mode do not see them.
	n := min(len(a.rows), 40)
	one := make([]int, n)
	for i := range one {
		one[i] = a.rows[0]
	}
	same, err := a.emb.Part(a.part, one)
	if err != nil {
		return err
	}
	mixed, err := a.emb.Part(a.part, a.rows[:n])
	if err != nil {
		return err
	}
	dim := a.emb.Dim()
	worst := 0.0
	for j := range dim {
		worst = max(worst, math.Abs(float64(same[j]-mixed[j])))
	}
	add("norm layers in inference mode", worst == 0, worst, 0, "features of one sample among other neighbours differ by %g", worst)

	after := train.Digest(a.Weights)
	add("frozen weights unchanged", before == after, 0, 0, "sha256 %x", after[:6])

	labels := a.Samples.Labels(domain.Train)
	classes := len(a.Samples.Classes())
	if labels != nil && classes >= 2 {
		var rows []int
		for _, i := range rng.New(a.Recipe.Seed, rng.Probe, 3).Perm(len(labels)) {
			if labels[i] >= 0 && len(rows) < 2000 {
				rows = append(rows, i)
			}
		}
		if len(rows) >= 40 {
			x, err := a.emb.Part(domain.Train, rows)
			if err != nil {
				return err
			}
			y := make([]int32, len(rows))
			for k, i := range rows {
				y[k] = labels[i]
			}
			rng.New(a.Recipe.Seed, rng.Probe, 5).Shuffle(len(y), func(i, j int) { y[i], y[j] = y[j], y[i] })
			half := len(y) / 2
			lin, err := metric.Probe{L2: []float64{1e-2}}.Fit(x[:half*dim], y[:half], nil, nil, dim, classes)
			if err != nil {
				return err
			}
			pred, err := lin.Predict(x[half*dim:])
			if err != nil {
				return err
			}
			acc, err := metric.Accuracy(pred, y[half:])
			if err != nil {
				return err
			}
			top := 0
			counts := make([]int, classes)
			for _, l := range y[half:] {
				counts[l]++
				top = max(top, counts[l])
			}
			m := len(y) - half
			// The fewest hits that chance gives in fewer than one of 10,000 runs (exact, small parts have heavy tails).
			chance, hits := float64(top)/float64(m), top
			for ; hits < m; hits++ {
				lo, err := metric.ClopperPearsonLower(hits+1, m, 0.9999)
				if err != nil {
					return err
				}
				if lo > chance {
					break
				}
			}
			limit := float64(hits) / float64(m)
			add("shuffled labels at chance", acc <= limit, acc, limit, "a probe on shuffled labels scores %.3f, the most frequent class %.3f", acc, chance)
		}
	}
	return nil
}

// Failed lists the self-checks that did not pass.
func (r *Result) Failed() []SelfCheck {
	var out []SelfCheck
	for _, c := range r.Checks {
		if !c.Passed {
			out = append(out, c)
		}
	}
	return out
}
