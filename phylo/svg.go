package phylo

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
)

// canvas collects the elements of a picture and where its texts stand.
type canvas struct {
	b     bytes.Buffer
	texts []quad
}

type point struct{ x, y float64 }

// quad is a rectangle, turned or not: corners in order.
type quad [4]point

// box is an upright rectangle.
func box(x0, y0, x1, y1 float64) quad { return quad{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}} }

// hits reports whether two rectangles overlap: no axis along their sides parts them.
func (q quad) hits(o quad) bool {
	for _, pair := range [2][2]quad{{q, o}, {o, q}} {
		for i := range 2 {
			ax, ay := pair[0][i+1].x-pair[0][i].x, pair[0][i+1].y-pair[0][i].y
			lo0, hi0, lo1, hi1 := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
			for k := range 4 {
				a, b := pair[0][k].x*ax+pair[0][k].y*ay, pair[1][k].x*ax+pair[1][k].y*ay
				lo0, hi0, lo1, hi1 = min(lo0, a), max(hi0, a), min(lo1, b), max(hi1, b)
			}
			if hi0 <= lo1 || hi1 <= lo0 {
				return false
			}
		}
	}
	return true
}

func (c *canvas) free(q quad) bool {
	for _, t := range c.texts {
		if t.hits(q) {
			return false
		}
	}
	return true
}

// escape makes a text one of XML, without the characters that turn the direction of text: every text of a picture comes through here.
func escape(s string) string {
	s = strings.Map(func(c rune) rune {
		if unicode.Is(unicode.Bidi_Control, c) {
			return -1
		}
		return c
	}, s)
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes all
	return b.String()
}

// advance estimates the width of a character in ems, on the wide side: fonts differ.
func advance(c rune) float64 {
	switch {
	case unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case strings.ContainsRune("iljI.,:;'|!", c):
		return 0.38
	case strings.ContainsRune("frt()[]-/\" ", c):
		return 0.46
	case strings.ContainsRune("mwMW@%", c):
		return 1.0
	case c < 0x80 && unicode.IsUpper(c):
		return 0.78
	case c < 0x80:
		return 0.65
	case c < 0x1100:
		return 0.85
	}
	return 1.1 // East Asian characters, symbols, emoji
}

func textWidth(s string, size float64) float64 {
	w := 0.0
	for _, c := range s {
		w += advance(c) * size
	}
	return w
}

// clip shortens a text to a width; the end goes.
func clip(s string, size, width float64) string {
	if textWidth(s, size) <= width {
		return s
	}
	w := advance('…') * size
	for i, c := range s {
		if w += advance(c) * size; w > width {
			return strings.TrimRight(s[:i], " ") + "…"
		}
	}
	return s
}

// clean makes a text one line.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
			return ' '
		}
		return c
	}, s)
}

// anchor is the place of a text's start, middle or end.
type anchor string

const (
	start  anchor = "start"
	middle anchor = "middle"
	end    anchor = "end"
)

// textQuad is the space of a text whose baseline is such that its middle stands at y, turned by angle degrees round (x, y).
func textQuad(x, y float64, a anchor, size float64, s string, angle float64) quad {
	w := textWidth(s, size)
	x0 := x
	switch a {
	case middle:
		x0 -= w / 2
	case end:
		x0 -= w
	}
	q := box(x0, y-size*0.6, x0+w, y+size*0.6)
	if angle != 0 {
		sin, cos := math.Sincos(angle * math.Pi / 180)
		for i, p := range q {
			dx, dy := p.x-x, p.y-y
			q[i] = point{x + dx*cos - dy*sin, y + dx*sin + dy*cos}
		}
	}
	return q
}

// text writes s; full, where it differs, is what a pointer over it shows.
func (c *canvas) text(x, y float64, a anchor, size float64, s, full, fill string, angle float64) {
	c.texts = append(c.texts, textQuad(x, y, a, size, s, angle))
	fmt.Fprintf(&c.b, `<text x="%s" y="%s" font-size="%s"`, num(x), num(y+size*0.35), num(size))
	if a != start {
		fmt.Fprintf(&c.b, ` text-anchor="%s"`, a)
	}
	if fill != "" {
		fmt.Fprintf(&c.b, ` fill="%s"`, escape(fill))
	}
	if angle != 0 {
		fmt.Fprintf(&c.b, ` transform="rotate(%s %s %s)"`, num(angle), num(x), num(y))
	}
	c.b.WriteByte('>')
	if full != "" && full != s {
		fmt.Fprintf(&c.b, "<title>%s</title>", escape(full))
	}
	fmt.Fprintf(&c.b, "%s</text>\n", escape(s))
}

// num writes a coordinate with two digits after the point.
func num(v float64) string {
	s := fmt.Sprintf("%.2f", v)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}

func (c *canvas) line(x0, y0, x1, y1 float64, stroke string) {
	fmt.Fprintf(&c.b, `<path d="M%s %sL%s %s" stroke="%s"/>`+"\n", num(x0), num(y0), num(x1), num(y1), escape(stroke))
}

// page returns the finished picture.
func (c *canvas) page(width, height float64, about string) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" font-family="Helvetica, Arial, sans-serif" fill="#222">`+"\n",
		num(width), num(height), num(width), num(height))
	fmt.Fprintf(&out, "<title>%s</title>\n", escape(about))
	fmt.Fprintf(&out, `<rect width="%s" height="%s" fill="#fff"/>`+"\n", num(width), num(height))
	out.Write(c.b.Bytes())
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// palette: Okabe & Ito 2008 without yellow, which is faint on white, then darker tones.
var palette = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f3c8d", "#8c564b", "#5a5a5a", "#3b7d23", "#a00000", "#1f3a93"}

const neutral = "#444"

// colouring gives each group a colour: that of chosen, else of the palette in the order of names.
func colouring(names []string, groups, chosen map[string]string) (order []string, colour map[string]string) {
	seen := map[string]bool{}
	for _, n := range names {
		if g := groups[n]; g != "" && !seen[g] {
			seen[g] = true
			order = append(order, g)
		}
	}
	slices.Sort(order)
	colour = map[string]string{"": neutral}
	for i, g := range order {
		colour[g] = palette[i%len(palette)]
		if c := chosen[g]; c != "" {
			colour[g] = c
		}
	}
	return order, colour
}

// legend writes groups in rows from (x, y) within a width and returns the height it took.
func (c *canvas) legend(x, y, width float64, order []string, colour map[string]string) float64 {
	if len(order) == 0 {
		return 0
	}
	const size, row = 12, 20.0
	at, top := x, y+row/2
	for _, g := range order {
		s := clip(clean(g), size, width-20)
		w := textWidth(s, size) + 36
		if at > x && at+w > x+width {
			at, top = x, top+row
		}
		fmt.Fprintf(&c.b, `<rect x="%s" y="%s" width="11" height="11" fill="%s"/>`+"\n", num(at), num(top-5.5), escape(colour[g]))
		c.text(at+16, top, start, size, s, g, "", 0)
		at += w
	}
	return top + row/2 - y
}

// nice is the largest of 1, 2, 5 times a power of ten up to v.
func nice(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{5, 2} {
		if f*p <= v {
			return f * p
		}
	}
	return p
}
