package metric

import (
	"fmt"
	"math"
)

// R2 is the coefficient of determination 1 - SSres/SStot, both [n]. It is
// negative where the mean of the truth predicts better. A constant truth has no
// R2 and is an error.
func R2(pred, truth []float64) (float64, error) {
	if err := sameLen("r2", len(pred), len(truth)); err != nil {
		return 0, err
	}
	m := mean(truth)
	var res, tot float64
	for i, t := range truth {
		res += (t - pred[i]) * (t - pred[i])
		tot += (t - m) * (t - m)
	}
	if tot == 0 {
		return 0, fmt.Errorf("metric: r2: the truth is constant (%g)", m)
	}
	return 1 - res/tot, nil
}

// MAE is the mean absolute error, in the units of the truth.
func MAE(pred, truth []float64) (float64, error) {
	if err := sameLen("mae", len(pred), len(truth)); err != nil {
		return 0, err
	}
	var sum float64
	for i, t := range truth {
		sum += math.Abs(t - pred[i])
	}
	return sum / float64(len(truth)), nil
}

// RMSE is the root of the mean squared error, in the units of the truth.
func RMSE(pred, truth []float64) (float64, error) {
	if err := sameLen("rmse", len(pred), len(truth)); err != nil {
		return 0, err
	}
	var sum float64
	for i, t := range truth {
		sum += (t - pred[i]) * (t - pred[i])
	}
	return math.Sqrt(sum / float64(len(truth))), nil
}

func mean(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}

// stddev is the sample standard deviation (n-1).
func stddev(x []float64) float64 {
	m := mean(x)
	var s float64
	for _, v := range x {
		s += (v - m) * (v - m)
	}
	return math.Sqrt(s / float64(len(x)-1))
}
