package phylo

import (
	"fmt"
	"io"
	"math"
	"strconv"
)

// Layout is a way to draw a tree.
type Layout int

const (
	// Phylogram has the root on the left and a row for each leaf; branch lengths are to scale.
	Phylogram Layout = iota
	// Circular has the root in the middle of a square and the leaves around it, for small trees.
	Circular
)

// DrawOptions says how a tree is drawn. The zero value is a phylogram 800 wide.
type DrawOptions struct {
	Layout     Layout
	Width      float64           // in pixels; 0: 800, circular 640. A tree that needs more gets more
	Title      string            // above the tree
	Groups     map[string]string // leaf name -> group; edges whose leaves are all of one group have its colour
	Colours    map[string]string // group -> CSS colour; missing ones come from a palette for the colour-blind
	NoSupport  bool              // leave supports out
	LabelWidth float64           // in pixels at most for names; 0: 320, circular 180. Longer ones are cut, whole under the pointer
}

const (
	leafSize    = 12.0
	supportSize = 9.0
	margin      = 16.0
)

// drawing is a tree made ready: its nodes, groups and distances from the root.
type drawing struct {
	flat
	c       canvas
	opt     DrawOptions
	kids    [][]int
	depth   []float64 // from the root, in the tree's unit
	deepest float64
	scaled  bool      // depth is in branch lengths
	row     []float64 // leaves counted from 0; inner nodes in the middle of their children
	leaves  []int
	group   []string
	order   []string
	colour  map[string]string
	labels  []string
	label   float64 // widest label
}

func newDrawing(t *Tree, opt DrawOptions) *drawing {
	d := &drawing{flat: flatten(t), opt: opt}
	n := len(d.nodes)
	d.kids = make([][]int, n)
	d.depth, d.row, d.group, d.labels = make([]float64, n), make([]float64, n), make([]string, n), make([]string, n)
	d.scaled = t.HasLengths()
	length := t.lengthOf()
	var names []string
	for i, node := range d.nodes {
		if p := d.parent[i]; p >= 0 {
			d.kids[p] = append(d.kids[p], i)
			d.depth[i] = d.depth[p] + max(0, length(node))
		}
		d.deepest = max(d.deepest, d.depth[i])
		if node.IsLeaf() {
			d.row[i] = float64(len(d.leaves))
			d.leaves = append(d.leaves, i)
			names = append(names, node.Name)
			d.group[i] = opt.Groups[node.Name]
			d.labels[i] = clip(clean(node.Name), leafSize, opt.LabelWidth)
			d.label = max(d.label, textWidth(d.labels[i], leafSize))
		}
	}
	for i := n - 1; i >= 0; i-- {
		for k, c := range d.kids[i] {
			if k == 0 {
				d.group[i] = d.group[c]
			} else if d.group[i] != d.group[c] {
				d.group[i] = ""
			}
		}
		if k := len(d.kids[i]); k > 0 {
			d.row[i] = (d.row[d.kids[i][0]] + d.row[d.kids[i][k-1]]) / 2
		}
	}
	if !d.scaled { // a cladogram: leaves in one line
		height := make([]float64, n)
		for i := n - 1; i > 0; i-- {
			p := d.parent[i]
			height[p] = max(height[p], height[i]+1)
		}
		d.deepest = height[0]
		for i := range d.depth {
			d.depth[i] = height[0] - height[i]
		}
	}
	d.order, d.colour = colouring(names, opt.Groups, opt.Colours)
	return d
}

// WriteSVG draws a tree as it is rooted (see MidpointRoot) and in the order of its children (see
// Ladderize). Texts never overlap: a support that finds no free place is shown only under the pointer,
// on the dot at its node. Negative lengths are drawn as zero; a tree without lengths has its
// leaves in one line.
func (t *Tree) WriteSVG(w io.Writer, opt DrawOptions) error {
	if t == nil || t.Root == nil {
		return fmt.Errorf("phylo: drawing an empty tree")
	}
	if opt.LabelWidth <= 0 {
		opt.LabelWidth = 320
		if opt.Layout == Circular {
			opt.LabelWidth = 180
		}
	}
	d := newDrawing(t, opt)
	var svg []byte
	switch opt.Layout {
	case Phylogram:
		svg = d.phylogram()
	case Circular:
		svg = d.circular()
	default:
		return fmt.Errorf("phylo: layout %d, expected Phylogram or Circular", opt.Layout)
	}
	if _, err := w.Write(svg); err != nil {
		return fmt.Errorf("phylo: %w", err)
	}
	return nil
}

func (d *drawing) about() string {
	if d.opt.Title != "" {
		return d.opt.Title
	}
	return fmt.Sprintf("phylogenetic tree of %d taxa", len(d.leaves))
}

// title writes the title and returns the height it took.
func (c *canvas) title(s string, width float64) float64 {
	if s == "" {
		return 0
	}
	const size = 15.0
	c.text(margin, margin+size*0.6, start, size, clip(clean(s), size, width-2*margin), s, "", 0)
	return size*1.2 + 8
}

func (d *drawing) edges() {
	d.c.b.WriteString(`<g fill="none" stroke-width="1.4" stroke-linecap="round">` + "\n")
}

func (d *drawing) phylogram() []byte {
	const row = 18.0
	width := d.opt.Width
	if width <= 0 {
		width = 800
	}
	width = max(width, d.label+200+2*margin)
	top := margin + d.c.title(d.opt.Title, width)
	plot := width - 2*margin - d.label - 12
	x := func(i int) float64 {
		if d.deepest == 0 {
			return margin
		}
		return margin + d.depth[i]/d.deepest*plot
	}
	y := func(i int) float64 { return top + (d.row[i]+0.5)*row }
	d.edges()
	for i := range d.nodes {
		if p := d.parent[i]; p >= 0 {
			d.c.line(x(p), y(i), x(i), y(i), d.colour[d.group[i]])
		}
		if k := d.kids[i]; len(k) > 1 {
			d.c.line(x(i), y(k[0]), x(i), y(k[len(k)-1]), d.colour[d.group[i]])
		}
	}
	d.c.b.WriteString("</g>\n")
	for _, i := range d.leaves {
		d.c.text(x(i)+5, y(i), start, leafSize, d.labels[i], d.nodes[i].Name, d.colour[d.group[i]], 0)
	}
	d.supports(func(i int) ([]point, point) {
		return []point{{x(i) - 3, y(i) - 7}, {x(i) - 3, y(i) + 7}}, point{x(i), y(i)}
	}, box(0, 0, width, math.Inf(1)))
	bottom := top + float64(len(d.leaves))*row + 6
	bottom += d.scale(margin, bottom, plot)
	bottom += d.c.legend(margin, bottom, width-2*margin, d.order, d.colour)
	return d.c.page(width, bottom+margin, d.about())
}

// scale writes the scale bar and returns the height it took; pixels is the width of the deepest path.
func (d *drawing) scale(x, y, pixels float64) float64 {
	if !d.scaled || d.deepest == 0 {
		return 0
	}
	v := nice(d.deepest / 4)
	l := v / d.deepest * pixels
	d.edges()
	d.c.line(x, y+10, x+l, y+10, "#222")
	d.c.line(x, y+6, x, y+14, "#222")
	d.c.line(x+l, y+6, x+l, y+14, "#222")
	d.c.b.WriteString("</g>\n")
	d.c.text(x+l+8, y+10, start, 11, strconv.FormatFloat(v, 'g', 3, 64), "", "", 0)
	return 28
}

// supports writes each at the first of its places (right ends of the text) where it is free.
func (d *drawing) supports(places func(i int) ([]point, point), frame quad) {
	if d.opt.NoSupport {
		return
	}
	// A white rim keeps them legible where they cross an edge.
	d.c.b.WriteString(`<g stroke="#fff" stroke-width="2.5" paint-order="stroke">` + "\n")
	defer d.c.b.WriteString("</g>\n")
	for i, n := range d.nodes {
		if n.IsLeaf() || d.parent[i] < 0 || math.IsNaN(n.Support) {
			continue
		}
		s := strconv.FormatFloat(n.Support, 'g', 3, 64)
		if n.Support > 1 {
			s = strconv.FormatFloat(math.Round(n.Support*10)/10, 'f', -1, 64)
		}
		ps, dot := places(i)
		shown := false
		for _, p := range ps {
			q := textQuad(p.x, p.y, end, supportSize, s, 0)
			if q[0].x >= frame[0].x && q[0].y >= frame[0].y && q[2].x <= frame[2].x && q[2].y <= frame[2].y && d.c.free(q) {
				d.c.text(p.x, p.y, end, supportSize, s, "", "#555", 0)
				shown = true
				break
			}
		}
		if !shown {
			fmt.Fprintf(&d.c.b, `<circle cx="%s" cy="%s" r="2.5" fill="#555"><title>%s</title></circle>`+"\n", num(dot.x), num(dot.y), s)
		}
	}
}

func (d *drawing) circular() []byte {
	const spacing = 17.0 // between leaves, along the circle
	side := d.opt.Width
	if side <= 0 {
		side = 640
	}
	n := float64(len(d.leaves))
	// A gap in the circle keeps the first and the last leaf apart.
	slots := n + 1
	radius := max(side/2-margin-d.label-10, 160, slots*spacing/(2*math.Pi))
	half := radius + d.label + 10 + margin
	side = 2 * half
	top := d.c.title(d.opt.Title, side)
	if top > 0 {
		top += margin / 2
	}
	cx, cy := half, top+half
	angle := func(i int) float64 { return 2 * math.Pi * (d.row[i] + 0.75) / slots }
	r := func(i int) float64 {
		if d.deepest == 0 {
			return 0
		}
		return d.depth[i] / d.deepest * radius
	}
	at := func(i int, r float64) point {
		sin, cos := math.Sincos(angle(i))
		return point{cx + r*cos, cy + r*sin}
	}
	d.edges()
	for i := range d.nodes {
		colour := d.colour[d.group[i]]
		if p := d.parent[i]; p >= 0 {
			a, b := at(i, r(p)), at(i, r(i))
			d.c.line(a.x, a.y, b.x, b.y, colour)
		}
		if k := d.kids[i]; len(k) > 1 && r(i) > 0 {
			first, last := k[0], k[len(k)-1]
			a, b := at(first, r(i)), at(last, r(i))
			large := 0
			if angle(last)-angle(first) > math.Pi {
				large = 1
			}
			fmt.Fprintf(&d.c.b, `<path d="M%s %sA%s %s 0 %d 1 %s %s" stroke="%s"/>`+"\n", num(a.x), num(a.y), num(r(i)), num(r(i)), large, num(b.x), num(b.y), escape(colour))
		}
	}
	d.c.b.WriteString("</g>\n")
	d.c.b.WriteString(`<g fill="none" stroke-width="0.7" stroke-dasharray="1 3">` + "\n")
	for _, i := range d.leaves {
		if radius-r(i) > 4 {
			a, b := at(i, r(i)+3), at(i, radius+3)
			d.c.line(a.x, a.y, b.x, b.y, "#999")
		}
	}
	d.c.b.WriteString("</g>\n")
	for _, i := range d.leaves {
		p := at(i, radius+6)
		deg := angle(i) * 180 / math.Pi
		a := start
		if math.Cos(angle(i)) < 0 { // on the left texts stand the other way round
			deg, a = deg-180, end
		}
		d.c.text(p.x, p.y, a, leafSize, d.labels[i], d.nodes[i].Name, d.colour[d.group[i]], deg)
	}
	d.supports(func(i int) ([]point, point) {
		p := at(i, r(i))
		w := 11.0
		return []point{{p.x - 3, p.y - 7}, {p.x + 3 + w, p.y - 7}, {p.x - 3, p.y + 7}, {p.x + 3 + w, p.y + 7}}, p
	}, box(0, 0, side, top+side))
	bottom := top + side
	bottom += d.scale(margin, bottom, radius)
	bottom += d.c.legend(margin, bottom, side-2*margin, d.order, d.colour)
	return d.c.page(side, bottom+margin, d.about())
}
