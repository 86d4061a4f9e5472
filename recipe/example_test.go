package recipe_test

import (
	"fmt"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// words stands for a domain's list of transformations.
func words(string) ([]view.Spec, error) {
	return []view.Spec{{Name: "rotate", P: 1, Kinds: []contract.Kind{contract.Invariant, contract.Equivariant},
		Params: []view.ParamSpec{{Name: "degrees", Min: -180, Max: 180, Default: contract.Range{From: -15, To: 15}}}}}, nil
}

func ExampleParse() {
	r, err := recipe.Parse("r.yaml", []byte(`
data: {source: digits}
views:
  - rotate: [{degrees: -10..10, contract: invariant}, {degrees: -180..180, contract: equivariant}]
`), words, "train.epochs=3")
	if err != nil {
		fmt.Println(err)
		return
	}
	rotate := r.Views.Transforms[0]
	for _, degrees := range []float64{5, 90} {
		t, _ := rotate.Terms.At(degrees)
		fmt.Println(degrees, t.Kind)
	}
	fmt.Println(r.Train.Epochs, r.Train.Batch)
	// Output:
	// 5 invariant
	// 90 equivariant
	// 3 256
}

func ExampleErrors() {
	_, err := recipe.Parse("r.yaml", []byte(`
data: {source: digits}
views:
  - rotate: {degrees: -10..200}
train: {epoch: 3}
`), words)
	fmt.Println(err)
	// Output:
	// recipe: r.yaml:4:23: views[0].rotate.degrees: -10..200 is outside -180..180
	// recipe: r.yaml:5:9: train.epoch: unknown key (did you mean epochs?)
}
