package train_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/image"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
)

// pictures is n images of noise for an encoder.
type pictures struct {
	domain.Samples // nothing else is asked for
	encoder        recipe.Encoder
	n              int
}

func (p pictures) Len(domain.Part) int { return p.n }
func (p pictures) Input() domain.Field {
	return domain.Field{Name: "image", DType: domain.U8, Dims: []int{8, 8, 3}}
}
func (p pictures) Encoder() (domain.Encoder, error) { return image.NewEncoder(p.encoder, p.Input()) }
func (p pictures) Fill(dst *domain.Array, row int, _ domain.Part, i int) error {
	r := rng.New(1, rng.Views, uint64(i))
	for k := range 8 * 8 * 3 {
		dst.U8[row*8*8*3+k] = uint8(r.IntN(256))
	}
	return nil
}

// trainedLike replaces the start values of norm layers by such as a trained net has.
func trainedLike(w map[string]train.Value, decls []nn.Decl) {
	for _, d := range decls {
		if d.Role == nn.Weight {
			continue
		}
		v := nn.Decl{Name: d.Name, Dims: d.Dims, Init: nn.Init{Kind: nn.Uniform, Scale: 0.4}}.Start(3)
		if d.Init == nn.Ones {
			for i := range v {
				v[i]++
			}
		}
		w[d.Name] = train.Value{Dims: d.Dims, Data: v}
	}
}

// The embedder's folded norm layers give the features of unfolded ones, and leave the weights as they are.
func TestEmbedFolded(t *testing.T) {
	for _, c := range []recipe.Encoder{
		{Kind: "resnet", Width: 8, Depth: 2, Stages: 2},
		{Kind: "mlp", Width: 16, Depth: 2},
	} {
		t.Run(c.Kind, func(t *testing.T) {
			enginetest.Each(t, func(t *testing.T, e *engine.Engine) {
				s := pictures{encoder: c, n: 300} // more than one batch
				m, err := train.NewEmbedder(e, s)
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				enc, err := s.Encoder()
				if err != nil {
					t.Fatal(err)
				}
				plain, err := train.NewForwardMode(e, "unfolded", e.Mode().FP32(), []domain.Field{s.Input()}, 50, func(sc *nn.Scope, in map[string]*Node) []*Node {
					return []*Node{enc.Encode(sc.Unfolded().In(train.EncoderScope), in["image"]).Pooled}
				})
				if err != nil {
					t.Fatal(err)
				}
				defer plain.Close()
				w := m.Start(2)
				trainedLike(w, plain.Decls())
				before := train.Digest(w)
				if err := errors.Join(m.Bind(w), plain.Bind(w)); err != nil {
					t.Fatal(err)
				}
				got, err := m.Part(domain.Test, nil)
				if err != nil {
					t.Fatal(err)
				}
				want := make([]float32, 0, len(got))
				err = plain.All(s.n, func(dst []domain.Array, row, i int) error { return s.Fill(&dst[0], row, domain.Test, i) },
					func(_ int, o [][]float32) error { want = append(want, o[0]...); return nil })
				if err != nil {
					t.Fatal(err)
				}
				if train.Digest(w) != before {
					t.Error("embedding changed the weights")
				}
				var diff, size float64
				for i := range want {
					diff += math.Pow(float64(got[i]-want[i]), 2)
					size += math.Pow(float64(want[i]), 2)
				}
				if r := math.Sqrt(diff / size); !(r <= 1e-5) || len(got) != s.n*m.Dim() {
					t.Errorf("%d features, folded and unfolded differ by %g relative, want %d and 1e-5 or less", len(got), r, s.n*m.Dim())
				}
				again, err := m.Part(domain.Test, []int{299, 0, 7})
				if err != nil {
					t.Fatal(err)
				}
				d := m.Dim()
				if !slices.Equal(again, slices.Concat(got[299*d:], got[:d], got[7*d:8*d])) {
					t.Error("features depend on the place in the batch")
				}
				if e.Mode().BF16 {
					half, err := train.NewEmbedderMode(e, e.Mode(), s)
					if err != nil {
						t.Fatal(err)
					}
					defer half.Close()
					if err := half.Bind(w); err != nil {
						t.Fatal(err)
					}
					b, err := half.Part(domain.Test, nil)
					if err != nil {
						t.Fatal(err)
					}
					diff = 0
					for i := range want {
						diff += math.Pow(float64(b[i]-want[i]), 2)
					}
					if r := math.Sqrt(diff / size); !(r < 2e-2) || r == 0 {
						t.Errorf("bf16 features differ by %g relative, want 2e-2 or less, and not 0", r)
					}
				}
			})
		})
	}
}

// Batches are filled ahead in order, every sample once; an error of fill or take ends it with no fill running on.
func TestForwardAll(t *testing.T) {
	e := enginetest.Engines(t)[0]
	fw, err := train.NewForward(e, "double", []domain.Field{{Name: "x", DType: domain.F32, Dims: []int{2}}}, 4, func(_ *nn.Scope, in map[string]*Node) []*Node {
		return []*Node{MulScalar(in["x"], 2)}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer fw.Close()
	broken := errors.New("broken")
	for _, n := range []int{0, 1, 4, 5, 8, 11, 40} {
		for _, bad := range []int{-1, 0, n / 2, n - 1} {
			for _, side := range []string{"fill", "take"} {
				filled, taken, running := 0, 0, true
				err := fw.All(n, func(dst []domain.Array, row, i int) error {
					if !running || i != filled || row != i%4 {
						t.Errorf("n = %d: sample %d filled to row %d after %d others", n, i, row, filled)
					}
					filled++
					dst[0].F32[2*row], dst[0].F32[2*row+1] = float32(i), float32(-i)
					if side == "fill" && i == bad {
						return broken
					}
					return nil
				}, func(i int, o [][]float32) error {
					if i != taken || o[0][0] != float32(2*i) || o[0][1] != float32(-2*i) {
						t.Errorf("n = %d: output %v of sample %d after %d others", n, o[0], i, taken)
					}
					taken++
					if side == "take" && i == bad {
						return broken
					}
					return nil
				})
				running = false
				switch ok := bad < 0 || bad >= n; {
				case ok && (err != nil || taken != n || filled != n):
					t.Errorf("n = %d: %d filled, %d taken, error %v", n, filled, taken, err)
				case !ok && !errors.Is(err, broken):
					t.Errorf("n = %d, %s of %d fails: error %v", n, side, bad, err)
				}
			}
		}
	}
}
