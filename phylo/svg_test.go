package phylo

import (
	"encoding/xml"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var pictures = flag.String("pictures", "", "write the drawings of TestPictures to this folder")

// tester is *testing.T or *rapid.T.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

type svgText struct {
	quad
	text string
}

// texts parses a picture and returns its texts with the space they take.
func texts(t tester, svg string) (out []svgText, width, height float64) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(svg))
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return out, width, height
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		s, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		at := map[string]string{}
		for _, a := range s.Attr {
			at[a.Name.Local] = a.Value
		}
		float := func(v string) float64 {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
				t.Fatalf("coordinate %q", v)
			}
			return f
		}
		switch s.Name.Local {
		case "svg":
			width, height = float(at["width"]), float(at["height"])
		case "text":
			var body struct {
				Text string `xml:",chardata"`
			}
			if err := dec.DecodeElement(&body, &s); err != nil {
				t.Fatal(err)
			}
			a := start
			if v := at["text-anchor"]; v != "" {
				a = anchor(v)
			}
			size, angle := float(at["font-size"]), 0.0
			if tr := at["transform"]; tr != "" {
				angle = float(strings.Fields(strings.TrimPrefix(tr, "rotate("))[0])
			}
			// A little smaller: coordinates in the file are rounded.
			q := textQuad(float(at["x"]), float(at["y"])-size*0.35, a, size-0.05, body.Text, angle)
			out = append(out, svgText{q, body.Text})
		}
	}
}

func checkPicture(t tester, svg string) {
	t.Helper()
	all, w, h := texts(t, svg)
	for i, a := range all {
		for _, p := range a.quad {
			if p.x < 0 || p.y < 0 || p.x > w || p.y > h {
				t.Fatalf("%q leaves the picture of %g by %g at %v", a.text, w, h, p)
			}
		}
		for _, b := range all[:i] {
			if a.hits(b.quad) {
				t.Fatalf("%q overlaps %q", a.text, b.text)
			}
		}
	}
}

func TestTextsNeverOverlap(t *testing.T) {
	name := rapid.OneOf(rapid.StringMatching(`[A-Za-z_ ]{1,30}`), rapid.String(), rapid.StringMatching(`(猿|Ü|W){1,60}`), rapid.StringMatching(`[<&>"']{1,5}`))
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		tr := drawTopology(t, n, "tree")
		groups := map[string]string{}
		for _, x := range tr.Nodes() {
			if x.IsLeaf() {
				x.Name += name.Draw(t, "name")
				groups[x.Name] = rapid.SampledFrom([]string{"", "bacteria", "<fungi & co>", "long group name of many words"}).Draw(t, "group")
			} else {
				x.Support = rapid.SampledFrom([]float64{math.NaN(), 100, 87.5, 0.25}).Draw(t, "support")
			}
			x.Length *= rapid.SampledFrom([]float64{1, 1, 1e-3, 0, -1, math.NaN()}).Draw(t, "scale")
		}
		for _, o := range []DrawOptions{{Groups: groups, Title: "A <title>"}, {Layout: Circular, Groups: groups}, {Layout: Circular, Width: 1200, NoSupport: true, Title: "t"}} {
			var b strings.Builder
			if err := tr.WriteSVG(&b, o); err != nil {
				t.Fatal(err)
			}
			checkPicture(t, b.String())
		}
		d, err := Patristic(&Tree{Root: tr.Root, Rooted: true})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range d.Data {
			d.Data[i] = math.Abs(v)
		}
		var b strings.Builder
		if err := WriteMapSVG(&b, d, MapOptions{Groups: groups, Title: "map"}); err != nil {
			t.Fatal(err)
		}
		checkPicture(t, b.String())
	})
}

// picturesOf returns drawings of a made-up tree of life.
func picturesOf(t testing.TB) map[string]string {
	tr := mustParse(t, `(((('Homo sapiens':0.01,'Pan troglodytes':0.012)100:0.006,'Gorilla gorilla':0.016)98:0.01,'Pongo abelii (オランウータン)':0.03)100:0.4,
		((('Plasmodium falciparum 3D7':0.2,'Plasmodium knowlesi':0.22)100:0.3,('Ustilago maydis':0.4,('Zymoseptoria tritici':0.1,'Zymoseptoria brevis "XY" <a&b>':0.11)100:0.3)64.5:0.05)40:0.04,
		((('Escherichia coli':0.1,'Klebsiella pneumoniae':0.1)100:0.1,'Vibrio cholerae':0.25)97:0.2,('Mycobacterium tuberculosis H37Rv, complete genome':0.05,'Mycobacterium leprae':0.08)100:0.5,
		('Staphylococcus aureus':0.2,'Streptococcus suis':0.22)88:0.2,'Helicobacter pylori':0.5,'Leptospira interrogans':0.6)100:0.3)90:0.1);`)
	groups := map[string]string{}
	for _, n := range tr.Leaves() {
		switch n.Name[:4] {
		case "Homo", "Pan ", "Gori", "Pong":
			groups[n.Name] = "primates"
		case "Plas":
			groups[n.Name] = "protists"
		case "Usti", "Zymo":
			groups[n.Name] = "fungi"
		default:
			groups[n.Name] = "bacteria"
		}
	}
	root, err := tr.MidpointRoot()
	if err != nil {
		t.Fatal(err)
	}
	tr = root.Ladderize()
	out := map[string]string{}
	for name, o := range map[string]DrawOptions{
		"phylogram": {Groups: groups, Title: "Tree of the pool"}, "circular": {Layout: Circular, Groups: groups, Title: "Tree of the pool"},
	} {
		var b strings.Builder
		if err := tr.WriteSVG(&b, o); err != nil {
			t.Fatal(err)
		}
		out[name] = b.String()
	}
	d, err := Patristic(tr)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteMapSVG(&b, d, MapOptions{Groups: groups, Title: "Map of the pool"}); err != nil {
		t.Fatal(err)
	}
	out["map"] = b.String()
	return out
}

// TestPictures: every name is there, whole or cut, with the clade's colour and the scale.
func TestPictures(t *testing.T) {
	for name, svg := range picturesOf(t) {
		checkPicture(t, svg)
		for _, want := range []string{"Homo sapiens", "オランウータン", "&lt;a&amp;b&gt;", "bacteria", "primates", "#0072b2", "Mycobacterium tuberculosis"} {
			if !strings.Contains(svg, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		if name != "map" {
			all, _, _ := texts(t, svg)
			seen := map[string]bool{}
			for _, x := range all {
				seen[x.text] = true
			}
			for _, want := range []string{"100", "64.5", "0.1"} {
				if !seen[want] {
					t.Errorf("%s lacks %q", name, want)
				}
			}
		}
		if *pictures != "" {
			if err := os.WriteFile(filepath.Join(*pictures, name+".svg"), []byte(svg), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := (&Tree{}).WriteSVG(io.Discard, DrawOptions{}); err == nil {
		t.Error("an empty tree was drawn")
	}
}

func TestClip(t *testing.T) {
	if s := clip("abc", 12, 1000); s != "abc" {
		t.Errorf("got %q", s)
	}
	s := clip(strings.Repeat("猿 ", 50), 12, 100)
	if !strings.HasSuffix(s, "猿…") || textWidth(s, 12) > 100 {
		t.Errorf("got %q", s)
	}
	for v, want := range map[float64]float64{0.7: 0.5, 1: 1, 4.9: 2, 5: 5, 99: 50, 0.023: 0.02} {
		if got := nice(v); math.Abs(got-want) > 1e-12*want {
			t.Errorf("nice(%g) = %g, want %g", v, got, want)
		}
	}
}
