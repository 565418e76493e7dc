package omero_test

import "testing"

// suite is what holds whichever way OMERO is asked.
var suite = map[string]func(t *testing.T, by way){
	"Names":                  testNames,
	"BadFiles":               testBadFiles,
	"Plates":                 testPlates,
	"Folder":                 testFolder,
	"FilesOfOneFileset":      testFilesOfOneFileset,
	"Prepare":                testPrepare,
	"Prepare_othersDatasets": testPrepare_othersDatasets,
	"Ping":                   testPing,
	"Container":              testContainer,
	"Describe":               testDescribe,
	"ManyOrdersAtOnce":       testManyOrdersAtOnce,
	"Cancel":                 testCancel,
	"Faults":                 testFaults,
	"Import":                 testImport,
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for _, by := range []way{byCLI, overWeb} {
		for name, test := range suite {
			t.Run(string(by)+"/"+name, func(t *testing.T) { test(t, by) })
		}
	}
}
