package rdata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"
)

// Types of items, as R's Rinternals.h and serialize.c number them.
const (
	nilSXP       = 0
	symSXP       = 1
	listSXP      = 2
	cloSXP       = 3
	envSXP       = 4
	promSXP      = 5
	langSXP      = 6
	specialSXP   = 7
	builtinSXP   = 8
	charSXP      = 9
	lglSXP       = 10
	intSXP       = 13
	realSXP      = 14
	cplxSXP      = 15
	strSXP       = 16
	dotSXP       = 17
	vecSXP       = 19
	exprSXP      = 20
	bcodeSXP     = 21
	extptrSXP    = 22
	weakrefSXP   = 23
	rawSXP       = 24
	s4SXP        = 25
	altrepSXP    = 238
	attrListSXP  = 239
	attrLangSXP  = 240
	baseEnvSXP   = 241
	emptyEnvSXP  = 242
	persistSXP   = 247
	packageSXP   = 248
	namespaceSXP = 249
	baseNSSXP    = 250
	missingSXP   = 251
	unboundSXP   = 252
	globalSXP    = 253
	nilValueSXP  = 254
	refSXP       = 255
)

const (
	hasAttr = 1 << 9
	hasTag  = 1 << 10
	// encodings of a CHARSXP, in the upper bits of its flags
	latin1 = 1 << 2
	// naInt is NA of integers and logicals.
	naInt = math.MinInt32
	// naLow is the lower word of the NaN that is NA of doubles.
	naLow = 1954

	maxDepth    = 2000
	maxExpanded = 1 << 26 // elements of compact sequences
)

// node is one R object.
type node struct {
	typ   int
	ints  []int32 // logical, integer
	reals []float64
	strs  []string
	na    []bool // of strs; nil where none is NA
	list  []*node
	pairs []pair // pairlist
	sym   string // symbol
	attrs []pair
}

type pair struct {
	tag   string
	value *node
}

func (n *node) attr(name string) *node { return lookup(n.attrs, name) }

func lookup(l []pair, name string) *node {
	for _, p := range l {
		if p.tag == name {
			return p.value
		}
	}
	return nil
}

// item is an element of a list by name.
func (n *node) item(name string) *node {
	names := n.attr("names")
	if names == nil {
		return nil
	}
	for i, s := range names.strs {
		if s == name && i < len(n.list) {
			return n.list[i]
		}
	}
	return nil
}

func (n *node) class() []string {
	if c := n.attr("class"); c != nil {
		return c.strs
	}
	return nil
}

type decoder struct {
	b        []byte
	at       int
	refs     []*node
	expanded int
	budget   int // bytes of memory that objects may still take
}

// decode reads one serialized object.
func decode(b []byte, limit int) (n *node, err error) {
	d := &decoder{b: b, budget: 4 * limit}
	defer func() {
		if err != nil {
			err = fmt.Errorf("byte %d: %w", d.at, err)
		}
	}()
	if len(b) < 2 || b[0] != 'X' || b[1] != '\n' {
		if len(b) > 1 && b[1] == '\n' && (b[0] == 'A' || b[0] == 'B') {
			return nil, errors.New("the stream is of R's ASCII or native binary form; this reader knows XDR, the default of R")
		}
		return nil, errors.New("this is no R data (the stream does not begin with X)")
	}
	d.at = 2
	version, err := d.int()
	if err != nil {
		return nil, err
	}
	if version != 2 && version != 3 {
		return nil, fmt.Errorf("serialization version %d; known are 2 and 3", version)
	}
	if _, err := d.bytes(8); err != nil { // versions of R
		return nil, err
	}
	if version == 3 {
		n, err := d.int()
		if err != nil {
			return nil, err
		}
		if _, err := d.bytes(n); err != nil { // the native encoding
			return nil, err
		}
	}
	return d.item(0)
}

func (d *decoder) bytes(n int) ([]byte, error) {
	if n < 0 || n > len(d.b)-d.at {
		return nil, fmt.Errorf("%d bytes are wanted, %d are left: %w", n, len(d.b)-d.at, io.ErrUnexpectedEOF)
	}
	b := d.b[d.at : d.at+n]
	d.at += n
	return b, nil
}

func (d *decoder) int() (int, error) {
	b, err := d.bytes(4)
	if err != nil {
		return 0, err
	}
	return int(int32(binary.BigEndian.Uint32(b))), nil
}

// length reads the length of a vector whose elements take at least size bytes in the stream.
func (d *decoder) length(size int) (int, error) {
	n, err := d.int()
	if err != nil {
		return 0, err
	}
	if n == -1 { // long vector: two words
		hi, err := d.int()
		if err != nil {
			return 0, err
		}
		lo, err := d.int()
		if err != nil {
			return 0, err
		}
		n = hi<<32 | int(uint32(lo))
	}
	if n < 0 || n > (len(d.b)-d.at)/size {
		return 0, fmt.Errorf("a vector of %d elements, but %d bytes are left: %w", n, len(d.b)-d.at, io.ErrUnexpectedEOF)
	}
	return n, d.spend(n * max(size, 8))
}

// nodeSize is about what a node takes in memory.
const nodeSize = 256

func (d *decoder) spend(n int) error {
	if d.budget -= n; d.budget < 0 {
		return errors.New("the objects take too much memory")
	}
	return nil
}

var nilNode = &node{typ: nilSXP}

func (d *decoder) item(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("objects are nested more than %d deep", maxDepth)
	}
	flags, err := d.int()
	if err != nil {
		return nil, err
	}
	typ := flags & 0xff
	switch typ {
	case nilSXP, nilValueSXP, emptyEnvSXP, baseEnvSXP, globalSXP, unboundSXP, missingSXP, baseNSSXP:
		return nilNode, nil
	case refSXP:
		i := flags >> 8
		if i == 0 {
			if i, err = d.int(); err != nil {
				return nil, err
			}
		}
		if i < 1 || i > len(d.refs) {
			return nil, fmt.Errorf("reference %d of %d", i, len(d.refs))
		}
		return d.refs[i-1], nil
	}
	if err := d.spend(nodeSize); err != nil {
		return nil, err
	}
	n := &node{typ: typ}
	switch typ {
	case symSXP:
		c, err := d.item(depth + 1)
		if err != nil {
			return nil, err
		}
		if len(c.strs) == 1 {
			n.sym = c.strs[0]
		}
		d.refs = append(d.refs, n)
		return n, nil
	case packageSXP, namespaceSXP, persistSXP:
		if _, err := d.int(); err != nil {
			return nil, err
		}
		l, err := d.length(4)
		if err != nil {
			return nil, err
		}
		for range l {
			if _, err := d.item(depth + 1); err != nil {
				return nil, err
			}
		}
		d.refs = append(d.refs, n)
		return n, nil
	case envSXP:
		if _, err := d.int(); err != nil { // locked
			return nil, err
		}
		d.refs = append(d.refs, n)
		for range 4 { // enclosure, frame, hash table, attributes
			if _, err := d.item(depth + 1); err != nil {
				return nil, err
			}
		}
		return n, nil
	case listSXP, langSXP, cloSXP, promSXP, dotSXP, attrListSXP, attrLangSXP:
		return n, d.pairlist(n, flags, depth)
	case extptrSXP, weakrefSXP:
		d.refs = append(d.refs, n)
		if typ == extptrSXP {
			for range 2 {
				if _, err := d.item(depth + 1); err != nil {
					return nil, err
				}
			}
		}
	case specialSXP, builtinSXP:
		l, err := d.int()
		if err != nil {
			return nil, err
		}
		if _, err := d.bytes(l); err != nil {
			return nil, err
		}
		return n, nil
	case charSXP:
		s, na, err := d.char(flags)
		if err != nil {
			return nil, err
		}
		n.addString(s, na)
	case lglSXP, intSXP:
		l, err := d.length(4)
		if err != nil {
			return nil, err
		}
		b, _ := d.bytes(4 * l)
		n.ints = make([]int32, l)
		for i := range n.ints {
			n.ints[i] = int32(binary.BigEndian.Uint32(b[4*i:]))
		}
	case realSXP, cplxSXP:
		size := 8
		if typ == cplxSXP {
			size = 16
		}
		l, err := d.length(size)
		if err != nil {
			return nil, err
		}
		b, _ := d.bytes(size * l)
		if typ == realSXP {
			n.reals = make([]float64, l)
			for i := range n.reals {
				n.reals[i] = math.Float64frombits(binary.BigEndian.Uint64(b[8*i:]))
			}
		}
	case strSXP:
		l, err := d.length(8)
		if err != nil {
			return nil, err
		}
		n.strs = make([]string, l)
		for i := range l {
			flags, err := d.int()
			if err != nil {
				return nil, err
			}
			if flags&0xff != charSXP || flags&hasAttr != 0 {
				return nil, fmt.Errorf("element %d of a vector of texts is of type %d", i+1, flags&0xff)
			}
			s, na, err := d.char(flags)
			if err != nil {
				return nil, err
			}
			n.strs[i] = s
			if na {
				if n.na == nil {
					n.na = make([]bool, l)
				}
				n.na[i] = true
			}
		}
	case vecSXP, exprSXP:
		l, err := d.length(4)
		if err != nil {
			return nil, err
		}
		n.list = make([]*node, l)
		for i := range l {
			if n.list[i], err = d.item(depth + 1); err != nil {
				return nil, err
			}
		}
	case rawSXP:
		l, err := d.length(1)
		if err != nil {
			return nil, err
		}
		if _, err := d.bytes(l); err != nil {
			return nil, err
		}
	case s4SXP:
	case altrepSXP:
		return d.altrep(depth)
	case bcodeSXP:
		return nil, errors.New("compiled code is not read")
	default:
		return nil, fmt.Errorf("unknown type %d", typ)
	}
	if flags&hasAttr != 0 {
		a, err := d.item(depth + 1)
		if err != nil {
			return nil, err
		}
		n.attrs = a.pairs
	}
	return n, nil
}

// pairlist reads a chain of pairs without recursion along the chain.
func (d *decoder) pairlist(n *node, flags, depth int) error {
	for first := true; ; first = false {
		typ := flags & 0xff
		if flags&hasAttr != 0 || typ == attrListSXP || typ == attrLangSXP {
			a, err := d.item(depth + 1)
			if err != nil {
				return err
			}
			if first {
				n.attrs = a.pairs
			}
		}
		var p pair
		if flags&hasTag != 0 {
			t, err := d.item(depth + 1)
			if err != nil {
				return err
			}
			p.tag = t.sym
		}
		v, err := d.item(depth + 1)
		if err != nil {
			return err
		}
		p.value = v
		if err := d.spend(nodeSize); err != nil {
			return err
		}
		n.pairs = append(n.pairs, p)
		// The rest of the chain: another pair goes on here, anything else ends it.
		at := d.at
		if flags, err = d.int(); err != nil {
			return err
		}
		switch flags & 0xff {
		case listSXP, langSXP, cloSXP, promSXP, dotSXP, attrListSXP, attrLangSXP:
			continue
		case nilValueSXP, nilSXP:
			return nil
		}
		d.at = at
		v, err = d.item(depth + 1)
		if err != nil {
			return err
		}
		n.pairs = append(n.pairs, pair{value: v}) // a dotted pair
		return nil
	}
}

func (d *decoder) char(flags int) (s string, na bool, err error) {
	l, err := d.int()
	if err != nil {
		return "", false, err
	}
	if l == -1 {
		return "", true, nil
	}
	b, err := d.bytes(l)
	if err != nil {
		return "", false, err
	}
	if err := d.spend(2 * l); err != nil {
		return "", false, err
	}
	if flags>>12&latin1 != 0 || !utf8.Valid(b) {
		r := make([]rune, len(b))
		for i, c := range b {
			r[i] = rune(c)
		}
		return string(r), false, nil
	}
	return string(b), false, nil
}

// altrep reads an object in an alternative representation: its class, its state and its attributes.
func (d *decoder) altrep(depth int) (*node, error) {
	var it [3]*node
	for i := range it {
		var err error
		if it[i], err = d.item(depth + 1); err != nil {
			return nil, err
		}
	}
	info, state := it[0], it[1]
	if len(info.pairs) == 0 {
		return nil, errors.New("an alternative representation without a class")
	}
	n, err := d.expand(info.pairs[0].value.sym, state)
	if err != nil {
		return nil, err
	}
	out := *n
	out.attrs = it[2].pairs
	return &out, nil
}

// expand turns the state of the classes of R's altclasses.c into a plain vector.
func (d *decoder) expand(class string, state *node) (*node, error) {
	head := state // of "wrap" and deferred classes: first element
	switch {
	case len(state.pairs) > 0:
		head = state.pairs[0].value
	case len(state.list) > 0:
		head = state.list[0]
	}
	switch class {
	case "compact_intseq", "compact_realseq":
		if len(state.reals) != 3 || !(state.reals[0] >= 0 && state.reals[0] <= maxExpanded) {
			return nil, fmt.Errorf("%s: state is not (length up to %d, first, step)", class, maxExpanded)
		}
		l := int(state.reals[0])
		if d.expanded += l; d.expanded > maxExpanded || d.spend(8*l) != nil {
			return nil, fmt.Errorf("%s: more than %d elements", class, maxExpanded)
		}
		if class == "compact_realseq" {
			n := &node{typ: realSXP, reals: make([]float64, l)}
			for i := range n.reals {
				n.reals[i] = state.reals[1] + float64(i)*state.reals[2]
			}
			return n, nil
		}
		n := &node{typ: intSXP, ints: make([]int32, l)}
		for i := range n.ints {
			v := state.reals[1] + float64(i)*state.reals[2]
			if !(v > math.MinInt32 && v <= math.MaxInt32) {
				return nil, fmt.Errorf("%s: element %d is %g, which is no integer of 32 bits", class, i+1, v)
			}
			n.ints[i] = int32(v)
		}
		return n, nil
	case "deferred_string":
		n := &node{typ: strSXP}
		switch {
		case head.typ == intSXP:
			for _, v := range head.ints {
				n.addString(strconv.Itoa(int(v)), v == naInt)
			}
		case head.typ == realSXP:
			for _, v := range head.reals {
				n.addString(strconv.FormatFloat(v, 'g', 15, 64), isNA(v))
			}
		default:
			return nil, fmt.Errorf("%s: state of type %d", class, head.typ)
		}
		return n, nil
	case "wrap_integer", "wrap_logical", "wrap_real", "wrap_string", "wrap_list":
		return head, nil
	}
	return nil, fmt.Errorf("unknown representation %q", class)
}

func (n *node) addString(s string, na bool) {
	if na {
		s = ""
		if n.na == nil {
			n.na = make([]bool, len(n.strs))
		}
	}
	n.strs = append(n.strs, s)
	if n.na != nil {
		n.na = append(n.na, na)
	}
}

// isNA reports R's NA among the NaNs.
func isNA(v float64) bool { return math.IsNaN(v) && uint32(math.Float64bits(v)) == naLow }
