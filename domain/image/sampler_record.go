package image

import (
	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/internal/rng"
	"github.com/selfsame-ml/selfsame/view"
)

var (
	_ domain.Recorder = (*Sampler)(nil)
	_ domain.Masked   = (*transformation)(nil)
)

// Drawn returns the draws with which Fill makes the views of training sample i, in the order of
// the streams; local views are counted on behind the full-size ones, in the same stream.
func (s *Sampler) Drawn(seed, epoch uint64, i int) []domain.Draw {
	w, err := s.build()
	if err != nil {
		return nil
	}
	var out []domain.Draw
	record := func(stream string, v int, pipe *view.Pipeline[Image], ps []view.Params) {
		for k := range ps {
			if ps[k].Applied {
				out = append(out, domain.Draw{Stream: stream, View: v, Transform: pipe.Steps[k].Config.Name, Params: ps[k]})
			}
		}
	}
	for k := range s.streams {
		st := &s.streams[k]
		switch st.Kind {
		case contract.Invariant:
			for v := range st.Views {
				w.stream.Reset(seed, rng.Views, epoch, uint64(i), uint64(v))
				w.pipe.DrawInvariant(w.stream.Rand, w.ps)
				record(st.Name, v, w.pipe, w.ps)
			}
			if st.locals < 0 {
				continue
			}
			for v := range s.cfg.Locals {
				w.stream.Reset(seed, rng.Views, epoch, uint64(i), localKey+uint64(v))
				w.locals.DrawInvariant(w.stream.Rand, w.localPs)
				record(st.Name, st.Views+v, w.locals, w.localPs)
			}
		case contract.Equivariant:
			w.stream.Reset(seed, rng.Views, epoch, uint64(i), st.key*streamKey)
			w.pipe.DrawEquivariant(w.stream.Rand, st.step, w.ps)
			record(st.Name, 0, w.pipe, w.ps)
		case contract.Restorable:
			w.stream.Reset(seed, rng.Views, epoch, uint64(i), st.key*streamKey)
			clear(w.ps)
			w.pipe.DrawRestorable(w.stream.Rand, st.step, &w.ps[st.step])
			record(st.Name, 0, w.pipe, w.ps)
		}
	}
	return out
}
