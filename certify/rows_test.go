package certify_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/selfsame-ml/selfsame/certify"
	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/domain"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
	"github.com/selfsame-ml/selfsame/metric"
	"github.com/selfsame-ml/selfsame/view"
)

// ruled knows possible samples: alone finds breaches of one transformation, whole those of all views.
type ruled struct {
	*domaintest.Fake
	alone, whole func(i int) *domain.Breach
}

func (r ruled) VerifyView(_, _ uint64, i int) *domain.Breach { return r.whole(i) }
func (r ruled) Verify(_ domain.Transformation, _ domain.Part, i int, _ view.Params) *domain.Breach {
	return r.alone(i)
}
func (ruled) Properties() []domain.Property {
	return []domain.Property{{Name: "category", Kind: contract.Protected, Classes: 2}}
}
func (ruled) Name(domain.Part, int) string { return "orders.csv:17" }

func never(int) *domain.Breach { return nil }

func broken(int) *domain.Breach {
	return &domain.Breach{Rule: "protected column category", Text: "category was toys and became books.",
		Names: []string{"category", "amount"}, Original: []string{"toys", "12.50 EUR"}, View: []string{strings.Repeat("books ", 30), "12.50 EUR"}}
}

func TestPossible(t *testing.T) {
	for _, c := range []struct {
		name         string
		alone, whole func(int) *domain.Breach
		violated     []string
	}{
		{"honest", never, never, nil},
		{"one transformation", broken, never, []string{"noise"}},
		{"whole views only", never, broken, []string{certify.WholeViews, "category"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := domaintest.NewFake(tiny(), 0, [3]int{50, 0, 0}, domaintest.Noise(0.2))
			f.Recipe.Certify.Samples = 40
			cert := run(t, f.Recipe, ruled{f, c.alone, c.whole})
			if len(cert.Findings) != 3 {
				t.Fatalf("%d findings, want the transformation, whole views and the protected column", len(cert.Findings))
			}
			upper, err := metric.ClopperPearsonUpper(0, 40, f.Recipe.Certify.Confidence)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, x := range cert.Findings {
				p := x.Possible
				if p == nil || p.Trials != 40 || p.Breaches != 0 && p.Breaches != 40 || p.Breaches == 0 && p.Upper != upper {
					t.Errorf("%s: %+v", x.Transform, p)
				}
				if x.Outcome != certify.Violated {
					continue
				}
				got = append(got, x.Transform)
				e := x.Counter
				if e == nil || e.Place != "orders.csv:17" || e.Rule == "" || len(e.ViewValues) != 2 || e.OriginalValues[1] != "12.50 EUR" {
					t.Fatalf("counter-example %+v", e)
				}
			}
			if len(got) != len(c.violated) {
				t.Fatalf("violated %v, want %v", got, c.violated)
			}
			if c.violated == nil {
				if cert.Err() != nil {
					t.Error(cert.Err())
				}
				return
			}
			err = cert.Err()
			if !errors.Is(err, certify.ErrViolated) || !strings.Contains(err.Error(), "\n* category") || !strings.Contains(err.Error(), "\n  amount") || !strings.Contains(err.Error(), "orders.csv:17") {
				t.Errorf("%v", err)
			}
			for _, l := range strings.Split(err.Error(), "\n")[1:] {
				if n := utf8.RuneCountInString(l); n > 70 {
					t.Errorf("line of %d columns: %s", n, l)
				}
			}
		})
	}
}
