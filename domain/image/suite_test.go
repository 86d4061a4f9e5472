package image

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// suiteViews hold every contract; crop and noise are applied to some views only, so that records of one draw come up.
func suiteViews() recipe.Views {
	rotate := with("rotate", 0.3, nil, contract.Term{Kind: contract.Invariant, Range: rg(-10, 10)}, contract.Term{Kind: contract.Equivariant, Range: rg(-90, 90)})
	return recipe.Views{Count: 2, Transforms: []view.Config{
		with("crop", 0.3, nil), rotate, with("noise", 0.3, nil),
		with("quarter", 1, nil), with("mask", 1, map[string]contract.Range{"patch": rg(2, 2)}),
	}}
}

func suiteEncoder(kind string) recipe.Encoder {
	return recipe.Encoder{Kind: kind, Width: 8, Depth: 1, Stages: 2, Patch: 2, Heads: 2}
}

// TestSuite runs the shared suite on the embedded digits and on 16-bit pictures of five channels.
func TestSuite(t *testing.T) {
	for _, kind := range []string{"resnet", "vit"} {
		t.Run("digits "+kind, func(t *testing.T) {
			domaintest.Run(t, func(t *testing.T) domain.Samples {
				r := data(recipe.Data{Source: "digits", Val: 0.1, TestShare: 0.2, Split: "random"})
				r.Views, r.Encoder = suiteViews(), suiteEncoder(kind)
				return mustOpen(t, r, t.TempDir()).Samples
			})
		})
	}
	t.Run("16 bit, 5 channels", func(t *testing.T) {
		domaintest.Run(t, func(t *testing.T) domain.Samples {
			const n, side, c = 24, 10, 5
			h := fmt.Sprintf("{'descr': '<u2', 'fortran_order': False, 'shape': (%d, %d, %d, %d), }", n, side, side, c)
			h += strings.Repeat(" ", (64-(10+len(h)+1)%64)%64) + "\n"
			b := append([]byte("\x93NUMPY\x01\x00"), byte(len(h)), byte(len(h)>>8))
			b = append(b, h...)
			r := rng.New(1, rng.Views)
			for range n * side * side * c {
				b = binary.LittleEndian.AppendUint16(b, uint16(r.Uint32()))
			}
			path := filepath.Join(t.TempDir(), "five.npy")
			write(t, path, b)
			rec := data(recipe.Data{Source: path, Val: 4, Split: "tail"})
			rec.Views, rec.Encoder = suiteViews(), suiteEncoder("mlp")
			s := mustOpen(t, rec, t.TempDir())
			if f := s.Input(); f.DType != domain.U16 || f.Dims[2] != c {
				t.Fatalf("input is %+v", f)
			}
			return s.Samples
		})
	})
}
