package sample

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// statistics returns the mean and the variance of pixels.
func statistics(pixels []uint16) (mean, variance float64) {
	for _, v := range pixels {
		mean += float64(v)
	}
	mean /= float64(len(pixels))
	for _, v := range pixels {
		variance += (float64(v) - mean) * (float64(v) - mean)
	}
	return mean, variance / float64(len(pixels))
}

func TestNoiseIsACamera(t *testing.T) {
	t.Parallel()
	dark := camera{stack: Stack{Width: 256, Height: 256, Planes: 1, Channels: 1, Seed: 5}}
	pixels := make([]uint16, 256*256)
	dark.plane(0, 0, pixels)
	mean, variance := statistics(pixels)
	// Shot noise has the variance of the signal without the offset.
	require.InDelta(t, offset+background, mean, 0.2)
	require.InDelta(t, background+readNoise*readNoise, variance, 1)
}

func TestCellsShow(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		s := Stack{Width: 200, Height: 150, Planes: 5, Channels: 2, Seed: seed}
		cam, pixels := newCamera(s), make([]uint16, 200*150)
		cam.plane(1, 2, pixels)
		mean, variance := statistics(pixels)
		require.Greater(t, mean, offset+background+1.0)
		require.Less(t, mean, float64(offset+maxBrightness))
		require.Greater(t, math.Sqrt(variance), 2*math.Sqrt(background))
	}
}

func TestPlanesDiffer(t *testing.T) {
	t.Parallel()
	take := func(seed uint64, ch, z int) []uint16 {
		pixels := make([]uint16, 64*48)
		newCamera(Stack{Width: 64, Height: 48, Planes: 3, Channels: 2, Seed: seed}).plane(ch, z, pixels)
		return pixels
	}
	first := take(1, 0, 0)
	require.Equal(t, first, take(1, 0, 0))
	require.NotEqual(t, first, take(1, 0, 1))
	require.NotEqual(t, first, take(1, 1, 0))
	require.NotEqual(t, first, take(2, 0, 0))
}
