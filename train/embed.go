package train

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/nn"
)

// EncoderScope is the scope of an encoder's weights in every network: "encoder/...".
const EncoderScope = "encoder"

// Embedder computes features of undisturbed samples with fixed weights.
type Embedder struct {
	forward *Forward
	samples domain.Samples
	dim     int
}

// embedRows is the batch of the inference graph: up to 256 samples, fewer of large ones, so that the memory of
// activations does not grow with the picture.
func embedRows(input domain.Field) int {
	const rows, elements = 256, 256 * 32 * 32 * 3
	return max(8, min(rows, elements/max(input.Size(), 1)))
}

// NewEmbedder compiles the recipe's encoder in inference mode, in float32 whatever the engine trains in. Batch norm
// is folded into the convolution or linear map before it.
func NewEmbedder(e *engine.Engine, s domain.Samples) (*Embedder, error) {
	return NewEmbedderMode(e, e.Mode().FP32(), s)
}

// NewEmbedderMode is NewEmbedder in a mode of its own, for instance e.Mode() for the engine's precision.
func NewEmbedderMode(e *engine.Engine, mode engine.Mode, s domain.Samples) (*Embedder, error) {
	enc, err := s.Encoder()
	if err != nil {
		return nil, err
	}
	m, err := NewInputEmbedder(e, mode, s.Input(), enc)
	if err != nil {
		return nil, err
	}
	m.samples = s
	return m, nil
}

// NewInputEmbedder is an Embedder of an input without samples: Each and Bind work, Part does not.
func NewInputEmbedder(e *engine.Engine, mode engine.Mode, input domain.Field, enc domain.Encoder) (*Embedder, error) {
	f, err := NewForwardMode(e, "embed", mode, []domain.Field{input}, embedRows(input), func(sc *nn.Scope, in map[string]*graph.Node) []*graph.Node {
		return []*graph.Node{enc.Encode(sc.In(EncoderScope), in[input.Name]).Pooled}
	})
	if err != nil {
		return nil, err
	}
	return &Embedder{forward: f, dim: enc.Dim()}, nil
}

// Dim is the width of the features.
func (m *Embedder) Dim() int { return m.dim }

// Bind sets the weights, "encoder/...".
func (m *Embedder) Bind(w map[string]Value) error { return m.forward.Bind(w) }

// Start returns the seeded start values: the untrained encoder.
func (m *Embedder) Start(seed uint64) map[string]Value { return m.forward.Start(seed) }

// Part embeds the samples of a part, [n, dim] flat; rows nil means all.
func (m *Embedder) Part(p domain.Part, rows []int) ([]float32, error) {
	n := m.samples.Len(p)
	if rows != nil {
		n = len(rows)
	}
	out := make([]float32, n*m.dim)
	err := m.Each(n, func(dst *domain.Array, row, i int) error {
		if rows != nil {
			i = rows[i]
		}
		return m.samples.Fill(dst, row, p, i)
	}, func(i int, f []float32) error { copy(out[i*m.dim:(i+1)*m.dim], f); return nil })
	return out, err
}

// Each embeds n samples that fill writes; take receives each sample's features, in order, in a
// slice that is overwritten later. Memory does not grow with n. fill runs beside take; see [Forward.All].
func (m *Embedder) Each(n int, fill func(dst *domain.Array, row, i int) error, take func(i int, f []float32) error) error {
	return m.forward.All(n, func(dst []domain.Array, row, i int) error { return fill(&dst[0], row, i) },
		func(i int, out [][]float32) error { return take(i, out[0]) })
}

// Digest is the sha256 of weights, names and shapes included: equal before and after says frozen.
func Digest(w map[string]Value) [32]byte {
	h := sha256.New()
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(w)) {
		b = fmt.Appendf(b[:0], "%q %v ", name, w[name].Dims)
		for _, v := range w[name].Data {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		h.Write(b)
	}
	return [32]byte(h.Sum(nil))
}

// Close frees the device memory.
func (m *Embedder) Close() { m.forward.Close() }
