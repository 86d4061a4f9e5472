package denoise

import (
	"fmt"
	"math"

	"github.com/selfsame-ml/selfsame/domain/dna/pileup"
)

// span is one window of a read: it starts at From and its outputs are used for [Use, End).
type span struct{ from, use, end int }

// spans cuts a read of n positions into windows. A window that begins or ends inside the read gives no output within margin of
// that cut, so that every output is the same as if the read were one window. A short read is one window, filled up with zeros.
func spans(dst []span, n, window, margin int) []span {
	dst = dst[:0]
	if n <= window {
		if n > 0 {
			dst = append(dst, span{0, 0, n})
		}
		return dst
	}
	use := 0
	for use < n {
		from := max(use-margin, 0)
		if from+window >= n {
			from = n - window
			dst = append(dst, span{from, use, n})
			break
		}
		end := from + window - margin
		dst = append(dst, span{from, use, end})
		use = end
	}
	return dst
}

// caller runs the network over reads, some windows at a time. It belongs to one goroutine.
type caller struct {
	net     *Network
	forward Forward
	x, out  []float32
	rows    int
	target  []target // by row
	tmp     []span
	screen  bool // quiet windows are not computed
	skipped int64
	windows int64
}

type target struct {
	span  span
	calls []call  // of the whole read
	own   []uint8 // base codes of the whole read
	raw   []float32
}

func newCaller(net *Network, f Forward) *caller {
	return &caller{net: net, forward: f, x: make([]float32, net.Rows*net.Window*net.Channels), out: make([]float32, net.Rows*net.Window*Logits), target: make([]target, net.Rows)}
}

// add queues a read with its features [len(own), Channels]; calls [len(own)] is filled by the time flush has returned. raw may be
// nil, else it gets the logits [len(own), Logits].
func (c *caller) add(own []uint8, features []float32, calls []call, raw []float32) error {
	w, ch := c.net.Window, c.net.Channels
	if len(features) < len(own)*ch {
		return fmt.Errorf("denoise: %d features of %d positions, want %d", len(features), len(own), len(own)*ch)
	}
	c.tmp = spans(c.tmp, len(own), w, c.net.Margin)
	for _, s := range c.tmp {
		c.windows++
		if c.screen && raw == nil && quiet(own[s.use:s.end], features[s.use*ch:s.end*ch]) {
			for j := s.use; j < s.end; j++ {
				calls[j] = call{here: own[j], hereBin: scoreSteps - 1}
			}
			c.skipped++
			continue
		}
		dst := c.x[c.rows*w*ch : (c.rows+1)*w*ch]
		n := copy(dst, features[s.from*ch:min(s.from+w, len(own))*ch])
		clear(dst[n:])
		c.target[c.rows] = target{s, calls, own, raw}
		if c.rows++; c.rows == c.net.Rows {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush computes what is queued.
func (c *caller) flush() error {
	if c.rows == 0 {
		return nil
	}
	w := c.net.Window
	if err := c.forward(c.x[:c.rows*w*c.net.Channels], c.rows, c.out[:c.rows*w*Logits]); err != nil {
		return err
	}
	for row := range c.rows {
		t := &c.target[row]
		for j := t.span.use; j < t.span.end; j++ {
			i := (row*w + j - t.span.from) * Logits
			t.calls[j].read(c.out[i:i+Logits], t.own[j])
			if t.raw != nil {
				copy(t.raw[j*Logits:(j+1)*Logits], c.out[i:i+Logits])
			}
		}
		*t = target{}
	}
	c.rows = 0
	return nil
}

// The limits of a quiet position: the naive-Bayes posterior of the read's own base, and the share of the other reads that lack the
// position or have something after it.
var quietPosterior = float32(1 + math.Log1p(-1e-4)/6)

const quietGaps = 4 // one in so many

// quiet reports whether nothing speaks against any base of a window: the overlapping reads and the qualities leave less than 1 in 10,000
// to another base everywhere, and no more than one of them in four has a gap. Such windows, three of four at
// 8x, need no network: what it could do there is a false correction.
func quiet(own []uint8, features []float32) bool {
	for j, b := range own {
		f := features[j*pileup.Channels : (j+1)*pileup.Channels : (j+1)*pileup.Channels]
		if b > 3 || f[channelBayes+int(b)] < quietPosterior {
			return false
		}
		if f[channelDeleted]+f[channelInserted]+f[channelInserted+1]+f[channelInserted+2]+f[channelInserted+3] == 0 {
			continue
		}
		most := countOf(f[channelDepth]) / quietGaps
		for _, v := range f[channelDeleted : channelInserted+4] {
			if countOf(v) > most {
				return false
			}
		}
	}
	return true
}
