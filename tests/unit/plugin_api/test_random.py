"""The NumPy twin of random.h: published vectors, and bit equality with the C functions."""

import ctypes
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError:
    print("skipped: NumPy is not installed", file=sys.stderr)
    sys.exit(77)

ROOT = pathlib.Path(os.environ.get("UNCHANNEL_SOURCE_DIR", pathlib.Path(__file__).parents[3]))
sys.path.insert(0, str(ROOT / "plugin-api" / "python"))
import unchannel_random as random  # noqa: E402


def load_c():
    library = ctypes.CDLL(str(pathlib.Path(os.environ["UNCHANNEL_BINARY_DIR"]) / "test-plugins" / "random_probe.so"))
    library.probe_derive.restype = ctypes.c_uint64
    library.probe_derive.argtypes = [ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint64]
    library.probe_normal_at.restype = ctypes.c_float
    library.probe_normal_at.argtypes = [ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint32]
    for name in ("probe_normal", "probe_uniform"):
        getattr(library, name).argtypes = [ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p]
    return library


class Philox(unittest.TestCase):
    def test_gives_the_published_random123_vectors(self):
        for counter, key, expected in [
            ([0] * 4, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
            ([0xFFFFFFFF] * 4, 0xFFFFFFFFFFFFFFFF, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
            ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], 0x299F31D0A4093822, "d16cfe09 94fdcceb 5001e420 24126ea1"),
        ]:
            self.assertEqual(" ".join(f"{word:08x}" for word in random.philox4x32_10(counter, key)), expected)


class KnownAnswers(unittest.TestCase):
    """known_answers.h, which C, C++ and CUDA are compared with, too."""

    @classmethod
    def setUpClass(cls):
        here = pathlib.Path(__file__).parent
        cls.text = (here / "known_answers.h").read_text()
        cls.generated = subprocess.run([sys.executable, "-B", str(here / "known_answers.py")], check=True, capture_output=True, text=True).stdout

    def rows(self, table):
        body = re.search(rf"{table}\[\] = {{(.*?)}};", self.text, re.DOTALL).group(1)
        return [[float(n) if "." in n else int(n.rstrip("u"), 16) for n in re.split(r",\s*", row)] for row in re.findall(r"{([^{}]+)}", body)]

    def test_the_file_is_what_its_generator_writes(self):
        self.assertEqual(self.text, self.generated)

    def test_derived_keys(self):
        rows = self.rows("kKnownKeys")
        self.assertEqual(len(rows), 3)
        for key, domain, value, derived in rows:
            self.assertEqual(random.derive(key, random.tag(domain, value)), derived)

    def test_draws(self):
        rows = self.rows("kKnownDraws")
        self.assertEqual(len(rows), 9)
        for key, sample, element, block, word, uniform, normal in rows:
            self.assertEqual(random.words(key, sample, 1, block=block, element0=element)[0, 0], word)
            if element >= 2**20:
                continue  # the other functions fill from element 0, and this one is the last of 2^32
            self.assertEqual(random.uniform(key, sample, element + 1, block=block)[0, element], uniform)
            # known_answers_check.h derives the tolerance
            self.assertAlmostEqual(float(random.normal(key, sample, element + 1, block=block)[0, element]), normal, delta=1e-6)


NVCC = shutil.which(ROOT / ".deps" / "cuda" / "bin" / "nvcc") or shutil.which("nvcc")


class Cuda(unittest.TestCase):
    @unittest.skipIf(NVCC is None, "nvcc is neither in PATH nor in .deps/cuda: known_answers.cu was not compiled")
    def test_known_answers_and_the_bits_of_the_host_hold_on_a_gpu(self):
        with tempfile.TemporaryDirectory() as folder:
            program = str(pathlib.Path(folder) / "known_answers")
            source = str(pathlib.Path(__file__).parent / "known_answers.cu")
            built = subprocess.run([NVCC, "-std=c++17", "-I", str(ROOT / "plugin-api" / "include"), source, "-o", program],
                                   capture_output=True, text=True)
            self.assertEqual(built.returncode, 0, built.stdout + built.stderr)
            done = subprocess.run([program], capture_output=True, text=True)
        if done.returncode == 77:
            self.skipTest("known_answers.cu was compiled, and there is no GPU to run it on")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Twin(unittest.TestCase):
    """Same bits as C: both sides use correctly rounded float32 operations only."""

    @classmethod
    def setUpClass(cls):
        if "UNCHANNEL_BINARY_DIR" not in os.environ:
            raise unittest.SkipTest("UNCHANNEL_BINARY_DIR is not set: run it through ctest")
        cls.c = load_c()

    def fill(self, name, key, ids, element0, count):
        rows = np.empty((len(ids), count), dtype=np.float32)
        for row, sample in zip(rows, ids):
            getattr(self.c, name)(key, sample, element0, count, row.ctypes.data_as(ctypes.c_void_p))
        return rows

    def test_keys_agree(self):
        for key, domain, value in [(0, 1, 0), (2**64 - 1, 0x8001, 2**48 - 1), (12345, 6, 17)]:
            self.assertEqual(random.derive(key, random.tag(domain, value)), self.c.probe_derive(key, domain, value))

    def test_normals_agree_bit_for_bit(self):
        ids = [0, 1, 2**32 + 5, 2**63 - 1]
        for count in (1, 2, 3, 5, 64, 1023, 4096):
            np.testing.assert_array_equal(random.normal(99, ids, count), self.fill("probe_normal", 99, ids, 0, count))

    def test_uniforms_agree_bit_for_bit(self):
        ids = [0, 7, 2**40]
        for count in (1, 3, 17, 1001):
            np.testing.assert_array_equal(random.uniform(3, ids, count), self.fill("probe_uniform", 3, ids, 0, count))

    def test_blocks_agree(self):
        for block in (0, 1, 2**32 - 1):
            expected = [self.c.probe_normal_at(5, 6, element, block) for element in range(11)]
            np.testing.assert_array_equal(random.normal(5, 6, 11, block=block)[0], np.float32(expected))

    def test_shapes_are_batch_then_sample(self):
        self.assertEqual(random.normal(1, [4, 5], (3, 2)).shape, (2, 3, 2))
        self.assertEqual(random.uniform(1, [4, 5]).shape, (2,))
        np.testing.assert_array_equal(random.normal(1, [4, 5], (3, 2)).reshape(2, 6), random.normal(1, [4, 5], 6))


if __name__ == "__main__":
    unittest.main()
