package pretrain

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/nn"
	"github.com/selfsame-ml/selfsame/objective"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/train"
)

// The scopes of a pretraining network. Weights under EncoderScope are the product.
const (
	EncoderScope = train.EncoderScope
	projector    = "projector"
	predictor    = "predictor"
	heads        = "head"
	restorer     = "restorer"
	teacher      = "teacher"
	labelField   = "label" // SupCon only: the one objective that reads labels
)

// Model turns the streams of a sampler into one summed loss: the objective of each contract.
type Model struct {
	Encoder   domain.Encoder
	Objective recipe.Objective
	Streams   []domain.Stream
	Seed      uint64
}

// ReadsLabels reports whether the objective needs labels (SupCon): then pretraining is supervised
// and the report says so.
func (m *Model) ReadsLabels() bool { return m.Objective.Invariant == "supcon" }

// Teacher reports whether a momentum encoder is needed.
func (m *Model) Teacher() bool {
	return m.Objective.Invariant == "byol" || m.Objective.Invariant == "moco"
}

// Validate reports streams that cannot be trained.
func (m *Model) Validate() error {
	if len(m.Streams) == 0 {
		return fmt.Errorf("pretrain: no contract gives an objective: every transformation is protected or has weight 0, or none is declared")
	}
	for _, st := range m.Streams {
		switch st.Kind {
		case contract.Invariant:
			if st.Views < 2 {
				return fmt.Errorf("pretrain: stream %q has %d view, the objective of an Invariant contract needs 2", st.Name, st.Views)
			}
		case contract.Restorable:
			if _, ok := m.Encoder.(domain.Restorer); !ok {
				return fmt.Errorf("pretrain: stream %q is Restorable, but this encoder cannot restore", st.Name)
			}
		case contract.Equivariant:
		default:
			return fmt.Errorf("pretrain: stream %q has contract %s, which gives no objective", st.Name, st.Kind)
		}
	}
	return nil
}

func (m *Model) weight(st domain.Stream) float64 {
	if w, ok := m.Objective.Weights[st.Name]; ok {
		return w
	}
	if st.Weight > 0 {
		return st.Weight
	}
	return 1
}

// metric names a stream in the log: the streams of one transformation that is both Equivariant and
// Restorable share their name.
func (m *Model) metric(st domain.Stream) string {
	if st.Kind == contract.Restorable && slices.ContainsFunc(m.Streams, func(o domain.Stream) bool { return o.Name == st.Name && o.Kind != st.Kind }) {
		return st.Name + ".restore"
	}
	return st.Name
}

// flatten turns [batch, views, Dims...] into view-major rows [views*batch, Dims...].
func flatten(x *graph.Node, views int) *graph.Node {
	dims := x.Shape().Dimensions
	axes := make([]int, len(dims))
	for i := range axes {
		axes[i] = i
	}
	axes[0], axes[1] = 1, 0
	x = graph.TransposeAllAxes(x, axes...)
	return graph.Reshape(x, append([]int{views * dims[0]}, dims[2:]...)...)
}

// Loss builds the graph of one micro-batch; it is a train.LossFunc.
func (m *Model) Loss(s *nn.Scope, in map[string]*graph.Node) train.Out {
	var total *graph.Node
	var metrics []train.Metric
	add := func(st domain.Stream, loss *graph.Node) {
		metrics = append(metrics, train.Metric{Name: "loss/" + m.metric(st), Node: loss})
		w := m.weight(st)
		if w == 0 {
			return
		}
		loss = graph.MulScalar(loss, w)
		if total == nil {
			total = loss
		} else {
			total = graph.Add(total, loss)
		}
	}
	// One encoder call for every input of the full size, so that all share batch statistics.
	var inputs []*graph.Node
	for _, st := range m.Streams {
		switch st.Kind {
		case contract.Invariant:
			inputs = append(inputs, flatten(in[st.Input], st.Views))
		case contract.Equivariant:
			inputs = append(inputs, in[st.Input])
		}
	}
	// The undisturbed sample is the same in every stream that asks for it.
	undisturbed := -1 // its place among the inputs
	for _, st := range m.Streams {
		if st.Kind == contract.Equivariant && st.Clean != "" {
			undisturbed = len(inputs)
			inputs = append(inputs, in[st.Clean])
			break
		}
	}
	var pooled *graph.Node
	row := 0
	if len(inputs) > 0 {
		all := inputs[0]
		if len(inputs) > 1 {
			all = graph.Concatenate(inputs, 0)
		}
		pooled = m.Encoder.Encode(s.In(EncoderScope), all).Pooled
	}
	next := func(rows int) *graph.Node {
		part := pooled
		if rows != pooled.Shape().Dimensions[0] {
			part = graph.Slice(pooled, graph.AxisRange(row, row+rows), graph.AxisRange())
		}
		row += rows
		return part
	}
	var clean *graph.Node
	if undisturbed >= 0 {
		all := pooled.Shape().Dimensions[0]
		clean = graph.Slice(pooled, graph.AxisRange(all-inputs[undisturbed].Shape().Dimensions[0], all), graph.AxisRange())
	}
	for _, st := range m.Streams {
		switch st.Kind {
		case contract.Invariant:
			x := in[st.Input]
			f := next(st.Views * x.Shape().Dimensions[0])
			views := st.Views
			if st.Locals != "" { // multi-crop (Caron et al. 2020): small views join the large ones
				l := in[st.Locals]
				n := l.Shape().Dimensions[1]
				f = graph.Concatenate([]*graph.Node{f, m.Encoder.Encode(s.In(EncoderScope), flatten(l, n)).Pooled}, 0)
				views += n
			}
			loss, more := m.invariant(s, f, views, st, in)
			add(st, loss)
			metrics = append(metrics, more...)
		case contract.Equivariant:
			target := in[st.Target]
			f := next(target.Shape().Dimensions[0])
			if st.Clean != "" { // the head sees what the view was made from (AugSelf, Lee et al. 2021, arXiv:2111.09613)
				f = graph.Concatenate([]*graph.Node{f, clean}, -1)
			}
			if st.Classes > 0 {
				c := objective.Classify(s.In(heads).Linear(st.Name, f, st.Classes, true), target)
				add(st, c.Loss)
				metrics = append(metrics, train.Metric{Name: "accuracy/" + st.Name, Node: graph.Div(c.Correct, graph.MaxScalar(c.Count, 1))})
			} else {
				k := target.Shape().Size() / target.Shape().Dimensions[0]
				r := objective.Regress(s.In(heads).Linear(st.Name, f, k, true), graph.Reshape(target, -1, k))
				add(st, r.Loss)
			}
		case contract.Restorable:
			f := m.Encoder.Encode(s.In(EncoderScope), in[st.Input])
			loss, trivial := m.Encoder.(domain.Restorer).Restore(s.In(restorer).In("%s", st.Name), f, in[st.Clean], in[st.Mask])
			add(st, graph.ReduceAllMean(loss))
			metrics = append(metrics, train.Metric{Name: "trivial/" + m.metric(st), Node: graph.ReduceAllMean(trivial)})
		}
	}
	if total == nil {
		panic(fmt.Errorf("pretrain: every objective has weight 0"))
	}
	return train.Out{Loss: total, Metrics: metrics}
}

// mlp is the projector or predictor: layers linear maps with ReLU (and batch norm) between them.
func (m *Model) mlp(s *nn.Scope, x *graph.Node, layers, hidden, out int, norm bool) *graph.Node {
	for i := 1; i < layers; i++ {
		x = s.Linear(fmt.Sprintf("linear%d", i), x, hidden, true)
		if norm {
			x = s.BatchNorm(fmt.Sprintf("norm%d", i), x)
		}
		x = nn.ReLU(x)
	}
	return s.Linear(fmt.Sprintf("linear%d", layers), x, out, true)
}

func (m *Model) project(s *nn.Scope, f *graph.Node) *graph.Node {
	o := m.Objective
	if o.ProjectorLayers == 0 { // none: the loss sees the features
		return f
	}
	hidden := o.ProjectorHidden
	if hidden == 0 {
		hidden = m.Encoder.Dim()
	}
	return m.mlp(s.In(projector), f, o.ProjectorLayers, hidden, o.ProjectorDim, o.ProjectorNorm)
}

// invariant is the loss of an Invariant stream: f [views*batch, dim] in view-major order.
func (m *Model) invariant(s *nn.Scope, f *graph.Node, views int, st domain.Stream, in map[string]*graph.Node) (*graph.Node, []train.Metric) {
	o := m.Objective
	z := m.project(s, f)
	dim := z.Shape().Dimensions[1]
	spread := func(x *graph.Node) []train.Metric { // collapse shows here first, at no cost
		n := objective.Normalize(graph.StopGradient(x))
		mean := graph.ReduceAndKeep(n, graph.ReduceMean, 0)
		sd := graph.Sqrt(graph.ReduceMean(graph.Square(graph.Sub(n, mean)), 0))
		return []train.Metric{{Name: "spread", Node: graph.ReduceAllMean(sd)}}
	}
	// Of the projections, not the features: without negatives they fall to a point first.
	more := spread(z)
	switch o.Invariant {
	case "ntxent":
		return objective.NTXent(z, views, o.Temperature), more
	case "supcon":
		return objective.SupCon(z, in[labelField], views, o.Temperature), more
	case "vicreg":
		return objective.VICReg(z, views, objective.VICRegConfig{}), more
	case "barlow":
		return objective.Barlow(z, views, 0), more
	case "simsiam":
		p := m.mlp(s.In(predictor), z, 2, max(dim/4, 8), dim, o.ProjectorNorm)
		return objective.SimSiam(p, z, views), more
	case "byol", "moco":
		t := s.In(teacher)
		x := flatten(in[st.Input], st.Views)
		if st.Locals != "" {
			panic(fmt.Errorf("pretrain: %s does not take multi-crop views; use ntxent, vicreg or barlow", o.Invariant))
		}
		k := graph.StopGradient(m.project(t, m.Encoder.Encode(t.In(EncoderScope), x).Pooled))
		if o.Invariant == "byol" {
			p := m.mlp(s.In(predictor), z, 2, max(dim, m.Encoder.Dim()), dim, o.ProjectorNorm)
			return objective.BYOL(p, k, views), more
		}
		queue := s.Statistic("queue", nn.Init{Kind: nn.Normal, Scale: 1}, o.Queue, dim)
		loss, next := objective.MoCoSymmetric(z, k, objective.Normalize(queue), views, o.Temperature)
		s.SetStatistic("queue", next)
		return loss, more
	}
	panic(fmt.Errorf("pretrain: unknown objective %q for Invariant contracts", o.Invariant))
}
