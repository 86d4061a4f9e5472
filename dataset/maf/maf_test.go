package maf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const some = `##maf version=1 scoring=none
# a comment
track name=x
a score=5.0
s hs.1  10 5 + 100 AC-gTN
i hs.1  N 0 C 0
s pt.2   0 4 -  20 AC--GT
e gg.1   5 9 + 50 I
q pt.2  99--99

a
s hs.1  15 2 + 100 RY
a score=1
s hs.1  40 1 + 100 A
`

func read(s string) (out []string, err error) {
	r := NewReader(strings.NewReader(s), "x.maf")
	for b := (Block{}); ; {
		err := r.Next(&b)
		if errors.Is(err, io.EOF) {
			if again := r.Next(&b); !errors.Is(again, io.EOF) {
				return out, fmt.Errorf("after the end: %w", again)
			}
			return out, nil
		}
		if err != nil {
			return out, err
		}
		l := fmt.Sprint(b.Line)
		for i := range b.Rows {
			from, to := b.Rows[i].Plus()
			l += fmt.Sprintf(" %s=%s[%d,%d)%s", b.Rows[i].Genome(), b.Rows[i].Src, from, to, b.Rows[i].AppendBases(nil))
		}
		out = append(out, l)
	}
}

func TestReader(t *testing.T) {
	want := []string{"4 hs=hs.1[10,15)ACgTN pt=pt.2[16,20)ACGT", "11 hs=hs.1[15,17)RY", "13 hs=hs.1[40,41)A"}
	for name, s := range map[string]string{"as it is": some, "Windows": strings.ReplaceAll(some, "\n", "\r\n"), "no last line end": strings.TrimSuffix(some, "\n")} {
		got, err := read(s)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
	if got, err := read("##maf version=1\n"); len(got) != 0 || err != nil {
		t.Errorf("no block: %v, %v", got, err)
	}
	b := Row{Text: []byte("AaRyN-kVbdH"), Minus: true}
	if s := string(b.AppendBases([]byte("x"))); s != "xDhvBmNrYtT" {
		t.Errorf("the other strand is %q", s)
	}
	if g := (&Row{Src: "whole"}).Genome(); g != "whole" {
		t.Errorf("genome %q", g)
	}
}

func TestBad(t *testing.T) {
	head := "##maf version=1\na\n"
	for name, c := range map[string]struct {
		text, says string
		line       int
	}{
		"empty":           {"", "head", 1},
		"FASTA":           {">x\nACGT\n", "head", 1},
		"columns":         {head + "s hs.1 0 4 + 10\n", "6 columns", 3},
		"start":           {head + "s hs.1 -1 4 + 10 ACGT\n", "start", 3},
		"srcSize":         {head + "s hs.1 1 4 + 1e3 ACGT\n", "srcSize", 3},
		"strand":          {head + "s hs.1 0 4 . 10 ACGT\n", "strand", 3},
		"size":            {head + "s hs.1 0 3 + 10 ACGT\n", "4 bases of \"hs.1\", its size says 3", 3},
		"behind the end":  {head + "s hs.1 7 4 + 10 ACGT\n", "behind its 10 bases", 3},
		"overflow":        {head + "s hs.1 9223372036854775807 4 + 10 ACGT\n", "behind its 10 bases", 3},
		"letter":          {head + "s hs.1 0 4 + 10 ACZT\n", "'Z' in column 3", 3},
		"unequal columns": {head + "s hs.1 0 4 + 10 ACGT\ns pt.1 0 3 + 10 ACG\n", "3 columns", 4},
		"no row":          {head + "\na\ns hs.1 0 4 + 10 ACGT\n", "without a row", 2},
		"outside":         {"##maf version=1\ns hs.1 0 4 + 10 ACGT\n", "outside of a block", 2},
		"line":            {head + "x hs.1\n", "no line of a MAF file", 3},
	} {
		_, err := read(c.text)
		var bad *Error
		if !errors.As(err, &bad) || bad.Name != "x.maf" || bad.Line != c.line || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, expected line %d and %q", name, err, c.line, c.says)
		}
	}
	r := NewReader(io.MultiReader(strings.NewReader(head+"s hs.1 0 4 + 10 AC"), broken{}), "x.maf")
	if err := r.Next(&Block{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a broken source: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestRuns(t *testing.T) {
	got, err := Runs(strings.NewReader(some), "x.maf", []string{"hs", "pt"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]Run{"hs": {{"hs.1", 10, []byte("ACgTNRY")}, {"hs.1", 40, []byte("A")}}, "pt": {{"pt.2", 16, []byte("ACGT")}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var bad *Error
	if _, err := Runs(strings.NewReader(some), "x.maf", []string{"gg"}); !errors.As(err, &bad) || !strings.Contains(err.Error(), `nothing of "gg"`) {
		t.Errorf("%v", err)
	}
	twice := some + "\na\ns hs.1 12 2 + 100 AC\n"
	if _, err := Runs(strings.NewReader(twice), "x.maf", []string{"hs"}); !errors.As(err, &bad) || bad.Line != 16 || !strings.Contains(err.Error(), "base 12 ") {
		t.Errorf("%v", err)
	}
}

// TestRunsOfAGenome cuts a genome at random, writes pieces of either strand in any order, and finds the genome again.
func TestRunsOfAGenome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		genome := []byte(rapid.StringMatching(`[ACGTNacgtnRYK]{1,60}`).Draw(t, "genome"))
		cuts := map[int]bool{0: true}
		for _, c := range rapid.SliceOfN(rapid.IntRange(0, len(genome)), 0, 8).Draw(t, "cuts") {
			cuts[c] = true
		}
		kept := make([]byte, len(genome)) // what no piece holds is '.'
		for i := range kept {
			kept[i] = '.'
		}
		var blocks []string
		for from := 0; from < len(genome); {
			to := from + 1
			for to < len(genome) && !cuts[to] {
				to++
			}
			if rapid.IntRange(0, 3).Draw(t, "drop") > 0 {
				copy(kept[from:to], genome[from:to])
				text, start, strand := append([]byte(nil), genome[from:to]...), from, "+"
				if rapid.Bool().Draw(t, "minus") {
					row := Row{Text: text, Minus: true}
					text, start, strand = row.AppendBases(nil), len(genome)-to, "-"
				}
				gaps := strings.Repeat("-", rapid.IntRange(0, 2).Draw(t, "gaps"))
				blocks = append(blocks, fmt.Sprintf("a\ns g.1 %d %d %s %d %s%s%s\n", start, to-from, strand, len(genome), gaps, text, gaps))
			}
			from = to
		}
		if len(blocks) == 0 {
			t.Skip()
		}
		blocks = rapid.Permutation(blocks).Draw(t, "order")
		runs, err := Runs(strings.NewReader("##maf version=1\n"+strings.Join(blocks, "\n")), "x.maf", []string{"g"})
		if err != nil {
			t.Fatal(err)
		}
		got := bytes.Repeat([]byte{'.'}, len(genome))
		for i, r := range runs["g"] {
			copy(got[r.From:], r.Bases)
			if i > 0 && r.From <= runs["g"][i-1].To() {
				t.Fatalf("runs %d and %d are one", i-1, i)
			}
		}
		if !bytes.Equal(got, kept) {
			t.Fatalf("%s\n%s", got, kept)
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(some))
	f.Add([]byte("##maf version=1\na\ns x 0 0 - 0 -\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b), "x")
		for blk := (Block{}); ; {
			err := r.Next(&blk)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				var bad *Error
				if !errors.As(err, &bad) || bad.Line < 1 || bad.Line > bytes.Count(b, []byte("\n"))+1 {
					t.Fatalf("%v", err)
				}
				return
			}
			for i := range blk.Rows {
				row := &blk.Rows[i]
				from, to := row.Plus()
				if n := len(row.AppendBases(nil)); int64(n) != row.Size || from < 0 || to > row.SrcSize || to-from != row.Size || len(row.Text) != len(blk.Rows[0].Text) {
					t.Fatalf("%+v", row)
				}
			}
		}
	})
}
