"""Writes images into the folder that is named, each beside an array of its samples."""
import os
import sys

import numpy
import tifffile

rng = numpy.random.default_rng(1)


def samples(dtype, *shape):
    """A smooth image with noise on it, which fills the range of its type."""
    y, x = numpy.mgrid[: shape[0], : shape[1]]
    waves = (numpy.sin(x / 23) + numpy.cos(y / 31) + 2) / 4
    noise = rng.random(shape)
    waves = waves.reshape(waves.shape + (1,) * (len(shape) - 2))
    return ((0.9 * waves + 0.1 * noise) * numpy.iinfo(dtype).max).astype(dtype)


def write(name, data, planar=False, **options):
    stored = numpy.moveaxis(data, 2, 0) if planar else data
    tifffile.imwrite(name + ".tif", stored, **options)
    numpy.save(name + ".npy", data)


os.chdir(sys.argv[1])
grey = {"photometric": "minisblack"}
write("grey8", samples("u1", 301, 203), **grey)
write("grey16", samples("u2", 301, 203), **grey)
write("white16", samples("u2", 70, 130), photometric="miniswhite")
write("rgb8", samples("u1", 130, 203, 3), photometric="rgb")
write("rgb16", samples("u2", 130, 203, 3), photometric="rgb")
write("rgba8", samples("u1", 130, 203, 4), photometric="rgb", extrasamples=["unassalpha"])
write("planar16", samples("u2", 130, 203, 3), planar=True, photometric="rgb", planarconfig="separate", byteorder=">")
write("narrow8", samples("u1", 1000, 1), **grey)

stack = numpy.moveaxis(samples("u2", 100, 120, 12), 2, 0)
write("stack16", stack, metadata=None, **grey)
write("imagej16", stack.reshape(2, 3, 2, 100, 120), imagej=True, metadata={"axes": "TZCYX"})
write(
    "ome16",
    stack.reshape(2, 3, 2, 100, 120),
    ome=True,
    metadata={"axes": "CTZYX", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "Channel": {"Name": ["DAPI", "GFP"]}},
    **grey,
)
write("sections8", rng.integers(0, 255, (2000, 16, 16), "u1"), metadata=None, **grey)
