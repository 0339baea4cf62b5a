"""unchannel verify: the smoke case holds, and what the engine cannot train is refused. test_verify_faults.py shows that it can fail."""

import json
import signal
import subprocess
import time
import unittest

import program

SMOKE = program.ROOT / "configs" / "smoke" / "awgn.toml"


class Verify(unittest.TestCase):
    def setUp(self):
        self.work = program.Workspace()
        self.addCleanup(self.work.close)

    def test_the_smoke_case_holds_with_every_claim_tested(self):
        out = program.expect_ok("verify", SMOKE, "--json", self.work / "out.json", "--figure", self.work / "out.svg")
        self.assertIn("verified: every tested claim holds", out)
        self.assertIn("<svg", (self.work / "out.svg").read_text())
        result = json.loads((self.work / "out.json").read_text())
        self.assertEqual(result["verdict"], "holds")
        claims = {claim["name"] for claim in result["claims"] if claim["tested"] and claim["holds"]}
        self.assertEqual(claims, {"iterates", "linear convergence", "rate", "ODE against SDE", "ODE against EM"})
        self.assertEqual([scheme["name"] for scheme in result["schemes"]], ["configured", "ode", "em"])
        # Predictions are those of `unchannel theory`.
        program.expect_ok("theory", SMOKE, "--json", self.work / "theory.json")
        theory = json.loads((self.work / "theory.json").read_text())
        for mine, other in (("configured", "iterates"), ("em", "em")):
            scheme = next(scheme for scheme in result["schemes"] if scheme["name"] == mine)
            for iterate, expected in zip(scheme["iterates"], theory[other], strict=False):
                self.assertAlmostEqual(iterate["predicted"]["w2"], expected["w2"], places=9)

    def test_the_numbers_are_those_of_the_key(self):
        results = []
        for key in (1, 1, 2):
            program.expect_ok("verify", SMOKE, "--json", self.work / "out.json", "--set", f"verify.key={key}", "--set", "verify.iterations=1")
            results.append(json.loads((self.work / "out.json").read_text())["schemes"])
        self.assertEqual(results[0], results[1])
        self.assertNotEqual(results[0], results[2])

    def test_a_perceptron_holds_too(self):
        quick = {"theory.epsilon": 0.0, "verify.family": '"mlp"', "verify.depth": 2, "verify.width": 32, "verify.steps": 400, "verify.learning_rate": 0.005,
                 "verify.iterations": 1, "verify.repeats": 2, "verify.rows": 4096, "verify.batch": 512, "verify.fit_tolerance": 0.02}
        program.expect_ok("verify", SMOKE, *(word for key, value in quick.items() for word in ("--set", f"{key}={value}")))

    def refuse(self, fragment, *overrides):
        code, out, err = program.run("verify", SMOKE, *(word for override in overrides for word in ("--set", override)))
        self.assertEqual(code, 2, out + err)
        self.assertIn(fragment, err)

    def test_what_the_engine_cannot_train_is_refused_with_the_remedy(self):
        self.refuse("needs the score", "theory.operator=[[0.5]]")
        self.refuse("needs y = x + sigma n", "theory.operator=[[0.5]]", 'theory.epsilon="em"')
        self.refuse("Set it to 1", "theory.over_relaxation=1.2")
        self.refuse("has ODEs only", "theory.operator=[[0.5]]", "theory.epsilon=0.0", 'verify.fault="epsilon_factor"')
        self.refuse("verify.repeats must lie between 2", "verify.repeats=1")
        self.refuse("Did you mean", "verify.repeat=3")

    def test_a_file_without_the_table_says_so(self):
        (self.work / "case.toml").write_text(SMOKE.read_text().replace("[verify]", "[verified]"))
        code, _, err = program.run("verify", self.work / "case.toml")
        self.assertEqual((code, "there is no table [verify]" in err), (2, True), err)

    def test_a_stop_ends_it_without_a_file(self):
        process = subprocess.Popen([program.PROGRAM, "verify", SMOKE, "--set", "verify.steps=100000", "--json", self.work / "out.json"], stderr=subprocess.PIPE,
                                   text=True)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("nothing was written", err)
        self.assertFalse((self.work / "out.json").exists())


if __name__ == "__main__":
    unittest.main()
