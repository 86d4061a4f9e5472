package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// usedFile writes a table of orders; a city and a bad price come with later rows.
func usedFile(t *testing.T, rows int, more string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("order_id,bought_at,city,price,note\n")
	for i := range rows {
		fmt.Fprintf(&b, "A%04d,2024-01-%02d 10:%02d:00,%s,%d.%02d,word%d same\n", i, 1+i%28, i%60, []string{"Bern", "Ulm", "Graz"}[i%3], i%97, i%100, i%11)
	}
	b.WriteString(more)
	path := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func usedSamples(t *testing.T, path string) *Samples {
	t.Helper()
	r := recipe.Default()
	r.Domain, r.Data.Source, r.Data.Split = "table", path, "tail"
	r.Columns = recipe.Columns{{Name: "order_id", Kind: "identifier"}, {Name: "bought_at", Kind: "timestamp"}, {Name: "city", Kind: "category"},
		{Name: "price", Kind: "money"}, {Name: "note", Kind: "text", Input: "yes"}}
	s, err := Open(context.Background(), r, domain.OpenOptions{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drain reads a whole stream in chunks: rows by item, and the items.
func drain(t *testing.T, st domain.RecordStream, chunk int) (rows [][]float32, items []domain.Item) {
	t.Helper()
	in := st.Input()
	a := domain.NewArray(in, chunk)
	var got []domain.Item
	for {
		var err error
		got, err = st.Next(context.Background(), &a, chunk, got)
		for _, it := range got {
			var row []float32
			if it.Err == nil {
				row = slices.Clone(a.F32[it.Row*in.Size() : (it.Row+1)*in.Size()])
			}
			it.IDs = slices.Clone(it.IDs)
			rows, items = append(rows, row), append(items, it)
		}
		if errors.Is(err, io.EOF) {
			return rows, items
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A stream gives every record as training saw it, whatever the size of its chunks; what the model does not know is unknown, and a
// record that cannot be read keeps its place and its identifier.
func TestStream(t *testing.T) {
	train := usedFile(t, 60, "")
	s := usedSamples(t, train)
	card, err := s.CardData()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(card), "A0001") || strings.Contains(string(card), "word1") {
		t.Error("the card holds identifiers or texts")
	}
	used := usedFile(t, 60, "B1,2024-02-30 10:00:00,Bern,1.00,x\nB2,2024-02-01 10:00:00,Oslo,2.00,word1 same\nB3,2024-02-01 10:00:00,Ulm,cheap,x\n")
	for _, chunk := range []int{7, 1000} {
		st, err := Domain{}.OpenStream(context.Background(), card, recipe.Encoder{Kind: "mlp", Width: 8, Depth: 1, Numeric: "piecewise", Bins: 4}, recipe.Data{Source: used}, domain.StreamOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if in := s.Input(); !slices.Equal(st.Input().Dims, in.Dims) || st.Input().Name != in.Name {
			t.Fatalf("input %v, trained on %v", st.Input(), in)
		}
		if !slices.Equal(st.IDs(), []string{"order_id"}) {
			t.Errorf("identifiers %v", st.IDs())
		}
		rows, items := drain(t, st, chunk)
		if len(items) != 63 {
			t.Fatalf("%d items", len(items))
		}
		want := domain.NewArray(s.Input(), 1)
		for p := range 3 {
			for i := range s.Len(domain.Part(p)) {
				if err := s.Fill(&want, 0, domain.Part(p), i); err != nil {
					t.Fatal(err)
				}
				at := int(s.Rows(domain.Part(p))[i])
				if !slices.Equal(rows[at], want.F32) {
					t.Fatalf("record %d is %v, in training %v", at, rows[at], want.F32)
				}
			}
		}
		if items[5].IDs[0] != "A0005" || !strings.HasSuffix(items[5].Place, "orders.csv:7") {
			t.Errorf("item %+v", items[5])
		}
		for i, text := range map[int]string{60: "2024-02-30", 62: "cheap"} {
			if it := items[i]; it.Err == nil || it.Row != -1 || !strings.Contains(it.Err.Error(), text) || it.IDs[0] != fmt.Sprintf("B%d", i-59) {
				t.Errorf("item %d: %+v", i, it)
			}
		}
		notes := strings.Join(st.Notes(), "\n")
		if !strings.Contains(notes, `"city": 1 cells`) || !strings.Contains(notes, "Oslo") || strings.Count(notes, "\n") != 0 {
			t.Errorf("notes %q", notes)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
	for text, c := range map[string]struct {
		data recipe.Data
		ids  []string
	}{
		"no column \"nobody\"": {recipe.Data{Source: used}, []string{"nobody"}},
		"no such file":         {recipe.Data{Source: used + ".not"}, nil},
	} {
		if _, err := (Domain{}).OpenStream(context.Background(), card, recipe.Encoder{}, c.data, domain.StreamOptions{IDs: c.ids}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
