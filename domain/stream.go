package domain

import (
	"context"
	"encoding/json"

	"github.com/selfsame-ml/selfsame/recipe"
)

// Carder are samples that a model card must speak of: what the encoder has to know of its data beside the
// shape of its input (columns, levels, statistics). Samples may implement it.
type Carder interface {
	// CardData is stored with the model, and given to Streamer.OpenStream.
	CardData() (json.RawMessage, error)
}

// Streamer is a domain whose data are read record by record when a trained model is used on them. Others are opened as Samples.
type Streamer interface {
	// OpenStream opens a source for the model whose card data and encoder are given. Errors of the data are *dataset.Error values.
	OpenStream(ctx context.Context, card json.RawMessage, enc recipe.Encoder, d recipe.Data, opt StreamOptions) (RecordStream, error)
}

// StreamOptions is what OpenStream needs beside the data section.
type StreamOptions struct {
	CacheDir string
	IDs      []string                         // columns that are copied to the output; nil: those that the domain takes for names of records
	Warn     func(format string, args ...any) // may be nil
}

// RecordStream gives the records of a source in their order. It is not safe for concurrent use.
type RecordStream interface {
	Input() Field
	Encoder() (Encoder, error)
	// IDs names the columns that items carry.
	IDs() []string
	// Next writes at most rows further records into the first rows of dst (field Input()) and describes each record in
	// items, whose memory it uses again. A record that cannot be read is an item with Err and no row. It returns
	// io.EOF with the last records, or after them.
	Next(ctx context.Context, dst *Array, rows int, items []Item) ([]Item, error)
	// Notes says at the end what a user should know ("17 levels of column city are unknown to the model").
	Notes() []string
	Close() error
}

// Item is one record of a stream.
type Item struct {
	Row   int      // in the array; -1 with Err
	Place string   // file and line, or record of a query
	IDs   []string // as RecordStream.IDs
	Err   error
}
