package image

import (
	"slices"
	"testing"
)

// TestDrawnReplays: what Drawn records, applied in its order, gives the views that Fill wrote.
func TestDrawnReplays(t *testing.T) {
	sh := Shape{24, 24, 3, 8}
	s := mustSampler(t, simclrViews(), sh, 3)
	dst, size := arrays(s.Fields(), 1), fieldOf(sh).Size()
	for i := range 3 {
		if err := s.Fill(dst, 0, 4, 5, i, s.NewScratch()); err != nil {
			t.Fatal(err)
		}
		views := [2]*Image{picture(uint64(i), sh), picture(uint64(i), sh)}
		for _, d := range s.Drawn(4, 5, i) {
			next := &Image{}
			at(d.Transform, sh, nil).Apply(next, views[d.View], &d.Params)
			views[d.View] = next
		}
		for v, m := range views {
			if !slices.Equal(m.Pix, dst[0].U8[v*size:(v+1)*size]) {
				t.Errorf("sample %d view %d: the recorded draws give another picture", i, v)
			}
		}
	}
	rich := mustSampler(t, richViews(), sh, 1)
	streams := map[string]int{}
	for _, d := range rich.Drawn(1, 0, 0) {
		streams[d.Stream]++
	}
	for _, st := range rich.Streams() {
		if streams[st.Name] == 0 {
			t.Errorf("nothing recorded for the stream %s", st.Name)
		}
	}
}
