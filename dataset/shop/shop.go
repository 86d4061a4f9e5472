// Package shop makes rows of an online shop whose truth is known: which columns decide the label,
// and which are noise. It is for tests of everything that claims to find that out.
//
// Most users need [WriteCSV]. A row is one order; its columns are [Header]:
//
//   - customer_id: who ordered. Names a customer (who has one age and one income) and says nothing else.
//   - age: years, 18 to 90. income: EUR a year, log-normal, rising with age up to 55.
//   - category: one of [Categories]. Younger customers order more electronics, fashion, shoes and toys.
//   - bought_at: a second of 2024 or 2025. It decides nothing.
//   - quantity, price: 1 or more; EUR, log-normal around a level of the category. One order in eight is ten
//     times as large.
//   - amount: quantity * price, exactly, in cents.
//   - returned: yes or no, the label.
//
// The label is a coin with P(yes) = 1 / (1 + exp(-[Order.Logit])), where
//
//	logit = effect of the category + 1.6 ln(amount / 100 EUR) - 0.03 (age - 45)
//
// So, by construction:
//   - another category is another thing: the effects reach from -3.5 to 3.5, so a category is protected;
//   - a few per cent of the amount are noise (3 % moves the logit by 0.05), a factor of two is information (1.1);
//   - customer id, and the time by minutes as by months, are noise.
package shop

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/selfsame-ml/selfsame/internal/rng"
)

// Header names the columns in their order.
var Header = []string{"customer_id", "age", "income", "category", "bought_at", "quantity", "price", "amount", "returned"}

// Categories are the levels of category.
var Categories = []string{"electronics", "fashion", "shoes", "toys", "garden", "beauty", "books", "groceries"}

// Effects is what each category adds to the logit.
var Effects = []float64{2.8, 3.5, 2.2, 1, -1.2, -1.8, -2.8, -3.5}

var (
	level = []float64{90, 45, 60, 25, 35, 20, 15, 30}                 // EUR: median price of a category
	young = []float64{0.03, 0.04, 0.03, 0.02, -0.05, 0, -0.02, -0.02} // weight of a year below 45
)

// TimeLayout is the form of bought_at.
const TimeLayout = time.DateTime

// Order is one row.
type Order struct {
	Customer int
	Age      int     // years
	Income   float64 // EUR a year, whole hundreds
	Category int     // index of Categories
	At       time.Time
	Quantity int
	Cents    int // price of one
	Returned bool
}

// Amount is quantity times price in cents.
func (o *Order) Amount() int { return o.Quantity * o.Cents }

// Logit is ln(p / (1-p)) of P(returned).
func (o *Order) Logit() float64 {
	return Effects[o.Category] + 1.6*math.Log(float64(o.Amount())/10000) - 0.03*float64(o.Age-45)
}

// P is the probability that the order is returned: the best score that any model can give the row.
func (o *Order) P() float64 { return 1 / (1 + math.Exp(-o.Logit())) }

// Config says how many rows and which.
type Config struct {
	Rows int    // 1 or more
	Seed uint64 // another seed gives other customers and orders of the same shop
}

// Validate checks the limits.
func (c Config) Validate() error {
	if c.Rows < 1 {
		return fmt.Errorf("shop: %d rows, at least 1", c.Rows)
	}
	return nil
}

// Generator makes orders one by one, without keeping them. It is not safe for concurrent use.
type Generator struct {
	cfg       Config
	next      int
	customers uint64
}

// New returns a generator of cfg.Rows orders.
func New(cfg Config) (*Generator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Generator{cfg: cfg, customers: uint64(max(1, cfg.Rows/4))}, nil
}

// Next returns the next order, or io.EOF. Row i depends on (Seed, i) and on the number of customers, a quarter
// of Rows.
func (g *Generator) Next() (Order, error) {
	if g.next >= g.cfg.Rows {
		return Order{}, io.EOF
	}
	r := rng.New(g.cfg.Seed, rng.Generate, 1, uint64(g.next))
	g.next++
	var o Order
	o.Customer = int(r.Uint64N(g.customers))
	who := rng.New(g.cfg.Seed, rng.Generate, 2, uint64(o.Customer))
	o.Age = 18 + int(73*math.Pow(who.Float64(), 1.4))
	o.Income = 100 * math.Round(math.Exp(10.2+0.012*float64(min(o.Age, 55)-40)+0.45*who.NormFloat64())/100)
	o.Category = category(r, o.Age)
	o.At = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(731*24*3600)) * time.Second)
	o.Quantity = 1
	for o.Quantity < 9 && r.Float64() < 0.35 {
		o.Quantity++
	}
	if r.Float64() < 0.125 {
		o.Quantity *= 10
	}
	o.Cents = max(1, int(math.Round(100*level[o.Category]*math.Exp(0.6*r.NormFloat64()))))
	o.Returned = r.Float64() < o.P()
	return o, nil
}

// category draws one with weights exp(young * (45 - age)).
func category(r *rand.Rand, age int) int {
	var w [8]float64
	sum := 0.
	for i, y := range young {
		w[i] = math.Exp(y * float64(45-age))
		sum += w[i]
	}
	u := r.Float64() * sum
	for i, x := range w {
		if u -= x; u < 0 {
			return i
		}
	}
	return len(w) - 1
}

// CustomerID is the text of customer_id.
func (o *Order) CustomerID() string { return fmt.Sprintf("C%07d", o.Customer) }

// append writes the row of a CSV.
func (o *Order) append(b []byte) []byte {
	b = append(b, o.CustomerID()...)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(o.Age), 10)
	b = append(b, ',')
	b = strconv.AppendFloat(b, o.Income, 'f', 0, 64)
	b = append(b, ',')
	b = append(b, Categories[o.Category]...)
	b = append(b, ',')
	b = o.At.AppendFormat(b, TimeLayout)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(o.Quantity), 10)
	b = append(b, ',')
	b = appendCents(b, o.Cents)
	b = append(b, ',')
	b = appendCents(b, o.Amount())
	if o.Returned {
		return append(b, ",yes\n"...)
	}
	return append(b, ",no\n"...)
}

func appendCents(b []byte, c int) []byte {
	b = strconv.AppendInt(b, int64(c/100), 10)
	return append(b, '.', byte('0'+c/10%10), byte('0'+c%10))
}

// WriteCSV writes a header and cfg.Rows orders. The same Config gives the same bytes.
func WriteCSV(w io.Writer, cfg Config) error {
	g, err := New(cfg)
	if err != nil {
		return err
	}
	buf := bufio.NewWriterSize(w, 1<<16)
	for i, h := range Header {
		if i > 0 {
			buf.WriteByte(',')
		}
		buf.WriteString(h)
	}
	buf.WriteByte('\n')
	line := make([]byte, 0, 128)
	for {
		o, err := g.Next()
		if err == io.EOF {
			return buf.Flush()
		}
		line = o.append(line[:0])
		if _, err := buf.Write(line); err != nil {
			return err
		}
	}
}
