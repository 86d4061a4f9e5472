package table

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rowrule"
	"github.com/selfsame-ml/selfsame/view"
)

// wholeRows is how many rows are shown with all their columns; of single columns as many as are asked for.
const wholeRows = 2

// WriteSheet writes the views of n training rows as one HTML page without external resources: for every declared transformation
// the original cells beside draws at low, middle and high strength, with changed cells marked, its parameters, probability and
// contracts; and the views of every stream as training would see them in epoch 0 of the run with that seed.
func (s *Samples) WriteSheet(w io.Writer, title string, n int, seed uint64) error {
	v, err := s.sampler()
	if err != nil {
		return err
	}
	total := s.Len(domain.Train)
	if n < 1 || total < 1 {
		return errors.New("table: a sheet of views needs at least 1 row")
	}
	n = min(n, total)
	rows := make([]int, n)
	for k := range rows {
		rows[k] = k * total / n // spread over the training part
	}
	p := sheet{Title: title, Seed: seed, Shape: fmt.Sprintf("%d rows for training, %d columns, %d of them seen by the encoder", total, len(s.table.Columns), s.inputs())}
	for k := range v.streams {
		c, err := v.streamCard(k, rows, seed)
		if err != nil {
			return err
		}
		p.Streams = append(p.Streams, c)
	}
	for _, t := range v.transforms {
		c, err := v.card(t.(*transformation), rows, seed)
		if err != nil {
			return err
		}
		p.Cards = append(p.Cards, c)
	}
	for _, c := range s.table.Columns {
		if c.Protected {
			p.Protected = append(p.Protected, c.Name)
		}
	}
	p.Rules = s.recipe.Rules
	var buf bytes.Buffer
	if err := sheetPage.Execute(&buf, p); err != nil {
		return fmt.Errorf("table: sheet of views: %w", err)
	}
	_, err = w.Write(buf.Bytes())
	return err
}

func (s *Samples) inputs() (n int) {
	for _, c := range s.table.Columns {
		if c.Input {
			n++
		}
	}
	return n
}

type sheet struct {
	Title, Shape     string
	Seed             uint64
	Streams, Cards   []sheetCard
	Protected, Rules []string
}

type sheetCard struct {
	Name, Doc, Chance, Kind string
	Params                  []sheetParam
	Terms                   []sheetTerm
	Grids                   []sheetGrid
}

type sheetParam struct{ Name, Value, Doc string }

type sheetTerm struct{ Kind, Text string }

// sheetGrid is a small table: original cells beside views.
type sheetGrid struct {
	Caption string
	Heads   []string
	Rows    []sheetRow
}

type sheetRow struct {
	Name  string
	Cells []sheetCell
}

type sheetCell struct {
	Text, Mark, Note string // Mark: "", "changed", "gone" (dropped, masked, missing)
}

// shorten keeps a text cell from filling the page.
func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:39]) + "…"
	}
	return s
}

// cellOf is cell j of r beside the original.
func (v *Sampler) cellOf(r, src *Row, j int) sheetCell {
	c := sheetCell{Text: shorten(v.m.t.Columns[j].CellWords(r.V[j], r.S[j]))}
	switch {
	case same(r, src, j):
	case r.S[j] != Present:
		c.Mark = "gone"
	default:
		c.Mark = "changed"
	}
	return c
}

// amount writes a value of the principal parameter of a step with its unit.
func (v *Sampler) amount(s *step, x float64) string {
	switch {
	case s.op == opScale:
		return "×" + decimal(x)
	case s.op.row():
		return decimal(100*x) + " %"
	case s.column >= 0 && s.op.moves() && v.m.t.Columns[s.column].Kind == Timestamp:
		return strings.Replace(rowrule.FormatDuration(math.Round(x)), "-", "−", 1)
	}
	text := decimal(x)
	if s.op.moves() && v.m.t.Columns[s.column].Unit != "" {
		text += " " + v.m.t.Columns[s.column].Unit
	}
	return text
}

// decimal writes a number with at most four significant digits after leading zeros.
func decimal(x float64) string {
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if len(s) > 7 {
		s = strconv.FormatFloat(x, 'g', 4, 64)
	}
	return strings.Replace(s, "-", "−", 1)
}

func (v *Sampler) span(s *step, r contract.Range) string {
	if s.spec.Params[0].Integer && r.From == 1 && r.To == 1 {
		return "yes"
	}
	if r.From == r.To {
		return v.amount(s, r.From)
	}
	return v.amount(s, r.From) + " to " + v.amount(s, r.To)
}

// follows are the columns that a step changes: its own and those derived from it; nil for the whole row.
func (v *Sampler) follows(s *step) []int {
	if s.op.row() {
		return nil
	}
	cols := []int{s.column}
	for _, d := range v.m.book.derivations {
		if slices.ContainsFunc(d.inputs, func(in int) bool { return slices.Contains(cols, in) }) {
			cols = append(cols, d.target)
		}
	}
	return cols
}

// grids show views of rows: all columns of a few rows, one grid each; or few columns of all rows in one grid.
func (v *Sampler) grids(rows []int, cols []int, heads []string, fill func(i, k int, r *Row) (string, error)) ([]sheetGrid, error) {
	n := len(v.m.t.Columns)
	src, r := NewRow(n), NewRow(n)
	var out []sheetGrid
	one := sheetGrid{Heads: append([]string{"row"}, heads...)}
	for at, i := range rows {
		if cols == nil && at >= wholeRows {
			break
		}
		if err := v.samples.Row(domain.Train, i, &src); err != nil {
			return nil, err
		}
		g := sheetGrid{Caption: v.samples.Name(domain.Train, i), Heads: append([]string{"column"}, heads...)}
		show := cols
		if cols == nil {
			for j := range n {
				if v.m.t.Columns[j].Input {
					show = append(show, j)
				}
			}
		}
		lines := make2(len(show), len(heads))
		for q, j := range show {
			lines[q][0] = v.cellOf(&src, &src, j)
		}
		for k := 1; k < len(heads); k++ {
			note, err := fill(i, k-1, &r)
			if err != nil {
				return nil, err
			}
			for q, j := range show {
				lines[q][k] = v.cellOf(&r, &src, j)
				if q == 0 {
					lines[q][k].Note = note
				}
			}
		}
		for q, j := range show {
			row := sheetRow{Name: v.m.t.Columns[j].Name, Cells: lines[q]}
			if cols == nil {
				g.Rows = append(g.Rows, row)
				continue
			}
			if len(cols) == 1 {
				row.Name = v.samples.Name(domain.Train, i)
			} else if q == 0 {
				row.Name = v.samples.Name(domain.Train, i) + ", " + row.Name
			}
			one.Rows = append(one.Rows, row)
		}
		if cols == nil {
			out = append(out, g)
		}
	}
	if cols != nil {
		out = []sheetGrid{one}
	}
	return out, nil
}

func make2(rows, cols int) [][]sheetCell {
	out := make([][]sheetCell, rows)
	for i := range out {
		out[i] = make([]sheetCell, cols)
	}
	return out
}

// card shows one transformation alone.
func (v *Sampler) card(t *transformation, rows []int, seed uint64) (sheetCard, error) {
	s := t.step
	c := sheetCard{Name: s.cfg.Name, Doc: s.spec.Doc, Chance: "applied to " + decimal(100*s.cfg.P) + " % of the views"}
	if s.invariant.Empty() {
		c.Chance = "always applied, in its own stream only"
	}
	for k, ps := range s.spec.Params {
		value := v.span(s, s.cfg.Params[ps.Name])
		if k > 0 {
			value = s.cfg.Params[ps.Name].String()
		}
		c.Params = append(c.Params, sheetParam{ps.Name, value, ps.Doc})
	}
	for _, name := range []string{"keep", "within"} {
		if o := s.cfg.Options[name]; o != "" {
			c.Params = append(c.Params, sheetParam{name, o, ""})
		}
	}
	for _, tm := range s.cfg.Terms {
		text := s.spec.Params[0].Name + " " + v.span(s, tm.Range)
		if s.spec.Params[0].Integer {
			text = ""
		}
		if tm.Weight != 0 && tm.Weight != 1 {
			text += ", weight " + decimal(tm.Weight)
		}
		c.Terms = append(c.Terms, sheetTerm{tm.Kind.String(), text})
	}
	declared := s.cfg.Params[s.spec.Params[0].Name]
	heads, draw := []string{"original", "low", "middle", "high"}, func(k, i int) view.Params { return t.At(float64(k)/2, seed, i) }
	switch {
	case s.op == opDrop:
		heads, draw = []string{"original", "view"}, func(_, i int) view.Params { return t.AtValue(1, seed, i) }
	case s.op == opMask:
		heads, draw = []string{"original", "view"}, func(_, i int) view.Params { return t.AtValue(1, seed, i) }
	case declared.Width() == 0 || s.spec.Params[0].Integer:
		heads, draw = []string{"original", "draw 1", "draw 2", "draw 3"}, func(k, i int) view.Params { return t.Draw(seed, uint64(k), i) }
	}
	var err error
	c.Grids, err = v.grids(rows, v.follows(s), heads, func(i, k int, r *Row) (string, error) {
		p := draw(k, i)
		note := ""
		if !s.spec.Params[0].Integer {
			note = v.amount(s, p.V[0])
			if tm, ok := s.cfg.Terms.At(p.V[0]); ok && len(s.cfg.Terms) > 1 {
				note += ", " + tm.Kind.String()
			}
		}
		if err := t.ViewRow(r, domain.Train, i, p); err != nil {
			return "", err
		}
		if s.op.moves() && p.V[0] != s.spec.Identity && r.S[s.column] == Present {
			wrote, err := t.Details(domain.Train, i, p)
			if err != nil {
				return "", err
			}
			if len(wrote) == 0 || wrote[0].New != r.V[s.column] {
				note += ": impossible, kept"
			}
		}
		return note, nil
	})
	return c, err
}

// streamCard shows what training reads of one stream.
func (v *Sampler) streamCard(k int, rows []int, seed uint64) (sheetCard, error) {
	st := &v.streams[k]
	c := sheetCard{Kind: st.Kind.String()}
	heads := []string{"original"}
	var cols []int
	switch st.Kind {
	case contract.Invariant:
		c.Name = fmt.Sprintf("%d views that mean the same", st.Views)
		c.Doc = "Everything declared Invariant is drawn with its probability; the encoder learns to give the views of a row the same features."
		for n := range min(st.Views, 4) {
			heads = append(heads, fmt.Sprintf("view %d", n+1))
		}
	case contract.Equivariant:
		c.Name = st.Name + ": predict what was drawn"
		c.Doc = "Other columns change within their Invariant ranges; then this one, whose drawn parameter is the target. The network sees the undisturbed row beside the view."
		heads, cols = append(heads, "view and what was drawn"), v.follows(v.m.steps[st.step])
	default:
		c.Name = st.Name + ": restore what was taken away"
		c.Doc = "The encoder sees the damaged row and is asked for the original cells."
		heads, cols = append(heads, "view"), v.follows(v.m.steps[st.step])
	}
	var err error
	c.Grids, err = v.grids(rows, cols, heads, func(i, n int, r *Row) (string, error) {
		rv, err := v.View(seed, 0, i, k, n)
		if err != nil {
			return "", err
		}
		CopyRow(r, &rv.Row)
		if st.Kind != contract.Equivariant {
			return "", nil
		}
		for _, d := range rv.Draws {
			if d.Transform == st.Name {
				return fmt.Sprintf("%s (target %s)", v.amount(v.m.steps[st.step], d.Params.V[0]), decimal(math.Round((d.Params.V[0]-st.mid)/st.half*100)/100)), nil
			}
		}
		return "nothing to change", nil
	})
	return c, err
}

var _ domain.Sheeter = (*Samples)(nil)

var sheetPage = template.Must(template.New("sheet").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}: views</title>
<style>
:root{--ink:#1c2430;--soft:#5b6675;--line:#d9dee6;--paper:#fff;--back:#f4f6f9;--changed:#fff0c2;--gone:#e6e9ee;--invariant:#1f6f50;--equivariant:#1f5fa8;--restorable:#8a5a00;--protected:#a8323a}
*{box-sizing:border-box}
body{margin:0;padding:1.2rem clamp(.6rem,3vw,2rem) 3rem;font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;color:var(--ink);background:var(--back)}
h1{font-size:1.5rem;margin:0 0 .2rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:1.8rem 0 .6rem}h3{font-size:1.05rem;margin:0;overflow-wrap:anywhere}
p{margin:.2rem 0 .6rem;max-width:46rem}.soft{color:var(--soft)}
.cards{columns:30rem;column-gap:1rem}
.card{margin:0 0 1rem;background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:.8rem .9rem;break-inside:avoid}
.top{display:flex;flex-wrap:wrap;gap:.3rem .6rem;align-items:baseline;justify-content:space-between}
.tag{display:inline-block;border-radius:999px;padding:.05rem .55rem;font-size:.8rem;color:#fff;background:var(--soft);margin:0 .3rem .2rem 0}
.invariant{background:var(--invariant)}.equivariant{background:var(--equivariant)}.restorable{background:var(--restorable)}.protected{background:var(--protected)}
.term{font-size:.9rem;margin-right:.8rem;white-space:nowrap}
table{border-collapse:collapse;width:100%;font-size:.85rem;margin:.3rem 0 .5rem}
th{text-align:left;font-weight:600}
table.params td,table.params th{vertical-align:top;padding:.12rem .5rem .12rem 0;border-top:1px solid var(--line)}
table.params tr:first-child td,table.params tr:first-child th{border-top:0}
table.params td:not(.doc){white-space:nowrap}
.doc{color:var(--soft)}
.wide{overflow-x:auto}
table.grid caption{text-align:left;font-size:.8rem;color:var(--soft);padding:.2rem 0}
table.grid th,table.grid td{padding:.18rem .45rem;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
table.grid thead th{font-size:.78rem;color:var(--soft);font-weight:400;border-top:0}
table.grid tbody th{font-weight:400;color:var(--soft);white-space:nowrap}
table.grid td{font-variant-numeric:tabular-nums}
td.changed{background:var(--changed)}td.gone{background:var(--gone);color:var(--soft);font-style:italic}
td small{display:block;color:var(--soft);font-size:.72rem;font-style:normal;white-space:nowrap}
.key span{padding:.05rem .4rem;border:1px solid var(--line);margin-right:.3rem;font-size:.85rem}
@media print{body{background:#fff;padding:0;font-size:11px}.cards{columns:2}.tag,td{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
</style></head><body>
<h1>{{.Title}}: views</h1>
<p class="soft">{{.Shape}} · seed {{.Seed}}</p>
<p class="key"><span style="background:var(--changed)">changed</span><span style="background:var(--gone);font-style:italic">dropped, masked or missing</span></p>
{{if .Protected}}<p><span class="tag protected">protected</span>{{range $k, $n := .Protected}}{{if $k}}, {{end}}{{$n}}{{end}}: no view changes a bit of them.</p>{{end}}
{{if .Rules}}<p>Every view keeps the rules {{range $k, $n := .Rules}}{{if $k}}, {{end}}<code>{{$n}}</code>{{end}}.</p>{{end}}
{{define "grids"}}{{range .}}<div class="wide"><table class="grid">{{if .Caption}}<caption>{{.Caption}}</caption>{{end}}<thead><tr>{{range .Heads}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>{{range .Rows}}<tr><th scope="row">{{.Name}}</th>{{range .Cells}}<td{{if .Mark}} class="{{.Mark}}"{{end}}>{{.Text}}{{if .Note}}<small>{{.Note}}</small>{{end}}</td>{{end}}</tr>
{{end}}</tbody></table></div>{{end}}{{end}}
{{if .Streams}}<h2>What training reads</h2>
<div class="cards">{{range .Streams}}<section class="card"><div class="top"><h3>{{.Name}}</h3><span class="tag {{.Kind}}">{{.Kind}}</span></div>
<p class="soft">{{.Doc}}</p>
{{template "grids" .Grids}}</section>
{{end}}</div>{{else}}<p>No stream: no declared transformation holds a contract that training could use.</p>{{end}}
<h2>The declared transformations, one by one</h2>
<div class="cards">{{range .Cards}}<section class="card"><div class="top"><h3>{{.Name}}</h3><span class="soft">{{.Chance}}</span></div>
<p class="soft">{{.Doc}}</p>
<div>{{range .Terms}}<span class="term"><span class="tag {{.Kind}}">{{.Kind}}</span>{{.Text}}</span>{{end}}</div>
<table class="params">{{range .Params}}<tr><th scope="row">{{.Name}}</th><td>{{.Value}}</td><td class="doc">{{.Doc}}</td></tr>{{end}}</table>
{{template "grids" .Grids}}</section>
{{end}}</div>
</body></html>
`))
