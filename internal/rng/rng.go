// Package rng gives every random draw of a run its own key.
//
// A draw depends only on (seed, purpose, epoch, sample, view), never on the
// order in which workers run or on where a run was resumed.
package rng

import "math/rand/v2"

// Purpose separates streams that would otherwise share a key.
type Purpose uint64

// The purposes for which selfsame draws.
const (
	Views Purpose = iota + 1
	Order
	Init
	Split
	Budget
	Probe
	Bootstrap
	Certify
	Map
	Mask
	Generate // rows of made-up data
)

func mix(h, v uint64) uint64 { // splitmix64 finaliser over a Weyl step (Steele, Lea & Flood 2014)
	h += 0x9e3779b97f4a7c15 + v
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// Key hashes a seed, a purpose and any counters to the two words of a PCG state.
func Key(seed uint64, p Purpose, counters ...uint64) (hi, lo uint64) {
	hi, lo = mix(mix(0, seed), uint64(p)), mix(mix(1, seed), uint64(p))
	for _, c := range counters {
		hi, lo = mix(hi, c), mix(lo, c)
	}
	return hi, lo
}

// New returns a generator keyed by (seed, purpose, counters).
func New(seed uint64, p Purpose, counters ...uint64) *rand.Rand {
	return rand.New(rand.NewPCG(Key(seed, p, counters...)))
}

// Stream is a reusable generator: Reset moves it to a key without allocating.
type Stream struct {
	pcg rand.PCG
	*rand.Rand
}

// NewStream returns a stream that must be Reset before use.
func NewStream() *Stream {
	s := &Stream{}
	s.Rand = rand.New(&s.pcg)
	return s
}

// Reset moves the stream to the key of one view of one sample.
func (s *Stream) Reset(seed uint64, p Purpose, epoch, sample, view uint64) {
	hi, lo := mix(mix(0, seed), uint64(p)), mix(mix(1, seed), uint64(p))
	hi, lo = mix(hi, epoch), mix(lo, epoch)
	hi, lo = mix(hi, sample), mix(lo, sample)
	hi, lo = mix(hi, view), mix(lo, view)
	s.pcg.Seed(hi, lo)
}
