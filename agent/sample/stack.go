package sample

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Limits of a Stack. They keep a mistyped number from filling a disk, one
// plane well inside memory, and every offset inside TIFF's 32 bits.
const (
	maxName     = 255
	maxSide     = 8192
	maxPlanes   = 1000
	maxChannels = 16
	maxBytes    = 2 << 30
)

const bytesPerPixel = 2

// Voxel size in micrometres: a 60x objective on a camera with 6.5 µm pixels,
// focused in steps of 0.3 µm. The numerator and denominator give the TIFF
// resolution, in pixels per centimetre, without rounding.
const (
	voxelXY           = 0.108
	voxelZ            = 0.3
	pixelsPerCMNumer  = 10_000_000
	pixelsPerCMDenom  = 108
	physicalUnitLabel = "micrometer"
)

// Stack describes one image: Channels × Planes focal planes of Width × Height
// pixels of 16 bits. Name is the image's name in its metadata. Equal stacks
// have equal pixels; Seed tells images of one size apart.
type Stack struct {
	Name                            string
	Width, Height, Planes, Channels int
	Seed                            uint64
}

// Bytes is the size of the pixel data at full resolution, in bytes.
func (s Stack) Bytes() int64 {
	return int64(s.Width) * int64(s.Height) * int64(s.Planes) * int64(s.Channels) * bytesPerPixel
}

func (s Stack) validate() error {
	if err := validateName(s.Name); err != nil {
		return err
	}
	for _, field := range []struct {
		name         string
		value, limit int
	}{
		{"width", s.Width, maxSide},
		{"height", s.Height, maxSide},
		{"number of planes", s.Planes, maxPlanes},
		{"number of channels", s.Channels, maxChannels},
	} {
		if field.value < 1 || field.value > field.limit {
			return fmt.Errorf("the %s of the sample image %q is %d: choose 1 to %d", field.name, s.Name, field.value, field.limit)
		}
	}
	if s.Bytes() > maxBytes {
		return fmt.Errorf("the sample image %q would hold %d bytes of pixels: choose a size of at most %d", s.Name, s.Bytes(), maxBytes)
	}
	return nil
}

func validateName(name string) error {
	switch {
	case name == "":
		return errors.New("the sample image has no name: give it one")
	case len(name) > maxName:
		return fmt.Errorf("the name of the sample image has %d bytes: choose one of at most %d", len(name), maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("the name of the sample image, %q, is not UTF-8, which its metadata must be: choose another", name)
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return fmt.Errorf("the name of the sample image, %q, holds a control character, which its metadata cannot: choose another", name)
		}
	}
	return nil
}

// channel is what the metadata says about one channel.
type channel struct {
	name string
	// rgb is the display colour, 0xRRGGBB.
	rgb uint32
	// emission is the peak of the dye's emission, in nanometres.
	emission int
}

// channelAt names the usual dyes in order of wavelength, and starts over.
func channelAt(i int) channel {
	dyes := [...]channel{
		{name: "DAPI", rgb: 0x0000FF, emission: 461},
		{name: "GFP", rgb: 0x00FF00, emission: 509},
		{name: "mCherry", rgb: 0xFF0000, emission: 610},
		{name: "Cy5", rgb: 0xFF00FF, emission: 666},
	}
	dye := dyes[i%len(dyes)]
	if round := i / len(dyes); round > 0 {
		dye.name = fmt.Sprintf("%s %d", dye.name, round+1)
	}
	return dye
}
