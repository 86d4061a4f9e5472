package kmer

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
	"github.com/selfsame-ml/selfsame/internal/rng"
)

var (
	update  = flag.Bool("update", false, "rewrite testdata/*.tsv by mash")
	mash    = flag.String("mash", "mash", "mash 2.3, for -update and -genomes")
	genomes = flag.String("genomes", "", "compare with mash on these FASTA files (comma between patterns)")
)

// made is a genome of the goldens: contigs of letters.
type made struct {
	name    string
	contigs []string
}

func letters(r *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for k := range out {
		out[k] = "ACGT"[r.IntN(4)]
	}
	return out
}

func mutate(r *rand.Rand, seq []byte, rate float64) []byte {
	out := slices.Clone(seq)
	for k, b := range out {
		if r.Float64() < rate {
			out[k] = "ACGT"[(strings.IndexByte("ACGT", b)+1+r.IntN(3))%4]
		}
	}
	return out
}

func turned(seq []byte) []byte {
	out := make([]byte, len(seq))
	for k, b := range seq {
		out[len(seq)-1-k] = "TGCA"[strings.IndexByte("ACGT", b)]
	}
	return out
}

// cases are the genomes of the goldens. A change here needs -update.
func cases() []made {
	r := rng.New(1, rng.Generate, 21)
	base := letters(r, 40_000)
	one := func(name string, seq []byte) made { return made{name, []string{string(seq)}} }
	out := []made{
		one("base", base),
		one("far1", mutate(r, base, 0.01)),
		one("far5", mutate(r, base, 0.05)),
		one("far20", mutate(r, base, 0.20)),
		one("turned", turned(base)),
		one("unrelated", letters(r, 30_000)),
		one("short", base[1000:1300]), // fewer words than a sketch may hold
	}
	// Runs of N, single codes of ambiguity, and lower case, up to both ends.
	n := mutate(r, base, 0.01)
	for _, run := range [][2]int{{0, 7}, {3_000, 3_500}, {3_510, 3_511}, {3_531, 3_532}, {9_000, 9_001}, {20_000, 24_000}, {39_990, 40_000}} {
		for k := run[0]; k < run[1]; k++ {
			n[k] = 'N'
		}
	}
	for range 60 {
		n[r.IntN(len(n))] = "RYKMSWBDHVn"[r.IntN(11)]
	}
	for k := 12_000; k < 31_000; k++ {
		n[k] |= 'a' - 'A'
	}
	out = append(out, one("masked", n))
	// Contigs, some turned round, some not longer than a word.
	var parts []string
	for from, k := 0, 0; from < len(base); k++ {
		to := min(from+[]int{20, 7_000, 21, 1, 16, 3_333, 22, 11}[k%8], len(base))
		seq := mutate(r, base[from:to], 0.02)
		if k%2 == 1 {
			seq = turned(seq)
		}
		parts = append(parts, string(seq))
		from = to
	}
	out = append(out, made{"contigs", parts})
	// Words that come back again and again.
	repeat := strings.Repeat("A", 3_000) + strings.Repeat("ACG", 2_000) + strings.Repeat(string(base[:700]), 15) + strings.Repeat("AT", 500)
	return append(out, made{"repeats", []string{repeat}})
}

// configs are the k and s of the goldens: mash keeps 32 bits of a hash up to k = 16.
var configs = [][2]int{{21, 1000}, {16, 1000}, {17, 1000}, {32, 400}, {8, 5000}, {3, 10}, {15, 1}}

func code(letters string) []uint8 {
	out := make([]uint8, len(letters))
	for k := range out {
		b := letters[k]
		out[k] = fastx.Code(b)
		if b >= 'a' {
			out[k] |= soft
		}
	}
	return out
}

func sketched(t testing.TB, k, size int, contigs []string) *Sketch {
	t.Helper()
	s, err := NewSketch(k, size)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range contigs {
		s.Add(code(c))
	}
	return s
}

// run runs mash.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(*mash, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Logf("%s", exit.Stderr)
		}
		t.Fatalf("%s %s: %v", *mash, strings.Join(args, " "), err)
	}
	return string(out)
}

// askMash sketches files by mash: the rows of mash dist (reference, query, distance, p-value, shared/of) and the hashes by name of file.
func askMash(t *testing.T, k, size int, files []string) (rows [][]string, hashes map[string][]uint64) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "all")
	run(t, append([]string{"sketch", "-k", strconv.Itoa(k), "-s", strconv.Itoa(size), "-o", out}, files...)...)
	out += ".msh"
	for line := range strings.Lines(run(t, "dist", out, out)) {
		rows = append(rows, strings.Split(strings.TrimSpace(line), "\t"))
	}
	var dump struct {
		Sketches []struct {
			Name   string
			Hashes []uint64
		}
	}
	if err := json.Unmarshal([]byte(run(t, "info", "-d", out)), &dump); err != nil {
		t.Fatal(err)
	}
	hashes = map[string][]uint64{}
	for _, s := range dump.Sketches {
		hashes[s.Name] = s.Hashes
	}
	return rows, hashes
}

// digest is a checksum of hashes and of their order: the goldens hold it instead of a thousand numbers.
func digest(hashes []uint64) uint64 {
	h := uint64(14695981039346656037) // FNV-1a over words
	for _, v := range hashes {
		h = (h ^ v) * 1099511628211
	}
	return h
}

func rewrite(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for _, g := range cases() {
		var b strings.Builder
		for k, c := range g.contigs {
			fmt.Fprintf(&b, ">%s_%d\n%s\n", g.name, k, c)
		}
		path := filepath.Join(dir, g.name)
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	var dist, sum strings.Builder
	fmt.Fprintln(&dist, "k\ts\ta\tb\tdistance\tshared\tof")
	fmt.Fprintln(&sum, "k\ts\tgenome\thashes\tfirst\tlast\tdigest")
	for _, c := range configs {
		rows, hashes := askMash(t, c[0], c[1], files)
		for _, r := range rows {
			a, b := filepath.Base(r[0]), filepath.Base(r[1])
			if a > b {
				continue
			}
			shared, of, _ := strings.Cut(r[4], "/")
			fmt.Fprintf(&dist, "%d\t%d\t%s\t%s\t%s\t%s\t%s\n", c[0], c[1], a, b, r[2], shared, of)
		}
		for _, f := range files {
			h := hashes[f]
			fmt.Fprintf(&sum, "%d\t%d\t%s\t%d\t%d\t%d\t%d\n", c[0], c[1], filepath.Base(f), len(h), h[0], h[len(h)-1], digest(h))
		}
	}
	for name, text := range map[string]string{"dist.tsv": dist.String(), "hashes.tsv": sum.String()} {
		if err := os.WriteFile(filepath.Join("testdata", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// golden reads the rows of a golden, without its header.
func golden(t *testing.T, name string) (rows [][]string) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		if rows = append(rows, strings.Split(s.Text(), "\t")); len(rows[len(rows)-1]) != 7 {
			t.Fatalf("%s:%d: %d columns", name, len(rows), len(rows[len(rows)-1]))
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestMash compares with what mash 2.3 printed: hashes and counts to the last bit, distances to the six digits it prints.
func TestMash(t *testing.T) {
	if *update {
		rewrite(t)
	}
	all := map[[2]int]map[string]*Sketch{}
	for _, c := range configs {
		all[c] = map[string]*Sketch{}
		for _, g := range cases() {
			all[c][g.name] = sketched(t, c[0], c[1], g.contigs)
		}
	}
	of := func(r []string, name string) *Sketch {
		s := all[[2]int{number(t, r[0]), number(t, r[1])}][name]
		if s == nil {
			t.Fatalf("golden of unknown sketch %v", r)
		}
		return s
	}
	rows := golden(t, "hashes.tsv")
	if want := len(configs) * len(cases()); len(rows) != want {
		t.Fatalf("%d rows of hashes, want %d", len(rows), want)
	}
	for _, r := range rows {
		h := of(r, r[2]).Hashes()
		got := fmt.Sprint(len(h), h[0], h[len(h)-1], digest(h))
		if want := strings.Join(r[3:], " "); got != want {
			t.Errorf("k %s, s %s, %s: hashes %s, mash %s", r[0], r[1], r[2], got, want)
		}
	}
	rows = golden(t, "dist.tsv")
	if n := len(cases()); len(rows) != len(configs)*n*(n+1)/2 {
		t.Fatalf("%d rows of distances", len(rows))
	}
	for _, r := range rows {
		for _, ab := range [][2]string{{r[2], r[3]}, {r[3], r[2]}} {
			d, shared, n, err := of(r, ab[0]).Distance(of(r, ab[1]))
			if err != nil {
				t.Fatal(err)
			}
			check(t, fmt.Sprint(r[:4]), r[4], r[5], r[6], d, shared, n)
		}
	}
}

func check(t *testing.T, what, wantD, wantShared, wantOf string, d float64, shared, of int) {
	t.Helper()
	want, err := strconv.ParseFloat(wantD, 64)
	if err != nil {
		t.Fatal(err)
	}
	if shared != number(t, wantShared) || of != number(t, wantOf) || math.Abs(d-want) > 1e-6 {
		t.Errorf("%s: %.7f %d/%d, mash %s %s/%s", what, d, shared, of, wantD, wantShared, wantOf)
	}
}

// TestMashFiles compares with a mash that is installed, on files that are at hand: see testdata/README.md.
func TestMashFiles(t *testing.T) {
	if *genomes == "" {
		t.Skip("no -genomes")
	}
	var files []string
	for _, pattern := range strings.Split(*genomes, ",") {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no file matches %q: %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, c := range [][2]int{{SketchK, SketchSize}, {16, 1000}, {31, 10000}} {
		rows, hashes := askMash(t, c[0], c[1], files)
		own := map[string]*Sketch{}
		for _, path := range files {
			s, err := NewSketch(c[0], c[1])
			if err != nil {
				t.Fatal(err)
			}
			each(t, path, s.Add)
			own[path] = s
			if !slices.Equal(s.Hashes(), hashes[path]) {
				t.Errorf("k %d, s %d: other hashes than mash for %s", c[0], c[1], path)
			}
		}
		for _, r := range rows {
			d, shared, of, err := own[r[0]].Distance(own[r[1]])
			if err != nil {
				t.Fatal(err)
			}
			s, n, _ := strings.Cut(r[4], "/")
			check(t, fmt.Sprint(c, r[:2]), r[2], s, n, d, shared, of)
		}
		t.Logf("k %d, s %d: %d genomes, %d pairs as mash", c[0], c[1], len(files), len(rows))
	}
}

// each hands over the contigs of a FASTA file as codes.
func each(t testing.TB, path string, fn func([]uint8)) {
	t.Helper()
	f, err := fastx.Open(path, fastx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rec fastx.Record
	for {
		err := f.Read(&rec)
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		fn(code(string(rec.Seq)))
	}
}
