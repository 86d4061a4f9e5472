// Package rdata reads the data files of R: .rda and .RData (gzip, bzip2, xz or plain), .rds, and
// the pair Rdata.rdb and Rdata.rdx in which packages keep their data.
//
// Most users need [Open], then [File.Frame] for a data frame by name:
//
//	f, err := rdata.Open("Rdata.rdx")
//	frame, err := f.Frame("wa_churn")
//	err = frame.WriteCSV(w)
//
// The format is the XDR form of R's serialize, versions 2 and 3 ("R Internals", section 1.8; layout
// of each item after R's src/main/serialize.c). Code, environments and S4 objects are passed over:
// only data frames can be had. Nothing of a file is ever executed.
package rdata

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// Error is a file that cannot be read; it names the object where one is at fault.
type Error struct {
	Path   string // file; may be ""
	Object string // name of the R object; "" where the file as a whole is meant
	Err    error
}

// Error returns "rdata: path: object: what is wrong".
func (e *Error) Error() string {
	s := "rdata: "
	if e.Path != "" {
		s += e.Path + ": "
	}
	if e.Object != "" {
		s += fmt.Sprintf("object %.60q: ", e.Object)
	}
	return s + e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// ErrNotFrame is wrapped where an object is no data frame.
var ErrNotFrame = errors.New("is no data frame")

// maxBytes bounds what a file or one of its objects decompresses to.
const maxBytes = 1 << 30

// File is an R data file whose objects can be had by name.
type File struct {
	path    string
	names   []string
	objects map[string]*node
	// of a lazy-load database: objects are decompressed when they are asked for
	db     []byte
	places map[string][2]int // offset, length
	kind   int               // 0 plain, 1 zlib, 2 bzip2 or zlib, 3 xz or the others
	max    int
}

// Open reads an R data file. Of a lazy-load database either file may be named; the other must lie
// beside it.
func Open(path string) (*File, error) {
	ext := strings.ToLower(filepath.Ext(path))
	switch ext {
	case ".rdx", ".rdb":
		base := strings.TrimSuffix(path, filepath.Ext(path))
		upper := filepath.Ext(path) == strings.ToUpper(filepath.Ext(path))
		index, data := base+".rdx", base+".rdb"
		if upper {
			index, data = base+".RDX", base+".RDB"
		}
		x, err := os.ReadFile(index)
		if err != nil {
			return nil, &Error{Path: path, Err: err}
		}
		b, err := os.ReadFile(data)
		if err != nil {
			return nil, &Error{Path: path, Err: err}
		}
		return named(ReadLazy(x, b))(path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{Path: path, Err: err}
	}
	return named(Read(b))(path)
}

func named(f *File, err error) func(path string) (*File, error) {
	return func(path string) (*File, error) {
		if err != nil {
			var e *Error
			if errors.As(err, &e) {
				e.Path = path
			}
			return nil, err
		}
		f.path = path
		return f, nil
	}
}

// Read reads the content of an .rda, .RData or .rds file. The object of an .rds file has the name "".
func Read(b []byte) (*File, error) { return read(b, maxBytes) }

func read(b []byte, limit int) (*File, error) {
	b, err := inflate(b, limit)
	if err != nil {
		return nil, &Error{Err: err}
	}
	f := &File{objects: map[string]*node{}, max: limit}
	saved := false
	for _, magic := range []string{"RDX2\n", "RDX3\n"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			b, saved = b[len(magic):], true
		}
	}
	if len(b) >= 5 && (string(b[:4]) == "RDA2" || string(b[:4]) == "RDA3" || string(b[:4]) == "RDB2" || string(b[:4]) == "RDB3") {
		return nil, &Error{Err: fmt.Errorf("the file is of the form %s; this reader knows the XDR form, which save() writes by default", b[:4])}
	}
	root, err := decode(b, limit)
	if err != nil {
		return nil, &Error{Err: err}
	}
	if !saved {
		f.add("", root)
		return f, nil
	}
	for _, p := range root.pairs {
		f.add(p.tag, p.value)
	}
	return f, nil
}

func (f *File) add(name string, n *node) {
	if _, ok := f.objects[name]; !ok {
		f.names = append(f.names, name)
	}
	f.objects[name] = n
}

// ReadLazy reads the content of the index (.rdx) and data (.rdb) of a lazy-load database.
func ReadLazy(index, data []byte) (*File, error) { return readLazy(index, data, maxBytes) }

func readLazy(index, data []byte, limit int) (*File, error) {
	b, err := inflate(index, limit)
	if err != nil {
		return nil, &Error{Err: fmt.Errorf("index: %w", err)}
	}
	root, err := decode(b, limit)
	if err != nil {
		return nil, &Error{Err: fmt.Errorf("index: %w", err)}
	}
	f := &File{db: data, places: map[string][2]int{}, max: limit, kind: -1}
	if c := root.item("compressed"); c != nil {
		switch {
		case len(c.ints) == 1:
			f.kind = int(c.ints[0])
		case len(c.reals) == 1:
			f.kind = int(c.reals[0])
		}
	}
	if f.kind < 0 || f.kind > 3 {
		return nil, &Error{Err: errors.New("index: it does not say how the objects are compressed (0 to 3)")}
	}
	vars := root.item("variables")
	if vars == nil {
		return nil, &Error{Err: errors.New("index: no list of variables")}
	}
	names := vars.attr("names")
	for i, v := range vars.list {
		if names == nil || i >= len(names.strs) || len(v.ints) != 2 {
			return nil, &Error{Err: fmt.Errorf("index: entry %d has no name or no place", i+1)}
		}
		off, n := int(v.ints[0]), int(v.ints[1])
		if off < 0 || n < 0 || off > len(data) || n > len(data)-off {
			return nil, &Error{Object: names.strs[i], Err: fmt.Errorf("lies at bytes %d to %d, but the data file has %d", off, off+n, len(data))}
		}
		if _, ok := f.places[names.strs[i]]; !ok {
			f.names = append(f.names, names.strs[i])
		}
		f.places[names.strs[i]] = [2]int{off, n}
	}
	return f, nil
}

// Names lists the objects in the order of the file.
func (f *File) Names() []string { return slices.Clone(f.names) }

func (f *File) object(name string) (*node, error) {
	if n, ok := f.objects[name]; ok {
		return n, nil
	}
	p, ok := f.places[name]
	if !ok {
		known := f.Names()
		if len(known) > 20 {
			known = append(known[:20], "...")
		}
		return nil, &Error{Path: f.path, Object: name, Err: fmt.Errorf("no such object; the file has %s", strings.Join(known, ", "))}
	}
	b, err := block(f.db[p[0]:p[0]+p[1]], f.kind, f.max)
	if err != nil {
		return nil, &Error{Path: f.path, Object: name, Err: err}
	}
	n, err := decode(b, f.max)
	if err != nil {
		return nil, &Error{Path: f.path, Object: name, Err: err}
	}
	return n, nil
}

// inflate undoes the compression that the first bytes tell; what is not compressed stays.
func inflate(b []byte, limit int) ([]byte, error) {
	var r io.Reader
	var err error
	in := bytes.NewReader(b)
	var what string
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		what = "gzip"
		r, err = gzip.NewReader(in)
	case bytes.HasPrefix(b, []byte("BZh")):
		what, r = "bzip2", bzip2.NewReader(in)
	case bytes.HasPrefix(b, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		what = "xz"
		r, err = xz.NewReader(in)
	case bytes.HasPrefix(b, []byte{0x5d, 0, 0}):
		what = "lzma"
		r, err = lzma.NewReader(in)
	case len(b) > 1 && b[0] == 0x78 && (int(b[0])<<8+int(b[1]))%31 == 0:
		what = "zlib"
		r, err = zlib.NewReader(in)
	default:
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return all(r, what, limit)
}

func all(r io.Reader, what string, limit int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if len(b) > limit {
		return nil, fmt.Errorf("%s: more than %d bytes when decompressed", what, limit)
	}
	return b, nil
}

// block decompresses an object of a lazy-load database: 4 bytes of length, then, by the kind of the
// database, zlib, or one letter and zlib ('1'?), bzip2 ('2'), LZMA2 without a container ('Z') or plain
// bytes ('0'). R_compress1 to R_compress3 of R's src/main/connections.c write it.
func block(b []byte, kind, limit int) ([]byte, error) {
	if kind == 0 {
		return b, nil
	}
	if len(b) < 5 {
		return nil, fmt.Errorf("a block of %d bytes has no header", len(b))
	}
	size := int(binary.BigEndian.Uint32(b))
	if size > limit {
		return nil, fmt.Errorf("%d bytes when decompressed, the limit is %d", size, limit)
	}
	b = b[4:]
	letter := byte('1')
	if kind > 1 {
		letter, b = b[0], b[1:]
	}
	var r io.Reader
	var err error
	switch letter {
	case '1':
		r, err = zlib.NewReader(bytes.NewReader(b))
	case '2':
		r = bzip2.NewReader(bytes.NewReader(b))
	case 'Z':
		// R compresses with preset 6, whose dictionary is 8 MiB.
		r, err = lzma.Reader2Config{DictCap: 8 << 20}.NewReader2(bytes.NewReader(b))
	case '0':
		r = bytes.NewReader(b)
	default:
		return nil, fmt.Errorf("unknown compression %q", letter)
	}
	if err != nil {
		return nil, fmt.Errorf("block: %w", err)
	}
	out, err := all(r, "block", size)
	if err != nil {
		return nil, err
	}
	if len(out) != size {
		return nil, fmt.Errorf("a block holds %d bytes, its header says %d", len(out), size)
	}
	return out, nil
}
