package metric

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Draws are disjoint, of the size asked for, within one or two rows of proportion, nested over budgets and repeatable.
func TestDrawShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SliceOfN(rapid.SampledFrom([]int32{-1, 0, 0, 0, 0, 1, 1, 2}), 20, 200).Draw(t, "labels")
		count := map[int32]int{}
		for _, l := range labels {
			if l >= 0 {
				count[l]++
			}
		}
		total := count[0] + count[1] + count[2]
		if total < 2 {
			return
		}
		seed, draw := rapid.Uint64().Draw(t, "seed"), rapid.Uint64Range(0, 5).Draw(t, "draw")
		var before []int
		for b := 1; b <= total; b++ {
			tr, va := DrawShares(labels, b, seed, draw)
			all := append(slices.Clone(tr), va...)
			slices.Sort(all)
			if len(all) != b || len(slices.Compact(slices.Clone(all))) != b {
				t.Fatalf("budget %d gives %v and %v", b, tr, va)
			}
			for _, i := range before {
				if !slices.Contains(all, i) {
					t.Fatalf("row %d of budget %d is not in that of %d", i, b-1, b)
				}
			}
			before = all
			got := map[int32]int{}
			for _, i := range all {
				got[labels[i]]++
			}
			for l, n := range count {
				if want := float64(b*n) / float64(total); b >= 6 && math.Abs(float64(got[l])-want) > 4.5 {
					t.Fatalf("budget %d: %d rows of class %d, its share is %.1f", b, got[l], l, want)
				}
			}
		}
		tr, va := DrawShares(labels, 0, seed, draw)
		if len(tr)+len(va) != total {
			t.Fatalf("all labels: %d and %d of %d", len(tr), len(va), total)
		}
	})
	zeros := make([]int32, 100)
	tr, va := DrawShares(zeros, 30, 1, 0)
	other, _ := DrawShares(zeros, 30, 1, 1)
	if len(tr) != 15 || len(va) != 15 || slices.Equal(tr, other) {
		t.Errorf("one class: %v and %v", tr, va)
	}
	rare := append(make([]int32, 990), make([]int32, 10)...)
	for i := 990; i < 1000; i++ {
		rare[i] = 1
	}
	tr, va = DrawShares(rare, 50, 1, 0)
	if n := len(tr) + len(va); tr[len(tr)-1] < 990 || va[len(va)-1] < 990 || n != 50 {
		t.Errorf("a rare class trains and chooses: %v and %v", tr, va)
	}
}
