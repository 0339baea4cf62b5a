"""Checking the client of a model server that does not run: one check waits and says why, the others are not run."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("UNCHANNEL_SOURCE_DIR", pathlib.Path(__file__).parents[3]))
BUILD = pathlib.Path(os.environ.get("UNCHANNEL_BINARY_DIR", ROOT / "build" / "release"))
WORKER = pathlib.Path(os.environ.get("UNCHANNEL_WORKER", BUILD / "bin" / "unchannel-worker"))
CONNECT_TIMEOUT_S = 3.0
CONFIG = """
[channel]
id = "org.unchannel.umbridge"
[channel.parameters]
url = "http://127.0.0.1:{port}"
connect_timeout_s = {timeout}
"""


class UnreachableServer(unittest.TestCase):
    def test_is_waited_for_in_one_check_only_and_named_in_the_others(self):
        with socket.socket() as probe, tempfile.TemporaryDirectory() as folder:
            probe.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
            config, report = pathlib.Path(folder) / "check.toml", pathlib.Path(folder) / "report.json"
            config.write_text(CONFIG.format(port=probe.getsockname()[1], timeout=CONNECT_TIMEOUT_S))
            result = subprocess.run([WORKER, "--check-all", BUILD / "plugins" / "umbridge.so", "--channel", "org.unchannel.umbridge",
                                     "--config", config, "--json", report], capture_output=True, text=True, timeout=170,
                                    env={**os.environ, "XDG_CACHE_HOME": folder})
            self.assertEqual(result.returncode, 3, result.stdout + result.stderr)
            checks = json.loads(report.read_text())["checks"]
        waited = [check for check in checks if check["elapsed_s"] > 0.8 * CONNECT_TIMEOUT_S]
        self.assertEqual([check["verdict"] for check in waited], ["fail"], result.stdout)
        self.assertIn("configure answers RETRYABLE", waited[0]["reason"])
        self.assertIn("Start the model server, or correct url", waited[0]["reason"])
        later = checks[checks.index(waited[0]) + 1:]
        declared = [check for check in later if check["id"] in ("descriptor", "parameter-schema")]
        self.assertEqual([check["verdict"] for check in declared], ["pass", "pass"], result.stdout)
        later = [check for check in later if check not in declared]
        self.assertGreater(len(later), 15)
        for check in later:
            self.assertEqual(check["verdict"], "untested", check)
            self.assertIn("an earlier check found: configure answers RETRYABLE", check["reason"])


if __name__ == "__main__":
    unittest.main()
