package report

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	update = flag.Bool("update", false, "rewrite golden files")
	keep   = flag.String("keep", "", "folder in which to leave pages for looking at")
)

func render(t testing.TB, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// element is one start tag of a page.
type element struct {
	name string
	attr map[string]string
}

// parse reads a page as strict XML, which asks more than HTML does: every tag
// closed, every attribute quoted, every text escaped.
func parse(t testing.TB, page string) (elements []element, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict = true
	d.Entity = xml.HTMLEntity
	var b strings.Builder
	var open []string
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("page is not well formed: %v", err)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			e := element{x.Name.Local, map[string]string{}}
			for _, a := range x.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			elements = append(elements, e)
			open = append(open, x.Name.Local)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 && open[len(open)-1] != "style" {
				b.Write(x)
			}
		}
	}
	return elements, b.String()
}

// numbers collects every number of a JSON document.
func numbers(t testing.TB, doc []byte) map[float64]bool {
	t.Helper()
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatalf("invalid JSON: %v", err)
	}
	out := map[float64]bool{}
	var walk func(any)
	walk = func(v any) {
		switch x := v.(type) {
		case float64:
			out[x] = true
		case []any:
			for _, e := range x {
				walk(e)
			}
		case map[string]any:
			for _, e := range x {
				walk(e)
			}
		}
	}
	walk(v)
	return out
}

func TestPageNumbersAreInJSON(t *testing.T) {
	r := example(t)
	var js bytes.Buffer
	if err := WriteJSON(&js, r); err != nil {
		t.Fatal(err)
	}
	have := numbers(t, js.Bytes())
	page := render(t, r)
	elements, _ := parse(t, page)
	count := 0
	for _, e := range elements {
		if e.name != "data" {
			continue
		}
		count++
		v, err := strconv.ParseFloat(e.attr["value"], 64)
		if err != nil {
			t.Fatalf("data value %q: %v", e.attr["value"], err)
		}
		if !have[v] {
			t.Errorf("page shows %g, which report.json lacks", v)
		}
	}
	if count < 300 {
		t.Errorf("only %d numbers are tied to the JSON", count)
	}
	// The cells of the tables hold no number that is not tied to a field.
	cell := regexp.MustCompile(`(?s)<td class="r[^>]*>(.*?)</td>`)
	tied := regexp.MustCompile(`(?s)<data [^>]*>.*?</data>`)
	digit := regexp.MustCompile(`[0-9]`)
	for _, m := range cell.FindAllStringSubmatch(page, -1) {
		if rest := tied.ReplaceAllString(m[1], ""); digit.MatchString(rest) {
			t.Errorf("loose number in a table cell: %s", m[0])
		}
	}
	// And every mean and multiplier is printed, to the stated digits.
	c, err := complete(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Summary) != 12 || len(c.LEM) != 3 {
		t.Fatalf("got %d means and %d multipliers, want 12 and 3", len(c.Summary), len(c.LEM))
	}
	for _, s := range c.Summary {
		raw, _ := json.Marshal(s.Mean)
		if want := fmt.Sprintf(`<data value="%s">%.3f</data>`, raw, float64(s.Mean)); !strings.Contains(page, want) {
			t.Errorf("page lacks %s", want)
		}
	}
	for _, l := range c.LEM {
		raw, _ := json.Marshal(l.Value)
		if want := fmt.Sprintf(`<data value="%s">%s</data>`, raw, times(l.Value)); !strings.Contains(page, want) {
			t.Errorf("page lacks %s", want)
		}
	}
}

func TestPageIsSelfContained(t *testing.T) {
	elements, _ := parse(t, render(t, example(t)))
	for _, e := range elements {
		switch e.name {
		case "script", "link", "iframe", "object", "embed", "base":
			t.Errorf("page has <%s>", e.name)
		}
		for k, v := range e.attr {
			if k == "src" || k == "href" || k == "srcset" || k == "xlink" || k == "action" {
				if !strings.HasPrefix(v, "data:") && !strings.HasPrefix(v, "#") {
					t.Errorf("<%s %s=%q> leads out of the page", e.name, k, v)
				}
			}
			if strings.HasPrefix(k, "on") || k == "style" {
				t.Errorf("<%s> has %s", e.name, k)
			}
		}
	}
	if page := render(t, example(t)); strings.Contains(page, "http:") || strings.Contains(page, "https:") || strings.Contains(page, "@import") || strings.Contains(page, "url(") {
		t.Error("page names an outside resource")
	} else if len(page) > 2<<20 {
		t.Errorf("page of the example is %d bytes", len(page))
	}
}

func TestPageAnchorsAndNames(t *testing.T) {
	elements, _ := parse(t, render(t, example(t)))
	ids := map[string]int{}
	for _, e := range elements {
		if id := e.attr["id"]; id != "" {
			ids[id]++
		}
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("id %q occurs %d times", id, n)
		}
	}
	for _, e := range elements {
		if h := e.attr["href"]; strings.HasPrefix(h, "#") && ids[h[1:]] == 0 {
			t.Errorf("link to %s leads nowhere", h)
		}
		if e.name == "svg" && e.attr["aria-hidden"] == "" {
			for _, id := range strings.Fields(e.attr["aria-labelledby"]) {
				if ids[id] == 0 {
					t.Errorf("picture without its name %q", id)
				}
			}
			if e.attr["role"] != "img" || e.attr["aria-labelledby"] == "" {
				t.Errorf("picture without role or name: %v", e.attr)
			}
		}
		if e.name == "img" && e.attr["alt"] == "" {
			t.Error("img without alt")
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	r := example(t)
	r.Curves[5].Loss = Num(math.NaN())
	r.Curves[6].Loss = Num(math.Inf(-1))
	var a, b bytes.Buffer
	if err := WriteJSON(&a, r); err != nil {
		t.Fatal(err)
	}
	back, err := ReadJSON(bytes.NewReader(a.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(float64(back.Curves[5].Loss)) || !math.IsInf(float64(back.Curves[6].Loss), -1) {
		t.Errorf("not finite values came back as %g, %g", back.Curves[5].Loss, back.Curves[6].Loss)
	}
	if err := WriteJSON(&b, back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a.String(), b.String()); d != "" {
		t.Error(d)
	}
	if render(t, r) != render(t, back) {
		t.Error("page of the report that was read back differs")
	}
	if _, err := ReadJSON(strings.NewReader(`{"format": 99}`)); err == nil {
		t.Error("a newer format was read")
	}
}

func TestEmbeddedJSONIsReportJSON(t *testing.T) {
	r := example(t)
	var want, got bytes.Buffer
	if err := WriteJSON(&want, r); err != nil {
		t.Fatal(err)
	}
	elements, _ := parse(t, render(t, r))
	for _, e := range elements {
		if e.attr["download"] != "report.json" {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(e.attr["href"], "data:application/json;base64,"))
		if err != nil {
			t.Fatal(err)
		}
		back, err := ReadJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteJSON(&got, back); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(want.String(), got.String()); d != "" {
		t.Error(d)
	}
}

// A run on a large data set still gives a page that a browser opens at once.
func TestPageSize(t *testing.T) {
	r := example(t)
	for len(r.Map.Points) < 10000 {
		r.Map.Points = append(r.Map.Points, r.Map.Points[:1000]...)
	}
	for len(r.Curves) < 5000 {
		r.Curves = append(r.Curves, r.Curves[len(r.Curves)-1])
		r.Curves[len(r.Curves)-1].Step++
	}
	if n := len(render(t, r)); n > 3<<20 {
		t.Errorf("page is %d bytes", n)
	}
}

func TestNotFinite(t *testing.T) {
	r := example(t)
	nan, inf := Num(math.NaN()), Num(math.Inf(1))
	for i := range r.Curves {
		if i > 100 {
			r.Curves[i].Loss = nan
			r.Curves[i].Objectives["views"] = inf
		}
	}
	for i := range r.Scores {
		if r.Scores[i].Budget == 100 {
			r.Scores[i].Value = nan
		}
	}
	r.Overall.Difference, r.Overall.Lo, r.LEM[0].Value, r.LEM[0].Hi = nan, &inf, inf, &inf
	r.Audit.Rows[0].Value, r.Map.Points[0].X, r.Health.Points[2].EffectiveRank = nan, inf, nan
	r.Certificates[0].Upper, r.Contract[0].Weight, r.Stages[0].Seconds = &nan, inf, nan
	var js bytes.Buffer
	if err := WriteJSON(&js, r); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(js.Bytes()) {
		t.Fatal("invalid JSON")
	}
	page := render(t, r)
	_, text := parse(t, page)
	if n := strings.Count(text, notFinite); n < 10 {
		t.Errorf("%q is printed %d times", notFinite, n)
	}
	for _, bad := range []string{"NaN", "+Inf", "-Inf"} {
		if strings.Contains(text, bad) {
			t.Errorf("page prints %s", bad)
		}
	}
	if !strings.Contains(text, "loss not finite, step 404") {
		t.Error("the first bad step is not named")
	}
	var out bytes.Buffer
	if err := Text(&out, r, 80); err != nil {
		t.Fatal(err)
	}
}

func TestEmptyReport(t *testing.T) {
	for name, r := range map[string]*Report{
		"nothing":   {},
		"no labels": {Name: "x", Skipped: []SkippedBy{{SectionAdapt, "the data has no labels"}}},
		"violated": {Name: "x", Certificates: []Certificate{{Transformation: "rotate", Unit: "degrees", Kind: "invariant", From: -180, To: 180, Trials: 500, Violations: 130, Rate: N(.26), Upper: N(.3), SafeFrom: N(-20), SafeTo: N(20)}},
			Skipped: []SkippedBy{{SectionPretrain, "a contract is broken"}}},
		"collapsed": {Health: Health{Verdict: Collapsed, CollapseStep: new(int), Points: []HealthPoint{{Step: 1}}}},
	} {
		t.Run(name, func(t *testing.T) {
			page := render(t, r)
			if *keep != "" {
				write(t, strings.ReplaceAll(name, " ", "-")+".html", page)
			}
			_, text := parse(t, page)
			for _, want := range map[string][]string{
				"nothing":   {"No verdict on pretraining", "this stage did not run"},
				"no labels": {"the data has no labels", "No scores: the data has no labels."},
				"violated":  {"A contract is broken: invariant “rotate”", "changed the answer in 26\u00a0%", "A safe range would be −20", "No audit: a contract is broken.", "No scores: a contract is broken."},
				"collapsed": {"The encoder collapsed at step 0"},
			}[name] {
				if !strings.Contains(text, want) {
					t.Errorf("page lacks %q", want)
				}
			}
			var b bytes.Buffer
			if err := Text(&b, r, 80); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestManyClassesAndLongNames(t *testing.T) {
	r := example(t)
	r.Data.Classes = nil
	for i := range 1000 {
		r.Data.Classes = append(r.Data.Classes, Class{Name: fmt.Sprintf("<script>alert(%d)</script> %s", i, strings.Repeat("long ", 100)), Train: 5})
	}
	for i := range r.Map.Points {
		r.Map.Points[i].Class = i % 1000
	}
	for i := range r.Scores {
		if r.Scores[i].Method == Untrained {
			r.Scores[i].Method = strings.Repeat("W", 400)
		}
	}
	page := render(t, r)
	elements, text := parse(t, page)
	legend := 0
	for _, e := range elements {
		if e.name == "script" {
			t.Fatal("a class name became a script")
		}
		if e.name == "path" && strings.HasPrefix(e.attr["class"], "m") {
			legend++
		}
	}
	if legend > 2*(mapColours+1) {
		t.Errorf("map and legend have %d entries, want at most %d", legend, 2*(mapColours+1))
	}
	if !strings.Contains(text, "990 other classes") || !strings.Contains(text, "and 980 more in report.json") {
		t.Error("long lists are not capped")
	}
	if *keep != "" {
		write(t, "many.html", page)
	}
}

func write(t *testing.T, name, page string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(*keep, name), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestGolden holds the parts that people read first; -update rewrites them.
func TestGolden(t *testing.T) {
	r := example(t)
	page := render(t, r)
	if *keep != "" {
		write(t, "example.html", page)
		var js bytes.Buffer
		if err := WriteJSON(&js, r); err != nil {
			t.Fatal(err)
		}
		write(t, "example.json", js.String())
	}
	between := func(from, to string) string {
		i := strings.Index(page, from)
		if i < 0 {
			t.Fatalf("page lacks %s", from)
		}
		j := strings.Index(page[i:], to)
		if j < 0 {
			t.Fatalf("page lacks %s after %s", to, from)
		}
		return page[i : i+j+len(to)]
	}
	var text bytes.Buffer
	if err := Text(&text, r, 80); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{
		"header.html":  between("<header>", "</header>"),
		"promise.html": between(`<h2 id="promise">`, "</table>"),
		"scores.html":  between(`<h2 id="scores">`, `<h2 id="lem">`),
		"lem.html":     between(`<h2 id="lem">`, `<h2 id="curves">`),
		"summary.txt":  text.String(),
	} {
		file := filepath.Join("testdata", "golden", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v (run with -update)", err)
		}
		if d := cmp.Diff(string(want), got); d != "" {
			t.Errorf("%s differs (-want +got); run with -update if it should:\n%s", name, d)
		}
	}
}

// FuzzNames puts any string in every place where a user can.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "a\x00b\x1b[31m", "\xff\xfe", "{{.}}", "javascript:alert(1)", "</title></svg>", "\u202eevil", "]]>", strings.Repeat("é", 300), "&amp;", "\r\n\u2028"} {
		f.Add(s)
	}
	base := example(f)
	base.Map.Points, base.Curves = base.Map.Points[:20], base.Curves[:3]
	f.Fuzz(func(t *testing.T, s string) {
		c, err := complete(base)
		if err != nil {
			t.Fatal(err)
		}
		c.Summary = nil
		c.Name, c.Command, c.Recipe, c.Data.Source, c.Data.Classes[1].Name = s, s, s, s, s
		c.Contract[0].Transformation, c.Certificates[0].Transformation, c.Audit.Rows[0].Transformation = s, s, s
		c.Contract[0].Unit, c.Audit.Rows[1].Text, c.Health.Text, c.Overall.Text = s, s, s, s
		c.Scores[0].Method, c.Scores[1].Task, c.Metrics[0].Label, c.Metrics[0].Unit = s, s, s, s
		c.Curves[0].Objectives[s] = 1
		c.Views[0].Transformation, c.Views[0].Caption, c.Notes = s, s, []string{s}
		c.Skipped = []SkippedBy{{SectionAdapt, s}}
		c.Data.Warnings, c.Certificates[3].Counter.Before = []string{s}, s
		elements, _ := parse(t, render(t, c))
		for _, e := range elements {
			if e.name == "script" {
				t.Fatal("a name became a script")
			}
			for k, v := range e.attr {
				if strings.HasPrefix(k, "on") {
					t.Fatalf("a name became the attribute %s=%q", k, v)
				}
			}
		}
		var b bytes.Buffer
		if err := Text(&b, c, 80); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x00\x1b\x07") {
			t.Fatal("a control character reached the terminal")
		}
	})
}
