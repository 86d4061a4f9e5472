package denoise

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
)

// Calibration turns the network's log odds into probabilities that hold, and says how many false corrections each threshold
// lets through. It is fitted on held-out reads whose truth is known, so what it promises is promised for reads of that noise:
// other reads, another promise.
type Calibration struct {
	Format     int     `json:"format"`     // 1
	Reads      int64   `json:"reads"`      // held-out reads seen
	Bases      int64   `json:"bases"`      // their positions with a known truth
	Confidence float64 `json:"confidence"` // of the upper bounds, one-sided
	Source     string  `json:"source"`     // what the reads were made of
	// Curves hold the isotonic maps (Zadrozny & Elkan 2002; pool adjacent violators) by kind and depth bin, fitted on one half of
	// the reads. Between the centres of the pooled steps they rise evenly in log odds (centred isotonic regression, Oron & Flournoy
	// 2017), so that they tell scores of one step apart.
	Curves []Curve `json:"curves"`
	// Promises hold the table of thresholds by depth bin, and Reliability the check of the maps, both counted on the other half.
	Promises    []Promise `json:"promises"`
	Reliability []Bar     `json:"reliability"`

	table *table
}

// Curve is a rising function: at log odds At[i] the probability is P[i]; between two of them log odds of P are interpolated linearly, before
// the first and after the last P is constant.
type Curve struct {
	Kind  string    `json:"kind"`
	Depth string    `json:"depth"` // "" is every depth, for the bins that have no curve of their own
	Calls int64     `json:"calls"`
	At    []float64 `json:"at"`
	P     []float64 `json:"p"`
}

// Promise is one row of the table of thresholds: with every change made whose calibrated probability is Threshold or more,
// False of Bases positions were changed to something wrong.
type Promise struct {
	Depth      string  `json:"depth"`
	Threshold  float64 `json:"threshold"`
	Bases      int64   `json:"bases"`
	True       int64   `json:"true"`      // right corrections
	False      int64   `json:"false"`     // changes to something wrong, of right and of wrong bases
	PerMb      float64 `json:"per_mb"`    // False in a million positions
	UpperPerMb float64 `json:"upper_mb"`  // Clopper & Pearson 1934, at Confidence
	Found      float64 `json:"corrected"` // True of all errors
}

// Bar is one bar of the reliability diagram: of Calls calls with mean probability Mean the share Right was right.
type Bar struct {
	Kind  string  `json:"kind"`
	Depth string  `json:"depth"` // "" is every depth
	Calls int64   `json:"calls"`
	Mean  float64 `json:"mean"`
	Right float64 `json:"right"`
}

// thresholds of the promise table, in rising order.
var thresholds = []float64{0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9965, 0.998, 0.9985,
	0.999, 0.9993, 0.9995, 0.9997, 0.9998, 0.9999, 0.99995, 0.99999}

// tally counts calls by step of their score.
type tally struct{ right, wrong [scoreSteps]int64 }

func (t *tally) calls() (n int64) {
	for i := range t.right {
		n += t.right[i] + t.wrong[i]
	}
	return n
}

func (t *tally) merge(o *tally) {
	for i := range t.right {
		t.right[i] += o.right[i]
		t.wrong[i] += o.wrong[i]
	}
}

// Fitter collects calls on reads of known truth. Its memory does not grow with their number.
type Fitter struct {
	// Bound is the upper limit of the share behind k of n at a confidence; ClopperPearsonUpper of package metric.
	Bound      func(k, n int, confidence float64) (float64, error)
	Confidence float64 // 0 is 0.95

	reads, total int64
	tally        [2][Kinds][DepthBins]tally
	positions    [DepthBins]int64 // of the second half
	errors       [DepthBins]int64

	bases, here, after []uint8 // of a window
	depth              []int
}

// The halves of the reads that a Fitter takes.
const (
	FitHalf   = 0 // curves are fitted on it
	CheckHalf = 1 // promises and reliability are counted on it
)

// AddWindow is Add for one window of features x [window, pileup.Channels] with its truth clean [window, 2] (here, after); mask [window]
// is 0 where the truth is not known.
func (f *Fitter) AddWindow(half int, x []float32, clean, mask []uint8, logits []float32) error {
	n := len(mask)
	if len(x) != n*pileup.Channels || len(clean) != 2*n {
		return fmt.Errorf("denoise: calibration of a window of %d: %d features, %d truths", n, len(x), len(clean))
	}
	f.bases, f.here, f.after, f.depth = grow(f.bases, n), grow(f.here, n), grow(f.after, n), grow(f.depth, n)
	for j := range n {
		v := x[j*pileup.Channels : (j+1)*pileup.Channels]
		f.bases[j] = 4
		for b := range uint8(4) {
			if v[b] > 0.5 {
				f.bases[j] = b
			}
		}
		f.here[j], f.after[j] = clean[2*j], clean[2*j+1]
		if mask[j] == 0 {
			f.here[j] = unknown
		}
		f.depth[j] = countOf(v[channelDepth])
	}
	return f.Add(half, f.bases, f.here, f.after, f.depth, logits)
}

const unknown = 255

// Add takes the logits [len(bases), Logits] of one read with its base codes (4: ambiguous), truth (here 0..4 or 255 where unknown,
// after 0..4) and depths. Reads of the two halves should come from different places.
func (f *Fitter) Add(half int, bases, here, after []uint8, depth []int, logits []float32) error {
	n := len(bases)
	if half != FitHalf && half != CheckHalf {
		return fmt.Errorf("denoise: calibration: half %d, there are %d and %d", half, FitHalf, CheckHalf)
	}
	if len(here) != n || len(after) != n || len(depth) != n || len(logits) != n*Logits {
		return fmt.Errorf("denoise: calibration of %d bases: %d here, %d after, %d depths, %d logits", n, len(here), len(after), len(depth), len(logits))
	}
	f.reads++
	count := func(k Kind, bin int, step uint8, right bool) {
		t := &f.tally[half][k][bin]
		if right {
			t.right[step]++
		} else {
			t.wrong[step]++
		}
	}
	var c call
	for j := range n {
		if here[j] > deleteClass {
			continue
		}
		own, bin := bases[j], DepthBin(depth[j])
		f.total++
		c.read(logits[j*Logits:(j+1)*Logits], own)
		count(hereKind(c.here, own), bin, c.hereBin, c.here == here[j])
		if c.after != 0 {
			count(Insert, bin, c.afterBin, c.after == after[j])
		}
		if half == CheckHalf {
			f.positions[bin]++
			if here[j] != own {
				f.errors[bin]++
			}
			if after[j] != 0 {
				f.errors[bin]++
			}
		}
	}
	return nil
}

// hereKind is the kind of a Here call.
func hereKind(here, own uint8) Kind {
	switch {
	case here == deleteClass:
		return Delete
	case own >= 4:
		return Resolve
	case here != own:
		return Substitute
	}
	return Keep
}

// The least number of calls behind a curve of its own, and behind one of its steps.
const (
	curveCalls = 400
	stepCalls  = 50
)

// Fit makes the calibration of all that was added.
func (f *Fitter) Fit(source string) (*Calibration, error) {
	if f.total == 0 {
		return nil, errors.New("denoise: calibration: no position with a known truth")
	}
	if f.Bound == nil {
		return nil, errors.New("denoise: calibration: Bound is missing")
	}
	c := &Calibration{Format: 1, Reads: f.reads, Bases: f.total, Confidence: f.Confidence, Source: source}
	if c.Confidence == 0 {
		c.Confidence = 0.95
	}
	for k := range Kinds {
		var all tally
		for bin := range DepthBins {
			t := &f.tally[0][k][bin]
			all.merge(t)
			if n := t.calls(); n >= curveCalls {
				c.Curves = append(c.Curves, isotonic(t, k, DepthName(bin)))
			}
		}
		if all.calls() >= stepCalls {
			c.Curves = append(c.Curves, isotonic(&all, k, ""))
		}
	}
	c.bind()
	for bin := range DepthBins {
		if f.positions[bin] == 0 {
			continue
		}
		for _, t := range thresholds {
			p := Promise{Depth: DepthName(bin), Threshold: t, Bases: f.positions[bin]}
			for k := range Keep {
				for s := range scoreSteps {
					if c.table.p[k][bin][s] >= t {
						p.True += f.tally[1][k][bin].right[s]
						p.False += f.tally[1][k][bin].wrong[s]
					}
				}
			}
			// A position may be changed twice (substituted and inserted after), hence the min.
			up, err := f.Bound(int(min(p.False, p.Bases)), int(p.Bases), c.Confidence)
			if err != nil {
				return nil, fmt.Errorf("denoise: calibration: %w", err)
			}
			p.PerMb, p.UpperPerMb = 1e6*float64(p.False)/float64(p.Bases), 1e6*up
			if e := f.errors[bin]; e > 0 {
				p.Found = float64(p.True) / float64(e)
			}
			c.Promises = append(c.Promises, p)
		}
	}
	for k := range Kinds {
		var bars [DepthBins + 1]map[float64]*[3]float64 // the last one is every depth
		for i := range bars {
			bars[i] = map[float64]*[3]float64{}
		}
		for bin := range DepthBins {
			for s := range scoreSteps {
				r, w := f.tally[1][k][bin].right[s], f.tally[1][k][bin].wrong[s]
				if r+w == 0 {
					continue
				}
				p := c.table.p[k][bin][s]
				for _, i := range []int{bin, DepthBins} {
					edge := barEdge(p)
					if bars[i][edge] == nil {
						bars[i][edge] = &[3]float64{}
					}
					b := bars[i][edge]
					b[0] += float64(r + w)
					b[1] += p * float64(r+w)
					b[2] += float64(r)
				}
			}
		}
		for i, m := range bars {
			name := ""
			if i < DepthBins {
				name = DepthName(i)
			}
			edges := make([]float64, 0, len(m))
			for e := range m {
				edges = append(edges, e)
			}
			slices.Sort(edges)
			for _, e := range edges {
				b := m[e]
				c.Reliability = append(c.Reliability, Bar{Kind: k.String(), Depth: name, Calls: int64(b[0]), Mean: b[1] / b[0], Right: b[2] / b[0]})
			}
		}
	}
	return c, nil
}

// barEdge is the lower edge of the reliability bar of p: bars grow finer towards 1, where the calls are.
func barEdge(p float64) float64 {
	edges := []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 0.99999}
	i, found := slices.BinarySearch(edges, p)
	if !found {
		i--
	}
	return edges[max(i, 0)]
}

// isotonic fits a rising curve by pool adjacent violators, on steps of at least stepCalls calls. The height of a step is the mean of
// the posterior under a flat prior, (right+1)/(calls+2), so that no finite number of calls gives certainty.
func isotonic(t *tally, k Kind, depth string) Curve {
	type block struct {
		score float64 // sum over the calls
		right float64
		n     float64
	}
	var raw []block
	var cur block
	open := false
	for s := range scoreSteps {
		r, n := float64(t.right[s]), float64(t.right[s]+t.wrong[s])
		if n == 0 {
			continue
		}
		if !open {
			cur, open = block{}, true
		}
		cur.score += n * (scoreFrom + scoreStep*(float64(s)+0.5))
		cur.right += r
		cur.n += n
		if cur.n >= stepCalls {
			raw = append(raw, cur)
			open = false
		}
	}
	join := func(a *block, b block) { a.score, a.right, a.n = a.score+b.score, a.right+b.right, a.n+b.n }
	if open { // the rest joins the last step
		if len(raw) == 0 {
			raw = append(raw, cur)
		} else {
			join(&raw[len(raw)-1], cur)
		}
	}
	p := func(b block) float64 { return (b.right + 1) / (b.n + 2) }
	var pooled []block
	for _, b := range raw {
		pooled = append(pooled, b)
		for n := len(pooled); n > 1 && p(pooled[n-2]) >= p(pooled[n-1]); n = len(pooled) {
			join(&pooled[n-2], pooled[n-1])
			pooled = pooled[:n-1]
		}
	}
	c := Curve{Kind: k.String(), Depth: depth, Calls: t.calls()}
	for _, b := range pooled {
		c.At = append(c.At, b.score/b.n)
		c.P = append(c.P, p(b))
	}
	return c
}

// table is a calibration as arrays.
type table struct {
	p [Kinds][DepthBins][scoreSteps]float64
}

// plain is the table without a calibration: the network's own probabilities, never more than 0.9999, which no network that
// was not checked may claim to exceed.
func plain() *table {
	t := &table{}
	for k := range t.p {
		for bin := range t.p[k] {
			for s := range t.p[k][bin] {
				t.p[k][bin][s] = min(sigmoid(scoreFrom+scoreStep*(float64(s)+0.5)), 0.9999)
			}
		}
	}
	return t
}

func (c *Calibration) bind() {
	t := plain()
	put := func(cv *Curve, k, bin int) {
		last := len(cv.At) - 1
		for i, s := 0, 0; s < scoreSteps; s++ {
			x := scoreFrom + scoreStep*(float64(s)+0.5)
			for i < last && x >= cv.At[i+1] {
				i++
			}
			p := cv.P[i]
			if x > cv.At[i] && i < last {
				t := (x - cv.At[i]) / (cv.At[i+1] - cv.At[i])
				p = sigmoid((1-t)*logit(cv.P[i]) + t*logit(cv.P[i+1]))
			}
			t.p[k][bin][s] = p
		}
	}
	for _, own := range []bool{false, true} { // curves of every depth first
		for i := range c.Curves {
			cv := &c.Curves[i]
			k := slices.Index(kindNames[:], cv.Kind)
			if k < 0 || (cv.Depth != "") != own || len(cv.At) == 0 {
				continue
			}
			for bin := range DepthBins {
				if cv.Depth == "" || cv.Depth == DepthName(bin) {
					put(cv, k, bin)
				}
			}
		}
	}
	c.table = t
}

// ParseCalibration reads calibration.json.
func ParseCalibration(b []byte) (*Calibration, error) {
	c := &Calibration{}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("denoise: calibration: %w", err)
	}
	if c.Format != 1 {
		return nil, fmt.Errorf("denoise: calibration: format %d is not known, want 1", c.Format)
	}
	for _, cv := range c.Curves {
		if len(cv.At) != len(cv.P) || !rising(cv.At) || !slices.IsSorted(cv.P) {
			return nil, fmt.Errorf("denoise: calibration: the curve of %s at depth %q does not rise", cv.Kind, cv.Depth)
		}
		for _, p := range cv.P {
			if !(p > 0 && p < 1) { // NaN too
				return nil, fmt.Errorf("denoise: calibration: probability %g of %s at depth %q is not between 0 and 1", p, cv.Kind, cv.Depth)
			}
		}
	}
	c.bind()
	return c, nil
}

// Policy decides which changes are made: a threshold on the calibrated probability by depth bin.
type Policy struct {
	// Least is the threshold of every bin; more than 1: no change is made there.
	Least [DepthBins]float64
	// Abstains says, by bin, why no change is made; "" where changes are made.
	Abstains [DepthBins]string
}

// never is a threshold that no probability reaches.
const never = 2

// Choose picks the thresholds. least is the floor of every bin (0 is 0.5: a change must be more likely right than not).
// perMb > 0 is the most false corrections allowed in a million bases: each bin takes the lowest threshold whose upper bound is
// within it, and abstains where none is. Since thresholds are tried from the strictest on and the count of false corrections only
// grows, the bound holds for the chosen one at the calibration's confidence (fixed-sequence testing, Angelopoulos et al. 2021).
func Choose(c *Calibration, least, perMb float64) (Policy, error) {
	var p Policy
	if least == 0 {
		least = 0.5
	}
	if !(least > 0 && least <= 1) {
		return p, fmt.Errorf("denoise: least posterior %g is not within 0 and 1", least)
	}
	if !(perMb >= 0) || math.IsInf(perMb, 1) {
		return p, fmt.Errorf("denoise: max false corrections %g per Mb is not a number of 0 or more", perMb)
	}
	for bin := range DepthBins {
		p.Least[bin] = least
	}
	if perMb == 0 {
		return p, nil
	}
	if c == nil || len(c.Promises) == 0 {
		return p, errors.New("denoise: the model has no calibration, so no number of false corrections can be promised")
	}
	for bin := range DepthBins {
		p.Least[bin] = never
		var rows []Promise
		for _, r := range c.Promises {
			if r.Depth == DepthName(bin) {
				rows = append(rows, r)
			}
		}
		if len(rows) == 0 {
			p.Abstains[bin] = "the calibration has no reads of this depth"
			continue
		}
		slices.SortFunc(rows, func(a, b Promise) int {
			if a.Threshold < b.Threshold {
				return 1
			}
			return -1
		})
		for _, r := range rows {
			if r.UpperPerMb > perMb {
				break
			}
			p.Least[bin] = max(r.Threshold, least)
		}
		if p.Least[bin] == never {
			p.Abstains[bin] = fmt.Sprintf("the strictest threshold %g still allows %.3g false corrections per Mb (upper bound from %d bases)", rows[0].Threshold, rows[0].UpperPerMb, rows[0].Bases)
		}
	}
	return p, nil
}

// rising reports whether numbers rise, every one above the one before.
func rising(v []float64) bool {
	for i := 1; i < len(v); i++ {
		if !(v[i] > v[i-1]) {
			return false
		}
	}
	return true
}
