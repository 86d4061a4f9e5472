package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"sort"
	"strings"
	"unicode"

	"github.com/selfsame-ml/selfsame/metric"
)

// Summarise groups scores by (task, metric, method, budget): mean, sample
// standard deviation and Student's t interval of the mean at the given
// confidence (0.95 is usual). One draw has neither spread nor interval. The
// order is task, metric, method (see [SSL]), budget.
func Summarise(scores []Score, confidence float64) []Summary {
	type key struct {
		task, metric, method string
		budget               int
	}
	groups := map[key][]float64{}
	for _, s := range scores {
		k := key{s.Task, s.Metric, s.Method, s.Budget}
		groups[k] = append(groups[k], float64(s.Value))
	}
	out := make([]Summary, 0, len(groups))
	for k, v := range groups {
		s := Summary{Method: k.method, Task: k.task, Metric: k.metric, Budget: k.budget, Draws: len(v)}
		mean, dev := 0.0, 0.0
		for _, x := range v {
			mean += x / float64(len(v))
		}
		s.Mean = Num(mean)
		if len(v) > 1 {
			for _, x := range v {
				dev += (x - mean) * (x - mean) / float64(len(v)-1)
			}
			s.Spread = N(math.Sqrt(dev))
			if iv, err := metric.TInterval(v, confidence); err == nil {
				s.Lo, s.Hi, s.Confidence = N(iv.Lo), N(iv.Hi), Num(confidence)
			}
		}
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		switch {
		case a.Task != b.Task:
			return a.Task < b.Task
		case a.Metric != b.Metric:
			return a.Metric < b.Metric
		case a.Method != b.Method:
			return lessMethod(a.Method, b.Method)
		default:
			return a.Budget < b.Budget
		}
	})
	return out
}

// NewVerdict takes over a judgement of package metric. Budget 0 stands for all.
func NewVerdict(task, metricName, method, reference string, budget int, j metric.Judgement) Verdict {
	v := Verdict{
		Verdict: string(j.Outcome), Task: task, Metric: metricName, Method: method, Reference: reference,
		Budget: budget, Draws: j.Draws, Difference: Num(j.Mean), P: N(j.P), Test: j.Test, Text: j.Note,
	}
	if j.Adjusted != nil {
		v.Adjusted = N(*j.Adjusted)
	}
	if j.Interval != nil {
		v.Lo, v.Hi, v.Confidence = N(j.Interval.Lo), N(j.Interval.Hi), Num(j.Interval.Conf)
	}
	return v
}

// NewLEM takes over a multiplier of package metric.
func NewLEM(task, metricName, method, reference string, m metric.Multiplier) LEM {
	l := LEM{Task: task, Metric: metricName, Method: method, Reference: reference,
		Budget: m.Labels, Needed: N(m.Needed), Value: Num(m.LEM)}
	switch {
	case m.BeyondCurve:
		l.Beyond = Above
	case m.BelowCurve:
		l.Beyond = Below
	}
	if i := m.Interval; i != nil {
		l.Lo, l.Hi, l.Confidence = N(i.Lo), N(i.Hi), Num(i.Conf)
		l.LoBeyond, l.HiBeyond = i.LoBelow, i.HiAbove
	}
	return l
}

// WriteJSON writes the report, indented, with the derived parts filled in
// (Format, Summary, Tally, Seconds). Control characters in strings become
// U+FFFD. r is not changed.
func WriteJSON(w io.Writer, r *Report) error {
	c, err := complete(r)
	if err != nil {
		return err
	}
	return encode(w, c)
}

func encode(w io.Writer, r *Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("report: json: %w", err)
	}
	return nil
}

// ReadJSON reads what [WriteJSON] wrote.
func ReadJSON(rd io.Reader) (*Report, error) {
	r := new(Report)
	if err := json.NewDecoder(rd).Decode(r); err != nil {
		return nil, fmt.Errorf("report: json: %w", err)
	}
	if r.Format > Format {
		return nil, fmt.Errorf("report: format %d is newer than this program reads (%d)", r.Format, Format)
	}
	return r, nil
}

// complete returns a deep copy with derived parts filled in and every string
// safe to print: page, JSON and terminal are made from the same copy.
func complete(r *Report) (*Report, error) {
	var b bytes.Buffer
	if err := encode(&b, r); err != nil {
		return nil, err
	}
	c := new(Report)
	if err := json.Unmarshal(b.Bytes(), c); err != nil {
		return nil, fmt.Errorf("report: json: %w", err)
	}
	sanitise(reflect.ValueOf(c).Elem())
	c.Format = Format
	if c.Decision == "" && len(c.Advice) > 0 {
		c.Decision = c.decision()
	}
	if len(c.Summary) == 0 {
		c.Summary = Summarise(c.Scores, 0.95)
	}
	if c.Seconds == 0 {
		for _, s := range c.Stages {
			c.Seconds += s.Seconds
		}
	}
	t := Tally{
		Terms: len(c.Contract), Certificates: len(c.Certificates), AuditRows: len(c.Audit.Rows),
		SelfChecks: len(c.Audit.Checks), Classes: len(c.Data.Classes), MapPoints: len(c.Map.Points),
		CurvePoints: len(c.Curves), Pictures: len(c.Views),
	}
	for _, x := range c.Certificates {
		if x.Pass {
			t.Certified++
		}
	}
	for _, x := range c.Audit.Rows {
		switch x.Verdict {
		case Kept:
			t.AuditKept++
		case NotKept:
			t.AuditNotKept++
		default:
			t.AuditNotShown++
		}
	}
	for _, x := range c.Audit.Checks {
		if x.Pass {
			t.SelfPassed++
		}
	}
	for _, p := range c.Data.Parts {
		t.Samples += p.Samples
	}
	c.Tally = t
	return c, nil
}

// sanitise replaces control characters (a class name may hold an escape
// sequence of a terminal) and bidirectional overrides in every string below v.
func sanitise(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() {
			v.SetString(strings.Map(func(c rune) rune {
				switch {
				case c == '\n' || c == '\t':
					return c
				case unicode.IsControl(c), c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069, c == 0xfffe, c == 0xffff:
					return unicode.ReplacementChar
				}
				return c
			}, v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			sanitise(v.Elem())
		}
	case reflect.Struct:
		if v.Type().PkgPath() == "time" {
			return
		}
		for i := range v.NumField() {
			sanitise(v.Field(i))
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Uint8 || k == reflect.Int {
			return
		}
		for i := range v.Len() {
			sanitise(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() { // keys are objective names; values are numbers
			clean := reflect.New(k.Type()).Elem()
			clean.Set(k)
			sanitise(clean)
			if clean.String() != k.String() {
				v.SetMapIndex(clean, v.MapIndex(k))
				v.SetMapIndex(k, reflect.Value{})
			}
		}
	}
}

var methodOrder = []string{SSL, Scratch, Untrained, RawPixels, SSL + probeSuffix, armRank, SSL + knnSuffix, Untrained + probeSuffix, Untrained + knnSuffix, Trees, Linear, RawKNN}

// fixedSlots is how many of methodOrder have a colour that no other method ever takes.
const fixedSlots = 4

// Of method names: a linear probe or nearest neighbours on frozen features; an arm is "ssl-contrast".
const (
	probeSuffix = "-probe"
	knnSuffix   = "-knn"
	armPrefix   = SSL + "-"
	armRank     = armPrefix // where arms stand
)

// lessMethod puts the methods that every report has first, then by name.
func lessMethod(a, b string) bool {
	ra, rb := methodRank(a), methodRank(b)
	if ra != rb {
		return ra < rb
	}
	return a < b
}

func methodRank(m string) int {
	for i, n := range methodOrder {
		if n == m {
			return i
		}
	}
	if strings.HasPrefix(m, armPrefix) {
		return slices.Index(methodOrder, armRank)
	}
	return len(methodOrder)
}

// methods lists the methods of the summary in order.
func (r *Report) methods() []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range r.Summary {
		if !seen[s.Method] {
			seen[s.Method] = true
			out = append(out, s.Method)
		}
	}
	sort.Slice(out, func(i, j int) bool { return lessMethod(out[i], out[j]) })
	return out
}

// metricInfo returns the description of a metric, with words for what the
// adapt stage measures where the report has none.
func (r *Report) metricInfo(task, name string) Metric {
	for _, m := range r.Metrics {
		if m.Task == task && m.Metric == name {
			if m.Better == "" {
				m.Better = Higher
			}
			if m.Label == "" {
				m.Label = name
			}
			return m
		}
	}
	m := Metric{Task: task, Metric: name, Label: name, Better: Higher}
	if task == "classify" {
		switch name {
		case "knn":
			m.Label = "kNN accuracy"
		case "linear":
			m.Label = "linear-probe accuracy"
		case "finetune":
			m.Label = "fine-tune accuracy"
		}
	}
	return m
}

// methodLabel says in words what a method is.
func methodLabel(m string) string {
	switch m {
	case SSL:
		return "pretrained (ssl)"
	case Scratch:
		return "from scratch"
	case Untrained:
		return "untrained"
	case RawPixels:
		return "raw pixels"
	case Trees:
		return "boosted trees"
	case Linear:
		return "a linear model"
	case RawKNN:
		return "nearest rows"
	}
	base, how := m, ""
	for _, x := range [][2]string{{probeSuffix, "probe"}, {knnSuffix, "kNN"}} {
		if cut, ok := strings.CutSuffix(m, x[0]); ok {
			base, how = cut, x[1]
		}
	}
	if arm, ok := strings.CutPrefix(base, armPrefix); ok { // an arm of pretraining
		return "pretrained (" + strings.TrimSpace(arm+" "+how) + ")"
	}
	switch {
	case how == "":
		return m
	case base == SSL:
		return "pretrained (" + how + ")"
	case base == Untrained:
		return "untrained (" + how + ")"
	}
	return m
}

// skippedReason returns why a section is missing: its own reason, or that of
// the nearest stage before it, since no stage runs after one that stopped.
func (r *Report) skippedReason(section, otherwise string) string {
	order := []string{SectionCertify, SectionPretrain, SectionAudit, SectionAdapt}
	for i := slices.Index(order, section); i >= 0; i-- {
		for _, s := range r.Skipped {
			if s.Section == order[i] && s.Reason != "" {
				return s.Reason
			}
		}
	}
	if section != SectionCertify && r.violated() != nil {
		return "the run stopped at the broken contract"
	}
	return otherwise
}
