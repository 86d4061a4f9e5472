package metric

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestRidge(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		const n, dim, targets = 700, 13, 2
		x, v, g := normals(1, n*dim), normals(2, n*dim), normals(3, n*dim)
		noise := normals(4, 3*n*targets)
		truth := func(x []float32, at int) []float64 {
			y := make([]float64, n*targets)
			for i := range n {
				y[i*targets] = 3 + 2*float64(x[i*dim]) - float64(x[i*dim+5]) + 0.5*float64(noise[at+i]) // R2 = 5/5.25
				y[i*targets+1] = float64(noise[at+n+i])                                                 // nothing to decode
			}
			return y
		}
		y, vy, gy := truth(x, 0), truth(v, 2*n), truth(g, 4*n)
		m := must(Ridge{}.Fit(x, y, v, vy, dim, targets))
		r2 := must(m.R2(g, gy))
		near(t, "decodable", r2[0], 5/5.25, 0.015)
		near(t, "noise", r2[1], 0, 0.05)

		// Normal equations: at the optimum the gradient of the stated objective is 0.
		const l = 0.3
		m = must(Ridge{Lambda: []float64{l}}.Fit(x, y, nil, nil, dim, targets))
		pred, xs := must(m.Predict(x)), standardise(x, m.Mean, m.Std)
		for k := range dim {
			grad := 2 * l * m.W[k]
			for i := range n {
				grad += 2 * (pred[i*targets] - y[i*targets]) * float64(xs[i*dim+k]) / n
			}
			near(t, "gradient", grad, 0, 1e-5)
		}
	})
	for what, err := range map[string]error{
		"shape":         second(Ridge{}.Fit(make([]float32, 6), make([]float64, 2), nil, nil, 2, 1)),
		"no validation": second(Ridge{}.Fit(make([]float32, 6), make([]float64, 3), nil, nil, 2, 1)),
		"penalty 0":     second(Ridge{Lambda: []float64{0}}.Fit(make([]float32, 6), make([]float64, 3), nil, nil, 2, 1)),
		"NaN target":    second(Ridge{Lambda: []float64{1}}.Fit(make([]float32, 4), []float64{1, math.NaN()}, nil, nil, 2, 1)),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestPCA(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, dim := rapid.IntRange(2, 30).Draw(t, "n"), rapid.IntRange(1, 30).Draw(t, "dim") // tall and wide
		x := normals(rapid.Uint64().Draw(t, "seed"), n*dim)
		k := min(n, dim)
		s, share, err := PCA(x, dim, k)
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		for j, v := range share {
			sum += v
			if j > 0 && v > share[j-1]+1e-12 {
				t.Fatalf("shares rise: %v", share)
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("all components explain %v", sum)
		}
		// All components together keep every distance.
		for i := 1; i < n; i++ {
			var a, b float64
			for p := range dim {
				d := float64(x[i*dim+p]) - float64(x[p])
				a += d * d
			}
			for p := range k {
				d := s[i*k+p] - s[p]
				b += d * d
			}
			if math.Abs(a-b) > 1e-8*max(1, a) {
				t.Fatalf("distance^2 %v became %v", a, b)
			}
		}
	})
	if _, _, err := PCA([]float32{float32(math.NaN()), 1}, 1, 1); err == nil {
		t.Error("NaN gave no error")
	}
	if s, _, err := PCA([]float32{3, 3, 3}, 1, 2); err != nil || slices.Max(s) != 0 {
		t.Errorf("constant values: %v %v", s, err)
	}
}

func TestTSNE(t *testing.T) {
	const n, dim, classes = 300, 16, 6
	x, y := blobs(1, n, dim, classes, 0.3)
	m := must(TSNE{Perplexity: 20, Iter: 400}.Map(x, dim, 1))
	// Nearest neighbours on the map belong to the same blob.
	same := 0
	for i := range n {
		best, at := math.Inf(1), 0
		for j := range n {
			dx, dy := m[2*i]-m[2*j], m[2*i+1]-m[2*j+1]
			if d := dx*dx + dy*dy; j != i && d < best {
				best, at = d, j
			}
		}
		if y[i] == y[at] {
			same++
		}
	}
	if same < n*97/100 {
		t.Errorf("%d of %d nearest neighbours are of the same blob", same, n)
	}
	if !slices.Equal(m, must(TSNE{Perplexity: 20, Iter: 400}.Map(x, dim, 1))) {
		t.Error("a second map is another one")
	}
	for what, x := range map[string][]float32{"one": x[:dim], "four": x[:4*dim], "seven": x[:7*dim], "equal": make([]float32, 20*dim)} {
		for _, cosine := range []bool{false, true} {
			m, err := TSNE{Iter: 50, Cosine: cosine}.Map(x, dim, 1)
			if err != nil || checkFinite(what, m) != nil || len(m) != len(x)/dim*2 {
				t.Errorf("%s points: %v %v", what, m, err)
			}
		}
	}
	if _, err := (TSNE{}).Map(make([]float32, 10_001), 1, 1); err == nil {
		t.Error("10,001 points gave no error")
	}
}

// The forces are the gradient of KL(P||Q): compared with finite differences of the definition.
func TestTSNEGradient(t *testing.T) {
	const n = 40
	x, _ := blobs(1, n, 5, 3, 0.5)
	p := TSNE{Perplexity: 5}.affinities(x, 5)
	var sum float64
	for _, v := range p.p {
		sum += v
	}
	near(t, "sum of affinities", sum, 1, 1e-9)
	y := make([]float64, 2*n)
	for i, v := range normals(3, 2*n) {
		y[i] = float64(v)
	}
	kl := func(y []float64) float64 {
		q := func(i, j int) float64 {
			dx, dy := y[2*i]-y[2*j], y[2*i+1]-y[2*j+1]
			return 1 / (1 + dx*dx + dy*dy)
		}
		var z, out float64
		for i := range n {
			for j := range n {
				if i != j {
					z += q(i, j)
				}
			}
		}
		for i := range n {
			for e := p.start[i]; e < p.start[i+1]; e++ {
				out += p.p[e] * math.Log(p.p[e]*z/q(i, int(p.col[e])))
			}
		}
		return out
	}
	r := repulsionTiles(n)
	z := r.sum(y)
	for c := 0; c < 2*n; c += 7 {
		i := c / 2
		g := -r.force[c] / z
		for e := p.start[i]; e < p.start[i+1]; e++ {
			j := int(p.col[e])
			dx, dy := y[2*i]-y[2*j], y[2*i+1]-y[2*j+1]
			g += p.p[e] / (1 + dx*dx + dy*dy) * (y[c] - y[2*j+c%2])
		}
		const h = 1e-5
		up, down := slices.Clone(y), slices.Clone(y)
		up[c] += h
		down[c] -= h
		near(t, "gradient", 4*g, (kl(up)-kl(down))/(2*h), 1e-7)
	}
}

func BenchmarkTSNE(b *testing.B) {
	x, _ := blobs(1, 2000, 64, 10, 1)
	for b.Loop() {
		if _, err := (TSNE{}).Map(x, 64, 1); err != nil {
			b.Fatal(err)
		}
	}
}
