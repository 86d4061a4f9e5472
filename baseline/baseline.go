// Package baseline holds what pretraining must beat and what needs no training:
// raw values as features ([Raw]), the most frequent class ([Majority]), and labels that
// carry no information ([Shuffled]), on which a probe must sit at chance.
//
// Features come back float32, row-major, [n, dim], as metric.KNN and
// metric.Probe take them.
package baseline

import (
	"fmt"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
)

// Raw flattens the undisturbed input of samples to features [n, dim]: the raw
// pixels of an image. Whole numbers are scaled to [0, 1] by their type's
// largest value (255, 65,535), F32 is taken as it is, I32 (token ids) has no
// order and is an error. rows picks samples of the part; nil takes all. The cost
// is 4*dim bytes a sample.
func Raw(s domain.Samples, p domain.Part, rows []int) (features []float32, dim int, err error) {
	f := s.Input()
	dim = f.Size()
	n := len(rows)
	if rows == nil {
		n = s.Len(p)
	}
	var one domain.Array
	switch f.DType {
	case domain.U8:
		one.U8 = make([]uint8, dim)
	case domain.U16:
		one.U16 = make([]uint16, dim)
	case domain.F32:
		one.F32 = make([]float32, dim)
	default:
		return nil, 0, fmt.Errorf("baseline: raw: input %q has element type %d: whole numbers without order are no features", f.Name, f.DType)
	}
	features = make([]float32, n*dim)
	for i := range n {
		at := i
		if rows != nil {
			at = rows[i]
		}
		if at < 0 || at >= s.Len(p) {
			return nil, 0, fmt.Errorf("baseline: raw: row %d, the part has %d", at, s.Len(p))
		}
		if err := s.Fill(&one, 0, p, at); err != nil {
			return nil, 0, fmt.Errorf("baseline: raw: row %d: %w", at, err)
		}
		dst := features[i*dim : (i+1)*dim]
		switch f.DType {
		case domain.U8:
			for k, v := range one.U8 {
				dst[k] = float32(v) / 255
			}
		case domain.U16:
			for k, v := range one.U16 {
				dst[k] = float32(v) / 65535
			}
		default:
			copy(dst, one.F32)
		}
	}
	return features, dim, nil
}

// Majority is the most frequent class of the labels (the smaller one on a tie)
// and its share: the accuracy that a constant answer reaches. Negative labels
// (unlabelled) do not count; without any label the class is -1.
func Majority(labels []int32) (class int32, share float64) {
	count := map[int32]int{}
	total := 0
	class = -1
	for _, l := range labels {
		if l >= 0 {
			count[l]++
			total++
		}
	}
	for l, n := range count {
		if class < 0 || n > count[class] || n == count[class] && l < class {
			class = l
		}
	}
	if total == 0 {
		return -1, 0
	}
	return class, float64(count[class]) / float64(total)
}

// Shuffled permutes the labels among the labelled rows (keyed by seed), so that
// they carry nothing about the samples while every class keeps its size. A probe
// trained on them must score at chance: if it does not, the evaluation leaks.
func Shuffled(labels []int32, seed uint64) []int32 {
	out := append([]int32(nil), labels...)
	var at []int
	for i, l := range out {
		if l >= 0 {
			at = append(at, i)
		}
	}
	rng.New(seed, rng.Probe, 1).Shuffle(len(at), func(i, j int) {
		out[at[i]], out[at[j]] = out[at[j]], out[at[i]]
	})
	return out
}
