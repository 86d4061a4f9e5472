package lineage

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/selfsame-ml/selfsame/internal/term"
	"github.com/selfsame-ml/selfsame/phylo"
)

//go:embed page.gohtml
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"n":      term.Thousands,
	"clean":  clean,
	"clip":   clip,
	"f3":     func(v float64) string { return fixed(v, 3) },
	"f4":     func(v float64) string { return fixed(v, 4) },
	"score":  func(v phylo.Score) string { return fixed(float64(v), 3) },
	"spread": func(s Spread) string { return spreadText(s, 3) },
	"bits":   func(s Spread) string { return spreadText(s, 4) },
	"pct":    func(v float64) string { return withUnit(fixed(100*v, 1), "%") },
	"whole":  func(v phylo.Score) string { return withUnit(fixed(float64(v), 0), "%") },
	"secs":   seconds,
	"join":   func(names []string) string { return clean(strings.Join(names, ", ")) },
	"sign":   sign,
	"tone":   tone,
}).Parse(pageText))

// Files that stand beside the page, with what is in them.
var besideFiles = [][2]string{
	{"tree.nwk", "the tree in the Newick format, with branch lengths and supports in percent"},
	{"distances.phy", "distances between the species, PHYLIP square matrix"},
	{"distances.tsv", "the same distances as a table"},
	{"embeddings.npy", "mean scores of the species in every layer of the first network (mean states where the tree is of them), NumPy array [species, layers, width]"},
	{"states.npy", "mean hidden states of the species in every layer of the first network, NumPy array [species, layers, width]"},
	{"embeddings.tsv", "names of the species, in the order of the array, and theirs in the layer of the tree"},
	{"layers.csv", "every layer and distance with its scores"},
	{"scores.csv", "the table of methods"},
	{"tree.svg", "the tree as a picture"},
	{"map.svg", "the map as a picture"},
	{"tree.json", "every number of this page, unrounded"},
}

// WriteHTML writes the report as one page that needs no other file, no network and no script. Tree and map are left out where the report
// has none, scores where there was no reference.
func (r *Report) WriteHTML(w io.Writer) error {
	if r.Result == nil {
		return errors.New("lineage: page of a report without a result")
	}
	p, err := newPage(r)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, p); err != nil {
		return fmt.Errorf("lineage: page: %w", err)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("lineage: page: %w", err)
	}
	return nil
}

// page is what the template shows.
type page struct {
	*Report
	Verdict   verdict
	Trees     [2]template.HTML // for a desk and for a phone, where else the names were out of sight
	Maps      [2]template.HTML
	Methods   []methodRow
	HasHeld   bool
	DotPlot   template.HTML
	Found     int
	Networks  int
	Panels    []template.HTML
	Lines     []swatch
	Dashed    bool
	Parts     []bitsPart
	Species   []speciesRow
	HeldOut   int
	NewickTxt string
	Files     [][2]string
	Unscored  []string // Missing and Absent, where no warning names them already
	Unread    []string
}

func newPage(r *Report) (*page, error) {
	p := &page{Report: r, Verdict: r.verdict(), Files: besideFiles, Networks: r.networks(), NewickTxt: r.Newick}
	groups, colours := r.colours()
	t := r.Tree
	if t == nil && r.Newick != "" { // a report that was read from its JSON
		var err error
		if t, err = phylo.ParseNewick(r.Newick); err != nil {
			return nil, fmt.Errorf("lineage: page: %w", err)
		}
	}
	if t != nil && t.Root != nil {
		if p.NewickTxt == "" {
			p.NewickTxt = t.Newick()
		}
		if rooted, err := t.MidpointRoot(); err == nil {
			t = rooted
		}
		t = t.Ladderize()
		for k, o := range []phylo.DrawOptions{{Width: 1000}, {Width: 360, LabelWidth: 140}} {
			var b strings.Builder
			o.Groups, o.Colours = groups, colours
			if err := t.WriteSVG(&b, o); err != nil {
				return nil, fmt.Errorf("lineage: page: %w", err)
			}
			p.Trees[k] = template.HTML(b.String())
		}
	}
	if r.Matrix != nil {
		for k, width := range []float64{720, 420} {
			var b strings.Builder
			if err := phylo.WriteMapSVG(&b, r.Matrix, phylo.MapOptions{Width: width, Groups: groups, Colours: colours}); err != nil {
				return nil, fmt.Errorf("lineage: page: %w", err)
			}
			p.Maps[k] = template.HTML(b.String())
		}
	}
	said := func(names []string) bool {
		return slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, strings.Join(names, ", ")) })
	}
	if !said(r.Missing) {
		p.Unscored = r.Missing
	}
	if !said(r.Absent) {
		p.Unread = r.Absent
	}
	p.methods()
	p.DotPlot = dotPlot(r)
	for _, c := range r.Clades {
		if c.Found {
			p.Found++
		}
	}
	p.Panels, p.Lines, p.Dashed = sweepPlots(r)
	p.Parts = bitsParts(r)
	for _, g := range r.Genomes {
		s := speciesRow{Genome: g, Colour: colours[g.Group], Set: dash}
		if slices.Contains(r.Choosing, g.Name) {
			s.Set = "A"
		} else if slices.Contains(r.Reported, g.Name) {
			s.Set = "B"
		}
		if g.Held {
			p.HeldOut++
		}
		p.Species = append(p.Species, s)
	}
	return p, nil
}

// Date is when the report was made.
func (p *page) Date() string {
	if p.Created.IsZero() {
		return "undated"
	}
	return p.Created.UTC().Format("2006-01-02 15:04") + " UTC"
}

// Own says how far the tree that is drawn stands from the reference: that of the mean of the networks, in its variant.
func (p *page) Own() string {
	family := FamilyMean
	if p.row(FamilyMean) == nil {
		family = FamilyNetwork
	}
	for _, s := range p.Sweep {
		if s.Family == family && s.Name == p.Variant.String() && ok(float64(s.All.NQD.Mean)) {
			return fmt.Sprintf("Over all %d species that the reference has, this tree is at a quartet distance of %s from it, Robinson-Foulds distance %s.", p.shared(),
				fixed(float64(s.All.NQD.Mean), 3), fixed(float64(s.All.NRF.Mean), 3))
		}
	}
	return ""
}

// Control names the best control without a network.
func (p *page) Control() string {
	if c := p.bestControl(); c != nil {
		return c.Family + ", " + c.Chosen
	}
	return ""
}

// Scored is the number of species that genomes and reference share.
func (p *page) Scored() int { return p.shared() }

type speciesRow struct {
	Genome
	Colour, Set string
}

// groupPalette is of Okabe & Ito 2008 without yellow, which is faint on white, then darker tones; beyond it colours repeat.
var groupPalette = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f3c8d", "#8c564b", "#5a5a5a", "#3b7d23", "#a00000", "#1f3a93"}

// colours gives each species its group, and each group a colour that tree, map and table share.
func (r *Report) colours() (groups, colours map[string]string) {
	groups, colours = map[string]string{}, map[string]string{}
	var order []string
	for _, g := range r.Genomes {
		if groups[g.Name] = g.Group; g.Group != "" && !slices.Contains(order, g.Group) {
			order = append(order, g.Group)
		}
	}
	slices.Sort(order)
	for i, g := range order {
		colours[g] = groupPalette[i%len(groupPalette)]
	}
	return groups, colours
}

func (r *Report) row(family string) *Row {
	for i := range r.Rows {
		if r.Rows[i].Family == family {
			return &r.Rows[i]
		}
	}
	return nil
}

func (r *Report) difference(family, score string) *Difference {
	for i := range r.Differences {
		if r.Differences[i].Family == family && r.Differences[i].Score == score {
			return &r.Differences[i]
		}
	}
	return nil
}

func (r *Report) networks() int {
	if row := r.row(FamilyNetwork); row != nil {
		return row.Seeds
	}
	return len(r.Runs)
}

func (r *Report) shared() int {
	n := 0
	for _, name := range r.Names {
		if !slices.Contains(r.Missing, name) {
			n++
		}
	}
	return n
}

// choice says whether scores are on species that chose nothing.
func (r *Report) choice() bool {
	row := r.row(FamilyNetwork)
	return row != nil && ok(float64(row.Held.NQD.Mean))
}

// counted are the scores that the verdict is about: Held, or All where too few species are there to hold any back.
func (row *Row) counted() Scores {
	if ok(float64(row.Held.NQD.Mean)) {
		return row.Held
	}
	return row.All
}

// bestControl is the family without a network that comes closest to the reference.
func (r *Report) bestControl() *Row {
	var out *Row
	for _, f := range []string{FamilyWords, FamilyCV, FamilyMash} {
		row := r.row(f)
		if row == nil || !ok(float64(row.counted().NQD.Mean)) {
			continue
		}
		if out == nil || row.counted().NQD.Mean < out.counted().NQD.Mean {
			out = row
		}
	}
	return out
}

// verdict is what the page says first.
type verdict struct {
	Word string   // "better", "tie", "worse", "no verdict"
	Lead string   // one sentence
	More []string // sentences
}

const noVerdict = "no verdict"

// sign is the mark beside a verdict: its shape tells it without colour.
func sign(word string) string {
	switch word {
	case Better:
		return "✓"
	case Worse:
		return "✗"
	case Tie:
		return "="
	}
	return "~"
}

// tone is the class of a verdict.
func tone(word string) string {
	switch word {
	case Better:
		return "good"
	case Worse:
		return "bad"
	}
	return "open"
}

// verdict holds the networks against the best control. A tie is said to be one, and so is a loss.
func (r *Report) verdict() verdict {
	v := verdict{Word: noVerdict}
	ours := r.row(FamilyNetwork)
	if ours == nil {
		if v.Lead = "No reference tree was given: nothing is scored."; r.Reference != "" {
			v.Lead = "Nothing was scored, so there is no verdict."
		}
		return v
	}
	where := "on species that chose nothing"
	if !r.choice() {
		where = fmt.Sprintf("on all %d species that the reference has", r.shared())
	}
	own := ours.counted().NQD
	if c := r.bestControl(); c == nil {
		v.Lead = fmt.Sprintf("No control was scored (%s, %s or %s), so there is no verdict. The quartet distance of the tree of the hidden states is %s, %s.",
			FamilyWords, FamilyCV, FamilyMash, spreadText(own, 3), where)
	} else {
		v.Word, v.Lead = r.against(c, own, where)
		if d, e := r.difference(c.Family, "nrf"), r.difference(c.Family, "nqd"); d != nil && e != nil && ok(float64(d.Mean)) && d.Verdict != e.Verdict {
			v.More = append(v.More, fmt.Sprintf("The Robinson-Foulds distance does not say the same: by it the tree %s (difference %s, 95 %% interval %s to %s; below 0 the network is better).",
				map[string]string{Better: "is better", Tie: "ties", Worse: "is worse"}[d.Verdict], signed(d.Mean), signed(d.Low), signed(d.High)))
		}
	}
	v.More = append(v.More, r.beside(FamilyUntrained, "untrained networks of the same shape", "No untrained network was scored."))
	if r.row(FamilyStates) != nil {
		v.More = append(v.More, r.beside(FamilyStates, "the mean hidden states of the same networks", ""))
	}
	v.More = append(v.More, r.beside(FamilyGC, "GC content alone", "GC content was not scored."))
	if random := r.row(FamilyRandom); random != nil {
		if s := random.counted().NQD; ok(float64(s.Mean)) && ok(float64(own.Mean)) {
			far := "Random trees are at " + spreadText(s, 3) + "."
			if ok(float64(s.SD)) && own.Mean > s.Mean-s.SD {
				far = fmt.Sprintf("The tree of the hidden states (%s) is hardly nearer to the reference than random trees (%s).", spreadText(own, 3), spreadText(s, 3))
			}
			v.More = append(v.More, far)
		}
	}
	if !r.choice() {
		v.More = append(v.More, "Too few species are there to choose on some and report on others: layer and distance of the networks are "+
			"not chosen by the reference, those of the controls are.")
	}
	if ours.Seeds > 1 {
		v.More = append(v.More, "Intervals are over seeds of the training, on these species: they say nothing about other species.")
	}
	return v
}

// against is the verdict over one control.
func (r *Report) against(c *Row, own Spread, where string) (word, lead string) {
	d := r.difference(c.Family, "nqd")
	name := fmt.Sprintf("the best control (%s)", c.Family)
	both := fmt.Sprintf("the quartet distance of the tree of the hidden states is %s, that of %s %s, %s", fixed(float64(own.Mean), 3), name,
		fixed(float64(c.counted().NQD.Mean), 3), where)
	if d == nil || !ok(float64(d.Mean)) {
		return noVerdict, "No verdict: " + both + "."
	}
	seeds := fmt.Sprintf("%d seeds; 95 %% interval ", r.networks())
	switch d.Verdict {
	case Better:
		return Better, fmt.Sprintf("The tree of the hidden states is better than %s by %s of quartet distance, %s (%s%s to %s).", name, signed(-d.Mean), where, seeds,
			signed(-d.High), signed(-d.Low))
	case Worse:
		return Worse, fmt.Sprintf("The tree of the hidden states is worse than %s by %s of quartet distance, %s (%s%s to %s).", name, signed(d.Mean), where, seeds,
			signed(d.Low), signed(d.High))
	case Tie:
		return Tie, fmt.Sprintf("The tree of the hidden states ties with %s: quartet distance %s against %s, %s (%sof the difference %s to %s).", name,
			fixed(float64(own.Mean), 3), fixed(float64(c.counted().NQD.Mean), 3), where, seeds, signed(d.Low), signed(d.High))
	}
	return noVerdict, "One seed: no interval, so no verdict; " + both + "."
}

// beside is one sentence about a further family.
func (r *Report) beside(family, name, none string) string {
	d, row := r.difference(family, "nqd"), r.row(family)
	if d == nil || row == nil || !ok(float64(d.Mean)) {
		return none
	}
	interval := fmt.Sprintf("95 %% interval %s to %s", signed(d.Low), signed(d.High))
	switch d.Verdict {
	case Better:
		return fmt.Sprintf("It is better than %s by %s (95 %% interval %s to %s).", name, signed(-d.Mean), signed(-d.High), signed(-d.Low))
	case Worse:
		return fmt.Sprintf("It is worse than %s by %s (%s).", name, signed(d.Mean), interval)
	case Tie:
		return fmt.Sprintf("It ties with %s (difference %s, %s).", name, signed(d.Mean), interval)
	}
	return fmt.Sprintf("The quartet distance of %s is %s; with one seed that is no verdict.", name, fixed(float64(row.counted().NQD.Mean), 3))
}

type cell struct {
	Spread
	Best  bool
	Label string
	First bool // of a block of columns
}

type methodRow struct {
	*Row
	Ours   bool
	Random bool
	Cells  []cell // nRF, nQD, Spearman: Held where there is any, then All
}

// ChosenText tells the variant, and how many halves of the species chose it.
func (m methodRow) ChosenText() string {
	switch {
	case m.Random || m.Chosen == m.Family:
		return ""
	case m.Variants < 2 || m.Halves == 0:
		return m.Chosen
	}
	return fmt.Sprintf("%s (%d of %d halves)", m.Chosen, m.Picked, m.Halves)
}

func (p *page) methods() {
	for i := range p.Rows {
		row := &p.Rows[i]
		p.HasHeld = p.HasHeld || ok(float64(row.Held.NQD.Mean))
	}
	for i := range p.Rows {
		row := &p.Rows[i]
		m := methodRow{Row: row, Ours: row.Family == FamilyNetwork || row.Family == FamilyMean, Random: row.Family == FamilyRandom}
		if p.HasHeld {
			m.Cells = append(m.Cells, cell{row.Held.NRF, false, "nRF", true}, cell{row.Held.NQD, false, "nQD", false}, cell{row.Held.Spearman, false, "Spearman", false})
		}
		m.Cells = append(m.Cells, cell{row.All.NRF, false, "nRF, all", true}, cell{row.All.NQD, false, "nQD, all", false}, cell{row.All.Spearman, false, "Spearman, all", false})
		p.Methods = append(p.Methods, m)
	}
	if len(p.Methods) == 0 {
		return
	}
	for k := range p.Methods[0].Cells {
		up := k%3 == 2 // Spearman: higher is better
		best := math.NaN()
		for _, m := range p.Methods {
			if v := float64(m.Cells[k].Mean); ok(v) && (math.IsNaN(best) || v < best != up) {
				best = v
			}
		}
		for _, m := range p.Methods { // what reads the same is the same
			v := float64(m.Cells[k].Mean)
			m.Cells[k].Best = ok(v) && fixed(v, 3) == fixed(best, 3)
		}
	}
}

type bitsRow struct {
	Bits
	Label string
	Best  bool
}

type bitsPart struct {
	Name, Title, Sentence string
	Rows                  []bitsRow
	Plot                  template.HTML
}

// markovOrder reads the order of "markov-K"; -1: another method.
func markovOrder(method string) int {
	if s, found := strings.CutPrefix(method, "markov-"); found {
		if k, err := strconv.Atoi(s); err == nil && k >= 0 {
			return k
		}
	}
	return -1
}

func bitsLabel(method string) string {
	if k := markovOrder(method); k >= 0 {
		return fmt.Sprintf("Markov, order %d", k)
	}
	return method
}

// bitsParts gathers the bits of each part, those that are known first.
func bitsParts(r *Report) []bitsPart {
	var out []bitsPart
	titles := map[string]string{"windows": "Held-out windows of genomes that were trained on", "test windows": "Test windows of genomes that were trained on",
		"species": "Species that were never trained on"}
	names := []string{"windows", "test windows", "species"}
	for _, b := range r.Bits {
		if !slices.Contains(names, b.Part) {
			names = append(names, b.Part)
		}
	}
	for _, name := range names {
		p := bitsPart{Name: name, Title: titles[name]}
		if p.Title == "" {
			p.Title = name
		}
		best := math.NaN()
		for _, b := range r.Bits {
			if b.Part != name {
				continue
			}
			p.Rows = append(p.Rows, bitsRow{Bits: b, Label: bitsLabel(b.Method)})
			if v := float64(b.Bits.Mean); ok(v) && !(best <= v) {
				best = v
			}
		}
		if len(p.Rows) == 0 {
			continue
		}
		for k := range p.Rows {
			v := float64(p.Rows[k].Bits.Bits.Mean)
			p.Rows[k].Best = ok(v) && fixed(v, 4) == fixed(best, 4)
		}
		p.Sentence = bitsSentence(p.Rows)
		p.Plot = bitsPlot(p)
		out = append(out, p)
	}
	return out
}

// bitsSentence compares the network with the best Markov chain.
func bitsSentence(rows []bitsRow) string {
	var net, chain *bitsRow
	for k := range rows {
		b := &rows[k]
		if !ok(float64(b.Bits.Bits.Mean)) {
			continue
		}
		if b.Method == "network" {
			net = b
		} else if markovOrder(b.Method) >= 0 && (chain == nil || b.Bits.Bits.Mean < chain.Bits.Bits.Mean) {
			chain = b
		}
	}
	if net == nil || chain == nil {
		return ""
	}
	s := fmt.Sprintf("The network needs %s bits per base, the best Markov chain (order %d) %s: ", spreadText(net.Bits.Bits, 4), markovOrder(chain.Method), fixed(float64(chain.Bits.Bits.Mean), 4))
	d := float64(net.Bits.Bits.Mean - chain.Bits.Bits.Mean)
	text, e := fixed(math.Abs(d), 4), max(net.Error, chain.Error)
	switch {
	case text == "0.0000":
		return s + "no difference."
	case d < 0:
		s += "the network is better by " + text
	default:
		s += "the network is worse by " + text
	}
	if !ok(e) || e <= 0 {
		return s + "."
	}
	if s += fmt.Sprintf(" (standard error over windows %s)", fixed(e, 4)); math.Abs(d) < 2*e {
		s += ", which is within two standard errors and so not shown to be a difference"
	}
	return s + "."
}

// Text and numbers.

const (
	dash  = "–"
	minus = "\u2212"
)

func ok(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// fixed prints v with a number of decimals, a dash where there is no number.
func fixed(v float64, decimals int) string {
	if !ok(v) {
		return dash
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" { // no "-0.000"
		s = strings.TrimPrefix(s, "-")
	}
	return strings.Replace(s, "-", minus, 1)
}

func signed(v phylo.Score) string { return fixed(float64(v), 3) }

func withUnit(s, unit string) string {
	if s == dash {
		return s
	}
	return s + "\u00a0" + unit
}

func spreadText(s Spread, decimals int) string {
	out := fixed(float64(s.Mean), decimals)
	if ok(float64(s.Mean)) && ok(float64(s.SD)) {
		out += " ± " + fixed(float64(s.SD), decimals)
	}
	return out
}

// seconds prints a duration as people say it.
func seconds(v float64) string {
	if s, ok := term.Elapsed(v); ok {
		return s
	}
	return dash
}

// clean makes a text one line of what can be shown: names come from files. Marks that turn the direction of text go too.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsControl(c), c == '\u2028', c == '\u2029', c == utf8.RuneError:
			return ' '
		case unicode.Is(unicode.Bidi_Control, c):
			return -1
		}
		return c
	}, s)
}

// clip cuts a text to at most n characters.
func clip(s string, n int) string {
	if s = clean(s); utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:max(n-1, 0)]), " ") + "…"
}

// Plots are 400 units wide: about a phone, and two stand side by side on a desk.

const plotW = 400.0

type picture struct {
	b strings.Builder
}

func newPicture(height float64, about string) *picture {
	p := &picture{}
	fmt.Fprintf(&p.b, `<svg class="plot" viewBox="0 0 %s %s" role="img"><title>%s</title>`, co(plotW), co(height), html.EscapeString(about))
	return p
}

// html ends the picture; every string in it went through html.EscapeString.
func (p *picture) html() template.HTML { return template.HTML(p.b.String() + "</svg>") }

func co(v float64) string {
	if !ok(v) {
		v = 0
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

func (p *picture) line(class string, x0, y0, x1, y1 float64) {
	fmt.Fprintf(&p.b, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, class, co(x0), co(y0), co(x1), co(y1))
}

func (p *picture) text(class string, x, y float64, anchor, s string) {
	fmt.Fprintf(&p.b, `<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>`, class, co(x), co(y), anchor, html.EscapeString(s))
}

// marker draws one of six shapes, so that colour is never the only sign.
func (p *picture) marker(shape int, class string, x, y, r float64, tip string) {
	title := ""
	if tip != "" {
		title = "<title>" + html.EscapeString(tip) + "</title>"
	}
	d := ""
	switch shape % 6 {
	case 0:
		fmt.Fprintf(&p.b, `<circle class="%s" cx="%s" cy="%s" r="%s">%s</circle>`, class, co(x), co(y), co(r), title)
		return
	case 1:
		d = fmt.Sprintf("M%s %sh%sv%sh%sz", co(x-r*.9), co(y-r*.9), co(r*1.8), co(r*1.8), co(-r*1.8))
	case 2:
		d = fmt.Sprintf("M%s %sl%s %sh%sz", co(x), co(y-r*1.2), co(r*1.2), co(r*2.1), co(-r*2.4))
	case 3:
		d = fmt.Sprintf("M%s %sl%s %sl%s %sl%s %sz", co(x), co(y-r*1.3), co(r*1.3), co(r*1.3), co(-r*1.3), co(r*1.3), co(-r*1.3), co(-r*1.3))
	case 4:
		d = fmt.Sprintf("M%s %sl%s %sh%sz", co(x), co(y+r*1.2), co(r*1.2), co(-r*2.1), co(-r*2.4))
	case 5: // an upright bar
		d = fmt.Sprintf("M%s %sh%sv%sh%sz", co(x-r*.5), co(y-r*1.3), co(r), co(r*2.6), co(-r))
	}
	fmt.Fprintf(&p.b, `<path class="%s" d="%s">%s</path>`, class, d, title)
}

// axis maps values to coordinates.
type axis struct {
	lo, hi, a, b float64
	ticks        []float64
	decimals     int
}

func (x axis) at(v float64) float64 { return x.a + (v-x.lo)/(x.hi-x.lo)*(x.b-x.a) }

// newAxis covers [lo, hi] with about n round ticks; it does not go below floor.
func newAxis(lo, hi, a, b float64, n int, floor float64) axis {
	if !(hi-lo > 1e-9) {
		lo, hi = lo-.05, hi+.05
	}
	raw := (hi - lo) / float64(n)
	p := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * p
	for _, f := range []float64{1, 2, 5} {
		if raw <= f*p {
			step = f * p
			break
		}
	}
	pad := (hi - lo) * .06
	x := axis{lo: max(lo-pad, min(floor, lo)), hi: hi + pad, a: a, b: b, decimals: max(0, int(-math.Floor(math.Log10(step)+1e-9)))}
	for k := math.Ceil(x.lo/step - 1e-9); k*step <= x.hi+step*1e-9 && len(x.ticks) < 30; k++ {
		x.ticks = append(x.ticks, k*step)
	}
	return x
}

// dotPlot shows the quartet distance of each family with its standard deviation.
func dotPlot(r *Report) template.HTML {
	type dot struct {
		row *Row
		s   Spread
	}
	var dots []dot
	lo, hi := 0.0, 0.0
	for i := range r.Rows {
		row := &r.Rows[i]
		s := row.counted().NQD
		if !ok(float64(s.Mean)) {
			continue
		}
		dots = append(dots, dot{row, s})
		hi = max(hi, float64(s.Mean))
		if sd := float64(s.SD); ok(sd) {
			hi = max(hi, float64(s.Mean)+sd)
		}
	}
	if len(dots) == 0 {
		return ""
	}
	const left, right, top, step = 152.0, 306.0, 6.0, 24.0
	bottom := top + step*float64(len(dots))
	where := "on species that chose nothing"
	if !r.choice() {
		where = "on all species"
	}
	p := newPicture(bottom+36, "Quartet distance of each method "+where+"; numbers are in the table")
	x := newAxis(lo, hi, left, right, 4, 0)
	for _, t := range x.ticks {
		p.line("grid", x.at(t), top, x.at(t), bottom)
		p.text("tick", x.at(t), bottom+14, "middle", fixed(t, x.decimals))
	}
	p.line("axis", left, bottom, right, bottom)
	p.text("tick", (left+right)/2, bottom+30, "middle", "quartet distance, lower is better")
	for k, d := range dots {
		y := top + step*(float64(k)+.5)
		class, label := "0", "lab"
		switch d.row.Family {
		case FamilyNetwork, FamilyMean:
			label = "lab strong"
		case FamilyUntrained, FamilyUntrainedMean:
			class = "5"
		case FamilyRandom:
			class = "6"
		default:
			class = "1"
		}
		m, sd := float64(d.s.Mean), float64(d.s.SD)
		p.text(label, left-8, y+4, "end", d.row.Family)
		if ok(sd) {
			a, b := x.at(max(m-sd, x.lo)), x.at(m+sd)
			p.line("bar s"+class, a, y, b, y)
			p.line("bar s"+class, a, y-3, a, y+3)
			p.line("bar s"+class, b, y-3, b, y+3)
		}
		p.marker(0, "dot f"+class, x.at(m), y, 4.5, "")
		p.text("val", plotW-2, y+4, "end", spreadText(d.s, 3))
	}
	return p.html()
}

type swatch struct {
	Name string
	SVG  template.HTML
}

type sweepPoint struct {
	layer int
	v     Variant
	s     VariantScore
}

// sweepPlots draws the quartet distance over all layers: a panel of scores, one of states, a line for each distance; untrained
// networks dashed. Fewer than two layers give none.
func sweepPlots(r *Report) (panels []template.HTML, legend []swatch, dashed bool) {
	variants := map[string]Variant{}
	for _, v := range Variants(len(r.Sweep), Score, State) { // there are no more layers than lines
		variants[v.String()] = v
	}
	type key struct {
		untrained bool
		kind      Kind
		distance  string
	}
	lines := map[key][]sweepPoint{}
	lo, hi, layers := math.Inf(1), math.Inf(-1), 0
	for _, s := range r.Sweep {
		v, known := variants[s.Name]
		y := float64(s.All.NQD.Mean)
		if !known || !ok(y) || s.Family != FamilyNetwork && s.Family != FamilyStates && s.Family != FamilyUntrained {
			continue
		}
		k := key{s.Family == FamilyUntrained, v.Kind, v.Distance}
		lines[k] = append(lines[k], sweepPoint{v.Layer, v, s})
		lo, hi, layers = min(lo, y), max(hi, y), max(layers, v.Layer+1)
		dashed = dashed || k.untrained
	}
	for _, ps := range lines {
		slices.SortStableFunc(ps, func(a, b sweepPoint) int { return a.layer - b.layer })
		if len(ps) > 1 {
			layers = max(layers, 2)
		}
	}
	several := slices.ContainsFunc(Distances(), func(d string) bool {
		return len(lines[key{false, Score, d}]) > 1 || len(lines[key{false, State, d}]) > 1
	})
	if !several {
		return nil, nil, false
	}
	control := math.NaN()
	best := r.bestControl()
	if best != nil && ok(float64(best.All.NQD.Mean)) {
		control = float64(best.All.NQD.Mean)
		lo, hi = min(lo, control), max(hi, control)
	}
	const left, right, top, bottom = 44.0, 392.0, 24.0, 228.0
	for _, kind := range []Kind{Score, State} {
		title := map[Kind]string{Score: "Fisher scores", State: "mean hidden states"}[kind]
		p := newPicture(bottom+38, "Quartet distance over all species against the layer, "+title+"; numbers are in the table below and in layers.csv")
		p.text("dl", left, 12, "start", title)
		y := newAxis(lo, hi, bottom, top, 5, 0)
		for _, t := range y.ticks {
			p.line("grid", left, y.at(t), right, y.at(t))
			p.text("tick", left-6, y.at(t)+3.5, "end", fixed(t, y.decimals))
		}
		p.line("axis", left, bottom, right, bottom)
		x := axis{lo: 0, hi: float64(max(layers-1, 1)), a: left + 12, b: right - 12}
		every := (layers + 15) / 16
		for l := 0; l < layers; l += every {
			p.text("tick", x.at(float64(l)), bottom+15, "middle", strconv.Itoa(l))
		}
		p.text("tick", (left+right)/2, bottom+32, "middle", "layer")
		if ok(control) {
			p.line("ref", left, y.at(control), right, y.at(control))
		}
		for _, untrained := range []bool{true, false} { // the trained ones above
			for k, d := range Distances() {
				ps := lines[key{untrained, kind, d}]
				var path strings.Builder
				for i, q := range ps {
					step := "L"
					if i == 0 || q.layer != ps[i-1].layer+1 { // no line over a layer without a score
						step = "M"
					}
					fmt.Fprintf(&path, "%s%s %s", step, co(x.at(float64(q.layer))), co(y.at(float64(q.s.All.NQD.Mean))))
				}
				if len(ps) > 0 {
					class := "ln"
					if untrained {
						class = "ln dash"
					}
					fmt.Fprintf(&p.b, `<path class="%s s%d" d="%s"/>`, class, k, path.String())
				}
				if untrained {
					continue
				}
				for _, q := range ps {
					at := [2]float64{x.at(float64(q.layer)), y.at(float64(q.s.All.NQD.Mean))}
					if q.v == r.Variant {
						fmt.Fprintf(&p.b, `<circle class="ring" cx="%s" cy="%s" r="8"/>`, co(at[0]), co(at[1]))
					}
					p.marker(k, fmt.Sprintf("dot f%d", k), at[0], at[1], 3.6, q.s.Name+": "+spreadText(q.s.All.NQD, 3))
				}
			}
		}
		panels = append(panels, p.html())
	}
	for k, d := range Distances() {
		p := &picture{}
		p.b.WriteString(`<svg viewBox="0 0 24 12" aria-hidden="true">`)
		p.line(fmt.Sprintf("ln s%d", k), 0, 6, 24, 6)
		p.marker(k, fmt.Sprintf("dot f%d", k), 12, 6, 3.6, "")
		legend = append(legend, swatch{d, p.html()})
	}
	return panels, legend, dashed
}

// bitsPlot draws bits per base against the order of the Markov chain, other methods as horizontal lines.
func bitsPlot(part bitsPart) template.HTML {
	type place struct {
		v    float64
		text string
		at   float64
		net  bool
	}
	var chain [][2]float64
	var flat []place
	lo, hi, orders := math.Inf(1), math.Inf(-1), 0
	for _, b := range part.Rows {
		v := float64(b.Bits.Bits.Mean)
		if !ok(v) {
			continue
		}
		lo, hi = min(lo, v), max(hi, v)
		if k := markovOrder(b.Method); k >= 0 {
			chain = append(chain, [2]float64{float64(k), v})
			orders = max(orders, k)
		} else {
			flat = append(flat, place{v: v, text: clip(b.Method, 12) + " " + fixed(v, 3), net: b.Method == "network"})
		}
	}
	if len(chain)+len(flat) == 0 {
		return ""
	}
	slices.SortFunc(chain, func(a, b [2]float64) int {
		if a[0] < b[0] {
			return -1
		}
		return 1
	})
	const left, right, top, bottom = 44.0, 268.0, 24.0, 200.0
	p := newPicture(bottom+38, "Bits per base against the order of the Markov chain, "+part.Title+"; numbers are in the table")
	p.text("dl", 0, 12, "start", clip(part.Title, 60))
	y := newAxis(lo, hi, bottom, top, 7, 0)
	for _, t := range y.ticks {
		p.line("grid", left, y.at(t), right, y.at(t))
		p.text("tick", left-6, y.at(t)+3.5, "end", fixed(t, y.decimals))
	}
	p.line("axis", left, bottom, right, bottom)
	x := axis{lo: 0, hi: float64(max(orders, 1)), a: left + 12, b: right - 12}
	every := (orders + 16) / 16
	for k := 0; k <= orders && len(chain) > 0; k += max(every, 1) {
		p.text("tick", x.at(float64(k)), bottom+15, "middle", strconv.Itoa(k))
	}
	p.text("tick", (left+right)/2, bottom+32, "middle", "order of the Markov chain")
	// Labels in the right margin, pushed apart.
	slices.SortFunc(flat, func(a, b place) int {
		switch {
		case a.v > b.v:
			return -1
		case a.v < b.v:
			return 1
		}
		return 0
	})
	for k := range flat {
		flat[k].at = y.at(flat[k].v)
		if k > 0 {
			flat[k].at = max(flat[k].at, flat[k-1].at+13)
		}
	}
	for k, f := range flat {
		class, label := "ref", "lab"
		if f.net {
			class, label = "ln s0", "lab strong"
		}
		p.line(class, left, y.at(f.v), right, y.at(f.v))
		p.text(label, right+6, flat[k].at+4, "start", f.text)
	}
	var path strings.Builder
	for k, c := range chain {
		path.WriteString(map[bool]string{true: "M", false: "L"}[k == 0] + co(x.at(c[0])) + " " + co(y.at(c[1])))
	}
	if len(chain) > 0 {
		fmt.Fprintf(&p.b, `<path class="ln s1" d="%s"/>`, path.String())
	}
	for _, c := range chain {
		p.marker(1, "dot f1", x.at(c[0]), y.at(c[1]), 4, fmt.Sprintf("order %d: %s", int(c[0]), fixed(c[1], 4)))
	}
	return p.html()
}
