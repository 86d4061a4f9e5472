package metric

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// Test is the outcome of a significance test.
type Test struct {
	Name    string  `json:"name"`
	N       int     `json:"n"`        // pairs, or discordant items
	P       float64 `json:"p"`        // two-sided
	Greater float64 `json:"p_above"`  // one-sided, alternative: above zero
	Less    float64 `json:"p_below"`  // one-sided, alternative: below zero
	Min     float64 `json:"p_lowest"` // lowest two-sided p this test can give with this N; 0 where there is no floor
}

func checkFinite(what string, x []float64) error {
	for i, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("metric: %s: value %d is %g", what, i, v)
		}
	}
	return nil
}

// SignFlip is the permutation test of "the paired differences are symmetric
// about zero" (Fisher 1935) with the sum as statistic. Up to 20 differences all
// 2^n sign patterns are counted; beyond, 100,000 patterns are drawn (keyed by
// seed) and p = (count+1)/(draws+1). With n differences the two-sided p is
// never below 2/2^n: 0.0625 for five draws, so at 0.05 five draws can never
// show anything by this test alone. [Verdict] therefore uses another one.
func SignFlip(diff []float64, seed uint64) (Test, error) {
	n := len(diff)
	if n == 0 {
		return Test{}, fmt.Errorf("metric: sign flip: %w", ErrEmpty)
	}
	if err := checkFinite("sign flip", diff); err != nil {
		return Test{}, err
	}
	var sum, size float64
	for _, d := range diff {
		sum += d
		size += math.Abs(d)
	}
	eps := 1e-12 * size // sums that are equal in exact arithmetic must tie
	var both, above, below, total float64
	count := func(t float64) {
		total++
		if math.Abs(t) >= math.Abs(sum)-eps {
			both++
		}
		if t >= sum-eps {
			above++
		}
		if t <= sum+eps {
			below++
		}
	}
	test := Test{Name: "exact sign-flip", N: n}
	if n <= 20 {
		for p := range uint32(1) << n {
			t := sum
			for q := p; q != 0; q &= q - 1 {
				t -= 2 * diff[bits.TrailingZeros32(q)]
			}
			count(t)
		}
		test.Min = min(1, 2/total)
	} else {
		const draws = 100_000
		test.Name = "sign-flip, 100000 draws"
		r := rng.New(seed, rng.Bootstrap, 1)
		count(sum)
		for range draws {
			t := sum
			var w uint64
			for i, d := range diff {
				if i%64 == 0 {
					w = r.Uint64()
				}
				if w&1 != 0 {
					t -= 2 * d
				}
				w >>= 1
			}
			count(t)
		}
		test.Min = 1 / total
	}
	test.P, test.Greater, test.Less = both/total, above/total, below/total
	return test, nil
}

// PairedT is Student's t test of a zero mean difference, n-1 degrees of
// freedom. Equal non-zero differences (no spread) give p = 0 and equal zeros
// p = 1: the caller must judge whether such draws are independent.
func PairedT(diff []float64) (Test, error) {
	if len(diff) < 2 {
		return Test{}, fmt.Errorf("metric: paired t: %d differences, want at least 2", len(diff))
	}
	if err := checkFinite("paired t", diff); err != nil {
		return Test{}, err
	}
	m, se := mean(diff), stddev(diff)/math.Sqrt(float64(len(diff)))
	return tTest("paired t", len(diff), m, se, float64(len(diff)-1)), nil
}

func tTest(name string, n int, m, se, df float64) Test {
	t := m / se
	if se == 0 {
		t = math.Copysign(math.Inf(1), m)
		if m == 0 {
			t = 0
		}
	}
	out := Test{Name: name, N: n, Greater: tTail(t, df), Less: tTail(-t, df)}
	out.P = min(1, 2*min(out.Greater, out.Less))
	return out
}

// Wilcoxon is the signed-rank test (Wilcoxon 1945): zero differences are
// dropped, ties take midranks. Up to 60 differences the p-values are exact
// given the ranks; beyond, normal with tie and continuity correction.
func Wilcoxon(diff []float64) (Test, error) {
	if len(diff) == 0 {
		return Test{}, fmt.Errorf("metric: wilcoxon: %w", ErrEmpty)
	}
	if err := checkFinite("wilcoxon", diff); err != nil {
		return Test{}, err
	}
	var size []float64
	var pos []bool
	for _, d := range diff {
		if d != 0 {
			size, pos = append(size, math.Abs(d)), append(pos, d > 0)
		}
	}
	n := len(size)
	if n == 0 {
		return Test{Name: "wilcoxon signed rank", P: 1, Greater: 1, Less: 1, Min: 1}, nil
	}
	rank, ties := midranks(size)
	var w float64
	for i, p := range pos {
		if p {
			w += rank[i]
		}
	}
	out := Test{Name: "wilcoxon signed rank", N: n}
	if n <= 60 {
		// Distribution of twice the rank sum, as whole numbers, over all 2^n signs.
		prob := make([]float64, n*(n+1)+1)
		prob[0] = 1
		top := 0
		for _, r := range rank {
			d := int(math.Round(2 * r))
			top += d
			for s := top; s >= 0; s-- {
				prob[s] /= 2
				if s >= d {
					prob[s] += prob[s-d] / 2
				}
			}
		}
		at := int(math.Round(2 * w))
		for s := 0; s <= top; s++ {
			if s >= at {
				out.Greater += prob[s]
			}
			if s <= at {
				out.Less += prob[s]
			}
		}
		out.Min = min(1, math.Ldexp(2, -n))
	} else {
		f := float64(n)
		v := f * (f + 1) * (2*f + 1) / 24
		for _, t := range ties {
			v -= float64(t*t*t-t) / 48
		}
		d := w - f*(f+1)/4
		out.Greater = distuv.UnitNormal.CDF(-(d - 0.5) / math.Sqrt(v))
		out.Less = distuv.UnitNormal.CDF((d + 0.5) / math.Sqrt(v))
	}
	out.Greater, out.Less = min(1, out.Greater), min(1, out.Less)
	out.P = min(1, 2*min(out.Greater, out.Less))
	return out, nil
}

// McNemar is the exact test for two classifiers on the same items (McNemar
// 1947, binomial form): only items on which they differ count. Greater is the
// alternative "a is right more often than b".
//
// It speaks of these two trained classifiers. It knows nothing of the spread
// between draws, so it is no evidence about a training method; see
// [VerdictItems].
func McNemar(a, b []bool) (Test, error) {
	if err := sameLen("mcnemar", len(a), len(b)); err != nil {
		return Test{}, err
	}
	onlyA, n := 0, 0
	for i := range a {
		if a[i] != b[i] {
			n++
			if a[i] {
				onlyA++
			}
		}
	}
	out := Test{Name: "exact mcnemar", N: n, P: 1, Greater: 1, Less: 1, Min: 1}
	if n > 0 {
		bin := distuv.Binomial{N: float64(n), P: 0.5}
		out.Less = bin.CDF(float64(onlyA))
		out.Greater = bin.CDF(float64(n - onlyA))
		out.P = min(1, 2*min(out.Greater, out.Less))
		out.Min = min(1, math.Ldexp(2, -n))
	}
	return out, nil
}

// Holm returns the p-values adjusted for their number (Holm 1979), in the
// given order: rejecting those at or below alpha keeps the chance of any false
// rejection at or below alpha, whatever their dependence.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	out, high := make([]float64, len(p)), 0.0
	for i, o := range order {
		high = max(high, min(1, p[o]*float64(len(p)-i)))
		out[o] = high
	}
	return out
}
