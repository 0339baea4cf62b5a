"""unchannel verify with a fault put into the transport on purpose: each turns the verdict of the smoke case."""

import json
import unittest

import program

SMOKE = program.ROOT / "configs" / "smoke" / "awgn.toml"


class Faults(unittest.TestCase):
    def expect_failure(self, fault, **settings):
        work = program.Workspace()
        self.addCleanup(work.close)
        overrides = [f'verify.fault="{fault}"', *(f"verify.{key}={value}" for key, value in settings.items())]
        code, out, err = program.run("verify", SMOKE, "--json", work / "out.json", *(word for override in overrides for word in ("--set", override)))
        self.assertEqual(code, 1, out + err)
        self.assertIn("FAILS", out)
        self.assertIn("claims do not hold", err)
        self.assertEqual(json.loads((work / "out.json").read_text())["verdict"], "fails")

    def test_a_drift_of_the_wrong_sign(self):
        self.expect_failure("drift_sign", iterations=1, rows=4096)

    def test_a_time_grid_one_level_late(self):
        self.expect_failure("time_grid", iterations=2)

    def test_twice_the_epsilon(self):
        self.expect_failure("epsilon_factor", iterations=2)

    def test_an_exchanged_schedule(self):
        self.expect_failure("swapped_schedule", iterations=1, rows=4096)


if __name__ == "__main__":
    unittest.main()
