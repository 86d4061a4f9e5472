package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// broken is a run on a table whose views break a rule.
func broken() *Report {
	cells := []Cell{
		{"order_id", "10000", "10000", false},
		{"bought_at", "2024-01-01 15:01:00", "2024-01-01 15:09:42", true},
		{strings.Repeat("a very long name of a column ", 4), strings.Repeat("word ", 40), "<b>&\"", true},
		{"total", "349.11 EUR", "349.11 EUR", false},
		{"MMWW", "wwwwwwww", "MWMWMWMWMW", true},
	}
	counter := &CounterExample{Seed: 5, Epoch: 3, Sample: 17, Part: "train", Place: "orders.csv:19", Rule: "total == quantity * price", Text: "total is 349.11, quantity * price is 360.00.", Cells: cells}
	return &Report{
		Name: "orders", Recipe: "name: orders\n", Data: Data{Source: "orders.csv", Domain: "table"},
		Contract: []Promise{{"bought_at.jitter", "jitter", Seconds, "invariant", -600, 600, 1}, {Transformation: "category", Kind: "protected"}},
		Certificates: []Certificate{
			{Transformation: "bought_at.jitter", Unit: Seconds, Kind: "invariant", From: -600, To: 600, Pass: true, Possible: &Possible{512, 0, 0, .0058}, Confidence: .95,
				Counter: &CounterExample{Seed: 5, Sample: 3, Params: []Param{{"jitter", Seconds, 581.84}}, Before: "yes (57 %)", After: "no (yes 41 %)", Cells: cells[:2]}},
			{Transformation: WholeViews, Kind: "protected", Property: true, Possible: &Possible{512, 6, 6. / 512, .023}, Confidence: .95, Counter: counter},
			{Transformation: "category", Kind: "protected", Property: true, Pass: true, Possible: &Possible{512, 0, 0, .0058}, Confidence: .95},
		},
		Audit: Audit{Rows: []AuditRow{
			{Transformation: "category", Kind: "protected", Property: true, Measure: "column decodable (accuracy)", Value: .81, Lo: N(.77), Hi: N(.85), Reference: N(.9), Trivial: N(.31), Ceiling: N(1), Better: Higher, Verdict: Kept},
			{Transformation: "customer_id", Kind: "invariant", Property: true, Measure: "column decodable (accuracy)", Value: .1, Reference: N(.4), Trivial: N(.03), Better: Lower, Verdict: Kept},
		}},
	}
}

func TestRowsOfTables(t *testing.T) {
	r := broken()
	page := render(t, r)
	for _, want := range []string{
		">orders.csv:19</th>", `<tr class="changed"><th scope="row">bought_at</th><td>2024-01-01 15:01:00</td><td><b>2024-01-01 15:09:42</b></td></tr>`,
		`<tr><th scope="row">order_id</th><td>10000</td><td>10000</td></tr>`, "&lt;b&gt;&amp;", "breaks <b>total == quantity * price</b>",
		`±<data value="600">10m</data>`, `<data value="581.84">9m` + "\u00a0" + `42s</data>`, "all that is declared, together", "protected column", "Raw values", "answer of the probe",
		`views of <data value="6">6</data> of <data value="512">512</data> samples are not possible; the first breaks “total == quantity * price”: total is 349.11, quantity * price is 360.00.`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, bad := range []string{"protected, <data", "whole views <span class=\"dim\">protected", "600</data>…"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	for _, width := range []int{40, 80, 120} {
		var b bytes.Buffer
		if err := Text(&b, r, width); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for _, l := range strings.Split(text, "\n") {
			if utf8.RuneCountInString(l) > width {
				t.Errorf("%d columns, want at most %d: %s", utf8.RuneCountInString(l), width, l)
			}
		}
		if width != 80 {
			continue
		}
		for _, want := range []string{
			"orders.csv:19 (* differs; seed 5, epoch 3, sample 17)", "\n  order_id ", "\n* bought_at ", "\n  total ",
			"protected column category: decodable (accuracy) 0.810, untrained", "0.900, raw values 1.000", " MMWW ",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the text lacks %q:\n%s", want, text)
			}
		}
	}
	r.Certificates[1].Pass, r.Certificates[2].Pass = true, false
	r.Certificates[2].Possible = &Possible{512, 6, 6. / 512, .023}
	if s := r.headline().String(); !strings.HasPrefix(s, "A contract is broken: the column “category” is protected, but views of 6 of 512 samples change it.") {
		t.Error(s)
	}
}

func TestDuration(t *testing.T) {
	for v, want := range map[float64]string{0: "0s", 0.25: "0.25s", 59.5: "59.5s", 60: "1m", 600: "10m", 581.84: "9m 42s", 5400: "1h 30m", -600: minus + "10m", 86400: "1d", 129600: "1d 12h", 604800: "7d",
		3599.7: "1h", 86400*400 + 61: "400d 1m"} {
		if got := strings.ReplaceAll(duration(Num(v)), "\u00a0", " "); got != want {
			t.Errorf("%s: %s, want %s", fmt.Sprint(v), got, want)
		}
	}
}
