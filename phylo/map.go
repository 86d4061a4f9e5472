package phylo

import (
	"fmt"
	"io"
	"math"
)

// MapOptions says how a map is drawn. The zero value is 720 by 720 pixels without groups.
type MapOptions struct {
	Width   float64           // and height of the plot in pixels; 0: 720
	Title   string            // above the map
	Groups  map[string]string // taxon -> group, coloured and in the legend
	Colours map[string]string // group -> CSS colour
}

// WriteMapSVG draws the taxa of m as points in the plane (ClassicalMDS), both axes to one scale.
// Texts never overlap: where a name has no free place near its point a thin line leads to it, and a name
// without any place is shown only under the pointer.
func WriteMapSVG(w io.Writer, m *Matrix, opt MapOptions) error {
	coords, share, err := ClassicalMDS(m, 2)
	if err != nil {
		return err
	}
	const size, dot = 11.0, 4.0
	width := opt.Width
	if width <= 0 {
		width = 720
	}
	width = max(width, 200)
	var c canvas
	top := margin + c.title(opt.Title, width)
	lo, hi := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for _, p := range coords {
		for k := range 2 {
			lo[k], hi[k] = min(lo[k], p[k]), max(hi[k], p[k])
		}
	}
	span := max(hi[0]-lo[0], hi[1]-lo[1])
	const inset = 48.0 // room for names at the border
	plot := width - 2*margin
	unit := 0.0
	if span > 0 {
		unit = (plot - 2*inset) / span
	}
	height := 2*inset + (hi[1]-lo[1])*unit
	pts := make([]point, len(coords))
	for i, p := range coords {
		x := margin + plot/2 + (p[0]-(lo[0]+hi[0])/2)*unit
		y := top + height/2 - (p[1]-(lo[1]+hi[1])/2)*unit
		pts[i] = point{x, y}
	}
	order, colour := colouring(m.Names, opt.Groups, opt.Colours)
	fmt.Fprintf(&c.b, `<rect x="%s" y="%s" width="%s" height="%s" fill="none" stroke="#ccc"/>`+"\n", num(margin), num(top), num(plot), num(height))
	for i, p := range pts {
		fmt.Fprintf(&c.b, `<circle cx="%s" cy="%s" r="%s" fill="%s" fill-opacity="0.85"><title>%s</title></circle>`+"\n",
			num(p.x), num(p.y), num(dot), escape(colour[opt.Groups[m.Names[i]]]), escape(m.Names[i]))
	}
	// A point is no place for a name: in this list dots count as texts do.
	dots := make([]quad, len(pts))
	for i, p := range pts {
		dots[i] = box(p.x-dot, p.y-dot, p.x+dot, p.y+dot)
	}
	free := func(q quad) bool {
		for _, p := range q {
			if p.x < margin || p.x > margin+plot || p.y < top || p.y > top+height {
				return false
			}
		}
		for _, d := range dots {
			if d.hits(q) {
				return false
			}
		}
		return c.free(q)
	}
	for i, p := range pts {
		name := m.Names[i]
		label := clip(clean(name), size, plot/2)
		fill := colour[opt.Groups[name]]
	search:
		for _, r := range []float64{dot + 3, 14, 22, 32, 44, 58, 74, 92, 112} {
			for k := range 12 {
				// Right, left, then around.
				turn := []float64{0, 180, -90, 90, -45, 45, -135, 135, -22, 22, -158, 158}[k] * math.Pi / 180
				at := point{p.x + r*math.Cos(turn), p.y + r*math.Sin(turn)}
				a := start
				switch cos := math.Cos(turn); {
				case cos < -0.1:
					a = end
				case cos < 0.1:
					a = middle
					at.y += math.Copysign(size*0.4, math.Sin(turn))
				}
				if !free(textQuad(at.x, at.y, a, size, label, 0)) {
					continue
				}
				if r > dot+3 {
					c.b.WriteString(`<g stroke-width="0.6">`)
					c.line(p.x, p.y, p.x+(r-2)*math.Cos(turn), p.y+(r-2)*math.Sin(turn), "#999")
					c.b.WriteString("</g>\n")
				}
				c.text(at.x, at.y, a, size, label, name, fill, 0)
				break search
			}
		}
	}
	bottom := top + height + 6
	c.text(margin, bottom+9, start, size, clip(fmt.Sprintf("classical scaling: axes hold %.0f %% and %.0f %% of the positive eigenvalues", 100*share[0], 100*share[1]), size, plot), "", "#555", 0)
	bottom += 24
	bottom += c.legend(margin, bottom, plot, order, colour)
	about := opt.Title
	if about == "" {
		about = fmt.Sprintf("map of %d taxa", len(pts))
	}
	if _, err := w.Write(c.page(width, bottom+margin, about)); err != nil {
		return fmt.Errorf("phylo: %w", err)
	}
	return nil
}
