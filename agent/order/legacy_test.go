package order_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
)

const legacyName = "2024_03_05_14-30-00.txt"

var dataMap = map[string]string{"/divg": "/data"}

const legacyHead = "Version: 2.0\nUUID: AFE38fe0-ea2b-43e6-949d-364827c66230\nUsername: \"007\"\nGroup: \"Demo\"\n" +
	"UserID: 102\nGroupID: 3\nProjectID: 455\n"

func TestDecodeLegacy(t *testing.T) {
	t.Parallel()
	text := "\ufeff# made by hand\r\n" + strings.ReplaceAll(legacyHead, "\n", "\r\n") + "DatasetID: 807\nno colon here\nkey:without space\n" +
		"Note: a: b: c\nFiles: [\"/divg/core/a.tif\",\"/DIVG/core/J\\u00fcrgen.tif\"]\n" +
		"preprocessing_container: lab/converter:v1\npreprocessing_inputfile: {Files}\npreprocessing_outputfolder: \"/in\"\n" +
		"preprocessing_altoutputfolder: /tmp/out\npreprocessing_image_uuid: abc\npreprocessing_level: 007\n" +
		"metadata_file: /divg/core/metadata.csv\n"
	l, err := order.DecodeLegacy(legacyName, []byte(text))
	require.NoError(t, err)
	converter := &order.Converter{
		Container: "lab/converter:v1", InputFile: "{Files}", OutputFolder: "/in", AltOutputFolder: "/tmp/out",
		Params: map[string]any{"image_uuid": "abc", "level": "007"},
	}
	require.Equal(t, &order.Legacy{
		Version: "2.0", UUID: "afe38fe0-ea2b-43e6-949d-364827c66230", User: "007", Group: "Demo", UserID: 102, GroupID: 3, ProjectID: 455,
		Destination: order.Destination{Type: order.Dataset, ID: 807}, Files: []string{"/divg/core/a.tif", "/DIVG/core/Jürgen.tif"},
		Converter: converter, MetadataFile: "/divg/core/metadata.csv",
	}, l)
	require.Equal(t, order.Order{
		UUID: l.UUID, User: "007", Group: "Demo", Destination: l.Destination, Converter: converter,
		Files: []string{"/data/core/a.tif", "/data/core/Jürgen.tif"}, MetadataFile: "/data/core/metadata.csv",
	}, l.Order(dataMap))
}

// The older form names the dataset, and its files below a folder.
func TestDecodeOlderLegacy(t *testing.T) {
	t.Parallel()
	l, err := order.DecodeLegacy(legacyName, []byte("Username: ada\nGroup: Demo\nDataset: Retina, left\nPath: /divg/core\nFiles: a, b.tif\n"))
	require.NoError(t, err)
	require.Equal(t, order.Order{
		User: "ada", Group: "Demo", Destination: order.Destination{Type: order.Dataset, Name: "Retina, left"}, Files: []string{"/data/core/a, b.tif"},
	}, l.Order(dataMap))
}

func TestLegacyFiles(t *testing.T) {
	t.Parallel()
	for value, want := range map[string][]string{
		`["/a.tif","/b c.tif"]`:       {"/a.tif", "/b c.tif"},
		`["/a\udcff.tif"]`:            {"/a\xff.tif"},
		`['/a.tif', '/b,c.tif',]`:     {"/a.tif", "/b,c.tif"},
		`['/it\'s.tif', "/it's.tif"]`: {"/it's.tif", "/it's.tif"},
		`['/\xe9\u00e9\U0001f52c\d']`: {"/éé\U0001f52c\\d"},
		`[/a.tif,/b.lif]`:             {"/a.tif", "/b.lif"},
		`[ /a b.tif , /c.tif ]`:       {"/a b.tif", "/c.tif"},
		`[/a,b.tif, /c, d.tif]`:       {"/a,b.tif", "/c, d.tif"},
		`[/a , b.tif,]`:               {"/a , b.tif,"},
		`/a.tif`:                      {"/a.tif"},
		`"/a.tif"`:                    {"/a.tif"},
		`[/a.tif]`:                    {"/a.tif"},
	} {
		l, err := order.DecodeLegacy(legacyName, []byte(legacyHead+"ScreenID: 9\nFiles: "+value+"\n"))
		require.NoError(t, err, value)
		require.Equal(t, want, l.Files, value)
		require.Equal(t, order.Destination{Type: order.Screen, ID: 9}, l.Destination)
	}
}

func TestLegacyFiles_areNoMoreThanAnOrderHolds(t *testing.T) {
	t.Parallel()
	for _, item := range []string{`/a`, `'a'`, `"a"`} {
		list := "[" + strings.Repeat(item+",", 100_000) + item + "]"
		_, err := order.DecodeLegacy(legacyName, []byte("Username: a\nGroup: b\nScreenID: 9\nFiles: "+list+"\n"))
		require.ErrorContains(t, err, "The Files are more than 100000.", item)
		require.Equal(t, order.Invalid, order.ClassOf(err))
	}
}

func TestBadLegacy(t *testing.T) {
	t.Parallel()
	const files = "Files: [\"/a.tif\"]\n"
	for _, tc := range []struct{ text, want string }{
		{"", `1:1: The order does not say its Username. Expected a line "Username: …".`},
		{"Username: ada\nDatasetID: 1\n" + files, `1:1: The order does not say its Group. Expected a line "Group: …".`},
		{"Username: a/b\nGroup: Demo\nDatasetID: 1\n" + files, `1:11: The Username "a/b" is no name: it would lead to another folder.`},
		{legacyHead + files, `1:1: The order does not say its DatasetID or ScreenID. Expected a line "DatasetID: …" or "ScreenID: …".`},
		{legacyHead + "DatasetID: abc\n" + files, `8:12: The DatasetID is "abc". Expected a whole number.`},
		{legacyHead + "DatasetID: 0\n" + files, `8:12: The DatasetID is "0". Expected a whole number above 0.`},
		{legacyHead + "DatasetID: 1\nScreenID: 2\n" + files, `9:11: The order has both DatasetID and ScreenID. Expected one of the two.`},
		{legacyHead + "DatasetID: 1\n", `1:1: The order does not say its Files. Expected a line "Files: …".`},
		{legacyHead + "DatasetID: 1\nFiles: []\n", `9:8: The Files name nothing. Expected a list such as ["/data/a.tif","/data/b.tif"].`},
		{legacyHead + "DatasetID: 1\nFiles: [\"/a.tif\"\n", `9:8: The Files are a list without its end. Expected a list such as ["/data/a.tif","/data/b.tif"].`},
		{legacyHead + "DatasetID: 1\nFiles: ['/a.tif' '/b.tif']\n", `9:8: The Files are neither JSON nor a Python list. ` +
			`Expected a list such as ["/data/a.tif","/data/b.tif"].`},
		{legacyHead + "DatasetID: 1\nFiles: ['/a\\x00']\n", `9:8: The Files hold "/a\x00", which is no path.`},
		{legacyHead + "DatasetID: 1\nFiles: [/a/../b]\n", `9:8: The file "/a/../b" leaves its folder by ".."; write the whole path.`},
		{legacyHead + "DatasetID: 1\nPath: ..\n" + files, `9:7: Path leaves its folder by ".."; write the whole path.`},
		{legacyHead + "DatasetID: 1\nGroup: B\n" + files, `9:8: The key "Group" is given here and in line 4. Expected each key once.`},
		{legacyHead + "DatasetID: 1\npreprocessing_inputfile: x\n" + files, `9:26: The order has preprocessing_inputfile but no container. ` +
			`Expected a line "preprocessing_container: …".`},
		{legacyHead + "DatasetID: 1\npreprocessing_container: -v\n" + files, `9:26: The container "-v" is not the name of an image.`},
		{"Username: ada\nGroup: Demo\nUUID: 12\nDatasetID: 1\n" + files, `3:7: The UUID "12" is not one. ` +
			`Expected 32 hexadecimal digits such as 123e4567-e89b-12d3-a456-426614174000.`},
		{"Username: \xff\n", `1:11: There is a byte here that is not UTF-8. Expected a file saved as UTF-8.`},
	} {
		_, err := order.DecodeLegacy("/data/"+legacyName, []byte(tc.text))
		require.EqualError(t, err, legacyName+":"+tc.want)
		require.Equal(t, order.Invalid, order.ClassOf(err))
	}
}

func TestMapPath(t *testing.T) {
	t.Parallel()
	prefixes := map[string]string{
		"/divg": "/data", "/divg/core/old/": "/data/archive/", "L:": "/data/l", `\\server\share`: "/data/s", "/gone": "/",
	}
	for path, want := range map[string]string{
		"/divg/core/a.tif":        "/data/core/a.tif",
		"/DIVG/Core/A.tif":        "/data/Core/A.tif",
		"/divg":                   "/data",
		"/divgroup/a.tif":         "/divgroup/a.tif",
		"/divg/core/old/a.tif":    "/data/archive/a.tif",
		"/divg/core/older/a.tif":  "/data/core/older/a.tif",
		`L:\scans\a.tif`:          "/data/l/scans/a.tif",
		`l:\scans\a.tif`:          "/data/l/scans/a.tif",
		`\\SERVER\share\a.tif`:    "/data/s/a.tif",
		`/divg/back\slash.tif`:    `/data/back\slash.tif`,
		"/gone/a.tif":             "/a.tif",
		"/elsewhere/divg/a.tif":   "/elsewhere/divg/a.tif",
		"relative/divg/core/a.ti": "relative/divg/core/a.ti",
		"":                        "",
	} {
		require.Equal(t, want, order.MapPath(path, prefixes), path)
	}
	require.Equal(t, "/a", order.MapPath("/a", nil))
}

func TestIsLegacy(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		legacyName: true, "2024_02_29_00-00-00.lif": true, "2024_02_29_00-00-00.a.b": true,
		"2023_02_29_00-00-00.txt": false, "2024_13_01_00-00-00.txt": false, "2024_01_01_24-00-00.txt": false,
		"2024_01_01_00-00-00": false, "2024_01_01_00-00-00txt": false, "x2024_01_01_00-00-00.txt": false, "": false,
		legacyName + ".rejected.txt": false, legacyName + ".receipt.json": false,
	} {
		require.Equal(t, want, order.IsLegacy(name), name)
	}
}
