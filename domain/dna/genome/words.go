package genome

import (
	"context"
	"fmt"

	"github.com/selfsame-ml/selfsame/domain/dna/kmer"
	"github.com/selfsame-ml/selfsame/internal/rng"
)

// MeanWords gives how often each word of k bases (kmer.Count) is in a window of genome g and in its Background of some order [4^k], in the mean over about n windows that are spread evenly over
// the whole genome, every other one on the other strand. No window reaches over the end of a sequence or holds a run of 16 unknown bases.
func (s *Samples) MeanWords(ctx context.Context, g, n, k, order int, seed uint64) (windows, backgrounds []float64, err error) {
	if g < 0 || g >= len(s.pool) || n < 1 || k < 1 || k > kmer.MaxK {
		return nil, nil, fmt.Errorf("genome: words of %d bases of %d windows of genome %d of %d", k, n, g, len(s.pool))
	}
	q := s.pool[g]
	all := newShare(q, q.contigs, s.window, false)
	starts := 0
	for _, r := range all.runs {
		starts += max(0, r.to-r.from-s.window+1)
	}
	if starts == 0 {
		return nil, nil, fmt.Errorf("genome: %s has no window of %d known bases", q.Name, s.window)
	}
	p := &part{window: s.window}
	tokens := make([]uint8, s.window)
	sums := [2][]float32{make([]float32, 1<<(2*k)), make([]float32, 1<<(2*k))}
	windows, backgrounds = make([]float64, 1<<(2*k)), make([]float64, 1<<(2*k))
	step := max(1, starts/n)
	took, at := 0, step/2 // of the starts
	for _, r := range all.runs {
		size := r.to - r.from - s.window + 1
		for ; at < size; at += step {
			if took%1024 == 0 && ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			clear(sums[0])
			clear(sums[1])
			p.fill(tokens, &all, r.from+at, took%2 == 1)
			kmer.Count(sums[0], tokens[1:], k)
			Background(tokens, order, rng.New(seed, rng.Probe, 16, uint64(g), uint64(took)))
			kmer.Count(sums[1], tokens[1:], k)
			for j := range windows {
				windows[j] += float64(sums[0][j])
				backgrounds[j] += float64(sums[1][j])
			}
			took++
		}
		at -= max(0, size)
	}
	for j := range windows {
		windows[j] /= float64(took)
		backgrounds[j] /= float64(took)
	}
	return windows, backgrounds, nil
}
