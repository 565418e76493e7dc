"""Writes the folder "plates", with two plates, and archives of it."""
import os
import shutil

import numpy
import tifffile

os.makedirs("plates/one/.thumbs")
os.makedirs("plates/two")
for number, place in enumerate(["A01_s1", "A01_s2", "B11_s1"]):
    for wave in (1, 2):
        stack = numpy.full((3, 40, 50), 1000 * (number + wave), "u2")
        stack += (numpy.arange(3)[:, None, None] * 333 + numpy.arange(40)[None, :, None] * 8 + numpy.arange(50) // 2).astype("u2") % 1000
        stack[0, 0, 0], stack[-1, -1, -1] = 1000 * (number + wave), 1000 * (number + wave) + 999
        tifffile.imwrite(f"plates/one/{place}_w{wave}.tif", stack, photometric="minisblack", metadata=None)
numbers = numpy.arange(40 * 600 * 3).reshape(40, 600, 3) * 7 % 256
tifffile.imwrite("plates/two/B03.tif", numbers.astype("u1"), photometric="rgb", metadata=None)
for name in ("plates/one/.thumbs/A01.tif", "plates/one/notes.txt"):
    with open(name, "w") as file:
        file.write("nothing to convert")
for kind in ("zip", "tar", "gztar"):
    shutil.make_archive("plates", kind, "plates")
