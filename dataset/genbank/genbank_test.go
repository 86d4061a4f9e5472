package genbank

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const some = `LOCUS       NZ_X1                   65 bp    DNA     circular CON 23-NOV-2017
DEFINITION  Leptospira kirschneri str. H1 contig, whole genome
            shotgun sequence.
ACCESSION   NZ_X1 NZ_X0
VERSION     NZ_X1.1  GI:5
SOURCE      Leptospira kirschneri str. H1
  ORGANISM  Leptospira kirschneri str. H1
            Bacteria; Spirochaetes.
COMMENT     LOCUS and ORGANISM
            ORIGIN are words here.
FEATURES             Location/Qualifiers
     source          1..65
                     /organism="Leptospira"
ORIGIN      
        1 aacaaaagct cgaattacag agatattctt ttcggccatt tgagaatgat tggatagaac
       61 ttrrn
//

LOCUS       second 0 bp DNA
ORIGIN
//
`

func read(s string) (out []Record, err error) {
	r := NewReader(strings.NewReader(s), "x.gbk")
	for rec := (Record{}); ; {
		err := r.Next(&rec)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		c := rec
		c.Bases = append([]byte(nil), rec.Bases...)
		out = append(out, c)
	}
}

func TestReader(t *testing.T) {
	want := []Record{{
		Locus: "NZ_X1", Definition: "Leptospira kirschneri str. H1 contig, whole genome shotgun sequence.", Accession: "NZ_X1", Version: "NZ_X1.1",
		Organism: "Leptospira kirschneri str. H1", Circular: true, Bases: []byte("aacaaaagctcgaattacagagatattcttttcggccatttgagaatgattggatagaacttrrn"),
	}, {Locus: "second"}}
	for name, s := range map[string]string{"as it is": some, "Windows": strings.ReplaceAll(some, "\n", "\r\n"), "no last line end": strings.TrimSuffix(some, "\n")} {
		got, err := read(s)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
}

func TestBad(t *testing.T) {
	edit := func(from, to string) string {
		if !strings.Contains(some, from) {
			t.Fatalf("%q is not there", from)
		}
		return strings.Replace(some, from, to, 1)
	}
	for name, c := range map[string]struct {
		text, says string
		line       int
	}{
		"empty":             {"", "empty file", 1},
		"FASTA":             {">x\nACGT\n", "begins with LOCUS", 1},
		"protein":           {edit("65 bp", "65 aa"), "only DNA and RNA", 1},
		"length":            {edit("65 bp", "x bp"), "length \"x\"", 1},
		"too long":          {edit("65 bp", "9999999999 bp"), "length", 1},
		"few words":         {"LOCUS x\n", "2 words", 1},
		"shorter":           {edit("65 bp", "64 bp"), "65 bases or more, LOCUS says 64", 16},
		"longer":            {edit("65 bp", "66 bp"), "65 bases, LOCUS says 66", 17},
		"position":          {edit("       61", "       62"), "expected its position 61", 16},
		"a line is missing": {edit("        1 aacaaaagct cgaattacag agatattctt ttcggccatt tgagaatgat tggatagaac\n", ""), "expected its position 1", 15},
		"letter":            {edit("ttrrn", "ttrrz"), "'z'", 16},
		"no sequence":       {"LOCUS x 5 bp DNA\nCONTIG      join(Y:1..5)\n//\n", "no ORIGIN", 3},
		"cut":               {some[:strings.Index(some, "       61")], "inside the sequence, after 60 of 65", 15},
		"cut before":        {some[:strings.Index(some, "FEATURES")], "inside the record", 10},
		"no end":            {edit("//\n", ""), "begins with \"LOCUS\"", 18},
		"two heads":         {"LOCUS x 5 bp DNA\nLOCUS y 5 bp DNA\n", "before the end of another", 2},
	} {
		_, err := read(c.text)
		var bad *Error
		if !errors.As(err, &bad) || bad.Name != "x.gbk" || bad.Line != c.line || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, expected line %d and %q", name, err, c.line, c.says)
		}
	}
	r := NewReader(io.MultiReader(strings.NewReader(some[:100]), broken{}), "x")
	if err := r.Next(&Record{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a broken source: %v", err)
	}
	if _, err := read("LOCUS x 5 bp DNA\n" + strings.Repeat("x", MaxLine+1)); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a long line: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func FuzzReader(f *testing.F) {
	f.Add([]byte(some))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b), "x")
		for rec := (Record{}); ; {
			err := r.Next(&rec)
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
			if rec.Locus == "" || len(rec.Bases) > len(b) {
				t.Fatalf("%+v", rec)
			}
		}
	})
}
