package dataset

import (
	"context"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTables makes every table whose files are on this machine; Table itself compares with the pinned sha256. The counts are
// from the documentation of the sources and from an independent count of CDNOW_master.txt (pandas).
func TestTables(t *testing.T) {
	cache, err := DefaultCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	positive := map[string]int{ // rows of the last level of Classes
		"churn": 1869, "credit": 3200, "lending-club": 9340, "attrition": 237, "supermarket": 1679,
		"cdnow-purchases": 33269, "cdnow-customers": 6384, "cdnow-customers-later": 5381,
	}
	for _, e := range Catalogue() {
		if e.Table == nil {
			continue
		}
		t.Run(e.Name, func(t *testing.T) {
			dir, err := Locate(e.Name, cache)
			if errors.Is(err, ErrAbsent) {
				t.Skip("not on this machine: selfsame data fetch " + e.Name)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv(EnvData, dir)
			own := t.TempDir()
			path, err := Table(context.Background(), e.Name, own, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			target := -1
			for j, n := range rows[0] {
				if n == e.Table.Target {
					target = j
				}
			}
			if len(rows) != e.Table.Rows+1 || len(rows[0]) != e.Table.Columns || target < 0 {
				t.Fatalf("%d rows, columns %v", len(rows)-1, rows[0])
			}
			count := map[string]int{}
			for _, r := range rows[1:] {
				count[r[target]]++
			}
			if len(e.Classes) > 0 && len(count) != len(e.Classes) {
				t.Errorf("classes are %v", count)
			}
			if n := positive[e.Name]; n > 0 && count[e.Classes[len(e.Classes)-1]] != n {
				t.Errorf("%v, expected %d of %s", count, n, e.Classes[len(e.Classes)-1])
			}
			// A second call uses the copy; a broken copy is made anew.
			if err := os.WriteFile(path, b[:len(b)-1], 0o600); err != nil {
				t.Fatal(err)
			}
			if e.Embedded {
				return
			}
			if _, err := Table(context.Background(), e.Name, own, nil); err != nil {
				t.Fatal(err)
			}
			if again, _ := os.ReadFile(path); string(again) != string(b) {
				t.Error("a broken copy was used")
			}
		})
	}
}

const someCDNOW = ` customer_id  date number_of_cds  dollar_value
 00001 19970101  1   10.00
 00001 19970101  2    5.50
 00001 19970702  1    7.00
 00002 19970105  3   20.00
 00002 19970706  1    1.00
 00003 19970701  1    9.00
 00003 19970702  1    3.00
 00001 19980630  1    4.00
`

func cdnowDir(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "CDNOW_master.txt"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCDNOW holds the labels and features of a few customers against hand counts: 1997-01-01 + 182 days is 1997-07-02,
// 1997-01-05 + 182 is 1997-07-06, both inside; the same day never counts.
func TestCDNOW(t *testing.T) {
	dir := cdnowDir(t, someCDNOW)
	var b strings.Builder
	if err := buildPurchases("", "")(dir, &b); err != nil {
		t.Fatal(err)
	}
	want := `customer_id,date,cds,dollars,number,days_since_previous,spent_before,again
00001,1997-01-01,1,10.00,1,,0.00,yes
00001,1997-01-01,2,5.50,2,0,10.00,yes
00002,1997-01-05,3,20.00,1,,0.00,yes
00003,1997-07-01,1,9.00,1,,0.00,yes
00001,1997-07-02,1,7.00,3,182,15.50,no
00003,1997-07-02,1,3.00,2,1,9.00,no
00002,1997-07-06,1,1.00,2,182,20.00,no
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
	b.Reset()
	if err := buildPurchases("1997-07-02", "1997-07-02")(dir, &b); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n != 3 || !strings.Contains(b.String(), "00001,1997-07-02,1,7.00,3,182,15.50,no\n") {
		t.Error(b.String())
	}
	b.Reset()
	if err := buildCustomers("1997-07-01")(dir, &b); err != nil {
		t.Fatal(err)
	}
	want = `customer_id,first_purchase,days_since_first,days_since_last,purchases,days_with_purchase,gap_mean,cds,dollars,dollars_mean,dollars_last,dollars_max,again
00001,1997-01-01,181,181,2,1,,3,15.50,7.75,5.50,10.00,yes
00002,1997-01-05,177,177,1,1,,3,20.00,20.00,20.00,20.00,yes
00003,1997-07-01,0,0,1,1,,1,9.00,9.00,9.00,9.00,yes
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

// TestCDNOWLooksBack: nothing after a row's day or cut-off changes any cell but the label.
func TestCDNOWLooksBack(t *testing.T) {
	features := func(text string, build func(string, *strings.Builder) error) []string {
		var b strings.Builder
		if err := build(cdnowDir(t, text), &b); err != nil {
			t.Fatal(err)
		}
		var out []string
		for l := range strings.Lines(b.String()) {
			out = append(out, l[:strings.LastIndexByte(l, ',')])
		}
		return out
	}
	later := someCDNOW + " 00001 19970703  9   99.00\n 00002 19970801  9   99.00\n 00003 19980101  9   99.00\n"
	customers := func(dir string, b *strings.Builder) error { return buildCustomers("1997-07-02")(dir, b) }
	if d := cmp.Diff(features(someCDNOW, customers), features(later, customers)); d != "" {
		t.Error(d)
	}
	purchases := func(dir string, b *strings.Builder) error { return buildPurchases("", "1997-07-02")(dir, b) }
	if d := cmp.Diff(features(someCDNOW, purchases), features(later, purchases)); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"h\n1 2 3\n", "h\n1 19970230 1 1\n", "h\n1 19970101 x 1\n", "h\n1 19970101 1 -1\n"} {
		if _, err := readCDNOW(filepath.Join(cdnowDir(t, bad), "CDNOW_master.txt")); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestTableErrors(t *testing.T) {
	t.Setenv(EnvData, "")
	var bad *Error
	_, err := Table(context.Background(), "churn", t.TempDir(), nil)
	if !errors.Is(err, ErrAbsent) || !errors.As(err, &bad) || !strings.Contains(bad.Hint, "selfsame data fetch churn") {
		t.Errorf("%v", err)
	}
	if _, err = Table(context.Background(), "digits", t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "not a table") {
		t.Errorf("%v", err)
	}
	if _, err = Table(context.Background(), "nothing", t.TempDir(), nil); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	if err := ExportEmbedded("shop", dir); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(dir, "shop.csv")); err != nil || st.Size() < 1<<20 {
		t.Errorf("%v", err)
	}
}
