package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/selfsame-ml/selfsame/internal/term"
)

// Plots are drawn for a width of 400 units: that is about the width of a phone,
// and two stand side by side on a desk.
const (
	plotW = 400.0
	fontW = 6.1 // mean width of a character at 11 units
)

// svg builds one picture. Text is escaped here and nowhere else.
type svg struct {
	b    strings.Builder
	w, h float64
}

var plotID = func(title string) string { // stable, so that the same report gives the same bytes
	h := uint64(14695981039346656037)
	for i := range len(title) {
		h = (h ^ uint64(title[i])) * 1099511628211
	}
	return fmt.Sprintf("p%x", h)
}

func newSVG(w, h float64, title, desc string) *svg {
	s := &svg{w: w, h: h}
	id := plotID(title + "\x00" + desc)
	fmt.Fprintf(&s.b, `<svg class="plot" viewBox="0 0 %s %s" role="img" aria-labelledby="%s-t %s-d">`, co(w), co(h), id, id)
	fmt.Fprintf(&s.b, `<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`, id, html.EscapeString(title), id, html.EscapeString(desc))
	return s
}

func (s *svg) html() template.HTML {
	return template.HTML(s.b.String() + "</svg>") // every string went through html.EscapeString
}

// co prints a coordinate.
func co(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	t := fmt.Sprintf("%.1f", v)
	return strings.TrimSuffix(t, ".0")
}

func (s *svg) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&s.b, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, class, co(x1), co(y1), co(x2), co(y2))
}

// text writes a label; anchor is start, middle or end. Text longer than max
// characters is cut, with the whole in a tooltip.
func (s *svg) text(class string, x, y float64, anchor, t string, max int) {
	cut := clip(t, max)
	fmt.Fprintf(&s.b, `<text class="%s" x="%s" y="%s" text-anchor="%s">`, class, co(x), co(y), anchor)
	if cut != t {
		fmt.Fprintf(&s.b, `<title>%s</title>`, html.EscapeString(clip(t, 300)))
	}
	s.b.WriteString(html.EscapeString(cut) + `</text>`)
}

// clip cuts a string to about max characters of mean width, the last one an
// ellipsis. Wide letters count more, so that a label stays in its place.
func clip(t string, max int) string {
	if max < 1 {
		return t
	}
	used, cut := 0.0, len(t)
	for i, c := range t {
		switch {
		case c >= 0x1100:
			used += 1.9
		case strings.ContainsRune("MW@%mw", c):
			used += 1.6
		default:
			used++
		}
		if used <= float64(max)-1 {
			cut = i + utf8.RuneLen(c)
		}
		if used > float64(max) {
			return t[:min(cut, len(t))] + "…"
		}
	}
	return t
}

// marker draws the shape of series i: shapes differ so that colour is never the only sign.
func (s *svg) marker(i int, x, y, r float64, class, tip string) {
	c, shape := fmt.Sprintf("f%d %s", i%seriesColours, class), i%4
	if i >= 4 { // further methods: hollow, and another shape than the colour's first
		c, shape = fmt.Sprintf("s%d hollow", i%seriesColours), (i+1)%4
	}
	switch shape {
	case 0:
		fmt.Fprintf(&s.b, `<circle class="%s" cx="%s" cy="%s" r="%s">`, c, co(x), co(y), co(r))
		s.tip(tip, "circle")
	case 1:
		fmt.Fprintf(&s.b, `<rect class="%s" x="%s" y="%s" width="%s" height="%s">`, c, co(x-r*.9), co(y-r*.9), co(r*1.8), co(r*1.8))
		s.tip(tip, "rect")
	case 2:
		fmt.Fprintf(&s.b, `<path class="%s" d="M%s %sl%s %sh%sz">`, c, co(x), co(y-r*1.2), co(r*1.2), co(r*2.1), co(-r*2.4))
		s.tip(tip, "path")
	default:
		fmt.Fprintf(&s.b, `<path class="%s" d="M%s %sl%s %sl%s %sl%s %sz">`, c, co(x), co(y-r*1.3), co(r*1.3), co(r*1.3), co(-r*1.3), co(r*1.3), co(-r*1.3), co(-r*1.3))
		s.tip(tip, "path")
	}
}

func (s *svg) tip(tip, el string) {
	if tip != "" {
		s.b.WriteString("<title>" + html.EscapeString(tip) + "</title>")
	}
	s.b.WriteString("</" + el + ">")
}

const seriesColours = 8

// scale maps values to coordinates.
type scale struct {
	lo, hi float64 // of the values, as logarithms where log
	a, b   float64 // of the coordinates
	log    bool
	ticks  []float64
}

func (c scale) at(v float64) float64 {
	if c.log {
		v = math.Log10(v)
	}
	return c.a + (v-c.lo)/(c.hi-c.lo)*(c.b-c.a)
}

// linear covers [lo, hi] with round ticks.
func linear(lo, hi, a, b float64, n int) scale {
	if !(lo < hi) {
		pad := math.Max(math.Abs(lo)*.05, .5)
		if math.Abs(lo) < 1e-3 && lo != 0 {
			pad = math.Abs(lo)
		}
		lo, hi = lo-pad, hi+pad
	}
	step, pad := niceStep((hi-lo)/float64(n)), (hi-lo)*.06
	c := scale{lo: lo - pad, hi: hi + pad, a: a, b: b}
	if lo >= 0 && c.lo < 0 { // no room below zero for what cannot be there
		c.lo = 0
	}
	first := math.Ceil(c.lo/step-1e-9) * step
	for i := range 50 {
		v := first + float64(i)*step
		if v > c.hi+step*1e-9 {
			break
		}
		if math.Abs(v) < step*1e-6 {
			v = 0
		}
		c.ticks = append(c.ticks, v)
	}
	return c
}

func niceStep(raw float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(raw)))
	switch f := raw / p; {
	case f <= 1:
		return p
	case f <= 2:
		return 2 * p
	case f <= 2.5:
		return 2.5 * p
	case f <= 5:
		return 5 * p
	}
	return 10 * p
}

// logScale covers [lo, hi], both above zero; ticks are at 1, 2, 5 times a power of ten.
func logScale(lo, hi, a, b float64) scale {
	if !(lo < hi) {
		lo, hi = lo/2, hi*2
	}
	c := scale{lo: math.Log10(lo), hi: math.Log10(hi), a: a, b: b, log: true}
	width := c.hi - c.lo
	for e := math.Floor(c.lo); e <= c.hi; e++ {
		for _, m := range []float64{1, 2, 5} {
			if m != 1 && width > 2.2 {
				continue
			}
			if v := m * math.Pow(10, e); v >= lo*.999 && v <= hi*1.001 {
				c.ticks = append(c.ticks, v)
			}
		}
	}
	return c
}

// tickText prints tick values with as many decimals as their step needs.
func tickText(ticks []float64) []string {
	out := make([]string, len(ticks))
	dec, step := 0, math.Inf(1)
	for i := 1; i < len(ticks); i++ {
		step = math.Min(step, math.Abs(ticks[i]-ticks[i-1]))
	}
	if !math.IsInf(step, 0) && step > 0 {
		for dec < 6 && math.Abs(step*math.Pow10(dec)-math.Round(step*math.Pow10(dec))) > 1e-6 {
			dec++
		}
	}
	for i, t := range ticks {
		switch {
		case math.Abs(t) >= 1e6, t != 0 && math.Abs(t) < 1e-4, step < 1e-5:
			out[i] = strings.Replace(fmt.Sprintf("%.3g", t), "-", minus, 1)
		case math.Abs(t) >= 1000:
			out[i] = strings.Replace(term.Thousands(int(math.Round(t))), "-", minus, 1)
		default:
			out[i] = fixed(Num(t), dec)
		}
	}
	return out
}

// point is one mean with its interval and its single draws.
type point struct {
	x, y   float64
	lo, hi *Num
	draws  []float64
	tip    string
}

type series struct {
	name   string
	colour int
	points []point
}

type plot struct {
	title, desc    string
	xlabel, ylabel string
	logX           bool
	xticks         []float64 // measured places; nil: round numbers
	chance         *Num
	series         []series
	marks          []mark  // vertical lines
	height, width  float64 // 250 and plotW if 0
}

type mark struct {
	x    float64
	text string
}

func ok(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// draw makes a dot, interval and line plot. Points that are not finite leave a gap.
func (p plot) draw() template.HTML {
	xlo, xhi, ylo, yhi := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	grow := func(v float64) {
		if ok(v) {
			ylo, yhi = math.Min(ylo, v), math.Max(yhi, v)
		}
	}
	longest := 0
	for _, s := range p.series {
		longest = max(longest, len([]rune(s.name)))
		for _, q := range s.points {
			if ok(q.x) && (!p.logX || q.x > 0) {
				xlo, xhi = math.Min(xlo, q.x), math.Max(xhi, q.x)
			}
			grow(q.y)
			if q.lo != nil && q.hi != nil {
				grow(float64(*q.lo))
				grow(float64(*q.hi))
			}
			for _, d := range q.draws {
				grow(d)
			}
		}
	}
	for _, m := range p.marks {
		if ok(m.x) && xlo <= xhi {
			xlo, xhi = math.Min(xlo, m.x), math.Max(xhi, m.x)
		}
	}
	h := p.height
	if h == 0 {
		h = 250
	}
	w := p.width
	if w == 0 {
		w = plotW
	}
	s := newSVG(w, h, p.title, p.desc)
	if xlo > xhi || ylo > yhi {
		s.text("lab", w/2, h/2, "middle", "no finite value to draw", 60)
		return s.html()
	}
	right := 12.0
	if longest > 0 {
		right = math.Min(116, 14+float64(min(longest, 17))*fontW)
	}
	top, bottom, left := 24.0, h-38, 46.0
	y := linear(ylo, yhi, bottom, top, int(math.Max(4, h/50)))
	var x scale
	if p.logX {
		x = logScale(xlo/1.18, xhi*1.18, left, w-right)
	} else {
		x = linear(xlo, xhi, left, w-right, 4)
		x.lo, x.hi = xlo, xhi // steps start at the frame
		if xlo == xhi {
			x.lo, x.hi = xlo-.5, xhi+.5
		}
	}
	if p.xticks != nil {
		x.ticks = p.xticks
	}
	yt := tickText(y.ticks)
	for i, t := range y.ticks {
		s.line("grid", left, y.at(t), w-right, y.at(t))
		s.text("tick", left-5, y.at(t)+3.5, "end", yt[i], 9)
	}
	xt, edge := tickText(x.ticks), -1e9
	for i, t := range x.ticks {
		px := x.at(t)
		if px < left-1 || px > w-right+1 {
			continue
		}
		s.line("axis", px, bottom, px, bottom+4)
		half := float64(len(xt[i])) * fontW / 2
		if px-half > edge+4 {
			s.text("tick", px, bottom+16, "middle", xt[i], 12)
			edge = px + half
		}
	}
	s.line("axis", left, bottom, w-right, bottom)
	s.text("lab", (left+w-right)/2, h-5, "middle", p.xlabel, 60)
	s.text("lab", 4, 12, "start", p.ylabel, 62)
	if p.chance != nil && float64(*p.chance) >= y.lo && float64(*p.chance) <= y.hi {
		cy := y.at(float64(*p.chance))
		s.line("ref", left, cy, w-right, cy)
		s.text("note", left+4, cy-4, "start", "chance", 20)
	}
	for _, m := range p.marks {
		if !ok(m.x) {
			continue
		}
		px := x.at(m.x)
		s.line("mark", px, top, px, bottom)
		anchor, dx := "start", 4.0
		if px > (left+w-right)/2 {
			anchor, dx = "end", -4
		}
		s.text("note strong", px+dx, top+10, anchor, m.text, 40)
	}
	type end struct {
		name   string
		colour int
		px, py float64
		at     float64
	}
	var ends []end
	for n, q := range p.series {
		// Side by side, so that intervals at the same budget do not cover each other.
		dodge := 0.0
		if len(q.points) > 0 && q.points[0].lo != nil || p.logX {
			dodge = (float64(n) - float64(len(p.series)-1)/2) * math.Min(13, 40/float64(len(p.series)))
		}
		var d strings.Builder
		pen := false
		for _, pt := range thin(q.points, 240) {
			if !ok(pt.x) || !ok(pt.y) || p.logX && pt.x <= 0 {
				pen = false
				continue
			}
			c := "L"
			if !pen {
				c = "M"
			}
			fmt.Fprintf(&d, "%s%s %s", c, co(x.at(pt.x)+dodge), co(y.at(pt.y)))
			pen = true
		}
		fmt.Fprintf(&s.b, `<path class="ln s%d" d="%s"/>`, q.colour%seriesColours, d.String())
		dots := len(q.points) <= 24
		for _, pt := range q.points {
			if !ok(pt.x) || !ok(pt.y) || p.logX && pt.x <= 0 {
				continue
			}
			px, py := x.at(pt.x)+dodge, y.at(pt.y)
			if pt.lo != nil && pt.hi != nil && pt.lo.finite() && pt.hi.finite() {
				a, b := y.at(float64(*pt.lo)), y.at(float64(*pt.hi))
				k := fmt.Sprintf("bar s%d", q.colour%seriesColours)
				s.line(k, px, a, px, b)
				s.line(k, px-3, a, px+3, a)
				s.line(k, px-3, b, px+3, b)
			}
			if len(pt.draws) > 1 && len(pt.draws) <= 30 {
				for _, v := range pt.draws {
					if ok(v) {
						fmt.Fprintf(&s.b, `<circle class="draw s%d" cx="%s" cy="%s" r="1.8"/>`, q.colour%seriesColours, co(px+6), co(y.at(v)))
					}
				}
			}
			if dots {
				s.marker(q.colour, px, py, 4, "dot", pt.tip)
			}
		}
		for i := len(q.points) - 1; i >= 0 && q.name != ""; i-- {
			if pt := q.points[i]; ok(pt.x) && ok(pt.y) && (!p.logX || pt.x > 0) {
				ends = append(ends, end{q.name, q.colour, x.at(pt.x) + dodge, y.at(pt.y), y.at(pt.y)})
				break
			}
		}
	}
	// Labels stand beside the last point of their series, moved apart.
	sort.SliceStable(ends, func(i, j int) bool { return ends[i].py < ends[j].py })
	for i := 1; i < len(ends); i++ {
		ends[i].at = math.Max(ends[i].at, ends[i-1].at+13)
	}
	for i, limit := len(ends)-1, bottom+4; i >= 0; i-- {
		ends[i].at = math.Min(ends[i].at, limit)
		limit = ends[i].at - 13
	}
	for _, e := range ends {
		lx := w - right + 10
		fmt.Fprintf(&s.b, `<path class="lead s%d" d="M%s %sL%s %s"/>`, e.colour%seriesColours, co(e.px+6), co(e.py), co(lx-2), co(e.at))
		s.text(fmt.Sprintf("dl t%d", e.colour%seriesColours), lx, e.at+3.8, "start", e.name, 17)
	}
	return s.html()
}

// thin keeps about n points of a curve, always the first and the last; the
// tables and the JSON have all of them.
func thin(p []point, n int) []point {
	if len(p) <= n {
		return p
	}
	out := make([]point, 0, n+1)
	for i := range n {
		out = append(out, p[i*(len(p)-1)/(n-1)])
	}
	return out
}

// row is one line of a forest plot.
type row struct {
	label  string
	colour int
	v      float64
	lo, hi *Num
	openLo bool // the end lies beyond what was measured: an arrow
	openHi bool
	value  string // printed at the right
}

type forest struct {
	title, desc, xlabel string
	log                 bool
	ref                 *float64
	refText             string
	from                *float64 // axis begins here where given
	rows                []row
}

// draw makes a plot with one labelled line a row: a dot with its interval.
func (f forest) draw() template.HTML {
	lo, hi := math.Inf(1), math.Inf(-1)
	grow := func(v float64) {
		if ok(v) && (!f.log || v > 0) {
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}
	name, val := 0, 0
	for _, r := range f.rows {
		name, val = max(name, len([]rune(r.label))), max(val, len([]rune(r.value)))
		grow(r.v)
		if r.lo != nil {
			grow(float64(*r.lo))
		}
		if r.hi != nil {
			grow(float64(*r.hi))
		}
	}
	if f.ref != nil {
		grow(*f.ref)
	}
	if f.from != nil {
		grow(*f.from)
	}
	h := 54 + 27*float64(len(f.rows))
	s := newSVG(plotW, h, f.title, f.desc)
	if lo > hi {
		s.text("lab", plotW/2, h/2, "middle", "no finite value to draw", 60)
		return s.html()
	}
	left := math.Min(130, 12+float64(min(name, 20))*fontW)
	right := plotW - math.Min(90, 10+float64(min(val, 16))*fontW)
	top, bottom := 16.0, h-36
	var x scale
	if f.log {
		x = logScale(lo/1.15, hi*1.15, left+8, right-8)
	} else {
		x = linear(lo, hi, left+8, right-8, 4)
	}
	xt, edge := tickText(x.ticks), -1e9
	for i, t := range x.ticks {
		px := x.at(t)
		s.line("grid", px, top, px, bottom)
		half := float64(len(xt[i])) * fontW / 2
		if px-half > edge+4 {
			s.text("tick", px, bottom+14, "middle", xt[i], 12)
			edge = px + half
		}
	}
	s.text("lab", (left+right)/2, h-5, "middle", f.xlabel, 64)
	if f.ref != nil {
		s.line("ref", x.at(*f.ref), top-3, x.at(*f.ref), bottom)
		s.text("note", x.at(*f.ref), top-6, "middle", f.refText, 40)
	}
	for i, r := range f.rows {
		y := top + 16 + 27*float64(i)
		s.text("lab", left-2, y+4, "end", r.label, 20)
		s.text("val", plotW-2, y+4, "end", r.value, 18)
		if !ok(r.v) || f.log && r.v <= 0 {
			continue
		}
		k := fmt.Sprintf("bar s%d", r.colour%seriesColours)
		if r.lo != nil && r.hi != nil && r.lo.finite() && r.hi.finite() && (!f.log || *r.lo > 0) {
			a, b := x.at(float64(*r.lo)), x.at(float64(*r.hi))
			s.line(k, a, y, b, y)
			if r.openHi {
				fmt.Fprintf(&s.b, `<path class="arrow f%d" d="M%s %sl9 4.5l-9 4.5z"/>`, r.colour%seriesColours, co(b), co(y-4.5))
			} else {
				s.line(k, b, y-4, b, y+4)
			}
			if r.openLo {
				fmt.Fprintf(&s.b, `<path class="arrow f%d" d="M%s %sl-9 4.5l9 4.5z"/>`, r.colour%seriesColours, co(a), co(y-4.5))
			} else {
				s.line(k, a, y-4, a, y+4)
			}
		}
		s.marker(r.colour, x.at(r.v), y, 4.5, "dot", r.label+": "+r.value)
	}
	return s.html()
}

const (
	mapColours = 10
	mapW, mapH = 480.0, 390.0
)

// drawMap draws one path a class: a point is a line of no length with round
// ends. Classes beyond the first ten by count share one grey.
func drawMap(m Map, class func(int) string, title string) (pic template.HTML, legend []mapClass) {
	xs, ys := [2]float64{math.Inf(1), math.Inf(-1)}, [2]float64{math.Inf(1), math.Inf(-1)}
	count := map[int]int{}
	for _, p := range m.Points {
		if !p.X.finite() || !p.Y.finite() {
			continue
		}
		count[p.Class]++
		xs[0], xs[1] = math.Min(xs[0], float64(p.X)), math.Max(xs[1], float64(p.X))
		ys[0], ys[1] = math.Min(ys[0], float64(p.Y)), math.Max(ys[1], float64(p.Y))
	}
	ids := make([]int, 0, len(count))
	for c := range count {
		ids = append(ids, c)
	}
	sort.Slice(ids, func(i, j int) bool {
		a, b := ids[i], ids[j]
		if (a < 0) != (b < 0) {
			return b < 0 // unlabelled last
		}
		if len(count) > mapColours && count[a] != count[b] {
			return count[a] > count[b]
		}
		return a < b
	})
	s := newSVG(mapW, mapH, title, fmt.Sprintf("%s samples; near points have similar embeddings; the axes have no unit.", term.Thousands(len(m.Points))))
	if len(ids) == 0 {
		s.text("lab", mapW/2, mapH/2, "middle", "no finite point to draw", 60)
		return s.html(), nil
	}
	sx := scale{lo: xs[0], hi: xs[1], a: 14, b: mapW - 14}
	sy := scale{lo: ys[0], hi: ys[1], a: mapH - 14, b: 14}
	if sx.lo == sx.hi {
		sx.lo, sx.hi = sx.lo-1, sx.hi+1
	}
	if sy.lo == sy.hi {
		sy.lo, sy.hi = sy.lo-1, sy.hi+1
	}
	slot := map[int]int{}
	for i, c := range ids {
		if i >= mapColours || c < 0 {
			slot[c] = mapColours // grey
			continue
		}
		slot[c] = i
	}
	paths := make([]strings.Builder, mapColours+1)
	cx, cy := make([][]float64, mapColours), make([][]float64, mapColours)
	for _, p := range m.Points {
		if !p.X.finite() || !p.Y.finite() {
			continue
		}
		k := slot[p.Class]
		x, y := sx.at(float64(p.X)), sy.at(float64(p.Y))
		fmt.Fprintf(&paths[k], "M%s %sh0", co(x), co(y))
		if k < mapColours {
			cx[k], cy[k] = append(cx[k], x), append(cy[k], y)
		}
	}
	size := 4.2 // of a point; smaller where there are many
	if n := len(m.Points); n > 1500 {
		size = math.Max(1.6, 4.2*math.Sqrt(1500/float64(n)))
	}
	fmt.Fprintf(&s.b, `<rect class="frame" x=".5" y=".5" width="%s" height="%s"/><g class="pts" stroke-width="%s">`, co(mapW-1), co(mapH-1), co(size))
	for k := mapColours; k >= 0; k-- {
		if paths[k].Len() > 0 {
			fmt.Fprintf(&s.b, `<path class="m%d" d="%s"/>`, k, paths[k].String())
		}
	}
	s.b.WriteString("</g>")
	type lab struct {
		x, y float64
		name string
	}
	var labs []lab
	other, rest := 0, 0
	for i, c := range ids {
		n := class(c)
		if slot[c] == mapColours {
			if c < 0 {
				legend = append(legend, mapClass{Name: "unlabelled", Count: count[c], Slot: mapColours})
			} else {
				other, rest = other+count[c], rest+1
			}
			continue
		}
		legend = append(legend, mapClass{Name: n, Count: count[c], Slot: slot[c]})
		labs = append(labs, lab{median(cx[i]), median(cy[i]), n})
	}
	if rest > 0 {
		legend = append(legend, mapClass{Name: fmt.Sprintf("%s other classes", term.Thousands(rest)), Count: other, Slot: mapColours})
	}
	sort.Slice(labs, func(i, j int) bool { return labs[i].y < labs[j].y })
	// Push labels that would overlap apart, downwards then back up.
	over := func(a, b lab) bool {
		wa, wb := float64(min(len([]rune(a.name)), 18))*6.6, float64(min(len([]rune(b.name)), 18))*6.6
		return math.Abs(a.x-b.x) < (wa+wb)/2 && math.Abs(a.y-b.y) < 14
	}
	for range 40 {
		moved := false
		for i := range labs {
			for j := i + 1; j < len(labs); j++ {
				if over(labs[i], labs[j]) {
					labs[i].y, labs[j].y, moved = labs[i].y-2, labs[j].y+2, true
				}
			}
		}
		if !moved {
			break
		}
	}
	for _, l := range labs {
		half := float64(min(len([]rune(l.name)), 18)) * 3.3
		s.text("mlab", math.Max(half+3, math.Min(mapW-half-3, l.x)), math.Max(18, math.Min(mapH-8, l.y+4)), "middle", l.name, 18)
	}
	return s.html(), legend
}

type mapClass struct {
	Name  string
	Count int
	Slot  int
}

func median(v []float64) float64 {
	sort.Float64s(v)
	if len(v) == 0 {
		return 0
	}
	return v[len(v)/2]
}
