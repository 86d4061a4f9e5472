package table

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// Whatever the times and groups: no group sits in two parts, training is older than validation and that older than test,
// the same instant is never separated, and only rows of a group that comes back are left out.
func TestSplitPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "rows")
		q := &splitRequest{rows: n, val: rapid.SampledFrom([]float64{0, 0.1, 0.3, 2}).Draw(t, "val"), test: rapid.SampledFrom([]float64{0, 0.2, 0.5}).Draw(t, "test"), tail: rapid.Bool().Draw(t, "tail"), seed: 3}
		if rapid.Bool().Draw(t, "by time") {
			for range n {
				q.times = append(q.times, float64(rapid.IntRange(0, 12).Draw(t, "time")))
			}
		}
		if rapid.Bool().Draw(t, "by group") {
			for i := range n {
				q.groups = append(q.groups, int32(rapid.IntRange(0, i/2).Draw(t, "group")))
			}
		}
		part, err := splitRows(q)
		if err != nil {
			if q.times == nil {
				t.Fatal(err)
			}
			return // too few instants
		}
		of := map[int32]int8{}
		last, left := map[int8]float64{}, 0
		for i, p := range part {
			if p < 0 {
				left++
				if q.times == nil || q.groups == nil {
					t.Fatalf("row %d is left out", i)
				}
				continue
			}
			if q.groups != nil {
				if o, ok := of[q.groups[i]]; ok && o != p {
					t.Fatalf("group %d in parts %d and %d", q.groups[i], o, p)
				}
				of[q.groups[i]] = p
			}
			if q.times != nil {
				if v, ok := last[p]; !ok || q.times[i] > v {
					last[p] = q.times[i]
				}
			}
		}
		if left != q.leftOut {
			t.Fatalf("%d rows left out, %d said", left, q.leftOut)
		}
		for i, p := range part {
			for o, v := range last {
				if p > o && q.times[i] <= v {
					t.Fatalf("row %d of part %d is from %g, part %d goes to %g", i, p, q.times[i], o, v)
				}
			}
		}
	})
}

func TestSplitSizes(t *testing.T) {
	count := func(part []int8) (n [3]int) {
		for _, p := range part {
			n[p]++
		}
		return n
	}
	times := make([]float64, 1000)
	groups := make([]int32, 1000)
	for i := range times {
		times[i], groups[i] = float64((i*37)%1000), int32(i/4)
	}
	for _, c := range []struct {
		name string
		q    splitRequest
		want [3]int
	}{
		{"random", splitRequest{}, [3]int{720, 80, 200}},
		{"tail", splitRequest{tail: true}, [3]int{720, 80, 200}},
		{"time", splitRequest{times: times}, [3]int{720, 80, 200}},
		{"group", splitRequest{groups: groups}, [3]int{720, 80, 200}},
		{"count", splitRequest{val: 50}, [3]int{750, 50, 200}},
	} {
		c.q.rows, c.q.test, c.q.seed = 1000, 0.2, 5
		if c.q.val == 0 {
			c.q.val = 0.1
		}
		part, err := splitRows(&c.q)
		if err != nil || count(part) != c.want {
			t.Errorf("%s: %v, %v, want %v", c.name, count(part), err, c.want)
		}
	}
	one := &splitRequest{rows: 9, times: make([]float64, 9), test: 0.2}
	if _, err := splitRows(one); err == nil {
		t.Error("rows of one instant were split by time")
	}
}

// Cells that do not fit are named with file, line, column and value, counted, and limited.
func TestOpenBadCells(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,amount,day,grade,kind\n")
	for i := range 100 {
		amount, day := fmt.Sprintf("%d.5", i), fmt.Sprintf("2024-01-%02d", 1+i%28)
		switch i {
		case 10:
			amount = "abc"
		case 20:
			amount = "1e400"
		case 30:
			amount = "Infinity"
		case 40:
			day = "2023-02-29"
		case 50:
			amount = "-7"
		case 60:
			amount = "NaN"
		case 70:
			b.WriteString("too,few\n")
			continue
		case 80:
			amount = "1e308"
		}
		fmt.Fprintf(&b, "%d,%s,%s,%s,%s\n", i, amount, day, []string{"low", "high", "?"}[i%3], []string{"a", "b"}[i%2])
	}
	path := writeFile(t, "bad.csv", b.String())
	bounds := contract.Range{From: 0, To: math.MaxFloat64}
	r := tableRecipe(path, recipe.Column{Name: "amount", Kind: "number", Bounds: &bounds}, recipe.Column{Name: "day", Kind: "timestamp", Format: "2006-01-02"},
		recipe.Column{Name: "grade", Kind: "ordinal", Levels: []string{"low", "high"}}, recipe.Column{Name: "kind", Kind: "category", Levels: []string{"a"}})
	s := mustOpen(t, r)
	about := s.Describe()
	want := [][2]string{
		{path + ":12", `column "amount": value "abc": is no number`},
		{path + ":22", `column "amount": value "1e400": is beyond 1.7976931348623157e+308`},
		{path + ":32", `column "amount": value "Infinity": is infinite`},
		{path + ":42", `column "day": value "2023-02-29": is a date that does not exist`},
		{path + ":52", `column "amount": value "-7": is outside of the bounds 0..`},
		{path + ":72", `value "too,few": 2 fields, the table has 5 columns`},
	}
	if about.Skipped != len(want) || len(about.SkippedFiles) != len(want) {
		t.Fatalf("%d records passed over: %q", about.Skipped, about.SkippedFiles)
	}
	for i, w := range want {
		if about.SkippedFiles[i] != w {
			t.Errorf("%q, want %q", about.SkippedFiles[i], w)
		}
	}
	if n := s.Len(domain.Train) + s.Len(domain.Val) + s.Len(domain.Test); n != 94 {
		t.Errorf("%d rows", n)
	}
	c := &s.Table().Columns[s.Table().Lookup("amount")]
	if math.IsInf(c.Mean, 0) || math.IsNaN(c.Std) || math.IsInf(c.Std, 0) {
		t.Errorf("mean %g, std %g", c.Mean, c.Std)
	}
	warned := strings.Join(about.Warnings, "\n")
	for _, w := range []string{"6 records cannot be read", `column "grade": `, `e.g. "?": counted as missing`, `column "kind": `, `e.g. "b": counted as unknown`} {
		if !strings.Contains(warned, w) {
			t.Errorf("no warning %q in\n%s", w, warned)
		}
	}
	r.Data.MaxBad = 5
	_, err := openRecipe(r)
	var bad *dataset.Error
	if !errors.As(err, &bad) || bad.Path != path || bad.Record != "line 12" || !strings.Contains(err.Error(), "6 records cannot be read, the limit max_bad is 5") {
		t.Errorf("beyond the limit: %v", err)
	}
	// A model reads on: levels that it does not know are unknown, records that fail are given apart, in their order.
	rd := openPath(t, path, recipe.Data{})
	var dst Table
	var places, failed []int
	for {
		n, err := ReadChunk(context.Background(), rd, s.Table().Columns, &dst, 7, func(e *RecordError) { failed = append(failed, e.Place) })
		places = append(places, dst.Places[:n]...)
		if err != nil {
			break
		}
	}
	if len(places) != 94 || fmt.Sprint(failed) != "[12 22 32 42 52 72]" {
		t.Errorf("%d rows, failed %v", len(places), failed)
	}
}

func TestOpenErrors(t *testing.T) {
	path := writeFile(t, "x.csv", orders(100))
	for _, c := range []struct {
		want string
		edit func(r *recipe.Recipe)
	}{
		{`data.target names "chrun", which is no column`, func(r *recipe.Recipe) { r.Data.Target = "chrun" }},
		{`columns names "nothing"`, func(r *recipe.Recipe) { r.Columns = recipe.Columns{{Name: "nothing", Kind: "number"}} }},
		{`data.time names "category"`, func(r *recipe.Recipe) { r.Data.Time = "category" }},
		{`its levels are no numbers`, func(r *recipe.Recipe) { r.Data.Target, r.Data.Task = "category", "regress" }},
		{`declared ordinal without its levels`, func(r *recipe.Recipe) { r.Columns = recipe.Columns{{Name: "category", Kind: "ordinal"}} }},
		{`declared boolean, but holds`, func(r *recipe.Recipe) { r.Columns = recipe.Columns{{Name: "category", Kind: "boolean"}} }},
		{`there is no row below the header`, func(r *recipe.Recipe) { r.Data.Source = writeFile(t, "y.csv", "a,b\n") }},
		{`101 records cannot be read`, func(r *recipe.Recipe) {
			r.Data.Source = writeFile(t, "z.csv", "a,b\n"+strings.Repeat("x,y\n", 200))
			r.Columns = recipe.Columns{{Name: "a", Kind: "number"}, {Name: "b", Kind: "category"}}
		}},
	} {
		r := tableRecipe(path)
		c.edit(r)
		_, err := openRecipe(r)
		var bad *dataset.Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// The target by kind: values, buckets, levels; levels of the test part alone are unknown; constant columns are left out.
func TestOpenTargets(t *testing.T) {
	train := "x,days,same,level\n"
	for i := range 50 {
		train += fmt.Sprintf("%d,%d,k,%s\n", i*i%17, i*7%50, []string{"a", "b"}[i%2])
	}
	r := tableRecipe(writeFile(t, "train.csv", train))
	r.Data.Test = writeFile(t, "test.csv", "x,days,same,level\n1,2,k,a\n2,,k,c\n0,0,k,b\n")
	r.Data.Target = "days"
	s := mustOpen(t, r)
	if tg, ok := s.Target(); !ok || tg.Name != "days" || tg.Unit != "days" || s.Labels(domain.Train) != nil {
		t.Errorf("target %+v, %v", tg, ok)
	}
	if v := s.Values(domain.Test); len(v) != 3 || v[0] != 2 || !math.IsNaN(v[1]) {
		t.Errorf("values %v", v)
	}
	if s.Table().Columns[2].Input || !strings.Contains(strings.Join(s.Describe().Warnings, "\n"), `column "same" has the same value`) {
		t.Errorf("a constant column is an input: %v", s.Describe().Warnings)
	}
	if st := s.Table(); st.Values[3][51] != Unknown || len(st.Columns[3].Levels) != 2 {
		t.Errorf("a level of the test part alone has code %g of %q", st.Values[3][51], st.Columns[3].Levels)
	}
	if name := s.Name(domain.Test, 2); !strings.HasSuffix(name, "test.csv:4") {
		t.Errorf("row is named %s", name)
	}
	r.Data.Buckets = []float64{2, 30}
	s = mustOpen(t, r)
	if got := fmt.Sprintf("%q %v", s.Classes(), s.Labels(domain.Test)); got != `["below 2 days" "2..30 days" "30 days and above"] [1 -1 0]` {
		t.Error(got)
	}
}
