package preview

import (
	"image"
	"image/color"
	"math"
	"slices"
)

// planes are the channels of a picture, each value the mean of the pixels that it stands
// for.
type planes struct {
	width, height   int // of the image
	across, down    int // of the picture
	sums            [][]float64
	counts          [][]uint32
	columnOf, rowOf []int32
}

func newPlanes(width, height, channels int) *planes {
	p := &planes{width: width, height: height, across: width, down: height}
	if longer := max(width, height); longer > side {
		p.across, p.down = max(width*side/longer, 1), max(height*side/longer, 1)
	}
	for range channels {
		p.sums = append(p.sums, make([]float64, p.across*p.down))
		p.counts = append(p.counts, make([]uint32, p.across*p.down))
	}
	p.columnOf, p.rowOf = places(width, p.across), places(height, p.down)
	return p
}

// places are where each of n pixels comes to lie among fewer.
func places(n, among int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = int32(i * among / n) //nolint:gosec // fewer than side
	}
	return list
}

// add adds a pixel of the image.
func (p *planes) add(channel, x, y int, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	at := int(p.rowOf[y])*p.across + int(p.columnOf[x])
	p.sums[channel][at] += value
	p.counts[channel][at]++
}

// means are the values of a channel.
func (p *planes) means(channel int) []float64 {
	list := make([]float64, p.across*p.down)
	for i, n := range p.counts[channel] {
		if n > 0 {
			list[i] = p.sums[channel][i] / float64(n)
		}
	}
	return list
}

// stretched are values between 0 and 1: what is darker or brighter than nearly all is cut.
func stretched(values []float64) []float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	cut := len(sorted) / 200
	low, high := sorted[cut], sorted[len(sorted)-1-cut]
	if high <= low {
		low, high = sorted[0], sorted[len(sorted)-1]
	}
	out := make([]float64, len(values))
	for i, v := range values {
		if high > low {
			out[i] = min(max((v-low)/(high-low), 0), 1)
		}
	}
	return out
}

func (p *planes) grey(inverted bool) image.Image {
	out := image.NewGray(image.Rect(0, 0, p.across, p.down))
	for i, v := range stretched(p.means(0)) {
		if inverted {
			v = 1 - v
		}
		out.Pix[i] = uint8(math.Round(255 * v))
	}
	return out
}

// rgb is a picture of samples that are colours, stretched where they have 16 bits.
func (p *planes) rgb(samples, bits int) image.Image {
	colours := min(samples, 3)
	all := make([]float64, 0, colours*p.across*p.down)
	for c := range colours {
		all = append(all, p.means(c)...)
	}
	if bits == 16 {
		all = stretched(all)
	} else {
		for i := range all {
			all[i] /= 255
		}
	}
	out := image.NewRGBA(image.Rect(0, 0, p.across, p.down))
	n := p.across * p.down
	for i := range n {
		out.SetRGBA(i%p.across, i/p.across, color.RGBA{to8(all[i]), to8(all[n+i]), to8(all[2*n+i]), 255})
	}
	return out
}

// blend is a picture of channels, each of a colour.
func (p *planes) blend(colours []color.RGBA) image.Image {
	n := p.across * p.down
	sums := make([][3]float64, n)
	for c, of := range colours {
		for i, v := range stretched(p.means(c)) {
			sums[i][0] += v * float64(of.R) / 255
			sums[i][1] += v * float64(of.G) / 255
			sums[i][2] += v * float64(of.B) / 255
		}
	}
	out := image.NewRGBA(image.Rect(0, 0, p.across, p.down))
	for i, s := range sums {
		out.SetRGBA(i%p.across, i/p.across, color.RGBA{to8(s[0]), to8(s[1]), to8(s[2]), 255})
	}
	return out
}

func to8(v float64) uint8 { return uint8(math.Round(255 * min(max(v, 0), 1))) }
