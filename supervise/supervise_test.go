package supervise

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
)

func setup(t *testing.T, cfg Config) (*Tuner, *domaintest.Fake) {
	t.Helper()
	r := recipe.Default()
	r.Seed = 4
	f := domaintest.NewFake(r, 3, [3]int{48, 30, 30})
	tuner, err := New(enginetest.Engines(t)[0], f, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tuner.Close)
	return tuner, f
}

func tiny() Config {
	return Config{Classes: 3, Batch: 16, Epochs: 8, LR: 1e-2, WeightDecay: 1e-2, Seed: 9}
}

func rows(p domain.Part, n int) (out []Row) {
	for i := range n {
		out = append(out, Row{p, i})
	}
	return out
}

func truth(f *domaintest.Fake) func(Row) int32 {
	return func(r Row) int32 { return f.Y[r.Part][r.Index] }
}

func same(a, b *Network) bool {
	return maps.EqualFunc(a.Weights, b.Weights, func(x, y train.Value) bool { return slices.Equal(x.Data, y.Data) })
}

// A tuner learns, gives one network for one draw whatever it trained in between, and others for other draws.
func TestTune(t *testing.T) {
	tuner, f := setup(t, tiny())
	ctx := context.Background()
	tune := func(n int, draw uint64) *Network {
		t.Helper()
		net, err := tuner.Tune(ctx, nil, rows(domain.Train, n), rows(domain.Val, 30), truth(f), draw, nil)
		if err != nil {
			t.Fatal(err)
		}
		return net
	}
	a := tune(48, 0)
	if a.Val < 0.95 || a.Steps != 24 || a.Epoch < 1 || a.Epoch > 8 {
		t.Errorf("chosen at epoch %d of %d steps with %g", a.Epoch, a.Steps, a.Val)
	}
	logits, err := tuner.Predict(a, 30, tuner.Rows(rows(domain.Test, 30)))
	if err != nil {
		t.Fatal(err)
	}
	hits := 0
	for i, c := range Argmax(logits, 3) {
		if c == f.Y[domain.Test][i] {
			hits++
		}
	}
	if hits < 28 {
		t.Errorf("%d of 30 right", hits)
	}
	b := tune(48, 1)
	if same(a, b) {
		t.Error("two draws give one network")
	}
	tune(7, 0) // another batch size
	if !same(a, tune(48, 0)) {
		t.Error("one draw gives two networks: something is left of the run between")
	}
}

// Fine-tuning starts from the weights given, bit for bit; what is not given is seeded by the draw.
func TestStart(t *testing.T) {
	cfg := tiny()
	cfg.LR, cfg.MaxSteps = 0, 2
	tuner, f := setup(t, cfg)
	step, err := tuner.step(16)
	if err != nil {
		t.Fatal(err)
	}
	from := map[string]train.Value{}
	var statistics []string
	for i, d := range step.Decls() {
		if !strings.HasPrefix(d.Name, train.EncoderScope+"/") {
			continue
		}
		if strings.Contains(d.Name, "running") {
			statistics = append(statistics, d.Name)
		}
		v := train.Value{Dims: d.Dims, Data: make([]float32, d.Size())}
		for k := range v.Data {
			v.Data[k] = float32(i+1) + float32(k)/7
		}
		from[d.Name] = v
	}
	if len(from) < 4 || len(statistics) != 2 {
		t.Fatalf("the encoder has %d parameters, %v", len(from), statistics)
	}
	a, b := tuner.start(step, from, 0), tuner.start(step, from, 1)
	for name, v := range from {
		if !slices.Equal(a.Values[name].Data, v.Data) {
			t.Errorf("%s does not start as given", name)
		}
	}
	if slices.Equal(a.Values["head/weight"].Data, b.Values["head/weight"].Data) {
		t.Error("two draws start with one head")
	}
	for name, v := range a.Values {
		if strings.HasPrefix(name, "optimizer") && slices.ContainsFunc(v.Data, func(x float32) bool { return x != 0 }) {
			t.Errorf("%s does not start at zero", name)
		}
	}
	net, err := tuner.Tune(context.Background(), from, rows(domain.Train, 48), rows(domain.Val, 30), truth(f), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range from { // rate 0: only the running statistics move
		if moved := !slices.Equal(net.Weights[name].Data, v.Data); moved != slices.Contains(statistics, name) {
			t.Errorf("%s moved: %v", name, moved)
		}
	}
	bad := maps.Clone(from)
	bad[statistics[0]] = train.Value{Dims: []int{1}, Data: []float32{0}}
	if _, err := tuner.Tune(context.Background(), bad, rows(domain.Train, 48), nil, truth(f), 0, nil); err == nil || !strings.Contains(err.Error(), statistics[0]) {
		t.Errorf("weights of another network: %v", err)
	}
}

// Only the rows that train and the rows that choose are read, views are drawn for the former alone.
func TestRowsRead(t *testing.T) {
	cfg := tiny()
	cfg.Epochs = 2
	tuner, f := setup(t, cfg)
	read := map[Row]bool{}
	f.OnFill = func(p domain.Part, i int) { read[Row{p, i}] = true }
	drawn := map[Row]int{}
	fill := func(dst *domain.Array, row int, epoch uint64, i int, r Row) error {
		drawn[r]++
		return f.Fill(dst, row, r.Part, r.Index)
	}
	tr, va := rows(domain.Train, 20)[4:], rows(domain.Val, 5)
	if _, err := tuner.Tune(context.Background(), nil, tr, va, truth(f), 0, fill); err != nil {
		t.Fatal(err)
	}
	if len(read) != 21 || len(drawn) != 16 {
		t.Errorf("%d rows read, %d drawn, want 21 and 16", len(read), len(drawn))
	}
	for _, r := range append(slices.Clone(tr), va...) {
		if !read[r] {
			t.Errorf("%v was not read", r)
		}
	}
	for r, n := range drawn {
		if r.Part != domain.Train || n != 2 {
			t.Errorf("%v was drawn %d times in 2 epochs", r, n)
		}
	}
	// Without rows to choose by, the training rows serve.
	net, err := tuner.Tune(context.Background(), nil, tr, nil, truth(f), 0, nil)
	if err != nil || net.Val < 0 || net.Val > 1 {
		t.Errorf("%+v %v", net, err)
	}
}

// Labels that say nothing are not learnt beyond chance on other rows.
func TestShuffledAtChance(t *testing.T) {
	tuner, f := setup(t, tiny())
	lie := func(r Row) int32 { return int32(r.Index*7+r.Index/3) % 3 } // classes go in turn: independent of the class
	net, err := tuner.Tune(context.Background(), nil, rows(domain.Train, 48), nil, lie, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	logits, err := tuner.Predict(net, 30, tuner.Rows(rows(domain.Test, 30)))
	if err != nil {
		t.Fatal(err)
	}
	hits := 0
	for i, c := range Argmax(logits, 3) {
		if c == f.Y[domain.Test][i] {
			hits++
		}
	}
	if hits > 20 { // chance is 10, five deviations are 13
		t.Errorf("%d of 30 right without labels", hits)
	}
}

// A number is learnt in its own units, the epoch is chosen on the rows that choose, and a refit reads both.
func TestTuneValues(t *testing.T) {
	cfg := tiny()
	cfg.Classes, cfg.Regress, cfg.Epochs = 0, true, 40
	tuner, f := setup(t, cfg)
	value := func(r Row) float64 { // thousands, far from zero
		return 5000 + 1000*float64(f.X[r.Part][r.Index][1])
	}
	error2 := func(net *Network, tuner *Tuner) (mse, spread float64) {
		t.Helper()
		test := rows(domain.Test, 30)
		out, err := tuner.Predict(net, 30, tuner.Rows(test))
		if err != nil || len(out) != 30 {
			t.Fatalf("%d outputs, %v", len(out), err)
		}
		var mean float64
		for _, r := range test {
			mean += value(r) / 30
		}
		for i, r := range test {
			mse += math.Pow(float64(out[i])-value(r), 2) / 30
			spread += math.Pow(mean-value(r), 2) / 30
		}
		return mse, spread
	}
	net, err := tuner.TuneValues(context.Background(), nil, rows(domain.Train, 48), rows(domain.Val, 30), value, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if mse, spread := error2(net, tuner); mse > 0.1*spread || net.Val < -0.1*spread || net.Std < 100 {
		t.Errorf("squared error %g of %g, chosen with %g at epoch %d, std %g", mse, spread, net.Val, net.Epoch, net.Std)
	}
	// The judge chooses: one that likes the first look takes it.
	cfg.Refit = true
	looks := 0
	cfg.Judge = func(out []float32, r []Row) float64 {
		if len(out) != 30 || len(r) != 30 || r[0].Part != domain.Val {
			t.Errorf("judged by %d outputs on %d rows", len(out), len(r))
		}
		looks++
		return -float64(looks)
	}
	tuner, f = setup(t, cfg)
	read := map[Row]bool{}
	f.OnFill = func(p domain.Part, i int) { read[Row{p, i}] = true }
	net, err = tuner.TuneValues(context.Background(), nil, rows(domain.Train, 48), rows(domain.Val, 30), value, 0, nil)
	if err != nil || net.Epoch != 1 || looks != 40 || net.Val != -1 {
		t.Errorf("epoch %d after %d looks, %g: %v", net.Epoch, looks, net.Val, err)
	}
	if want := (48 + 30 + 15) / 16; net.Steps != want || len(read) != 78 {
		t.Errorf("the refit ran %d steps, want %d; %d rows read", net.Steps, want, len(read))
	}
	if _, err := tuner.TuneValues(context.Background(), nil, rows(domain.Train, 4), nil, func(Row) float64 { return math.NaN() }, 0, nil); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("a target that is NaN: %v", err)
	}
	if _, err := tuner.Tune(context.Background(), nil, rows(domain.Train, 4), nil, truth(f), 0, nil); err == nil {
		t.Error("a tuner of numbers took classes")
	}
	cfg.Judge = nil
	tuner, _ = setup(t, cfg)
	constant, err := tuner.TuneValues(context.Background(), nil, rows(domain.Train, 48), nil, func(Row) float64 { return 7 }, 0, nil)
	if err != nil || constant.Std != 1 || math.Abs(constant.Mean-7) > 1e-9 {
		t.Errorf("a constant target: mean %g, std %g, %v", constant.Mean, constant.Std, err)
	}
}

func TestErrors(t *testing.T) {
	tuner, f := setup(t, tiny())
	if _, err := tuner.Tune(context.Background(), nil, rows(domain.Train, 1), nil, truth(f), 0, nil); err == nil || !strings.Contains(err.Error(), "1 training rows") {
		t.Errorf("one row: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := tuner.Tune(ctx, nil, rows(domain.Train, 48), nil, truth(f), 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	if _, err := New(enginetest.Engines(t)[0], f, Config{Classes: 1}); err == nil {
		t.Error("one class is no task")
	}
	if got := Argmax([]float32{1, 3, 3, 2, 2, 1}, 3); !slices.Equal(got, []int32{1, 0}) {
		t.Errorf("argmax %v", got)
	}
}
