// Package contract holds the words in which domain knowledge is stated: what a
// transformation promises ([Kind]), in which range of its parameter ([Term]),
// and what was found when the promise was tested ([Certificate]).
//
// Most users need [Terms.At]: the promise that holds for one drawn parameter.
// The package imports the standard library only, so that every room can speak
// these words.
package contract

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Kind is what a view promises about the meaning of the sample it was made from.
type Kind uint8

const (
	// Invariant: the meaning stays the same. Objective: pull the views together.
	Invariant Kind = iota + 1
	// Equivariant: the meaning moves along in a known way. Objective: predict the drawn parameter.
	Equivariant
	// Restorable: information was removed or blurred and can be inferred. Objective: restore it.
	Restorable
	// Protected: this must never change. No objective: it is a guard.
	Protected
)

// Kinds lists every kind in the order in which reports print them.
var Kinds = []Kind{Invariant, Equivariant, Restorable, Protected}

var kindNames = [...]string{"", "invariant", "equivariant", "restorable", "protected"}

// ErrKind is returned for a word that is not one of the four contracts.
var ErrKind = errors.New("contract: unknown kind")

// String returns the lower-case word used in recipes.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// ParseKind reads the word of a contract, whatever its case.
func ParseKind(s string) (Kind, error) {
	for i, n := range kindNames {
		if i > 0 && strings.EqualFold(s, n) {
			return Kind(i), nil
		}
	}
	return 0, fmt.Errorf("%w %q (want invariant, equivariant, restorable or protected)", ErrKind, s)
}

// MarshalText writes the word of the kind.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the word of a kind.
func (k *Kind) UnmarshalText(b []byte) error {
	v, err := ParseKind(string(b))
	if err != nil {
		return err
	}
	*k = v
	return nil
}

// Range is a closed interval of a parameter, in that parameter's own unit.
type Range struct {
	From float64 `json:"from" yaml:"from"`
	To   float64 `json:"to" yaml:"to"`
}

// Contains reports whether v lies in the closed range.
func (r Range) Contains(v float64) bool { return v >= r.From && v <= r.To }

// Width returns To-From.
func (r Range) Width() float64 { return r.To - r.From }

// Lerp returns the point at fraction t in [0, 1] of the range.
func (r Range) Lerp(t float64) float64 { return r.From + t*(r.To-r.From) }

// Validate reports a range that is reversed or not finite.
func (r Range) Validate() error {
	if math.IsNaN(r.From) || math.IsNaN(r.To) || math.IsInf(r.From, 0) || math.IsInf(r.To, 0) {
		return fmt.Errorf("contract: range %g..%g is not finite", r.From, r.To)
	}
	if r.From > r.To {
		return fmt.Errorf("contract: range %g..%g is reversed", r.From, r.To)
	}
	return nil
}

// String writes the range as recipes do, "from..to", or one number.
func (r Range) String() string {
	if r.From == r.To {
		return fmt.Sprintf("%g", r.From)
	}
	return fmt.Sprintf("%g..%g", r.From, r.To)
}

// Term is one promise: while the transformation's principal parameter lies in
// Range, the contract Kind holds. Weight scales the objective that follows (0 is read as 1).
type Term struct {
	Kind   Kind    `json:"kind" yaml:"kind"`
	Range  Range   `json:"range" yaml:"range"`
	Weight float64 `json:"weight,omitempty" yaml:"weight,omitempty"`
}

// Terms are the promises of one transformation; ranges may overlap.
type Terms []Term

// At returns the promise for the principal parameter v: of the terms whose range
// contains it, the narrowest (a small scale is Invariant although a wider
// Equivariant range contains it too). ok is false where nothing was promised.
func (ts Terms) At(v float64) (t Term, ok bool) {
	best := math.Inf(1)
	for _, c := range ts {
		if c.Range.Contains(v) && c.Range.Width() < best {
			t, ok, best = c, true, c.Range.Width()
		}
	}
	return t, ok
}

// Has reports whether any term is of the kind.
func (ts Terms) Has(k Kind) bool {
	for _, t := range ts {
		if t.Kind == k {
			return true
		}
	}
	return false
}

// Of returns the terms of one kind.
func (ts Terms) Of(k Kind) Terms {
	var out Terms
	for _, t := range ts {
		if t.Kind == k {
			out = append(out, t)
		}
	}
	return out
}

// Validate reports the first term that is not well formed.
func (ts Terms) Validate() error {
	for _, t := range ts {
		if t.Kind < Invariant || t.Kind > Protected {
			return fmt.Errorf("%w %d", ErrKind, t.Kind)
		}
		if err := t.Range.Validate(); err != nil {
			return err
		}
		if t.Weight < 0 || math.IsNaN(t.Weight) {
			return fmt.Errorf("contract: weight %g is negative", t.Weight)
		}
	}
	return nil
}
