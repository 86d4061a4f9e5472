package sequencer

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
)

// Op is one operation of a CIGAR string, e.g. {10, 'M'}.
type Op struct {
	Len  int
	Kind byte // M I D N S H P = X, as in the SAM specification, section 1.4
}

// Alignment is one aligned read as a SAM record gives it: in the direction of the reference.
type Alignment struct {
	Ref     []uint8 // codes of the whole reference sequence; not copied, so it must not change
	Start   int     // first aligned position in Ref, from 0
	Query   []uint8 // codes; soft-clipped bases included
	Quals   []uint8 // Phred scores as Query, or empty
	Cigar   []Op
	Reverse bool // the read is the reverse complement of Query
}

// Source gives alignments one after the other; Next returns io.EOF after the last. It may reuse the
// memory of Query, Quals and Cigar.
type Source interface {
	Next(a *Alignment) error
}

// FitOptions says how Fit reads and smooths; its zero value is replaced by the defaults named here.
type FitOptions struct {
	Name string
	Doc  string
	// Classes of reads: 1. With more, reads are ranked by their rate of errors where they are long,
	// by their mean expected error (from scores) where they are short, and cut into even classes.
	Classes int
	// MaxBases is how many aligned bases are used at most: 50,000,000. All are kept in memory (about 3 bytes each).
	MaxBases int64
	// MinBases is how many there must be: 10,000.
	MinBases int64
	// Bins are the ends of the bins of cycles (Quality.Ends). Absent: every cycle up to 10, then every 5, and the last, for short reads, one
	// bin for long ones (any read of more than 1,000 bases).
	Bins []int
	// MaxRun is up to which length homopolymers have rates of their own: 8.
	MaxRun int
	// Variant is the share of reads, of at least four, that must disagree with the reference at a
	// position for it to be left out as a difference between sample and reference: 0.6. Above 1: keep all.
	Variant float64
	// Pseudo is the weight, in errors, of what is expected before anything is seen: the error of a score, even
	// contexts, the rate of a homopolymer one base shorter (a gamma prior of this shape): 4.
	Pseudo float64
	// Base is what is expected before anything is seen, in place of even contexts and the scores' own errors: its shape, scaled to
	// the mean rates of the reads. Its adapter and truncation, which alignments do not show, are taken over. May be nil.
	Base *Profile
}

func (o *FitOptions) defaults() error {
	if o.Classes == 0 {
		o.Classes = 1
	}
	if o.MaxBases == 0 {
		o.MaxBases = 50_000_000
	}
	if o.MinBases == 0 {
		o.MinBases = 10_000
	}
	if o.MaxRun == 0 {
		o.MaxRun = 8
	}
	if o.Variant == 0 {
		o.Variant = 0.6
	}
	if o.Pseudo == 0 {
		o.Pseudo = 4
	}
	if len(o.Bins) == 0 {
		o.Bins = nil
	}
	for i, e := range o.Bins {
		if e < 1 || e > 1<<20 || i > 0 && e <= o.Bins[i-1] {
			return fmt.Errorf("sequencer: bad options of a fit: bin %d ends at %d, want ascending positions from 1 to %d", i, e, 1<<20)
		}
	}
	if o.Name == "" {
		o.Name = "fitted"
	}
	if o.Base != nil {
		if err := o.Base.Validate(); err != nil {
			return fmt.Errorf("sequencer: base of a fit: %w", err)
		}
	}
	if o.Classes < 1 || o.Classes > maxClasses || o.MaxRun < 1 || o.MaxRun > maxRun || o.MaxBases < 1 || o.MinBases < 1 || !(o.Pseudo > 0) || o.Variant < 0 {
		return fmt.Errorf("sequencer: bad options of a fit: %d classes (limit %d), max run %d (limit %d), %d..%d bases, pseudo count %g, variant %g",
			o.Classes, maxClasses, o.MaxRun, maxRun, o.MinBases, o.MaxBases, o.Pseudo, o.Variant)
	}
	return nil
}

// FitReport is what Fit saw. Rates are per aligned reference base.
type FitReport struct {
	Reads      int64   `json:"reads"`
	Bases      int64   `json:"bases"` // aligned bases of reads
	Clipped    int64   `json:"clipped"`
	Sub        float64 `json:"sub"`
	Ins        float64 `json:"ins"` // inserted bases
	Del        float64 `json:"del"` // missing bases
	N          float64 `json:"n"`   // of bases in reads
	Masked     int64   `json:"masked"`
	Variants   int64   `json:"variants"` // positions of the reference left out
	NoQuality  int64   `json:"no_quality"`
	Skipped    int64   `json:"skipped"` // alignments without sequence or with one aligned base or less
	Bad        int64   `json:"bad"`     // alignments that contradict themselves: an error above 1 %
	FirstBad   string  `json:"first_bad,omitempty"`
	Stopped    bool    `json:"stopped"` // at MaxBases
	MeanLength float64 `json:"mean_length"`
	// Events that the rates rest on: substituted bases, and insertions and deletions whatever their length.
	SubEvents int64 `json:"sub_events"`
	InsEvents int64 `json:"ins_events"`
	DelEvents int64 `json:"del_events"`
	// What was seen, by the profile's bins of cycles, its scores and the length of homopolymers.
	ByCycle []SeenAt `json:"by_cycle"`
	ByScore []SeenAt `json:"by_score"`
	ByRun   []RunAt  `json:"by_run"`
}

// SeenAt counts aligned bases and those of them that differ from the reference. Cycles go from From to To, counted from 1
// (To is 0 for the end of the read); of a score both are the score.
type SeenAt struct {
	From  int   `json:"from"`
	To    int   `json:"to,omitempty"`
	Bases int64 `json:"bases"`
	Wrong int64 `json:"wrong"`
	// Score is the error that the scores say, as a Phred score: -10 log10 of their mean error; 0 without scores.
	Score float64 `json:"score,omitempty"`
}

// RunAt counts reference bases in homopolymers of one length, and the insertions and deletions there.
type RunAt struct {
	Run   int   `json:"run"` // the last: this length or more
	Bases int64 `json:"bases"`
	Ins   int64 `json:"ins"`
	Del   int64 `json:"del"`
}

// read is an alignment in the direction of the read.
type fitRead struct {
	query, quals []uint8
	ref          []uint8 // from the first aligned base on
	cigar        []Op
	refStart     int // in forward coordinates of refID
	refID        int
	reverse      bool
	hard         int // hard-clipped bases before query
	class        int
}

// ErrFit is wrapped by every error about alignments that cannot be fitted.
var ErrFit = errors.New("sequencer: cannot fit")

// Fit estimates a profile from reads aligned to their reference. Rates are smoothed towards what is
// expected without data: a score's own error probability, scaled to the mean of all, and even contexts, cycles and outcomes.
// The factors of quality, context and cycle are fitted together (a log-linear Poisson model by iterative scaling, Deming & Stephan
// 1940), so that none takes what another explains. Adapter and truncation are not fitted.
func Fit(src Source, opt FitOptions) (*Profile, *FitReport, error) {
	if err := opt.defaults(); err != nil {
		return nil, nil, err
	}
	f := &fitter{opt: opt, refs: map[*uint8]int{}}
	if err := f.load(src); err != nil {
		return nil, nil, err
	}
	f.variants()
	f.classify()
	p, err := f.profile()
	if err != nil {
		return nil, nil, err
	}
	return p, &f.rep, nil
}

type fitter struct {
	opt   FitOptions
	rep   FitReport
	reads []fitRead
	refs  map[*uint8]int
	depth [][]uint8 // [reference][position]: reads, saturating; and those that disagree
	wrong [][]uint8
	ends  []int
	long  bool
}

func (f *fitter) load(src Source) error {
	var a Alignment
	for n := int64(1); ; n++ {
		if f.rep.Bases >= f.opt.MaxBases {
			f.rep.Stopped = true
			break
		}
		err := src.Next(&a)
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("sequencer: reading alignment %d: %w", n, err)
		}
		if err := f.add(&a); err != nil {
			// ART writes some CIGARs that are a base too long: a few such records are no reason to stop.
			if f.rep.Bad++; f.rep.Bad == 1 {
				f.rep.FirstBad = fmt.Sprintf("alignment %d: %v", n, err)
			}
			if f.rep.Bad > 100 && f.rep.Bad*100 > n {
				break
			}
		}
	}
	if f.rep.Bad*100 > f.rep.Reads+f.rep.Bad {
		return fmt.Errorf("%w: %d of %d alignments contradict themselves, the first: %s", ErrFit, f.rep.Bad, f.rep.Reads+f.rep.Bad, f.rep.FirstBad)
	}
	if f.rep.Bases < f.opt.MinBases {
		return fmt.Errorf("%w: %d aligned bases in %d reads, at least %d are needed", ErrFit, f.rep.Bases, f.rep.Reads, f.opt.MinBases)
	}
	var all int64
	for i := range f.reads {
		all += int64(len(f.reads[i].query))
	}
	f.rep.MeanLength = float64(all) / float64(len(f.reads))
	longest := 0
	for i := range f.reads {
		longest = max(longest, len(f.reads[i].query)+f.reads[i].hard)
	}
	f.long = longest > 1000
	f.ends = slices.Clone(f.opt.Bins)
	if f.ends == nil {
		f.ends = []int{1}
		for e := 2; !f.long && e < longest-1; {
			f.ends = append(f.ends, e)
			if e++; e > 10 {
				e += 4
			}
		}
		if !f.long && longest > 1 { // the last cycle is often another than those before
			if longest > 2 {
				f.ends = append(f.ends, longest-1)
			}
			f.ends = append(f.ends, longest)
		}
	}
	return nil
}

func (f *fitter) add(a *Alignment) error {
	if len(a.Quals) > 0 && len(a.Quals) != len(a.Query) {
		return fmt.Errorf("%d qualities for %d bases", len(a.Quals), len(a.Query))
	}
	ref, query, aligned, clip := 0, 0, 0, 0
	for _, op := range a.Cigar {
		if op.Len < 0 || op.Len > 1<<30 {
			return fmt.Errorf("cigar: length %d", op.Len)
		}
		switch op.Kind {
		case 'M', '=', 'X':
			ref, query, aligned = ref+op.Len, query+op.Len, aligned+op.Len
		case 'I':
			query += op.Len
		case 'S':
			query += op.Len
			clip += op.Len
		case 'D', 'N':
			ref += op.Len
		case 'H', 'P':
		default:
			return fmt.Errorf("cigar: operation %q", op.Kind)
		}
	}
	if len(a.Query) == 0 || aligned < 2 {
		f.rep.Skipped++
		return nil
	}
	if query != len(a.Query) {
		return fmt.Errorf("cigar spans %d bases of a read of %d", query, len(a.Query))
	}
	if a.Start < 0 || ref > len(a.Ref)-a.Start {
		return fmt.Errorf("spans %d bases from %d of a reference of %d", ref, a.Start, len(a.Ref))
	}
	r := fitRead{refStart: a.Start, reverse: a.Reverse}
	id, ok := f.refs[&a.Ref[0]]
	if !ok {
		id = len(f.refs)
		f.refs[&a.Ref[0]] = id
		f.depth = append(f.depth, make([]uint8, len(a.Ref)))
		f.wrong = append(f.wrong, make([]uint8, len(a.Ref)))
	}
	r.refID = id
	for i, q := range a.Quals {
		if q > MaxQuality {
			return fmt.Errorf("quality %d at base %d, limit %d", q, i+1, MaxQuality)
		}
	}
	for _, b := range a.Query {
		if b > N {
			return fmt.Errorf("code %d of a base, limit %d", b, N)
		}
	}
	span := a.Ref[a.Start : a.Start+ref]
	if a.Reverse {
		r.ref = ReverseComplement(make([]uint8, 0, len(span)), span)
		r.query = ReverseComplement(make([]uint8, 0, len(a.Query)), a.Query)
		r.quals = slices.Clone(a.Quals)
		slices.Reverse(r.quals)
		r.cigar = slices.Clone(a.Cigar)
		slices.Reverse(r.cigar)
	} else {
		r.ref, r.query, r.quals, r.cigar = span, slices.Clone(a.Query), slices.Clone(a.Quals), slices.Clone(a.Cigar)
	}
	if r.cigar[0].Kind == 'H' {
		r.hard = r.cigar[0].Len
	}
	f.rep.Reads++
	f.rep.Bases += int64(aligned)
	f.rep.Clipped += int64(clip)
	if len(r.quals) == 0 {
		f.rep.NoQuality++
	}
	f.reads = append(f.reads, r)
	return nil
}

// clips are the soft-clipped bases at the two ends.
func (r *fitRead) clips() (head, tail int) {
	for _, op := range r.cigar {
		if op.Kind != 'H' && op.Kind != 'S' {
			break
		}
		if op.Kind == 'S' {
			head += op.Len
		}
	}
	for i := len(r.cigar) - 1; i >= 0 && (r.cigar[i].Kind == 'H' || r.cigar[i].Kind == 'S'); i-- {
		if r.cigar[i].Kind == 'S' {
			tail += r.cigar[i].Len
		}
	}
	return head, tail
}

// forward is the place of r.ref[i] in its reference.
func (r *fitRead) forward(i int) int {
	if r.reverse {
		return r.refStart + len(r.ref) - 1 - i
	}
	return r.refStart + i
}

// columns calls match for every aligned pair, insert and remove for every gap, in read direction.
// i and j are indices into ref and query; for insert, ref[i-1] is the base before it.
func (r *fitRead) columns(match func(i, j int), insert func(i, j, n int), remove func(i, j, n int), skip func(i, j int)) {
	i, j := 0, 0
	for _, op := range r.cigar {
		switch op.Kind {
		case 'M', '=', 'X':
			for range op.Len {
				match(i, j)
				i, j = i+1, j+1
			}
		case 'I':
			insert(i, j, op.Len)
			j += op.Len
		case 'S':
			j += op.Len
		case 'D':
			remove(i, j, op.Len)
			i += op.Len
		case 'N':
			i += op.Len
			skip(i, j)
		}
	}
}

// variants counts at every position of the references how many reads disagree.
func (f *fitter) variants() {
	if f.opt.Variant > 1 {
		f.depth = nil
		return
	}
	inc := func(p *uint8) {
		if *p < math.MaxUint8 {
			*p++
		}
	}
	for n := range f.reads {
		r := &f.reads[n]
		depth, wrong := f.depth[r.refID], f.wrong[r.refID]
		one := func(i int, bad bool) {
			at := r.forward(i)
			if depth[at] == math.MaxUint8 {
				return
			}
			inc(&depth[at])
			if bad {
				inc(&wrong[at])
			}
		}
		r.columns(func(i, j int) { one(i, r.query[j] != r.ref[i]) },
			func(i, _, _ int) {
				if i > 0 {
					at := r.forward(i - 1)
					if r.reverse { // the same place in both directions
						at--
					}
					if at >= 0 {
						inc(&wrong[at])
					}
				}
			},
			func(i, _, n int) {
				for k := range n {
					one(i+k, true)
				}
			}, func(int, int) {})
	}
	for id := range f.depth {
		for at, d := range f.depth[id] {
			w := f.wrong[id][at]
			f.depth[id][at] = 0
			if d >= 4 && float64(w) >= f.opt.Variant*float64(d) {
				f.depth[id][at] = 1 // from here on: leave it out
				f.rep.Variants++
			}
		}
	}
	f.wrong = nil
}

func (f *fitter) masked(r *fitRead, i int) bool {
	return f.depth != nil && i >= 0 && i < len(r.ref) && f.depth[r.refID][r.forward(i)] != 0
}

func (f *fitter) classify() {
	if f.opt.Classes == 1 {
		return
	}
	key := make([]float64, len(f.reads))
	for n := range f.reads {
		r := &f.reads[n]
		if !f.long && len(r.quals) > 0 {
			for _, q := range r.quals {
				key[n] += phred(q)
			}
			key[n] /= float64(len(r.quals))
			continue
		}
		var bad, all float64
		r.columns(func(i, j int) {
			all++
			if r.query[j] != r.ref[i] {
				bad++
			}
		}, func(_, _, n int) { bad += float64(n) }, func(_, _, n int) { bad += float64(n) }, func(int, int) {})
		key[n] = bad / all
	}
	order := make([]int, len(key))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return key[order[a]] < key[order[b]] })
	for rank, n := range order {
		f.reads[n].class = rank * f.opt.Classes / len(order)
	}
}

func phred(q uint8) float64 { return math.Pow(10, -float64(q)/10) }

// Prob is the error probability of a Phred score, 10^(-q/10), at most 0.75: what a base without any knowledge has.
func Prob(q uint8) float64 { return min(phred(q), 0.75) }

// counts of one class.
type classCounts struct {
	reads                       int64
	sub, subExpect              float64
	ins, insExpect, del, delExp float64
}

func (f *fitter) profile() (*Profile, error) {
	bins, scores := len(f.ends), MaxQuality+1
	nc := f.opt.Classes
	binOf := make([]int, f.ends[bins-1])
	for b, i := 0, 0; i < len(binOf); i++ {
		if i == f.ends[b] {
			b++
		}
		binOf[i] = b
	}
	bin := func(j int) int {
		if j >= len(binOf) {
			return bins - 1
		}
		return binOf[j]
	}
	marginal := make([]float64, nc*bins*scores)
	pairs := make([]float64, scores*scores)
	seen := make([]float64, bins*scores*16)
	errs := make([]float64, bins*scores*16)
	to := make([]float64, 16*4)
	insQ, delQ, nQ := make([]float64, scores), make([]float64, scores), make([]float64, scores)
	maxRun := f.opt.MaxRun
	runAll := make([]float64, maxRun)
	runIns, runDel := make([]float64, maxRun), make([]float64, maxRun)
	var insEvents, insBases, insRepeat, delEvents, delBases, refBases, subs float64
	var nBases, nAfter, allBases float64
	perClass := make([]classCounts, nc)
	perRun := make([]struct{ all, ins, del []float64 }, nc)
	for c := range perRun {
		perRun[c].all, perRun[c].ins, perRun[c].del = make([]float64, maxRun), make([]float64, maxRun), make([]float64, maxRun)
	}
	lengths := make([]int, 0, len(f.reads))
	type cell struct{ seen, errs float64 }
	classCells := make([][]cell, nc)
	for c := range classCells {
		classCells[c] = make([]cell, scores)
	}
	constant := uint8(0)
	if f.rep.NoQuality == f.rep.Reads {
		constant = 1 // no scores at all: one state, whose score is set to the rate found below
	}

	var apart []bool
	for n := range f.reads {
		r := &f.reads[n]
		pc := &perClass[r.class]
		pc.reads++
		lengths = append(lengths, len(r.query))
		score := func(j int) uint8 {
			if len(r.quals) == 0 {
				return constant
			}
			return r.quals[j]
		}
		// Bases that have scores of their own in the model, and the junk at the ends of long reads, are no part of the chain.
		apart = append(apart[:0], make([]bool, len(r.query))...)
		r.columns(func(int, int) {}, func(_, j, n int) {
			for k := range n {
				apart[j+k] = true
			}
		}, func(_, j, _ int) {
			if j < len(apart) {
				apart[j] = true
			}
		}, func(int, int) {})
		if f.long {
			head, tail := r.clips()
			for j := range apart {
				apart[j] = apart[j] || j < head || j >= len(apart)-tail
			}
		}
		for j, b := range r.query {
			allBases++
			if b > 3 {
				nBases++
				if j > 0 && r.query[j-1] > 3 {
					nAfter++
				}
				if len(r.quals) > 0 {
					nQ[r.quals[j]]++
				}
				continue
			}
			if len(r.quals) == 0 && constant == 0 || apart[j] {
				continue
			}
			q, at := score(j), bin(j+r.hard)
			marginal[(r.class*bins+at)*scores+int(q)]++
			if j > 0 && r.query[j-1] < 4 && !apart[j-1] {
				pairs[int(score(j-1))*scores+int(q)]++
			}
		}
		fresh := 0 // index in ref of the first base after a skipped stretch: no previous base is known
		gone := -1 // query index of the base after a deletion
		r.columns(func(i, j int) {
			b := r.ref[i]
			if b > 3 || f.masked(r, i) {
				return
			}
			refBases++
			L := min(run(r.ref, i, maxRun), maxRun) - 1
			runAll[L]++
			perRun[r.class].all[L]++
			o := r.query[j]
			q := score(j)
			if gone == j && o < 4 && o == b {
				delQ[q]++
			}
			if o > 3 || i == fresh || r.ref[i-1] > 3 || len(r.quals) == 0 && constant == 0 {
				return
			}
			ctx := int(r.ref[i-1]<<2 | b)
			at := (bin(j+r.hard)*scores+int(q))*16 + ctx
			seen[at]++
			classCells[r.class][q].seen++
			if o != b {
				subs++
				errs[at]++
				to[ctx*4+int(o)]++
				classCells[r.class][q].errs++
			}
		}, func(i, j, n int) {
			if i == 0 || f.masked(r, i-1) || f.masked(r, i) || r.ref[i-1] > 3 {
				return
			}
			// The homopolymer that the base belongs to: the one before, or the one behind.
			at := i - 1
			if i < len(r.ref) && r.query[j] == r.ref[i] && r.query[j] != r.ref[i-1] {
				at = i
			}
			L := min(run(r.ref, at, maxRun), maxRun) - 1
			runIns[L]++
			perRun[r.class].ins[L]++
			insEvents++
			for k := range n {
				insBases++
				if r.query[j+k] == r.ref[at] {
					insRepeat++
				}
				insQ[score(j+k)]++
			}
		}, func(i, j, n int) {
			gone = j + 0
			for k := range n {
				if f.masked(r, i+k) {
					return
				}
			}
			if r.ref[i] > 3 {
				return
			}
			L := min(run(r.ref, i, maxRun), maxRun) - 1
			runDel[L]++
			runAll[L]++
			perRun[r.class].del[L]++
			perRun[r.class].all[L]++
			refBases += float64(n)
			delEvents++
			delBases += float64(n)
		}, func(i, _ int) { fresh = i })
	}
	if refBases == 0 {
		return nil, fmt.Errorf("%w: every position was left out as a variant", ErrFit)
	}
	f.rep.Sub, f.rep.Ins, f.rep.Del = subs/refBases, insBases/refBases, delBases/refBases
	f.rep.N = nBases / allBases
	f.rep.SubEvents, f.rep.InsEvents, f.rep.DelEvents = int64(subs), int64(insEvents), int64(delEvents)
	f.count(seen, errs, constant == 1)
	for i := range maxRun {
		f.rep.ByRun = append(f.rep.ByRun, RunAt{i + 1, int64(runAll[i]), int64(runIns[i]), int64(runDel[i])})
	}

	// The scores that occur.
	p := &Profile{Version: version, Name: f.opt.Name, Doc: f.opt.Doc, Reads: f.rep.Reads, Bases: f.rep.Bases}
	p.Quality.Ends = f.ends
	var total [MaxQuality + 1]float64
	for i, x := range marginal {
		total[i%scores] += x
	}
	state := make([]int, 0, scores)
	for q, x := range total {
		if x > 0 {
			state = append(state, q)
			p.Quality.Phred = append(p.Quality.Phred, q)
		}
	}
	if len(state) == 0 {
		return nil, fmt.Errorf("%w: no base but N", ErrFit)
	}
	k := len(state)
	pick := func(row []float64) []float64 {
		out := make([]float64, k)
		for i, q := range state {
			out[i] = row[q]
		}
		return out
	}
	p.Quality.N = 2
	for q, x := range nQ {
		if x > nQ[p.Quality.N] {
			p.Quality.N = uint8(q)
		}
	}

	base := f.opt.Base
	if base != nil {
		p.Adapter, p.Truncate = base.Adapter, base.Truncate
	}

	// Substitutions: seen · rate[q] · context · cycle = errors in every margin.
	rate, context, cycle := make([]float64, k), ones(16), ones(bins)
	expect := 0.0
	for i, q := range state {
		rate[i] = phred(uint8(q))
		if base != nil && constant == 0 {
			rate[i] = base.Sub.ByQuality[base.near(q)]
		}
		for b := range bins {
			for c := range 16 {
				expect += seen[(b*scores+q)*16+c] * rate[i]
			}
		}
	}
	all := subs
	scale := 1.0
	if expect > 0 && all > 0 {
		scale = all / expect
	}
	prior := make([]float64, k)
	for i := range rate {
		rate[i] = min(rate[i]*scale, maxRate)
		prior[i] = rate[i]
	}
	pseudo := f.opt.Pseudo
	usual := ones(16)
	if base != nil && base.Sub.ByContext != nil {
		usual = base.Sub.ByContext
	}
	for range 12 {
		num, den := make([]float64, k), make([]float64, k)
		cn, cd := make([]float64, 16), make([]float64, 16)
		bn, bd := make([]float64, bins), make([]float64, bins)
		sweep := func(add func(i, c, b int, s, e float64)) {
			for b := range bins {
				for i, q := range state {
					at := (b*scores + q) * 16
					for c := range 16 {
						if s := seen[at+c]; s > 0 {
							add(i, c, b, s, errs[at+c])
						}
					}
				}
			}
		}
		sweep(func(i, c, b int, s, e float64) { num[i] += e; den[i] += s * context[c] * cycle[b] })
		for i := range rate {
			rate[i] = min((num[i]+pseudo)/(den[i]+pseudo/prior[i]), maxRate)
		}
		sweep(func(i, c, b int, s, e float64) { cn[c] += e; cd[c] += s * rate[i] * cycle[b] })
		for c := range context {
			context[c] = (cn[c] + pseudo*usual[c]) / (cd[c] + pseudo)
		}
		sweep(func(i, c, b int, s, e float64) { bn[b] += e; bd[b] += s * rate[i] * context[c] })
		for b := range cycle {
			cycle[b] = (bn[b] + pseudo) / (bd[b] + pseudo)
		}
	}
	p.Sub.ByQuality, p.Sub.ByContext = digits(rate, 4), digits(context, 4)
	if bins > 1 {
		p.Sub.ByCycle = digits(cycle, 4)
	}
	for c := range 16 {
		row := make([]float64, 4)
		expected := []float64{1. / 3, 1. / 3, 1. / 3, 1. / 3}
		if base != nil && base.Sub.To != nil {
			expected = normalised(base.Sub.To[c])
		}
		var sum float64
		for o := range 4 {
			sum += to[c*4+o]
		}
		for o := range row {
			if o != c&3 {
				row[o] = (to[c*4+o] + 30*expected[o]) / (sum + 30)
			}
		}
		p.Sub.To = append(p.Sub.To, digits(row, 3))
	}

	// Indels: rates by run, smoothed towards the run one shorter.
	byRun := func(events, usual []float64) []float64 {
		out := make([]float64, maxRun)
		var e, a float64
		for i := range events {
			e, a = e+events[i], a+runAll[i]
		}
		if e == 0 {
			return out
		}
		before := e / a
		expect := 0.0 // of the events, with the rates of Base
		at := func(i int) float64 { return usual[min(i, len(usual)-1)] }
		for i := range out {
			if len(usual) > 0 {
				expect += runAll[i] * at(i)
			}
		}
		for i := range out {
			if expect > 0 && at(i) > 0 {
				before = at(i) * e / expect
			}
			out[i] = min((events[i]+pseudo)/(runAll[i]+pseudo/before), maxRate)
			before = out[i]
		}
		return digits(out, 4)
	}
	var usualIns, usualDel []float64
	if base != nil {
		usualIns, usualDel = base.Ins.ByRun, base.Del.ByRun
	}
	p.Ins.ByRun, p.Del.ByRun = byRun(runIns, usualIns), byRun(runDel, usualDel)
	extend := func(events, bases float64) float64 {
		if bases == 0 {
			return 0
		}
		return digits([]float64{min(1-events/bases, maxExtend)}, 4)[0]
	}
	p.Ins.Extend, p.Del.Extend = extend(insEvents, insBases), extend(delEvents, delBases)
	p.Ins.Repeat = digits([]float64{(insRepeat + 5) / (insBases + 20)}, 4)[0]
	quality := func(w []float64) []float64 { // enough to be trusted, else the chain goes on
		var sum float64
		for _, x := range w {
			sum += x
		}
		if w = pick(w); sum < 2000 || k == 1 {
			return nil
		}
		return digits(normalised(w), 3)
	}
	p.Ins.Quality, p.Del.Quality = quality(insQ), quality(delQ)
	if nBases > 0 {
		p.N.Rate = digits([]float64{min((nBases-nAfter)/allBases, maxRate)}, 4)[0]
		p.N.Extend = digits([]float64{min(nAfter/nBases, maxExtend)}, 4)[0]
	}

	// The link of scores that follow each other, scaled until the chains of all bins have the pairs that were seen.
	if k > 1 {
		const shrink = 5
		link := make([][]float64, k)
		for i := range link {
			link[i] = ones(k)
		}
		for range 12 {
			expect := make([]float64, k*k)
			for c := range nc {
				for b := range bins {
					m := pick(marginal[(c*bins+b)*scores : (c*bins+b+1)*scores])
					var sum float64
					for _, x := range m {
						sum += x
					}
					if sum == 0 {
						continue
					}
					m = normalised(m)
					for i, row := range joint(link, m, m) {
						for j, x := range row {
							expect[i*k+j] += x * sum
						}
					}
				}
			}
			var all, want float64 // not every base has a neighbour
			for i, q := range state {
				for j, o := range state {
					all += pairs[q*scores+o]
					want += expect[i*k+j]
				}
			}
			if all == 0 || want == 0 {
				break
			}
			for i, q := range state {
				for j, o := range state {
					x := link[i][j] * (pairs[q*scores+o] + shrink) / (expect[i*k+j]*all/want + shrink)
					link[i][j] = min(max(x, 1e-3), 1e3)
				}
			}
		}
		for _, row := range link {
			p.Quality.Link = append(p.Quality.Link, digits(row, 3))
		}
	}

	for c := range nc {
		pc := &perClass[c]
		cl := Class{Weight: digits([]float64{float64(pc.reads) / float64(len(f.reads))}, 4)[0], Sub: 1, Ins: 1, Del: 1}
		if nc > 1 {
			for i, q := range state {
				pc.sub += classCells[c][q].errs
				pc.subExpect += classCells[c][q].seen * rate[i]
			}
			for i := range maxRun {
				pc.ins += perRun[c].ins[i]
				pc.insExpect += perRun[c].all[i] * p.Ins.ByRun[i]
				pc.del += perRun[c].del[i]
				pc.delExp += perRun[c].all[i] * p.Del.ByRun[i]
			}
			fac := digits([]float64{(pc.sub + pseudo) / (pc.subExpect + pseudo), (pc.ins + pseudo) / (pc.insExpect + pseudo), (pc.del + pseudo) / (pc.delExp + pseudo)}, 4)
			cl.Sub, cl.Ins, cl.Del = fac[0], fac[1], fac[2]
		}
		for b := range bins {
			m := pick(marginal[(c*bins+b)*scores : (c*bins+b+1)*scores])
			var sum float64
			for _, x := range m {
				sum += x
			}
			if sum == 0 { // no read of this class is so long: as the bin before, or all reads
				if b > 0 {
					cl.Marginal = append(cl.Marginal, cl.Marginal[b-1])
				} else {
					cl.Marginal = append(cl.Marginal, digits(normalised(pick(total[:])), 3))
				}
				continue
			}
			cl.Marginal = append(cl.Marginal, digits(normalised(m), 3))
		}
		p.Classes = append(p.Classes, cl)
	}
	slices.Sort(lengths)
	quantiles := min(21, len(lengths))
	for i := range quantiles {
		p.Length = append(p.Length, lengths[i*(len(lengths)-1)/max(1, quantiles-1)])
	}
	if len(p.Length) == 1 {
		p.Length = append(p.Length, p.Length[0])
	}
	if constant == 1 {
		e := f.rep.Sub + f.rep.Ins + f.rep.Del
		p.Quality.Phred[0] = int(min(60, max(1, math.Round(-10*math.Log10(max(e, 1e-6))))))
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// count sums what was seen [bin, score, context] by cycle and by score.
func (f *fitter) count(seen, errs []float64, unscored bool) {
	const scores = MaxQuality + 1
	byScore := make([]SeenAt, scores)
	for b := range f.ends {
		at := SeenAt{From: 1, To: f.ends[b]}
		if b > 0 {
			at.From = f.ends[b-1] + 1
		}
		if b == len(f.ends)-1 {
			at.To = 0
		}
		var expect, all float64
		for q := range scores {
			for c := range 16 {
				n, wrong := seen[(b*scores+q)*16+c], errs[(b*scores+q)*16+c]
				byScore[q].Bases += int64(n)
				byScore[q].Wrong += int64(wrong)
				at.Wrong += int64(wrong)
				all += n
				expect += n * phred(uint8(q))
			}
		}
		if at.Bases = int64(all); all > 0 && !unscored {
			at.Score = -10 * math.Log10(expect/all)
		}
		f.rep.ByCycle = append(f.rep.ByCycle, at)
	}
	for q, at := range byScore {
		if at.Bases > 0 && !unscored {
			at.From, at.To, at.Score = q, q, float64(q)
			f.rep.ByScore = append(f.rep.ByScore, at)
		}
	}
}

// near is the index of the score of p that is nearest to q.
func (p *Profile) near(q int) int {
	best := 0
	for i, s := range p.Quality.Phred {
		if max(s-q, q-s) < max(p.Quality.Phred[best]-q, q-p.Quality.Phred[best]) {
			best = i
		}
	}
	return best
}

func ones(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = 1
	}
	return v
}

// digits rounds to n significant digits: a profile is read by people too.
func digits(v []float64, n int) []float64 {
	for i, x := range v {
		if x != 0 {
			s := math.Pow(10, float64(n)-1-math.Floor(math.Log10(math.Abs(x))))
			if r := math.Round(x*s) / s; !math.IsInf(r, 0) && !math.IsNaN(r) {
				v[i] = r
			}
		}
	}
	return v
}
