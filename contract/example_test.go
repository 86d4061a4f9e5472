package contract_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/selfsame-ml/selfsame/contract"
)

// One transformation, three promises: a small turn leaves the meaning, a large one moves it along, and
// upside down is out of bounds. The narrowest range that holds the value rules.
func ExampleTerms_At() {
	rotate := contract.Terms{
		{Kind: contract.Invariant, Range: contract.Range{From: -10, To: 10}},
		{Kind: contract.Equivariant, Range: contract.Range{From: -120, To: 120}},
		{Kind: contract.Protected, Range: contract.Range{From: 170, To: 180}},
	}
	for _, degrees := range []float64{5, 90, 175, 150} {
		if t, ok := rotate.At(degrees); ok {
			fmt.Println(degrees, t.Kind, t.Range)
		} else {
			fmt.Println(degrees, "nothing is promised")
		}
	}
	// Output:
	// 5 invariant -10..10
	// 90 equivariant -120..120
	// 175 protected 170..180
	// 150 nothing is promised
}

func ExampleParseKind() {
	k, err := contract.ParseKind("Restorable")
	fmt.Println(k, err)
	_, err = contract.ParseKind("similar")
	fmt.Println(errors.Is(err, contract.ErrKind), err)
	b, err := json.Marshal(contract.Term{Kind: contract.Invariant, Range: contract.Range{From: 0.8, To: 1.2}})
	fmt.Println(string(b), err)
	// Output:
	// restorable <nil>
	// true contract: unknown kind "similar" (want invariant, equivariant, restorable or protected)
	// {"kind":"invariant","range":{"from":0.8,"to":1.2}} <nil>
}
