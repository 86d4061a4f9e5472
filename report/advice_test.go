package report

import (
	"bytes"
	"strings"
	"testing"
)

// tabular is a report of a table: AUC at three budgets, boosted trees ahead from 200 labels on.
func tabular() *Report {
	r := &Report{Name: "shop", Metrics: []Metric{{Task: "classify", Metric: "auc", Label: "AUC", Chance: N(0.5)}}}
	for _, b := range []int{50, 200, 1000} {
		for i, m := range []string{SSL, Scratch, Trees, Linear, RawKNN, "ssl-probe", "ssl-contrast", "ssl-contrast-probe", "untrained-knn"} {
			for d := range 2 {
				r.Scores = append(r.Scores, Score{m, "classify", "auc", b, uint64(d), Num(0.7 + 0.01*float64(i) + 0.005*float64(d))})
			}
		}
		r.Verdicts = append(r.Verdicts, Verdict{Verdict: NoDifference, Task: "classify", Metric: "auc", Method: SSL, Reference: Scratch, Budget: b, Lo: N(-.1), Hi: N(.1), Confidence: .95, P: N(.4), Test: "t"},
			Verdict{Verdict: Hurts, Task: "classify", Metric: "auc", Method: SSL, Reference: Trees, Budget: b, Difference: -.02, Lo: N(-.1), Hi: N(.1), P: N(.04), Test: "t"})
	}
	r.Overall = &r.Verdicts[0]
	trees := Advice{Task: "classify", Metric: "auc", Use: Trees, Score: .84, Against: "ssl-contrast", Other: .81, Shown: true, Classical: true}
	for _, b := range []int{50, 200, 1000} {
		trees.Budget = b
		r.Advice = append(r.Advice, trees)
	}
	return r
}

// The advice is the first sentence of text, page and JSON; "pays" needs both comparisons.
func TestAdvice(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(r *Report)
		word string
		want string
	}{
		{"trees everywhere", func(r *Report) {}, "use boosted trees", "Use boosted trees here: AUC 0.840 against 0.810 of pretrained (contrast) at 50 labels, 0.840 against 0.810 at 1,000 (shown better)."},
		{"trees from 200", func(r *Report) {
			r.Advice[0] = Advice{Task: "classify", Metric: "auc", Budget: 50, Use: "ssl-probe", Score: .8, Against: Linear, Other: .7, Shown: true}
			r.Advice[1].Shown, r.Advice[2].Shown = false, false
		}, NoDifference, "At 50 labels, use pretrained (probe), which is better than a linear model: AUC 0.800 against 0.700; pretraining itself is not shown to pay against the same network from scratch. At 200 labels and above, use boosted trees: AUC 0.840 against 0.810 of pretrained (contrast) at 200 labels, 0.840 against 0.810 at 1,000 (no pretrained network is shown better)."},
		{"pays", func(r *Report) {
			r.Advice = []Advice{{Task: "classify", Metric: "auc", Budget: 50, Use: SSL, Score: .8, Against: Trees, Other: .7, Shown: true, Pays: true}}
		}, Pays, "At 50 labels, use pretrained (ssl), which is better than boosted trees: AUC 0.800 against 0.700."},
	} {
		r := tabular()
		c.set(r)
		if got := r.advice().String(); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
		if r.Word() != c.word {
			t.Errorf("%s: %q, want %q", c.name, r.Word(), c.word)
		}
		var text, page, js bytes.Buffer
		if err := Text(&text, r, 80); err != nil {
			t.Fatal(err)
		}
		if err := WriteHTML(&page, r); err != nil {
			t.Fatal(err)
		}
		if err := WriteJSON(&js, r); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(text.String(), "VERDICT: "+strings.ToUpper(c.word)+"\n") || !strings.Contains(strings.Join(strings.Fields(text.String()), " "), c.want) {
			t.Errorf("%s: text\n%s", c.name, text.String())
		}
		for _, l := range strings.Split(text.String(), "\n") {
			if n := len([]rune(l)); n > 80 {
				t.Errorf("%s: %d columns: %s", c.name, n, l)
			}
		}
		if !strings.Contains(js.String(), `"decision": "`+c.word+`"`) || !strings.Contains(js.String(), `"advice"`) {
			t.Errorf("%s: the JSON has no advice", c.name)
		}
		if !strings.Contains(page.String(), `<span class="word">`+c.word+"</span>") || !strings.Contains(page.String(), "pretrained (contrast probe)") {
			t.Errorf("%s: the page has no advice", c.name)
		}
	}
}
