package image

import "github.com/selfsame-ml/selfsame/domain"

var _ domain.Samples = (*Samples)(nil)

// Encoder returns the graph of the recipe's encoder.
func (s *Samples) Encoder() (domain.Encoder, error) {
	e, err := NewEncoder(s.recipe.Encoder, s.Input())
	if err != nil {
		return nil, err
	}
	return e, nil
}
