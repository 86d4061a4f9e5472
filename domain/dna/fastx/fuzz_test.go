package fastx_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
)

// FuzzReader: bad data are *dataset.Error; what is accepted is complete, byte for byte, whatever the size of the reads; and
// what the writer makes of it reads back the same.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"@a x\nACGT\n+\nIIII\n@b\nNNA\n+\n!5~\n", ">c x\nACGT\nNN\n\n>d\nA", "@a\r\nAC\r\n+\r\nII\r\n", "@a\n\n+\n\n@b\nA\n+\nI", "@a\nACGT\nAC\n+\n@III\n@I\n",
		"@a\nACGT\n+\nIII\n", ">p\nMEEPQ\n", "\xef\xbb\xbf>a\nA\n", "", "\n\r", ">", "@\n+\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.HasPrefix(in, []byte{0x1f, 0x8b}) {
			return // FuzzGzip
		}
		recs, format, err := collect(bytes.NewReader(in))
		var bad *dataset.Error
		if err != nil && !errors.As(err, &bad) {
			t.Fatalf("error %v is no *dataset.Error", err)
		}
		again, _, err2 := collect(iotest.OneByteReader(bytes.NewReader(in)))
		if (err == nil) != (err2 == nil) || cmp.Diff(recs, again) != "" {
			t.Fatalf("whole: %v %v; byte by byte: %v %v", recs, err, again, err2)
		}
		if err != nil {
			return
		}
		var all, out bytes.Buffer
		w, err := fastx.NewWriter(&out, "w", fastx.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range recs {
			r := &recs[i]
			all.WriteByte(map[fastx.Format]byte{fastx.FASTA: '>', fastx.FASTQ: '@'}[format])
			all.Write(r.Name)
			all.Write(r.Seq)
			if format == fastx.FASTQ {
				all.WriteByte('+')
			}
			all.Write(r.Plus)
			all.Write(r.Qual)
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		noEnds := func(b []byte) []byte {
			return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\n"), nil), []byte("\r"), nil)
		}
		if want := noEnds(bytes.TrimPrefix(in, []byte("\xef\xbb\xbf"))); !bytes.Equal(noEnds(all.Bytes()), want) {
			t.Fatalf("read %q of %q", all.Bytes(), want)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		back, _, err := collect(&out)
		if err != nil {
			t.Fatalf("what was written: %v", err)
		}
		for _, rs := range [][]fastx.Record{recs, back} {
			for i := range rs {
				rs[i].Line = 0
			}
		}
		if d := cmp.Diff(recs, back); d != "" {
			t.Fatalf("written and read: %s", d)
		}
	})
}

func collect(src io.Reader) (out []fastx.Record, format fastx.Format, err error) {
	r, err := fastx.NewReader(src, "f", fastx.Options{MaxRecord: 1 << 20, Threads: 2})
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	var rec fastx.Record
	for {
		err := r.Read(&rec)
		if err == io.EOF {
			return out, r.Format(), nil
		}
		if err != nil {
			return out, r.Format(), err
		}
		c := rec.Clone()
		out = append(out, *c)
	}
}

// FuzzGzip: compressed data of any kind give records or an error, and end.
func FuzzGzip(f *testing.F) {
	block := bgzf(f, fastx.Record{Name: []byte("a"), Seq: []byte("ACGT"), Qual: []byte("IIII")})
	f.Add([]byte(block))
	f.Add([]byte(block + bgzfEnd + pack(f, "@a\nA\n+\nI\n")))
	f.Add([]byte(pack(f, "@a\nA\n+\nI\n", ">a\n") + "\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		in = append([]byte{0x1f, 0x8b}, in...)
		for _, in := range [][]byte{in, in[2:]} {
			recs, _, err := collect(bytes.NewReader(in))
			var bad *dataset.Error
			if err != nil && !errors.As(err, &bad) {
				t.Fatalf("error %v is no *dataset.Error", err)
			}
			again, _, err2 := collect(iotest.OneByteReader(bytes.NewReader(in)))
			if (err == nil) != (err2 == nil) || err == nil && cmp.Diff(recs, again) != "" {
				t.Fatalf("whole: %v; byte by byte: %v", err, err2)
			}
		}
	})
}
