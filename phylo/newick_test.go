package phylo

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustParse(t testing.TB, s string) *Tree {
	t.Helper()
	tr, err := ParseNewick(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return tr
}

func same(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b)
}

// equal compares two trees bit for bit, order of children included.
func equal(a, b *Tree) bool {
	fa, fb := flatten(a), flatten(b)
	if a.Rooted != b.Rooted || len(fa.nodes) != len(fb.nodes) {
		return false
	}
	for i, x := range fa.nodes {
		y := fb.nodes[i]
		if fa.parent[i] != fb.parent[i] || x.Name != y.Name || !same(x.Length, y.Length) || !same(x.Support, y.Support) {
			return false
		}
	}
	return true
}

func TestNewickReads(t *testing.T) {
	nan := math.NaN()
	type n = Node
	for _, c := range []struct {
		in   string
		want *Tree
		out  string // "" : as in
	}{
		{"(A,B,C);", &Tree{Root: NewNode("", NewNode("A"), NewNode("B"), NewNode("C"))}, ""},
		{"A;", &Tree{Root: NewNode("A")}, ""},
		{"(A:1,B:-0.5e-3)90:0;", &Tree{Rooted: true, Root: &n{Support: 90, Children: []*n{{Name: "A", Length: 1, Support: nan}, {Name: "B", Length: -0.0005, Support: nan}}}}, "(A:1,B:-0.0005)90:0;"},
		{"('it''s (a) [b]:,;\n','Ünïcödé 猿',Homo_sapiens);", &Tree{Root: NewNode("", NewNode("it's (a) [b]:,;\n"), NewNode("Ünïcödé 猿"), NewNode("Homo_sapiens"))}, ""},
		{" [c1] ( A [c [nested]] , B ) [&!x] 'root' [z] : [y] 2 ; ", &Tree{Rooted: true, Root: &n{Name: "root", Length: 2, Support: nan, Children: []*n{NewNode("A"), NewNode("B")}}}, "(A,B)root:2;"},
		{"[&U](A,B);", &Tree{Root: NewNode("", NewNode("A"), NewNode("B"))}, "[&U] (A,B);"},
		{"[&R] (A,B,C);", &Tree{Rooted: true, Root: NewNode("", NewNode("A"), NewNode("B"), NewNode("C"))}, ""},
		{"(,,(,));", &Tree{Root: NewNode("", NewNode(""), NewNode(""), NewNode("", NewNode(""), NewNode("")))}, ""},
		{"(1,2,3)'95';", &Tree{Root: &n{Name: "95", Length: nan, Support: nan, Children: []*n{NewNode("1"), NewNode("2"), NewNode("3")}}}, ""},
		{"(A,B,C)x[&support=7.5]:1;", &Tree{Root: &n{Name: "x", Length: 1, Support: 7.5, Children: []*n{NewNode("A"), NewNode("B"), NewNode("C")}}}, ""},
		{"(A,B,C)95/100;", &Tree{Root: &n{Name: "95/100", Length: nan, Support: nan, Children: []*n{NewNode("A"), NewNode("B"), NewNode("C")}}}, "(A,B,C)'95/100';"},
		{"\ufeff(A,B,C);\r\n", &Tree{Root: NewNode("", NewNode("A"), NewNode("B"), NewNode("C"))}, "(A,B,C);"},
		{"((((A))));", &Tree{Root: NewNode("", NewNode("", NewNode("", NewNode("", NewNode("A")))))}, ""},
	} {
		if c.want.Root.Children != nil && c.in[0] == '(' && c.in[2] == ':' {
			c.want.Root.Length = 0
		}
		got, err := ParseNewick(c.in)
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		if !equal(got, c.want) {
			t.Errorf("%q: got %s", c.in, got.Newick())
		}
		out := c.out
		if out == "" {
			out = c.in
		}
		if s := got.Newick(); s != out {
			t.Errorf("%q: written %q, want %q", c.in, s, out)
		}
	}
}

func TestNewickErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "line 1, column 1: no tree in the file",
		" \n[c]\n":            "line 3, column 1: no tree",
		";":                   "line 1, column 1: a tree without nodes",
		"(A,B":                "line 1, column 5: the file ends while the bracket of line 1, column 1 is open",
		"(A,\n(B,C;":          "line 2, column 5: ';' while the bracket of line 2, column 1",
		"(A,B))":              "line 1, column 6: ')' where ';' must end the tree",
		"(A,B)":               "line 1, column 6: the file ends where ';'",
		"(Homo sapiens,B);":   "line 1, column 7: 's' after a name and a blank: names with blanks stand in single quotes",
		"(O'Brien,B);":        `line 1, column 3: '\'' after a name`,
		"(é,'b":               "line 1, column 4: a quote that starts here has no end",
		"(a,[b":               "line 1, column 4: a comment that starts here has no ]",
		"(a,b]);":             "line 1, column 5: ']' where ',' or ')'",
		"(a:x,b);":            `line 1, column 4: branch length "x" is no finite decimal number`,
		"(a:,b);":             "line 1, column 4: ',' where a branch length must stand",
		"(a:nan,b);":          `branch length "nan"`,
		"(a:1e999,b);":        `branch length "1e999"`,
		"(a:0x1p2,b);":        `branch length "0x1p2"`,
		"(a:1_0,b);":          `branch length "1_0"`,
		"(a,b);\n(c,d);;":     "line 2, column 7: a tree without nodes",
		"(a,b);\n>not newick": "line 2, column 6: 'n' after a name and a blank",
		"(a(b),c);":           "line 1, column 3: '(' where ',' or ')'",
		"A,B;":                "line 1, column 2: ',' where ';'",
		`("A b",c);`:          `line 1, column 2: '"' where ',' or ')'`,
	} {
		_, err := ReadNewick(strings.NewReader(in))
		var se *SyntaxError
		if !errors.As(err, &se) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
	if _, err := ParseNewick("(A,B);(C,D);"); err == nil || !strings.Contains(err.Error(), "2 trees") {
		t.Errorf("two trees: %v", err)
	}
}

func TestNewickSeveralAndReadErrors(t *testing.T) {
	ts, err := ReadNewick(strings.NewReader("(A,B,C);(D,E,F);\n\n[last] (G,H,I);\n"))
	if err != nil || len(ts) != 3 || ts[2].Newick() != "(G,H,I);" {
		t.Fatalf("%v %v", ts, err)
	}
	broken := errors.New("disk")
	_, err = ReadNewick(io.MultiReader(strings.NewReader("(A,B"), errReader{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	var b strings.Builder
	if err := WriteNewick(&b, ts...); err != nil || b.String() != "(A,B,C);\n(D,E,F);\n(G,H,I);\n" {
		t.Errorf("%q %v", b.String(), err)
	}
	if err := WriteNewick(errWriter{broken}, ts...); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

type errWriter struct{ err error }

func (e errWriter) Write([]byte) (int, error) { return 0, e.err }

// A chain deeper than any stack of calls goes through everything.
func TestDeepTree(t *testing.T) {
	const depth = 50_000
	s := strings.Repeat("(", depth) + "A" + strings.Repeat(",B)", depth) + ";"
	tr := mustParse(t, s)
	if tr.Newick() != s {
		t.Fatal("no round trip")
	}
	if n := len(tr.Clone().Ladderize().Leaves()); n != depth+1 {
		t.Fatalf("%d leaves", n)
	}
	if got := tr.Restrict([]string{"A"}).Newick(); got != "[&R] A;" {
		t.Errorf("got %.50s", got)
	}
}

// drawTree draws a tree of any shape with any names, lengths and supports.
func drawTree(t *rapid.T, names *rapid.Generator[string]) *Tree {
	finite := rapid.OneOf(rapid.Just(math.NaN()), rapid.Float64().Filter(func(f float64) bool { return !math.IsInf(f, 0) }), rapid.Float64Range(0, 1))
	root := NewNode("")
	inner := []*Node{root}
	for range rapid.IntRange(0, 12).Draw(t, "nodes") {
		p := rapid.SampledFrom(inner).Draw(t, "parent")
		c := NewNode("")
		p.Children = append(p.Children, c)
		inner = append(inner, c)
	}
	tr := &Tree{Root: root, Rooted: rapid.Bool().Draw(t, "rooted")}
	for _, n := range tr.Nodes() {
		n.Name, n.Length = names.Draw(t, "name"), finite.Draw(t, "length")
		if !n.IsLeaf() {
			n.Support = finite.Draw(t, "support")
		}
	}
	return tr
}

func TestNewickRoundTrips(t *testing.T) {
	names := rapid.OneOf(rapid.String(), rapid.StringMatching(`[-A-Za-z0-9_.'"()\[\]:,; ]{0,8}`), rapid.Just("12"), rapid.Just(""),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		tr := drawTree(t, names)
		got, err := ParseNewick(tr.Newick())
		if err != nil {
			t.Fatalf("%q: %v", tr.Newick(), err)
		}
		if !equal(got, tr) {
			t.Fatalf("%q became %q", tr.Newick(), got.Newick())
		}
	})
}

func FuzzNewick(f *testing.F) {
	for _, s := range []string{"(A:1,(B:2,C:3)90:0.1);", "('a''b',[c]D)'x'[&support=3];", "[&R](,);", "((", "'", "(A,B);(C);", "\xff;", "(a:1e-3,b)1e5;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ts, err := ReadNewick(strings.NewReader(s))
		if err != nil {
			var se *SyntaxError
			if !errors.As(err, &se) || se.Line < 1 || se.Column < 1 {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		for _, tr := range ts {
			got, err := ParseNewick(tr.Newick())
			if err != nil || !equal(got, tr) {
				t.Fatalf("%q became %q: %v", s, tr.Newick(), err)
			}
		}
	})
}
