package preview

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// Unpacking each of very many blocks would take minutes, which nothing could end.
func TestUnblosc_ofVeryManyBlocks(t *testing.T) {
	t.Parallel()
	const want = 1 << 15
	pack := func(block int) []byte { // LZ4 whose one block of each place is as it was
		data := []byte{2, 1, 1<<5 | bloscWhole, 1}
		for _, n := range []int{want, block, 0} {
			data = binary.LittleEndian.AppendUint32(data, uint32(n))
		}
		blocks := want / block
		for range blocks {
			data = binary.LittleEndian.AppendUint32(data, uint32(bloscHeader+4*blocks))
		}
		data = binary.LittleEndian.AppendUint32(data, uint32(block))
		return append(data, make([]byte, block)...)
	}
	out, err := unblosc(pack(4), want)
	require.NoError(t, err)
	require.Len(t, out, want)
	_, err = unblosc(pack(1), want)
	require.ErrorIs(t, err, errMuch)
}
