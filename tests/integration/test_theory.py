"""unchannel theory against its twin in NumPy, on every configuration of configs/awgn, and on input that is refused."""

import json
import tomllib
import unittest

import program

CONFIGS = program.ROOT / "configs" / "awgn"


def as_toml(table):
    """A [theory] table; JSON writes numbers, strings and nested lists as TOML does."""
    return "[theory]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())


def random_table(seed, dimension, **more):
    import numpy

    draw = numpy.random.default_rng(seed)

    def covariance(low, high):
        rotation, _ = numpy.linalg.qr(draw.normal(size=(dimension, dimension)))
        matrix = rotation @ numpy.diag(draw.uniform(low, high, dimension)) @ rotation.T
        return ((matrix + matrix.T) / 2).tolist()

    table = {"signal_mean": draw.normal(size=dimension).tolist(), "signal_covariance": covariance(0.2, 3.0),
             "initial_mean": draw.normal(size=dimension).tolist(), "initial_covariance": covariance(0.2, 3.0), "noise_covariance": covariance(0.2, 2.0)}
    if more.pop("blurred", False):
        table["operator"] = (numpy.eye(dimension) + 0.3 * draw.normal(size=(dimension, dimension)) / dimension**0.5).tolist()
    return {**table, "iterations": 3, **more}


class Theory(unittest.TestCase):
    def setUp(self):
        self.work = program.Workspace()
        self.addCleanup(self.work.close)

    def analysed(self, table, *arguments):
        (self.work / "case.toml").write_text(as_toml(table))
        program.expect_ok("theory", self.work / "case.toml", "--json", self.work / "case.json", *arguments)
        return json.loads((self.work / "case.json").read_text())

    def expect_same(self, rows, laws, signal):
        import numpy

        import theory_twin

        self.assertEqual([row["k"] for row in rows], list(range(len(laws))))
        for row, law in zip(rows, laws, strict=True):
            # Two integrations with errors below 1e-10 a step, numbers of order one.
            numpy.testing.assert_allclose(row["mean"], law[0], atol=1e-8)
            numpy.testing.assert_allclose(row["covariance"], law[1], atol=1e-8)
            self.assertAlmostEqual(row["kl_nats"], theory_twin.kl_nats(signal, law), delta=1e-7)
            # W2 by Bures loses half the digits where laws agree.
            self.assertAlmostEqual(row["w2"], theory_twin.w2(signal, law), delta=1e-6)


class Twin(Theory):
    def test_every_schedule_equals_the_integrated_moments_of_its_sde(self):
        import theory_twin

        cases = [{"interpolant": "linear"}, {"interpolant": "linear", "blurred": True, "epsilon": 0.3},
                 {"interpolant": "stochastic", "blurred": True}, {"interpolant": "stochastic", "epsilon": 0.1, "gamma_scale": 0.6},
                 {"interpolant": "trigonometric", "epsilon": 0.2, "blurred": True}, {"interpolant": "polynomial", "power": 3.0, "epsilon": 0.05},
                 {"interpolant": "fokker_planck", "epsilon": 0.4}, {"interpolant": "fokker_planck"},
                 {"interpolant": "linear", "epsilon": 0.7, "epsilon_schedule": "linear", "blurred": True}]
        for seed, more in enumerate(cases):
            with self.subTest(**more):
                table = random_table(seed, 1 + seed % 5, **more)
                result, twin = self.analysed(table), theory_twin.Case(table)
                self.expect_same(result["iterates"], twin.iterates(3), twin.signal)
                self.expect_same(result["em"], twin.iterates(3, em=True), twin.signal)

    def test_em_is_both_a_setting_and_the_comparison(self):
        table = random_table(20, 3, epsilon="em", blurred=True)
        result = self.analysed(table)
        self.assertEqual(result["iterates"], result["em"])
        self.assertEqual(result["bound"]["applies"], True)

    def test_em_is_epsilon_growing_with_t_for_white_noise(self):
        import numpy

        table = {**random_table(21, 3), "noise_covariance": (0.7 * numpy.eye(3)).tolist(), "epsilon": 0.7, "epsilon_schedule": "linear"}
        result = self.analysed(table)
        for row, em in zip(result["iterates"], result["em"], strict=True):
            numpy.testing.assert_allclose(row["covariance"], em["covariance"], atol=1e-12)
        self.assertLess(result["bound"]["lipschitz"]["iterates"], 1e-12)  # the channel's own reverse: Corollary 1

    def test_contraction_is_what_iterates_near_the_signal_do(self):
        import numpy

        table = random_table(22, 3, epsilon=0.1, blurred=True, iterations=60)
        result = self.analysed(table)
        errors = [numpy.linalg.norm(numpy.array(row["covariance"]) - table["signal_covariance"]) for row in result["iterates"][-20:]]
        ratio = (errors[-1] / errors[0]) ** (1 / 19)
        self.assertAlmostEqual(ratio, result["contraction"]["covariance_rate"], delta=2e-3)
        self.assertEqual(result["contraction"]["mean"], sorted(result["contraction"]["mean"], reverse=True))

    def test_the_start_is_the_observations_unless_given(self):
        table = random_table(23, 2, blurred=True)
        observations = self.analysed({key: value for key, value in table.items() if not key.startswith("initial")})
        import numpy

        import theory_twin

        seen = theory_twin.Case(table).observe(theory_twin.Case(table).signal)
        numpy.testing.assert_allclose(observations["iterates"][0]["covariance"], seen[1], atol=1e-12)
        numpy.testing.assert_allclose(observations["iterates"][0]["mean"], seen[0], atol=1e-12)


class Command(Theory):
    def test_every_configuration_is_computed_and_converges(self):
        names = sorted(CONFIGS.glob("*.toml"))
        self.assertGreaterEqual(len(names), 5)
        for name in names:
            with self.subTest(name.name):
                out = program.expect_ok("theory", name, "--json", self.work / "out.json")
                self.assertIn("factors per iteration", out)
                result = json.loads((self.work / "out.json").read_text())
                iterations = tomllib.loads(name.read_text())["theory"]["iterations"]
                self.assertEqual(len(result["iterates"]), iterations + 1)
                distances = [row["kl_nats"] for row in result["iterates"]]
                self.assertLess(distances[-1], distances[0])
                limits = result["limits"]
                self.assertLessEqual(limits["posterior_mean_mse"], limits["distribution_preserving_mse"])
                self.assertLessEqual(limits["distribution_preserving_mse"], limits["ode_map_mse"] * (1 + 1e-9))

    def test_figure_and_overrides(self):
        config = CONFIGS / "correlated.toml"
        out = program.expect_ok("theory", config, "--figure", self.work / "decay.svg", "--set", "theory.epsilon=0.0")
        self.assertIn("needs epsilon > 0", out)
        self.assertIn("<svg", (self.work / "decay.svg").read_text())

    def test_other_tables_are_left_alone(self):
        text = (CONFIGS / "correlated.toml").read_text() + "\n[somebody_elses]\nkey = 3\n"
        (self.work / "more.toml").write_text(text)
        program.expect_ok("theory", self.work / "more.toml")

    def test_an_epsilon_outside_the_theorem_is_said_and_computed(self):
        result = self.analysed(random_table(30, 2, epsilon=0.01))
        self.assertFalse(result["bound"]["applies"])
        self.assertRegex(result["bound"]["reason"], r"L = .* is not below 4 epsilon/chi = .*: Theorem 1 says nothing here")
        self.assertEqual(len(result["iterates"]), 4)

    def test_a_path_that_loses_a_direction_does_not_converge_and_says_so(self):
        table = {"signal_mean": [1.0], "signal_covariance": [[1.0]], "initial_mean": [0.0], "initial_covariance": [[1.0]],
                 "noise_covariance": [[0.5]], "operator": [[-1.0]], "iterations": 5}
        (self.work / "case.toml").write_text(as_toml(table))
        self.assertIn("does not converge", program.expect_ok("theory", self.work / "case.toml"))


class BadInput(Theory):
    GOOD = {"signal_mean": [1.0, -2.0], "signal_covariance": [[2.0, 0.6], [0.6, 0.5]], "initial_mean": [0.0, 0.0],
            "initial_covariance": [[1.0, -0.3], [-0.3, 1.5]], "noise_covariance": [[0.5, 0.0], [0.0, 0.5]]}

    def refuse(self, code, fragments, text, *arguments):
        (self.work / "bad.toml").write_text(text)
        got, out, err = program.run("theory", self.work / "bad.toml", "--json", self.work / "bad.json", *arguments)
        self.assertEqual(got, code, out + err)
        for fragment in fragments:
            self.assertIn(fragment, err)
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertFalse((self.work / "bad.json").exists())

    def refuse_case(self, fragments, code=2, **changes):
        self.refuse(code, fragments, as_toml({**self.GOOD, **changes}))

    def test_covariances_must_be_symmetric_and_positive_definite(self):
        self.refuse_case(["bad.toml:3: theory.signal_covariance must be symmetric", "row 2, column 1 holds 0.6", "Make both the same"],
                         signal_covariance=[[2.0, 0.5], [0.6, 0.5]])
        self.refuse_case(["bad.toml:5: theory.initial_covariance must be positive definite", "smallest eigenvalue is -1"],
                         initial_covariance=[[1.0, 2.0], [2.0, 1.0]])
        self.refuse_case(["bad.toml:6: theory.noise_covariance must be positive definite"], noise_covariance=[[1.0, 0.0], [0.0, 0.0]])

    def test_shapes_must_agree(self):
        self.refuse_case(["bad.toml:3: theory.signal_covariance must have 2 rows of 2 numbers", "it has 1 rows of 1"], signal_covariance=[[1.0]])
        self.refuse_case(["bad.toml:4: theory.initial_mean must hold 2 numbers", "it holds 3"], initial_mean=[0.0, 0.0, 0.0])
        self.refuse_case(["bad.toml:3: theory.signal_covariance must have as many numbers in each row"], signal_covariance=[[1.0, 0.0], [1.0]])
        self.refuse_case(["theory.signal_mean must hold 1 to 64 numbers"], signal_mean=[])
        self.refuse_case(["theory.operator must have 2 rows"], operator=[[1.0, 0.0]])

    def test_missing_keys_and_tables_are_named(self):
        self.refuse(2, ["there is no table [theory]", "Did you mean 'theori'"], "[theori]\nepsilon = 0.1\n")
        self.refuse(2, ["theory.noise_covariance must have 2 rows", "it has 0 rows"],
                    as_toml({key: value for key, value in self.GOOD.items() if key != "noise_covariance"}))
        self.refuse_case(["theory.signal_covarianc is not a known key", "signal_covariance"], signal_covarianc=[[1.0]])

    def test_a_singular_operator_is_refused_with_the_remedy(self):
        self.refuse_case(["bad.toml:7: theory.operator must be regular", "leave that direction out"], operator=[[1.0, 1.0], [1.0, 1.0]])

    def test_epsilon_and_schedules_must_fit_together(self):
        self.refuse_case(["theory.epsilon must lie between 0 and"], epsilon=-0.1)
        self.refuse_case(["theory.epsilon must be a number or one of 'em'"], epsilon="me")
        self.refuse_case(["theory.interpolant must be one of", "Did you mean 'linear'?"], interpolant="linaer")
        self.refuse_case(["fokker_planck", "operator is not the identity"], interpolant="fokker_planck", operator=[[1.0, 0.1], [0.0, 1.0]])
        self.refuse_case(["epsilon_schedule", "Choose \"constant\""], epsilon_schedule="linear", interpolant="stochastic")
        self.refuse_case(["theory.iterations must lie between"], iterations=-1)

    def test_too_much_over_relaxation_ends_with_the_remedy(self):
        self.refuse_case(["no longer positive definite", "Lower theory.over_relaxation"], code=5, over_relaxation=30.0,
                         signal_covariance=[[0.01, 0.0], [0.0, 0.01]])

    def test_sizes_are_checked_before_memory_is_taken(self):
        size = 64
        eye = [[float(i == j) for j in range(size)] for i in range(size)]
        large = {"signal_mean": [0.0] * size, "signal_covariance": eye, "noise_covariance": eye}
        self.refuse(2, ["theory.iterations must be at most 244 in 64 dimensions"], as_toml({**large, "iterations": 10000}))
        self.refuse(2, ["theory.signal_mean must hold 1 to 64 numbers"], as_toml({**large, "signal_mean": [0.0] * 65}))

    def test_outputs_do_not_replace_the_configuration(self):
        (self.work / "bad.toml").write_text(as_toml(self.GOOD))
        for option in ("--json", "--figure"):
            code, _, err = program.run("theory", self.work / "bad.toml", option, self.work / "bad.toml")
            self.assertEqual((code, option in err), (2, True), err)
        self.assertEqual((self.work / "bad.toml").read_text(), as_toml(self.GOOD))


if __name__ == "__main__":
    unittest.main()
