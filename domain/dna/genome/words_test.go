package genome

import (
	"context"
	"math"
	"testing"

	"github.com/selfsame-ml/selfsame/domain/dna/kmer"
)

// TestWordsOfTokens: words of a window of tokens by hand, none over an unknown base, and as many as fit.
func TestWordsOfTokens(t *testing.T) {
	tokens := []uint8{Begin, 0, 1, 2, 3, unknown, 0, 1, 3}
	got := make([]float32, 16)
	kmer.Count(got, tokens[1:], 2)
	want := make([]float32, 16)
	want[0*4+1], want[1*4+2], want[2*4+3], want[1*4+3] = 2, 1, 1, 1
	for k := range got {
		if got[k] != want[k] {
			t.Errorf("word %d: %g times, want %g", k, got[k], want[k])
		}
	}
	kmer.Count(got, tokens[1:], 2)
	if got[1] != 4 {
		t.Errorf("counts are not added: %g", got[1])
	}
}

// TestMeanWords: the mean over all of a genome is that of its own words on both strands, the background of order 2 has the same words of three bases and others of four.
func TestMeanWords(t *testing.T) {
	s := one(t, 64, random(5, 3000, 0.4), random(6, 90, 0.4))
	for g := range s.Genomes() {
		var exact [64]float64
		total := 0.0
		s.Contigs(g, func(codes []uint8) {
			for _, back := range []bool{false, true} {
				tokens := []uint8{Begin}
				for j := range codes {
					c := codes[j] & letter
					if back {
						if c = codes[len(codes)-1-j] & letter; c < unknown {
							c = 3 - c
						}
					}
					tokens = append(tokens, min(c, unknown))
				}
				n := make([]float32, 64)
				kmer.Count(n, tokens[1:], 3)
				for k, v := range n {
					exact[k] += float64(v)
					total += float64(v)
				}
			}
		})
		windows, backgrounds, err := s.MeanWords(context.Background(), g, 1<<20, 3, 2, 5)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, v := range windows {
			sum += v
		}
		for k := range exact {
			if got, want := windows[k]/sum, exact[k]/total; math.Abs(got-want) > 0.004 {
				t.Errorf("genome %d: word %d has a share of %.4f, want %.4f", g, k, got, want)
			}
			if math.Abs(backgrounds[k]-windows[k]) > 0.05*windows[k]+0.1 {
				t.Errorf("genome %d: word %d is %.3f times in a window, %.3f times in its background", g, k, windows[k], backgrounds[k])
			}
		}
		again, _, err := s.MeanWords(context.Background(), g, 1<<20, 3, 2, 6)
		if err != nil || again[7] != windows[7] {
			t.Errorf("windows depend on the seed: %g and %g, %v", again[7], windows[7], err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, _, err := s.MeanWords(ctx, 0, 10, 3, 2, 5); err == nil {
		t.Error("it goes on when it is stopped")
	}
	for _, bad := range [][3]int{{-1, 1, 3}, {99, 1, 3}, {0, 0, 3}, {0, 1, 0}, {0, 1, kmer.MaxK + 1}} {
		if _, _, err := s.MeanWords(context.Background(), bad[0], bad[1], bad[2], 2, 5); err == nil {
			t.Errorf("no error about %v", bad)
		}
	}
}

func BenchmarkMeanWords(b *testing.B) {
	s := one(b, 512, random(7, 200_000, 0.4))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.MeanWords(context.Background(), 0, 1000, 4, 2, 1); err != nil {
			b.Fatal(err)
		}
	}
}
