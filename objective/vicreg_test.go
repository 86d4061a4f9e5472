package objective

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
)

// refVICReg follows the authors' program for two views, averaged over pairs and views for more.
func refVICReg(z [][]float64, n, views int, cfg VICRegConfig) float64 {
	dim := len(z[0])
	view := func(v int) [][]float64 { return z[v*n : (v+1)*n] }
	var s, variance, cov, pairs float64
	for v := range views {
		for w := v + 1; w < views; w++ {
			pairs++
			for i := range n {
				for j := range dim {
					d := view(v)[i][j] - view(w)[i][j]
					s += d * d / float64(n*dim)
				}
			}
		}
		c := make([]float64, dim*dim)
		for j := range dim {
			for k := range dim {
				var mj, mk float64
				for _, r := range view(v) {
					mj += r[j] / float64(n)
					mk += r[k] / float64(n)
				}
				for _, r := range view(v) {
					c[j*dim+k] += (r[j] - mj) * (r[k] - mk) / float64(max(n-1, 1))
				}
				if j == k {
					variance += max(0, 1-math.Sqrt(c[j*dim+j]+1e-4)) / float64(dim)
				} else {
					cov += c[j*dim+k] * c[j*dim+k] / float64(dim)
				}
			}
		}
	}
	return cfg.Invariance*s/pairs + cfg.Variance*variance/float64(views) + cfg.Covariance*cov*2/float64(views)
}

func TestVICReg(t *testing.T) {
	for _, c := range []struct {
		name              string
		batch, views, dim int
		cfg               VICRegConfig
		scale             float64
	}{
		{"defaults", 4, 2, 3, VICRegDefaults, 0.5},
		{"all features short of variance", 4, 2, 3, VICRegDefaults, 0.1},
		{"no feature short of variance", 4, 2, 3, VICRegConfig{1, 1, 1}, 8},
		{"three views", 3, 3, 2, VICRegConfig{5, 3, 2}, 1},
		{"batch of one", 1, 2, 3, VICRegDefaults, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := check{
				in:    []in{{dims: []int{c.batch * c.views, c.dim}}},
				scale: c.scale,
				loss:  func(x []*graph.Node) *graph.Node { return VICReg(x[0], c.views, c.cfg) },
				want:  func(x [][]float64) float64 { return refVICReg(unflat(x[0], c.dim), c.batch, c.views, c.cfg) },
			}
			k.run(t, symmetric(k, c.batch, c.views))
		})
	}
}

func TestVICRegClosedForms(t *testing.T) {
	vicreg := func(x []*graph.Node) *graph.Node { return VICReg(x[0], 2, VICRegDefaults) }
	a := []float32{0.5, -3}
	// Everything the same: only the hinge remains, 25 (1 - sqrt(1e-4)).
	closed(t, "collapsed", 25*0.99, 1e-5, vicreg, rows(a, a, a, a))
	closed(t, "weights by default", 25*0.99, 1e-5, func(x []*graph.Node) *graph.Node { return VICReg(x[0], 2, VICRegConfig{}) }, rows(a, a, a, a))
	// Variance 2 and covariance 2 in both views: c = 2 * (4+4)/2 = 8.
	closed(t, "correlated", 8, 1e-5, vicreg, rows([]float32{1, 1}, []float32{-1, -1}, []float32{1, 1}, []float32{-1, -1}))
	// Uncorrelated with variance 4/3; the views differ by 1 in one of two features: 25/2.
	closed(t, "apart", 12.5, 1e-5, vicreg, rows([]float32{1, 1}, []float32{1, -1}, []float32{-1, 1}, []float32{-1, -1},
		[]float32{2, 1}, []float32{2, -1}, []float32{0, 1}, []float32{0, -1}))
	refuses(t, func(x []*graph.Node) *graph.Node { return VICReg(x[0], 1, VICRegDefaults) }, []int{4, 2})
}
