package metric

var hasVector = haveVector

// withVector switches the vector kernels and says whether they are on.
func withVector(on bool) bool {
	haveVector = on && hasVector
	return haveVector
}
