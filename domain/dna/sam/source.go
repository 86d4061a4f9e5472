package sam

import (
	"fmt"
	"io"

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
		return s.r.bad(s.a.Name, "the reference %q is not in the FASTA file", s.a.Ref)
	}
	if end := s.a.End(); s.a.RefLen > 0 && s.a.RefLen != len(ref) || end > len(ref) {
		return s.r.bad(s.a.Name, "the reference %q has %d bases in the FASTA file, the alignments say %d: another version?", s.a.Ref, len(ref), max(s.a.RefLen, end))
	}
	s.ops = s.ops[:0]
	for _, o := range s.a.Cigar {
		s.ops = append(s.ops, sequencer.Op{Len: o.Len, Kind: o.Kind})
	}
	*dst = sequencer.Alignment{Ref: ref, Start: s.a.Pos, Query: s.a.Bases, Quals: s.a.Quals, Cigar: s.ops, Reverse: s.a.Reverse()}
	return nil
}
