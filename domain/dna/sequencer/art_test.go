package sequencer

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What ART 2.5.8 makes (art_illumina -ss HS25 -p -l 150 -m 350 -s 50 and -ss MSv3 -p -l 250 -m 500 -s 60, 4x of E. coli: 18.5 Mb each, seeds
// other than those that Fit saw), counted by TestBesideART; in all
//
//	          substitutions          inserted          missing           mean score
//	          ART      ours          ART      ours     ART      ours     ART    ours
//	illumina  0.00199  0.00200       7.0e-7   5.6e-7   1.5e-6   1.1e-6   36.39  36.38
//	miseq     0.02041  0.02059       1.1e-6   0.9e-6   2.2e-6   1.4e-6   33.67  33.66
//
// artScores holds, for most scores, the share of all bases and the error rate.
var artScores = map[string]map[uint8][2]float64{
	"illumina": {7: {0.00572, 0.20139}, 16: {0.01766, 0.02558}, 23: {0.01948, 0.00482}, 28: {0.05045, 0.00165}, 34: {0.21064, 0.00042}, 38: {0.49977, 0.00019}, 41: {0.19628, 0.00013}},
	"miseq":    {2: {0.02200, 0.63081}, 9: {0.01330, 0.12523}, 11: {0.02031, 0.07879}, 15: {0.00233, 0.03196}, 20: {0.00441, 0.01018}, 25: {0.00952, 0.00309}, 31: {0.01492, 0.00085}, 34: {0.07893, 0.00046}, 36: {0.03816, 0.00034}, 37: {0.09519, 0.00026}, 38: {0.57394, 0.00020}},
}

// artCycles holds, for the bands of 25 cycles from the start on, ART's error rate.
var artCycles = map[string][]float64{
	"illumina": {0.00137, 0.00194, 0.00229, 0.00235, 0.00225, 0.00174},
	"miseq":    {0.11597, 0.05210, 0.00844, 0.00658, 0.00523, 0.00420, 0.00345, 0.00305, 0.00272, 0.00239},
}

// The built-in Illumina profiles have ART's scores, errors by score and errors by cycle.
func TestLikeART(t *testing.T) {
	for name, scores := range artScores {
		p := builtins(t)[name]
		n := 25 * len(artCycles[name])
		r := rand.New(rand.NewPCG(6, 6))
		g := genome(r, 200_000)
		m, err := measureReads(&simulated{p: p, r: r, ref: g, sample: g, n: n, reads: 6_000_000 / n}, n)
		if err != nil {
			t.Fatal(err)
		}
		// Four standard deviations of our own count, and 4 % of ART's and of smoothing.
		near := func(what string, at any, got, want, of float64) {
			if math.Abs(got-want) > 0.04*want+4*math.Sqrt(want/of) {
				t.Errorf("%s: %s at %v is %.5f, ART has %.5f", name, what, at, got, want)
			}
		}
		for q, want := range scores {
			near("share of the score", q, m.share[q], want[0], m.n)
			near("error rate of the score", q, m.errByQ[q], want[1], m.seen[q])
		}
		for b, want := range artCycles[name] {
			var e float64
			for _, x := range m.errByCycle[25*b : 25*b+25] {
				e += x / 25
			}
			near("error rate from cycle", 25*b+1, e, want, m.n/float64(n)*25)
		}
	}
}
