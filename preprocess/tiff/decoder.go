package tiff

import (
	"bufio"
	"compress/zlib"
	"io"

	"golang.org/x/image/tiff/lzw"
)

// decoder decodes one segment after the other.
type decoder struct {
	io.Reader

	in       *bufio.Reader
	inflater io.ReadCloser // also a zlib.Resetter
}

// readAhead is small, for there may be thousands of decoders.
const readAhead = 16 << 10

// start begins with another segment.
func (d *decoder) start(segment io.Reader, compression uint64) error {
	if d.in == nil {
		d.in = bufio.NewReaderSize(segment, readAhead)
	} else {
		d.in.Reset(segment)
	}
	switch compression {
	case compressionLZW:
		d.Reader = lzw.NewReader(d.in, lzw.MSB, 8)
	case compressionDeflate, compressionOldDeflate:
		return d.inflate()
	case compressionPackBits:
		d.Reader = &unpacker{in: d.in}
	default:
		d.Reader = d.in
	}
	return nil
}

func (d *decoder) inflate() (err error) {
	if resetter, ok := d.inflater.(zlib.Resetter); ok {
		return resetter.Reset(d.in, nil)
	}
	d.inflater, err = zlib.NewReader(d.in)
	d.Reader = d.inflater
	return err
}
