package dna

import (
	"bytes"
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
)

// undone takes the changes of a view back: the truth, from the bases and the changes alone.
func undone(t *testing.T, bases, changes string) string {
	t.Helper()
	out := make([]string, len(bases))
	for j := range bases {
		out[j] = bases[j : j+1]
	}
	cut := len(bases)
	form := regexp.MustCompile(`^(\d+)([ACGT])>([ACGTN])$|^(\d+)([+-])([ACGTN])$`)
	for _, c := range strings.Fields(strings.ReplaceAll(changes, "adapter from ", "adapter:")) {
		if n, ok := strings.CutPrefix(c, "adapter:"); ok {
			cut, _ = strconv.Atoi(n)
			cut--
			continue
		}
		m := form.FindStringSubmatch(c)
		if m == nil {
			t.Fatalf("change %q", c)
		}
		at, _ := strconv.Atoi(m[1] + m[4])
		switch {
		case m[1] != "":
			if bases[at-1:at] != m[3] {
				t.Fatalf("change %s: the read has %s there", c, bases[at-1:at])
			}
			out[at-1] = m[2]
		case m[5] == "+":
			out[at-1] = ""
		default:
			out[at-1] += m[6]
		}
	}
	return strings.Join(out[:cut], "")
}

// TestViewRows: what a row says the sequencer did, taken back, is its truth; the same draw gives the same row.
func TestViewRows(t *testing.T) {
	path := write(t, "g.fa", ">one\n"+genome(21, 60_000)+"\n")
	for _, profile := range []string{"illumina", "nanopore", "rate:0.05,0.05,0.05"} {
		s := opened(t, recipeOf(path, sequencerConfig(profile, map[string]contract.Range{"depth": rg(0, 6), "length": rg(80, 130)})))
		rows := func() (out []domain.TableRow) {
			samples := make([]int, 40)
			for i := range samples {
				samples[i] = i
			}
			if err := s.ViewRows(context.Background(), samples, 3, 1, "", func(r domain.TableRow) error { out = append(out, r); return nil }); err != nil {
				t.Fatal(err)
			}
			return out
		}
		got, again := rows(), rows()
		if len(got) != 80 {
			t.Fatalf("%d rows", len(got))
		}
		changed := 0
		for k, r := range got {
			if strings.Join(r.Cells, "\n") != strings.Join(again[k].Cells, "\n") {
				t.Fatalf("row %d: two draws", k)
			}
			if len(r.Cells) != len(s.Header()) || len(r.Cells[columnBases]) != len(r.Cells[columnQuals]) || (r.View == 0) != (k%2 == 0) {
				t.Fatalf("row %d: %+v", k, r)
			}
			if r.View == 0 {
				continue
			}
			if r.Cells[columnChanges] != "" {
				changed++
			}
			if u := undone(t, r.Cells[columnBases], r.Cells[columnChanges]); u != r.Cells[columnTruth] {
				t.Errorf("%s: %s\ntakes %s\nback to %s,\ntruth is %s", profile, r.Cells[columnChanges], r.Cells[columnBases], u, r.Cells[columnTruth])
			}
			if len(r.Drawn) != 1 || r.Drawn[0].Params[paramNoise].Name != "noise" {
				t.Errorf("drawn %+v", r.Drawn)
			}
		}
		if changed == 0 {
			t.Errorf("%s: no read was changed", profile)
		}
		if err := s.ViewRows(context.Background(), []int{0}, 0, 0, "magic", nil); err == nil || !strings.Contains(err.Error(), "magic") {
			t.Errorf("stream magic: %v", err)
		}
	}
}

// TestSheet: the page shows every read that was asked for, escaped, with its marks.
func TestSheet(t *testing.T) {
	path := write(t, "g.fa", ">o<n>e\n"+genome(22, 60_000)+"\n")
	s := opened(t, recipeOf(path, sequencerConfig("rate:0.05,0.05,0.05", map[string]contract.Range{"depth": rg(0, 12), "length": rg(90, 120)})))
	var b, again bytes.Buffer
	for _, w := range []*bytes.Buffer{&b, &again} {
		if err := s.WriteSheet(w, "reads", 5, 1); err != nil {
			t.Fatal(err)
		}
	}
	page := b.String()
	if n := strings.Count(page, "<pre>"); n != 5+2*3 {
		t.Errorf("%d reads are shown", n)
	}
	for _, want := range []string{`<b class="sub">`, `<b class="ins">`, `<b class="del">`, "o&lt;n&gt;e:", "overlapping read"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	if page != again.String() || strings.Contains(page, "http") {
		t.Error("two pages, or a link to the outside")
	}
	if err := s.WriteSheet(&b, "reads", 0, 1); err == nil {
		t.Error("a page of nothing")
	}
}
