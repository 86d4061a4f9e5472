//go:build unix

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func get(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// revert writes the reference's bases over a read's variants.
func revert(t *testing.T, seq string, at map[int][]string) string {
	t.Helper()
	var b strings.Builder
	for i := range seq {
		base, after := seq[i:i+1], ""
		for _, ref := range at[i] {
			switch {
			case ref == "-":
				base = ""
			case ref[0] == '+':
				after = ref[1:]
			default:
				base = ref
			}
		}
		b.WriteString(base + after)
	}
	return b.String()
}

// A relative's perfect reads on both strands: with the reference written over their variants they lie
// in the genome that the relative came from.
func TestMutateAndTruth(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	genome := make([]byte, 20_000)
	for i := range genome {
		genome[i] = "ACGT"[r.IntN(4)]
	}
	in := put(t, filepath.Join(dir, "in.fa"), ">g here\n"+string(genome)+"\n")
	out, list := filepath.Join(dir, "out.fa"), filepath.Join(dir, "out.tsv")
	if err := mutate([]string{"-rate", "0.02", "-indels", "0.3", "-seed", "7", in, out, list}); err != nil {
		t.Fatal(err)
	}
	cs, err := readFASTA(out)
	if err != nil || len(cs) != 1 || cs[0].name != "g" {
		t.Fatal(err, len(cs))
	}
	relative := cs[0].seq
	if n := strings.Count(get(t, list), "\n") - 1; n < 300 || n > 700 {
		t.Fatalf("%d variants in 20,000 bases at 0.02", n)
	}
	var sam strings.Builder
	sam.WriteString("@HD\n")
	for i := range 400 {
		at, n := r.IntN(len(relative)-150), 20+r.IntN(130)
		seq := relative[at : at+n]
		fmt.Fprintf(&sam, "r%d\t%d\tg\t%d\t60\t%dM\t*\t0\t0\t%s\t%s\n", i, 16*(i%2), at+1, n, seq, strings.Repeat("I", n))
	}
	s := put(t, filepath.Join(dir, "in.sam"), sam.String())
	reads, places := filepath.Join(dir, "true.fq"), filepath.Join(dir, "places.tsv")
	if err := truth([]string{"-sam", s, "-variants", list, "-read-variants", places, out, reads}); err != nil {
		t.Fatal(err)
	}
	at := map[string]map[int][]string{}
	carried := 0
	for _, line := range strings.Split(strings.TrimSpace(get(t, places)), "\n")[1:] {
		c := strings.Split(line, "\t")
		p, err := strconv.Atoi(c[1])
		if err != nil {
			t.Fatal(err)
		}
		if at[c[0]] == nil {
			at[c[0]] = map[int][]string{}
		}
		at[c[0]][p-1] = append(at[c[0]][p-1], c[2])
		carried++
	}
	if carried < 300 {
		t.Fatalf("%d variants on reads", carried)
	}
	lines := strings.Split(get(t, reads), "\n")
	for i := range 400 {
		name, seq := lines[4*i][1:], lines[4*i+1]
		was := []byte(revert(t, seq, at[name]))
		if i%2 == 1 {
			was = complement(was)
		}
		if !bytes.Contains(genome, was) {
			t.Fatalf("%s with the reference over %v is not in the genome", name, at[name])
		}
	}
}

func TestParseCS(t *testing.T) {
	// Query AACGTTTGG against reference AATGTCCTTGG... spelt by the tag.
	const cs = ":2*tc:2+tt:1-ga:2"
	got, err := parseCS(cs, 10, 20, false)
	if err != nil {
		t.Fatal(err)
	}
	want := []difference{{12, "T"}, {15, "-"}, {16, "-"}, {17, "+GA"}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(difference{})); d != "" {
		t.Error(d)
	}
	got, err = parseCS(cs, 10, 20, true) // the same from the end of the query, complemented
	if err != nil {
		t.Fatal(err)
	}
	want = []difference{{17, "A"}, {14, "-"}, {13, "-"}, {11, "+TC"}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(difference{})); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{":x", "*a", "?3"} {
		if _, err := parseCS(bad, 0, 9, false); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestCopy(t *testing.T) {
	dir := t.TempDir()
	ref := put(t, filepath.Join(dir, "ref.fa"), ">g\nACGTACGTTT\n>h\nCCCC\n")
	sam := put(t, filepath.Join(dir, "a.sam"), strings.Join([]string{
		"@SQ",
		"a\t0\tg\t2\t60\t1S2M1I1D3M\t*\t0\t0\tGCATACG\tABCDEFG", // soft clip, insertion, deletion
		"b\t16\tg\t5\t60\t4M\t*\t0\t0\tAGGT\tABCD",
		"b\t256\th\t1\t0\t4M\t*\t0\t0\t*\t*", // secondary
		"c\t4\t*\t0\t0\t*\t*\t0\t0\tTTTT\tABCD",
		"",
	}, "\n"))
	out := filepath.Join(dir, "c.fq")
	if err := copyReference([]string{"-sam", sam, ref, out}); err != nil {
		t.Fatal(err)
	}
	want := "@a\nGCGTACG\n+\nABCDEFG\n" + "@b\nACGT\n+\nDCBA\n" + "@c\nTTTT\n+\nABCD\n"
	if d := cmp.Diff(want, get(t, out)); d != "" {
		t.Error(d)
	}
}
