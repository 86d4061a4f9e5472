// Package denoise corrects sequencing reads: it cuts reads into windows, asks a network for the posterior of every base, decodes
// keep / substitute / delete / insert, abstains where the calibrated posterior is too low, and streams files through all that in
// their order with flat memory.
//
// Most users need the root package's Denoise; [Run] is the driver below it and [Calibration] its promise.
//
// Terms. A position is one base of a read. "Here" is the posterior over what stands at the position in truth (A, C, G, T, or
// nothing: delete), "After" over what is missing directly after it (nothing, A, C, G or T). Depth is the number of other reads that
// overlap the position.
package denoise

import (
	"errors"
	"fmt"
	"math"
)

// The layout of the network's output at every position: Here logits first, After logits behind them.
const (
	HereClasses  = 5 // A, C, G, T, delete
	AfterClasses = 5 // nothing, A, C, G, T
	Logits       = HereClasses + AfterClasses
	deleteClass  = 4
)

// Forward computes logits [windows, Window, Logits] of features x [windows, Window, Channels]. It belongs to one goroutine.
type Forward func(x []float32, windows int, out []float32) error

// Network is a trained net as the driver needs it.
type Network struct {
	Name     string
	Window   int // positions of a window
	Channels int // features of a position
	Margin   int // outputs nearer than this to a cut are not used: the receptive field to one side
	Rows     int // windows that one call of Forward takes at most

	// Open gives the Forward of one worker and what frees it. The same windows in the same rows must give the same bits on
	// every worker.
	Open func() (f Forward, free func(), err error)
}

// Validate checks the shapes.
func (n *Network) Validate() error {
	switch {
	case n.Window < 1 || n.Channels < 1 || n.Rows < 1:
		return fmt.Errorf("denoise: network %q: window %d, channels %d and rows %d must be positive", n.Name, n.Window, n.Channels, n.Rows)
	case n.Margin < 0 || 2*n.Margin >= n.Window:
		return fmt.Errorf("denoise: network %q: margin %d leaves nothing of a window of %d positions", n.Name, n.Margin, n.Window)
	case n.Open == nil:
		return errors.New("denoise: network has no Open")
	}
	return nil
}

// The errors that callers branch on.
var (
	// ErrPaths says that the paths given cannot be used together.
	ErrPaths = errors.New("denoise: paths")
	// ErrChanged says that the input was not the same in the second pass.
	ErrChanged = errors.New("denoise: the input changed while it was read")
)

// Kind is what is done to a position.
type Kind uint8

// The kinds of a call. Keep is the call that the base is right as it is.
const (
	Substitute Kind = iota
	Delete
	Insert
	Resolve // N or another ambiguous letter becomes a base
	Keep
	Kinds
)

var kindNames = [Kinds]string{"substitute", "delete", "insert", "resolve", "keep"}

// String is the name used in JSON.
func (k Kind) String() string {
	if k < Kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// The lower edges of the depth bins, by which calibration and promises are kept.
var depthEdges = [...]int{0, 1, 2, 4, 8, 16, 32}

// DepthBins is the number of depth bins.
const DepthBins = len(depthEdges)

// DepthBin is the bin of a depth.
func DepthBin(depth int) int {
	b := 0
	for b+1 < DepthBins && depth >= depthEdges[b+1] {
		b++
	}
	return b
}

// DepthName names a bin: "0", "1", "2-3", ..., "32+".
func DepthName(bin int) string {
	switch {
	case bin == DepthBins-1:
		return fmt.Sprintf("%d+", depthEdges[bin])
	case depthEdges[bin+1] == depthEdges[bin]+1:
		return fmt.Sprint(depthEdges[bin])
	}
	return fmt.Sprintf("%d-%d", depthEdges[bin], depthEdges[bin+1]-1)
}

// Scores are log odds in natural units. They are cut into steps so that a calibrated posterior is a table look-up, the same
// while fitting and while using.
const (
	scoreFrom  = -8.0
	scoreStep  = 0.125
	scoreSteps = 256 // up to 24: 1 error in 2.6e10
)

func scoreBin(s float64) int {
	b := int(math.Floor((s - scoreFrom) / scoreStep))
	return min(max(b, 0), scoreSteps-1) // NaN gives the least integer: bin 0
}

// call is the network's say on one position.
type call struct {
	here  uint8 // most likely class of Here; ties go to the read's own base
	after uint8 // most likely class of After; ties go to nothing
	// Steps of the log odds of the two classes above against the rest.
	hereBin, afterBin uint8
}

// read reduces one row of logits. own is the base code of the position; 4 is ambiguous.
func (c *call) read(l []float32, own uint8) {
	_ = l[Logits-1]
	first := 0
	if own < 4 {
		first = int(own)
	}
	h, hs := best(l[:HereClasses], first)
	a, as := best(l[HereClasses:Logits], 0)
	c.here, c.hereBin = uint8(h), uint8(scoreBin(hs))
	c.after, c.afterBin = uint8(a), uint8(scoreBin(as))
}

// best is the class of the largest logit and its log odds against the others; first wins ties.
func best(l []float32, first int) (k int, odds float64) {
	k = first
	for i, v := range l {
		if v > l[k] {
			k = i
		}
	}
	top := math.Inf(-1)
	for i, v := range l {
		if i != k && float64(v) > top {
			top = float64(v)
		}
	}
	rest := 0.0
	for i, v := range l {
		if i != k {
			rest += math.Exp(float64(v) - top)
		}
	}
	return k, float64(l[k]) - top - math.Log(rest)
}

// logit is the inverse of sigmoid.
func logit(p float64) float64 { return math.Log(p / (1 - p)) }

// sigmoid turns log odds into a probability.
func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
