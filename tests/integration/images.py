"""Images for tests: a few of Fashion-MNIST where its package is installed, and smooth ones made of noise."""

import pathlib

import program

FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")


def import_fashion(part, first, count, output):
    """`part`: train or t10k."""
    program.expect_ok("import", "idx", FASHION / f"{part}-images-idx3-ubyte.gz", "--first", first, "--count", count, "--output", output)


def write_blobs(path, count=96, size=16, planes=1, key=3):
    """Images [planes, size, size] in [-1, 1] with structure of a few pixels."""
    import h5py
    import numpy

    noise = numpy.random.default_rng(key).normal(size=(count, planes, size, size))
    for axis in (2, 3):
        noise = sum(numpy.roll(noise, shift, axis) for shift in range(-2, 3)) / 5.0 ** 0.5
    with h5py.File(path, "w") as file:
        file["signals"] = numpy.tanh(noise).astype("f4")
