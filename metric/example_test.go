package metric_test

import (
	"fmt"

	"github.com/selfsame-ml/selfsame/metric"
)

// Did pretraining pay at 100 labels? Five draws of the labels, each scored with
// and without it.
func ExampleVerdict() {
	ssl := []float64{0.657, 0.633, 0.670, 0.661, 0.648}
	scratch := []float64{0.640, 0.602, 0.629, 0.631, 0.622}
	j, err := metric.Verdict(ssl, scratch, 0.05)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: %+.3f [%.3f, %.3f], %s, p = %.4f\n", j.Outcome, j.Mean, j.Interval.Lo, j.Interval.Hi, j.Test, j.P)
	fmt.Printf("sign-flip alone: p = %.4f, never below %.4f\n", j.SignFlip.P, j.SignFlip.Min)
	// Output:
	// pays: +0.029 [0.018, 0.040], paired t over draws, p = 0.0017
	// sign-flip alone: p = 0.0625, never below 0.0625
}

// How many labels is pretraining worth at 100 labels?
func ExampleLEM() {
	scratch := []metric.Point{
		{Labels: 20, Scores: []float64{0.358, 0.355, 0.359}},
		{Labels: 100, Scores: []float64{0.671, 0.602, 0.629}},
		{Labels: 1000, Scores: []float64{0.811, 0.809, 0.789}},
	}
	m, err := metric.LEM(metric.Point{Labels: 100, Scores: []float64{0.657, 0.633, 0.670}}, scratch, metric.Bootstrap{Seed: 1})
	if err != nil {
		panic(err)
	}
	fmt.Printf("LEM(100) = %.2f: scratch needs %.0f labels; beyond the curve: %v\n", m.LEM, m.Needed, m.BeyondCurve)
	// Output:
	// LEM(100) = 1.30: scratch needs 130 labels; beyond the curve: false
}

func ExampleKNN() {
	train := []float32{1, 0, 0.9, 0.1, 0, 1}
	pred, err := metric.KNN{K: 2}.Predict(train, []int32{0, 0, 1}, []float32{2, 0.1, 0.1, 5}, 2)
	fmt.Println(pred, err)
	// Output:
	// [0 1] <nil>
}
