// Package view draws the parameters of transformations, applies exactly what
// was drawn, and records it.
//
// A [Transform] is generic in the sample type of its domain. A [Config] is its
// declaration in a recipe; a [Spec] says which parameters it has, so that
// recipes can be checked, drafted and completed by editors.
package view

import (
	"math/rand/v2"

	"github.com/selfsame-ml/selfsame/contract"
)

// MaxParams is the largest number of values that one draw records.
const MaxParams = 16

// Params is what was drawn for one application of a transformation. V[0] is the
// principal parameter: contracts are stated by its range, and it is the target of an
// Equivariant term. It is a value type so that drawing does not allocate.
type Params struct {
	N       int                // values in use
	Applied bool               // false: the transformation was not applied (probability)
	V       [MaxParams]float64 // in the units of the Spec
}

// ParamSpec describes one parameter of a transformation.
type ParamSpec struct {
	Name    string         // field name in a recipe
	Unit    string         // "degrees", "fraction", "pixels", ...
	Min     float64        // smallest legal value
	Max     float64        // largest legal value
	Default contract.Range // the range drawn from when the recipe gives none
	Integer bool           // only whole numbers are drawn
	Doc     string         // one line
}

// Spec describes a transformation.
type Spec struct {
	Name     string          // recipe name, e.g. "crop"
	Doc      string          // one line, with the source (paper or library) of its definition
	Params   []ParamSpec     // Params[0] is the principal parameter
	Identity float64         // value of the principal parameter at which nothing changes
	P        float64         // default probability of being applied
	Classes  int             // >0: the principal parameter is one of 0..Classes-1 (a rotation, a permutation)
	Kinds    []contract.Kind // contracts that make sense; the first is the default
	Options  []OptionSpec    // words that no range can hold
}

// OptionSpec describes one option of a transformation: a word in Config.Options.
type OptionSpec struct {
	Name    string
	Default string
	Doc     string // one line
}

// Config is a transformation as declared in a recipe.
type Config struct {
	Name   string                    `json:"name"`
	P      float64                   `json:"p"`      // probability of being applied
	Params map[string]contract.Range `json:"params"` // by ParamSpec name; complete after resolving
	Terms  contract.Terms            `json:"terms"`  // by range of the principal parameter
	// Options are words that no range can hold ("keep": "weekday" of a time shift, "within": a column of swap_within; by
	// OptionSpec name, complete after resolving).
	Options map[string]string `json:"options,omitempty"`
}

// Transform changes a sample of type S.
//
// Apply is pure: the same src and p give the same dst. dst and src never alias.
type Transform[S any] interface {
	// Spec describes the transformation and its parameters.
	Spec() Spec
	// Draw fills p from r; it must use r only.
	Draw(r *rand.Rand, p *Params)
	// Apply writes the view of src under p to dst, reusing dst's memory.
	Apply(dst, src *S, p *Params)
}
