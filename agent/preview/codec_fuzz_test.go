package preview

import "testing"

func FuzzUnpack(f *testing.F) {
	f.Add("blosc", []byte{2, 1, 0x21, 2, 8, 0, 0, 0, 8, 0, 0, 0, 30, 0, 0, 0, 20, 0, 0, 0, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}, 8)
	f.Add("blosc", []byte{2, 1, 2, 2, 2, 0, 0, 0, 2, 0, 0, 0, 18, 0, 0, 0, 7, 7}, 2)
	f.Add("lz4", []byte{2, 0, 0, 0, 0x20, 7, 7}, 2)
	f.Add("crc32c", []byte{1}, 1)
	f.Fuzz(func(t *testing.T, name string, data []byte, want int) {
		unpack := unpackers[name]
		if unpack == nil || want < 0 || want > 1<<16 {
			return
		}
		if out, err := unpack(data, want); err == nil && len(out) > max(want, len(data)) {
			t.Fatalf("%d bytes came, and %d were wanted", len(out), want)
		}
	})
}
