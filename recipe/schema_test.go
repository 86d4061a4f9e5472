package recipe

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// accepts is a small reading of JSON Schema: the keywords that Schema uses, and no others.
func accepts(t *testing.T, s map[string]any, v any) error {
	t.Helper()
	f, isNumber := v.(float64)
	for _, key := range sortedKeys(s) {
		arg := s[key]
		switch key {
		case "$schema", "title", "description", "default":
		case "type":
			names, ok := arg.([]any)
			if !ok {
				names = []any{arg}
			}
			is := map[string]bool{"null": v == nil, "number": isNumber, "integer": isNumber && f == math.Trunc(f)}
			_, is["object"] = v.(map[string]any)
			_, is["array"] = v.([]any)
			_, is["string"] = v.(string)
			_, is["boolean"] = v.(bool)
			if !slices.ContainsFunc(names, func(n any) bool { return is[n.(string)] }) {
				return fmt.Errorf("%v is no %v", v, names)
			}
		case "enum":
			if !slices.Contains(arg.([]any), v) {
				return fmt.Errorf("%v is none of %v", v, arg)
			}
		case "minimum":
			if isNumber && f < arg.(float64) {
				return fmt.Errorf("%v < %v", v, arg)
			}
		case "exclusiveMinimum":
			if isNumber && f <= arg.(float64) {
				return fmt.Errorf("%v <= %v", v, arg)
			}
		case "maximum":
			if isNumber && f > arg.(float64) {
				return fmt.Errorf("%v > %v", v, arg)
			}
		case "pattern":
			if w, ok := v.(string); ok && !regexp.MustCompile(arg.(string)).MatchString(w) {
				return fmt.Errorf("%q does not match", w)
			}
		case "anyOf":
			var errs []string
			for _, a := range arg.([]any) {
				if err := accepts(t, a.(map[string]any), v); err != nil {
					errs = append(errs, err.Error())
				}
			}
			if len(errs) == len(arg.([]any)) {
				return fmt.Errorf("none of: %s", strings.Join(errs, "; "))
			}
		case "required":
			m, ok := v.(map[string]any)
			for _, k := range arg.([]any) {
				if _, has := m[k.(string)]; ok && !has {
					return fmt.Errorf("no %v", k)
				}
			}
		case "minProperties", "maxProperties":
			if m, ok := v.(map[string]any); ok && (key == "minProperties") == (float64(len(m)) < arg.(float64)) && float64(len(m)) != arg.(float64) {
				return fmt.Errorf("%d properties", len(m))
			}
		case "minItems", "maxItems":
			if l, ok := v.([]any); ok && (key == "minItems") == (float64(len(l)) < arg.(float64)) && float64(len(l)) != arg.(float64) {
				return fmt.Errorf("%d items", len(l))
			}
		case "items":
			l, _ := v.([]any)
			for i, e := range l {
				if err := accepts(t, arg.(map[string]any), e); err != nil {
					return fmt.Errorf("[%d]: %w", i, err)
				}
			}
		case "properties", "additionalProperties":
			m, _ := v.(map[string]any)
			props, _ := s["properties"].(map[string]any)
			for k, e := range m {
				p, known := props[k].(map[string]any)
				other, _ := s["additionalProperties"].(map[string]any)
				switch {
				case known:
				case other != nil:
					p = other
				default:
					return fmt.Errorf("unknown key %s", k)
				}
				if err := accepts(t, p, e); err != nil {
					return fmt.Errorf("%s: %w", k, err)
				}
			}
		default:
			t.Fatalf("keyword %s is not read by this test", key)
		}
	}
	return nil
}

func schemaForTest(t *testing.T) map[string]any {
	specs, _ := testSpecs("image")
	b, err := Schema(specs)
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON reads YAML as an editor would.
func asJSON(t *testing.T, b []byte) any {
	var v any
	if err := yaml.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(j, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAcceptsGood(t *testing.T) {
	s := schemaForTest(t)
	files, _ := filepath.Glob("testdata/*.good.yaml")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := accepts(t, s, asJSON(t, b)); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		r, err := Parse(f, b, testSpecs)
		if err != nil {
			t.Fatal(err)
		}
		if b, err = Marshal(r); err != nil {
			t.Fatal(err)
		}
		if err := accepts(t, s, asJSON(t, b)); err != nil {
			t.Errorf("%s resolved: %v", f, err)
		}
	}
	if err := accepts(t, s, asJSON(t, Draft(colourFolder()))); err != nil {
		t.Errorf("draft: %v", err)
	}
}

// TestSchemaRejectsBad: all but what only makes sense together.
func TestSchemaRejectsBad(t *testing.T) {
	s := schemaForTest(t)
	beyond := []string{"cross", "cross-train", "views-twice", "no-domain"}
	files, _ := filepath.Glob("testdata/*.bad.yaml")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".bad.yaml")
		if name == "types" {
			b = []byte(strings.ReplaceAll(string(b), ".nan", "x"))
		}
		if name == "ranges" {
			b = []byte(strings.ReplaceAll(string(b), ".nan", "2"))
		}
		if err := accepts(t, s, asJSON(t, b)); err == nil && !slices.Contains(beyond, name) {
			t.Errorf("%s: accepted", f)
		}
	}
}

// TestSchemaLine rejects one fault at a time, so that no fault hides another.
func TestSchemaLine(t *testing.T) {
	s := schemaForTest(t)
	const head = "data: {source: x}\nviews: [hflip]\n"
	if err := accepts(t, s, asJSON(t, []byte(head))); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		head + "train: {epoch: 1}", head + "train: {epochs: 0}", head + "train: {epochs: 1.5}", head + "train: {lr: 0}", head + "train: {optimizer: adam}",
		head + "objective: {weights: {views: -1}}", head + "adapt: {budgets: 3}", head + "certify: {regions: [{x0: 2}]}", head + "x: 1",
		"views: [hflip]", "data: {source: x}", "data: {source: x}\nviews: []", "data: {source: x}\nviews: [flip]",
		"data: {source: x}\nviews: [{hflip: , crop: }]", "data: {source: x}\nviews: [{crop: {scale: 0..x}}]", "data: {source: x}\nviews: [{crop: {scale: 2}}]",
		"data: {source: x}\nviews: [{crop: {p: 2}}]", "data: {source: x}\nviews: [{mask: {contract: invariant}}]", "data: {source: x}\nviews: [{quarter: {turns: [0, 1, 2]}}]",
	} {
		if err := accepts(t, s, asJSON(t, []byte(bad))); err == nil {
			t.Errorf("accepted\n%s", bad)
		}
	}
}

func TestSchemaDescribesEveryKey(t *testing.T) {
	s := schemaForTest(t)
	var walk func(ty reflect.Type, s map[string]any, path string)
	walk = func(ty reflect.Type, s map[string]any, path string) {
		props := s["properties"].(map[string]any)
		for i, k := range keysOf(ty) {
			p, ok := props[k].(map[string]any)
			if !ok || p["description"] == "" {
				t.Errorf("%s.%s is not described", path, k)
				continue
			}
			if f := ty.Field(i).Type; f.Kind() == reflect.Struct && f != reflect.TypeFor[Views]() {
				walk(f, p, join(path, k))
			}
		}
	}
	walk(reflect.TypeFor[Recipe](), s, "")
}

func TestSchemaColumns(t *testing.T) {
	specs, _ := tableSpecs("table")
	b, err := Schema(specs)
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	for body, good := range map[string]bool{
		"columns: {amount: [{kind: money, bounds: 0..1e6, missing: [NA, 0]}, {scale: 0.95..1.05, contract: invariant}, {scale: {by: 0.5..2, contract: equivariant}}]}":     true,
		"columns: {id: {kind: identifier, drop: invariant}, at: {jitter: 10m}, on: {shift: {by: -7d..7d, keep: weekday}}, c: {contract: protected}, e: , m: {mask: true}}": true,
		"views: [{mask: {share: 0.3}}]":                  true,
		"columns: {a: {scal: 1}}":                        false,
		"columns: {a: {kind: float}}":                    false,
		"columns: {a: {scale: {bye: 1}}}":                false,
		"columns: {a: {shift: {by: 1d, keep: month}}}":   false,
		"columns: {a: {bounds: '5'}}":                    false,
		"columns: {a: [b]}":                              false,
		"columns: [a]":                                   false,
		"rules: [a == b]":                                false,
		"columns: {a: {drop: true}}\nviews: ['*.scale']": false,
	} {
		if err := accepts(t, s, asJSON(t, []byte(tableHead+body+"\n"))); (err == nil) != good {
			t.Errorf("%s: %v", body, err)
		}
	}
}
