"""A training streams its observations: a file three times larger than the memory allowed beyond start-up is enough to show it.

UNCHANNEL_MEMORY_MIB raises the allowance (and the file with it); docs/benchmarks/quasar.md has the figure for 2048.
"""

import os
import pathlib
import resource
import subprocess
import time
import unittest

import program

ALLOWANCE = int(os.environ.get("UNCHANNEL_MEMORY_MIB", "256")) << 20


def peak_address_space(arguments):
    """Largest VmPeak seen while the command runs, in bytes."""
    process = subprocess.Popen([str(program.PROGRAM), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        for line in status.splitlines():
            if line.startswith("VmPeak:"):
                peak = max(peak, int(line.split()[1]) << 10)
        time.sleep(0.01)
    return process.wait(), peak


@unittest.skipUnless(program.real_prior(), "the quasar prior is not downloaded: run script/setup")
class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = program.Workspace()
        cls.work.make_data()
        cls.make_large_file(cls.work / "train_observed.h5", cls.work / "large.h5")
        code, cls.startup = peak_address_space(cls.work.train_arguments(run_name="small"))
        if code != 0:
            raise AssertionError(f"the small training ended with {code}")

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    @staticmethod
    def make_large_file(source, target):
        """The rows of `source` repeated with other noise until they take three times the allowance."""
        import h5py
        import numpy

        generator = numpy.random.default_rng(7)
        with h5py.File(source) as small, h5py.File(target, "w") as large:
            rows = small["observations"][:]
            blocks = -(-3 * ALLOWANCE // rows.nbytes)
            for name, value in small.attrs.items():
                large.attrs[name] = value
            out = large.create_dataset("observations", (blocks * len(rows), rows.shape[1]), "f4", chunks=(64, rows.shape[1]))
            for name, value in small["observations"].attrs.items():
                out.attrs[name] = value
            small.copy("coordinates", large)
            for block in range(blocks):
                out[block * len(rows):(block + 1) * len(rows)] = rows + generator.normal(0.0, 0.1, rows.shape).astype("f4")

    def limited(self, run_name, *extra):
        """Exit code and messages of a training on the large file under start-up size plus the allowance."""
        limit = self.startup + ALLOWANCE
        return program.run(*self.work.train_arguments(run_name=run_name), "--set", f'data.observations="{self.work / "large.h5"}"', *extra,
                           timeout=600, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))

    def test_trains_on_a_file_three_times_larger_than_its_memory(self):
        code, _, err = self.limited("streamed")
        self.assertEqual(code, 0, err)

    def test_the_limit_bites_when_the_file_is_held_in_memory(self):
        code, _, err = self.limited("held", "--set", f"data.buffer_mib={4 * (ALLOWANCE >> 20)}")
        self.assertEqual(code, 5, err)
        self.assertIn("out of memory", err)


if __name__ == "__main__":
    unittest.main()
