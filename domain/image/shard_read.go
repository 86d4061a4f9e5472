//go:build !unix

package image

import "os"

// mapFile reports that files are not mapped here: shards are read with ReadAt.
func mapFile(*os.File, int) (b []byte, unmap func() error, ok bool) { return nil, nil, false }
