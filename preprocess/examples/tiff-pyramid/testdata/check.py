"""Reads OME-TIFF files as others do: of lines "FILE SAMPLES.npy" makes a JSON list of what each is."""
import json
import sys
import xml.etree.ElementTree

import numpy
import PIL.Image
import tifffile


def error_of_level(level, data, factor):
    """The largest difference to the means of the full size, where those are of whole blocks."""
    height, width = (n // factor for n in data.shape[-3:-1])
    blocks = data[..., : height * factor, : width * factor, :].astype(float)
    blocks = blocks.reshape(data.shape[:-3] + (height, factor, width, factor, data.shape[-1]))
    means = blocks.mean(axis=(-4, -2))
    return float(numpy.abs(level.reshape(data.shape[:-3] + level.shape[-3:])[..., :height, :width, :] - means).max(initial=0))


def check(path, reference):
    data = numpy.load(reference)
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        levels = [level.asarray() for level in series.levels]
        root = xml.etree.ElementTree.fromstring(file.ome_metadata)
        pixels = root.find("{*}Image/{*}Pixels")
        found = {
            "is_ome": file.is_ome,
            "is_big": file.is_bigtiff,
            "axes": series.axes,
            "shape": list(series.shape),
            "levels": [list(level.shape) for level in series.levels],
            "exact": bool(numpy.array_equal(levels[0].reshape(data.shape), data)),
            "tile": [series.keyframe.tilewidth, series.keyframe.tilelength],
            "photometric": series.keyframe.photometric.name,
            "order": pixels.get("DimensionOrder"),
            "size_x": pixels.get("PhysicalSizeX"),
            "channels": [channel.get("Name") for channel in pixels.findall("{*}Channel")],
        }
    colour = "S" in found["axes"]
    as_colour = [a if colour else a[..., None] for a in levels]
    data = data if colour else data[..., None]
    found["errors"] = [error_of_level(level, data, 2**n) for n, level in enumerate(as_colour)]
    # Pillow reads by libtiff, the first page only, and colours of 8 bits only.
    with PIL.Image.open(path) as image:
        found["pillow"] = None
        if image.mode in ("L", "I;16") or (image.mode in ("RGB", "RGBA") and data.dtype == "u1"):
            first = data.reshape((-1,) + data.shape[-3:])[0]
            found["pillow"] = bool(numpy.array_equal(numpy.asarray(image).reshape(first.shape), first))
    return found


print(json.dumps([check(*line.split()) for line in sys.stdin]))
