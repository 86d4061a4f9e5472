package selfsame_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/selfsame-ml/selfsame"
	"github.com/selfsame-ml/selfsame/audit"
	"github.com/selfsame-ml/selfsame/dataset/shop"
	"github.com/selfsame-ml/selfsame/store"
)

// shopRecipe says of made-up orders what is true of them (see package shop): %s is the contract of the category.
const shopRecipe = `name: orders
domain: table
seed: %d
data: {source: %q, target: returned, val: 1000, test_share: 0.4}
columns:
  customer_id: {kind: identifier, drop: invariant}
  age: [{kind: integer, bounds: 18..90}, {jitter: 1, contract: invariant}]
  income: [{kind: money, bounds: 0..}, {scale: 0.95..1.05, contract: invariant}]
  category: %s
  bought_at: [{kind: timestamp, format: "2006-01-02 15:04:05"}, {jitter: 10m, contract: invariant}]
  quantity: {kind: integer, bounds: 1..}
  price: [{kind: money, bounds: 0..}, {scale: 0.97..1.03, contract: invariant}, {scale: 0.5..2, contract: equivariant}]
  amount: {kind: money}
rules: [amount == quantity * price]
encoder: {kind: mlp, width: 128, depth: 2}
train: {epochs: 20, batch: 128}
engine: {kind: go, precision: fp32}
certify: {samples: 512, max_change: %g}
audit: {samples: 1000}
adapt: {budgets: [200], draws: 2, max_steps: 60, k: 20, baselines: [linear], bootstrap: 100}
`

const (
	rightCategory = "{kind: category, contract: protected}"
	wrongCategory = "{kind: category, swap: {p: 1, contract: invariant}}"
)

// runShop runs the recipe on 5,000 orders of a seed and gives the run directory.
func runShop(t *testing.T, seed int, category string, maxChange float64) (string, error) {
	t.Helper()
	dir := t.TempDir()
	csv, path := filepath.Join(dir, "orders.csv"), filepath.Join(dir, "recipe.yaml")
	err := store.WriteFile(csv, func(w io.Writer) error { return shop.WriteCSV(w, shop.Config{Rows: 5000, Seed: uint64(seed)}) })
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, shopRecipe, seed, csv, category, maxChange), 0o600); err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(dir, "run")
	_, err = selfsame.Run(context.Background(), path, selfsame.Options{Dir: run, CacheDir: filepath.Join(dir, "cache")})
	return run, err
}

// probe is the mean AUC of nearest neighbours on the pretrained features.
func probe(t *testing.T, run string) float64 {
	t.Helper()
	scores, err := store.ReadScores(filepath.Join(run, "scores.csv"))
	if err != nil {
		t.Fatal(err)
	}
	sum, n := 0., 0.
	for _, s := range scores {
		if s.Method == "ssl-knn" && s.Metric == "auc" {
			sum += s.Value
			n++
		}
	}
	if n == 0 {
		t.Fatal("no ssl-knn was measured")
	}
	return sum / n
}

// TestShopWrongContractIsCaught: of two recipes that differ in one word, certify passes the true one and refuses the false one,
// with a row that shows it.
func TestShopWrongContractIsCaught(t *testing.T) {
	_, err := runShop(t, 1, wrongCategory, 0.1)
	if !errors.Is(err, selfsame.ErrViolated) || !strings.Contains(err.Error(), "category.swap") {
		t.Fatalf("category declared invariant under swap: %v", err)
	}
}

// TestShopTruth: with the true contracts certify passes and the audit finds each kept, for three seeds; with the false one, where
// certify is told to look away, the features are worse for the label: AUC of nearest neighbours on the features, mean of the seeds.
func TestShopTruth(t *testing.T) {
	var trueSum, falseSum float64
	for seed := 1; seed <= 3; seed++ {
		right, err := runShop(t, seed, rightCategory, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		var res audit.Result
		readJSON(t, filepath.Join(right, "audit.json"), &res)
		var seen []string
		for _, r := range res.Rows {
			seen = append(seen, r.Transform)
			if r.Outcome != audit.Kept {
				t.Errorf("seed %d: %s %s: %s %g: %s: %s", seed, r.Transform, r.Term.Kind, r.Measure, r.Value, r.Outcome, r.Why)
			}
		}
		for _, want := range []string{"customer_id.drop", "age.jitter", "income.scale", "bought_at.jitter", "price.scale"} {
			if !slices.Contains(seen, want) {
				t.Errorf("seed %d: the audit has no %s: %v", seed, want, seen)
			}
		}
		wrong, err := runShop(t, seed, wrongCategory, 1)
		if err != nil {
			t.Fatal(err)
		}
		a, b := probe(t, right), probe(t, wrong)
		trueSum, falseSum = trueSum+a, falseSum+b
		t.Logf("seed %d: AUC of neighbours at 200 labels %.3f with the true contract, %.3f with the false one; audit rows %d", seed, a, b, len(res.Rows))
	}
	if trueSum <= falseSum {
		t.Errorf("the false contract does no harm: mean AUC %.4f with the true one, %.4f with it", trueSum/3, falseSum/3)
	}
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
