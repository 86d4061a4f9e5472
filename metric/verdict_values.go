package metric

import (
	"fmt"
	"math"
)

// VerdictValues compares two methods by their values on the test items, both [draws][items] on the
// same items: [AUCItems], [R2Items] or [AccuracyItems], whose mean over the items is the score of a
// draw. It is [VerdictItems] for any score that is a mean of such values: the multi-reader
// multi-case test with draws for readers and items for cases (Dorfman, Berbaum & Metz 1992 on
// pseudo-values; variance and degrees of freedom of Hillis 2007), so the interval holds for further
// draws and further test items. For right and wrong it gives what VerdictItems gives.
//
// One draw falls back on the paired z test over items (for the area that of DeLong et al. 1988),
// whose statement is about this one pair of models (see Note). Coverage of the 95 % interval,
// simulated for AUC and R2 with five draws and 150 items: 0.94 to 0.97 (TestVerdictValuesCoverage).
func VerdictValues(a, b [][]float64, alpha float64) (Judgement, error) {
	if err := sameLen("verdict", len(a), len(b)); err != nil {
		return Judgement{}, err
	}
	if err := checkConf("verdict", 1-alpha); err != nil {
		return Judgement{}, err
	}
	n, m := len(a), len(a[0])
	row, col := make([]float64, n), make([]float64, m)
	diff := make([][]float64, n)
	for i := range a {
		if len(a[i]) != m || len(b[i]) != m || m < 2 {
			return Judgement{}, fmt.Errorf("metric: verdict: draw %d has %d and %d items, draw 0 has %d; want equal and at least 2", i, len(a[i]), len(b[i]), m)
		}
		diff[i] = make([]float64, m)
		for t := range m {
			diff[i][t] = a[i][t] - b[i][t]
			row[i] += diff[i][t] // divided below: sums of rights and wrongs are whole, and without rounding
			col[t] += diff[i][t]
		}
		row[i] /= float64(m)
		if err := checkFinite("verdict", diff[i]); err != nil {
			return Judgement{}, err
		}
	}
	for t := range col {
		col[t] /= float64(n)
	}
	flip, err := SignFlip(row, 0)
	if err != nil {
		return Judgement{}, err
	}
	grand := mean(row)
	fn, fm := float64(n), float64(m)
	j := Judgement{Alpha: alpha, Mean: grand, Draws: n, Items: m, SignFlip: flip, P: 1}
	var ssDraw, ssItem, ssRest float64
	for _, v := range row {
		ssDraw += fm * (v - grand) * (v - grand)
	}
	for _, v := range col {
		ssItem += fn * (v - grand) * (v - grand)
	}
	var v, df float64
	if n == 1 {
		v, df = ssItem/(fm-1), fm-1
		j.Test = "paired z over test items"
		j.Note = "one draw: the test speaks of these two models, not of the methods"
	} else {
		for i := range diff {
			for t, d := range diff[i] {
				e := d - row[i] - col[t] + grand
				ssRest += e * e
			}
		}
		msDraw, msItem, msRest := ssDraw/(fn-1), ssItem/(fm-1), ssRest/((fn-1)*(fm-1))
		v = msDraw + max(msItem-msRest, 0)
		j.Test, df = multiReader, hillis(v, msDraw, fn, fm)
	}
	// The mean squares that are taken from each other are of the size of all spread about the mean: what rounding leaves of them is no spread.
	if v <= 1e-20*max(1, grand*grand)+1e-12*(ssDraw+ssItem+ssRest)/(fn*fm) {
		j.withoutSpread()
		return j, nil
	}
	j.overItems(v, df)
	return j, nil
}

// VerdictSplits compares two methods by their scores on repeated random splits of one data set:
// ssl[k] and reference[k] come from split k, higher is better. Splits share most of their samples, so
// a t test over them rejects far too often; the corrected resampled t test of Nadeau & Bengio (2003,
// equation 9) replaces 1/splits by
//
//	1/splits + test/train
//
// where test and train are the sizes of the two parts of a split (train: every sample that is not in
// the test part, whether or not its label was read). Two splits at least; splits-1 degrees of freedom.
func VerdictSplits(ssl, reference []float64, train, test int, alpha float64) (Judgement, error) {
	if err := sameLen("verdict", len(ssl), len(reference)); err != nil {
		return Judgement{}, err
	}
	if err := checkConf("verdict", 1-alpha); err != nil {
		return Judgement{}, err
	}
	if train < 1 || test < 1 {
		return Judgement{}, fmt.Errorf("metric: verdict: parts of %d and %d samples, want at least 1", train, test)
	}
	d := make([]float64, len(ssl))
	for i := range d {
		d[i] = ssl[i] - reference[i]
	}
	flip, err := SignFlip(d, 0)
	if err != nil {
		return Judgement{}, err
	}
	j := Judgement{Alpha: alpha, Mean: mean(d), Draws: len(d), SignFlip: flip, Test: "corrected resampled t over splits (Nadeau & Bengio 2003)", P: 1}
	switch {
	case len(d) == 1:
		j.Note = "one split has no spread to test against"
	case flat(d):
		j.Test, j.P = flip.Name, flip.P
		j.Note = "all splits differ by the same amount: no spread for a t test"
	default:
		k := float64(len(d))
		se := stddev(d) * math.Sqrt(1/k+float64(test)/float64(train))
		j.P = tTest(j.Test, len(d), j.Mean, se, k-1).P
		h := tQuantile(1-alpha/2, k-1) * se
		j.Interval = &Interval{j.Mean - h, j.Mean + h, 1 - alpha}
	}
	j.decide(j.P)
	return j, nil
}
