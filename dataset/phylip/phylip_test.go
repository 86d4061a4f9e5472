package phylip

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func read(s string, opt Options) ([]string, error) {
	seqs, err := Read(strings.NewReader(s), "x.nuc", opt)
	var out []string
	for _, s := range seqs {
		out = append(out, s.Name+"="+string(s.Bases))
	}
	return out, err
}

func TestRead(t *testing.T) {
	want := []string{"1.H.sapiens=ACGTAC", "5.Bornean orangutan=A-GTNN", "x=ACG?TT"}
	for name, s := range map[string]string{
		"names on their own lines": "3 6\n1.H.sapiens\nACG\nTAC\n5.Bornean orangutan \nA-GT\nNN\n\nx\nACG?TT\n\nnotes 1 2 3\n20 9 G\n",
		"names before two blanks":  "  3   6  \n1.H.sapiens  ACG TAC\n5.Bornean orangutan  A-G\nTNN\nx\tACG?TT",
		"interleaved":              "3 6 I\n1.H.sapiens  ACG\n5.Bornean orangutan  A-G\nx   ACG\n\nTAC\nTNN\n?TT\n",
	} {
		for _, s := range []string{s, strings.ReplaceAll(s, "\n", "\r\n")} {
			got, err := read(s, Options{})
			if d := cmp.Diff(want, got); d != "" || err != nil {
				t.Errorf("%s: %v\n%s", name, err, d)
			}
		}
	}
	// As the platypus of PAML's mtCDNAmam.nuc, whose stop codon stands behind the columns.
	got, err := read("2 4\na\nAC\nGTTAG\nb\nACGT\n", Options{Overlong: true})
	if d := cmp.Diff([]string{"a=ACGT", "b=ACGT"}, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestBad(t *testing.T) {
	for name, c := range map[string]struct {
		text, says string
		line       int
	}{
		"empty":            {"", "the head", 1},
		"FASTA":            {">x\nACGT\n", "no head", 1},
		"no numbers":       {"a b\n", "no head", 1},
		"zero":             {"0 5\n", "no head", 1},
		"too large":        {"99999999 99999999\n", "no head", 1},
		"too long":         {"1 3\na\nACGT\n", "more than 3 columns", 3},
		"too short":        {"2 4\na\nACG\nb\nACGT\n", `more of "ACGT", which has 0 of 4`, 6}, // the name b is read as a base
		"cut":              {"2 4\na\nACGT\nb\nAC\n", `more of "b", which has 2 of 4`, 6},
		"missing":          {"2 4\na\nACGT\n", "sequence 2 of 2", 4},
		"letter":           {"1 4\na\nAC1T\n", "'1'", 3},
		"twice":            {"2 4\na\nACGT\na\nACGT\n", `second sequence "a"`, 4},
		"interleaved":      {"2 4 I\na  AC\nb  ACG\n", "the block's first row has 2", 3},
		"interleaved late": {"2 4 I\na  AC\nb  AC\nGT\nG\n", "the block's first row has 4", 5},
	} {
		_, err := read(c.text, Options{})
		var bad *Error
		if !errors.As(err, &bad) || bad.Name != "x.nuc" || bad.Line != c.line || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, expected line %d and %q", name, err, c.line, c.says)
		}
	}
	if _, err := Read(io.MultiReader(strings.NewReader("1 4\n"), broken{}), "x", Options{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a broken source: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func FuzzRead(f *testing.F) {
	f.Add([]byte("3 6\n1.H.sapiens\nACG\nTAC\n5.Bornean orangutan \nA-GT\nNN\n\nx\nACG?TT\n"), false)
	f.Add([]byte("2 4 I\na  AC\nb  AC\nGT\nGT\n"), true)
	f.Fuzz(func(t *testing.T, b []byte, overlong bool) {
		seqs, err := Read(bytes.NewReader(b), "x", Options{Overlong: overlong})
		if err != nil {
			var bad *Error
			if !errors.As(err, &bad) || bad.Line < 1 || bad.Line > bytes.Count(b, []byte("\n"))+2 {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, s := range seqs {
			if len(s.Bases) != len(seqs[0].Bases) || len(s.Bases) == 0 {
				t.Fatalf("%q has %d columns", s.Name, len(s.Bases))
			}
		}
	})
}
