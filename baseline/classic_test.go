package baseline

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/selfsame-ml/selfsame/metric"
)

// rows of two informative values and a category of three codes; y is a class of two, or a number.
func made(r *rand.Rand, n int, number bool) (tree, dense Set) {
	tree.Dim, dense.Dim = 3, 5
	for range n {
		a, b, c := r.NormFloat64(), r.NormFloat64(), r.IntN(3)
		v := a*b + []float64{1, -1, 0}[c]
		y := v + 0.3*r.NormFloat64()
		if !number {
			y = 0
			if v > 0 {
				y = 1
			}
		}
		x := float32(a)
		if r.IntN(20) == 0 {
			x = float32(math.NaN())
		}
		tree.X = append(tree.X, x, float32(b), float32(c))
		d := []float32{float32(a), float32(b), 0, 0, 0}
		d[2+c] = 1
		dense.X = append(dense.X, d...)
		tree.Y, dense.Y = append(tree.Y, y), append(dense.Y, y)
	}
	return tree, dense
}

func auc(pred, y []float64) float64 {
	truth := Set{Y: y}.labels()
	v, err := metric.MacroAUC(pred, truth, 2)
	if err != nil {
		return math.Inf(-1)
	}
	return v
}

func r2(pred, y []float64) float64 {
	v, err := metric.R2(pred, y)
	if err != nil {
		return math.Inf(-1)
	}
	return v
}

// Every method learns what it can learn (trees the product, linear only the category), at many labels and at few,
// and is the same twice.
func TestClassic(t *testing.T) {
	ctx := context.Background()
	for _, number := range []bool{false, true} {
		classes, judge := 2, Judge(auc)
		if number {
			classes, judge = 0, r2
		}
		for _, c := range []struct {
			n, val              int
			trees, linear, near float64 // at least: AUC, or R2
		}{{1200, 600, 0.95, 0.7, 0.8}, {25, 25, 0.55, 0.6, 0.5}, {12, 0, 0.4, 0.5, 0.4}} {
			r := rand.New(rand.NewPCG(11, uint64(c.n)))
			tr, dr := made(r, c.n, number)
			tv, dv := made(r, c.val, number)
			tt, dt := made(r, 800, number)
			if number {
				c.trees, c.linear, c.near = c.trees-0.2, c.linear-0.4, c.near-0.45
				if c.n < 100 {
					c.trees, c.linear, c.near = -1, -1, -1
				}
			}
			fit := func() [3]*Fitted {
				a, err := Trees(ctx, tr, tv, tt.X, []bool{false, false, true}, classes, judge)
				if err != nil {
					t.Fatal(err)
				}
				b, err := Linear(dr, dv, dt.X, classes, judge)
				if err != nil {
					t.Fatal(err)
				}
				k, err := Nearest(dr, dv, dt.X, classes, 200, 0.1, judge)
				if err != nil {
					t.Fatal(err)
				}
				return [3]*Fitted{a, b, k}
			}
			got, again := fit(), fit()
			for i, least := range []float64{c.trees, c.linear, c.near} {
				v := judge(got[i].Test, tt.Y)
				t.Logf("number %v, %d rows, method %d: %.3f (%s)", number, c.n, i, v, got[i].Chosen)
				if !(v >= least) {
					t.Errorf("number %v, %d rows, method %d: %.3f, want %.2f; %s", number, c.n, i, v, least, got[i].Chosen)
				}
				if judge(again[i].Test, tt.Y) != v || got[i].Chosen != again[i].Chosen {
					t.Error("two fits differ")
				}
				want := 800 * max(classes, 1)
				if len(got[i].Test) != want {
					t.Errorf("%d answers, want %d", len(got[i].Test), want)
				}
			}
			if h := got[1].Head; h == nil || h.Dim != 5 || h.Classes != max(classes, 1) {
				t.Errorf("head %+v", h)
			}
		}
	}
}

// The rows that choose do choose: a judge that turns the order around turns the choice around; without rows nothing is chosen.
func TestChoose(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	_, dr := made(r, 60, false)
	_, dv := made(r, 60, false)
	a, err := Linear(dr, dv, dv.X, 2, auc)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Linear(dr, dv, dv.X, 2, func(p, y []float64) float64 { return -auc(p, y) })
	if err != nil {
		t.Fatal(err)
	}
	c, err := Linear(dr, Set{Dim: 5}, dv.X, 2, func(p, y []float64) float64 { t.Error("nothing may choose"); return 0 })
	if err != nil {
		t.Fatal(err)
	}
	if a.Chosen == b.Chosen || c.Chosen != "penalty 0.01, by 0 rows" {
		t.Errorf("%s; %s; %s", a.Chosen, b.Chosen, c.Chosen)
	}
}
