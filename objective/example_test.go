package objective_test

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/objective"
)

// NT-Xent of two samples with two views each, in view-major order: z[0] and z[2] are views of the first sample.
func ExampleNTXent() {
	e, err := engine.Open(engine.Config{Kind: engine.Go})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	p, err := e.Compile("ntxent", func(g *graph.Graph) []*graph.Node {
		z := graph.Parameter(g, "z", shapes.Make(dtypes.Float32, 4, 2))
		return []*graph.Node{objective.NTXent(z, 2, 0.5)}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, z := range [][]float32{
		{1, 0, 0, 1, 1, 0, 0, 1}, // views agree: log(1 + 2 exp(-1/T))
		{1, 0, 0, 1, 0, 1, 1, 0}, // each view looks like the other sample
		{1, 0, 1, 0, 1, 0, 1, 0}, // all alike: log 3
	} {
		out, err := p.Floats(z)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%.4f\n", out[0][0])
	}
	// Output:
	// 0.2395
	// 2.2395
	// 1.0986
}

// Collapse is named without any label.
func ExampleMeasure() {
	for _, x := range [][]float32{{1, 0, 0, 1, -1, 0, 0, -1}, {1, 1, 2, 2, 3, 3, 4, 4}} {
		h, err := objective.Measure(x, nil, 2)
		fmt.Printf("%s %.1f %v\n", h.Verdict(), h.EffectiveRank, err)
	}
	// Output:
	// healthy 2.0 <nil>
	// collapse 1.0 <nil>
}
