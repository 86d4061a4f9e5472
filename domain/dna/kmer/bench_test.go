package kmer

import (
	"fmt"
	"testing"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

func benchGenome() []uint8 {
	return code(string(letters(rng.New(2, rng.Generate), 4_000_000)))
}

func BenchmarkCounter(b *testing.B) {
	codes := benchGenome()
	for _, k := range []int{1, 8, 12} {
		b.Run(fmt.Sprintf("k%d", k), func(b *testing.B) {
			c, err := NewCounter(k)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(codes)))
			b.ReportAllocs()
			for b.Loop() {
				c.Add(codes)
			}
		})
	}
}

// BenchmarkSketch sketches a whole genome each time: to go on with a sketch that is full would be faster.
func BenchmarkSketch(b *testing.B) {
	codes := benchGenome()
	for _, k := range []int{16, SketchK, 32} {
		b.Run(fmt.Sprintf("k%d", k), func(b *testing.B) {
			b.SetBytes(int64(len(codes)))
			b.ReportAllocs()
			for b.Loop() {
				s, err := NewSketch(k, SketchSize)
				if err != nil {
					b.Fatal(err)
				}
				s.Add(codes)
			}
		})
	}
}

func BenchmarkJensenShannon(b *testing.B) {
	c, err := NewCounter(8)
	if err != nil {
		b.Fatal(err)
	}
	codes := benchGenome()
	c.Add(codes[:len(codes)/2])
	p, err := c.Profile()
	if err != nil {
		b.Fatal(err)
	}
	c.Add(codes)
	q, err := c.Profile()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := JensenShannon(p, q); err != nil {
			b.Fatal(err)
		}
	}
}
