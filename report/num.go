package report

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/selfsame-ml/selfsame/internal/term"
)

// Num is a float64 whose JSON is valid when it is not finite: NaN and the
// infinities are the strings "NaN", "Infinity" and "-Infinity".
type Num float64

// N returns a pointer to a Num, for optional fields.
func N(v float64) *Num { n := Num(v); return &n }

func (n Num) finite() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// MarshalJSON writes a number, or a string where n is not finite.
func (n Num) MarshalJSON() ([]byte, error) {
	switch f := float64(n); {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(f)
	}
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *Num) UnmarshalJSON(b []byte) error {
	switch s := string(b); s {
	case "null":
		return nil
	case `"NaN"`:
		*n = Num(math.NaN())
	case `"Infinity"`:
		*n = Num(math.Inf(1))
	case `"-Infinity"`:
		*n = Num(math.Inf(-1))
	default:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return fmt.Errorf("report: %q is not a number", s)
		}
		*n = Num(f)
	}
	return nil
}

// notFinite is what people read in place of NaN and the infinities.
const notFinite = "not finite"

const minus = "\u2212"

// fixed prints v with a number of decimals.
func fixed(v Num, decimals int) string {
	if !v.finite() {
		return notFinite
	}
	s := strconv.FormatFloat(float64(v), 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" { // no "-0.000"
		s = strings.TrimPrefix(s, "-")
	}
	return strings.Replace(s, "-", minus, 1)
}

// short prints v with about four significant digits, for values of unknown size.
func short(v Num) string {
	if !v.finite() {
		return notFinite
	}
	f := float64(v)
	a := math.Abs(f)
	var s string
	switch {
	case f == math.Trunc(f) && a < 1e7:
		return strings.Replace(term.Thousands(int(f)), "-", minus, 1)
	case a >= 1000 && a < 1e7:
		return strings.Replace(term.Thousands(int(math.Round(f))), "-", minus, 1)
	case a < 1e-4 || a >= 1e7:
		s = strconv.FormatFloat(f, 'e', 2, 64)
	default:
		s = strconv.FormatFloat(f, 'g', 4, 64)
	}
	return strings.ReplaceAll(s, "-", minus)
}

// decimal prints three decimals where they say enough, so that a column lines up.
func decimal(v Num) string {
	if a := math.Abs(float64(v)); v.finite() && (a == 0 || a >= 0.01) && a < 100 {
		return fixed(v, 3)
	}
	return short(v)
}

// pvalue prints a p-value; below 0.001 only that it is below.
func pvalue(v Num) string {
	if v.finite() && v < 0.001 {
		return "< 0.001"
	}
	return fixed(v, 3)
}

// percent prints a fraction as a percentage without needless zeros.
func percent(v Num) string {
	if !v.finite() {
		return notFinite
	}
	return strconv.FormatFloat(math.Round(float64(v)*1e4)/100, 'g', -1, 64) + "\u00a0%"
}

// times prints a multiplier with its sign.
func times(v Num) string {
	if !v.finite() {
		return notFinite
	}
	return factor(v) + "\u00a0×"
}

// factor prints a multiplier to about three digits.
func factor(v Num) string {
	switch a := math.Abs(float64(v)); {
	case !v.finite():
		return notFinite
	case a >= 100:
		return short(Num(math.Round(float64(v))))
	case a >= 10:
		return fixed(v, 1)
	default:
		return fixed(v, 2)
	}
}

// seconds prints a duration as people say it.
func seconds(v Num) string {
	if s, ok := term.Elapsed(float64(v)); ok {
		return s
	}
	return notFinite
}

// duration prints seconds as a recipe writes them, in the two largest units that say something: "10m", "1h 30m".
func duration(v Num) string {
	if !v.finite() {
		return notFinite
	}
	sign, a := "", float64(v)
	if a < 0 {
		sign, a = minus, -a
	}
	if a < 60 || a >= 1e10 {
		return sign + short(Num(a)) + "s"
	}
	d := int64(math.Round(a))
	if a >= 86400 { // seconds are nothing beside days
		d = (d + 30) / 60 * 60
	}
	var parts []string
	for _, u := range []struct {
		name string
		size int64
	}{{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}} {
		if n := d / u.size; n > 0 && len(parts) < 2 {
			parts = append(parts, strconv.FormatInt(n, 10)+u.name)
		}
		d %= u.size
	}
	return sign + strings.Join(parts, "\u00a0")
}
