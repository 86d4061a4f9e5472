package audit

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/train"
)

// KeptShare is the share of what the raw values tell of a protected property beyond chance that features must
// tell too.
const KeptShare = 0.5

// hardly is how far above chance the interval of a nuisance may reach for "can hardly be told".
const hardly = 0.1

// properties asks which properties of samples (columns of a table) a linear probe reads from the features of undisturbed
// held-out samples: protected ones must be there still, nuisances should not. Half of the rows fit the probe, half measure;
// beside it the same probe on the untrained encoder and, as a ceiling, on the raw values.
func (a *auditor) properties(ctx context.Context) error {
	v, ok := a.Samples.(domain.Verifier)
	if !ok {
		return nil
	}
	props := v.Properties()
	if len(props) == 0 {
		return nil
	}
	var forms []form
	for _, w := range []map[string]train.Value{a.Weights, a.start} {
		if err := a.emb.Bind(w); err != nil {
			return err
		}
		x, err := a.emb.Part(a.part, a.rows)
		if err != nil {
			return err
		}
		forms = append(forms, form{slices.Clone(x), a.emb.Dim()})
	}
	_, collapsed := ratios(forms[0].x, forms[0].x, forms[0].dim)
	if f, ok := a.Samples.(domain.Featurer); ok {
		x, dim, err := f.Dense(a.part, a.rows)
		if err != nil {
			return fmt.Errorf("audit: raw values: %w", err)
		}
		if dim > 0 {
			forms = append(forms, form{x, dim})
		}
	}
	for i, p := range props {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.Kind != contract.Protected && p.Kind != contract.Invariant {
			continue
		}
		a.Progress(p.Name, i, len(props))
		if err := a.property(p, forms, collapsed); err != nil {
			return fmt.Errorf("audit: property %s: %w", p.Name, err)
		}
	}
	return nil
}

// form is one description of the audited rows: [rows, dim].
type form struct {
	x   []float32
	dim int
}

func (f form) of(rows []int) []float32 {
	out := make([]float32, 0, len(rows)*f.dim)
	for _, k := range rows {
		out = append(out, f.x[k*f.dim:(k+1)*f.dim]...)
	}
	return out
}

func (a *auditor) property(p domain.Property, forms []form, collapsed bool) error {
	var rows []int // places in a.rows
	var target []float64
	for k, i := range a.rows {
		if v, ok := p.Value(a.part, i); ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
			rows, target = append(rows, k), append(target, v)
		}
	}
	n := len(rows)
	fit, choose := n*2/5, n/2 // as in decodable
	leave := func(format string, args ...any) error {
		a.res.Notes = append(a.res.Notes, fmt.Sprintf("The audit could not ask whether %s can be told from the features: %s.", p.Name, fmt.Sprintf(format, args...)))
		return nil
	}
	if n < minRows {
		return leave("%d held-out samples have it, want %d", n, minRows)
	}
	if m := target[choose:]; slices.Min(m) == slices.Max(m) || slices.Min(target[:fit]) == slices.Max(target[:fit]) {
		return leave("it is nearly the same in all %d held-out samples that have it", n)
	}
	r := Row{Transform: p.Name, Property: true, Term: contract.Term{Kind: p.Kind}, Samples: n - choose, RefName: "chance", Better: "higher"}
	if p.Kind == contract.Invariant {
		r.Better = "lower"
	}
	var items [][]float64 // by form and measured row: their mean is the score
	chance := 0.0
	var err error
	if p.Classes > 0 {
		r.Measure = "column decodable (accuracy)"
		items, chance, err = classItems(forms, rows, target, fit, choose, p.Classes)
	} else {
		r.Measure = "column decodable (R2)"
		items, err = numberItems(forms, rows, target, fit, choose)
	}
	if err != nil {
		return err
	}
	untrained := mean(items[1])
	r.Value, r.Untrained, r.Reference = mean(items[0]), &untrained, &chance
	iv, err := interval(items[0], p.Classes > 0)
	if err != nil {
		return err
	}
	r.Lower, r.Upper = &iv.Lo, &iv.Hi
	if len(items) > 2 {
		c := mean(items[2])
		r.Ceiling = &c
	}
	if p.Kind == contract.Protected {
		protectedOutcome(&r, chance, collapsed)
	} else if err := nuisanceOutcome(&r, chance, items, collapsed); err != nil {
		return err
	}
	a.res.Rows = append(a.res.Rows, r)
	return nil
}

// classItems are the hits of probes for classes, and how often the most frequent class is right.
func classItems(forms []form, rows []int, target []float64, fit, choose, classes int) (items [][]float64, chance float64, err error) {
	y := make([]int32, len(target))
	for k, v := range target {
		y[k] = int32(v)
	}
	count := make([]int, classes)
	for _, c := range y[choose:] {
		if c < 0 || int(c) >= classes {
			return nil, 0, fmt.Errorf("class %d of %d", c, classes)
		}
		count[c]++
	}
	chance = float64(slices.Max(count)) / float64(len(y)-choose)
	for _, f := range forms {
		x := f.of(rows)
		lin, err := metric.Probe{}.Fit(x[:fit*f.dim], y[:fit], x[fit*f.dim:choose*f.dim], y[fit:choose], f.dim, classes)
		if err != nil {
			return nil, 0, err
		}
		pred, err := lin.Predict(x[choose*f.dim:])
		if err != nil {
			return nil, 0, err
		}
		hits, err := metric.AccuracyItems(pred, y[choose:])
		if err != nil {
			return nil, 0, err
		}
		items = append(items, hits)
	}
	return items, chance, nil
}

// numberItems are the parts of R2 (metric.R2Items) of probes for a number. The number is held within five standard
// deviations of the fitted rows, as the raw values are: one huge amount would decide R2 alone.
func numberItems(forms []form, rows []int, target []float64, fit, choose int) (items [][]float64, err error) {
	m := mean(target[:fit])
	var sq float64
	for _, v := range target[:fit] {
		sq += (v - m) * (v - m) / float64(fit)
	}
	y := make([]float64, len(target))
	for k, v := range target {
		y[k] = min(max((v-m)/math.Sqrt(sq), -5), 5)
	}
	for _, f := range forms {
		x := f.of(rows)
		ridge, err := metric.Ridge{}.Fit(x[:fit*f.dim], y[:fit], x[fit*f.dim:choose*f.dim], y[fit:choose], f.dim, 1)
		if err != nil {
			return nil, err
		}
		pred, err := ridge.Predict(x[choose*f.dim:])
		if err != nil {
			return nil, err
		}
		parts, err := metric.R2Items(pred, y[choose:])
		if err != nil {
			return nil, err
		}
		items = append(items, parts)
	}
	return items, nil
}

// interval is that of the mean at 95 %: exact for hits.
func interval(items []float64, hits bool) (metric.Interval, error) {
	if !hits {
		return metric.TInterval(items, 0.95)
	}
	return metric.ClopperPearson(int(math.Round(mean(items)*float64(len(items)))), len(items), 0.95)
}

// protectedOutcome: the features must tell at least KeptShare of what the raw values tell beyond chance; where these tell
// nothing (or the domain has none), more than chance.
func protectedOutcome(r *Row, chance float64, collapsed bool) {
	limit, from := chance, "chance"
	if r.Ceiling != nil && *r.Ceiling > chance+0.05 {
		limit = chance + KeptShare*(*r.Ceiling-chance)
		from = "half of what the raw values tell beyond chance"
	}
	switch {
	case collapsed:
		r.Outcome, r.Why = NotKept, "the encoder has collapsed: it tells no samples apart"
	case *r.Lower > limit:
		r.Outcome, r.Why = Kept, fmt.Sprintf("it can be told from the features (%.2f, limit %.2f: %s)", r.Value, limit, from)
	case *r.Upper < limit:
		r.Outcome, r.Why = NotKept, fmt.Sprintf("it can hardly be told from the features (%.2f, limit %.2f: %s)", r.Value, limit, from)
	default:
		r.Outcome, r.Why = NotShown, fmt.Sprintf("the interval %.2f..%.2f holds the limit %.2f: %s", *r.Lower, *r.Upper, limit, from)
	}
}

// nuisanceOutcome compares a nuisance with the untrained encoder, row by row.
func nuisanceOutcome(r *Row, chance float64, items [][]float64, collapsed bool) error {
	less := make([]float64, len(items[0]))
	for k := range less {
		less[k] = items[1][k] - items[0][k]
	}
	d, err := metric.TInterval(less, 0.95)
	if err != nil {
		return err
	}
	switch {
	case collapsed: // a constant would hide every nuisance
		r.Outcome, r.Why = NotKept, "the encoder has collapsed: it tells no samples apart"
	case r.Samples < minDecoded:
		r.Outcome, r.Why = NotShown, fmt.Sprintf("%d samples are too few to say what can be told, want %d", r.Samples, minDecoded)
	case *r.Upper <= chance+hardly:
		r.Outcome, r.Why = Kept, "it can hardly be told from the features"
	case d.Lo > 0:
		r.Outcome, r.Why = Kept, fmt.Sprintf("it can be told less well than before training (by %.2f, interval %.2f..%.2f)", mean(less), d.Lo, d.Hi)
	case d.Hi < 0:
		r.Outcome, r.Why = NotKept, fmt.Sprintf("it can be told better than before training (by %.2f, interval %.2f..%.2f)", -mean(less), -d.Hi, -d.Lo)
	default:
		r.Outcome, r.Why = NotShown, "it can be told as well as before training"
	}
	return nil
}
