package metric

import (
	"fmt"
	"math"
	"runtime"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// PCA returns the first k principal components of x [n, dim] as scores
// [n, k] and the share of the variance that each explains. Of the two signs of a
// component the one whose largest loading is positive is taken. Where k exceeds
// the rank, the rest is 0.
func PCA(x []float32, dim, k int) (scores, share []float64, err error) {
	if dim < 1 || k < 1 || len(x) == 0 || len(x)%dim != 0 {
		return nil, nil, fmt.Errorf("metric: pca: %d values of dimension %d to %d components", len(x), dim, k)
	}
	n := len(x) / dim
	c := mat.NewDense(n, dim, nil)
	for k := range dim {
		var m float64
		for i := range n {
			m += float64(x[i*dim+k]) / float64(n)
		}
		if math.IsNaN(m) || math.IsInf(m, 0) {
			return nil, nil, fmt.Errorf("metric: pca: feature %d has a value that is NaN or infinite", k)
		}
		for i := range n {
			c.Set(i, k, float64(x[i*dim+k])-m)
		}
	}
	scores, share = make([]float64, n*k), make([]float64, k)
	// Eigenvectors of the smaller of XᵀX [dim, dim] and XXᵀ [n, n].
	var gram mat.SymDense
	wide := dim > n
	if wide {
		gram.SymOuterK(1, c)
	} else {
		gram.SymOuterK(1, c.T())
	}
	var total float64
	size := gram.SymmetricDim()
	for i := range size {
		total += gram.At(i, i)
	}
	if total == 0 {
		return scores, share, nil
	}
	var eig mat.EigenSym
	if !eig.Factorize(&gram, true) {
		return nil, nil, fmt.Errorf("metric: pca: no eigenvectors of a %d by %d matrix", size, size)
	}
	val := eig.Values(nil)
	var vec mat.Dense
	eig.VectorsTo(&vec)
	for j := range min(k, size) {
		col := size - 1 - j // eigenvalues rise
		if val[col] <= 1e-12*total {
			break
		}
		load := vec.ColView(col)
		if wide { // loadings = Xᵀu / sqrt(value)
			var l mat.VecDense
			l.MulVec(c.T(), load)
			l.ScaleVec(1/math.Sqrt(val[col]), &l)
			load = &l
		}
		var s mat.VecDense
		s.MulVec(c, load)
		sign, high := 1.0, 0.0
		for i := range load.Len() {
			if v := load.AtVec(i); math.Abs(v) > high*(1+1e-9) {
				high, sign = math.Abs(v), math.Copysign(1, v)
			}
		}
		for i := range n {
			scores[i*k+j] = sign * s.AtVec(i)
		}
		share[j] = val[col] / total
	}
	return scores, share, nil
}

// TSNE makes a 2-D map of embeddings for people to look at: t-distributed
// stochastic neighbour embedding (van der Maaten & Hinton 2008). The zero value
// takes the defaults. Distances between far groups mean little: never measure
// on the map.
//
// Attraction acts along the 3*Perplexity nearest neighbours, as in the
// Barnes-Hut form (van der Maaten 2014); repulsion is summed exactly over all
// pairs, which needs no tree and no approximation up to a few thousand points.
type TSNE struct {
	Perplexity float64 // default 30, at most (n-1)/3
	Iter       int     // default 750; the first third with exaggeration 12
	Cosine     bool    // compare directions (rows scaled to length one) instead of positions
}

// Map returns positions [n, 2]: started from the first two principal components
// (scaled to a standard deviation of 1e-4), so that the same x gives the same
// map. seed only separates points that coincide there. The cost is
// O(n^2 * Iter): 2,000 points take seconds on one core; more than 10,000 are
// refused.
func (c TSNE) Map(x []float32, dim int, seed uint64) ([]float64, error) {
	if c.Perplexity == 0 {
		c.Perplexity = 30
	}
	if c.Iter == 0 {
		c.Iter = 750
	}
	if dim < 1 || len(x) == 0 || len(x)%dim != 0 {
		return nil, fmt.Errorf("metric: t-sne: %d values are not rows of dimension %d", len(x), dim)
	}
	n := len(x) / dim
	if n > 10_000 {
		return nil, fmt.Errorf("metric: t-sne: %d points, at most 10000: draw some", n)
	}
	if !(c.Perplexity > 0) || c.Iter < 1 {
		return nil, fmt.Errorf("metric: t-sne: perplexity %g and %d iterations, want above 0", c.Perplexity, c.Iter)
	}
	if c.Cosine {
		u, err := unitRows("t-sne", x, dim)
		if err != nil {
			return nil, err
		}
		x = u
	}
	y, _, err := PCA(x, dim, 2)
	if err != nil {
		return nil, err
	}
	if n < 5 { // no neighbourhoods to speak of: the components are the map
		return y, nil
	}
	var sq float64
	for i := range n {
		sq += y[2*i] * y[2*i]
	}
	scale := 1e-4 / max(math.Sqrt(sq/float64(n)), 1e-300)
	r := rng.New(seed, rng.Map)
	for i := range y {
		y[i] = y[i]*scale + 1e-7*r.NormFloat64()
	}
	p := c.affinities(x, dim)
	descend(y, p, c.Iter)
	return y, nil
}

// sparse holds symmetric affinities by row; each pair stands in both rows.
type sparse struct {
	start []int
	col   []int32
	p     []float64
}

// affinities returns the symmetrised p_ij, which sum to one.
func (c TSNE) affinities(x []float32, dim int) sparse {
	n := len(x) / dim
	perp := min(c.Perplexity, float64(n-1)/3)
	k := min(n-1, int(3*perp)+1)
	norm := make([]float64, n)
	for i := range norm {
		for _, v := range x[i*dim : (i+1)*dim] {
			norm[i] += float64(v) * float64(v)
		}
	}
	type edge struct {
		to int32
		w  float64
	}
	rows := make([][]edge, n)
	parallel(n, 64, func(_, lo, hi int) {
		dots := make([]float32, (hi-lo)*n)
		Mul(dots, x[lo*dim:hi*dim], x, hi-lo, dim, n)
		order, dist := make([]int32, 0, n), make([]float64, n)
		for i := lo; i < hi; i++ {
			order = order[:0]
			for j := range n {
				dist[j] = max(0, norm[i]+norm[j]-2*float64(dots[(i-lo)*n+j]))
				if j != i {
					order = append(order, int32(j))
				}
			}
			slices.SortFunc(order, func(a, b int32) int {
				switch {
				case dist[a] < dist[b]:
					return -1
				case dist[a] > dist[b]:
					return 1
				}
				return int(a - b)
			})
			near := order[:k]
			// Bisect the precision until the entropy is log(perplexity).
			w, beta, low, high := make([]float64, k), 1.0, 0.0, math.Inf(1)
			base := dist[near[0]]
			for range 200 {
				var sum, moment float64
				for a, j := range near {
					w[a] = math.Exp(-beta * (dist[j] - base))
					sum += w[a]
					moment += w[a] * (dist[j] - base)
				}
				entropy := math.Log(sum) + beta*moment/sum
				for a := range w {
					w[a] /= sum
				}
				diff := entropy - math.Log(perp)
				if math.Abs(diff) < 1e-6 {
					break
				}
				if diff > 0 {
					low = beta
					if beta *= 2; !math.IsInf(high, 1) {
						beta = (low + high) / 2
					}
				} else {
					high = beta
					beta = (low + high) / 2
				}
				if beta > 1e300 || beta < 1e-300 { // all near points coincide
					break
				}
			}
			for a, j := range near {
				rows[i] = append(rows[i], edge{j, w[a]})
			}
		}
	})
	sym := make([][]edge, n)
	for i, es := range rows {
		for _, e := range es {
			h := e.w / float64(2*n)
			sym[i] = append(sym[i], edge{e.to, h})
			sym[e.to] = append(sym[e.to], edge{int32(i), h})
		}
	}
	out := sparse{start: make([]int, n+1)}
	for i, es := range sym {
		slices.SortFunc(es, func(a, b edge) int { return int(a.to - b.to) })
		for _, e := range es {
			if last := len(out.col) - 1; last >= out.start[i] && out.col[last] == e.to {
				out.p[last] += e.w
			} else {
				out.col, out.p = append(out.col, e.to), append(out.p, e.w)
			}
		}
		out.start[i+1] = len(out.col)
	}
	return out
}

// descend moves y [n, 2] down the Kullback-Leibler divergence: momentum 0.5
// then 0.8, gains as in the authors' code, step n/48 but at least 50
// (Belkina et al. 2019).
func descend(y []float64, p sparse, iters int) {
	n := len(y) / 2
	step := max(float64(n)/48, 50)
	vel, gain, grad := make([]float64, 2*n), make([]float64, 2*n), make([]float64, 2*n)
	for i := range gain {
		gain[i] = 1
	}
	tiles := repulsionTiles(n)
	for it := range iters {
		exaggeration, momentum := 1.0, 0.8
		if it < iters/3 {
			exaggeration, momentum = 12, 0.5
		}
		z := tiles.sum(y)
		for i := range n {
			var ax, ay float64
			xi, yi := y[2*i], y[2*i+1]
			for e := p.start[i]; e < p.start[i+1]; e++ {
				j := p.col[e]
				dx, dy := xi-y[2*j], yi-y[2*j+1]
				q := p.p[e] / (1 + dx*dx + dy*dy)
				ax += q * dx
				ay += q * dy
			}
			grad[2*i] = 4 * (exaggeration*ax - tiles.force[2*i]/z)
			grad[2*i+1] = 4 * (exaggeration*ay - tiles.force[2*i+1]/z)
		}
		for i, g := range grad {
			if (g > 0) != (vel[i] > 0) {
				gain[i] += 0.2
			} else {
				gain[i] = max(0.01, gain[i]*0.8)
			}
			vel[i] = momentum*vel[i] - step*gain[i]*g
			y[i] += vel[i]
		}
		var cx, cy float64
		for i := range n {
			cx += y[2*i] / float64(n)
			cy += y[2*i+1] / float64(n)
		}
		for i := range n {
			y[2*i] -= cx
			y[2*i+1] -= cy
		}
	}
}

// repulsion sums the forces of all pairs in fixed slices of rows, so that the
// result does not depend on the cores.
type repulsion struct {
	n     int
	force []float64   // [n, 2]
	part  [][]float64 // of each slice
	z     []float64
}

func repulsionTiles(n int) *repulsion {
	const slices = 4
	r := &repulsion{n: n, force: make([]float64, 2*n), z: make([]float64, slices)}
	for range slices {
		r.part = append(r.part, make([]float64, 2*n))
	}
	return r
}

// sum fills force with sum_j q_ij^2 (y_i - y_j), q = 1/(1+d^2), and returns
// sum_{i != j} q_ij.
func (r *repulsion) sum(y []float64) float64 {
	k := len(r.part)
	one := func(s int) {
		f := r.part[s]
		clear(f)
		var z float64
		for i := s; i < r.n; i += k { // interleaved: rows have unequal work
			xi, yi := y[2*i], y[2*i+1]
			var fx, fy float64
			rest, frest := y[2*i+2:], f[2*i+2:]
			frest = frest[:len(rest)]
			for j := 0; j+1 < len(rest); j += 2 {
				dx, dy := xi-rest[j], yi-rest[j+1]
				q := 1 / (1 + dx*dx + dy*dy)
				z += q
				q *= q
				dx *= q
				dy *= q
				fx += dx
				fy += dy
				frest[j] -= dx
				frest[j+1] -= dy
			}
			f[2*i] += fx
			f[2*i+1] += fy
		}
		r.z[s] = z
	}
	if r.n < 256 || runtime.GOMAXPROCS(0) == 1 {
		for s := range k {
			one(s)
		}
	} else {
		parallel(k, 1, func(_, s, _ int) { one(s) })
	}
	clear(r.force)
	var z float64
	for s, f := range r.part {
		z += 2 * r.z[s]
		addScaled(r.force, 1, f)
	}
	return z
}
