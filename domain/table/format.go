package table

import (
	"math"
	"strconv"
	"strings"
)

// CellText writes a cell as its source would: levels as their texts, times in the column's layout, numbers with the column's
// decimals unless that would change them. A cell without a value, or of an unknown level, is "".
func (c *Column) CellText(v float64, s State) string {
	switch {
	case s != Present:
		return ""
	case c.Kind.Coded():
		if k := int(v); v >= 0 && k < len(c.Levels) {
			return c.Levels[k]
		}
		return ""
	case c.Kind == Timestamp:
		return c.timeText(v)
	case c.Decimals >= 0 && c.Decimals < len(pow10):
		if s := strconv.FormatFloat(v, 'f', c.Decimals, 64); math.Abs(v) < 1e15 {
			if back, err := strconv.ParseFloat(s, 64); err == nil && back == v {
				return s
			}
		}
	}
	if a := math.Abs(v); a != 0 && (a >= 1e15 || a < 1e-6) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// timeText writes a time in the column's layout; with its time of day and UTC where the layout would lose something.
func (c *Column) timeText(v float64) string {
	switch c.Format {
	case UnixSeconds:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case UnixMillis:
		return strconv.FormatFloat(math.Round(v*1000), 'f', -1, 64)
	case "":
	default:
		if s := TimeOf(v).Format(c.Format); !strings.Contains(c.Format, "06") {
			return s
		} else if back, err := parseTime(s, c.Format); err == nil && math.Abs(back-v) < 1e-6 {
			return s
		}
	}
	t := TimeOf(v)
	switch {
	case math.Mod(v, daySeconds) == 0:
		return t.Format("2006-01-02")
	case v == math.Trunc(v):
		return t.Format("2006-01-02T15:04:05Z")
	}
	return t.Format("2006-01-02T15:04:05.999Z")
}

// CellWords writes a cell for people: with its unit, amounts with two decimals or more, and "missing", "dropped", "masked" or
// "unknown" where there is no value. Numbers have at most six significant digits more than their column shows.
func (c *Column) CellWords(v float64, s State) string {
	switch s {
	case Missing:
		return "missing"
	case Dropped:
		return "dropped"
	case Masked:
		return "masked"
	}
	if c.Kind.Coded() {
		if v < 0 || int(v) >= len(c.Levels) {
			return "unknown"
		}
		return c.Levels[int(v)]
	}
	text := c.CellText(v, s)
	switch c.Kind {
	case Money:
		if d := max(c.Decimals, 2); v == math.Trunc(v*100)/100 || c.Decimals >= 2 {
			if short := strconv.FormatFloat(v, 'f', d, 64); math.Abs(v) < 1e15 {
				if back, err := strconv.ParseFloat(short, 64); err == nil && back == v {
					text = short
				}
			}
		}
	case Number:
		if d := max(c.Decimals, 0) + 3; math.Abs(v) < 1e15 && len(text) > 12 && (v == 0 || math.Abs(v) >= math.Pow(10, float64(-d)*0.5)) {
			text = strings.TrimRight(strconv.FormatFloat(v, 'f', d, 64), "0")
			text = strings.TrimSuffix(text, ".")
		}
	}
	if c.Unit != "" && c.Kind != Timestamp {
		text += " " + c.Unit
	}
	return text
}
