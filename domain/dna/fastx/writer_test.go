package fastx_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
)

func TestWriterText(t *testing.T) {
	var b bytes.Buffer
	w, err := fastx.NewWriter(&b, "x", fastx.WriterOptions{Width: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []fastx.Record{
		{Name: []byte("a b"), Seq: []byte("ACGTACGTAC")},
		{Name: []byte("e"), Seq: nil},
		{Name: []byte("q"), Seq: []byte("acN"), Qual: []byte("!~I"), Plus: []byte("q")},
		{Name: []byte("z"), Qual: []byte{}},
	} {
		if err := w.Write(&r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if want := ">a b\nACGT\nACGT\nAC\n>e\n\n@q\nacN\n+q\n!~I\n@z\n\n+\n\n"; b.String() != want {
		t.Errorf("wrote %q, want %q", b.String(), want)
	}
}

// The gzip that is written is BGZF: members of at most 64 kB that say their length, the end block last, readable by any gzip.
func TestWriterBGZF(t *testing.T) {
	var recs []fastx.Record
	for i := range 2000 {
		recs = append(recs, fastx.Record{Name: []byte(fmt.Sprint("r", i)), Seq: bytes.Repeat([]byte("ACGTT"), 30), Qual: bytes.Repeat([]byte("IIIFF"), 30)})
	}
	s := bgzf(t, recs...)
	if !strings.HasSuffix(s, bgzfEnd) {
		t.Error("no end block")
	}
	z, err := gzip.NewReader(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n != 8000 {
		t.Errorf("%d lines, want 8000", n)
	}
	blocks := 0
	for rest := s; len(rest) > 0; blocks++ {
		size := int(rest[16]) + int(rest[17])<<8 + 1
		if rest[:4] != "\x1f\x8b\x08\x04" || rest[12:14] != "BC" || size > len(rest) {
			t.Fatalf("block %d is no BGZF", blocks)
		}
		rest = rest[size:]
	}
	if want := (len(text)+0xff00-1)/0xff00 + 1; blocks != want {
		t.Errorf("%d blocks, want %d", blocks, want)
	}
}

func files(t *testing.T, dir string) (names []string) {
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		names = append(names, e.Name())
	}
	return names
}

func TestWriterAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "o.fq")
	if err := os.WriteFile(path, []byte("before"), 0o640); err != nil {
		t.Fatal(err)
	}
	rec := fastx.Record{Name: []byte("a"), Seq: []byte("AC"), Qual: []byte("II")}
	w, err := fastx.Create(path, fastx.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&rec); err != nil {
		t.Fatal(err)
	}
	if len(files(t, dir)) != 2 {
		t.Errorf("files while writing: %q", files(t, dir))
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("second Abort: %v", err)
	}
	if err := w.Write(&rec); err == nil {
		t.Error("Write after Abort")
	}
	if err := w.Commit(); err == nil {
		t.Error("Commit after Abort")
	}
	if b, _ := os.ReadFile(path); string(b) != "before" || len(files(t, dir)) != 1 {
		t.Errorf("after Abort: %q in %q", b, files(t, dir))
	}
	if w, err = fastx.Create(path, fastx.WriterOptions{}); err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.Write(&rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "@a\nAC\n+\nII\n" || len(files(t, dir)) != 1 || st.Mode().Perm() != 0o640 {
		t.Errorf("after Commit: %q, mode %v, in %q", b, st.Mode(), files(t, dir))
	}
	if _, err := fastx.Create(dir, fastx.WriterOptions{}); err == nil {
		t.Error("a folder was opened for writing")
	}
	if _, err := fastx.Create(filepath.Join(dir, "no", "x.fq"), fastx.WriterOptions{}); err == nil {
		t.Error("a folder that is not there")
	}
}

func TestWriterRefuses(t *testing.T) {
	w, err := fastx.NewWriter(io.Discard, "x", fastx.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, r := range []fastx.Record{{Name: []byte("a"), Seq: []byte("AC"), Qual: []byte("I")}, {Name: []byte("a\nb"), Seq: []byte("AC")}} {
		if err := w.Write(&r); err == nil {
			t.Errorf("%v was written", r)
		}
	}
	for _, o := range []fastx.WriterOptions{{Level: 10}, {Level: -1}, {Width: -1}} {
		if _, err := fastx.NewWriter(io.Discard, "x", o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// full takes so many bytes, then it is full.
type full struct{ left int }

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.left {
		n := f.left
		f.left = 0
		return n, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	f.left -= len(b)
	return len(b), nil
}

func TestWriterFull(t *testing.T) {
	rec := fastx.Record{Name: []byte("a"), Seq: bytes.Repeat([]byte("A"), 994), Qual: bytes.Repeat([]byte("I"), 994)} // 1,996 bytes with marks and line ends
	for _, gz := range []bool{false, true} {
		w, err := fastx.NewWriter(&full{left: 600_000 / (1 + 299*b2i(gz))}, "out", fastx.WriterOptions{Gzip: gz, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 3000 && err == nil; i++ {
			err = w.Write(&rec)
		}
		if e := w.Commit(); err == nil {
			err = e
		}
		want := fmt.Sprintf("fastx: out: after %d records written: ", w.Stored())
		if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("gzip %v: %v, want %q and ENOSPC", gz, err, want)
		}
		if n := w.Stored(); n == 0 || !gz && n > 600_000/1996 {
			t.Errorf("gzip %v: %d records stored", gz, n)
		}
	}
}

// A full disk gets the bytes of the temporary file back, and keeps what stood under the name.
func TestWriterFullFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"o.fq", "o.fq.gz"} {
		path := filepath.Join(dir, name)
		write(t, path, "before")
		w, err := fastx.Create(path, fastx.WriterOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		w.SetDestination(&full{left: 100})
		rec := fastx.Record{Name: []byte("a"), Seq: bytes.Repeat([]byte("A"), 1<<21)}
		for range 3 {
			err = w.Write(&rec)
		}
		if e := w.Commit(); err == nil {
			err = e
		}
		if b, _ := os.ReadFile(path); !errors.Is(err, syscall.ENOSPC) || string(b) != "before" {
			t.Errorf("%s: %v, the file is %q", name, err, b)
		}
		if err := w.Abort(); err != nil {
			t.Errorf("Abort after Commit: %v", err)
		}
		if w, err = fastx.Create(path, fastx.WriterOptions{Threads: 1}); err != nil {
			t.Fatal(err)
		}
		w.SetDestination(&full{})
		for err = nil; err == nil; err = w.Write(&rec) {
		}
		if err := w.Abort(); err != nil {
			t.Errorf("Abort after an error: %v", err)
		}
	}
	if got := files(t, dir); len(got) != 2 {
		t.Errorf("left behind: %q", got)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A device is written directly; one that is full says so, and stays.
func TestWriterDevice(t *testing.T) {
	const dev = "/dev/full"
	if _, err := os.Stat(dev); err != nil {
		t.Skip("no " + dev)
	}
	w, err := fastx.Create(dev, fastx.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&fastx.Record{Name: []byte("a"), Seq: []byte("A")}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "after 0 records written") {
		t.Errorf("%v, want ENOSPC after 0 records", err)
	}
	if _, err := os.Stat(dev); err != nil {
		t.Error(err)
	}
}
