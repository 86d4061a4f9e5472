package dna

import (
	"context"

	"github.com/selfsame-ml/selfsame/domain"
	genomes "github.com/selfsame-ml/selfsame/domain/dna/genome"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// Domain is the domain of DNA: reads made from reference genomes (task "reads"), and genomes themselves (task "genomes", package genome).
type Domain struct{}

var _ domain.Domain = Domain{}

// Name is "dna".
func (Domain) Name() string { return recipe.DomainDNA }

// Specs lists the transformations of DNA: that of reads, that of genomes.
func (Domain) Specs() []view.Spec { return append(Specs(), genomes.Spec()) }

// OpenGenomes reads the pool of genomes of a recipe with task "genomes": one FASTA file a species.
func OpenGenomes(ctx context.Context, r *recipe.Recipe, opt domain.OpenOptions) (*genomes.Samples, error) {
	var files genomes.Files
	var err error
	if files.Pool, err = filesOf(r.Data.Source, opt.CacheDir, opt.Warn); err != nil {
		return nil, err
	}
	if r.Data.Test != "" {
		if files.Held, err = filesOf(r.Data.Test, opt.CacheDir, opt.Warn); err != nil {
			return nil, err
		}
	}
	return genomes.Open(ctx, r, files, opt)
}

// Open reads the references of a recipe; see Open and OpenGenomes.
func (Domain) Open(ctx context.Context, r *recipe.Recipe, opt domain.OpenOptions) (domain.Samples, error) {
	if r.Data.Task == recipe.TaskGenomes {
		s, err := OpenGenomes(ctx, r, opt)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	s, err := Open(ctx, r, opt)
	if err != nil {
		return nil, err
	}
	return s, nil
}
