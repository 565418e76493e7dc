package tiff

// Tags of a page's directory.
const (
	tagSubfileType     = 254
	tagWidth           = 256
	tagLength          = 257
	tagBits            = 258
	tagCompression     = 259
	tagPhotometric     = 262
	tagFillOrder       = 266
	tagDescription     = 270
	tagStripOffsets    = 273
	tagSamples         = 277
	tagRowsPerStrip    = 278
	tagStripByteCounts = 279
	tagPlanar          = 284
	tagSoftware        = 305
	tagPredictor       = 317
	tagTileWidth       = 322
	tagTileLength      = 323
	tagTileOffsets     = 324
	tagTileByteCounts  = 325
	tagSubIFDs         = 330
	tagExtraSamples    = 338
	tagSampleFormat    = 339
)

// Kinds of values.
const (
	kindByte  = 1
	kindASCII = 2
	kindShort = 3
	kindLong  = 4
	kindIFD   = 13
	kindLong8 = 16
	kindIFD8  = 18
)

// kindSizes are the bytes that one value of each kind takes.
var kindSizes = map[uint16]int64{
	kindByte: 1, kindASCII: 1, kindShort: 2, kindLong: 4, kindIFD: 4, kindLong8: 8, kindIFD8: 8,
}

const (
	compressionNone       = 1
	compressionLZW        = 5
	compressionDeflate    = 8
	compressionOldDeflate = 32946
	compressionPackBits   = 32773
)

const (
	predictorNone       = 1
	predictorHorizontal = 2
)

const (
	photometricWhiteIsZero = 0
	photometricBlackIsZero = 1
	photometricRGB         = 2
)

// Bits of tagSubfileType.
const (
	subfileReduced = 1
	subfileMask    = 4
)

// Format is what a page's samples are.
type Format struct {
	Width, Height int
	Samples       int // of a pixel: 1 is grey, 3 is RGB, 4 is RGB with alpha
	Bits          int // of a sample: 8 or 16, unsigned
	WhiteIsZero   bool
}

// RowSamples is how many samples a row has.
func (f Format) RowSamples() int { return f.Width * f.Samples }
