package recipe

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/contract"
)

func orders() TableInfo {
	specs, _ := tableSpecs("table")
	return TableInfo{Source: "orders.csv", Describe: "CSV, utf-8, comma", Rows: 12000, Specs: specs,
		Target: "churned", TargetReason: "two values, the last column", Time: "bought_at", TimeReason: "the timestamp with the widest span",
		GroupBy: "customer_id", GroupByReason: "3100 customers in 12000 rows",
		Rules: []RuleInfo{{"total == quantity * price", 11990}, {"shipped_at >= bought_at", 11500}},
		Columns: []ColumnInfo{
			{Name: "customer_id", Kind: "identifier", Reason: "whole numbers, each about 4 times, name ends in id", Distinct: 3100, Examples: []string{"10017", "10018"}},
			{Name: "bought_at", Kind: "timestamp", Reason: "dates with time", Format: "2006-01-02 15:04", Gap: 4300, Distinct: 11800, Examples: []string{"2024-03-01 10:15"}},
			{Name: "shipped_at", Kind: "timestamp", Reason: "dates with time", Format: "2006-01-02 15:04", Gap: 9000, Distinct: 11000, Missing: 500},
			{Name: "category", Kind: "category", Reason: "text, 7 values", Distinct: 7, Examples: []string{"electronics", "groceries"}},
			{Name: "quantity", Kind: "integer", Reason: "whole numbers", Min: 1, Max: 12, Distinct: 12},
			{Name: "price", Kind: "money", Reason: "two decimals, name says price", Unit: "EUR", Min: 0.5, Max: 900, Distinct: 800, Decimals: 2},
			{Name: "total", Kind: "money", Reason: "two decimals", Unit: "EUR", Min: 0.5, Max: 9000, Distinct: 5000, Missing: 10, MissingTexts: []string{"-", "n/a"}},
			{Name: "weight (kg)", Kind: "number", Reason: "decimals", Unit: "kg", Min: 0.1, Max: 40, Distinct: 700},
			{Name: "balance", Kind: "number", Reason: "decimals", Min: -120.5, Max: 3000, Distinct: 9000},
			{Name: "gift", Kind: "boolean", Reason: "two values", Distinct: 2, Levels: []string{"no", "yes"}},
			{Name: "size", Kind: "ordinal", Reason: "S, M, L", Distinct: 3, Levels: []string{"S", "M", "L"}},
			{Name: "note", Kind: "text", Reason: "long and mostly different", Distinct: 9000},
			{Name: "shop", Kind: "category", Reason: "text", Distinct: 1},
			{Name: "fax", Kind: "text", Reason: "empty", Missing: 12000},
			{Name: "churned", Kind: "boolean", Reason: "two values", Distinct: 2},
		}}
}

// TestDraftTable compares the whole draft with testdata/draft-table.yaml; go test -update writes it.
func TestDraftTable(t *testing.T) {
	got := DraftTable(orders())
	const golden = "testdata/draft-table.yaml"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Error(d)
	}
	r, err := Parse(golden, got, tableSpecs)
	if err != nil {
		t.Fatal(err)
	}
	tableTrip(t, r)
	if len(r.Columns) != 15 || len(r.Rules) != 2 || !r.Column("category").Protected || r.Column("shop").Input != "no" || len(r.Column("churned").Transforms) != 0 {
		t.Errorf("%+v", r.Columns)
	}
}

// TestDraftTableProperty: whatever the columns, the draft is a valid recipe, has a reason for each contract, and says of
// no category that it may change.
func TestDraftTableProperty(t *testing.T) {
	specs, _ := tableSpecs("table")
	rapid.Check(t, func(t *rapid.T) {
		info := TableInfo{Source: rapid.StringMatching(`[ -~äß漢"\\']{1,20}`).Draw(t, "source"), Rows: rapid.IntRange(0, 1_000_000).Draw(t, "rows"), Specs: specs,
			HasTest: rapid.Bool().Draw(t, "test"), Columns: []ColumnInfo{{Name: "id", Kind: "identifier", Distinct: 5}}}
		names := []string{"id"}
		for range rapid.IntRange(0, 5).Draw(t, "columns") {
			c := ColumnInfo{Name: rapid.StringMatching(`[ -~äß漢"\\'#:.]{1,20}`).Draw(t, "name"), Kind: rapid.SampledFrom(ColumnKinds).Draw(t, "kind"),
				Reason: rapid.String().Draw(t, "reason"), Unit: rapid.StringMatching(`[ -~€]{0,3}`).Draw(t, "unit"), Distinct: rapid.IntRange(0, 9).Draw(t, "distinct"),
				Missing: rapid.IntRange(0, info.Rows).Draw(t, "missing"), Min: rapid.Float64Range(-1e9, 1e9).Draw(t, "min"), Gap: rapid.Float64Range(0, 1e9).Draw(t, "gap"),
				Examples: rapid.SliceOf(rapid.String()).Draw(t, "examples")}
			c.Max = c.Min + rapid.Float64Range(0, 1e9).Draw(t, "width")
			if !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
				info.Columns = append(info.Columns, c)
			}
		}
		if rapid.Bool().Draw(t, "target") {
			info.Target = names[len(names)-1]
		}
		b := DraftTable(info)
		r, err := Parse("draft", b, tableSpecs)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		for _, c := range r.Columns {
			if slices.Contains([]string{"category", "boolean", "ordinal", "text"}, c.Kind) {
				for _, tr := range c.Transforms {
					if tr.Terms.Has(contract.Invariant) {
						t.Fatalf("%s of kind %s", tr.Name, c.Kind)
					}
				}
			}
			if c.Name == info.Target && len(c.Transforms) > 0 {
				t.Fatalf("the target %s changes", c.Name)
			}
		}
		lines := strings.Split(string(b), "\n")
		for i, l := range lines {
			if strings.Contains(l, "contract:") && !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "# ") {
				t.Fatalf("no reason above %q", l)
			}
		}
	})
}
