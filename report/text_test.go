package report

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/internal/term"
)

func TestTextFitsItsWidth(t *testing.T) {
	r := example(t)
	for _, s := range r.Scores { // more methods than fit side by side
		for _, m := range []string{"distilled", "supervised-imagenet-with-a-long-name", "kmers"} {
			s.Method = m
			r.Scores = append(r.Scores, s)
		}
	}
	r.Contract[0].Transformation = strings.Repeat("unbroken", 40)
	r.Audit.Rows[0].Transformation = r.Contract[0].Transformation
	for _, width := range []int{40, 80, 132} {
		var b bytes.Buffer
		if err := Text(&b, r, width); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(b.String(), "\n") {
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("width %d: line of %d columns: %s", width, n, line)
			}
		}
		for _, want := range []string{"VERDICT: PAYS", "0.476 ± 0.007", "runs/fashion/report.html", "distilled"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("width %d: summary lacks %q", width, want)
			}
		}
	}
}

// The mean lies in its interval, and means and spreads do not depend on the
// order of the scores.
func TestSummariseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		var scores []Score
		for i := range n {
			scores = append(scores, Score{Method: rapid.SampledFrom([]string{SSL, Scratch, "z"}).Draw(t, "method"), Task: "classify", Metric: "knn",
				Budget: rapid.SampledFrom([]int{20, 100}).Draw(t, "budget"), Seed: uint64(i), Value: Num(rapid.Float64Range(0, 1).Draw(t, "v"))})
		}
		a := Summarise(scores, .95)
		draws := 0
		for _, s := range a {
			draws += s.Draws
			if (s.Spread == nil) != (s.Draws == 1) || (s.Lo == nil) != (s.Draws == 1) {
				t.Fatalf("%d draws: spread %v, interval %v", s.Draws, s.Spread, s.Lo)
			}
			if s.Lo != nil && (*s.Lo > s.Mean+1e-12 || *s.Hi < s.Mean-1e-12) {
				t.Fatalf("mean %g is not in %g..%g", s.Mean, *s.Lo, *s.Hi)
			}
		}
		if draws != n {
			t.Fatalf("%d draws in all, want %d", draws, n)
		}
		for i, j := 0, len(scores)-1; i < j; i, j = i+1, j-1 {
			scores[i], scores[j] = scores[j], scores[i]
		}
		b := Summarise(scores, .95)
		for i := range a {
			if d := float64(a[i].Mean - b[i].Mean); d > 1e-12 || d < -1e-12 || a[i].Method != b[i].Method || a[i].Budget != b[i].Budget {
				t.Fatalf("order changes the summary: %+v, %+v", a[i], b[i])
			}
		}
	})
}

func TestSummariseClosedForm(t *testing.T) {
	got := Summarise([]Score{{SSL, "t", "m", 5, 0, 1}, {SSL, "t", "m", 5, 1, 2}, {SSL, "t", "m", 5, 2, 3}}, .95)
	// Mean 2, deviation 1; t(0.975, 2) = 4.302653 (tables), so half the interval is 4.302653/sqrt(3) = 2.484138.
	if len(got) != 1 || got[0].Mean != 2 || *got[0].Spread != 1 {
		t.Fatalf("got %+v", got)
	}
	if d := float64(*got[0].Hi) - 4.484138; d > 1e-6 || d < -1e-6 {
		t.Errorf("upper end %g, want 4.484138", *got[0].Hi)
	}
}

func TestNumberWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{fixed(-0.0001, 3), "0.000"}, {fixed(-0.25, 2), "−0.25"},
		{short(0.00012), "0.00012"}, {short(1e-5), "1.00e−05"}, {short(55000), "55,000"}, {short(-3), "−3"}, {short(1234.56), "1,235"},
		{pvalue(0.0004), "< 0.001"}, {pvalue(0.04), "0.040"},
		{percent(0.0038), "0.38\u00a0%"}, {percent(.95), "95\u00a0%"},
		{times(1.987), "1.99\u00a0×"}, {times(41.26), "41.3\u00a0×"}, {times(2750.4), "2,750\u00a0×"},
		{seconds(2.1), "2.1\u00a0s"}, {seconds(588.8), "9\u00a0min 49\u00a0s"}, {seconds(7300), "2\u00a0h 1\u00a0min"}, {seconds(-1), notFinite},
		{term.Thousands(-1234567), "-1,234,567"}, {term.Thousands(999), "999"},
		{clip("abcdef", 4), "abc…"}, {clip("abcd", 4), "abcd"}, {clip("WWWWWW", 5), "WW…"},
		{Metric{Unit: "points"}.diff(1.5), "+1.5"}, {Metric{}.diff(-.02), "−0.020"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// Ticks lie inside the scale, rise, and print differently.
func TestTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.Float64Range(-1e6, 1e6).Draw(t, "lo")
		hi := lo + rapid.Float64Range(1e-3, 1e6).Draw(t, "width")
		c := linear(lo, hi, 0, 100, 4)
		if len(c.ticks) < 2 || c.lo > lo || c.hi < hi {
			t.Fatalf("%g..%g: scale %g..%g, ticks %v", lo, hi, c.lo, c.hi, c.ticks)
		}
		for i, v := range c.ticks {
			if v < c.lo-1e-9*(hi-lo) || v > c.hi+1e-6*(hi-lo) || i > 0 && v <= c.ticks[i-1] {
				t.Fatalf("%g..%g: ticks %v", lo, hi, c.ticks)
			}
		}
	})
}

func ExampleText() {
	r := &Report{
		Name: "digits",
		Overall: &Verdict{Verdict: NoDifference, Task: "classify", Metric: "finetune", Method: SSL, Reference: Scratch, Budget: 100, Draws: 3,
			Difference: 0.004, Lo: N(-0.011), Hi: N(0.019), Confidence: 0.95, P: N(0.41), Test: "paired t over draws"},
		Scores: []Score{{SSL, "classify", "finetune", 100, 0, 0.91}, {SSL, "classify", "finetune", 100, 1, 0.92}, {Scratch, "classify", "finetune", 100, 0, 0.911}},
		Files:  []File{{"runs/digits/report.html", "the report"}},
	}
	if err := Text(os.Stdout, r, 80); err != nil {
		fmt.Println(err)
	}
	// Output:
	// VERDICT: NO DIFFERENCE SHOWN
	// No difference shown: fine-tune accuracy after pretraining is 0.004 higher than
	// training the same network from scratch at 100 labels (95 % interval −0.011 to
	// +0.019).
	// Test: paired t over draws, p = 0.410, 3 paired draws of the labels.
	//
	// Fine-tune accuracy, mean ± standard deviation over draws
	//        labels pretrained (ssl)     from scratch
	//           100    0.915 ± 0.007            0.911
	//
	// runs/digits/report.html  the report
}
