package table

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// writeFile puts a source into a folder of the test.
func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// orders is a small shop: n rows of customers, times, categories and amounts.
func orders(n int) string {
	var b strings.Builder
	b.WriteString("order_id,customer_id,bought_at,category,quantity,price,total,gift,churn\n")
	for i := range n {
		q, price := 1+i%4, float64(100+i*37%900)/100
		fmt.Fprintf(&b, "%d,c%d,2024-%02d-%02d 10:%02d:00,%s,%d,%.2f,%.2f,%s,%s\n", 1000+i, i%17, 1+i*12/n, 1+i%28, i%60,
			[]string{"toys", "books", "music"}[i%3], q, price, float64(q)*price, []string{"no", "yes"}[i%2], []string{"No", "Yes"}[i/2%2])
	}
	return b.String()
}

func tableRecipe(source string, cols ...recipe.Column) *recipe.Recipe {
	r := recipe.Default()
	r.Domain, r.Data.Source, r.Encoder.Bins, r.Columns = recipe.DomainTable, source, 8, cols
	return r
}

func mustOpen(t testing.TB, r *recipe.Recipe) *Samples {
	t.Helper()
	s, err := Open(context.Background(), r, domain.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpenCSV(t *testing.T) {
	r := tableRecipe(writeFile(t, "orders.csv", orders(400)))
	r.Data.Target = "churn"
	s := mustOpen(t, r)
	want := map[string]Kind{
		"order_id": Identifier, "customer_id": Identifier, "bought_at": Timestamp, "category": Category, "quantity": Integer,
		"price": Money, "total": Money, "gift": Boolean, "churn": Boolean,
	}
	for _, c := range s.Table().Columns {
		if c.Kind != want[c.Name] {
			t.Errorf("column %s is %s, want %s", c.Name, c.Kind, want[c.Name])
		}
		if in := c.Name != "churn" && c.Kind != Identifier; c.Input != in {
			t.Errorf("column %s: input %v, want %v", c.Name, c.Input, in)
		}
	}
	if a, b, c := s.Len(domain.Train), s.Len(domain.Val), s.Len(domain.Test); a != 288 || b != 32 || c != 80 {
		t.Errorf("parts %d, %d, %d, want 288, 32, 80", a, b, c)
	}
	if got := fmt.Sprint(s.Classes()); got != "[No Yes]" {
		t.Errorf("classes %s", got)
	}
	for p := domain.Train; p <= domain.Test; p++ { // stratified
		n := 0
		for _, l := range s.Labels(p) {
			n += int(l)
		}
		if math.Abs(float64(n)/float64(s.Len(p))-0.5) > 0.02 {
			t.Errorf("%s part: %d of %d are of class 1", partWord(p), n, s.Len(p))
		}
	}
	// Statistics are of the training part alone.
	j := s.Table().Lookup("price")
	sum, n := 0.0, 0
	for _, i := range s.Rows(domain.Train) {
		sum += s.Table().Values[j][i]
		n++
	}
	if c := s.Table().Columns[j]; math.Abs(c.Mean-sum/float64(n)) > 1e-9 || c.Decimals != 2 || c.Present != n {
		t.Errorf("price: mean %g, want %g; decimals %d, %d present", c.Mean, sum/float64(n), c.Decimals, c.Present)
	}
	if name := s.Name(domain.Train, 0); !strings.HasSuffix(name, fmt.Sprintf("orders.csv:%d", int(s.Rows(domain.Train)[0])+2)) {
		t.Errorf("first sample is %s", name)
	}
	if again := mustOpen(t, r); again.Hash() != s.Hash() {
		t.Error("two readings have different hashes")
	}
	r.Seed++
	if other := mustOpen(t, r); other.Hash() == s.Hash() {
		t.Error("another split has the same hash")
	}
}

func openRecipe(r *recipe.Recipe) (*Samples, error) {
	return Open(context.Background(), r, domain.OpenOptions{})
}
