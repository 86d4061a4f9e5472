package table

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestEncoding(t *testing.T) {
	cols := []Column{
		{Name: "amount", Kind: Money, Input: true, Mean: 10, Std: 2, Quantiles: []float64{8, 10, 10, 12}},
		{Name: "shop", Kind: Category, Input: true, Levels: []string{"a", "b"}},
		{Name: "note", Kind: Text, Input: true, Levels: []string{"Red shoes", ""}},
		{Name: "order", Kind: Identifier, Levels: []string{"17"}},
		{Name: "at", Kind: Timestamp, Input: true, Mean: 0, Std: 1e9},
		{Name: "same", Kind: Number, Input: true, Mean: 5},
	}
	e := NewEncoding(cols)
	if len(e.Cells) != 1+1+4+4+1 || e.First(3) != -1 || e.First(4) != 6 {
		t.Fatalf("%d cells, %v", len(e.Cells), e.first)
	}
	if !slices.Equal(e.Cells[0].Edges, []float32{-1, 0, 1}) {
		t.Errorf("edges %v", e.Cells[0].Edges)
	}
	monday := time.Date(2024, 1, 1, 6, 0, 0, 0, time.UTC)
	r := Row{V: []float64{14, 1, 0, 0, float64(monday.Unix()), 5}, S: make([]State, 6)}
	dst := make([]float32, e.Size())
	e.Put(dst, &r)
	if dst[0] != 2 || dst[2] != 2 {
		t.Errorf("amount %g, shop %g", dst[0], dst[2])
	}
	if dst[4] == 0 || dst[6] == 0 || dst[4] == dst[6] || dst[8] != 0 || dst[10] != 0 {
		t.Errorf("words %v", dst[4:12])
	}
	if d := dst[14]; d != 0.25 { // six o'clock
		t.Errorf("day phase %g", d)
	}
	if w := float64(dst[16]); math.Abs(w-0.25/7) > 1e-6 {
		t.Errorf("week phase %g", w)
	}
	if dst[20] != 0 {
		t.Errorf("a constant column gives %g", dst[20])
	}
	r.V[0], r.V[1], r.V[2] = 1e308, Unknown, 1
	r.S[5] = Dropped
	e.Put(dst, &r)
	if dst[0] != Clip || dst[2] != 0 || dst[4] != 0 || dst[21] != float32(Dropped) {
		t.Errorf("%v", dst)
	}
	r.V[1] = 9 // a level that came after
	e.Put(dst, &r)
	if dst[2] != 0 {
		t.Errorf("a level unknown to the encoding gives %g", dst[2])
	}
	if n := testing.AllocsPerRun(20, func() { e.Put(dst, &r) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
