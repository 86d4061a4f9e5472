package dna

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/dna/sequencer"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/view"
)

// The columns of reads as rows.
const (
	columnBases   = iota // as read
	columnQuals          // letters of FASTQ, Phred+33
	columnTruth          // the bases that stand there, in the direction of the read
	columnChanges        // what the sequencer did, see readView.changes
	columnDepth          // other reads over a position, in the mean
	columnCount
)

// Header names the columns of ViewRows: bases, qualities (Phred+33), truth (what stands in the template), changes and depth (of
// the reads that overlap).
func (s *Samples) Header() []string {
	return []string{columnBases: "bases", columnQuals: "qualities", columnTruth: "truth", columnChanges: "changes", columnDepth: "depth"}
}

// readView is the window of a read beside its truth, column by column: a lost base has a column too.
type readView struct {
	truth, read, qual []byte // letters; '-' for none, ' ' where nothing can be said
	others            []byte // what most overlapping reads say: '.' as this one, ' ' where there are none
	depth             []byte // of them: digits, '+' from 10 on
	marks             []string
	changes           []string // "12A>C", "15+G" (inserted), "20-T" (lost behind 20), "33A>N"; positions of the window from 1
	reads             int      // that overlap
	mean              float64  // depth
	errors            int
}

// Marks of columns.
const (
	markSub     = "sub"
	markIns     = "ins"
	markDel     = "del"
	markN       = "unread"
	markAdapter = "adapter"
	markLow     = "low" // quality below 10
)

// words describes the window of the view that the island made last.
func (l *island) words() *readView {
	v := &readView{reads: l.columns.Reads}
	r := &l.read
	put := func(truth, read, qual, others, depth byte, mark string) {
		v.truth, v.read, v.qual = append(v.truth, truth), append(v.read, read), append(v.qual, qual)
		v.others, v.depth, v.marks = append(v.others, others), append(v.depth, depth), append(v.marks, mark)
	}
	to := min(l.from+l.set.window, len(r.Bases))
	for j := l.from; j < to; j++ {
		at := strconv.Itoa(j - l.from + 1)
		c := l.columns.At(j)
		d := c.Depth()
		v.mean += float64(d)
		depth, others := byte(' '), byte(' ')
		if d > 0 {
			depth = "0123456789+"[min(d, 10)]
			best, most := -1, c.Deleted
			for b, n := range c.Count {
				if n > most {
					best, most = b, n
				}
			}
			switch {
			case best < 0:
				others = '-'
			case uint8(best) == r.Bases[j]:
				others = '.'
			default:
				others = letters[best]
			}
		}
		own, qual := letters[min(r.Bases[j], baseN)], r.Quals[j]+'!'
		truth, mark := byte(' '), ""
		switch here := r.Here[j]; {
		case j >= r.Body:
			mark = markAdapter
		case here == sequencer.Delete:
			truth, mark = '-', markIns
			v.changes = append(v.changes, at+"+"+string(own))
		case here == sequencer.Unknown:
			truth = 'N'
		default:
			truth = letters[here]
			if r.Bases[j] >= baseN {
				mark = markN
			} else if r.Bases[j] != here {
				mark = markSub
			}
			if mark != "" {
				v.changes = append(v.changes, at+string(truth)+">"+string(own))
			}
		}
		put(truth, own, qual, others, depth, mark)
		if after := r.After[j]; after > 0 && j < r.Body {
			others = ' '
			if d > 0 {
				others = '.'
			}
			for b, n := range c.Inserted {
				if 2*n > d {
					others = letters[b]
				}
			}
			put(letters[after-1], '-', ' ', others, depth, markDel)
			v.changes = append(v.changes, at+"-"+string(letters[after-1]))
		}
	}
	v.errors = len(v.changes)
	if to > l.from {
		v.mean /= float64(to - l.from)
	}
	if to > r.Body {
		v.changes = append(v.changes, fmt.Sprintf("adapter from %d", max(r.Body-l.from, 0)+1))
	}
	return v
}

// without removes what is not a base.
func without(s []byte) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, string(s))
}

func (v *readView) cells() []string {
	quals := make([]byte, 0, len(v.qual))
	for k, q := range v.qual {
		if v.marks[k] != markDel {
			quals = append(quals, q)
		}
	}
	return []string{columnBases: without(v.read), columnQuals: string(quals), columnTruth: without(v.truth), columnChanges: strings.Join(v.changes, " "),
		columnDepth: strconv.FormatFloat(v.mean, 'f', 1, 64)}
}

// original is the window of the reference as Fill takes it: without errors, at quality 40, alone.
func (s *Samples) original(p domain.Part, i int) ([]string, error) {
	pt, at, err := s.place(p, i)
	if err != nil {
		return nil, err
	}
	text := spell(pt.ref.bases[at : at+s.set.window])
	return []string{columnBases: text, columnQuals: strings.Repeat(string(rune('!'+40)), len(text)), columnTruth: text, columnChanges: "", columnDepth: "0.0"}, nil
}

// look makes a view and describes it.
func (s *Samples) look(p domain.Part, i int, params *view.Params) (*readView, error) {
	l, err := s.borrow()
	if err != nil {
		return nil, err
	}
	defer s.giveBack(l)
	if err := s.view(l, p, i, params); err != nil {
		return nil, err
	}
	return l.words(), nil
}

// ViewRows gives windows of the reference, each followed by the read that the sequencer made over it for (seed, epoch); see
// domain.Tabler. A read lies up to half a window aside and on either strand: the column truth says what it covers, in its direction,
// and has its variants.
func (s *Samples) ViewRows(ctx context.Context, samples []int, seed, epoch uint64, stream string, fn func(domain.TableRow) error) error {
	if stream != "" && stream != "all" && stream != Sequencer {
		return fmt.Errorf("dna: %w: stream %q is not one of %s, all", view.ErrConfig, stream, Sequencer)
	}
	v, err := s.sampler()
	if err != nil {
		return err
	}
	for _, i := range samples {
		if err := ctx.Err(); err != nil {
			return err
		}
		cells, err := s.original(domain.Train, i)
		if err != nil {
			return err
		}
		base := domain.TableRow{Sample: i, Place: s.Name(domain.Train, i), Cells: cells, Missing: make([]bool, columnCount)}
		if err := fn(base); err != nil {
			return err
		}
		var p view.Params
		v.params(rng.NewStream(), seed, epoch, i, &p)
		w, err := s.look(domain.Train, i, &p)
		if err != nil {
			return err
		}
		row := base
		row.Stream, row.View, row.Cells = Sequencer, 1, w.cells()
		for k, name := range s.Header() {
			if row.Cells[k] != cells[k] {
				row.Changed = append(row.Changed, name)
			}
		}
		d := domain.TableDraw{Transform: Sequencer, Values: slices.Clone(p.V[:p.N]), Columns: row.Changed, Donors: make([]string, len(row.Changed))}
		for k, ps := range Specs()[0].Params {
			d.Params = append(d.Params, domain.TableParam{Name: ps.Name, Value: p.V[k]})
		}
		row.Drawn = []domain.TableDraw{d}
		if err := fn(row); err != nil {
			return err
		}
	}
	return nil
}

// ViewWords are a window of the reference and the read of a view over it, by Header; see domain.Tabler.
func (s *Samples) ViewWords(_ domain.Transformation, p domain.Part, i int, params view.Params) (original, words []string, err error) {
	if original, err = s.original(p, i); err != nil || !params.Applied {
		return original, original, err
	}
	v, err := s.look(p, i, &params)
	if err != nil {
		return nil, nil, err
	}
	return original, v.cells(), nil
}

// The sheet: sheetWidth columns a line, at most sheetColumns of a read.
const (
	sheetWidth   = 80
	sheetColumns = 480
)

type sheet struct {
	Title, Shape, Doc string
	Seed              uint64
	Params            [][3]string
	Terms             [][2]string
	Sections          []sheetSection
}

type sheetSection struct {
	Title, Text string
	Reads       []sheetRead
}

type sheetRead struct {
	Title, Note string
	Lines       []sheetLine
	More        int // columns that are not shown
}

type sheetLine struct {
	Label string
	Runs  []sheetRun
	Last  bool // of a block
}

type sheetRun struct{ Text, Mark string }

// runs joins neighbours with the same mark.
func runs(text []byte, mark func(k int) string) (out []sheetRun) {
	for k := range text {
		m := mark(k)
		if n := len(out); n > 0 && out[n-1].Mark == m {
			out[n-1].Text += string(text[k])
			continue
		}
		out = append(out, sheetRun{string(text[k]), m})
	}
	return out
}

// lines writes a view in blocks of sheetWidth columns.
func (v *readView) lines() (out []sheetLine, more int) {
	n := min(len(v.read), sheetColumns)
	for from := 0; from < n; from += sheetWidth {
		to := min(from+sheetWidth, n)
		own := func(k int) string { return v.marks[from+k] }
		out = append(out,
			sheetLine{Label: "truth", Runs: runs(v.truth[from:to], func(k int) string {
				if m := own(k); m == markDel {
					return m
				}
				return ""
			})},
			sheetLine{Label: "read", Runs: runs(v.read[from:to], own)},
			sheetLine{Label: "quality", Runs: runs(v.qual[from:to], func(k int) string {
				if q := v.qual[from+k]; q != ' ' && q < '!'+10 {
					return markLow
				}
				return ""
			}), Last: true})
		if len(bytes.TrimSpace(v.depth[from:to])) == 0 {
			continue // no other read
		}
		out[len(out)-1].Last = false
		out = append(out,
			sheetLine{Label: "others", Runs: runs(v.others[from:to], func(k int) string {
				if c := v.others[from+k]; c != '.' && c != ' ' {
					return "differ"
				}
				return ""
			})},
			sheetLine{Label: "depth", Runs: []sheetRun{{Text: string(v.depth[from:to])}}, Last: true})
	}
	return out, len(v.read) - n
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func decimal(x float64) string { return strconv.FormatFloat(x, 'g', 3, 64) }

// sheetRead shows one view.
func (s *Samples) sheetRead(title string, i int, p *view.Params) (sheetRead, error) {
	v, err := s.look(domain.Train, i, p)
	if err != nil {
		return sheetRead{}, err
	}
	out := sheetRead{Title: title, Note: fmt.Sprintf("noise ×%s, %s, %s (depth %s over the window)",
		decimal(p.V[paramNoise]), counted(v.errors, "error"), counted(v.reads, "overlapping read"), decimal(v.mean))}
	out.Lines, out.More = v.lines()
	return out, nil
}

// WriteSheet writes n reads as training sees them in epoch 0 of the run with that seed, and of some of their places reads at
// low, middle and high noise, as one HTML page without external resources: each read below its truth, with what the sequencer
// did marked, its qualities, and what the reads that overlap it say.
func (s *Samples) WriteSheet(w io.Writer, title string, n int, seed uint64) error {
	total := s.Len(domain.Train)
	if n < 1 || total < 1 {
		return errors.New("dna: a sheet of views needs at least 1 sample")
	}
	v, err := s.sampler()
	if err != nil {
		return err
	}
	n = min(n, total)
	spec, cfg := Specs()[0], s.set.cfg
	page := sheet{Title: title, Seed: seed, Doc: spec.Doc,
		Shape: fmt.Sprintf("%d windows of %d positions for training · profile %s (%s)", total, s.set.window, cfg.Options[optionProfile], s.set.profile.Name)}
	for _, ps := range spec.Params {
		page.Params = append(page.Params, [3]string{ps.Name, cfg.Params[ps.Name].String() + " " + ps.Unit, ps.Doc})
	}
	for _, t := range cfg.Terms {
		page.Terms = append(page.Terms, [2]string{t.Kind.String(), "noise " + t.Range.String()})
	}
	stream := sheetSection{Title: "What training reads", Text: "The views of epoch 0."}
	stages := sheetSection{Title: "By noise", Text: "The same place, read with the lowest, the middle and the highest declared noise."}
	declared := cfg.Params[spec.Params[paramNoise].Name]
	for k := range n {
		i := k * total / n // spread over the training part
		var p view.Params
		v.params(rng.NewStream(), seed, 0, i, &p)
		r, err := s.sheetRead(s.Name(domain.Train, i), i, &p)
		if err != nil {
			return err
		}
		stream.Reads = append(stream.Reads, r)
		if k >= 2 {
			continue
		}
		for f, word := range []string{"low", "middle", "high"} {
			if f > 0 && declared.From == declared.To {
				break
			}
			p := v.transforms[0].At(float64(f)/2, seed, i)
			r, err := s.sheetRead(s.Name(domain.Train, i)+", "+word, i, &p)
			if err != nil {
				return err
			}
			stages.Reads = append(stages.Reads, r)
		}
	}
	page.Sections = []sheetSection{stream, stages}
	var buf bytes.Buffer
	if err := sheetPage.Execute(&buf, page); err != nil {
		return fmt.Errorf("dna: sheet of views: %w", err)
	}
	_, err = w.Write(buf.Bytes())
	return err
}

var sheetPage = template.Must(template.New("sheet").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}: views</title>
<style>
:root{--ink:#1c2430;--soft:#5b6675;--line:#d9dee6;--paper:#fff;--back:#f4f6f9;--sub:#ffc9c9;--ins:#ffe08a;--del:#bcd7ff;--unread:#d7dbe2;--restorable:#8a5a00}
*{box-sizing:border-box}
body{margin:0;padding:1.2rem clamp(.6rem,3vw,2rem) 3rem;font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;color:var(--ink);background:var(--back)}
h1{font-size:1.5rem;margin:0 0 .2rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:1.8rem 0 .2rem}h3{font-size:.95rem;margin:0;overflow-wrap:anywhere}
p{margin:.2rem 0 .6rem;max-width:46rem}.soft{color:var(--soft)}
.card{margin:0 0 .8rem;background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem;max-width:60rem;break-inside:avoid}
.top{display:flex;flex-wrap:wrap;gap:.2rem .8rem;align-items:baseline}
.tag{display:inline-block;border-radius:999px;padding:.05rem .55rem;font-size:.8rem;color:#fff;background:var(--soft)}.restorable{background:var(--restorable)}
table{border-collapse:collapse;font-size:.85rem;margin:.5rem 0}
td,th{text-align:left;vertical-align:top;font-weight:400;padding:.15rem .7rem .15rem 0;border-top:1px solid var(--line)}
th{font-weight:600}td.v{white-space:nowrap}
.wide{overflow-x:auto}
pre{margin:.4rem 0 0;font:13px/1.3 ui-monospace,"SF Mono",Consolas,"Liberation Mono","DejaVu Sans Mono",monospace}
pre i{font-style:normal;color:var(--soft);display:inline-block;width:4.6rem}
pre b{font-weight:600;border-radius:2px}
.key b{padding:0 .35rem;margin:0 .15rem 0 .5rem;font-weight:600;border-radius:3px;font-family:ui-monospace,Consolas,"Liberation Mono",monospace}
b.sub{background:var(--sub)}b.ins{background:var(--ins)}b.del{background:var(--del)}b.unread{background:var(--unread)}b.adapter{color:var(--soft);font-weight:400;text-decoration:underline}
b.low{color:#b3261e;font-weight:400}b.differ{color:#1f5fa8}
@media print{body{background:#fff;padding:0}b{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
</style></head><body>
<h1>{{.Title}}: views</h1>
<p class="soft">{{.Shape}} · seed {{.Seed}}</p>
<section class="card"><div class="top"><h3>sequencer</h3>{{range .Terms}}<span><span class="tag {{index . 0}}">{{index . 0}}</span> {{index . 1}}</span>{{end}}</div>
<p class="soft">{{.Doc}}</p>
<div class="wide"><table>{{range .Params}}<tr><th scope="row">{{index . 0}}</th><td class="v">{{index . 1}}</td><td class="soft">{{index . 2}}</td></tr>{{end}}</table></div></section>
<p class="key">What the sequencer did:<b class="sub">A</b>substituted<b class="ins">A</b>inserted<b class="del">-</b>lost<b class="unread">N</b>not read<b class="adapter">A</b>adapter</p>
<p class="soft">Qualities are letters of FASTQ, red below 10. <em>others</em> is what most of the reads that overlap this one say: a dot as this one, blue where they differ, blank where
there is none; <em>depth</em> is how many they are, + from 10 on. A read is shown in its own direction: a place on the other strand reads backwards.</p>
{{range .Sections}}<h2>{{.Title}}</h2>
<p class="soft">{{.Text}}</p>
{{range .Reads}}<section class="card"><div class="top"><h3>{{.Title}}</h3><span class="soft">{{.Note}}</span></div>
<div class="wide"><pre>{{range .Lines}}<i>{{.Label}}</i>{{range .Runs}}{{if .Mark}}<b class="{{.Mark}}">{{.Text}}</b>{{else}}{{.Text}}{{end}}{{end}}
{{if .Last}}
{{end}}{{end}}</pre></div>{{if .More}}<p class="soft">{{.More}} more columns are not shown.</p>{{end}}</section>
{{end}}{{end}}
</body></html>
`))

var (
	_ domain.Sheeter = (*Samples)(nil)
	_ domain.Tabler  = (*Samples)(nil)
)
