package fastx_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
)

// Texts of about 30 MB.
func benchText(fasta bool) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	draw := func(n int, letters string) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = letters[rnd.IntN(len(letters))]
		}
		return b
	}
	var b bytes.Buffer
	if fasta {
		for c := range 3 {
			fmt.Fprintf(&b, ">chr%d\n", c)
			for range 160_000 {
				b.Write(draw(60, "ACGT"))
				b.WriteByte('\n')
			}
		}
		return b.Bytes()
	}
	for i := range 90_000 {
		fmt.Fprintf(&b, "@SIM:1:FCX:1:%d:%d 1:N:0:ATCACG\n%s\n+\n%s\n", i/1000, i%1000, draw(150, "ACGT"), draw(150, "#-8FFFF"))
	}
	return b.Bytes()
}

func benchRead(b *testing.B, text, stored []byte) {
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	var rec fastx.Record
	for b.Loop() {
		r, err := fastx.NewReader(bytes.NewReader(stored), "b", fastx.Options{})
		if err != nil {
			b.Fatal(err)
		}
		for err = r.Read(&rec); err == nil; err = r.Read(&rec) {
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		r.Close()
	}
}

func BenchmarkReadFASTQ(b *testing.B) { t := benchText(false); benchRead(b, t, t) }
func BenchmarkReadFASTA(b *testing.B) { t := benchText(true); benchRead(b, t, t) }

// MB/s of unpacked text.
func BenchmarkReadGzip(b *testing.B) {
	t := benchText(false)
	benchRead(b, t, []byte(pack(b, string(t))))
}

func BenchmarkReadBGZF(b *testing.B) {
	t := benchText(false)
	var out bytes.Buffer
	copyAll(b, t, &out, fastx.WriterOptions{Gzip: true})
	benchRead(b, t, out.Bytes())
}

func copyAll(b *testing.B, text []byte, dst io.Writer, opt fastx.WriterOptions) {
	r, err := fastx.NewReader(bytes.NewReader(text), "b", fastx.Options{})
	if err != nil {
		b.Fatal(err)
	}
	w, err := fastx.NewWriter(dst, "b", opt)
	if err != nil {
		b.Fatal(err)
	}
	var rec fastx.Record
	for err = r.Read(&rec); err == nil; err = r.Read(&rec) {
		if err := w.Write(&rec); err != nil {
			b.Fatal(err)
		}
	}
	if err != io.EOF {
		b.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		b.Fatal(err)
	}
}

// Reading and writing together.
func BenchmarkCopy(b *testing.B) {
	for _, gz := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "gzip"}[gz], func(b *testing.B) {
			text := benchText(false)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				copyAll(b, text, io.Discard, fastx.WriterOptions{Gzip: gz})
			}
		})
	}
}
