package sequencer

import "math/rand/v2"

// DrawLength draws a read length in bases from the quantiles of p, even between neighbours; usual where p has none.
func (p *Profile) DrawLength(r *rand.Rand, usual int) int {
	if len(p.Length) < 2 {
		return usual
	}
	i := r.IntN(len(p.Length) - 1)
	return p.Length[i] + r.IntN(p.Length[i+1]-p.Length[i]+1)
}
