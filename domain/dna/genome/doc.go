// Package genome is the task "genomes" of the domain of DNA: a language model of pooled genomes that predicts the next nucleotide and
// is told nothing else.
//
// Most users need a recipe with `domain: dna` and `data: {task: genomes}`; in Go, [Open] gives the samples, [NewEncoder] the
// network, [Encoder.Layers] the mean hidden state and the Fisher score of every layer, and [Compare] bits per base beside Markov models.
//
// Terms. A genome is one FASTA file. A window is a stretch of data.size bases of one sequence without long runs of N.
// Bits per base is the mean of -log2 P(base | the bases before it in its window).
//
// No species is known while training: the [Sampler] holds bases and counts only, genomes stand in the order of their content's
// hash, and [Samples] has neither labels nor classes. Names of files are kept for people, in [Samples.Genomes].
package genome
