package metric

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// Interval is a two-sided interval at a confidence level such as 0.95.
type Interval struct {
	Lo   float64 `json:"lo"`
	Hi   float64 `json:"hi"`
	Conf float64 `json:"conf"`
}

func checkCount(what string, k, n int, conf float64) error {
	if n < 1 || k < 0 || k > n {
		return fmt.Errorf("metric: %s: %d of %d, want 0 <= k <= n and n >= 1", what, k, n)
	}
	return checkConf(what, conf)
}

func checkConf(what string, conf float64) error {
	if !(conf > 0 && conf < 1) {
		return fmt.Errorf("metric: %s: confidence %g, want inside (0, 1)", what, conf)
	}
	return nil
}

// ClopperPearson is the exact two-sided interval of a proportion with k of n
// successes (Clopper & Pearson 1934). At k=0 the lower end is 0, at k=n the
// upper end is 1; the other end keeps (1-conf)/2.
func ClopperPearson(k, n int, conf float64) (Interval, error) {
	if err := checkCount("clopper-pearson", k, n, conf); err != nil {
		return Interval{}, err
	}
	a := (1 - conf) / 2
	return Interval{cpLower(k, n, a), cpUpper(k, n, a), conf}, nil
}

// ClopperPearsonUpper is the exact one-sided upper bound: with probability at
// least conf it is not below the true rate. With k=0 it is 1-(1-conf)^(1/n).
func ClopperPearsonUpper(k, n int, conf float64) (float64, error) {
	if err := checkCount("clopper-pearson", k, n, conf); err != nil {
		return 0, err
	}
	return cpUpper(k, n, 1-conf), nil
}

// ClopperPearsonLower is the exact one-sided lower bound of the true rate.
func ClopperPearsonLower(k, n int, conf float64) (float64, error) {
	if err := checkCount("clopper-pearson", k, n, conf); err != nil {
		return 0, err
	}
	return cpLower(k, n, 1-conf), nil
}

func cpLower(k, n int, a float64) float64 {
	switch k {
	case 0:
		return 0
	case n:
		return math.Pow(a, 1/float64(n))
	}
	return mathext.InvRegIncBeta(float64(k), float64(n-k+1), a)
}

func cpUpper(k, n int, a float64) float64 {
	return 1 - cpLower(n-k, n, a) // by symmetry; keeps the closed form at k=0
}

// Wilson is the score interval of a proportion (Wilson 1927), without
// continuity correction. Shorter than [ClopperPearson]; its coverage is conf
// only on average.
func Wilson(k, n int, conf float64) (Interval, error) {
	if err := checkCount("wilson", k, n, conf); err != nil {
		return Interval{}, err
	}
	z := distuv.UnitNormal.Quantile(1 - (1-conf)/2)
	p, m := float64(k)/float64(n), float64(n)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	lo, hi := max(0, mid-half), min(1, mid+half)
	if k == 0 {
		lo = 0
	}
	if k == n {
		hi = 1
	}
	return Interval{lo, hi, conf}, nil
}

// TInterval is the interval of the mean by Student's t, at least two values.
func TInterval(x []float64, conf float64) (Interval, error) {
	if len(x) < 2 {
		return Interval{}, fmt.Errorf("metric: t interval: %d values, want at least 2", len(x))
	}
	if err := checkConf("t interval", conf); err != nil {
		return Interval{}, err
	}
	m := mean(x)
	h := tQuantile(1-(1-conf)/2, float64(len(x)-1)) * stddev(x) / math.Sqrt(float64(len(x)))
	return Interval{m - h, m + h, conf}, nil
}

func tQuantile(p, df float64) float64 { return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(p) }

// tTail is P(T > t) with df degrees of freedom.
func tTail(t, df float64) float64 {
	if math.IsInf(t, 0) {
		if t > 0 {
			return 0
		}
		return 1
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.CDF(-t)
}

// Bootstrap says how to resample; its zero value takes the defaults.
type Bootstrap struct {
	Reps int     `json:"reps"` // resamples; default 2,000
	Conf float64 `json:"conf"` // confidence; default 0.95
	Seed uint64  `json:"seed"` // key of the draws (rng.Bootstrap)
}

func (b Bootstrap) withDefaults() Bootstrap {
	if b.Reps == 0 {
		b.Reps = 2000
	}
	if b.Conf == 0 {
		b.Conf = 0.95
	}
	return b
}

func (b Bootstrap) validate(what string) error {
	if b.Reps < 20 {
		return fmt.Errorf("metric: %s: %d resamples, want at least 20", what, b.Reps)
	}
	return checkConf(what, b.Conf)
}

// resample returns the statistic of every resample, sorted.
func (b Bootstrap) resample(x []float64, stat func([]float64) float64) []float64 {
	out, buf := make([]float64, b.Reps), make([]float64, len(x))
	s := rng.NewStream()
	for r := range out {
		s.Reset(b.Seed, rng.Bootstrap, 0, uint64(r), 0)
		for i := range buf {
			buf[i] = x[s.IntN(len(x))]
		}
		out[r] = stat(buf)
	}
	slices.Sort(out)
	return out
}

// Percentile is the percentile interval of a statistic (Efron 1979). stat must
// not keep or order its argument's memory across calls beyond its return.
// With few values (under about 20) it is too short; see [Bootstrap.BCa] and
// [TInterval].
func (b Bootstrap) Percentile(x []float64, stat func([]float64) float64) (Interval, error) {
	b = b.withDefaults()
	if len(x) == 0 {
		return Interval{}, fmt.Errorf("metric: bootstrap: %w", ErrEmpty)
	}
	if err := b.validate("bootstrap"); err != nil {
		return Interval{}, err
	}
	t := b.resample(x, stat)
	a := (1 - b.Conf) / 2
	return Interval{quantile(t, a), quantile(t, 1-a), b.Conf}, nil
}

// BCa is the bias-corrected and accelerated interval (Efron 1987): percentiles
// moved by the bias of the resamples (ties count half) and by the skew of the
// jackknife. At least two values.
func (b Bootstrap) BCa(x []float64, stat func([]float64) float64) (Interval, error) {
	b = b.withDefaults()
	if len(x) < 2 {
		return Interval{}, fmt.Errorf("metric: bca: %d values, want at least 2", len(x))
	}
	if err := b.validate("bca"); err != nil {
		return Interval{}, err
	}
	buf := slices.Clone(x)
	est := stat(buf)
	t := b.resample(x, stat)
	var below float64
	for _, v := range t {
		if v < est {
			below++
		} else if v == est {
			below += 0.5
		}
	}
	m := float64(b.Reps)
	z0 := distuv.UnitNormal.Quantile(min(max(below/m, 0.5/m), 1-0.5/m)) // finite even when every resample is on one side
	jack := make([]float64, len(x))
	for i := range x {
		buf = append(append(buf[:0], x[:i]...), x[i+1:]...)
		jack[i] = stat(buf)
	}
	jm := mean(jack)
	var s2, s3 float64
	for _, j := range jack {
		d := jm - j
		s2, s3 = s2+d*d, s3+d*d*d
	}
	acc := 0.0
	if s2 > 0 {
		acc = s3 / (6 * math.Pow(s2, 1.5))
	}
	at := func(p float64) float64 {
		z := z0 + distuv.UnitNormal.Quantile(p)
		den := 1 - acc*z
		if den <= 0 { // beyond the pole: the extreme of the resamples
			return quantile(t, math.Round(distuv.UnitNormal.CDF(z)))
		}
		return quantile(t, distuv.UnitNormal.CDF(z0+z/den))
	}
	a := (1 - b.Conf) / 2
	return Interval{at(a), at(1 - a), b.Conf}, nil
}

// quantile interpolates linearly between order statistics (type 7 of Hyndman &
// Fan 1996); infinities are not blended.
func quantile(sorted []float64, p float64) float64 {
	h := p * float64(len(sorted)-1)
	i := int(math.Floor(h))
	if i >= len(sorted)-1 {
		return sorted[len(sorted)-1]
	}
	if f := h - float64(i); f > 0 && sorted[i] != sorted[i+1] {
		if math.IsInf(sorted[i], 0) || math.IsInf(sorted[i+1], 0) {
			return sorted[i+int(math.Round(f))]
		}
		return sorted[i] + f*(sorted[i+1]-sorted[i])
	}
	return sorted[i]
}
