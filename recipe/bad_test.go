package recipe

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/*.bad.txt")

// TestBad compares every error of testdata/NAME.bad.yaml with NAME.bad.txt beside it.
// Look at the difference before -update: the texts are what users read.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) < 15 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".bad.yaml"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse("r.yaml", b, testSpecs)
			if err == nil {
				t.Fatal("accepted")
			}
			got := fmt.Sprintln(err)
			golden := strings.TrimSuffix(f, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
		})
	}
}

// A password in the source of the data is refused before it can be written anywhere, and is not repeated.
func TestPasswordInSource(t *testing.T) {
	for _, source := range []string{"postgres://ann:s3cret@db/shop", "host=db password=s3cret", "postgres://db/shop?password=s3cret"} {
		r := Default()
		r.Data.Source = source
		err := r.Validate()
		if err == nil || !strings.Contains(err.Error(), "holds a password") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", source, err)
		}
	}
}
