package pretrain_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/pretrain"
	"github.com/selfsame-ml/selfsame/recipe"
)

// TestArms: an arm trains the streams of its kind only, from the same start; one without a stream is an error of the recipe.
func TestArms(t *testing.T) {
	e := enginetest.Engines(t)[0]
	r := tiny("ntxent")
	r.Train.MaxSteps = 1
	s := fake(r, domaintest.Noise(0.3), domaintest.Lift(-1, 1), domaintest.Hide(4))
	for arm, want := range map[string][]string{"": {"encoder", "head", "projector", "restorer"}, "contrast": {"encoder", "projector"}, "predict": {"encoder", "head"}, "restore": {"encoder", "restorer"}} {
		res, err := pretrain.Run(context.Background(), pretrain.Config{Recipe: r, Engine: e, Samples: s, Only: pretrain.Arms[arm]})
		if err != nil {
			t.Fatal(err)
		}
		parts := map[string]bool{}
		for name := range res.Weights {
			parts[name[:strings.Index(name, "/")]] = true
		}
		if got := slices.Sorted(maps.Keys(parts)); !slices.Equal(got, want) || res.Steps != 1 {
			t.Errorf("arm %q: %d steps of %v, want %v", arm, res.Steps, got, want)
		}
	}
	r.Train.Arms = []string{"contrast", "predict", "restore"}
	if err := pretrain.Check(r, s); err != nil {
		t.Error(err)
	}
	for arm, at := range map[string]string{"contrast": "train.arms[0]", "predict": "train.arms[1]", "restore": "train.arms[2]"} {
		one := map[string]*domaintest.Change{"contrast": domaintest.Noise(0.3), "predict": domaintest.Lift(-1, 1), "restore": domaintest.Hide(4)}
		delete(one, arm)
		err := pretrain.Check(r, fake(r, slices.Collect(maps.Values(one))...))
		var wrong recipe.Errors
		if !errors.As(err, &wrong) || wrong[0].Path != at || !strings.Contains(err.Error(), arm) {
			t.Errorf("no stream of %s: %v", arm, err)
		}
	}
}

// TestBeside: samples spread so far that a lift cannot be told from the view alone; beside the undisturbed sample it is.
func TestBeside(t *testing.T) {
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
		var loss [2]float64
		for k, beside := range []bool{false, true} {
			r := tiny("ntxent")
			r.Train.MaxSteps, r.Train.LR = 300, 0.3
			s := fake(r, domaintest.Lift(-1, 1))
			s.Enc, s.Beside = domaintest.Same{}, beside
			for i := range s.X[domain.Train] {
				g := rng.New(5, rng.Split, uint64(i))
				base := float32(3 * g.NormFloat64())
				for j := range s.X[domain.Train][i] {
					s.X[domain.Train][i][j] = base
				}
			}
			var ev events
			res, err := run(e, r, s, nil, &ev)
			if err != nil {
				t.Fatal(err)
			}
			if w, want := res.Weights["head/lift/weight"].Dims[0], domaintest.Width*(1+k); w != want {
				t.Errorf("the head sees %d features, want %d", w, want)
			}
			sc, sh, w, b := res.Weights["encoder/scale"].Data, res.Weights["encoder/shift"].Data, res.Weights["head/lift/weight"].Data, res.Weights["head/lift/bias"].Data[0]
			g := rng.New(6, rng.Split)
			const n = 1000
			for range n { // Same is x*scale + shift
				base, lift := float32(3*g.NormFloat64()), float32(2*g.Float64()-1)
				y := b
				for j := range domaintest.Width {
					y += w[j] * ((base+lift)*sc[j] + sh[j])
					if beside {
						y += w[domaintest.Width+j] * (base*sc[j] + sh[j])
					}
				}
				loss[k] += float64((y-lift)*(y-lift)) / n
			}
		}
		if loss[0] < 0.2 || loss[1] > loss[0]/2 { // a lift drawn from -1..1 has variance 1/3
			t.Errorf("loss %.3f from the view alone, %.3f beside the sample", loss[0], loss[1])
		}
		t.Logf("loss %.3f from the view alone, %.3f beside the sample", loss[0], loss[1])
	})
	if pretrain.Arms["predict"] != contract.Equivariant {
		t.Error("arms")
	}
}
