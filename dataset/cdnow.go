package dataset

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cdnowWindow is the time in which a customer buys again or does not: 26 weeks.
const cdnowWindow = 26 * 7

// purchase is one line of CDNOW_master.txt.
type purchase struct {
	customer string
	day      int // since 1970-01-01
	cds      int
	cents    int
}

func dayOf(date string) int {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		panic(err) // dates of this file
	}
	return int(t.Unix() / 86400)
}

func dateOf(day int) string { return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly) }

// readCDNOW reads "customer yyyymmdd cds dollars" lines below one header.
func readCDNOW(path string) ([]purchase, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []purchase
	sc := bufio.NewScanner(bytes.NewReader(b))
	for line := 1; sc.Scan(); line++ {
		f := strings.Fields(sc.Text())
		if line == 1 || len(f) == 0 {
			continue
		}
		if len(f) != 4 {
			return nil, fmt.Errorf("%s: line %d: %d fields, expected customer, date, cds, dollars", filepath.Base(path), line, len(f))
		}
		t, err := time.Parse("20060102", f[1])
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", filepath.Base(path), line, err)
		}
		p := purchase{customer: f[0], day: int(t.Unix() / 86400)}
		if p.cds, err = strconv.Atoi(f[2]); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", filepath.Base(path), line, err)
		}
		dollars, err := strconv.ParseFloat(f[3], 64)
		if err != nil || dollars < 0 || dollars > 1e6 {
			return nil, fmt.Errorf("%s: line %d: %q dollars", filepath.Base(path), line, f[3])
		}
		p.cents = int(math.Round(100 * dollars))
		out = append(out, p)
	}
	// By customer and day; the order of lines within a day stays.
	slices.SortStableFunc(out, func(a, b purchase) int {
		return cmp.Or(strings.Compare(a.customer, b.customer), cmp.Compare(a.day, b.day))
	})
	return out, sc.Err()
}

// byCustomer calls f with the purchases of each customer, in their order.
func byCustomer(all []purchase, f func(own []purchase)) {
	for from := 0; from < len(all); {
		to := from
		for to < len(all) && all[to].customer == all[from].customer {
			to++
		}
		f(all[from:to])
		from = to
	}
}

// buysIn reports a purchase after day from, at most 26 weeks later.
func buysIn(own []purchase, from int) bool {
	return slices.ContainsFunc(own, func(p purchase) bool { return p.day > from && p.day <= from+cdnowWindow })
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func dollars(cents int) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

// buildPurchases writes one row a purchase, in the order of time, of those on days from..to (dates; "" = no limit) whose
// 26 weeks lie within the data. Every column but the label is known at the purchase:
// number counts the customer's purchases up to this one, days_since_previous is empty for the first,
// spent_before is what the customer paid for the earlier ones. again: the customer buys on a later day, at most 182 days later.
func buildPurchases(from, to string) func(dir string, w io.Writer) error {
	return func(dir string, w io.Writer) error {
		all, err := readCDNOW(filepath.Join(dir, "CDNOW_master.txt"))
		if err != nil {
			return err
		}
		end, first := 0, math.MinInt
		for _, p := range all {
			end = max(end, p.day)
		}
		last := end - cdnowWindow
		if from != "" {
			first = dayOf(from)
		}
		if to != "" {
			last = min(last, dayOf(to))
		}
		type row struct {
			day  int
			text string
		}
		var rows []row
		byCustomer(all, func(own []purchase) {
			spent := 0
			for i, p := range own {
				gap := ""
				if i > 0 {
					gap = strconv.Itoa(p.day - own[i-1].day)
				}
				if p.day >= first && p.day <= last {
					rows = append(rows, row{p.day, fmt.Sprintf("%s,%s,%d,%s,%d,%s,%s,%s\n", p.customer, dateOf(p.day), p.cds, dollars(p.cents), i+1, gap, dollars(spent), yes(buysIn(own, p.day)))})
				}
				spent += p.cents
			}
		})
		slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.day, b.day) })
		b := bufio.NewWriter(w)
		b.WriteString("customer_id,date,cds,dollars,number,days_since_previous,spent_before,again\n")
		for _, r := range rows {
			b.WriteString(r.text)
		}
		return b.Flush()
	}
}

// buildCustomers writes one row a customer who bought up to the cut-off date (that day included). Every column but the label
// is of purchases up to the cut-off; again: the customer buys on one of the 182 days after it.
//
// The columns are those of buy-till-you-die models (Fader, Hardie & Lee 2005: recency, frequency, monetary value) and a few
// more: gap_mean is the mean number of days between two days of purchase, empty where there is one such day only.
func buildCustomers(cutoff string) func(dir string, w io.Writer) error {
	return func(dir string, w io.Writer) error {
		all, err := readCDNOW(filepath.Join(dir, "CDNOW_master.txt"))
		if err != nil {
			return err
		}
		cut := dayOf(cutoff)
		b := bufio.NewWriter(w)
		b.WriteString("customer_id,first_purchase,days_since_first,days_since_last,purchases,days_with_purchase,gap_mean,cds,dollars,dollars_mean,dollars_last,dollars_max,again\n")
		byCustomer(all, func(own []purchase) {
			n, days, cds, cents, most := 0, 0, 0, 0, 0
			for i, p := range own {
				if p.day > cut {
					break
				}
				if i == 0 || p.day != own[i-1].day {
					days++
				}
				n, cds, cents, most = n+1, cds+p.cds, cents+p.cents, max(most, p.cents)
			}
			if n == 0 {
				return
			}
			first, last := own[0].day, own[n-1].day
			gap := ""
			if days > 1 {
				gap = strconv.FormatFloat(math.Round(10*float64(last-first)/float64(days-1))/10, 'f', 1, 64)
			}
			mean := int(math.Round(float64(cents) / float64(n)))
			fmt.Fprintf(b, "%s,%s,%d,%d,%d,%d,%s,%d,%s,%s,%s,%s,%s\n", own[0].customer, dateOf(first), cut-first, cut-last, n, days, gap, cds,
				dollars(cents), dollars(mean), dollars(own[n-1].cents), dollars(most), yes(buysIn(own, cut)))
		})
		return b.Flush()
	}
}

// buildSupermarket writes one row a basket: 1 where a department or good was bought, 0 where not; those that nobody
// bought are left out. The ARFF file writes "t" for bought and "?" for not.
func buildSupermarket(dir string, w io.Writer) error {
	b, err := os.ReadFile(filepath.Join(dir, "supermarket.arff"))
	if err != nil {
		return err
	}
	var names []string
	var rows [][]string
	data := false
	line := 0
	for l := range strings.Lines(string(b)) {
		line++
		l = strings.TrimSpace(l)
		low := strings.ToLower(l)
		switch {
		case l == "" || l[0] == '%':
		case data:
			f := strings.Split(l, ",")
			if len(f) != len(names) {
				return fmt.Errorf("supermarket.arff: line %d: %d fields, %d attributes", line, len(f), len(names))
			}
			rows = append(rows, f)
		case strings.HasPrefix(low, "@attribute"):
			name, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(l[len("@attribute"):]), "'"), "'")
			if !ok {
				return fmt.Errorf("supermarket.arff: line %d: an attribute without quotes", line)
			}
			names = append(names, name)
		case low == "@data":
			data = true
		}
	}
	bought := make([]bool, len(names))
	for _, r := range rows {
		for j, v := range r {
			bought[j] = bought[j] || v != "?"
		}
	}
	out := bufio.NewWriter(w)
	sep := ""
	for j, n := range names {
		if bought[j] {
			out.WriteString(sep + n)
			sep = ","
		}
	}
	for _, r := range rows {
		sep = "\n"
		for j, v := range r {
			if !bought[j] {
				continue
			}
			switch v {
			case "t":
				v = "1"
			case "?":
				v = "0"
			}
			out.WriteString(sep + v)
			sep = ","
		}
	}
	out.WriteByte('\n')
	return out.Flush()
}
