package metric

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var sameScore = cmp.Comparer(func(a, b Score) bool {
	return a == b || math.Abs(float64(a-b)) < 1e-12 || math.IsNaN(float64(a)) && math.IsNaN(float64(b))
})

// Every class by hand. The columns are what a person would write; the meter gets them without gaps.
func TestReadClasses(t *testing.T) {
	const tail = "ACGTTGCAAGCTTACGGATC"
	for _, c := range []struct {
		name                     string
		truth, raw, cor          string
		tp, fp, fn, wrong, tn    int64
		indel, tpTrim, fpTrim    int64
		unscored                 int64
		class                    string
		gain, precision, recall  float64
		gainStrict, recallStrict float64
	}{
		{name: "nothing to do", truth: "ACGTACGT", raw: "ACGTACGT", cor: "ACGTACGT", tn: 8, class: "tn", gain: math.NaN(), precision: math.NaN(), recall: math.NaN(), gainStrict: math.NaN(), recallStrict: math.NaN()},
		{name: "corrected", truth: "ACGTACGT", raw: "ACGAACGT", cor: "ACGTACGT", tp: 1, tn: 7, class: "tp", gain: 1, precision: 1, recall: 1, gainStrict: 1, recallStrict: 1},
		{name: "left", truth: "ACGTACGT", raw: "ACGAACGT", cor: "ACGAACGT", fn: 1, tn: 7, class: "fn", gain: 0, precision: math.NaN(), recall: 0, gainStrict: 0, recallStrict: 0},
		{name: "made worse", truth: "ACGTACGT", raw: "ACGTACGT", cor: "ACCTACGT", fp: 1, tn: 7, class: "fp", gain: math.NaN(), precision: 0, recall: math.NaN(), gainStrict: math.NaN(), recallStrict: math.NaN()},
		{name: "wrong one", truth: "ACGTACGT", raw: "ACGAACGT", cor: "ACGCACGT", wrong: 1, tn: 7, class: "fn_wrong", gain: math.NaN(), precision: math.NaN(), recall: math.NaN(), gainStrict: 0, recallStrict: 0},
		{name: "one of each", truth: tail, raw: "CCGTAGCAAGCTTCCGGATC", cor: "ACGTAGCAAGATTGCGGATC", tp: 1, fn: 1, fp: 1, wrong: 1, tn: 16, class: "fp", gain: 0, precision: .5, recall: .5, gainStrict: 0, recallStrict: 1. / 3},
		{name: "inserted base removed", truth: "ACGTTGCAAGCT" + tail, raw: "ACGTTGACAAGCT" + tail, cor: "ACGTTGCAAGCT" + tail, tp: 1, tn: 32, class: "tp", gain: 1, precision: 1, recall: 1, gainStrict: 1, recallStrict: 1},
		{name: "inserted base left", truth: "ACGTTGCAAGCT" + tail, raw: "ACGTTGACAAGCT" + tail, cor: "ACGTTGACAAGCT" + tail, fn: 1, tn: 32, class: "fn", gain: 0, precision: math.NaN(), recall: 0, gainStrict: 0, recallStrict: 0},
		{name: "missing base filled in", truth: "ACGTTGCAAGCT" + tail, raw: "ACGTTCAAGCT" + tail, cor: "ACGTTGCAAGCT" + tail, tp: 1, tn: 31, class: "tp", gain: 1, precision: 1, recall: 1, gainStrict: 1, recallStrict: 1},
		{name: "missing base wrongly filled in", truth: "ACGTTGCAAGCT" + tail, raw: "ACGTTCAAGCT" + tail, cor: "ACGTTACAAGCT" + tail, wrong: 1, tn: 31, class: "fn_wrong", gain: math.NaN(), precision: math.NaN(), recall: math.NaN(), gainStrict: 0, recallStrict: 0},
		{name: "base deleted", truth: "ACGTTGCAAGCT" + tail, raw: "ACGTTGCAAGCT" + tail, cor: "ACGTTCAAGCT" + tail, fp: 1, indel: 1, tn: 31, class: "fp_indel", gain: math.NaN(), precision: 0, recall: math.NaN(), gainStrict: math.NaN(), recallStrict: math.NaN()},
		{name: "base inserted, another corrected", truth: "ACGTTGCAAGCT" + tail, raw: "ACGTTGCAATCT" + tail, cor: "ACAGTTGCAAGCT" + tail, fp: 1, indel: 1, tp: 1, tn: 31, class: "fp_indel", gain: 0, precision: .5, recall: 1, gainStrict: 0, recallStrict: 1},
		{name: "right end trimmed", truth: tail, raw: "ACGTTGCAAGCTTACGGTTC", cor: "ACGTTGCAAGCTTAC", tn: 15, tpTrim: 1, fpTrim: 4, class: "tn", gain: math.NaN(), precision: math.NaN(), recall: math.NaN(), gainStrict: math.NaN(), recallStrict: math.NaN()},
		{name: "left end trimmed, though its first base could stand there", truth: "ACGTTGCAACGTTACGGATC", raw: "ACGTTGCAACGTTACGGATC", cor: "ACGTTACGGATC", tn: 12, fpTrim: 8, class: "tn", gain: math.NaN(), precision: math.NaN(), recall: math.NaN(), gainStrict: math.NaN(), recallStrict: math.NaN()},
		{name: "both ends trimmed and a correction", truth: "GATTACA" + tail + "CCATGG", raw: "GATTACA" + "ACGTTGCATGCTTACGGATC" + "CCTTGG", cor: tail + "CC", tp: 1, tn: 21, tpTrim: 1, fpTrim: 10, class: "tp", gain: 1, precision: 1, recall: 1, gainStrict: 1, recallStrict: 1},
		{name: "N", truth: "ACGTACGT", raw: "ACNNACGT", cor: "ACGNACGT", tp: 1, fn: 1, tn: 6, class: "fn", gain: .5, precision: 1, recall: .5, gainStrict: .5, recallStrict: .5},
		{name: "base changed to N", truth: "ACGTACGT", raw: "ACATACGT", cor: "ACNTANGT", fp: 1, wrong: 1, tn: 6, class: "fp", gain: math.NaN(), precision: 0, recall: math.NaN(), gainStrict: -1, recallStrict: 0},
		{name: "case, U, and a true base nobody knows", truth: "acgtNcgt", raw: "ACGUACGT", cor: "ACGTTCGA", fp: 1, tn: 6, unscored: 1, class: "fp", gain: math.NaN(), precision: 0, recall: math.NaN(), gainStrict: math.NaN(), recallStrict: math.NaN()},
		{name: "corrected read is empty", truth: "ACGT", raw: "ACGA", cor: "", tpTrim: 1, fpTrim: 3, class: "tn", gain: math.NaN(), precision: math.NaN(), recall: math.NaN(), gainStrict: math.NaN(), recallStrict: math.NaN()},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m ReadMeter
			if err := m.Add(ReadTriple{True: []byte(c.truth), Raw: []byte(c.raw), Corrected: []byte(c.cor)}); err != nil {
				t.Fatal(err)
			}
			want := ReadScores{TP: c.tp, FP: c.fp, FN: c.fn, FNWrong: c.wrong, TN: c.tn, FPIndel: c.indel, TPTrim: c.tpTrim, FPTrim: c.fpTrim, Unscored: c.unscored,
				Gain: Score(c.gain), Precision: Score(c.precision), Sensitivity: Score(c.recall), GainStrict: Score(c.gainStrict), SensitivityStrict: Score(c.recallStrict),
				FalsePerMb: Score(1e6 * float64(c.fp) / float64(len(c.raw))), Bases: int64(len(c.raw))}
			want.Reads.Total = 1
			*map[string]*int64{"tp": &want.Reads.TP, "fp": &want.Reads.FP, "fp_indel": &want.Reads.FPIndel, "fn": &want.Reads.FN, "fn_wrong": &want.Reads.FNWrong, "tn": &want.Reads.TN}[c.class] = 1
			if c.tpTrim+c.fpTrim > 0 {
				want.Reads.Trimmed = 1
			}
			if d := cmp.Diff(want, m.Scores(), sameScore, cmpopts.IgnoreFields(ReadScores{}, "ErrorsRaw", "ErrorsCorrected")); d != "" {
				t.Fatal(d)
			}
		})
	}
}

// slow3 is the smallest sum-of-pairs cost, by dynamic programming over all three positions.
func slow3(a, b, c []uint8) int {
	n, m, o := len(a)+1, len(b)+1, len(c)+1
	d := make([]int, n*m*o)
	for i := range n {
		for j := range m {
			for k := range o {
				if i+j+k == 0 {
					continue
				}
				best := 1 << 30
				for op := 1; op < 8; op++ {
					x, y, z := i-op&1, j-op>>1&1, k-op>>2&1
					if x < 0 || y < 0 || z < 0 {
						continue
					}
					sa, sb, sc := uint8(gap), uint8(gap), uint8(gap)
					if op&1 != 0 {
						sa = a[x]
					}
					if op&2 != 0 {
						sb = b[y]
					}
					if op&4 != 0 {
						sc = c[z]
					}
					best = min(best, d[(x*m+y)*o+z]+pairs(sa, sb, sc))
				}
				d[(i*m+j)*o+k] = best
			}
		}
	}
	return d[len(d)-1]
}

// slow2 is the Levenshtein distance.
func slow2(a, b []uint8) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diag := row[0]
		row[0] = i + 1
		for j, y := range b {
			diag, row[j+1] = row[j+1], min(diag+unequal(x, y), row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// walk checks that ops spell the sequences and returns their sum-of-pairs cost.
func walk(t interface{ Fatalf(string, ...any) }, ops []uint8, a, b, c []uint8) int {
	i, j, k, cost := 0, 0, 0, 0
	for _, o := range ops {
		x, y, z := uint8(gap), uint8(gap), uint8(gap)
		if o == 0 || o > 7 || int(o&1)+i > len(a) || int(o>>1&1)+j > len(b) || int(o>>2&1)+k > len(c) {
			t.Fatalf("column %d of %d at %d %d %d: the reads have %d, %d and %d bases", o, len(ops), i, j, k, len(a), len(b), len(c))
		}
		if o&1 != 0 {
			x = a[i]
		}
		if o&2 != 0 {
			y = b[j]
		}
		if o&4 != 0 {
			z = c[k]
		}
		cost += pairs(x, y, z)
		i, j, k = i+int(o&1), j+int(o>>1&1), k+int(o>>2&1)
	}
	if i != len(a) || j != len(b) || k != len(c) {
		t.Fatalf("the columns end at %d %d %d: the reads have %d, %d and %d bases", i, j, k, len(a), len(b), len(c))
	}
	return cost
}

func mutated(r *rand.Rand, seq []uint8, rate float64) []uint8 {
	var out []uint8
	for _, b := range seq {
		switch x := r.Float64() / rate; {
		case x < 1./3:
			out = append(out, (b+1+uint8(r.IntN(3)))%4)
		case x < 2./3:
			out = append(out, b, uint8(r.IntN(4)))
		case x < 1:
		default:
			out = append(out, b)
		}
	}
	return out
}

func drawn(r *rand.Rand, n int) []uint8 {
	s := make([]uint8, n)
	for i := range s {
		s[i] = uint8(r.IntN(4))
		if i > 0 && r.IntN(3) == 0 {
			s[i] = s[i-1] // runs
		}
	}
	return s
}

func TestReadAlignment(t *testing.T) {
	var g aligner
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		a := drawn(r, rapid.IntRange(0, 24).Draw(t, "n"))
		rate := rapid.Float64Range(0.01, 0.6).Draw(t, "rate")
		b := mutated(r, a, rate)
		c := mutated(r, b, rate)
		want := slow3(a, b, c)
		g.ops = g.ops[:0]
		if ok := g.wave3(a, b, c, alignPiece); ok != (want <= alignPiece) {
			t.Fatalf("cost %d, limit %d: %v", want, alignPiece, ok)
		} else if ok {
			if got := walk(t, g.ops, a, b, c); got != want {
				t.Fatalf("cost %d, want %d: %v %v %v", got, want, a, b, c)
			}
		}
		g.ops = g.ops[:0]
		if want > 0 && g.wave3(a, b, c, want-1) {
			t.Fatalf("found below the optimum %d", want)
		}
		// The whole line always spells the reads, and is optimal without trims.
		g.align3(a, b, c)
		got := walk(t, g.ops, a, b, c)
		if got < want || want <= alignDirect && len(b)-len(c) < trimLeast && got != want {
			t.Fatalf("align3: cost %d, want %d: %v %v %v", got, want, a, b, c)
		}
		// Pieces are not always optimal, but spell the reads.
		g.ops = g.ops[:0]
		g.pieces(a, b, c)
		if got := walk(t, g.ops, a, b, c); got < want {
			t.Fatalf("pieces: cost %d, the optimum is %d", got, want)
		}
	})
}

func TestReadAlignmentPairwise(t *testing.T) {
	var g aligner
	r := rand.New(rand.NewPCG(3, 4))
	for n := range 300 {
		a := drawn(r, r.IntN(400))
		rate := r.Float64()
		b := mutated(r, a, rate)
		if n%10 == 0 {
			b = drawn(r, r.IntN(900)) // nothing in common: more edits than are stored
		}
		ops := g.pair(nil, a, b)
		got, i, j := 0, 0, 0
		for _, op := range ops {
			if op != 3 || a[i] != b[j] {
				got++
			}
			i, j = step2(op, i, j)
		}
		if want := slow2(a, b); i != len(a) || j != len(b) || got != want {
			t.Fatalf("%d edits to %d of %d and %d of %d, want %d", got, i, len(a), j, len(b), want)
		}
	}
}

// Cutting at seeds costs next to no edit, runs and repeats or not.
func TestReadAlignmentSeeds(t *testing.T) {
	var g aligner
	r := rand.New(rand.NewPCG(11, 12))
	var got, want int
	for n := range 12 {
		a := drawn(r, 700+r.IntN(1500))
		if n%3 == 0 { // a tandem repeat of 60 bases across the middle
			for i := 400; i < 640; i++ {
				a[i] = a[i-60]
			}
		}
		b := mutated(r, a, 0.02+0.2*r.Float64())
		i, j := 0, 0
		for _, op := range g.pair(nil, a, b) {
			if op != 3 || a[i] != b[j] {
				got++
			}
			i, j = step2(op, i, j)
		}
		if i != len(a) || j != len(b) {
			t.Fatalf("the columns end at %d of %d and %d of %d", i, len(a), j, len(b))
		}
		want += slow2(a, b)
	}
	if got < want || got > want+want/200 {
		t.Fatalf("%d edits, the fewest are %d", got, want)
	}
}

// Long noisy reads go in pieces: the counts are near those that the noise says.
func TestReadLong(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	letters := func(s []uint8) []byte {
		out := make([]byte, len(s))
		for i, b := range s {
			out[i] = "ACGT"[b]
		}
		return out
	}
	truth := drawn(r, 5000)
	raw := mutated(r, truth, 0.12)
	edits := slow2(truth, raw)
	var left, perfect ReadMeter
	if err := left.Add(ReadTriple{True: letters(truth), Raw: letters(raw), Corrected: letters(raw)}); err != nil {
		t.Fatal(err)
	}
	if err := perfect.Add(ReadTriple{True: letters(truth), Raw: letters(raw), Corrected: letters(truth)}); err != nil {
		t.Fatal(err)
	}
	if s := left.Scores(); s.FN != int64(edits) || s.TP+s.FP+s.FNWrong+s.TPTrim+s.FPTrim != 0 {
		t.Fatalf("left as it was, %d edits: %+v", edits, s)
	}
	if s := perfect.Scores(); s.TP != int64(edits) || s.FN+s.FP+s.FNWrong+s.TPTrim+s.FPTrim != 0 {
		t.Fatalf("perfect, %d edits: %+v", edits, s)
	}
	if got := left.Scores().ErrorsRaw; math.Abs(float64(got)-0.12) > 0.02 {
		t.Fatalf("errors of the raw read %v, made with 0.12", got)
	}
}

func TestReadVariants(t *testing.T) {
	truth := "ACGTTGCAAGCTTACGGATC"
	v := []ReadVariant{{4, "A"}, {8, "-"}, {12, "+GG"}, {19, "G"}}
	for _, c := range []struct {
		name, raw, cor string
		want           VariantScores
	}{
		{"kept", truth, truth, VariantScores{Kept: 4, Share: 1}},
		{"reference written", truth, "ACGTAGCAGCTTGGACGGATG", VariantScores{Lost: 4, ToReference: 4, Share: 0}},
		{"lost to another base", truth, "ACGTCGCAAGCTTACGGATC", VariantScores{Kept: 3, Lost: 1, Share: .75}},
		{"raw wrong", "ACGTCGCAAGCTTACGGATA", "ACGTTGCAAGCTTACGGATA", VariantScores{Kept: 2, RawWrong: 2, Restored: 1, Share: 1}},
		{"trimmed", truth, truth[:16], VariantScores{Kept: 3, Trimmed: 1, Share: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m ReadMeter
			if err := m.Add(ReadTriple{True: []byte(truth), Raw: []byte(c.raw), Corrected: []byte(c.cor), Variants: v}); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&c.want, m.Scores().Variants, sameScore); d != "" {
				t.Fatal(d)
			}
		})
	}
	var m ReadMeter
	m.Missing([]byte(truth), v)
	if s := m.Scores(); s.Variants.Trimmed != 4 || !math.IsNaN(float64(s.Variants.Share)) || s.Reads.Missing != 1 || s.BasesMissing != 20 || s.Bases != 0 {
		t.Fatalf("missing: %+v %+v", s, s.Variants)
	}
	for _, bad := range []ReadVariant{{-1, "A"}, {20, "A"}, {0, ""}, {0, "+"}, {0, "AC"}} {
		if err := m.Add(ReadTriple{True: []byte(truth), Raw: []byte(truth), Corrected: []byte(truth), Variants: []ReadVariant{bad}}); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestReadReliability(t *testing.T) {
	var m ReadMeter
	// Raw: '+' (10) twice, one wrong; '5' (20) twice, right. Corrected: 'I' (40) three times, one wrong; '5' once.
	if err := m.Add(ReadTriple{True: []byte("ACGT"), Raw: []byte("ACGA"), Corrected: []byte("ACCT"), RawQual: []byte("5+5+"), CorrectedQual: []byte("III5")}); err != nil {
		t.Fatal(err)
	}
	s := m.Scores()
	want := &Reliability{Bins: []ReliabilityBin{{20, 1, 0, .01, 0}, {40, 3, 1, 1e-4, Score(1. / 3)}}, CalibrationError: Score((.01 + 3*(1./3-1e-4)) / 4), Predicted: Score((.01 + 3e-4) / 4), Observed: .25}
	if d := cmp.Diff(want, s.Reliability, sameScore); d != "" {
		t.Error(d)
	}
	want = &Reliability{Bins: []ReliabilityBin{{10, 2, 1, .1, .5}, {20, 2, 0, .01, 0}}, CalibrationError: .205, Predicted: .055, Observed: .25}
	if d := cmp.Diff(want, s.ReliabilityRaw, sameScore); d != "" {
		t.Error(d)
	}
	for _, q := range []string{"III", "II I"} {
		if err := m.Add(ReadTriple{True: []byte("ACGT"), Raw: []byte("ACGT"), Corrected: []byte("ACGT"), CorrectedQual: []byte(q)}); !errors.Is(err, ErrReadQuality) {
			t.Errorf("%q: %v", q, err)
		}
	}
}

func TestReadKeys(t *testing.T) {
	b, err := json.Marshal((&ReadMeter{}).Scores())
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for _, k := range strings.Fields("tp fp fn fn_wrong tn gain precision sensitivity false_corrections_per_mb gain_strict sensitivity_strict fp_indel tp_trim fp_trim") {
		if _, ok := m[k]; !ok {
			t.Errorf("no key %s in %s", k, b)
		}
	}
	var s ReadScores
	if err := json.Unmarshal(b, &s); err != nil || !math.IsNaN(float64(s.Gain)) {
		t.Errorf("null came back as %v, %v", s.Gain, err)
	}
}

// Merged meters count as one, and exchanging raw and corrected turns TP into FP and errors of one into those of the other.
func TestReadMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var one, left, right, swapped ReadMeter
	for n := range 60 {
		a := drawn(r, 60)
		b := mutated(r, a, 0.05)
		c := mutated(r, a, 0.05)
		asc := func(s []uint8) []byte { return bytes.Map(func(b rune) rune { return rune("ACGT"[b]) }, s) }
		x := ReadTriple{True: asc(a), Raw: asc(b), Corrected: asc(c), RawQual: bytes.Repeat([]byte("5"), len(b)), CorrectedQual: bytes.Repeat([]byte("I"), len(c)), Variants: []ReadVariant{{30, "A"}}}
		half := &left
		if n%3 == 0 {
			half = &right
		}
		for _, m := range []*ReadMeter{&one, half} {
			if err := m.Add(x); err != nil {
				t.Fatal(err)
			}
		}
		x.Raw, x.Corrected, x.RawQual, x.CorrectedQual = x.Corrected, x.Raw, nil, nil
		if len(b) == len(c) && len(b) == len(a) {
			if err := swapped.Add(x); err != nil {
				t.Fatal(err)
			}
		}
	}
	left.Merge(&right)
	if d := cmp.Diff(one.Scores(), left.Scores(), sameScore); d != "" {
		t.Fatal(d)
	}
	if s := one.Scores(); s.TP == 0 || s.FP == 0 || s.FN+s.FNWrong == 0 || s.Variants.Kept == 0 {
		t.Fatalf("nothing was counted: %+v", s)
	}
}

func FuzzReads(f *testing.F) {
	f.Add([]byte("ACGT"), []byte("ACGA"), []byte("ACG"))
	f.Add([]byte("acgtnRYacgtacgtacgtacgt"), []byte("ACGTNNNACGTACGTACGT"), []byte("GTACGTACGT"))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		if len(a)+len(b)+len(c) > 600 {
			return
		}
		var m ReadMeter
		if err := m.Add(ReadTriple{True: a, Raw: b, Corrected: c}); err != nil {
			t.Fatal(err)
		}
		ops := m.columns()
		if ops != nil {
			walk(t, ops, m.t, m.r, m.c)
		}
		s := m.Scores()
		if cols := s.TP + s.FP + s.FN + s.FNWrong + s.TN + s.TPTrim + s.FPTrim + s.Unscored; cols < int64(max(len(a), len(b), len(c))) || cols > int64(len(a)+len(b)+len(c)) {
			t.Fatalf("%d columns of %d, %d and %d bases", cols, len(a), len(b), len(c))
		}
		k := s.Reads
		if k.TP+k.FP+k.FPIndel+k.FN+k.FNWrong+k.TN != 1 {
			t.Fatalf("classes %+v", k)
		}
	})
}

func BenchmarkReads(b *testing.B) {
	r := rand.New(rand.NewPCG(9, 10))
	var x []ReadTriple
	for range 1000 {
		a := drawn(r, 150)
		raw := mutated(r, a, 0.005)
		cor := a
		if r.IntN(3) == 0 {
			cor = raw
		}
		asc := func(s []uint8) []byte { return bytes.Map(func(b rune) rune { return rune("ACGT"[b]) }, s) }
		x = append(x, ReadTriple{True: asc(a), Raw: asc(raw), Corrected: asc(cor), RawQual: bytes.Repeat([]byte("I"), len(raw)), CorrectedQual: bytes.Repeat([]byte("I"), len(cor))})
	}
	var m ReadMeter
	for i := 0; b.Loop(); i++ {
		if err := m.Add(x[i%len(x)]); err != nil {
			b.Fatal(err)
		}
	}
}

// A long noisy read of which most errors are corrected.
func BenchmarkReadsLong(b *testing.B) {
	r := rand.New(rand.NewPCG(13, 14))
	asc := func(s []uint8) []byte { return bytes.Map(func(b rune) rune { return rune("ACGT"[b]) }, s) }
	a := drawn(r, 8000)
	x := ReadTriple{True: asc(a), Raw: asc(mutated(r, a, 0.13)), Corrected: asc(mutated(r, a, 0.025))}
	var m ReadMeter
	for b.Loop() {
		if err := m.Add(x); err != nil {
			b.Fatal(err)
		}
	}
	s := m.Scores()
	b.ReportMetric(float64(2*(s.TP+s.FP+s.FN)+3*s.FNWrong)/float64(s.Reads.Total), "cost/read")
}
