package image

import (
	"context"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// Domain is the image domain: pixels of any size and number of channels, 8 or 16 bit.
type Domain struct{}

var _ domain.Domain = Domain{}

// Name is "image".
func (Domain) Name() string { return "image" }

// Specs lists the image transformations.
func (Domain) Specs() []view.Spec { return Specs() }

// Open reads the images of a recipe; see OpenSamples.
func (Domain) Open(ctx context.Context, r *recipe.Recipe, opt domain.OpenOptions) (domain.Samples, error) {
	s, err := OpenSamples(ctx, r, opt)
	if err != nil {
		return nil, err
	}
	return s, nil
}
