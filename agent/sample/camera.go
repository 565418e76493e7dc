package sample

import (
	"math"
	"math/rand/v2"
)

// A scientific CMOS camera, roughly: counts are electrons on top of a fixed
// offset, a dim background, and the noise of reading a pixel out.
const (
	offset     = 100
	background = 20
	readNoise  = 1.6

	minBrightness = 200
	maxBrightness = 1500
)

// camera takes the pictures of one stack.
type camera struct {
	stack Stack
	cells []cell
}

// cell is a blob with a Gaussian profile; lengths are in pixels, z and depth
// in planes.
type cell struct {
	x, y, z, radius, depth float64
	// brightness is the peak signal in each channel, in electrons.
	brightness []float64
}

func newCamera(s Stack) *camera {
	// Stream 0 places the cells; newCamera and plane share no stream, so a
	// plane's noise does not depend on which planes were taken before it.
	rng := rand.New(rand.NewPCG(s.Seed, 0)) //nolint:gosec // reproducible pixels, no secret
	c := &camera{stack: s, cells: make([]cell, 4+rng.IntN(8))}
	side := float64(min(s.Width, s.Height))
	for i := range c.cells {
		c.cells[i] = cell{
			x:          rng.Float64() * float64(s.Width),
			y:          rng.Float64() * float64(s.Height),
			z:          rng.Float64() * float64(s.Planes-1),
			radius:     max(1, side*(0.02+0.04*rng.Float64())),
			depth:      max(1, float64(s.Planes)/3),
			brightness: make([]float64, s.Channels),
		}
		for ch := range s.Channels {
			c.cells[i].brightness[ch] = minBrightness + (maxBrightness-minBrightness)*rng.Float64()
		}
	}
	return c
}

// plane fills pixels, of Width × Height, with focal plane z of a channel.
func (c *camera) plane(ch, z int, pixels []uint16) {
	stream := uint64(1 + ch*c.stack.Planes + z)        //nolint:gosec // both are small and not negative
	rng := rand.New(rand.NewPCG(c.stack.Seed, stream)) //nolint:gosec // reproducible pixels, no secret
	spots := c.spots(ch, z)
	signal := make([]float64, c.stack.Width)
	for y := range c.stack.Height {
		for x := range signal {
			signal[x] = background
		}
		for _, s := range spots {
			s.addRow(signal, y)
		}
		row := pixels[y*c.stack.Width:][:c.stack.Width]
		for x, electrons := range signal {
			// At these counts a Poisson distribution is a normal one whose
			// variance is its mean; read-out noise adds its own.
			noise := rng.NormFloat64() * math.Sqrt(electrons+readNoise*readNoise)
			row[x] = uint16(min(max(offset+electrons+noise+0.5, 0), math.MaxUint16))
		}
	}
}

// spot is a cell as one focal plane shows it: separable, so that a row costs a
// multiplication a pixel.
type spot struct {
	y, radius, peak float64
	left            int
	profile         []float64
}

// reach is where a spot is cut off, in radii: below a count there.
const reach = 4

func (c *camera) spots(ch, z int) []spot {
	spots := make([]spot, 0, len(c.cells))
	for _, cell := range c.cells {
		defocus := (float64(z) - cell.z) / cell.depth
		blur := math.Sqrt(1 + defocus*defocus)
		s := spot{y: cell.y, radius: cell.radius * blur, peak: cell.brightness[ch] / (blur * blur)}
		s.left = max(0, int(cell.x-reach*s.radius))
		right := min(c.stack.Width, int(cell.x+reach*s.radius)+1)
		for x := s.left; x < right; x++ {
			s.profile = append(s.profile, bell(float64(x)-cell.x, s.radius))
		}
		spots = append(spots, s)
	}
	return spots
}

func (s spot) addRow(signal []float64, y int) {
	away := float64(y) - s.y
	if math.Abs(away) > reach*s.radius {
		return
	}
	height := s.peak * bell(away, s.radius)
	for i, v := range s.profile {
		signal[s.left+i] += height * v
	}
}

func bell(distance, radius float64) float64 {
	return math.Exp(-distance * distance / (2 * radius * radius))
}
