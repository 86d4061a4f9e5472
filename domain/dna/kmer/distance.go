package kmer

import (
	"fmt"
	"math"
)

// same refuses vectors of different or no length.
func same(name string, a, b []float64) error {
	switch {
	case len(a) != len(b):
		return fmt.Errorf("kmer: %s of %d and %d words: %w", name, len(a), len(b), ErrMismatch)
	case len(a) == 0:
		return fmt.Errorf("kmer: %s of no words: %w", name, ErrEmpty)
	}
	return nil
}

// Euclidean is the Euclidean distance of two profiles of equal k, sqrt(sum_w (p_w - q_w)^2), in [0, sqrt 2] (Blaisdell 1986, PNAS
// 83:5155, whose D2 statistics it follows, on frequencies instead of counts so that the length of a genome does not enter; Vinga &
// Almeida 2003, Bioinformatics 19:513, review it).
func Euclidean(p, q []float64) (float64, error) {
	if err := same("Euclidean distance", p, q); err != nil {
		return 0, err
	}
	sum := 0.0
	for w, x := range p {
		sum += (x - q[w]) * (x - q[w])
	}
	return math.Sqrt(sum), nil
}

// cosine is the cosine of the angle between two vectors.
func cosine(name string, a, b []float64) (float64, error) {
	if err := same(name, a, b); err != nil {
		return 0, err
	}
	var ab, aa, bb float64
	for w, x := range a {
		y := b[w]
		ab += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 0, fmt.Errorf("kmer: %s of a vector of zeros: %w", name, ErrEmpty)
	}
	return min(max(ab/(math.Sqrt(aa)*math.Sqrt(bb)), -1), 1), nil
}

// Cosine is 1 - cos of the angle between two profiles of equal k, in [0, 1]: 0 for the same direction, 1 where they share no word
// (Stuart, Moffett & Baker 2002, Bioinformatics 18:100, take the cosine of word vectors; without their singular value
// decomposition).
func Cosine(p, q []float64) (float64, error) {
	c, err := cosine("cosine distance", p, q)
	if err != nil {
		return 0, err
	}
	return 1 - c, nil
}

// JensenShannon is the square root of the Jensen-Shannon divergence of two profiles of equal k, with logarithms of base 2, in [0, 1]:
//
//	JS(P, Q) = KL(P, M)/2 + KL(Q, M)/2,   M = (P + Q)/2,   KL(P, M) = sum_w p_w log2(p_w / m_w)
//
// The divergence (Lin 1991, IEEE Trans Inf Theory 37:145) of word frequencies is the distance of feature frequency profiles, FFP
// (Sims et al. 2009, PNAS 106:2677): its square root is taken here because that is a metric (Endres & Schindelin 2003, IEEE Trans Inf
// Theory 49:1858); square the result for the divergence. All four bases are kept (no coding into purines and pyrimidines), no
// word is left out, and k is the caller's. A word and its reverse complement are two entries of equal share; to count them as
// one, as is usual for both strands, gives the same divergence.
func JensenShannon(p, q []float64) (float64, error) {
	if err := same("Jensen-Shannon distance", p, q); err != nil {
		return 0, err
	}
	sum := 0.0
	for w, x := range p {
		y := q[w]
		if x == y { // nothing to add, and most words of long k are in neither
			continue
		}
		m := (x + y) / 2
		if x > 0 {
			sum += x * math.Log2(x/m)
		}
		if y > 0 {
			sum += y * math.Log2(y/m)
		}
	}
	return math.Sqrt(min(max(sum/2, 0), 1)), nil
}

// Composition is the composition vector of a genome, [4^k], from its profiles of k, k-1 and k-2, k = 3..[MaxK]: how much more often
// each word occurs than a Markov model of order k-2 says,
//
//	a_w = (f_w - f0_w) / f0_w,   f0_w = f(w without its last base) f(w without its first base) / f(w without both),
//
// and 0 where f0_w is 0 (Hao & Qi 2004, J Bioinform Comput Biol 2:1; Qi, Wang & Hao 2004, J Mol Evol 58:1, who write it for
// proteins). Frequencies are shares of all words of their length, so the factor of lengths that stands before f0 in counts is in them.
func Composition(k, k1, k2 []float64) ([]float64, error) {
	n := len(k)
	if n < 64 || n&(n-1) != 0 || len(k1) != n/4 || len(k2) != n/16 {
		return nil, fmt.Errorf("kmer: composition from profiles of %d, %d and %d words, want 4^k, 4^(k-1), 4^(k-2) with k from 3: %w",
			n, len(k1), len(k2), ErrMismatch)
	}
	a := make([]float64, n)
	for w, f := range k {
		middle := k2[w>>2&(len(k2)-1)]
		if middle == 0 {
			continue
		}
		if f0 := k1[w>>2] * k1[w&(len(k1)-1)] / middle; f0 > 0 {
			a[w] = (f - f0) / f0
		}
	}
	return a, nil
}

// CVTree is the distance D = (1 - C)/2 of two composition vectors by [Composition], in [0, 1], C the cosine of the angle between them
// (Qi, Wang & Hao 2004, J Mol Evol 58:1). [ErrEmpty] for a vector of zeros: a sequence that is just what its
// shorter words say has no composition to compare.
func CVTree(a, b []float64) (float64, error) {
	c, err := cosine("composition distance", a, b)
	if err != nil {
		return 0, err
	}
	return (1 - c) / 2, nil
}
