// Package lineage draws trees of species from the hidden states of a language model of genomes, and measures beside it what is known without one.
//
// Most users need Summarise, which turns the states of windows into a Summary, and Draw, which builds the trees of all variants, chooses
// the layer on one set of species, reports on another, and holds them against controls.
//
// Terms. The state of a species is the mean of the hidden states of its windows. A background is what the same network makes of
// windows drawn from a Markov chain of low order with the words of the window itself: what is left after it is taken away is not
// composition, in the way of CVTree (Qi, Wang & Hao 2004), which does so with counts of words. A variant is a
// layer, with or without the background taken away, and a distance.
package lineage
