package bioformats

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// What a file may be besides a candidate.
var (
	ErrUnknown    = errors.New("loci.formats.UnknownFormatException: Unknown file format")
	ErrUnreadable = errors.New("java.io.FileNotFoundException")
	ErrCorrupt    = errors.New("loci.formats.FormatException: Invalid file")
)

// Candidate is what the importer takes in as one fileset.
type Candidate struct {
	File   string   // the main file
	Used   []string // all files, the main one first
	Reader string
	Images int   // in no plate
	Plates []int // how many images each plate has
	Parent bool  // the link keeps the name of the folder that all files are in
	Fails  bool  // the server fails on it
}

// SPW says that it is a screen's: it holds plates.
func (c *Candidate) SPW() bool { return len(c.Plates) > 0 }

// headSize is how much of a file is read at its beginning, and tailSize at its end.
const (
	headSize = 1 << 20
	tailSize = 64 << 10
)

// judge says what a file is. The error is one of those above.
func judge(path string) (*Candidate, error) {
	if root := zarrRoot(path); root != "" {
		return judgeZarr(root)
	}
	head, tail, size, err := ends(path)
	if err != nil {
		return nil, ErrUnreadable
	}
	if d, ok, err := readDirective(string(head)); ok {
		return d.judge(path, err)
	}
	one := &Candidate{File: path, Used: []string{path}, Images: 1}
	switch {
	case size == 0:
		return nil, ErrUnknown
	case isTIFF(head):
		one.Reader = "loci.formats.in.TiffReader"
		if !wholeTIFF(head, size) {
			return nil, ErrCorrupt
		}
		if !bytes.Contains(head, []byte("<OME")) {
			head = tail
		}
		return one.countXML(head), nil
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		one.Reader = "loci.formats.in.APNGReader"
		if !bytes.Contains(tail, []byte("IEND")) {
			return nil, ErrCorrupt
		}
		return one, nil
	case strings.HasSuffix(strings.ToLower(path), ".companion.ome"):
		return judgeCompanion(path, head)
	case extensions[strings.ToLower(filepath.Ext(path))]:
		one.Reader = "loci.formats.in.ImageReader"
		return one, nil
	default:
		return nil, ErrUnknown
	}
}

func (d directive) judge(path string, err error) (*Candidate, error) {
	if err != nil {
		return nil, errors.Join(ErrCorrupt, err)
	}
	switch d.outcome {
	case "corrupt":
		return nil, ErrCorrupt
	case "unknown":
		return nil, ErrUnknown
	case "unreadable":
		return nil, ErrUnreadable
	}
	return whole(d.candidate(path))
}

// whole is the candidate, if all its files are there.
func whole(c *Candidate) (*Candidate, error) {
	for _, path := range c.Used[1:] {
		if _, err := os.Stat(path); err != nil {
			return nil, errors.Join(ErrCorrupt, err)
		}
	}
	return c, nil
}

// ends reads the beginning and the end of a file.
func ends(path string) (head, tail []byte, size int64, err error) {
	f, err := os.Open(path) //nolint:gosec // what the test asked for
	if err != nil {
		return nil, nil, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, 0, ErrUnreadable
	}
	size = info.Size()
	head = make([]byte, min(size, headSize))
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, nil, 0, err
	}
	if size <= tailSize {
		return head, head, size, nil
	}
	tail = make([]byte, tailSize)
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return nil, nil, 0, err
	}
	return head, tail, size, nil
}

func isTIFF(head []byte) bool {
	return slices.ContainsFunc([]string{"II*\x00", "MM\x00*", "II+\x00", "MM\x00+"}, func(magic string) bool {
		return bytes.HasPrefix(head, []byte(magic))
	})
}

// wholeTIFF reports whether the first directory is within the file. BigTIFF is
// taken as it is.
func wholeTIFF(head []byte, size int64) bool {
	if head[2] == '+' || head[3] == '+' {
		return len(head) >= 16
	}
	if len(head) < 8 {
		return false
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[0] == 'M' {
		order = binary.BigEndian
	}
	return int64(order.Uint32(head[4:])) < size
}

var (
	imageElement = regexp.MustCompile(`<Image[ >]`)
	plateElement = regexp.MustCompile(`<Plate[ >]`)
	fileName     = regexp.MustCompile(`FileName="([^"]+)"`)
)

// countXML counts the images and plates of OME-XML, if there is any.
func (c *Candidate) countXML(content []byte) *Candidate {
	if !bytes.Contains(content, []byte("<OME")) {
		return c
	}
	images := max(1, len(imageElement.FindAll(content, -1)))
	plates := len(plateElement.FindAll(content, -1))
	if plates == 0 {
		c.Images = images
		return c
	}
	c.Images = 0
	c.Plates = make([]int, plates)
	for i := range images {
		c.Plates[i%plates]++
	}
	return c
}

// judgeCompanion reads the OME-XML of a companion file, which names its parts.
func judgeCompanion(path string, head []byte) (*Candidate, error) {
	c := &Candidate{File: path, Used: []string{path}, Images: 1, Reader: "loci.formats.in.OMETiffReader"}
	for _, m := range fileName.FindAllSubmatch(head, -1) {
		part := filepath.Join(filepath.Dir(path), string(m[1]))
		if !slices.Contains(c.Used, part) {
			c.Used = append(c.Used, part)
		}
	}
	return whole(c.countXML(head))
}

// extensions are those of formats that are taken on their word.
var extensions = func() map[string]bool {
	all := map[string]bool{}
	for ext := range strings.FieldsSeq(`.tif .tiff .btf .tf2 .tf8 .png .jpg .jpeg .jp2 .bmp .gif .czi .lsm .zvi .lif
		.lof .xlef .nd2 .nd .oib .oif .vsi .dv .r3d .ims .svs .ndpi .ndpis .scn .mrxs .bif .ome .dcm .dicom .stk .sld
		.mrc .fits .avi .flex .mea .htd .xdce .sxm .ids .ics .h5 .qptiff`) {
		all[ext] = true
	}
	return all
}()
