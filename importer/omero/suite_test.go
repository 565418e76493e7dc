package omero_test

import "testing"

// trial is one run of a test of the suite.
type trial struct {
	t  *testing.T
	by way
}

// suite is what holds whichever way OMERO is asked.
var suite = map[string]func(on trial){
	"Names":                 testNames,
	"BadFiles":              testBadFiles,
	"Plates":                testPlates,
	"Folder":                testFolder,
	"FilesOfOneFileset":     testFilesOfOneFileset,
	"Prepare":               testPrepare,
	"PrepareOthersDatasets": testPrepareOthersDatasets,
	"Ping":                  testPing,
	"Container":             testContainer,
	"Describe":              testDescribe,
	"ManyOrdersAtOnce":      testManyOrdersAtOnce,
	"Cancel":                testCancel,
	"Faults":                testFaults,
	"Zarr":                  testZarr,
	"ZarrFaults":            testZarrFaults,
	"Copies":                testCopies,
	"OthersImports":         testOthersImports,
	"WebFaults":             testWebFaults,
	"Import":                testImport,
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for _, by := range []way{byCLI, overWeb} {
		for name, test := range suite {
			t.Run(string(by)+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(trial{t, by})
			})
		}
	}
}
