package rowrule

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// shop is a table for tests: columns by name.
func shop(name string) (Column, bool) {
	levels := func(l ...string) func(string) (float64, bool) {
		return func(s string) (float64, bool) {
			for i, w := range l {
				if w == s {
					return float64(i), true
				}
			}
			return 0, false
		}
	}
	c, ok := map[string]Column{
		"quantity": {Index: 0, Decimals: -1}, "price": {Index: 1, Decimals: 2, Tolerance: 0.005}, "total": {Index: 2, Decimals: 2, Tolerance: 0.005},
		"bought_at": {Index: 3, Kind: Time, Decimals: -1}, "shipped_at": {Index: 4, Kind: Time, Decimals: -1},
		"status": {Index: 5, Kind: Coded, Code: levels("open", "paid")}, "size": {Index: 6, Kind: Ranked, Code: levels("S", "M", "L")},
		"unit price (€)": {Index: 7, Decimals: -1}, "gift": {Index: 8, Kind: Coded, Code: levels("false", "true")},
	}[name]
	return c, ok
}

// row is 3 pieces at 1.50, 4.50 in all, bought 2024-01-01, shipped a day later, paid, M, 0.1, a gift.
func row() ([]float64, []uint8) {
	t, _ := ParseTime("2024-01-01")
	return []float64{3, 1.5, 4.5, t, t + 86400, 1, 1, 0.1, 1}, make([]uint8, 9)
}

func TestHolds(t *testing.T) {
	for rule, want := range map[string]bool{
		"total == quantity * price": true, "total = quantity * price": true, "total != quantity * price": false,
		"total == quantity * price + 0.004": true, "total == quantity * price + 0.006": false,
		"total <= 4.496": true, "total < 4.5": false, "total <= 4.5": true, "total >= 4.51": false, "total > 4.4": true,
		"`unit price (€)` * 3 == 0.3": true, "`unit price (€)` == 0.1000001": false,
		"quantity == 3": true, "quantity == 3.0000001": false, "quantity != 3": false, "-quantity < 0": true, "quantity - -1 == 4": true,
		"1 - 2 - 3 == 0 - quantity - 1": true, "12 / 2 / 3 == quantity - 1": true, "2 + 3 * 4 == quantity + 11": true, "(2 + 3) * 4 == quantity + 17": true,
		"shipped_at >= bought_at": true, "shipped_at - bought_at <= 30d": true, "shipped_at - bought_at > 24h": false, "shipped_at - bought_at >= 0": true,
		"shipped_at <= bought_at + 1d12h": true, "bought_at >= \"2024-01-01\"": true, "bought_at > '2024-01-01'": false, "\"2024-01-02 00:00\" == shipped_at": true,
		"(shipped_at - bought_at) / 1d == 1": true, "max(bought_at, shipped_at) == shipped_at": true,
		`status == "paid"`: true, `"open" != status`: true, `status == "lost"`: false, `status != "lost"`: true,
		`size >= "M"`: true, `size < "M"`: false, `"S" < size`: true, "gift == true": true, "gift != true": false, "gift == FALSE": false,
		`if status == "paid" then shipped_at >= bought_at`: true, `if status == "open" then quantity == 99`: true, `if status == "paid" then quantity == 99`: false,
		`if status == "paid" then if quantity == 3 then total > 9`: false,
		"not quantity == 3": false, "not not quantity == 3": true, "quantity == 9 or price == 1.5": true, "quantity == 9 and price == 1.5": false,
		"quantity == 3 or quantity == 9 and price == 9": true, "(quantity == 3 or quantity == 9) and price == 9": false, "not quantity == 9 and price == 1.5": true,
		"min(quantity, price, 2) == 1.5": true, "max(quantity, 1) == 3": true, "abs(price - quantity) == 1.5": true, "round(price * 0.333, 2) == 0.5": true, "round(price) == 2": true,
		"quantity / 0 == 7": true, // no number: unknown
		"status == status":  true,
	} {
		r, err := Parse(rule)
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		b, err := r.Bind(shop)
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		v, absent := row()
		if got := Holds(b, v, absent); got != want {
			t.Errorf("%s: holds %v", rule, got)
		}
		if n := testing.AllocsPerRun(10, func() { Holds(b, v, absent) }); n != 0 {
			t.Errorf("%s: %g allocations", rule, n)
		}
	}
}

// TestMissing: unknown is broken nowhere, and known to be false is broken everywhere.
func TestMissing(t *testing.T) {
	for rule, want := range map[string][2]bool{ // holds, known, with price missing
		"total == quantity * price":                  {true, false},
		"price > 9":                                  {true, false},
		"not price > 9":                              {true, false},
		"price > 9 or quantity == 3":                 {true, true},
		"price > 9 and quantity == 9":                {false, true},
		"price > 9 and quantity == 3":                {true, false},
		"if price > 9 then quantity == 9":            {true, false},
		"if quantity == 3 then price > 9":            {true, false},
		"if quantity == 9 then price > 9":            {true, true},
		"max(price, 1) > 99":                         {true, false},
		`if price < 9 then status == "open"`:         {true, false},
		`quantity == 3 and not (status == "open")`:   {true, true},
		`if status == "paid" then not quantity == 3`: {false, true},
	} {
		r, err := Parse(rule)
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Bind(shop)
		if err != nil {
			t.Fatal(err)
		}
		v, absent := row()
		absent[1] = 2
		if got := [2]bool{Holds(b, v, absent), Known(b, v, absent)}; got != want {
			t.Errorf("%s: %v", rule, got)
		}
		absent[1], v[1] = 0, math.NaN()
		if got := [2]bool{Holds(b, v, absent), Known(b, v, absent)}; got != want {
			t.Errorf("%s with NaN: %v", rule, got)
		}
	}
}

func TestDerived(t *testing.T) {
	for rule, want := range map[string]struct {
		target int
		value  float64
	}{
		"total = quantity * price": {2, 4.5}, "total == quantity * price": {2, 4.5}, "total = quantity * price / 7": {2, 0.64},
		"quantity * price == total": {-1, 0}, "total == total + 1": {-1, 0}, "total == 4": {-1, 0}, "total <= quantity": {-1, 0},
		"shipped_at = bought_at + 2d": {4, 1704240000}, "quantity == max(price, 1)": {0, 1.5}, "total == quantity * price or quantity == 0": {-1, 0},
	} {
		r, err := Parse(rule)
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Bind(shop)
		if err != nil {
			t.Fatal(err)
		}
		target, ok := b.Derived()
		if ok != (want.target >= 0) || (ok && target != want.target) {
			t.Errorf("%s: derives %d %v", rule, target, ok)
		}
		v, absent := row()
		if x, ok := Value(b, v, absent); ok != (want.target >= 0) || math.Abs(x-want.value) > 1e-12 {
			t.Errorf("%s: value %v %v", rule, x, ok)
		}
		if ok {
			absent[0], absent[1], absent[3] = 1, 1, 1
			if x, ok := Value(b, v, absent); ok {
				t.Errorf("%s: value %v of missing cells", rule, x)
			}
		}
	}
}

// TestErrors compares the place and the words of faults, of the syntax and of binding.
func TestErrors(t *testing.T) {
	for rule, want := range map[string]string{
		"":                               "1: got the end, want a column",
		"total":                          "6: nothing is compared",
		"total ==":                       "9: got the end, want a column",
		"total == (quantity":             `19: got the end, want ")"`,
		"total == quantity)":             `18: got ")", want the end`,
		"total == 3 == 3":                "12: comparisons are no chains",
		"total === 3":                    `9: got "=", want a column`,
		"a + b = 3":                      `7: got "=", want a comparison`,
		"total = total + 1":              "15: `total` is derived from itself",
		"a <> b":                         `3: "<>" is no operator (write !=)`,
		"a == 3 && b == 4":               "(write and)",
		"a == 3 and b":                   "12: want a comparison, got a value",
		"(a == 3) + 1 == 2":              "4: want a value, got a comparison",
		"a == 3x":                        `6: "3x" is neither a number nor a duration`,
		"a == 1e999":                     "neither a number",
		"a == \"x":                       "6: the quotation \" has no end",
		"`` == 3":                        "1: the name of a column is empty",
		"a == 3 % 2":                     `8: the sign '%' has no meaning`,
		"unit price == 3":                "6: got \"price\", want the end of the rule (a column whose name holds",
		"log(a) == 3":                    `1: unknown function "log" (known: min`,
		"abs(a, b) == 3":                 "abs has 1 to 1 arguments, here 2",
		"round(a, b) == 3":               "the digits of round",
		"if a == 3":                      `10: got the end, want "then"`,
		"3 == 4":                         "names no column",
		`"a" == "b"`:                     "compares two texts",
		`a + "b" == 3`:                   "nothing is calculated with a text",
		`a * 2 == "b"`:                   "a text is compared with a column only",
		"\xff == 3":                      "not UTF-8",
		strings.Repeat("(", 99):          "nested more than 64 deep",
		strings.Repeat("-", 99):          "nested more than 64 deep",
		strings.Repeat("x", 5000):        "more than 4096",
		"a" + strings.Repeat("+a", 1500): "more than 1024 parts",

		"nobody == 3":                 "1: the table has no column nobody",
		"quantity == nobody":          "13: the table has no column nobody",
		"status == 3":                 "8: compares levels with numbers",
		"status < \"paid\"":           "8: the levels of status have no order",
		"status + 1 == 3":             "1: status holds levels: nothing is calculated",
		"size < \"XXL\"":              `8: size has no level "XXL"`,
		"status == size":              "are not of one list of levels",
		"quantity == \"three\"":       "quantity holds no levels",
		"bought_at == \"yesterday\"":  `"yesterday" is no date`,
		"bought_at == \"2024-02-30\"": `"2024-02-30" is no date`,
		"bought_at <= 30d":            "11: compares a time with a duration",
		"bought_at <= quantity":       "compares a time with a number",
		"bought_at * 2 > shipped_at":  "11: * of a time has no meaning",
		"bought_at + shipped_at > 1d": "+ of a time has no meaning",
		"shipped_at - bought_at < 30": "compares a duration with a number (write its unit",
		"quantity == true":            "is compared by == or != with a column of levels",
		"status == true":              "status has no level true",
		"status = quantity":           "compares levels with numbers",
	} {
		r, err := Parse(rule)
		if err == nil {
			_, err = r.Bind(shop)
		}
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), strings.ReplaceAll(want, "`total` is", "total is")) {
			t.Errorf("%q: got %v, want %s", rule, err, want)
		}
	}
	_, err := Parse("größe == (3")
	var e *Error
	if !errors.As(err, &e) || e.Caret() != "größe == (3\n           ^" {
		t.Errorf("caret %q", e.Caret())
	}
	r, _ := Parse(`status == "payd"`)
	if b, err := r.Bind(shop); err != nil || len(b.Unknown()) != 1 {
		t.Errorf("%v: misspelt level is not named", err)
	}
}

func TestOrder(t *testing.T) {
	all := func(string) bool { return true }
	for name, c := range map[string]struct {
		rules []string
		free  func(string) bool
		want  []int
		err   string
	}{
		"chain":      {[]string{"gross == net + tax", "tax = round(net * 0.19, 2)", "net == quantity * price"}, all, []int{2, 1, 0}, ""},
		"not free":   {[]string{"gross == net + tax"}, func(string) bool { return false }, nil, ""},
		"explicit":   {[]string{"gross = net + tax"}, func(string) bool { return false }, []int{0}, ""},
		"circle":     {[]string{"a = b + 1", "b = a - 1"}, all, nil, "b is derived from itself by way of other rules"},
		"soft":       {[]string{"a == b", "b == a", "c <= a"}, all, []int{0}, ""},
		"twice":      {[]string{"a = b", "a = c"}, all, nil, `a is derived by "a = b" already`},
		"first":      {[]string{"a == b", "a = c"}, all, []int{1}, ""},
		"no circles": {nil, all, nil, ""},
	} {
		var rules []*Rule
		for _, s := range c.rules {
			r, err := Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, r)
		}
		got, err := Order(rules, c.free)
		if (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && !equalInts(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func equalInts(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestDuration(t *testing.T) {
	for s, want := range map[string]float64{"90s": 90, "10m": 600, "10min": 600, "1h30m": 5400, "36h": 129600, "7d": 604800, "2w": 1209600, "-28d": -2419200,
		"+1.5h": 5400, "500ms": 0.5, "0s": 0, "1_000s": 1000} {
		if got, ok := ParseDuration(s); !ok || got != want {
			t.Errorf("%s: %v %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "-", "5", "d", "5y", "5M", "1h-3m", "--1h", "1e3s", "1..2h"} {
		if got, ok := ParseDuration(s); ok {
			t.Errorf("%q: %v", s, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(rapid.Float64Range(-1e12, 1e12), rapid.Map(rapid.IntRange(-1e9, 1e9), func(i int) float64 { return float64(i) * 60 })).Draw(t, "x")
		if got, ok := ParseDuration(FormatDuration(x)); !ok || got != x {
			t.Fatalf("%v -> %s -> %v", x, FormatDuration(x), got)
		}
		sec := float64(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "sec"))
		if got, ok := ParseTime(FormatTime(sec)); !ok || got != sec {
			t.Fatalf("%v -> %s -> %v", sec, FormatTime(sec), got)
		}
	})
}

func TestRound(t *testing.T) {
	for _, c := range []struct {
		x, want float64
		digits  int
	}{{1.005, 1.01, 2}, {-1.005, -1.01, 2}, {2.5, 3, 0}, {-2.5, -3, 0}, {1.004999, 1, 2}, {0, 0, 2}, {1e300, 1e300, 12}, {0.1 + 0.2, 0.3, 9}, {8.345 * 100, 834.5, 2}, {1.335, 1.34, 2}} {
		if got := round(c.x, c.digits); got != c.want {
			t.Errorf("round(%v, %d) = %v", c.x, c.digits, got)
		}
	}
}

// FuzzParse: no text crashes, and the canonical form of a rule is a fixed point that judges alike.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"total == quantity * price", "if status == \"paid\" then not (a < b or c >= 30d)", "`a``b` = round(min(x, -y, 1e3), 2)", "((", "a - (b - c) / (d * e) == -(-f)", "not a == true and (if b == 1 then c == 2)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("no *Error: %v", err)
			}
			e.Caret()
			return
		}
		canon := r.String()
		again, err := Parse(canon)
		if len(canon) > MaxLength {
			return
		}
		if err != nil {
			t.Fatalf("%q from %q: %v", canon, s, err)
		}
		if again.String() != canon {
			t.Fatalf("%q from %q, then %q", canon, s, again.String())
		}
		resolve := func(name string) (Column, bool) {
			for i, c := range r.columns {
				if c == name {
					return Column{Index: i, Decimals: -1}, true
				}
			}
			return Column{}, false
		}
		b, err := r.Bind(resolve)
		b2, err2 := again.Bind(resolve)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%q binds: %v, its canonical form: %v", s, err, err2)
		}
		if err != nil {
			return
		}
		v, absent := make([]float64, len(r.columns)), make([]uint8, len(r.columns))
		for i := range v {
			v[i], absent[i] = float64(3*i)-1.5, uint8(i%5/4)
		}
		if Holds(b, v, absent) != Holds(b2, v, absent) || Known(b, v, absent) != Known(b2, v, absent) {
			t.Fatalf("%q and %q judge differently", s, canon)
		}
		x, ok := Value(b, v, absent)
		y, ok2 := Value(b2, v, absent)
		if ok != ok2 || x != y {
			t.Fatalf("%q gives %v, its canonical form %v", s, x, y)
		}
	})
}

func BenchmarkHolds(b *testing.B) {
	var rules []*Bound
	for _, s := range []string{"total == quantity * price", "shipped_at >= bought_at", `if status == "paid" then total > 0`} {
		r, err := Parse(s)
		if err != nil {
			b.Fatal(err)
		}
		k, err := r.Bind(shop)
		if err != nil {
			b.Fatal(err)
		}
		rules = append(rules, k)
	}
	v, absent := row()
	b.ReportAllocs()
	for b.Loop() {
		for _, k := range rules {
			if !Holds(k, v, absent) {
				b.Fatal("broken")
			}
		}
	}
}
