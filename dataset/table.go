package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/selfsame-ml/selfsame/dataset/rdata"
	"github.com/selfsame-ml/selfsame/dataset/shop"
)

// TableInfo describes the CSV file that [Table] makes of an entry.
type TableInfo struct {
	Rows    int    `json:"rows"`
	Columns int    `json:"columns"`
	Target  string `json:"target"` // column that is usually predicted
	Size    int64  `json:"size"`   // bytes of the CSV
	SHA256  string `json:"sha256"` // of the CSV, hex: how it is made is pinned too
}

// Table returns the path of a named table as CSV (UTF-8, comma, header, empty cell = missing). It is made once from the
// files that [Locate] finds, and kept in cacheDir ("" is [DefaultCacheDir]). Nothing is downloaded: an entry whose files
// are not on this machine is the *[Error] of Locate, whose hint names the command that gets them.
//
// What is made of files is checked against the size and sha256 of the catalogue, so that every machine has the same rows.
func Table(ctx context.Context, name, cacheDir string, progress Progress) (path string, err error) {
	e, ok := Lookup(name)
	if !ok {
		return "", &Error{Path: name, Err: ErrUnknown}
	}
	if e.Table == nil || e.build == nil {
		return "", Bad(name, "", "a data set of domain %s, not a table", e.Domain)
	}
	if cacheDir == "" {
		if cacheDir, err = DefaultCacheDir(); err != nil {
			return "", err
		}
	}
	path = filepath.Join(cacheDir, "tables", e.Name+"-"+e.Table.SHA256[:8]+".csv")
	if st, err := os.Stat(path); err == nil && (st.Size() == e.Table.Size || e.Embedded) {
		if e.Embedded {
			return path, nil
		}
		if sum, err := fileSum(ctx, path); err == nil && sum == e.Table.SHA256 {
			return path, nil
		}
	}
	dir, err := Locate(name, cacheDir)
	if err != nil {
		return "", err
	}
	progress.report("prepare "+name, 0, 1)
	var b bytes.Buffer
	b.Grow(int(e.Table.Size))
	if err := e.build(dir, &b); err != nil {
		return "", &Error{Path: name, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	// Made-up rows hold rounded exponentials, which processors may compute with another last bit.
	if h := sha256.Sum256(b.Bytes()); !e.Embedded && (int64(b.Len()) != e.Table.Size || hex.EncodeToString(h[:]) != e.Table.SHA256) {
		return "", Bad(name, "", "the table that was made has %d bytes and sha256 %x, the catalogue says %d and %s", b.Len(), h, e.Table.Size, e.Table.SHA256)
	}
	if err := writeAtomic(path, &b, 0o644); err != nil {
		return "", &Error{Path: path, Hint: "set " + EnvCache + " to a folder that can be written", Err: err}
	}
	progress.report("prepare "+name, 1, 1)
	return path, nil
}

// rFrame makes the CSV of a data frame in the lazy-load database of an R package.
func rFrame(name string) func(dir string, w io.Writer) error {
	return func(dir string, w io.Writer) error {
		f, err := rdata.Open(filepath.Join(dir, "Rdata.rdx"))
		if err != nil {
			return err
		}
		fr, err := f.Frame(name)
		if err != nil {
			return err
		}
		return fr.WriteCSV(w)
	}
}

func buildShop(_ string, w io.Writer) error {
	return shop.WriteCSV(w, shop.Config{Rows: 20_000, Seed: 1})
}

// tableEntries are the tables of the catalogue.
func tableEntries() []Entry {
	const (
		modeldata = "r-cran-modeldata"
		site      = "usr/lib/R/site-library/"
	)
	lazy := func(pkg string, rdb, rdx int64, sumB, sumX string) []File {
		return []File{
			{Name: "Rdata.rdx", Member: site + pkg + "/data/Rdata.rdx", Role: "index", Size: rdx, SHA256: sumX},
			{Name: "Rdata.rdb", Member: site + pkg + "/data/Rdata.rdb", Role: "table", Size: rdb, SHA256: sumB},
		}
	}
	model := func(name, object, about, licence, source string, classes []string, t TableInfo) Entry {
		return Entry{
			Name: name, Domain: "table", About: about, Licence: licence, Source: source, Package: modeldata, Version: "1.1.0-1", Download: 4253384, folder: modeldata,
			Files:   lazy("modeldata", 4140200, 780, "2ecef5e8da0f782ae4e3f65d928fe769702accffd8981cc358a3097f6736f58f", "c23e1be60f2730fb526ce158a307e154c91a953169fcb8e73350c4e032e14538"),
			Classes: classes, TestShare: 0.2, Table: &t, build: rFrame(object),
		}
	}
	cdnow := func(name, about string, t TableInfo, build func(string, io.Writer) error) Entry {
		return Entry{
			Name: name, Domain: "table", About: about, Licence: "MIT", Source: "CDNOW purchases 1997-01 to 1998-06 (Fader & Hardie), as published with lifetimes",
			Package: "lifetimes", Version: "0.11.3", Download: 584221, wheel: "261e3dc89977c2b60767ca6728aaa29d429de0c814635070a749c36555895da8", folder: "cdnow",
			Files: []File{{
				Name: "CDNOW_master.txt", Member: "lifetimes/datasets/CDNOW_master.txt", Role: "table", Size: 1950500,
				SHA256: "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef",
			}},
			Classes: []string{"no", "yes"}, TestShare: 0.2, Table: &t, build: build,
		}
	}
	return []Entry{
		model("churn", "wa_churn", "7,043 customers of a telephone company, 19 columns; did they leave (1,869 yes)", "MIT (as packaged)", "modeldata: wa_churn (IBM Watson sample data)",
			[]string{"No", "Yes"}, TableInfo{Rows: 7043, Columns: 20, Target: "churn", Size: 820655, SHA256: "4445eb66ce99319d9864e4243ce75747a4596bd09a2468bc38235d4719eba2d2"}),
		model("credit", "credit_data", "4,454 consumer loans, 13 columns with missing cells; good or bad (1,254)", "MIT (as packaged)", "modeldata: credit_data (Gaston Sanchez, CRAN credit data)",
			[]string{"bad", "good"}, TableInfo{Rows: 4454, Columns: 14, Target: "Status", Size: 265648, SHA256: "43c83a4630f1995f00b456becc4a84219616a2f2bae445e86c706264cc9050a4"}),
		model("lending-club", "lending_club", "9,857 loans, 22 columns; good or bad (517)", "MIT (as packaged); the source has terms of its own", "modeldata: lending_club",
			[]string{"bad", "good"}, TableInfo{Rows: 9857, Columns: 23, Target: "Class", Size: 950835, SHA256: "5f04bc48d26cf1235d37fc8a1c27ce0b8b4f94ad728fc29c64645e507a599d9f"}),
		model("attrition", "attrition", "1,470 employees (made-up data of IBM Watson), 30 columns; did they leave (237 yes)", "MIT (as packaged)", "modeldata: attrition",
			[]string{"No", "Yes"}, TableInfo{Rows: 1470, Columns: 31, Target: "Attrition", Size: 262587, SHA256: "9f387b89f481735800bb4290afc6a4ef5137828107e7111c4da6cd312789bb1c"}),
		{
			Name: "diamonds", Domain: "table", About: "53,940 diamonds: weight, cut, colour, clarity, sizes, price in US dollars", Licence: "GPL-2.0-or-later (as packaged)", Source: "ggplot2: diamonds",
			Package: "r-cran-ggplot2", Version: "3.4.1+dfsg-1", Download: 3333096, folder: "r-cran-ggplot2",
			Files:     lazy("ggplot2", 793107, 322, "0d6ab8598fdc514c171b5bb17584fdb0e5b2c05dde0202f6a386292222d521d5", "da42a94883a022aa1347c3eac680eeff5855a824fb6df61b942a5467c647a97c"),
			TestShare: 0.2, Table: &TableInfo{Rows: 53940, Columns: 10, Target: "price", Size: 2448483, SHA256: "243996d7650e84e190a88d505b44c3a0be1bcfc7b4f32606d60d103a51494b9e"}, build: rFrame("diamonds"),
		},
		{
			Name: "supermarket", Domain: "table", About: "4,627 baskets: which of 122 departments and goods were bought; total low or high (1,679)", Licence: "GPL-2.0-or-later (as packaged)", Source: "Weka: supermarket.arff",
			Package: "weka", Version: "3.6.14-3", Download: 6627440,
			Files: []File{{
				Name: "supermarket.arff", Member: "usr/share/doc/weka/examples/supermarket.arff", Role: "table", Size: 2025871,
				SHA256: "c45f18f90f27f9b2306671f4f0ec28341edcff78136b32b202cdc7b46ce1f9f8",
			}},
			Classes: []string{"low", "high"}, TestShare: 0.2, Table: &TableInfo{Rows: 4627, Columns: 123, Target: "total", Size: 1150734, SHA256: "00ef33908df7963693c8940a645ec64dad3420525bfc156b3605045cb92e96e6"}, build: buildSupermarket,
		},
		cdnow("cdnow-purchases", "56,854 purchases of 23,570 customers of an online CD shop; does the customer buy again within 26 weeks (33,269 yes)",
			TableInfo{Rows: 56854, Columns: 8, Target: "again", Size: 2197097, SHA256: "033b62c4810053bafcc00a25a1b195f6d2836b4660fedf5248161882ab3e7d75"}, buildPurchases("", "")),
		cdnow("cdnow-purchases-early", "31,945 purchases up to 1997-04-01, whose 26 weeks end before cdnow-purchases-late begins",
			TableInfo{Rows: 31945, Columns: 8, Target: "again", Size: 1187783, SHA256: "4dfadd75e6257a6ecdfea067134272bbe50e67f8fa936e2b0f46f65d9684be04"}, buildPurchases("", "1997-04-01")),
		cdnow("cdnow-purchases-late", "the 7,768 purchases from 1997-10-01 to 1997-12-30: the test part to cdnow-purchases-early",
			TableInfo{Rows: 7768, Columns: 8, Target: "again", Size: 317400, SHA256: "a7c3c5977573f64052941ced84b2ee3f48bc1d2db78c21d522583a6d3a800cb6"}, buildPurchases("1997-10-01", "")),
		cdnow("cdnow-customers", "23,570 customers as they are known on 1997-07-01; do they buy until 1997-12-30 (6,384 yes)",
			TableInfo{Rows: 23570, Columns: 13, Target: "again", Size: 1425293, SHA256: "dc0c0965f7cc0bf1b970e3c2dc0565031d73e49201c6b04edcab8cc07e73156b"}, buildCustomers("1997-07-01")),
		cdnow("cdnow-customers-later", "the same 23,570 customers as they are known on 1997-12-30; do they buy until 1998-06-30 (5,381 yes)",
			TableInfo{Rows: 23570, Columns: 13, Target: "again", Size: 1444622, SHA256: "8cb1626758f082942da8566f2b63590858c33d6599a6e25c25590c479b3fb955"}, buildCustomers("1997-12-30")),
		{
			Name: "shop", Domain: "table", About: "20,000 made-up orders of a shop whose truth is known (package dataset/shop, seed 1); was the order returned", Licence: "Apache-2.0", Source: "selfsame data shop",
			Embedded: true, Classes: []string{"no", "yes"}, TestShare: 0.2, Table: &TableInfo{Rows: 20000, Columns: 9, Target: "returned", Size: 1269143, SHA256: "815f463304cd6fbdcbad8b2d15de839a97595ae6c20f7476dcd0efaf1f7b43ca"}, build: buildShop,
		},
	}
}

// embeddedTable writes a table that is made without files.
func embeddedTable(e Entry, dir string) error {
	var b bytes.Buffer
	if err := e.build("", &b); err != nil {
		return fmt.Errorf("dataset: %s: %w", e.Name, err)
	}
	return writeAtomic(filepath.Join(dir, e.Name+".csv"), &b, 0o644)
}
