package lineage

import (
	"errors"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// window is the states [layers][width] of a made-up window.
func window(layers, width int, seed uint64, counters ...uint64) [][]float32 {
	r := rng.New(seed, rng.Generate, counters...)
	out := make([][]float32, layers)
	for l := range out {
		out[l] = make([]float32, width)
		for j := range out[l] {
			out[l][j] = float32(r.NormFloat64()*float64(1+j) + float64(l))
		}
	}
	return out
}

func near(a, b, relative float64) bool { return math.Abs(a-b) <= relative*math.Max(1, math.Abs(b)) }

// TestSummaryReference: means and covariances of both fields against their definitions; a genome of one window has a mean, and no part in the
// covariance.
func TestSummaryReference(t *testing.T) {
	const layers, width = 2, 3
	sizes := []int{7, 1, 12}
	s := NewSummariser([]string{"a", "b", "c"}, layers, width, 0, 1)
	for g, n := range sizes {
		for w := range n {
			s.Add(Window{Key: uint64(w), States: window(layers, width, 1, uint64(g), uint64(w)), Background: window(layers, width, 2, uint64(g), uint64(w))})
		}
		if err := s.Genome(g); err != nil {
			t.Fatal(err)
		}
	}
	got := s.Summary()
	if !slices.Equal(got.Windows, sizes) {
		t.Errorf("windows %v, want %v", got.Windows, sizes)
	}
	for f, background := range []bool{false, true} {
		value := func(g, w, l, j int) float64 {
			v := float64(window(layers, width, 1, uint64(g), uint64(w))[l][j])
			if background {
				v -= float64(window(layers, width, 2, uint64(g), uint64(w))[l][j])
			}
			return v
		}
		for l := range layers {
			var mean [3][width]float64
			for g, n := range sizes {
				for j := range width {
					for w := range n {
						mean[g][j] += value(g, w, l, j) / float64(n)
					}
					if m := float64(got.State(background, l, g)[j]); !near(m, mean[g][j], 1e-5) {
						t.Errorf("mean of genome %d, layer %d, background %t: %g, want %g", g, l, background, m, mean[g][j])
					}
				}
			}
			for i := range width {
				for j := range width {
					want := 0.0
					for _, g := range []int{0, 2} {
						c := 0.0
						for w := range sizes[g] {
							c += (value(g, w, l, i) - mean[g][i]) * (value(g, w, l, j) - mean[g][j])
						}
						want += c / float64(sizes[g]-1) / 2
					}
					if c := float64(got.Cov[f][(l*width+i)*width+j]); !near(c, want, 1e-5) {
						t.Errorf("covariance %d %d of layer %d, background %t: %g, want %g", i, j, l, background, c, want)
					}
				}
			}
		}
	}
}

// TestBootstrap: replicate means scatter around the mean as those of a bootstrap do, and their weights are Poisson of mean 1.
func TestBootstrap(t *testing.T) {
	const n, width, replicates = 150, 4, 600
	s := NewSummariser([]string{"a"}, 1, width, replicates, 7)
	var x [width][]float64
	zero := [][]float32{make([]float32, width)}
	for w := range uint64(n) {
		v := window(1, width, 3, w)
		s.Add(Window{Key: w * 977, States: v, Background: zero})
		for j := range width {
			x[j] = append(x[j], float64(v[0][j]))
		}
	}
	weights, square := 0.0, 0.0
	for _, m := range s.n[1:] {
		weights, square = weights+m/replicates, square+m*m/replicates
	}
	if sd := math.Sqrt(square - weights*weights); math.Abs(weights-n) > 5*math.Sqrt(n/float64(replicates)) || math.Abs(sd/math.Sqrt(n)-1) > 0.15 {
		t.Errorf("windows of a replicate %.1f ± %.1f, want %d ± %.1f", weights, sd, n, math.Sqrt(n))
	}
	if err := s.Genome(0); err != nil {
		t.Fatal(err)
	}
	got := s.Summary()
	for j := range width {
		mean, v := 0.0, 0.0
		for _, a := range x[j] {
			mean += a / n
		}
		for _, a := range x[j] {
			v += (a - mean) * (a - mean) / n
		}
		m, v2 := 0.0, 0.0
		for b := range replicates {
			m += float64(got.mean(Raw, b+1, 0, 0)[j]) / replicates
		}
		for b := range replicates {
			d := float64(got.mean(Raw, b+1, 0, 0)[j]) - m
			v2 += d * d / (replicates - 1)
		}
		want := math.Sqrt(v / n)
		if sd := math.Sqrt(v2); math.Abs(sd/want-1) > 0.15 {
			t.Errorf("channel %d: replicates spread by %.4f, want %.4f", j, sd, want)
		}
		if math.Abs(m-mean) > 5*want/math.Sqrt(replicates) {
			t.Errorf("channel %d: replicates around %.4f, want %.4f", j, m, mean)
		}
	}
	counts := map[float64]int{}
	r := rng.New(1, rng.Probe)
	const draws = 20000
	for range draws {
		counts[poisson(r)]++
	}
	chi, p := 0.0, math.Exp(-1)
	for k := range 6 {
		e := p * draws
		chi += (float64(counts[float64(k)]) - e) * (float64(counts[float64(k)]) - e) / e
		p /= float64(k + 1)
	}
	if chi > 27.9 { // 6 degrees of freedom, p = 1e-4
		t.Errorf("weights %v: chi-square %.1f from the Poisson distribution of mean 1", counts, chi)
	}
}

// TestBootstrapKeys: the weights of a window are those of its key and of the seed, in every genome and in any order.
func TestBootstrapKeys(t *testing.T) {
	const n, width, replicates, shift = 30, 2, 50, 5
	zero := [][]float32{make([]float32, width)}
	build := func(seed uint64, keys [4]func(int) int) *Summary {
		s := NewSummariser([]string{"a", "b", "c", "d"}, 1, width, replicates, seed)
		for g, key := range keys {
			for w := range n {
				v := w
				if g == 2 { // from the end
					v = n - 1 - w
				}
				x := window(1, width, 3, uint64(v))
				for j := range x[0] {
					x[0][j] += float32(g * shift)
				}
				s.Add(Window{Key: uint64(key(v)), States: x, Background: zero})
			}
			if err := s.Genome(g); err != nil {
				t.Fatal(err)
			}
		}
		return s.Summary()
	}
	same, other := func(v int) int { return v }, func(v int) int { return v + n }
	got := build(1, [4]func(int) int{same, same, same, other})
	diff := func(a, b *Summary, g, h int) float64 {
		d := 0.0
		for r := range replicates {
			x, y := a.mean(Raw, r+1, 0, g), b.mean(Raw, r+1, 0, h)
			for j := range x {
				d = math.Max(d, math.Abs(float64(y[j]-x[j])-float64((h-g)*shift)))
			}
		}
		return d
	}
	for h := 1; h < 3; h++ {
		if d := diff(got, got, 0, h); d > 1e-5 {
			t.Errorf("replicates of genomes 0 and %d with the same keys differ by %g", h, d)
		}
	}
	if d := diff(got, got, 0, 3); d < 0.1 {
		t.Errorf("replicates of genomes with other keys differ by %g only", d)
	}
	if d := diff(got, build(2, [4]func(int) int{same, same, same, same}), 0, 0); d < 0.1 {
		t.Errorf("replicates with another seed differ by %g only", d)
	}
}

// TestSummaryBad: no window, and states that are no numbers, are errors that name the genome; a genome of one window is none.
func TestSummaryBad(t *testing.T) {
	zero := [][]float32{{0, 0}}
	s := NewSummariser([]string{"Canis lupus"}, 1, 2, 20, 1)
	if err := s.Genome(0); !errors.Is(err, ErrStates) || !hasText(err, `"Canis lupus"`) {
		t.Errorf("no window: %v", err)
	}
	const huge = math.MaxFloat32
	for name, x := range map[string][2][][]float32{
		"NaN": {{{0, float32(math.NaN())}}, zero}, "infinite": {{{float32(math.Inf(-1)), 0}}, zero}, "NaN background": {zero, {{0, float32(math.NaN())}}}, "too large": {{{huge, 0}}, {{-huge, 0}}},
	} {
		s := NewSummariser([]string{"Canis lupus"}, 1, 2, 20, 1)
		s.Add(Window{Key: 1, States: zero, Background: zero})
		s.Add(Window{Key: 2, States: x[0], Background: x[1]})
		s.Add(Window{Key: 3, States: x[0], Background: x[1]})
		if err := s.Genome(0); !errors.Is(err, ErrStates) || !hasText(err, `"Canis lupus"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s = NewSummariser([]string{"a"}, 1, 2, 20, 1)
	s.Add(Window{Key: 1, States: [][]float32{{3, 4}}, Background: [][]float32{{1, 1}}})
	if err := s.Genome(0); err != nil {
		t.Fatal(err)
	}
	got := s.Summary()
	for b := range 21 { // those without a window are of the one
		if !slices.Equal(got.mean(Raw, b, 0, 0), []float32{3, 4}) || !slices.Equal(got.mean(Net, b, 0, 0), []float32{2, 3}) {
			t.Fatalf("replicate %d of one window: %v, %v", b, got.mean(Raw, b, 0, 0), got.mean(Net, b, 0, 0))
		}
	}
	if slices.Max(got.Cov[Raw]) != 0 || slices.Min(got.Cov[Raw]) != 0 {
		t.Errorf("covariance of one window %v", got.Cov[Raw])
	}
}

// shared makes a summary of relatives a and b, which share most of their windows, of c, which shares 20 of 60 with a that have nothing to do with each other, and of d. Windows vary with
// a deviation of 1 in the first channel and of 3 in the second; those that a and b share differ by 0.1 times that. The mean state of b is 0.3 and 0.9 off that of a.
func shared(t *testing.T, seed uint64, replicates int, share bool) *Summary {
	t.Helper()
	names := []string{"a", "b", "c", "d"}
	keys := make([][]uint64, len(names))
	for g, from := range []uint64{0, 10, 40, 1000} {
		for k := range uint64(60) {
			keys[g] = append(keys[g], from+k)
		}
	}
	s := NewSummariser(names, 1, 2, replicates, seed)
	if share {
		s.Share(keys)
	}
	zero := [][]float32{{0, 0}}
	for g, list := range keys {
		for _, k := range list {
			place := rng.New(seed, rng.Generate, k)
			if g > 1 {
				place = rng.New(seed, rng.Generate, k, 7)
			}
			own := rng.New(seed, rng.Generate, k, uint64(g), 8)
			x := []float32{0, 0}
			for j, sd := range []float64{1, 3} {
				x[j] = float32(sd * (place.NormFloat64() + 0.1*own.NormFloat64()))
				if g == 1 {
					x[j] -= float32(0.3 * sd)
				}
			}
			s.Add(Window{Key: k, States: [][]float32{x}, Background: zero})
		}
		if err := s.Genome(g); err != nil {
			t.Fatal(err)
		}
	}
	return s.Summary()
}

// TestRelatives: who they are, and that what is estimated between them is nearer the truth than the difference of the means, where they are near, and the same where they are not.
func TestRelatives(t *testing.T) {
	var plain, paired, strangers, independent float64
	const trials = 200
	for seed := range uint64(trials) {
		s := shared(t, seed, 0, true)
		var pairs [][3]int
		for _, r := range s.Relatives {
			pairs = append(pairs, [3]int{r.I, r.J, r.Shared})
		}
		if want := [][3]int{{1, 0, 50}, {2, 0, 20}, {2, 1, 30}}; !slices.Equal(pairs, want) {
			t.Fatalf("relatives %v, want %v", pairs, want)
		}
		for j, truth := range []float64{-0.3, -0.9} {
			of := func(k int) float64 { return float64(s.Relatives[k].Difference[Net][j]) }
			between := func(i, j2 int) float64 {
				return float64(s.State(true, 0, i)[j]) - float64(s.State(true, 0, j2)[j])
			}
			plain += math.Pow(between(1, 0)-truth, 2)
			paired += math.Pow(of(0)-truth, 2)
			strangers += math.Pow(between(2, 0), 2)
			independent += math.Pow(of(1), 2)
		}
	}
	// Of 10 windows that a and b do not share, and 50 that they do: the variance is that of 50 differences of 0.02 of a window's.
	if plain/paired < 5 {
		t.Errorf("squared error %g of the means, %g of relatives", plain/trials, paired/trials)
	}
	if r := independent / strangers; r < 0.9 || r > 1.15 {
		t.Errorf("squared error %g of the means, %g where shared windows have nothing in common", strangers/trials, independent/trials)
	}
	if s := shared(t, 1, 0, false); len(s.Relatives) != 0 {
		t.Errorf("%d relatives, and nothing was said of shared windows", len(s.Relatives))
	}
}

// TestRelativesBootstrap: replicates of the difference scatter around it, and less than those of the means do.
func TestRelativesBootstrap(t *testing.T) {
	const replicates = 300
	s := shared(t, 3, replicates, true)
	r := s.Relatives[0]
	for j := range 2 {
		var own, means []float64
		for b := 1; b <= replicates; b++ {
			own = append(own, float64(r.Difference[Raw][b*2+j]))
			means = append(means, float64(s.mean(Raw, b, 0, 1)[j])-float64(s.mean(Raw, b, 0, 0)[j]))
		}
		m, sd := stat.MeanStdDev(own, nil)
		_, whole := stat.MeanStdDev(means, nil)
		if sd <= 0 || sd > 0.6*whole || math.Abs(m-float64(r.Difference[Raw][j])) > 4*sd/math.Sqrt(replicates) {
			t.Errorf("channel %d: %g ± %g of %g; the means scatter by %g", j, m, sd, r.Difference[Raw][j], whole)
		}
	}
}

// TestRelativesSame: two names of one genome are at no distance, whatever the replicate.
func TestRelativesSame(t *testing.T) {
	s := NewSummariser([]string{"a", "b", "c"}, 1, 3, 20, 5)
	keys := make([][]uint64, 3)
	for g, from := range []uint64{1, 1, 100} {
		for k := range uint64(30) {
			keys[g] = append(keys[g], from+k)
		}
	}
	s.Share(keys)
	for g, list := range keys {
		for _, k := range list {
			s.Add(Window{Key: k, States: window(1, 3, 1, k), Background: window(1, 3, 2, k)})
		}
		if err := s.Genome(g); err != nil {
			t.Fatal(err)
		}
	}
	sum := s.Summary()
	for _, d := range []string{Euclidean, Both} {
		p, err := sum.Space(Variant{0, true, d})
		if err != nil {
			t.Fatal(err)
		}
		for b := range 21 {
			m, err := p.Matrix(b)
			if err != nil {
				t.Fatal(err)
			}
			if m.At(0, 1) != 0 || !(m.At(0, 2) > 0) || !near(m.At(0, 2), m.At(1, 2), 1e-9) {
				t.Errorf("%s, replicate %d: %v", d, b, m.Data)
			}
		}
	}
}

// wordy makes a summary of three genomes of some windows, whose states are 3 + g plus words times slopes plus noise. Genomes have their own mean of words; windows scatter around it.
// It gives the true mean states [genomes][width] too.
func wordy(t *testing.T, seed uint64, windows, replicates int, noise float64, regress bool) (*Summary, [][]float64) {
	t.Helper()
	const words, width = 5, 4
	r := rng.New(seed, rng.Generate)
	slopes := mat.NewDense(words, width, nil)
	for i := range words {
		for j := range width {
			slopes.Set(i, j, r.NormFloat64())
		}
	}
	whole, flat := make([][]float64, 3), make([][]float64, 3) // of windows and of backgrounds
	truth := make([][]float64, 3)
	s := NewSummariser([]string{"a", "b", "c"}, 1, width, replicates, seed)
	state := func(g int, x []float32, intercept float64) []float32 {
		y := make([]float32, width)
		for j := range y {
			v := intercept * float64(3+g)
			for i := range words {
				v += float64(x[i]) * slopes.At(i, j)
			}
			y[j] = float32(v)
		}
		return y
	}
	for g := range whole {
		whole[g], flat[g] = make([]float64, words), make([]float64, words)
		x := make([]float32, words)
		for i := range words {
			whole[g][i] = 10 + 2*r.NormFloat64()
			flat[g][i] = 10
			x[i] = float32(whole[g][i] - flat[g][i])
		}
		for _, v := range state(g, x, 1) {
			truth[g] = append(truth[g], float64(v))
		}
	}
	if regress {
		s.Words(whole, flat)
	}
	for g := range whole {
		for k := range windows {
			x, back := make([]float32, words), make([]float32, words)
			for i := range words {
				x[i], back[i] = float32(whole[g][i]+r.NormFloat64()), float32(flat[g][i]+0.3*r.NormFloat64())
			}
			h, b := state(g, x, 1), state(g, back, 0)
			for j := range h {
				h[j] += float32(noise * r.NormFloat64())
			}
			s.Add(Window{Key: uint64(g*windows + k), States: [][]float32{h}, Background: [][]float32{b}, Words: x, BackgroundWords: back})
		}
		if err := s.Genome(g); err != nil {
			t.Fatal(err)
		}
	}
	return s.Summary(), truth
}

// TestWords: what words account for is as in the whole genome, whichever windows are read; what they do not account for is as it was.
func TestWords(t *testing.T) {
	miss := func(s *Summary, truth [][]float64) (sum float64) {
		for g := range truth {
			for j, want := range truth[g] {
				sum += math.Pow(float64(s.State(true, 0, g)[j])-want, 2)
			}
		}
		return sum
	}
	var exact, plain, noisy, noisyPlain float64
	for seed := range uint64(20) {
		exact += miss(wordy(t, seed, 40, 0, 0, true))
		plain += miss(wordy(t, seed, 40, 0, 0, false))
		noisy += miss(wordy(t, seed, 40, 0, 8, true))
		noisyPlain += miss(wordy(t, seed, 40, 0, 8, false))
	}
	if exact > 1e-4*plain {
		t.Errorf("squared error %g where words say all, %g without them", exact, plain)
	}
	if noisy > 1.05*noisyPlain {
		t.Errorf("squared error %g where words say little, %g without them", noisy, noisyPlain)
	}
	s, _ := wordy(t, 1, 40, 200, 0.3, true)
	p, _ := wordy(t, 1, 40, 200, 0.3, false)
	for f := range s.Cov {
		for k, v := range s.Cov[f] {
			if v != p.Cov[f][k] {
				t.Fatal("the covariance of windows is no longer theirs")
			}
		}
	}
	spread := func(s *Summary) float64 {
		var x []float64
		for b := range 200 {
			x = append(x, float64(s.mean(Net, b+1, 0, 1)[2]))
		}
		return stat.StdDev(x, nil)
	}
	if a, b := spread(s), spread(p); !(a < 0.5*b) || a == 0 {
		t.Errorf("replicates scatter by %g, without words by %g", a, b)
	}
}

// TestRelativesCrowd: pairs that would take too much memory are none, and are counted.
func TestRelativesCrowd(t *testing.T) {
	names, keys := make([]string, 80), make([][]uint64, 80)
	for g := range names {
		names[g] = string(rune('!' + g))
		for k := range uint64(20) {
			keys[g] = append(keys[g], k)
		}
	}
	const pairs = 80 * 79 / 2
	for replicates, crowded := range map[int]int{10_000: pairs, 10: 0} {
		s := NewSummariser(names, 1, 8, replicates, 1)
		if s.Share(keys); s.s.Crowded != crowded || len(s.pairs) != pairs-crowded {
			t.Errorf("%d replicates: %d pairs left, %d held", replicates, s.s.Crowded, len(s.pairs))
		}
	}
}
