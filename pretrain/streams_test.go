package pretrain

import (
	"slices"
	"testing"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
)

func TestStreams(t *testing.T) {
	all := []domain.Stream{{Name: "views"}, {Name: "quarter"}, {Name: "mask"}}
	for name, c := range map[string]struct {
		o    recipe.Objective
		want []string
	}{
		"auto": {recipe.Objective{Kind: "auto", Invariant: "ntxent"}, []string{"views", "quarter", "mask"}},
		"none": {recipe.Objective{Kind: "auto", Invariant: "none"}, []string{"quarter", "mask"}},
		"sum":  {recipe.Objective{Kind: "sum", Invariant: "ntxent", Weights: map[string]float64{"mask": 1, "views": 0.5}}, []string{"views", "mask"}},
	} {
		var got []string
		for _, st := range streams(c.o, all) {
			got = append(got, st.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestWatchIsKept: a resumed run is held against the first look of the run, not against that of its process.
func TestWatchIsKept(t *testing.T) {
	p := 0.5
	a := &watch{first: &Health{Spread: 0.25, EffectiveRank: 12}, projections: &p}
	st := &train.State{Values: map[string]train.Value{"encoder/w": {}}}
	a.keep(st)
	b := &watch{}
	b.restore(st)
	if len(st.Values) != 1 || b.first == nil || b.first.Spread != 0.25 || b.first.EffectiveRank != 12 || *b.projections != 0.5 {
		t.Errorf("kept %+v, %v; left in the state: %d", b.first, b.projections, len(st.Values))
	}
	c := &watch{}
	c.restore(&train.State{Values: map[string]train.Value{}}) // a checkpoint from before
	if c.first != nil || c.projections != nil {
		t.Error("a first look out of nothing")
	}
}
