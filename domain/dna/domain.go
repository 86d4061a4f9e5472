package dna

import (
	"context"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// Domain is the domain of DNA: reads made from reference genomes.
type Domain struct{}

var _ domain.Domain = Domain{}

// Name is "dna".
func (Domain) Name() string { return recipe.DomainDNA }

// Specs lists the transformations of DNA.
func (Domain) Specs() []view.Spec { return Specs() }

// Open reads the references of a recipe; see Open.
func (Domain) Open(ctx context.Context, r *recipe.Recipe, opt domain.OpenOptions) (domain.Samples, error) {
	s, err := Open(ctx, r, opt)
	if err != nil {
		return nil, err
	}
	return s, nil
}
