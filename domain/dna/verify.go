package dna

import (
	"fmt"
	"strings"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/dna/sequencer"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/view"
)

// letters of base codes.
const letters = "ACGTN"

func spell(codes []uint8) string {
	var b strings.Builder
	for _, c := range codes {
		b.WriteByte(letters[min(c, baseN)])
	}
	return b.String()
}

// reconstructs holds a read and its truth against the template: taking Here at every position, and After behind it, gives the
// template back, but for those bases of longer gaps that After cannot tell, of which there are Lost.
func reconstructs(template []uint8, r *sequencer.Read) error {
	n := len(r.Bases)
	if len(r.Quals) != n || len(r.Here) != n || len(r.After) != n || len(r.Pos) != n || r.Body > n || r.Used > len(template) {
		return fmt.Errorf("a read of %d bases has %d qualities, %d and %d labels, and used %d of %d bases of the template", n, len(r.Quals), len(r.Here), len(r.After), r.Used, len(template))
	}
	at, lost := 0, 0
	for j := range r.Body {
		switch here, pos := r.Here[j], int(r.Pos[j]); {
		case here == sequencer.Delete:
			if pos >= 0 {
				return fmt.Errorf("position %d is to be deleted, but is base %d of the template", j, pos)
			}
		case pos != at || at >= len(template):
			return fmt.Errorf("position %d is base %d of the template, want %d of %d", j, pos, at, len(template))
		case here != template[at] && !(here == sequencer.Unknown && template[at] >= baseN):
			return fmt.Errorf("position %d should be %d, the template has %d", j, here, template[at])
		default:
			at++
		}
		if after := r.After[j]; after > 0 {
			if at >= len(template) || template[at] != after-1 {
				return fmt.Errorf("behind position %d base code %d is missing, the template has another", j, after-1)
			}
			at++
			for k := j + 1; k < r.Body; k++ { // the next base that is one of the template says how long the gap was
				if r.Pos[k] >= 0 {
					lost += int(r.Pos[k]) - at
					at = int(r.Pos[k])
					break
				}
			}
		}
	}
	if at+r.Lost-lost != r.Used || lost > r.Lost {
		return fmt.Errorf("the truth tells %d bases of the template and %d are lost; used were %d, lost %d", at, lost, r.Used, r.Lost)
	}
	return nil
}

// breach looks at every read of a view.
func (s *Samples) breach(p domain.Part, i int, params *view.Params) *domain.Breach {
	l, err := s.borrow()
	if err != nil {
		return &domain.Breach{Rule: "a view can be made", Text: err.Error()}
	}
	var out *domain.Breach
	l.check = func(template []uint8, r *sequencer.Read) {
		if err := reconstructs(template, r); err != nil && out == nil {
			out = &domain.Breach{Rule: "a read and its truth give the template back", Text: err.Error(),
				Names: []string{"bases"}, Original: []string{spell(template[:min(r.Used, len(template))])}, View: []string{spell(r.Bases)}}
		}
	}
	err = s.view(l, p, i, params)
	l.check = nil
	s.giveBack(l)
	if err != nil {
		return &domain.Breach{Rule: "a view can be made", Text: err.Error()}
	}
	return out
}

// VerifyView checks that every read of the view of training sample i, the read itself and those that overlap it, gives its
// template back; nil is so.
func (s *Samples) VerifyView(seed, epoch uint64, i int) *domain.Breach {
	v, err := s.sampler()
	if err != nil {
		return &domain.Breach{Rule: "a view can be made", Text: err.Error()}
	}
	var p view.Params
	v.params(rng.NewStream(), seed, epoch, i, &p)
	return s.breach(domain.Train, i, &p)
}

// Verify does the same for one transformation alone.
func (s *Samples) Verify(_ domain.Transformation, p domain.Part, i int, params view.Params) *domain.Breach {
	return s.breach(p, i, &params)
}

// Properties is nil: nothing is known of a place of a genome beside its bases.
func (s *Samples) Properties() []domain.Property { return nil }

var _ domain.Verifier = (*Samples)(nil)
