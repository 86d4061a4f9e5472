package image

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/view"
)

// TestVectorEqualsPlain: every transformation gives the same bits with and without vector instructions.
func TestVectorEqualsPlain(t *testing.T) {
	if !haveVector {
		t.Skip("this processor has no AVX2")
	}
	vbmi := haveVBMI
	defer func() { haveVector, haveVBMI = true, vbmi }()
	rapid.Check(t, func(t *rapid.T) {
		haveVector, haveVBMI = true, vbmi
		sh := Shape{W: rapid.IntRange(1, 60).Draw(t, "w"), H: rapid.IntRange(1, 20).Draw(t, "h"), C: rapid.SampledFrom([]int{1, 2, 3, 5}).Draw(t, "c"), Bits: 8}
		src := picture(rapid.Uint64().Draw(t, "seed"), sh)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "draw"), 1))
		for _, spec := range Specs() {
			cfg := view.Config{Name: spec.Name, P: 1}
			if spec.Name == "jitter" {
				cfg.Params = map[string]contract.Range{"saturation": rg(0.8, 0.8), "hue": rg(0.5, 0.5)}
			}
			tr, err := NewTransform(cfg, sh)
			if err != nil {
				continue // colour on other than 1 and 3 channels
			}
			var p view.Params
			tr.Draw(r, &p)
			var a, b Image
			haveVector, haveVBMI = true, vbmi
			tr.Apply(&a, src, &p)
			haveVector, haveVBMI = false, false
			tr.Apply(&b, src, &p)
			if !a.Equal(&b) {
				t.Fatalf("%s: vector and plain code differ, parameters %v", spec.Name, p.V[:p.N])
			}
		}
	})
}
