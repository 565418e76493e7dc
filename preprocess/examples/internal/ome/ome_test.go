package ome_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/preprocess/examples/internal/ome"
)

func TestDimensionsOf(t *testing.T) {
	t.Parallel()
	const head = `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">`
	const tail = `</Image></OME>`
	for name, tc := range map[string]struct {
		text    string
		planes  int
		samples int
		want    ome.Dimensions
		err     string
	}{
		"no text: points in time": {"", 5, 1, ome.Dimensions{Order: "XYCZT", Z: 1, C: 1, T: 5}, ""},
		"any text":                {"made by hand", 1, 1, ome.Dimensions{Order: "XYCZT", Z: 1, C: 1, T: 1}, ""},
		"an ImageJ hyperstack": {
			"ImageJ=1.53t\nimages=24\nchannels=2\nslices=3\nframes=4\nhyperstack=true\n", 24, 1,
			ome.Dimensions{Order: "XYCZT", Z: 3, C: 2, T: 4},
			"",
		},
		"an ImageJ stack":           {"ImageJ=1.53t\nimages=6\n", 6, 1, ome.Dimensions{Order: "XYCZT", Z: 1, C: 1, T: 6}, ""},
		"an ImageJ stack in Z":      {"ImageJ=1.53t\nimages=6\nslices=6\nunit=\\u00B5m\n", 6, 1, ome.Dimensions{Order: "XYCZT", Z: 6, C: 1, T: 1}, ""},
		"ImageJ, one page for many": {"ImageJ=1.53t\nimages=6\nslices=6\n", 1, 1, ome.Dimensions{}, "it has 1 pages"},
		"ImageJ, no number":         {"ImageJ=1.53t\nslices=many\n", 1, 1, ome.Dimensions{}, `says "slices=many"`},
		"ImageJ, sizes that overflow": {
			"ImageJ=1\nslices=4294967296\nframes=4294967296\n", 1, 1,
			ome.Dimensions{},
			"it has 1 pages",
		},
		"OME-XML": {
			head + `<Pixels DimensionOrder="XYZCT" Type="uint16" SizeX="1" SizeY="1" SizeZ="2" SizeC="3" SizeT="1"
				PhysicalSizeX="0.25" PhysicalSizeXUnit="µm" PhysicalSizeY="250" PhysicalSizeYUnit="nm" PhysicalSizeZ="-1">
				<Channel ID="Channel:0:0" Name="DAPI"/><Channel ID="Channel:0:1"/><Channel ID="Channel:0:2" Name="GFP"/>
				<TiffData/></Pixels>` + tail, 6, 1,
			ome.Dimensions{
				Order: "XYZCT", Z: 2, C: 3, T: 1, Channels: []string{"DAPI", "", "GFP"},
				Physical: [3]ome.Length{{"0.25", "µm"}, {"250", "nm"}},
			},
			"",
		},
		"OME-XML of RGB": {
			head + `<Pixels DimensionOrder="XYCZT" SizeZ="1" SizeC="3" SizeT="2"><Channel ID="Channel:0:0" SamplesPerPixel="3"/>
				<TiffData IFD="1" FirstT="1"/></Pixels>` + tail, 2, 3,
			ome.Dimensions{Order: "XYCZT", Z: 1, C: 1, T: 2, Channels: []string{""}},
			"",
		},
		"OME-XML in another order": {
			head + `<Pixels DimensionOrder="XYCZT" SizeZ="1" SizeC="1" SizeT="2">
				<TiffData IFD="1" FirstT="0"/><TiffData IFD="0" FirstT="1"/></Pixels>` + tail, 2, 1, ome.Dimensions{}, "another order",
		},
		"OME-XML of another size": {
			head + `<Pixels DimensionOrder="XYCZT" SizeZ="4" SizeC="1" SizeT="1"/>` + tail, 2, 1, ome.Dimensions{}, "4 x 1 x 1 planes",
		},
		"OME-XML of no order":        {head + `<Pixels SizeZ="1" SizeC="1" SizeT="1"/>` + tail, 1, 1, ome.Dimensions{}, `order ""`},
		"OME-XML of several images":  {head + `</Image><Image>` + tail, 1, 1, ome.Dimensions{}, "2 images"},
		"OME-XML that does not end":  {head + `<Pixels></OME>`, 1, 1, ome.Dimensions{}, "reading its OME-XML"},
		"OME-XML with a size absurd": {head + `<Pixels DimensionOrder="XYCZT" SizeZ="99999999999999999999"/>` + tail, 1, 1, ome.Dimensions{}, "reading its OME-XML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ome.DimensionsOf(tc.text, tc.planes, tc.samples)
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestChannel(t *testing.T) {
	t.Parallel()
	for order, want := range map[string][]int{
		"XYCZT": {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2},
		"XYZCT": {0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2},
		"XYZTC": {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2},
	} {
		d := ome.Dimensions{Order: order, Z: 2, C: 3, T: 2}
		var got []int
		for n := range d.Planes() {
			got = append(got, d.Channel(n))
		}
		require.Equal(t, want, got, order)
	}
}

func TestEncode_plate(t *testing.T) {
	t.Parallel()
	image := ome.Image{
		Name: `<"&A01`, Width: 4, Height: 3, Bits: 8, Samples: 3,
		Dimensions: ome.Dimensions{Order: "XYZCT", Z: 2, C: 1, T: 1, Channels: []string{"w1"}},
	}
	second := image
	second.First = 2
	text, err := ome.Encode("test 1", &ome.Plate{
		Name: "P", Rows: 2, Columns: 3, Wells: []ome.Well{{Row: 1, Column: 2, Images: []int{0, 1}}},
	}, []ome.Image{image, second})
	require.NoError(t, err)
	for _, want := range []string{
		`<Plate ID="Plate:0" Name="P" ColumnNamingConvention="number" RowNamingConvention="letter" Rows="2" Columns="3">` +
			`<Well ID="Well:0:0" Column="2" Row="1"><WellSample ID="WellSample:0:0:0" Index="0"><ImageRef ID="Image:0"></ImageRef></WellSample>` +
			`<WellSample ID="WellSample:0:0:1" Index="1"><ImageRef ID="Image:1"></ImageRef></WellSample></Well></Plate>` +
			`<Image ID="Image:0" Name="&lt;&#34;&amp;A01">`,
		`SizeX="4" SizeY="3" SizeZ="2" SizeC="3" SizeT="1"`,
		`<Channel ID="Channel:1:0" Name="w1" SamplesPerPixel="3"></Channel><TiffData IFD="2" FirstZ="0" FirstC="0" FirstT="0" PlaneCount="2">`,
	} {
		require.Contains(t, text, want)
	}
	wellFormed(t, text)
}

func wellFormed(t require.TestingT, text string) {
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

// What is understood can be written, and is understood the same again.
func FuzzDimensionsOf(f *testing.F) {
	f.Add("ImageJ=1.53t\nimages=24\nchannels=2\nslices=3\nframes=4\n", 24)
	f.Add(`<OME><Image><Pixels DimensionOrder="XYZCT" SizeZ="2" SizeC="3" SizeT="1" PhysicalSizeX="1e3"><Channel Name="a"/></Pixels></Image></OME>`, 6)
	f.Fuzz(func(t *testing.T, text string, planes int) {
		d, err := ome.DimensionsOf(text, planes, 1)
		if err != nil || planes < 1 || planes > 1000 {
			return
		}
		require.Equal(t, planes, d.Planes())
		written, err := ome.Encode("fuzz", nil, []ome.Image{{Width: 1, Height: 1, Bits: 8, Samples: 1, Dimensions: d}})
		require.NoError(t, err)
		wellFormed(t, written)
		again, err := ome.DimensionsOf(written, planes, 1)
		require.NoError(t, err)
		require.Equal(t, []any{d.Order, d.Z, d.C, d.T}, []any{again.Order, again.Z, again.C, again.T})
	})
}
