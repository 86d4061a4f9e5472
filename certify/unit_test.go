package certify

import (
	"errors"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

func TestInUnits(t *testing.T) {
	r := recipe.Default()
	r.Columns = recipe.Columns{{Name: "bought.at", Kind: "timestamp"}, {Name: "age", Kind: "integer", Unit: "years"}}
	spec := func(name, unit string) view.Spec {
		return view.Spec{Name: name, Params: []view.ParamSpec{{Name: "jitter", Unit: unit}}}
	}
	for _, c := range []struct{ name, unit, want string }{
		{"bought.at.jitter", unitOfColumn, Seconds},
		{"age.jitter", unitOfColumn, "years"},
		{"age.scale", "factor", "factor"},
		{"other.jitter", unitOfColumn, ""},
		{"rotate", "degrees", "degrees"},
	} {
		s := spec(c.name, c.unit)
		if got := InUnits(r, s); got.Params[0].Unit != c.want || got.Name != c.name {
			t.Errorf("%s: %q, want %q", c.name, got.Params[0].Unit, c.want)
		}
		if s.Params[0].Unit != c.unit {
			t.Errorf("%s: the spec itself was changed", c.name)
		}
	}
	cert := Certificate{Findings: []Finding{{Transform: "bought.at.jitter", Outcome: Violated, Why: "it is",
		Parameter: label(InUnits(r, spec("bought.at.jitter", unitOfColumn))), Term: contract.Term{Kind: contract.Invariant, Range: contract.Range{From: -600, To: 5400}}}}}
	if err := cert.Err(); !errors.Is(err, ErrViolated) || !strings.Contains(err.Error(), "jitter -10m..90m") {
		t.Errorf("%v", err)
	}
	p := &Possible{Trials: 1}
	for want, f := range map[string]Finding{
		"bought.at.jitter invariant -10m..90m": cert.Findings[0],
		"crop invariant 0.2..1":                {Transform: "crop", Parameter: "scale", Term: contract.Term{Kind: contract.Invariant, Range: contract.Range{From: 0.2, To: 1}}},
		"whole views":                          {Transform: WholeViews, Term: contract.Term{Kind: contract.Protected}, Possible: p},
		"protected column category":            {Transform: "category", Term: contract.Term{Kind: contract.Protected}, Possible: p},
	} {
		if got := f.Title(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
