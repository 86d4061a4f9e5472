package store_test

import (
	"errors"
	"fmt"
	"os"

	"github.com/selfsame-ml/selfsame/store"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	run, err := store.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer run.Close()
	if done, err := run.Done("audit", "hash-a"); err != nil || done {
		fmt.Println(done, err)
		return
	}
	if err := run.WriteJSON("audit.json", map[string]float64{"rank": 31.5}); err != nil {
		fmt.Println(err)
		return
	}
	if err := run.Finish("audit", "hash-a", "audit.json"); err != nil {
		fmt.Println(err)
		return
	}
	done, err := run.Done("audit", "hash-a")
	fmt.Println(done, err)
	_, err = run.Done("audit", "hash-b")
	fmt.Println(errors.Is(err, store.ErrChanged))
	// Output:
	// true <nil>
	// true
}
