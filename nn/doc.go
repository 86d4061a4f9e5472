// Package nn holds the layers, each with an adjoint of its own that is checked by finite
// differences on every engine.
//
// Most users need the methods of [Scope], which declare the parameters of a layer and apply it:
// [Scope.Conv2D], [Scope.BatchNormReLU], [Scope.Linear], [Scope.TransformerBlock]. The functions of the
// same names are the layers without parameters of their own.
//
// # Why own adjoints
//
// GoMLX's automatic differentiation is silently wrong for some operations (the input gradient of a
// convolution with an even kernel, batch statistics without gradient) and slow for others. A layer is
// written as forward and adjoint with [CustomVJP]; which of several forms it takes depends on
// engine.ModeOf and is never the caller's choice. A layer that does not register itself with
// nn/gradcheck fails the tests.
//
// # Shapes
//
// Images are [batch, height, width, channels], kernels [rows, columns, in/groups, out], linear
// weights [in, out], sequences [batch, length, width]. Parameters, statistics and outputs are
// float32; products may be computed in bfloat16 where the engine's mode says so. Graph functions panic
// on wrong shapes; package engine turns that into an error.
package nn
