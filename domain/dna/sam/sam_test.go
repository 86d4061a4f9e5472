package sam_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
	"github.com/selfsame-ml/selfsame/domain/dna/sam"
	"github.com/selfsame-ml/selfsame/domain/dna/sequencer"
)

// testdata: 14 made-up reads with errors, aligned by minimap2 2.24 (m.sam; cg.paf with -c; cs.paf with --cs); m.bam of m.sam by
// samtools 1.16.1. One read is a chimera with a supplementary alignment, two are not mapped.

func all(t *testing.T, r *sam.Reader, err error) []sam.Alignment {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out, err := collect(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func collect(r *sam.Reader) (out []sam.Alignment, err error) {
	var a sam.Alignment
	for {
		if err := r.Read(&a); err == io.EOF {
			return out, nil
		} else if err != nil {
			return out, err
		}
		c := a
		c.Name, c.Cigar, c.Bases, c.Quals = slices.Clone(a.Name), slices.Clone(a.Cigar), slices.Clone(a.Bases), slices.Clone(a.Quals)
		out = append(out, c)
	}
}

var everything = sam.Options{Unmapped: true, Secondary: true, Supplementary: true}

// Each alignment of the SAM file must have as many differences as the aligner counted (tag NM), and the bases of its read.
func TestSAM(t *testing.T) {
	r, err := sam.Open("testdata/m.sam", everything)
	got := all(t, r, err)
	if len(got) != 15 {
		t.Fatalf("%d alignments, want 15", len(got))
	}
	if d := cmp.Diff([]sam.Reference{{Name: "c1", Length: 4000}, {Name: "c2", Length: 2000}}, r.References()); d != "" {
		t.Error(d)
	}
	refs, err := sam.LoadReference("testdata/ref.fa")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/m.sam")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	reads := readsOf(t)
	nm := regexp.MustCompile(`\tNM:i:(\d+)`)
	for _, a := range got {
		if a.Flag&sam.FlagUnmapped != 0 {
			if a.Ref != "" || a.Pos != -1 || len(a.Cigar) != 0 || !bytes.Equal(a.Bases, reads[string(a.Name)].Seq) {
				t.Errorf("unmapped %s: %+v", a.Name, a)
			}
			continue
		}
		want, err := strconv.Atoi(nm.FindStringSubmatch(lines[a.Line-1])[1])
		if err != nil || !strings.HasPrefix(lines[a.Line-1], string(a.Name)+"\t") {
			t.Fatalf("line %d: %v", a.Line, err)
		}
		diff, end := 0, 0
		a.Walk(func(op sam.Op, q, p int) bool {
			for i := range op.Len {
				if op.Kind != 'M' || a.Bases[q+i] != refs[a.Ref][p+i] || a.Bases[q+i] == 4 {
					diff++
				}
			}
			end = p
			if op.Reference() {
				end = p + op.Len
			}
			return true
		})
		if diff != want || end != a.End() {
			t.Errorf("%s: %d differences, NM says %d; ends at %d, End says %d", a.Name, diff, want, end, a.End())
		}
		if a.Flag&sam.FlagSupplementary != 0 {
			continue // hard-clipped
		}
		read := reads[string(a.Name)]
		bases, quals := slices.Clone(read.Seq), slices.Clone(read.Qual)
		if a.Reverse() {
			slices.Reverse(bases)
			slices.Reverse(quals)
			for i, b := range bases {
				if b < 4 {
					bases[i] = 3 - b
				}
			}
		}
		if !bytes.Equal(a.Bases, bases) || !bytes.Equal(a.Quals, quals) {
			t.Errorf("%s: bases or qualities are not those of the read", a.Name)
		}
	}
}

// readsOf gives the reads as codes and Phred scores.
func readsOf(t *testing.T) map[string]fastx.Record {
	recs, err := fastx.ReadAll("testdata/reads.fq", fastx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]fastx.Record{}
	for _, r := range recs {
		out[string(r.ID())] = fastx.Record{Seq: fastx.Codes(nil, r.Seq), Qual: fastx.Phreds(nil, r.Qual)}
	}
	return out
}

func TestBAMAsSAM(t *testing.T) {
	r, err := sam.Open("testdata/m.sam", everything)
	want := all(t, r, err)
	r, err = sam.Open("testdata/m.bam", everything)
	got := all(t, r, err)
	for i := range want {
		want[i].Line = 0
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestPAFAsSAM(t *testing.T) {
	r, err := sam.Open("testdata/m.sam", sam.Options{})
	want := all(t, r, err)
	if s := r.Skipped(); s != (sam.Skipped{Unmapped: 2, Supplementary: 1}) || s.Total() != 3 || len(want) != 12 {
		t.Errorf("%d alignments, skipped %+v", len(want), s)
	}
	for _, paf := range []string{"testdata/cg.paf", "testdata/cs.paf"} {
		r, err := sam.OpenPAF(paf, "testdata/reads.fq", sam.Options{})
		got := all(t, r, err)
		if s := r.Skipped(); s != (sam.Skipped{Unmapped: 2, Supplementary: 1}) {
			t.Errorf("%s: skipped %+v", paf, s)
		}
		for i := range got {
			got[i].Record, got[i].Line = want[i].Record, want[i].Line
			var merged []sam.Op // cs tells = and X apart
			for _, o := range got[i].Cigar {
				if o.Kind == '=' || o.Kind == 'X' {
					o.Kind = 'M'
				}
				if n := len(merged); n > 0 && merged[n-1].Kind == o.Kind {
					merged[n-1].Len += o.Len
				} else {
					merged = append(merged, o)
				}
			}
			got[i].Cigar = merged
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", paf, d)
		}
	}
}

const head = "@HD\tVN:1.6\n@SQ\tSN:c1\tLN:100\n"

func line(fields ...string) string {
	f := []string{"r", "0", "c1", "11", "60", "4M", "*", "0", "0", "ACGT", "IIII"}
	for i := 0; i+1 < len(fields); i += 2 {
		k, err := strconv.Atoi(fields[i])
		if err != nil {
			panic(err)
		}
		f[k] = fields[i+1]
	}
	return strings.Join(f, "\t") + "\n"
}

func TestSAMShapes(t *testing.T) {
	in := head + line("1", "16", "5", "2H1S1=1X1I2D3N1M1P1S3H", "9", "acNtgU") + line("10", "*") + line("9", "*", "10", "*") + line("5", "*") +
		line("1", "256") + line("1", "2048") + line("1", "512") + line("1", "1024") + line("4", "5") + line("1", "4", "2", "*", "3", "0", "5", "*") + line("3", "0") + "\n"
	in = strings.Replace(in, "acNtgU\tIIII", "acNtgU\t!I5~~J", 1)
	in = strings.ReplaceAll(in, "\n", "\r\n")
	r, err := sam.NewReader(strings.NewReader(in), "f", sam.Options{NoDuplicates: true, MinMapQ: 10})
	got := all(t, r, err)
	want := []sam.Alignment{
		{
			Name: []byte("r"), Flag: 16, Ref: "c1", RefLen: 100, Pos: 10, MapQ: 60, Bases: []byte{0, 1, 4, 3, 2, 3}, Quals: []byte{0, 40, 20, 93, 93, 41}, Record: 1, Line: 3,
			Cigar: []sam.Op{{2, 'H'}, {1, 'S'}, {1, '='}, {1, 'X'}, {1, 'I'}, {2, 'D'}, {3, 'N'}, {1, 'M'}, {1, 'P'}, {1, 'S'}, {3, 'H'}},
		},
		{Name: []byte("r"), Ref: "c1", RefLen: 100, Pos: 10, MapQ: 60, Bases: []byte{0, 1, 2, 3}, Record: 2, Line: 4, Cigar: []sam.Op{{4, 'M'}}},
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) })); d != "" {
		t.Error(d)
	}
	if s := r.Skipped(); s != (sam.Skipped{NoBases: 2, Secondary: 1, Supplementary: 1, Failed: 1, Duplicates: 1, LowMapQ: 1, Unmapped: 2}) {
		t.Errorf("skipped %+v", s)
	}
	var steps []string
	got[0].Walk(func(o sam.Op, q, p int) bool { steps = append(steps, fmt.Sprint(o, q, p)); return len(steps) < 6 })
	if d := cmp.Diff([]string{"1= 1 10", "1X 2 11", "1I 3 12", "2D 4 12", "3N 4 14", "1M 4 17"}, steps); d != "" {
		t.Error(d)
	}
	if e := got[0].End(); e != 18 {
		t.Errorf("end %d, want 18", e)
	}
}

func TestSAMBad(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"few fields", head + "r\t0\tc1\n", []string{`f: line 3 (read "r")`, "3 fields"}},
		{"flag", head + line() + line("1", "x"), []string{"line 4", `FLAG is "x"`}},
		{"position", head + line("3", "-1"), []string{`POS is "-1"`}},
		{"mapping quality", head + line("4", "256"), []string{`MAPQ is "256"`}},
		{"reference", head + line("2", "c9"), []string{`reference "c9" is not in the header`}},
		{"cigar letter", head + line("5", "4Z"), []string{"CIGAR: byte 2 is no operation"}},
		{"cigar number", head + line("5", "M"), []string{"CIGAR: byte 1"}},
		{"cigar end", head + line("5", "4M3"), []string{"CIGAR: byte 4 is no operation"}},
		{"cigar large", head + line("5", "9999999999M"), []string{"CIGAR: an operation of"}},
		{"cigar length", head + line("5", "5M"), []string{"CIGAR takes 5 bases, the read has 4"}},
		{"clip inside", head + line("5", "1M1S2M"), []string{"soft clips stand at the ends"}},
		{"hard clip inside", head + line("5", "1M1H3M"), []string{"hard clips stand at the ends"}},
		{"beyond the reference", head + line("3", "98"), []string{"alignment ends at 101", "100 bases"}},
		{"qualities", head + line("10", "III"), []string{"3 qualities for 4 bases"}},
		{"quality letter", head + line("10", "II I"), []string{"QUAL: byte 3"}},
		{"sequence letter", head + line("9", "AC=T"), []string{"SEQ: byte 3"}},
		{"reference twice", head + "@SQ\tSN:c1\tLN:5\n", []string{"line 3", `"c1" twice`}},
		{"reference length", "@SQ\tSN:c1\tLN:x\n", []string{"line 1", "length"}},
		{"reference name", "@SQ\tLN:3\n", []string{"line 1", "without a name"}},
		{"FASTQ", "@r1\nACGT\n+\nIIII\n", []string{"line 1", "neither SAM nor BAM"}},
		{"FASTA", ">r1\nACGT\n", []string{"neither SAM nor BAM"}},
		{"nothing", "", []string{"an empty file"}},
		{"CRAM", "CRAM\x03\x00", []string{"CRAM"}},
	} {
		err := readAll(c.in)
		var bad *dataset.Error
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v, want *dataset.Error", c.name, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", c.name, err, w)
			}
		}
	}
	if err := readAll(line()); err != nil {
		t.Errorf("without header: %v", err)
	}
}

func readAll(in string) error {
	r, err := sam.NewReader(strings.NewReader(in), "f", everything)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = collect(r)
	var a sam.Alignment
	if again := r.Read(&a); err != nil && again != err {
		return fmt.Errorf("error does not stick: %w, then %w", err, again)
	}
	return err
}

// bam makes a file of one record from a header of c1 (100 bases).
func bam(records ...[]byte) string {
	var b []byte
	b = append(b, "BAM\x01\x04\x00\x00\x00@HD\n\x01\x00\x00\x00\x03\x00\x00\x00c1\x00\x64\x00\x00\x00"...)
	for _, r := range records {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(r)))
		b = append(b, r...)
	}
	return string(b)
}

func record(ref, pos int32, cigar []uint32, seq []byte, n int, qual []byte, tags string) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(ref))
	b = le.AppendUint32(b, uint32(pos))
	b = append(b, 2, 60, 0, 0)
	b = le.AppendUint16(b, uint16(len(cigar)))
	b = le.AppendUint16(b, 0)
	b = le.AppendUint32(b, uint32(n))
	b = append(b, make([]byte, 12)...)
	b = append(b, "r\x00"...)
	for _, c := range cigar {
		b = le.AppendUint32(b, c)
	}
	b = append(append(b, seq...), qual...)
	return append(b, tags...)
}

func TestBAMShapes(t *testing.T) {
	m4 := []uint32{4 << 4}
	acgt, none := []byte{0x12, 0x48}, []byte{0xff, 0xff, 0xff, 0xff}
	good := record(0, 10, m4, acgt, 4, none, "")
	// The long form: 4S10N with the operations in CG.
	long := record(0, 10, []uint32{4<<4 | 4, 10<<4 | 3}, acgt, 4, []byte{1, 2, 3, 4}, "NMi\x01\x00\x00\x00XXZabc\x00CGBI\x02\x00\x00\x00\x10\x00\x00\x00\x37\x00\x00\x00")
	r, err := sam.NewReader(strings.NewReader(bam(good, long)), "f", sam.Options{})
	got := all(t, r, err)
	if len(got) != 2 || len(got[0].Quals) != 0 || !bytes.Equal(got[0].Bases, []byte{0, 1, 2, 3}) || !bytes.Equal(got[1].Quals, []byte{1, 2, 3, 4}) {
		t.Errorf("%+v", got)
	}
	if d := cmp.Diff([]sam.Op{{1, 'M'}, {3, '='}}, got[1].Cigar); d != "" {
		t.Error(d)
	}
	for _, c := range []struct {
		name, in, want string
	}{
		{"cut in a record", bam(good, good)[:len(bam(good))+20], "record 2: the file is cut off"},
		{"cut in a length", bam(good)[:len(bam(good))] + "\x01", "record 2: the file is cut off"},
		{"cut in the header", bam()[:20], "header: the file is cut off"},
		{"size", bam([]byte("short")), "record 1: a record of 5 bytes"},
		{"bases", bam(record(0, 1, m4, acgt, 400, nil, "")), "400 bases do not fit"},
		{"reference", bam(record(1, 1, m4, acgt, 4, none, "")), "reference number 1, the header has 1"},
		{"operation", bam(record(0, 1, []uint32{4<<4 | 9}, acgt, 4, none, "")), "operation number 9"},
		{"cigar", bam(record(0, 1, []uint32{5 << 4}, acgt, 4, none, "")), `record 1 (read "r"): CIGAR takes 5 bases`},
		{"equal sign", bam(record(0, 1, m4, []byte{0x10, 0x48}, 4, none, "")), "base 2 is '='"},
		{"quality", bam(record(0, 1, m4, acgt, 4, []byte{1, 94, 1, 1}, "")), "quality 2 is 94"},
		{"beyond", bam(record(0, 97, m4, acgt, 4, none, "")), "alignment ends at 101"},
		{"tags", bam(record(0, 1, []uint32{4<<4 | 4, 10<<4 | 3}, acgt, 4, none, "NMi\x01")), `tag "NM"`},
	} {
		if err := readAll(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestBAMCut(t *testing.T) {
	b, err := os.ReadFile("testdata/m.bam")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{len(b) - 28 - 10, len(b) / 2} {
		if err := readAll(string(b[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	var warned string
	r, err := sam.NewReader(bytes.NewReader(b[:len(b)-28]), "f", sam.Options{Warn: func(f string, a ...any) { warned = fmt.Sprintf(f, a...) }})
	all(t, r, err)
	if !strings.Contains(warned, "end block is missing") {
		t.Errorf("warned %q", warned)
	}
}

func TestPAFBad(t *testing.T) {
	fq := "@a x\nACGTA\n+\nIIIII\n@b\nACGT\n+\nIIII\n"
	row := func(old, new string) string {
		return strings.Replace("a\t5\t0\t4\t+\tc1\t100\t10\t14\t4\t4\t60\tcg:Z:4M\n", old, new, 1)
	}
	for _, c := range []struct{ name, paf, want string }{
		{"good", row("", ""), ""},
		{"good cs", row("cg:Z:4M", "cs:Z::2*ag:1"), ""},
		{"cs, every kind", row("14\t4\t4\t60\tcg:Z:4M", "21\t4\t4\t60\tcs:Z:=A+c-g~gt8ag*ct=T"), "ends at 22 of the reference, the PAF says 21"},
		{"few fields", "a\t5\n", `line 1 (read "a"): 2 fields`},
		{"number", row("5\t0", "5\tx"), `field 3 is "x"`},
		{"order", row("0\t4\t", "4\t0\t"), "against the order"},
		{"strand", row("+", "?"), `strand is "?"`},
		{"no tag", row("\tcg:Z:4M", ""), "neither a cg:Z: nor a cs:Z: tag"},
		{"cigar", row("4M", "4Q"), "CIGAR: byte 2"},
		{"cigar length", row("4M", "3M"), "CIGAR takes 4 bases, the read has 5"},
		{"reference length", row("4M", "4M1D"), "ends at 15 of the reference, the PAF says 14"},
		{"read length", row("a\t5", "a\t6"), "the read has 5 bases in"},
		{"no such read", row("a\t", "z\t"), "the read is not in"},
		{"other order", row("", "b\t4\t0\t4\t+\tc1\t100\t10\t14\t4\t4\t60\tcg:Z:4M\n"), "in the order of the reads"},
		{"cs letter", row("cg:Z:4M", "cs:Z::2?"), "cs: byte 3"},
		{"cs number", row("cg:Z:4M", "cs:Z::"), "cs: byte 1"},
		{"cs intron", row("cg:Z:4M", "cs:Z:~gt5a"), "intron"},
		{"cs substitution", row("cg:Z:4M", "cs:Z:*a"), "two letters"},
	} {
		q, err := fastx.NewReader(strings.NewReader(fq), "q", fastx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := sam.NewPAF(strings.NewReader(c.paf), "f", q, sam.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := collect(r)
		r.Close()
		if c.want == "" {
			if err != nil || len(got) != 1 || got[0].Pos != 10 || got[0].End() != 14 || r.Skipped().Unmapped != 1 {
				t.Errorf("%s: %+v %v", c.name, got, err)
			}
			continue
		}
		var bad *dataset.Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestSource(t *testing.T) {
	refs, err := sam.LoadReference("testdata/ref.fa")
	if err != nil {
		t.Fatal(err)
	}
	r, err := sam.Open("testdata/m.bam", sam.Options{Unmapped: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, rep, err := sequencer.Fit(sam.NewSource(r, refs), sequencer.FitOptions{MinBases: 100})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Reads != 12 || rep.Bad != 0 || rep.Sub < 0.005 || rep.Sub > 0.05 || rep.Del < 0.005 || rep.Del > 0.05 {
		t.Errorf("%+v", rep)
	}
	for name, change := range map[string]func(m map[string][]uint8){
		`reference "c2" is not in the FASTA`: func(m map[string][]uint8) { delete(m, "c2") },
		"another version?":                   func(m map[string][]uint8) { m["c2"] = m["c2"][1:] },
	} {
		m := map[string][]uint8{"c1": refs["c1"], "c2": refs["c2"]}
		change(m)
		r, err := sam.Open("testdata/m.sam", sam.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var a sequencer.Alignment
		if err := sam.NewSource(r, m).Next(&a); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
		r.Close()
	}
	dir := t.TempDir()
	for text, want := range map[string]string{">a\nA\n>a\nC\n": `line 3: the name "a" is there twice`, "": "no sequence"} {
		p := filepath.Join(dir, "x.fa")
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := sam.LoadReference(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestFiles(t *testing.T) {
	var bad *dataset.Error
	for _, err := range []error{
		second(sam.Open("testdata/absent.bam", sam.Options{})), second(sam.Open("testdata", sam.Options{})),
		second(sam.OpenPAF("testdata/cg.paf", "testdata/absent.fq", sam.Options{})), second(sam.OpenPAF("testdata/absent.paf", "testdata/reads.fq", sam.Options{})),
	} {
		if !errors.As(err, &bad) {
			t.Errorf("%v", err)
		}
	}
	text, err := os.ReadFile("testdata/m.sam")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text)
	z.Close()
	r, err := sam.NewReader(&b, "f", sam.Options{})
	if got := all(t, r, err); len(got) != 12 {
		t.Errorf("gzip: %d alignments, want 12", len(got))
	}
	packed, err := os.ReadFile("testdata/m.bam")
	if err != nil {
		t.Fatal(err)
	}
	b.Reset()
	z = gzip.NewWriter(&b)
	z.Write(packed)
	z.Close()
	r, err = sam.NewReader(&b, "f", sam.Options{})
	if got := all(t, r, err); len(got) != 12 {
		t.Errorf("BAM in gzip: %d alignments, want 12", len(got))
	}
}

func second(_ *sam.Reader, err error) error { return err }

func fuzz(f *testing.F, open func(in []byte) (*sam.Reader, error)) {
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := open(in)
		var got []sam.Alignment
		if err == nil {
			got, err = collect(r)
			r.Close()
		}
		var bad *dataset.Error
		if err != nil && !errors.As(err, &bad) {
			t.Fatalf("error %v is no *dataset.Error", err)
		}
		for _, a := range got {
			n := 0
			for _, o := range a.Cigar {
				if o.Query() {
					n += o.Len
				}
			}
			if len(a.Cigar) > 0 && n != len(a.Bases) || len(a.Quals) != 0 && len(a.Quals) != len(a.Bases) || slices.ContainsFunc(a.Bases, func(b uint8) bool { return b > 4 }) {
				t.Fatalf("%+v", a)
			}
		}
	})
}

func FuzzSAM(f *testing.F) {
	f.Add([]byte(head + line() + line("1", "16", "5", "1S2M1H")))
	f.Add([]byte(line("1", "4", "2", "*")))
	fuzz(f, func(in []byte) (*sam.Reader, error) { return sam.NewReader(bytes.NewReader(in), "f", everything) })
}

func FuzzBAM(f *testing.F) {
	f.Add([]byte(bam(record(0, 10, []uint32{4 << 4}, []byte{0x12, 0x48}, 4, []byte{1, 2, 3, 4}, "NMi\x01\x00\x00\x00"))))
	f.Add([]byte(bam(record(0, 10, []uint32{4<<4 | 4, 10<<4 | 3}, []byte{0x12, 0x48}, 4, []byte{1, 2, 3, 4}, "CGBI\x02\x00\x00\x00\x10\x00\x00\x00\x37\x00\x00\x00"))))
	fuzz(f, func(in []byte) (*sam.Reader, error) {
		return sam.NewReader(bytes.NewReader(append([]byte("BAM\x01"), bytes.TrimPrefix(in, []byte("BAM\x01"))...)), "f", everything)
	})
}

func FuzzPAF(f *testing.F) {
	f.Add([]byte("a\t5\t0\t4\t+\tc1\t100\t10\t14\t4\t4\t60\tcg:Z:4M\n"))
	f.Add([]byte("a\t5\t0\t4\t-\tc1\t100\t10\t14\t4\t4\t60\tcs:Z::2*ag:1\na\t5\t0\t4\t+\tc1\t100\t10\t22\t4\t4\t60\tcs:Z:=A+c-g~gt8ag*ct=T\n"))
	fuzz(f, func(in []byte) (*sam.Reader, error) {
		q, err := fastx.NewReader(strings.NewReader("@a x\nACGTA\n+\nIIIII\n@b\nACGT\n+\nIIII\n"), "q", fastx.Options{})
		if err != nil {
			return nil, err
		}
		return sam.NewPAF(bytes.NewReader(in), "f", q, everything)
	})
}

// Alignments of the golden files, over and over; MB/s of text.
func BenchmarkSAM(b *testing.B) { benchmark(b, "testdata/m.sam") }
func BenchmarkBAM(b *testing.B) { benchmark(b, "testdata/m.bam") }

func benchmark(b *testing.B, path string) {
	in, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	if bytes.HasPrefix(in, []byte{0x1f}) {
		z, err := gzip.NewReader(bytes.NewReader(in))
		if err != nil {
			b.Fatal(err)
		}
		if in, err = io.ReadAll(z); err != nil {
			b.Fatal(err)
		}
		start := bytes.Index(in, []byte("c2\x00")) + 7
		in = slices.Concat(in[:start], bytes.Repeat(in[start:], 500))
	} else {
		start := bytes.Index(in, []byte("\nr0\t")) + 1
		in = slices.Concat(in[:start], bytes.Repeat(in[start:], 500))
	}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	var a sam.Alignment
	for b.Loop() {
		r, err := sam.NewReader(bytes.NewReader(in), "b", sam.Options{})
		if err != nil {
			b.Fatal(err)
		}
		for err = r.Read(&a); err == nil; err = r.Read(&a) {
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		r.Close()
	}
}
