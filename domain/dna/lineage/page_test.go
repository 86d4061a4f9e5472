package lineage

import (
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/selfsame-ml/selfsame/phylo"
)

var pages = flag.String("pages", "", "write the pages of TestPages to this folder")

var nan = phylo.Score(math.NaN())

// made is a made-up report of n species in groups of five; names may be strange.
func made(t testing.TB, n, seeds int, reference bool, name func(int) string) *Report {
	t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = name(i)
	}
	m := phylo.NewMatrix(names)
	for i := range n {
		for j := range i {
			d := 1 + 0.02*float64((i*7+j*13)%11)
			if i/5 == j/5 {
				d = 0.2 + 0.03*float64((i+2*j)%7)
			}
			m.Set(i, j, d)
		}
	}
	tree, err := phylo.NeighborJoining(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tree.Nodes() {
		if x != tree.Root && !x.IsLeaf() {
			x.Support = 87
		}
	}
	groups := []string{"Bacteria", "Archaea", "<Fungi & \"co\">", "Mammalia", "Viruses"}
	res := &Result{Names: names, Variant: Variant{3, Score, Euclidean}, Why: "the lowest quartet distance of 70 variants on the 10 species of the choosing set", Tree: tree, Matrix: m}
	r := &Report{Format: 1, Name: "tree-of-life", Version: "0.3.0", Engine: "go", Created: time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC),
		Command: "selfsame tree recipes/tree-of-life.yaml --runs runs/a,runs/b --reference reference.nwk", Seconds: 754, Window: 512, Windows: 256,
		Replicates: 100, Seed: math.MaxUint64, Newick: tree.Newick(), Warnings: []string{"two genomes are shorter than 256 windows <b>"}, Result: res}
	for k := range seeds {
		r.Runs = append(r.Runs, Run{Dir: fmt.Sprintf("runs/tree-of-life-%d", k), Seed: uint64(k), Steps: 20000, Bases: 655360000, Weights: strings.Repeat("9f86d081", 8)})
	}
	for i, name := range names {
		r.Genomes = append(r.Genomes, Genome{Name: name, Group: groups[i/5%len(groups)], Bases: 16569 + 1234567*i, GC: 0.3 + 0.01*float64(i%30), Held: i%5 == 4, Windows: 256})
	}
	sd := func(v float64) phylo.Score {
		if seeds < 2 {
			return nan
		}
		return phylo.Score(v)
	}
	for _, part := range []string{"windows", "species"} {
		off := map[string]float64{"windows": 0, "species": 0.03}[part]
		r.Bits = append(r.Bits, Bits{part, "network", seeds, Spread{phylo.Score(1.871 + off*1.5), sd(0.004)}, 0.011})
		for k := range 9 {
			r.Bits = append(r.Bits, Bits{part, fmt.Sprintf("markov-%d", k), 1, Spread{phylo.Score(1.985 + off - 0.016*float64(min(k, 6)) + 0.03*float64(max(k-6, 0))), nan}, 0.010})
		}
		r.Bits = append(r.Bits, Bits{part, "composition", 1, Spread{phylo.Score(1.957 + off), nan}, 0.010})
	}
	if !reference {
		res.Why = "the default: there is no reference to choose by"
		return r
	}
	r.Reference = "reference.nwk"
	res.Missing, res.Absent = []string{names[n-1]}, []string{"Homo erectus"}
	for i, name := range names[:n-1] {
		if n >= 8 && i%2 == 0 {
			res.Choosing = append(res.Choosing, name)
		} else if n >= 8 {
			res.Reported = append(res.Reported, name)
		}
	}
	score := func(nqd, sdv float64) Scores {
		return Scores{Spread{phylo.Score(nqd * 1.4), phylo.Score(sdv)}, Spread{phylo.Score(nqd), phylo.Score(sdv)}, Spread{phylo.Score(1 - 1.5*nqd), phylo.Score(sdv)}}
	}
	none := Scores{Spread{nan, nan}, Spread{nan, nan}, Spread{nan, nan}}
	add := func(family string, variants, seeds int, nqd, sdv float64, chosen ...string) {
		if seeds < 2 {
			sdv = math.NaN()
		}
		row := Row{Family: family, Variants: variants, Seeds: seeds, Chosen: chosen[0], Picked: 23, Halves: 40, All: score(nqd*0.9, sdv), Held: score(nqd, sdv)}
		if n < 8 {
			row.Held = none
		}
		res.Rows = append(res.Rows, row)
	}
	if seeds > 1 {
		add(FamilyMean, 70, 1, 0.121, 0, "layer 3 - background, euclidean")
	}
	add(FamilyNetwork, 70, seeds, 0.143, 0.018, "layer 3 - background, euclidean", "layer 4 - background, whitened-cosine")
	add(FamilyUntrained, 70, seeds, 0.312, 0.03, "layer 1, cosine")
	add(FamilyGC, 1, 1, 0.448, 0, "GC content")
	add(FamilyWords, 12, 1, 0.282, 0, "k = 6, d2S")
	add(FamilyCV, 6, 1, 0.274, 0, "k = 9")
	add(FamilyMash, 4, 1, 0.263, 0, "k = 16, s = 10000")
	add(FamilyRandom, 1, 200, 0.664, 0.041, "uniform")
	for _, row := range res.Rows {
		if row.Family == FamilyMean || row.Family == FamilyNetwork || row.Family == FamilyRandom {
			continue
		}
		for k, what := range []string{"nrf", "nqd"} {
			d := Difference{Family: row.Family, Score: what, Mean: phylo.Score(0.143) - row.counted().NQD.Mean, Low: nan, High: nan, Verdict: Unknown}
			if seeds > 1 {
				half := 0.04 + 0.01*phylo.Score(k)
				d.Low, d.High, d.Verdict = d.Mean-half, d.Mean+half, Better
			}
			res.Differences = append(res.Differences, d)
		}
	}
	for i, x := range tree.Nodes() {
		if x.IsLeaf() || x == tree.Root {
			continue
		}
		c := Clade{Found: i%3 > 0, Support: phylo.Score(100 - i%50), Seeds: i % (seeds + 1)}
		for _, l := range (&phylo.Tree{Root: x}).Leaves() {
			c.Taxa = append(c.Taxa, l.Name)
		}
		if c.Name = strings.Join(c.Taxa, ", "); len(c.Taxa) > 3 {
			c.Name = fmt.Sprintf("%s, ... (%d)", strings.Join(c.Taxa[:2], ", "), len(c.Taxa))
		}
		if !c.Found {
			c.Support = nan
		}
		res.Clades = append(res.Clades, c)
	}
	for _, f := range []string{FamilyNetwork, FamilyUntrained} {
		for k, v := range Variants(7, Score, State) {
			q := 0.16 + 0.05*math.Abs(float64(v.Layer)-3)/3 + 0.025*float64(k/7%5)
			if f == FamilyUntrained {
				q = 0.35 + 0.01*float64(v.Layer) + 0.015*float64(k/7%5)
			}
			if v.Kind == State {
				q += 0.06
			}
			res.Sweep = append(res.Sweep, VariantScore{f, v.String(), seeds, score(q, float64(sd(0.02)))})
		}
	}
	if seeds > 1 {
		res.Sweep = append(res.Sweep, VariantScore{FamilyMean, res.Variant.String(), 1, score(0.109, math.NaN())})
	}
	res.Sweep = append(res.Sweep, VariantScore{FamilyMash, "k = 16, s = 10000", 1, score(0.24, math.NaN())})
	return r
}

func species(i int) string {
	list := []string{"Escherichia coli", "Salmonella enterica", "Klebsiella pneumoniae", "Vibrio cholerae", "Yersinia pestis", "Methanocaldococcus jannaschii",
		"Sulfolobus acidocaldarius", "Haloferax volcanii", "Pyrococcus furiosus", "Thermococcus kodakarensis", "Saccharomyces cerevisiae", "Candida albicans", "Ustilago maydis",
		"Neurospora crassa", "Aspergillus nidulans", "Homo sapiens", "Pan troglodytes", "Mus musculus", "Bos taurus", "Canis lupus familiaris"}
	if i < len(list) {
		return list[i]
	}
	return fmt.Sprintf("Species number %d", i)
}

func strange(i int) string {
	list := []string{`O'Brien "x" [1]: (a,b);`, `<script>alert(1)</script>`, "猿 オランウータン 🦧", strings.Repeat("Verylongname", 30), "a&amp;b", "x\x1b[31m\tred", "\u202Etxt",
		`</pre></svg><img src=x onerror=alert(1)>`, "{{.Name}}", "%s%d"}
	return fmt.Sprintf("%s %d", list[i%len(list)], i)
}

// text of the page outside of tags, with the names of all elements; the page is also well-formed XML.
func parse(t *testing.T, page string) (text string, tags map[string]int) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(page))
	dec.Entity = xml.HTMLEntity
	tags = map[string]int{}
	ids := map[string]bool{}
	var b strings.Builder
	style := false
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return b.String(), tags
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			tags[x.Name.Local]++
			style = x.Name.Local == "style"
			for _, a := range x.Attr {
				switch k := strings.ToLower(a.Name.Local); {
				case k == "id" && ids[a.Value]:
					t.Errorf("the id %q occurs twice", a.Value)
				case k == "id":
					ids[a.Value] = true
				case k == "src", strings.HasPrefix(k, "on"), k == "href" && !strings.HasPrefix(a.Value, "#"):
					t.Errorf("%s=%q in <%s>", a.Name.Local, a.Value, x.Name.Local)
				}
			}
		case xml.EndElement:
			style = false
		case xml.CharData:
			if !style {
				b.Write(x)
				b.WriteByte('\n')
			}
		}
	}
}

var noNumber = regexp.MustCompile(`\bNaN\b|[+-]?\bInf\b|<no value>|%!|\bnull\b|<nil>`)

func TestPages(t *testing.T) {
	strangeWords := made(t, 20, 5, true, strange)
	strangeWords.Name, strangeWords.Command, strangeWords.Reference = `<script>"'`, "selfsame tree '<b>' & \x00", strange(7)
	strangeWords.Runs[0].Dir, strangeWords.Warnings[0] = strange(3), strange(1)
	odd := made(t, 20, 5, true, species)
	odd.Bits = []Bits{{"windows", "network", 1, Spread{nan, nan}, math.NaN()}, {"else", "markov-x", 1, Spread{2, nan}, math.Inf(1)}}
	odd.Genomes[0].GC = math.NaN()
	for k := range odd.Rows {
		odd.Rows[k].Held.NRF.Mean, odd.Rows[k].All.Spearman = nan, Spread{nan, nan}
	}
	fromJSON := made(t, 20, 5, true, species)
	fromJSON.Tree, fromJSON.Matrix = nil, nil
	same := made(t, 4, 1, false, species)
	for k := range same.Matrix.Data {
		same.Matrix.Data[k] = 0
	}
	fixedVariant := made(t, 20, 5, true, species)
	fixedVariant.Sweep = fixedVariant.Sweep[3:4]
	for name, r := range map[string]*Report{
		"usual":         made(t, 20, 5, true, species),
		"one seed":      made(t, 20, 1, true, species),
		"no reference":  made(t, 20, 5, false, species),
		"three":         made(t, 3, 1, false, species),
		"few":           made(t, 6, 2, true, species),
		"many":          made(t, 200, 5, true, species),
		"many strange":  made(t, 60, 1, true, strange),
		"strange":       strangeWords,
		"odd":           odd,
		"from JSON":     fromJSON,
		"same":          same,
		"fixed variant": fixedVariant,
		"empty":         {Result: &Result{}},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := r.WriteHTML(&b); err != nil {
				t.Fatal(err)
			}
			page := b.String()
			if *pages != "" {
				if err := os.WriteFile(filepath.Join(*pages, strings.ReplaceAll(name, " ", "-")+".html"), []byte(page), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text, tags := parse(t, page)
			if s := noNumber.FindString(page); s != "" {
				t.Errorf("the page has %q", s)
			}
			if tags["script"]+tags["img"]+tags["link"]+tags["iframe"] > 0 {
				t.Errorf("foreign elements: %v", tags)
			}
			if strings.ContainsRune(page, '\u202e') {
				t.Error("the page turns the direction of text")
			}
			for _, g := range r.Genomes {
				if !strings.Contains(text, clean(g.Name)) {
					t.Errorf("the page lacks the genome %q", g.Name)
				}
			}
			if (len(r.Rows) > 0) != strings.Contains(text, "Species that chose nothing") && len(r.Choosing) > 0 {
				t.Error("scores without a reference, or none with one")
			}
			if rest := strings.ReplaceAll(page, "http://www.w3.org/2000/svg", ""); strings.Contains(rest, "://") || strings.Contains(rest, "url(") {
				t.Error("the page names an address")
			}
			wantLines := r.Tree != nil && len(r.Sweep) > 1
			if got := strings.Contains(page, `class="ln dash s0"`); got != wantLines && name != "from JSON" {
				t.Errorf("sweep drawn: %t", got)
			}

			b.Reset()
			if err := r.WriteText(&b); err != nil {
				t.Fatal(err)
			}
			if *pages != "" {
				if err := os.WriteFile(filepath.Join(*pages, strings.ReplaceAll(name, " ", "-")+".txt"), []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for line := range strings.SplitSeq(b.String(), "\n") {
				if n := utf8.RuneCountInString(line); n > 80 {
					t.Errorf("a line of %d characters: %q", n, line)
				}
				if strings.ContainsRune(line, '\x1b') {
					t.Errorf("a control character in %q", line)
				}
			}
			if s := noNumber.FindString(b.String()); s != "" {
				t.Errorf("the text has %q", s)
			}
		})
	}
}

func TestPageWithoutResult(t *testing.T) {
	if err := (&Report{}).WriteHTML(io.Discard); err == nil {
		t.Error("a page of nothing")
	}
	if err := (&Report{}).WriteText(io.Discard); err == nil {
		t.Error("a text of nothing")
	}
}

func TestVerdict(t *testing.T) {
	set := func(r *Report, family, score string, mean, half float64, verdict string) {
		d := r.difference(family, score)
		d.Mean, d.Low, d.High, d.Verdict = phylo.Score(mean), phylo.Score(mean-half), phylo.Score(mean+half), verdict
	}
	for _, c := range []struct {
		name, word string
		report     func() *Report
		want       []string // parts of the sentences
		not        []string
	}{
		{"better", Better, func() *Report {
			r := made(t, 20, 5, true, species)
			set(r, FamilyMash, "nqd", -0.12, 0.04, Better)
			return r
		},
			[]string{"better than the best control (Mash) by 0.120 of quartet distance, on species that chose nothing (5 seeds; 95 % interval 0.080 to 0.160)"}, []string{"do not say the same"}},
		{"tie", Tie, func() *Report {
			r := made(t, 20, 5, true, species)
			set(r, FamilyMash, "nqd", -0.02, 0.04, Tie)
			return r
		},
			[]string{"ties with the best control (Mash): quartet distance 0.143 against 0.263", "difference −0.060 to 0.020", "Robinson-Foulds distance does not say the same: by it the tree is better"},
			[]string{"better than the best"}},
		{"worse", Worse, func() *Report {
			r := made(t, 20, 5, true, species)
			set(r, FamilyMash, "nqd", 0.12, 0.04, Worse)
			return r
		},
			[]string{"worse than the best control (Mash) by 0.120", "interval 0.080 to 0.160"}, nil},
		{"untrained worse", Better, func() *Report {
			r := made(t, 20, 5, true, species)
			set(r, FamilyUntrained, "nqd", 0.1, 0.05, Worse)
			set(r, FamilyGC, "nqd", -0.1, 0.15, Tie)
			return r
		}, []string{"It is worse than untrained networks of the same shape by 0.100 (95 % interval 0.050 to 0.150)", "It ties with GC content alone (difference −0.100, 95 % interval −0.250 to 0.050)"}, nil},
		{"the best control is another", Better, func() *Report { r := made(t, 20, 5, true, species); r.row(FamilyWords).Held.NQD.Mean = 0.2; return r },
			[]string{"the best control (k-mers)"}, []string{"Mash"}},
		{"one seed", noVerdict, func() *Report { return made(t, 20, 1, true, species) }, []string{"One seed: no interval, so no verdict", "0.143", "0.263"}, []string{"better", "worse"}},
		{"no reference", noVerdict, func() *Report { return made(t, 20, 5, false, species) }, []string{"No reference tree was given: nothing is scored."}, []string{"quartet"}},
		{"few species", Better, func() *Report { return made(t, 6, 2, true, species) }, []string{"on all 5 species that the reference has", "Too few species"}, []string{"chose nothing"}},
		{"no control", noVerdict, func() *Report { r := made(t, 20, 5, true, species); r.Rows = r.Rows[:2]; return r },
			[]string{"No control was scored", "No untrained network was scored", "GC content was not scored"}, nil},
		{"as random", Better, func() *Report {
			r := made(t, 20, 5, true, species)
			r.row(FamilyNetwork).Held.NQD.Mean = 0.65
			return r
		}, []string{"hardly nearer to the reference than random trees"}, nil},
		{"undefined", noVerdict, func() *Report {
			r := made(t, 20, 5, true, species)
			set(r, FamilyMash, "nqd", math.NaN(), 0, Tie)
			return r
		}, []string{"No verdict"}, []string{"ties"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.report()
			v := r.verdict()
			all := v.Lead + " " + strings.Join(v.More, " ")
			if v.Word != c.word {
				t.Errorf("the verdict is %q, expected %q: %s", v.Word, c.word, all)
			}
			for _, s := range c.want {
				if !strings.Contains(all, s) {
					t.Errorf("no %q in %q", s, all)
				}
			}
			for _, s := range c.not {
				if strings.Contains(all, s) {
					t.Errorf("%q in %q", s, all)
				}
			}
			var b strings.Builder
			if err := r.WriteText(&b); err != nil {
				t.Fatal(err)
			}
			if s := strings.Join(strings.Fields(b.String()), " "); !strings.Contains(s, v.Lead) {
				t.Errorf("the text lacks the verdict: %s", s)
			}
		})
	}
}

func TestBestIsBold(t *testing.T) {
	p, err := newPage(made(t, 20, 5, true, species))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range p.Methods {
		for k, c := range m.Cells {
			if want := m.Family == FamilyMean; c.Best != want {
				t.Errorf("%s, column %d: bold %t", m.Family, k, c.Best)
			}
		}
	}
}

func TestBitsSentence(t *testing.T) {
	bits := func(net, a, b float64) []bitsRow {
		row := func(m string, v float64) bitsRow {
			return bitsRow{Bits: Bits{Method: m, Bits: Spread{phylo.Score(v), nan}, Error: 0.01}}
		}
		return []bitsRow{row("network", net), row("markov-2", a), row("markov-11", b), row("composition", 1)}
	}
	for _, c := range []struct {
		rows []bitsRow
		want string
	}{
		{bits(1.85, 1.95, 1.9), "order 11) 1.9000: the network is better by 0.0500 (standard error over windows 0.0100)"},
		{bits(1.95, 1.9, 1.99), "order 2) 1.9000: the network is worse by 0.0500"},
		{bits(1.9, 1.9, 1.99), "no difference"},
		{bits(math.NaN(), 1.9, 1.99), ""},
	} {
		if got := bitsSentence(c.rows); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%q, expected %q", got, c.want)
		}
	}
}
