package metric

import (
	"slices"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// DrawShares is [DrawBudget] for classes of unequal size: every class gets rows in proportion to its
// share of the labelled rows instead of equally many, so that probabilities learnt from a draw fit the
// population. Each class has two rows first (one trains, one chooses) as long as the budget allows; the
// others are dealt by Webster's method (Sainte-Laguë 1910), which never takes a row back when the
// budget grows, so draws stay nested over budgets. A number to be predicted counts as one class: give zeros.
func DrawShares(labels []int32, budget int, seed, draw uint64) (train, val []int) {
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
	order := slices.Clone(classes) // who is first on a tie
	rng.New(seed, rng.Budget, draw).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	quota := map[int32]int{}
	left := budget
	for range 2 {
		for _, l := range order {
			if left > 0 && quota[l] < len(rows[l]) {
				quota[l]++
				left--
			}
		}
	}
	for ; left > 0; left-- {
		var next int32 = -1
		var high float64
		for _, l := range order {
			if q := quota[l]; q < len(rows[l]) {
				if v := float64(len(rows[l])) / float64(2*q+1); v > high {
					next, high = l, v
				}
			}
		}
		quota[next]++
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
