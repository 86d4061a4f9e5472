package fastx

import "io"

// SetDestination puts another writer behind w, to see how it takes errors.
func (w *Writer) SetDestination(dst io.Writer) { w.dst = dst }
