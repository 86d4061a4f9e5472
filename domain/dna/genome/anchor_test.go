package genome

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
)

// backwards is the reverse complement.
func backwards(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	for i, c := range b {
		if k := strings.IndexByte("ACGT", c); k >= 0 {
			b[i] = "TGCA"[k]
		}
	}
	return string(b)
}

// fasta is a file of some sequences.
func fasta(contigs ...string) string {
	var b strings.Builder
	for k, c := range contigs {
		fmt.Fprintf(&b, ">%d\n%s\n", k, c)
	}
	return b.String()
}

// one opens a pool of one genome.
func one(t testing.TB, window int, contigs ...string) *Samples {
	t.Helper()
	return opened(t, recipeOf(window), Files{Pool: folder(t, map[string]string{"one.fa": fasta(contigs...)})})
}

// anchors are the anchors of the genome called so, and their windows of tokens.
func anchors(t testing.TB, s *Samples, name string, n int, seed uint64) ([]Anchor, []string) {
	t.Helper()
	g := slices.IndexFunc(s.Genomes(), func(g Genome) bool { return g.Name == name })
	list, err := s.Anchors(g, n, seed)
	if err != nil {
		t.Fatal(err)
	}
	dst := domain.NewArray(s.Input(), len(list))
	out := make([]string, len(list))
	for k, a := range list {
		s.FillAnchor(&dst, k, g, a)
	}
	for k := range list {
		out[k] = string(dst.U8[k*s.window : (k+1)*s.window])
	}
	return list, out
}

// letters writes tokens as bases.
func letters(tokens string) string {
	b := []byte(tokens)
	for i, c := range b {
		b[i] = "ACGTN^"[c]
	}
	return string(b)
}

// TestAnchorsStrand: whichever strand a file holds and in whichever order, the windows are the same, with repeated words in other
// surroundings and words that are their own reverse complements too.
func TestAnchorsStrand(t *testing.T) {
	word, palindrome := random(20, anchorWord, 0.5), random(21, anchorWord/2, 0.5)
	palindrome += backwards(palindrome)
	var contigs []string
	for k := range uint64(6) {
		contigs = append(contigs, random(30+k, 90, 0.4)+word+random(40+k, 90, 0.4)+backwards(word)+random(50+k, 90, 0.4)+strings.Repeat("N", int(k)*6)+random(60+k, 90, 0.4))
	}
	contigs[2] += palindrome + random(70, 100, 0.4)
	other := slices.Clone(contigs)
	slices.Reverse(other)
	for k := range other {
		if k != 4 { // that with the palindrome is turned
			other[k] = backwards(other[k])
		}
	}
	const window = 64
	a, b := one(t, window, contigs...), one(t, window, other...)
	for _, n := range []int{1, 40, 400, 1 << 20} { // the last takes all words
		listA, textA := anchors(t, a, "one", n, 3)
		listB, textB := anchors(t, b, "one", n, 3)
		if !slices.Equal(textA, textB) {
			t.Errorf("%d of %d anchors: the windows depend on strand or order", len(listA), n)
		}
		if len(listA) > n || len(listA) < min(n, 1500) || len(listA) != len(listB) {
			t.Errorf("%d and %d anchors of %d", len(listA), len(listB), n)
		}
		back := 0
		for k, x := range listA {
			if x.Hash != listB[k].Hash || k > 0 && x.Hash <= listA[k-1].Hash {
				t.Fatalf("anchor %d: hashes %x and %x, want equal ones that rise", k, x.Hash, listB[k].Hash)
			}
			if x.Back {
				back++
			}
		}
		if n > 1 && (back < len(listA)/4 || back > 3*len(listA)/4) {
			t.Errorf("%d of %d anchors on the other strand", back, len(listA))
		}
	}
	_, text := anchors(t, a, "one", 1<<20, 3)
	for _, w := range []string{word, palindrome} {
		n := 0
		for _, x := range text {
			if x = letters(x); strings.HasPrefix(x, "^"+w) || strings.HasPrefix(x, "^"+backwards(w)) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("the word %s begins %d windows, want 1", w, n)
		}
	}
}

// TestAnchorsInSequences: windows are stretches of one sequence on either strand, begin with distinct words and hold no long run of N.
func TestAnchorsInSequences(t *testing.T) {
	const window = 48
	contigs := []string{random(1, 300, 0.5) + strings.Repeat("N", 16) + random(2, 300, 0.5) + strings.Repeat("N", 15) + random(3, 300, 0.5), random(4, window, 0.5), random(5, window-1, 0.5)}
	list, text := anchors(t, one(t, window, contigs...), "one", 1<<20, 9)
	seen := map[string]bool{}
	short := false
	for k, x := range text {
		if x[0] != Begin {
			t.Fatalf("token %d at the beginning", x[0])
		}
		x = letters(x[1:])
		word := min(x[:anchorWord], backwards(x[:anchorWord]))
		if seen[word] {
			t.Errorf("two windows begin with %s", word)
		}
		seen[word] = true
		if strings.Contains(word, "N") || strings.Contains(x, strings.Repeat("N", 16)) {
			t.Errorf("the window %s", x)
		}
		short = short || strings.Contains(x, "N")
		in := 0
		for _, c := range contigs {
			if list[k].Back {
				c = backwards(c)
			}
			if i := strings.Index(c, x); i >= 0 && i+window <= len(c) { // the last base is not among the tokens
				in++
			}
		}
		if in != 1 {
			t.Errorf("the window %s is in %d sequences, want 1", x, in)
		}
	}
	if !short {
		t.Error("no window holds the short run of N")
	}
	// Each word has one strand. A stretch of L bases has L-window+1 windows; where the lower word stands on the other strand, the window ends with it.
	if all := 300 - anchorWord + 1; len(list) < 2*all || len(list) > 3*all {
		t.Errorf("%d windows of about %d words", len(list), 3*all)
	}
}

// TestAnchorsFits: a sequence as long as a window has one window if a word at its ends is on the right strand, whatever the size of windows.
func TestAnchorsFits(t *testing.T) {
	for _, window := range []int{minWindow, 17, 64} {
		n := 0
		for k := range uint64(20) {
			text := random(100+k, window, 0.5)
			list, win := anchors(t, one(t, window, text), "one", 50, 1)
			want := map[string]bool{}
			if w := text[:anchorWord]; w <= backwards(w) {
				want[text[:window-1]] = true
			}
			if w := backwards(text)[:anchorWord]; w < backwards(w) {
				want[backwards(text)[:window-1]] = true
			}
			n += len(list)
			for k, a := range list {
				if a.At != 0 || !want[letters(win[k])[1:]] {
					t.Errorf("window %d: %+v %s of %s", window, a, letters(win[k]), text)
				}
			}
			if len(list) != len(want) {
				t.Errorf("window %d: %d anchors of %d", window, len(list), len(want))
			}
		}
		if n == 0 {
			t.Errorf("window %d: no anchor", window)
		}
	}
	s := one(t, 32, strings.Repeat("A", 200)) // one word only
	if list, _ := anchors(t, s, "one", 10, 1); len(list) != 1 {
		t.Errorf("%d anchors of a sequence of A", len(list))
	}
	for _, bad := range [][2]int{{-1, 5}, {1, 5}, {0, 0}} {
		if _, err := s.Anchors(bad[0], bad[1], 1); err == nil {
			t.Errorf("no error about %d windows of genome %d", bad[1], bad[0])
		}
	}
}

// TestAnchorsRelatives: a relative with 1 % of substitutions is read at the same places, a stranger is not, and the seed says which places these are.
func TestAnchorsRelatives(t *testing.T) {
	const n, size = 100, 30_000
	parent := random(1, size, 0.45)
	child := []byte(parent)
	r := rng.New(4, rng.Generate)
	for i := range child {
		if r.Float64() < 0.01 {
			child[i] = "ACGT"[(strings.IndexByte("ACGT", child[i])+1+r.IntN(3))%4]
		}
	}
	s := opened(t, recipeOf(64), Files{Pool: folder(t, map[string]string{
		"parent.fa": fasta(parent), "child.fa": fasta(backwards(string(child[size/2:])), string(child[:size/2])), "stranger.fa": fasta(random(2, size, 0.45)),
	})})
	hashes := func(name string, seed uint64) map[uint64]string {
		list, text := anchors(t, s, name, n, seed)
		out := map[uint64]string{}
		for k, a := range list {
			out[a.Hash] = text[k]
		}
		if len(out) != n {
			t.Fatalf("%d distinct hashes, want %d", len(out), n)
		}
		return out
	}
	shared := func(a, b map[uint64]string) (n, alike int) {
		for h, x := range a {
			if y, ok := b[h]; ok {
				n++
				same := 0
				for i := range x {
					if x[i] == y[i] {
						same++
					}
				}
				if same > len(x)*9/10 {
					alike++
				}
			}
		}
		return n, alike
	}
	base := hashes("parent", 1)
	if got, alike := shared(base, hashes("child", 1)); got < 70 || got > 97 || alike < got-1 { // 0.99^16 is 0.85
		t.Errorf("%d of %d anchors shared with the relative, %d windows alike", got, n, alike)
	}
	if got, _ := shared(base, hashes("stranger", 1)); got > 2 {
		t.Errorf("%d anchors shared with the stranger", got)
	}
	words := map[string]bool{}
	for _, x := range hashes("parent", 2) {
		words[x] = true
	}
	same := 0
	for _, x := range base {
		if words[x] {
			same++
		}
	}
	if same > 10 {
		t.Errorf("%d of %d windows are the same with another seed", same, n)
	}
	again := hashes("parent", 1)
	if got, _ := shared(base, again); got != n {
		t.Errorf("%d of %d anchors the second time", got, n)
	}
}

// TestContigs: the sequences come as they are, with soft-masked bases marked.
func TestContigs(t *testing.T) {
	s := one(t, 16, random(1, 100, 0.5), "ACGTNacgtnRy"+random(2, 30, 0.5))
	var sizes []int
	var last []uint8
	s.Contigs(0, func(codes []uint8) { sizes, last = append(sizes, len(codes)), codes[:12] })
	if !slices.Equal(sizes, []int{100, 42}) || !slices.Equal(last, []uint8{0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 4, 12}) {
		t.Errorf("sequences of %v bases, the last begins %v", sizes, last)
	}
}
