package optim

import (
	"fmt"
	"math"
)

// Schedule is a linear warm-up followed by half a cosine to zero (Loshchilov & Hutter 2017,
// arXiv:1608.03983, without restarts). Steps count optimiser updates, the first is 0.
type Schedule struct {
	Base  float64 // learning rate at the end of the warm-up
	Warm  int     // steps of warm-up; the first has rate 0
	Total int     // steps of the whole run
}

// Validate reports values out of range.
func (s Schedule) Validate() error {
	if !(s.Base > 0) || math.IsInf(s.Base, 1) {
		return fmt.Errorf("%w: learning rate %g is not positive", ErrConfig, s.Base)
	}
	if s.Total < 1 || s.Warm < 0 || s.Warm > s.Total {
		return fmt.Errorf("%w: %d warm-up steps of %d", ErrConfig, s.Warm, s.Total)
	}
	return nil
}

// LR is the learning rate of a step: Base step/Warm while step < Warm, then
// Base/2 (1 + cos(pi (step-Warm)/(Total-Warm))), and 0 from Total on.
func (s Schedule) LR(step int) float64 {
	switch {
	case step < s.Warm:
		return s.Base * float64(max(step, 0)) / float64(s.Warm)
	case step >= s.Total:
		return 0
	}
	return s.Base * 0.5 * (1 + math.Cos(math.Pi*float64(step-s.Warm)/float64(s.Total-s.Warm)))
}

// TeacherMomentum is the momentum of a teacher at a step, raised from base to 1 by a cosine:
// 1 - (1-base)(cos(pi step/total)+1)/2 (Grill et al. 2020, arXiv:2006.07733, section 3.2).
func TeacherMomentum(base float64, step, total int) float64 {
	done := 1.0
	if total > 0 {
		done = min(max(float64(step)/float64(total), 0), 1)
	}
	return 1 - (1-base)*(math.Cos(math.Pi*done)+1)/2
}
