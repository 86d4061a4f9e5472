package store

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// DType is the element type of a tensor in a safetensors file.
type DType string

// The element types that are read and written.
const (
	U8   DType = "U8"
	I32  DType = "I32"
	I64  DType = "I64"
	F16  DType = "F16"
	BF16 DType = "BF16"
	F32  DType = "F32"
)

// Size returns the bytes of one element, or 0 for an unknown type.
func (d DType) Size() int {
	switch d {
	case U8:
		return 1
	case F16, BF16:
		return 2
	case I32, F32:
		return 4
	case I64:
		return 8
	}
	return 0
}

// Limits of a file that is read.
const (
	maxHeader  = 100_000_000 // as the reference implementation (huggingface/safetensors, MAX_HEADER_SIZE)
	maxTensors = 1_000_000
	maxRank    = 32
	metaKey    = "__metadata__"
)

// ErrTensors: a file is not well-formed safetensors.
var ErrTensors = errors.New("store: not a valid safetensors file")

// Tensor is a named array. Data is []uint8, []int32, []int64, []float32, or []uint16 (the
// bit patterns of F16 and BF16), row-major.
type Tensor struct {
	Name  string
	DType DType
	Shape []int // empty = scalar
	Data  any
}

// Tensors is the content of a file.
type Tensors struct {
	Meta map[string]string
	List []Tensor // in the order of the data
}

// Get returns a tensor by name, or nil.
func (t *Tensors) Get(name string) *Tensor {
	for i := range t.List {
		if t.List[i].Name == name {
			return &t.List[i]
		}
	}
	return nil
}

// F32Data returns the elements if the tensor holds float32 of the shape given, else an error that says what it holds.
func (t *Tensor) F32Data(shape ...int) ([]float32, error) {
	if t == nil {
		return nil, fmt.Errorf("%w: tensor missing", ErrTensors)
	}
	d, ok := t.Data.([]float32)
	if !ok || !slices.Equal(t.Shape, shape) {
		return nil, fmt.Errorf("%w: tensor %s is %s%v, want F32%v", ErrTensors, t.Name, t.DType, t.Shape, shape)
	}
	return d, nil
}

type entry struct {
	DType   DType    `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// WriteTensors writes a safetensors stream: an 8-byte little-endian header length, a JSON
// header padded with spaces to 8 bytes, then the data, largest element type first
// and by name, so that everything is aligned and the same input gives the same bytes.
// Format: https://huggingface.co/docs/safetensors.
func WriteTensors(w io.Writer, list []Tensor, meta map[string]string) error {
	list = slices.Clone(list)
	sort.SliceStable(list, func(i, j int) bool {
		if a, b := list[i].DType.Size(), list[j].DType.Size(); a != b {
			return a > b
		}
		return list[i].Name < list[j].Name
	})
	head := map[string]any{}
	if len(meta) > 0 {
		for k, v := range meta {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return fmt.Errorf("store: metadata %q is not UTF-8", k)
			}
		}
		head[metaKey] = meta
	}
	var at int64
	for _, t := range list {
		if _, dup := head[t.Name]; dup || t.Name == metaKey || !utf8.ValidString(t.Name) {
			return fmt.Errorf("store: tensor name %q is taken, reserved, or not UTF-8", t.Name)
		}
		n, err := elements(t.Shape)
		if err != nil {
			return fmt.Errorf("store: tensor %s: %w", t.Name, err)
		}
		if have := length(t); have != n {
			return fmt.Errorf("store: tensor %s: %T of %d elements, want %s%v", t.Name, t.Data, have, t.DType, t.Shape)
		}
		shape := make([]int64, len(t.Shape))
		for i, d := range t.Shape {
			shape[i] = int64(d)
		}
		size := n * int64(t.DType.Size())
		head[t.Name] = entry{t.DType, shape, [2]int64{at, at + size}}
		at += size
	}
	b, err := json.Marshal(head) // sorts the keys
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	if len(b) > maxHeader {
		return fmt.Errorf("store: safetensors header of %d bytes, limit %d", len(b), maxHeader)
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b)))); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, t := range list {
		if err := writeData(w, t.Data); err != nil {
			return fmt.Errorf("store: tensor %s: %w", t.Name, err)
		}
	}
	return nil
}

// SaveTensors writes a safetensors file atomically.
func SaveTensors(path string, list []Tensor, meta map[string]string) error {
	return WriteFile(path, func(w io.Writer) error { return WriteTensors(w, list, meta) })
}

// ReadTensors reads a whole safetensors file, checking everything: lengths, offsets,
// gaps and overlaps, types, shapes, names. It never runs code and never allocates more
// than the file is large. A malformed file gives an error that is [ErrTensors].
func ReadTensors(path string) (*Tensors, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	t, err := DecodeTensors(bufio.NewReaderSize(f, 1<<16), st.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// DecodeTensors is [ReadTensors] on a stream of size bytes.
func DecodeTensors(r io.Reader, size int64) (*Tensors, error) {
	bad := func(format string, args ...any) (*Tensors, error) {
		return nil, fmt.Errorf("%w: %s", ErrTensors, fmt.Sprintf(format, args...))
	}
	var n [8]byte
	if size < 8 {
		return bad("%d bytes, want at least 8", size)
	}
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	length := binary.LittleEndian.Uint64(n[:])
	if length > maxHeader {
		return bad("header of %d bytes, limit %d", length, maxHeader)
	}
	if int64(length) > size-8 {
		return bad("header of %d bytes in a file of %d", length, size)
	}
	head := make([]byte, length)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	out, entries, err := parseHeader(head)
	if err != nil {
		return bad("%v", err)
	}
	var at int64
	body := size - 8 - int64(length)
	for _, i := range order(entries) {
		e, name := entries[i], out.List[i].Name
		switch {
		case e.Offsets[0] != at:
			return bad("tensor %q starts at %d, the one before ends at %d", name, e.Offsets[0], at)
		case e.Offsets[1] > body:
			return bad("tensor %q ends at %d, the data at %d", name, e.Offsets[1], body)
		}
		at = e.Offsets[1]
	}
	if at != body {
		return bad("tensors end at %d, the data at %d", at, body)
	}
	idx := order(entries)
	list := make([]Tensor, 0, len(idx))
	for _, i := range idx {
		t := out.List[i]
		if t.Data, err = readData(r, t.DType, (entries[i].Offsets[1]-entries[i].Offsets[0])/int64(t.DType.Size())); err != nil {
			return nil, fmt.Errorf("store: tensor %s: %w", t.Name, err)
		}
		list = append(list, t)
	}
	out.List = list
	return out, nil
}

// order sorts tensors by their place; empty ones stand before what starts at the same place.
func order(entries []entry) []int {
	idx := make([]int, len(entries))
	for i := range idx {
		idx[i] = i
	}
	sort.SliceStable(idx, func(a, b int) bool {
		x, y := entries[idx[a]].Offsets, entries[idx[b]].Offsets
		if x[0] != y[0] {
			return x[0] < y[0]
		}
		return x[1] < y[1]
	})
	return idx
}

// parseHeader walks the JSON token by token, because a map would hide duplicate names.
func parseHeader(b []byte) (*Tensors, []entry, error) {
	if !utf8.Valid(b) {
		return nil, nil, errors.New("header is not UTF-8")
	}
	if len(b) == 0 || b[0] != '{' {
		return nil, nil, errors.New("header does not begin with {")
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	if _, err := dec.Token(); err != nil {
		return nil, nil, err
	}
	out := &Tensors{}
	var entries []entry
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		name, _ := tok.(string)
		if seen[name] {
			return nil, nil, fmt.Errorf("name %q is given twice", name)
		}
		seen[name] = true
		if name == metaKey {
			if err := dec.Decode(&out.Meta); err != nil {
				return nil, nil, fmt.Errorf("metadata: %w", err)
			}
			continue
		}
		if len(entries) == maxTensors {
			return nil, nil, fmt.Errorf("more than %d tensors", maxTensors)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		var probe struct {
			DType   *DType   `json:"dtype"`
			Shape   *[]int64 `json:"shape"`
			Offsets *[]int64 `json:"data_offsets"`
		}
		strict := json.NewDecoder(strings.NewReader(string(raw)))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&probe); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if probe.DType == nil || probe.Shape == nil || probe.Offsets == nil || len(*probe.Offsets) != 2 {
			return nil, nil, fmt.Errorf("tensor %q: wants dtype, shape and two data_offsets", name)
		}
		e := entry{*probe.DType, *probe.Shape, [2]int64(*probe.Offsets)}
		if e.DType.Size() == 0 {
			return nil, nil, fmt.Errorf("tensor %q: element type %q is not supported", name, e.DType)
		}
		shape := make([]int, len(e.Shape))
		for i, d := range e.Shape {
			if d > math.MaxInt32 {
				return nil, nil, fmt.Errorf("tensor %q: dimension %d is above %d", name, d, math.MaxInt32)
			}
			shape[i] = int(d)
		}
		n, err := elements(shape)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1]-e.Offsets[0] != n*int64(e.DType.Size()) {
			return nil, nil, fmt.Errorf("tensor %q: offsets %v do not fit %s%v", name, e.Offsets, e.DType, e.Shape)
		}
		out.List = append(out.List, Tensor{Name: name, DType: e.DType, Shape: shape})
		entries = append(entries, e)
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, nil, err
	}
	if rest := strings.TrimRight(string(b[dec.InputOffset():]), " "); rest != "" {
		return nil, nil, errors.New("text after the header")
	}
	return out, entries, nil
}

// elements multiplies a shape, refusing what no file can hold.
func elements(shape []int) (int64, error) {
	if len(shape) > maxRank {
		return 0, fmt.Errorf("rank %d, limit %d", len(shape), maxRank)
	}
	n := int64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("negative dimension in %v", shape)
		}
		if d > 0 && n > math.MaxInt64/16/int64(d) {
			return 0, fmt.Errorf("shape %v overflows", shape)
		}
		n *= int64(d)
	}
	return n, nil
}

// length returns the number of elements if Data fits the DType, else -1.
func length(t Tensor) int64 {
	switch d := t.Data.(type) {
	case []uint8:
		if t.DType == U8 {
			return int64(len(d))
		}
	case []uint16:
		if t.DType == F16 || t.DType == BF16 {
			return int64(len(d))
		}
	case []int32:
		if t.DType == I32 {
			return int64(len(d))
		}
	case []int64:
		if t.DType == I64 {
			return int64(len(d))
		}
	case []float32:
		if t.DType == F32 {
			return int64(len(d))
		}
	}
	return -1
}

// chunk is the number of elements that are converted at once.
const chunk = 1 << 14

func writeData(w io.Writer, data any) error {
	switch d := data.(type) {
	case []uint8:
		_, err := w.Write(d)
		return err
	case []uint16:
		return writeChunks(w, d, binary.LittleEndian.AppendUint16)
	case []int32:
		return writeChunks(w, d, func(b []byte, v int32) []byte { return binary.LittleEndian.AppendUint32(b, uint32(v)) })
	case []int64:
		return writeChunks(w, d, func(b []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(b, uint64(v)) })
	case []float32:
		return writeChunks(w, d, func(b []byte, v float32) []byte { return binary.LittleEndian.AppendUint32(b, math.Float32bits(v)) })
	}
	return fmt.Errorf("cannot write %T", data)
}

func writeChunks[E any](w io.Writer, d []E, put func([]byte, E) []byte) error {
	var buf []byte
	for len(d) > 0 {
		n := min(len(d), chunk)
		buf = buf[:0]
		for _, v := range d[:n] {
			buf = put(buf, v)
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		d = d[n:]
	}
	return nil
}

func readData(r io.Reader, dt DType, n int64) (any, error) {
	le := binary.LittleEndian
	switch dt {
	case U8:
		return readChunks(r, n, 1, func(b []byte) uint8 { return b[0] })
	case F16, BF16:
		return readChunks(r, n, 2, le.Uint16)
	case I32:
		return readChunks(r, n, 4, func(b []byte) int32 { return int32(le.Uint32(b)) })
	case I64:
		return readChunks(r, n, 8, func(b []byte) int64 { return int64(le.Uint64(b)) })
	case F32:
		return readChunks(r, n, 4, func(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) })
	}
	return nil, fmt.Errorf("cannot read %s", dt)
}

func readChunks[E any](r io.Reader, n int64, size int, get func([]byte) E) ([]E, error) {
	out := make([]E, 0, n) // n was checked against the size of the file
	buf := make([]byte, min(n, chunk)*int64(size))
	for int64(len(out)) < n {
		b := buf[:min(n-int64(len(out)), chunk)*int64(size)]
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		for i := 0; i < len(b); i += size {
			out = append(out, get(b[i:i+size]))
		}
	}
	return out, nil
}
