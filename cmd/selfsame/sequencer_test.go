package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/domain/dna/sequencer"
	"github.com/selfsame-ml/selfsame/internal/rng"
)

// TestSequencerFit: reads of a known rate, written as SAM with one bad record in 200, are fitted; the profile that is written
// has that rate and makes reads; an interrupt leaves nothing.
func TestSequencerFit(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	r := rng.New(1, rng.Generate, 2)
	genome := make([]byte, 20_000)
	for i := range genome {
		genome[i] = "ACGT"[r.IntN(4)]
	}
	write := func(name, text string) {
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("ref.fa", ">chr\n"+string(genome)+"\n")
	const rate = 0.02
	var b strings.Builder
	b.WriteString("@SQ\tSN:chr\tLN:20000\n")
	for i := range 2000 {
		from := r.IntN(len(genome) - 100)
		read := bytes.Clone(genome[from : from+100])
		for j := range read {
			if r.Float64() < rate {
				read[j] = "ACGT"[(strings.IndexByte("ACGT", read[j])+1+r.IntN(3))%4]
			}
		}
		cigar := "100M"
		if i%200 == 11 {
			cigar = "101M"
		}
		fmt.Fprintf(&b, "r%d\t%d\tchr\t%d\t60\t%s\t*\t0\t0\t%s\t%s\n", i, 16*(i&1), from+1, cigar, read, strings.Repeat("2", 100))
	}
	write("reads.sam", b.String())
	run := func(args ...string) (int, string, string) {
		var out, err bytes.Buffer
		code := Main(args, strings.NewReader(""), &out, &err)
		return code, out.String(), err.String()
	}
	code, out, text := run("sequencer", "fit", at("reads.sam"), "--reference", at("ref.fa"), "-o", at("p.json"), "--base-profile", "illumina", "--json")
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, text)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var res fitResult
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &res); err != nil {
		t.Fatalf("%v in %s", err, lines[len(lines)-1])
	}
	if res.Skipped.Bad != 10 || res.Fit.Reads != 1990 || !strings.Contains(res.Skipped.FirstBad, "CIGAR takes 101 bases") {
		t.Errorf("%d bad records and %d reads, first %q", res.Skipped.Bad, res.Fit.Reads, res.Skipped.FirstBad)
	}
	if math.Abs(res.Fit.Sub-rate) > 0.001 || res.Fit.Ins != 0 || len(res.Warn) == 0 { // no indels were seen
		t.Errorf("rates %+v, warnings %q", res.Fit, res.Warn)
	}
	f, err := os.Open(at("p.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := sequencer.Load(f)
	if err != nil || p.Name != "p" || p.Adapter.Seq == "" || p.Length[0] != 100 {
		t.Fatalf("profile %+v, %v", p, err)
	}
	if code, out, text = run("sequencer", "fit", at("reads.sam"), "--reference", at("ref.fa"), "-o", at("p2.json"), "--max-reads", "500"); code != exitDone || !strings.Contains(out, " 500 reads, ") {
		t.Errorf("--max-reads: exit %d, %s%s", code, out, text)
	}
	if code, _, text = run("sequencer", "fit", at("reads.sam"), "--reference", at("ref.fa"), "-o", at("p3.json"), "--max-bad", "0"); code != exitData || !strings.Contains(text, `(read "r11")`) {
		t.Errorf("--max-bad 0: exit %d, %s", code, text)
	}
	if code, out, text = run("sequencer", "show", at("p.json")); code != exitDone || !strings.Contains(out, "substitutions") {
		t.Errorf("show: exit %d, %s%s", code, out, text)
	}
	for _, l := range strings.Split(out, "\n") {
		if len([]rune(l)) > 80 {
			t.Errorf("a line of %d columns: %s", len([]rune(l)), l)
		}
	}
	if code, out, text = run("sequencer", "simulate", "--profile", at("p.json"), "--reference", at("ref.fa"), "--depth", "10", "-o", at("s.fq"), "--truth", at("t.fq"), "--json"); code != exitDone {
		t.Fatalf("simulate: exit %d, %s%s", code, out, text)
	}
	lines = strings.Split(strings.TrimSpace(out), "\n")
	var sim simulateResult
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sim); err != nil {
		t.Fatal(err)
	}
	if got := float64(sim.Sub) / float64(sim.Bases); math.Abs(got-rate) > 0.003 {
		t.Errorf("simulated reads have %g substitutions a base, want %g", got, rate)
	}
	if _, err := os.Stat(at("p3.json")); err == nil {
		t.Error("a failed fit left its output")
	}
	// A full disk.
	if _, err := os.Stat("/dev/full"); err == nil {
		if code, _, text := run("sequencer", "simulate", "--profile", at("p.json"), "--reference", at("ref.fa"), "--depth", "100", "-o", "/dev/full"); code != exitFailed || !strings.Contains(text, "no space left") {
			t.Errorf("full disk: exit %d, %s", code, text)
		}
	}
}
