package shop

import (
	"bytes"
	"io"
	"math"
	"sort"
	"strings"
	"testing"
)

func orders(t *testing.T, cfg Config) []Order {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var out []Order
	for {
		o, err := g.Next()
		if err == io.EOF {
			return out
		}
		out = append(out, o)
	}
}

// TestTruth counts what the documentation states.
func TestTruth(t *testing.T) {
	all := orders(t, Config{Rows: 40000, Seed: 1})
	age, income := map[int]int{}, map[int]float64{}
	bulk := 0
	var byCat [8]struct{ n, yes, logit float64 }
	var bins [10]struct{ n, yes, p float64 }
	for _, o := range all {
		if a, ok := age[o.Customer]; ok && (a != o.Age || income[o.Customer] != o.Income) {
			t.Fatalf("customer %d has two ages or incomes", o.Customer)
		}
		age[o.Customer], income[o.Customer] = o.Age, o.Income
		if o.Age < 18 || o.Age > 90 || o.Income <= 0 || o.Quantity < 1 || o.Cents < 1 || o.Amount() != o.Quantity*o.Cents {
			t.Fatalf("%+v", o)
		}
		if o.Quantity >= 10 {
			bulk++
		}
		c := &byCat[o.Category]
		c.n++
		b := &bins[min(9, int(10*o.P()))]
		b.n++
		b.p += o.P()
		if o.Returned {
			c.yes++
			b.yes++
		}
	}
	if f := float64(bulk) / float64(len(all)); math.Abs(f-0.125) > 0.01 {
		t.Errorf("%g of the orders are large", f)
	}
	// The coin is fair to P in every tenth: within 4 standard errors.
	for i, b := range bins {
		if se := math.Sqrt(b.p * (1 - b.p/b.n)); math.Abs(b.yes-b.p) > 4*se {
			t.Errorf("P in [%g, %g]: %g returned, expected %g +- %g", float64(i)/10, float64(i+1)/10, b.yes, b.p, se)
		}
	}
	if e, g := byCat[1].yes/byCat[1].n, byCat[7].yes/byCat[7].n; e < g+0.4 {
		t.Errorf("fashion is returned at %g, groceries at %g", e, g)
	}
	if a := bayesAUC(all); a < 0.93 || a > 0.97 {
		t.Errorf("the truth has an AUC of %g", a)
	}
}

// bayesAUC is the AUC of P, which no model passes but by luck.
func bayesAUC(all []Order) float64 {
	sort.Slice(all, func(i, j int) bool { return all[i].P() < all[j].P() })
	ranks, pos := 0., 0.
	for i, o := range all {
		if o.Returned {
			ranks += float64(i + 1)
			pos++
		}
	}
	return (ranks - pos*(pos+1)/2) / (pos * (float64(len(all)) - pos))
}

func TestCSV(t *testing.T) {
	write := func(cfg Config) string {
		var b bytes.Buffer
		if err := WriteCSV(&b, cfg); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	a := write(Config{Rows: 500, Seed: 3})
	if a != write(Config{Rows: 500, Seed: 3}) {
		t.Error("the same seed gave other rows")
	}
	if a == write(Config{Rows: 500, Seed: 4}) {
		t.Error("another seed gave the same rows")
	}
	lines := strings.Split(strings.TrimSuffix(a, "\n"), "\n")
	if len(lines) != 501 || lines[0] != strings.Join(Header, ",") {
		t.Fatalf("%d lines, the first is %q", len(lines), lines[0])
	}
	for _, l := range lines[1:] {
		if f := strings.Split(l, ","); len(f) != len(Header) {
			t.Fatalf("%q", l)
		}
	}
	if err := WriteCSV(io.Discard, Config{}); err == nil {
		t.Error("no rows were written without an error")
	}
	if got := string(appendCents(nil, 120005)); got != "1200.05" {
		t.Errorf("%s", got)
	}
}
