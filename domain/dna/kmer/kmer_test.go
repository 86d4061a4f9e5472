package kmer

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// sequences draws contigs of letters with N, lower case and repeats.
func sequences(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.StringMatching(`([ACGTacgt]{1,30}|[Nn]{1,3}|(ACA){1,9}|(AT){1,9})*`), 1, 5).Draw(t, "contigs")
}

// complement is the reverse complement of letters, N stays.
func complement(s string) string {
	out := []byte(strings.ToUpper(s))
	slices.Reverse(out)
	for k, b := range out {
		out[k] = map[byte]byte{'A': 'T', 'C': 'G', 'G': 'C', 'T': 'A', 'N': 'N'}[b]
	}
	return string(out)
}

// spell is the letters of word w.
func spell(w, k int) string {
	out := make([]byte, k)
	for j := k - 1; j >= 0; j-- {
		out[j] = "ACGT"[w%4]
		w /= 4
	}
	return string(out)
}

func counted(t rapid.TB, k int, contigs ...string) *Counter {
	t.Helper()
	c, err := NewCounter(k)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range contigs {
		c.Add(code(s))
	}
	return c
}

func profile(t rapid.TB, k int, contigs ...string) []float64 {
	t.Helper()
	p, err := counted(t, k, contigs...).Profile()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func near(t rapid.TB, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: %.17g, want %.17g", what, got, want)
	}
}

// Profiles are what a map of strings counts, over both strands written out.
func TestProfileReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contigs, k := sequences(t), rapid.IntRange(1, 6).Draw(t, "k")
		want, total := map[string]int{}, 0
		for _, s := range contigs {
			for _, strand := range []string{strings.ToUpper(s), complement(s)} {
				for at := 0; at+k <= len(strand); at++ {
					if word := strand[at : at+k]; !strings.Contains(word, "N") {
						want[word]++
						total++
					}
				}
			}
		}
		c := counted(t, k, contigs...)
		p, err := c.Profile()
		if total == 0 {
			if !errors.Is(err, ErrEmpty) {
				t.Fatalf("no word: %v, want ErrEmpty", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for w, got := range p {
			near(t, spell(w, k), got, float64(want[spell(w, k)])/float64(total), 1e-15)
			sum += got
		}
		if len(p) != 1<<(2*k) || c.K() != k {
			t.Fatalf("%d words of %d", len(p), c.K())
		}
		near(t, "sum", sum, 1, 1e-12)
	})
}

// Sketches are the smallest hashes of a set of strings; so they, too, do not depend on order and strand.
func TestSketchReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contigs, k := sequences(t), rapid.IntRange(1, 32).Draw(t, "k")
		size := rapid.IntRange(1, 40).Draw(t, "size")
		s, err := NewSketch(k, size)
		if err != nil {
			t.Fatal(err)
		}
		set := map[uint64]bool{}
		for _, c := range contigs {
			s.Add(code(c))
			c = strings.ToUpper(c)
			for at := 0; at+k <= len(c); at++ {
				word := min(c[at:at+k], complement(c[at:at+k]))
				if strings.Contains(word, "N") {
					continue
				}
				n := uint64(0)
				for _, b := range code(word) {
					n = n<<2 | uint64(b)
				}
				set[s.hash(n)] = true
			}
		}
		var want []uint64
		for h := range set {
			want = append(want, h)
		}
		slices.Sort(want)
		if want = want[:min(size, len(want))]; !slices.Equal(s.Hashes(), want) {
			t.Fatalf("k %d, size %d: hashes %v, want %v", k, size, s.Hashes(), want)
		}
	})
}

func TestStrandsAndContigs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contigs, k := sequences(t), rapid.IntRange(1, 7).Draw(t, "k")
		whole := counted(t, k, contigs...)
		total := make([]uint64, len(whole.counts))
		var other []string
		for _, s := range contigs {
			for w, n := range counted(t, k, s).counts {
				total[w] += n
			}
			other = append([]string{complement(s)}, other...)
		}
		if !slices.Equal(whole.counts, total) {
			t.Fatal("the counts of a genome are not the sum of those of its contigs")
		}
		p, err := whole.Profile()
		if err != nil {
			return
		}
		if q := profile(t, k, other...); !slices.Equal(p, q) {
			t.Fatal("the profile depends on strand or order")
		}
		a, err := NewSketch(k, 20)
		if err != nil {
			t.Fatal(err)
		}
		b, err := NewSketch(k, 20)
		if err != nil {
			t.Fatal(err)
		}
		for i := range contigs {
			a.Add(code(contigs[i]))
			b.Add(code(other[i]))
		}
		if !slices.Equal(a.Hashes(), b.Hashes()) {
			t.Fatal("the sketch depends on strand or order")
		}
	})
}

// Every code but the eight of bases parts words.
func TestCodes(t *testing.T) {
	for b := range 256 {
		c := counted(t, 2)
		c.Add([]uint8{0, 0, uint8(b), 0})
		n := uint64(0)
		for _, v := range c.counts {
			n += v
		}
		s, err := NewSketch(2, 100)
		if err != nil {
			t.Fatal(err)
		}
		s.Add([]uint8{0, uint8(b)})
		known := b < 4 || b >= 8 && b < 12
		if want := map[bool]uint64{true: 3, false: 1}[known]; n != want {
			t.Errorf("code %d: %d words, want %d", b, n, want)
		}
		if got := len(s.Hashes()) == 1; got != known {
			t.Errorf("code %d: in the sketch is %v, want %v", b, got, known)
		}
	}
}

func TestReverse(t *testing.T) {
	for k := 1; k <= 6; k++ {
		for w := range 1 << (2 * k) {
			if got := spell(int(reverse(uint32(w), k)), k); got != complement(spell(w, k)) {
				t.Fatalf("reverse complement of %s is %s", spell(w, k), got)
			}
		}
	}
	if got := spell(int(reverse(0b0001, MaxK)), MaxK); got != "GTTTTTTTTTTT" {
		t.Errorf("reverse complement of AAAAAAAAAAAC is %s", got)
	}
}

func TestGC(t *testing.T) {
	got, err := GC(profile(t, 1, "GGCnA", "TTttT"))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "GC", got, 3.0/9, 1e-15)
	if _, err := GC(make([]float64, 16)); !errors.Is(err, ErrMismatch) {
		t.Errorf("GC of 16 words: %v", err)
	}
}

func TestDistances(t *testing.T) {
	type distance func(p, q []float64) (float64, error)
	h := []float64{0.5, 0.5, 0, 0}
	for _, c := range []struct {
		name string
		f    distance
		p, q []float64
		want float64
	}{
		{"Euclidean, same", Euclidean, h, h, 0},
		{"Euclidean, nothing shared", Euclidean, []float64{1, 0}, []float64{0, 1}, math.Sqrt2},
		{"Euclidean, 3-4-5", Euclidean, []float64{0.6, 0.4}, []float64{0.3, 0.8}, 0.5},
		{"Cosine, same", Cosine, h, h, 0},
		{"Cosine, 45 degrees", Cosine, h, []float64{1, 0, 0, 0}, 1 - math.Sqrt(0.5)},
		{"Cosine, nothing shared", Cosine, h, []float64{0, 0, 1, 0}, 1},
		{"JensenShannon, same", JensenShannon, h, h, 0},
		{"JensenShannon, nothing shared", JensenShannon, h, []float64{0, 0, 0.1, 0.9}, 1},
		// (KL(P,M) + KL(Q,M))/2 = (log2(4/3) + (log2(2/3) + log2(2))/2)/2 with P = (1, 0), Q = (1/2, 1/2).
		{"JensenShannon, half", JensenShannon, []float64{1, 0}, []float64{0.5, 0.5}, math.Sqrt((math.Log2(4.0/3) + (math.Log2(2.0/3)+1)/2) / 2)},
		{"CVTree, same", CVTree, []float64{1, -2}, []float64{2, -4}, 0},
		{"CVTree, right angle", CVTree, []float64{1, 1}, []float64{1, -1}, 0.5},
		{"CVTree, opposite", CVTree, []float64{1, -2}, []float64{-1, 2}, 1},
	} {
		for _, pq := range [][2][]float64{{c.p, c.q}, {c.q, c.p}} {
			got, err := c.f(pq[0], pq[1])
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			near(t, c.name, got, c.want, 1e-15)
		}
	}
	for name, f := range map[string]distance{"Euclidean": Euclidean, "Cosine": Cosine, "JensenShannon": JensenShannon, "CVTree": CVTree} {
		if _, err := f(h, h[:2]); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s of 4 and 2 words: %v", name, err)
		}
		if _, err := f(nil, nil); !errors.Is(err, ErrEmpty) {
			t.Errorf("%s of no words: %v", name, err)
		}
	}
	for name, f := range map[string]distance{"Cosine": Cosine, "CVTree": CVTree} {
		if _, err := f(h, make([]float64, 4)); !errors.Is(err, ErrEmpty) {
			t.Errorf("%s of zeros: %v", name, err)
		}
	}
}

// The divergence of both strands is that of words counted as one with their reverse complements, and its root keeps the triangle.
func TestJensenShannonStrands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 4).Draw(t, "k")
		var p [3][]float64
		for i := range p {
			p[i] = profile(t, k, rapid.StringMatching(`[ACGT]{4,40}`).Draw(t, "sequence"))
		}
		folded := func(p []float64) (out []float64) {
			for w := range p {
				switch r := int(reverse(uint32(w), k)); {
				case r == w:
					out = append(out, p[w])
				case r > w:
					out = append(out, p[w]+p[r])
				}
			}
			return out
		}
		d := func(p, q []float64) float64 {
			v, err := JensenShannon(p, q)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		near(t, "square for words and reverse complements as one", math.Pow(d(folded(p[0]), folded(p[1])), 2), math.Pow(d(p[0], p[1]), 2), 1e-14)
		if d(p[0], p[1]) > d(p[0], p[2])+d(p[2], p[1])+1e-9 {
			t.Error("a detour is shorter")
		}
	})
}

// The composition is that of the published formula in counts, with its factor of lengths, computed on strings.
func TestComposition(t *testing.T) {
	seq := string(letters(rng.New(3, rng.Generate), 300)) + strings.Repeat("ACGTTGA", 40)
	for k := 3; k <= 5; k++ {
		got, err := Composition(profile(t, k, seq), profile(t, k-1, seq), profile(t, k-2, seq))
		if err != nil {
			t.Fatal(err)
		}
		n := map[string]float64{}
		for _, s := range []string{seq, complement(seq)} {
			for l := k - 2; l <= k; l++ {
				for at := 0; at+l <= len(s); at++ {
					n[s[at:at+l]]++
				}
			}
		}
		length := float64(len(seq))
		factor := (length - float64(k) + 1) * (length - float64(k) + 3) / math.Pow(length-float64(k)+2, 2)
		seen := 0
		for w, a := range got {
			word := spell(w, k)
			want := 0.0
			if f0 := n[word[1:]] * n[word[:k-1]] / n[word[1:k-1]] * factor; f0 > 0 {
				want = (n[word] - f0) / f0
				seen++
			}
			near(t, word, a, want, 1e-12)
		}
		if seen < 32 {
			t.Errorf("k %d: %d words with an expectation", k, seen)
		}
	}
	// In a run of one base, each word is as frequent as shorter ones say.
	flat := strings.Repeat("A", 50)
	a, err := Composition(profile(t, 3, flat), profile(t, 2, flat), profile(t, 1, flat))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CVTree(a, a); !errors.Is(err, ErrEmpty) {
		t.Errorf("CVTree of zeros: %v", err)
	}
	for _, n := range [][3]int{{16, 4, 1}, {64, 16, 16}, {64, 4, 4}, {96, 24, 6}, {0, 0, 0}} {
		if _, err := Composition(make([]float64, n[0]), make([]float64, n[1]), make([]float64, n[2])); !errors.Is(err, ErrMismatch) {
			t.Errorf("profiles of %v words: %v", n, err)
		}
	}
}

func TestSketchDistance(t *testing.T) {
	set := func(k, size int, hashes ...uint64) *Sketch {
		s, err := NewSketch(k, size)
		if err != nil {
			t.Fatal(err)
		}
		s.hashes, s.kept = append(s.hashes, hashes...), len(hashes)
		return s
	}
	for _, c := range []struct {
		name       string
		a, b       *Sketch
		shared, of int
		want       float64
	}{
		{"same", set(21, 4, 1, 2, 3, 4), set(21, 4, 1, 2, 3, 4), 4, 4, 0},
		{"half of the union", set(21, 4, 1, 2, 3, 4), set(21, 4, 2, 4, 5, 6), 2, 4, -math.Log(2*0.5/1.5) / 21},
		{"shared behind the smallest", set(21, 2, 1, 9), set(21, 2, 2, 9), 0, 2, 1},
		{"smaller union than size", set(21, 9, 1, 2), set(21, 9, 2, 3), 1, 3, -math.Log(2*(1.0/3)/(4.0/3)) / 21},
		{"smaller sketch", set(21, 2, 1, 2), set(21, 4, 2, 3, 4, 5), 1, 2, -math.Log(2*0.5/1.5) / 21},
		{"never above 1", set(1, 9, 1, 2, 3, 4, 5), set(1, 9, 5, 6, 7, 8, 9), 1, 9, 1},
		{"one empty", set(21, 4), set(21, 4, 1, 2), 0, 2, 1},
		{"both empty", set(21, 4), set(21, 4), 0, 0, 1},
	} {
		for _, ab := range [][2]*Sketch{{c.a, c.b}, {c.b, c.a}} {
			d, shared, of, err := ab[0].Distance(ab[1])
			if err != nil || shared != c.shared || of != c.of {
				t.Errorf("%s: %d/%d, want %d/%d, %v", c.name, shared, of, c.shared, c.of, err)
			}
			near(t, c.name, d, c.want, 1e-15)
		}
	}
	if _, _, _, err := set(21, 4).Distance(set(20, 4)); !errors.Is(err, ErrMismatch) {
		t.Errorf("k of 21 and 20: %v", err)
	}
}

func TestRanges(t *testing.T) {
	for _, k := range []int{-1, 0, 13} {
		if _, err := NewCounter(k); err == nil {
			t.Errorf("NewCounter(%d): no error", k)
		}
	}
	for _, c := range [][2]int{{0, 10}, {33, 10}, {21, 0}, {21, 1<<24 + 1}} {
		if _, err := NewSketch(c[0], c[1]); err == nil {
			t.Errorf("NewSketch(%d, %d): no error", c[0], c[1])
		}
	}
	s := sketched(t, 21, 10, []string{"ACGTACGTACGTACGTACGT", strings.Repeat("N", 100)}) // shorter than a word, and nothing known
	if len(s.Hashes()) != 0 || s.K() != 21 {
		t.Errorf("hashes %v of no word", s.Hashes())
	}
}

func TestNoAllocation(t *testing.T) {
	codes := code(string(letters(rng.New(4, rng.Generate), 20_000)))
	c := counted(t, 6)
	if n := testing.AllocsPerRun(5, func() { c.Add(codes) }); n != 0 {
		t.Errorf("Counter.Add: %v allocations", n)
	}
	s := sketched(t, 21, 50, nil)
	if n := testing.AllocsPerRun(5, func() { s.Add(codes) }); n != 0 {
		t.Errorf("Sketch.Add: %v allocations", n)
	}
}
