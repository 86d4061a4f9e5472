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
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
)

// short is a record in a form that is quick to write down: name|seq|qual|plus@line.
func short(r *fastx.Record) string {
	q := string(r.Qual)
	if r.Qual == nil {
		q = "nil"
	}
	return fmt.Sprintf("%s|%s|%s|%s@%d", r.Name, r.Seq, q, r.Plus, r.Line)
}

// readAll reads by one reused record.
func readAll(src io.Reader, name string, opt fastx.Options) (out []string, format fastx.Format, err error) {
	r, err := fastx.NewReader(src, name, opt)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	var rec fastx.Record
	for i := int64(0); ; i++ {
		err := r.Read(&rec)
		if err == io.EOF {
			if err := r.Read(&rec); err != io.EOF {
				return out, r.Format(), fmt.Errorf("second read at the end: %w", err)
			}
			return out, r.Format(), nil
		}
		if err != nil {
			if again := r.Read(&rec); again != err {
				return out, r.Format(), fmt.Errorf("error does not stick: %w, then %w", err, again)
			}
			return out, r.Format(), err
		}
		if rec.Index != i {
			return out, r.Format(), fmt.Errorf("record %d has index %d", i, rec.Index)
		}
		out = append(out, short(&rec))
	}
}

func pack(t testing.TB, parts ...string) string {
	var b bytes.Buffer
	for _, p := range parts {
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, p); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// bgzf packs with the writer of this package.
func bgzf(t testing.TB, records ...fastx.Record) string {
	var b bytes.Buffer
	w, err := fastx.NewWriter(&b, "x", fastx.WriterOptions{Gzip: true, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if err := w.Write(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const bgzfEnd = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x1b\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func TestGood(t *testing.T) {
	two := "@a x\nACGT\n+\nIIII\n@b\nNNA\n+\n!5~\n"
	twoWant := []string{"a x|ACGT|IIII|@1", "b|NNA|!5~|@5"}
	for _, c := range []struct {
		name, in string
		format   fastx.Format
		want     []string
	}{
		{"fastq", two, fastx.FASTQ, twoWant},
		{"no final line end", strings.TrimSuffix(two, "\n"), fastx.FASTQ, twoWant},
		{"Windows", strings.ReplaceAll(two, "\n", "\r\n"), fastx.FASTQ, twoWant},
		{"Windows, no final line end", strings.TrimSuffix(strings.ReplaceAll(two, "\n", "\r\n"), "\n"), fastx.FASTQ, twoWant},
		{"byte order mark", "\xef\xbb\xbf" + two, fastx.FASTQ, twoWant},
		{"gzip", pack(t, two), fastx.FASTQ, twoWant},
		{"members", pack(t, two[:7], two[7:20], "", two[20:]), fastx.FASTQ, twoWant},
		{"zeros behind gzip", pack(t, two) + "\x00\x00\x00", fastx.FASTQ, twoWant},
		{"BGZF", bgzf(t, fastx.Record{Name: []byte("a x"), Seq: []byte("ACGT"), Qual: []byte("IIII")}), fastx.FASTQ, twoWant[:1]},
		{"inner end blocks", bgzf(t, fastx.Record{Name: []byte("a x"), Seq: []byte("ACGT"), Qual: []byte("IIII")}) + bgzfEnd + pack(t, "@b\nNNA\n+\n!5~\n") + bgzfEnd, fastx.FASTQ, twoWant},
		{"blank lines between", "\n\n@a\nA\n+\nI\n\n\r\n@b\nC\n+\nI\n\n", fastx.FASTQ, []string{"a|A|I|@3", "b|C|I|@9"}},
		{"quality like a header", "@a\nACGT\n+\n@@@@\n@b\nAC\n+\n+>\n", fastx.FASTQ, []string{"a|ACGT|@@@@|@1", "b|AC|+>|@5"}},
		{"wrapped", "@a\nACGT\nAC\n+\n@III\n@I\n@b\nA\n+\n+\n", fastx.FASTQ, []string{"a|ACGTAC|@III@I|@1", "b|A|+|@7"}},
		{"name again", "@a b\nA\n+a b\nI\n", fastx.FASTQ, []string{"a b|A|I|a b@1"}},
		{"empty sequence", "@a\n\n+\n\n@b\nA\n+\nI\n", fastx.FASTQ, []string{"a|||@1", "b|A|I|@5"}},
		{"empty sequence at the end", "@a\n\n+\n", fastx.FASTQ, []string{"a|||@1"}},
		{"lower case, IUPAC, U", "@a\nacgtnrykmswbdhvu\n+\nIIIIIIIIIIIIIIII\n", fastx.FASTQ, []string{"a|acgtnrykmswbdhvu|IIIIIIIIIIIIIIII|@1"}},
		{"no name", "@\nA\n+\nI\n", fastx.FASTQ, []string{"|A|I|@1"}},
		{"same names", "@a\nA\n+\nI\n@a\nA\n+\nI\n", fastx.FASTQ, []string{"a|A|I|@1", "a|A|I|@5"}},
		{"fasta", ">c x\nACGT\nNN\n\n>d\nA", fastx.FASTA, []string{"c x|ACGTNN|nil|@1", "d|A|nil|@5"}},
		{"fasta, Windows", ">c x\r\nACGT\r\nNN\r\n", fastx.FASTA, []string{"c x|ACGTNN|nil|@1"}},
		{"fasta, empty records", ">a\n>b\n\n>c", fastx.FASTA, []string{"a||nil|@1", "b||nil|@2", "c||nil|@4"}},
		{"only N", ">c\nNNNNNNNN\n", fastx.FASTA, []string{"c|NNNNNNNN|nil|@1"}},
		{"nothing", "", fastx.Unknown, nil},
		{"blank lines only", "\n\r\n\n\r", fastx.Unknown, nil},
		{"gzip of nothing", pack(t, ""), fastx.Unknown, nil},
		{"BGZF of nothing", bgzfEnd, fastx.Unknown, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for how, src := range map[string]io.Reader{
				"whole": strings.NewReader(c.in), "bytes": iotest.OneByteReader(strings.NewReader(c.in)), "end with data": iotest.DataErrReader(strings.NewReader(c.in)),
			} {
				got, format, err := readAll(src, "f", fastx.Options{})
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if d := cmp.Diff(c.want, got); d != "" || format != c.format {
					t.Errorf("%s: format %v, want %v; %s", how, format, c.format, d)
				}
			}
		})
	}
}

func TestBad(t *testing.T) {
	good := "@a\nACGT\n+\nIIII\n"
	long := strings.Repeat(good, 3000)
	z := pack(t, long)
	block := bgzf(t, fastx.Record{Name: []byte("a"), Seq: []byte("ACGT"), Qual: []byte("IIII")})
	broken := []byte(block)
	broken[22] ^= 0x10
	for _, c := range []struct {
		name, in string
		records  int
		want     []string
	}{
		{"quality short", good + "@b x\nACGTA\n+\nIII\n@c\nAC\n+\nII\n", 1, []string{`f: record 2 "b", line 8`, "quality is shorter than the sequence: 3 for 5 letters"}},
		{"quality short at the end", good + "@b\nACGTA\n+\nIII\n", 1, []string{`record 2 "b", line 8`, "3 for 5"}},
		{"quality cut", good + "@b\nACGTA\n+\nIII", 1, []string{`record 2 "b", line 8`, "3 for 5"}},
		{"quality long", good + "@b\nACGTA\n+\nIIIIII\n", 1, []string{`record 2 "b", line 8`, "quality is longer than the sequence: 6 for 5 letters"}},
		{"wrapped quality short", "@b\nACGTA\nAC\n+\nIIIII\n\n" + good, 0, []string{`record 1 "b", line 6`, "5 for 7"}},
		{"quality missing", good + "@b\nACGTA\n+\n@c\nAC\n+\nII\n", 1, []string{`record 2 "b", line 8`, "quality is shorter"}},
		{"cut after the sequence", good + "@b\nACGTA\n", 1, []string{`record 2 "b", line 6`, "file ends inside the record: no '+' line"}},
		{"cut in the sequence", good + "@b\nACG", 1, []string{`record 2 "b", line 6`, "no '+' line"}},
		{"cut after the name", good + "@b", 1, []string{`record 2 "b", line 5`, "no '+' line"}},
		{"cut after plus", good + "@b\nA\n+", 1, []string{`record 2 "b", line 7`, "no quality line"}},
		{"cut before the quality", good + "@b\nA\n+\n", 1, []string{`record 2 "b", line 7`, "0 qualities for 1 letters"}},
		{"plus missing", "@a\nACGT\nIIII\n" + good, 0, []string{`record 1 "a", line 3`, "'I': neither '+' nor more sequence"}},
		{"plus missing, quality like sequence", "@a\nACGT\nAAAA\n" + good, 0, []string{`record 1 "a", line 4`, "expected '+'"}},
		{"header missing", good + "ACGT\n+\nIIII\n", 1, []string{"record 2", "line 5", "begins with 'A', expected '@'"}},
		{"quality control", "@a\nACGTACGTAC\n+\nIIIIIIII\x07I\n", 0, []string{`record 1 "a", line 4`, "column 9 is byte 0x07"}},
		{"quality high", "@a\nACGT\n+\nII\xc3I\n", 0, []string{"column 3 is byte 0xc3"}},
		{"quality blank", "@a\nACGT\n+\nII I\n", 0, []string{"column 3 is a blank"}},
		{"blank in the sequence", "@a\nAC GT\n+\nIIIII\n", 0, []string{`line 2`, "column 3 is a blank, no nucleotide code"}},
		{"zero byte", "@a\nAC\x00T\n+\nIIII\n", 0, []string{"line 2", "column 3 is byte 0x00"}},
		{"zero byte in the name", "@a\x00\nACT\n+\nIII\n", 0, []string{"line 1", "zero byte in the name"}},
		{"protein", ">g\nACGT\n>p53 x\nMEEPQSDPSVEPPLSQETFSDLWKLLPENNVLSP\n", 1, []string{`record 2 "p53", line 4`, "column 2 is 'E', no nucleotide code: looks like protein"}},
		{"gap", ">g\nAC-GT\n", 0, []string{`record 1 "g", line 2`, "column 3 is '-'"}},
		{"stop", ">g\nACGT*\n", 0, []string{"column 5 is '*'"}},
		{"old Macintosh", "@a\rACGT\r+\rIIII\r", 0, []string{"line 1", "carriage return", "convert the line ends"}},
		{"sequence first", "ACGT\n>a\nACGT\n", 0, []string{"line 1", "begins with 'A', neither '>' (FASTA) nor '@' (FASTQ)"}},
		{"fastq in fasta", ">a\nACGT\n@b\nAC\n", 0, []string{`record 1 "a", line 3`, "begins with '@', expected sequence (the file is FASTA)"}},
		{"fasta in fastq", good + ">b\nAC\n", 1, []string{"line 5", "begins with '>', expected '@'"}},
		{"blank line inside", "@a\nAC\n\n+\nII\n", 0, []string{`record 1 "a", line 3`, "blank line inside"}},
		{"no sequence line", "@a\n+\n\n", 0, []string{`line 2`, "begins with '+'"}},
		{"garbage", "\x00\x01\x02\xff\xfegarbage", 0, []string{"line 1", "begins with byte 0x00"}},
		{"BAM", "BAM\x01....", 0, []string{"a BAM file, not FASTA or FASTQ"}},
		{"twice gzip", pack(t, pack(t, good)), 0, []string{"gzip inside gzip"}},
		{"Zstandard", "\x28\xb5\x2f\xfd....", 0, []string{"Zstandard"}},
		{"UTF-16", "\xff\xfe@\x00a\x00", 0, []string{"UTF-16"}},
		{"gzip cut", z[:len(z)/2], -1, []string{"f: after record ", "line ", "gzip: the file is cut off"}},
		{"gzip without its checksum", z[:len(z)-8], -1, []string{"gzip: the file is cut off"}},
		{"gzip without its last byte", z[:len(z)-1], -1, []string{"gzip: the file is cut off"}},
		{"gzip with a wrong checksum", z[:len(z)-8] + "abcd" + z[len(z)-4:], -1, []string{"gzip: in the member that begins at byte 0", "checksum"}},
		{"second member cut", z + z[:10], 3000, []string{"gzip: the file is cut off"}},
		{"garbage behind gzip", z + "hello", 3000, []string{fmt.Sprintf("gzip: byte %d of the file: something else", len(z))}},
		{"BGZF cut", (block + block)[:len(block)+20], 1, []string{"gzip: the file is cut off"}},
		{"BGZF header cut", (block + block)[:len(block)+9], 1, []string{"gzip: the file is cut off"}},
		{"BGZF broken", string(broken), 0, []string{"gzip: the BGZF block at byte 0 of the file is broken"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for how, src := range map[string]io.Reader{"whole": strings.NewReader(c.in), "bytes": iotest.OneByteReader(strings.NewReader(c.in))} {
				got, _, err := readAll(src, "f", fastx.Options{})
				var bad *dataset.Error
				if !errors.As(err, &bad) {
					t.Fatalf("%s: error is %v, want a *dataset.Error", how, err)
				}
				text := err.Error() + " " + bad.Hint
				for _, w := range c.want {
					if !strings.Contains(text, w) {
						t.Errorf("%s: error %q does not say %q", how, text, w)
					}
				}
				if c.records >= 0 && len(got) != c.records {
					t.Errorf("%s: %d records before the error, want %d", how, len(got), c.records)
				}
			}
		})
	}
}

func TestLimitsAndOptions(t *testing.T) {
	if _, _, err := readAll(strings.NewReader(">a\nACGT\nACGT\n"), "f", fastx.Options{MaxRecord: 7}); err == nil || !strings.Contains(err.Error(), "line 3: a sequence longer than 7 letters") {
		t.Errorf("MaxRecord 7 of 8: %v", err)
	}
	if got, _, err := readAll(strings.NewReader(">a\nACGT\r\nACGT\r\n"), "f", fastx.Options{MaxRecord: 8}); err != nil || len(got) != 1 {
		t.Errorf("MaxRecord 8 of 8: %v %v", got, err)
	}
	if _, _, err := readAll(strings.NewReader(">"+strings.Repeat("x", 2<<20)), "f", fastx.Options{}); err == nil || !strings.Contains(err.Error(), "name longer than 1048576 bytes") {
		t.Errorf("endless name: %v", err)
	}
	if got, _, err := readAll(strings.NewReader(">p\nMEEPQ*-x\n"), "f", fastx.Options{Protein: true}); err != nil || got[0] != "p|MEEPQ*-x|nil|@1" {
		t.Errorf("Protein: %v %v", got, err)
	}
	if _, _, err := readAll(strings.NewReader(">p\nME1\n"), "f", fastx.Options{Protein: true}); err == nil || !strings.Contains(err.Error(), "column 3 is '1'") {
		t.Errorf("Protein with a digit: %v", err)
	}
	if _, err := fastx.NewReader(strings.NewReader(""), "f", fastx.Options{MaxRecord: -1}); err == nil {
		t.Error("MaxRecord -1 was accepted")
	}
	// What can be no sequence is refused before all of it is read.
	endless := io.MultiReader(strings.NewReader(">a\n"), io.LimitReader(zeros{}, 1<<40))
	if _, _, err := readAll(endless, "f", fastx.Options{}); err == nil || !strings.Contains(err.Error(), "column 1 is byte 0x00") {
		t.Errorf("endless zeros: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestWarn(t *testing.T) {
	fq := func(n int, seq, qual string) string {
		return strings.Repeat("@a\n"+seq+"\n+\n"+qual+"\n", n)
	}
	block := bgzf(t, fastx.Record{Name: []byte("a"), Seq: []byte("ACGT"), Qual: []byte("IIII")})
	for _, c := range []struct {
		name, in, want string
	}{
		{"Phred+64", fq(2000, "ACGT", "ehhB"), "first 1000 records lie between 'B' and 'h': they look like Phred+64"},
		{"Phred+64 in a short file", fq(2, "ACGT", "eheB"), "first 2 records"},
		{"Phred+33", fq(2000, "ACGT", "I!5J"), ""},
		{"high but one low", fq(1, "A", "5") + fq(10, "ACGT", "~~~~"), ""},
		{"plus line", "@a b\nA\n+a\nI\n@b\nA\n+c\nI\n", `the '+' line says "a", the name is "a b"`},
		{"ambiguity codes", ">p\n" + strings.Repeat("MKDHSVRWYSTG", 10) + "\n", "is this protein?"},
		{"no end block", strings.TrimSuffix(block, bgzfEnd), "end block is missing"},
		{"end block", block, ""},
		{"plain gzip", pack(t, "@a\nA\n+\nI\n"), ""},
	} {
		var got []string
		opt := fastx.Options{Warn: func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) }}
		if _, _, err := readAll(strings.NewReader(c.in), "f", opt); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want) || !strings.HasPrefix(got[0], "f: ")) {
			t.Errorf("%s: warned %q, want %q", c.name, got, c.want)
		}
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{"absent.fq": "no such file", "": "a folder"} {
		_, err := fastx.Open(filepath.Join(dir, name), fastx.Options{})
		var bad *dataset.Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	p := filepath.Join(dir, "empty.fq.gz")
	if err := os.WriteFile(p, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := fastx.Open(p, fastx.Options{}); err == nil || !strings.Contains(err.Error(), "not even a gzip header") {
		t.Errorf("empty .gz: %v", err)
	}
	p = filepath.Join(dir, "a.fq")
	text := "@a\nACGT\n+\nIIII\n"
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := fastx.Open(p, fastx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec fastx.Record
	if err := r.Read(&rec); err != nil {
		t.Fatal(err)
	}
	if done, total := r.Progress(); done != int64(len(text)) || total != int64(len(text)) {
		t.Errorf("progress %d of %d, want %d", done, total, len(text))
	}
	recs, err := fastx.ReadAll(p, fastx.Options{})
	if err != nil || len(recs) != 1 || string(recs[0].Seq) != "ACGT" {
		t.Errorf("ReadAll: %v %v", recs, err)
	}
}

// An error of the source is no end of the file.
func TestSourceError(t *testing.T) {
	boom := errors.New("boom")
	for _, in := range []string{"@a\nACGT\n+\nIIII\n", "@a\nACGT\n+\nIIII\n@b\nAC", "@a\n", ">a\nAC\n", "", pack(t, "@a\nA\n+\nI\n")} {
		_, _, err := readAll(io.MultiReader(strings.NewReader(in), iotest.ErrReader(boom)), "f", fastx.Options{})
		if !errors.Is(err, boom) {
			t.Errorf("%q: %v, want boom", in, err)
		}
	}
}

// genRecords draws records of any shape: the writer's text, however it is packed and cut, reads back the same.
func genRecords(t *rapid.T, fasta bool) []fastx.Record {
	letters := rapid.SampledFrom([]byte("ACGTNacgtnRYKMSWBDHVu"))
	n := rapid.IntRange(1, 30).Draw(t, "records")
	out := make([]fastx.Record, n)
	for i := range out {
		l := rapid.SampledFrom([]int{0, 1, 2, 7, 8, 9, 60, 150, 70000}).Draw(t, "length")
		seed := rapid.SliceOfN(letters, 1, 20).Draw(t, "letters")
		rec := fastx.Record{Name: []byte(fmt.Sprintf("r%d %d", i, l)), Seq: bytes.Repeat(seed, l/len(seed)+1)[:l]}
		if !fasta {
			q := rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "quality")
			for j := range q {
				q[j] = '!' + q[j]%94
			}
			rec.Qual = bytes.Repeat(q, l/len(q)+1)[:l]
		}
		out[i] = rec
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		fasta := rapid.Bool().Draw(t, "fasta")
		recs := genRecords(t, fasta)
		path := filepath.Join(dir, rapid.SampledFrom([]string{"a.fq", "a.fq.gz"}).Draw(t, "name"))
		w, err := fastx.Create(path, fastx.WriterOptions{
			Threads: rapid.IntRange(1, 3).Draw(t, "threads"), Width: rapid.SampledFrom([]int{0, 1, 60}).Draw(t, "width"), Level: rapid.IntRange(0, 9).Draw(t, "level"),
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range recs {
			if err := w.Write(&recs[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		if w.Stored() != int64(len(recs)) || w.Records() != int64(len(recs)) {
			t.Fatalf("%d stored of %d", w.Stored(), len(recs))
		}
		got, err := fastx.ReadAll(path, fastx.Options{Threads: rapid.IntRange(1, 3).Draw(t, "readers")})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(recs) {
			t.Fatalf("%d records, want %d", len(got), len(recs))
		}
		for i, g := range got {
			if w := recs[i]; !bytes.Equal(g.Name, w.Name) || !bytes.Equal(g.Seq, w.Seq) || !bytes.Equal(g.Qual, w.Qual) || (g.Qual == nil) != fasta {
				t.Fatalf("record %d is %.100s, want %.100s", i, short(&g), short(&w))
			}
		}
	})
}

func TestCodes(t *testing.T) {
	if got := fastx.Codes(nil, []byte("ACGTUacgtuNnR-")); !bytes.Equal(got, []byte{0, 1, 2, 3, 3, 0, 1, 2, 3, 3, 4, 4, 4, 4}) {
		t.Errorf("codes %v", got)
	}
	if got := fastx.Phreds(make([]byte, 9), []byte("!I~")); !bytes.Equal(got, []byte{0, 40, 93}) {
		t.Errorf("phreds %v", got)
	}
	rec := fastx.Record{Name: []byte("a\tb c"), Seq: []byte("AC"), Qual: []byte{}}
	c := rec.Clone()
	c.Seq[0] = 'G'
	if string(rec.ID()) != "a" || rec.Seq[0] != 'A' || c.Qual == nil {
		t.Errorf("id %q, clone %v", rec.ID(), c)
	}
}
