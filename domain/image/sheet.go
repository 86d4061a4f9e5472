package image

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	stdimage "image"
	"image/png"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/view"
)

// sheetSide is the largest side of a picture on the sheet, in pixels of the file.
const sheetSide = 160

// WriteSheet writes the contact sheet of a sampler's views as one HTML page without
// external resources: for every declared transformation the original and draws at low, middle and
// high strength of some training samples, its parameters, probability and contract; and the batches of
// every stream as training would see them in epoch 0 of the run with that seed.
func WriteSheet(w io.Writer, title string, s *Sampler, samples []int, seed uint64) error {
	if len(samples) == 0 {
		return errors.New("image: a contact sheet needs at least 1 sample")
	}
	p := page{Title: title, Seed: seed, Shape: fmt.Sprintf("%d × %d pixels, %d channel%s, %d bit", s.shape.W, s.shape.H, s.shape.C, plural(s.shape.C), s.shape.Bits)}
	scratch, ok := s.NewScratch().(*workspace)
	if !ok {
		return errScratch
	}
	few := samples[:min(len(samples), 4)]
	for _, t := range s.transforms {
		c, err := s.card(t, few, seed)
		if err != nil {
			return err
		}
		p.Cards = append(p.Cards, c)
	}
	if err := s.streamCards(&p, samples[:min(len(samples), 8)], seed, scratch); err != nil {
		return err
	}
	var buf bytes.Buffer
	if err := sheetPage.Execute(&buf, p); err != nil {
		return fmt.Errorf("image: contact sheet: %w", err)
	}
	_, err := w.Write(buf.Bytes())
	return err
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

type page struct {
	Title, Shape string
	Seed         uint64
	Cards        []card
	Streams      []streamCard
}

type card struct {
	Name, Doc, Chance string
	Params            []param
	Terms             []term
	Heads             []string
	Rows              [][]cell
}

type param struct{ Name, Value, Unit, Doc string }

type term struct{ Kind, Text string }

type cell struct {
	URL  template.URL
	Note string
	Alt  string
}

type streamCard struct {
	Kind, Title, Text string
	Columns           int
	Heads             []string
	Rows              [][]cell
}

// number writes a value with at most three significant digits after the point.
func number(v float64) string {
	s := strconv.FormatFloat(v, 'f', 3, 64)
	s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return strings.Replace(s, "-", "−", 1)
}

func span(r contract.Range) string {
	if r.From == r.To {
		return number(r.From)
	}
	return number(r.From) + " to " + number(r.To)
}

var unitSigns = map[string]string{"degrees": "°", "pixels": " px", "factor": "×", "bits": " bits", "turns": " turns", "quarter turns": " × 90°"}

func (s *Sampler) card(t domain.Transformation, samples []int, seed uint64) (card, error) {
	spec, cfg := t.Spec(), t.Config()
	c := card{Name: cfg.Name, Doc: spec.Doc, Chance: "applied to " + number(100*cfg.P) + " % of the views"}
	if !cfg.Terms.Has(contract.Invariant) {
		c.Chance = "always applied, in its own stream only"
	}
	for _, ps := range spec.Params {
		c.Params = append(c.Params, param{ps.Name, span(cfg.Params[ps.Name]), ps.Unit, ps.Doc})
	}
	unit := unitSigns[spec.Params[0].Unit]
	for _, tm := range cfg.Terms {
		text := fmt.Sprintf("%s %s", spec.Params[0].Name, span(tm.Range))
		if tm.Weight != 0 && tm.Weight != 1 {
			text += ", weight " + number(tm.Weight)
		}
		c.Terms = append(c.Terms, term{tm.Kind.String(), text})
	}
	g := cfg.Params[spec.Params[0].Name]
	heads, draw := []string{"original", "low", "middle", "high"}, func(k, i int) view.Params { return t.At(float64(k)/2, seed, i) }
	switch {
	case g.From == g.To && spec.Classes > 0:
		heads = []string{"original", spec.Params[0].Name + " " + number(g.From)}
	case g.From == g.To:
		heads = []string{"original", "draw 1", "draw 2", "draw 3"}
		draw = func(k, i int) view.Params { return t.Draw(seed, uint64(k), i) }
	case spec.Classes > 0 && g.To-g.From <= 3:
		heads = []string{"original"}
		from := g.From
		if from == spec.Identity && g.To > from {
			from++
		}
		for v := from; v <= g.To; v++ {
			heads = append(heads, spec.Params[0].Name+" "+number(v))
		}
		draw = func(k, i int) view.Params { return t.AtValue(from+float64(k), seed, i) }
	case spec.Classes > 0:
		heads = []string{"original", "draw 1", "draw 2", "draw 3"}
		draw = func(k, i int) view.Params { return t.Draw(seed, uint64(k), i) }
	}
	c.Heads = heads
	if len(heads) == 2 && len(samples) > 1 { // two samples side by side
		c.Heads = append(append([]string{}, heads...), heads...)
	}
	a := array(s.in, 1)
	for _, i := range samples {
		var src Image
		if err := s.source(&src, domain.Train, i); err != nil {
			return c, err
		}
		url, err := dataURL(&src, peak(&src))
		if err != nil {
			return c, err
		}
		row := []cell{{URL: url, Alt: fmt.Sprintf("sample %d", i), Note: fmt.Sprintf("sample %d", i)}}
		for k := range len(heads) - 1 {
			p := draw(k, i)
			if err := t.Fill(&a, 0, domain.Train, i, p); err != nil {
				return c, err
			}
			var m Image
			m.wrap(&a, 0, s.shape)
			u, err := dataURL(&m, peak(&src))
			if err != nil {
				return c, err
			}
			n := note(cfg.Name, spec, unit, p)
			if at, ok := cfg.Terms.At(p.V[0]); ok && len(cfg.Terms) > 1 { // which of several contracts holds here
				n += ", " + at.Kind.String()
			}
			row = append(row, cell{URL: u, Note: n, Alt: cfg.Name + " " + number(p.V[0])})
		}
		c.Rows = append(c.Rows, row)
	}
	return c, nil
}

// note says what was drawn, in the fewest words that fit below a picture.
func note(name string, spec view.Spec, unit string, p view.Params) string {
	switch name {
	case "jitter":
		text := "b×" + number(math.Round(p.V[jitterBright]*100)/100) + " c×" + number(math.Round(p.V[jitterContrast]*100)/100)
		if p.V[3] != 0 {
			text += " s×" + number(math.Round(p.V[jitterSaturation]*100)/100)
		}
		if p.V[4] != 0 {
			text += " h" + number(math.Round(p.V[jitterHue]*100)/100)
		}
		return text
	case "translate":
		return number(p.V[2]) + ", " + number(p.V[3]) + " px"
	case "crop":
		return number(100*p.V[0]) + " % of the area"
	}
	v := p.V[0]
	if math.Abs(v) >= 10 {
		v = math.Round(v*10) / 10
	} else {
		v = math.Round(v*100) / 100
	}
	return spec.Params[0].Name + " " + number(v) + unit
}

func array(f domain.Field, rows int) (a domain.Array) {
	switch n := f.Size() * rows; f.DType {
	case domain.U8:
		a.U8 = make([]uint8, n)
	case domain.U16:
		a.U16 = make([]uint16, n)
	case domain.I32:
		a.I32 = make([]int32, n)
	case domain.F32:
		a.F32 = make([]float32, n)
	}
	return a
}

func (s *Sampler) streamCards(p *page, samples []int, seed uint64, w *workspace) error {
	if len(s.streams) == 0 {
		return nil
	}
	dst := make([]domain.Array, len(s.fields))
	for i, f := range s.fields {
		dst[i] = array(f, 1)
	}
	cards := make([]streamCard, len(s.streams))
	for n, i := range samples {
		if err := s.Fill(dst, 0, seed, 0, i, w); err != nil {
			return err
		}
		hi := peak(&w.src)
		original, err := dataURL(&w.src, hi)
		if err != nil {
			return err
		}
		for k := range s.streams {
			st, c := &s.streams[k], &cards[k]
			head := func(names ...string) {
				if n == 0 {
					c.Heads = append(c.Heads, names...)
				}
			}
			var row []cell
			var failed error
			add := func(field, off int, sh Shape, note string) {
				var m Image
				m.wrap(&dst[field], off, sh)
				u, err := dataURL(&m, hi)
				if err != nil {
					failed = err
				}
				row = append(row, cell{URL: u, Note: note, Alt: note})
			}
			head("original")
			row = append(row, cell{URL: original, Note: fmt.Sprintf("sample %d", i), Alt: fmt.Sprintf("sample %d", i)})
			c.Kind = st.Kind.String()
			size := s.in.Size()
			switch st.Kind {
			case contract.Invariant:
				c.Title = fmt.Sprintf("%d views that mean the same", st.Views)
				c.Text = "Each row is one sample. Everything declared Invariant is drawn with its probability; the encoder learns to give the views of a row the same features."
				for v := range min(st.Views, 4) {
					head(fmt.Sprintf("view %d", v+1))
					add(st.input, v*size, s.shape, "")
				}
				if st.locals >= 0 {
					each := s.fields[st.locals].Size() / s.cfg.Locals
					for v := range min(s.cfg.Locals, 4) {
						head(fmt.Sprintf("local %d", v+1))
						add(st.locals, v*each, s.local, "")
					}
				}
			case contract.Equivariant:
				c.Title = st.Name + ": predict what was drawn"
				c.Text = "The other Invariant transformations come first, less those that could hide the answer; then this one, whose drawn parameter is the target."
				head("input and target")
				if st.Classes > 0 {
					add(st.input, 0, s.shape, fmt.Sprintf("%s %d", w.pipe.Steps[st.step].Transform.Spec().Params[0].Name, dst[st.target].I32[0]))
				} else {
					v := float64(dst[st.target].F32[0])
					ps := w.pipe.Steps[st.step].Transform.Spec().Params[0]
					add(st.input, 0, s.shape, fmt.Sprintf("%s %s%s (target %s)", ps.Name, number(math.Round((v*st.half+st.mid)*10)/10), unitSigns[ps.Unit], number(math.Round(v*100)/100)))
				}
			case contract.Restorable:
				c.Title = st.Name + ": restore what was removed"
				c.Text = "Input, and the mask of what has to be restored (white)."
				head("input", "mask")
				add(st.input, 0, s.shape, "")
				m := Image{W: s.shape.W, H: s.shape.H, C: s.shape.C, Bits: 8, Pix: dst[st.maskF].U8}
				u, err := dataURL(&m, 1)
				if err != nil {
					failed = err
				}
				row = append(row, cell{URL: u, Alt: "mask"})
			}
			if failed != nil {
				return failed
			}
			c.Rows = append(c.Rows, row)
		}
	}
	for k := range cards { // few columns: two samples side by side
		c := &cards[k]
		if len(c.Heads) <= 3 && len(c.Rows) > 1 {
			c.Heads = append(c.Heads, c.Heads...)
		}
		c.Columns = len(c.Heads)
	}
	p.Streams = cards
	return nil
}

// peak is the value shown as white: full scale of 8 bits, the largest value of a 16-bit picture.
func peak(m *Image) int {
	if m.Bits == 8 {
		return 255
	}
	hi := 1
	for _, v := range m.Pix16 {
		hi = max(hi, int(v))
	}
	return hi
}

// dataURL writes m as a PNG: the first three channels as colours, or the first alone where there are
// fewer; large pictures are made smaller.
func dataURL(m *Image, white int) (template.URL, error) {
	if big := max(m.W, m.H); big > sheetSide {
		small := New(max(m.W*sheetSide/big, 1), max(m.H*sheetSide/big, 1), m.C, m.Bits)
		resample(&scratch{}, small, m, 0, 0, m.W, m.H)
		m = small
	}
	level := func(x, y, c int) uint8 { return uint8(min(m.At(x, y, c)*255/white, 255)) }
	var pic stdimage.Image
	if m.C < 3 {
		g := stdimage.NewGray(stdimage.Rect(0, 0, m.W, m.H))
		for i := range g.Pix {
			g.Pix[i] = level(i%m.W, i/m.W, 0)
		}
		pic = g
	} else {
		g := stdimage.NewNRGBA(stdimage.Rect(0, 0, m.W, m.H))
		for i := range m.W * m.H {
			for c := range 3 {
				g.Pix[4*i+c] = level(i%m.W, i/m.W, c)
			}
			g.Pix[4*i+3] = 255
		}
		pic = g
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, pic); err != nil {
		return "", fmt.Errorf("image: contact sheet: %w", err)
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(buf.Bytes())), nil //nolint:gosec // our own base64
}

var sheetPage = template.Must(template.New("sheet").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}: views</title>
<style>
:root{--ink:#1c2430;--soft:#5b6675;--line:#d9dee6;--paper:#fff;--back:#f4f6f9;--invariant:#1f6f50;--equivariant:#1f5fa8;--restorable:#8a5a00;--protected:#a8323a}
*{box-sizing:border-box}
body{margin:0;padding:1.2rem clamp(.6rem,3vw,2rem) 3rem;font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;color:var(--ink);background:var(--back)}
h1{font-size:1.5rem;margin:0 0 .2rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:1.8rem 0 .6rem}h3{font-size:1.05rem;margin:0}
p{margin:.2rem 0 .6rem;max-width:46rem}.soft{color:var(--soft)}
.cards{columns:25rem;column-gap:1rem}
.card{margin:0 0 1rem;background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:.8rem .9rem;break-inside:avoid}
.top{display:flex;flex-wrap:wrap;gap:.3rem .6rem;align-items:baseline;justify-content:space-between}
.tag{display:inline-block;border-radius:999px;padding:.05rem .55rem;font-size:.8rem;color:#fff;background:var(--soft);margin:0 .3rem .2rem 0}
.invariant{background:var(--invariant)}.equivariant{background:var(--equivariant)}.restorable{background:var(--restorable)}.protected{background:var(--protected)}
.term{font-size:.9rem;margin-right:.8rem;white-space:nowrap}
table.params{border-collapse:collapse;width:100%;font-size:.85rem;margin:.3rem 0 .5rem}
table.params td,table.params th{text-align:left;vertical-align:top;padding:.12rem .5rem .12rem 0;border-top:1px solid var(--line);font-weight:400}
table.params tr:first-child td,table.params tr:first-child th{border-top:0}
table.params th{font-weight:600}table.params td:not(.doc){white-space:nowrap}
.doc{color:var(--soft)}
.grid{display:grid;gap:.35rem .4rem}
.head{font-size:.78rem;color:var(--soft);text-align:center}
figure{margin:0;text-align:center;min-width:0}
figure img{width:100%;max-width:9rem;aspect-ratio:auto;image-rendering:pixelated;border:1px solid var(--line);display:block;margin:0 auto;background:#888}
figcaption{font-size:.72rem;color:var(--soft);min-height:1em;line-height:1.2;overflow-wrap:anywhere}
@media print{body{background:#fff;padding:0;font-size:11px}.cards{columns:2}.tag,figure img{-webkit-print-color-adjust:exact;print-color-adjust:exact}figure img{max-width:2.4cm}}
</style></head><body>
<h1>{{.Title}}: views</h1>
<p class="soft">{{.Shape}} · seed {{.Seed}}</p>
{{if .Streams}}<h2>What training reads</h2>
<div class="cards">{{range .Streams}}<section class="card"><div class="top"><h3>{{.Title}}</h3><span class="tag {{.Kind}}">{{.Kind}}</span></div>
<p class="soft">{{.Text}}</p>
<div class="grid" style="grid-template-columns:repeat({{.Columns}},1fr)">{{range .Heads}}<div class="head">{{.}}</div>{{end}}
{{range .Rows}}{{range .}}<figure><img src="{{.URL}}" alt="{{.Alt}}"><figcaption>{{.Note}}</figcaption></figure>{{end}}
{{end}}</div></section>
{{end}}</div>{{else}}<p>No stream: no declared transformation holds a contract that training could use.</p>{{end}}
<h2>The declared transformations, one by one</h2>
<div class="cards">{{range .Cards}}<section class="card"><div class="top"><h3>{{.Name}}</h3><span class="soft">{{.Chance}}</span></div>
<p class="soft">{{.Doc}}</p>
<div>{{range .Terms}}<span class="term"><span class="tag {{.Kind}}">{{.Kind}}</span>{{.Text}}</span>{{end}}</div>
<table class="params">{{range .Params}}<tr><th scope="row">{{.Name}}</th><td>{{.Value}}</td><td>{{.Unit}}</td><td class="doc">{{.Doc}}</td></tr>{{end}}</table>
<div class="grid" style="grid-template-columns:repeat({{len .Heads}},1fr)">{{range .Heads}}<div class="head">{{.}}</div>{{end}}
{{range .Rows}}{{range .}}<figure><img src="{{.URL}}" alt="{{.Alt}}"><figcaption>{{.Note}}</figcaption></figure>{{end}}
{{end}}</div></section>
{{end}}</div>
</body></html>
`))
