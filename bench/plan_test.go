package bench

import (
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/image"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/optim"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
)

// TestGoPlans checks that whole training steps of the networks we ship run on the go engine's own kernels: a graph that is left to
// the portable back end computes the same, at a tenth of the speed.
func TestGoPlans(t *testing.T) {
	pixels := domain.Field{Name: "views", DType: domain.F32, Dims: []int{16, 16, 3}}
	views := func(cfg recipe.Encoder) func(sc *nn.Scope, in map[string]*graph.Node) train.Out {
		enc, err := image.NewEncoder(cfg, pixels)
		if err != nil {
			t.Fatal(err)
		}
		return simCLR(enc)
	}
	const batch, seq = 4, 16
	for _, precision := range []string{engine.FP32, engine.Auto} {
		for _, c := range []struct {
			name   string
			fields []domain.Field
			model  func(sc *nn.Scope, in map[string]*graph.Node) train.Out
		}{
			{"resnet", []domain.Field{pixels}, views(recipe.Encoder{Kind: "resnet", Width: 8, Depth: 1, Stages: 3})},
			{"vit", []domain.Field{pixels}, views(recipe.Encoder{Kind: "vit", Width: 16, Depth: 2, Patch: 4, Heads: 2})},
			{"mlp", []domain.Field{pixels}, views(recipe.Encoder{Kind: "mlp", Width: 16, Depth: 2})},
			{"masked LM", maskedLMFields(seq), maskedLM(batch, seq)},
		} {
			t.Run(c.name+"/"+precision, func(t *testing.T) {
				e, err := engine.Open(engine.Config{Kind: engine.Go, Precision: precision})
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				s, err := train.New(e, train.Config{Name: c.name, Batch: batch, Optim: optim.Defaults(optim.Adam), Ring: 2, Fields: c.fields}, c.model)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if _, err := s.Run(s.Slots()[0], train.Rates{LR: 0.01}); err != nil {
					t.Fatal(err)
				}
				if _, n := e.CompileTime(); n == 0 {
					t.Fatal("nothing was compiled")
				}
				if f := e.Fallbacks(); len(f) > 0 {
					t.Errorf("left to the portable back end: %q", f)
				}
			})
		}
	}
}
