package recipe

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/view"
)

// object is one node of a JSON Schema.
type object = map[string]any

// Schema returns the JSON Schema (draft 2020-12) of recipes whose domain has these
// transformations, for completion and checks in editors. Load is stricter: it also checks
// what only makes sense together.
func Schema(specs []view.Spec) ([]byte, error) {
	root := schemaOf(reflect.TypeFor[Recipe](), "", specs)
	root["type"] = "object"
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "selfsame recipe"
	root["required"] = []string{"data", "views"}
	if slices.ContainsFunc(specs, func(s view.Spec) bool { return strings.HasPrefix(s.Name, ColumnTransform) }) {
		root["required"] = []string{"data"}
		root["anyOf"] = []any{object{"required": []string{"views"}}, object{"required": []string{"columns"}}}
	}
	data := root["properties"].(object)["data"].(object)
	data["type"], data["required"] = "object", []string{"source"}
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("recipe: schema: %w", err)
	}
	return append(b, '\n'), nil
}

func schemaOf(t reflect.Type, path string, specs []view.Spec) object {
	f := fields[path]
	o := object{}
	if f.doc != "" {
		o["description"] = f.doc
	}
	if t == reflect.TypeFor[Views]() {
		long := schemaStruct(t, path, specs)
		list := schemaTransforms(specs)
		long["properties"].(object)["transforms"] = list
		long["required"] = []string{"transforms"}
		o["anyOf"] = []any{list, long}
		return o
	}
	if t == reflect.TypeFor[Columns]() {
		item := schemaColumn(specs)
		o["type"] = []string{"object", "null"}
		o["additionalProperties"] = object{"description": "one column: what it is, and what may change in it", "anyOf": []any{
			item, object{"type": "array", "items": item}, object{"type": "null"}}}
		return o
	}
	limits := func() {
		if f.over {
			o["exclusiveMinimum"] = f.min
		} else {
			o["minimum"] = f.min
		}
		o["maximum"] = f.max
	}
	switch t.Kind() {
	case reflect.Struct:
		for k, v := range schemaStruct(t, path, specs) {
			o[k] = v
		}
		if path != "certify.regions" {
			o["type"] = []string{"object", "null"} // a section without keys: all defaults
		}
	case reflect.Slice:
		items := schemaOf(t.Elem(), path, specs)
		delete(items, "description")
		o["type"], o["items"] = "array", items
	case reflect.Map:
		o["type"] = "object"
		o["additionalProperties"] = object{"type": "number", "minimum": f.min, "maximum": f.max}
	case reflect.String:
		if f.enum != nil {
			o["enum"] = f.enum
		} else {
			o["type"] = []string{"string", "number", "boolean"} // name: 2024 is read as text
		}
	case reflect.Bool:
		o["type"] = "boolean"
	case reflect.Int, reflect.Uint64:
		o["type"] = "integer"
		limits()
	case reflect.Float64:
		o["type"] = "number"
		limits()
	}
	if d := defaultAt(path); d != nil {
		o["default"] = d
	}
	return o
}

func schemaStruct(t reflect.Type, path string, specs []view.Spec) object {
	props := object{}
	for i, k := range keysOf(t) {
		if p := join(path, k); p != "views.transforms" {
			props[k] = schemaOf(t.Field(i).Type, p, specs)
		}
	}
	return object{"type": "object", "properties": props, "additionalProperties": false}
}

// defaultAt returns the default of a scalar key, or nil.
func defaultAt(path string) any {
	v := reflect.ValueOf(Default()).Elem()
	for p := path; p != ""; {
		head, rest := p, ""
		for i := range p {
			if p[i] == '.' {
				head, rest = p[:i], p[i+1:]
				break
			}
		}
		if v.Kind() != reflect.Struct {
			return nil
		}
		at := -1
		for i, k := range keysOf(v.Type()) {
			if k == head {
				at = i
			}
		}
		if at < 0 {
			return nil
		}
		v, p = v.Field(at), rest
	}
	switch v.Kind() {
	case reflect.Struct, reflect.Map:
		return nil
	case reflect.Slice:
		if v.Len() == 0 {
			return nil
		}
	case reflect.String:
		if v.Len() == 0 {
			return nil
		}
	}
	return v.Interface()
}

const (
	numberPattern = `[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)([eE][-+]?[0-9]+)?`
	rangePattern  = `^ *` + numberPattern + ` *(\.\. *` + numberPattern + ` *)?$`
)

func schemaTransforms(specs []view.Spec) object {
	names := []string{}
	props := object{}
	for i := range specs {
		s := &specs[i]
		if strings.HasPrefix(s.Name, ColumnTransform) {
			continue
		}
		names = append(names, s.Name)
		one := schemaConfig(s, false)
		alternatives := []any{one, object{"type": "null"}}
		if len(s.Params) > 0 {
			alternatives = append(alternatives, object{"type": "array", "minItems": 1, "items": schemaConfig(s, true),
				"description": "several contracts, by range of " + s.Params[0].Name})
		}
		props[s.Name] = object{"description": s.Doc, "anyOf": alternatives}
	}
	return object{
		"type": "array", "minItems": 1, "description": fields["views.transforms"].doc,
		"items": object{"anyOf": []any{
			object{"enum": names},
			object{"type": "object", "properties": props, "additionalProperties": false, "minProperties": 1, "maxProperties": 1},
		}},
	}
}

// schemaConfig describes the body of a transformation, or one item of its list of contracts.
func schemaConfig(s *view.Spec, item bool) object {
	kinds := s.Kinds
	if len(kinds) == 0 {
		kinds = contract.Kinds
	}
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = k.String()
	}
	weight := object{"type": "number", "exclusiveMinimum": 0, "maximum": 1e6, "description": "weight of the objective that follows"}
	props := object{}
	for i := range s.Params {
		props[s.Params[i].Name] = schemaRange(&s.Params[i])
	}
	for _, o := range s.Options {
		one := object{"type": []string{"string", "number", "boolean"}, "description": o.Doc}
		if o.Default != "" {
			one["default"] = o.Default
		}
		props[o.Name] = one
	}
	props[keyP] = object{"type": "number", "minimum": 0, "maximum": 1, "default": s.P, "description": "probability of being applied"}
	props[keyWeight] = weight
	props[keyContract] = object{"enum": words, "default": words[0], "description": "what the transformation promises"}
	if !item && len(s.Params) > 0 {
		term := object{"type": "object", "additionalProperties": false, "required": []string{"range", "kind"}, "properties": object{
			"range": schemaRange(&s.Params[0]), "kind": object{"enum": words}, keyWeight: weight}}
		props[keyContract] = object{"description": "what the transformation promises", "anyOf": []any{
			object{"enum": words, "default": words[0]}, object{"type": "array", "minItems": 1, "items": term}}}
	}
	return object{"type": "object", "properties": props, "additionalProperties": false}
}

func schemaRange(p *view.ParamSpec) object {
	kind := "number"
	if p.Integer {
		kind = "integer"
	}
	n := object{"type": kind}
	if bounded(p) {
		n["minimum"], n["maximum"] = p.Min, p.Max
	}
	doc := p.Doc
	if p.Unit != "" {
		doc += " [" + p.Unit + "]"
	}
	return object{"description": doc, "default": RangeString(p.Default), "anyOf": []any{
		n,
		object{"type": "string", "pattern": rangePattern},
		object{"type": "array", "items": n, "minItems": 2, "maxItems": 2},
	}}
}

// schemaColumn describes one mapping below a column.
func schemaColumn(specs []view.Spec) object {
	str := []string{"string", "number", "boolean"}
	texts := func(doc string) object {
		return object{"description": doc, "anyOf": []any{object{"type": str}, object{"type": "array", "items": object{"type": str}}}}
	}
	words := make([]string, len(contract.Kinds))
	for i, k := range contract.Kinds {
		words[i] = k.String()
	}
	span := object{"type": []string{"string", "number"}}
	weight := object{"type": "number", "exclusiveMinimum": 0, "maximum": 1e6, "description": "weight of the objective that follows"}
	p := object{"type": "number", "minimum": 0, "maximum": 1, "description": "probability of being applied"}
	keep := object{"enum": columnOptions["shift"][OptionKeep], "description": "shift of a timestamp: what stays as it is"}
	within := object{"type": "string", "description": "swap_within: the column whose cells must be equal"}
	props := object{
		"kind": object{"enum": ColumnKinds, "description": "what the values are; found where it is not given"},
		"unit": object{"type": str, "description": "shown to people, e.g. EUR or years"},
		"bounds": object{"description": "closed limits: 0..1e6, 0.., or dates 2020-01-01..2024-12-31", "anyOf": []any{
			object{"type": "string", "pattern": `\.\.`}, object{"type": "array", "minItems": 2, "maxItems": 2}}},
		"missing": texts("texts that mean missing, beside the empty cell"),
		"levels":  texts("ordinal: the levels in rising order; category, boolean: the support"),
		"format":  object{"type": "string", "description": "timestamp: Go layout or strftime"},
		"input":   object{"enum": []any{true, false, "yes", "no"}, "description": "whether the encoder sees the column"},
		keyP:      p, keyWeight: weight, OptionKeep: keep, OptionWithin: within,
		keyContract: object{"enum": words, "description": "what the transformation beside it promises; protected alone: no view may change the column"},
	}
	for i := range specs {
		s := specs[i]
		name, ok := strings.CutPrefix(s.Name, ColumnTransform)
		if !ok {
			continue
		}
		by := object{"description": "range in the unit of the column", "anyOf": []any{span, object{"type": "array", "items": object{"type": "number"}, "minItems": 2, "maxItems": 2}}}
		if len(s.Params) > 0 {
			ps := s.Params[0]
			if math.Abs(ps.Min) < math.MaxFloat64 && math.Abs(ps.Max) < math.MaxFloat64 && bounded(&ps) {
				by["description"] = fmt.Sprintf("%s; %s..%s", ps.Doc, num(ps.Min), num(ps.Max))
			}
		}
		inner := object{keyP: p, keyWeight: weight, keyBy: by, keyContract: object{"anyOf": []any{object{"enum": words}, object{"type": "array", "minItems": 1,
			"items": object{"type": "object", "required": []string{"range", "kind"}}}}}}
		for _, ps := range s.Params {
			inner[ps.Name] = by
		}
		for k := range columnOptions[name] {
			inner[k] = object{OptionKeep: keep, OptionWithin: within}[k]
		}
		mapping := object{"type": "object", "properties": inner, "additionalProperties": false}
		props[name] = object{"description": s.Doc, "anyOf": []any{
			object{"type": []string{"string", "number", "null"}}, object{"enum": []any{true}}, mapping,
			object{"type": "array", "minItems": 1, "items": object{"anyOf": []any{object{"type": "number"}, mapping}}}}}
	}
	return object{"type": "object", "properties": props, "additionalProperties": false}
}
