package lineage

import (
	"errors"
	"math"
	"slices"
	"testing"

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

// TestSummaryReference: means and covariances of states and scores, of other widths, against their definitions; a genome of one window has a mean, and no part in the
// covariance.
func TestSummaryReference(t *testing.T) {
	const layers, most = 2, 5
	sizes := []int{7, 1, 12}
	widths := [kinds]int{3, most}
	s := NewSummariser([]string{"a", "b", "c"}, layers, widths[State], widths[Score], 0, 1)
	for g, n := range sizes {
		for w := range n {
			s.Add(Window{Key: uint64(w), States: window(layers, 3, 1, uint64(g), uint64(w)), Scores: window(layers, most, 2, uint64(g), uint64(w))})
		}
		if err := s.Genome(g); err != nil {
			t.Fatal(err)
		}
	}
	got := s.Summary()
	if !slices.Equal(got.Windows, sizes) {
		t.Errorf("windows %v, want %v", got.Windows, sizes)
	}
	for f, width := range widths {
		kind := Kind(f)
		value := func(g, w, l, j int) float64 {
			return float64(window(layers, width, uint64(1+f), uint64(g), uint64(w))[l][j])
		}
		for l := range layers {
			var mean [3][most]float64
			for g, n := range sizes {
				for j := range width {
					for w := range n {
						mean[g][j] += value(g, w, l, j) / float64(n)
					}
					if m := float64(got.Of(kind, l, g)[j]); !near(m, mean[g][j], 1e-5) {
						t.Errorf("mean %s of genome %d, layer %d: %g, want %g", kind, g, l, m, mean[g][j])
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
					if c := float64(got.Cov[kind][(l*width+i)*width+j]); !near(c, want, 1e-5) {
						t.Errorf("covariance %d %d of the %s of layer %d: %g, want %g", i, j, kind, l, c, want)
					}
				}
			}
		}
	}
}

// TestBootstrap: replicate means scatter around the mean as those of a bootstrap do, and their weights are Poisson of mean 1.
func TestBootstrap(t *testing.T) {
	const n, width, replicates = 150, 4, 600
	s := NewSummariser([]string{"a"}, 1, width, width, replicates, 7)
	var x [width][]float64
	zero := [][]float32{make([]float32, width)}
	for w := range uint64(n) {
		v := window(1, width, 3, w)
		s.Add(Window{Key: w * 977, States: v, Scores: zero})
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
			m += float64(got.mean(State, b+1, 0, 0)[j]) / replicates
		}
		for b := range replicates {
			d := float64(got.mean(State, b+1, 0, 0)[j]) - m
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
		s := NewSummariser([]string{"a", "b", "c", "d"}, 1, width, width, replicates, seed)
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
				s.Add(Window{Key: uint64(key(v)), States: x, Scores: zero})
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
			x, y := a.mean(State, r+1, 0, g), b.mean(State, r+1, 0, h)
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
	s := NewSummariser([]string{"Canis lupus"}, 1, 2, 2, 20, 1)
	if err := s.Genome(0); !errors.Is(err, ErrStates) || !hasText(err, `"Canis lupus"`) {
		t.Errorf("no window: %v", err)
	}
	for name, x := range map[string][2][][]float32{
		"NaN": {{{0, float32(math.NaN())}}, zero}, "infinite": {{{float32(math.Inf(-1)), 0}}, zero}, "NaN score": {zero, {{0, float32(math.NaN())}}}, "infinite score": {zero, {{float32(math.Inf(1)), 0}}},
	} {
		s := NewSummariser([]string{"Canis lupus"}, 1, 2, 2, 20, 1)
		s.Add(Window{Key: 1, States: zero, Scores: zero})
		s.Add(Window{Key: 2, States: x[0], Scores: x[1]})
		s.Add(Window{Key: 3, States: x[0], Scores: x[1]})
		if err := s.Genome(0); !errors.Is(err, ErrStates) || !hasText(err, `"Canis lupus"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s = NewSummariser([]string{"a"}, 1, 2, 2, 20, 1)
	s.Add(Window{Key: 1, States: [][]float32{{3, 4}}, Scores: [][]float32{{1, 1}}})
	if err := s.Genome(0); err != nil {
		t.Fatal(err)
	}
	got := s.Summary()
	for b := range 21 { // those without a window are of the one
		if !slices.Equal(got.mean(State, b, 0, 0), []float32{3, 4}) || !slices.Equal(got.mean(Score, b, 0, 0), []float32{1, 1}) {
			t.Fatalf("replicate %d of one window: %v, %v", b, got.mean(State, b, 0, 0), got.mean(Score, b, 0, 0))
		}
	}
	if slices.Max(got.Cov[State]) != 0 || slices.Min(got.Cov[State]) != 0 {
		t.Errorf("covariance of one window %v", got.Cov[State])
	}
}
