package fastx_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
)

func fastq(names ...string) string {
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintf(&b, "@%s\nACGT\n+\nIIII\n", n)
	}
	return b.String()
}

func TestPairs(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b []string
		n    int
		want []string // of the error; nil: none
	}{
		{"same names", []string{"x", "y"}, []string{"x", "y"}, 2, nil},
		{"slash", []string{"x/1", "y/1 more"}, []string{"x/2", "y/2 less"}, 2, nil},
		{"Casava", []string{"x 1:N:0:ACG"}, []string{"x 2:N:0:ACG"}, 1, nil},
		{"SRA", []string{"S.7.1 len=4"}, []string{"S.7.2 len=4"}, 1, nil},
		{"SRA spot", []string{"S.1"}, []string{"S.1"}, 1, nil},
		{"none", nil, nil, 0, nil},
		{"other name", []string{"x/1", "y/1"}, []string{"x/2", "z/2"}, 1, []string{`1.fq: record 2 "y/1", line 5`, `2.fq: record 2 "z/2", line 5`, "names differ"}},
		{"one digit differs", []string{"x12"}, []string{"x13"}, 0, []string{"names differ"}},
		{"ends in other digits", []string{"x.3"}, []string{"x.4"}, 0, []string{"names differ"}},
		{"swapped", []string{"x/2"}, []string{"x/1"}, 0, []string{"swapped"}},
		{"swapped, Casava", []string{"x 2:N:0:A"}, []string{"x 1:N:0:A"}, 0, []string{"swapped"}},
		{"twice the first", []string{"x/1"}, []string{"x/1"}, 0, []string{"both say they are mate 1"}},
		{"twice the second, Casava", []string{"x 2:Y:0:"}, []string{"x 2:Y:0:"}, 0, []string{"both say they are mate 2"}},
		{"second is short", []string{"x", "y", "z"}, []string{"x", "y"}, 2, []string{`1.fq: record 3 "z", line 9`, "2.fq ends after 2 records"}},
		{"first is short", []string{"x"}, []string{"x", "y"}, 1, []string{`2.fq: record 2 "y", line 5`, "1.fq ends after 1 records"}},
		{"second is empty", []string{"x"}, nil, 0, []string{`1.fq: record 1 "x", line 1`, "2.fq ends after 0 records"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			p1, p2 := filepath.Join(dir, "1.fq"), filepath.Join(dir, "2.fq")
			write(t, p1, fastq(c.a...))
			write(t, p2, fastq(c.b...))
			check(t, p1, p2, c.n, c.want)
			if len(c.a) == len(c.b) { // the same by turns
				var both []string
				for i := range c.a {
					both = append(both, c.a[i], c.b[i])
				}
				p := filepath.Join(dir, "i.fq")
				write(t, p, fastq(both...))
				want := c.want
				if len(want) > 1 {
					want = []string{`i.fq: record 3 "y/1", line 9`, `record 4 "z/2", line 13`, "names differ"}
				}
				check(t, p, "", c.n, want)
			}
		})
	}
	dir := t.TempDir()
	p := filepath.Join(dir, "odd.fq")
	write(t, p, fastq("x", "x", "y"))
	check(t, p, "", 1, []string{`record 3 "y", line 9`, "no mate"})
	if _, err := fastx.OpenPairs(p, p, fastx.Options{}); err == nil {
		t.Error("one file was taken for both mates")
	}
	if _, err := fastx.OpenPairs("-", "-", fastx.Options{}); err == nil {
		t.Error("standard input twice")
	}
	fa := filepath.Join(dir, "x.fa")
	write(t, fa, ">x\nA\n")
	if _, err := fastx.OpenPairs(p, fa, fastx.Options{}); err == nil || !strings.Contains(err.Error(), "is FASTA") {
		t.Errorf("mates of two formats: %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, p1, p2 string, n int, want []string) {
	t.Helper()
	p, err := fastx.OpenPairs(p1, p2, fastx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var a, b fastx.Record
	got := 0
	for ; ; got++ {
		if err = p.Read(&a, &b); err != nil {
			break
		}
	}
	if got != n {
		t.Errorf("%d pairs, want %d (%v)", got, n, err)
	}
	if again := p.Read(&a, &b); again != err {
		t.Errorf("second error %v, first %v", again, err)
	}
	if want == nil {
		if err != io.EOF {
			t.Errorf("error %v", err)
		}
		return
	}
	var bad *dataset.Error
	if !errors.As(err, &bad) {
		t.Fatalf("error %v, want *dataset.Error", err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}
