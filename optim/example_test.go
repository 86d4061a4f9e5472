package optim_test

import (
	"fmt"

	"github.com/selfsame-ml/selfsame/optim"
)

func ExampleSchedule() {
	s := optim.Schedule{Base: 0.06, Warm: 2, Total: 10}
	for step := 0; step <= 10; step += 2 {
		fmt.Printf("%.4f ", s.LR(step))
	}
	fmt.Println()
	// Output: 0.0000 0.0600 0.0512 0.0300 0.0088 0.0000
}

func ExampleConfig_Validate() {
	c := optim.Defaults(optim.SGD)
	c.Momentum = 1.5
	fmt.Println(c.Validate())
	// Output: optim: configuration: momentum 1.5 is not in [0, 1)
}
