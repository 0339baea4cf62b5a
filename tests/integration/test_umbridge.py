"""org.unchannel.umbridge through the program: a model of the real UM-Bridge Python package as the channel of `unchannel simulate`."""

import importlib.util
import socket
import subprocess
import sys
import unittest

import program

SERVER = program.ROOT / "tests" / "unit" / "plugins" / "umbridge_package_server.py"
CONFIG = """
[data]
observations = "unused.h5"
[channel]
id = "org.unchannel.umbridge"
[channel.parameters]
url = "http://127.0.0.1:{port}"
model = "linear"
lift = "pad"
noise_sigma = {sigma}
connections = 2
connect_timeout_s = {connect_timeout_s}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@unittest.skipUnless(importlib.util.find_spec("umbridge") and importlib.util.find_spec("h5py"), "Python needs the modules umbridge and h5py")
class UmBridge(unittest.TestCase):
    def setUp(self):
        self.work = program.Workspace()
        self.addCleanup(self.work.close)
        self.port = free_port()

    def serve(self, inputs, outputs):
        server = subprocess.Popen([sys.executable, str(SERVER), str(self.port), inputs, outputs], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

    def simulate(self, x, sigma=0.0, connect_timeout_s=30.0):
        import h5py

        with h5py.File(self.work / "x.h5", "w") as file:
            file["signals"] = x
        config = self.work / "config.toml"
        config.write_text(CONFIG.format(port=self.port, sigma=sigma, connect_timeout_s=connect_timeout_s), encoding="utf-8")
        return program.run("simulate", config, "--input", self.work / "x.h5", "--output", self.work / "y.h5", "--key", 5)

    def test_a_linear_model_gives_what_numpy_gives_and_noise_of_the_stated_size(self):
        import h5py
        import numpy

        x = numpy.random.default_rng(1).normal(size=(100, 10)).astype("f4")
        row, column = numpy.mgrid[0:7, 0:10]
        expected = x.astype("f8") @ (1.0 / (1 + row + 2 * column)).T
        self.serve("4,6", "7")
        code, _, err = self.simulate(x)
        self.assertEqual(code, 0, err)
        with h5py.File(self.work / "y.h5") as file:
            # rounded once to float32: half a unit in the last place of numbers below 8
            self.assertLess(numpy.abs(file["observations"][:] - expected).max(), 2.5e-7)
        code, _, err = self.simulate(x, sigma=0.5)
        self.assertEqual(code, 0, err)
        with h5py.File(self.work / "y.h5") as file:
            noise = (file["observations"][:] - expected) / 0.5
        # 700 standard normal numbers: mean within 4 / sqrt(700), standard deviation within 4 / sqrt(1400) of 1
        self.assertLess(abs(noise.mean()), 0.152)
        self.assertLess(abs(noise.std() - 1), 0.107)

    def test_a_missing_server_is_a_plugin_failure_that_names_the_address_and_the_remedy(self):
        import numpy

        code, _, err = self.simulate(numpy.zeros((2, 10), "f4"), connect_timeout_s=0.3)
        self.assertEqual(code, 3, err)
        self.assertIn(f"http://127.0.0.1:{self.port}/Info: no connection within connect_timeout_s = 0.3", err)
        self.assertIn("Start the model server", err)

    def test_signals_of_another_size_are_refused_with_both_numbers(self):
        import numpy

        self.serve("4,6", "7")
        code, _, err = self.simulate(numpy.zeros((2, 11), "f4"))
        self.assertEqual(code, 2, err)
        self.assertIn("x.h5", err)
        self.assertIn("takes 10 numbers (input sizes [4, 6]), but x has 11 elements", err)


if __name__ == "__main__":
    unittest.main()
