package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func idx(kind byte, dims []int, data []byte) []byte {
	b := []byte{0, 0, kind, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, data...)
}

func npy(version byte, dict string, data []byte) []byte {
	b := []byte("\x93NUMPY" + string([]byte{version, 0}))
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(dict)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(dict)))
	}
	return append(append(b, dict...), data...)
}

func dict(descr, order, shape string) string {
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }    \n", descr, order, shape)
}

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// values reads the whole array, step rows at a time.
func values(a *Array, step int) ([]float64, error) {
	var out []float64
	var buf []byte
	for {
		b, err := a.Next(step, buf)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		buf = b
		for i := range len(b) / a.Elem.Size() {
			out = append(out, a.Elem.At(b, i))
		}
	}
}

func parse(b []byte) (*Array, error) {
	return newArray("file", bytes.NewReader(b), int64(len(b)))
}

func TestArrayRead(t *testing.T) {
	be32 := func(v ...int32) []byte {
		b, err := binary.Append(nil, binary.BigEndian, v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		b    []byte
		elem Elem
		dims []int
		want []float64
	}{
		"idx u1":                             {idx(8, []int{2, 3}, []byte{0, 1, 2, 3, 4, 255}), U1, []int{2, 3}, []float64{0, 1, 2, 3, 4, 255}},
		"idx i1":                             {idx(9, []int{2}, []byte{0x7f, 0x80}), I1, []int{2}, []float64{127, -128}},
		"idx i2":                             {idx(0x0b, []int{2}, []byte{0x01, 0x02, 0xff, 0xfe}), I2, []int{2}, []float64{258, -2}},
		"idx i4":                             {idx(0x0c, []int{1, 2}, be32(70000, -70000)), I4, []int{1, 2}, []float64{70000, -70000}},
		"idx f4":                             {idx(0x0d, []int{1}, []byte{0x3f, 0xc0, 0, 0}), F4, []int{1}, []float64{1.5}},
		"idx f8":                             {idx(0x0e, []int{1}, []byte{0xbf, 0xf8, 0, 0, 0, 0, 0, 0}), F8, []int{1}, []float64{-1.5}},
		"idx gz":                             {gz(t, idx(8, []int{3}, []byte{7, 8, 9})), U1, []int{3}, []float64{7, 8, 9}},
		"idx no rows":                        {idx(8, []int{0, 5}, nil), U1, []int{0, 5}, nil},
		"npy v1":                             {npy(1, dict("<u2", "False", "(2,)"), []byte{1, 0, 0, 1}), U2, []int{2}, []float64{1, 256}},
		"npy v2":                             {npy(2, dict(">u2", "False", "(2,)"), []byte{0, 1, 1, 0}), U2, []int{2}, []float64{1, 256}},
		"npy v3 gz":                          {gz(t, npy(3, dict("|u1", "False", "(1, 2)"), []byte{5, 6})), U1, []int{1, 2}, []float64{5, 6}},
		"npy f8":                             {npy(1, dict("<f8", "False", "(1,)"), []byte{0, 0, 0, 0, 0, 0, 0xf8, 0xbf}), F8, []int{1}, []float64{-1.5}},
		"npy i8":                             {npy(1, dict("<i8", "False", "(1,)"), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), I8, []int{1}, []float64{-1}},
		"npy columns":                        {npy(1, dict("|u1", "True", "(2, 3)"), []byte{1, 4, 2, 5, 3, 6}), U1, []int{2, 3}, []float64{1, 2, 3, 4, 5, 6}},
		"npy columns 1":                      {npy(1, dict("|u1", "True", "(3,)"), []byte{1, 2, 3}), U1, []int{3}, []float64{1, 2, 3}},
		"npy other key order, double quotes": {npy(1, `{"shape": (1L,), "fortran_order": False, "descr": "|i1"}`, []byte{0xfe}), I1, []int{1}, []float64{-2}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, step := range []int{1, 2, 100} {
				a, err := parse(c.b)
				if err != nil {
					t.Fatal(err)
				}
				got, err := values(a, step)
				if err != nil {
					t.Fatal(err)
				}
				if a.Elem != c.elem || !slices.Equal(a.Dims, c.dims) || !slices.Equal(got, c.want) {
					t.Errorf("step %d: %s %v %v, want %s %v %v", step, a.Elem, a.Dims, got, c.elem, c.dims, c.want)
				}
			}
		})
	}
}

func TestArrayErrors(t *testing.T) {
	nan := make([]byte, 12)
	binary.LittleEndian.PutUint32(nan[8:], math.Float32bits(float32(math.Inf(-1))))
	whole := gz(t, idx(8, []int{100, 100}, bytes.Repeat([]byte{1, 2, 3, 4, 9}, 2000)))
	noise := make([]byte, 10000)
	for i, x := 0, uint32(1); i < len(noise); i++ { // incompressible
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		noise[i] = byte(x)
	}
	wrongSum := bytes.Clone(whole)
	wrongSum[len(wrongSum)-6] ^= 1
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":             {nil, "neither IDX nor .npy"},
		"text":              {[]byte("a,b,c\n"), "neither IDX nor .npy"},
		"idx header cut":    {[]byte{0, 0, 8, 3, 0, 0}, "byte 4: IDX size of axis 0: the file ends here"},
		"idx type":          {[]byte{0, 0, 7, 1, 0, 0, 0, 0}, "unknown IDX element type 0x07"},
		"idx rank 0":        {[]byte{0, 0, 8, 0, 0, 0}, "IDX rank 0"},
		"idx short":         {idx(8, []int{2, 3}, []byte{1, 2, 3}), "byte 15: the header promises [2 3] uint8, 18 bytes in all, the file has 15"},
		"idx long":          {idx(8, []int{1}, []byte{1, 2, 3}), "byte 9: the header promises [1] uint8, 9 bytes in all, the file has 11"},
		"idx huge":          {idx(8, []int{1 << 31, 1 << 31, 1 << 31}, nil), "too large"},
		"idx huge row":      {idx(8, []int{1, 1 << 16, 1 << 16}, nil), "one row of shape [65536 65536] takes 4294967296 bytes"},
		"gz bomb header":    {gz(t, idx(8, []int{1 << 30, 1000}, nil)), "more than"},
		"gz cut":            {gz(t, idx(8, []int{100, 100}, noise))[:2000], "is cut off, the header promises 10012 bytes"},
		"gz content short":  {gz(t, idx(8, []int{10, 10}, make([]byte, 55))), "byte 67: row 5 of 10 is cut off, the header promises 112 bytes"},
		"gz content long":   {gz(t, idx(8, []int{2}, []byte{1, 2, 3})), "byte 10: the file goes on after the 2 rows"},
		"gz checksum":       {wrongSum, "after the last row"},
		"gz header":         {[]byte{0x1f, 0x8b, 1, 2}, "gzip header"},
		"npy version":       {npy(9, dict("|u1", "False", "(1,)"), []byte{1}), ".npy format version 9.0"},
		"npy header length": {append([]byte("\x93NUMPY\x02\x00"), 0xff, 0xff, 0xff, 0x7f), ".npy header of 2147483647 bytes"},
		"npy header cut":    {append([]byte("\x93NUMPY\x01\x00"), 0xff, 0x00), ".npy header of 255 bytes: the file ends here"},
		"npy objects":       {npy(1, dict("|O", "False", "(1,)"), make([]byte, 8)), `element type "|O" is not read`},
		"npy records":       {npy(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", nil), "structured element types"},
		"npy no shape":      {npy(1, "{'descr': '|u1', 'fortran_order': False}", nil), `key "shape" is missing`},
		"npy negative":      {npy(1, dict("|u1", "False", "(-1,)"), nil), "invalid syntax"},
		"npy scalar":        {npy(1, dict("|u1", "False", "()"), []byte{1}), "rank 0"},
		"npy no dictionary": {npy(1, "hello", nil), "no dictionary"},
		"npy order":         {npy(1, dict("|u1", "Maybe", "(1,)"), []byte{1}), "fortran_order is"},
		"npy infinite":      {npy(1, dict("<f4", "False", "(3, 1)"), nan), "row 2: element 0 is -Inf"},
		"npy columns in gz": {gz(t, npy(1, dict("|u1", "True", "(1, 2)"), []byte{5, 6})), "column-major"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := parse(c.b)
			if err == nil {
				_, err = values(a, 3)
			}
			var bad *Error
			if !errors.As(err, &bad) || bad.Path != "file" {
				t.Fatalf("error is %v, want *Error of file", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %q, want %q", err, c.want)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		want []int32
		err  string
	}{
		"idx":         {idx(8, []int{3}, []byte{0, 9, 3}), []int32{0, 9, 3}, ""},
		"column":      {npy(1, dict("<i2", "False", "(2, 1)"), []byte{1, 0, 0xff, 0xff}), []int32{1, -1}, ""},
		"whole float": {npy(1, dict("<f4", "False", "(1,)"), []byte{0, 0, 0x80, 0x3f}), []int32{1}, ""},
		"fraction":    {npy(1, dict("<f4", "False", "(1,)"), []byte{0, 0, 0xc0, 0x3f}), nil, "row 0: label 1.5"},
		"below -1":    {npy(1, dict("|i1", "False", "(2,)"), []byte{0, 0xfe}), nil, "row 1: label -2"},
		"matrix":      {idx(8, []int{1, 2}, []byte{0, 9}), nil, "labels have shape [1 2]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := filepath.Join(t.TempDir(), "labels")
			if err := os.WriteFile(p, c.b, 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := ReadLabels(p)
			if c.err != "" {
				var bad *Error
				if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error is %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
	if _, err := ReadLabels(t.TempDir()); err == nil {
		t.Error("a folder was read as labels")
	}
}

// Row-major and column-major files of the same array read the same, whatever the shape and step.
func TestArrayOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dims := rapid.SliceOfN(rapid.IntRange(1, 5), 1, 4).Draw(t, "dims")
		n := 1
		for _, d := range dims {
			n *= d
		}
		c, f := make([]byte, 2*n), make([]byte, 2*n)
		pos := make([]int, len(dims))
		for i := range n { // i in row-major order
			flat, stride := 0, 1
			for k, d := range dims {
				flat += pos[k] * stride
				stride *= d
			}
			binary.LittleEndian.PutUint16(c[2*i:], uint16(i*7))
			binary.LittleEndian.PutUint16(f[2*flat:], uint16(i*7))
			for k := len(dims) - 1; k >= 0; k-- {
				if pos[k]++; pos[k] < dims[k] {
					break
				}
				pos[k] = 0
			}
		}
		shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(dims), "[]"), " ", ", ")
		a, err := parse(npy(1, dict("<u2", "False", "("+shape+",)"), c))
		if err != nil {
			t.Fatal(err)
		}
		b, err := parse(npy(1, dict("<u2", "True", "("+shape+",)"), f))
		if err != nil {
			t.Fatal(err)
		}
		va, err := values(a, rapid.IntRange(1, 4).Draw(t, "step"))
		if err != nil {
			t.Fatal(err)
		}
		vb, err := values(b, rapid.IntRange(1, 4).Draw(t, "step"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(va, vb) {
			t.Fatalf("%v: %v, column-major %v", dims, va, vb)
		}
	})
}

// fuzzArray holds that any bytes give an array or an *Error, and never more data than the file can hold.
func fuzzArray(t *testing.T, b []byte) {
	a, err := parse(b)
	if err == nil {
		var n int
		var buf []byte
		for {
			var got []byte
			if got, err = a.Next(1+n%7, buf); err != nil {
				break
			}
			buf = got
			n += len(got)
			if len(got) == 0 || n > 1<<22 { // rows without elements, or a very good compression
				return
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
	}
	var bad *Error
	if !errors.As(err, &bad) {
		t.Fatalf("error %v is no *Error", err)
	}
}

func FuzzIDX(f *testing.F) {
	f.Add(idx(8, []int{2, 3}, []byte{0, 1, 2, 3, 4, 5}))
	f.Add(idx(0x0d, []int{1, 2}, make([]byte, 8)))
	f.Add(idx(8, []int{1 << 30, 1 << 30}, nil))
	f.Add(gz(f, idx(8, []int{3}, []byte{7, 8, 9})))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzArray(t, b) })
}

func FuzzNpy(f *testing.F) {
	f.Add(npy(1, dict("<u2", "False", "(2,)"), []byte{1, 0, 0, 1}))
	f.Add(npy(2, dict("|u1", "True", "(2, 3)"), []byte{1, 4, 2, 5, 3, 6}))
	f.Add(npy(3, dict("<f8", "False", "(0, 4)"), nil))
	f.Add(npy(1, dict("<f8", "False", "(9223372036854775807, 4)"), nil))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzArray(t, b) })
}
