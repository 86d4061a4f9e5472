package table

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/selfsame-ml/selfsame/dataset"
)

// The encodings of text, as data.encoding names them.
const (
	utf8Text    = "utf-8"
	utf16Text   = "utf-16"
	latin1Text  = "latin-1"
	windowsText = "windows-1252"
)

const (
	headBytes = 1 << 20 // what dialect and encoding are judged by
	blockSize = 256 << 10
	// maxRecord is the longest record of a text file. A quote that is never closed would else swallow the memory.
	maxRecord = 64 << 20
)

// file is an open file of any compression with the number of stored bytes that were read.
type file struct {
	io.Reader
	closers  []func() error
	read     atomic.Int64
	size     int64
	compress string
}

func (f *file) Close() error {
	var errs []error
	for i := len(f.closers) - 1; i >= 0; i-- {
		errs = append(errs, f.closers[i]())
	}
	f.closers = nil
	return errors.Join(errs...)
}

type countReader struct {
	ctx context.Context
	r   io.Reader
	n   *atomic.Int64
}

func (c countReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// Stdin is the name of the standard input as a source.
const Stdin = "-"

// openFile opens a file; gzip and zstd, known by their first bytes, are unpacked while reading.
func openFile(ctx context.Context, path string) (*file, error) {
	f := &file{}
	var raw io.Reader
	if path == Stdin {
		raw = os.Stdin
	} else {
		st, err := os.Stat(path)
		if err != nil {
			return nil, &dataset.Error{Path: path, Err: bareError(err)}
		}
		if st.IsDir() {
			return nil, &dataset.Error{Path: path, Err: errors.New("a folder, not a table"), Hint: "name one file: CSV, JSON lines, Parquet, ARFF or SQLite"}
		}
		osf, err := os.Open(path)
		if err != nil {
			return nil, &dataset.Error{Path: path, Err: bareError(err)}
		}
		f.size = st.Size()
		f.closers = append(f.closers, osf.Close)
		raw = osf
	}
	br := bufio.NewReaderSize(countReader{ctx, raw, &f.read}, 128<<10)
	f.Reader = br
	magic, _ := br.Peek(4)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(br)
		if err != nil {
			f.Close()
			return nil, &dataset.Error{Path: path, Err: fmt.Errorf("gzip: %w", err)}
		}
		f.compress, f.Reader = "gzip", z
		f.closers = append(f.closers, z.Close)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1))
		if err != nil {
			f.Close()
			return nil, &dataset.Error{Path: path, Err: fmt.Errorf("zstd: %w", err)}
		}
		f.compress, f.Reader = "zstd", z
		f.closers = append(f.closers, func() error { z.Close(); return nil })
	}
	return f, nil
}

// bareError drops the operation and the path of an error of package os, which the message names already.
func bareError(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// textInput gives a file as UTF-8.
type textInput struct {
	*file
	encoding string // "" while only ASCII was seen
	bom      bool
	order    byte // of UTF-16: 'l' or 'b'
	pending  []byte
	raw      []byte
	rest     []byte // of UTF-16: an odd byte or a lead surrogate that waits for its pair
	head     []byte // first decoded bytes, not yet given
	err      error
}

// openText opens a text file in an encoding ("" is found) and looks at its head.
func openText(ctx context.Context, path, encoding string) (*textInput, error) {
	f, err := openFile(ctx, path)
	if err != nil {
		return nil, err
	}
	t := &textInput{file: f, encoding: encoding, raw: make([]byte, min(blockSize, max(f.size, 4096)))}
	if err := t.readHead(); err != nil {
		f.Close()
		return nil, &dataset.Error{Path: path, Err: err}
	}
	return t, nil
}

func (t *textInput) readHead() error {
	size := int64(headBytes)
	if t.size > 0 && t.compress == "" {
		size = min(size, t.size+1)
	}
	b := make([]byte, size)
	n, err := io.ReadFull(t.Reader, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if err != nil {
		t.err = io.EOF
	}
	b = b[:n]
	switch {
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}) && (t.encoding == "" || t.encoding == utf8Text):
		t.encoding, t.bom = utf8Text, true
		b = b[3:]
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}) && (t.encoding == "" || t.encoding == utf16Text):
		t.encoding, t.order, t.bom = utf16Text, 'l', true
		b = b[2:]
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}) && (t.encoding == "" || t.encoding == utf16Text):
		t.encoding, t.order, t.bom = utf16Text, 'b', true
		b = b[2:]
	case t.encoding == "" || t.encoding == utf16Text:
		if o := guessUTF16(b); o != 0 {
			t.encoding, t.order = utf16Text, o
		} else if t.encoding == utf16Text {
			t.order = 'l'
		}
	}
	t.head = t.decode(b)
	return nil
}

// guessUTF16 is the byte order of text in UTF-16 without a mark: half of the bytes of Western text are zero, all at odd
// or all at even places.
func guessUTF16(b []byte) byte {
	b = b[:min(len(b), 4096)&^1]
	var zero [2]int
	for i, c := range b {
		if c == 0 {
			zero[i&1]++
		}
	}
	half := len(b) / 2
	switch {
	case half > 1 && zero[1]*10 > half*7 && zero[0]*20 < half:
		return 'l'
	case half > 1 && zero[0]*10 > half*7 && zero[1]*20 < half:
		return 'b'
	}
	return 0
}

// found names the encoding for people.
func (t *textInput) found() string {
	s := t.encoding
	if s == "" {
		s = utf8Text // all ASCII
	}
	if t.order == 'l' {
		s += " little endian"
	} else if t.order == 'b' {
		s += " big endian"
	}
	if t.bom {
		s += " with byte order mark"
	}
	if t.compress != "" {
		s = t.compress + ", " + s
	}
	return s
}

// Read gives UTF-8. What is no text in the encoding stays invalid UTF-8, so that the record that holds it can be named.
func (t *textInput) Read(p []byte) (int, error) {
	for {
		if len(t.pending) > 0 {
			n := copy(p, t.pending)
			t.pending = t.pending[n:]
			return n, nil
		}
		if len(t.head) > 0 {
			t.pending, t.head = t.head, nil
			continue
		}
		if t.err != nil {
			if len(t.rest) > 0 { // half of a character at the end
				t.pending, t.rest = []byte{0xff}, nil
				continue
			}
			return 0, t.err
		}
		into := t.raw
		if (t.encoding == "" || t.encoding == utf8Text) && len(p) >= 4096 {
			into = p
		}
		n, err := t.Reader.Read(into)
		if err != nil {
			t.err = err
		}
		out := t.decode(into[:n])
		if n > 0 && len(out) == n && &out[0] == &p[0] {
			return n, nil
		}
		t.pending = out
	}
}

func ascii(b []byte) bool {
	for len(b) >= 8 {
		if uint64(b[0])|uint64(b[1])|uint64(b[2])|uint64(b[3])|uint64(b[4])|uint64(b[5])|uint64(b[6])|uint64(b[7]) >= utf8.RuneSelf {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// validPrefix reports valid UTF-8, but for a last character that may be cut.
func validPrefix(b []byte) bool {
	if utf8.Valid(b) {
		return true
	}
	for k := 1; k < utf8.UTFMax && k <= len(b); k++ {
		if i := len(b) - k; utf8.RuneStart(b[i]) {
			return !utf8.FullRune(b[i:]) && utf8.Valid(b[:i])
		}
	}
	return false
}

// decode turns raw bytes to UTF-8. Until the first byte beyond ASCII an undeclared encoding stays open.
func (t *textInput) decode(b []byte) []byte {
	if t.encoding == "" && !ascii(b) {
		t.encoding = utf8Text
		if !validPrefix(b) {
			t.encoding = windowsText
		}
	}
	switch t.encoding {
	case latin1Text, windowsText:
		if ascii(b) {
			return b
		}
		out := make([]byte, 0, len(b)+len(b)/8)
		for _, c := range b {
			switch {
			case c < utf8.RuneSelf:
				out = append(out, c)
			case c < 0xa0 && t.encoding == windowsText:
				out = utf8.AppendRune(out, windows1252[c-0x80])
			default:
				out = utf8.AppendRune(out, rune(c))
			}
		}
		return out
	case utf16Text:
		if len(t.rest) > 0 {
			b = append(t.rest, b...)
			t.rest = nil
		}
		out := make([]byte, 0, len(b))
		for len(b) >= 2 {
			u := unit(b, t.order)
			if !utf16.IsSurrogate(rune(u)) {
				out, b = utf8.AppendRune(out, rune(u)), b[2:]
				continue
			}
			if len(b) < 4 && u < 0xdc00 {
				break
			}
			r := rune(utf8.RuneError)
			if u < 0xdc00 {
				r = utf16.DecodeRune(rune(u), rune(unit(b[2:], t.order)))
			}
			if r == utf8.RuneError {
				out, b = append(out, 0xff), b[2:] // stays invalid
				continue
			}
			out, b = utf8.AppendRune(out, r), b[4:]
		}
		if len(b) > 0 {
			t.rest = bytes.Clone(b)
		}
		return out
	}
	return b
}

func unit(b []byte, order byte) uint16 {
	if order == 'l' {
		return uint16(b[0]) | uint16(b[1])<<8
	}
	return uint16(b[1]) | uint16(b[0])<<8
}

// windows1252 are the characters 0x80..0x9f (WHATWG Encoding Standard); those left open stay control characters.
var windows1252 = [32]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8d, 'Ž', 0x8f,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9d, 'ž', 'Ÿ',
}

// Position is how far a reader is in its source; total is 0 where it is not known.
func (f *file) Position() (done, total int64) { return f.read.Load(), f.size }

func delimiterWord(b byte) string {
	switch b {
	case ',':
		return "comma"
	case ';':
		return "semicolon"
	case '\t':
		return "tab"
	case '|':
		return "bar"
	}
	return fmt.Sprintf("%q", b)
}

// parseDelimiter reads data.delimiter.
func parseDelimiter(s string) (byte, error) {
	switch strings.ToLower(s) {
	case "":
		return 0, nil
	case "tab", `\t`:
		return '\t', nil
	case "comma":
		return ',', nil
	case "semicolon":
		return ';', nil
	case "bar", "pipe":
		return '|', nil
	case "space":
		return ' ', nil
	}
	if len(s) == 1 && s[0] != '"' && s[0] != '\n' && s[0] != '\r' && s[0] < utf8.RuneSelf {
		return s[0], nil
	}
	return 0, fmt.Errorf("table: data.delimiter %q is not one ASCII character (or tab)", s)
}
