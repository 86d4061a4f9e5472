package sam

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/dataset"
)

// samOf is a file of n records, of which those that bad names have a CIGAR one base too long.
func samOf(n int, bad func(i int) bool) string {
	var b strings.Builder
	b.WriteString("@SQ\tSN:chr\tLN:1000\n")
	for i := range n {
		cigar := "8M"
		if bad(i) {
			cigar = "9M"
		}
		fmt.Fprintf(&b, "r%d\t0\tchr\t%d\t60\t%s\t*\t0\t0\tACGTACGT\tIIIIIIII\n", i, 1+i%900, cigar)
	}
	return b.String()
}

// TestMaxBad: few records that contradict themselves are skipped, counted and told of once; many, or any that cannot be read, are an error.
func TestMaxBad(t *testing.T) {
	for _, c := range []struct {
		name        string
		text        string
		max         float64
		reads, bads int64
		want        string // of the error
	}{
		{"none allowed", samOf(1000, func(i int) bool { return i == 500 }), 0, 500, 0, `line 502 (read "r500"): CIGAR takes 9 bases, the read has 8`},
		{"few", samOf(1000, func(i int) bool { return i%200 == 7 }), 0.01, 995, 5, ""},
		{"too many at the end", samOf(1000, func(i int) bool { return i%50 == 7 }), 0.01, 980, 20, "20 of 1000 records contradict themselves, the limit is 1 %"},
		{"too many early", samOf(100_000, func(i int) bool { return true }), 0.01, 0, 101, `line 2 (read "r0")`},
		{"first ones", samOf(20_000, func(i int) bool { return i < 90 }), 0.01, 19_910, 90, ""},
		{"broken", samOf(1000, func(i int) bool { return i == 3 }) + "cut\t0\tchr\n", 0.5, 999, 1, "3 fields"},
	} {
		warned := 0
		r, err := NewReader(strings.NewReader(c.text), "x.sam", Options{MaxBad: c.max, Warn: func(string, ...any) { warned++ }})
		if err != nil {
			t.Fatal(err)
		}
		var a Alignment
		reads := int64(0)
		for {
			if err = r.Read(&a); err != nil {
				break
			}
			reads++
		}
		if reads != c.reads || r.Skipped().Bad != c.bads {
			t.Errorf("%s: %d reads and %d bad ones, want %d and %d", c.name, reads, r.Skipped().Bad, c.reads, c.bads)
		}
		if (c.bads > 0) != (warned == 1) || (r.FirstBad() != nil) != (c.bads > 0) {
			t.Errorf("%s: warned %d times, first %v", c.name, warned, r.FirstBad())
		}
		var bad *dataset.Error
		switch {
		case c.want == "" && err != io.EOF:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (!errors.As(err, &bad) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q in it", c.name, err, c.want)
		}
	}
}

// TestCheckReference: another reference is found by its names, or by its lengths.
func TestCheckReference(t *testing.T) {
	for _, c := range []struct {
		name string
		refs map[string][]uint8
		want string
	}{
		{"right", map[string][]uint8{"chr": make([]uint8, 1000), "other": nil}, ""},
		{"length", map[string][]uint8{"chr": make([]uint8, 999)}, `"chr" has 1000 bases here, 999 in the FASTA file`},
		{"names", map[string][]uint8{"1": nil, "2": nil, "3": nil, "4": nil}, `"chr" here, "1", "2", "3" and 1 more there`},
	} {
		r, err := NewReader(strings.NewReader(samOf(1, func(int) bool { return false })), "x.sam", Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = CheckReference(r, c.refs)
		var bad *dataset.Error
		if (c.want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), c.want) || !errors.As(err, &bad) || bad.Hint == "") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
