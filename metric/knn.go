package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// KNN is the weighted k-nearest-neighbour classifier of SSL evaluation (Wu et
// al. 2018): cosine similarity s, each of the K nearest training samples votes
// for its class with exp(s/Temperature). The zero value takes the defaults.
type KNN struct {
	K           int     // neighbours; default 200, clipped to the number of labelled training rows
	Temperature float64 // default 0.1
	MatMul      MatMul  // default: Mul of this package on all cores
}

// Neighbour is one training row and its cosine similarity to a query.
type Neighbour struct {
	Row int32
	Sim float32
}

// Predict returns the class with the most votes for each query row. Equal votes
// go to the smaller class; among equally similar training rows the smaller row
// number counts as nearer. train is [n, dim], query [q, dim]; rows of train with a
// negative label do not vote. A row of zeros has similarity 0 to everything.
func (c KNN) Predict(train []float32, labels []int32, query []float32, dim int) ([]int32, error) {
	classes := 0
	for _, l := range labels {
		classes = max(classes, int(l)+1)
	}
	votes, err := c.Votes(train, labels, classes, query, dim)
	if err != nil {
		return nil, err
	}
	out := make([]int32, len(query)/dim)
	for i := range out {
		out[i] = int32(argmax(votes[i*classes : (i+1)*classes]))
	}
	return out, nil
}

func argmax(x []float64) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// Votes returns the share of the votes for every class, [q, classes]: rows sum
// to one.
func (c KNN) Votes(train []float32, labels []int32, classes int, query []float32, dim int) ([]float64, error) {
	if c.Temperature == 0 {
		c.Temperature = 0.1
	}
	if !(c.Temperature > 0) {
		return nil, fmt.Errorf("metric: knn: temperature %g, want above 0", c.Temperature)
	}
	if dim < 1 || len(train) != len(labels)*dim {
		return nil, fmt.Errorf("metric: knn: %d training values of dimension %d for %d labels", len(train), dim, len(labels))
	}
	keep, labelled := make([]int32, 0, len(labels)), train
	for i, l := range labels {
		if int(l) >= classes {
			return nil, fmt.Errorf("metric: knn: training row %d has class %d, want below %d", i, l, classes)
		}
		if l >= 0 {
			keep = append(keep, int32(i))
		}
	}
	if len(keep) < len(labels) {
		labelled = make([]float32, 0, len(keep)*dim)
		for _, r := range keep {
			labelled = append(labelled, train[int(r)*dim:(int(r)+1)*dim]...)
		}
	}
	near, err := c.Neighbours(labelled, query, dim)
	if err != nil {
		return nil, err
	}
	votes := make([]float64, len(near)*classes)
	parallel(len(near), 256, func(_, lo, hi int) {
		for q := lo; q < hi; q++ {
			row, sum := votes[q*classes:(q+1)*classes], 0.0
			for _, n := range near[q] { // relative to the nearest, so that a small temperature cannot overflow
				w := math.Exp(float64(n.Sim-near[q][0].Sim) / c.Temperature)
				row[labels[keep[n.Row]]] += w
				sum += w
			}
			for k := range row {
				row[k] /= sum
			}
		}
	})
	return votes, nil
}

// Neighbours returns the K nearest training rows of every query row, nearest
// first.
func (c KNN) Neighbours(train, query []float32, dim int) ([][]Neighbour, error) {
	if c.K == 0 {
		c.K = 200
	}
	if dim < 1 || len(train)%dim != 0 || len(query)%dim != 0 {
		return nil, fmt.Errorf("metric: knn: %d training and %d query values are not rows of dimension %d", len(train), len(query), dim)
	}
	n, q := len(train)/dim, len(query)/dim
	if n == 0 || q == 0 {
		return nil, fmt.Errorf("metric: knn: %d training and %d query rows: %w", n, q, ErrEmpty)
	}
	if c.K < 1 {
		return nil, fmt.Errorf("metric: knn: k is %d, want at least 1", c.K)
	}
	k := min(c.K, n)
	a, err := unitRows("query", query, dim)
	if err != nil {
		return nil, err
	}
	b, err := unitRows("training", train, dim)
	if err != nil {
		return nil, err
	}
	heaps := make([]heap, q)
	cells := make([]Neighbour, q*k)
	for i := range heaps {
		heaps[i] = cells[i*k : i*k : (i+1)*k]
	}
	if c.MatMul == nil {
		const rows, cols = 64, 2048 // similarities of a block: 512 KiB, second-level cache
		bufs := make([][]float32, len(heaps)/rows+1)
		parallel(q, rows, func(worker, lo, hi int) {
			if bufs[worker] == nil {
				bufs[worker] = make([]float32, rows*cols)
			}
			sim := bufs[worker]
			for j := 0; j < n; j += cols {
				w := min(cols, n-j)
				Mul(sim, a[lo*dim:hi*dim], b[j*dim:(j+w)*dim], hi-lo, dim, w)
				for i := lo; i < hi; i++ {
					heaps[i].offer(sim[(i-lo)*w:(i-lo+1)*w], j)
				}
			}
		})
	} else {
		const rows, cols = 1000, 16384 // large blocks: the engine behind MatMul uses its own cores
		sim := make([]float32, min(rows, q)*min(cols, n))
		for lo := 0; lo < q; lo += rows {
			hi := min(lo+rows, q)
			for j := 0; j < n; j += cols {
				w := min(cols, n-j)
				c.MatMul(sim[:(hi-lo)*w], a[lo*dim:hi*dim], b[j*dim:(j+w)*dim], hi-lo, dim, w)
				parallel(hi-lo, 64, func(_, from, to int) {
					for i := from; i < to; i++ {
						heaps[lo+i].offer(sim[i*w:(i+1)*w], j)
					}
				})
			}
		}
	}
	out := make([][]Neighbour, q)
	parallel(q, 256, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			out[i] = heaps[i]
			slices.SortFunc(out[i], func(x, y Neighbour) int {
				return cmp.Or(cmp.Compare(y.Sim, x.Sim), cmp.Compare(x.Row, y.Row))
			})
		}
	})
	return out, nil
}

// unitRows returns the rows scaled to length one (norms below 1e-12 are taken
// as 1e-12).
func unitRows(what string, x []float32, dim int) ([]float32, error) {
	out := make([]float32, len(x))
	bad := make([]int, (len(x)/dim+1023)/1024)
	parallel(len(x)/dim, 1024, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			var s float64
			for _, v := range x[i*dim : (i+1)*dim] {
				s += float64(v) * float64(v)
			}
			if (math.IsNaN(s) || math.IsInf(s, 0)) && bad[lo/1024] == 0 {
				bad[lo/1024] = i + 1
			}
			f := 1 / max(math.Sqrt(s), 1e-12)
			for k, v := range x[i*dim : (i+1)*dim] {
				out[i*dim+k] = float32(float64(v) * f)
			}
		}
	})
	for _, b := range bad {
		if b > 0 {
			return nil, fmt.Errorf("metric: %s row %d has a value that is NaN or infinite", what, b-1)
		}
	}
	return out, nil
}

// heap keeps the cap(h) nearest rows; the farthest (on a tie the larger row) is
// at the root. Rows must be offered in rising order.
type heap []Neighbour

func (h *heap) offer(sim []float32, first int) {
	s := *h
	i := 0
	for ; i < len(sim) && len(s) < cap(s); i++ {
		s = append(s, Neighbour{int32(first + i), sim[i]})
		for c := len(s) - 1; c > 0; { // up
			p := (c - 1) / 2
			if !farther(s[c], s[p]) {
				break
			}
			s[c], s[p] = s[p], s[c]
			c = p
		}
	}
	*h = s
	if i == len(sim) {
		return
	}
	floor := s[0].Sim
	for k, v := range sim[i:] {
		if v > floor { // an equal one has a larger row: not nearer
			s[0] = Neighbour{int32(first + i + k), v}
			for p := 0; ; { // down
				c := 2*p + 1
				if c >= len(s) {
					break
				}
				if c+1 < len(s) && farther(s[c+1], s[c]) {
					c++
				}
				if !farther(s[c], s[p]) {
					break
				}
				s[c], s[p] = s[p], s[c]
				p = c
			}
			floor = s[0].Sim
		}
	}
}

func farther(a, b Neighbour) bool { return a.Sim < b.Sim || a.Sim == b.Sim && a.Row > b.Row }
