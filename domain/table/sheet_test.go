package table

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestWriteSheet(t *testing.T) {
	s := smallSamples(t, smallRules, smallTransforms()...)
	s.table.Columns[6].Levels[0] = `<script>alert("x")</script>`
	var a, b bytes.Buffer
	if err := s.WriteSheet(&a, "orders & more", 3, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteSheet(&b, "orders & more", 3, 1); err != nil {
		t.Fatal(err)
	}
	page := a.String()
	if page != b.String() {
		t.Error("the sheet is not the same twice")
	}
	for _, want := range []string{"orders &amp; more: views", "price.scale", "9.99 EUR", "×1.25", "−15m to 15m", "equivariant", "small.csv:1", `class="changed"`,
		`class="gone">masked`, `class="gone">dropped`, "<code>shipped_at &gt;= bought_at</code>", "category: no view changes a bit of them", "50 %", "target", "impossible, kept"} {
		if !strings.Contains(page, want) {
			t.Errorf("the sheet does not say %q", want)
		}
	}
	if strings.Contains(page, "<script") || regexp.MustCompile(`(src|href)=`).MatchString(page) {
		t.Error("the sheet holds a script or an external resource")
	}
	d := xml.NewDecoder(strings.NewReader(strings.ReplaceAll(page[strings.Index(page, "<body>"):strings.Index(page, "</html>")], "&nbsp;", " ")))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
	}
	if err := s.WriteSheet(&a, "none", 0, 1); err == nil {
		t.Error("0 rows is no error")
	}
	if out := os.Getenv("SELFSAME_SHEET"); out != "" { // to look at it
		var big bytes.Buffer
		if err := mixedSamples(t, 300, shopRules, suiteTransforms()...).WriteSheet(&big, "mixed", 4, 1); err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{"small": []byte(page), "mixed": big.Bytes()} {
			if err := os.WriteFile(out+"/"+name+".html", b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
