"""The jpeg channel against Pillow (bit for bit), the NumPy twin of the random numbers (bit for bit) and the textbook transform in float64."""

import io
import os
import pathlib
import sys
import unittest

try:
    import numpy as np
    import scipy.fft
    from PIL import Image
except ImportError as error:
    print(f"skipped: {error}", file=sys.stderr)
    sys.exit(77)

ROOT = pathlib.Path(os.environ.get("UNCHANNEL_SOURCE_DIR", pathlib.Path(__file__).parents[3]))
sys.path[:0] = [str(ROOT / "plugin-api" / "python"), str(pathlib.Path(__file__).parent)]
import plugin_host  # noqa: E402
import unchannel_random as random  # noqa: E402

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")  # by Pillow's number
SIZES = [(1, 1), (1, 9), (9, 1), (2, 3), (7, 5), (8, 8), (15, 16), (16, 17), (17, 33), (64, 48), (131, 250)]
F = np.float32


def pillow(level, quality, subsampling):
    """level: [planes, H, W] uint8 · returns the same after one round trip."""
    image = Image.fromarray(level[0] if len(level) == 1 else np.ascontiguousarray(level.transpose(1, 2, 0)))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=int(quality), subsampling=subsampling)
    out = np.asarray(Image.open(stream))
    return out[None] if len(level) == 1 else out.transpose(2, 0, 1)


def pictures(count, planes, height, width, seed=1):
    """Waves with noise of 0 to 255 levels, the first one black, the second white, the third nothing but noise · [B, planes, H, W] uint8."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[0:height, 0:width]
    phase = rng.uniform(0, 6, (count, planes, 1, 1))
    level = 127 + 90 * np.sin(row / 7 + column / 4 + phase) + 60 * (column % 37 > 18) - 30
    level += rng.normal(size=level.shape) * 4 ** rng.uniform(0, 3, (count, 1, 1, 1))
    level[0], level[1], level[2] = 0, 255, rng.uniform(0, 256, level.shape[1:])
    return np.clip(level, 0, 255).astype(np.uint8)


class Jpeg(unittest.TestCase):
    def setUp(self):
        if "UNCHANNEL_BINARY_DIR" not in os.environ:
            raise unittest.SkipTest("UNCHANNEL_BINARY_DIR is not set: run it through ctest")
        self.channel = plugin_host.Channel(pathlib.Path(os.environ["UNCHANNEL_BINARY_DIR"]) / "plugins" / "jpeg.so")
        self.addCleanup(self.channel.close)

    def compress(self, level, quality):
        """The channel on [0, 1], levels in and out · asserts that every value is exactly a level."""
        y = self.channel.simulate(1, np.arange(len(level)), level.astype(F) / F(255), {"quality": np.asarray(quality, np.int32)})
        self.assertTrue(np.all(self.channel.sample_status == 0))
        out = np.rint(y * F(255)).astype(np.uint8)
        np.testing.assert_array_equal(y, out.astype(F) / F(255))
        return out

    def assert_pillow(self, level, quality, subsampling, planes, height, width):
        self.channel.configure((planes, height, width), chroma_subsampling=SUBSAMPLINGS[subsampling], noise_sigma=0.0)
        out = self.compress(level, quality)
        expected = np.stack([pillow(image, q, subsampling) for image, q in zip(level, quality)])
        np.testing.assert_array_equal(out, expected, err_msg=f"{planes}x{height}x{width} {SUBSAMPLINGS[subsampling]}")

    def test_equals_pillow_at_every_quality_and_subsampling(self):
        quality = np.tile(np.arange(1, 101), 3)
        for planes in (1, 3):
            for subsampling in range(3):
                self.assert_pillow(pictures(300, planes, 37, 42), quality, subsampling, planes, 37, 42)

    def test_equals_pillow_at_sizes_that_are_no_multiple_of_a_block(self):
        quality = np.array([1, 10, 25, 50, 75, 90, 95, 100])
        for height, width in SIZES:
            for planes in (1, 3):
                for subsampling in range(3):
                    self.assert_pillow(pictures(8, planes, height, width), quality, subsampling, planes, height, width)

    def test_equals_pillow_on_a_large_image(self):
        for planes in (1, 3):
            self.assert_pillow(pictures(3, planes, 1081, 1923), [20, 75, 98], 2, planes, 1081, 1923)

    def test_rounds_and_clips_as_documented_before_pillow_sees_the_image(self):
        x = (np.random.default_rng(5).normal(size=(20, 3, 24, 31)) * 0.8 + 0.1).astype(F)
        for low, high in [(0, 1), (-1, 1), (-0.3, 2.2)]:
            level = np.floor(np.clip((x - F(low)) * F(255 / (high - low)) + F(0.5), F(0), F(255))).astype(np.uint8)
            expected = np.stack([pillow(image, 60, 2) for image in level])
            self.channel.configure((3, 24, 31), value_min=low, value_max=high, noise_sigma=0.0)
            y = self.channel.simulate(1, np.arange(20), x, {"quality": np.full(20, 60, np.int32)})
            np.testing.assert_array_equal(y, F(low) + (expected * ((high - low) / 255)).astype(F))

    def test_noise_and_quality_are_the_documented_random_numbers(self):
        self.channel.configure((3, 9, 11), quality_min=10, quality_max=50, noise_sigma=0.03)
        ids = np.array([5, 2**40, 17, 2**62], np.uint64)
        latents = self.channel.draw_latents(99, ids)
        word = random.words(random.derive(99, random.tag(random.TAG_LATENT, 0)), ids, 1)[:, 0]
        np.testing.assert_array_equal(latents["quality"], 10 + random.below(word, 41))
        x = pictures(4, 3, 9, 11).astype(F) / F(255)
        y = self.channel.simulate(7, ids, x, latents)
        normal = random.normal(random.derive(7, random.tag(random.TAG_NOISE, 0)), ids, (3, 9, 11))
        np.testing.assert_array_equal(y, self.channel.mean(x, latents) + F(0.03) * normal)

    def test_transforms_are_as_near_to_the_textbook_as_they_can_be(self):
        """Grey images: cosine transform of 8 x 8 blocks, quantisation and back in float64. A coefficient halfway between two multiples of its
        step goes either way and moves its whole block, so only blocks without one count: `margin`, in coefficients, covers the error of the
        forward transform (islow keeps 1/8 of a unit). Then float is right to the rounding of levels (1/2), and islow to 0.1 more."""
        level = pictures(40, 1, 64, 64)
        blocks = level.reshape(40, 8, 8, 8, 8).transpose(0, 1, 3, 2, 4).astype(np.float64) - 128
        for quality in (10, 30, 75):
            stream = io.BytesIO()
            Image.fromarray(level[0, 0]).save(stream, "JPEG", quality=quality)
            step = np.array(Image.open(stream).quantization[0], np.float64).reshape(8, 8)
            ratio = np.abs(scipy.fft.dctn(blocks, axes=(-2, -1), norm="ortho")) / step
            sign = np.sign(scipy.fft.dctn(blocks, axes=(-2, -1), norm="ortho"))
            back = scipy.fft.idctn(sign * np.floor(ratio + 0.5) * step, axes=(-2, -1), norm="ortho") + 128
            from_halfway = (np.abs(ratio % 1 - 0.5) * step).min((-2, -1))
            for method, margin, tolerance in [("float", 0.02, 0.501), ("islow", 0.2, 0.6)]:
                self.channel.configure((1, 64, 64), dct_method=method, noise_sigma=0.0)
                out = self.compress(level, np.full(40, quality)).reshape(40, 8, 8, 8, 8).transpose(0, 1, 3, 2, 4)
                clear = from_halfway > margin
                self.assertGreater(np.mean(clear), 0.3)
                self.assertLess(np.abs(out - np.clip(back, 0, 255))[clear].max(), tolerance, f"{method} quality {quality}")

    def test_the_fast_transform_costs_a_few_levels(self):
        """Not the same as islow (then the parameter would do nothing), and no further from it than 3 levels (RMS) up to quality 75."""
        level = pictures(40, 3, 64, 64)
        for quality in (10, 30, 75):
            out = {}
            for method in ("islow", "ifast"):
                self.channel.configure((3, 64, 64), dct_method=method, noise_sigma=0.0)
                out[method] = self.compress(level, np.full(40, quality)).astype(float)
            rms = np.sqrt(np.mean((out["ifast"] - out["islow"]) ** 2))
            self.assertGreater(rms, 0.1)
            self.assertLess(rms, 3)


if __name__ == "__main__":
    unittest.main()
