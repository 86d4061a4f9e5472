package dna

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
	"github.com/selfsame-ml/selfsame/internal/rng"
)

// baseN is the code of a base that is not known; 0, 1, 2, 3 are A, C, G, T.
const baseN = 4

// codeOf gives the code of a letter; IUPAC codes of several bases are unknown ones here.
var codeOf = func() (t [256]uint8) {
	for i := range t {
		t[i] = baseN
	}
	for c, b := range "ACGT" {
		t[b], t[b+'a'-'A'] = uint8(c), uint8(c)
	}
	t['U'], t['u'] = 3, 3
	return t
}()

// contig is one sequence of a reference.
type contig struct {
	name     string // up to the first blank
	from, to int    // in the bases of the reference
}

// reference holds genomes as codes, one behind the other.
type reference struct {
	bases   []uint8
	contigs []contig
	files   []string
}

// endings of files that hold sequences, also with .gz behind them.
var endings = []string{".fa", ".fasta", ".fna", ".ffn", ".fas"}

// isFASTA tells by the name.
func isFASTA(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	return slices.Contains(endings, filepath.Ext(name))
}

// overlooked tells by the name whether a file of a folder may well hold sequences, but is not read.
func overlooked(name string) bool {
	name = strings.ToLower(name)
	for _, z := range []string{".gz", ".xz", ".zst", ".bz2", ".zip"} {
		name = strings.TrimSuffix(name, z)
	}
	return slices.Contains(endings, filepath.Ext(name)) || slices.Contains([]string{".fq", ".fastq", ".gb", ".gbk", ".gbff", ".embl", ".2bit", ".fsa", ".seq"}, filepath.Ext(name))
}

// filesOf lists the FASTA files of a source in order: a file, a folder, a glob or a data set of the catalogue. It warns of what it passes over in a folder.
func filesOf(source, cacheDir string, warn func(string, ...any)) ([]string, error) {
	if e, ok := dataset.Lookup(source); ok {
		if e.Domain != "dna" {
			return nil, dataset.Bad(source, "", "a data set of domain %s, not of DNA", e.Domain)
		}
		if cacheDir == "" {
			var err error
			if cacheDir, err = dataset.DefaultCacheDir(); err != nil {
				return nil, err
			}
		}
		dir, err := dataset.Locate(source, cacheDir)
		if err != nil {
			return nil, err
		}
		var out []string
		for _, f := range e.Files {
			if f.Role == "genome" {
				out = append(out, filepath.Join(dir, f.Name))
			}
		}
		if len(out) == 0 {
			return nil, dataset.Bad(source, "", "the data set holds no genome")
		}
		return out, nil
	}
	info, err := os.Stat(source)
	switch {
	case err == nil && !info.IsDir():
		return []string{source}, nil
	case err == nil:
		list, err := os.ReadDir(source)
		if err != nil {
			return nil, &dataset.Error{Path: source, Err: err}
		}
		var out, over []string
		for _, e := range list {
			switch name := e.Name(); {
			case !e.IsDir() && isFASTA(name):
				out = append(out, filepath.Join(source, name))
			case strings.HasPrefix(name, "."):
			case e.IsDir():
				over = append(over, name+string(filepath.Separator))
			case overlooked(name):
				over = append(over, name)
			}
		}
		if len(over) > 0 && len(out) > 0 && warn != nil {
			shown := strings.Join(over[:min(len(over), 5)], ", ")
			if len(over) > 5 {
				shown += fmt.Sprintf(" and %d more", len(over)-5)
			}
			warn("%s: not read: %s (the files of a folder are read that end in %s, with or without .gz; no folders within)", source, shown, strings.Join(endings, ", "))
		}
		if len(out) == 0 {
			return nil, &dataset.Error{Path: source, Err: errors.New("the folder holds no FASTA file"), Hint: "their names end in " + strings.Join(endings, ", ") + ", with or without .gz"}
		}
		return out, nil
	}
	out, gerr := filepath.Glob(source)
	if gerr != nil || len(out) == 0 {
		return nil, &dataset.Error{Path: source, Err: err, Hint: "name a FASTA file, a folder of them or a glob such as genomes/*.fa.gz"}
	}
	out = slices.DeleteFunc(out, func(p string) bool { i, err := os.Stat(p); return err != nil || i.IsDir() })
	if len(out) == 0 {
		return nil, dataset.Bad(source, "", "the glob names folders only")
	}
	slices.Sort(out)
	return out, nil
}

// readReference reads every sequence of a source.
func readReference(source, cacheDir string, opt domain.OpenOptions, stop func() error) (*reference, error) {
	if source == "" {
		return nil, &dataset.Error{Err: errors.New("no FASTA source is named"), Hint: "set data.source"}
	}
	files, err := filesOf(source, cacheDir, opt.Warn)
	if err != nil {
		return nil, err
	}
	ref := &reference{files: files}
	for k, path := range files {
		if opt.Progress != nil {
			opt.Progress("read "+filepath.Base(path), k, len(files))
		}
		if err := ref.add(path, opt.Warn, stop); err != nil {
			return nil, err
		}
	}
	if len(ref.bases) == 0 {
		return nil, dataset.Bad(source, "", "holds no sequence")
	}
	return ref, nil
}

func (ref *reference) add(path string, warn func(string, ...any), stop func() error) error {
	f, err := fastx.Open(path, fastx.Options{Warn: warn})
	if err != nil {
		return err
	}
	defer f.Close()
	var rec fastx.Record
	for {
		if err := stop(); err != nil {
			return err
		}
		err := f.Read(&rec)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.Qual != nil {
			return &dataset.Error{Path: path, Err: errors.New("a FASTQ file, not a genome"), Hint: "reads are made from reference genomes: data.source names FASTA files"}
		}
		from := len(ref.bases)
		for _, b := range rec.Seq {
			ref.bases = append(ref.bases, codeOf[b])
		}
		ref.contigs = append(ref.contigs, contig{name: string(rec.ID()), from: from, to: len(ref.bases)})
	}
}

// digest identifies the bases and their division into sequences.
func (ref *reference) digest() string {
	h := sha256.New()
	h.Write(ref.bases)
	for _, c := range ref.contigs {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(c.to))
		h.Write(b[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// stretch is a run of bases of one part; it lies in one sequence, and every island of the part inside one of its stretches.
type stretch struct{ from, to int }

// blockSize is the length of the stretches that are given to parts, where the reference is long enough.
const blockSize = 20_000

// blocks cuts the sequences into blocks of about size bases that hold at least least known bases in a row.
func (ref *reference) blocks(size, least int) []stretch {
	var out []stretch
	for _, c := range ref.contigs {
		n := max(1, (c.to-c.from+size/2)/size)
		for k := range n {
			b := stretch{c.from + k*(c.to-c.from)/n, c.from + (k+1)*(c.to-c.from)/n}
			if ref.longestKnown(b) >= least {
				out = append(out, b)
			}
		}
	}
	return out
}

// longestKnown is the longest run without N.
func (ref *reference) longestKnown(b stretch) int {
	best, run := 0, 0
	for _, c := range ref.bases[b.from:b.to] {
		if run++; c == baseN {
			run = 0
		}
		best = max(best, run)
	}
	return best
}

// split gives blocks to the parts by a draw keyed by the seed. val below 1 is a share, else a number of samples.
func split(blocks []stretch, seed uint64, val, test float64, samples func(stretch) int) (parts [3][]stretch) {
	order := rng.New(seed, rng.Split, 0).Perm(len(blocks))
	take := func(share float64) int {
		if share <= 0 {
			return 0
		}
		return max(1, int(share*float64(len(blocks))+0.5))
	}
	nTest := take(test)
	nVal := 0
	if val < 1 {
		nVal = take(val)
	} else {
		for n := 0; nTest+nVal < len(order) && n < int(val); nVal++ {
			n += samples(blocks[order[nTest+nVal]])
		}
	}
	for k, b := range order {
		p := domain.Train
		switch {
		case k < nTest:
			p = domain.Test
		case k < nTest+nVal:
			p = domain.Val
		}
		parts[p] = append(parts[p], blocks[b])
	}
	for p := range parts { // in the order of the reference
		slices.SortFunc(parts[p], func(a, b stretch) int { return a.from - b.from })
	}
	return parts
}

// place names a position for people: "sequence:17", from 1.
func (ref *reference) place(at int) string {
	i, _ := slices.BinarySearchFunc(ref.contigs, at, func(c contig, at int) int { return c.to - at - 1 })
	if i >= len(ref.contigs) {
		return fmt.Sprint(at)
	}
	name := ref.contigs[i].name
	if name == "" {
		name = fmt.Sprintf("sequence %d", i+1)
	}
	return fmt.Sprintf("%s:%d", name, at-ref.contigs[i].from+1)
}
