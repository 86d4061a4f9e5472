// Package phylo reads, builds, compares and draws phylogenetic trees.
//
// Most users need ReadPHYLIP or a Matrix of their own, NeighborJoining, WriteNewick, and
// Compare, which scores a tree against a reference as the field does: Robinson-Foulds
// distance, quartet distance, and rank correlation of the distances between leaves.
// WriteSVG draws a tree, WriteMapSVG a distance matrix as points in the plane.
//
// Trees may be of any depth: nothing here recurses.
package phylo
