package genome

import (
	"errors"
	"math"
	"testing"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// windows are some of random bases with unknown ones and ones that do not count.
func windows(n, size int) (codes, counted [][]uint8) {
	r := rng.New(4, rng.Generate)
	for range n {
		a, b := make([]uint8, size), make([]uint8, size)
		for j := range a {
			a[j] = uint8(r.IntN(3)) // T is rare
			if r.IntN(10) == 0 {
				a[j] = 3
			}
			if j > 1 && r.IntN(3) > 0 {
				a[j] = a[j-2]
			}
			b[j] = 1
			if r.IntN(40) == 0 {
				a[j] = unknown
			}
			if a[j] == unknown || r.IntN(20) == 0 {
				b[j] = 0
			}
		}
		codes, counted = append(codes, a), append(counted, b)
	}
	return codes, counted
}

// TestMarkov holds counts and probabilities against a slow model of words in a map; probabilities sum to 1.
func TestMarkov(t *testing.T) {
	const order, n = 4, 60
	codes, counted := windows(n, 50)
	m, err := NewMarkov(order, n, func(i int) ([]uint8, []uint8, error) { return codes[i], counted[i], nil })
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]float64{}
	known := func(w []uint8) bool {
		for _, c := range w {
			if c >= unknown {
				return false
			}
		}
		return true
	}
	for i, w := range codes {
		for j := range w {
			for k := 0; k <= order && k <= j; k++ {
				if counted[i][j] != 0 && known(w[j-k:j+1]) {
					count[string(w[j-k:j+1])]++
				}
			}
		}
	}
	// prob is P_k of c behind a context, by the definition.
	var prob func(context []uint8, c uint8) float64
	prob = func(context []uint8, c uint8) float64 {
		below := 0.25
		if len(context) > 0 {
			below = prob(context[1:], c)
		}
		total := 0.0
		for b := range uint8(4) {
			total += count[string(append(append([]uint8(nil), context...), b))]
		}
		a := m.Strength[len(context)]
		return (count[string(append(append([]uint8(nil), context...), c))] + a*below) / (total + a)
	}
	var want, got [order + 1]float64
	bases := 0
	for i, w := range codes {
		bases += m.Bits(got[:], w, counted[i])
		for j, c := range w {
			if counted[i][j] == 0 {
				continue
			}
			have := 0
			for have < j && w[j-1-have] < unknown {
				have++
			}
			for k := range want {
				context := w[j-min(k, have) : j]
				p := prob(context, c)
				want[k] -= math.Log2(p)
				sum := 0.0
				for b := range uint8(4) {
					sum += prob(context, b)
				}
				if math.Abs(sum-1) > 1e-9 {
					t.Fatalf("probabilities behind %v sum to %g", context, sum)
				}
			}
		}
	}
	for k := range want {
		if math.Abs(want[k]-got[k]) > 1e-6*want[k] {
			t.Errorf("order %d: %g bits, want %g", k, got[k], want[k])
		}
	}
	if int64(bases) != m.Bases || want[2] > 0.95*want[0] {
		t.Errorf("%d bases of %d; bits %v", bases, m.Bases, want)
	}
	for _, c := range []struct{ order, n int }{{-1, 5}, {MaxOrder + 1, 5}, {2, 0}} {
		if _, err := NewMarkov(c.order, c.n, nil); !errors.Is(err, ErrMarkov) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	bad := errors.New("no window")
	if _, err := NewMarkov(2, 20, func(int) ([]uint8, []uint8, error) { return nil, nil, bad }); !errors.Is(err, bad) {
		t.Error(err)
	}
}
