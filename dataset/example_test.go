package dataset_test

import (
	"errors"
	"fmt"

	"github.com/selfsame-ml/selfsame/dataset"
)

// The handwritten digits come with the program.
func ExampleDigits() {
	pixels, labels, err := dataset.Digits()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(labels), "digits; the first is a", labels[0])
	for y := range dataset.DigitsSide {
		for _, v := range pixels[y*dataset.DigitsSide : (y+1)*dataset.DigitsSide] {
			fmt.Print(string(".:*#"[v/5]))
		}
		fmt.Println("|")
	}
	// Output:
	// 1797 digits; the first is a 0
	// ..:*:...|
	// ..*#*#:.|
	// ..#..*:.|
	// ..*..::.|
	// .::..::.|
	// ..*..*:.|
	// ..*:**..|
	// ..:**...|
}

// A broken file is named with its place.
func ExampleBad() {
	var err error = dataset.Bad("labels.csv", "row 7", "class %q is not known", "bird")
	var bad *dataset.Error
	fmt.Println(errors.As(err, &bad), bad.Path, bad.Record)
	fmt.Println(err)
	// Output:
	// true labels.csv row 7
	// dataset: labels.csv: row 7: class "bird" is not known
}
