// Package metric is the measuring room: scores, intervals, tests and probes by
// their own definitions, in plain Go, with no training of encoders.
//
// Most users need two calls: [Verdict], which says with a test and an interval
// whether pretraining paid, and [LEM], the label-efficiency multiplier.
// [KNN] and [Probe] measure frozen features; [DrawBudget] draws the labels that
// they may see.
//
// Conventions: features are float32, row-major, [n, dim]; labels are int32 with
// negative values for "unlabelled"; probabilities are float64, row-major,
// [n, classes]. Random draws are keyed by a seed through internal/rng, so every
// number repeats. Except for the choices of probes on a validation part,
// nothing here looks at labels that it is not scoring.
package metric
