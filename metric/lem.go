package metric

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// Point is the scores of one method at one label budget, one for each draw.
type Point struct {
	Labels int       `json:"labels"`
	Scores []float64 `json:"scores"`
}

// Multiplier is a label-efficiency multiplier with its interval. The numbers
// are always finite; the flags say where they are only bounds.
type Multiplier struct {
	Labels int     `json:"labels"`        // n: labels the SSL score was reached with
	Score  float64 `json:"score"`         // mean SSL score at n
	Needed float64 `json:"labels_needed"` // labels at which the scratch curve reaches Score
	LEM    float64 `json:"lem"`           // Needed / n
	// BeyondCurve: Score lies above the best of the scratch curve, so LEM is a
	// lower bound (largest budget measured / n).
	BeyondCurve bool `json:"beyond_curve"`
	// BelowCurve: Score lies below the whole scratch curve, so LEM is an upper
	// bound (smallest budget measured / n).
	BelowCurve bool                `json:"below_curve"`
	Interval   *MultiplierInterval `json:"interval,omitempty"` // absent where fewer than two draws were made
}

// MultiplierInterval is the interval of a multiplier. Lo and Hi are finite:
// where an end lies off the measured curve it stands at the curve's end and is
// marked open.
type MultiplierInterval struct {
	Lo      float64 `json:"lo"`
	Hi      float64 `json:"hi"`
	LoBelow bool    `json:"lo_open"` // the true lower end may be smaller than Lo
	HiAbove bool    `json:"hi_open"` // the true upper end may be larger than Hi
	Conf    float64 `json:"conf"`
}

// LEM is the label-efficiency multiplier: the number of labels at which the
// network trained from scratch reaches the SSL score at n = ssl.Labels, divided
// by n. 4 means that pretraining was worth four times the labels.
//
// The scratch curve is the mean score at each budget, made non-decreasing by
// isotonic regression weighted by draws (pool adjacent violators) and
// interpolated linearly in log2(labels). Where the curve is flat the smallest
// number of labels counts, which never flatters SSL. Scores must be
// higher-is-better.
//
// The interval resamples draws (b.Reps, default 4,000; b.Conf, default 0.95).
// Budgets are resampled independently of each other; at n itself SSL and
// scratch share the resampled draws when they have equally many. It is the
// expanded percentile interval of Hesterberg (2015): percentiles at
// Phi(-sqrt(d/(d-1)) t(d-1)) with d the fewest draws (of points with at least
// two), because plain percentiles of five draws are far too short.
func LEM(ssl Point, scratch []Point, b Bootstrap) (Multiplier, error) {
	if b.Reps == 0 {
		b.Reps = 4000
	}
	b = b.withDefaults()
	if err := b.validate("lem"); err != nil {
		return Multiplier{}, err
	}
	if len(scratch) == 0 {
		return Multiplier{}, fmt.Errorf("metric: lem: scratch curve: %w", ErrEmpty)
	}
	curve := slices.Clone(scratch)
	slices.SortFunc(curve, func(a, b Point) int { return a.Labels - b.Labels })
	draws := 0
	for i, p := range append([]Point{ssl}, curve...) {
		if p.Labels < 1 || len(p.Scores) == 0 {
			return Multiplier{}, fmt.Errorf("metric: lem: %d labels with %d scores, want at least 1 of each", p.Labels, len(p.Scores))
		}
		if i > 1 && p.Labels == curve[i-2].Labels {
			return Multiplier{}, fmt.Errorf("metric: lem: budget %d occurs twice in the scratch curve", p.Labels)
		}
		if err := checkFinite("lem", p.Scores); err != nil {
			return Multiplier{}, err
		}
		if d := len(p.Scores); d > 1 && (draws == 0 || d < draws) {
			draws = d
		}
	}
	n := len(curve)
	x, w, y := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, p := range curve {
		x[i], w[i], y[i] = math.Log2(float64(p.Labels)), float64(len(p.Scores)), mean(p.Scores)
	}
	base := math.Log2(float64(ssl.Labels))
	m := Multiplier{Labels: ssl.Labels, Score: mean(ssl.Scores)}
	at := crossing(x, isotonic(y, w), m.Score)
	m.BeyondCurve, m.BelowCurve = math.IsInf(at, 1), math.IsInf(at, -1)
	at = min(max(at, x[0]), x[n-1])
	m.Needed, m.LEM = math.Exp2(at), math.Exp2(at-base)
	if draws == 0 {
		return m, nil
	}

	reps := make([]float64, b.Reps)
	s := rng.NewStream()
	var idx []int
	pick := func(scores []float64) float64 {
		var sum float64
		for _, i := range idx {
			sum += scores[i]
		}
		return sum / float64(len(idx))
	}
	redraw := func(k int) {
		idx = idx[:0]
		for range k {
			idx = append(idx, s.IntN(k))
		}
	}
	for r := range reps {
		s.Reset(b.Seed, rng.Bootstrap, 2, uint64(r), 0)
		redraw(len(ssl.Scores))
		score := pick(ssl.Scores)
		paired := slices.Clone(idx)
		for i, p := range curve {
			if p.Labels == ssl.Labels && len(p.Scores) == len(ssl.Scores) {
				idx = append(idx[:0], paired...)
			} else {
				redraw(len(p.Scores))
			}
			y[i] = pick(p.Scores)
		}
		reps[r] = crossing(x, isotonic(y, w), score)
	}
	slices.Sort(reps)
	d := float64(draws)
	a := distuv.UnitNormal.CDF(-math.Sqrt(d/(d-1)) * tQuantile(1-(1-b.Conf)/2, d-1))
	lo, hi := quantile(reps, a), quantile(reps, 1-a)
	m.Interval = &MultiplierInterval{
		Lo: math.Exp2(min(max(lo, x[0]), x[n-1]) - base), Hi: math.Exp2(min(max(hi, x[0]), x[n-1]) - base),
		LoBelow: math.IsInf(lo, -1), HiAbove: math.IsInf(hi, 1), Conf: b.Conf,
	}
	return m, nil
}

// isotonic is the weighted least-squares non-decreasing fit (pool adjacent
// violators, Ayer et al. 1955).
func isotonic(y, w []float64) []float64 {
	type block struct {
		mean, weight float64
		n            int
	}
	var bs []block
	for i, v := range y {
		bs = append(bs, block{v, w[i], 1})
		for k := len(bs) - 1; k > 0 && bs[k-1].mean > bs[k].mean; k-- {
			a, c := bs[k-1], bs[k]
			sum := a.weight + c.weight
			bs[k-1] = block{(a.mean*a.weight + c.mean*c.weight) / sum, sum, a.n + c.n}
			bs = bs[:k]
		}
	}
	out := make([]float64, 0, len(y))
	for _, b := range bs {
		for range b.n {
			out = append(out, b.mean)
		}
	}
	return out
}

// crossing is the smallest x at which the non-decreasing curve reaches v; -Inf
// where v is below the curve, +Inf where it is above.
func crossing(x, y []float64, v float64) float64 {
	const eps = 1e-12 // rounding of a mean must not move v off a flat piece
	if v < y[0]-eps {
		return math.Inf(-1)
	}
	for i := range y {
		if y[i] < v-eps {
			continue
		}
		if i == 0 {
			return x[0]
		}
		return x[i-1] + (x[i]-x[i-1])*min(1, (v-y[i-1])/(y[i]-y[i-1]))
	}
	return math.Inf(1)
}
