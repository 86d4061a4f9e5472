package metric

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// The area of many classes is the mean of the Mann-Whitney shares of each class against the rest, ties
// one half; the values of the items average to it, whatever the ties.
func TestMacroAUCAgainstPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, classes := rapid.IntRange(4, 30).Draw(t, "n"), rapid.IntRange(2, 4).Draw(t, "classes")
		prob, truth := make([]float64, n*classes), make([]int32, n)
		for i := range truth {
			truth[i] = int32(rapid.IntRange(0, classes-1).Draw(t, "class"))
			for c := range classes {
				prob[i*classes+c] = float64(rapid.IntRange(0, 5).Draw(t, "p")) / 5
			}
		}
		truth[0], truth[1] = 0, 1
		var want, seen float64
		for c := range classes {
			var wins, pairs float64
			for i := range truth {
				for j := range truth {
					if int(truth[i]) != c || int(truth[j]) == c {
						continue
					}
					pairs++
					switch a, b := prob[i*classes+c], prob[j*classes+c]; {
					case a > b:
						wins++
					case a == b:
						wins += 0.5
					}
				}
			}
			if pairs > 0 && (classes > 2 || c == 1) {
				want += wins / pairs
				seen++
			}
		}
		got, err := MacroAUC(prob, truth, classes)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got-want/seen) > 1e-12 {
			t.Fatalf("macro AUC %g, pairs say %g", got, want/seen)
		}
	})
}

// Closed forms: perfect, reversed and constant scores; normal scores d apart have Phi(d/sqrt 2); the score must not be read as a class.
func TestMacroAUCClosed(t *testing.T) {
	truth := []int32{0, 1, 0, 1, 1}
	two := func(p ...float64) (out []float64) {
		for _, v := range p {
			out = append(out, 1-v, v)
		}
		return out
	}
	near(t, "perfect", must(MacroAUC(two(.1, .7, .2, .8, .9), truth, 2)), 1, 1e-15)
	near(t, "reversed", must(MacroAUC(two(.9, .2, .8, .1, .3), truth, 2)), 0, 1e-15)
	near(t, "constant", must(MacroAUC(two(.5, .5, .5, .5, .5), truth, 2)), 0.5, 1e-15)
	near(t, "one tie", must(MacroAUC(two(.1, .5, .5, .8, .9), truth, 2)), 5.5/6, 1e-15)
	r := rand.New(rand.NewPCG(1, 2))
	const n, d = 20000, 1.2
	var prob []float64
	var y []int32
	for i := range n {
		c := int32(i % 2)
		s := r.NormFloat64() + d*float64(c)
		prob, y = append(prob, -s, s), append(y, c)
	}
	near(t, "normal", must(MacroAUC(prob, y, 2)), distuv.UnitNormal.CDF(d/math.Sqrt2), 0.01)
	for _, bad := range []struct {
		prob    []float64
		truth   []int32
		classes int
	}{
		{two(.1, .2), []int32{1, 1}, 2}, {two(.1), []int32{1}, 1}, {two(.1, math.NaN()), []int32{0, 1}, 2}, {two(.1, .2), []int32{0, 2}, 2}, {nil, nil, 2}, {two(.1), []int32{0, 1}, 2},
	} {
		if _, err := MacroAUC(bad.prob, bad.truth, bad.classes); err == nil {
			t.Errorf("%v took no error", bad)
		}
	}
}

// The values of items are the pseudo-values of the jackknife up to their order 1/n, and their means are AUC and R2.
func TestItemsAreJackknife(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const n = 400
	prob, truth, pred, y := make([]float64, 0, 3*n), make([]int32, n), make([]float64, n), make([]float64, n)
	for i := range n {
		truth[i] = int32(r.IntN(3))
		for c := range 3 {
			v := r.NormFloat64()
			if c == int(truth[i]) {
				v++
			}
			prob = append(prob, v)
		}
		y[i] = r.NormFloat64()
		pred[i] = 0.5*y[i] + 0.7*r.NormFloat64()
	}
	auc, r2 := must(AUCItems(prob, truth, 3)), must(R2Items(pred, y))
	near(t, "mean of the R2 items", mean(r2), must(R2(pred, y)), 1e-12)
	for i := range 20 {
		p, c := append(append([]float64(nil), prob[:3*i]...), prob[3*i+3:]...), append(append([]int32(nil), truth[:i]...), truth[i+1:]...)
		near(t, "AUC item", auc[i], n*mean(auc)-(n-1)*must(MacroAUC(p, c, 3)), 0.05)
		a, b := append(append([]float64(nil), pred[:i]...), pred[i+1:]...), append(append([]float64(nil), y[:i]...), y[i+1:]...)
		near(t, "R2 item", r2[i], n*mean(r2)-(n-1)*must(R2(a, b)), 0.05)
	}
}

// For right and wrong the test is that of VerdictItems.
func TestVerdictValuesIsVerdictItems(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draws, items := rapid.IntRange(2, 5).Draw(t, "draws"), rapid.IntRange(2, 30).Draw(t, "items")
		a, b := make([][]bool, draws), make([][]bool, draws)
		va, vb := make([][]float64, draws), make([][]float64, draws)
		for i := range draws {
			for range items {
				x, y := rapid.Bool().Draw(t, "a"), rapid.Bool().Draw(t, "b")
				a[i], b[i] = append(a[i], x), append(b[i], y)
			}
			zeros := make([]int32, items)
			as := func(r []bool) []float64 {
				p := make([]int32, items)
				for k, ok := range r {
					if !ok {
						p[k] = 1
					}
				}
				v, err := AccuracyItems(p, zeros)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			va[i], vb[i] = as(a[i]), as(b[i])
		}
		x, err := VerdictItems(a, b, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		y, err := VerdictValues(va, vb, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(x.P-y.P) > 1e-6 || x.Outcome != y.Outcome || math.Abs(x.Mean-y.Mean) > 1e-12 || (x.Interval == nil) != (y.Interval == nil) ||
			x.Interval != nil && math.Abs(x.Interval.Lo-y.Interval.Lo) > 1e-9 {
			t.Fatalf("%+v and %+v", x, y)
		}
	})
}

// Draws differ by the same amount, and items differ no more than the rest does: exactly no spread, whatever rounding makes of it. A spread of
// 1e-17 would be a p of 1e-40 and a verdict.
func TestVerdictNoSpread(t *testing.T) {
	for _, n := range []struct{ both, one, items int }{{5, 5, 20}, {3, 3, 12}, {4, 8, 36}, {9, 3, 16}, {1, 6, 49}, {25, 35, 144}} {
		ssl, scratch := make([][]bool, 2), make([][]bool, 2)
		va, vb := make([][]float64, 2), make([][]float64, 2)
		for i := range ssl {
			ssl[i], scratch[i] = make([]bool, n.items), make([]bool, n.items)
			va[i], vb[i] = make([]float64, n.items), make([]float64, n.items)
			for k := range n.items {
				if k < n.both || k >= n.both+i*n.one && k < n.both+(i+1)*n.one {
					ssl[i][k], va[i][k] = true, 1
				}
			}
		}
		items, values := must(VerdictItems(ssl, scratch, 0.05)), must(VerdictValues(va, vb, 0.05))
		for what, j := range map[string]Judgement{"items": items, "values": values} {
			if j.P != 0.5 || j.Outcome != NoDifference || j.Interval != nil || j.Note == "" {
				t.Errorf("%+v, %s: %+v", n, what, j)
			}
		}
	}
}

// Coverage of the interval for further draws and further items, on synthetic methods whose true difference
// of AUC and of R2 is known, with and without an own effect of draw, and with ties of a tree's few leaves.
func TestVerdictValuesCoverage(t *testing.T) {
	if testing.Short() {
		t.Skip("simulation")
	}
	const draws, items, sims = 5, 150, 1500
	r := rand.New(rand.NewPCG(5, 6))
	// Scores of an item under draw d: slope_d*truth + shared noise of the item + own noise. The slope moves with the draw.
	for _, c := range []struct {
		name   string
		slope  float64 // of the method; the reference has slope 1
		spread float64 // of the slope between draws
		ties   bool
	}{
		{"equal, no effect of draw", 1, 0, false},
		{"equal, draws differ", 1, 0.4, false},
		{"better", 1.5, 0.3, false},
		{"ties", 1.3, 0.2, true},
	} {
		method := func(slope, own float64, y, item []float64) []float64 {
			slope += c.spread * r.NormFloat64()
			out := make([]float64, len(y))
			for i := range y {
				out[i] = slope*y[i] + 0.8*item[i] + own*r.NormFloat64()
				if c.ties {
					out[i] = math.Round(out[i])
				}
			}
			return out
		}
		once := func(items, draws int) (auc, r2 [2][][]float64) {
			y, z, item := make([]float64, items), make([]int32, items), make([]float64, items)
			num := make([]float64, items)
			for i := range y {
				item[i], num[i] = r.NormFloat64(), r.NormFloat64()
				if r.Float64() < 0.3 {
					y[i], z[i] = 1, 1
				}
			}
			for range draws {
				for m, slope := range []float64{c.slope, 1} {
					s := method(slope, 1, y, item)
					p := make([]float64, 0, 2*items)
					for _, v := range s {
						p = append(p, -v, v)
					}
					auc[m] = append(auc[m], must(AUCItems(p, z, 2)))
					pred := method(slope*0.5, 0.4, num, item)
					r2[m] = append(r2[m], must(R2Items(pred, num)))
				}
			}
			return auc, r2
		}
		// The truth: scores of the two kinds are normal with slopes that are normal over draws; rounded ones by simulation.
		area := func(slope float64) float64 { return distuv.UnitNormal.CDF(slope / math.Sqrt(2*1.64+c.spread*c.spread)) }
		trueAUC, trueR2 := area(c.slope)-area(1), 0.25-(1-c.slope/2)*(1-c.slope/2)
		if c.ties {
			trueAUC, trueR2 = 0, 0
			const big = 200
			for range big {
				a, b := once(1500, 4)
				for d := range 4 {
					trueAUC += (mean(a[0][d]) - mean(a[1][d])) / (4 * big)
					trueR2 += (mean(b[0][d]) - mean(b[1][d])) / (4 * big)
				}
			}
		}
		var inAUC, inR2 float64
		for range sims {
			a, b := once(items, draws)
			ja, jb := must(VerdictValues(a[0], a[1], 0.05)), must(VerdictValues(b[0], b[1], 0.05))
			if ja.Interval.Lo <= trueAUC && trueAUC <= ja.Interval.Hi {
				inAUC += 1. / sims
			}
			if jb.Interval.Lo <= trueR2 && trueR2 <= jb.Interval.Hi {
				inR2 += 1. / sims
			}
		}
		t.Logf("%s: true difference of AUC %.3f covered in %.3f, of R2 %.3f in %.3f", c.name, trueAUC, inAUC, trueR2, inR2)
		if inAUC < 0.92 || inR2 < 0.92 { // 0.95 less what 1,500 simulations and a few draws leave open
			t.Errorf("%s: coverage %.3f and %.3f, want 0.95", c.name, inAUC, inR2)
		}
	}
}

// One draw: the paired test of DeLong, and no statement about the method.
func TestVerdictValuesOneDraw(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	reject := 0
	const sims, n = 1000, 100
	for range sims {
		truth := make([]int32, n)
		var p, q []float64
		for i := range n {
			truth[i] = int32(i % 2)
			s := r.NormFloat64() + float64(truth[i])
			a, b := s+r.NormFloat64(), s+r.NormFloat64()
			p, q = append(p, -a, a), append(q, -b, b)
		}
		j := must(VerdictValues([][]float64{must(AUCItems(p, truth, 2))}, [][]float64{must(AUCItems(q, truth, 2))}, 0.05))
		if j.Note == "" || j.Items != n || j.Interval == nil {
			t.Fatalf("%+v", j)
		}
		if j.Outcome != NoDifference {
			reject++
		}
	}
	if reject < 25 || reject > 75 {
		t.Errorf("%d of %d true nulls rejected at 0.05", reject, sims)
	}
	same := [][]float64{{1, 0, 1}, {1, 0, 1}}
	if j := must(VerdictValues(same, same, 0.05)); j.Outcome != NoDifference || j.P != 1 {
		t.Errorf("a method against itself: %+v", j)
	}
	if _, err := VerdictValues([][]float64{{1, 2}}, [][]float64{{1}}, 0.05); err == nil {
		t.Error("other items were compared")
	}
}

// A plain t test over splits that share samples rejects too often; the corrected one keeps its level.
func TestVerdictSplitsSize(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const n, test, splits, sims = 100, 30, 5, 2000
	plain, corrected := 0, 0
	d := make([]float64, n)
	for range sims {
		for i := range d { // the difference of the two methods on each sample: no true difference
			d[i] = r.NormFloat64()
		}
		a, zero := make([]float64, splits), make([]float64, splits)
		for k := range a {
			for _, i := range r.Perm(n)[:test] {
				a[k] += d[i] / test
			}
		}
		if must(VerdictSplits(a, zero, n-test, test, 0.05)).Outcome != NoDifference {
			corrected++
		}
		if must(Verdict(a, zero, 0.05)).Outcome != NoDifference {
			plain++
		}
	}
	t.Logf("a true null is rejected in %.3f of cases, by the plain t test in %.3f", float64(corrected)/sims, float64(plain)/sims)
	if corrected > sims*7/100 || plain < sims*9/100 {
		t.Errorf("rejected %d and %d of %d", corrected, plain, sims)
	}
	if j := must(VerdictSplits([]float64{1}, []float64{0}, 70, 30, 0.05)); j.Outcome != NoDifference || j.Note == "" {
		t.Errorf("one split: %+v", j)
	}
	// By hand: differences 1, 2, 3, test/train 1/2: se = sqrt(1/3 + 1/2).
	j := must(VerdictSplits([]float64{1, 2, 3}, []float64{0, 0, 0}, 20, 10, 0.05))
	near(t, "upper end", j.Interval.Hi, 2+4.302652729911275*math.Sqrt(1./3+.5), 1e-9)
}

// The mean of neighbours: one neighbour gives its target, all at a high temperature the mean.
func TestKNNMean(t *testing.T) {
	train := []float32{1, 0, 0, 1, -1, 0}
	y := []float64{1, 10, 100}
	got := must(KNN{K: 1}.Mean(train, y, []float32{0.1, 2, -3, 0.1}, 2))
	near(t, "nearest", got[0], 10, 0)
	near(t, "nearest", got[1], 100, 0)
	near(t, "all", must(KNN{K: 9, Temperature: 1e9}.Mean(train, y, []float32{1, 1}, 2))[0], 37, 1e-6)
	w := math.Exp(-1 / 0.5)
	near(t, "weighted", must(KNN{K: 2, Temperature: 0.5}.Mean(train, y, []float32{1, 0}, 2))[0], (1+10*w)/(1+w), 1e-6)
	if _, err := (KNN{}).Mean(train, []float64{1, math.NaN(), 2}, []float32{1, 1}, 2); err == nil {
		t.Error("a target that is NaN was taken")
	}
}
