package metric

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrEmpty is returned where a score of no samples was asked for.
var ErrEmpty = errors.New("metric: no samples")

func sameLen(what string, a, b int) error {
	if a != b {
		return fmt.Errorf("metric: %s: %d values against %d", what, a, b)
	}
	if a == 0 {
		return fmt.Errorf("metric: %s: %w", what, ErrEmpty)
	}
	return nil
}

// Accuracy is the share of predictions equal to the truth, both [n].
func Accuracy(pred, truth []int32) (float64, error) {
	if err := sameLen("accuracy", len(pred), len(truth)); err != nil {
		return 0, err
	}
	hit := 0
	for i, p := range pred {
		if p == truth[i] {
			hit++
		}
	}
	return float64(hit) / float64(len(pred)), nil
}

// Correct says for each item whether the prediction is right: the per-item
// evidence that [VerdictItems] and [McNemar] take.
func Correct(pred, truth []int32) ([]bool, error) {
	if err := sameLen("correct", len(pred), len(truth)); err != nil {
		return nil, err
	}
	out := make([]bool, len(pred))
	for i, p := range pred {
		out[i] = p == truth[i]
	}
	return out, nil
}

// Confusion counts [classes, classes] pairs: row = truth, column = prediction.
// A label outside [0, classes) is an error.
func Confusion(pred, truth []int32, classes int) ([][]int, error) {
	if err := sameLen("confusion", len(pred), len(truth)); err != nil {
		return nil, err
	}
	m := make([][]int, classes)
	for i := range m {
		m[i] = make([]int, classes)
	}
	for i, p := range pred {
		t := truth[i]
		if t < 0 || int(t) >= classes || p < 0 || int(p) >= classes {
			return nil, fmt.Errorf("metric: confusion: item %d has truth %d and prediction %d, want 0 to %d", i, t, p, classes-1)
		}
		m[t][p]++
	}
	return m, nil
}

// BalancedAccuracy is the mean recall over the classes that occur in the truth
// (Brodersen et al. 2010).
func BalancedAccuracy(pred, truth []int32, classes int) (float64, error) {
	m, err := Confusion(pred, truth, classes)
	if err != nil {
		return 0, err
	}
	var sum, seen float64
	for c, row := range m {
		n := 0
		for _, v := range row {
			n += v
		}
		if n > 0 {
			sum += float64(row[c]) / float64(n)
			seen++
		}
	}
	return sum / seen, nil
}

// MacroF1 is the mean over classes of 2TP/(2TP+FP+FN). A class that occurs
// neither in the truth nor in the predictions is left out of the mean.
func MacroF1(pred, truth []int32, classes int) (float64, error) {
	m, err := Confusion(pred, truth, classes)
	if err != nil {
		return 0, err
	}
	var sum, seen float64
	for c := range m {
		both := 0 // 2TP + FP + FN
		for o := range m {
			both += m[c][o] + m[o][c]
		}
		if both > 0 {
			sum += 2 * float64(m[c][c]) / float64(both)
			seen++
		}
	}
	return sum / seen, nil
}

// AUC is the area under the ROC curve: the probability that a positive item
// scores above a negative one, ties counting one half (Mann & Whitney 1947).
// Both kinds of item must occur, and no score may be NaN.
func AUC(score []float64, positive []bool) (float64, error) {
	if err := sameLen("auc", len(score), len(positive)); err != nil {
		return 0, err
	}
	for i, s := range score {
		if math.IsNaN(s) {
			return 0, fmt.Errorf("metric: auc: score %d is NaN", i)
		}
	}
	rank, _ := midranks(score)
	var sum, pos float64
	for i, p := range positive {
		if p {
			sum += rank[i]
			pos++
		}
	}
	neg := float64(len(score)) - pos
	if pos == 0 || neg == 0 {
		return 0, fmt.Errorf("metric: auc: %.0f positive and %.0f negative items, want at least one of each", pos, neg)
	}
	return (sum - pos*(pos+1)/2) / (pos * neg), nil
}

// midranks returns the 1-based ranks of x with ties averaged, and the sizes of
// the groups of ties.
func midranks(x []float64) (rank []float64, ties []int) {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return 0
	})
	rank = make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		for _, o := range order[i:j] {
			rank[o] = float64(i+j+1) / 2
		}
		ties = append(ties, j-i)
		i = j
	}
	return rank, ties
}

// LogLoss is the mean of -ln p(true class) in nats, prob [n, classes]
// row-major. Probabilities are clipped to [1e-15, 1].
func LogLoss(prob []float64, truth []int32, classes int) (float64, error) {
	if err := checkProb("log loss", prob, truth, classes); err != nil {
		return 0, err
	}
	var sum float64
	for i, t := range truth {
		sum -= math.Log(min(max(prob[i*classes+int(t)], 1e-15), 1))
	}
	return sum / float64(len(truth)), nil
}

// CalibrationError is the expected calibration error of the most probable
// class: |accuracy - confidence| averaged over equal-width bins of confidence,
// weighted by their counts (Guo et al. 2017, who use 15 bins).
func CalibrationError(prob []float64, truth []int32, classes, bins int) (float64, error) {
	if err := checkProb("calibration error", prob, truth, classes); err != nil {
		return 0, err
	}
	if bins < 1 {
		return 0, fmt.Errorf("metric: calibration error: %d bins, want at least 1", bins)
	}
	gap := make([]float64, bins) // sum of (hit - confidence): |gap|/n is the bin's weighted term
	for i, t := range truth {
		row := prob[i*classes : (i+1)*classes]
		best := 0
		for c, p := range row {
			if p > row[best] {
				best = c
			}
		}
		b := int(math.Ceil(row[best]*float64(bins))) - 1 // bins are (a, b] as in the paper
		b = min(max(b, 0), bins-1)
		gap[b] -= row[best]
		if best == int(t) {
			gap[b]++
		}
	}
	var sum float64
	for _, g := range gap {
		sum += math.Abs(g)
	}
	return sum / float64(len(truth)), nil
}

func checkProb(what string, prob []float64, truth []int32, classes int) error {
	if classes < 1 {
		return fmt.Errorf("metric: %s: %d classes, want at least 1", what, classes)
	}
	if err := sameLen(what, len(prob), len(truth)*classes); err != nil {
		return err
	}
	for i, t := range truth {
		if t < 0 || int(t) >= classes {
			return fmt.Errorf("metric: %s: item %d has truth %d, want 0 to %d", what, i, t, classes-1)
		}
	}
	for i, p := range prob {
		if math.IsNaN(p) {
			return fmt.Errorf("metric: %s: probability %d of item %d is NaN", what, i%classes, i/classes)
		}
	}
	return nil
}
