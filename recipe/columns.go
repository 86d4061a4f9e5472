package recipe

import (
	"go.yaml.in/yaml/v3"

	"github.com/selfsame-ml/selfsame/contract"
	"github.com/selfsame-ml/selfsame/view"
)

// Columns are the declared columns of a table, in the order of the recipe. A column of the data
// that is not declared gets the kind that is found and no transformation.
type Columns []Column

// Column says what one column means and what may change in it without changing the meaning of a row.
//
//	customer_id: {kind: identifier, drop: invariant}
//	bought_at:   {kind: timestamp, jitter: 10m, contract: invariant}
//	category:    {contract: protected}
//	amount:      [{kind: money, unit: EUR, bounds: 0..1e6}, {scale: 0.95..1.05, contract: invariant}, {scale: 0.5..2, contract: equivariant}]
type Column struct {
	Name      string          // header in the data
	Kind      string          // one of ColumnKinds; "" is found from the data
	Unit      string          // shown to people ("EUR", "years")
	Bounds    *contract.Range // closed; a cell outside is bad data, a view outside is impossible
	Missing   []string        // texts that mean "missing" beside the empty cell
	Levels    []string        // ordinal: the levels in rising order; category, boolean: the support; empty is found
	Format    string          // timestamp: Go layout or strftime; "" is found
	Input     string          // "" (by kind), "yes" or "no": whether the encoder sees the column
	Protected bool            // no view may change it, bit for bit
	// Transforms act on this column alone. Their names are COLUMN.TRANSFORMATION ("amount.scale"); the
	// ranges of the principal parameter are in the column's unit (timestamps: seconds).
	Transforms []view.Config
}

// ColumnKinds are the kinds of a column. Number, integer, money and ordinal have an order; the encoder sees category,
// boolean, text and identifier by embedding.
var ColumnKinds = []string{"number", "integer", "money", "ordinal", "category", "boolean", "timestamp", "identifier", "text"}

// ColumnTransform is the prefix of the names of specs that act on one column: a domain whose Specs hold "*.scale"
// takes "scale" below a column in `columns`.
const ColumnTransform = "*."

// AllTransforms lists the transformations of columns, then those of `views`: all that views are made of.
func (r *Recipe) AllTransforms() []view.Config {
	var out []view.Config
	for _, c := range r.Columns {
		out = append(out, c.Transforms...)
	}
	return append(out, r.Views.Transforms...)
}

// columns decodes the columns.
func (d *decoder) columns(r *Recipe, specs Specs) {
	if n := d.columnsNode; n != nil && !isNull(n) {
		d.fail(n, "columns", "", "are not read from YAML yet")
	}
}

func encodeColumns(cs Columns) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, c := range cs {
		n.Content = append(n.Content, text(c.Name), &yaml.Node{Kind: yaml.MappingNode})
	}
	return n
}
