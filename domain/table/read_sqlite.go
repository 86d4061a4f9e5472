package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/selfsame-ml/selfsame/dataset"
)

// sqliteMagic begins every SQLite 3 file.
const sqliteMagic = "SQLite format 3\x00"

// sqliteReader reads the rows of a query from an SQLite file, which it opens read-only.
type sqliteReader struct {
	path   string
	query  string
	db     *sql.DB
	rows   *sql.Rows
	header []string
	values []any
	ptrs   []any
	place  int
}

// openSQLite opens a file that begins with sqliteMagic. Without a query a file with one table gives that table.
func openSQLite(ctx context.Context, path, query string) (*sqliteReader, error) {
	bad := func(hint, record string, err error) error {
		return &dataset.Error{Path: path, Record: record, Err: err, Hint: hint}
	}
	options := "mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(5000)"
	if walAtRest(path) {
		options = "immutable=1&" + options // else SQLite would put its index of the log beside the file
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, bad("", "", err)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath()+"?"+options)
	if err != nil {
		return nil, bad("", "", err)
	}
	db.SetMaxOpenConns(1)
	r := &sqliteReader{path: path, db: db}
	fail := func(hint, record string, err error) (*sqliteReader, error) {
		r.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, bad(hint, record, err)
	}
	query = strings.TrimRight(query, "; \t\r\n")
	tables, err := sqliteTables(ctx, db)
	if err != nil {
		return fail("", "", err)
	}
	if strings.TrimSpace(query) == "" {
		if len(tables) != 1 {
			hint := "it holds no table"
			if len(tables) > 0 {
				hint = "write query: select * from " + tables[0] + "; it holds " + nameList(tables)
			}
			return fail(hint, "", errors.New("data.query is empty"))
		}
		query = `select * from "` + strings.ReplaceAll(tables[0], `"`, `""`) + `"`
	}
	r.query = query
	if r.rows, err = db.QueryContext(ctx, query); err != nil {
		return fail("it holds "+nameList(tables), "query", err)
	}
	if r.header, err = r.rows.Columns(); err != nil {
		return fail("", "query", err)
	}
	if len(r.header) == 0 {
		return fail("", "query", errors.New("the query gives no column"))
	}
	if err := checkHeader(r.header); err != nil {
		return fail("name them apart in the query: select a.id as order_id, b.id as customer_id", "query", err)
	}
	r.values, r.ptrs = make([]any, len(r.header)), make([]any, len(r.header))
	for i := range r.values {
		r.ptrs[i] = &r.values[i]
	}
	return r, nil
}

// walAtRest reports a file that keeps a write-ahead log, which is empty now.
func walAtRest(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var h [20]byte
	if _, err := io.ReadFull(f, h[:]); err != nil || h[18] != 2 {
		return false
	}
	st, err := os.Stat(path + "-wal")
	return err != nil || st.Size() == 0
}

func sqliteTables(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' order by name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

func (r *sqliteReader) Header() []string { return r.header }

// Source names the file.
func (r *sqliteReader) Source() string { return r.path }

func (r *sqliteReader) Describe() string { return "SQLite, by query" }

// Next reads one row. Place counts the records from 1.
func (r *sqliteReader) Next(ctx context.Context, dst []Cell) (int, error) {
	if err := ctx.Err(); err != nil {
		return r.place, err
	}
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			if ctx.Err() != nil {
				return r.place, ctx.Err()
			}
			return r.place, &dataset.Error{Path: r.path, Record: fmt.Sprintf("record %d", r.place+1), Err: err}
		}
		return r.place, io.EOF
	}
	r.place++
	if err := r.rows.Scan(r.ptrs...); err != nil {
		return r.place, &RecordError{Source: r.path, Place: r.place, Err: err}
	}
	for i, v := range r.values {
		c := anyCell(v)
		if !c.IsNum && !utf8.ValidString(c.Text) {
			return r.place, &RecordError{Source: r.path, Place: r.place, Column: r.header[i], Value: fmt.Sprintf("%.20x", c.Text), Err: errors.New("is no UTF-8 text")}
		}
		dst[i] = c
	}
	return r.place, nil
}

// anyCell is the cell of a Go value of a driver.
func anyCell(v any) Cell {
	switch v := v.(type) {
	case nil:
		return Cell{Null: true}
	case bool:
		return Cell{Text: strconv.FormatBool(v)}
	case int64:
		c := Cell{Num: float64(v), IsNum: true}
		if math.Abs(c.Num) >= 1<<53 {
			c.Text = strconv.FormatInt(v, 10)
		}
		return c
	case float64:
		return Cell{Num: v, IsNum: true}
	case time.Time:
		return Cell{Num: seconds(v), IsNum: true, IsTime: true}
	case string:
		return Cell{Text: v}
	case []byte:
		return Cell{Text: string(v)}
	}
	return Cell{Text: fmt.Sprint(v)}
}

func (r *sqliteReader) Close() error {
	if r.rows != nil {
		r.rows.Close()
	}
	return r.db.Close()
}
