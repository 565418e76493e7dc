"""Tells as JSON what the OME-TIFF files named hold, and whether their pixels are those of "plates"."""
import json
import os
import sys
import xml.etree.ElementTree

import numpy
import tifffile


def originals(plate, name, channels):
    """The samples of the files that a field was made of."""
    well, _, field = name.split()
    stem = f"plates/{plate}/{well}"
    if os.path.exists(stem + ".tif"):
        return tifffile.imread(stem + ".tif")
    return numpy.stack([tifffile.imread(f"{stem}_s{field}_{channel}.tif") for channel in channels])


def tell(path):
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        root = xml.etree.ElementTree.fromstring(file.ome_metadata)
        plate = root.find("{*}Plate")
        ids = [image.get("ID") for image in root.findall("{*}Image")]
        wells = [
            [well.get("Row"), well.get("Column"), [ids.index(ref.get("ID")) for ref in well.findall("{*}WellSample/{*}ImageRef")]]
            for well in plate.findall("{*}Well")
        ]
        images = []
        for image, series in zip(root.findall("{*}Image"), file.series, strict=True):
            channels = [channel.get("Name") for channel in image.findall("{*}Pixels/{*}Channel")]
            same = numpy.array_equal(series.asarray(), originals(plate.get("Name"), image.get("Name"), channels))
            images.append([image.get("Name"), series.axes, list(series.shape), bool(same), channels])
        return {"plate": [plate.get("Name"), plate.get("Rows"), plate.get("Columns")], "wells": wells, "images": images}


print(json.dumps([tell(path) for path in sys.argv[1:]]))
