package preview

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"time"

	"golang.org/x/sync/singleflight"

	"biomero-importer/importer"
)

const (
	// side is a picture's longer one, in pixels.
	side = 192
	// quality is of its JPEG.
	quality = 80
	// makeTime is what a picture may take, and its turn.
	makeTime = 10 * time.Second
	// maxBytes is what is read of an image.
	maxBytes = 128 << 20
	// maxChunk is what a part of one may be unpacked to, in bytes.
	maxChunk = 64 << 20
	// format is part of what a picture is known by: another one for other pictures.
	format = "1"
)

// errNone says that there can be no picture of a file as it is.
var errNone = errors.New("there can be no picture of it")

// Maker makes and keeps pictures.
type Maker struct {
	share *importer.Share
	cache *cache
	turn  chan struct{} // has room for who makes a picture
	one   singleflight.Group
}

// Open keeps pictures in a folder of its own, of up to so many bytes. It is made when
// absent.
func Open(dir string, size int64, share *importer.Share) (*Maker, error) {
	c, err := openCache(dir, size)
	if err != nil {
		return nil, err
	}
	return &Maker{share: share, cache: c, turn: make(chan struct{}, 1)}, nil
}

// Get returns the picture of the file or folder at path, a JPEG; nil where there can be
// none. Its tag is another one when the file is. An error may pass.
func (m *Maker) Get(ctx context.Context, path string) (picture []byte, tag string, err error) {
	resolved, info, err := m.share.Resolve(path)
	if _, ok := errors.AsType[*importer.Error](err); ok {
		return nil, "none", nil
	}
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d %d", format, resolved, info.Size(), info.ModTime().UnixNano()))
	tag = hex.EncodeToString(sum[:16])
	made, err, _ := m.one.Do(tag, func() (any, error) {
		if kept, ok := m.cache.get(tag); ok {
			return kept, nil
		}
		return m.make(ctx, resolved, info, tag)
	})
	if err != nil {
		return nil, "", err
	}
	if picture, _ = made.([]byte); len(picture) == 0 {
		picture = nil
	}
	return picture, tag, nil
}

// make makes a picture and keeps it, or that there is none. What takes too long has none
// for now.
func (m *Maker) make(ctx context.Context, path string, info fs.FileInfo, tag string) ([]byte, error) {
	// Others may wait for the same, whoever goes away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeTime)
	defer cancel()
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return nil, nil
	}
	rel, err := m.share.Rel(path)
	if err != nil {
		return nil, err
	}
	from := &source{ctx: ctx, root: m.share.Root(), dir: rel, left: maxBytes}
	var drawn image.Image
	if info.IsDir() {
		drawn, err = drawZarr(from)
	} else {
		drawn, err = drawTIFF(from)
	}
	if ctx.Err() != nil {
		return nil, nil
	}
	var out bytes.Buffer
	if err == nil {
		err = jpeg.Encode(&out, drawn, &jpeg.Options{Quality: quality})
	}
	if fault, ok := errors.AsType[*fs.PathError](err); ok && !errors.Is(fault, fs.ErrNotExist) {
		return nil, nil // it may pass
	}
	if err != nil {
		out.Reset() // whatever is wrong with it: it is kept that there is none
	}
	return out.Bytes(), m.cache.put(tag, out.Bytes())
}
