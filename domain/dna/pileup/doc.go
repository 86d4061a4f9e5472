// Package pileup finds the reads that overlap a read, all against all, and says what they claim about each of its bases.
//
// Most users need NewBuilder, Builder.Add and Builder.Finish for the reads of a file, then Index.Columns and
// Columns.Features for each read; MemIndex does the same for some hundreds of reads in memory.
//
// # Overlaps
//
// Reads that share a minimizer (Roberts et al. 2004; Li 2016) on either strand are candidates; seeds of period 1 to 3 and
// those of too many places (Index.Limit) are ignored. The diagonal with most shared seeds is compared base by base; where
// that fails as it does beside an inserted or missing base, package align lays the reads along all their seeds (Config.Band).
// An overlap is accepted if the differences that the qualities do not explain are few (Config.MaxDivergence); of too many
// overlaps those with most equal bases are used (Config.MaxReads). Gaps stand leftmost in the direction of the read at hand.
//
// # Close reads
//
// Copies of a repeat give overlaps too. A mismatch is telling where both bases are of high quality and it looks neither
// like an error of this read (others support the other base, none this one) nor like one of that read (the other way
// round); a base is supported where at least 1 + depth/SupportDepth other reads say it. A read is close at a position
// where it has no telling mismatch at any other position of its overlap (Config.CloseDivergence allows some for noisy reads),
// nor at the position itself where at least 2 + depth/8 other reads say what this read says: that is no error, and who says
// otherwise comes from another copy, strain or chromosome.
// An overlap beyond whose end both reads go on (Config.MaxOverhang) is close nowhere, unless this read itself seems to be
// a chimera that breaks there: at least two overlaps end at the place and less than one for each sixteen of them goes on.
//
// # Channels
//
// What Columns.Features writes for each position of a read. e(q) = min(0.75, 10^(-min(q,40)/10)); a read of quality q that
// says b gives b the evidence ln((1-e)/(e/3)) nats, in steps of 1/64. A read's base N counts nowhere. Not counted is the
// read itself, except where the table says so.
//
//	channel  value                                                                            range
//	0..3     1 where the read's own base is A, C, G, T; all 0 for N                           0, 1
//	4        own error probability e(q), 0.75 for N                                           0.0001 .. 0.75
//	5        own quality q/40, 0 for N                                                        0 .. 2.33
//	6..9     ln(1+n)/2, n overlapping reads that say A, C, G, T                               0 .. 3.47
//	10..13   the same of close reads                                                          0 .. 3.47
//	14..17   evidence of all overlapping reads for A, C, G, T, at most 60 nats, /20           0 .. 3
//	18..21   1 + max(-12, ln P(b | own base and close reads))/6: naive Bayes posterior of     -1 .. 1
//	         A, C, G, T under a flat prior, from the sums of evidence
//	22       ln(1+n)/2, n reads that have no base here                                        0 .. 3.47
//	23..26   ln(1+n)/2, n reads that have A, C, G, T as first base between here and the next  0 .. 3.47
//	27       ln(1+n)/2, n = depth: reads that say a base or none here                         0 .. 3.47
//	28       the same of close reads                                                          0 .. 3.47
//	29       (h-1)/15, h length of the run of equal own bases that holds the position,        0 .. 1
//	         at most 16; 0 for N
//	30       distance from the first base, at most 64, /64                                    0 .. 1
//	31       distance from the last base, at most 64, /64                                     0 .. 1
//
// Values do not depend on the order in which the reads were added nor on the number of workers: sums are of integers.
package pileup
