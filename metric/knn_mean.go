package metric

import (
	"fmt"
	"math"
)

// Mean is the regression form of [KNN.Votes]: the mean of the targets y [n] of the K nearest training
// rows, weighted by exp(s/Temperature) (Nadaraya 1964; Watson 1964, over the neighbours only). It returns [q].
func (c KNN) Mean(train []float32, y []float64, query []float32, dim int) ([]float64, error) {
	if c.Temperature == 0 {
		c.Temperature = 0.1
	}
	if !(c.Temperature > 0) {
		return nil, fmt.Errorf("metric: knn: temperature %g, want above 0", c.Temperature)
	}
	if dim < 1 || len(train) != len(y)*dim {
		return nil, fmt.Errorf("metric: knn: %d training values of dimension %d for %d targets", len(train), dim, len(y))
	}
	if err := checkFinite("knn: target", y); err != nil {
		return nil, err
	}
	near, err := c.Neighbours(train, query, dim)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(near))
	for q, ns := range near {
		var sum, total float64
		for _, n := range ns {
			w := math.Exp(float64(n.Sim-ns[0].Sim) / c.Temperature)
			sum += w * y[n.Row]
			total += w
		}
		out[q] = sum / total
	}
	return out, nil
}
