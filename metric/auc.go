package metric

import "fmt"

// MacroAUC is the area under the ROC curve of class probabilities (or any scores that rise with
// them) prob [n, classes]: for two classes that of class 1, above the unweighted mean over the
// classes that occur of "this class against the rest" (Fawcett 2006; multi_class="ovr",
// average="macro" of scikit-learn). Ties count one half. At least two classes must occur.
func MacroAUC(prob []float64, truth []int32, classes int) (float64, error) {
	v, err := AUCItems(prob, truth, classes)
	if err != nil {
		return 0, err
	}
	return mean(v), nil
}

// AUCItems splits [MacroAUC] over the test items: the mean of the returned values [n] is the area,
// and their spread is its sampling error. The value of a positive item is
//
//	AUC + n/positives * (V10 - AUC)
//
// where V10 is the share of negatives below it (ties one half), and likewise for negatives: the
// structural components of DeLong, DeLong & Clarke-Pearson (1988) as pseudo-values, which are those
// of the jackknife up to 1/n (Hanley & Hajian-Tilaki 1997).
func AUCItems(prob []float64, truth []int32, classes int) ([]float64, error) {
	if classes < 2 {
		return nil, fmt.Errorf("metric: auc: %d classes, want at least 2", classes)
	}
	if err := checkProb("auc", prob, truth, classes); err != nil {
		return nil, err
	}
	n := len(truth)
	count := make([]int, classes)
	for _, t := range truth {
		count[t]++
	}
	var of []int
	for c, k := range count {
		if k > 0 {
			of = append(of, c)
		}
	}
	if len(of) < 2 {
		return nil, fmt.Errorf("metric: auc: all %d items are of class %d, want at least two classes", n, truth[0])
	}
	if classes == 2 {
		of = []int{1}
	}
	out := make([]float64, n)
	score := make([]float64, n)
	for _, c := range of {
		var pos, neg []float64
		for i, t := range truth {
			score[i] = prob[i*classes+c]
			if int(t) == c {
				pos = append(pos, score[i])
			} else {
				neg = append(neg, score[i])
			}
		}
		all, _ := midranks(score)
		inPos, _ := midranks(pos)
		inNeg, _ := midranks(neg)
		m, k := float64(len(pos)), float64(len(neg))
		v, p, q := make([]float64, n), 0, 0
		var area float64
		for i, t := range truth { // midrank among all minus midrank among its own kind counts the others below
			if int(t) == c {
				v[i] = (all[i] - inPos[p]) / k
				area += v[i] / m
				p++
			} else {
				v[i] = 1 - (all[i]-inNeg[q])/m
				q++
			}
		}
		for i, t := range truth {
			w := float64(n) / k
			if int(t) == c {
				w = float64(n) / m
			}
			out[i] += (area + w*(v[i]-area)) / float64(len(of))
		}
	}
	return out, nil
}

// R2Items splits [R2] over the test items as [AUCItems] does the area: the mean of the returned
// values [n] is R2, and their spread its sampling error to first order (the delta method on the
// ratio of residual and total sum of squares).
func R2Items(pred, truth []float64) ([]float64, error) {
	r2, err := R2(pred, truth)
	if err != nil {
		return nil, err
	}
	m := mean(truth)
	var tot float64
	for _, t := range truth {
		tot += (t - m) * (t - m) / float64(len(truth))
	}
	out := make([]float64, len(truth))
	for i, t := range truth {
		e, d := t-pred[i], t-m
		out[i] = 1 - e*e/tot + (1-r2)*(d*d-tot)/tot
	}
	return out, nil
}

// AccuracyItems is 1 for every item that is predicted right, else 0: the values of [VerdictValues] for the accuracy.
func AccuracyItems(pred, truth []int32) ([]float64, error) {
	ok, err := Correct(pred, truth)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(ok))
	for i, r := range ok {
		if r {
			out[i] = 1
		}
	}
	return out, nil
}
