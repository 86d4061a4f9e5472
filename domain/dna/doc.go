// Package dna is the domain of DNA. Its task "reads" trains a denoiser of sequencing reads: windows of reads that a model of the
// sequencer makes from reference genomes, seen together with the reads that overlap them, and the truth of every base.
//
// Most users need a recipe with `domain: dna`, run by selfsame, and `selfsame denoise` with what it trained; in Go, [Open] and
// [NewEncoder].
//
// Terms. A position is one base of a read. Its truth is two labels: Here, what stands there (A, C, G, T, or nothing: the
// sequencer inserted the base), and After, what the sequencer lost directly behind it (nothing, A, C, G or T). The contract is
// Restorable: the read can be had back from itself, its qualities and its overlaps.
package dna
