package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ulikunitz/xz"

	"github.com/selfsame-ml/selfsame/dataset/genbank"
	"github.com/selfsame-ml/selfsame/dataset/maf"
	"github.com/selfsame-ml/selfsame/dataset/phylip"
)

// Words of File.Made. Each makes FASTA files, of 80 bases a line where the member's are not kept.
const (
	madeUnpacked = "unpacked"   // the member without its compression
	madeUpper    = "upper"      // the same in upper case: a FASTA file all in lower case, which would pass for one long repeat
	madeGenBank  = "genbank"    // the sequences of the flat file, upper case
	madeBlocks   = "maf-blocks" // the rows of a genome without gaps, one record a block
	madeRuns     = "maf-runs"   // the rows of a genome without gaps, put together by their positions
	madePhylip   = "phylip"     // a sequence of the alignment without gaps
)

// errTooLarge ends the making of a file that becomes larger than the catalogue says, before it fills the disk.
var errTooLarge = errors.New("larger than the catalogue says")

// makeFiles writes the files that are made of one member of a package.
func makeFiles(member string, r io.Reader, dir string, files []File) (err error) {
	name := path.Base(member)
	plain, err := decompress(name, r)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	outs := make([]*fasta, len(files))
	defer func() {
		for _, o := range outs {
			if o != nil {
				err = errors.Join(err, o.close())
			}
		}
	}()
	kind := ""
	args := make([]string, len(files))
	for i, f := range files {
		k, arg, _ := strings.Cut(f.Made, " ")
		if i > 0 && k != kind {
			return fmt.Errorf("%s: made as %q and as %q", name, kind, k)
		}
		kind, args[i] = k, arg
		file, err := os.OpenFile(filepath.Join(dir, f.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		outs[i] = &fasta{file: file, left: f.Size}
		outs[i].w = bufio.NewWriterSize(outs[i], 1<<18)
	}
	if len(outs) > 1 && (kind == madeUnpacked || kind == madeUpper) {
		return fmt.Errorf("%s: %s to %s also", name, kind, files[1].Name)
	}
	switch kind {
	case madeUnpacked:
		_, err = io.Copy(outs[0].w, plain)
	case madeUpper:
		err = toUpper(plain, name, outs[0])
	case madeGenBank:
		err = fromGenBank(plain, name, outs)
	case madeBlocks:
		err = fromBlocks(plain, name, args, outs)
	case madeRuns:
		err = fromRuns(plain, name, args, outs)
	case madePhylip:
		err = fromPhylip(plain, name, args, outs)
	default:
		err = fmt.Errorf("%s: made as %q, which is not known", name, kind)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, plain) // what is behind the last record counts for the checksums of gzip and xz
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	return nil
}

// decompress goes by the ending of the name.
func decompress(name string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(path.Ext(name)) {
	case ".gz":
		return gzip.NewReader(r)
	case ".xz":
		return xz.NewReader(bufio.NewReader(r))
	}
	return r, nil
}

// fasta writes records to one file, no more than left bytes.
type fasta struct {
	file *os.File
	w    *bufio.Writer
	left int64
}

func (f *fasta) Write(b []byte) (int, error) {
	if f.left -= int64(len(b)); f.left < 0 {
		return 0, fmt.Errorf("%s: %w", filepath.Base(f.file.Name()), errTooLarge)
	}
	return f.file.Write(b)
}

// record writes one sequence; an empty one is left out. Errors stay in w and come with close.
func (f *fasta) record(name string, bases []byte) {
	if len(bases) == 0 {
		return
	}
	f.w.WriteByte('>')
	f.w.WriteString(name)
	f.w.WriteByte('\n')
	for len(bases) > 0 {
		n := min(80, len(bases))
		_, _ = f.w.Write(bases[:n]) // bufio keeps the error
		f.w.WriteByte('\n')
		bases = bases[n:]
	}
}

func (f *fasta) close() error {
	err := f.w.Flush()
	if err == nil {
		err = f.file.Sync()
	}
	return errors.Join(err, f.file.Close())
}

// failed tells whether a file cannot be written any more, so that reading can end early.
func failed(outs []*fasta) error {
	for _, o := range outs {
		if o.left < 0 {
			return fmt.Errorf("%s: %w", filepath.Base(o.file.Name()), errTooLarge)
		}
	}
	return nil
}

// toUpper changes the case of sequences and keeps names and lines.
func toUpper(r io.Reader, name string, out *fasta) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 1<<16), 1<<28)
	line := 0
	for in.Scan() {
		line++
		l := in.Bytes()
		if line == 1 && (len(l) == 0 || l[0] != '>') {
			return fmt.Errorf("%s: line 1: no FASTA file, whose first letter is >", name)
		}
		if len(l) > 0 && l[0] != '>' {
			for i, c := range l {
				if 'a' <= c && c <= 'z' {
					l[i] = c - 'a' + 'A'
				}
			}
		}
		_, _ = out.w.Write(l) // bufio keeps the error
		if err := out.w.WriteByte('\n'); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("%s: line %d: %w", name, line+1, err)
	}
	return nil
}

func fromGenBank(r io.Reader, name string, outs []*fasta) error {
	g := genbank.NewReader(r, name)
	for rec := (genbank.Record{}); ; {
		err := g.Next(&rec)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = failed(outs)
		}
		if err != nil {
			return err
		}
		id := rec.Version
		if id == "" {
			id = rec.Locus
		}
		for _, o := range outs {
			o.record(strings.TrimSpace(id+" "+rec.Definition), bytes.ToUpper(rec.Bases))
		}
	}
}

// fromBlocks writes the block's number and the sequence it comes from into the names. The positions are left out: of the orangutan of
// maffilter-examples the file holds zeros.
func fromBlocks(r io.Reader, name string, genomes []string, outs []*fasta) error {
	place := map[string]int{}
	for i, g := range genomes {
		place[g] = i
	}
	m := maf.NewReader(r, name)
	count := make([]int, len(outs))
	var bases []byte
	n := 0
	for b := (maf.Block{}); ; {
		err := m.Next(&b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = failed(outs)
		}
		if err != nil {
			return err
		}
		n++
		for i := range b.Rows {
			row := &b.Rows[i]
			k, ok := place[row.Genome()]
			if !ok {
				continue
			}
			count[k]++
			bases = row.AppendBases(bases[:0])
			outs[k].record(fmt.Sprintf("block%d %s", n, row.Src), bases)
		}
	}
	for i, c := range count {
		if c != n {
			return fmt.Errorf("%s: %d rows of %s in %d blocks, expected one in each", name, c, genomes[i], n)
		}
	}
	return nil
}

func fromRuns(r io.Reader, name string, genomes []string, outs []*fasta) error {
	runs, err := maf.Runs(r, name, genomes)
	if err != nil {
		return err
	}
	for i, g := range genomes {
		for _, run := range runs[g] {
			outs[i].record(fmt.Sprintf("%s:%d-%d", run.Src, run.From+1, run.To()), run.Bases)
		}
	}
	return nil
}

func fromPhylip(r io.Reader, name string, names []string, outs []*fasta) error {
	// In PAML's mtCDNAmam.nuc the last codon of the platypus, a TAG, stands behind the 9,993 columns.
	seqs, err := phylip.Read(r, name, phylip.Options{Overlong: true})
	if err != nil {
		return err
	}
	at := map[string][]byte{}
	for _, s := range seqs {
		at[s.Name] = s.Bases
	}
	for i, n := range names {
		s, ok := at[n]
		if !ok {
			return fmt.Errorf("%s: no sequence %q", name, n)
		}
		s = bytes.ReplaceAll(bytes.ReplaceAll(s, []byte("-"), nil), []byte("?"), []byte("N"))
		outs[i].record(n, s)
	}
	return nil
}
