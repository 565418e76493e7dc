package preview

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// codec unpacks data of which so many bytes have to come, and no more.
type codec func(data []byte, want int) ([]byte, error)

// unpackers are the codecs by their names in Zarr.
var unpackers = map[string]codec{
	"zlib":   inflate,
	"gzip":   gunzip,
	"zstd":   unzstd,
	"blosc":  unblosc,
	"lz4":    unlz4Sized,
	"crc32c": func(data []byte, _ int) ([]byte, error) { return data[:max(len(data)-4, 0)], nil },
}

// all reads exactly so many bytes.
func all(r io.Reader, want int) ([]byte, error) {
	out := make([]byte, want)
	_, err := io.ReadFull(r, out)
	return out, err
}

func inflate(data []byte, want int) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return all(r, want)
}

func gunzip(data []byte, want int) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return all(r, want)
}

func unzstd(data []byte, want int) ([]byte, error) {
	r, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxChunk))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return all(r, want)
}

func unlz4(data []byte, want int) ([]byte, error) {
	out := make([]byte, want)
	n, err := lz4.UncompressBlock(data, out)
	return out[:n], err
}

// unlz4Sized unpacks a block behind its size, as numcodecs has it.
func unlz4Sized(data []byte, want int) ([]byte, error) {
	if len(data) < 4 {
		return nil, errNone
	}
	return unlz4(data[4:], want)
}

// Of the header of c-blosc's format 1: https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst.
const (
	bloscHeader     = 16
	bloscShuffled   = 1
	bloscCopied     = 2
	bloscBits       = 4
	bloscWhole      = 16
	bloscMaxSplits  = 16
	bloscSmallSplit = 128
	// maxBlocks bounds what has to be set up to unpack one chunk: blocks have 8 KiB or more
	// where nobody asked for smaller ones.
	maxBlocks = 1 << 14
)

// unblosc unpacks LZ4, zlib and Zstandard, also with bytes shuffled.
func unblosc(data []byte, want int) ([]byte, error) {
	if len(data) < bloscHeader {
		return nil, errNone
	}
	flags, size := data[2], int(data[3])
	total, block := int(binary.LittleEndian.Uint32(data[4:])), int(binary.LittleEndian.Uint32(data[8:]))
	if total != want || flags&bloscBits != 0 || size == 0 || want == 0 {
		return nil, errNone
	}
	if flags&bloscCopied != 0 {
		if len(data) < bloscHeader+want {
			return nil, errNone
		}
		return data[bloscHeader : bloscHeader+want], nil
	}
	unpack, ok := map[byte]codec{1: unlz4, 3: inflate, 4: unzstd}[flags>>5]
	if !ok || block < 1 || block > maxChunk || (want-1)/block+1 > (len(data)-bloscHeader)/4 {
		return nil, errNone
	}
	if (want-1)/block+1 > maxBlocks {
		return nil, errMuch
	}
	out := make([]byte, 0, want)
	for i := 0; len(out) < want; i++ {
		n := min(block, want-len(out))
		parts := 1
		if n == block && flags&bloscWhole == 0 && size <= bloscMaxSplits && block/size >= bloscSmallSplit {
			parts = size
		}
		at := int(binary.LittleEndian.Uint32(data[bloscHeader+4*i:]))
		unpacked, err := bloscBlock(data, at, n, parts, unpack)
		if err != nil {
			return nil, err
		}
		if flags&bloscShuffled != 0 {
			unpacked = unshuffle(unpacked, size)
		}
		out = append(out, unpacked...)
	}
	return out, nil
}

// bloscBlock unpacks the parts of a block, each behind its size.
func bloscBlock(data []byte, at, n, parts int, unpack codec) ([]byte, error) {
	out := make([]byte, 0, n)
	for range parts {
		if at < 0 || at > len(data)-4 {
			return nil, errNone
		}
		size := int(int32(binary.LittleEndian.Uint32(data[at:]))) //nolint:gosec // a signed number
		if at += 4; size < 0 || size > len(data)-at {
			return nil, errNone
		}
		part := data[at : at+size]
		at += size
		if size != n/parts { // else it is as it was
			var err error
			if part, err = unpack(part, n/parts); err != nil {
				return nil, err
			}
		}
		out = append(out, part...)
	}
	if len(out) != n {
		return nil, fmt.Errorf("a block of %d bytes, not %d: %w", len(out), n, errNone)
	}
	return out, nil
}

// unshuffle puts the bytes of each value together again.
func unshuffle(data []byte, size int) []byte {
	out := make([]byte, len(data))
	n := len(data) / size
	for b := range size {
		for i := range n {
			out[i*size+b] = data[b*n+i]
		}
	}
	copy(out[n*size:], data[n*size:])
	return out
}
