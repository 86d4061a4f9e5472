package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/selfsame-ml/selfsame/internal/term"
)

//go:embed page.gohtml
var pageText string

//go:embed style.css
var styleText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"n": func(v int) template.HTML { return datum(Num(v), term.Thousands(v)) },
	"d": func(v any, decimals int) template.HTML {
		return optional(v, func(n Num) string { return fixed(n, decimals) })
	},
	"short": func(v any) template.HTML { return optional(v, short) },
	"dec":   func(v any) template.HTML { return optional(v, decimal) },
	"whole": func(v any) template.HTML {
		return optional(v, func(n Num) string { return short(Num(math.Round(float64(n)))) })
	},
	"capital": capital,
	"p":       func(v any) template.HTML { return optional(v, pvalue) },
	"pct":     func(v any) template.HTML { return optional(v, percent) },
	"times":   func(v any) template.HTML { return optional(v, times) },
	"secs":    func(v any) template.HTML { return optional(v, seconds) },
	"seed":    func(v uint64) string { return fmt.Sprint(v) },
	"score":   func(m Metric, v any) template.HTML { return optional(v, m.score) },
	"diff":    func(m Metric, v any) template.HTML { return optional(v, m.diff) },
	"ends":    func(from, to Num, unit string) template.HTML { return rangeOf(from, to, unit).HTML() },
	"span": func(from, to *Num, unit string) template.HTML {
		if from == nil || to == nil {
			return "–"
		}
		return rangeOf(*from, *to, unit).HTML()
	},
	"png":    pngURL,
	"method": methodLabel,
	"clip":   clip,
	"mod":    func(a, b int) int { return a % b },
	"date": func(r *Report) string {
		if r.Created.IsZero() {
			return "undated"
		}
		return r.Created.UTC().Format("2006-01-02 15:04") + " UTC"
	},
	"mb": func(v int64) template.HTML {
		return datum(Num(v), fixed(Num(float64(v)/(1<<30)), 1)+"\u00a0GiB")
	},
	"sign": sign,
}).Parse(pageText))

// sign is the mark beside a verdict: its shape tells it without colour.
func sign(verdict string) string {
	switch verdict {
	case Pays, Kept, Healthy, "pass":
		return "✓"
	case Hurts, NotKept, Collapsed, "fail", "contract violated":
		return "✗"
	}
	return "~"
}

// tone is the class of a verdict.
func tone(verdict string) string {
	switch sign(verdict) {
	case "✓":
		return "good"
	case "✗":
		return "bad"
	}
	return "open"
}

func optional(v any, print func(Num) string) template.HTML {
	switch x := v.(type) {
	case Num:
		return datum(x, print(x))
	case *Num:
		if x == nil {
			return "–"
		}
		return datum(*x, print(*x))
	}
	return template.HTML(template.HTMLEscapeString(fmt.Sprint(v)))
}

// pngURL embeds a picture; what is not a PNG is not shown.
func pngURL(b []byte) template.URL {
	if !bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")) {
		return ""
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b))
}

// WriteHTML writes the report as one page that needs no other file. It is made
// from the same copy of r as [WriteJSON] and holds that JSON for download.
func WriteHTML(w io.Writer, r *Report) error {
	c, err := complete(r)
	if err != nil {
		return err
	}
	var js bytes.Buffer
	if err := json.NewEncoder(&js).Encode(c); err != nil { // not indented: a third smaller
		return fmt.Errorf("report: json: %w", err)
	}
	p := &page{Report: c, JSON: template.URL("data:application/json;base64," + base64.StdEncoding.EncodeToString(js.Bytes())), JSONBytes: js.Len()}
	p.build()
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, p); err != nil {
		return fmt.Errorf("report: page: %w", err)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("report: page: %w", err)
	}
	return nil
}

// page is what the template reads: the report and what is laid out from it.
type page struct {
	*Report
	JSON      template.URL
	JSONBytes int
	Style     template.CSS

	Outcome, Tone                    string
	Advised                          template.HTML
	Headline, Worth, Basis, ByBudget template.HTML
	Status                           []status
	Terms                            []termLine
	Counters                         []Certificate
	Blocks                           []scoreBlock
	Compared                         []compared
	VerdictPlots                     []template.HTML
	LEMPlots                         []template.HTML
	LossPlots, RatePlots             []template.HTML
	HealthPlots                      []template.HTML
	CurveRows                        []CurvePoint
	Objectives                       []string
	HealthRows                       []HealthPoint
	MapPlot                          template.HTML
	Legend                           []mapClass
	ClassRows                        []Class
	ClassesMore                      int
	ViewGroups                       []viewGroup
	SkippedMore                      int
}

type status struct{ Label, Tone, Sign, Text string }

// termLine is one promise with what was found before and after training.
type termLine struct {
	Promise
	Cert  *Certificate
	Audit []AuditRow
	Word  string
	Tone  string
}

type scoreBlock struct {
	Metric  Metric
	Plot    template.HTML
	Methods []string
	Rows    []scoreRow
	Draws   bool
	Turned  []turnedRow // one row a method, where methods are many
}

type turnedRow struct {
	Method string
	Cells  []*Summary // by the budgets of Rows
}

// turnAt is the number of methods from which a table has one row a method.
const turnAt = 6

// plotted are the methods that a plot shows: all, or where they are many those that a verdict or advice speaks of first.
func (p *page) plotted(methods []string) []string {
	const most = 8
	if len(methods) < turnAt {
		return methods
	}
	weight := func(m string) int {
		if i := slices.Index([]string{SSL, Trees, Linear, Scratch, SSL + probeSuffix, RawKNN}, m); i >= 0 {
			return i
		}
		return 6
	}
	var keep []string
	for _, m := range methods {
		if weight(m) < 6 || !strings.HasSuffix(m, knnSuffix) && !strings.HasSuffix(m, probeSuffix) {
			keep = append(keep, m)
		}
	}
	sort.SliceStable(keep, func(i, j int) bool { return weight(keep[i]) < weight(keep[j]) })
	keep = keep[:min(len(keep), most)]
	sort.Slice(keep, func(i, j int) bool { return lessMethod(keep[i], keep[j]) })
	return keep
}

type scoreRow struct {
	Budget int
	All    bool
	Cells  []*Summary
}

type compared struct {
	Verdict
	M    Metric
	A, B *Summary
}

type viewGroup struct {
	Name, Kind string
	Pictures   []Picture
}

// rowLimit is how many rows of long lists a table shows; the JSON has all.
const rowLimit = 20

func (p *page) build() {
	p.Style = template.CSS(styleText)
	p.Outcome = p.outcome()
	p.Tone = tone(p.Outcome)
	p.Advised = p.advice().HTML()
	p.Headline, p.Worth, p.Basis = p.headline().HTML(), p.worth().HTML(), p.basis().HTML()
	p.ByBudget = p.byBudget().HTML()
	p.Status = p.status()
	for _, c := range p.Contract {
		p.Terms = append(p.Terms, p.term(c))
	}
	for _, c := range p.Certificates {
		if c.Counter != nil {
			p.Counters = append(p.Counters, c)
		}
	}
	sort.SliceStable(p.Counters, func(i, j int) bool { return !p.Counters[i].Pass && p.Counters[j].Pass })
	p.buildScores()
	p.buildVerdicts()
	p.buildCurves()
	p.buildHealth()
	if len(p.Map.Points) > 0 {
		title := "Map of embeddings"
		if p.Map.Method != "" {
			title += " (" + p.Map.Method + ")"
		}
		p.MapPlot, p.Legend = drawMap(p.Map, p.className, title)
	}
	p.ClassRows = p.Data.Classes
	if len(p.ClassRows) > rowLimit {
		p.ClassesMore, p.ClassRows = len(p.ClassRows)-rowLimit, p.ClassRows[:rowLimit]
	}
	if len(p.Data.SkippedFiles) > rowLimit {
		p.Data.SkippedFiles = p.Data.SkippedFiles[:rowLimit]
	}
	p.SkippedMore = max(0, p.Data.SkippedCount-len(p.Data.SkippedFiles))
	for _, v := range p.Views {
		n := len(p.ViewGroups)
		if n == 0 || p.ViewGroups[n-1].Name != v.Transformation {
			p.ViewGroups = append(p.ViewGroups, viewGroup{Name: v.Transformation, Kind: v.Kind})
			n++
		}
		p.ViewGroups[n-1].Pictures = append(p.ViewGroups[n-1].Pictures, v)
	}
}

// Reason says why a section is empty.
func (p *page) Reason(section string) string {
	r := strings.TrimSpace(p.skippedReason(section, "this stage did not run"))
	if r != "" && !strings.ContainsAny(r[len(r)-1:], ".!?") {
		r += "."
	}
	return r
}

func (p *page) className(c int) string {
	switch {
	case c < 0:
		return "unlabelled"
	case c < len(p.Data.Classes) && p.Data.Classes[c].Name != "":
		return p.Data.Classes[c].Name
	}
	return fmt.Sprintf("class %d", c)
}

func (p *page) status() []status {
	var out []status
	add := func(label, verdict, text string) {
		out = append(out, status{label, tone(verdict), sign(verdict), text})
	}
	t := p.Tally
	if t.Certificates > 0 {
		v := "pass"
		if t.Certified < t.Certificates {
			v = "fail"
		}
		add("Contract before training", v, fmt.Sprintf("%d of %d terms certified", t.Certified, t.Certificates))
	} else {
		add("Contract before training", "open", "not certified")
	}
	if p.Health.Verdict != "" {
		add("Health while training", p.Health.Verdict, p.Health.Verdict)
	}
	if t.AuditRows > 0 {
		v := Kept
		if t.AuditNotKept > 0 {
			v = NotKept
		} else if t.AuditNotShown > 0 {
			v = NotShown
		}
		text := fmt.Sprintf("%d of %d kept", t.AuditKept, t.AuditRows)
		if t.AuditNotKept > 0 {
			text += fmt.Sprintf(", %d not kept", t.AuditNotKept)
		}
		if t.AuditNotShown > 0 {
			text += fmt.Sprintf(", %d not shown", t.AuditNotShown)
		}
		add("Contract after training", v, text)
	} else {
		add("Contract after training", "open", "not audited")
	}
	if t.SelfChecks > 0 {
		v := "pass"
		if t.SelfPassed < t.SelfChecks {
			v = "fail"
		}
		add("Checks of the measurement", v, fmt.Sprintf("%d of %d passed", t.SelfPassed, t.SelfChecks))
	}
	return out
}

func (p *page) term(c Promise) termLine {
	t := termLine{Promise: c, Word: "not measured", Tone: "open"}
	same := func(name, kind string, from, to Num) bool {
		return name == c.Transformation && kind == c.Kind && from == c.From && to == c.To
	}
	for i, x := range p.Certificates {
		if same(x.Transformation, x.Kind, x.From, x.To) {
			t.Cert = &p.Certificates[i]
			break
		}
	}
	for _, x := range p.Audit.Rows {
		if same(x.Transformation, x.Kind, x.From, x.To) {
			t.Audit = append(t.Audit, x)
		}
	}
	for _, x := range t.Audit { // the worst of its measures speaks for a term
		switch {
		case x.Verdict == NotKept || t.Word == NotKept:
			t.Word = NotKept
		case x.Verdict == NotShown || t.Word == NotShown:
			t.Word = NotShown
		default:
			t.Word = x.Verdict
		}
	}
	if len(t.Audit) > 0 {
		t.Tone = tone(t.Word)
	}
	return t
}

// slots gives every method its colour and shape, the same in all plots.
func (p *page) slots() map[string]int {
	out := map[string]int{}
	next := fixedSlots
	all := p.methods()
	for _, m := range append(p.plotted(all), all...) { // what is plotted together first: few share a colour and a shape
		if _, ok := out[m]; ok {
			continue
		}
		if r := methodRank(m); r < fixedSlots {
			out[m] = r
		} else {
			out[m] = next
			next++
		}
	}
	return out
}

func (p *page) isAll(budget int) bool {
	for _, x := range p.Data.Parts {
		if x.Name == "train" && x.Labelled > 0 && budget >= x.Labelled {
			return true
		}
	}
	return false
}

func (p *page) find(task, metric, method string, budget int) *Summary {
	for i, s := range p.Summary {
		if s.Task == task && s.Metric == metric && s.Method == method && s.Budget == budget {
			return &p.Summary[i]
		}
	}
	return nil
}

type taskMetric struct{ task, metric string }

// metrics lists (task, metric) pairs, that of the verdict first.
func (p *page) metrics() []taskMetric {
	var out []taskMetric
	seen := map[taskMetric]bool{}
	if v := p.Overall; v != nil {
		k := taskMetric{v.Task, v.Metric}
		for _, s := range p.Summary {
			if (taskMetric{s.Task, s.Metric}) == k {
				out, seen[k] = append(out, k), true
				break
			}
		}
	}
	for _, s := range p.Summary {
		if k := (taskMetric{s.Task, s.Metric}); !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	return out
}

func (p *page) buildScores() {
	slots := p.slots()
	draws := map[string][]float64{}
	key := func(task, metric, method string, budget int) string {
		return fmt.Sprintf("%q %q %q %d", task, metric, method, budget)
	}
	for _, s := range p.Scores {
		k := key(s.Task, s.Metric, s.Method, s.Budget)
		draws[k] = append(draws[k], float64(s.Value))
	}
	for _, k := range p.metrics() {
		m := p.metricInfo(k.task, k.metric)
		b := scoreBlock{Metric: m}
		budgets := map[int]bool{}
		seen := map[string]bool{}
		for _, s := range p.Summary {
			if s.Task != k.task || s.Metric != k.metric {
				continue
			}
			budgets[s.Budget] = true
			b.Draws = b.Draws || s.Draws > 1
			if !seen[s.Method] {
				seen[s.Method] = true
				b.Methods = append(b.Methods, s.Method)
			}
		}
		sort.Slice(b.Methods, func(i, j int) bool { return lessMethod(b.Methods[i], b.Methods[j]) })
		var order []int
		for n := range budgets {
			order = append(order, n)
		}
		sort.Ints(order)
		for _, n := range order {
			row := scoreRow{Budget: n, All: p.isAll(n)}
			for _, name := range b.Methods {
				row.Cells = append(row.Cells, p.find(k.task, k.metric, name, n))
			}
			b.Rows = append(b.Rows, row)
		}
		if len(b.Methods) >= turnAt {
			for i, name := range b.Methods {
				r := turnedRow{Method: name}
				for _, row := range b.Rows {
					r.Cells = append(r.Cells, row.Cells[i])
				}
				b.Turned = append(b.Turned, r)
			}
		}
		shown, many := p.plotted(b.Methods), len(b.Methods) >= turnAt
		better := "higher is better"
		if m.Better == Lower {
			better = "lower is better"
		}
		title := capital(m.Label)
		if len(order) > 1 && order[0] > 0 {
			pl := plot{
				title: title + " by number of labels", logX: true, height: 290,
				desc:   "Mean of each method with its interval and single draws; the table below has the numbers.",
				xlabel: "labels (logarithmic)", ylabel: title + m.unit() + " (" + better + ")", chance: m.Chance,
			}
			for _, n := range order {
				pl.xticks = append(pl.xticks, float64(n))
			}
			for _, name := range shown {
				s := series{name: methodLabel(name), colour: slots[name]}
				if many {
					s.name = name // there is room for so much
				}
				for _, n := range order {
					if c := p.find(k.task, k.metric, name, n); c != nil {
						pt := point{
							x: float64(n), y: float64(c.Mean), lo: c.Lo, hi: c.Hi, draws: draws[key(k.task, k.metric, name, n)],
							tip: fmt.Sprintf("%s, %s labels: %s", methodLabel(name), term.Thousands(n), m.score(c.Mean)),
						}
						if many { // the bars of many methods hide each other
							pt.lo, pt.hi, pt.draws = nil, nil, nil
						}
						s.points = append(s.points, pt)
					}
				}
				pl.series = append(pl.series, s)
			}
			b.Plot = pl.draw()
		} else {
			f := forest{title: title, desc: "Mean of each method with its interval; the table below has the numbers.", xlabel: title + m.unit() + " (" + better + ")"}
			if m.Chance != nil && m.Chance.finite() {
				f.ref, f.refText = (*float64)(m.Chance), "chance"
			}
			for _, name := range shown {
				for _, n := range order {
					if c := p.find(k.task, k.metric, name, n); c != nil {
						f.rows = append(f.rows, row{label: methodLabel(name), colour: slots[name], v: float64(c.Mean), lo: c.Lo, hi: c.Hi, value: m.score(c.Mean)})
					}
				}
			}
			b.Plot = f.draw()
		}
		p.Blocks = append(p.Blocks, b)
	}
}

func capital(s string) string {
	if s == "" || strings.HasPrefix(s, "kNN") {
		return s
	}
	c, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(c)) + s[n:]
}

func (p *page) buildVerdicts() {
	slots := p.slots()
	type group struct {
		taskMetric
		classical bool // the reference trains no network
	}
	groups := map[group][]Verdict{}
	var order []group
	for _, v := range p.Verdicts {
		k := group{taskMetric{v.Task, v.Metric}, v.Reference == Trees || v.Reference == Linear || v.Reference == RawKNN}
		if _, ok := groups[k]; !ok {
			order = append(order, k)
		}
		groups[k] = append(groups[k], v)
		p.Compared = append(p.Compared, compared{v, p.metricInfo(v.Task, v.Metric),
			p.find(v.Task, v.Metric, v.Method, v.Budget), p.find(v.Task, v.Metric, v.Reference, v.Budget)})
	}
	zero, one := 0.0, 1.0
	for _, k := range order {
		m := p.metricInfo(k.task, k.metric)
		f := forest{title: "Difference in " + m.Label, ref: &zero, refText: "no difference",
			desc:   "Difference between pretraining and its reference at each budget, with its interval.",
			xlabel: "difference in " + m.Label + m.unit()}
		if k.classical {
			f.title += " to the best classical method"
			f.xlabel += ", best classical method = 0"
		}
		for _, v := range groups[k] {
			label := p.budgetLabel(v.Budget)
			if k.classical {
				label = term.Thousands(v.Budget) + " " + v.Method
			}
			f.rows = append(f.rows, row{label: label, colour: slots[v.Method], v: float64(v.Difference), lo: v.Lo, hi: v.Hi, value: m.diff(v.Difference) + " " + sign(v.Verdict)})
		}
		p.VerdictPlots = append(p.VerdictPlots, f.draw())
	}
	lems := map[taskMetric][]LEM{}
	var lemOrder []taskMetric
	for _, l := range p.LEM {
		k := taskMetric{l.Task, l.Metric}
		if _, ok := lems[k]; !ok {
			lemOrder = append(lemOrder, k)
		}
		lems[k] = append(lems[k], l)
	}
	for _, k := range lemOrder {
		m := p.metricInfo(k.task, k.metric)
		f := forest{title: "Label-efficiency multiplier, " + m.Label, ref: &one, refText: "1 × = no gain", log: true,
			desc:   "Labels that the reference needs for the same score, divided by the labels used, with its interval. An arrow: the interval leaves the measured curve.",
			xlabel: "label-efficiency multiplier (logarithmic)"}
		for _, l := range lems[k] {
			value := times(l.Value)
			switch l.Beyond {
			case Above:
				value = "> " + value
			case Below:
				value = "< " + value
			}
			f.rows = append(f.rows, row{label: p.budgetLabel(l.Budget), colour: slots[l.Method], v: float64(l.Value), lo: l.Lo, hi: l.Hi,
				openLo: l.LoBeyond || l.Beyond == Below, openHi: l.HiBeyond || l.Beyond == Above, value: value})
		}
		p.LEMPlots = append(p.LEMPlots, f.draw())
	}
}

func (p *page) budgetLabel(n int) string {
	if n == 0 {
		return "all budgets"
	}
	return term.Thousands(n) + " labels"
}

func (p *page) buildCurves() {
	if len(p.Curves) == 0 {
		return
	}
	names := map[string]bool{}
	for _, c := range p.Curves {
		for n := range c.Objectives {
			names[n] = true
		}
	}
	for n := range names {
		p.Objectives = append(p.Objectives, n)
	}
	sort.Strings(p.Objectives)
	var marks []mark
	for _, c := range p.Curves {
		if !c.Loss.finite() {
			marks = append(marks, mark{float64(c.Step), fmt.Sprintf("loss not finite, step %s", term.Thousands(c.Step))})
			break
		}
	}
	if s := p.Health.CollapseStep; s != nil {
		marks = append(marks, mark{float64(*s), fmt.Sprintf("collapse, step %s", term.Thousands(*s))})
	}
	curve := func(title, ylabel string, colour int, get func(CurvePoint) (Num, bool)) template.HTML {
		s := series{colour: colour}
		for _, c := range p.Curves {
			if v, ok := get(c); ok {
				s.points = append(s.points, point{x: float64(c.Step), y: float64(v)})
			}
		}
		return plot{title: title, desc: "By training step; a table follows.", xlabel: "training step", ylabel: ylabel, series: []series{s}, marks: marks, height: 190, width: 300}.draw()
	}
	p.LossPlots = append(p.LossPlots, curve("Total loss", "total loss (lower is better)", 0, func(c CurvePoint) (Num, bool) { return c.Loss, true }))
	for i, n := range p.Objectives {
		if i >= 12 {
			break
		}
		p.LossPlots = append(p.LossPlots, curve("Objective "+n, "objective “"+clip(n, 30)+"” alone", 2, func(c CurvePoint) (Num, bool) { v, ok := c.Objectives[n]; return v, ok }))
	}
	marks = nil
	p.RatePlots = append(p.RatePlots,
		curve("Learning rate", "learning rate", 3, func(c CurvePoint) (Num, bool) { return c.LR, true }),
		curve("Speed", "samples per second", 5, func(c CurvePoint) (Num, bool) { return c.Rate, true }))
	p.CurveRows = spaced(p.Curves, 12)
}

// spaced picks at most n elements at equal distances, the first and last included.
func spaced[T any](v []T, n int) []T {
	if len(v) <= n {
		return v
	}
	out := make([]T, n)
	for i := range n {
		out[i] = v[i*(len(v)-1)/(n-1)]
	}
	return out
}

func (p *page) buildHealth() {
	pts := p.Health.Points
	if len(pts) == 0 {
		return
	}
	var marks []mark
	if s := p.Health.CollapseStep; s != nil {
		marks = append(marks, mark{float64(*s), fmt.Sprintf("collapse, step %s", term.Thousands(*s))})
	}
	curve := func(title, ylabel string, get func(HealthPoint) *Num) {
		s := series{colour: 0}
		for _, h := range pts {
			if v := get(h); v != nil {
				s.points = append(s.points, point{x: float64(h.Step), y: float64(*v)})
			}
		}
		if len(s.points) == 0 {
			return
		}
		p.HealthPlots = append(p.HealthPlots, plot{title: title, desc: "By training step; a table follows.", xlabel: "training step", ylabel: ylabel, series: []series{s}, marks: marks, height: 180, width: 300}.draw())
	}
	of := ""
	if p.Health.Dim > 0 {
		of = fmt.Sprintf(" of %d dimensions", p.Health.Dim)
	}
	curve("Effective rank", "effective rank"+of+" (low: collapse)", func(h HealthPoint) *Num { return &h.EffectiveRank })
	curve("Spread", "spread, 1 = full (near 0: collapse)", func(h HealthPoint) *Num { return &h.Spread })
	curve("Alignment", "alignment of two views (lower is closer)", func(h HealthPoint) *Num { return &h.Alignment })
	curve("Uniformity", "uniformity (lower is more even)", func(h HealthPoint) *Num { return &h.Uniformity })
	curve("Online kNN", "kNN accuracy, validation part (higher is better)", func(h HealthPoint) *Num { return h.KNN })
	p.HealthRows = spaced(pts, 12)
}

// Shape prints the size of one sample.
func (p *page) Shape() template.HTML {
	var parts []string
	for _, d := range p.Data.Shape {
		parts = append(parts, string(datum(Num(d), term.Thousands(d))))
	}
	return template.HTML(strings.Join(parts, " × "))
}

// Interval reports whether any value of the audit has one.
func (p *page) Interval() bool {
	for _, a := range p.Audit.Rows {
		if a.Lo != nil {
			return true
		}
	}
	return false
}

// HasSafe reports whether any certificate names a safe range.
func (p *page) HasSafe() bool {
	for _, c := range p.Certificates {
		if c.SafeFrom != nil && c.SafeTo != nil {
			return true
		}
	}
	return false
}

// OneComparison reports whether all verdicts compare the same methods by the
// same metric, so that the caption can say it once.
func (p *page) OneComparison() bool {
	for _, c := range p.Compared {
		d := p.Compared[0]
		if c.Task != d.Task || c.Metric != d.Metric || c.Method != d.Method || c.Reference != d.Reference {
			return false
		}
	}
	return true
}

// JSONSize is the size of the embedded file, in kB.
func (p *page) JSONSize() string {
	return term.Thousands(int(math.Ceil(float64(p.JSONBytes)/1000))) + "\u00a0kB"
}

// Spreads says what spreads are taken over.
func (p *page) Spreads() string { return p.over() }

// HealthTone is the class of the health verdict.
func (p *page) HealthTone() string { return tone(p.Health.Verdict) }

// Tone is the class of the finding.
func (a AuditRow) Tone() string { return tone(a.Verdict) }

// Tone is the class of the verdict.
func (c compared) Tone() string { return tone(c.Verdict.Verdict) }

// Ceiling reports whether any value of the audit has one.
func (p *page) Ceiling() bool {
	return slices.ContainsFunc(p.Audit.Rows, func(a AuditRow) bool { return a.Ceiling != nil })
}

// CounterRows reports whether the counter-examples are rows.
func (p *page) CounterRows() bool {
	return slices.ContainsFunc(p.Counters, func(c Certificate) bool { return len(c.Counter.Cells) > 0 })
}

// Open reports whether the contract was neither shown to hold nor to be broken.
func (c Certificate) Open() bool { return c.Pass && c.Outcome == NotShown }

func (c CounterExample) place() string {
	if c.Place != "" {
		return c.Place
	}
	return fmt.Sprintf("sample %d", c.Sample)
}

// EpochNum is Epoch as the page prints it.
func (c CounterExample) EpochNum() Num { return Num(c.Epoch) }
