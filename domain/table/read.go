package table

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/internal/dsn"
	"github.com/selfsame-ml/selfsame/recipe"
)

// ReaderOptions is what OpenReader needs beside the data section of a recipe.
type ReaderOptions struct {
	CacheDir string                           // of named data sets; "" = the default
	Known    []string                         // names of columns that a header surely holds, if there is one
	Warn     func(format string, args ...any) // may be nil
}

// OpenReader opens the source of a data section by its content and name: CSV (dialect and encoding found), JSON lines,
// Parquet, ARFF; gzip and zstd around text; "-" is the standard input. SQLite files and PostgreSQL (postgres://HOST/DATABASE,
// service=NAME) are read by data.query, and a table of the catalogue by its name. A password inside the source is refused: it
// comes from PGPASSWORD, the password file or the service file.
//
// Errors of the data are *dataset.Error values.
func OpenReader(ctx context.Context, d recipe.Data, opt ReaderOptions) (Reader, error) {
	if d.Source == "" {
		return nil, &dataset.Error{Err: errors.New("data.source is empty"), Hint: "name a file (CSV, JSON lines, Parquet, ARFF, SQLite), a database, or a data set of the catalogue"}
	}
	if dsn.HasSecret(d.Source) {
		return nil, errSecret(d.Source)
	}
	if dsn.IsPostgres(d.Source) {
		return openPostgres(ctx, d.Source, d.Query)
	}
	if e, ok := dataset.Lookup(d.Source); ok {
		if e.Domain != recipe.DomainTable {
			return nil, dataset.Bad(e.Name, "", "a data set of domain %s, not a table", e.Domain)
		}
		cache := opt.CacheDir
		if cache == "" {
			var err error
			if cache, err = dataset.DefaultCacheDir(); err != nil {
				return nil, err
			}
		}
		path, err := dataset.Table(ctx, e.Name, cache, nil)
		if err != nil {
			return nil, err
		}
		return openFileReader(ctx, d, path, opt)
	}
	return openFileReader(ctx, d, d.Source, opt)
}

// PublicSource is the source as messages may name it: nothing of it is secret.
func PublicSource(d recipe.Data) string { return dsn.Public(d.Source) }

func openFileReader(ctx context.Context, d recipe.Data, path string, opt ReaderOptions) (Reader, error) {
	delimiter, err := parseDelimiter(d.Delimiter)
	if err != nil {
		return nil, err
	}
	if path != Stdin {
		switch magic := fileMagic(path); {
		case strings.HasPrefix(magic, sqliteMagic):
			return openSQLite(ctx, path, d.Query)
		case strings.HasPrefix(magic, parquetMagic):
			return openParquet(path)
		case d.Query != "":
			return nil, &dataset.Error{Path: path, Err: errors.New("data.query is for databases, and this file is none"), Hint: "postgres://HOST/DATABASE, service=NAME, or an SQLite file"}
		}
	}
	in, err := openText(ctx, path, d.Encoding)
	if err != nil {
		return nil, err
	}
	var rd Reader
	switch {
	case looksJSON(in.head, path):
		rd, err = newJSON(in, path, opt.Known)
	case isARFF(in.head):
		rd, err = newARFF(in, path)
	default:
		rd, err = newCSV(in, path, delimiter, opt.Known)
	}
	if err != nil {
		in.Close()
		return nil, err
	}
	return rd, nil
}

// IsSource reports that a name is surely a table: a database, a table of the catalogue, or a file whose ending or first
// bytes say so.
func IsSource(name string) bool {
	if dsn.IsPostgres(name) {
		return true
	}
	if e, ok := dataset.Lookup(name); ok {
		return e.Domain == recipe.DomainTable
	}
	low := strings.ToLower(name)
	for _, z := range []string{".gz", ".zst"} {
		low = strings.TrimSuffix(low, z)
	}
	for _, e := range []string{".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".arff", ".sqlite", ".sqlite3", ".db"} {
		if strings.HasSuffix(low, e) {
			return true
		}
	}
	magic := fileMagic(name)
	return strings.HasPrefix(magic, sqliteMagic) || strings.HasPrefix(magic, parquetMagic)
}

// looksJSON judges by the ending, else by the first character: a CSV file seldom begins with a brace.
func looksJSON(head []byte, path string) bool {
	name := strings.ToLower(path)
	for _, z := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, z)
	}
	for _, e := range []string{".jsonl", ".ndjson", ".json"} {
		if strings.HasSuffix(name, e) {
			return true
		}
	}
	b := bytes.TrimLeft(head, " \t\r\n")
	return len(b) > 1 && b[0] == '{' && bytes.HasPrefix(bytes.TrimLeft(b[1:], " \t\r\n"), []byte{'"'}) || bytes.HasPrefix(b, []byte("[{"))
}

// fileMagic is the first 16 bytes of a file, or less.
func fileMagic(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "" // said where the file is read
	}
	defer f.Close()
	b := make([]byte, 16)
	n, _ := io.ReadFull(f, b)
	return string(b[:n])
}
