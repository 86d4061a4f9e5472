package image

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/recipe"
	"github.com/selfsame-ml/selfsame/view"
)

// scene draws coloured shapes, so that people can see what a view did.
func scene(i int, sh Shape) *Image {
	m := New(sh.W, sh.H, sh.C, sh.Bits)
	for y := range sh.H {
		for x := range sh.W {
			for c := range sh.C {
				u, v := float64(x)/float64(sh.W), float64(y)/float64(sh.H)
				val := 0.25 + 0.5*v
				if c == 2 {
					val = 0.75 - 0.4*v
				}
				if du, dv := u-0.35-0.08*float64(i), v-0.4; du*du+dv*dv < 0.05 {
					val = []float64{0.9, 0.3, 0.15, 0.5, 0.5}[(c+i)%5]
				}
				if u > 0.55 && u < 0.85 && v > 0.6 && v < 0.9 {
					val = []float64{0.1, 0.6, 0.9, 0.2, 0.7}[(c+i)%5]
				}
				if at := (y*sh.W+x)*sh.C + c; sh.Bits == 16 {
					m.Pix16[at] = uint16(val * 4000)
				} else {
					m.Pix[at] = uint8(val * 255)
				}
			}
		}
	}
	return m
}

func everyView() recipe.Views {
	v := richViews()
	v.Transforms = nil
	for _, s := range Specs() {
		v.Transforms = append(v.Transforms, view.Config{Name: s.Name, P: s.P})
		if s.Name == "rotate" {
			v.Transforms[len(v.Transforms)-1].Terms = contract.Terms{{Kind: contract.Invariant, Range: rg(-10, 10)}, {Kind: contract.Equivariant, Range: rg(-60, 60), Weight: 0.5}, {Kind: contract.Protected, Range: rg(60, 180)}}
		}
	}
	return v
}

func TestWriteSheet(t *testing.T) {
	for _, sh := range []Shape{{48, 48, 3, 8}, {20, 20, 1, 8}, {24, 24, 5, 16}, {200, 200, 2, 8}} {
		cfg := everyView()
		if sh.C != 3 {
			cfg.Transforms = nil
			for _, c := range everyView().Transforms {
				if d, _ := defOf(c.Name); !d.colour || sh.C == 1 {
					cfg.Transforms = append(cfg.Transforms, c)
				}
			}
		}
		s, err := NewSampler(cfg, fieldOf(sh), func(_ domain.Part, i int, m *Image) error { *m = *scene(i, sh); return nil })
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if err := WriteSheet(&buf, "shapes <&>", s, []int{0, 1, 2, 3, 4}, 1); err != nil {
			t.Fatal(err)
		}
		html := buf.String()
		if strings.Contains(html, "http") || strings.Contains(html, "<script") || strings.Contains(html, "shapes <&>") || strings.Contains(html, "ZgotmplZ") {
			t.Error("the page has an outside reference, a script or text that is not escaped")
		}
		for _, c := range s.configs {
			if !strings.Contains(html, "<h3>"+c.Name+"</h3>") {
				t.Errorf("%s is missing", c.Name)
			}
		}
		pics := regexp.MustCompile(`src="data:image/png;base64,([^"]*)"`).FindAllStringSubmatch(html, -1)
		if want := len(cfg.Transforms) * 4 * 2; len(pics) < want {
			t.Errorf("%d pictures, want at least %d", len(pics), want)
		}
		for _, p := range pics[:20] {
			raw, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(p[1], "&#43;", "+"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := png.Decode(bytes.NewReader(raw)); err != nil {
				t.Fatal(err)
			}
		}
		if dir := os.Getenv("SELFSAME_SHEETS"); dir != "" { // for looking at them
			if err := os.WriteFile(dir+"/"+strings.ReplaceAll(fieldOf(sh).Name, "/", "")+string(rune('a'+sh.C))+".html", buf.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
