package adapt

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/selfsame-ml/selfsame/baseline"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/supervise"
	"github.com/selfsame-ml/selfsame/train"
)

// Tasks, metrics and methods of samples with raw values or a number to be predicted. The method names its
// protocol: [SSL] and [Scratch] are fine-tuned, NAME-probe is a linear model on frozen features, NAME-knn nearest
// neighbours. Classical methods read the raw values.
const (
	Regress = "regress"

	AUC      = "auc"      // of class 1 of two; above, the mean of one against the rest
	Accuracy = "accuracy" // of the most probable class
	LogLoss  = "log-loss" // nats; lower is better
	R2       = "r2"
	RMSE     = "rmse" // in the unit of the target; lower is better
	MAE      = "mae"  // in the unit of the target; lower is better

	Trees       = "trees"   // boosted trees, see baseline.Trees
	LinearModel = "linear"  // logistic or ridge regression, see baseline.Linear
	RawKNN      = "raw-knn" // nearest rows, see baseline.Nearest
	ProbeSuffix = "-probe"
	KNNSuffix   = "-knn"
)

// ArmPrefix stands before the name of an arm: "ssl-contrast".
const ArmPrefix = SSL + "-"

// Against compares a pretrained network with the classical method of the best mean score at a budget, on the same draws and
// test items. P-values are adjusted over all comparisons of a result (Holm 1979). Since the reference is the best of
// several by their test scores, its score is flattered: "pays" is the harder to reach.
type Against struct {
	Budget    int              `json:"budget"`
	Method    string           `json:"method"`
	Reference string           `json:"reference"`
	Judgement metric.Judgement `json:"judgement"` // Method minus Reference
}

// Advice says what to use at one budget. A pretrained network is advised where it is shown better than the
// best classical method; else that method is.
type Advice struct {
	Budget    int     `json:"budget"`
	Use       string  `json:"use"` // method
	Score     float64 `json:"score"`
	Against   string  `json:"against"` // best of the other kind
	Other     float64 `json:"other"`
	Shown     bool    `json:"shown"` // the difference is significant; else a classical method is advised because nothing better is shown
	Classical bool    `json:"classical"`
	// Pays: the fine-tuned network is shown better than the same network from scratch too.
	Pays bool `json:"pays"`
}

// Choice is what validation labels chose.
type Choice struct {
	Method string `json:"method"`
	Budget int    `json:"budget"`
	Draw   int    `json:"draw"`
	Chosen string `json:"chosen"`
}

// table measures samples with raw values or a number to be predicted.
//
// Every method spends a budget in one way: the drawn labels are dealt to training and validation rows, the
// latter choose (hyper-parameters, epoch) by the primary metric, then both together train the final model.
type table struct {
	*adapter
	numbers  bool
	outputs  int
	at       [3][]int     // labelled rows of each part
	y        [3][]float64 // their classes or numbers
	strata   []int32      // of the labelled training rows: what draws are proportional to
	features map[string]*parts
	baseline map[string]bool
	arms     []string // methods: "ssl-contrast", ...
	weights  map[string]map[string]train.Value
}

// parts are the features of the labelled rows of each part.
type parts struct {
	x           [3][]float32
	dim         int
	categorical []bool // trees
}

func (f *parts) set(p domain.Part, rows []int, y []float64) baseline.Set {
	if rows == nil {
		return baseline.Set{X: f.x[p], Y: y, Dim: f.dim}
	}
	s := baseline.Set{Dim: f.dim}
	for _, i := range rows {
		s.X, s.Y = append(s.X, f.x[p][i*f.dim:(i+1)*f.dim]...), append(s.Y, y[i])
	}
	return s
}

// newTable returns nil for samples that are measured as images are.
func newTable(a *adapter) *table {
	_, raw := a.Samples.(domain.Featurer)
	numbers := false
	if t, ok := a.Samples.(domain.Targeter); ok {
		_, numbers = t.Target()
	}
	if !raw && !numbers {
		return nil
	}
	t := &table{adapter: a, numbers: numbers, features: map[string]*parts{}, baseline: map[string]bool{}, weights: map[string]map[string]train.Value{SSL: a.Weights}}
	for name, w := range a.Arms {
		name = ArmPrefix + strings.TrimPrefix(name, ArmPrefix)
		t.arms = append(t.arms, name)
		t.weights[name] = w
	}
	slices.Sort(t.arms)
	for _, b := range []string{Trees, LinearModel} {
		t.baseline[b] = raw && (len(a.Recipe.Adapt.Baselines) == 0 || slices.Contains(a.Recipe.Adapt.Baselines, b))
	}
	t.baseline[RawKNN] = raw
	return t
}

// read finds the labelled rows; it returns why nothing can be measured, or "".
func (t *table) read() string {
	s := t.Samples
	for p := range t.at {
		part := domain.Part(p)
		var labels []int32
		if t.numbers {
			values := s.(domain.Targeter).Values(part)
			labels = make([]int32, len(values))
			for i, v := range values {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					labels[i] = -1
					continue
				}
				t.at[p], t.y[p] = append(t.at[p], i), append(t.y[p], v)
			}
		} else {
			labels = s.Labels(part)
			for i, l := range labels {
				if l >= 0 {
					t.at[p], t.y[p] = append(t.at[p], i), append(t.y[p], float64(l))
				}
			}
		}
		switch part {
		case domain.Train:
			t.train = labels
		case domain.Val:
			t.val = labels
		}
	}
	t.res.Parts = [2]int{s.Len(domain.Train) + s.Len(domain.Val), s.Len(domain.Test)}
	distinct := func(p domain.Part) int {
		seen := map[float64]bool{}
		for _, v := range t.y[p] {
			seen[v] = true
		}
		return len(seen)
	}
	n, what := len(t.y[domain.Train]), "samples with a label"
	t.classes = len(s.Classes())
	if t.numbers {
		t.classes, what = 0, "samples with a target"
	}
	t.outputs = max(1, t.classes)
	switch {
	case !t.numbers && t.classes < 2:
		return "the data has no labels of two or more classes and no number to be predicted, so no downstream score can be measured"
	case len(t.y[domain.Test]) < 10:
		return fmt.Sprintf("the test part has %d %s, want at least 10", len(t.y[domain.Test]), what)
	case n < max(4, 2*t.classes):
		return fmt.Sprintf("the training part has %d %s, want at least %d", n, what, max(4, 2*t.classes))
	case distinct(domain.Train) < 2:
		return "all labelled samples of the training part are the same"
	case distinct(domain.Test) < 2:
		return "all labelled samples of the test part are the same"
	}
	for _, y := range t.y[domain.Train] {
		if t.numbers {
			y = 0
		}
		t.strata = append(t.strata, int32(y))
	}
	return ""
}

// primary is R2 for numbers; the AUC for two classes, or where the largest class has more than twice the labels of the smallest; else the accuracy.
func (t *table) primary() (name string, chance float64) {
	if t.numbers {
		return R2, 0
	}
	count := make([]int, t.classes)
	for _, p := range []domain.Part{domain.Train, domain.Val} {
		for _, y := range t.y[p] {
			count[int(y)]++
		}
	}
	if t.classes == 2 || slices.Max(count) > 2*slices.Min(count) {
		return AUC, 0.5
	}
	return Accuracy, 1 / float64(t.classes)
}

func (t *table) run(ctx context.Context) (*Result, error) {
	if t.res.Skipped = t.read(); t.res.Skipped != "" {
		return t.res, nil
	}
	chance := 0.0
	t.res.Task = Task
	t.res.Primary, chance = t.primary()
	t.res.Chance = &chance
	if t.numbers {
		target, _ := t.Samples.(domain.Targeter).Target()
		t.res.Task, t.res.Unit = Regress, target.Unit
	}
	t.limits = t.budgets()
	before := map[string][32]byte{}
	for name, w := range t.weights {
		before[name] = train.Digest(w)
	}
	if err := t.extract(ctx); err != nil {
		return nil, err
	}
	if err := t.identify(); err != nil {
		return nil, err
	}
	var tuner *supervise.Tuner
	if ad := t.Recipe.Adapt; ad.FineTune {
		var err error
		tuner, err = supervise.New(t.Engine, t.Samples, supervise.Config{
			Classes: t.classes, Regress: t.numbers, Batch: ad.Batch, Epochs: ad.Epochs, MaxSteps: ad.MaxSteps, LR: ad.LR, WeightDecay: ad.WeightDecay, Seed: t.Recipe.Seed,
			Refit: true, Judge: func(out []float32, rows []supervise.Row) float64 {
				y := make([]float64, len(rows))
				for i, r := range rows {
					y[i] = t.truth(r)
				}
				return t.judge(t.answers(out), y)
			},
		})
		if err != nil {
			return nil, err
		}
		defer tuner.Close()
	}
	if err := t.measure(ctx, tuner); err != nil {
		return nil, err
	}
	for name, w := range t.weights {
		if train.Digest(w) != before[name] {
			return nil, ErrNotFrozen
		}
	}
	return t.res, nil
}

// truth is the class or number of a row.
func (t *table) truth(r supervise.Row) float64 {
	if i, ok := slices.BinarySearch(t.at[r.Part], r.Index); ok {
		return t.y[r.Part][i]
	}
	return math.NaN()
}

// answers are the outputs of a network as probabilities or numbers.
func (t *table) answers(out []float32) []float64 {
	p := make([]float64, len(out))
	if t.numbers {
		for i, v := range out {
			p[i] = float64(v)
		}
		return p
	}
	for i := 0; i < len(out); i += t.classes {
		row := out[i : i+t.classes]
		high, sum := slices.Max(row), 0.0
		for c, v := range row {
			p[i+c] = math.Exp(float64(v - high))
			sum += p[i+c]
		}
		for c := range row {
			p[i+c] /= sum
		}
	}
	return p
}

func classesOf(y []float64) []int32 {
	out := make([]int32, len(y))
	for i, v := range y {
		out[i] = int32(v)
	}
	return out
}

// best is the most probable class of each row, the smaller on a tie.
func best(prob []float64, classes int) []int32 {
	out := make([]int32, len(prob)/classes)
	for i := range out {
		row := prob[i*classes : (i+1)*classes]
		for c, v := range row {
			if v > row[out[i]] {
				out[i] = int32(c)
			}
		}
	}
	return out
}

// judge is the primary metric on rows that choose; a thousandth of the log loss (the mean squared error decides alone for
// numbers) breaks the ties that few rows have, and decides alone where all are of one class.
func (t *table) judge(pred, y []float64) float64 {
	if t.numbers {
		var sum float64
		for i, v := range y {
			sum += (pred[i] - v) * (pred[i] - v)
		}
		return -sum
	}
	truth := classesOf(y)
	loss, err := metric.LogLoss(pred, truth, t.classes)
	if err != nil {
		return math.Inf(-1)
	}
	var v float64
	if t.res.Primary == AUC {
		if v, err = metric.MacroAUC(pred, truth, t.classes); err != nil {
			v = 0 // one class: the loss decides
		}
	} else if v, err = metric.Accuracy(best(pred, t.classes), truth); err != nil {
		return math.Inf(-1)
	}
	return v - 1e-3*loss
}

// record scores the answers to the test items and returns the items' values of the primary metric.
func (t *table) record(method string, budget, draw int, pred []float64) ([]float64, error) {
	add := func(name string, v float64, err error) error {
		if err == nil {
			t.res.Scores = append(t.res.Scores, store.Score{Method: method, Task: t.res.Task, Metric: name, Budget: budget, Seed: draw, Value: v})
		}
		return err
	}
	y := t.y[domain.Test]
	if t.numbers {
		for i, v := range pred {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("adapt: %s at %d labels: the answer to test item %d is %g", method, budget, i, v)
			}
		}
		r2, err := metric.R2(pred, y)
		if err := add(R2, r2, err); err != nil {
			return nil, err
		}
		rmse, err := metric.RMSE(pred, y)
		if err := add(RMSE, rmse, err); err != nil {
			return nil, err
		}
		mae, err := metric.MAE(pred, y)
		if err := add(MAE, mae, err); err != nil {
			return nil, err
		}
		return metric.R2Items(pred, y)
	}
	truth := classesOf(y)
	auc, err := metric.MacroAUC(pred, truth, t.classes)
	if err := add(AUC, auc, err); err != nil {
		return nil, err
	}
	classes := best(pred, t.classes)
	acc, err := metric.Accuracy(classes, truth)
	if err := add(Accuracy, acc, err); err != nil {
		return nil, err
	}
	loss, err := metric.LogLoss(pred, truth, t.classes)
	if err := add(LogLoss, loss, err); err != nil {
		return nil, err
	}
	if t.res.Primary == AUC {
		return metric.AUCItems(pred, truth, t.classes)
	}
	return metric.AccuracyItems(classes, truth)
}

// extract reads the raw values and the features of every encoder.
func (t *table) extract(ctx context.Context) error {
	rows := func(p domain.Part) []int {
		if t.at[p] == nil {
			return []int{} // nil would mean all
		}
		return t.at[p]
	}
	if f, ok := t.Samples.(domain.Featurer); ok {
		dense, tree := &parts{}, &parts{}
		for p := range t.at {
			var err error
			if dense.x[p], dense.dim, err = f.Dense(domain.Part(p), rows(domain.Part(p))); err != nil {
				return fmt.Errorf("adapt: raw values: %w", err)
			}
			if n := len(dense.x[p]); n > maxRaw {
				return fmt.Errorf("adapt: raw values: %d of part %d, at most %d are taken; name fewer columns or rows", n, p, maxRaw)
			}
			if !t.baseline[Trees] {
				continue
			}
			if tree.x[p], tree.dim, tree.categorical, err = f.Tree(domain.Part(p), rows(domain.Part(p))); err != nil {
				return fmt.Errorf("adapt: raw values: %w", err)
			}
		}
		if t.features[LinearModel] = dense; dense.dim == 0 {
			t.baseline[LinearModel], t.baseline[RawKNN] = false, false
			t.res.Notes = append(t.res.Notes, "no column has values that a linear model can read")
		}
		if t.features[Trees] = tree; tree.dim == 0 && t.baseline[Trees] {
			t.baseline[Trees] = false
			t.res.Notes = append(t.res.Notes, "no column has values that trees can read")
		}
	}
	m, err := train.NewEmbedder(t.Engine, t.Samples)
	if err != nil {
		return err
	}
	defer m.Close()
	for _, name := range append([]string{Untrained, SSL}, t.arms...) {
		if err := ctx.Err(); err != nil {
			return err
		}
		w := t.weights[name]
		if name == Untrained {
			w = m.Start(t.Recipe.Seed)
		}
		if err := m.Bind(w); err != nil {
			return fmt.Errorf("adapt: %s: %w", name, err)
		}
		f := &parts{dim: m.Dim()}
		for p := range t.at {
			if f.x[p], err = m.Part(domain.Part(p), rows(domain.Part(p))); err != nil {
				return fmt.Errorf("adapt: %s: %w", name, err)
			}
		}
		t.features[name] = f
	}
	test := features{test: t.features[SSL].x[domain.Test], dim: m.Dim()}
	t.test = classesOf(t.y[domain.Test])
	if t.numbers { // the map has no classes: one colour
		t.test = make([]int32, len(t.y[domain.Test]))
		for i := range t.test {
			t.test[i] = -1
		}
	}
	return t.drawMap(test)
}

// identify hashes the targets of the test part and the inputs of its first samples.
func (t *table) identify() error {
	h := sha256.New()
	put := func(v any) error { return binary.Write(h, binary.LittleEndian, v) }
	if err := put(t.y[domain.Test]); err != nil {
		return err
	}
	in := domain.NewArray(t.Samples.Input(), 1)
	for _, i := range t.at[domain.Test][:min(64, len(t.at[domain.Test]))] {
		if err := t.Samples.Fill(&in, 0, domain.Test, i); err != nil {
			return err
		}
		for _, v := range []any{in.U8, in.U16, in.I32, in.F32} {
			if err := put(v); err != nil {
				return err
			}
		}
	}
	t.res.Test = hex.EncodeToString(h.Sum(nil))
	return nil
}

// draw returns the rows that train and those that choose, as indices into the labelled rows; which part the
// latter are of; draw d of budget b.
func (t *table) draw(b budget, d int) (tr, va []int, part domain.Part) {
	if b.all && len(t.y[domain.Val]) > 0 {
		return nil, nil, domain.Val // nil: every row
	}
	n := b.labels
	if b.all {
		n = 0
	}
	tr, va = metric.DrawShares(t.strata, n, t.Recipe.Seed, uint64(d))
	if va == nil {
		va = []int{}
	}
	return tr, va, domain.Train
}

// measure fits every method at every budget and draw, budget by budget, and judges.
func (t *table) measure(ctx context.Context, tuner *supervise.Tuner) error {
	ad := t.Recipe.Adapt
	encoders := append([]string{Untrained, SSL}, t.arms...)
	tuned := append([]string{Scratch, SSL}, t.arms...)
	for _, b := range t.limits {
		if !b.all || len(t.y[domain.Val]) == 0 {
			t.total += ad.Draws
		} else {
			t.total++
		}
		if tuner != nil {
			t.total += len(tuned) * ad.Draws
		}
	}
	points := map[string][]metric.Point{}
	for _, b := range t.limits {
		n := b.labels
		items := map[string][][]float64{}
		put := func(method string, d int, pred []float64) error {
			v, err := t.record(method, n, d, pred)
			items[method] = append(items[method], v)
			return err
		}
		draws := ad.Draws
		if b.all && len(t.y[domain.Val]) > 0 {
			draws = 1 // nothing is drawn
		}
		for d := range draws {
			if err := ctx.Err(); err != nil {
				return err
			}
			t.tell("trees, linear models and probes: %d labels, draw %d of %d", n, d+1, draws)
			tr, va, part := t.draw(b, d)
			keep := func(method string, f *baseline.Fitted, err error) error {
				if err != nil {
					return fmt.Errorf("adapt: %s at %d labels: %w", method, n, err)
				}
				t.res.Chosen = append(t.res.Chosen, Choice{method, n, d, f.Chosen})
				if method == SSL+ProbeSuffix && (t.res.Head == nil || n >= t.res.Head.Labels) {
					t.res.Head = &Head{Linear: f.Head, Classes: t.Samples.Classes(), Labels: n}
					if t.numbers {
						t.res.Head.Target, _ = t.Samples.(domain.Targeter).Target()
					}
				}
				return put(method, d, f.Test)
			}
			if f := t.features[Trees]; t.baseline[Trees] {
				fit, err := baseline.Trees(ctx, f.set(domain.Train, tr, t.y[domain.Train]), f.set(part, va, t.y[part]), f.x[domain.Test], f.categorical, t.classes, t.judge)
				if err := keep(Trees, fit, err); err != nil {
					return err
				}
			}
			for _, name := range append([]string{LinearModel}, encoders...) {
				f, linear, near := t.features[name], name+ProbeSuffix, name+KNNSuffix
				if name == LinearModel {
					linear, near = LinearModel, RawKNN
				}
				if f == nil || name == LinearModel && f.dim == 0 {
					continue
				}
				x, v := f.set(domain.Train, tr, t.y[domain.Train]), f.set(part, va, t.y[part])
				if name != LinearModel || t.baseline[LinearModel] {
					fit, err := baseline.Linear(x, v, f.x[domain.Test], t.classes, t.judge)
					if err := keep(linear, fit, err); err != nil {
						return err
					}
				}
				if strings.HasPrefix(name, ArmPrefix) { // arms: the probe tells enough
					continue
				}
				fit, err := baseline.Nearest(x, v, f.x[domain.Test], t.classes, ad.K, ad.KNNTemperature, t.judge)
				if err := keep(near, fit, err); err != nil {
					return err
				}
			}
		}
		if tuner != nil {
			cut, err := t.tune(ctx, tuner, b, tuned, put)
			if err != nil {
				return err
			}
			if cut {
				t.res.Notes = append(t.res.Notes, fmt.Sprintf("At %d labels fine-tuning stopped at adapt.max_steps = %d, before its %d epochs: both starts are short of convergence, which favours the pretrained one. This budget is left out of the label-efficiency multiplier.", n, ad.MaxSteps, ad.Epochs))
			} else {
				for _, method := range []string{Scratch, SSL} {
					points[method] = append(points[method], metric.Point{Labels: n, Scores: means(items[method])})
				}
			}
			j, err := metric.VerdictValues(items[SSL], items[Scratch], Alpha)
			if err != nil {
				return err
			}
			t.res.Verdicts = append(t.res.Verdicts, Verdict{Budget: n, Judgement: j})
		}
		if err := t.against(n, items); err != nil {
			return err
		}
	}
	js := make([]metric.Judgement, len(t.res.Verdicts))
	for i, v := range t.res.Verdicts {
		js[i] = v.Judgement
	}
	for i, j := range metric.Family(js) { // several budgets are several tests
		t.res.Verdicts[i].Judgement = j
	}
	t.res.Overall = overall(t.res.Verdicts)
	js = js[:0]
	for _, v := range t.res.Against {
		js = append(js, v.Judgement)
	}
	for i, j := range metric.Family(js) {
		t.res.Against[i].Judgement = j
	}
	t.advise()
	if len(points[Scratch]) < 2 {
		return nil // one point is no curve
	}
	for _, p := range points[SSL] {
		m, err := metric.LEM(p, points[Scratch], metric.Bootstrap{Reps: ad.Bootstrap, Seed: t.Recipe.Seed})
		if err != nil {
			return err
		}
		t.res.LEM = append(t.res.LEM, m)
	}
	return nil
}

// means are the scores of draws.
func means(items [][]float64) []float64 {
	out := make([]float64, len(items))
	for d, v := range items {
		for _, x := range v {
			out[d] += x / float64(len(v))
		}
	}
	return out
}

func meanOf(items [][]float64) float64 {
	var s float64
	for _, v := range means(items) {
		s += v / float64(len(items))
	}
	return s
}

// tune fine-tunes from every start on the same draws.
func (t *table) tune(ctx context.Context, tuner *supervise.Tuner, b budget, starts []string, put func(string, int, []float64) error) (cut bool, err error) {
	for d := range t.Recipe.Adapt.Draws {
		tr, va, part := t.draw(b, d)
		rows := func(p domain.Part, at []int) (out []supervise.Row) {
			if at == nil {
				for _, i := range t.at[p] {
					out = append(out, supervise.Row{Part: p, Index: i})
				}
			}
			for _, k := range at {
				out = append(out, supervise.Row{Part: p, Index: t.at[p][k]})
			}
			return out
		}
		train, choose := rows(domain.Train, tr), rows(part, va)
		if len(choose) == 0 && d == 0 {
			t.res.Notes = append(t.res.Notes, fmt.Sprintf("at %d labels every label trains: the epoch of a fine-tune is chosen on the training rows", b.labels))
		}
		for _, method := range starts {
			t.tell("fine-tune from %s: %d labels, draw %d of %d", method, b.labels, d+1, t.Recipe.Adapt.Draws)
			start := maps.Clone(t.weights[method]) // nil from scratch
			for name := range start {
				if !strings.HasPrefix(name, "encoder/") {
					delete(start, name)
				}
			}
			var net *supervise.Network
			if t.numbers {
				net, err = tuner.TuneValues(ctx, start, train, choose, t.truth, uint64(d), nil)
			} else {
				net, err = tuner.Tune(ctx, start, train, choose, func(r supervise.Row) int32 { return int32(t.truth(r)) }, uint64(d), nil)
			}
			if err != nil {
				return cut, fmt.Errorf("adapt: %s at %d labels: %w", method, b.labels, err)
			}
			cut = cut || net.Cut
			out, err := tuner.Predict(net, len(t.at[domain.Test]), func(dst *domain.Array, row, i int) error {
				return t.Samples.Fill(dst, row, domain.Test, t.at[domain.Test][i])
			})
			if err != nil {
				return cut, err
			}
			t.res.Chosen = append(t.res.Chosen, Choice{method, b.labels, d, fmt.Sprintf("epoch %d, by %d rows", net.Epoch, len(choose))})
			if err := put(method, d, t.answers(out)); err != nil {
				return cut, err
			}
		}
	}
	return cut, nil
}

// Classical reports whether a method reads raw values and trains no network.
func Classical(method string) bool {
	return method == Trees || method == LinearModel || method == RawKNN
}

// pretrained are the methods compared with the classical ones: fine-tuned networks, and the probe of the whole
// objective; without fine-tuning the probes.
func (t *table) pretrained() []string {
	if t.Recipe.Adapt.FineTune {
		return append([]string{SSL, SSL + ProbeSuffix}, t.arms...)
	}
	out := []string{SSL + ProbeSuffix}
	for _, a := range t.arms {
		out = append(out, a+ProbeSuffix)
	}
	return out
}

// against compares every pretrained network with the best classical method of a budget.
func (t *table) against(n int, items map[string][][]float64) error {
	reference := ""
	for _, m := range []string{Trees, LinearModel, RawKNN} {
		if v := items[m]; v != nil && (reference == "" || meanOf(v) > meanOf(items[reference])) {
			reference = m
		}
	}
	if reference == "" {
		return nil
	}
	for _, method := range t.pretrained() {
		x, y := items[method], items[reference]
		for len(x) < len(y) { // a method that draws nothing answers every draw alike
			x = append(slices.Clone(x), x[0])
		}
		for len(y) < len(x) {
			y = append(slices.Clone(y), y[0])
		}
		j, err := metric.VerdictValues(x, y, Alpha)
		if err != nil {
			return fmt.Errorf("adapt: %s against %s: %w", method, reference, err)
		}
		t.res.Against = append(t.res.Against, Against{Budget: n, Method: method, Reference: reference, Judgement: j})
	}
	return nil
}

// score is the mean of the primary metric.
func (t *table) mean(method string, budget int) float64 {
	var sum, n float64
	for _, s := range t.res.Scores {
		if s.Method == method && s.Budget == budget && s.Metric == t.res.Primary {
			sum += s.Value
			n++
		}
	}
	return sum / n
}

// advise says what to use at each budget.
func (t *table) advise() {
	byBudget := map[int][]Against{}
	for _, v := range t.res.Against {
		byBudget[v.Budget] = append(byBudget[v.Budget], v)
	}
	for _, b := range t.limits {
		vs := byBudget[b.labels]
		if len(vs) == 0 {
			continue
		}
		first := vs[0] // the pretrained network that leads: shown better first, then by its score
		for _, v := range vs[1:] {
			a, o := v.Judgement, first.Judgement
			if av, ov := a.Outcome == metric.Pays, o.Outcome == metric.Pays; av != ov && av || av == ov && a.Mean > o.Mean {
				first = v
			}
		}
		x, y := t.mean(first.Method, b.labels), t.mean(first.Reference, b.labels)
		ad := Advice{Budget: b.labels, Use: first.Reference, Score: y, Against: first.Method, Other: x, Classical: true, Shown: first.Judgement.Outcome == metric.Hurts}
		if first.Judgement.Outcome == metric.Pays {
			ad = Advice{Budget: b.labels, Use: first.Method, Score: x, Against: first.Reference, Other: y, Shown: true}
			for _, v := range t.res.Verdicts {
				ad.Pays = ad.Pays || v.Budget == b.labels && v.Judgement.Outcome == metric.Pays
			}
		}
		t.res.Advice = append(t.res.Advice, ad)
	}
}
