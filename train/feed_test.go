package train_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/train"
)

// Steps in micro-batches read the samples of whole steps, epoch after epoch, where the data does not divide.
func TestFeedGroups(t *testing.T) {
	visit := func(batch, group, steps int) [][]int {
		var mu sync.Mutex
		out := make([][]int, steps)
		now := map[*domain.Array][]int{}
		slots := []*train.Slot{{Arrays: make([]domain.Array, 1)}, {Arrays: make([]domain.Array, 1)}}
		f := &train.Feed{Slots: slots, Samples: 40, Batch: batch, Group: group, Seed: 5, Workers: 3,
			Filler: train.FillFunc(func(dst []domain.Array, _ int, _, epoch uint64, i int) error {
				mu.Lock()
				defer mu.Unlock()
				now[&dst[0]] = append(now[&dst[0]], int(epoch)*1000+i)
				return nil
			})}
		err := f.Run(context.Background(), 0, steps*group, func(n int, s *train.Slot) error {
			mu.Lock()
			defer mu.Unlock()
			out[n/group] = append(out[n/group], now[&s.Arrays[0]]...)
			delete(now, &s.Arrays[0])
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range out {
			slices.Sort(out[i])
		}
		return out
	}
	whole, micro := visit(16, 1, 7), visit(8, 2, 7)
	for i := range whole {
		if !slices.Equal(whole[i], micro[i]) {
			t.Errorf("step %d reads %v, in micro-batches %v", i, whole[i], micro[i])
		}
	}
	if f := (&train.Feed{Samples: 100, Batch: 10, Group: 4}); f.PerEpoch() != 8 {
		t.Errorf("%d micro-batches an epoch, want 8", f.PerEpoch())
	}
}
