// Package all lists the domains that selfsame is built with. Whoever adds a domain adds it here.
package all

import (
	"fmt"
	"strings"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/dna"
	"github.com/selfsame-ml/selfsame/domain/image"
	"github.com/selfsame-ml/selfsame/domain/table"
	"github.com/selfsame-ml/selfsame/view"
)

// Domains in the order in which they are listed for users.
func Domains() []domain.Domain { return []domain.Domain{image.Domain{}, table.Domain{}, dna.Domain{}} }

// Lookup returns a domain by its name in recipes; "" is the first one.
func Lookup(name string) (domain.Domain, error) {
	var names []string
	for _, d := range Domains() {
		if d.Name() == name || name == "" {
			return d, nil
		}
		names = append(names, d.Name())
	}
	return nil, fmt.Errorf("domain: %q is not one of %s", name, strings.Join(names, ", "))
}

// Specs returns the transformations of a domain, as recipe.Load wants them.
func Specs(name string) ([]view.Spec, error) {
	d, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	return d.Specs(), nil
}
