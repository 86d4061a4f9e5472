package certify

import (
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/view"
)

func TestParts(t *testing.T) {
	whole := view.Spec{Params: []view.ParamSpec{{Name: "class", Integer: true}}}
	real := view.Spec{Params: []view.ParamSpec{{Name: "degrees"}}}
	for name, c := range map[string]struct {
		spec view.Spec
		in   contract.Range
		want int
	}{
		"whole numbers": {whole, contract.Range{From: 0, To: 3}, 4},
		"a range":       {real, contract.Range{From: -180, To: 180}, bins},
		"one value":     {real, contract.Range{From: 1, To: 1}, 1},
	} {
		got := parts(c.spec, c.in)
		if len(got) != c.want || got[0].Range.From != c.in.From || got[len(got)-1].Range.To != c.in.To {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestSafe: only parts whose upper bound is at or below the limit are named, the one around the identity first.
func TestSafe(t *testing.T) {
	bin := func(from, to, upper float64) Bin {
		return Bin{Range: contract.Range{From: from, To: to}, Trials: 100, Upper: upper}
	}
	ps := []Bin{bin(-3, -2, 0.2), bin(-2, -1, 0.5), bin(-1, 0, 0.1), bin(0, 1, 0.3), bin(1, 2, 0.31), {Range: contract.Range{From: 2, To: 3}}}
	if got := safe(ps, 0.3, 0); !slices.Equal(got, []contract.Range{{From: -1, To: 1}}) {
		t.Errorf("with an identity: %v", got)
	}
	if got := safe(ps, 0.3, 9); !slices.Equal(got, []contract.Range{{From: -3, To: -2}, {From: -1, To: 1}}) {
		t.Errorf("without: %v", got)
	}
}

func TestWeakProbe(t *testing.T) {
	val := make([]int32, 200) // ten classes
	use := make([]int, len(val))
	for i := range val {
		val[i], use[i] = int32(i%10), i
	}
	one := make([]int32, 200) // 80 % of one class
	for i := range one {
		one[i] = int32(max(0, i-159) % 10)
	}
	for name, c := range map[string]struct {
		hits int
		val  []int32
		weak bool
	}{
		"chance":           {20, val, true},
		"a little more":    {90, val, true},
		"good":             {150, val, false},
		"as good as one":   {165, one, true},
		"better than one":  {196, one, false},
		"nothing is right": {0, val, true},
	} {
		got, err := weak(c.hits, use, c.val, 10, 0.95)
		if err != nil || (got != "") != c.weak || c.weak && !strings.Contains(got, "too weak") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
