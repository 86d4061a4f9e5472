package selfsame

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/selfsame-ml/selfsame/adapt"
	"github.com/selfsame-ml/selfsame/audit"
	"github.com/selfsame-ml/selfsame/certify"
	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/report"
	"github.com/selfsame-ml/selfsame/store"
	"github.com/selfsame-ml/selfsame/view"
)

func writeSheet(s domain.Sheeter, title string, n int, seed uint64) func(io.Writer) error {
	return func(w io.Writer) error { return s.WriteSheet(w, title, n, seed) }
}

var partNames = [...]string{"train", "val", "test"}

// num is a pointer to a report number, nil for nil.
func num(v *float64) *report.Num {
	if v == nil {
		return nil
	}
	return report.N(*v)
}

// report gathers what the stages left and writes the page and its JSON.
func (l *line) report(out *Outcome) ([]string, error) {
	resolved, err := os.ReadFile(l.dir.File(store.RecipeFile))
	if err != nil {
		return nil, fmt.Errorf("selfsame: %w", err)
	}
	r := &report.Report{
		Name: l.r.Name, Created: l.now().UTC(), Command: l.opt.Command, Recipe: string(resolved), Seed: l.r.Seed,
		Versions: report.Versions{Selfsame: Version(), Go: runtime.Version()},
		Machine:  report.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: cpuName(), Cores: runtime.NumCPU(), MemoryBytes: memory()},
	}
	if r.Command == "" {
		r.Command = "selfsame run " + l.dir.File(store.RecipeFile) + " --out DIR"
	}
	if err := l.dir.ReadJSON(dataFile, &r.Data); err != nil {
		return nil, err
	}
	for _, t := range l.r.AllTransforms() {
		name, unit := principal(l, t.Name)
		for _, term := range t.Terms {
			w := term.Weight
			if w == 0 {
				w = 1
			}
			r.Contract = append(r.Contract, report.Promise{Transformation: t.Name, Parameter: name, Unit: unit, Kind: term.Kind.String(), From: report.Num(term.Range.From), To: report.Num(term.Range.To), Weight: report.Num(w)})
		}
	}
	for _, c := range l.r.Columns {
		if c.Protected {
			r.Contract = append(r.Contract, report.Promise{Transformation: c.Name, Kind: contract.Protected.String()})
		}
	}
	if err := l.reportCertificate(r); err != nil {
		return nil, err
	}
	if err := l.reportTraining(r); err != nil {
		return nil, err
	}
	if err := l.reportAudit(r); err != nil {
		return nil, err
	}
	if err := l.reportScores(r); err != nil {
		return nil, err
	}
	if err := l.pictures(r); err != nil {
		return nil, err
	}
	if l.r.Objective.Invariant == "supcon" {
		r.Notes = append(r.Notes, "The objective supcon read the labels of the whole training part: the scores of ssl at small budgets are not those of a network that saw few labels.")
	}
	for _, f := range []report.File{
		{Path: store.RecipeFile, What: "the recipe with every default written out"}, {Path: sheetFile, What: "contact sheet of the views"},
		{Path: certificateFile, What: "what certify found"}, {Path: encoderFile, What: "weights of the encoder"}, {Path: cardFile, What: "model card"},
		{Path: auditFile, What: "what the audit found"}, {Path: store.ScoresFile, What: "every score"}, {Path: store.EventsFile, What: "everything that happened"},
		{Path: reportJSON, What: "every number of this page"},
	} {
		if f.Path == reportJSON || l.dir.Has(f.Path) {
			r.Files = append(r.Files, f)
		}
	}
	if err := l.dir.Write(reportJSON, func(w io.Writer) error { return report.WriteJSON(w, r) }); err != nil {
		return nil, err
	}
	if err := l.dir.Write(reportHTML, func(w io.Writer) error { return report.WriteHTML(w, r) }); err != nil {
		return nil, err
	}
	out.Report, out.Page = r, l.dir.File(reportHTML)
	return []string{reportHTML, reportJSON}, nil
}

// principal names the principal parameter of a transformation and its unit. Those of a column are COLUMN.x of the spec *.x.
func principal(l *line, name string) (string, string) {
	specs, err := all.Specs(l.r.Domain)
	if err != nil {
		return "", ""
	}
	find := func(name string) (view.Spec, bool) {
		i := slices.IndexFunc(specs, func(s view.Spec) bool { return s.Name == name && len(s.Params) > 0 })
		if i < 0 {
			return view.Spec{}, false
		}
		return specs[i], true
	}
	s, ok := find(name)
	if dot := strings.LastIndexByte(name, '.'); !ok && dot >= 0 {
		s, ok = find(recipe.ColumnTransform + name[dot+1:])
		s.Name = name
	}
	if !ok {
		return "", ""
	}
	p := certify.InUnits(l.r, s).Params[0]
	return p.Name, printedUnit(p.Unit)
}

// printedUnit is what can be printed behind a number: "0 or 1" is no unit.
func printedUnit(unit string) string {
	if strings.Contains(unit, " or ") {
		return ""
	}
	return unit
}

func params(ps []certify.Param) []report.Param {
	var out []report.Param
	for _, p := range ps {
		out = append(out, report.Param{Name: p.Name, Unit: printedUnit(p.Unit), Value: report.Num(p.Value)})
	}
	return out
}

func (l *line) reportCertificate(r *report.Report) error {
	if !l.dir.Has(certificateFile) {
		r.Skipped = append(r.Skipped, report.SkippedBy{Section: report.SectionCertify, Reason: "the stage was not run"})
		return nil
	}
	var cert certify.Certificate
	if err := l.dir.ReadJSON(certificateFile, &cert); err != nil {
		return err
	}
	for _, f := range cert.Findings {
		_, unit := principal(l, f.Transform)
		c := report.Certificate{Transformation: f.Transform, Unit: unit, Kind: f.Term.Kind.String(), From: report.Num(f.Term.Range.From), To: report.Num(f.Term.Range.To), Pass: f.Outcome != certify.Violated, Outcome: f.Outcome, Note: f.Outcome + ": " + f.Why}
		c.Property = f.Parameter == "" && f.Possible != nil // of a column, or of all views together
		if p := f.Possible; p != nil {
			c.Possible = &report.Possible{Trials: p.Trials, Breaches: p.Breaches, Rate: report.Num(p.Rate), Upper: report.Num(p.Upper)}
			c.Confidence = report.Num(cert.Confidence)
		}
		for _, ch := range f.Checks {
			c.Checks = append(c.Checks, report.Check{Name: ch.Name, Pass: ch.Passed, Value: report.N(ch.Value), Limit: report.N(ch.Limit), Detail: ch.Text})
		}
		if p := f.Probe; p != nil {
			c.Trials, c.Violations, c.Rate, c.Upper, c.MaxRate = p.Trials, p.Changed, report.N(p.Rate), report.N(p.Upper), report.N(p.Limit)
			c.Confidence = report.Num(cert.Confidence)
			if len(p.Safe) > 0 {
				c.SafeFrom, c.SafeTo = report.N(p.Safe[0].From), report.N(p.Safe[0].To)
			}
		}
		if x := f.Counter; x != nil {
			ce := &report.CounterExample{Seed: x.Seed, Epoch: x.Epoch, Sample: x.Sample, Part: partNames[x.Part], Params: params(x.Params), Original: x.Original, View: x.View, Place: x.Place, Rule: x.Rule, Text: x.Text}
			for k, name := range x.Names {
				if k < len(x.OriginalValues) && k < len(x.ViewValues) {
					a, b := x.OriginalValues[k], x.ViewValues[k]
					ce.Cells = append(ce.Cells, report.Cell{Name: name, Original: a, View: b, Changed: a != b})
				}
			}
			if x.Label != "" {
				ce.Before = fmt.Sprintf("%s (%.0f %%)", x.Label, 100*x.Before)
				if ce.After = fmt.Sprintf("%s (%s %.0f %%)", x.Answer, x.Label, 100*x.After); x.Answer == x.Label {
					ce.After = fmt.Sprintf("%s (%.0f %%)", x.Answer, 100*x.After)
				}
			}
			c.Counter = ce
		}
		r.Certificates = append(r.Certificates, c)
	}
	if p := cert.Probe; p.Skipped != "" {
		r.Notes = append(r.Notes, "Certify could not test label preservation: "+p.Skipped+".")
	} else {
		r.Notes = append(r.Notes, fmt.Sprintf("The probe of certify used %d labels, which count in no budget below; it is right on %.1f %% of %d held-out samples.", p.Labels, 100*p.Accuracy, p.HeldOut))
	}
	return nil
}

// curvePoints is the most points of a curve that the page draws.
const curvePoints = 400

// reportTraining reads the event log: where a killed run repeated steps, the last line of a step counts.
func (l *line) reportTraining(r *report.Report) error {
	points := map[int]report.CurvePoint{}
	looks := map[int]report.HealthPoint{}
	verdicts := map[int][2]string{}
	var order, lookOrder []int
	seconds := map[string]float64{}
	f := func(m map[string]any, k string) float64 {
		if v, ok := m[k].(float64); ok {
			return v
		}
		return math.NaN()
	}
	err := store.ReadEvents(l.dir.File(store.EventsFile), func(e store.Event) error {
		switch {
		case e.Kind == "end":
			seconds[e.Stage] += f(e.Data, "seconds")
		case e.Stage == "engine":
			r.Versions.Engine, _ = e.Data["engine"].(string)
			r.Versions.Plugin, _ = e.Data["plugin"].(string)
			if i := strings.LastIndexAny(r.Versions.Plugin, `/\`); i >= 0 { // the name; paths are nobody's business
				r.Versions.Plugin = r.Versions.Plugin[i+1:]
			}
			flags, _ := e.Data["flags"].(string)
			r.Versions.Flags = strings.Fields(flags)
		case e.Stage == StagePretrain && e.Kind == "progress":
			step := int(f(e.Data, "step"))
			p := report.CurvePoint{Step: step, Epoch: report.Num(f(e.Data, "epoch")), Loss: report.Num(f(e.Data, "loss")), LR: report.Num(f(e.Data, "lr")), Rate: report.Num(f(e.Data, "samples_per_s")), Objectives: map[string]report.Num{}}
			parts, _ := e.Data["parts"].(map[string]any)
			for name, v := range parts {
				if short, ok := strings.CutPrefix(name, "loss/"); ok {
					if x, ok := v.(float64); ok {
						p.Objectives[short] = report.Num(x)
					}
				}
			}
			if _, seen := points[step]; !seen {
				order = append(order, step)
			}
			points[step] = p
		case e.Stage == StagePretrain && e.Kind == "health":
			step := int(f(e.Data, "step"))
			h := report.HealthPoint{Step: step, EffectiveRank: report.Num(f(e.Data, "effective_rank")), Spread: report.Num(f(e.Data, "spread")), Alignment: report.Num(f(e.Data, "alignment")), Uniformity: report.Num(f(e.Data, "uniformity"))}
			if v := f(e.Data, "knn"); !math.IsNaN(v) {
				h.KNN = report.N(v)
			}
			r.Health.Dim = int(f(e.Data, "dim"))
			if _, seen := looks[step]; !seen {
				lookOrder = append(lookOrder, step)
			}
			looks[step] = h
			v, _ := e.Data["verdict"].(string)
			w, _ := e.Data["why"].(string)
			verdicts[step] = [2]string{v, w}
		}
		return nil
	})
	if err != nil {
		return err
	}
	every := max(1, len(order)/curvePoints)
	for i, s := range order {
		if i%every == 0 || i == len(order)-1 {
			r.Curves = append(r.Curves, points[s])
		}
	}
	for _, s := range lookOrder {
		r.Health.Points = append(r.Health.Points, looks[s])
		if verdicts[s][0] == pretrain.Collapsed && r.Health.CollapseStep == nil {
			at := s
			r.Health.CollapseStep = &at
		}
	}
	if n := len(lookOrder); n > 0 {
		last := verdicts[lookOrder[n-1]]
		r.Health.Text = last[1]
		switch last[0] {
		case pretrain.Collapsed:
			r.Health.Verdict = report.Collapsed
		case pretrain.AtRisk:
			r.Health.Verdict = report.Warning
		default:
			r.Health.Verdict = report.Healthy
		}
	}
	for _, s := range Stages {
		if v, ok := seconds[s]; ok && s != StageReport {
			r.Stages = append(r.Stages, report.Stage{Name: s, Seconds: report.Num(v)})
		}
	}
	if len(r.Curves) == 0 {
		r.Skipped = append(r.Skipped, report.SkippedBy{Section: report.SectionPretrain, Reason: "the stage was not run"})
	}
	return nil
}

func (l *line) reportAudit(r *report.Report) error {
	if !l.dir.Has(auditFile) {
		r.Skipped = append(r.Skipped, report.SkippedBy{Section: report.SectionAudit, Reason: "the stage was not run"})
		return nil
	}
	var a audit.Result
	if err := l.dir.ReadJSON(auditFile, &a); err != nil {
		return err
	}
	if a.Skipped != "" {
		r.Skipped = append(r.Skipped, report.SkippedBy{Section: report.SectionAudit, Reason: a.Skipped})
	}
	for _, x := range a.Rows {
		_, unit := principal(l, x.Transform)
		row := report.AuditRow{Transformation: x.Transform, Unit: unit, Kind: x.Term.Kind.String(), From: report.Num(x.Term.Range.From), To: report.Num(x.Term.Range.To), Measure: x.Measure, Value: report.Num(x.Value), Lo: num(x.Lower), Hi: num(x.Upper), Reference: num(x.Untrained), Trivial: num(x.Reference), Verdict: x.Outcome, Text: x.Why, Better: report.Higher, Property: x.Property, Ceiling: num(x.Ceiling)}
		if x.Better == "lower" {
			row.Better = report.Lower
		}
		r.Audit.Rows = append(r.Audit.Rows, row)
	}
	r.Notes = append(r.Notes, a.Notes...)
	for _, c := range a.Checks {
		r.Audit.Checks = append(r.Audit.Checks, report.Check{Name: c.Name, Pass: c.Passed, Value: report.N(c.Value), Limit: report.N(c.Limit), Detail: c.Text})
	}
	return nil
}

func (l *line) reportScores(r *report.Report) error {
	skip := func(why string) {
		r.Skipped = append(r.Skipped, report.SkippedBy{Section: report.SectionAdapt, Reason: why})
	}
	if !l.dir.Has(adaptFile) {
		skip("the stage was not run")
		return nil
	}
	var a adapt.Result
	if err := l.dir.ReadJSON(adaptFile, &a); err != nil {
		return err
	}
	if a.Skipped != "" {
		skip(a.Skipped)
		return nil
	}
	r.Notes = append(r.Notes, a.Notes...)
	for _, s := range a.Scores {
		r.Scores = append(r.Scores, report.Score{Method: s.Method, Task: s.Task, Metric: s.Metric, Budget: s.Budget, Seed: uint64(s.Seed), Value: report.Num(s.Value)})
	}
	task, name := adapt.Task, adapt.FineTune
	if a.Primary != "" {
		task, name = a.Task, a.Primary
		r.Metrics = tableMetrics(&a)
		for _, v := range a.Advice {
			r.Advice = append(r.Advice, report.Advice{Task: task, Metric: name, Budget: v.Budget, Use: v.Use, Score: report.Num(v.Score),
				Against: v.Against, Other: report.Num(v.Other), Shown: v.Shown, Classical: v.Classical, Pays: v.Pays})
		}
		if len(a.Against) > 0 {
			r.Notes = append(r.Notes, "The classical method of a comparison is the one of the best mean score on the test part at that budget, which flatters it: a pretrained network that is shown better is better than all of them.")
		}
	}
	chance := 1 / math.Max(1, float64(len(r.Data.Classes)))
	for _, m := range [][2]string{{adapt.FineTune, "Fine-tune accuracy"}, {adapt.Linear, "Linear probe accuracy"}, {adapt.KNN, "kNN accuracy"}} {
		r.Metrics = append(r.Metrics, report.Metric{Task: adapt.Task, Metric: m[0], Label: m[1], Better: report.Higher, Chance: report.N(chance)})
	}
	for _, m := range a.LEM {
		r.LEM = append(r.LEM, report.NewLEM(task, name, adapt.SSL, adapt.Scratch, m))
	}
	for _, v := range a.Verdicts {
		r.Verdicts = append(r.Verdicts, report.NewVerdict(task, name, adapt.SSL, adapt.Scratch, v.Budget, v.Judgement))
	}
	var best *report.Verdict
	// The first sentence of the page: the smallest budget whose verdict is the overall one.
	for i := range r.Verdicts {
		if r.Verdicts[i].Verdict == string(a.Overall) {
			best = &r.Verdicts[i]
			break
		}
	}
	if best == nil && len(r.Verdicts) > 0 {
		best = &r.Verdicts[0]
	}
	if best != nil {
		o := *best
		o.Text = overallText(r.Verdicts)
		r.Overall = &o
	}
	for _, v := range a.Against {
		r.Verdicts = append(r.Verdicts, report.NewVerdict(task, name, v.Method, v.Reference, v.Budget, v.Judgement))
	}
	if m := a.Map; m != nil {
		r.Map = report.Map{Method: m.Method, Part: "test"}
		for i := range m.X {
			r.Map.Points = append(r.Map.Points, report.MapPoint{X: report.Num(m.X[i]), Y: report.Num(m.Y[i]), Class: int(m.Class[i])})
		}
	}
	return nil
}

// tableMetrics names the metrics of adapt's tables.
func tableMetrics(a *adapt.Result) []report.Metric {
	out := []report.Metric{
		{Metric: adapt.AUC, Label: "AUC"}, {Metric: adapt.Accuracy, Label: "accuracy"}, {Metric: adapt.LogLoss, Label: "log loss", Better: report.Lower},
	}
	if a.Task == adapt.Regress {
		out = []report.Metric{
			{Metric: adapt.R2, Label: "R2"}, {Metric: adapt.RMSE, Label: "root mean squared error", Unit: a.Unit, Better: report.Lower},
			{Metric: adapt.MAE, Label: "mean absolute error", Unit: a.Unit, Better: report.Lower},
		}
	}
	for i := range out {
		m := &out[i]
		m.Task = a.Task
		if m.Better == "" {
			m.Better = report.Higher
		}
		if m.Metric == a.Primary && a.Chance != nil {
			m.Chance = report.N(*a.Chance)
		}
	}
	return out
}

// overallText counts the verdicts over the budgets: "Over all budgets: pays at 20 labels; ...".
func overallText(vs []report.Verdict) string {
	count := map[string][]string{}
	for _, v := range vs {
		count[v.Verdict] = append(count[v.Verdict], fmt.Sprint(v.Budget))
	}
	var parts []string
	for _, w := range []string{report.Pays, report.NoDifference, report.Hurts} {
		if n := count[w]; n != nil {
			parts = append(parts, fmt.Sprintf("%s at %s labels", w, strings.Join(n, ", ")))
		}
	}
	return "Over all budgets: " + strings.Join(parts, "; ") + "."
}

// pictures draws each transformation at low, middle and high strength for two samples.
func (l *line) pictures(r *report.Report) error {
	draw, ok := l.samples.(domain.Renderer)
	if !ok {
		return nil
	}
	v, err := l.samples.Views()
	if err != nil {
		return err
	}
	in := l.samples.Input()
	a := domain.NewArray(in, 1)
	render := func() ([]byte, error) {
		var w bytes.Buffer
		err := draw.Render(&w, &a, 0, 84)
		return w.Bytes(), err
	}
	n := l.samples.Len(domain.Train)
	order := rng.New(l.r.Seed, rng.Views, 0).Perm(n)
	for _, i := range order[:min(2, n)] {
		if err := l.samples.Fill(&a, 0, domain.Train, i); err != nil {
			return err
		}
		png, err := render()
		if err != nil {
			return err
		}
		r.Views = append(r.Views, report.Picture{Caption: "original", Part: "train", Sample: i, PNG: png})
		for _, t := range v.Transforms() {
			spec := t.Spec()
			for k, caption := range []string{"low", "middle", "high"} {
				p := t.At(float64(k)/2, l.r.Seed, i)
				if err := t.Fill(&a, 0, domain.Train, i, p); err != nil {
					return err
				}
				if png, err = render(); err != nil {
					return err
				}
				pic := report.Picture{Transformation: spec.Name, Caption: caption, Part: "train", Sample: i, PNG: png}
				if term, ok := t.Config().Terms.At(p.V[0]); ok {
					pic.Kind = term.Kind.String()
				}
				for j := range min(p.N, len(spec.Params)) {
					pic.Params = append(pic.Params, report.Param{Name: spec.Params[j].Name, Unit: spec.Params[j].Unit, Value: report.Num(p.V[j])})
				}
				r.Views = append(r.Views, pic)
			}
		}
	}
	return nil
}

// cpuName is the processor's name where the system tells it.
func cpuName() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// memory is the memory of the machine in bytes, 0 where the system does not tell.
func memory() int64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	var kib int64
	if _, err := fmt.Sscanf(string(b), "MemTotal: %d kB", &kib); err != nil {
		return 0
	}
	return kib << 10
}
