package genome

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/selfsame-ml/selfsame/domain"
)

// MaxOrder is the highest order of Markov models: counts of 13-mers, 256 MiB, and those of shorter words, another third.
const MaxOrder = 12

// Markov are the order-k Markov models of bases for k = 0..Order, each interpolated with the one below: with n(w) the count of
// word w behind the context c,
//
//	P_k(b | c) = (n(c b) + A_k P_(k-1)(b | c without its oldest base)) / (n(c) + A_k),   P_(-1) = 1/4,
//
// which is the mean of a Dirichlet prior of strength A_k centred on the shorter context (MacKay & Peto 1995, "A hierarchical Dirichlet
// language model"). Each A_k is the best of 1, 4, ..., 4096 on every tenth window, kept back; then these are counted too.
type Markov struct {
	Order    int
	Strength []float64 // A_k, bases
	Bases    int64     // counted
	counts   [][]uint32
}

// ErrMarkov is wrapped by errors about models that cannot be fitted.
var ErrMarkov = errors.New("genome: markov")

// NewMarkov fits models of order 0..order on windows: each gives n windows of bases (codes 0..3, else unknown) and whether each counts. Memory
// is 4^(order+1) * 16/3 bytes, whatever the number of windows. next is called up to three times for each window, besides once an order for a tenth of them.
func NewMarkov(order, n int, next func(i int) (codes, counted []uint8, err error)) (*Markov, error) {
	if order < 0 || order > MaxOrder {
		return nil, fmt.Errorf("%w: order %d, want 0..%d", ErrMarkov, order, MaxOrder)
	}
	if n < 1 {
		return nil, fmt.Errorf("%w: %d windows", ErrMarkov, n)
	}
	m := &Markov{Order: order, Strength: make([]float64, order+1), counts: make([][]uint32, order+1)}
	for k := range m.counts {
		m.counts[k] = make([]uint32, 4<<(2*k))
		m.Strength[k] = 1
	}
	held := func(i int) bool { return n >= 10 && i%10 == 9 }
	each := func(which bool, fn func(codes, counted []uint8)) error {
		for i := range n {
			if held(i) != which {
				continue
			}
			codes, counted, err := next(i)
			if err != nil {
				return err
			}
			fn(codes, counted)
		}
		return nil
	}
	if err := each(false, m.add); err != nil {
		return nil, err
	}
	m.fold()
	if n >= 10 {
		if err := m.choose(func(fn func(codes, counted []uint8)) error { return each(true, fn) }); err != nil {
			return nil, err
		}
		// What is folded cannot be added to: count all of it again.
		for k := range m.counts {
			clear(m.counts[k])
		}
		m.Bases = 0
		for _, which := range []bool{false, true} {
			if err := each(which, m.add); err != nil {
				return nil, err
			}
		}
		m.fold()
	}
	return m, nil
}

// add counts a window: each base with the longest context that its window gives, up to Order. fold counts the shorter ones.
func (m *Markov) add(codes, counted []uint8) {
	word, have := 0, 0
	for j, c := range codes {
		if c >= unknown {
			word, have = 0, 0
			continue
		}
		k := min(have, m.Order)
		word = (word<<2 | int(c)) & (4<<(2*m.Order) - 1)
		if counted[j] != 0 {
			m.counts[k][word&(4<<(2*k)-1)]++
			m.Bases++
		}
		have++
	}
}

// fold adds the counts of each order to the one below.
func (m *Markov) fold() {
	for k := m.Order; k > 0; k-- {
		low := m.counts[k-1]
		for w, n := range m.counts[k] {
			low[w&(len(low)-1)] += n
		}
	}
}

// steps calls fn for each base of a window with the probabilities of orders 0..Order; a base with a shorter context has the probability of
// that one.
func (m *Markov) steps(codes, counted []uint8, fn func(p []float64, n, total []float64)) {
	p, n, total := make([]float64, m.Order+1), make([]float64, m.Order+1), make([]float64, m.Order+1)
	word, have := 0, 0
	for j, c := range codes {
		if c >= unknown {
			word, have = 0, 0
			continue
		}
		if counted[j] != 0 {
			below := 1. / bases
			for k := range m.Order + 1 {
				n[k], total[k] = 0, -1 // no such context
				if k <= have {
					at := word << 2 & (4<<(2*k) - 1)
					row := m.counts[k][at : at+bases]
					n[k], total[k] = float64(row[c]), float64(row[0])+float64(row[1])+float64(row[2])+float64(row[3])
					below = (n[k] + m.Strength[k]*below) / (total[k] + m.Strength[k])
				}
				p[k] = below
			}
			fn(p, n, total)
		}
		word = (word<<2 | int(c)) & (4<<(2*m.Order) - 1)
		have++
	}
}

// choose sets the strengths, from the lowest order upwards.
func (m *Markov) choose(each func(fn func(codes, counted []uint8)) error) error {
	const grid = 7
	for k := range m.Order + 1 {
		var loss [grid]float64
		err := each(func(codes, counted []uint8) {
			m.steps(codes, counted, func(p, n, total []float64) {
				if total[k] < 0 {
					return
				}
				below := 1. / bases
				if k > 0 {
					below = p[k-1]
				}
				for i := range loss {
					a := math.Pow(4, float64(i))
					loss[i] -= math.Log((n[k] + a*below) / (total[k] + a))
				}
			})
		})
		if err != nil {
			return err
		}
		best := slices.Index(loss[:], slices.Min(loss[:]))
		m.Strength[k] = math.Pow(4, float64(best))
	}
	return nil
}

// Bits adds the negative log2 probability of a window's bases under each order to sum [Order+1], and returns how many there were.
func (m *Markov) Bits(sum []float64, codes, counted []uint8) int {
	seen := 0
	m.steps(codes, counted, func(p, _, _ []float64) {
		for k, v := range p {
			sum[k] -= math.Log2(v)
		}
		seen++
	})
	return seen
}

// FitMarkov fits models on the windows that training draws: the first n of the epochs 0, 1, ... for a seed, each epoch in the order of the samples.
func (s *Samples) FitMarkov(order, n int, seed uint64) (*Markov, error) {
	size, train := s.Len(domain.Train), s.parts[domain.Train]
	codes, counted := make([]uint8, s.window), make([]uint8, s.window)
	return NewMarkov(order, n, func(i int) ([]uint8, []uint8, error) {
		epoch, k := i/size, i%size
		if rest := n - epoch*size; rest < size {
			k = int(int64(k) * int64(size) / int64(rest)) // an epoch that is not full is spread over all genomes
		}
		p := s.views.Drawn(seed, uint64(epoch), k)[0].Params
		err := train.target(codes, counted, 0, k, &p)
		return codes, counted, err
	})
}
