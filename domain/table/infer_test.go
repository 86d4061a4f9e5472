package table

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// inferColumn is what is found in one column of a CSV file.
func inferColumn(t *testing.T, name string, cells []string) recipe.ColumnInfo {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s,other\n", name)
	for i, c := range cells {
		fmt.Fprintf(&b, "\"%s\",w%d\n", c, i%3)
	}
	info, err := Infer(context.Background(), openPath(t, writeFile(t, "x.csv", b.String()), recipe.Data{}), InferOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return info.Columns[0]
}

func cellsOf(n int, f func(i int) string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func TestInferKinds(t *testing.T) {
	of := func(words ...string) []string { return cellsOf(60, func(i int) string { return words[i%len(words)] }) }
	from := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, kind string
		cells      []string
		check      func(c recipe.ColumnInfo) string
	}{
		{"height", "number", cellsOf(60, func(i int) string { return fmt.Sprint(1.5 + float64(i)/7) }), nil},
		{"count", "integer", cellsOf(60, func(i int) string { return fmt.Sprint(i * i % 50) }), nil},
		{"price", "money", cellsOf(60, func(i int) string { return fmt.Sprintf("%.2f", float64(i)*1.37) }), nil},
		{"x", "money", cellsOf(60, func(i int) string { return fmt.Sprintf("$%d.50", i) }), func(c recipe.ColumnInfo) string { return want(c.Unit, "USD") }},
		{"x", "number", cellsOf(60, func(i int) string { return fmt.Sprintf("%.2f", float64(i)*1.37) }), nil},
		{"stars", "ordinal", of("3", "1", "5", "2", "4"), func(c recipe.ColumnInfo) string { return want(fmt.Sprint(c.Levels), "[1 2 3 4 5]") }},
		{"children", "integer", of("0", "1", "2"), nil},
		{"region", "category", of("1", "2", "3"), nil},
		{"zip", "category", of("01234", "99999", "12345"), nil},
		{"colour", "category", of("red", "green", "blue"), nil},
		{"sex", "category", of("male", "female"), nil},
		{"gift", "boolean", of("yes", "no"), func(c recipe.ColumnInfo) string { return want(fmt.Sprint(c.Levels), "[no yes]") }},
		{"flag", "boolean", of("1", "0"), nil},
		{"flag", "boolean", of("TRUE", "FALSE", "NA"), func(c recipe.ColumnInfo) string { return want(fmt.Sprint(c.MissingTexts), "[NA]") }},
		{"customer_id", "identifier", cellsOf(60, func(i int) string { return fmt.Sprint(i % 9) }), nil},
		{"n", "identifier", cellsOf(60, func(i int) string { return fmt.Sprint(i + 100) }), nil},
		{"code", "identifier", cellsOf(60, func(i int) string { return fmt.Sprintf("x%dy%d", i*7919, i) }), nil},
		{"remark", "text", cellsOf(60, func(i int) string { return fmt.Sprintf("the customer asked for item %d again", i) }), nil},
		{"a", "timestamp", cellsOf(60, func(i int) string { return from.AddDate(0, 0, i).Format("2006-01-02") }), func(c recipe.ColumnInfo) string { return want(c.Format, "2006-01-02") }},
		{"a", "timestamp", cellsOf(60, func(i int) string { return from.AddDate(0, 0, i).Format(time.RFC3339) }), nil},
		{"a", "timestamp", cellsOf(60, func(i int) string { return from.AddDate(0, 0, i*7%60).Format("02/01/2006") }), func(c recipe.ColumnInfo) string { return want(c.Format, "2/1/2006") }},
		{"a", "timestamp", cellsOf(60, func(i int) string { return from.AddDate(0, 0, i*7%60).Format("01/02/2006") }), func(c recipe.ColumnInfo) string { return want(c.Format, "1/2/2006") }},
		{"a", "timestamp", cellsOf(60, func(i int) string { return from.AddDate(0, i*7%12, i*5%12).Format("01/02/2006") }), func(c recipe.ColumnInfo) string {
			if c.Format != "" || !strings.Contains(c.Reason, "no cell tells day and month apart") {
				return c.Reason
			}
			return ""
		}},
		{"a", "timestamp", cellsOf(60, func(i int) string { return from.AddDate(0, 0, i).Format("20060102") }), nil},
		{"created_at", "timestamp", cellsOf(60, func(i int) string { return fmt.Sprint(from.Unix() + int64(i*i)) }), func(c recipe.ColumnInfo) string { return want(c.Format, UnixSeconds) }},
		{"ts", "timestamp", cellsOf(60, func(i int) string { return fmt.Sprint(from.UnixMilli() + int64(i*i)) }), func(c recipe.ColumnInfo) string { return want(c.Format, UnixMillis) }},
		{"amount", "number", append(cellsOf(58, func(i int) string { return fmt.Sprint(float64(i) / 8) }), "?", "-"), func(c recipe.ColumnInfo) string { return want(fmt.Sprint(c.MissingTexts, c.Missing), "[- ?] 2") }},
		{"internet", "category", of("none", "fiber", "NA", "dsl"), func(c recipe.ColumnInfo) string {
			return want(fmt.Sprint(c.MissingTexts, len(c.Levels)), "[NA] 3")
		}},
		{"empty", "category", of(""), func(c recipe.ColumnInfo) string { return want(fmt.Sprint(c.Missing), "60") }},
	} {
		t.Run(c.name+"/"+c.kind, func(t *testing.T) {
			got := inferColumn(t, c.name, c.cells)
			if got.Kind != c.kind || got.Reason == "" {
				t.Errorf("kind %s (%s), want %s", got.Kind, got.Reason, c.kind)
			}
			if c.check != nil {
				if s := c.check(got); s != "" {
					t.Error(s)
				}
			}
		})
	}
}

func want(got, want string) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("%s, want %s", got, want)
}

// A shop: its candidates, the rules that hold and none that does not; the draft is read back.
func TestInferTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("order_id,customer_id,bought_at,shipped_at,quantity,price,total,discount,paid,churn\n")
	at := time.Date(2024, 1, 1, 8, 0, 0, 0, time.UTC)
	for i := range 500 {
		q, price, d := 1+i*7%5, float64(100+i*37%900)/100, float64(i*13%50)/100
		total := math.Round(float64(q)*price*100) / 100
		fmt.Fprintf(&b, "%d,c%d,%s,%s,%d,%.2f,%.2f,%.2f,%.2f,%s\n", i, i*31%40, at.Add(time.Duration(i)*time.Hour).Format("2006-01-02 15:04:05"),
			at.Add(time.Duration(i+i%9)*time.Hour).Format("2006-01-02 15:04:05"), q, price, total, d, total-d, []string{"No", "Yes"}[i*11%7%2])
	}
	path := writeFile(t, "orders.csv", b.String())
	info, err := Infer(context.Background(), openPath(t, path, recipe.Data{}), InferOptions{Source: path})
	if err != nil {
		t.Fatal(err)
	}
	if info.Target != "churn" || info.Time == "" || info.GroupBy != "" || !strings.Contains(info.TimeReason, "customer_id beside it would leave out") || info.Rows != 500 {
		t.Errorf("target %q, time %q, group %q, %d rows", info.Target, info.Time, info.GroupBy, info.Rows)
	}
	rules := map[string]bool{}
	for _, r := range info.Rules {
		rules[r.Text] = true
		if r.Rows != 500 {
			t.Errorf("rule %s was checked on %d rows", r.Text, r.Rows)
		}
	}
	for _, w := range []string{"total == quantity * price", "bought_at <= shipped_at"} {
		if !rules[w] {
			t.Errorf("rule %s was not found in %v", w, rules)
		}
	}
	if len(rules) != 3 || !rules["total == discount + paid"] && !rules["paid == total - discount"] {
		t.Errorf("rules %v", rules)
	}
	if g := info.Columns[2].Gap; g < 3600 {
		t.Errorf("gap %g s", g)
	}
	info.Specs = Specs()
	draft := recipe.DraftTable(info)
	r, err := recipe.Parse("draft", draft, func(string) ([]view.Spec, error) { return Specs(), nil })
	if err != nil {
		t.Fatalf("%v\n%s", err, draft)
	}
	if _, err := openRecipe(r); err != nil {
		t.Errorf("%v\n%s", err, draft)
	}
}
