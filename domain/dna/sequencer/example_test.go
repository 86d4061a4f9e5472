package sequencer_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/selfsame-ml/selfsame/domain/dna/sequencer"
)

// A noisy read, and what it was before.
func ExampleProfile_Read() {
	p, err := sequencer.Builtin("nanopore")
	if err != nil {
		fmt.Println(err)
		return
	}
	template := sequencer.Encode(nil, []byte("GATTACAAAAAGATCCGGTTTACGACGTTGCATTTTGACCAGTAGGCCATTACG"))
	var read sequencer.Read
	var truth []uint8
	for seed := range uint64(1000) { // the first read that lost no more than one base at a place, but is not perfect
		p.Read(rand.New(rand.NewPCG(seed, 1)), template, 40, &read)
		if read.Lost == 0 && string(read.Bases) != string(template[:read.Used]) {
			break
		}
	}
	for j, here := range read.Here {
		if here != sequencer.Delete {
			truth = append(truth, here)
		}
		if after := read.After[j]; after > 0 {
			truth = append(truth, after-1)
		}
	}
	fmt.Println(len(read.Bases), len(read.Quals), string(truth) == string(template[:read.Used]))
	// Output: 40 40 true
}
