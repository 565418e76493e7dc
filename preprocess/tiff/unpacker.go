package tiff

import (
	"bufio"
	"io"
)

// unpacker decodes PackBits: a length, and as many bytes or one that is repeated.
type unpacker struct {
	in     *bufio.Reader
	left   int // of the run
	repeat bool
	value  byte // that is repeated
}

func (u *unpacker) Read(out []byte) (int, error) {
	for u.left == 0 {
		if err := u.start(); err != nil {
			return 0, err
		}
	}
	out = out[:min(len(out), u.left)]
	n := len(out)
	if u.repeat {
		for i := range out {
			out[i] = u.value
		}
	} else {
		var err error
		if n, err = u.in.Read(out); err != nil {
			return n, err
		}
	}
	u.left -= n
	return n, nil
}

// start reads how the next run begins.
func (u *unpacker) start() error {
	head, err := u.in.ReadByte()
	if err != nil {
		return err
	}
	switch n := int(int8(head)); { //nolint:gosec // the byte is a signed number
	case n >= 0:
		u.left, u.repeat = n+1, false
	case n > -128:
		u.left, u.repeat = 1-n, true
		if u.value, err = u.in.ReadByte(); err != nil {
			return io.ErrUnexpectedEOF
		}
	}
	return nil
}
