package preview

import (
	"encoding/binary"
	"math"
)

// number is how one value of an array is written.
type number struct {
	size int // bytes
	read func(data []byte) float64
}

func newNumber(kind string, order binary.ByteOrder) (number, error) {
	switch kind {
	case "u1":
		return number{1, func(d []byte) float64 { return float64(d[0]) }}, nil
	case "i1":
		return number{1, func(d []byte) float64 { return float64(int8(d[0])) }}, nil //nolint:gosec // a signed number
	case "u2":
		return number{2, func(d []byte) float64 { return float64(order.Uint16(d)) }}, nil
	case "i2":
		return number{2, func(d []byte) float64 { return float64(int16(order.Uint16(d))) }}, nil //nolint:gosec // a signed number
	case "u4":
		return number{4, func(d []byte) float64 { return float64(order.Uint32(d)) }}, nil
	case "i4":
		return number{4, func(d []byte) float64 { return float64(int32(order.Uint32(d))) }}, nil //nolint:gosec // a signed number
	case "f4":
		return number{4, func(d []byte) float64 { return float64(math.Float32frombits(order.Uint32(d))) }}, nil
	case "f8":
		return number{8, func(d []byte) float64 { return math.Float64frombits(order.Uint64(d)) }}, nil
	}
	return number{}, errNone
}

func (n number) at(data []byte, i int) float64 { return n.read(data[i*n.size:]) }
