package table

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/internal/dsn"
	"github.com/selfsame-ml/selfsame/recipe"
)

// readAll gives the texts of every record, with the place before it, and the errors of records as "place!message".
func readAll(rd Reader) (out []string, err error) {
	cells := make([]Cell, len(rd.Header()))
	for {
		place, err := rd.Next(context.Background(), cells)
		var re *RecordError
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case errors.As(err, &re):
			s := fmt.Sprintf("%d!", re.Place)
			if re.Column != "" {
				s += re.Column + ": "
			}
			out = append(out, s+re.Err.Error())
		case err != nil:
			return out, err
		default:
			s := fmt.Sprint(place)
			for _, c := range cells {
				switch {
				case c.Null:
					s += "|NULL"
				case c.IsTime:
					s += "|@" + timeText(c.Num)
				default:
					s += "|" + cellText(&c)
				}
			}
			out = append(out, s)
		}
	}
}

func openPath(t testing.TB, path string, d recipe.Data) Reader {
	t.Helper()
	d.Source = path
	rd, err := OpenReader(context.Background(), d, ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rd.Close() })
	return rd
}

func utf16Bytes(s string, little, bom bool) string {
	if bom {
		s = "\ufeff" + s
	}
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if little {
			b = append(b, byte(u), byte(u>>8))
		} else {
			b = append(b, byte(u>>8), byte(u))
		}
	}
	return string(b)
}

func TestReadCSV(t *testing.T) {
	const plain = "a,b\n1,x\n2,y\n"
	three := []string{"2|1|x", "3|2|y"}
	var gz, zs bytes.Buffer
	g := gzip.NewWriter(&gz)
	fmt.Fprint(g, plain)
	g.Close()
	z, _ := zstd.NewWriter(&zs)
	fmt.Fprint(z, plain)
	z.Close()
	umlauts := "name;stadt\nMüller;Köln\nJosé;São Paulo\n"
	people := []string{"2|Müller|Köln", "3|José|São Paulo"}
	latin := func(s string) string {
		var b []byte
		for _, r := range s {
			b = append(b, byte(r))
		}
		return string(b)
	}
	for _, c := range []struct {
		name, text, header, describe string
		want                         []string
		d                            recipe.Data
	}{
		{"plain", plain, "a b", "CSV, utf-8, comma", three, recipe.Data{}},
		{"no last line end", "a,b\n1,x\n2,y", "a b", "CSV, utf-8, comma", three, recipe.Data{}},
		{"gzip", gz.String(), "a b", "CSV, gzip, utf-8, comma", three, recipe.Data{}},
		{"zstd", zs.String(), "a b", "CSV, zstd, utf-8, comma", three, recipe.Data{}},
		{"windows line ends", "a,b\r\n1,x\r\n2,y\r\n", "a b", "", three, recipe.Data{}},
		{"old line ends", "a,b\r1,x\r2,y\r", "a b", "", three, recipe.Data{}},
		{"mixed line ends", "a,b\r\n1,x\r2,y\n", "a b", "", three, recipe.Data{}},
		{"blank lines", "a,b\n\n1,x\n\n\n2,y\n\n", "a b", "", []string{"3|1|x", "6|2|y"}, recipe.Data{}},
		{"byte order mark", "\ufeff" + plain, "a b", "CSV, utf-8 with byte order mark, comma", three, recipe.Data{}},
		{"utf-8", umlauts, "name stadt", "CSV, utf-8, semicolon", people, recipe.Data{}},
		{"latin-1", latin(umlauts), "name stadt", "CSV, windows-1252, semicolon", people, recipe.Data{}},
		{"latin-1 declared", latin(umlauts), "name stadt", "CSV, latin-1, semicolon", people, recipe.Data{Encoding: "latin-1"}},
		{"utf-16 little", utf16Bytes(umlauts, true, true), "name stadt", "CSV, utf-16 little endian with byte order mark, semicolon", people, recipe.Data{}},
		{"utf-16 big", utf16Bytes(umlauts, false, true), "name stadt", "CSV, utf-16 big endian with byte order mark, semicolon", people, recipe.Data{}},
		{"utf-16 without mark", utf16Bytes(umlauts, true, false), "name stadt", "CSV, utf-16 little endian, semicolon", people, recipe.Data{}},
		{"euro sign", "a,b\n1,5 \x80\n2,6 \x80\n", "a b", "CSV, windows-1252, comma", []string{"2|1|5 €", "3|2|6 €"}, recipe.Data{}},
		{"tab", "a\tb\n1\tx,y\n", "a b", "CSV, utf-8, tab", []string{"2|1|x,y"}, recipe.Data{}},
		{"bar", "a|b\n1|x\n", "a b", "CSV, utf-8, bar", []string{"2|1|x"}, recipe.Data{}},
		{"decimal comma", "a;b\n1,5;x\n1.234,25;y\n", "a b", "CSV, utf-8, semicolon, decimal comma", []string{"2|1,5|x", "3|1.234,25|y"}, recipe.Data{}},
		{"quotes", "a,b\n\"1,5\",\"say \"\"hi\"\"\"\n\"two\nlines\",y\n3,z\n", "a b", "", []string{"2|1,5|say \"hi\"", "3|two\nlines|y", "5|3|z"}, recipe.Data{}},
		{"single quotes", "a,b,c\n1,'x,1','z'\n2,'y,2','z'\n", "a b c", "CSV, utf-8, comma, single quotes", []string{"2|1|x,1|z", "3|2|y,2|z"}, recipe.Data{}},
		{"no header", "1,x\n2,y\n3,x\n", "column_1 column_2", "CSV, utf-8, comma, no header", []string{"1|1|x", "2|2|y", "3|3|x"}, recipe.Data{}},
		{"row names", "a,b\nr1,1,x\nr2,2,y\n", "row_name a b", "", []string{"2|r1|1|x", "3|r2|2|y"}, recipe.Data{}},
		{"name left out", ",a\n1,2\n2,3\n", "column_1 a", "", []string{"2|1|2", "3|2|3"}, recipe.Data{}},
		{"one column", "a\n1\n\n3\n", "a", "", []string{"2|1", "3|", "4|3"}, recipe.Data{}},
		{"delimiter declared", "a b\n1 2\n", "a b", "", []string{"2|1|2"}, recipe.Data{Delimiter: "space"}},
		{"header only", "a,b\n", "a b", "", nil, recipe.Data{}},
		{"ragged", "a,b\n1\n2,y\n3,z,w\n4,u\n", "a b", "", []string{"2!1 field, the table has 2 columns", "3|2|y", "4!3 fields, the table has 2 columns", "5|4|u"}, recipe.Data{}},
		{"quote not closed", "a,b\n1,x\n2,\"y\n3,z\n4,u\n", "a b", "", []string{"2|1|x", "3!a quote \" is opened and not closed", "4|3|z", "5|4|u"}, recipe.Data{}},
		{"quote closed below", "a,b\n2,\"y\n3,z\n4,u\" v\n5,w\n", "a b", "", []string{"2!a quote \" is opened here, and text stands behind the next one, 2 lines below", "3|3|z", "4|4|u\" v", "5|5|w"}, recipe.Data{}},
		{"text behind a quote", "a,b\n1,\"x\" y\n2,z\n", "a b", "", []string{"2!text behind a closing quote \"", "3|2|z"}, recipe.Data{}},
		{"NUL", "a,b\n1,x\x00y\n2,z\n", "a b", "", []string{"2!b: a NUL byte in the text", "3|2|z"}, recipe.Data{}},
		{"no utf-8", "a,b\nä,x\n\xff,y\n3,z\n", "a b", "", []string{"2|ä|x", "3!a: byte 0xff is no utf-8 text", "4|3|z"}, recipe.Data{Encoding: "utf-8"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rd := openPath(t, writeFile(t, "x.csv", c.text), c.d)
			if got := strings.Join(rd.Header(), " "); got != c.header {
				t.Errorf("header %q, want %q", got, c.header)
			}
			got, err := readAll(rd)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("records\n%q, want\n%q", got, c.want)
			}
			if c.describe != "" && rd.Describe() != c.describe {
				t.Errorf("described as %q, want %q", rd.Describe(), c.describe)
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, file, text, want string
		d                      recipe.Data
	}{
		{"empty", "x.csv", "", "the file is empty", recipe.Data{}},
		{"blank", "x.csv", "\n\n\n", "blank lines only", recipe.Data{}},
		{"duplicate header", "x.csv", "a,b,a\n1,2,3\n", `columns 1 and 3 are both named "a"`, recipe.Data{}},
		{"binary", "x.csv", strings.Repeat("\x00\x01\x02\x03", 100), "not text", recipe.Data{}},
		{"query of a file", "x.csv", "a\n1\n", "data.query is for databases", recipe.Data{Query: "select 1"}},
		{"broken gzip", "x.csv.gz", "\x1f\x8b\x08\x00garbage that is no gzip at all", "", recipe.Data{}},
		{"broken parquet", "x.parquet", "PAR1garbagegarbagePAR1", "broken Parquet file", recipe.Data{}},
		{"broken sqlite", "x.sqlite", sqliteMagic + strings.Repeat("x", 4096), "", recipe.Data{Query: "select 1"}},
		{"empty jsonl", "x.jsonl", " \n", "the file is empty", recipe.Data{}},
		{"jsonl without objects", "x.jsonl", "1\n2\n", "is no JSON object", recipe.Data{}},
		{"arff without data", "x.arff", "@relation a\n@attribute b numeric\n", "ends before @data", recipe.Data{}},
		{"delimiter", "x.csv", "a\n1\n", "is not one ASCII character", recipe.Data{Delimiter: "ab"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.d.Source = writeFile(t, c.file, c.text)
			rd, err := OpenReader(context.Background(), c.d, ReaderOptions{})
			if err == nil {
				_, err = readAll(rd)
				rd.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			var bad *dataset.Error
			if err != nil && c.name != "delimiter" && !errors.As(err, &bad) {
				t.Errorf("%v is no *dataset.Error", err)
			}
		})
	}
	for _, path := range []string{dir, filepath.Join(dir, "absent.csv")} {
		var bad *dataset.Error
		if _, err := OpenReader(context.Background(), recipe.Data{Source: path}, ReaderOptions{}); !errors.As(err, &bad) || bad.Path != path {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "absent.csv")); err == nil {
		t.Error("a file was made")
	}
}

// A cell of a million characters, and records around it, cross the blocks.
func TestReadLongCells(t *testing.T) {
	long := strings.Repeat("x\"\"y", 250_000)
	text := "a,b\n1,\"" + long + "\"\n" + strings.Repeat("2,abc\n", 200_000) + "3," + strings.Repeat("z", 1_000_000)
	rd := openPath(t, writeFile(t, "x.csv", text), recipe.Data{})
	cells := make([]Cell, 2)
	if place, err := rd.Next(context.Background(), cells); err != nil || place != 2 || cells[1].Text != strings.ReplaceAll(long, `""`, `"`) {
		t.Fatalf("line %d: %v, %d characters", place, err, len(cells[1].Text))
	}
	n, last := 0, 0
	for {
		place, err := rd.Next(context.Background(), cells)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n, last = n+1, place
	}
	if n != 200_001 || last != 200_003 || len(cells[1].Text) != 1_000_000 {
		t.Errorf("%d records, the last in line %d with %d characters", n, last, len(cells[1].Text))
	}
}

// What encoding/csv writes is read back, whatever the cells hold.
func TestReadCSVProperty(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		cols := rapid.IntRange(2, 5).Draw(t, "columns")
		cell := rapid.StringOfN(rapid.SampledFrom([]rune("ab1,;\"\n\r|\t ä'.")), 0, 12, -1)
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.UseCRLF = rapid.Bool().Draw(t, "crlf")
		var want [][]string
		header := make([]string, cols)
		for j := range header {
			header[j] = fmt.Sprintf("col%d", j)
		}
		w.Write(header)
		for range rapid.IntRange(1, 20).Draw(t, "rows") {
			rec := make([]string, cols)
			for j := range rec {
				rec[j] = cell.Draw(t, "cell")
				if !w.UseCRLF { // encoding/csv drops a bare return before a line end
					rec[j] = strings.ReplaceAll(rec[j], "\r", "")
				} else {
					rec[j] = strings.NewReplacer("\r", "", "\n", "").Replace(rec[j])
				}
			}
			rec[0] = "v" + rec[0] // no blank line
			want = append(want, rec)
			w.Write(rec)
		}
		w.Flush()
		path := filepath.Join(dir, "x.csv")
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		rd, err := OpenReader(context.Background(), recipe.Data{Source: path, Delimiter: ","}, ReaderOptions{Known: []string{"col0"}})
		if err != nil {
			t.Fatal(err)
		}
		defer rd.Close()
		cells := make([]Cell, cols)
		for i, rec := range want {
			if _, err := rd.Next(context.Background(), cells); err != nil {
				t.Fatalf("record %d of %q: %v", i, b.String(), err)
			}
			for j := range rec {
				if cells[j].Text != rec[j] {
					t.Fatalf("record %d, column %d: %q, want %q in %q", i, j, cells[j].Text, rec[j], b.String())
				}
			}
		}
		if _, err := rd.Next(context.Background(), cells); !errors.Is(err, io.EOF) {
			t.Fatalf("behind the last record: %v", err)
		}
	})
}

func TestReadJSON(t *testing.T) {
	for _, c := range []struct{ name, file, text, header, want string }{
		{"lines", "x.jsonl", "{\"a\":1,\"b\":{\"c\":\"x\",\"d\":true}}\n\n{\"a\":2.50,\"e\":[1,{\"f\":2}]}\n", "a b.c b.d e", "1|1|x|true|NULL\n3|2.50|NULL|NULL|[1,{\"f\":2}]"},
		{"array", "x.json", "[\n {\"a\": 1,\n  \"b\": null},\n {\"a\": 2, \"b\": \"]}\"}\n]\n", "a b", "2|1|NULL\n4|2|]}"},
		{"escapes", "x.jsonl", `{"a":"\u00e4\ud83d\ude00\n\"","b":"plain"}`, "a b", "1|ä😀\n\"|plain"},
		{"broken line", "x.jsonl", "{\"a\":1}\n{\"a\":}\n{\"a\":3\n{\"a\":4}\n", "a", "1|1\n2!character 6: want a value\n3!character 7: want a comma or the end of the object\n4|4"},
		{"key twice", "x.jsonl", "{\"a\":1,\"a\":2}\n{\"a\":3}\n", "a", "1!key \"a\" occurs twice\n2|3"},
		{"half a surrogate", "x.jsonl", "{\"a\":\"\\ud800\"}\n{\"a\":3}\n", "a", "1!character 13: half of a surrogate pair\n2|3"},
		{"utf-16", "x.jsonl", utf16Bytes("{\"a\":\"ä\"}\n{\"a\":\"b\"}\n", true, true), "a", "1|ä\n2|b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rd := openPath(t, writeFile(t, c.file, c.text), recipe.Data{})
			got, err := readAll(rd)
			if err != nil {
				t.Fatal(err)
			}
			if h := strings.Join(rd.Header(), " "); h != c.header {
				t.Errorf("header %q, want %q", h, c.header)
			}
			if s := strings.Join(got, "\n"); s != c.want {
				t.Errorf("records\n%s\nwant\n%s", s, c.want)
			}
		})
	}
}

// A key that only late records have is named, and read where it is declared.
func TestReadJSONLateKey(t *testing.T) {
	path := writeFile(t, "x.jsonl", strings.Repeat("{\"a\":1}\n", jsonHeadRecords)+"{\"a\":2,\"b\":3}\n")
	rd := openPath(t, path, recipe.Data{})
	if _, err := readAll(rd); err != nil {
		t.Fatal(err)
	}
	if n := rd.(*jsonReader).Notes(); len(n) != 1 || !strings.Contains(n[0], `"b" is first seen in line 10001`) {
		t.Errorf("notes %q", n)
	}
	known, err := OpenReader(context.Background(), recipe.Data{Source: path}, ReaderOptions{Known: []string{"b"}})
	if err != nil {
		t.Fatal(err)
	}
	defer known.Close()
	got, err := readAll(known)
	if err != nil || got[len(got)-1] != "10001|2|3" {
		t.Errorf("%v, %q", err, got[len(got)-1])
	}
}

func TestReadARFF(t *testing.T) {
	const head = "% comment\n@RELATION shop\n\n@attribute 'first name' string\n@attribute size {small, 'very large'}\n@ATTRIBUTE amount NUMERIC\n@attribute day date \"yyyy-MM-dd\"\n@data\n"
	for _, c := range []struct{ name, rows, want string }{
		{"dense", "Ann, small, 1.5, 2024-02-29\n% comment\n'O\\'Hara, B', 'very large', ?, \"2024-03-01\"\n", "9|Ann|small|1.5|@2024-02-29\n11|O'Hara, B|very large|NULL|@2024-03-01"},
		{"sparse", "{1 'very large', 2 3}\n{}\n{0 Ann, 2 ?}, {5}\n", "9|NULL|very large|3|NULL\n10|NULL|small|0|NULL\n11|Ann|small|NULL|NULL"},
		{"bad", "Ann, medium, 1, ?\nAnn, small\nAnn, small, 1, 2023-02-29\n{7 1}\n", "9!size: is none of the levels of the attribute\n10!2 fields, the table has 4 columns\n11!day: is a date that does not exist\n12!index 7, the table has 4 columns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rd := openPath(t, writeFile(t, "x.arff", head+c.rows), recipe.Data{})
			got, err := readAll(rd)
			if err != nil {
				t.Fatal(err)
			}
			if s := strings.Join(got, "\n"); s != c.want {
				t.Errorf("records\n%s\nwant\n%s", s, c.want)
			}
		})
	}
}

func TestReadParquet(t *testing.T) {
	type address struct {
		City string `parquet:"city"`
	}
	type row struct {
		ID     int64     `parquet:"id"`
		Name   *string   `parquet:"name,optional"`
		Amount float64   `parquet:"amount"`
		Small  float32   `parquet:"small"`
		Price  int64     `parquet:"price,decimal(2:10)"`
		At     time.Time `parquet:"at,timestamp(microsecond)"`
		Day    int32     `parquet:"day,date"`
		Ok     bool      `parquet:"ok"`
		Home   address   `parquet:"home"`
		Tags   []string  `parquet:"tags,list"`
		Key    [16]byte  `parquet:"key,uuid"`
	}
	ann := "Ann"
	at := time.Date(2024, 2, 29, 10, 30, 0, 500_000_000, time.UTC)
	rows := []row{
		{1, &ann, 1.25, 0.1, 1999, at, 19782, true, address{"Köln"}, []string{"a", "b"}, [16]byte{1}},
		{2, nil, math.Inf(1), 0.2, -5, at, 0, false, address{}, nil, [16]byte{}},
	}
	path := filepath.Join(t.TempDir(), "x.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[row](f, parquet.MaxRowsPerRowGroup(1))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	rd := openPath(t, path, recipe.Data{})
	if h := strings.Join(rd.Header(), " "); h != "id name amount small price at day ok home.city key" {
		t.Errorf("header %s", h)
	}
	got, err := readAll(rd)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"1|1|Ann|1.25|0.1|19.99|@2024-02-29T10:30:00.5Z|@2024-02-29|true|Köln|01000000-0000-0000-0000-000000000000",
		"2|2|NULL|+Inf|0.2|-0.05|@2024-02-29T10:30:00.5Z|@1970-01-01|false||00000000-0000-0000-0000-000000000000",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("records\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := rd.(*parquetReader).Notes(); len(n) != 1 || !strings.Contains(n[0], `"tags" holds lists`) {
		t.Errorf("notes %q", n)
	}
	// A file that is cut, or whose pages are damaged, is an error that names it.
	b, _ := os.ReadFile(path)
	for cut := 1; cut < len(b); cut += 97 {
		d := bytes.Clone(b)
		d[cut] ^= 0x55
		p := writeFile(t, "damaged.parquet", string(d))
		rd, err := OpenReader(context.Background(), recipe.Data{Source: p}, ReaderOptions{})
		if err != nil {
			continue
		}
		_, _ = readAll(rd) // must not panic
		rd.Close()
	}
}

func TestReadSQLite(t *testing.T) {
	for _, mode := range []string{"delete", "wal"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "a shop%20?#.sqlite")
			db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)+"?_pragma=journal_mode("+mode+")")
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range []string{
				"create table orders (id integer, amount real, day date, note text, vip boolean, big integer)",
				"insert into orders values (1, 2.5, '2024-02-29', 'äö', 1, 9007199254740993), (2, null, '2024-03-01', null, 0, 1)",
			} {
				if _, err := db.Exec(q); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadDir(dir)
			for _, q := range []string{"", "select * from orders;"} {
				got, err := readAll(openPath(t, path, recipe.Data{Query: q}))
				if err != nil {
					t.Fatal(err)
				}
				if s := strings.Join(got, "\n"); s != "1|1|2.5|@2024-02-29|äö|1|9007199254740993\n2|2|NULL|@2024-03-01|NULL|0|1" {
					t.Errorf("records\n%s", s)
				}
			}
			for q, want := range map[string]string{"select nothing from orders": "nothing", "delete from orders": "readonly", "select id, id from orders": "both named"} {
				rd, err := OpenReader(context.Background(), recipe.Data{Source: path, Query: q}, ReaderOptions{})
				if err == nil {
					_, err = readAll(rd)
					rd.Close()
				}
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v, want %q", q, err, want)
				}
			}
			after, _ := os.ReadDir(dir)
			if len(after) != len(before) {
				t.Errorf("reading left files: %v", after)
			}
			ctx, cancel := context.WithCancel(context.Background())
			rd, err := OpenReader(ctx, recipe.Data{Source: path, Query: "with recursive n(i) as (select 1 union all select i+1 from n) select i from n"}, ReaderOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer rd.Close()
			cells := make([]Cell, 1)
			for range 1000 {
				if _, err := rd.Next(ctx, cells); err != nil {
					t.Fatal(err)
				}
			}
			cancel()
			for range 10_000 {
				if _, err = rd.Next(ctx, cells); err != nil {
					break
				}
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}

func TestSecrets(t *testing.T) {
	for source, public := range map[string]string{
		"postgres://ann:s3cret@db.example/shop":                    "postgres://ann@db.example/shop",
		"postgres://ann:s3%zz@db.example/shop":                     "postgres://ann@db.example/shop",
		"postgresql://db/shop?password=s3cret&sslmode=require":     "postgresql://db/shop?sslmode=require",
		"host=db user=ann password=s3cret dbname=shop":             "host=db user=ann password=*** dbname=shop",
		"host=db password = 's3cret with \\' quote' dbname=shop":   "host=db password = *** dbname=shop",
		"mysql://ann:s3cret@db/shop":                               "mysql://ann@db/shop",
		"postgres://ann:s3cret@db/shop?sslpassword=s3cret&x=y":     "postgres://ann@db/shop?x=y",
		"service=shop sslpassword=s3cret":                          "service=shop sslpassword=***",
		"postgres://ann:p/s3cret@db/shop?password=s3cret%zz&port=": "",
	} {
		_, err := OpenReader(context.Background(), recipe.Data{Source: source, Query: "select 1"}, ReaderOptions{})
		var bad *dataset.Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), "holds a password") && public != "" {
			t.Errorf("%s: %v", source, err)
		}
		if err != nil && strings.Contains(err.Error()+bad.Hint, "s3") {
			t.Errorf("%v tells the password", err)
		}
		if got := PublicSource(recipe.Data{Source: source}); public != "" && got != public || strings.Contains(got, "s3") {
			t.Errorf("public form of %s is %s, want %s", source, got, public)
		}
	}
	for _, plain := range []string{"postgres://ann@db/shop", "service=shop", "orders.csv", "a:b@c.csv", "host=/run/pg dbname=shop"} {
		if dsn.HasSecret(plain) || dsn.Public(plain) != plain {
			t.Errorf("%s holds no password; public form %s", plain, dsn.Public(plain))
		}
	}
}

func TestParseDecimal(t *testing.T) {
	for _, c := range []struct {
		s     string
		comma bool
		want  float64
		d     int
		ok    bool
	}{
		{"0", false, 0, 0, true}, {"-1.50", false, -1.5, 2, true}, {"+.5", false, .5, 1, true}, {"5.", false, 5, 0, true}, {"1e3", false, 1000, -1, true}, {"1e308", false, 1e308, -1, true},
		{"1e309", false, 0, 0, false}, {"inf", false, 0, 0, false}, {"NaN", false, 0, 0, false}, {"0x10", false, 0, 0, false}, {"1_000", false, 0, 0, false}, {"1,234.5", false, 1234.5, 1, true},
		{"1,234,567", false, 1234567, 0, true}, {"12,34", false, 0, 0, false}, {"1234,567", false, 0, 0, false}, {"1.234,50", true, 1234.5, 2, true}, {"1,5", true, 1.5, 1, true}, {"1.5", true, 0, 0, false},
		{" 7 ", false, 7, 0, true}, {"", false, 0, 0, false}, {"-", false, 0, 0, false}, {"1-2", false, 0, 0, false}, {"12345678901234567890", false, 12345678901234567890, 0, true}, {"0.1", false, 0.1, 1, true},
		{"1.2.3", false, 0, 0, false}, {"e5", false, 0, 0, false}, {"1e", false, 0, 0, false},
	} {
		v, d, ok := parseDecimal(c.s, c.comma)
		if ok != c.ok || ok && (v != c.want || d != c.d) {
			t.Errorf("%q: %v, %d decimals, %v; want %v, %d, %v", c.s, v, d, ok, c.want, c.d, c.ok)
		}
	}
	rapid.Check(t, func(t *rapid.T) { // the fast path is exact
		f := rapid.Float64().Draw(t, "f")
		s := fmt.Sprintf("%.*f", rapid.IntRange(0, 8).Draw(t, "decimals"), math.Mod(f, 1e7))
		var want float64
		if err := json.Unmarshal([]byte(s), &want); err != nil {
			t.Fatal(err)
		}
		if got, ok := parseNumber(s, false); !ok || got != want {
			t.Fatalf("%s: %v, want %v", s, got, want)
		}
	})
}

// FuzzCSV: any bytes give records or errors, never a panic or an endless loop; places rise, and every record has the width of
// the header.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "\ufeffa;b\r\n\"1\n2\";3", "a\tb\n'x\ty'\t1\n", "\xff\xfea\x00,\x00b\x00\n\x00", "a,b\n\"1,2\n3,4", "a|b\n1|\"2\" 3\n", "1,2\n3,4\n", "\x1f\x8b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "x.csv")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		rd, err := OpenReader(context.Background(), recipe.Data{Source: path}, ReaderOptions{})
		if err != nil {
			return
		}
		defer rd.Close()
		exercise(t, rd, len(b))
	})
}

// FuzzJSON: as FuzzCSV; and a line that is read is valid JSON for encoding/json too.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":1}`, "{\"a\":{\"b\":[1,2,{\"c\":null}]}}\n{\"a\":true}", `[{"a":1},{"a":"\u00e4"}]`, `{"a":1e999,"b":-0.5e+3}`, "{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\n1}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p jsonParser
		s := string(b)
		if err := p.object(s, func([]byte, Cell) error { return nil }); err == nil && !json.Valid(b) {
			t.Errorf("%q is no JSON, but was read", s)
		} else if err != nil && json.Valid(b) && bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) && !bytes.Contains(b, []byte(`\u`)) && bytes.Count(b, []byte("{"))+bytes.Count(b, []byte("[")) < jsonDepth && string(bytes.ToValidUTF8(b, nil)) == s {
			t.Errorf("%q is JSON, but: %v", s, err)
		}
		path := filepath.Join(t.TempDir(), "x.jsonl")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		rd, err := OpenReader(context.Background(), recipe.Data{Source: path}, ReaderOptions{})
		if err != nil {
			return
		}
		defer rd.Close()
		exercise(t, rd, len(b))
	})
}

func exercise(t *testing.T, rd Reader, size int) {
	cells := make([]Cell, len(rd.Header()))
	last := 0
	for n := 0; ; n++ {
		place, err := rd.Next(context.Background(), cells)
		var re *RecordError
		switch {
		case errors.Is(err, io.EOF):
			return
		case errors.As(err, &re):
			place = re.Place
		case err != nil:
			return
		}
		if place < last {
			t.Fatalf("place %d after %d", place, last)
		}
		last = place
		if n > 8*size+8 {
			t.Fatal("more records than bytes")
		}
	}
}

func BenchmarkReadCSV(b *testing.B) {
	var s strings.Builder
	s.WriteString("id,customer,bought_at,category,amount,quantity,price,age,city,gift\n")
	for i := range 100_000 {
		fmt.Fprintf(&s, "%d,c%d,2024-01-%02d 10:%02d:00,electronics,%d.%02d,%d,%d.99,%d,Springfield,no\n", i, i%5000, 1+i%28, i%60, i%900, i%100, 1+i%5, i%300, 18+i%60)
	}
	path := writeFile(b, "x.csv", s.String())
	for _, what := range []string{"read", "build"} {
		b.Run(what, func(b *testing.B) {
			b.SetBytes(int64(s.Len()))
			b.ReportAllocs()
			for b.Loop() {
				rd, err := OpenReader(context.Background(), recipe.Data{Source: path}, ReaderOptions{})
				if err != nil {
					b.Fatal(err)
				}
				if what == "build" {
					cols := []Column{
						{Name: "id", Kind: Integer}, {Name: "customer", Kind: Identifier}, {Name: "bought_at", Kind: Timestamp, Format: "2006-01-02 15:04:05"}, {Name: "category", Kind: Category}, {Name: "amount", Kind: Money},
						{Name: "quantity", Kind: Integer}, {Name: "price", Kind: Money}, {Name: "age", Kind: Integer}, {Name: "city", Kind: Category}, {Name: "gift", Kind: Category},
					}
					if _, _, err := Build(context.Background(), rd, cols, path, true, 0, nil); err != nil {
						b.Fatal(err)
					}
					rd.Close()
					continue
				}
				cells := make([]Cell, len(rd.Header()))
				for {
					if _, err := rd.Next(context.Background(), cells); err != nil {
						break
					}
				}
				rd.Close()
			}
		})
	}
}
