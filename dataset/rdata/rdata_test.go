package rdata

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// writer writes items as R's serialize does, after "R Internals" 1.8: an independent hand of the format.
type writer struct{ bytes.Buffer }

func (w *writer) int(v ...int) {
	for _, x := range v {
		_ = binary.Write(w, binary.BigEndian, int32(x))
	}
}
func (w *writer) char(s string) { w.int(0x00040009, len(s)); w.WriteString(s) }
func (w *writer) sym(s string)  { w.int(symSXP); w.char(s) }
func (w *writer) strs(s ...string) {
	w.int(strSXP, len(s))
	for _, x := range s {
		if x == "NA" {
			w.int(charSXP, -1)
			continue
		}
		w.char(x)
	}
}
func (w *writer) reals(v ...float64) {
	w.int(realSXP, len(v))
	_ = binary.Write(w, binary.BigEndian, v)
}
func (w *writer) header(version int) {
	w.WriteString("X\n")
	w.int(version, 0x040202, 0x020300)
	if version == 3 {
		w.int(5)
		w.WriteString("UTF-8")
	}
}

// attr writes the head of one attribute; its value follows.
func (w *writer) attr(name string) { w.int(listSXP | hasTag); w.sym(name) }

var naReal = math.Float64frombits(0x7ff00000000007a2)

// frameBytes is data.frame with one column of each kind.
func frameBytes(version int) []byte {
	w := &writer{}
	w.header(version)
	w.int(vecSXP|1<<8|hasAttr, 8)
	w.int(lglSXP, 3, 1, 0, naInt)
	w.int(intSXP, 3, 7, naInt, -2)
	w.reals(0.1, naReal, math.NaN())
	w.strs("a, b", "NA", `say "x"`)
	w.int(intSXP|1<<8|hasAttr, 3, 2, 1, naInt) // factor
	w.attr("levels")
	w.strs("low", "h\u00f6ch")
	w.attr("class")
	w.strs("ordered", "factor")
	w.int(nilValueSXP)
	w.int(realSXP|1<<8|hasAttr, 3) // Date
	_ = binary.Write(w, binary.BigEndian, []float64{0, 9862, -1})
	w.attr("class")
	w.strs("Date")
	w.int(nilValueSXP)
	w.int(altrepSXP) // 3:1, compact
	w.int(listSXP)
	w.sym("compact_intseq")
	w.int(listSXP)
	w.sym("base")
	w.int(listSXP, intSXP, 1, 13, nilValueSXP)
	w.reals(3, 3, -1)
	w.int(nilValueSXP)
	w.int(altrepSXP) // as.character(c(5L, 6L, NA)), deferred
	w.int(listSXP)
	w.sym("deferred_string")
	w.int(listSXP, 1<<8|refSXP) // any symbol: "levels", the first
	w.int(listSXP, intSXP, 1, 16, nilValueSXP)
	w.int(listSXP, intSXP, 3, 5, 6, naInt) // a dotted pair: (vector . scipen)
	w.int(intSXP, 1, 0)
	w.int(nilValueSXP)
	w.attr("names")
	w.strs("l", "i", "d", "s", "f", "day", "seq", "def")
	w.attr("class")
	w.strs("tbl_df", "data.frame")
	w.attr("row.names")
	w.int(intSXP, 2, naInt, -3)
	w.int(nilValueSXP)
	return w.Bytes()
}

const frameCSV = `l,i,d,s,f,day,seq,def
TRUE,7,0.1,"a, b",höch,1970-01-01,3,5
FALSE,,,,low,1997-01-01,2,6
,-2,NaN,"say ""x""",,1969-12-31,1,
`

func csvOf(t *testing.T, f *File, name string) string {
	t.Helper()
	fr, err := f.Frame(name)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := fr.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func saved(frame []byte, magic string) []byte {
	// save() writes a pairlist name -> value after its own magic.
	head := 14
	if frame[5] == 3 {
		head = 23
	}
	w := &writer{}
	w.WriteString(magic)
	w.Write(frame[:head])
	w.attr("orders")
	w.Write(frame[head:])
	w.int(nilValueSXP)
	return w.Bytes()
}

func pack(t *testing.T, b []byte, open func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := open(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var packers = map[string]func(io.Writer) (io.WriteCloser, error){
	"gzip": func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
	"zlib": func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil },
	"xz":   func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) },
}

func TestFrame(t *testing.T) {
	for _, version := range []int{2, 3} {
		b := frameBytes(version)
		f, err := Read(b)
		if err != nil {
			t.Fatal(version, err)
		}
		if d := cmp.Diff(frameCSV, csvOf(t, f, "")); d != "" {
			t.Errorf("version %d: %s", version, d)
		}
		fr, _ := f.Frame("")
		if c := fr.Column("f"); fr.Rows != 3 || !c.Ordered() || c.Kind != Factor || c.Kind.String() != "factor" || fr.Column("x") != nil {
			t.Errorf("%+v", fr)
		}
	}
	dir := t.TempDir()
	for name, p := range packers {
		path := filepath.Join(dir, name+".rda")
		if err := os.WriteFile(path, pack(t, saved(frameBytes(3), "RDX3\n"), p), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(name, err)
		}
		if d := cmp.Diff([]string{"orders"}, f.Names()); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(frameCSV, csvOf(t, f, "orders")); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestBzip2 reads what bzip2 wrote: printf 'X\n...' of one NULL, then bzip2 | base64.
func TestBzip2(t *testing.T) {
	b, err := base64.StdEncoding.DecodeString(bzipped)
	if err != nil {
		t.Fatal(err)
	}
	out, err := inflate(b, 1<<20)
	if err != nil || string(out[:2]) != "X\n" || len(out) != 18 {
		t.Errorf("%q %v", out, err)
	}
}

// lazy writes a lazy-load database of a frame and an integer.
func lazy(t *testing.T, kind int) (index, data []byte) {
	t.Helper()
	one := &writer{}
	one.header(3)
	one.int(intSXP, 1, 5)
	var places []int
	for i, obj := range [][]byte{frameBytes(3), one.Bytes()} {
		at := len(data)
		if kind > 0 {
			data = binary.BigEndian.AppendUint32(data, uint32(len(obj)))
		}
		switch {
		case kind == 0:
			data = append(data, obj...)
		case kind == 1:
			data = append(data, pack(t, obj, packers["zlib"])...)
		case kind == 3 && i == 0:
			data = append(append(data, 'Z'), pack(t, obj, func(w io.Writer) (io.WriteCloser, error) { return lzma.NewWriter2(w) })...)
		default:
			data = append(append(data, '0'), obj...)
		}
		places = append(places, at, len(data)-at)
	}
	w := &writer{}
	w.header(3)
	w.int(vecSXP|hasAttr, 3)
	w.int(vecSXP|hasAttr, 2)
	w.int(intSXP, 2, places[0], places[1])
	w.int(intSXP, 2, places[2], places[3])
	w.attr("names")
	w.strs("orders", "five")
	w.int(nilValueSXP)
	w.int(vecSXP, 0)
	w.int(intSXP, 1, kind)
	w.int(listSXP|hasTag, 1<<8|refSXP) // the symbol names again
	w.strs("variables", "references", "compressed")
	w.int(nilValueSXP)
	return pack(t, w.Bytes(), packers["zlib"]), data
}

func TestLazy(t *testing.T) {
	for kind := range 4 {
		x, d := lazy(t, kind)
		dir := t.TempDir()
		for name, b := range map[string][]byte{"Rdata.rdx": x, "Rdata.rdb": d} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f, err := Open(filepath.Join(dir, "Rdata.rdb"))
		if err != nil {
			t.Fatal(kind, err)
		}
		if d := cmp.Diff(frameCSV, csvOf(t, f, "orders")); d != "" {
			t.Errorf("kind %d: %s", kind, d)
		}
		_, err = f.Frame("five")
		if !errors.Is(err, ErrNotFrame) || !strings.Contains(err.Error(), `"five"`) {
			t.Errorf("%v", err)
		}
		if _, err = f.Frame("six"); err == nil || !strings.Contains(err.Error(), "orders, five") {
			t.Errorf("%v", err)
		}
		// A byte of the first object changed: an error that names it, or other cells; never a panic.
		if kind == 1 {
			d[20] ^= 0x55
			g, err := ReadLazy(x, d)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = g.Frame("orders"); err == nil || !strings.Contains(err.Error(), `object "orders"`) {
				t.Errorf("%v", err)
			}
		}
	}
	x, d := lazy(t, 1)
	if _, err := ReadLazy(x, d[:30]); err == nil || !strings.Contains(err.Error(), `object "orders": lies at bytes`) {
		t.Errorf("%v", err)
	}
}

func TestBad(t *testing.T) {
	full := frameBytes(3)
	for n := range full {
		if _, err := Read(full[:n]); err == nil {
			t.Fatalf("%d of %d bytes are read", n, len(full))
		}
	}
	stream := func(f func(w *writer)) []byte {
		w := &writer{}
		w.header(2)
		f(w)
		return w.Bytes()
	}
	for _, tt := range []struct {
		name, want string
		b          []byte
	}{
		{"empty", "no R data", nil},
		{"text", "no R data", []byte("a,b\n1,2\n")},
		{"ascii", "ASCII", []byte("A\n3\n")},
		{"saved ascii", "form RDA3", []byte("RDA3\nA\n")},
		{"version", "serialization version 9", stream(func(*writer) {})[:0]},
		{"long", "a vector of 2147483647 elements", stream(func(w *writer) { w.int(realSXP, math.MaxInt32) })},
		{"longer", "elements", stream(func(w *writer) { w.int(realSXP, -1, math.MaxInt32, 0) })},
		{"reference", "reference 3 of 0", stream(func(w *writer) { w.int(3<<8 | refSXP) })},
		{"type", "unknown type 99", stream(func(w *writer) { w.int(99) })},
		{"code", "compiled code", stream(func(w *writer) { w.int(bcodeSXP) })},
		{"deep", "nested more than 2000 deep", stream(func(w *writer) {
			for range 3000 {
				w.int(vecSXP, 1)
			}
		})},
		{"sequence", "compact_intseq: state", stream(func(w *writer) {
			w.int(altrepSXP, listSXP)
			w.sym("compact_intseq")
			w.int(nilValueSXP)
			w.reals(1e15, 0, 1)
			w.int(nilValueSXP)
		})},
		{"representation", `"mmap_real"`, stream(func(w *writer) {
			w.int(altrepSXP, listSXP)
			w.sym("mmap_real")
			w.int(nilValueSXP, nilValueSXP, nilValueSXP)
		})},
		{"gzip", "gzip", []byte{0x1f, 0x8b, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"bomb", "more than", pack(t, make([]byte, 3<<20), packers["gzip"])},
	} {
		b := tt.b
		if tt.name == "version" {
			b = full[:23:23]
			b = append([]byte{}, b...)
			b[5] = 9
		}
		_, err := read(b, 1<<20)
		var e *Error
		if err == nil || !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	// A factor whose code has no level.
	f, err := Read(bytes.Replace(full, []byte{0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1}, []byte{0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0, 1}, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Frame(""); err == nil || !strings.Contains(err.Error(), `column "f": row 1: code 9 of 2 levels`) {
		t.Errorf("%v", err)
	}
}

// FuzzRead: any bytes give a file or an error, within the memory that the limit allows.
func FuzzRead(f *testing.F) {
	f.Add(frameBytes(2))
	f.Add(frameBytes(3))
	f.Add(saved(frameBytes(3), "RDX3\n"))
	f.Add([]byte("X\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := read(b, 1<<20)
		if err != nil {
			return
		}
		for _, n := range r.Names() {
			fr, err := r.Frame(n)
			if err != nil {
				continue
			}
			if err := fr.WriteCSV(io.Discard); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzLazy: so do any index and data of a lazy-load database.
func FuzzLazy(f *testing.F) {
	f.Add(frameBytes(3), []byte{}, 1)
	f.Fuzz(func(t *testing.T, index, data []byte, kind int) {
		_, _ = block(data, kind&3, 1<<20)
		r, err := readLazy(index, data, 1<<20)
		if err != nil {
			return
		}
		for _, n := range r.Names() {
			_, _ = r.Frame(n)
		}
	})
}

const bzipped = "QlpoOTFBWSZTWRftUv8AAAjCANwQAEAAASAAMQwA09JkMglqAgy8/F3JFOFCQF+1S/w="
