package rowrule

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// durationUnits in seconds. A day has 24 hours; months and years have no fixed length and are no units.
var durationUnits = map[string]float64{"ms": 1e-3, "s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}

// ParseDuration reads a duration such as "90s", "10m", "1h30m", "36h", "7d", "2w" or "-28d" as seconds. A number without
// a unit is none.
func ParseDuration(s string) (seconds float64, ok bool) {
	s = strings.TrimSpace(s)
	sign := 1.0
	if rest, cut := strings.CutPrefix(s, "-"); cut {
		sign, s = -1, rest
	} else {
		s = strings.TrimPrefix(s, "+")
	}
	if s == "" {
		return 0, false
	}
	for s != "" {
		n := 0
		for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '.' || s[n] == '_') {
			n++
		}
		u := n
		for u < len(s) && (s[u] >= 'a' && s[u] <= 'z') {
			u++
		}
		f, err := strconv.ParseFloat(strings.ReplaceAll(s[:n], "_", ""), 64)
		unit, known := durationUnits[s[n:u]]
		if err != nil || !known {
			return 0, false
		}
		seconds += f * unit
		s = s[u:]
	}
	return sign * seconds, !math.IsInf(seconds, 0)
}

// FormatDuration writes seconds so that [ParseDuration] gives them back exactly, in the largest unit of which they are
// a whole number.
func FormatDuration(seconds float64) string {
	if seconds != 0 && seconds == math.Trunc(seconds) && math.Abs(seconds) < 1<<53 {
		for _, u := range []string{"d", "h", "m"} {
			if k := seconds / durationUnits[u]; k == math.Trunc(k) {
				return strconv.FormatFloat(k, 'f', -1, 64) + u
			}
		}
	}
	return strconv.FormatFloat(seconds, 'f', -1, 64) + "s"
}

var timeLayouts = []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00"}

// ParseTime reads a date, or a date and a time of day, as seconds since 1970-01-01T00:00:00Z. Without an offset it is UTC; a
// space may stand for the T. A date that does not exist is none.
func ParseTime(s string) (seconds float64, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) > 10 && s[10] == ' ' {
		s = s[:10] + "T" + strings.TrimLeft(s[11:], " ")
	}
	for _, l := range timeLayouts {
		if t, err := time.Parse(l, s); err == nil {
			return float64(t.Unix()) + float64(t.Nanosecond())/1e9, true
		}
	}
	return 0, false
}

// FormatTime writes seconds since 1970 as a date, or as a date and time where it is not midnight; "" where no such text
// gives them back exactly.
func FormatTime(seconds float64) string {
	if seconds != math.Trunc(seconds) || seconds < -62135596800 || seconds > 253402300799 { // years 1 to 9999
		return ""
	}
	t := time.Unix(int64(seconds), 0).UTC()
	if int64(seconds)%86400 == 0 {
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02T15:04:05")
}
