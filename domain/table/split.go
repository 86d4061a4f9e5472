package table

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
)

// splitRequest is how the rows of a source become parts.
type splitRequest struct {
	rows    int
	strata  []int32   // class of every row, -1 unknown; nil: none
	times   []float64 // nil: not by time
	groups  []int32   // group of every row, rising from 0; nil: none
	val     float64   // count from 1, share below
	test    float64   // share; 0: no test part is cut off
	tail    bool
	seed    uint64
	leftOut int // rows that no part can hold (result)
}

// splitRows assigns every row to a part; -1 is none.
//
// Without time, whole groups (or rows) are drawn: at random keyed by the seed, stratified by class where rows are not grouped, or
// from the end. With time, rows are cut at two instants, and rows of the same instant are never separated: every row of the
// training part is older than every row of the validation part, and those than every row of the test part. With time and groups
// both promises are kept: a group belongs to the part in whose time it is first seen, and its rows in the time of a later
// part are left out. (Assigning groups by their last row would fill the training part with those that went away.) The
// shares then count groups.
func splitRows(q *splitRequest) ([]int8, error) {
	part := make([]int8, q.rows)
	switch {
	case q.times != nil:
		return part, q.byTime(part)
	case q.groups != nil:
		return part, q.byGroup(part)
	}
	nTest, nVal := q.counts(q.rows)
	if q.tail {
		for i := range part {
			switch {
			case i >= q.rows-nTest:
				part[i] = int8(domain.Test)
			case i >= q.rows-nTest-nVal:
				part[i] = int8(domain.Val)
			}
		}
		return part, nil
	}
	q.draw(part, nTest, domain.Test)
	q.draw(part, nVal, domain.Val)
	return part, nil
}

// counts are the sizes of the test and validation parts of n things.
func (q *splitRequest) counts(n int) (test, val int) {
	test = int(math.Round(q.test * float64(n)))
	rest := n - test
	val = int(q.val)
	if q.val < 1 {
		val = int(math.Round(q.val * float64(rest)))
	}
	return test, min(val, max(0, rest-1))
}

// draw moves n rows of the training part to another part.
func (q *splitRequest) draw(part []int8, n int, to domain.Part) {
	var rows []int
	for i, p := range part {
		if p == int8(domain.Train) {
			rows = append(rows, i)
		}
	}
	for _, k := range stratified(rows, q.strata, min(n, len(rows)), q.seed, uint64(to)) {
		part[k] = int8(to)
	}
}

// stratified draws n of the rows, each class by its share (largest remainders make up the rest); rows without a class
// count as one more. The draw depends on the seed alone.
func stratified(rows []int, strata []int32, n int, seed, what uint64) []int {
	byClass := map[int32][]int{}
	for _, i := range rows {
		c := int32(-1)
		if strata != nil {
			c = strata[i]
		}
		byClass[c] = append(byClass[c], i)
	}
	classes := make([]int32, 0, len(byClass))
	for c := range byClass {
		classes = append(classes, c)
	}
	slices.Sort(classes)
	quota, rest, left := make([]int, len(classes)), make([]float64, len(classes)), n
	for k, c := range classes {
		exact := float64(n) * float64(len(byClass[c])) / float64(max(1, len(rows)))
		quota[k] = int(exact)
		rest[k] = exact - float64(quota[k])
		left -= quota[k]
	}
	order := make([]int, len(classes))
	for k := range order {
		order[k] = k
	}
	// Ties go to a keyed order, else the first classes would always win.
	rng.New(seed, rng.Split, what).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	sort.SliceStable(order, func(i, j int) bool { return rest[order[i]] > rest[order[j]] })
	for _, k := range order {
		if left > 0 && quota[k] < len(byClass[classes[k]]) {
			quota[k]++
			left--
		}
	}
	var out []int
	for k, c := range classes {
		items := byClass[c]
		r := rng.New(seed, rng.Split, what, uint64(c)+2)
		for i := range quota[k] { // partial Fisher-Yates
			j := i + r.IntN(len(items)-i)
			items[i], items[j] = items[j], items[i]
		}
		out = append(out, items[:quota[k]]...)
	}
	slices.Sort(out)
	return out
}

// byGroup draws whole groups until a part has its share of rows.
func (q *splitRequest) byGroup(part []int8) error {
	n := 0
	for _, g := range q.groups {
		n = max(n, int(g)+1)
	}
	size := make([]int, n)
	for _, g := range q.groups {
		size[g]++
	}
	order := make([]int, n) // from the end goes what was seen last
	for i := range order {
		order[i] = n - 1 - i
	}
	if !q.tail {
		rng.New(q.seed, rng.Split, 7).Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	nTest, nVal := q.counts(q.rows)
	to := make([]int8, n)
	k := 0
	take := func(want int, p domain.Part) {
		for have := 0; k < n-1 && have < want; k++ {
			// A group that overshoots by more than it lacks stays.
			if s := size[order[k]]; have > 0 && have+s-want > want-have {
				break
			}
			to[order[k]] = int8(p)
			have += size[order[k]]
		}
	}
	take(nTest, domain.Test)
	take(nVal, domain.Val)
	for i, g := range q.groups {
		part[i] = to[g]
	}
	return nil
}

// byTime cuts at two instants.
func (q *splitRequest) byTime(part []int8) error {
	groups := q.groups
	first := q.times // of every group, or every row
	if groups != nil {
		n := 0
		for _, g := range groups {
			n = max(n, int(g)+1)
		}
		first = slices.Repeat([]float64{math.Inf(1)}, n)
		for i, g := range groups {
			first[g] = min(first[g], q.times[i])
		}
	}
	sorted := slices.Clone(first)
	slices.Sort(sorted)
	n := len(sorted)
	nTest, nVal := q.counts(n)
	cut2 := math.Inf(1)
	end := n
	if nTest > 0 {
		k, ok := boundary(sorted, n-nTest)
		if !ok {
			return fmt.Errorf("every row has the same time, so no test part can be cut off by time")
		}
		cut2, end = sorted[k], k
	}
	cut1 := cut2
	if nVal > 0 {
		k, ok := boundary(sorted[:end], end-nVal)
		if !ok {
			return fmt.Errorf("too few different times for a training, a validation and a test part")
		}
		cut1 = sorted[k]
	}
	window := func(t float64) int8 {
		switch {
		case t >= cut2:
			return int8(domain.Test)
		case t >= cut1:
			return int8(domain.Val)
		}
		return int8(domain.Train)
	}
	for i, t := range q.times {
		part[i] = window(t)
		if groups != nil && window(first[groups[i]]) != part[i] {
			part[i] = -1
			q.leftOut++
		}
	}
	return nil
}

// boundary is the place nearest to k where a new value begins, so that equal values are not separated; ok is false where
// all values are equal.
func boundary(sorted []float64, k int) (int, bool) {
	n := len(sorted)
	lo, hi := min(max(k, 1), n-1), min(max(k, 1), n-1)
	for lo > 0 && sorted[lo-1] == sorted[lo] {
		lo--
	}
	for hi < n && hi > 0 && sorted[hi-1] == sorted[hi] {
		hi++
	}
	switch {
	case n < 2 || lo <= 0 && hi >= n:
		return 0, false
	case lo <= 0:
		return hi, true
	case hi >= n || k-lo <= hi-k:
		return lo, true
	}
	return hi, true
}
