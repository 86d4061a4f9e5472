package nn_test

import (
	"os"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/nn/gradcheck"
	_ "github.com/selfsame-ml/selfsame/nn/gradcheck/cases" // registers the cases
)

func TestLayers(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) { gradcheck.Run(t, e, gradcheck.Registered()) })
}

// notLayers return a node, and compute nothing.
var notLayers = []string{"CustomVJP", "Scope.Param", "Scope.Statistic"}

func TestEveryLayerIsRegistered(t *testing.T) {
	missing, err := gradcheck.Uncovered(os.DirFS("."), notLayers...)
	if err != nil {
		t.Fatal(err)
	}
	if len(missing) > 0 {
		t.Errorf("layers without a gradient check: %s", strings.Join(missing, ", "))
	}
}

// TestLayersBF16 takes one case of each form that computes products; XLA compiles bfloat16 convolutions slowly. The go engine
// computes both in fp32 where the processor does not multiply bfloat16.
func TestLayersBF16(t *testing.T) {
	if testing.Short() {
		t.Skip("slow to compile")
	}
	products := map[string]bool{"Conv2D/k3s1p1": true, "Conv2D/k4s2p1 even kernel": true, "Conv2D/dilation 2": true,
		"Conv2D/2 groups": true, "Conv2D/k1s1": true, "Linear/rank 3 with bias": true, "ScaledDotProduct/causal, key mask, rotary": true}
	var cases []gradcheck.Case
	for _, c := range gradcheck.Registered() {
		if products[c.String()] {
			cases = append(cases, c)
		}
	}
	if len(cases) != len(products) {
		t.Fatalf("%d of %d cases found", len(cases), len(products))
	}
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		gradcheck.RunBF16(t, e, cases)
	})
}
