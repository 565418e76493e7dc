package sample

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
)

// Stack describes an image: Planes sections of Channels channels, 16 bits.
type Stack struct {
	Name          string
	Width, Height int // pixels
	Planes        int
	Channels      int
	Seed          uint64 // the same seed gives the same pixels
}

func (s Stack) check() error {
	const most = 1 << 14
	for _, n := range []int{s.Width, s.Height, s.Planes, s.Channels} {
		if n < 1 || n > most {
			return fmt.Errorf("sample %q: width, height, planes and channels have to be between 1 and %d", s.Name, most)
		}
	}
	if size := s.Width * s.Height * 2; size*s.Planes*s.Channels > 1<<31 {
		return fmt.Errorf("sample %q: more than 2 GiB of pixels", s.Name)
	}
	return nil
}

// Counts of a scientific camera: its offset, read noise, and the brightest
// cell's peak.
const (
	cameraOffset = 100
	readNoise    = 2.5
	peakCounts   = 4000
)

// plane returns one section's pixels, row by row: a few round cells over
// background, with shot noise and read noise.
func (s Stack) plane(z, c int) []uint16 {
	cells := rand.New(rand.NewPCG(s.Seed, uint64(c)))                  //nolint:gosec // pixels are no secret
	noise := rand.New(rand.NewPCG(s.Seed+1, uint64(z*s.Channels+c)+7)) //nolint:gosec // pixels are no secret
	light := make([]float64, s.Width*s.Height)
	for range 12 {
		x, y := cells.Float64()*float64(s.Width), cells.Float64()*float64(s.Height)
		radius := (0.02 + 0.04*cells.Float64()) * float64(min(s.Width, s.Height))
		peak := peakCounts * (0.2 + 0.8*cells.Float64())
		depth := (float64(z) - cells.Float64()*float64(s.Planes-1)) / math.Max(float64(s.Planes), 1)
		s.addCell(light, x, y, math.Max(radius, 1), peak*math.Exp(-8*depth*depth))
	}
	pixels := make([]uint16, len(light))
	for i, photons := range light {
		photons += 20
		counts := cameraOffset + photons + noise.NormFloat64()*math.Sqrt(photons) + noise.NormFloat64()*readNoise
		pixels[i] = uint16(min(max(counts, 0), math.MaxUint16))
	}
	return pixels
}

func (s Stack) addCell(light []float64, x, y, radius, peak float64) {
	reach := 3 * radius
	for row := max(int(y-reach), 0); row < min(int(y+reach)+1, s.Height); row++ {
		for column := max(int(x-reach), 0); column < min(int(x+reach)+1, s.Width); column++ {
			dx, dy := (float64(column)-x)/radius, (float64(row)-y)/radius
			light[row*s.Width+column] += peak * math.Exp(-(dx*dx+dy*dy)/2)
		}
	}
}

// little encodes pixels little-endian.
func little(pixels []uint16) []byte {
	out := make([]byte, 0, 2*len(pixels))
	for _, p := range pixels {
		out = binary.LittleEndian.AppendUint16(out, p)
	}
	return out
}
