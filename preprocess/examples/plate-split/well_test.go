package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]shot{
		"A01.tif":                             {row: 0, column: 0},
		"b2.TIFF":                             {row: 1, column: 1},
		"plate1/H12.tif":                      {row: 7, column: 11},
		"A01_s1_w1.tif":                       {row: 0, column: 0, field: 1, wave: 1},
		"W01_w2.tif":                          {row: 22, column: 0, wave: 2},
		"S1_s12.tif":                          {row: 18, column: 0, field: 12},
		"AF48_s3_w4.tif":                      {row: 31, column: 47, field: 3, wave: 4},
		"Screen 7_C03_s2_w1A1B2-4F.tif":       {row: 2, column: 2, field: 2, wave: 1},
		"2024-05-01_exp-B_B03_s1.tif":         {row: 1, column: 2, field: 1},
		"deep/er/Run-2-D04_w1.tiff":           {row: 3, column: 3, wave: 1},
		"A01_E02.tif":                         {row: 4, column: 1},
		"overview.tif":                        {column: -1},
		"A00.tif":                             {column: -1},
		"A49.tif":                             {column: -1},
		"AG01.tif":                            {column: -1},
		"A001.tif":                            {column: -1},
		"A01_s1_w1_thumb.tif":                 {column: -1},
		"A01_s1_w1.ome.xml":                   {column: -1},
		"A01_s99999999999999999999999999.tif": {column: -1},
	} {
		got, err := parse(file{name: name})
		if want.column < 0 {
			require.ErrorContains(t, err, name+" is not named by a well")
			continue
		}
		require.NoError(t, err)
		want.file = file{name: name}
		require.Equal(t, want, got)
	}
}

func TestSortPlates(t *testing.T) {
	t.Parallel()
	plates, err := sortPlates([]file{
		{name: "b/x/AA01.tif"}, {name: "B02_w2.tif"}, {name: "b/x/A02.tif"}, {name: "B02_w1.tif"}, {name: "A10_w1.tif"},
	}, "run 7")
	require.NoError(t, err)
	found := map[string][]string{}
	for _, p := range plates {
		for _, s := range p.shots {
			found[p.name] = append(found[p.name], s.well()+" "+s.name)
		}
	}
	require.Equal(t, map[string][]string{
		"b_x":   {"A02 b/x/A02.tif", "AA01 b/x/AA01.tif"},
		"run 7": {"A10 A10_w1.tif", "B02 B02_w1.tif", "B02 B02_w2.tif"},
	}, found)
	_, err = sortPlates([]file{{name: "A1_w1.tif"}, {name: "x_A01_w1.tif"}}, "")
	require.EqualError(t, err, "A1_w1.tif and x_A01_w1.tif are both of A01")
}

func TestSize_isThatOfAUsualPlate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ row, column, rows, columns int }{
		{0, 0, 2, 3}, {1, 3, 4, 6}, {7, 11, 8, 12}, {7, 12, 16, 24}, {16, 0, 32, 48}, {31, 47, 32, 48},
	} {
		rows, columns := plate{shots: []shot{{row: tc.row, column: tc.column}}}.size()
		require.Equal(t, []int{tc.rows, tc.columns}, []int{rows, columns})
	}
}
