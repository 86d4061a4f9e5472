package table

import (
	"context"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// Domain is the domain of tables: rows whose columns have a meaning.
type Domain struct{}

var _ domain.Domain = Domain{}

// Name is "table".
func (Domain) Name() string { return recipe.DomainTable }

// Specs lists the transformations of columns ("*.scale") and of rows.
func (Domain) Specs() []view.Spec { return Specs() }

// Open reads the rows of a recipe; see Open.
func (Domain) Open(ctx context.Context, r *recipe.Recipe, opt domain.OpenOptions) (domain.Samples, error) {
	s, err := Open(ctx, r, opt)
	if err != nil {
		return nil, err
	}
	return s, nil
}

var _ domain.Samples = (*Samples)(nil)
