// Package lineage draws trees of species from the hidden states of a language model of genomes, and measures beside it what is known without one.
//
// Most users need a Summariser, which turns the states of windows into a Summary, and Draw, which builds the trees of all variants, chooses
// the layer on one set of species, reports on another, and holds them against controls.
//
// Terms. The state of a species is the mean of the hidden states of its windows. Its score is the Fisher score (Jaakkola & Haussler 1998): the mean of hidden states times what the network
// got wrong of the next base, which is the direction that the network would have to change in to predict this genome better. What it predicts right, such as composition, falls out. A variant is a
// layer, one of the two, and a distance.
package lineage
