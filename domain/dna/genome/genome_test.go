package genome

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// random is sequence of n bases with a share of G and C.
func random(seed uint64, n int, gc float64) string {
	r := rng.New(seed, rng.Generate, uint64(n))
	b := make([]byte, n)
	for i := range b {
		pair := "AT"
		if r.Float64() < gc {
			pair = "CG"
		}
		b[i] = pair[r.IntN(2)]
	}
	return string(b)
}

// folder writes files of genomes and gives their paths in the order of the names.
func folder(t testing.TB, files map[string]string) []string {
	t.Helper()
	dir := t.TempDir()
	var out []string
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out = append(out, path)
	}
	slices.Sort(out)
	return out
}

func recipeOf(window int) *recipe.Recipe {
	r := recipe.Default()
	r.Domain, r.Data.Source, r.Data.Task, r.Data.Size = recipe.DomainDNA, "genomes", recipe.TaskGenomes, window
	r.Encoder = recipe.Encoder{Kind: recipe.EncoderConvLM, Width: 8, Depth: 2, Heads: 2}
	r.Views.Transforms = []view.Config{{Name: Next, P: 1}}
	return r
}

func opened(t testing.TB, r *recipe.Recipe, files Files) *Samples {
	t.Helper()
	s, err := Open(context.Background(), r, files, domain.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func three() map[string]string {
	return map[string]string{
		"Species_one.fa":    ">chromosome one of Species_one\n" + random(1, 9_000, 0.3) + "\n>plasmid\n" + random(2, 3_000, 0.4) + "\n",
		"Species_two.fa":    ">chr\n" + random(3, 4_000, 0.6) + strings.Repeat("N", 40) + random(4, 5_000, 0.6) + "NNNN" + random(5, 700, 0.6) + "\n",
		"Species_three.fna": ">x\n" + strings.ToLower(random(6, 400, 0.5)) + random(7, 20_000, 0.5) + "\n",
	}
}

// TestSuite runs the shared suite on every kind of encoder.
func TestSuite(t *testing.T) {
	domaintest.Specs(t, []view.Spec{Spec()})
	files := Files{Pool: folder(t, three())}
	for _, kind := range []string{recipe.EncoderConvLM, recipe.EncoderGRU, recipe.EncoderTransformer} {
		t.Run(kind, func(t *testing.T) {
			domaintest.Run(t, func(t *testing.T) domain.Samples {
				r := recipeOf(48)
				r.Encoder.Kind = kind
				r.Views.Transforms[0].P = 0.8
				return opened(t, r, files)
			})
		})
	}
}

// batches are the bytes of some training views.
func batches(t *testing.T, s *Samples) [][]uint8 {
	t.Helper()
	v, err := s.Views()
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]domain.Array, len(v.Fields()))
	for k, f := range v.Fields() {
		if f.DType != domain.U8 {
			t.Fatalf("field %+v", f)
		}
		dst[k] = domain.NewArray(f, s.Len(domain.Train))
	}
	scratch := v.NewScratch()
	for i := range s.Len(domain.Train) {
		if err := v.Fill(dst, i, 3, 1, i, scratch); err != nil {
			t.Fatal(err)
		}
	}
	out := make([][]uint8, len(dst))
	for k := range dst {
		out[k] = dst[k].U8
	}
	return out
}

// TestNoSpecies: what files and sequences are called, and the order in which they are found, changes no bit of a batch; a sampler
// hands out bases only, and holds no text beside its own declaration.
func TestNoSpecies(t *testing.T) {
	files := three()
	a := opened(t, recipeOf(64), Files{Pool: folder(t, files)})
	renamed := map[string]string{
		"zebra.fa":    strings.ReplaceAll(strings.ReplaceAll(files["Species_one.fa"], ">chromosome one of Species_one", ">1"), ">plasmid", ">2"),
		"aardvark.fa": files["Species_two.fa"],
		"mole.fa":     files["Species_three.fna"],
	}
	b := opened(t, recipeOf(64), Files{Pool: folder(t, renamed)})
	back := folder(t, renamed)
	slices.Reverse(back)
	c := opened(t, recipeOf(64), Files{Pool: back})
	want := batches(t, a)
	for name, other := range map[string]*Samples{"renamed": b, "renamed and turned round": c} {
		if other.Hash() != a.Hash() {
			t.Errorf("%s: another hash", name)
		}
		if !reflect.DeepEqual(batches(t, other), want) {
			t.Errorf("%s: other batches", name)
		}
	}
	for p := range a.parts {
		if a.Labels(domain.Part(p)) != nil || a.Classes() != nil {
			t.Error("genomes have labels")
		}
	}
	if m := slices.Max(want[fieldInput]); m > Begin {
		t.Errorf("token %d", m)
	}
	if m := slices.Max(want[fieldClean]); m > Unknown {
		t.Errorf("base %d", m)
	}
	texts := map[string]bool{}
	strs(reflect.ValueOf(a.views), texts, map[uintptr]bool{})
	for s := range texts {
		for _, g := range a.Genomes() {
			if strings.Contains(s, g.Name) || strings.Contains(s, g.Path) || strings.Contains(s, "plasmid") {
				t.Errorf("the sampler holds the text %q", s)
			}
		}
	}
	if len(texts) == 0 || !texts[Next] {
		t.Errorf("the search for texts found %v", texts)
	}
	names := map[string]bool{}
	for _, g := range a.Genomes() {
		names[g.Name] = true
	}
	if len(names) != 3 || !names["Species_three"] {
		t.Errorf("names %v", names)
	}
}

// strs collects all strings that can be reached from v.
func strs(v reflect.Value, into map[string]bool, seen map[uintptr]bool) {
	switch v.Kind() {
	case reflect.String:
		into[v.String()] = true
	case reflect.Pointer:
		if !v.IsNil() && !seen[v.Pointer()] {
			seen[v.Pointer()] = true
			strs(v.Elem(), into, seen)
		}
	case reflect.Interface:
		if !v.IsNil() {
			strs(v.Elem(), into, seen)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			strs(v.Field(i), into, seen)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			strs(v.Index(i), into, seen)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			strs(k, into, seen)
			strs(v.MapIndex(k), into, seen)
		}
	}
}

// TestParts: no base belongs to two parts, a held-out species to the test part only, and views stay in their part.
func TestParts(t *testing.T) {
	files := three()
	r := recipeOf(64)
	r.Data.HoldOut = []string{"Species_two"}
	r.Data.Val = 0.2
	s := opened(t, r, Files{Pool: folder(t, files), Held: folder(t, map[string]string{"other.fa": ">o\n" + random(99, 2_000, 0.5) + "\n"})})
	owner := map[*uint8]int{}
	for p, part := range s.parts {
		for k, sh := range part.shares {
			g := s.pool[s.owner[p][k]]
			if g.Held != (p == int(domain.Test)) {
				t.Errorf("%s (held %v) is in part %d", g.Name, g.Held, p)
			}
			for _, run := range sh.runs {
				for at := run.from; at < run.to; at++ {
					if was, ok := owner[&sh.codes[at]]; ok {
						t.Fatalf("base %d of %s is in parts %d and %d", at, g.Name, was, p)
					}
					owner[&sh.codes[at]] = p
				}
			}
		}
		x := rng.New(1, rng.Probe, uint64(p))
		for i := range part.len {
			for _, shift := range []float64{0, x.Float64(), math.Nextafter(1, 0)} {
				sh, at := part.place(i, shift)
				if !slices.ContainsFunc(sh.runs, func(r stretch) bool { return at >= r.from && at+part.window <= r.to }) {
					t.Fatalf("part %d, sample %d: a window at %d", p, i, at)
				}
			}
			if name := s.Name(domain.Part(p), i); !strings.HasPrefix(name, s.Genomes()[s.GenomeOf(domain.Part(p), i)].Name+":") {
				t.Fatalf("name %q", name)
			}
		}
	}
	if s.Len(domain.Val) == 0 || s.Len(domain.Test) == 0 || s.GenomeOf(domain.Train, s.Len(domain.Train)) != -1 {
		t.Errorf("%d, %d, %d samples", s.Len(0), s.Len(1), s.Len(2))
	}
	for k, w := range s.Weights() {
		if held := s.Genomes()[k].Held; held != (w == 0) {
			t.Errorf("weight %g of %s", w, s.Genomes()[k].Name)
		}
	}
}

// TestStrands: the view of the other strand is the reverse complement, the input is the truth moved by one, and runs of N, but for short ones, stay out.
func TestStrands(t *testing.T) {
	s := opened(t, recipeOf(64), Files{Pool: folder(t, three())})
	tr := s.views.transforms[0]
	fields := s.views.Fields()
	unknowns := 0
	for i := range s.Len(domain.Train) {
		var of [2][3]domain.Array
		for strand := range of {
			p := tr.AtValue(float64(strand), 1, i)
			for k := range of[strand] {
				of[strand][k] = domain.NewArray(fields[k], 1)
			}
			if err := tr.Fill(&of[strand][fieldInput], 0, domain.Train, i, p); err != nil {
				t.Fatal(err)
			}
			if err := tr.(domain.Truther).Truth(&of[strand][fieldClean], &of[strand][fieldMask], 0, domain.Train, i, p); err != nil {
				t.Fatal(err)
			}
			in, clean, mask := of[strand][fieldInput].U8, of[strand][fieldClean].U8, of[strand][fieldMask].U8
			if in[0] != Begin || !slices.Equal(in[1:], clean[:63]) {
				t.Fatalf("input %v of %v", in, clean)
			}
			n := 0
			for j := range clean {
				if (clean[j] < Unknown) != (mask[j] == 1) {
					t.Fatalf("mask %v of %v", mask, clean)
				}
				if clean[j] == Unknown {
					n++
				}
			}
			if unknowns += n; n >= gap {
				t.Fatalf("%d unknown bases in %v", n, clean)
			}
		}
		for j, c := range of[0][fieldClean].U8 {
			if o := of[1][fieldClean].U8[63-j]; c < Unknown && o != 3-c || c == Unknown && o != c {
				t.Fatalf("strands %v and %v", of[0][fieldClean].U8, of[1][fieldClean].U8)
			}
		}
	}
	if unknowns == 0 {
		t.Error("no short run of N was seen")
	}
}

// TestWeights: samples per genome follow the option.
func TestWeights(t *testing.T) {
	files := Files{Pool: folder(t, map[string]string{"small.fa": ">s\n" + random(1, 10_000, 0.5) + "\n", "large.fa": ">l\n" + random(2, 160_000, 0.5) + "\n"})}
	for word, ratio := range map[string]float64{"uniform": 1, "size": 16, "size^0.5": 4} {
		r := recipeOf(64)
		r.Data.Limit = 3_000
		r.Views.Transforms[0].Options = map[string]string{optionWeights: word}
		s := opened(t, r, files)
		n := map[string]float64{}
		for i := range s.Len(domain.Train) {
			n[s.Genomes()[s.GenomeOf(domain.Train, i)].Name]++
		}
		if got := n["large"] / n["small"]; math.Abs(math.Log(got/ratio)) > 0.1 || s.Len(domain.Train) < 2_998 || s.Len(domain.Train) > 3_002 {
			t.Errorf("%s: %v of %d, want a ratio of %g", word, n, s.Len(domain.Train), ratio)
		}
	}
}

// TestSoftMasked: lower case is predicted or not, as declared, and is the same base.
func TestSoftMasked(t *testing.T) {
	upper := random(5, 8_000, 0.5)
	mixed := []byte(upper)
	for at := 0; at+20 < len(mixed); at += 100 {
		copy(mixed[at:at+20], strings.ToLower(upper[at:at+20]))
	}
	files := Files{Pool: folder(t, map[string]string{"g.fa": ">s\n" + string(mixed) + "\n"})}
	r := recipeOf(100)
	keep := batches(t, opened(t, r, files))
	r.Views.Transforms[0].Options = map[string]string{optionMasked: "context"}
	context := batches(t, opened(t, r, files))
	n := 0
	for i, m := range context[fieldMask] {
		if keep[fieldMask][i] != 1 || keep[fieldClean][i] != context[fieldClean][i] {
			t.Fatalf("base %d", i)
		}
		n += int(m)
	}
	if got := float64(n) / float64(len(context[fieldMask])); math.Abs(got-0.8) > 0.005 {
		t.Errorf("%g of the bases are predicted, want 0.8", got)
	}
}

// TestOpenBad: what is no pool says so, with the file.
func TestOpenBad(t *testing.T) {
	good := ">a\n" + random(1, 5_000, 0.5) + "\n"
	for name, c := range map[string]struct {
		files  map[string]string
		change func(r *recipe.Recipe)
		want   string
	}{
		"none":         {want: "no FASTA file"},
		"only N":       {files: map[string]string{"n.fa": ">n\n" + strings.Repeat("N", 500) + "\n"}, want: "n.fa"},
		"twice":        {files: map[string]string{"a.fa": good, "a.fna": good}, want: "named twice"},
		"too short":    {files: map[string]string{"a.fa": good, "s.fa": ">s\nACGTACGTTTAGGCA\n"}, want: "s.fa"},
		"reads":        {files: map[string]string{"a.fa": "@a\nACGT\n+\nIIII\n"}, want: "FASTQ"},
		"protein":      {files: map[string]string{"p.fa": ">p\nMKVLAAGEFPQ\n"}, want: "p.fa"},
		"hold out":     {files: map[string]string{"a.fa": good}, change: func(r *recipe.Recipe) { r.Data.HoldOut = []string{"b"} }, want: `"b"`},
		"all held out": {files: map[string]string{"a.fa": good}, change: func(r *recipe.Recipe) { r.Data.HoldOut = []string{"a"} }, want: "no genome is left"},
		"window":       {files: map[string]string{"a.fa": good}, change: func(r *recipe.Recipe) { r.Data.Size = 7 }, want: "data.size"},
		"weights":      {files: map[string]string{"a.fa": good}, change: func(r *recipe.Recipe) { r.Views.Transforms[0].Options = map[string]string{optionWeights: "size^9"} }, want: "size^9"},
		"soft-masked":  {files: map[string]string{"a.fa": good}, change: func(r *recipe.Recipe) { r.Views.Transforms[0].Options = map[string]string{optionMasked: "no"} }, want: `"no"`},
		"no strand": {files: map[string]string{"a.fa": good}, change: func(r *recipe.Recipe) {
			r.Views.Transforms[0].Params = map[string]contract.Range{"strand": {From: 0.2, To: 0.4}}
		}, want: "strand"},
		"views": {files: map[string]string{"a.fa": good}, change: func(r *recipe.Recipe) { r.Views.Transforms = nil }, want: "next"},
	} {
		r := recipeOf(64)
		if c.change != nil {
			c.change(r)
		}
		if _, err := Open(context.Background(), r, Files{Pool: folder(t, c.files)}, domain.OpenOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
	// Two files with the same sequences, and a pool of one, are said.
	s := opened(t, recipeOf(64), Files{Pool: folder(t, map[string]string{"a.fa": good, "b.fa": good})})
	if w := strings.Join(s.Describe().Warnings, "\n"); !strings.Contains(w, "hold the same sequences") {
		t.Errorf("warnings %s", w)
	}
	if w := fmt.Sprint(opened(t, recipeOf(64), Files{Pool: folder(t, map[string]string{"a.fa": good})}).Describe().Warnings); !strings.Contains(w, "one genome only") {
		t.Errorf("warnings %s", w)
	}
}
