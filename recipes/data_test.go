package recipes_test

import (
	"encoding/csv"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/phylo"
)

// TestReferenceTrees: trees, tables and the catalogue speak of the same taxa.
func TestReferenceTrees(t *testing.T) {
	read := func(name string) *phylo.Tree {
		b, err := os.ReadFile("data/" + name)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := phylo.ParseNewick(string(b))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return tree
	}
	taxaOf := func(tree *phylo.Tree) []string {
		taxa, err := tree.Taxa()
		if err != nil {
			t.Fatal(err)
		}
		taxa = slices.Clone(taxa)
		slices.Sort(taxa)
		return taxa
	}
	for name, c := range map[string]struct {
		table   string
		entries []string
		inner   int // edges of the unrooted tree that are not at a leaf; 17 and 17 where all are resolved
	}{
		"tree-of-life.nwk":           {"tree-of-life.tsv", []string{"tree-of-life"}, 16},
		"tree-of-life-x.nwk":         {"tree-of-life.tsv", []string{"tree-of-life", "tree-of-life-x"}, 17},
		"mammals-mtdna.nwk":          {"mammals-mtdna.tsv", []string{"mammal-mtdna"}, 17},
		"mammals-mtdna-taxonomy.nwk": {"mammals-mtdna.tsv", []string{"mammal-mtdna"}, 16},
	} {
		tree := read(name)
		taxa := taxaOf(tree)
		var files []string
		pkg := map[string]string{}
		for _, e := range c.entries {
			entry, ok := dataset.Lookup(e)
			if !ok {
				t.Fatalf("the catalogue has no %s", e)
			}
			for _, f := range entry.Files {
				files = append(files, f.Name)
				pkg[f.Name] = f.Package
				if f.Package == "" {
					pkg[f.Name] = entry.Package
				}
			}
		}
		var of []string
		for _, f := range files {
			taxon, _, _ := strings.Cut(f, ".")
			of = append(of, taxon)
		}
		slices.Sort(of)
		if !slices.Equal(taxa, of) {
			t.Errorf("%s has %q\nthe catalogue %q", name, taxa, of)
		}
		inner := 0
		for _, n := range tree.Unrooted().Nodes() {
			if !n.IsLeaf() {
				inner++
			}
		}
		if inner--; inner != c.inner { // the root stands at no edge
			t.Errorf("%s has %d inner edges, expected %d", name, inner, c.inner)
		}
		f, err := os.Open("data/" + c.table)
		if err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(f)
		r.Comma, r.LazyQuotes = '\t', true
		rows, err := r.ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(rows[0], " "); got != "taxon name domain clade sequence package file source" {
			t.Fatalf("%s: columns %q", c.table, got)
		}
		seen := map[string]bool{}
		for _, row := range rows[1:] {
			if slices.Contains(row, "") || seen[row[0]] {
				t.Errorf("%s: row %q", c.table, row)
			}
			seen[row[0]] = true
			if slices.Contains(taxa, row[0]) && (pkg[row[6]] != row[5] || !strings.HasPrefix(row[6], row[0]+".fa")) {
				t.Errorf("%s: %s is file %s of %s, the catalogue says %q", c.table, row[0], row[6], row[5], pkg[row[6]])
			}
		}
		for _, x := range taxa {
			if !seen[x] {
				t.Errorf("%s has no row %s", c.table, x)
			}
		}
	}
	// The tree of accepted taxonomy without the second human is the other one.
	x := read("tree-of-life-x.nwk")
	small := read("tree-of-life.nwk")
	if got, want := x.Restrict(taxaOf(small)).Newick(), small.Newick(); got != want {
		t.Errorf("%s\n%s", got, want)
	}
}
