package table

import (
	"math"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// brokenTransform breaks the rows of a transformation after it.
type brokenTransform struct {
	RowTransformation
	spoil   func(r *Row)
	details func(c []Change) []Change
}

func (b brokenTransform) ViewRow(dst *Row, p domain.Part, i int, params view.Params) error {
	err := b.RowTransformation.ViewRow(dst, p, i, params)
	b.spoil(dst)
	return err
}

func (b brokenTransform) Details(p domain.Part, i int, params view.Params) ([]Change, error) {
	c, err := b.RowTransformation.Details(p, i, params)
	if b.details != nil {
		c = b.details(c)
	}
	return c, err
}

func transformOf(t testing.TB, s *Samples, name string) RowTransformation {
	t.Helper()
	for _, tr := range mustSampler(t, s).Transforms() {
		if tr.Config().Name == name {
			return tr.(RowTransformation)
		}
	}
	t.Fatalf("no transformation %s", name)
	return nil
}

// smallSamples are 10 rows that a reader can follow by eye.
func smallSamples(t testing.TB, rules []string, transforms ...view.Config) *Samples {
	t.Helper()
	tab := &Table{Rows: 10, Source: "small.csv"}
	add := func(c Column, v ...float64) {
		c.Input = c.Name != "label"
		tab.Columns, tab.Values, tab.States = append(tab.Columns, c), append(tab.Values, v), append(tab.States, make([]State, 10))
	}
	add(Column{Name: "category", Kind: Category, Levels: []string{"electronics", "groceries", "toys"}, Protected: true}, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0)
	add(Column{Name: "quantity", Kind: Integer}, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1)
	add(Column{Name: "price", Kind: Money, Unit: "EUR", Decimals: 2, Bounded: true, Bounds: rg(0.5, 50)}, 9.99, 20, 30.5, 9.99, 20, 30.5, 9.99, 20, 30.5, 9.99)
	add(Column{Name: "total", Kind: Money, Unit: "EUR", Decimals: 2}, 9.99, 40, 91.5, 9.99, 40, 91.5, 9.99, 40, 91.5, 9.99)
	add(Column{Name: "bought_at", Kind: Timestamp, Format: "2006-01-02 15:04"}, 0, 60, 120, 180, 240, 300, 360, 420, 480, 540)
	add(Column{Name: "shipped_at", Kind: Timestamp, Format: "2006-01-02 15:04"}, 600, 660, 720, 780, 840, 900, 960, 1020, 1080, 1140)
	add(Column{Name: "city", Kind: Category, Levels: []string{"Bonn", "Köln", "Oslo"}}, 0, 1, 2, 0, 1, 2, 0, 1, 2, 1)
	add(Column{Name: "country", Kind: Category, Levels: []string{"Germany", "Norway"}}, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0)
	add(Column{Name: "size", Kind: Ordinal, Levels: []string{"S", "M", "L"}}, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0)
	add(Column{Name: "customer", Kind: Identifier, Levels: []string{"c1", "c2"}}, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1)
	add(Column{Name: "label", Kind: Boolean, Levels: []string{"no", "yes"}}, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1)
	s := samplesOf(tab, rules, transforms...)
	s.recipe.Data.Target = "label"
	return s
}

func within(name, group string) view.Config {
	c := declare(name, 0.5, "swap", invariant(1, 1))
	c.Options = map[string]string{recipe.OptionWithin: group}
	return c
}

func smallTransforms() []view.Config {
	return []view.Config{
		declare("price.scale", 0.8, "scale", invariant(0.9, 1.1), equivariant(0.5, 2)),
		declare("quantity.jitter", 0.5, "jitter", invariant(-1, 1)),
		declare("shipped_at.jitter", 0.8, "jitter", invariant(-900, 900)),
		within("city.swap_within", "country"),
		declare("size.jitter", 0.5, "jitter", invariant(-1, 1)),
		declare("customer.drop", 0.5, "drop", invariant(1, 1)),
		declare("customer.swap", 0.2, "swap", invariant(1, 1)),
		declare("mask", 1, "share", restorable(0.5, 0.5)),
	}
}

var smallRules = []string{"total = quantity * price", "shipped_at >= bought_at"}

func TestVerifyFindsWhatIsBroken(t *testing.T) {
	s := smallSamples(t, smallRules, smallTransforms()...)
	for _, c := range []struct {
		name, of string
		spoil    func(r *Row)
		details  func(c []Change) []Change
		rule     string
		text     string
	}{
		{"protected", "price.scale", func(r *Row) { r.V[0] = 1 }, nil, "protected column category", `category was "electronics" and became "groceries", but no view may change it.`},
		{"protected, negative zero", "price.scale", func(r *Row) { r.V[0] = math.Copysign(0, -1) }, nil, "protected column category", "category"},
		{"protected dropped", "price.scale", func(r *Row) { r.S[0] = Dropped }, nil, "protected column category", `became dropped`},
		{"target", "price.scale", func(r *Row) { r.V[10] = 1 }, nil, "target label", `label was "no"`},
		{"other column", "price.scale", func(r *Row) { r.V[9] = 1 }, nil, "column customer", `nothing that is declared changes it`},
		{"bounds", "price.scale", func(r *Row) { r.V[2], r.V[3] = 50.01, 50.01 }, nil, "bounds 0.5..50 EUR", "price was 9.99 EUR and became 50.01 EUR, which is out of bounds 0.5..50 EUR."},
		{"not a number", "price.scale", func(r *Row) { r.V[2] = math.NaN() }, nil, "bounds 0.5..50 EUR", "NaN"},
		{"cents", "price.scale", func(r *Row) { r.V[2], r.V[3] = 10.001, 10.001 }, nil, "precision of price", "10.001 EUR"},
		{"derived", "price.scale", func(r *Row) { r.V[2] = 10 }, nil, "total = quantity * price", "total is 9.99 EUR, but follows from the other cells as 10.00 EUR."},
		{"rule", "shipped_at.jitter", func(r *Row) { r.V[5] = -60 }, nil, "shipped_at >= bought_at",
			"The view breaks the rule: shipped_at is 1969-12-31 23:59 (was 1970-01-01 00:10), bought_at is 1970-01-01 00:00."},
		{"precision of a time", "shipped_at.jitter", func(r *Row) { r.V[5] = 601 }, nil, "precision of shipped_at", "1970-01-01T00:10:01Z"},
		{"negative count", "quantity.jitter", func(r *Row) { r.V[1], r.V[3] = 0, 0 }, nil, "bounds 1.. (the training part has nothing below)", "became 0"},
		{"half a piece", "quantity.jitter", func(r *Row) { r.V[1], r.V[3] = 1.5, 14.99 }, nil, "precision of quantity", "1.5"},
		{"level", "size.jitter", func(r *Row) { r.V[8] = 3 }, nil, "levels of size", "code 3 of 3 levels"},
		{"half a level", "size.jitter", func(r *Row) { r.V[8] = 0.5 }, nil, "levels of size", "code 0.5"},
		{"unknown identifier", "customer.swap", func(r *Row) { r.V[9] = 2 }, nil, "levels of customer", "code 2 of 2 levels"},
		{"missing that never is", "customer.swap", func(r *Row) { r.V[9], r.S[9] = 0, Missing }, nil, "missing values of customer", "is missing"},
		{"masked", "customer.swap", func(r *Row) { r.V[9], r.S[9] = 0, Masked }, nil, "state of customer", "masked"},
		{"dropped", "customer.swap", func(r *Row) { r.V[9], r.S[9] = 0, Dropped }, nil, "state of customer", "dropped"},
		{"another group", "city.swap_within", func(*Row) {}, func(c []Change) []Change {
			c[0].Donor, c[0].New = 2, 2
			return c
		}, "city.swap_within within country", `city was taken from a row with country Norway, but the row has "Germany".`},
		{"not the donor's", "city.swap_within", func(*Row) {}, func(c []Change) []Change { c[0].New = 2; return c }, "donor of city", "Oslo"},
		{"donor of the test part", "city.swap_within", func(*Row) {}, func(c []Change) []Change { c[0].Donor = 9; return c }, "donor of city", "row 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := transformOf(t, s, c.of)
			params := tr.AtValue(tr.Spec().Identity, 1, 0)
			if c.details != nil {
				params = tr.AtValue(1, 1, 0)
			}
			if b := s.Verify(tr, domain.Train, 0, params); b != nil {
				t.Fatalf("the honest one: %+v", b)
			}
			b := s.Verify(brokenTransform{tr, c.spoil, c.details}, domain.Train, 0, params)
			if b == nil {
				t.Fatal("not found")
			}
			if b.Rule != c.rule || !strings.Contains(b.Text, c.text) || strings.Contains(b.Text, "\n") {
				t.Errorf("rule %q, text %q; want %q, %q", b.Rule, b.Text, c.rule, c.text)
			}
			if len(b.Names) != 11 || len(b.Original) != 11 || len(b.View) != 11 || b.Original[2] != "9.99 EUR" || b.Original[0] != "electronics" {
				t.Errorf("%q, %q, %q", b.Names, b.Original, b.View)
			}
		})
	}
}

func TestHonestViewsArePossible(t *testing.T) {
	for name, s := range map[string]*Samples{
		"small": smallSamples(t, smallRules, smallTransforms()...),
		"mixed": mixedSamples(t, 300, shopRules, suiteTransforms()...),
		"bench": mixedSamples(t, 300, nil, benchTransforms()...),
	} {
		t.Run(name, func(t *testing.T) {
			for i := range s.Len(domain.Train) {
				for epoch := range uint64(8) {
					if b := s.VerifyView(5, epoch, i); b != nil {
						t.Fatalf("sample %d, epoch %d: %+v", i, epoch, b)
					}
				}
			}
			for _, tr := range mustSampler(t, s).Transforms() {
				for p := domain.Train; p <= domain.Test; p++ {
					for i := range s.Len(p) {
						if b := s.Verify(tr, p, i, tr.Draw(3, 1, i)); b != nil {
							t.Fatalf("%s: part %d, sample %d: %+v", tr.Config().Name, p, i, b)
						}
					}
				}
			}
		})
	}
}

func TestVerifyViewNamesBrokenSampler(t *testing.T) {
	s := smallSamples(t, nil, declare("category.swap", 1, "swap", invariant(1, 1)))
	if b := s.VerifyView(1, 0, 0); b == nil || !strings.Contains(b.Text, "protected") {
		t.Errorf("a swap of a protected column: %+v", b)
	}
}

func TestProperties(t *testing.T) {
	s := smallSamples(t, nil, smallTransforms()...)
	got := s.Properties()
	if len(got) != 3 || got[0].Name != "category" || got[0].Kind != contract.Protected || got[0].Classes != 3 ||
		got[1].Name != "city" || got[1].Kind != contract.Invariant || got[2].Name != "customer" || got[2].Classes != 2 {
		t.Fatalf("%+v", got)
	}
	if v, ok := got[0].Value(domain.Train, 2); !ok || v != 2 {
		t.Errorf("category of row 2: %g, %v", v, ok)
	}
	s.table.States[0][2] = Missing
	if _, ok := got[0].Value(domain.Train, 2); ok {
		t.Error("a missing cell has a class")
	}
}
