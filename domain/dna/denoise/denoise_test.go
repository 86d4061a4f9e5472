package denoise

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/metric"
)

// logitsOf are logits whose softmax is p for the class and evenly spread over the others.
func logitsOf(here int, p float64, after int, q float64) []float32 {
	l := make([]float32, Logits)
	for i := range HereClasses {
		l[i] = float32(math.Log((1 - p) / (HereClasses - 1)))
	}
	l[here] = float32(math.Log(p))
	for i := range AfterClasses {
		l[HereClasses+i] = float32(math.Log((1 - q) / (AfterClasses - 1)))
	}
	l[HereClasses+after] = float32(math.Log(q))
	return l
}

func TestDepthBins(t *testing.T) {
	want := map[int]string{0: "0", 1: "1", 2: "2-3", 3: "2-3", 4: "4-7", 7: "4-7", 8: "8-15", 16: "16-31", 31: "16-31", 32: "32+", 1000: "32+"}
	for depth, name := range want {
		if got := DepthName(DepthBin(depth)); got != name {
			t.Errorf("depth %d: bin %q, want %q", depth, got, name)
		}
	}
}

// The log odds against a slow softmax.
func TestCallOdds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := rapid.SliceOfN(rapid.Float32Range(-12, 12), Logits, Logits).Draw(t, "logits")
		own := uint8(rapid.IntRange(0, 4).Draw(t, "own"))
		var c call
		c.read(l, own)
		soft := func(l []float32) []float64 {
			p, sum := make([]float64, len(l)), 0.0
			for i, v := range l {
				p[i] = math.Exp(float64(v))
				sum += p[i]
			}
			for i := range p {
				p[i] /= sum
			}
			return p
		}
		for _, part := range []struct {
			p    []float64
			k    uint8
			step uint8
		}{{soft(l[:HereClasses]), c.here, c.hereBin}, {soft(l[HereClasses:]), c.after, c.afterBin}} {
			if part.p[part.k] < slices.Max(part.p)-1e-9 {
				t.Fatalf("class %d of %v is not the largest", part.k, part.p)
			}
			rest := 0.0
			for i, v := range part.p {
				if i != int(part.k) {
					rest += v
				}
			}
			odds := math.Log(part.p[part.k] / rest)
			if lo := scoreFrom + scoreStep*float64(part.step); odds < lo-1e-6 || odds > lo+scoreStep+1e-6 && part.step < scoreSteps-1 {
				t.Fatalf("odds %g in step %d from %g", odds, part.step, lo)
			}
		}
	})
	var c call
	c.read(make([]float32, Logits), 2)
	if c.here != 2 || c.after != 0 {
		t.Fatalf("ties: %+v, want the read's own base and nothing after", c)
	}
	nan := float32(math.NaN())
	c.read([]float32{nan, nan, nan, nan, nan, nan, nan, nan, nan, nan}, 1)
	if c.here != 1 || c.after != 0 {
		t.Fatalf("NaN changes a base: %+v", c)
	}
}

// Every position gets its output from exactly one window, away from cuts.
func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.IntRange(1, 60).Draw(t, "window")
		margin := rapid.IntRange(0, (window-1)/2).Draw(t, "margin")
		n := rapid.IntRange(0, 500).Draw(t, "n")
		next := 0
		for _, s := range spans(nil, n, window, margin) {
			if s.use != next || s.end <= s.use {
				t.Fatalf("span %+v, want use from %d", s, next)
			}
			next = s.end
			if s.from < 0 || s.end > s.from+window || n > window && s.from+window > n {
				t.Fatalf("span %+v leaves window %d of %d positions", s, window, n)
			}
			if s.from > 0 && s.use-s.from < margin || s.from+window < n && s.from+window-s.end < margin {
				t.Fatalf("span %+v is nearer than %d to a cut", s, margin)
			}
		}
		if next != n {
			t.Fatalf("%d of %d positions", next, n)
		}
	})
}

// A net whose output at a position sums its neighbours gives the same on a read in windows as on the whole read.
func TestWindowsAgree(t *testing.T) {
	const channels, reach = 2, 3
	sum := func(window int) Forward {
		return func(x []float32, windows int, out []float32) error {
			for w := range windows {
				for j := range window {
					for l := range Logits {
						v := float32(0)
						for k := max(0, j-reach); k <= min(window-1, j+reach); k++ {
							v += x[(w*window+k)*channels+l%channels] * float32(k-j+l)
						}
						out[(w*window+j)*Logits+l] = v
					}
				}
			}
			return nil
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		window := rapid.IntRange(2*reach+1, 40).Draw(t, "window")
		r := rand.New(rand.NewPCG(1, uint64(n)))
		own, x := make([]uint8, n), make([]float32, n*channels)
		for i := range x {
			x[i] = float32(r.IntN(9) - 4)
		}
		for i := range own {
			own[i] = uint8(r.IntN(5))
		}
		run := func(window, rows int) []float32 {
			net := &Network{Window: window, Channels: channels, Margin: reach, Rows: rows}
			raw, calls := make([]float32, n*Logits), make([]call, n)
			c := newCaller(net, sum(window))
			if err := c.add(own, x, calls, raw); err != nil {
				t.Fatal(err)
			}
			if err := c.flush(); err != nil {
				t.Fatal(err)
			}
			return raw
		}
		whole := run(max(n, 2*reach+1), 1)
		if got := run(window, rapid.IntRange(1, 5).Draw(t, "rows")); !slices.Equal(got, whole) {
			t.Fatalf("windows of %d over %d positions differ from the whole", window, n)
		}
	})
}

// A fixed pile-up: eight reads everywhere, seven of them agree with any change.
type eight struct{}

func (eight) depth(int) int                { return 8 }
func (eight) support(int, Kind, uint8) int { return 7 }

func newDecoder(q Qualities) *decoder {
	p, err := Choose(nil, 0, 0)
	if err != nil {
		panic(err)
	}
	return &decoder{table: plain(), policy: p, qualities: q, stats: &Stats{Abstained: map[string]int64{}}}
}

func callsOf(seq string, rows ...[]float32) []call {
	calls := make([]call, len(seq))
	own := make([]uint8, len(seq))
	encode(own, []byte(seq))
	for j := range calls {
		if rows[j] == nil {
			rows[j] = logitsOf(int(min(own[j], 3)), 0.999, 0, 0.999)
		}
		calls[j].read(rows[j], own[j])
	}
	return calls
}

func TestDecode(t *testing.T) {
	sub := func(b int) []float32 { return logitsOf(b, 0.99, 0, 0.999) }
	for name, c := range map[string]struct {
		seq, qual string
		rows      [][]float32
		q         Qualities
		wantSeq   string
		wantQual  string
		abstained map[string]int64
	}{
		"nothing":     {"ACGT", "IIII", [][]float32{nil, nil, nil, nil}, KeepQualities, "ACGT", "IIII", nil},
		"substitute":  {"ACGT", "ABCD", [][]float32{sub(3), nil, nil, nil}, KeepQualities, "TCGT", "ABCD", nil},
		"lower case":  {"acgT", "ABCD", [][]float32{sub(3), nil, nil, sub(0)}, KeepQualities, "tcgA", "ABCD", nil},
		"RNA":         {"ACGU", "ABCD", [][]float32{sub(3), nil, nil, nil}, KeepQualities, "UCGU", "ABCD", nil},
		"delete":      {"ACGT", "ABCD", [][]float32{nil, sub(4), nil, nil}, KeepQualities, "AGT", "ACD", nil},
		"insert":      {"acGT", "ACIK", [][]float32{nil, logitsOf(1, 0.999, 4, 0.99), nil, nil}, KeepQualities, "actGT", "ACFIK", nil},
		"insert last": {"AC", "AI", [][]float32{nil, logitsOf(1, 0.999, 1, 0.99)}, KeepQualities, "ACA", "AII", nil},
		"N":           {"ANG", "A!C", [][]float32{nil, sub(1), nil}, KeepQualities, "ACG", "A!C", nil},
		"N unsure":    {"ANG", "A!C", [][]float32{nil, logitsOf(1, 0.45, 0, 0.999), nil}, KeepQualities, "ANG", "A!C", map[string]int64{belowThreshold: 1}},
		"R is no C":   {"ARG", "A!C", [][]float32{nil, sub(1), nil}, KeepQualities, "ARG", "A!C", map[string]int64{iupacOther: 1}},
		"R unsure":    {"ARG", "A!C", [][]float32{nil, logitsOf(0, 0.98, 0, 0.999), nil}, KeepQualities, "ARG", "A!C", map[string]int64{iupacUnsure: 1}},
		"R is A":      {"ArG", "A!C", [][]float32{nil, logitsOf(0, 0.9999, 0, 0.999), nil}, KeepQualities, "AaG", "A!C", nil},
		"unsure":      {"ACG", "ABC", [][]float32{logitsOf(2, 0.4, 0, 0.999), nil, nil}, KeepQualities, "ACG", "ABC", map[string]int64{belowThreshold: 1}},
		"all deleted": {"AC", "AB", [][]float32{sub(4), sub(4)}, KeepQualities, "AC", "AB", map[string]int64{wouldEmpty: 1}},
		"empty":       {"", "", nil, KeepQualities, "", "", nil},
		"FASTA":       {"ACGT", "", [][]float32{sub(3), nil, sub(4), logitsOf(3, 0.999, 1, 0.99)}, KeepQualities, "TCTA", "", nil},
		"posterior":   {"ACN", "ABC", [][]float32{logitsOf(3, 0.989, 0, 0.999), logitsOf(1, 0.989, 1, 0.989), logitsOf(1, 0.3, 0, 0.999)}, PosteriorQualities, "TCAN", "444C", map[string]int64{belowThreshold: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDecoder(c.q)
			var qual []byte
			if name != "FASTA" {
				qual = []byte(c.qual)
			}
			seq, q, changes, err := d.decode([]byte(c.seq), qual, callsOf(c.seq, c.rows...), eight{})
			if err != nil {
				t.Fatal(err)
			}
			if string(seq) != c.wantSeq || string(q) != c.wantQual {
				t.Errorf("got %s %s, want %s %s", seq, q, c.wantSeq, c.wantQual)
			}
			if c.abstained == nil {
				c.abstained = map[string]int64{}
			}
			if diff := cmp.Diff(c.abstained, d.stats.Abstained); diff != "" {
				t.Errorf("abstained: %s", diff)
			}
			var n int64
			for _, v := range d.stats.Depths[DepthBin(8)].Changes {
				n += v
			}
			if n != int64(len(changes)) {
				t.Errorf("%d changes, %d counted", len(changes), n)
			}
			for _, ch := range changes {
				if ch.Depth != 8 || ch.Support != 7 || ch.P < 0.5 {
					t.Errorf("change %+v", ch)
				}
			}
		})
	}
}

// Changes applied by hand to the raw read give the corrected read.
func TestChangesReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seq := rapid.StringMatching(`[ACGTNacgtnRY]{1,40}`).Draw(t, "seq")
		l := rapid.SliceOfN(rapid.Float32Range(-6, 6), len(seq)*Logits, len(seq)*Logits).Draw(t, "logits")
		own, calls := make([]uint8, len(seq)), make([]call, len(seq))
		encode(own, []byte(seq))
		for j := range calls {
			calls[j].read(l[j*Logits:(j+1)*Logits], own[j])
		}
		d := newDecoder(KeepQualities)
		got, qual, changes, err := d.decode([]byte(seq), []byte(seq), calls, alone{})
		if err != nil {
			t.Fatal(err)
		}
		if len(qual) != len(got) || len(got) == 0 {
			t.Fatalf("%d bases, %d qualities", len(got), len(qual))
		}
		want := make([]string, len(seq))
		for j := range seq {
			want[j] = seq[j : j+1]
		}
		for _, c := range changes {
			switch c.Kind {
			case Delete:
				want[c.Position-1] = ""
			case Insert:
				want[c.Position-1] += string(c.To)
			default:
				want[c.Position-1] = string(c.To) + want[c.Position-1][1:]
			}
		}
		var all string
		for _, s := range want {
			all += s
		}
		if all != string(got) {
			t.Fatalf("%s -> %s, replayed %s", seq, got, all)
		}
	})
}

// made feeds a fitter with calls whose true probability is a known function of the claimed one: the net claims odds twice
// as large as they are.
func made(t testing.TB, reads int) *Fitter {
	f := &Fitter{Bound: metric.ClopperPearsonUpper}
	r := rand.New(rand.NewPCG(7, 7))
	const n = 100
	for i := range reads {
		own, here, after, depth, l := make([]uint8, n), make([]uint8, n), make([]uint8, n), make([]int, n), make([]float32, 0, n*Logits)
		for j := range n {
			own[j] = uint8(r.IntN(4))
			depth[j] = []int{0, 8}[i/2%2]
			odds := r.Float64() * 8
			best := own[j]
			if r.IntN(10) == 0 {
				best = (own[j] + 1) % 4
			}
			claimed := sigmoid(2 * odds)
			here[j] = best
			if r.Float64() > sigmoid(odds) { // the call is wrong
				here[j] = own[j]
				if best == own[j] {
					here[j] = (own[j] + 2) % 4
				}
			}
			l = append(l, logitsOf(int(best), claimed, 0, 0.999)...)
		}
		if err := f.Add(i&1, own, here, after, depth, l); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestCalibration(t *testing.T) {
	c, err := made(t, 4000).Fit("made up")
	if err != nil {
		t.Fatal(err)
	}
	for _, bin := range []int{0, 4} {
		for odds := 0.5; odds < 7; odds += 0.5 {
			got := c.table.p[Substitute][bin][scoreBin(2*odds+1e-9)]
			if want := sigmoid(odds); math.Abs(got-want) > 0.05 {
				t.Errorf("bin %d, claimed odds %g: calibrated %g, truth %g", bin, 2*odds, got, want)
			}
		}
	}
	for k := range Kinds {
		for bin := range DepthBins {
			if !slices.IsSorted(c.table.p[k][bin][:]) {
				t.Errorf("%v at depth %s does not rise", k, DepthName(bin))
			}
		}
	}
	for _, b := range c.Reliability {
		if se := math.Sqrt(b.Mean*(1-b.Mean)/float64(b.Calls)) + 0.01; math.Abs(b.Mean-b.Right) > 5*se {
			t.Errorf("bar %+v is not reliable (%.3g)", b, se)
		}
	}
	// The table of promises counts what a slow walk counts, and only ever grows towards low thresholds.
	for i, p := range c.Promises {
		if p.UpperPerMb <= p.PerMb || p.Bases != 100_000 {
			t.Errorf("promise %+v", p)
		}
		if i > 0 && c.Promises[i-1].Depth == p.Depth && p.False > c.Promises[i-1].False {
			t.Errorf("false corrections grow with the threshold: %+v", p)
		}
	}
	// Through JSON and back nothing changes.
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseCalibration(b)
	if err != nil {
		t.Fatal(err)
	}
	if *back.table != *c.table {
		t.Error("JSON changes the table")
	}
}

func TestChoose(t *testing.T) {
	c, err := made(t, 4000).Fit("made up")
	if err != nil {
		t.Fatal(err)
	}
	last := 0.0
	for _, want := range []float64{100_000, 10_000, 3000, 1000} {
		p, err := Choose(c, 0, want)
		if err != nil {
			t.Fatal(err)
		}
		for bin := range DepthBins {
			if bin != 0 && bin != 4 {
				if p.Least[bin] <= 1 || p.Abstains[bin] == "" {
					t.Errorf("bin %d has no data and no abstention", bin)
				}
				continue
			}
			if p.Abstains[bin] != "" {
				continue
			}
			i := slices.IndexFunc(c.Promises, func(r Promise) bool { return r.Depth == DepthName(bin) && r.Threshold == p.Least[bin] })
			if i < 0 || c.Promises[i].UpperPerMb > want {
				t.Errorf("at most %g per Mb: threshold %g of bin %d does not promise it", want, p.Least[bin], bin)
			}
		}
		if p.Least[0] < last {
			t.Errorf("a stricter promise (%g) gave a lower threshold %g than %g", want, p.Least[0], last)
		}
		last = p.Least[0]
	}
	p, err := Choose(c, 0, 1) // 100,000 bases promise no less than 30 per Mb
	if err != nil {
		t.Fatal(err)
	}
	for bin, why := range p.Abstains {
		if why == "" || p.Least[bin] <= 1 {
			t.Errorf("bin %d promises 1 per Mb", bin)
		}
	}
	for name, c := range map[string]struct {
		cal         *Calibration
		least, want float64
	}{"no calibration": {nil, 0, 10}, "negative": {c, 0, -1}, "NaN": {c, 0, math.NaN()}, "least": {c, 1.5, 0}, "infinite": {c, 0, math.Inf(1)}} {
		if _, err := Choose(c.cal, c.least, c.want); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestFitterErrors(t *testing.T) {
	f := &Fitter{}
	if _, err := f.Fit(""); err == nil {
		t.Error("an empty fitter fits")
	}
	if err := f.Add(0, []uint8{1}, nil, nil, nil, nil); err == nil {
		t.Error("lengths are not checked")
	}
	for _, bad := range []string{"", "{", `{"format":2}`, `{"format":1,"curves":[{"kind":"delete","at":[1],"p":[]}]}`,
		`{"format":1,"curves":[{"kind":"delete","at":[1,2],"p":[0.9,0.2]}]}`, `{"format":1,"curves":[{"kind":"delete","at":[1],"p":[7]}]}`,
		`{"format":1,"curves":[{"kind":"delete","at":[1],"p":[1]}]}`, `{"format":1,"curves":[{"kind":"delete","at":[2,2],"p":[0.1,0.2]}]}`} {
		if _, err := ParseCalibration([]byte(bad)); err == nil {
			t.Errorf("%q is a calibration", bad)
		}
	}
}

// Stats add up the same in any order.
func TestStatsMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := make([]Stats, 6)
		r := rand.New(rand.NewPCG(3, uint64(rapid.IntRange(0, 99).Draw(t, "seed"))))
		for i := range parts {
			parts[i].Reads = int64(r.IntN(9))
			for range r.IntN(20) {
				k := Kind(r.IntN(int(Keep)))
				parts[i].add(&Change{Kind: k, From: "ACGTN"[r.IntN(4)], To: "ACGT"[r.IntN(4)], P: r.Float64(), Depth: r.IntN(50)})
				parts[i].Depths[r.IntN(DepthBins)].Bases++
			}
		}
		sum := func(order []int) string {
			var s Stats
			for _, i := range order {
				s.merge(&parts[i])
			}
			var rep Report
			rep.fill(&s, Policy{})
			b, err := json.Marshal(rep)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		if a, b := sum([]int{0, 1, 2, 3, 4, 5}), sum([]int{5, 3, 1, 0, 4, 2}); a != b {
			t.Fatal(cmp.Diff(a, b))
		}
	})
}

func ExampleChoose() {
	p, err := Choose(nil, 0.9, 0)
	fmt.Println(p.Least[0], err)
	// Output: 0.9 <nil>
}
