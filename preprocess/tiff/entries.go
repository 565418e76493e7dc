package tiff

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// field is one field of a directory that is to be written.
type field struct {
	tag, kind uint16
	values    []byte
}

func numbers(tag, kind uint16, values ...uint64) field {
	f := field{tag: tag, kind: kind}
	for _, v := range values {
		f.values = binary.LittleEndian.AppendUint64(f.values, v)[:len(f.values)+int(kindSizes[kind])]
	}
	return f
}

func number(tag, kind uint16, value int) field {
	return numbers(tag, kind, uint64(value)) //nolint:gosec // never negative
}

// text ends with a zero, as the format wants it; without text there is no field.
func text(tag uint16, s string) field {
	if s != "" {
		s += "\x00"
	}
	return field{tag, kindASCII, []byte(s)}
}

// AddPage adds a page all of whose tiles are written, with the smaller versions of
// it, the largest first, and a text if any.
func (t *Writer) AddPage(full *Image, smaller []*Image, description, software string) error {
	var subs []uint64
	for _, image := range smaller {
		at, _, err := t.writeDirectory(t.fields(image, subfileReduced, nil, "", ""))
		if err != nil {
			return err
		}
		subs = append(subs, uint64(at)) //nolint:gosec // not negative
	}
	at, link, err := t.writeDirectory(t.fields(full, 0, subs, description, software))
	if err != nil {
		return err
	}
	if _, err := t.w.WriteAt(t.appendOffset(nil, uint64(at)), t.link); err != nil { //nolint:gosec // not negative
		return fmt.Errorf("linking a page: %w", err)
	}
	t.link = link
	return nil
}

// fields are an image's, by their tags.
func (t *Writer) fields(image *Image, subfile int, subs []uint64, description, software string) []field {
	offset, sub := uint16(kindLong), uint16(kindIFD)
	if t.big {
		offset, sub = kindLong8, kindIFD8
	}
	bits, formats := make([]uint64, image.Samples), make([]uint64, image.Samples)
	for i := range bits {
		bits[i], formats[i] = uint64(image.Bits), 1 //nolint:gosec // 8 or 16
	}
	photometric := photometricBlackIsZero
	switch {
	case image.Samples > 1:
		photometric = photometricRGB
	case image.WhiteIsZero:
		photometric = photometricWhiteIsZero
	}
	var extra []uint64
	if image.Samples == 4 {
		extra = []uint64{2} // unassociated alpha
	}
	all := []field{
		number(tagSubfileType, kindLong, subfile),
		number(tagWidth, kindLong, image.Width),
		number(tagLength, kindLong, image.Height),
		numbers(tagBits, kindShort, bits...),
		number(tagCompression, kindShort, compressionDeflate),
		number(tagPhotometric, kindShort, photometric),
		text(tagDescription, description),
		number(tagSamples, kindShort, image.Samples),
		number(tagPlanar, kindShort, 1),
		text(tagSoftware, software),
		number(tagPredictor, kindShort, predictorHorizontal),
		number(tagTileWidth, kindLong, image.tileWidth),
		number(tagTileLength, kindLong, image.tileHeight),
		numbers(tagTileOffsets, offset, image.offsets...),
		numbers(tagTileByteCounts, kindLong, image.counts...),
		numbers(tagSubIFDs, sub, subs...),
		numbers(tagExtraSamples, kindShort, extra...),
		numbers(tagSampleFormat, kindShort, formats...),
	}
	return slices.DeleteFunc(all, func(f field) bool { return len(f.values) == 0 })
}

// writeDirectory returns where it is, and where the offset of the next one goes.
func (t *Writer) writeDirectory(fields []field) (at, link int64, err error) {
	head, inline := 2, 4
	if t.big {
		head, inline = 8, 8
	}
	size := head + len(fields)*(4+2*inline) + inline
	data := make([]byte, head, size)
	binary.LittleEndian.PutUint16(data, uint16(len(fields))) //nolint:gosec // a few
	var values []byte                                        // that do not fit into their entries
	for _, f := range fields {
		data = binary.LittleEndian.AppendUint16(data, f.tag)
		data = binary.LittleEndian.AppendUint16(data, f.kind)
		data = t.appendOffset(data, uint64(int64(len(f.values))/kindSizes[f.kind])) //nolint:gosec // not negative
		if len(f.values) <= inline {
			data = append(data, f.values...)
			data = append(data, make([]byte, inline-len(f.values))...)
			continue
		}
		data = t.appendOffset(data, uint64(t.end()+int64(size+len(values)))) //nolint:gosec // not negative
		values = append(values, f.values...)
		values = append(values, make([]byte, len(f.values)%2)...)
	}
	data = append(data, make([]byte, inline)...)
	at, err = t.append(append(data, values...))
	return at, at + int64(size-inline), err
}

// appendOffset appends a number as wide as offsets are.
func (t *Writer) appendOffset(data []byte, n uint64) []byte {
	if t.big {
		return binary.LittleEndian.AppendUint64(data, n)
	}
	return binary.LittleEndian.AppendUint32(data, uint32(n)) //nolint:gosec // append refuses more
}
