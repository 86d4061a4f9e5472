// Package domaintest is the suite that every domain must pass: what the stages rely on and the types of
// package domain cannot say.
//
// A domain's own tests call [Run] with samples of its own, as many kinds as it has. [Specs] checks the
// declared transformations and needs no data. The package also holds [Fake], a small domain of vectors for the tests
// of the stages.
package domaintest

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/gomlx/compute/dtypes"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/engine"
	"github.com/selfsame-ml/selfsame/engine/enginetest"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/view"
)

// Specs checks a domain's transformations: names, parameters, defaults and contracts that hold together.
func Specs(t *testing.T, specs []view.Spec) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range specs {
		if s.Name == "" || s.Doc == "" || seen[s.Name] {
			t.Errorf("transformation %q has no name of its own or no text", s.Name)
		}
		seen[s.Name] = true
		if s.P <= 0 || s.P > 1 {
			t.Errorf("%s: default probability %g", s.Name, s.P)
		}
		if len(s.Params) == 0 || len(s.Params) > view.MaxParams || len(s.Kinds) == 0 {
			t.Errorf("%s: %d parameters, %d contracts", s.Name, len(s.Params), len(s.Kinds))
			continue
		}
		for _, p := range s.Params {
			if p.Name == "" || p.Doc == "" || p.Default.Validate() != nil || p.Default.From < p.Min || p.Default.To > p.Max {
				t.Errorf("%s: parameter %+v", s.Name, p)
			}
		}
		if p := s.Params[0]; !math.IsNaN(s.Identity) && (s.Identity < p.Min || s.Identity > p.Max) {
			t.Errorf("%s: identity %g outside %g..%g", s.Name, s.Identity, p.Min, p.Max)
		} else if s.Classes > 0 && (!p.Integer || p.Min != 0 || p.Max != float64(s.Classes-1)) {
			t.Errorf("%s: %d classes, but %s is %g..%g", s.Name, s.Classes, p.Name, p.Min, p.Max)
		}
		c, err := s.Resolve(view.Config{Name: s.Name, P: s.P})
		if err != nil || len(c.Params) != len(s.Params) || len(c.Terms) != 1 || c.Terms[0].Kind != s.Kinds[0] {
			t.Errorf("%s: the default declaration is %+v, %v", s.Name, c, err)
		}
	}
}

// few is how many samples are looked at.
const few = 6

// Run checks samples of a domain: determinism and shapes of the views, records that replay, contracts that are
// drawn from their own ranges, identities, no allocation, an encoder that keeps samples apart. The samples need at least 8
// training samples. open may be called several times and closes what it opens by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) domain.Samples) {
	s := open(t)
	if n := s.Len(domain.Train); n < 8 {
		t.Fatalf("%d training samples, want at least 8", n)
	}
	v, err := s.Views()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("samples", func(t *testing.T) { samples(t, s, open(t)) })
	t.Run("streams", func(t *testing.T) { streams(t, s, v) })
	t.Run("fill", func(t *testing.T) { fill(t, v) })
	t.Run("recorded draws", func(t *testing.T) { recorded(t, s, v) })
	t.Run("transformations", func(t *testing.T) { transformations(t, s, v) })
	t.Run("no allocation", func(t *testing.T) { allocation(t, v) })
	enginetest.Each(t, func(t *testing.T, e *engine.Engine) { encoder(t, e, s, v) })
}

var partNames = []string{"train", "val", "test"}

func equal(a, b domain.Array) bool {
	return slices.Equal(a.U8, b.U8) && slices.Equal(a.U16, b.U16) && slices.Equal(a.I32, b.I32) && slices.Equal(a.F32, b.F32)
}

// rowOf copies one row.
func rowOf(f domain.Field, a *domain.Array, row int) domain.Array {
	out := domain.NewArray(f, 1)
	domain.CopyRow(f, &out, 0, a, row)
	return out
}

func arrays(fields []domain.Field, rows int) []domain.Array {
	out := make([]domain.Array, len(fields))
	for i, f := range fields {
		out[i] = domain.NewArray(f, rows)
		for k := range out[i].U8 { // what is not written shows
			out[i].U8[k] = 0xA5
		}
		for k := range out[i].U16 {
			out[i].U16[k] = 0xA5A5
		}
		for k := range out[i].I32 {
			out[i].I32[k] = -77
		}
		for k := range out[i].F32 {
			out[i].F32[k] = -77
		}
	}
	return out
}

func sample(t *testing.T, s domain.Samples, p domain.Part, i int) domain.Array {
	t.Helper()
	a := domain.NewArray(s.Input(), 1)
	if err := s.Fill(&a, 0, p, i); err != nil {
		t.Fatal(err)
	}
	return a
}

func samples(t *testing.T, s, again domain.Samples) {
	in := s.Input()
	if in.Name == "" || in.Size() < 1 {
		t.Errorf("input field %+v", in)
	}
	if len(s.Hash()) < 4 || s.Hash() != again.Hash() {
		t.Errorf("hash %q, opened again %q", s.Hash(), again.Hash())
	}
	for p, name := range partNames {
		p, n := domain.Part(p), s.Len(domain.Part(p))
		if l := s.Labels(p); l != nil {
			if len(l) != n {
				t.Errorf("%s: %d labels of %d samples", name, len(l), n)
			}
			for i, c := range l {
				if c < -1 || int(c) >= len(s.Classes()) {
					t.Fatalf("%s: sample %d has class %d of %d", name, i, c, len(s.Classes()))
				}
			}
		}
		for _, i := range []int{-1, n} {
			a := domain.NewArray(in, 1)
			if s.Fill(&a, 0, p, i) == nil {
				t.Errorf("%s: sample %d of %d is no error", name, i, n)
			}
		}
		for i := range min(n, few) {
			a := arrays([]domain.Field{in}, 3)[0]
			edge := rowOf(in, &a, 0)
			if err := s.Fill(&a, 1, p, i); err != nil {
				t.Fatal(err)
			}
			one := rowOf(in, &a, 1)
			if !equal(edge, rowOf(in, &a, 0)) || !equal(edge, rowOf(in, &a, 2)) {
				t.Errorf("%s: sample %d is written beyond its row", name, i)
			}
			if !equal(one, sample(t, s, p, i)) || !equal(one, sample(t, again, p, i)) {
				t.Errorf("%s: sample %d is not the same twice", name, i)
			}
		}
	}
	if g, ok := s.(domain.Guard); ok {
		a, b := sample(t, s, domain.Train, 0), sample(t, s, domain.Train, 0)
		if at := g.Touched(&a, &b, 0); at != "" {
			t.Errorf("equal samples: %s is said to be touched", at)
		}
	}
}

// streams holds streams and fields against the text of domain.Stream.
func streams(t *testing.T, s domain.Samples, v domain.Sampler) {
	in := s.Input()
	fields := map[string]domain.Field{}
	for _, f := range v.Fields() {
		if _, twice := fields[f.Name]; twice || f.Name == "" || f.Size() < 1 {
			t.Errorf("field %+v", f)
		}
		fields[f.Name] = f
	}
	used := map[string]bool{}
	want := func(st domain.Stream, name string, dt domain.DType, dims ...int) {
		f, ok := fields[name]
		if !ok || f.DType != dt || !slices.Equal(f.Dims, dims) {
			t.Errorf("stream %s (%s): field %q is %+v, want type %d %v", st.Name, st.Kind, name, f, dt, dims)
		}
		if used[name] {
			t.Errorf("field %q belongs to two streams", name)
		}
		used[name] = true
	}
	if len(v.Streams()) == 0 {
		t.Error("no stream")
	}
	for _, st := range v.Streams() {
		if st.Name == "" || st.Weight < 0 {
			t.Errorf("stream %+v", st)
		}
		switch st.Kind {
		case contract.Invariant:
			if st.Views < 2 {
				t.Errorf("stream %s: %d views", st.Name, st.Views)
			}
			want(st, st.Input, in.DType, append([]int{st.Views}, in.Dims...)...)
			if st.Locals != "" {
				if f := fields[st.Locals]; f.DType != in.DType || len(f.Dims) != len(in.Dims)+1 {
					t.Errorf("stream %s: local views are %+v", st.Name, f)
				}
				used[st.Locals] = true
			}
		case contract.Equivariant:
			want(st, st.Input, in.DType, in.Dims...)
			if st.Clean != "" {
				want(st, st.Clean, in.DType, in.Dims...)
			}
			if st.Classes > 0 {
				want(st, st.Target, domain.I32)
			} else {
				want(st, st.Target, domain.F32, fields[st.Target].Dims...)
			}
		case contract.Restorable:
			want(st, st.Input, in.DType, in.Dims...)
			if truther(v, st) != nil {
				want(st, st.Clean, fields[st.Clean].DType, fields[st.Clean].Dims...)
			} else {
				want(st, st.Clean, in.DType, in.Dims...)
			}
			want(st, st.Mask, domain.U8, fields[st.Mask].Dims...)
		default:
			t.Errorf("stream %s has contract %s", st.Name, st.Kind)
		}
	}
	for name := range fields {
		if !used[name] {
			t.Errorf("field %q belongs to no stream", name)
		}
	}
}

// truther is the transformation of a Restorable stream, if what is to be restored has a shape of its own.
func truther(v domain.Sampler, st domain.Stream) domain.Truther {
	for _, tr := range v.Transforms() {
		if t, ok := tr.(domain.Truther); ok && st.Kind == contract.Restorable && tr.Config().Name == st.Name {
			return t
		}
	}
	return nil
}

// fill: what Fill writes depends on seed, epoch and sample, and on nothing else.
func fill(t *testing.T, v domain.Sampler) {
	fields := v.Fields()
	rows := arrays(fields, few+2)
	scratch := v.NewScratch()
	for i := range few {
		if err := v.Fill(rows, i+1, 3, 1, i, scratch); err != nil {
			t.Fatal(err)
		}
	}
	blank := arrays(fields, 1)
	for k, f := range fields {
		if !equal(rowOf(f, &rows[k], 0), blank[k]) || !equal(rowOf(f, &rows[k], few+1), blank[k]) {
			t.Errorf("field %q is written beyond its row", f.Name)
		}
	}
	// Backwards, after other keys, on several workers with scratch of their own.
	other := arrays(fields, few)
	var wg sync.WaitGroup
	errs := make([]error, 3)
	for w := range errs {
		wg.Go(func() {
			scratch := v.NewScratch()
			for i := few - 1; i >= 0; i-- {
				if i%len(errs) != w {
					continue
				}
				for _, key := range [][3]uint64{{9, 9, 0}, {3, 1, uint64(i)}} {
					if err := v.Fill(other, i, key[0], key[1], int(key[2]), scratch); err != nil {
						errs[w] = err
					}
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	for k, f := range fields {
		for i := range few {
			if !equal(rowOf(f, &rows[k], i+1), rowOf(f, &other[k], i)) {
				t.Errorf("field %q of sample %d depends on the worker or the order", f.Name, i)
			}
		}
	}
	for _, key := range [][2]uint64{{4, 1}, {3, 2}} {
		if err := v.Fill(other, 0, key[0], key[1], 0, scratch); err != nil {
			t.Fatal(err)
		}
		same := true
		for k, f := range fields {
			same = same && equal(rowOf(f, &rows[k], 1), rowOf(f, &other[k], 0))
		}
		if same {
			t.Errorf("seed %d, epoch %d gives the views of seed 3, epoch 1", key[0], key[1])
		}
	}
	for _, st := range v.Streams() { // targets in their range
		if st.Kind != contract.Equivariant {
			continue
		}
		at := slices.IndexFunc(fields, func(f domain.Field) bool { return f.Name == st.Target })
		seen := map[float64]bool{}
		for i := range 64 {
			if err := v.Fill(other, 0, 3, uint64(i), 0, scratch); err != nil {
				t.Fatal(err)
			}
			var x float64
			if st.Classes > 0 {
				x = float64(other[at].I32[0])
			} else {
				x = float64(other[at].F32[0])
			}
			seen[x] = true
			if st.Classes > 0 && (x < 0 || x >= float64(st.Classes)) || st.Classes == 0 && !(math.Abs(x) <= 1.0001) {
				t.Errorf("stream %s: target %g", st.Name, x)
			}
		}
		if len(seen) < 2 {
			t.Errorf("stream %s: the target is always %v", st.Name, seen)
		}
	}
}

// recorded: draws are recorded, lie in the ranges of their contract, and replay.
func recorded(t *testing.T, s domain.Samples, v domain.Sampler) {
	rec, ok := v.(domain.Recorder)
	if !ok {
		t.Fatal("the sampler is no domain.Recorder: its draws cannot be replayed")
	}
	byName := map[string]domain.Transformation{}
	for _, tr := range v.Transforms() {
		name := tr.Config().Name
		if _, twice := byName[name]; twice {
			byName[name] = nil // which of them it was is not recorded
		} else {
			byName[name] = tr
		}
	}
	in, fields := s.Input(), v.Fields()
	at := func(name string) int {
		return slices.IndexFunc(fields, func(f domain.Field) bool { return f.Name == name })
	}
	dst, scratch := arrays(fields, 1), v.NewScratch()
	replayed := map[contract.Kind]int{}
	for n := range 40 {
		i, epoch := n%few, uint64(n)
		draws := rec.Drawn(3, epoch, i)
		if !slices.Equal(draws, rec.Drawn(3, epoch, i)) {
			t.Fatal("a record is not the same twice")
		}
		if err := v.Fill(dst, 0, 3, epoch, i, scratch); err != nil {
			t.Fatal(err)
		}
		for _, st := range v.Streams() {
			for view := range st.Views {
				var of []domain.Draw
				for _, d := range draws {
					if d.Stream == st.Name && d.View == view && d.Params.Applied {
						of = append(of, d)
					}
				}
				if st.Kind != contract.Invariant && slices.ContainsFunc(v.Streams(), func(o domain.Stream) bool { return o.Name == st.Name && o.Kind != st.Kind }) {
					continue // two streams of one name
				}
				for _, d := range of {
					tr := byName[d.Transform]
					if tr == nil {
						continue
					}
					want := contract.Invariant
					if st.Kind != contract.Invariant && d.Transform == st.Name {
						want = st.Kind
					}
					if term, ok := tr.Config().Terms.At(d.Params.V[0]); !ok || term.Kind != want {
						t.Errorf("stream %s: %s is drawn at %g, where the contract is %s, want %s", st.Name, d.Transform, d.Params.V[0], term.Kind, want)
					}
					if st.Kind == contract.Equivariant && want == st.Kind && st.Classes > 0 && float64(dst[at(st.Target)].I32[0]) != d.Params.V[0] {
						t.Errorf("stream %s: target %d, recorded %g", st.Name, dst[at(st.Target)].I32[0], d.Params.V[0])
					}
				}
				if len(of) > 1 || len(of) == 1 && byName[of[0].Transform] == nil {
					continue // a chain: only the domain can replay it
				}
				want := sample(t, s, domain.Train, i)
				truth := truther(v, st)
				if st.Kind == contract.Restorable && truth == nil && !equal(want, dst[at(st.Clean)]) {
					t.Errorf("stream %s: the clean sample is not the sample", st.Name)
				}
				if len(of) == 1 {
					tr := byName[of[0].Transform]
					if err := tr.Fill(&want, 0, domain.Train, i, of[0].Params); err != nil {
						t.Fatal(err)
					}
					if st.Kind == contract.Restorable && truth != nil {
						clean, mask := domain.NewArray(fields[at(st.Clean)], 1), domain.NewArray(fields[at(st.Mask)], 1)
						if err := truth.Truth(&clean, &mask, 0, domain.Train, i, of[0].Params); err != nil {
							t.Fatal(err)
						}
						if !equal(clean, dst[at(st.Clean)]) || !equal(mask, dst[at(st.Mask)]) || !slices.Contains(mask.U8, 1) || slices.Max(mask.U8) > 1 {
							t.Errorf("stream %s: the truth or the mask is not that of the record", st.Name)
						}
					}
					if m, ok := tr.(domain.Masked); ok && st.Kind == contract.Restorable {
						mask := make([]uint8, fields[at(st.Mask)].Size())
						m.Mask(mask, of[0].Params)
						if !slices.Equal(mask, dst[at(st.Mask)].U8) || !slices.Contains(mask, 1) || slices.Max(mask) > 1 {
							t.Errorf("stream %s: the mask is not that of the record", st.Name)
						}
					}
				}
				one := domain.Field{DType: in.DType, Dims: in.Dims}
				if !equal(want, rowOf(one, &dst[at(st.Input)], view)) {
					t.Errorf("stream %s, view %d of sample %d: the record %v gives another view", st.Name, view, i, of)
				}
				replayed[st.Kind]++
			}
		}
	}
	t.Logf("views replayed: %v", replayed)
	if len(replayed) == 0 {
		t.Error("no view could be replayed: give a transformation a probability below 1, so that some views have one draw")
	}
}

func transformations(t *testing.T, s domain.Samples, v domain.Sampler) {
	in := s.Input()
	for _, tr := range v.Transforms() {
		spec, cfg := tr.Spec(), tr.Config()
		t.Run(spec.Name, func(t *testing.T) {
			if cfg.Name != spec.Name || cfg.Terms.Validate() != nil || len(cfg.Terms) == 0 || len(cfg.Params) != len(spec.Params) {
				t.Errorf("declaration %+v", cfg)
			}
			declared := cfg.Params[spec.Params[0].Name]
			if lo, hi := tr.At(0, 1, 0).V[0], tr.At(1, 1, 0).V[0]; lo < declared.From || hi > declared.To {
				t.Errorf("At gives %g and %g, declared is %s", lo, hi, declared)
			}
			for p, name := range partNames {
				p := domain.Part(p)
				for i := range min(s.Len(p), few) {
					src := sample(t, s, p, i)
					if !math.IsNaN(spec.Identity) {
						same := domain.NewArray(in, 1)
						if err := tr.Fill(&same, 0, p, i, tr.AtValue(spec.Identity, 1, i)); err != nil {
							t.Fatal(err)
						}
						if !equal(same, src) {
							t.Errorf("%s: %s %g changes sample %d", name, spec.Params[0].Name, spec.Identity, i)
						}
					}
					d := tr.Draw(1, uint64(i), i)
					if d != tr.Draw(1, uint64(i), i) || !d.Applied || !declared.Contains(d.V[0]) {
						t.Errorf("draw %+v of %s", d, declared)
					}
					a := arrays([]domain.Field{in}, 3)[0]
					edge := rowOf(in, &a, 0)
					if err := tr.Fill(&a, 1, p, i, d); err != nil {
						t.Fatal(err)
					}
					if !equal(edge, rowOf(in, &a, 0)) || !equal(edge, rowOf(in, &a, 2)) {
						t.Errorf("%s: view of sample %d is written beyond its row", name, i)
					}
					b := domain.NewArray(in, 1)
					if err := tr.Fill(&b, 0, p, i, d); err != nil || !equal(b, rowOf(in, &a, 1)) {
						t.Errorf("%s: one draw gives two views of sample %d (%v)", name, i, err)
					}
					if !equal(src, sample(t, s, p, i)) {
						t.Errorf("%s: sample %d itself was changed", name, i)
					}
				}
			}
		})
	}
}

func allocation(t *testing.T, v domain.Sampler) {
	dst, scratch := arrays(v.Fields(), 1), v.NewScratch()
	epoch := uint64(0)
	step := func() {
		epoch++
		if err := v.Fill(dst, 0, 1, epoch, int(epoch%few), scratch); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // warm-up: scratch grows to what the largest draw needs
		step()
	}
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%g allocations a sample", n)
	}
}

func dtypeOf(d domain.DType) dtypes.DType {
	return map[domain.DType]dtypes.DType{domain.U8: dtypes.Uint8, domain.U16: dtypes.Uint16, domain.I32: dtypes.Int32, domain.F32: dtypes.Float32}[d]
}

func flat(a *domain.Array) any {
	switch {
	case a.U8 != nil:
		return a.U8
	case a.U16 != nil:
		return a.U16
	case a.I32 != nil:
		return a.I32
	}
	return a.F32
}

// forward runs a graph in inference mode with start values.
func forward(t *testing.T, e *engine.Engine, fields []domain.Field, data []domain.Array, rows int, fn func(s *nn.Scope, in []*graph.Node) []*graph.Node) ([][]float32, []shapes.Shape) {
	t.Helper()
	var decls []nn.Decl
	var out []shapes.Shape
	p, err := e.CompileMode("domaintest", e.Mode().FP32(), func(g *graph.Graph) []*graph.Node {
		net := nn.NewNet(g, false, nil)
		var in []*graph.Node
		for i, f := range fields {
			in = append(in, graph.Parameter(g, fmt.Sprintf("batch/%d", i), shapes.Make(dtypeOf(f.DType), append([]int{rows}, f.Dims...)...)))
		}
		ns := fn(net.Scope(), in)
		for _, n := range ns {
			out = append(out, n.Shape())
		}
		decls = net.Decls()
		return ns
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Finalize()
	args := make([]any, len(p.Names()))
	for i, name := range p.Names() {
		var k int
		if _, err := fmt.Sscanf(name, "batch/%d", &k); err == nil {
			args[i] = flat(&data[k])
			continue
		}
		args[i] = decls[slices.IndexFunc(decls, func(d nn.Decl) bool { return d.Name == name })].Start(1)
	}
	res, err := p.Floats(args...)
	if err != nil {
		t.Fatal(err)
	}
	return res, out
}

// encoder: width is Dim, features of a sample do not depend on its neighbours, restoring losses are finite.
func encoder(t *testing.T, e *engine.Engine, s domain.Samples, v domain.Sampler) {
	enc, err := s.Encoder()
	if err != nil {
		t.Fatal(err)
	}
	const rows = 4
	in := s.Input()
	embed := func(ids ...int) []float32 {
		a := domain.NewArray(in, rows)
		for row, i := range ids {
			if err := s.Fill(&a, row, domain.Train, i); err != nil {
				t.Fatal(err)
			}
		}
		out, sh := forward(t, e, []domain.Field{in}, []domain.Array{a}, rows, func(sc *nn.Scope, x []*graph.Node) []*graph.Node {
			return []*graph.Node{enc.Encode(sc, x[0]).Pooled}
		})
		if !slices.Equal(sh[0].Dimensions, []int{rows, enc.Dim()}) || sh[0].DType != dtypes.Float32 {
			t.Fatalf("features are %s, want float32 [%d, %d]", sh[0], rows, enc.Dim())
		}
		return out[0]
	}
	a, b := embed(0, 1, 2, 3), embed(0, 7, 6, 5)
	d := enc.Dim()
	if !slices.Equal(a[:d], b[:d]) {
		t.Error("features of a sample depend on its neighbours in the batch")
	}
	if slices.Equal(a[:d], a[d:2*d]) {
		t.Error("two samples have the same features")
	}
	for _, x := range a {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			t.Fatalf("features %v", a[:d])
		}
	}
	rest, ok := enc.(domain.Restorer)
	for _, st := range v.Streams() {
		if st.Kind != contract.Restorable {
			continue
		}
		if !ok {
			t.Errorf("stream %s, but the encoder cannot restore", st.Name)
			continue
		}
		var fields []domain.Field
		var pick []int
		for _, name := range []string{st.Input, st.Clean, st.Mask} {
			k := slices.IndexFunc(v.Fields(), func(f domain.Field) bool { return f.Name == name })
			fields, pick = append(fields, v.Fields()[k]), append(pick, k)
		}
		batch, scratch := arrays(v.Fields(), rows), v.NewScratch()
		for row := range rows {
			if err := v.Fill(batch, row, 1, 0, row, scratch); err != nil {
				t.Fatal(err)
			}
		}
		data := []domain.Array{batch[pick[0]], batch[pick[1]], batch[pick[2]]}
		out, sh := forward(t, e, fields, data, rows, func(sc *nn.Scope, x []*graph.Node) []*graph.Node {
			loss, trivial := rest.Restore(sc.In("restorer"), enc.Encode(sc.In("encoder"), x[0]), x[1], x[2])
			return []*graph.Node{loss, trivial}
		})
		for k, name := range []string{"loss", "trivial loss"} {
			if !slices.Equal(sh[k].Dimensions, []int{rows}) {
				t.Fatalf("stream %s: %s is %s, want [%d]", st.Name, name, sh[k], rows)
			}
			for _, x := range out[k] {
				if !(x >= 0) || math.IsInf(float64(x), 0) || k == 0 && x == 0 {
					t.Errorf("stream %s: %s %v", st.Name, name, out[k])
					break
				}
			}
		}
	}
}
