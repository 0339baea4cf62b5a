"""unchannel import of pictures and arrays as a user meets it: exit codes, messages, and Ctrl-C."""

import pathlib
import signal
import struct
import subprocess
import tempfile
import time
import unittest

import program


def idx(rows, height, width):
    return bytes([0, 0, 8, 3]) + struct.pack(">3I", rows, height, width) + bytes(range(256)) * (rows * height * width // 256)


class Import(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="unchannel-import-")
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)

    def refuse(self, expected_code, expected_text, *arguments):
        code, out, err = program.run("import", *arguments, "--output", self.path / "out.h5")
        self.assertEqual(code, expected_code, out + err)
        self.assertIn(expected_text, err)
        self.assertEqual([file.name for file in self.path.iterdir() if "out" in file.name], [])

    def test_idx_becomes_a_file_that_info_describes_and_npy_takes_back(self):
        (self.path / "x").write_bytes(idx(16, 8, 4))
        self.assertIn("16 rows [1, 8, 4] written", program.expect_ok("import", "idx", self.path / "x", "--output", self.path / "a.h5"))
        self.assertIn("stored 0 … 255 became -1 … 1", program.expect_ok("info", self.path / "a.h5"))
        program.expect_ok("export", "npy", self.path / "a.h5", "--output", self.path / "a.npy")
        self.assertEqual((self.path / "a.npy").stat().st_size, 128 + 4 * 16 * 32)

    def test_wrong_input_ends_with_code_4_and_wrong_options_with_code_2(self):
        (self.path / "x").write_bytes(idx(16, 8, 4)[:-1])
        (self.path / "text").write_text("no data file at all, but long enough to be looked at\n" * 20)
        self.refuse(4, "ends in the middle of row 15 of 16", "idx", self.path / "x")
        self.refuse(4, "no such folder", "images", self.path / "none")
        self.refuse(4, "no readable tar, tar.gz or zip file", "tar", self.path / "text")
        self.refuse(4, "no MATLAB v5 file", "mat", self.path / "text", "--layout", "ND")
        self.refuse(4, "no NumPy array", "npy", self.path / "text")
        self.refuse(4, "nothing could be imported", "cifar", self.path / "text")
        self.refuse(2, "--layout", "idx", self.path / "x", "--layout", "NHWC")
        self.refuse(2, "--scale", "idx", self.path / "x", "--scale", "half")

    def test_ctrl_c_ends_with_code_130_and_leaves_no_file(self):
        source = self.path / "x"
        source.write_bytes(idx(40000, 64, 64))  # 164 MB become 655 MB: seconds
        (self.path / "to").mkdir()
        command = [program.PROGRAM, "import", "idx", source, "--output", self.path / "to" / "a.h5"]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            deadline = time.monotonic() + 30
            while not any((self.path / "to").iterdir()) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("interrupted; nothing was written", err)
        self.assertEqual(list((self.path / "to").iterdir()), [])


if __name__ == "__main__":
    unittest.main()
