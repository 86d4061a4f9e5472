package metric

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// ReadScores says how well reads were corrected, with the definitions of Mitchell et al., Genome
// Biology 21:71 (2020). True, raw and corrected read are aligned, and every column is one of
//
//	TP        true = corrected, raw differs: an error was corrected
//	TN        all equal
//	FP        true = raw, corrected differs: a correct base was changed; FP INDEL where one is a gap
//	FN        raw = corrected, true differs: an error was left
//	FN WRONG  all differ: an error was changed into another one
//	TRIM      before the first and after the last corrected base: FP TRIM where raw was right, else TP TRIM
//
// Their published columns count FP INDEL as FP and leave FN WRONG and both TRIM out of every score:
// so do FP, Gain, Precision and Sensitivity here. The two Strict scores add FN WRONG to the
// denominator, since such a base was an error that is still there.
type ReadScores struct {
	TP      int64 `json:"tp"`
	FP      int64 `json:"fp"` // FPIndel included
	FN      int64 `json:"fn"`
	FNWrong int64 `json:"fn_wrong"`
	TN      int64 `json:"tn"`

	Gain        Score `json:"gain"`        // (TP-FP)/(TP+FN): 1 perfect, 0 as good as raw, negative worse
	Precision   Score `json:"precision"`   // TP/(TP+FP)
	Sensitivity Score `json:"sensitivity"` // TP/(TP+FN)
	// FalsePerMb is FP for every million raw bases that were measured.
	FalsePerMb Score `json:"false_corrections_per_mb"`

	GainStrict        Score `json:"gain_strict"`        // (TP-FP)/(TP+FN+FNWrong)
	SensitivityStrict Score `json:"sensitivity_strict"` // TP/(TP+FN+FNWrong)
	ErrorsRaw         Score `json:"errors_raw"`         // wrong columns of the raw read a scored column, trims left out
	ErrorsCorrected   Score `json:"errors_corrected"`   // the same of the corrected read

	FPIndel  int64 `json:"fp_indel"` // of FP
	TPTrim   int64 `json:"tp_trim"`
	FPTrim   int64 `json:"fp_trim"`
	Unscored int64 `json:"unscored"` // columns whose true base is not A, C, G or T

	Reads        ReadClasses `json:"reads"`
	Bases        int64       `json:"bases"`         // raw bases of the reads measured
	BasesMissing int64       `json:"bases_missing"` // raw bases of Reads.Missing

	Variants    *VariantScores `json:"variants,omitempty"`    // where variants were given
	Reliability *Reliability   `json:"reliability,omitempty"` // where corrected reads have qualities
	// ReliabilityRaw is that of the sequencer's own qualities.
	ReliabilityRaw *Reliability `json:"reliability_raw,omitempty"`
}

// ReadClasses counts reads by the rules of the same paper, the first that fits: TN if every column
// is (trims aside), FP with a substituted FP and no FP INDEL, FPIndel, TP with TP and no error left,
// FN with no FN WRONG, else FNWrong.
type ReadClasses struct {
	Total   int64 `json:"total"`
	TP      int64 `json:"tp"`
	FP      int64 `json:"fp"`
	FPIndel int64 `json:"fp_indel"`
	FN      int64 `json:"fn"`
	FNWrong int64 `json:"fn_wrong"`
	TN      int64 `json:"tn"`
	Trimmed int64 `json:"trimmed"` // reads with a trimmed base
	// Missing counts reads that the corrector dropped. They are in no other count, as in the paper.
	Missing int64 `json:"missing"`
}

// VariantScores says what became of true differences from a reference.
type VariantScores struct {
	Kept        int64 `json:"kept"`         // the raw read had the variant, the corrected one has it
	Lost        int64 `json:"lost"`         // the raw read had it, the corrected one has not
	ToReference int64 `json:"to_reference"` // of Lost: the reference's allele was written
	RawWrong    int64 `json:"raw_wrong"`    // the raw read was wrong there
	Restored    int64 `json:"restored"`     // of RawWrong: the corrected one is right
	Trimmed     int64 `json:"trimmed"`      // trimmed away, or the read is missing
	Share       Score `json:"share"`        // Kept/(Kept+Lost)
}

// Reliability compares predicted with observed errors of bases, by Phred score. A base is an error
// if it differs from the true base it is aligned with or is aligned with none.
type Reliability struct {
	Bins []ReliabilityBin `json:"bins"` // of the scores that occur, rising
	// CalibrationError is the expected calibration error: the mean over bases of
	// |observed - predicted| of their bin (Naeini, Cooper & Hauskrecht 2015).
	CalibrationError Score `json:"calibration_error"`
	Predicted        Score `json:"predicted"` // mean predicted error of a base
	Observed         Score `json:"observed"`  // errors a base
}

// ReliabilityBin is one Phred score.
type ReliabilityBin struct {
	Quality   int   `json:"quality"`
	Bases     int64 `json:"bases"`
	Errors    int64 `json:"errors"`
	Predicted Score `json:"predicted"` // 10^(-quality/10)
	Observed  Score `json:"observed"`
}

// Score is a ratio; it is NaN, and null in JSON, where its denominator is zero.
type Score float64

// MarshalJSON writes null for NaN.
func (s Score) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(s)) || math.IsInf(float64(s), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(s))
}

// UnmarshalJSON reads null as NaN.
func (s *Score) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*s = Score(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(s))
}

func ratio(a, b int64) Score {
	if b == 0 {
		return Score(math.NaN())
	}
	return Score(float64(a) / float64(b))
}

// ReadTriple is one read in its three forms. Letters are IUPAC in either case; U is T. What is not
// A, C, G or T is N: as a true base it is not scored, elsewhere it differs from every base.
// Qualities are Phred scores plus 33 as in FASTQ, of the length of their read, or nil.
type ReadTriple struct {
	True, Raw, Corrected   []byte
	RawQual, CorrectedQual []byte
	Variants               []ReadVariant
}

// ReadVariant is a place where the true read differs from a reference.
type ReadVariant struct {
	Pos int // 0-based position in the true read
	// Reference is the reference's base at Pos; "-" where the reference lacks that base; "+" and
	// bases that the reference has between Pos and Pos+1, and the true read lacks.
	Reference string
}

// ReadMeter adds up [ReadScores] over reads. Its memory does not grow with their number. The zero
// value is ready to use; it is not safe for concurrent use, but meters can be merged.
//
// Three reads of one length whose columns without a gap cost at most 4 (two places that differ)
// are compared place by place, which is optimal then. Others are aligned for the smallest sum over
// columns of unequal pairs, a gap being a sign like a base: exactly up to a cost of 48, longer or
// noisier ones in pieces between stretches of 12 bases that all three share, each piece exactly up
// to 64 and beyond that by the two pairwise alignments with the true read. Among gapless and gapped
// alignments of one cost the gapless one counts; a gap in a run of equal bases stands at its end.
// An end of 3 or more raw bases that the corrected read lacks is taken for a trim.
type ReadMeter struct {
	s        ReadScores
	variants bool
	quals    [2][256][2]int64 // raw, corrected: bases and errors by quality letter
	hasQual  [2]bool

	align   aligner
	t, r, c []uint8
	// For variants:
	state []uint8 // of each true base
	now   []uint8 // the corrected base aligned with it
	after []uint8 // insertions before it (rawInserts, nowInserts)
}

var trueCode, otherCode = codes(5), codes(4)

func codes(rest uint8) (t [256]uint8) {
	for i := range t {
		t[i] = rest
	}
	for i, letters := range []string{"Aa", "Cc", "Gg", "TtUu"} {
		for _, l := range []byte(letters) {
			t[l] = uint8(i)
		}
	}
	return t
}

const gap = 6 // the code of a gap

// ErrReadQuality is wrapped by errors of [ReadMeter.Add] on qualities.
var ErrReadQuality = errors.New("quality")

// Add scores one read. Errors leave the meter as it was.
func (m *ReadMeter) Add(x ReadTriple) error {
	for _, q := range []struct {
		name      string
		seq, qual []byte
	}{{"raw", x.Raw, x.RawQual}, {"corrected", x.Corrected, x.CorrectedQual}} {
		if q.qual != nil && len(q.qual) != len(q.seq) {
			return fmt.Errorf("metric: reads: %w: %d scores for %d bases of the %s read", ErrReadQuality, len(q.qual), len(q.seq), q.name)
		}
		for i, v := range q.qual {
			if v < 33 || v > 126 {
				return fmt.Errorf("metric: reads: %w: byte %d at base %d of the %s read, 33 to 126 are Phred scores", ErrReadQuality, v, i+1, q.name)
			}
		}
	}
	for _, v := range x.Variants {
		if err := v.check(len(x.True)); err != nil {
			return err
		}
	}
	m.t = encode(m.t[:0], x.True, &trueCode)
	m.r = encode(m.r[:0], x.Raw, &otherCode)
	m.c = encode(m.c[:0], x.Corrected, &otherCode)
	m.hasQual[0] = m.hasQual[0] || x.RawQual != nil
	m.hasQual[1] = m.hasQual[1] || x.CorrectedQual != nil
	m.variants = m.variants || x.Variants != nil
	m.s.Bases += int64(len(x.Raw))
	m.s.Reads.Total++
	ops := m.columns()
	m.score(ops, x)
	return nil
}

// Missing counts a read that the corrected file lacks, with its true differences from a reference.
func (m *ReadMeter) Missing(raw []byte, variants []ReadVariant) {
	m.s.Reads.Missing++
	m.s.BasesMissing += int64(len(raw))
	if variants != nil {
		m.variants = true
		m.trimmed(int64(len(variants)))
	}
}

func (m *ReadMeter) trimmed(n int64) {
	if m.s.Variants == nil {
		m.s.Variants = &VariantScores{}
	}
	m.s.Variants.Trimmed += n
}

func (v ReadVariant) check(n int) error {
	if v.Pos < 0 || v.Pos >= n {
		return fmt.Errorf("metric: reads: variant at position %d, the true read has %d bases", v.Pos+1, n)
	}
	if v.Reference == "" || len(v.Reference) == 1 && v.Reference == "+" || len(v.Reference) > 1 && v.Reference[0] != '+' {
		return fmt.Errorf("metric: reads: variant with reference %q, want a base, - or + and bases", v.Reference)
	}
	return nil
}

func encode(dst []uint8, seq []byte, code *[256]uint8) []uint8 {
	for _, b := range seq {
		dst = append(dst, code[b])
	}
	return dst
}

// columns aligns the read; nil says that it has no gaps.
func (m *ReadMeter) columns() []uint8 {
	if t, r, c := m.t, m.r, m.c; len(t) == len(r) && len(t) == len(c) {
		cost := 0
		for i, b := range t {
			if b != r[i] || b != c[i] {
				cost += pairs(b, r[i], c[i])
			}
		}
		if cost <= 4 {
			return nil
		}
	}
	m.align.align3(m.t, m.r, m.c)
	return m.align.ops
}

// States of a true base for variants.
const (
	rawRight = 1 << iota
	nowRight
	cut // trimmed
	nowGap
)

// Insertions between true bases.
const (
	rawInserts = 1 << iota
	nowInserts
)

func (m *ReadMeter) score(ops []uint8, x ReadTriple) {
	n := len(ops)
	if ops == nil {
		n = len(m.t)
	}
	op := func(i int) uint8 {
		if ops == nil {
			return inAll
		}
		return ops[i]
	}
	from, to := 0, n
	for from < to && op(from)&inCorrected == 0 {
		from++
	}
	for to > from && op(to-1)&inCorrected == 0 {
		to--
	}
	marks := len(x.Variants) > 0
	if marks {
		m.state, m.after, m.now = zeroed(m.state, len(m.t)), zeroed(m.after, len(m.t)+1), zeroed(m.now, len(m.t))
	}
	var s ReadScores
	i, j, k := 0, 0, 0
	for col := range n {
		o := op(col)
		tb, rb, cb := uint8(gap), uint8(gap), uint8(gap)
		if o&inTrue != 0 {
			tb = m.t[i]
		}
		if o&inRaw != 0 {
			rb = m.r[j]
		}
		if o&inCorrected != 0 {
			cb = m.c[k]
		}
		if marks {
			m.mark(o, i, tb, rb, cb, col < from || col >= to)
			if o&inTrue != 0 {
				m.now[i] = cb
			}
		}
		switch {
		case tb == 5:
			s.Unscored++
		case col < from || col >= to:
			if rb == tb {
				s.FPTrim++
			} else {
				s.TPTrim++
			}
		case tb == rb && tb == cb:
			s.TN++
		case tb == rb:
			s.FP++
			if tb == gap || cb == gap {
				s.FPIndel++
			}
		case tb == cb:
			s.TP++
		case rb == cb:
			s.FN++
		default:
			s.FNWrong++
		}
		if tb != 5 {
			if rb != gap && x.RawQual != nil {
				count(&m.quals[0][x.RawQual[j]], rb != tb)
			}
			if cb != gap && x.CorrectedQual != nil {
				count(&m.quals[1][x.CorrectedQual[k]], cb != tb)
			}
		}
		i, j, k = i+int(o&1), j+int(o>>1&1), k+int(o>>2&1)
	}
	m.s.TP, m.s.FP, m.s.FN, m.s.FNWrong, m.s.TN = m.s.TP+s.TP, m.s.FP+s.FP, m.s.FN+s.FN, m.s.FNWrong+s.FNWrong, m.s.TN+s.TN
	m.s.FPIndel, m.s.TPTrim, m.s.FPTrim, m.s.Unscored = m.s.FPIndel+s.FPIndel, m.s.TPTrim+s.TPTrim, m.s.FPTrim+s.FPTrim, m.s.Unscored+s.Unscored
	c := &m.s.Reads
	if s.TPTrim+s.FPTrim > 0 {
		c.Trimmed++
	}
	switch {
	case s.TP+s.FP+s.FN+s.FNWrong == 0:
		c.TN++
	case s.FP > s.FPIndel && s.FPIndel == 0:
		c.FP++
	case s.FPIndel > 0:
		c.FPIndel++
	case s.TP > 0 && s.FN == 0 && s.FNWrong == 0:
		c.TP++
	case s.FN > 0 && s.FNWrong == 0:
		c.FN++
	default:
		c.FNWrong++
	}
	for _, v := range x.Variants {
		m.variant(v)
	}
}

func count(bin *[2]int64, wrong bool) {
	bin[0]++
	if wrong {
		bin[1]++
	}
}

func zeroed(b []uint8, n int) []uint8 {
	if cap(b) < n {
		return make([]uint8, n)
	}
	b = b[:n]
	clear(b)
	return b
}

// mark keeps what variants ask for: per true base whether raw and corrected are right, and per place
// between true bases (index of the base after it) whether they insert.
func (m *ReadMeter) mark(o uint8, i int, tb, rb, cb uint8, trimmed bool) {
	if o&inTrue == 0 {
		if rb != gap {
			m.after[i] |= rawInserts
		}
		if cb != gap {
			m.after[i] |= nowInserts
		}
		return
	}
	if rb == tb {
		m.state[i] |= rawRight
	}
	if cb == tb {
		m.state[i] |= nowRight
	}
	if cb == gap {
		m.state[i] |= nowGap
	}
	if trimmed {
		m.state[i] |= cut
	}
}

func (m *ReadMeter) variant(v ReadVariant) {
	if m.s.Variants == nil {
		m.s.Variants = &VariantScores{}
	}
	s, st := m.s.Variants, m.state[v.Pos]
	right, now := st&rawRight != 0, st&nowRight != 0
	var toRef bool
	if v.Reference[0] == '+' {
		// Between Pos and Pos+1; the bases beside it must be there for the place to be known.
		place := m.after[v.Pos+1]
		if v.Pos+1 < len(m.state) {
			st |= m.state[v.Pos+1] & cut
			right = right && m.state[v.Pos+1]&rawRight != 0
		}
		right = right && place&rawInserts == 0
		now = place&nowInserts == 0
		toRef = !now
	} else if v.Reference == "-" {
		toRef = st&nowGap != 0
	} else {
		toRef = m.now[v.Pos] == otherCode[v.Reference[0]]
	}
	switch {
	case st&cut != 0:
		s.Trimmed++
	case !right:
		s.RawWrong++
		if now {
			s.Restored++
		}
	case now:
		s.Kept++
	default:
		s.Lost++
		if toRef {
			s.ToReference++
		}
	}
}

// Merge adds what another meter has counted.
func (m *ReadMeter) Merge(o *ReadMeter) {
	a, b := &m.s, &o.s
	for _, p := range [][2]*int64{{&a.TP, &b.TP}, {&a.FP, &b.FP}, {&a.FN, &b.FN}, {&a.FNWrong, &b.FNWrong}, {&a.TN, &b.TN}, {&a.FPIndel, &b.FPIndel},
		{&a.TPTrim, &b.TPTrim}, {&a.FPTrim, &b.FPTrim}, {&a.Unscored, &b.Unscored}, {&a.Bases, &b.Bases}, {&a.BasesMissing, &b.BasesMissing},
		{&a.Reads.Total, &b.Reads.Total}, {&a.Reads.TP, &b.Reads.TP}, {&a.Reads.FP, &b.Reads.FP}, {&a.Reads.FPIndel, &b.Reads.FPIndel}, {&a.Reads.FN, &b.Reads.FN},
		{&a.Reads.FNWrong, &b.Reads.FNWrong}, {&a.Reads.TN, &b.Reads.TN}, {&a.Reads.Trimmed, &b.Reads.Trimmed}, {&a.Reads.Missing, &b.Reads.Missing}} {
		*p[0] += *p[1]
	}
	m.variants = m.variants || o.variants
	if v := b.Variants; v != nil {
		m.trimmed(v.Trimmed)
		w := a.Variants
		w.Kept, w.Lost, w.ToReference, w.RawWrong, w.Restored = w.Kept+v.Kept, w.Lost+v.Lost, w.ToReference+v.ToReference, w.RawWrong+v.RawWrong, w.Restored+v.Restored
	}
	for side := range m.quals {
		m.hasQual[side] = m.hasQual[side] || o.hasQual[side]
		for q := range m.quals[side] {
			m.quals[side][q][0] += o.quals[side][q][0]
			m.quals[side][q][1] += o.quals[side][q][1]
		}
	}
}

// Scores returns the scores of all reads so far.
func (m *ReadMeter) Scores() ReadScores {
	s := m.s
	s.Gain = ratio(s.TP-s.FP, s.TP+s.FN)
	s.Precision = ratio(s.TP, s.TP+s.FP)
	s.Sensitivity = ratio(s.TP, s.TP+s.FN)
	s.GainStrict = ratio(s.TP-s.FP, s.TP+s.FN+s.FNWrong)
	s.SensitivityStrict = ratio(s.TP, s.TP+s.FN+s.FNWrong)
	s.FalsePerMb = 1e6 * ratio(s.FP, s.Bases)
	all := s.TP + s.FP + s.FN + s.FNWrong + s.TN
	s.ErrorsRaw = ratio(s.TP+s.FN+s.FNWrong, all)
	s.ErrorsCorrected = ratio(s.FP+s.FN+s.FNWrong, all)
	s.Variants = nil
	if m.variants {
		v := VariantScores{}
		if m.s.Variants != nil {
			v = *m.s.Variants
		}
		v.Share = ratio(v.Kept, v.Kept+v.Lost)
		s.Variants = &v
	}
	if m.hasQual[0] {
		s.ReliabilityRaw = reliability(&m.quals[0])
	}
	if m.hasQual[1] {
		s.Reliability = reliability(&m.quals[1])
	}
	return s
}

func reliability(bins *[256][2]int64) *Reliability {
	r := &Reliability{}
	var bases, errs int64
	var predicted, off float64
	for q, b := range bins {
		if b[0] == 0 {
			continue
		}
		n, p := float64(b[0]), math.Pow(10, -float64(q-33)/10)
		o := ratio(b[1], b[0])
		r.Bins = append(r.Bins, ReliabilityBin{Quality: q - 33, Bases: b[0], Errors: b[1], Predicted: Score(p), Observed: o})
		bases, errs = bases+b[0], errs+b[1]
		predicted += n * p
		off += n * math.Abs(float64(o)-p)
	}
	r.Observed = ratio(errs, bases)
	r.Predicted, r.CalibrationError = Score(math.NaN()), Score(math.NaN())
	if bases > 0 {
		r.Predicted, r.CalibrationError = Score(predicted/float64(bases)), Score(off/float64(bases))
	}
	return r
}
