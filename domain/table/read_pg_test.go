package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/pgtest"
	"github.com/selfsame-ml/selfsame/recipe"
)

// saysNothing fails where a text holds the password of the test server.
func saysNothing(t *testing.T, where string, err error) {
	t.Helper()
	var bad *dataset.Error
	if errors.As(err, &bad) && strings.Contains(bad.Hint+bad.Path+bad.Record, pgtest.Password) || err != nil && strings.Contains(err.Error(), pgtest.Password) {
		t.Errorf("%s: the error tells the password: %v", where, err)
	}
}

func TestPostgres(t *testing.T) {
	t.Setenv("PGPASSWORD", "")
	s := pgtest.Start(t)
	s.Exec(t,
		`create type mood as enum ('sad', 'happy')`,
		`create table kinds (b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric(20,4), t text, v varchar(9), c char(5), d date, ts timestamp, tz timestamptz, u uuid, j jsonb, a int[], m mood, iv interval, bin bytea)`,
		`insert into kinds values (true, -1, 2, 9007199254740993, 0.1, 1e-300, 12345.6789, 'äö', 'x', 'ab', '2024-02-29', '2024-02-29 10:30:00.5', '2024-02-29 10:30:00+02', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"k": 1}', '{1,2}', 'happy', '1 day', '\xff00'),
			(false, null, null, null, 'NaN', 'Infinity', 'NaN', '', null, null, null, 'infinity', null, null, null, null, null, null, null)`,
		`create table numbers as select i, i % 7 as k, 'row ' || i as note, md5(i::text) || md5((i+1)::text) as filler from generate_series(1, 200000) i`,
		`create table orders as select i as order_id, i % 50 as customer_id, timestamp '2024-01-01' + i * interval '1 hour' as bought_at, (array['toys','books','music'])[1 + i % 3] as category, (i % 900 / 100.0)::numeric(9,2) as amount, i % 2 = 0 as churn from generate_series(1, 600) i`,
		`create function slow(i int) returns int language plpgsql as $$ begin if i > 15000 then raise exception 'too much of %', i using hint = 'ask for less'; end if; return i; end $$`,
		`grant select on all tables in schema public to guarded`,
	)
	ctx := context.Background()
	open := func(source, query string) (Reader, error) {
		return OpenReader(ctx, recipe.Data{Source: source, Query: query}, ReaderOptions{})
	}
	t.Run("types", func(t *testing.T) {
		rd, err := open(s.URL(), "select * from kinds;\n")
		if err != nil {
			t.Fatal(err)
		}
		defer rd.Close()
		got, err := readAll(rd)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			`1|true|-1|2|9007199254740993|0.1|0.` + strings.Repeat("0", 299) + `1|12345.6789|äö|x|ab|@2024-02-29|@2024-02-29T10:30:00.5Z|@2024-02-29T08:30:00Z|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|{"k": 1}|{1,2}|happy|1 day|\xff00`,
			`2|false|NULL|NULL|NULL|NaN|Infinity|NaN||NULL|NULL|NULL|infinity|NULL|NULL|NULL|NULL|NULL|NULL|NULL`,
		}
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Errorf("record\n%s\nwant\n%s", got[min(i, len(got)-1)], want[i])
			}
		}
		if d := rd.Describe(); !strings.HasPrefix(d, "PostgreSQL 1") {
			t.Errorf("described as %s", d)
		}
	})
	t.Run("rows by cursor", func(t *testing.T) {
		rd, err := open(s.URL(), "select * from numbers order by i")
		if err != nil {
			t.Fatal(err)
		}
		defer rd.Close()
		cells := make([]Cell, 4)
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		var before, most uint64
		sum, n := 0.0, 0
		for {
			place, err := rd.Next(ctx, cells)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if n++; place != n || cells[2].Text != fmt.Sprintf("row %d", n) {
				t.Fatalf("record %d is %+v", place, cells)
			}
			sum += cells[0].Num
			switch {
			case n == 1000:
				before = heap()
			case n%50_000 == 0:
				most = max(most, heap())
			}
		}
		if n != 200_000 || sum != 200_000*200_001/2 {
			t.Errorf("%d records, sum %g", n, sum)
		}
		if most > before+4<<20 { // the rows are 17 MB
			t.Errorf("memory grew from %d to %d bytes", before, most)
		}
	})
	t.Run("samples", func(t *testing.T) {
		r := tableRecipe(s.URL())
		r.Data.Query, r.Data.Target, r.Data.Time = "select * from orders order by order_id", "churn", "bought_at"
		got := mustOpen(t, r)
		if got.Len(domain.Train)+got.Len(domain.Val)+got.Len(domain.Test) != 600 || len(got.Classes()) != 2 {
			t.Errorf("%d, %d and %d rows, classes %v", got.Len(domain.Train), got.Len(domain.Val), got.Len(domain.Test), got.Classes())
		}
	})
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		rd, err := OpenReader(ctx, recipe.Data{Source: s.URL(), Query: "select i from numbers a, generate_series(1, 1000) b"}, ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer rd.Close()
		cells := make([]Cell, 1)
		for range 5 {
			if _, err := rd.Next(ctx, cells); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		if _, err := rd.Next(ctx, cells); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		ctx, cancel = context.WithCancel(context.Background())
		cancel()
		if _, err := OpenReader(ctx, recipe.Data{Source: s.URL(), Query: "select 1"}, ReaderOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before: %v", err)
		}
	})
	t.Run("query errors", func(t *testing.T) {
		for query, want := range map[string]string{
			"select i,\n  nothing from numbers": "query:2:3: column \"nothing\" does not exist",
			"select 'ä', nothing from numbers":  "query:1:13: column",
			"delete from numbers":               "syntax error",
			"select 1; drop table numbers":      "cannot insert multiple commands",
			"select i, i from numbers":          "both named",
			"":                                  "data.query is empty",
			"select slow(i) from generate_series(1, 200000) i":            "record 10001: too much of 15001",
			"with x as (delete from numbers returning *) select * from x": "",
		} {
			rd, err := open(s.URL(), query)
			if err == nil {
				_, err = readAll(rd)
				rd.Close()
			}
			var bad *dataset.Error
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", query, err, want)
			}
		}
		rd, err := open(s.URL(), "select count(*) from numbers") // nothing was deleted
		if err != nil {
			t.Fatal(err)
		}
		defer rd.Close()
		if got, err := readAll(rd); err != nil || got[0] != "1|200000" {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("credentials", func(t *testing.T) {
		source := s.As("guarded")
		_, err := open(source, "select 1 as one")
		var bad *dataset.Error
		if !errors.As(err, &bad) || !strings.Contains(bad.Hint, "PGPASSWORD") {
			t.Errorf("without a password: %v", err)
		}
		t.Setenv("PGPASSWORD", "wrong-"+pgtest.Password)
		_, err = open(source, "select 1 as one")
		if err == nil || !strings.Contains(err.Error(), "password authentication failed") {
			t.Errorf("wrong password: %v", err)
		}
		saysNothing(t, "wrong password", err)
		t.Setenv("PGPASSWORD", pgtest.Password)
		check := func(how, source string) {
			t.Helper()
			rd, err := open(source, "select 1 as one")
			if err != nil {
				t.Fatalf("%s: %v", how, err)
			}
			defer rd.Close()
			if got, err := readAll(rd); err != nil || got[0] != "1|1" {
				t.Errorf("%s: %v, %v", how, got, err)
			}
			if strings.Contains(rd.Describe()+sourceOf(rd)+PublicSource(recipe.Data{Source: source}), pgtest.Password) {
				t.Errorf("%s: the password is told", how)
			}
		}
		check("PGPASSWORD", source)
		_, err = open(source, "select nothing")
		saysNothing(t, "a wrong query", err)
		t.Setenv("PGPASSWORD", "")
		home := t.TempDir()
		pass, service := filepath.Join(home, ".pgpass"), filepath.Join(home, "services")
		for p, text := range map[string]string{
			pass:    "*:*:shop:guarded:" + pgtest.Password + "\n",
			service: "[shop]\nhost=" + s.Dir() + "\ndbname=shop\nuser=guarded\npassword=" + pgtest.Password + "\n",
		} {
			if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PGSERVICEFILE", service)
		check("service file", "service=shop")
		t.Setenv("PGPASSFILE", pass)
		check("password file", source)
		_, err = open("postgres://guarded:"+pgtest.Password+"@/shop?host="+s.Dir(), "select 1")
		if err == nil || !strings.Contains(err.Error(), "holds a password") {
			t.Errorf("password in the source: %v", err)
		}
		saysNothing(t, "password in the source", err)
		_, err = open("service=absent", "select 1")
		if err == nil || !strings.Contains(err.Error(), "absent") {
			t.Errorf("absent service: %v", err)
		}
	})
	t.Run("server gone", func(t *testing.T) { // the last: it ends the server
		rd, err := open(s.URL(), "select * from numbers order by i")
		if err != nil {
			t.Fatal(err)
		}
		defer rd.Close()
		cells := make([]Cell, 4)
		for range 5000 {
			if _, err := rd.Next(ctx, cells); err != nil {
				t.Fatal(err)
			}
		}
		s.Crash()
		n := 5000
		for err == nil {
			if _, err = rd.Next(ctx, cells); err == nil {
				n++
			}
		}
		var bad *dataset.Error
		if errors.Is(err, io.EOF) || !errors.As(err, &bad) || bad.Record != fmt.Sprintf("record %d", n+1) || !strings.Contains(err.Error(), fmt.Sprintf("after %d records", n)) {
			t.Errorf("after %d records: %v", n, err)
		}
		if _, err := rd.Next(ctx, cells); err == nil {
			t.Error("a record behind the end")
		}
		if _, err := open(s.URL(), "select 1"); !errors.As(err, &bad) || !strings.Contains(err.Error(), "cannot connect") {
			t.Errorf("without a server: %v", err)
		}
		if log := s.Log(); strings.Contains(log, "password="+pgtest.Password) {
			t.Error("the server's log holds the password")
		}
	})
}
