package kmer_test

import (
	"fmt"
	"log"

	"github.com/selfsame-ml/selfsame/domain/dna/kmer"
)

// Two genomes of one contig each, which differ in one base of 31.
func ExampleSketch() {
	contig := []uint8{0, 1, 2, 3, 3, 2, 0, 0, 1, 1, 2, 3, 0, 2, 3, 1, 0, 0, 3, 2, 1, 0, 2, 2, 3, 1, 3, 0, 0, 1, 2}
	a, err := kmer.NewSketch(11, kmer.SketchSize)
	if err != nil {
		log.Fatal(err)
	}
	b, err := kmer.NewSketch(11, kmer.SketchSize)
	if err != nil {
		log.Fatal(err)
	}
	a.Add(contig)
	contig[2] = 3
	b.Add(contig)
	d, shared, of, err := a.Distance(b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f %d/%d\n", d, shared, of)
	// Output: 0.0140 18/24
}
