package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
)

// DigitsSide is the width and height of a digit in pixels.
const DigitsSide = 8

// Digits returns the embedded handwritten digits: pixels [1797, 8, 8] row by row with values
// 0..16 as published, and labels [1797] in 0..9.
func Digits() (pixels []uint8, labels []int32, err error) {
	z, err := gzip.NewReader(bytes.NewReader(digitsGZ))
	if err != nil {
		return nil, nil, &Error{Path: "digits", Err: err}
	}
	r := csv.NewReader(z)
	r.ReuseRecord = true
	r.FieldsPerRecord = DigitsSide*DigitsSide + 1
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return pixels, labels, nil
		}
		if err != nil {
			return nil, nil, &Error{Path: "digits", Err: err}
		}
		for i, s := range rec {
			v, err := strconv.ParseUint(s, 10, 8)
			switch {
			case err != nil:
				return nil, nil, &Error{Path: "digits", Err: err}
			case i == len(rec)-1:
				labels = append(labels, int32(v))
			case v > 16:
				return nil, nil, Bad("digits", "row "+strconv.Itoa(len(labels)), "value %d is above 16", v)
			default:
				pixels = append(pixels, uint8(v))
			}
		}
	}
}
