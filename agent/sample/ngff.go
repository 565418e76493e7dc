package sample

import (
	"fmt"
	"math"
	"strconv"
)

// imageAttributes is the OME-Zarr metadata of an image with so many levels.
func imageAttributes(s Stack, levels int) object {
	space := func(name string) object {
		return object{"name": name, "type": "space", "unit": physicalUnitLabel}
	}
	datasets := make([]object, levels)
	for i := range datasets {
		xy := math.Ldexp(voxelXY, i)
		datasets[i] = object{
			"path":                      strconv.Itoa(i),
			"coordinateTransformations": []object{{"type": "scale", "scale": []float64{1, voxelZ, xy, xy}}},
		}
	}
	channels := make([]object, s.Channels)
	for i := range channels {
		c := channelAt(i)
		channels[i] = object{
			"label": c.name, "color": fmt.Sprintf("%06X", c.rgb), "active": true,
			"coefficient": 1, "family": "linear", "inverted": false,
			"window": object{"min": 0, "max": math.MaxUint16, "start": offset, "end": offset + maxBrightness},
		}
	}
	return object{
		"multiscales": []object{{
			"version": ngffVersion, "name": s.Name, "type": "mean",
			"axes":     []object{{"name": "c", "type": "channel"}, space("z"), space("y"), space("x")},
			"datasets": datasets,
		}},
		"omero": object{
			"version": ngffVersion, "name": s.Name, "channels": channels,
			"rdefs": object{"model": "color", "defaultT": 0, "defaultZ": s.Planes / 2},
		},
	}
}

// plateAttributes is the metadata of a full plate: every well has one field.
func plateAttributes(name string, rows, columns int) object {
	rowNames, columnNames := make([]object, rows), make([]object, columns)
	for i := range rowNames {
		rowNames[i] = object{"name": rowName(i)}
	}
	for i := range columnNames {
		columnNames[i] = object{"name": columnName(i)}
	}
	wells := make([]object, 0, rows*columns)
	for r := range rows {
		for c := range columns {
			wells = append(wells, object{"path": rowName(r) + "/" + columnName(c), "rowIndex": r, "columnIndex": c})
		}
	}
	return object{"plate": object{
		"version": ngffVersion, "name": name, "field_count": 1,
		"acquisitions": []object{{"id": 0, "name": "Acquisition 1", "maximumfieldcount": 1}},
		"rows":         rowNames, "columns": columnNames, "wells": wells,
	}}
}

func wellAttributes() object {
	return object{"well": object{
		"version": ngffVersion,
		"images":  []object{{"path": fieldName, "acquisition": 0}},
	}}
}
