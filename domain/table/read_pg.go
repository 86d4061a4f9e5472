package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/internal/dsn"
)

const (
	cursorName = "selfsame_rows"
	fetchRows  = 10_000
	pgTimeout  = 30 * time.Second // of connecting, where nothing else is said
)

// errSecret refuses a password in a recipe, which is written to run directories.
func errSecret(source string) error {
	return &dataset.Error{
		Path: dsn.Public(source), Err: errors.New("data.source holds a password, which would be written to the run directory"),
		Hint: "remove it; give it as PGPASSWORD, in ~/.pgpass, or in a service file (service=NAME)",
	}
}

// pgReader reads the rows of a query from a PostgreSQL server, 10,000 at a time from a cursor, in a read-only transaction.
type pgReader struct {
	source  string // without secrets
	conn    *pgconn.PgConn
	result  *pgconn.ResultReader
	fields  []pgconn.FieldDescription
	header  []string
	version string
	place   int
	inBatch int
	done    bool
}

// openPostgres connects and opens the cursor.
func openPostgres(ctx context.Context, source, query string) (*pgReader, error) {
	if dsn.HasSecret(source) {
		return nil, errSecret(source)
	}
	r := &pgReader{source: dsn.Public(source)}
	query = strings.TrimRight(query, "; \t\r\n")
	if strings.TrimSpace(query) == "" {
		return nil, &dataset.Error{Path: r.source, Err: errors.New("data.query is empty"), Hint: "write query: select ... from ..."}
	}
	cfg, err := pgconn.ParseConfig(source)
	if err != nil {
		return nil, &dataset.Error{Path: r.source, Err: plainPgError(err), Hint: "postgres://HOST/DATABASE, or service=NAME of the service file"}
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = pgTimeout
	}
	if r.conn, err = pgconn.ConnectConfig(ctx, cfg); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		hint := "is the server running, and are host, port, user and database right?"
		var pe *pgconn.PgError
		if errors.As(err, &pe) && strings.HasPrefix(pe.Code, "28") {
			hint = "the password comes from PGPASSWORD, ~/.pgpass or the service file"
		}
		return nil, &dataset.Error{Path: r.source, Err: fmt.Errorf("cannot connect: %w", plainPgError(err)), Hint: hint}
	}
	if err := r.begin(ctx, query); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// plainPgError keeps the words of the server or the network and drops the list of connection settings around them.
func plainPgError(err error) error {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s (SQLSTATE %s)", pe.Message, pe.Code)
	}
	var ce *pgconn.ConnectError
	if errors.As(err, &ce) {
		if inner := ce.Unwrap(); inner != nil {
			return errors.New(dsn.Blank(inner.Error()))
		}
	}
	return errors.New(dsn.Blank(err.Error()))
}

func (r *pgReader) begin(ctx context.Context, query string) error {
	// Text in one known form, and tables read from their start, whatever the server's defaults are.
	for _, s := range []string{"begin isolation level repeatable read read only", "set local datestyle to 'ISO, YMD'", "set local time zone 0", "set local client_encoding to 'UTF8'", "set local synchronize_seqscans to off"} {
		if err := r.exec(ctx, s); err != nil {
			return &dataset.Error{Path: r.source, Err: plainPgError(err)}
		}
	}
	r.version = r.conn.ParameterStatus("server_version")
	declare := "declare " + cursorName + " no scroll cursor without hold for "
	if err := r.exec(ctx, declare+query); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return r.queryError(err, query, len(declare))
	}
	if err := r.fetch(ctx); err != nil {
		return err
	}
	for _, f := range r.fields {
		r.header = append(r.header, f.Name)
	}
	if len(r.header) == 0 {
		return &dataset.Error{Path: r.source, Err: errors.New("the query gives no column")}
	}
	if err := checkHeader(r.header); err != nil {
		return &dataset.Error{Path: r.source, Err: err, Hint: "name them apart in the query: select a.id as order_id, b.id as customer_id"}
	}
	return nil
}

// exec runs one statement: in the extended protocol the server refuses several.
func (r *pgReader) exec(ctx context.Context, sql string) error {
	res := r.conn.ExecParams(ctx, sql, nil, nil, nil, nil).Read()
	return res.Err
}

// queryError says where in the query the server stopped.
func (r *pgReader) queryError(err error, query string, before int) error {
	out := &dataset.Error{Path: r.source, Record: "query", Err: plainPgError(err)}
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return out
	}
	out.Hint = strings.TrimSpace(pe.Hint)
	at := int(pe.Position) - before // characters, from 1
	if pe.Position == 0 || at < 1 {
		return out
	}
	head := []rune(query)
	head = head[:min(at-1, len(head))]
	line, column := 1, 1
	for _, c := range head {
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}
	out.Record = fmt.Sprintf("query:%d:%d", line, column)
	return out
}

func (r *pgReader) fetch(ctx context.Context) error {
	r.result = r.conn.ExecParams(ctx, fmt.Sprintf("fetch %d from %s", fetchRows, cursorName), nil, nil, nil, nil)
	r.inBatch = 0
	if r.fields == nil {
		r.fields = slices.Clone(r.result.FieldDescriptions())
		if r.fields == nil {
			// The description comes with the first row or the end of the result; an error waits there too.
			if _, err := r.result.Close(); err != nil {
				return r.lost(ctx, err)
			}
			r.done = true
		}
	}
	return nil
}

func (r *pgReader) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var pe *pgconn.PgError
	switch {
	case errors.As(err, &pe) && pe.Code == "57P01":
		return &dataset.Error{Path: r.source, Record: fmt.Sprintf("record %d", r.place+1), Err: fmt.Errorf("the server ended the connection after %d records: %w", r.place, plainPgError(err)), Hint: "nothing of it was used; run the command again"}
	case errors.As(err, &pe):
		return &dataset.Error{Path: r.source, Record: fmt.Sprintf("record %d", r.place+1), Err: plainPgError(err), Hint: strings.TrimSpace(pe.Hint)}
	}
	return &dataset.Error{Path: r.source, Record: fmt.Sprintf("record %d", r.place+1), Err: fmt.Errorf("the connection was lost after %d records: %w", r.place, plainPgError(err)), Hint: "nothing of it was used; run the command again"}
}

func (r *pgReader) Header() []string { return r.header }

// Source names the database.
func (r *pgReader) Source() string { return r.source }

func (r *pgReader) Describe() string {
	v, _, _ := strings.Cut(r.version, " ")
	return "PostgreSQL " + v + ", by query"
}

// Next reads one row. Place counts the records from 1.
func (r *pgReader) Next(ctx context.Context, dst []Cell) (int, error) {
	for {
		if r.done {
			return r.place, io.EOF
		}
		if err := ctx.Err(); err != nil {
			return r.place, err
		}
		if r.result.NextRow() {
			r.place++
			r.inBatch++
			return r.place, r.cells(r.result.Values(), dst)
		}
		if _, err := r.result.Close(); err != nil {
			r.done = true
			return r.place, r.lost(ctx, err)
		}
		if r.inBatch < fetchRows {
			r.done = true
			continue
		}
		if err := r.fetch(ctx); err != nil {
			r.done = true
			return r.place, err
		}
	}
}

// cells copies a row: its texts live in one string.
func (r *pgReader) cells(values [][]byte, dst []Cell) error {
	if len(values) != len(dst) {
		return &RecordError{Source: r.source, Place: r.place, Err: fmt.Errorf("%d fields, the query has %d columns", len(values), len(dst))}
	}
	n := 0
	for _, v := range values {
		n += len(v)
	}
	var b strings.Builder
	b.Grow(n)
	for _, v := range values {
		b.Write(v)
	}
	all := b.String()
	for i, v := range values {
		if v == nil {
			dst[i] = Cell{Null: true}
			continue
		}
		dst[i] = pgCell(all[:len(v)], r.fields[i].DataTypeOID)
		all = all[len(v):]
		if !dst[i].IsNum && !utf8.ValidString(dst[i].Text) {
			return &RecordError{Source: r.source, Place: r.place, Column: r.header[i], Value: dst[i].Text, Err: errors.New("is no UTF-8 text")}
		}
	}
	return nil
}

// pgCell reads the text form of a value.
func pgCell(s string, oid uint32) Cell {
	switch oid {
	case pgtype.BoolOID:
		if s == "t" {
			return Cell{Text: "true"}
		}
		return Cell{Text: "false"}
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID, pgtype.OIDOID:
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			c := Cell{Num: v, IsNum: true}
			if math.Abs(v) >= 1<<53 || oid == pgtype.NumericOID {
				c.Text = s // as a level it keeps all digits
			}
			return c
		}
	case pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
		if v, err := parsePgTime(s); err == nil {
			return Cell{Num: v, IsNum: true, IsTime: true}
		}
	case pgtype.BPCharOID:
		return Cell{Text: strings.TrimRight(s, " ")}
	}
	return Cell{Text: s}
}

func parsePgTime(s string) (float64, error) {
	for _, l := range []string{"2006-01-02", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(l, s); err == nil {
			return seconds(t), nil
		}
	}
	return 0, errors.New("no time") // infinity, years before Christ
}

// Close ends the connection; the transaction changed nothing.
func (r *pgReader) Close() error {
	r.done = true
	if r.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := r.conn.Close(ctx)
	r.conn = nil
	_ = err // a connection that is gone already is closed
	return nil
}
