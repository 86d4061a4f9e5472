package baseline

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/selfsame-ml/selfsame/baseline/gbdt"
	"github.com/selfsame-ml/selfsame/metric"
)

// Set is labelled rows: X [len(Y), dim] row-major, Y classes 0..classes-1 or numbers.
type Set struct {
	X   []float32
	Y   []float64
	Dim int
}

// Len is the number of rows.
func (s Set) Len() int { return len(s.Y) }

// With are the rows of s and then those of o.
func (s Set) With(o Set) Set {
	return Set{append(slices.Clone(s.X), o.X...), append(slices.Clone(s.Y), o.Y...), s.Dim}
}

// labels are the targets as classes.
func (s Set) labels() []int32 {
	out := make([]int32, len(s.Y))
	for i, y := range s.Y {
		out[i] = int32(y)
	}
	return out
}

// Judge scores the answers of a fit on the rows that choose: higher is better. pred is [n, classes] of
// probabilities, or [n] of numbers.
type Judge func(pred, y []float64) float64

// Fitted is what a fit answers.
type Fitted struct {
	Test   []float64 // of the test rows: probabilities [n, classes], or numbers [n]
	Chosen string    // the hyper-parameters taken, and by how many rows
	// Head is the fit of [Linear] for further rows; a number has Classes 1. Nil for the others.
	Head *metric.Linear
}

// Every method here spends a budget of labels in one way: hyper-parameters are chosen by judge on val after a fit on
// train; then train and val together fit the final model with them. Without val the first of the grid is taken.
// classes 0 is regression.

// choose returns the index of the candidate that judges best on val, the first on a tie.
func choose(n int, val Set, judge Judge, fit func(i int) ([]float64, error)) (int, error) {
	if val.Len() == 0 || n == 1 {
		return 0, nil
	}
	best, high := 0, math.Inf(-1)
	for i := range n {
		pred, err := fit(i)
		if err != nil {
			return 0, err
		}
		if v := judge(pred, val.Y); v > high {
			best, high = i, v
		}
	}
	return best, nil
}

// treeSmall is the number of rows that choose below which trees keep their defaults: fewer would choose by luck.
const treeSmall = 25

// Trees fits gradient-boosted trees (package gbdt) on rows as domain.Featurer.Tree gives them.
//
// Hyper-parameters are those of scikit-learn's HistGradientBoosting but for the smallest leaf, which its
// default of 20 makes useless on few rows: n/20 rows of n, at least 2 and at most 20. With 25 or more rows that
// choose, a grid of learning rate 0.1 or 0.03 and smallest leaf once or three times that is judged on them. The number of rounds (at most 100 at 0.1, 300 at
// 0.03) is always found by early stopping on the rows that choose (scikit-learn's patience of 10 rounds, 30 at
// 0.03); without any it is 100.
func Trees(ctx context.Context, train, val Set, test []float32, categorical []bool, classes int, judge Judge) (*Fitted, error) {
	leaf := min(20, max(2, train.Len()/20))
	grid := []gbdt.Config{{LearningRate: 0.1, MinLeaf: leaf, Rounds: 100, Patience: 10}}
	if val.Len() >= treeSmall {
		grid = append(grid, gbdt.Config{LearningRate: 0.1, MinLeaf: 3 * leaf, Rounds: 100, Patience: 10},
			gbdt.Config{LearningRate: 0.03, MinLeaf: leaf, Rounds: 300, Patience: 30}, gbdt.Config{LearningRate: 0.03, MinLeaf: 3 * leaf, Rounds: 300, Patience: 30})
	}
	rows := func(s Set) gbdt.Rows { return gbdt.Rows{X: s.X, Y: s.Y, Dim: s.Dim} }
	answer := func(m *gbdt.Model, x []float32) ([]float64, error) {
		if classes == 0 {
			return m.Score(x)
		}
		return m.Proba(x)
	}
	rounds := make([]int, len(grid))
	for i := range grid {
		grid[i].Classes, grid[i].Categorical = classes, categorical
		rounds[i] = grid[i].Rounds
	}
	fit := func(i int) ([]float64, error) {
		m, err := gbdt.Fit(ctx, rows(train), rows(val), grid[i])
		if err != nil {
			return nil, err
		}
		rounds[i] = max(1, m.Rounds())
		return answer(m, val.X)
	}
	var best int
	var err error
	if len(grid) == 1 && val.Len() > 0 {
		_, err = fit(0) // for the rounds
	} else {
		best, err = choose(len(grid), val, judge, fit)
	}
	if err != nil {
		return nil, fmt.Errorf("baseline: trees: %w", err)
	}
	final := grid[best]
	final.Rounds = rounds[best]
	m, err := gbdt.Fit(ctx, rows(train.With(val)), gbdt.Rows{}, final)
	if err != nil {
		return nil, fmt.Errorf("baseline: trees: %w", err)
	}
	out := &Fitted{Chosen: fmt.Sprintf("learning rate %g, smallest leaf %d, %d rounds, by %d rows", final.LearningRate, final.MinLeaf, final.Rounds, val.Len())}
	if out.Test, err = answer(m, test); err != nil {
		return nil, fmt.Errorf("baseline: trees: %w", err)
	}
	return out, nil
}

// Linear fits logistic regression (ridge regression where classes is 0) on dense rows: raw values, or the
// features of a frozen encoder. The penalty comes from a grid in steps of ten, 1e-4 to 1 (1e-4 to 100), 1e-2 (0.1) first.
func Linear(train, val Set, test []float32, classes int, judge Judge) (*Fitted, error) {
	grid := []float64{1e-2, 1e-4, 1e-3, 1e-1, 1}
	if classes == 0 {
		grid = []float64{1e-1, 1e-4, 1e-3, 1e-2, 1, 10, 100}
	}
	fit := func(s Set, penalty float64) (*metric.Linear, error) {
		if classes > 0 {
			return metric.Probe{L2: []float64{penalty}}.Fit(s.X, s.labels(), nil, nil, s.Dim, classes)
		}
		m, err := metric.Ridge{Lambda: []float64{penalty}}.Fit(s.X, s.Y, nil, nil, s.Dim, 1)
		if err != nil {
			return nil, err
		}
		l := &metric.Linear{Dim: m.Dim, Classes: 1, Mean: m.Mean, Std: m.Std, L2: m.Lambda, ValAccuracy: math.NaN()}
		for _, w := range m.W {
			l.W = append(l.W, float32(w))
		}
		l.B = []float32{float32(m.B[0])}
		return l, nil
	}
	answer := func(l *metric.Linear, x []float32) ([]float64, error) {
		if classes > 0 {
			return l.Probabilities(x)
		}
		z, err := l.Logits(x)
		if err != nil {
			return nil, err
		}
		return widen(z), nil
	}
	best, err := choose(len(grid), val, judge, func(i int) ([]float64, error) {
		l, err := fit(train, grid[i])
		if err != nil {
			return nil, err
		}
		return answer(l, val.X)
	})
	if err != nil {
		return nil, fmt.Errorf("baseline: linear: %w", err)
	}
	l, err := fit(train.With(val), grid[best])
	if err != nil {
		return nil, fmt.Errorf("baseline: linear: %w", err)
	}
	out := &Fitted{Chosen: fmt.Sprintf("penalty %g, by %d rows", grid[best], val.Len()), Head: l}
	if out.Test, err = answer(l, test); err != nil {
		return nil, fmt.Errorf("baseline: linear: %w", err)
	}
	return out, nil
}

// Nearest answers by the weighted vote (mean) of the nearest rows by cosine, see metric.KNN. The number of neighbours is
// one of k, 50, 15, 5 as far as there are so many rows.
func Nearest(train, val Set, test []float32, classes, k int, temperature float64, judge Judge) (*Fitted, error) {
	var grid []int
	for _, n := range []int{k, 50, 15, 5} {
		if n = min(n, k, train.Len()); !slices.Contains(grid, n) {
			grid = append(grid, n)
		}
	}
	answer := func(s Set, k int, x []float32) ([]float64, error) {
		c := metric.KNN{K: k, Temperature: temperature}
		if classes == 0 {
			return c.Mean(s.X, s.Y, x, s.Dim)
		}
		return c.Votes(s.X, s.labels(), classes, x, s.Dim)
	}
	best, err := choose(len(grid), val, judge, func(i int) ([]float64, error) { return answer(train, grid[i], val.X) })
	if err != nil {
		return nil, fmt.Errorf("baseline: nearest: %w", err)
	}
	out := &Fitted{Chosen: fmt.Sprintf("%d neighbours, by %d rows", grid[best], val.Len())}
	if out.Test, err = answer(train.With(val), grid[best], test); err != nil {
		return nil, fmt.Errorf("baseline: nearest: %w", err)
	}
	return out, nil
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
