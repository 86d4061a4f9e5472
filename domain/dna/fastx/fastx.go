// Package fastx reads and writes files of nucleotide sequences, FASTA and FASTQ,
// plain or in gzip, strictly: every record of the input reaches the caller, or an
// error says in which file, record and line something is wrong.
//
// Most users need [Open] and [Reader.Read], [OpenPairs] for mates, and [Create] to write:
//
//	r, err := fastx.Open("reads.fq.gz", fastx.Options{})
//	...
//	defer r.Close()
//	var rec fastx.Record
//	for {
//		if err := r.Read(&rec); err == io.EOF {
//			break
//		} else if err != nil {
//			return err // *dataset.Error with file, record and line
//		}
//	}
//
// # What is read
//
// FASTA (Pearson & Lipman 1988) with sequences over any number of lines, and FASTQ (Cock et al. 2010) with
// qualities Phred+33, usually four lines a record; records that wrap sequence and quality over
// several lines are read too. Files may be plain, gzip with any number of members, or BGZF (blocks are
// unpacked in parallel) with empty blocks anywhere, as `cat a.fq.gz b.fq.gz` leaves them. The compression is known by the
// first bytes, not by the name.
//
//   - Case, IUPAC codes (R Y K M S W B D H V N) and U are kept as they are. '-', '*', '.', digits, blanks and other
//     letters are refused with line and column; letters that only amino acids have say that the file looks like protein.
//   - An empty sequence is a record like any other. Names may be empty, and may repeat.
//   - Text after the '+' of FASTQ is kept in [Record.Plus]; where it is not the name again, Options.Warn hears of it once.
//   - Windows line ends are taken off; the [Writer] writes '\n'. A byte order mark of UTF-8 is skipped.
//   - Blank lines between FASTQ records, and anywhere in FASTA, are skipped; inside a FASTQ record they are an error.
//   - Qualities outside '!'..'~' are refused. Options.Warn hears once of qualities that look like Phred+64.
//   - A file of no bytes has no records and [Format] Unknown; one that is named .gz is refused, since even an empty
//     gzip file has a header. A gzip file that is cut off, or whose checksum is wrong, is an error; zeros behind the last member are
//     skipped, other bytes are an error; a BGZF file without its end block is told to Options.Warn.
//   - A last line without line end is read.
//
// # Why an own reader
//
// The package seqio/fastx of github.com/shenwei356/bio v0.13.8 was measured first, on one core of an AMD EPYC: 338 MB of FASTQ with reads of
// 150 bases at 1,360 MB/s, 275 MB of FASTA in lines of 60 at 990 MB/s; this package 1,600 and 740 MB/s beside it, with every byte
// checked. 300 MB/s are wanted. It was not linked because its errors name neither record nor line
// ("fastx: unequal sequence and quality"); a FASTQ file with a quality that is too short is read to its end into memory before the
// error comes; a gzip file without its last 8 bytes is accepted in silence, and so are protein, control characters in
// qualities, zero bytes in sequences, and a record without a name, whose four lines become the name of an empty record; a FASTA
// record can carry the qualities of a file that was read before. It also brings seven modules.
package fastx

// Format is the kind of a file.
type Format uint8

// The formats. Unknown is a file without any record.
const (
	Unknown Format = iota
	FASTA
	FASTQ
)

// String returns "FASTA", "FASTQ" or "unknown".
func (f Format) String() string {
	switch f {
	case FASTA:
		return "FASTA"
	case FASTQ:
		return "FASTQ"
	}
	return "unknown"
}

// Record is one sequence. [Reader.Read] reuses the memory of its slices: copy what must outlive the next call, or use [Record.Clone].
type Record struct {
	Name  []byte // header without '>' or '@' and line end: identifier and description
	Seq   []byte // letters as in the file
	Qual  []byte // quality letters as in the file, as many as Seq; nil in FASTA, never nil in FASTQ
	Plus  []byte // what follows '+' in FASTQ; usually empty
	Line  int64  // of the header in the file, from 1
	Index int64  // of the record in the file, from 0
}

// ID is the name up to the first blank or tab.
func (r *Record) ID() []byte { id, _ := splitName(r.Name); return id }

// Clone returns a copy with memory of its own.
func (r *Record) Clone() *Record {
	c := *r
	c.Name, c.Seq, c.Plus = cloneBytes(r.Name), cloneBytes(r.Seq), cloneBytes(r.Plus)
	if r.Qual != nil {
		c.Qual = append(make([]byte, 0, len(r.Qual)), r.Qual...)
	}
	return &c
}

func cloneBytes(b []byte) []byte { return append([]byte(nil), b...) }

// splitName parts a header at the first blank or tab.
func splitName(name []byte) (id, desc []byte) {
	for i, c := range name {
		if c == ' ' || c == '\t' {
			return name[:i], name[i+1:]
		}
	}
	return name, nil
}

// Options are how files are read. The zero value is right for reads and genomes.
type Options struct {
	// MaxRecord is the longest sequence in letters; 0 is 2^31-1.
	MaxRecord int
	// Protein accepts every letter, and '*' and '-', instead of nucleotide codes only.
	Protein bool
	// Threads is how many goroutines unpack BGZF blocks; 0 is GOMAXPROCS.
	Threads int
	// Warn hears of things that look wrong but can be read; may be nil. The text names the file.
	Warn func(format string, args ...any)
}

// maxName is the longest header. What has no line end for that long is no sequence file.
const maxName = 1 << 20

// lookAt is how many records are judged for the encoding of qualities and for amino acids.
const lookAt = 1000

// Letters by class.
const (
	isBase  = 0           // A C G T U N
	isIUPAC = 1           // the other ambiguity codes
	isOther = 1 << 1      // letters of amino acids only, '*' and '-'
	isBad   = 1<<1 | 1<<2 // all else
)

var class = func() (t [256]uint8) {
	for i := range t {
		t[i] = isBad
	}
	set := func(letters string, v uint8) {
		for _, c := range []byte(letters) {
			t[c] = v
			if c >= 'A' && c <= 'Z' {
				t[c|0x20] = v
			}
		}
	}
	set("ACGTUN", isBase)
	set("RYKMSWBDHV", isIUPAC)
	set("EFIJLOPQXZ*-", isOther)
	return t
}()

// classes is the union of the classes of letters.
func classes(s []byte) uint8 {
	var a, b, c, d uint8
	for len(s) >= 8 {
		a |= class[s[0]] | class[s[4]]
		b |= class[s[1]] | class[s[5]]
		c |= class[s[2]] | class[s[6]]
		d |= class[s[3]] | class[s[7]]
		s = s[8:]
	}
	for _, x := range s {
		a |= class[x]
	}
	return a | b | c | d
}

// Code maps a letter to its base code: A 0, C 1, G 2, T and U 3, all else 4; case does not matter.
func Code(letter byte) uint8 { return code[letter] }

var code = func() (t [256]uint8) {
	for i := range t {
		t[i] = 4
	}
	for i, s := range []string{"Aa", "Cc", "Gg", "TtUu"} {
		for _, c := range []byte(s) {
			t[c] = uint8(i)
		}
	}
	return t
}()

// Codes writes the base codes of seq to dst, which is grown as needed, and returns it: A 0, C 1, G 2, T and U 3, all else 4.
func Codes(dst, seq []byte) []byte {
	dst = resize(dst, len(seq))
	for i, c := range seq {
		dst[i] = code[c]
	}
	return dst
}

// Phreds writes the Phred values (0..93) of quality letters ('!'..'~') to dst, which is grown as needed, and returns it.
func Phreds(dst, qual []byte) []byte {
	dst = resize(dst, len(qual))
	for i, c := range qual {
		dst[i] = c - '!'
	}
	return dst
}

func resize(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
