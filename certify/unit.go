package certify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rowrule"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// Seconds is the unit of what is a length of time: people are shown 10m, not 600.
const Seconds = "seconds"

const unitOfColumn = "unit of the column"

// InUnits returns a spec named COLUMN.TRANSFORMATION with the unit that the recipe gives the column; others as they are.
func InUnits(r *recipe.Recipe, s view.Spec) view.Spec {
	dot := strings.LastIndexByte(s.Name, '.')
	if dot < 0 || !slices.ContainsFunc(s.Params, func(p view.ParamSpec) bool { return p.Unit == unitOfColumn }) {
		return s
	}
	unit := ""
	if c := r.Column(s.Name[:dot]); c != nil {
		if unit = c.Unit; c.Kind == "timestamp" {
			unit = Seconds
		}
	}
	s.Params = slices.Clone(s.Params)
	for i := range s.Params {
		if s.Params[i].Unit == unitOfColumn {
			s.Params[i].Unit = unit
		}
	}
	return s
}

func (c *certifier) spec(t domain.Transformation) view.Spec { return InUnits(c.Recipe, t.Spec()) }

// within writes a range in a unit.
func within(r contract.Range, unit string) string {
	switch {
	case unit != Seconds:
		return r.String()
	case r.From == r.To:
		return rowrule.FormatDuration(r.From)
	}
	return fmt.Sprintf("%s..%s", rowrule.FormatDuration(r.From), rowrule.FormatDuration(r.To))
}

// Title names the contract of a finding: "bought_at.jitter invariant -10m..10m", "whole views", "protected column category".
func (f *Finding) Title() string {
	switch {
	case f.Parameter != "" && strings.HasSuffix(f.Parameter, " ("+Seconds+")"):
		return fmt.Sprintf("%s %s %s", f.Transform, f.Term.Kind, within(f.Term.Range, Seconds))
	case f.Parameter != "" || f.Possible == nil:
		return fmt.Sprintf("%s %s %s", f.Transform, f.Term.Kind, f.Term.Range)
	case f.Transform == WholeViews:
		return WholeViews
	}
	return fmt.Sprintf("%s column %s", f.Term.Kind, f.Transform)
}
