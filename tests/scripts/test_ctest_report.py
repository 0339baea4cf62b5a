"""script/ctest_report.py: the reasons of skips, the floor of executed tests, the time limit, and the summary at the very end."""
import os
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "script", "ctest_report.py")

CTEST_OUTPUT = """    Start 1: a
1/1 Test #1: a ...   Passed    0.01 sec

100% tests passed, 0 tests failed out of 4

Total Test time (real) =   0.05 sec

The following tests did not run:
\t  3 - c (Skipped)
"""

JUNIT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="x" tests="4" failures="0" disabled="0" skipped="1">
  <testcase name="a" classname="a" time="0.5" status="run"><system-out></system-out></testcase>
  <testcase name="b" classname="b" time="61.5" status="run">
    <system-out>test_one (m) ... skipped 'no astropy'
test_two (m) ... ok</system-out></testcase>
  <testcase name="c" classname="c" time="0.25" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
    <system-out>[ RUN      ] c
/x/c.cpp:7: Skipped
UNCHANNEL_SPECTRA is not set

[  SKIPPED ] c (0 ms)</system-out></testcase>
  <testcase name="d" classname="d" time="2" status="run"><system-out></system-out></testcase>
</testsuite>
"""


class CtestReport(unittest.TestCase):
    def run_report(self, *options, output=CTEST_OUTPUT, junit=JUNIT):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "ctest.xml")
            if junit is not None:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(junit)
            done = subprocess.run([sys.executable, SCRIPT, path, *options], input=output, capture_output=True, text=True)
        return done.returncode, done.stdout

    def test_the_summary_stays_the_end(self):
        code, text = self.run_report("--minimum", "3", "--limit-s", "100")
        self.assertEqual(code, 0, text)
        self.assertTrue(text.endswith(CTEST_OUTPUT[CTEST_OUTPUT.index("100%"):]))
        self.assertTrue(text.startswith("    Start 1: a\n1/1 Test #1"))

    def test_the_slowest_come_first(self):
        _, text = self.run_report("--minimum", "1", "--slowest", "2")
        self.assertIn("Slowest 2 tests:\n    61.50 s  b\n     2.00 s  d\nSkipped", text)

    def test_skips_are_listed_with_their_reasons(self):
        _, text = self.run_report("--minimum", "1")
        self.assertIn("Skipped: 2\n  b: no astropy\n  c: UNCHANNEL_SPECTRA is not set\n", text)

    def test_too_few_executed_tests_fail_and_skipped_ones_do_not_count(self):
        code, text = self.run_report("--minimum", "4", "--limit-s", "100")
        self.assertEqual(code, 1)
        self.assertIn("FAILED: only 3 tests were executed; at least 4 must be.", text)

    def test_a_test_over_the_limit_fails(self):
        code, text = self.run_report("--minimum", "1")
        self.assertEqual(code, 1)
        self.assertIn("FAILED: b took 62 s; no test may take more than 60 s.", text)

    def test_missing_results_or_summary_fail(self):
        self.assertEqual(self.run_report("--minimum", "1", "--limit-s", "100", junit=None)[0], 1)
        self.assertEqual(self.run_report("--minimum", "1", "--limit-s", "100", output="Segmentation fault\n")[0], 1)


if __name__ == "__main__":
    unittest.main()
