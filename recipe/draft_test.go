package recipe

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/selfsame-ml/selfsame/contract"
)

func colourFolder() DraftInfo {
	specs, _ := testSpecs("image")
	return DraftInfo{Source: "photos", Labels: "folders", Count: 5000, Labelled: 5000, Classes: []string{"cat", "dog", "horse"},
		MinWidth: 120, MaxWidth: 640, MinHeight: 90, MaxHeight: 480, Channels: 3, Bits: 8, Specs: specs}
}

func TestDraft(t *testing.T) {
	for name, c := range map[string]struct {
		change    func(*DraftInfo)
		has, lack []string
	}{
		"photos": {func(*DraftInfo) {}, []string{"- crop: {scale: 0.5..1", "- hflip", "- jitter", "size: 64", "labels: \"folders\"", "budgets: [6, 30, 300, 0]", "test_share"}, nil},
		"digits": {func(d *DraftInfo) { d.Classes = strings.Split("0123456789", ""); d.Channels = 1 },
			[]string{"scale: 0.6..1", "- rotate: {degrees: -10..10", "# left out: hflip", "no colour to change"}, []string{"- hflip"}},
		"letters":  {func(d *DraftInfo) { d.Classes = []string{"A", "B"} }, nil, []string{"- hflip"}},
		"words":    {func(d *DraftInfo) { d.Classes = []string{"zero", "one"} }, nil, []string{"- hflip"}},
		"sides":    {func(d *DraftInfo) { d.Classes = []string{"left_lung", "right_lung"} }, []string{"# left out: hflip"}, []string{"- hflip"}},
		"16 bits":  {func(d *DraftInfo) { d.Bits = 16 }, []string{"# left out: jitter"}, []string{"- jitter"}},
		"spectral": {func(d *DraftInfo) { d.Channels = 12 }, []string{"12 channels"}, []string{"- jitter"}},
		"tiny":     {func(d *DraftInfo) { d.MinWidth, d.MaxWidth, d.MinHeight, d.MaxHeight = 8, 8, 8, 8 }, []string{"scale: 0.5..1"}, []string{"  size:"}},
		"one":      {func(d *DraftInfo) { d.Count, d.Labelled, d.Classes, d.Labels = 1, 0, nil, "none" }, []string{"batch: 2", "No labels", "budgets: [0]"}, nil},
		"some":     {func(d *DraftInfo) { d.Labelled = 300 }, []string{"300 of 5000 samples have a label", "budgets: [6, 30, 0]"}, nil},
		"no specs": {func(d *DraftInfo) { d.Specs = d.Specs[3:4] }, []string{"  - quarter\n"}, []string{"- crop"}},
	} {
		info := colourFolder()
		c.change(&info)
		b := string(Draft(info))
		if _, err := Parse(name, []byte(b), testSpecs); err != nil {
			t.Errorf("%s: %v\n%s", name, err, b)
		}
		for _, w := range c.has {
			if !strings.Contains(b, w) {
				t.Errorf("%s: no %q in\n%s", name, w, b)
			}
		}
		for _, w := range c.lack {
			if strings.Contains(b, w) {
				t.Errorf("%s: %q in\n%s", name, w, b)
			}
		}
	}
}

// TestDraftProperty: whatever the data, the draft is a valid recipe, and each contract has a reason.
func TestDraftProperty(t *testing.T) {
	specs, _ := testSpecs("image")
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 20000).Draw(t, "w"), rapid.IntRange(1, 20000).Draw(t, "h")
		n := rapid.IntRange(0, 1_000_000).Draw(t, "n")
		info := DraftInfo{
			Source: rapid.StringMatching(`[ -~äß漢"\\']{1,20}`).Draw(t, "source"), Count: n, Labelled: rapid.IntRange(0, n).Draw(t, "labelled"),
			Classes: rapid.SliceOf(rapid.String()).Draw(t, "classes"), MinWidth: w, MaxWidth: w + rapid.IntRange(0, 9).Draw(t, "dw"),
			MinHeight: h, MaxHeight: h + rapid.IntRange(0, 9).Draw(t, "dh"), Channels: rapid.IntRange(1, 5).Draw(t, "c"),
			Bits: rapid.SampledFrom([]int{8, 16}).Draw(t, "bits"), HasTest: rapid.Bool().Draw(t, "test"), Specs: specs,
		}
		b := Draft(info)
		r, err := Parse("draft", b, testSpecs)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if r.Data.Source != info.Source {
			t.Fatalf("source %q, want %q", r.Data.Source, info.Source)
		}
		for _, c := range r.Views.Transforms {
			if len(c.Terms.Of(contract.Invariant)) != 1 {
				t.Fatalf("%s has terms %v", c.Name, c.Terms)
			}
		}
		lines := strings.Split(string(b), "\n")
		for i, l := range lines {
			if strings.HasPrefix(l, "  - ") && !strings.HasPrefix(lines[i-1], "  # ") {
				t.Fatalf("no reason above %q", l)
			}
		}
	})
}
