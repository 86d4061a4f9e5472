// Package kmer compares genomes without alignment and without a model: by how often words of k bases occur, and by sketches of the
// words they have. It is the control that a learned tree has to beat.
//
// Most users need [NewCounter] with a distance of profiles, or [NewSketch] with [Sketch.Distance]. Both are fed contig by contig, and
// no word reaches over the end of a contig:
//
//	c, err := kmer.NewCounter(8)
//	...
//	for _, contig := range contigs {
//		c.Add(contig)
//	}
//	p, err := c.Profile() // 4^8 frequencies
//	...
//	d, err := kmer.JensenShannon(p, q)
//
// # Codes
//
// Sequences are codes: 0 A, 1 C, 2 G, 3 T. Codes 8..11 are the same bases with the mark of lower case that genomes in memory carry
// (soft-masked, repeats as a rule); they count like the others. Every other code is an unknown base, and no word holds one.
//
// # Strands
//
// A word and its reverse complement are one and the same piece of double-stranded DNA, and which strand a file holds is chance. So a
// profile is counted on both strands, and a sketch holds canonical words: nothing here changes when a contig is turned round.
//
// # Distances
//
//	Euclidean      profiles, sqrt(sum (p-q)^2)
//	Cosine         profiles, 1 - cos
//	JensenShannon  profiles, square root of the divergence of feature frequency profiles (Sims et al. 2009)
//	CVTree         composition vectors by [Composition], (1 - C)/2 (Qi, Wang & Hao 2004; Hao & Qi 2004)
//	Distance       sketches, Mash (Ondov et al. 2016), hash for hash as mash 2.3 makes them
package kmer
