package domaintest

import (
	"fmt"
	"math"

	"github.com/selfsame-ml/selfsame/domain"
)

// Tabular is a Fake whose samples are rows: it gives their raw values to baselines, and a number to be predicted
// where Numbers is set. Missing names samples whose first value is missing.
type Tabular struct {
	*Fake
	Numbers [3][]float64
	Missing func(p domain.Part, i int) bool
	// OnNumbers is told of every reading of the numbers.
	OnNumbers func(p domain.Part)
}

// Target is "height" in metres, where there are numbers.
func (f *Tabular) Target() (domain.Target, bool) {
	return domain.Target{Name: "height", Unit: "m"}, f.Numbers[domain.Train] != nil
}

// Values are Numbers.
func (f *Tabular) Values(p domain.Part) []float64 {
	if f.OnNumbers != nil {
		f.OnNumbers(p)
	}
	return f.Numbers[p]
}

func (f *Tabular) rows(p domain.Part, rows []int) ([]int, error) {
	if rows == nil {
		for i := range f.Count[p] {
			rows = append(rows, i)
		}
	}
	for _, i := range rows {
		if i < 0 || i >= f.Count[p] {
			return nil, fmt.Errorf("domaintest: sample %d of part %d, which has %d", i, p, f.Count[p])
		}
		f.read(p, i)
	}
	return rows, nil
}

func (f *Tabular) gap(p domain.Part, i int) bool { return f.Missing != nil && f.Missing(p, i) }

// Dense is the values, with a flag for the first one behind them.
func (f *Tabular) Dense(p domain.Part, rows []int) (x []float32, dim int, err error) {
	if rows, err = f.rows(p, rows); err != nil {
		return nil, 0, err
	}
	for _, i := range rows {
		v, flag := f.X[p][i], float32(0)
		if f.gap(p, i) {
			v[0], flag = 0, 1
		}
		x = append(append(x, v[:]...), flag)
	}
	return x, Width + 1, nil
}

// Tree is the values, NaN where the first is missing.
func (f *Tabular) Tree(p domain.Part, rows []int) (x []float32, dim int, categorical []bool, err error) {
	if rows, err = f.rows(p, rows); err != nil {
		return nil, 0, nil, err
	}
	for _, i := range rows {
		v := f.X[p][i]
		if f.gap(p, i) {
			v[0] = float32(math.NaN())
		}
		x = append(x, v[:]...)
	}
	return x, Width, make([]bool, Width), nil
}

var (
	_ domain.Targeter = (*Tabular)(nil)
	_ domain.Featurer = (*Tabular)(nil)
)
