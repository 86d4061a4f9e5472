package sam

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/dataset"
	"github.com/selfsame-ml/selfsame/domain/dna/fastx"
	"github.com/selfsame-ml/selfsame/domain/dna/sequencer"
)

// LoadReference reads a FASTA file as base codes by name, the name up to the first blank. A name that is there twice is an error.
func LoadReference(path string) (map[string][]uint8, error) {
	r, err := fastx.Open(path, fastx.Options{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	refs := map[string][]uint8{}
	var rec fastx.Record
	for {
		err := r.Read(&rec)
		if err == io.EOF && len(refs) == 0 {
			return nil, dataset.Bad(path, "", "no sequence")
		}
		if err == io.EOF {
			return refs, nil
		}
		if err != nil {
			return nil, err
		}
		name := string(rec.ID())
		if _, ok := refs[name]; ok {
			return nil, dataset.Bad(path, fmt.Sprintf("line %d", rec.Line), "the name %q is there twice", name)
		}
		refs[name] = fastx.Codes(nil, rec.Seq)
	}
}

// Source gives the alignments of a Reader with their reference to [sequencer.Fit].
type Source struct {
	r    *Reader
	refs map[string][]uint8
	a    Alignment
	ops  []sequencer.Op
}

// CheckReference compares the references that the header of r names with those of a FASTA file: an error (*dataset.Error, with
// a hint) where none of them is there, or where one is there with another length. Those that are missing may go unused: [Source]
// complains of them when a read lies there.
func CheckReference(r *Reader, refs map[string][]uint8) error {
	found := 0
	for _, h := range r.refs {
		seq, ok := refs[h.Name]
		if !ok {
			continue
		}
		found++
		if h.Length > 0 && h.Length != len(seq) {
			return &dataset.Error{Path: r.name, Record: "header", Err: fmt.Errorf("the reference %q has %d bases here, %d in the FASTA file: another version?", h.Name, h.Length, len(seq)), Hint: hintReference}
		}
	}
	if found == 0 && len(r.refs) > 0 {
		return &dataset.Error{Path: r.name, Record: "header", Err: fmt.Errorf("no reference that it names is in the FASTA file: %s here, %s there", some(r.refs), someOf(refs)), Hint: hintReference}
	}
	return nil
}

const hintReference = "give the FASTA file that the reads were aligned to, with the same names"

// some lists the first names.
func some(refs []Reference) string {
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.Name
	}
	return list(names)
}

func someOf(refs map[string][]uint8) string { return list(slices.Sorted(maps.Keys(refs))) }

func list(names []string) string {
	var b strings.Builder
	for i, n := range names {
		if i == 3 {
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(n))
	}
	return b.String()
}

var _ sequencer.Source = (*Source)(nil)

// NewSource joins alignments and references, as of [LoadReference]. Next fails where a reference is missing or of another length
// than the alignments say.
func NewSource(r *Reader, refs map[string][]uint8) *Source { return &Source{r: r, refs: refs} }

// Next gives the next alignment of the reader; io.EOF is the end.
func (s *Source) Next(dst *sequencer.Alignment) error {
	for {
		if err := s.r.Read(&s.a); err != nil {
			return err
		}
		if s.a.Flag&FlagUnmapped == 0 {
			break
		}
	}
	ref, ok := s.refs[s.a.Ref]
	if !ok {
		return s.other("the reference %q is not in the FASTA file, which holds %s", s.a.Ref, someOf(s.refs))
	}
	if end := s.a.End(); s.a.RefLen > 0 && s.a.RefLen != len(ref) || end > len(ref) {
		return s.other("the reference %q has %d bases in the FASTA file, the alignments say %d: another version?", s.a.Ref, len(ref), max(s.a.RefLen, end))
	}
	s.ops = s.ops[:0]
	for _, o := range s.a.Cigar {
		s.ops = append(s.ops, sequencer.Op{Len: o.Len, Kind: o.Kind})
	}
	*dst = sequencer.Alignment{Ref: ref, Start: s.a.Pos, Query: s.a.Bases, Quals: s.a.Quals, Cigar: s.ops, Reverse: s.a.Reverse()}
	return nil
}

// other is an alignment to another reference than the one at hand.
func (s *Source) other(format string, args ...any) error {
	err := s.r.bad(s.a.Name, format, args...)
	var bad *dataset.Error
	if errors.As(err, &bad) {
		bad.Hint = hintReference
	}
	return err
}
