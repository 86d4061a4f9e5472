//go:build linux && cgo

package engine

/*
#include <malloc.h>

// keep_memory makes malloc hold on to what it has: no block of its own mapping, no memory handed back at free.
static void keep_memory(void) {
#ifdef __GLIBC__
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, 2147483647);
	mallopt(M_TOP_PAD, 67108864);
#endif
}
*/
import "C"

import (
	"os"
	"strings"
)

// keepMemory stops glibc from giving XLA's buffers back to the system after each step and asking for
// them anew in the next: the page faults of that take a quarter of a SimCLR step. The peak of memory
// is the same; it is held until the process ends. GLIBC_TUNABLES that speak of mmap win.
func keepMemory() {
	if !strings.Contains(os.Getenv("GLIBC_TUNABLES"), "glibc.malloc.mmap_") {
		C.keep_memory()
	}
}
