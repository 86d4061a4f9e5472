package all_test

import (
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame/domain/all"
	"github.com/selfsame-ml/selfsame/domain/domaintest"
)

func TestDomains(t *testing.T) {
	seen := map[string]bool{}
	for i, d := range all.Domains() {
		t.Run(d.Name(), func(t *testing.T) {
			if d.Name() == "" || seen[d.Name()] {
				t.Errorf("domain %d is called %q", i, d.Name())
			}
			seen[d.Name()] = true
			if got, err := all.Lookup(d.Name()); err != nil || got != d {
				t.Errorf("lookup gives %v, %v", got, err)
			}
			specs, err := all.Specs(d.Name())
			if err != nil || len(specs) == 0 {
				t.Fatalf("%d transformations, %v", len(specs), err)
			}
			domaintest.Specs(t, specs)
		})
	}
	if d, err := all.Lookup(""); err != nil || d.Name() != all.Domains()[0].Name() {
		t.Errorf("no name gives %v, %v", d, err)
	}
	if _, err := all.Specs("smell"); err == nil || !strings.Contains(err.Error(), `"smell" is not one of image`) {
		t.Errorf("unknown domain: %v", err)
	}
}
