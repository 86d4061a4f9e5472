package baseline

import (
	"errors"
	"slices"
	"testing"

	"github.com/selfsame-ml/selfsame/domain"
)

// fake implements the parts of domain.Samples that Raw reads.
type fake struct {
	domain.Samples
	field domain.Field
	n     int
	bad   int // row that cannot be read
}

func (f fake) Len(domain.Part) int { return f.n }
func (f fake) Input() domain.Field { return f.field }
func (f fake) Fill(dst *domain.Array, row int, p domain.Part, i int) error {
	if i == f.bad {
		return errors.New("unreadable")
	}
	for k := range f.field.Size() {
		switch f.field.DType {
		case domain.U8:
			dst.U8[row*f.field.Size()+k] = uint8(i*51 + k)
		case domain.U16:
			dst.U16[row*f.field.Size()+k] = 65535
		case domain.F32:
			dst.F32[row*f.field.Size()+k] = float32(i) - 0.5
		}
	}
	return nil
}

func TestRaw(t *testing.T) {
	f := fake{field: domain.Field{DType: domain.U8, Dims: []int{1, 2, 1}}, n: 6, bad: -1}
	x, dim, err := Raw(f, domain.Train, []int{5, 0})
	if err != nil || dim != 2 || !slices.Equal(x, []float32{1, 0, 0, 1. / 255}) {
		t.Errorf("u8: %v dim %d: %v", x, dim, err) // 255, 256 wraps to 0
	}
	if x, _, _ = Raw(f, domain.Train, nil); len(x) != 12 {
		t.Errorf("all rows: %d values, want 12", len(x))
	}
	f.field.DType = domain.F32
	if x, _, _ = Raw(f, domain.Test, []int{2}); !slices.Equal(x, []float32{1.5, 1.5}) {
		t.Errorf("f32: %v", x)
	}
	f.field.DType = domain.U16
	if x, _, _ = Raw(f, domain.Test, []int{2}); !slices.Equal(x, []float32{1, 1}) {
		t.Errorf("u16: %v", x)
	}
	f.bad = 3
	if _, _, err = Raw(f, domain.Train, nil); err == nil {
		t.Error("an unreadable row gave no error")
	}
	if _, _, err = Raw(f, domain.Train, []int{6}); err == nil {
		t.Error("row 6 of 6 gave no error")
	}
	f.field.DType = domain.I32
	if _, _, err = Raw(f, domain.Train, []int{0}); err == nil {
		t.Error("token ids were taken as features")
	}
}

func TestMajority(t *testing.T) {
	if c, s := Majority([]int32{2, 1, 2, 1, -1, 0}); c != 1 || s != 0.4 {
		t.Errorf("class %d share %v, want 1 and 0.4", c, s)
	}
	if c, s := Majority([]int32{-1}); c != -1 || s != 0 {
		t.Errorf("no labels: class %d share %v", c, s)
	}
}

func TestShuffled(t *testing.T) {
	l := make([]int32, 600)
	for i := range l {
		l[i] = int32(i%4) - 1
	}
	s := Shuffled(l, 5)
	same := 0
	for i := range l {
		if (l[i] < 0) != (s[i] < 0) {
			t.Fatalf("row %d: %d became %d", i, l[i], s[i])
		}
		if l[i] >= 0 && l[i] == s[i] {
			same++
		}
	}
	if same < 100 || same > 200 { // 450 labelled rows, one third by chance: 150 +- 10
		t.Errorf("%d of 450 labels stayed, want about 150", same)
	}
	if !slices.Equal(s, Shuffled(l, 5)) || slices.Equal(s, Shuffled(l, 6)) {
		t.Error("the permutation is not keyed by the seed")
	}
	slices.Sort(s)
	want := slices.Clone(l)
	slices.Sort(want)
	if !slices.Equal(s, want) {
		t.Error("class sizes changed")
	}
}
