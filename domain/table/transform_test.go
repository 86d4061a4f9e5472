package table

import (
	"testing"

	"github.com/selfsame-ml/selfsame/domain/domaintest"
)

func TestSpecs(t *testing.T) { domaintest.Specs(t, Specs()) }
