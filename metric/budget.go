package metric

import (
	"slices"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// DrawBudget draws the labelled samples that one draw may see: rows of labels
// that train and rows that choose (validation). The two are disjoint, sorted,
// and together never more than budget: validation labels count in it.
//
// The rules:
//   - Negative labels are unlabelled and never drawn. Classes are those that
//     occur.
//   - Every class gets budget/classes rows. The remainder goes one each to
//     classes in an order drawn for this (seed, draw).
//   - A class with fewer rows than its share gives all it has; what is missing is
//     dealt in turn to classes that have rows left.
//   - A budget smaller than the number of classes thus leaves classes out: each
//     drawn class has one row.
//   - Budget 0 (or less), or one above the number of labelled rows, takes every
//     labelled row.
//   - Inside a class the drawn rows train and choose in turn, beginning with
//     train: q rows give (q+1)/2 to train. With one row a class, val is empty; then
//     nothing may be chosen, and a caller that chooses on train must say so.
//
// A draw is keyed by (seed, draw, class) and not by budget, so the rows of a
// class at a small budget are among those at a larger one, in the same part:
// curves over budgets are nested.
func DrawBudget(labels []int32, budget int, seed, draw uint64) (train, val []int) {
	rows := map[int32][]int{}
	total := 0
	for i, l := range labels {
		if l >= 0 {
			rows[l] = append(rows[l], i)
			total++
		}
	}
	classes := make([]int32, 0, len(rows))
	for l := range rows {
		classes = append(classes, l)
	}
	slices.Sort(classes)
	if budget <= 0 || budget > total {
		budget = total
	}
	r := rng.New(seed, rng.Budget, draw)
	order := slices.Clone(classes) // who gets the odd rows
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	quota := map[int32]int{}
	for left := budget; left > 0; {
		open := 0
		for _, l := range order {
			if quota[l] < len(rows[l]) {
				open++
			}
		}
		share := max(1, left/open)
		for _, l := range order {
			take := min(share, len(rows[l])-quota[l], left)
			quota[l] += take
			left -= take
		}
	}
	for _, l := range classes {
		c := rows[l]
		r := rng.New(seed, rng.Budget, draw, 1+uint64(l))
		r.Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] })
		for i, row := range c[:quota[l]] {
			if i%2 == 0 {
				train = append(train, row)
			} else {
				val = append(val, row)
			}
		}
	}
	slices.Sort(train)
	slices.Sort(val)
	return train, val
}
