package metric

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// slowKNN follows the definition: all similarities, full sort, weighted vote.
func slowKNN(train []float32, labels []int32, query []float32, dim, k int, temp float64, classes int) []int32 {
	unit := func(x []float32) []float64 {
		out, s := make([]float64, dim), 0.0
		for i := range out {
			out[i] = float64(x[i])
			s += out[i] * out[i]
		}
		for i := range out {
			out[i] /= max(math.Sqrt(s), 1e-12)
		}
		return out
	}
	var out []int32
	for q := 0; q < len(query); q += dim {
		type pair struct {
			sim float64
			row int
		}
		var ps []pair
		u := unit(query[q : q+dim])
		for r, l := range labels {
			if l < 0 {
				continue
			}
			var s float64
			for i, v := range unit(train[r*dim : (r+1)*dim]) {
				s += u[i] * v
			}
			ps = append(ps, pair{math.Round(s*1e5) / 1e5, r}) // equal vectors tie, as they do in float32
		}
		slices.SortFunc(ps, func(a, b pair) int { return cmp.Or(cmp.Compare(b.sim, a.sim), cmp.Compare(a.row, b.row)) })
		votes := make([]float64, classes)
		for _, p := range ps[:min(k, len(ps))] {
			votes[labels[p.row]] += math.Exp(p.sim / temp)
		}
		out = append(out, int32(argmax(votes)))
	}
	return out
}

// Points on a few exact directions, so that ties of similarity are frequent.
func TestKNNAgainstBruteForce(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			dim := rapid.SampledFrom([]int{2, 8, 11}).Draw(t, "dim")
			n, q := rapid.IntRange(1, 60).Draw(t, "n"), rapid.IntRange(1, 9).Draw(t, "q")
			k := rapid.IntRange(1, 70).Draw(t, "k") // may exceed n: clipped
			point := func() []float32 {
				x := make([]float32, dim)
				x[rapid.IntRange(0, dim-1).Draw(t, "axis")] = float32(rapid.SampledFrom([]int{-2, -1, 0, 1, 4}).Draw(t, "length"))
				return x
			}
			var train, query []float32
			labels := make([]int32, n)
			for i := range n {
				train = append(train, point()...)
				labels[i] = rapid.Int32Range(-1, 3).Draw(t, "label")
			}
			labels[0] = 2
			for range q {
				query = append(query, point()...)
			}
			want := slowKNN(train, labels, query, dim, k, 0.5, 4)
			c := KNN{K: k, Temperature: 0.5}
			got := must(c.Predict(train, labels, query, dim))
			for i := range got {
				if got[i] != want[i] { // only sums that are equal in exact arithmetic may be ordered by rounding
					v := must(c.Votes(train, labels, 4, query, dim))[i*4 : i*4+4]
					if math.Abs(v[got[i]]-v[want[i]]) > 1e-12 {
						t.Fatalf("query %d: class %d, want %d, votes %v", i, got[i], want[i], v)
					}
				}
			}
			c.MatMul = func(dst, a, b []float32, m, k, n int) { Mul(dst, a, b, m, k, n) }
			if other := must(c.Predict(train, labels, query, dim)); !slices.Equal(got, other) {
				t.Fatalf("an injected MatMul gave %v, want %v", other, got)
			}
		})
	})
}

func TestNeighboursLarge(t *testing.T) {
	const n, q, dim, k = 5000, 130, 17, 20
	train, query := normals(1, n*dim), normals(2, q*dim)
	got := must(KNN{K: k}.Neighbours(train, query, dim))
	a, b := must(unitRows("", query, dim)), must(unitRows("", train, dim))
	for i := 0; i < q; i += 7 {
		var all []float64
		for r := range n {
			var s float64
			for p := range dim {
				s += float64(a[i*dim+p]) * float64(b[r*dim+p])
			}
			all = append(all, s)
		}
		for rank, nb := range got[i] {
			if math.Abs(all[nb.Row]-float64(nb.Sim)) > 1e-5 {
				t.Fatalf("query %d: row %d has similarity %v, want %v", i, nb.Row, nb.Sim, all[nb.Row])
			}
			if rank > 0 && nb.Sim > got[i][rank-1].Sim {
				t.Fatalf("query %d is not sorted", i)
			}
		}
		slices.Sort(all)
		if math.Abs(all[n-k]-float64(got[i][k-1].Sim)) > 1e-5 {
			t.Fatalf("query %d: the last neighbour has %v, want %v", i, got[i][k-1].Sim, all[n-k])
		}
	}
}

func TestKNNErrors(t *testing.T) {
	x := []float32{1, 0, 0, 1}
	nan := []float32{1, float32(math.NaN())}
	for what, err := range map[string]error{
		"labels":      second(KNN{}.Predict(x, []int32{0}, x, 2)),
		"no labels":   second(KNN{}.Predict(x, []int32{-1, -1}, x, 2)),
		"NaN query":   second(KNN{}.Predict(x, []int32{0, 1}, nan, 2)),
		"temperature": second(KNN{Temperature: -1}.Predict(x, []int32{0, 1}, x, 2)),
		"k":           second(KNN{K: -1}.Predict(x, []int32{0, 1}, x, 2)),
		"no queries":  second(KNN{}.Predict(x, []int32{0, 1}, nil, 2)),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	v := must(KNN{Temperature: 1e-4}.Votes(x, []int32{0, 1}, 2, []float32{3, 0}, 2)) // exp(1/1e-4) would overflow
	if !(v[0] > 0.999) {
		t.Errorf("small temperature: %v", v)
	}
}

func second[T any](_ T, err error) error { return err }

// The size of the Fashion-MNIST evaluation on 64 features, one tenth of the queries.
func BenchmarkKNN(b *testing.B) {
	const n, q = 55000, 1000
	for _, dim := range []int{64, 784} {
		train, query, labels := normals(1, n*dim), normals(2, q*dim), make([]int32, n)
		for i := range labels {
			labels[i] = int32(i % 10)
		}
		b.Run(map[int]string{64: "dim=64", 784: "dim=784"}[dim], func(b *testing.B) {
			for b.Loop() {
				if _, err := (KNN{}).Predict(train, labels, query, dim); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(q*b.N)/b.Elapsed().Seconds(), "queries/s")
		})
	}
}
