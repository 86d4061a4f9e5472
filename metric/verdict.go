package metric

import (
	"fmt"
	"math"
)

// Outcome is the plain word of a verdict.
type Outcome string

// The three outcomes. NoDifference does not say that the methods are equal:
// the interval says which differences remain possible.
const (
	Pays         Outcome = "pays"
	NoDifference Outcome = "no difference shown"
	Hurts        Outcome = "hurts"
)

// Judgement is the answer to "did pretraining pay" at one label budget.
type Judgement struct {
	Outcome  Outcome   `json:"outcome"`
	Test     string    `json:"test"`               // name of the test behind the outcome
	P        float64   `json:"p"`                  // two-sided
	Adjusted *float64  `json:"p_holm,omitempty"`   // set by [Family]; then it decides
	Alpha    float64   `json:"alpha"`              // two-sided level
	Mean     float64   `json:"mean_difference"`    // SSL minus scratch
	Interval *Interval `json:"interval,omitempty"` // of the mean difference, at 1-alpha; absent where no spread can be measured
	Draws    int       `json:"draws"`
	Items    int       `json:"items,omitempty"` // test items whose own spread is in the interval; 0: these items only
	SignFlip Test      `json:"sign_flip"`       // shown beside; with few draws it cannot be significant
	Note     string    `json:"note,omitempty"`
}

// Verdict compares scores of two methods (higher is better) that share their
// label draws: ssl[i] and scratch[i] come from draw i.
//
// The test is Student's paired t over draws, two-sided at alpha (n-1 degrees of
// freedom), with the t interval of the mean difference. Why not a permutation
// test: five draws have 32 sign patterns, so the exact sign-flip p is never
// below 1/32 one-sided or 2/32 = 0.0625 two-sided. A percentile bootstrap over
// five draws is no way out: it rejects far too often (0.18 for a stated
// 0.05). The t test keeps its level for differences of draws that are roughly
// normal: simulated for a stated 0.05 (TestVerdictSize), five draws reject a
// true null in 0.048 of cases for normal differences, 0.03 for heavy tails, 0.06
// for flat (uniform) ones; three draws in up to 0.08. Prefer five or more.
//
// Its statement is about further draws scored on these test items; where all draws
// start from one pretrained encoder, about that encoder and not about pretraining
// again. Where the correctness of each item is at hand use [VerdictItems], whose interval holds
// for further test items too. One draw gives NoDifference with p = 1. Equal
// differences in all draws have no spread; then the sign-flip p decides.
func Verdict(ssl, scratch []float64, alpha float64) (Judgement, error) {
	if err := sameLen("verdict", len(ssl), len(scratch)); err != nil {
		return Judgement{}, err
	}
	if err := checkConf("verdict", 1-alpha); err != nil {
		return Judgement{}, err
	}
	d := make([]float64, len(ssl))
	for i := range d {
		d[i] = ssl[i] - scratch[i]
	}
	flip, err := SignFlip(d, 0)
	if err != nil {
		return Judgement{}, err
	}
	j := Judgement{Alpha: alpha, Mean: mean(d), Draws: len(d), SignFlip: flip, Test: "paired t over draws", P: 1}
	switch {
	case len(d) == 1:
		j.Note = "one draw has no spread to test against"
	case flat(d):
		j.Test, j.P = flip.Name, flip.P
		j.Note = "all draws differ by the same amount: no spread for a t test; check that the draws are independent"
	default:
		t, err := PairedT(d)
		if err != nil {
			return Judgement{}, err
		}
		iv, err := TInterval(d, 1-alpha)
		if err != nil {
			return Judgement{}, err
		}
		j.P, j.Interval = t.P, &iv
	}
	j.decide(j.P)
	return j, nil
}

// flat says whether all differences are equal up to rounding.
func flat(d []float64) bool {
	for _, v := range d {
		if math.Abs(v-d[0]) > 1e-12*max(1, math.Abs(d[0])) {
			return false
		}
	}
	return true
}

func (j *Judgement) decide(p float64) {
	j.Outcome = NoDifference
	if p <= j.Alpha && j.Mean > 0 {
		j.Outcome = Pays
	} else if p <= j.Alpha && j.Mean < 0 {
		j.Outcome = Hurts
	}
}

// VerdictItems compares two methods by their per-item correctness: ssl[i][t]
// says whether the SSL network of draw i is right on test item t, scratch
// likewise, both [draws][items] on the same items.
//
// Every draw is scored on the same items, so the draws' means share the luck of
// the test part; neither a t test over draws nor McNemar pooled over draws sees
// both sources. The test here is that of multi-reader multi-case studies, draws
// for readers and test items for cases (Obuchowski & Rockette 1995 in the
// analysis-of-variance form, degrees of freedom of Hillis 2007):
//
//	var(mean) = (MSdraw + max(MSitem - MSrest, 0)) / (draws*items)
//	df        = (MSdraw + max(MSitem - MSrest, 0))^2 / (MSdraw^2/(draws-1))
//
// It needs at least two draws and two items; one draw falls back on exact
// McNemar, whose statement is about that one pair of networks (see Note).
func VerdictItems(ssl, scratch [][]bool, alpha float64) (Judgement, error) {
	if err := sameLen("verdict", len(ssl), len(scratch)); err != nil {
		return Judgement{}, err
	}
	if err := checkConf("verdict", 1-alpha); err != nil {
		return Judgement{}, err
	}
	n, m := len(ssl), len(ssl[0])
	for i := range ssl {
		if len(ssl[i]) != m || len(scratch[i]) != m || m < 2 {
			return Judgement{}, fmt.Errorf("metric: verdict: draw %d has %d and %d items, draw 0 has %d; want equal and at least 2", i, len(ssl[i]), len(scratch[i]), m)
		}
	}
	// All sums are counted in whole numbers: no spread is then exactly none, which rounding would make a spread of 1e-17 and a p of 1e-40.
	rights, cols := make([]int64, n), make([]int64, m) // differences of a draw, of an item
	var sum, squares int64
	for i := range ssl {
		for t := range m {
			if ssl[i][t] == scratch[i][t] {
				continue
			}
			v := int64(1)
			if scratch[i][t] {
				v = -1
			}
			rights[i] += v
			cols[t] += v
			sum += v
			squares++
		}
	}
	row := make([]float64, n)
	for i, r := range rights {
		row[i] = float64(r) / float64(m)
	}
	flip, err := SignFlip(row, 0)
	if err != nil {
		return Judgement{}, err
	}
	grand := float64(sum) / float64(n*m)
	j := Judgement{Alpha: alpha, Mean: grand, Draws: n, Items: m, SignFlip: flip, P: 1}
	if n == 1 {
		mc, err := McNemar(ssl[0], scratch[0])
		if err != nil {
			return Judgement{}, err
		}
		j.Test, j.P = mc.Name, mc.P
		j.Note = "one draw: the test speaks of these two networks, not of the methods"
		j.decide(j.P)
		return j, nil
	}
	// Sums of squares times n*m.
	draw, item := -sum*sum, -sum*sum
	for _, r := range rights {
		draw += int64(n) * r * r
	}
	for _, c := range cols {
		item += int64(m) * c * c
	}
	rest := int64(n)*int64(m)*squares - sum*sum - draw - item
	fn, fm := float64(n), float64(m)
	msDraw := float64(draw) / (fn * fm * (fn - 1))
	v := msDraw + max(0, float64(item*int64(n-1)-rest))/(fn*fm*(fm-1)*(fn-1))
	if v == 0 {
		j.withoutSpread()
		return j, nil
	}
	j.Test = multiReader
	j.overItems(v, hillis(v, msDraw, fn, fm))
	return j, nil
}

const multiReader = "paired t over draws and test items (multi-reader multi-case, Hillis df)"

// hillis is the degrees of freedom of Hillis 2007 for the variance v of draws and items together.
func hillis(v, msDraw, draws, items float64) float64 {
	df := draws*items - 1 // msDraw = 0: all spread is between items
	if msDraw > 0 {
		df = min(df, v*v/(msDraw*msDraw/(draws-1)))
	}
	return df
}

// withoutSpread judges by the signs of the draws.
func (j *Judgement) withoutSpread() {
	j.Test, j.P, j.Note = j.SignFlip.Name, j.SignFlip.P, "no spread over draws or items"
	j.decide(j.P)
}

// overItems judges by a t test with the variance v of one difference of one draw and item.
func (j *Judgement) overItems(v, df float64) {
	se := math.Sqrt(v / float64(j.Draws*j.Items))
	j.P = tTest(j.Test, j.Draws, j.Mean, se, df).P
	h := tQuantile(1-j.Alpha/2, df) * se
	j.Interval = &Interval{j.Mean - h, j.Mean + h, 1 - j.Alpha}
	j.decide(j.P)
}

// Family decides several judgements together, for example one for each label
// budget: Holm-adjusted p-values against each judgement's own Alpha. The
// intervals stay those of the single comparisons. The input is not changed.
func Family(js []Judgement) []Judgement {
	p := make([]float64, len(js))
	for i, j := range js {
		p[i] = j.P
	}
	out := append([]Judgement(nil), js...)
	for i, a := range Holm(p) {
		out[i].Adjusted = &a
		out[i].decide(a)
	}
	return out
}
