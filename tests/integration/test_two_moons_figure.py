"""The two-moons figure of docs/benchmarks, by its own commands at a tiny size: a training, a restoration, docs/benchmarks/two_moons.py."""

import re
import subprocess
import sys
import unittest

import program

CONFIG = program.ROOT / "configs" / "two_moons" / "awgn_ode.toml"


class TwoMoonsFigure(unittest.TestCase):
    def test_restored_moons_are_thinner_than_observed_ones(self):
        work = program.Workspace()
        self.addCleanup(work.close)
        sigma = ("--set", "channel.parameters.sigma=1.0")
        program.expect_ok("import", "two-moons", "--count", 6000, "--key", 1, "--output", work / "true.h5")
        program.expect_ok("simulate", CONFIG, "--input", work / "true.h5", "--key", 2, "--output", work / "observed.h5", *sigma)
        program.expect_ok("train", CONFIG, "--run", work / "run", "--set", f'data.observations="{work / "observed.h5"}"', "--set", "run.threads=1", "--set",
                          "scsi.steps=100", *sigma, timeout=300)
        program.expect_ok("restore", work / "run", "--input", work / "observed.h5", "--output", work / "restored.h5")
        printed = subprocess.run([sys.executable, program.ROOT / "docs" / "benchmarks" / "two_moons.py", work / "moons.png", f"true={work / 'true.h5'}",
                                  f"observed={work / 'observed.h5'}", f"ODE={work / 'restored.h5'}"], check=True, capture_output=True, text=True).stdout
        thickness = {name: (float(value), float(error)) for name, value, error in re.findall(r"(\w+): thickness ([\d.]+) ± ([\d.]+)", printed)}
        # Radial noise of 0.1 times the scale 4; points near the ends and between the arms move it by a hundredth.
        self.assertAlmostEqual(thickness["true"][0], 0.4, delta=0.01 + 4 * thickness["true"][1])
        self.assertGreater(thickness["observed"][0], 0.85)
        self.assertLess(thickness["ODE"][0], thickness["observed"][0] - 10 * thickness["observed"][1])
        self.assertEqual((work / "moons.png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")


if __name__ == "__main__":
    unittest.main()
