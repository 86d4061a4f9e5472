package denoise

import (
	"fmt"
	"math"

	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
)

// Bayes is the name of the naive-Bayes model.
const Bayes = "bayes"

// Channels of pileup.Columns.Features that naive Bayes reads.
const (
	channelBayes    = 18 // 1 + ln P(b)/6, four of them
	channelDeleted  = 22 // ln(1+n)/2
	channelInserted = 23 // the same, four of them
	channelDepth    = 27 // the same
)

// gapOdds is what one read says for or against a gap, in nats: one gap in a hundred is an error.
var gapOdds = math.Log(99)

// NewBayes is the baseline that needs no training: the posterior of each base under independent errors, as the qualities claim
// them, of the read and its close reads (channels 18 to 21 of package pileup), and a vote of all reads on what is missing or too
// much. It knows nothing of context, of repeats or of how far qualities can be trusted, so its probabilities
// are too sure of themselves.
func NewBayes() *Network {
	const window = 256
	return &Network{Name: Bayes, Window: window, Channels: pileup.Channels, Rows: 32, Open: func() (Forward, func(), error) {
		return func(x []float32, windows int, out []float32) error {
			n := windows * window
			if len(x) < n*pileup.Channels || len(out) < n*Logits {
				return fmt.Errorf("denoise: bayes: %d features and %d logits of %d windows", len(x), len(out), windows)
			}
			for j := range n {
				bayes(x[j*pileup.Channels:(j+1)*pileup.Channels], out[j*Logits:(j+1)*Logits])
			}
			return nil
		}, func() {}, nil
	}}
}

func bayes(f, l []float32) {
	for b := range 4 {
		l[b] = (f[channelBayes+b] - 1) * 6
	}
	depth, gone := countOf(f[channelDepth]), countOf(f[channelDeleted])
	// The read itself has the base, and nothing after it.
	l[deleteClass] = float32(gapOdds * float64(gone-(depth-gone)-1))
	l[HereClasses] = 0
	for b := range 4 {
		n := countOf(f[channelInserted+b])
		l[HereClasses+1+b] = float32(gapOdds * float64(n-(depth-n)-1))
	}
}

// countOf is n of a feature ln(1+n)/2.
func countOf(f float32) int { return int(math.Round(math.Expm1(2 * float64(f)))) }
