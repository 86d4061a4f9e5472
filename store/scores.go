package store

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
)

// Score is one measured number. Budget counts labels, validation labels included; 0 = all.
type Score struct {
	Method string  `json:"method"`
	Task   string  `json:"task"`
	Metric string  `json:"metric"`
	Budget int     `json:"budget"`
	Seed   int     `json:"seed"`
	Value  float64 `json:"value"`
}

var scoreColumns = []string{"method", "task", "metric", "budget", "seed", "value"}

// WriteScores writes the rows as CSV, in their order, with the columns
// method,task,metric,budget,seed,value. A value is the shortest decimal that gives the
// float64 back, so the same scores give the same bytes.
func WriteScores(w io.Writer, rows []Score) error {
	lines := [][]string{scoreColumns}
	for _, s := range rows {
		lines = append(lines, []string{s.Method, s.Task, s.Metric, strconv.Itoa(s.Budget), strconv.Itoa(s.Seed), FormatFloat(s.Value)})
	}
	if err := csv.NewWriter(w).WriteAll(lines); err != nil { // flushes
		return fmt.Errorf("store: scores: %w", err)
	}
	return nil
}

// SaveScores writes a score file atomically.
func SaveScores(path string, rows []Score) error {
	return WriteFile(path, func(w io.Writer) error { return WriteScores(w, rows) })
}

// ReadScores reads what WriteScores wrote. Errors name file, line and column.
func ReadScores(path string) ([]Score, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer f.Close()
	return decodeScores(f, path)
}

func decodeScores(r io.Reader, path string) ([]Score, error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord = len(scoreColumns)
	c.ReuseRecord = true
	head, err := c.Read()
	if err != nil || !slices.Equal(head, scoreColumns) {
		return nil, fmt.Errorf("store: %s: first line is not %v: %w", path, scoreColumns, errors.Join(err, errHeader))
	}
	var out []Score
	for {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("store: %s: %w", path, err)
		}
		s := Score{Method: rec[0], Task: rec[1], Metric: rec[2]}
		var errs [3]error
		s.Budget, errs[0] = strconv.Atoi(rec[3])
		s.Seed, errs[1] = strconv.Atoi(rec[4])
		s.Value, errs[2] = strconv.ParseFloat(rec[5], 64)
		for i, err := range errs {
			if err != nil {
				line, col := c.FieldPos(3 + i)
				return nil, fmt.Errorf("store: %s:%d:%d: %s: %w", path, line, col, scoreColumns[3+i], err)
			}
		}
		out = append(out, s)
	}
}

var errHeader = errors.New("wrong header")

// FormatFloat writes v the same way on every machine: the shortest decimal that gives
// v back, without an exponent between 1e-5 and 1e21; "NaN", "+Inf", "-Inf".
func FormatFloat(v float64) string {
	if a := math.Abs(v); a != 0 && !math.IsInf(v, 0) && (a < 1e-5 || a >= 1e21) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
