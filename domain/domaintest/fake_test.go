package domaintest_test

import (
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// The fake domain, on which the tests of the stages stand, is a domain as the real ones are.
func TestFake(t *testing.T) {
	domaintest.Run(t, func(t *testing.T) domain.Samples {
		noise := domaintest.Noise(0.5)
		noise.C.P = 0.5
		noise.C.Terms = contract.Terms{{Kind: contract.Invariant, Range: contract.Range{From: 0, To: 0.3}}, {Kind: contract.Protected, Range: contract.Range{From: 0.3, To: 0.5}}}
		return domaintest.NewFake(recipe.Default(), 3, [3]int{10, 5, 0}, noise, domaintest.Roll(), domaintest.Lift(-2, 1), domaintest.Hide(3))
	})
	domaintest.Specs(t, []view.Spec{{Name: "noise", Doc: "noise", P: 1, Kinds: []contract.Kind{contract.Invariant},
		Params: []view.ParamSpec{{Name: "amount", Max: 1, Doc: "of noise"}}}})
}
