package report

import (
	"bytes"
	"encoding/csv"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/selfsame-ml/selfsame/metric"
)

// exampleScores reads measured scores of a SimCLR run (testdata/scores.csv).
func exampleScores(t testing.TB) []Score {
	t.Helper()
	f, err := os.Open("testdata/scores.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []Score
	for _, r := range rows[1:] {
		b, _ := strconv.Atoi(r[3])
		seed, _ := strconv.ParseUint(r[4], 10, 64)
		v, err := strconv.ParseFloat(r[5], 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Score{r[0], r[1], r[2], b, seed, Num(v)})
	}
	return out
}

// picture draws a small grey picture that turns with the angle.
func picture(angle float64) []byte {
	m := image.NewGray(image.Rect(0, 0, 28, 28))
	s, c := math.Sincos(angle)
	for y := range 28 {
		for x := range 28 {
			u, v := c*float64(x-14)+s*float64(y-14), -s*float64(x-14)+c*float64(y-14)
			if math.Abs(u) < 5 && v > -11 && v < 10 || math.Abs(u) < 11 && v > -11 && v < -6 {
				m.SetGray(x, y, color.Gray{uint8(150 + 6*v)})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// example is a report as a run on Fashion-MNIST would leave it.
func example(t testing.TB) *Report {
	r := &Report{
		Name: "fashion", Created: time.Date(2026, 11, 23, 15, 40, 0, 0, time.UTC), Seed: 7,
		Command: "selfsame run recipes/fashion.yaml --out runs/fashion",
		Recipe:  "name: fashion\ndomain: image\nseed: 7\ndata:\n  source: fashion-mnist\n  val: 5000\nviews:\n  transforms:\n    - {name: crop, scale: 0.2..1, contract: invariant}\n    - {name: rotate, angle: -180..180, contract: invariant}\n",
		Stages:  []Stage{{"data", 2.1, "cache reused"}, {"certify", 14.2, ""}, {"pretrain", 402.7, ""}, {"audit", 21.5, ""}, {"adapt", 148.3, ""}},
		Versions: Versions{Selfsame: "0.1.0", Commit: "9090dc9", Go: "go1.26.5", Engine: "xla", Plugin: "lammps-jax-pjrt-cpu 0.11.2", Precision: "bf16",
			Flags: []string{"--xla_cpu_use_onednn=true", "--xla_cpu_multi_thread_eigen=true"}},
		Machine: Machine{OS: "linux", Arch: "amd64", CPU: "Intel Xeon", Cores: 2, MemoryBytes: 8 << 30},
		Data: Data{Source: "fashion-mnist", Licence: "MIT", Domain: "image", Shape: []int{28, 28, 1},
			Parts:      []Part{{"train", 55000, 55000}, {"val", 5000, 5000}, {"test", 10000, 10000}},
			Hash:       "5f1a1a2f7a2c0b5c9d7a42a4b8fb4f1e1a4d8c9e77ac0c1d2e3f405162738495",
			Duplicates: []Duplicate{{"train", "test", 10}}, Warnings: []string{"Part train holds 43 samples twice."},
			SkippedCount: 1, SkippedFiles: []BadFile{{"train/0/broken.png", "unexpected end of file at byte 812"}}},
		Contract: []Promise{
			{"crop", "scale", "of the area", "invariant", 0.2, 1, 1},
			{"flip", "flipped", "", "invariant", 0, 1, 1},
			{"brightness", "factor", "", "invariant", 0.6, 1.4, 1},
			{"rotate", "angle", "degrees", "invariant", -15, 15, 1},
			{"quarter", "turns", "quarter turns", "equivariant", 0, 3, 0.5},
			{"mask", "ratio", "of the area", "restorable", 0.3, 0.6, 0.5},
		},
		Health: Health{Dim: 128, Verdict: Healthy, Text: "Effective rank and spread grew and stayed; the embedding did not collapse."},
		Notes:  []string{"The certification probe used 1,000 labels; they count in no budget."},
		Files:  []File{{"runs/fashion/report.html", "this page"}, {"runs/fashion/scores.csv", "every measurement"}, {"runs/fashion/encoder.safetensors", "the encoder"}},
	}
	for _, n := range []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"} {
		r.Data.Classes = append(r.Data.Classes, Class{n, 5500, 500, 1000})
	}
	// Rates and bounds are what package metric gives for these counts.
	violations := []int{3, 0, 1, 4, 0, 0}
	for i, c := range r.Contract {
		x := Certificate{Transformation: c.Transformation, Unit: c.Unit, Kind: c.Kind, From: c.From, To: c.To, Pass: true, Trials: 2000,
			Checks: []Check{{"identity at strength zero", true, N(0), N(0), ""}, {"values in bounds", true, nil, nil, ""}, {"deterministic", true, nil, nil, ""}, {"strength", true, N(0.12 + 0.05*float64(i)), nil, "mean change of a pixel"}}}
		if c.Kind == "invariant" {
			up, err := metric.ClopperPearsonUpper(violations[i], 2000, .95)
			if err != nil {
				t.Fatal(err)
			}
			x.Violations, x.Rate, x.Upper, x.Confidence, x.MaxRate = violations[i], N(float64(violations[i])/2000), N(up), .95, N(.05)
			x.Checks = append(x.Checks, Check{"label preserved", true, x.Rate, x.MaxRate, ""})
		}
		if c.Transformation == "rotate" {
			x.Counter = &CounterExample{Seed: 7, Epoch: 0, Sample: 4711, Part: "val", Params: []Param{{"angle", "degrees", 14.62}}, Before: "Sneaker (0.91)", After: "Ankle boot (0.55)", Original: picture(0), View: picture(.255)}
			x.SafeFrom, x.SafeTo = N(-15), N(15)
		}
		r.Certificates = append(r.Certificates, x)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := 0; i <= 1600; i += 4 {
		f := float64(i) / 1600
		views, turn, mask := 5.5*math.Exp(-5*f)+.9+.08*rnd.NormFloat64(), 1.38*math.Exp(-3*f)+.12+.03*rnd.NormFloat64(), .9*math.Exp(-8*f)+.31+.02*rnd.NormFloat64()
		r.Curves = append(r.Curves, CurvePoint{Step: i, Epoch: Num(f * 15), Loss: Num(views + .5*turn + .5*mask),
			Objectives: map[string]Num{"views": Num(views), "quarter": Num(turn), "mask": Num(mask)}, LR: Num(.06 * math.Min(f*10, 1) * (1 + math.Cos(math.Pi*f)) / 2), Rate: Num(940 + 25*rnd.NormFloat64())})
	}
	for i := 0; i <= 15; i++ {
		f := float64(i) / 15
		r.Health.Points = append(r.Health.Points, HealthPoint{i * 107, Num(14 + 42*(1-math.Exp(-4*f))), Num(.55 + .33*(1-math.Exp(-5*f))), Num(.35 + .2*math.Exp(-3*f)), Num(-1.4 - 1.9*(1-math.Exp(-4*f))), N(.766 + .062*(1-math.Exp(-4*f)))})
	}
	row := func(i int, measure string, v, ref, triv float64, better, verdict, text string) {
		c := r.Contract[i]
		a := AuditRow{Transformation: c.Transformation, Unit: c.Unit, Kind: c.Kind, From: c.From, To: c.To, Measure: measure, Value: Num(v), Reference: N(ref), Better: better, Verdict: verdict, Text: text, Lo: N(v - .011), Hi: N(v + .012)}
		if triv != 0 {
			a.Trivial = N(triv)
		}
		r.Audit.Rows = append(r.Audit.Rows, a)
	}
	row(0, "distance of views / distance of samples", .214, .571, 1, Lower, Kept, "")
	row(1, "distance of views / distance of samples", .097, .338, 1, Lower, Kept, "")
	row(2, "distance of views / distance of samples", .061, .402, 1, Lower, Kept, "")
	row(3, "distance of views / distance of samples", .188, .241, 1, Lower, NotShown, "The interval reaches the untrained value of some classes.")
	row(4, "accuracy of the predicted turn", .964, .611, .25, Higher, Kept, "")
	row(5, "restoring loss / loss of the mean", .382, .827, 1, Lower, Kept, "")
	r.Audit.Checks = []Check{{"frozen weights have the same hash before and after", true, nil, nil, "sha256 3fa1…77c0"}, {"shuffled-label probe sits at chance", true, N(.1032), N(.12), ""}, {"norm layers in inference mode", true, nil, nil, ""}, {"embedding the same batch twice is bit-equal", true, nil, nil, ""}}
	r.Scores = exampleScores(t)
	by := map[string]map[int][]float64{}
	for _, s := range r.Scores {
		if s.Metric == "finetune" {
			if by[s.Method] == nil {
				by[s.Method] = map[int][]float64{}
			}
			by[s.Method][s.Budget] = append(by[s.Method][s.Budget], float64(s.Value))
		}
	}
	var js []metric.Judgement
	var scratch []metric.Point
	mean := make([]float64, 3)
	base := make([]float64, 3)
	budgets := []int{20, 100, 1000}
	for _, b := range budgets {
		j, err := metric.Verdict(by[SSL][b], by[Scratch][b], .05)
		if err != nil {
			t.Fatal(err)
		}
		js = append(js, j)
		scratch = append(scratch, metric.Point{Labels: b, Scores: by[Scratch][b]})
		for i := range mean {
			mean[i] += by[SSL][b][i] / 3
			base[i] += by[Scratch][b][i] / 3
		}
	}
	for i, j := range metric.Family(js) {
		r.Verdicts = append(r.Verdicts, NewVerdict("classify", "finetune", SSL, Scratch, budgets[i], j))
		m, err := metric.LEM(metric.Point{Labels: budgets[i], Scores: by[SSL][budgets[i]]}, scratch, metric.Bootstrap{Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		r.LEM = append(r.LEM, NewLEM("classify", "finetune", SSL, Scratch, m))
	}
	j, err := metric.Verdict(mean, base, .05)
	if err != nil {
		t.Fatal(err)
	}
	o := NewVerdict("classify", "finetune", SSL, Scratch, 0, j)
	o.Budgets = 3
	r.Overall = &o
	r.Metrics = []Metric{{Task: "classify", Metric: "finetune", Label: "fine-tune accuracy", Chance: N(.1)}}
	r.Map = Map{Method: "PCA", Part: "test"}
	for i := range 3000 {
		c := i % 10
		a := float64(c) * .63
		r.Map.Points = append(r.Map.Points, MapPoint{Num(4*math.Cos(a) + 1.1*rnd.NormFloat64()), Num(3*math.Sin(a) + .8*rnd.NormFloat64()), c})
	}
	for _, c := range r.Contract[:4] {
		for k, word := range []string{"original", "low", "middle", "high"} {
			p := Picture{Transformation: c.Transformation, Kind: c.Kind, Caption: word, Part: "train", Sample: 3, PNG: picture(float64(k) * .2)}
			if k > 0 {
				p.Params = []Param{{c.Parameter, c.Unit, c.From + (c.To-c.From)*Num(k-1)/2}}
			}
			r.Views = append(r.Views, p)
		}
	}
	return r
}
