// Package adapt is the stage that says what an encoder is worth: kNN, linear probe and
// fine-tuning at several label budgets, beside raw values, the untrained encoder and the
// same network from scratch.
//
// [Run] is the one call. Labels of the test part choose nothing; labels that choose
// (validation) count in the budget; every number carries the budget and the draw it belongs to.
//
// Samples that give their raw values to baselines (domain.Featurer) or have a number to be predicted
// (domain.Targeter) are measured by the field's metrics of their task, beside boosted trees and linear models; see
// [Advice]. Others (images) are measured by accuracy.
package adapt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/selfsame-ml/selfsame/baseline"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/supervise"
	"github.com/selfsame-ml/selfsame/train"
)

// The methods and metrics of the score table.
const (
	Raw       = "raw-pixels" // values as features, no network
	Untrained = "untrained"  // the encoder with its start values
	SSL       = "ssl"        // the pretrained encoder
	Scratch   = "scratch"    // the same network without pretraining
	Task      = "classify"
	KNN       = "knn"
	Linear    = "linear"
	FineTune  = "finetune"
)

// Alpha is the two-sided level of the verdicts.
const Alpha = 0.05

// ErrNotFrozen says that the pretrained weights changed while they were measured: no score can be trusted.
var ErrNotFrozen = errors.New("adapt: the pretrained weights changed while they were measured")

// Config is what the stage needs.
type Config struct {
	Recipe  *recipe.Recipe
	Engine  *engine.Engine
	Samples domain.Samples
	Weights map[string]train.Value // "encoder/..."
	// Arms are encoders trained by one kind of contract alone ("contrast", "restore", "predict"), measured beside the
	// whole where the samples implement domain.Featurer or domain.Targeter; as methods they are "ssl-contrast" and so on.
	Arms map[string]map[string]train.Value
	// Progress is told of every measurement; may be nil.
	Progress func(text string, done, total int)
}

// Verdict is the answer at one label budget.
type Verdict struct {
	Budget    int              `json:"budget"` // labels, validation labels counted in
	Judgement metric.Judgement `json:"judgement"`
}

// Map is a 2-D map of test features (t-SNE).
type Map struct {
	Method string    `json:"method"`
	X      []float64 `json:"x"`
	Y      []float64 `json:"y"`
	Class  []int32   `json:"class"`
}

// Head is the linear probe on all labels, the classifier of `selfsame predict`.
type Head struct {
	Linear  *metric.Linear // Classes 1 where a number is predicted: its one output is the number
	Classes []string       // nil where a number is predicted
	Target  domain.Target  // the number, where Classes is nil
	Labels  int
}

// Numbers reports whether the head predicts a number, not a class.
func (h *Head) Numbers() bool { return len(h.Classes) == 0 && h.Linear.Classes == 1 }

// Result of the stage.
type Result struct {
	Scores   []store.Score       `json:"scores"`
	Verdicts []Verdict           `json:"verdicts"`
	Overall  metric.Outcome      `json:"overall"`
	LEM      []metric.Multiplier `json:"lem"`
	Map      *Map                `json:"map,omitempty"`
	Skipped  string              `json:"skipped"` // why nothing was measured
	Notes    []string            `json:"notes"`
	Head     *Head               `json:"-"`

	// Of samples with raw values or a number to be predicted; zero for others.
	Task    string    `json:"task,omitempty"`    // Task | Regress
	Primary string    `json:"primary,omitempty"` // metric of the verdicts: AUC | Accuracy | R2
	Unit    string    `json:"unit,omitempty"`    // of RMSE and MAE
	Chance  *float64  `json:"chance,omitempty"`  // of Primary
	Against []Against `json:"against,omitempty"` // pretrained networks against the best classical method
	Advice  []Advice  `json:"advice,omitempty"`  // what to use, by rising budget
	Chosen  []Choice  `json:"chosen,omitempty"`  // hyper-parameters that validation labels chose
	Test    string    `json:"test,omitempty"`    // identity of the test part (sha256 hex): equal in two runs if they share it
	Parts   [2]int    `json:"parts,omitzero"`    // samples outside and inside the test part
}

type adapter struct {
	Config
	res     *Result
	classes int
	train   []int32
	val     []int32
	test    []int32
	testAt  []int // rows of the test part that have a label
	limits  []budget
	done    int
	total   int
}

// Run measures. Data without labels gives a Result whose Skipped says so.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	a := &adapter{Config: cfg, res: &Result{}}
	s := cfg.Samples
	if t := newTable(a); t != nil {
		return t.run(ctx)
	}
	a.classes = len(s.Classes())
	a.train, a.val = s.Labels(domain.Train), s.Labels(domain.Val)
	for i, l := range s.Labels(domain.Test) {
		if l >= 0 {
			a.testAt = append(a.testAt, i)
			a.test = append(a.test, l)
		}
	}
	labelled := 0
	present := map[int32]bool{}
	for _, l := range a.train {
		if l >= 0 {
			labelled++
			present[l] = true
		}
	}
	switch {
	case a.classes < 2:
		a.res.Skipped = "the data has no labels of two or more classes, so no downstream score can be measured"
	case len(a.test) < 10:
		a.res.Skipped = fmt.Sprintf("the test part has %d labelled samples, want at least 10", len(a.test))
	case labelled < 2*a.classes:
		a.res.Skipped = fmt.Sprintf("the training part has %d labelled samples for %d classes", labelled, a.classes)
	case len(present) < 2:
		a.res.Skipped = "all labelled samples of the training part are of one class"
	}
	if a.res.Skipped != "" {
		return a.res, nil
	}
	ad := cfg.Recipe.Adapt
	a.limits = a.budgets()
	a.total = 3
	if ad.FineTune {
		a.total += len(a.limits) * 2 * ad.Draws
	}
	before := train.Digest(cfg.Weights)
	if err := a.frozen(ctx); err != nil {
		return nil, err
	}
	if ad.FineTune {
		if err := a.fineTune(ctx); err != nil {
			return nil, err
		}
	}
	if train.Digest(cfg.Weights) != before {
		return nil, ErrNotFrozen
	}
	return a.res, nil
}

func (a *adapter) tell(format string, args ...any) {
	if a.Progress != nil {
		a.Progress(fmt.Sprintf(format, args...), a.done, a.total)
	}
	a.done++
}

func (a *adapter) score(method, metricName string, budget, draw int, v float64) {
	a.res.Scores = append(a.res.Scores, store.Score{Method: method, Task: Task, Metric: metricName, Budget: budget, Seed: draw, Value: v})
}

// all is the number of labels of the training and validation parts.
func (a *adapter) all() int {
	n := 0
	for _, l := range append(slices.Clone(a.train), a.val...) {
		if l >= 0 {
			n++
		}
	}
	return n
}

// budget is what a recipe asks for and this data gives.
type budget struct {
	labels int
	all    bool // every label: the training part trains, the validation part chooses
}

// budgets are the recipe's budgets as this data gives them: 0, or more than there is, is all, and comes
// once. A smaller one is drawn from the training part; one above it takes that whole part.
func (a *adapter) budgets() []budget {
	total, train := a.all(), 0
	for _, l := range a.train {
		if l >= 0 {
			train++
		}
	}
	var out []budget
	for _, n := range a.Recipe.Adapt.Budgets {
		b := budget{labels: min(n, train)}
		if n <= 0 || n >= total {
			b = budget{labels: total, all: true}
		}
		if slices.ContainsFunc(out, func(o budget) bool { return o.labels == b.labels }) {
			continue
		}
		if n > b.labels {
			a.res.Notes = append(a.res.Notes, fmt.Sprintf("a budget of %d labels is measured as %d: there are no more", n, b.labels))
		}
		out = append(out, b)
	}
	return out
}

// parts are the features of one method.
type features struct {
	train, val, test []float32
	dim              int
}

func (a *adapter) read(f *features, part func(domain.Part, []int) ([]float32, error)) (err error) {
	if f.train, err = part(domain.Train, nil); err != nil {
		return err
	}
	if f.val, err = part(domain.Val, nil); err != nil {
		return err
	}
	f.test, err = part(domain.Test, a.testAt)
	return err
}

// maxRaw bounds the memory of the raw-value baseline: larger samples are left out and said so.
const maxRaw = 1 << 29 // float32 elements

// frozen measures kNN and the linear probe on fixed features.
func (a *adapter) frozen(ctx context.Context) error {
	m, err := train.NewEmbedder(a.Engine, a.Samples)
	if err != nil {
		return err
	}
	defer m.Close()
	for _, method := range []string{Raw, Untrained, SSL} {
		if err := ctx.Err(); err != nil {
			return err
		}
		a.tell("%s: kNN and linear probe", method)
		var f features
		switch method {
		case Raw:
			if n := a.Samples.Input().Size() * (len(a.train) + len(a.val) + len(a.test)); n > maxRaw {
				a.res.Notes = append(a.res.Notes, fmt.Sprintf("raw-pixels is left out: %d values exceed the limit of %d", n, maxRaw))
				continue
			}
			f.dim = a.Samples.Input().Size()
			err = a.read(&f, func(p domain.Part, rows []int) ([]float32, error) {
				x, _, err := baseline.Raw(a.Samples, p, rows)
				return x, err
			})
		case Untrained:
			err = m.Bind(m.Start(a.Recipe.Seed))
		case SSL:
			err = m.Bind(a.Weights)
		}
		if err != nil {
			return err
		}
		if method != Raw {
			f.dim = m.Dim()
			if err := a.read(&f, m.Part); err != nil {
				return err
			}
		}
		if err := a.probes(ctx, method, f); err != nil {
			return fmt.Errorf("adapt: %s: %w", method, err)
		}
		if method == SSL {
			if err := a.drawMap(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func labelledRows(x []float32, y []int32, dim int) ([]float32, []int32) {
	var rx []float32
	var ry []int32
	for i, l := range y {
		if l >= 0 {
			rx, ry = append(rx, x[i*dim:(i+1)*dim]...), append(ry, l)
		}
	}
	return rx, ry
}

func (a *adapter) probes(ctx context.Context, method string, f features) error {
	ad := a.Recipe.Adapt
	x, y := labelledRows(f.train, a.train, f.dim)
	v, vy := labelledRows(f.val, a.val, f.dim)
	pred, err := metric.KNN{K: ad.K, Temperature: ad.KNNTemperature}.Predict(x, y, f.test, f.dim)
	if err != nil {
		return err
	}
	acc, err := metric.Accuracy(pred, a.test)
	if err != nil {
		return err
	}
	a.score(method, KNN, len(y), 0, acc)
	for _, b := range a.limits {
		n, all := b.labels, b.all
		draws := ad.Draws
		if all {
			draws = 1 // nothing is drawn
		}
		for d := range draws {
			if err := ctx.Err(); err != nil {
				return err
			}
			tx, ty, cx, cy := x, y, v, vy
			if !all {
				ti, ci := metric.DrawBudget(y, n, a.Recipe.Seed, uint64(d))
				tx, ty = take(x, y, ti, f.dim)
				cx, cy = take(x, y, ci, f.dim)
			}
			probe := metric.Probe{}
			if len(cy) == 0 {
				probe.L2 = []float64{1e-3} // nothing may choose
			}
			lin, err := probe.Fit(tx, ty, cx, cy, f.dim, a.classes)
			if err != nil {
				return err
			}
			if pred, err = lin.Predict(f.test); err != nil {
				return err
			}
			if acc, err = metric.Accuracy(pred, a.test); err != nil {
				return err
			}
			a.score(method, Linear, n, d, acc)
			if method == SSL && (a.res.Head == nil || n >= a.res.Head.Labels) {
				a.res.Head = &Head{Linear: lin, Classes: a.Samples.Classes(), Labels: n}
			}
		}
	}
	return nil
}

func take(x []float32, y []int32, rows []int, dim int) ([]float32, []int32) {
	rx, ry := make([]float32, 0, len(rows)*dim), make([]int32, 0, len(rows))
	for _, i := range rows {
		rx, ry = append(rx, x[i*dim:(i+1)*dim]...), append(ry, y[i])
	}
	return rx, ry
}

// mapPoints is the number of test samples on the map.
const mapPoints = 1500

func (a *adapter) drawMap(f features) error {
	order := rng.New(a.Recipe.Seed, rng.Map).Perm(len(a.test))
	order = order[:min(len(order), mapPoints)]
	x, y := take(f.test, a.test, order, f.dim)
	xy, err := metric.TSNE{Cosine: true}.Map(x, f.dim, a.Recipe.Seed)
	if err != nil {
		return err
	}
	m := &Map{Method: "t-SNE of test features", Class: y}
	for i := range y {
		m.X, m.Y = append(m.X, xy[2*i]), append(m.Y, xy[2*i+1])
	}
	a.res.Map = m
	return nil
}

// fineTune trains all weights at every budget from both starts, on the same draws.
func (a *adapter) fineTune(ctx context.Context) error {
	ad := a.Recipe.Adapt
	tuner, err := supervise.New(a.Engine, a.Samples, supervise.Config{
		Classes: a.classes, Batch: ad.Batch, Epochs: ad.Epochs, MaxSteps: ad.MaxSteps, LR: ad.LR, WeightDecay: ad.WeightDecay, Seed: a.Recipe.Seed,
	})
	if err != nil {
		return err
	}
	defer tuner.Close()
	var rows []supervise.Row
	var labels []int32
	for i, l := range a.train {
		if l >= 0 {
			rows, labels = append(rows, supervise.Row{Part: domain.Train, Index: i}), append(labels, l)
		}
	}
	var valRows []supervise.Row
	for i, l := range a.val {
		if l >= 0 {
			valRows = append(valRows, supervise.Row{Part: domain.Val, Index: i})
		}
	}
	label := func(r supervise.Row) int32 {
		if r.Part == domain.Val {
			return a.val[r.Index]
		}
		return a.train[r.Index]
	}
	encoder := maps.Clone(a.Weights)
	maps.DeleteFunc(encoder, func(name string, _ train.Value) bool { return len(name) < 8 || name[:8] != "encoder/" })
	points := map[string][]metric.Point{}
	for _, b := range a.limits {
		n, all := b.labels, b.all
		scores := map[string][]float64{}
		right := map[string][][]bool{}
		cut := false
		for d := range ad.Draws {
			var tr, va []supervise.Row
			if all {
				tr, va = rows, valRows
			} else {
				ti, ci := metric.DrawBudget(labels, n, a.Recipe.Seed, uint64(d))
				for _, i := range ti {
					tr = append(tr, rows[i])
				}
				for _, i := range ci {
					va = append(va, rows[i])
				}
			}
			if len(va) == 0 && d == 0 {
				a.res.Notes = append(a.res.Notes, fmt.Sprintf("at %d labels every label trains: the epoch of a fine-tune is chosen on the training rows", n))
			}
			for _, method := range []string{Scratch, SSL} {
				a.tell("fine-tune from %s: %d labels, draw %d of %d", method, n, d+1, ad.Draws)
				start := encoder
				if method == Scratch {
					start = nil
				}
				net, err := tuner.Tune(ctx, start, tr, va, label, uint64(d), nil)
				if err != nil {
					return fmt.Errorf("adapt: %s at %d labels: %w", method, n, err)
				}
				cut = cut || net.Cut
				logits, err := tuner.Predict(net, len(a.testAt), func(dst *domain.Array, row, i int) error {
					return a.Samples.Fill(dst, row, domain.Test, a.testAt[i])
				})
				if err != nil {
					return err
				}
				pred := supervise.Argmax(logits, a.classes)
				acc, err := metric.Accuracy(pred, a.test)
				if err != nil {
					return err
				}
				ok, err := metric.Correct(pred, a.test)
				if err != nil {
					return err
				}
				a.score(method, FineTune, n, d, acc)
				scores[method] = append(scores[method], acc)
				right[method] = append(right[method], ok)
			}
		}
		if cut {
			a.res.Notes = append(a.res.Notes, fmt.Sprintf("At %d labels fine-tuning stopped at adapt.max_steps = %d, before its %d epochs: both starts are short of convergence, which favours the pretrained one. This budget is left out of the label-efficiency multiplier.", n, ad.MaxSteps, ad.Epochs))
		} else {
			for _, method := range []string{Scratch, SSL} {
				points[method] = append(points[method], metric.Point{Labels: n, Scores: scores[method]})
			}
		}
		j, err := metric.VerdictItems(right[SSL], right[Scratch], Alpha)
		if err != nil {
			return err
		}
		a.res.Verdicts = append(a.res.Verdicts, Verdict{Budget: n, Judgement: j})
	}
	js := make([]metric.Judgement, len(a.res.Verdicts))
	for i, v := range a.res.Verdicts {
		js[i] = v.Judgement
	}
	for i, j := range metric.Family(js) { // several budgets are several tests
		a.res.Verdicts[i].Judgement = j
	}
	a.res.Overall = overall(a.res.Verdicts)
	if len(points[Scratch]) < 2 {
		return nil // one point is no curve
	}
	for _, p := range points[SSL] {
		m, err := metric.LEM(p, points[Scratch], metric.Bootstrap{Reps: ad.Bootstrap, Seed: a.Recipe.Seed})
		if err != nil {
			return err
		}
		a.res.LEM = append(a.res.LEM, m)
	}
	return nil
}

// overall is "pays" or "hurts" where some budget says so and none says the opposite.
func overall(vs []Verdict) metric.Outcome {
	var pays, hurts bool
	for _, v := range vs {
		pays = pays || v.Judgement.Outcome == metric.Pays
		hurts = hurts || v.Judgement.Outcome == metric.Hurts
	}
	switch {
	case pays && !hurts:
		return metric.Pays
	case hurts && !pays:
		return metric.Hurts
	case pays && hurts:
		return Mixed
	}
	return metric.NoDifference
}

// Mixed is the overall outcome where pretraining pays at some budgets and hurts at others.
const Mixed metric.Outcome = "mixed"
