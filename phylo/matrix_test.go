package phylo

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPHYLIPReads(t *testing.T) {
	want := &Matrix{Names: []string{"alpha_longer_than_ten", "b", "Ü"}, Data: []float64{0, 0.5, 2, 0.5, 0, 1e-3, 2, 1e-3, 0}}
	for name, c := range map[string]struct {
		in  string
		opt PHYLIPOptions
	}{
		"square":      {"  3\nalpha_longer_than_ten 0 0.5 2\nb 0.5 0 0.001\nÜ 2 1e-3 0\n", PHYLIPOptions{}},
		"wrapped":     {"3\r\nalpha_longer_than_ten 0\r\n 0.5\r\n 2\r\n\r\nb 0.5 0\r\n0.001\r\nÜ 2 1e-3 0", PHYLIPOptions{}},
		"triangle":    {"3\nalpha_longer_than_ten\nb\t0.5\nÜ\t2\t0.001\n", PHYLIPOptions{}},
		"last digits": {"3\nalpha_longer_than_ten 0 0.5 2\nb 0.5 0 0.001\nÜ 2 0.001 0\n", PHYLIPOptions{}},
	} {
		got, err := ReadPHYLIP(strings.NewReader(c.in), c.opt)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(got.Names, want.Names) || !slices.Equal(got.Data, want.Data) {
			t.Errorf("%s: got %v", name, got)
		}
	}
	got, err := ReadPHYLIP(strings.NewReader("2\nHomo sapi 0 1\nPan trogl 1 0\n"), PHYLIPOptions{Strict: true})
	if err != nil || !slices.Equal(got.Names, []string{"Homo sapi", "Pan trogl"}) || got.At(0, 1) != 1 {
		t.Errorf("strict: %v %v", got, err)
	}
	// With a tab names may hold blanks.
	got, err = ReadPHYLIP(strings.NewReader("2\nHomo sapiens\t0\t1\nPan troglodytes\t1\t0\n"), PHYLIPOptions{})
	if err != nil || got.Names[1] != "Pan troglodytes" {
		t.Errorf("tabs: %v %v", got, err)
	}
}

func TestMatrixErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "line 1: the file is empty",
		"x\n":                            `line 1, column 1: "x" where the number of taxa`,
		"0\n":                            "number of taxa",
		"2 5\n":                          `line 1, column 3: "5" after the number of taxa`,
		"3\na 0 1 2\nb 1 0 3\n":          "line 4: the file ends after 2 of 3 taxa",
		"2\na 0 1\nb 1\n":                `line 4: the file ends after 1 of 2 distances of "b"`,
		"2\na 0 1\nb 1 x\n":              `line 3, column 5: distance "x" is no finite decimal number`,
		"2\na 0 nan\nb nan 0\n":          `distance "nan"`,
		"2\na 0 -1\nb -1 0\n":            `line 2, column 5: distance "-1" is negative`,
		"2\na 0 1\na 1 0\n":              `line 3, column 1: the name "a" occurs twice, first in line 2`,
		"2\na 0 1\nb 2 0\n":              `the distance from "b" to "a" is 2, but 1 back`,
		"2\na 1 1\nb 1 0\n":              `the distance of "a" to itself is 1`,
		"2\na 0 1 5\nb 1 0\n":            `line 2, column 7: taxon "a" has more than 2 distances`,
		"2\na 0 1\nb 1 0\nc 1 2\n":       "line 4, column 1: text after the last of 2 taxa",
		"3\na 0 1\nb 1 0 2\nc 1 2 0\n":   `line 3, column 1: "b" where distance 3 of 3 of "a" must stand`,
		"1000000000\na 0\n":              `the file ends after 1 of 1000000000 distances of "a"`,
		"2\nHomo sapiens 0 1\nPan 1 0\n": `line 2, column 6: distance "sapiens"`,
	} {
		if _, err := ReadPHYLIP(strings.NewReader(in), PHYLIPOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
	for in, want := range map[string]string{
		"":                           "line 1: the file is empty",
		"taxon\n":                    "line 1: the first line has no names",
		"\ta\ta\na\t0\t1\na\t1\t0\n": `line 1: the name "a" occurs twice`,
		"\ta\tb\nb\t0\t1\na\t1\t0\n": `line 2, column 1: row 1 is "b", but column 1 of the first line "a"`,
		"\ta\tb\na\t0\nb\t1\t0\n":    `line 2: "a" has 1 distances, expected 2`,
		"\ta\tb\na\t0\tx\nb\t1\t0\n": `line 2, column 3: distance "x"`,
		"\ta\tb\na\t0\t1\n":          "the file ends after 1 of 2 taxa",
		"\ta\na\t0\nb\t1\n":          "line 3, column 1: text after the last of 1 taxa",
		"\ta\tb\na\t0\t1\nb\t3\t0\n": "is 3, but 1 back",
		"\ta\t\na\t0\t1\n\t1\t0\n":   "taxon 2 has no name",
	} {
		if _, err := ReadTSV(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
	m := NewMatrix([]string{"Homo sapiens", "b"})
	var b strings.Builder
	if err := WritePHYLIP(&b, m, PHYLIPOptions{}); err == nil || !strings.Contains(err.Error(), "has a blank") {
		t.Errorf("got %v", err)
	}
	if err := WritePHYLIP(&b, m, PHYLIPOptions{Strict: true}); err == nil || !strings.Contains(err.Error(), "has 12 characters") {
		t.Errorf("got %v", err)
	}
	if err := WritePHYLIP(&b, m, PHYLIPOptions{Underscores: true}); err != nil || b.String() != "2\nHomo_sapiens 0 0\nb 0 0\n" {
		t.Errorf("%q %v", b.String(), err)
	}
	if err := WritePHYLIP(&b, NewMatrix([]string{"a b", "a_b"}), PHYLIPOptions{Underscores: true}); err == nil || !strings.Contains(err.Error(), "occurs twice") {
		t.Errorf("got %v", err)
	}
	if err := WriteTSV(&b, NewMatrix([]string{"a\tb"})); err == nil {
		t.Error("a tab was written into TSV")
	}
	if err := WriteTSV(errWriter{errors.New("disk")}, m); err == nil {
		t.Error("no error from a full disk")
	}
	bad := NewMatrix([]string{"a", "b"})
	bad.Set(0, 1, math.NaN())
	if _, err := NeighborJoining(bad); err == nil {
		t.Error("NaN was joined")
	}
	if err := (&Matrix{Names: []string{"a"}}).Check(); err == nil || !strings.Contains(err.Error(), "0 values for 1 taxa") {
		t.Errorf("got %v", err)
	}
}

func drawMatrix(t *rapid.T, name *rapid.Generator[string]) *Matrix {
	m := NewMatrix(rapid.SliceOfNDistinct(name, 1, 8, rapid.ID).Draw(t, "names"))
	for i := range m.Names {
		for j := range i {
			m.Set(i, j, rapid.Float64Range(0, math.MaxFloat64).Draw(t, "d"))
		}
	}
	return m
}

func TestMatrixRoundTrips(t *testing.T) {
	word := rapid.StringMatching(`[A-Za-zÄ猿0-9_'():;-]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		for _, f := range []struct {
			name  string
			names *rapid.Generator[string]
			trip  func(m *Matrix) (*Matrix, error)
		}{
			{"relaxed", word, func(m *Matrix) (*Matrix, error) {
				var b strings.Builder
				if err := WritePHYLIP(&b, m, PHYLIPOptions{}); err != nil {
					return nil, err
				}
				return ReadPHYLIP(strings.NewReader(b.String()), PHYLIPOptions{})
			}},
			{"strict", rapid.StringMatching(`[A-Zé][A-Z ]{0,8}[A-Z]`), func(m *Matrix) (*Matrix, error) {
				var b strings.Builder
				if err := WritePHYLIP(&b, m, PHYLIPOptions{Strict: true}); err != nil {
					return nil, err
				}
				return ReadPHYLIP(strings.NewReader(b.String()), PHYLIPOptions{Strict: true})
			}},
			{"tsv", rapid.StringMatching(`[A-Za-zÄ猿0-9_'(): ;-]{1,20}`), func(m *Matrix) (*Matrix, error) {
				var b strings.Builder
				if err := WriteTSV(&b, m); err != nil {
					return nil, err
				}
				return ReadTSV(strings.NewReader(b.String()))
			}},
		} {
			m := drawMatrix(t, f.names)
			got, err := f.trip(m)
			if err != nil || !slices.Equal(got.Names, m.Names) || !slices.Equal(got.Data, m.Data) {
				t.Fatalf("%s: %v became %v: %v", f.name, m, got, err)
			}
		}
	})
}

func FuzzPHYLIP(f *testing.F) {
	for _, s := range []string{"2\na 0 1\nb 1 0\n", "3\na\nb 1\nc 2 3\n", "2\na b\t0\t1\nc\t1\t0", "\ufeff1\nx 0\n", "9\n", "1\n\xff 0\n"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, strict bool) {
		m, err := ReadPHYLIP(strings.NewReader(s), PHYLIPOptions{Strict: strict})
		if err != nil {
			return
		}
		if err := m.Check(); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := WriteTSV(&b, m); err != nil {
			return // names with control characters
		}
		if got, err := ReadTSV(strings.NewReader(b.String())); err != nil || !slices.Equal(got.Data, m.Data) {
			t.Fatalf("%q: %v", s, err)
		}
	})
}
