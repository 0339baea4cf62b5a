"""Commands that read and write rows: what reaches them, what they may do wrong, and what is said about it."""
import pathlib
import subprocess
import sys
import time
import unittest

try:
    import numpy as np
    import worker_client
    from row_manifest import MANIFEST, InFolder
except ImportError:
    print("NumPy is missing")
    sys.exit(77)


def setUpModule():
    if not worker_client.WORKER.exists():
        raise unittest.SkipTest(f"{worker_client.WORKER} is not built")


def status_of(process):
    try:
        return (process / "status").read_text()
    except OSError:
        return "\nState:\tZ"


class Rows(InFolder):
    def simulate(self, plugin, x=((1, 2), (3, 4), (5, 6)), **parameters):
        with worker_client.Client(plugin) as client:
            client.start([len(x[0])], **parameters)
            return client.simulate(np.array(x))

    def test_raw_rows_go_in_and_come_out_unchanged_however_many(self):
        x = np.random.default_rng(1).normal(size=(300, 2000))
        y = self.simulate(self.manifest("cat", rows="float32"), x)  # 2.4 MB: far more than a pipe holds
        np.testing.assert_array_equal(y, x.astype(np.float32))

    def test_text_rows_keep_every_float32(self):
        bits = np.random.default_rng(2).integers(0, 2**32, (50, 40), dtype=np.uint32)
        x = bits.view(np.float32)
        x = np.where(np.isfinite(x), x, np.float32(1))
        np.testing.assert_array_equal(self.simulate(self.manifest("cat"), x).view(np.uint32), x.view(np.uint32))

    def test_the_command_is_told_parameters_key_count_and_ids(self):
        script = 'cat >/dev/null; echo "$1 $UNCHANNEL_PARAMETER_gain $2 $3 $UNCHANNEL_COUNT"; echo "$UNCHANNEL_SHAPE $(echo $(cat <&3)) 0"'
        plugin = self.manifest("sh", "-c", script, "sh", "{gain}", "{count}", "{values}", rows="text")
        with worker_client.Client(plugin) as client:
            client.start([5], gain=1.25)
            y = client.simulate(np.zeros((2, 5)), ids=[11, 12])
        # The second row has four words: its shape, two ids, a zero; so the answer is an error that counts them.
        self.assertEqual(y["type"], "error")
        self.assertIn("row 1 has 4 values; 5 are expected", y["message"])
        plugin = self.manifest("sh", "-c", script.replace('0"', '0 0"'), "sh", "{gain}", "{count}", "{values}")
        with worker_client.Client(plugin) as client:
            client.start([5], gain=1.25)
            y = client.simulate(np.zeros((2, 5)), ids=[11, 12])
        np.testing.assert_array_equal(y, [[1.25, 1.25, 2, 5, 2], [5, 11, 12, 0, 0]])

    def test_a_parameter_is_one_word_that_no_shell_reads(self):
        plugin = self.manifest("printf", "%s %s\\n", "1", "{mode}", more="[channel.parameters.mode]\ndefault = '2'\nchoices = ['2', '$(touch x); 3']\n")
        error = self.simulate(plugin, ((1, 2),), mode="$(touch x); 3")
        self.assertIn("'$(touch' is no number", error["message"])
        self.assertFalse((pathlib.Path.cwd() / "x").exists())

    def test_bad_output_is_an_error_that_says_what_is_wrong(self):
        for rows, script, expected in (
                ("text", "echo 1 2; echo 3 4", "writes 2 rows; 3 are expected"),
                ("text", "echo 1; echo 2; echo 3", "row 0 has 1 values; 2 are expected"),
                ("text", "echo 1 2; echo 3 four; echo 5 6", "row 1: 'four' is no number"),
                ("text", "cat; echo 7 8", "more than the 3 rows"),
                ("text", "yes", "writes more than the"),
                ("text", "cat; echo sorry >&2; exit 3", "exit status 3. It printed: sorry"),
                ("text", "kill -SEGV $$", "SIGSEGV"),
                ("float32", "head -c 20", "writes 20 bytes; 3 rows of 2 float32 have 24"),
                ("float32", "cat; echo", "writes more than the 24 bytes"),
                ("float32", "true", "writes 0 bytes")):
            with self.subTest(script=script):
                error = self.simulate(self.manifest("sh", "-c", script, rows=rows))
                self.assertIsInstance(error, dict, error)
                self.assertEqual(error["status"], "RETRYABLE")
                self.assertIn(expected, error["message"])

    def test_a_program_that_reads_less_than_it_gets_is_fine(self):
        y = self.simulate(self.manifest("sh", "-c", "yes '1 2' | head -n 3"), np.zeros((3, 2)))
        np.testing.assert_array_equal(y, [[1, 2]] * 3)

    def test_numbers_that_are_not_finite_arrive_as_such(self):
        y = self.simulate(self.manifest("sh", "-c", "echo nan inf; echo -inf +1; echo 1e999 1e-999"))
        np.testing.assert_array_equal(y, [[np.nan, np.inf], [-np.inf, 1], [np.inf, 0]])

    def test_after_a_failure_the_next_batch_is_right(self):
        flag = self.folder / "flag"
        plugin = self.manifest("sh", "-c", f"if test -e {flag}; then cat; else touch {flag}; exit 1; fi")
        with worker_client.Client(plugin) as client:
            client.start([2])
            self.assertEqual(client.simulate(np.ones((3, 2)))["type"], "error")
            np.testing.assert_array_equal(client.simulate(np.ones((3, 2))), np.ones((3, 2)))

    def test_a_command_that_hangs_ends_with_the_host(self):
        pid_file = self.folder / "pid"
        plugin = self.manifest("sh", "-c", f"echo $$ >{pid_file}.part; mv {pid_file}.part {pid_file}; exec sleep 600")
        # A process group of its own, as the host starts it; it goes when the host's end of the pipe does.
        client = worker_client.Client(plugin, "--end-with-host")
        with client:
            client.start([2])
            client.send(worker_client.frame(*client.simulate_message(np.zeros((1, 2)))))
            deadline = time.monotonic() + 50
            while not pid_file.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            hanging = pathlib.Path("/proc") / pid_file.read_text().strip()
            self.assertTrue(hanging.exists())
            client.process.stdin.close()
            while hanging.exists() and "\nState:\tZ" not in status_of(hanging) and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertTrue(not hanging.exists() or "\nState:\tZ" in status_of(hanging), "the command outlives its host")

    def test_manifests_that_break_a_rule_are_told_which(self):
        good = MANIFEST.format(command='["cat"]', rows="text")
        for text, expected in (
                (good.replace('"text"', '"csv"'), "must be 'float32' or 'text'; it is 'csv'"),
                (good[: good.index("[channel]")], "there must be a table [channel]"),
                (good.replace('rows = "text"', ""), "describes itself; remove [channel]"),
                (good.replace("determinism", "determinisms"), "determinisms is not a known key. Did you mean 'determinism'?"),
                (good.replace("per_sample", "always"), "must be 'none', 'per_batch' or 'per_sample'"),
                (good.replace("org.example.rows", "two words"), "cannot be the id"),
                (good.replace("default = 2.0", "defaults = 2.0"), "defaults is not a known key"),
                (good.replace("default = 2.0", "min = 2.0"), "default must be a number"),
                (good.replace("default = 2.0", "default = 2.0\nmin = 3.0"), "must lie in the range"),
                (good.replace("default = 2.0", "default = 'free text'"), "free text never reaches a command"),
                (good.replace("parameters.gain", "parameters.key"), "stands for something else"),
                (good.replace('"cat"', '"no_such_program_at_all"'), "cannot be found")):
            with self.subTest(text=text):
                file = self.folder / "bad.channel.toml"
                file.write_text(text)
                done = subprocess.run([worker_client.WORKER, "--probe", file], capture_output=True, text=True, check=True, timeout=60)
                answer = done.stdout.splitlines()[-1]
                self.assertIn('"good":false', answer)
                self.assertIn(expected, answer)


if __name__ == "__main__":
    unittest.main()
