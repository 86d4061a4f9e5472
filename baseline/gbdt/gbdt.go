// Package gbdt trains gradient-boosted decision trees on histograms: the baseline that a network for tables must beat.
//
// [Fit] is the one call; [Model.Proba] and [Model.Score] predict. Definitions and defaults are those of scikit-learn's HistGradientBoosting
// (which follows LightGBM, Ke et al. 2017): quantile bins, best-first growth, missing values sent to the
// side that gains, categories split as sets in the order of gradient over hessian (Fisher 1958). Golden tests hold
// it against scikit-learn. No Go library that trains such trees is maintained.
package gbdt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
)

// Config of a fit. The zero value of a field takes the default.
type Config struct {
	Classes      int     // 0: regression on squared error; 2 or more: classification on log loss, targets are 0..Classes-1
	Rounds       int     // boosting rounds at most (100)
	LearningRate float64 // shrinkage of every tree (0.1)
	MaxLeaves    int     // leaves of a tree at most (31)
	MinLeaf      int     // samples in a leaf at least (20)
	L2           float64 // penalty on leaf values (0)
	MaxBins      int     // bins of a feature beside the one for missing values, at most 255 (255)
	Categorical  []bool  // by feature: values are codes 0..254 without order; nil is none
	Patience     int     // with validation rows: stop after so many rounds without a smaller loss (10)
	Threads      int     // 0: all cores; the result does not depend on it
}

func (c *Config) defaults() {
	if c.Rounds == 0 {
		c.Rounds = 100
	}
	if c.LearningRate == 0 {
		c.LearningRate = 0.1
	}
	if c.MaxLeaves == 0 {
		c.MaxLeaves = 31
	}
	if c.MinLeaf == 0 {
		c.MinLeaf = 20
	}
	if c.MaxBins == 0 {
		c.MaxBins = 255
	}
	if c.Patience == 0 {
		c.Patience = 10
	}
	if c.Threads == 0 {
		c.Threads = runtime.GOMAXPROCS(0)
	}
}

// Limits and constants of scikit-learn.
const (
	minHessian    = 1e-3 // of a node that is split
	minCatSupport = 10.0 // samples that a category needs before it joins a split; also smooths its order
	tiny          = 1e-15
)

// ErrData is wrapped by every error about the rows.
var ErrData = errors.New("gbdt: bad data")

// Rows are samples: X [len(Y), Dim] row-major with NaN where a value is missing, Y class or number.
type Rows struct {
	X   []float32
	Y   []float64
	Dim int
}

func (r Rows) check(cfg Config, what string) error {
	if r.Dim < 1 || len(r.X) != len(r.Y)*r.Dim {
		return fmt.Errorf("%w: %s: %d values are not %d rows of %d", ErrData, what, len(r.X), len(r.Y), r.Dim)
	}
	for i, y := range r.Y {
		switch {
		case math.IsNaN(y) || math.IsInf(y, 0):
			return fmt.Errorf("%w: %s: target %d is %g", ErrData, what, i, y)
		case cfg.Classes > 0 && (y != math.Trunc(y) || y < 0 || int(y) >= cfg.Classes):
			return fmt.Errorf("%w: %s: target %d is %g, want a class in 0..%d", ErrData, what, i, y, cfg.Classes-1)
		}
	}
	for i, v := range r.X {
		if math.IsInf(float64(v), 0) {
			return fmt.Errorf("%w: %s: row %d, feature %d is %g", ErrData, what, i/r.Dim, i%r.Dim, v)
		}
	}
	return nil
}

// node of a finished tree; leaves have Left = -1.
type node struct {
	feature     int32
	left, right int32
	threshold   float64   // numbers: <= goes left
	missingLeft bool      // where missing values (and unknown categories) go
	category    bool      // set decides instead of threshold
	set         [4]uint64 // categories that go left
	value       float64
}

type tree []node

// Model is a fitted ensemble.
type Model struct {
	dim, classes int
	start        []float64 // [outputs]
	rounds       [][]tree  // [round][output]
}

// Rounds is the number of boosting rounds kept.
func (m *Model) Rounds() int { return len(m.rounds) }

// outputs: one score for regression and two classes, one a class above.
func outputs(classes int) int {
	if classes > 2 {
		return classes
	}
	return 1
}

// Fit trains on the rows of train. val (may have no rows) chooses the number of rounds by its loss: its labels
// are used and count in any budget.
func Fit(ctx context.Context, train, val Rows, cfg Config) (*Model, error) {
	cfg.defaults()
	switch {
	case cfg.Classes == 1 || cfg.Classes < 0:
		return nil, fmt.Errorf("%w: %d classes, want 0 (regression) or at least 2", ErrData, cfg.Classes)
	case cfg.MaxBins < 2 || cfg.MaxBins > 255:
		return nil, fmt.Errorf("%w: %d bins, want 2..255", ErrData, cfg.MaxBins)
	case cfg.MaxLeaves < 2 || cfg.MinLeaf < 1 || cfg.Rounds < 1 || cfg.LearningRate <= 0 || cfg.L2 < 0:
		return nil, fmt.Errorf("%w: %+v is out of range", ErrData, cfg)
	case len(train.Y) < 2:
		return nil, fmt.Errorf("%w: %d training rows, want at least 2", ErrData, len(train.Y))
	case cfg.Categorical != nil && len(cfg.Categorical) != train.Dim:
		return nil, fmt.Errorf("%w: %d categorical flags for %d features", ErrData, len(cfg.Categorical), train.Dim)
	case len(val.Y) > 0 && val.Dim != train.Dim:
		return nil, fmt.Errorf("%w: validation rows have %d features, training rows %d", ErrData, val.Dim, train.Dim)
	}
	if err := train.check(cfg, "training rows"); err != nil {
		return nil, err
	}
	if len(val.Y) > 0 {
		if err := val.check(cfg, "validation rows"); err != nil {
			return nil, err
		}
	}
	if cfg.Categorical == nil {
		cfg.Categorical = make([]bool, train.Dim)
	}
	n, k := len(train.Y), outputs(cfg.Classes)
	m := &Model{dim: train.Dim, classes: cfg.Classes, start: startScores(train.Y, cfg.Classes)}
	g := newGrower(train, cfg)
	score := make([]float64, n*k) // [output][row]
	for o := range k {
		for i := range n {
			score[o*n+i] = m.start[o]
		}
	}
	valScore := make([]float64, len(val.Y)*k)
	for o := range k {
		for i := range val.Y {
			valScore[o*len(val.Y)+i] = m.start[o]
		}
	}
	grad, hess := make([]float64, n*k), make([]float64, n*k)
	best, bestRounds := math.Inf(1), 0
	if len(val.Y) > 0 {
		best = loss(valScore, val.Y, cfg.Classes)
	}
	for round := range cfg.Rounds {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("gbdt: round %d of %d: %w", round, cfg.Rounds, err)
		}
		gradients(score, train.Y, cfg.Classes, grad, hess)
		for i := range grad { // float32, as scikit-learn keeps them: equal gains then stay equal
			grad[i], hess[i] = float64(float32(grad[i])), float64(float32(hess[i]))
		}
		trees := make([]tree, k)
		for o := range k {
			trees[o] = g.grow(grad[o*n:(o+1)*n], hess[o*n:(o+1)*n], score[o*n:(o+1)*n])
			for i := range val.Y {
				valScore[o*len(val.Y)+i] += trees[o].score(val.X[i*val.Dim : (i+1)*val.Dim])
			}
		}
		m.rounds = append(m.rounds, trees)
		if len(val.Y) > 0 {
			if l := loss(valScore, val.Y, cfg.Classes); l < best {
				best, bestRounds = l, len(m.rounds)
			} else if len(m.rounds)-bestRounds >= cfg.Patience {
				break
			}
		}
	}
	if len(val.Y) > 0 {
		m.rounds = m.rounds[:bestRounds]
	}
	return m, nil
}

// startScores are the constant scores of least loss: the mean, the log odds, or the centred log shares.
func startScores(y []float64, classes int) []float64 {
	out := make([]float64, outputs(classes))
	n := float64(len(y))
	if classes == 0 || classes == 2 {
		mean := 0.0
		for _, v := range y {
			mean += v
		}
		mean /= n
		if classes == 2 {
			p := min(max(mean, tiny), 1-tiny)
			mean = math.Log(p / (1 - p))
		}
		out[0] = mean
		return out
	}
	for _, v := range y {
		out[int(v)]++
	}
	centre := 0.0
	for c := range out {
		out[c] = math.Log(max(out[c]/n, 1e-7))
		centre += out[c] / float64(classes)
	}
	for c := range out {
		out[c] -= centre
	}
	return out
}

func sigmoid(s float64) float64 { return 1 / (1 + math.Exp(-s)) }

// softmax writes the probabilities of the scores of row i of [output][n].
func softmax(p, score []float64, n, i int) {
	top := math.Inf(-1)
	for c := range p {
		top = max(top, score[c*n+i])
	}
	sum := 0.0
	for c := range p {
		p[c] = math.Exp(score[c*n+i] - top)
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
}

// gradients of the loss by score.
func gradients(score, y []float64, classes int, grad, hess []float64) {
	n := len(y)
	switch classes {
	case 0:
		for i := range y {
			grad[i], hess[i] = score[i]-y[i], 1
		}
	case 2:
		for i := range y {
			p := sigmoid(score[i])
			grad[i], hess[i] = p-y[i], p*(1-p)
		}
	default:
		p := make([]float64, classes)
		for i := range y {
			softmax(p, score, n, i)
			for c := range p {
				grad[c*n+i], hess[c*n+i] = p[c], p[c]*(1-p[c])
			}
			grad[int(y[i])*n+i]--
		}
	}
}

// loss is the mean squared error or log loss.
func loss(score, y []float64, classes int) float64 {
	n, sum := len(y), 0.0
	p := make([]float64, max(classes, 1))
	for i := range y {
		switch classes {
		case 0:
			sum += (score[i] - y[i]) * (score[i] - y[i])
		case 2:
			s := score[i]
			sum += max(s, 0) - s*y[i] + math.Log1p(math.Exp(-math.Abs(s)))
		default:
			softmax(p, score, n, i)
			sum -= math.Log(max(p[int(y[i])], math.SmallestNonzeroFloat64))
		}
	}
	return sum / float64(n)
}

// score is the value of the leaf of x.
func (t tree) score(x []float32) float64 {
	i := int32(0)
	for t[i].left >= 0 {
		nd := &t[i]
		v := float64(x[nd.feature])
		var left bool
		switch {
		case v != v:
			left = nd.missingLeft
		case nd.category:
			c := int(v)
			if v < 0 || c > 254 {
				left = nd.missingLeft
			} else {
				left = nd.set[c>>6]>>(c&63)&1 == 1
			}
		default:
			left = v <= nd.threshold
		}
		if left {
			i = nd.left
		} else {
			i = nd.right
		}
	}
	return t[i].value
}

// Score returns the raw scores [rows, outputs] of x [rows, dim]: numbers of a regression, log odds
// of two classes, one score a class above.
func (m *Model) Score(x []float32) ([]float64, error) {
	if len(x)%m.dim != 0 {
		return nil, fmt.Errorf("%w: %d values are no rows of %d", ErrData, len(x), m.dim)
	}
	k := len(m.start)
	out := make([]float64, len(x)/m.dim*k)
	for i := range len(x) / m.dim {
		row := x[i*m.dim : (i+1)*m.dim]
		copy(out[i*k:], m.start)
		for _, trees := range m.rounds {
			for o, t := range trees {
				out[i*k+o] += t.score(row)
			}
		}
	}
	return out, nil
}

// Proba returns class probabilities [rows, classes] of x [rows, dim].
func (m *Model) Proba(x []float32) ([]float64, error) {
	if m.classes == 0 {
		return nil, fmt.Errorf("%w: a regression has no classes", ErrData)
	}
	s, err := m.Score(x)
	if err != nil {
		return nil, err
	}
	n := len(x) / m.dim
	out := make([]float64, n*m.classes)
	for i := range n {
		if m.classes == 2 {
			p := sigmoid(s[i])
			out[2*i], out[2*i+1] = 1-p, p
			continue
		}
		row := s[i*m.classes : (i+1)*m.classes]
		softmax(out[i*m.classes:(i+1)*m.classes], row, 1, 0)
	}
	return out, nil
}

// grower holds the binned rows and the memory of the trees.
type grower struct {
	cfg     Config
	n, dim  int
	bins    []uint8     // [feature][row]
	edges   [][]float64 // numbers: inner edges of the bins
	codes   [][]uint8   // categories: code of a bin
	count   []int       // bins of a feature, the one for missing values not counted
	missing []bool      // the feature has missing values in training
	order   []int       // of the features, by which equal gains are decided: categories first, as scikit-learn puts them
	gBuf    []float64   // of the rows of a node, in their order
	hBuf    []float64
	rows    []int32
	spare   []int32
	free    []*hist
}

// missingBin is the bin of missing values.
const missingBin = 255

// hist is the histograms of a node: [feature*256+bin].
type hist struct {
	g, h []float64
	n    []int32
}

func newGrower(r Rows, cfg Config) *grower {
	n := len(r.Y)
	g := &grower{cfg: cfg, n: n, dim: r.Dim, bins: make([]uint8, n*r.Dim), edges: make([][]float64, r.Dim), codes: make([][]uint8, r.Dim),
		count: make([]int, r.Dim), missing: make([]bool, r.Dim), rows: make([]int32, n), spare: make([]int32, n), gBuf: make([]float64, n), hBuf: make([]float64, n)}
	for _, categorical := range []bool{true, false} {
		for f, c := range cfg.Categorical {
			if c == categorical {
				g.order = append(g.order, f)
			}
		}
	}
	g.each(func(f int) {
		col := make([]float64, 0, n)
		for i := range n {
			if v := float64(r.X[i*r.Dim+f]); v == v {
				col = append(col, v)
			}
		}
		g.missing[f] = len(col) < n
		out := g.bins[f*n : (f+1)*n]
		if cfg.Categorical[f] {
			var seen [256]bool
			var code [256]uint8
			for _, v := range col {
				if v >= 0 && v < 255 {
					seen[int(v)] = true
				}
			}
			for c, ok := range seen {
				if ok {
					code[c] = uint8(len(g.codes[f]))
					g.codes[f] = append(g.codes[f], uint8(c))
				}
			}
			g.count[f] = len(g.codes[f])
			for i := range n {
				v := float64(r.X[i*r.Dim+f])
				if v >= 0 && v < 255 {
					out[i] = code[int(v)]
				} else { // missing, or a code that does not fit
					out[i], g.missing[f] = missingBin, true
				}
			}
			return
		}
		g.edges[f] = binEdges(col, cfg.MaxBins)
		g.count[f] = len(g.edges[f]) + 1
		for i := range n {
			v := float64(r.X[i*r.Dim+f])
			if v != v {
				out[i] = missingBin
				continue
			}
			at, _ := slices.BinarySearch(g.edges[f], v) // first edge >= v: v <= edge goes left of it
			out[i] = uint8(at)
		}
	})
	return g
}

// binEdges are the midpoints between distinct values where they fit, else percentiles, as scikit-learn's _BinMapper.
func binEdges(col []float64, maxBins int) []float64 {
	if len(col) == 0 {
		return nil
	}
	slices.Sort(col)
	distinct := slices.Compact(slices.Clone(col))
	if len(distinct) <= maxBins {
		out := make([]float64, 0, len(distinct)-1)
		for i := 1; i < len(distinct); i++ {
			out = append(out, distinct[i-1]+(distinct[i]-distinct[i-1])/2)
		}
		return out
	}
	var out []float64
	for q := 1; q < maxBins; q++ {
		at := q * len(col) // averaged inverted CDF (Hyndman & Fan 1996, definition 2)
		k := at / maxBins
		if v := col[k]; at%maxBins != 0 {
			out = append(out, v)
		} else {
			out = append(out, col[k-1]+(v-col[k-1])/2)
		}
	}
	return slices.Compact(out)
}

// each runs f for every feature, spread over threads: what one feature gives does not depend on the others.
func (g *grower) each(f func(feature int)) {
	workers := min(g.cfg.Threads, g.dim)
	if workers < 2 || g.n*g.dim < 1<<15 {
		for i := range g.dim {
			f(i)
		}
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < g.dim; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

// open is a node that may be split.
type open struct {
	at         int32 // index in the tree
	from, to   int   // its rows
	sumG, sumH float64
	hist       *hist
	split      split
}

// split is the best split of a node.
type split struct {
	gain        float64
	feature     int
	bin         int // numbers: bins <= bin go left
	missingLeft bool
	category    bool
	set         [4]uint64 // of bins
	leftG       float64
	leftH       float64
	leftN       int
}

func (g *grower) take() *hist {
	if n := len(g.free); n > 0 {
		h := g.free[n-1]
		g.free = g.free[:n-1]
		return h
	}
	return &hist{g: make([]float64, g.dim*256), h: make([]float64, g.dim*256), n: make([]int32, g.dim*256)}
}

// build fills the histogram of rows.
func (g *grower) build(h *hist, rows []int32, grad, hess []float64) {
	for k, i := range rows {
		g.gBuf[k], g.hBuf[k] = grad[i], hess[i]
	}
	g.each(func(f int) {
		hg, hh, hn := h.g[f*256:f*256+256], h.h[f*256:f*256+256], h.n[f*256:f*256+256]
		clear(hg)
		clear(hh)
		clear(hn)
		col := g.bins[f*g.n : (f+1)*g.n]
		for k, i := range rows {
			b := col[i]
			hg[b] += g.gBuf[k]
			hh[b] += g.hBuf[k]
			hn[b]++
		}
	})
}

// grow grows one tree best-first, adds its leaf values to score, and returns it.
func (g *grower) grow(grad, hess, score []float64) tree {
	for i := range g.rows {
		g.rows[i] = int32(i)
	}
	root := open{to: g.n, hist: g.take()}
	for i := range grad {
		root.sumG += grad[i]
		root.sumH += hess[i]
	}
	t := tree{{left: -1, right: -1}}
	g.build(root.hist, g.rows, grad, hess)
	g.find(&root)
	var leaves []open // finished
	frontier := []open{root}
	for len(frontier) > 0 {
		best := 0
		for i := range frontier {
			if frontier[i].split.gain > frontier[best].split.gain {
				best = i
			}
		}
		nd := frontier[best]
		if nd.split.gain <= 0 || len(frontier)+len(leaves) >= g.cfg.MaxLeaves {
			break
		}
		frontier = slices.Delete(frontier, best, best+1)
		s := nd.split
		mid := g.partition(nd.from, nd.to, s)
		l := open{at: int32(len(t)), from: nd.from, to: mid, sumG: s.leftG, sumH: s.leftH}
		r := open{at: int32(len(t) + 1), from: mid, to: nd.to, sumG: nd.sumG - s.leftG, sumH: nd.sumH - s.leftH}
		p := &t[nd.at]
		p.feature, p.left, p.right, p.missingLeft, p.category = int32(s.feature), l.at, r.at, s.missingLeft, s.category
		if s.category {
			for b, c := range g.codes[s.feature] {
				if s.set[b>>6]>>(b&63)&1 == 1 {
					p.set[c>>6] |= 1 << (c & 63)
				}
			}
		} else if s.bin < len(g.edges[s.feature]) {
			p.threshold = g.edges[s.feature][s.bin]
		} else {
			p.threshold = math.Inf(1) // all numbers left, missing values right
		}
		if !g.missing[s.feature] { // unseen in training: to the larger side
			p.missingLeft = l.to-l.from > r.to-r.from
		}
		t = append(t, node{left: -1, right: -1}, node{left: -1, right: -1})
		last := len(frontier)+len(leaves)+2 >= g.cfg.MaxLeaves
		canL, canR := g.splittable(&l), g.splittable(&r)
		if !last && (canL || canR) {
			small, large := &l, &r
			if l.to-l.from > r.to-r.from {
				small, large = &r, &l
			}
			small.hist = g.take()
			g.build(small.hist, g.rows[small.from:small.to], grad, hess)
			large.hist = nd.hist // the parent's less the smaller one's
			g.each(func(f int) {
				for b := f * 256; b < f*256+256; b++ {
					large.hist.g[b] -= small.hist.g[b]
					large.hist.h[b] -= small.hist.h[b]
					large.hist.n[b] -= small.hist.n[b]
				}
			})
			for _, c := range []*open{&l, &r} {
				if g.splittable(c) {
					g.find(c)
				}
			}
		} else {
			g.free = append(g.free, nd.hist)
		}
		for _, c := range []open{l, r} {
			if c.split.gain > 0 {
				frontier = append(frontier, c)
				continue
			}
			if c.hist != nil {
				g.free = append(g.free, c.hist)
			}
			leaves = append(leaves, c)
		}
	}
	for _, c := range frontier {
		if c.hist != nil {
			g.free = append(g.free, c.hist)
		}
	}
	for _, c := range append(leaves, frontier...) {
		v := g.cfg.LearningRate * g.value(c.sumG, c.sumH)
		t[c.at].value = v
		for _, i := range g.rows[c.from:c.to] {
			score[i] += v
		}
	}
	return t
}

func (g *grower) splittable(o *open) bool {
	return o.to-o.from >= 2*g.cfg.MinLeaf && o.sumH >= minHessian
}

func (g *grower) value(sumG, sumH float64) float64 { return -sumG / (sumH + g.cfg.L2 + tiny) }

// partition moves the rows that go left to the front, keeping their order, and returns where the others begin.
func (g *grower) partition(from, to int, s split) int {
	col := g.bins[s.feature*g.n : (s.feature+1)*g.n]
	l, k := from, 0
	for _, i := range g.rows[from:to] {
		b := int(col[i])
		left := b <= s.bin
		if b == missingBin {
			left = s.missingLeft
		} else if s.category {
			left = s.set[b>>6]>>(b&63)&1 == 1
		}
		if left {
			g.rows[l] = i // never ahead of the reading position
			l++
		} else {
			g.spare[k] = i
			k++
		}
	}
	copy(g.rows[l:to], g.spare[:k])
	return l
}

// find sets the best split of a node; gain 0 where there is none.
func (g *grower) find(o *open) {
	o.split = split{}
	if !g.splittable(o) {
		return
	}
	best := make([]split, g.dim)
	g.each(func(f int) {
		if g.cfg.Categorical[f] {
			best[f] = g.findCategory(o, f)
		} else {
			best[f] = g.findNumber(o, f)
		}
	})
	for _, f := range g.order {
		if best[f].gain > o.split.gain {
			o.split = best[f]
		}
	}
}

// gain of a split: the fall of the second-order approximation of the loss, times 2.
func (g *grower) gain(o *open, leftG, leftH float64) float64 {
	rightG, rightH := o.sumG-leftG, o.sumH-leftH
	return o.sumG*g.value(o.sumG, o.sumH) - leftG*g.value(leftG, leftH) - rightG*g.value(rightG, rightH)
}

func (g *grower) findNumber(o *open, f int) split {
	var best split
	h, base := o.hist, f*256
	n, count := o.to-o.from, g.count[f]
	missing := g.missing[f]
	try := func(leftG, leftH float64, leftN, bin int, missingLeft bool) {
		if gain := g.gain(o, leftG, leftH); gain > best.gain && gain > tiny {
			best = split{gain: gain, feature: f, bin: bin, missingLeft: missingLeft, leftG: leftG, leftH: leftH, leftN: leftN}
		}
	}
	end := count - 1
	if missing {
		end = count // all numbers against the missing values
	}
	var sg, sh float64
	sn := 0
	for b := range end { // missing values to the right
		sg += h.g[base+b]
		sh += h.h[base+b]
		sn += int(h.n[base+b])
		if sn < g.cfg.MinLeaf || sh < minHessian {
			continue
		}
		if n-sn < g.cfg.MinLeaf || o.sumH-sh < minHessian {
			break
		}
		try(sg, sh, sn, b, false)
	}
	if !missing {
		return best
	}
	sg, sh, sn = o.sumG, o.sumH, n
	for b := count - 2; b >= 0; b-- { // and to the left
		sg -= h.g[base+b+1]
		sh -= h.h[base+b+1]
		sn -= int(h.n[base+b+1])
		if n-sn < g.cfg.MinLeaf || o.sumH-sh < minHessian {
			continue
		}
		if sn < g.cfg.MinLeaf || sh < minHessian {
			break
		}
		try(sg, sh, sn, b, true)
	}
	return best
}

// findCategory tries the prefixes of the categories in the order of gradient over hessian, from both ends, up to the middle.
func (g *grower) findCategory(o *open, f int) split {
	var best split
	h, base := o.hist, f*256
	n := o.to - o.from
	type cat struct {
		bin int
		key float64
	}
	var cats []cat
	support := float64(n) / o.sumH
	add := func(b int) {
		if h.n[base+b] > 0 && h.h[base+b]*support >= minCatSupport {
			cats = append(cats, cat{b, h.g[base+b] / (h.h[base+b] + minCatSupport)})
		}
	}
	for b := range g.count[f] {
		add(b)
	}
	if g.missing[f] {
		add(missingBin)
	}
	if len(cats) < 2 {
		return best
	}
	slices.SortStableFunc(cats, func(a, b cat) int {
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return 0
	})
	middle := (len(cats) + 1) / 2
	for _, reverse := range []bool{false, true} {
		var sg, sh float64
		var set [4]uint64
		sn, withMissing := 0, false
		if reverse {
			middle-- // else the same two sets would be tried twice
		}
		for k := range middle {
			b := cats[k].bin
			if reverse {
				b = cats[len(cats)-1-k].bin
			}
			sg += h.g[base+b]
			sh += h.h[base+b]
			sn += int(h.n[base+b])
			if b == missingBin {
				withMissing = true
			} else {
				set[b>>6] |= 1 << (b & 63)
			}
			if sn < g.cfg.MinLeaf || sh < minHessian {
				continue
			}
			if n-sn < g.cfg.MinLeaf || o.sumH-sh < minHessian {
				break
			}
			if gain := g.gain(o, sg, sh); gain > best.gain && gain > tiny {
				best = split{gain: gain, feature: f, bin: -1, category: true, set: set, missingLeft: withMissing, leftG: sg, leftH: sh, leftN: sn}
			}
		}
	}
	return best
}
