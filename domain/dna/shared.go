package dna

import "fmt"

// Two parts may hold the same sequence although no base lies in both: strains of a species, repeats of a genome.
const (
	markLength = 31          // bases by which a window is known again
	markLimit  = 20_000      // windows of a part that are looked for
	scanLimit  = 400_000_000 // bases of the training part that are looked through
)

// marks calls fn with every run of markLength known bases, as the smaller number of both strands.
func marks(bases []uint8, fn func(mark uint64)) {
	const mask = 1<<(2*markLength) - 1
	var forward, back uint64
	run := 0
	for _, b := range bases {
		if b >= baseN {
			run = 0
			continue
		}
		forward = (forward<<2 | uint64(b)) & mask
		back = back>>2 | uint64(3-b)<<(2*(markLength-1))
		if run++; run >= markLength {
			fn(min(forward, back))
		}
	}
}

// sharedWith counts the windows of a part (of at most markLimit, evenly spread) whose middle 31 bases stand in the training part too,
// on either strand.
func sharedWith(train, held *part, window int) (shared, looked int) {
	size := 0
	for _, b := range train.blocks {
		size += b.to - b.from
	}
	if size > scanLimit || len(held.places) == 0 || window < markLength {
		return 0, 0
	}
	wanted := map[uint64]int{} // windows by mark
	step := (len(held.places) + markLimit - 1) / markLimit
	for i := 0; i < len(held.places); i += step {
		at := held.places[i] + (window-markLength)/2
		marks(held.ref.bases[at:at+markLength], func(m uint64) { wanted[m]++ })
		looked++
	}
	for _, b := range train.blocks {
		marks(train.ref.bases[b.from:b.to], func(m uint64) {
			if n := wanted[m]; n > 0 {
				shared += n
				delete(wanted, m)
			}
		})
	}
	return shared, looked
}

// sharing says it for people; "" where hardly anything is shared.
func sharing(train, held *part, window int, name string) string {
	shared, looked := sharedWith(train, held, window)
	if looked == 0 || shared*100 < looked {
		return ""
	}
	return fmt.Sprintf("%d of %d windows of the %s part share their middle %d bases with the training part (strains of one species, repeats): they are other places, but no other sequence",
		shared, looked, name, markLength)
}
