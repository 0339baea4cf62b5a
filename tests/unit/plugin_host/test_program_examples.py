"""The example programs in C, shell and Python, seen from the worker protocol and by `plugins check`; determinism that is found out."""
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

try:
    import numpy as np
    import worker_client
    from row_manifest import InFolder
except ImportError:
    print("NumPy is missing")
    sys.exit(77)

EXAMPLES = worker_client.ROOT / "plugin-api" / "examples"
DEAD_TIME = EXAMPLES / "program_shell" / "dead_time.channel.toml"


def setUpModule():
    if not worker_client.WORKER.exists():
        raise unittest.SkipTest(f"{worker_client.WORKER} is not built")


class CProgram(InFolder):
    def setUp(self):
        super().setUp()
        compiler = os.environ.get("CC") or shutil.which("cc")
        if not compiler:
            self.skipTest("there is no C compiler")
        source = EXAMPLES / "program_c"
        shutil.copy(source / "read_noise.channel.toml", self.folder)
        subprocess.run([compiler, "-std=c11", "-O1", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I", worker_client.ROOT / "plugin-api/include",
                        source / "read_noise.c", "-lm", "-o", self.folder / "read_noise"], check=True)
        self.plugin = self.folder / "read_noise.channel.toml"

    def test_adds_the_noise_that_the_python_twin_draws(self):
        sys.path.insert(0, str(worker_client.ROOT / "plugin-api" / "python"))
        import unchannel_random as random

        x = np.linspace(-1, 1, 30, dtype=np.float32).reshape(2, 3, 5)
        with worker_client.Client(self.plugin) as client:
            self.assertEqual(client.start([3, 5], gain=0.5, sigma=0.25)["y_shape"], [3, 5])
            y = client.simulate(x, ids=[2**40, 7], key=99)
        noise = random.normal(random.derive(99, random.tag(random.TAG_NOISE, 0)), [2**40, 7], (3, 5))
        # One rounding to float32 here, one there.
        np.testing.assert_allclose(y, 0.5 * x.astype(float) + 0.25 * noise, rtol=2e-7, atol=1e-7)

    def test_passes_every_check_that_applies_to_programs(self):
        report, code = worker_client.check(self.plugin, self.folder)
        self.assertEqual((code, [e for e in report.values() if e["verdict"] == "fail"]), (0, []))
        for name in ("repeat-bitwise", "seed-sensitivity", "batch-split", "config-round-trip", "isolated-parity", "error-and-cancel"):
            self.assertEqual(report[name]["verdict"], "pass", report[name])
        self.assertEqual(report["guard-pages"]["verdict"], "skip")


class ShellProgram(InFolder):
    def test_computes_what_its_manifest_says(self):
        x = np.array([[0, 1, 2.5], [1e-30, 3e20, 0.1]], np.float32)
        with worker_client.Client(DEAD_TIME) as client:
            client.start([3], rate_loss=0.25)
            y = client.simulate(x)
        # awk computes in double precision; x is rounded on its way in (shortest text), y on its way out, each by half of 2^-23 at most.
        np.testing.assert_allclose(y, x.astype(float) / (1 + 0.25 * x.astype(float)), rtol=2**-22)

    def test_passes_every_check_that_applies_to_programs(self):
        report, code = worker_client.check(DEAD_TIME, self.folder)
        self.assertEqual((code, [e for e in report.values() if e["verdict"] == "fail"]), (0, []))
        for name in ("repeat-bitwise", "batch-split", "config-round-trip", "error-and-cancel"):
            self.assertEqual(report[name]["verdict"], "pass", report[name])


class PythonPrograms(InFolder):
    def setUp(self):
        super().setUp()
        os.environ["UNCHANNEL_PYTHON"] = sys.executable

    def test_pass_every_check_that_applies_to_programs(self):
        for plugin in (EXAMPLES / "program" / "decay.channel.toml", EXAMPLES / "python" / "binned_detector.py"):
            with self.subTest(plugin=plugin):
                report, code = worker_client.check(plugin, self.folder)
                self.assertEqual((code, [e for e in report.values() if e["verdict"] == "fail"]), (0, []))
        for name in ("repeat-bitwise", "seed-sensitivity", "batch-split", "latent-prior", "derivative-dot"):
            self.assertEqual(report[name]["verdict"], "pass", report[name])

    def test_one_that_draws_with_numpy_and_says_per_sample_is_found_out(self):
        text = (EXAMPLES / "python" / "binned_detector.py").read_text()
        for instead, check_id, expected in (("np.random.normal(size=y.shape)", "repeat-bitwise", "called again"),
                                            ("np.random.default_rng(key).normal(size=y.shape)", "batch-split", "the last sample alone")):
            with self.subTest(instead=instead):
                self.assertIn("random.normal(key, ids, y.shape[1:])", text)
                plugin = self.folder / "fresh_noise.py"
                plugin.write_text(text.replace("random.normal(key, ids, y.shape[1:])", instead))
                config = self.folder / "config.toml"
                config.write_text("x_shape = [8]\n")
                verdict, reason = worker_client.check_one(plugin, check_id, config)
                self.assertEqual(verdict, "fail", reason)
                self.assertIn(expected, reason)


class FoundOut(InFolder):
    """What a program says about its determinism and what it does: the checker compares them."""

    def check(self, script, check_id, determinism="per_sample"):
        plugin = self.manifest("sh", "-c", script)
        plugin.write_text(plugin.read_text().replace("per_sample", determinism))
        config = self.folder / "config.toml"
        config.write_text("x_shape = [1]\n")
        return worker_client.check_one(plugin, check_id, config)

    def test_a_program_that_declares_too_much_fails_the_check_for_it(self):
        for script, check_id, expected in (("while read x; do date +%N; done", "repeat-bitwise", "called again"),
                                           ("awk '{ print $1 + NR }'", "batch-split", "the last sample alone"),
                                           ("cat; kill -SEGV $$", "output-complete", "SIGSEGV")):
            with self.subTest(script=script):
                verdict, reason = self.check(script, check_id)
                self.assertEqual(verdict, "fail", reason)
                self.assertIn(expected, reason)

    def test_one_that_declares_nothing_is_told_what_it_could_declare(self):
        for script, expected in (("cat", "as PER_SAMPLE"), ("awk '{ print $1 + NR }'", "as PER_BATCH"),
                                 ("while read x; do date +%N; done", "as NONE")):
            with self.subTest(script=script):
                verdict, reason = self.check(script, "batch-split", "none")
                self.assertEqual(verdict, "skip")
                self.assertIn(expected, reason)


if __name__ == "__main__":
    unittest.main()
