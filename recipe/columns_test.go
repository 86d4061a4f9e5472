package recipe

import (
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/view"
)

// tableSpecs stands for the domain of tables.
func tableSpecs(domain string) ([]view.Spec, error) {
	if domain != "table" {
		return testSpecs(domain)
	}
	inv := []contract.Kind{contract.Invariant, contract.Equivariant}
	flag := func(name string, kinds ...contract.Kind) view.Spec {
		w := strings.TrimPrefix(name, "*.")
		return view.Spec{Name: name, P: 1, Kinds: kinds, Params: []view.ParamSpec{{Name: w, Max: 1, Integer: true, Default: contract.Range{From: 1, To: 1}}}}
	}
	within := flag("*.swap_within", inv[0])
	within.Params[0].Name = "swap"
	return []view.Spec{
		flag("*.drop", inv[0], contract.Restorable), flag("*.swap", contract.Restorable, inv[0]), within, flag("*.mask", contract.Restorable),
		{Name: "*.jitter", P: 1, Kinds: inv, Params: []view.ParamSpec{{Name: "jitter", Min: -1e12, Max: 1e12, Default: contract.Range{From: -1, To: 1}}}},
		{Name: "*.shift", P: 1, Kinds: inv, Params: []view.ParamSpec{{Name: "shift", Min: -1e12, Max: 1e12, Default: contract.Range{From: -1, To: 1}}}},
		{Name: "*.scale", P: 1, Identity: 1, Kinds: inv, Params: []view.ParamSpec{{Name: "factor", Min: 0.001, Max: 1000, Default: contract.Range{From: 0.95, To: 1.05}}}},
		{Name: "*.noise", P: 1, Kinds: inv, Params: []view.ParamSpec{{Name: "sd", Max: 1e12, Default: contract.Range{From: 0.1, To: 0.1}}}},
		{Name: "*.warp", P: 1, Kinds: inv, Params: []view.ParamSpec{{Name: "power", Min: 0.1, Max: 10, Default: contract.Range{From: 0.9, To: 1.1}}, {Name: "offset", Max: 5}}},
		{Name: "mask", P: 1, Kinds: []contract.Kind{contract.Restorable}, Params: []view.ParamSpec{{Name: "share", Max: 1, Default: contract.Range{From: 0.3, To: 0.3}}}},
		{Name: "corrupt", P: 1, Kinds: inv[:1], Params: []view.ParamSpec{{Name: "share", Max: 1, Default: contract.Range{From: 0.6, To: 0.6}}}},
	}, nil
}

const tableHead = "domain: table\ndata: {source: orders.csv}\n"

func parseTable(t *testing.T, body string, sets ...string) *Recipe {
	t.Helper()
	r, err := Parse("t.yaml", []byte(tableHead+body), tableSpecs, sets...)
	if err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	tableTrip(t, r)
	return r
}

func tableTrip(t failer, r *Recipe) {
	b, err := Marshal(r)
	if err != nil {
		t.Fatalf("%v", err)
	}
	back, err := Parse("resolved", b, tableSpecs)
	if err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	if d := cmp.Diff(r, back); d != "" {
		t.Fatalf("%s in\n%s", d, b)
	}
	if again, _ := Marshal(back); string(again) != string(b) {
		t.Fatalf("Marshal differs: %s", cmp.Diff(string(b), string(again)))
	}
}

func TestIssueExample(t *testing.T) {
	r := parseTable(t, `columns:
  customer_id: {kind: identifier, drop: invariant}
  bought_at: {jitter: 10m, contract: invariant}
  category: {contract: protected}
  amount: [{scale: 0.95..1.05, contract: invariant}, {scale: 0.5..2, contract: equivariant}]
rules: [total == quantity * price, shipped_at >= bought_at]
objective: {weights: {amount.scale: 2}}
`)
	rg := func(a, b float64) contract.Range { return contract.Range{From: a, To: b} }
	want := Columns{
		{Name: "customer_id", Kind: "identifier", Transforms: []view.Config{{Name: "customer_id.drop", P: 1, Params: map[string]contract.Range{"drop": rg(1, 1)},
			Terms: contract.Terms{{Kind: contract.Invariant, Range: rg(1, 1), Weight: 1}}}}},
		{Name: "bought_at", Kind: "timestamp", Transforms: []view.Config{{Name: "bought_at.jitter", P: 1, Params: map[string]contract.Range{"jitter": rg(-600, 600)},
			Terms: contract.Terms{{Kind: contract.Invariant, Range: rg(-600, 600), Weight: 1}}}}},
		{Name: "category", Protected: true},
		{Name: "amount", Transforms: []view.Config{{Name: "amount.scale", P: 1, Params: map[string]contract.Range{"factor": rg(0.5, 2)},
			Terms: contract.Terms{{Kind: contract.Invariant, Range: rg(0.95, 1.05), Weight: 1}, {Kind: contract.Equivariant, Range: rg(0.5, 2), Weight: 1}}}}},
	}
	if d := cmp.Diff(want, r.Columns); d != "" {
		t.Error(d)
	}
	if r.Encoder.Kind != "mlp" || r.Encoder.Width != 128 || r.Train.Optimizer != "adamw" || len(r.AllTransforms()) != 3 || r.Objective.Weights["amount.scale"] != 2 {
		t.Errorf("%+v", r)
	}
}

// TestColumnForms reads one transformation of column x in every form.
func TestColumnForms(t *testing.T) {
	rg := func(a, b float64) contract.Range { return contract.Range{From: a, To: b} }
	type want struct {
		param string
		rg    contract.Range
		kinds []contract.Kind
		p     float64
		opts  map[string]string
	}
	inv, equi, rest := contract.Invariant, contract.Equivariant, contract.Restorable
	for body, w := range map[string]want{
		"{scale: }":     {"factor", rg(0.95, 1.05), []contract.Kind{inv}, 1, nil},
		"{scale: true}": {"factor", rg(0.95, 1.05), []contract.Kind{inv}, 1, nil},
		"{scale: 0.9..1.1, p: 0.5, contract: equivariant}":               {"factor", rg(0.9, 1.1), []contract.Kind{equi}, 0.5, nil},
		"{scale: [0.9, 1.1]}":                                            {"factor", rg(0.9, 1.1), []contract.Kind{inv}, 1, nil},
		"{scale: equivariant}":                                           {"factor", rg(0.95, 1.05), []contract.Kind{equi}, 1, nil},
		"{scale: {by: 0.9..1.1, contract: equivariant, p: 0.2}}":         {"factor", rg(0.9, 1.1), []contract.Kind{equi}, 0.2, nil},
		"{scale: {factor: 0.9..1.1}}":                                    {"factor", rg(0.9, 1.1), []contract.Kind{inv}, 1, nil},
		"{scale: [{by: 0.9..1.1}, {by: 0.5..2, contract: equivariant}]}": {"factor", rg(0.5, 2), []contract.Kind{inv, equi}, 1, nil},
		"{scale: {contract: [{range: 0.9..1.1, kind: invariant}]}}":      {"factor", rg(0.9, 1.1), []contract.Kind{inv}, 1, nil},
		"{warp: {by: 0.5..2, offset: 1..2, contract: [{range: 0.5..2, kind: equivariant}, {range: 0.9..1.1, kind: invariant}]}}": {"power", rg(0.5, 2), []contract.Kind{equi, inv}, 1, nil},
		"{jitter: 5}":                            {"jitter", rg(-5, 5), []contract.Kind{inv}, 1, nil},
		"{jitter: {by: 5}}":                      {"jitter", rg(-5, 5), []contract.Kind{inv}, 1, nil},
		"{jitter: 5..5}":                         {"jitter", rg(5, 5), []contract.Kind{inv}, 1, nil},
		"{jitter: -5}":                           {"jitter", rg(-5, -5), []contract.Kind{inv}, 1, nil},
		"{jitter: 1h30m}":                        {"jitter", rg(-5400, 5400), []contract.Kind{inv}, 1, nil},
		"{shift: -28d..4w, keep: weekday}":       {"shift", rg(-2419200, 2419200), []contract.Kind{inv}, 1, map[string]string{"keep": "weekday"}},
		"{shift: {by: 7d, keep: hour}}":          {"shift", rg(-604800, 604800), []contract.Kind{inv}, 1, map[string]string{"keep": "hour"}},
		"{shift: 0..10m}":                        {"shift", rg(0, 600), []contract.Kind{inv}, 1, nil},
		"{noise: 0.5}":                           {"sd", rg(0.5, 0.5), []contract.Kind{inv}, 1, nil},
		"{mask: restorable}":                     {"mask", rg(1, 1), []contract.Kind{rest}, 1, nil},
		"{drop: {contract: restorable, p: 0.3}}": {"drop", rg(1, 1), []contract.Kind{rest}, 0.3, nil},
		"{swap_within: {within: 'a city, or so', p: 0.1}}":                                   {"swap", rg(1, 1), []contract.Kind{inv}, 0.1, map[string]string{"within": "a city, or so"}},
		"[{unit: x}, {shift: -1..1}, {shift: -9..9, contract: equivariant}, {input: false}]": {"shift", rg(-9, 9), []contract.Kind{inv, equi}, 1, nil},
	} {
		r := parseTable(t, "columns:\n  x: "+body+"\n")
		c := r.Columns[0].Transforms[0]
		var kinds []contract.Kind
		for _, term := range c.Terms {
			kinds = append(kinds, term.Kind)
		}
		if d := cmp.Diff([]any{w.rg, w.kinds, w.p, w.opts}, []any{c.Params[w.param], kinds, c.P, c.Options}); d != "" {
			t.Errorf("%s: %s", body, d)
		}
	}
}

func TestColumnAttributes(t *testing.T) {
	r := parseTable(t, `columns:
  "unit price (€), net.": {kind: money, unit: "€", bounds: 0.., missing: [NA, "?", "", "-"], input: true}
  "2024": [{kind: ordinal}, {levels: [S, M, 10, no]}, {mask: restorable, p: 0.2}]
  null: {kind: boolean, levels: [no, yes], input: no}
  day: {bounds: 2020-01-01..2024-12-31, format: "%d.%m.%Y"}
  at: {kind: timestamp, bounds: "2020-01-01 12:00..2024-12-31T00:00:00"}
  "- odd: {x}": {missing: none}
  "x.y": {kind: number, bounds: [-1, 1e6], scale: 0.9..1.1}
  bare:
views: [{mask: {share: 0.2..0.4}}]
`)
	want := []struct {
		name, kind string
		bounds     *contract.Range
	}{
		{"unit price (€), net.", "money", &contract.Range{To: math.MaxFloat64}}, {"2024", "ordinal", nil}, {"null", "boolean", nil},
		{"day", "timestamp", &contract.Range{From: 1577836800, To: 1735689599}}, {"at", "timestamp", &contract.Range{From: 1577880000, To: 1735603200}},
		{"- odd: {x}", "", nil}, {"x.y", "number", &contract.Range{From: -1, To: 1e6}}, {"bare", "", nil},
	}
	for i, w := range want {
		c := r.Columns[i]
		if d := cmp.Diff([]any{w.name, w.kind, w.bounds}, []any{c.Name, c.Kind, c.Bounds}); d != "" {
			t.Error(d)
		}
	}
	if c := r.Columns[1]; cmp.Diff(c.Levels, []string{"S", "M", "10", "no"}) != "" || c.Transforms[0].P != 0.2 {
		t.Errorf("%+v", c)
	}
	if c := r.Columns[2]; c.Input != "no" || c.Levels[0] != "no" {
		t.Errorf("%+v", c)
	}
	if r.Columns[5].Missing[0] != "none" || r.Columns[6].Transforms[0].Name != "x.y.scale" || r.Column("bare") == nil || r.Column("no") != nil {
		t.Errorf("%+v", r.Columns)
	}
}

func TestSetColumns(t *testing.T) {
	const body = `columns:
  amount: {kind: money, scale: 0.95..1.05, contract: invariant}
  "x.y": [{kind: number}, {scale: 0.9..1.1}]
  many: [{scale: 0.9..1.1}, {scale: 0.5..2, contract: equivariant}]
`
	r := parseTable(t, body, "columns.amount.scale=0.9..1.1", "columns.x.y.scale=0.8..1.2", "columns.x.y.jitter=3", "columns.new.kind=category", "columns.amount.p=0.5",
		"columns.many=[{scale: 0.8..1.2}]", "objective.weights.amount.scale=3", "columns.x.y.scale.p=0.25", "rules=[amount >= 0]")
	if f := r.Columns[0].Transforms[0]; f.Params["factor"].From != 0.9 || f.P != 0.5 {
		t.Errorf("%+v", f)
	}
	if x := r.Columns[1].Transforms; len(x) != 2 || x[0].Params["factor"].From != 0.8 || x[0].P != 0.25 || x[1].Params["jitter"].To != 3 {
		t.Errorf("%+v", x)
	}
	if len(r.Columns[2].Transforms[0].Terms) != 1 || r.Columns[3].Kind != "category" || r.Objective.Weights["amount.scale"] != 3 || len(r.Rules) != 1 {
		t.Errorf("%+v", r)
	}
	for set, want := range map[string]string{
		"columns.many.scale=1..2":       "has several contracts",
		"columns.amount.skale=1..2":     "--set columns.amount.skale=1..2: columns.amount.skale: unknown key of a column (did you mean scale?)",
		"columns.amount.scale=0.9..2k":  "want a range such as",
		"columns=[]":                    "want a mapping of columns",
		"columns.amount.kind=catgory":   "did you mean category?",
		"objective.weights.amount.x=-1": "-1 is below the limit",
	} {
		if _, err := Parse("t.yaml", []byte(tableHead+body), tableSpecs, set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// TestBadColumns: each fault alone, with its place and what to do.
func TestBadColumns(t *testing.T) {
	for body, want := range map[string]string{
		"{scale: 0.9..1.1, jitter: 1}":                       `t.yaml:4:24: columns.x.jitter: an item holds one transformation, here scale (write a list: x: [{scale: ...}, {jitter: ...}])`,
		"{scal: 1..2}":                                       "t.yaml:4:7: columns.x.scal: unknown key of a column (did you mean scale?)",
		"{contract: invariant}":                              "t.yaml:4:17: columns.x.contract: invariant under no transformation (name what may change",
		"{p: 0.5}":                                           "p of no transformation",
		"[{contract: protected}, {scale: 0.9..1.1}]":         "t.yaml:4:31: columns.x.scale: the column is protected: nothing may change in it (remove it, or remove contract: protected)",
		"{scale: protected}":                                 "scale cannot be protected",
		"{kind: catgory}":                                    `t.yaml:4:13: columns.x.kind: "catgory" is not known (did you mean category?`,
		"{kind: float}":                                      "did you mean number?",
		"{kind: category, scale: 0.9..1.1}":                  "a column of kind category holds no numbers (possible: drop, mask, swap, swap_within)",
		"{kind: timestamp, scale: 0.9..1.1}":                 "a time has no scale",
		"{kind: number, jitter: 10m}":                        `t.yaml:4:29: columns.x.jitter: "10m" is a duration, but x is declared as number`,
		"{kind: number, shift: 3, keep: weekday}":            "keep: weekday is of timestamps",
		"{shift: 7d, keep: month}":                           `"month" is not known (known: weekday, hour)`,
		"{scale: 0.9..1.1, keep: hour}":                      "scale has no keep",
		"{swap_within: invariant}":                           "names no column within whose equal cells it swaps",
		"{swap_within: {within: x}}":                         "not swapped within itself",
		"{scale: 2..1}":                                      "reversed",
		"{scale: 0..1}":                                      "0..1 is outside 0.001..1000",
		"{drop: 0.5}":                                        "only whole numbers are drawn",
		"{drop: false}":                                      "false is not drop (remove it",
		"{scale: invariant, contract: invariant}":            "the contract is given twice",
		"{scale: [{by: 0.9..1.1}, {contract: equivariant}]}": "several contracts differ by the range of factor, which is missing here",
		"{scale: [{by: 0.9..1.1}, {by: 1..2}], contract: invariant}": "contract beside a list (give it in each item of the list)",
		"[{scale: 0.9..1}, {scale: 2..3}]":                           "no contract is stated for 1..2",
		"[{scale: 0.9..1, p: 0.1}, {scale: 1..3, p: 0.2}]":           "given twice for scale",
		"[{kind: number}, {kind: money}]":                            "given twice for this column",
		"{bounds: 5}":                                                `"5" has not two ends`,
		"{bounds: 5..1}":                                             "reversed",
		"{bounds: 2024-01-01..2024-02-30}":                           `"2024-02-30" is neither a number nor a date that exists`,
		"{kind: number, bounds: 2024-01-01..}":                       "a date, but the column is declared as number",
		"{kind: timestamp, bounds: 2015..2024}":                      "are seconds since 1970 (write 2015-01-01..2024-12-31)",
		"{kind: category, bounds: 0..1}":                             "a column of kind category has no bounds",
		"{kind: boolean, levels: [a, b, c]}":                         "3 levels of a boolean, want 2",
		"{levels: [a, a]}":                                           `"a" is given twice`,
		"{levels: [a, '?'], missing: '?'}":                           "is a level and means missing too",
		"{kind: number, levels: [a]}":                                "a column of kind number has no levels",
		"{kind: number, format: x}":                                  "has no format",
		"{missing: [NA, ~]}":                                         "columns.x.missing[1]: want text, got nothing",
		"{input: maybe}":                                             "want true or false",
		"identifier":                                                 "want a mapping, got \"identifier\" (write {kind: identifier})",
		"[a]":                                                        "columns.x[0]: want a mapping",
		"{scale: 0.9..1.1, p: 2}":                                    "2 is not a probability",
		"{scale: 0.9..1.1, weight: 0}":                               "weight 0 is not above 0",
		"{scale: {by: 0.9..1.1, bye: 1}}":                            "unknown key of scale (did you mean by?)",
		"{drop: 7d}":                                                 "is outside 0..1",
	} {
		_, err := Parse("t.yaml", []byte(tableHead+"columns:\n  x: "+body+"\n  z: {drop: invariant}\n"), tableSpecs)
		var es Errors
		if !errors.As(err, &es) || !strings.Contains(err.Error(), want) || len(es) > 2 {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
	for body, want := range map[string]string{
		"columns: [a]":                "want a mapping of columns, got a list",
		"columns: {}":                 "no transformation is declared",
		"columns: {'': {drop: true}}": "the name is empty",
		"columns: {x: {drop: true}}\nviews: [scale]":                               "t.yaml:4:9: views[0].scale: acts on one column (write it below the column",
		"columns: {x: {drop: true}}\nviews: ['*.scale']":                           "unknown transformation",
		"columns: {x: {drop: true}}\nrules: [a ==]":                                `t.yaml:4:9: rules[0]: character 5: got the end, want a column`,
		"columns: {y: {drop: true}}\nrules: ['x = a', 'x = b']":                    "rules[1]: character 3: x is derived by \"x = a\" already",
		"columns: {x: {drop: true}}\nrules: [x = a * 2]":                           "rules[0]: x is derived, but has the transformation x.drop of its own (write == to check it only",
		"columns: {x: {contract: protected}, y: {drop: true}}\nrules: [x = y * 2]": "x is derived, but declared as protected",
		"columns: {x: {drop: true}}\nobjective: {weights: {x.dop: 1}}":             "no stream of this name (did you mean x.drop?)",
	} {
		if _, err := Parse("t.yaml", []byte(tableHead+body+"\n"), tableSpecs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
	for data, want := range map[string]string{
		"target: x":                              `columns.x.drop: "x" is the target: no view changes it`,
		"target: t, group_by: t":                 `data.group_by: "t" is the target`,
		"buckets: [1, 2]":                        "limits of a target that is not named",
		"target: t, buckets: [2, 1]":             "1 after 2: limits must rise",
		"target: t, task: guess":                 `"guess" is not known`,
		"delimiter: ab":                          "is not one sign",
		"time: c":                                `"c" is declared as category`,
		"target: p":                              "the encoder never sees it",
		"target: t, buckets: [1], task: regress": "limits make classes of a number",
	} {
		_, err := Parse("t.yaml", []byte("domain: table\ndata: {source: a, "+data+"}\ncolumns: {x: {drop: true}, c: {kind: category}, p: {input: true}}\n"), tableSpecs)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", data, err, want)
		}
	}
	if _, err := Parse("t.yaml", []byte("data: {source: x}\nviews: [hflip]\ncolumns: {x: {drop: true}}\n"), tableSpecs); err == nil || !strings.Contains(err.Error(), "the domain image has no columns (write domain: table") {
		t.Error(err)
	}
}

// TestImageRecipeDoesNotGrow: keys of tables are not written for other domains, and do not change their hash.
func TestImageRecipeDoesNotGrow(t *testing.T) {
	r, err := Load("testdata/short.good.yaml", testSpecs)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for key := range tableOnly {
		if k := key[strings.LastIndex(key, ".")+1:]; strings.Contains("\n"+string(b), "\n"+k+":") || strings.Contains(string(b), " "+k+":") {
			t.Errorf("%s is written:\n%s", key, b)
		}
	}
	other := *r
	other.Rules = []string{"a == b"}
	if r.Hash("data") == other.Hash("data") || r.Hash() == other.Hash() || r.Hash("views") != other.Hash("views") {
		t.Error("rules do not count in data")
	}
}

func TestColumnRoundTripProperty(t *testing.T) {
	specs, _ := tableSpecs("table")
	rapid.Check(t, func(t *rapid.T) {
		r := Default()
		r.Domain, r.Data.Source = "table", "x"
		r.dependent(func(string) bool { return false })
		seen := map[string]bool{}
		for range rapid.IntRange(1, 4).Draw(t, "columns") {
			c := Column{Name: rapid.StringMatching(`[ -~äß漢😀.]{1,14}`).Draw(t, "name"), Kind: rapid.SampledFrom([]string{"", "number", "timestamp", "money"}).Draw(t, "kind"),
				Unit: rapid.StringMatching(`[ -~€]{0,4}`).Draw(t, "unit"), Input: rapid.SampledFrom([]string{"", "yes", "no"}).Draw(t, "input")}
			if seen[c.Name] {
				continue
			}
			seen[c.Name] = true
			if rapid.Bool().Draw(t, "missing") {
				c.Missing = rapid.SliceOfN(rapid.StringMatching(`[ -~]{0,5}`), 1, 3).Draw(t, "texts")
			}
			if rapid.Bool().Draw(t, "bounded") {
				a, b := rapid.Float64Range(1e4, 1e10).Draw(t, "a"), rapid.Float64Range(1e4, 1e10).Draw(t, "b")
				if c.Kind == "timestamp" {
					a, b = math.Round(a), math.Round(b)
				}
				c.Bounds = &contract.Range{From: min(a, b), To: max(a, b)}
			}
			for _, s := range specs {
				w, ok := strings.CutPrefix(s.Name, ColumnTransform)
				if !ok || !rapid.Bool().Draw(t, w) || (w == "scale" && c.Kind == "timestamp") {
					continue
				}
				cfg := view.Config{Name: c.Name + "." + w, P: rapid.Float64Range(0, 1).Draw(t, "p"), Params: map[string]contract.Range{}}
				for _, p := range s.Params {
					a, b := drawParam(t, p), drawParam(t, p)
					cfg.Params[p.Name] = contract.Range{From: min(a, b), To: max(a, b)}
				}
				if w == "swap_within" {
					cfg.Options = map[string]string{"within": rapid.StringMatching(`[ -~]{1,6}`).Draw(t, "within") + "!other"}
				}
				whole := cfg.Params[s.Params[0].Name]
				cfg.Terms = contract.Terms{{Kind: s.Kinds[0], Range: whole, Weight: rapid.Float64Range(1e-3, 1e6).Draw(t, "w")}}
				if !s.Params[0].Integer && len(s.Kinds) > 1 && whole.Width() > 0 {
					cfg.Terms = append(cfg.Terms, contract.Term{Kind: s.Kinds[1], Range: whole, Weight: 1})
					cfg.Terms[0].Range.To = whole.Lerp(0.5)
				}
				c.Transforms = append(c.Transforms, cfg)
			}
			r.Columns = append(r.Columns, c)
		}
		if len(r.AllTransforms()) == 0 || r.Validate() != nil {
			t.Skip("makes no sense together")
		}
		tableTrip(t, r)
	})
}

func FuzzColumns(f *testing.F) {
	f.Add("x: [{kind: money, bounds: 0..1e6}, {scale: 0.95..1.05}, {scale: 0.5..2, contract: equivariant}]", "columns.x.scale=0.9..1.1")
	f.Add("'a.b': {shift: {by: -28d..28d, keep: weekday}}", "columns.a.b.shift.p=0.5")
	f.Add("a: {swap_within: {within: b}}", "columns.a=")
	f.Fuzz(func(t *testing.T, body, set string) {
		r, err := Parse("fuzz", []byte(tableHead+"columns: {"+body+"}\n"), tableSpecs, set)
		if err != nil {
			var es Errors
			if !errors.As(err, &es) || len(es) == 0 {
				t.Fatalf("not an Errors value: %v", err)
			}
			return
		}
		if r.Domain == "table" {
			tableTrip(t, r)
		}
	})
}

// TestDocs reads the table recipe of docs/recipes.md.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "```yaml\ndomain: table\n")
	body, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatal("no table recipe in docs/recipes.md")
	}
	r, err := Parse("docs", []byte("domain: table\n"+body), tableSpecs)
	if err != nil {
		t.Fatal(err)
	}
	tableTrip(t, r)
	if len(r.Columns) != 5 || len(r.Rules) != 3 || len(r.AllTransforms()) != 5 {
		t.Errorf("%+v", r)
	}
}
