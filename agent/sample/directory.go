package sample

import "encoding/binary"

// entry is one field of a TIFF directory; data is its value, encoded.
type entry struct {
	tag, kind uint16
	count     int
	data      []byte
}

func short(tag, value uint16) entry {
	return entry{tag: tag, kind: typeShort, count: 1, data: binary.LittleEndian.AppendUint16(nil, value)}
}

func long(tag uint16, values ...uint32) entry {
	e := entry{tag: tag, kind: typeLong, count: len(values)}
	for _, v := range values {
		e.data = binary.LittleEndian.AppendUint32(e.data, v)
	}
	return e
}

func rational(tag uint16, numerator, denominator uint32) entry {
	e := long(tag, numerator, denominator)
	e.kind, e.count = typeRational, 1
	return e
}

func ascii(tag uint16, text string) entry {
	data := append([]byte(text), 0)
	return entry{tag: tag, kind: typeASCII, count: len(data), data: data}
}

// inline is how many bytes of a value fit into the entry itself.
const inline = 4

// directorySize is the size of the encoded directory with the values that it
// points to, each at an even offset as TIFF wants.
func directorySize(entries []entry) int {
	size := tableSize(entries)
	for _, e := range entries {
		if len(e.data) > inline {
			size += len(e.data) + len(e.data)%2
		}
	}
	return size
}

func tableSize(entries []entry) int { return 2 + len(entries)*entrySize + 4 }

// encodeDirectory encodes entries, in ascending order of tag, for byte at of
// the file; next is the offset of the next directory, 0 for none.
func encodeDirectory(entries []entry, at, next int) []byte {
	table := make([]byte, 0, directorySize(entries))
	table = binary.LittleEndian.AppendUint16(table, uint16(len(entries))) //nolint:gosec // seventeen at most
	var values []byte
	for _, e := range entries {
		table = binary.LittleEndian.AppendUint16(table, e.tag)
		table = binary.LittleEndian.AppendUint16(table, e.kind)
		table = binary.LittleEndian.AppendUint32(table, uint32(e.count)) //nolint:gosec // bounded by the stack's limits
		if len(e.data) <= inline {
			table = append(table, e.data...)
			table = append(table, make([]byte, inline-len(e.data))...)
			continue
		}
		table = binary.LittleEndian.AppendUint32(table, uint32(at+tableSize(entries)+len(values))) //nolint:gosec // maxBytes keeps it in 32 bits
		values = append(values, e.data...)
		values = append(values, make([]byte, len(e.data)%2)...)
	}
	table = binary.LittleEndian.AppendUint32(table, uint32(next)) //nolint:gosec // maxBytes keeps it in 32 bits
	return append(table, values...)
}
