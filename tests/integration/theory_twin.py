"""The Gaussian iteration written once more in NumPy and SciPy, from the stochastic differential equation itself: mean and covariance of the
reverse SDE are integrated as they stand, without the matrix that the program's recursion reduces them to."""

import numpy
import scipy.integrate
import scipy.linalg


def schedule(case, t):
    """alpha, beta, gamma^2 and their rates."""
    kind = case.get("interpolant", "linear")
    if kind == "trigonometric":
        angle = numpy.pi * t / 2
        return numpy.cos(angle), numpy.sin(angle), 0.0, -numpy.pi / 2 * numpy.sin(angle), numpy.pi / 2 * numpy.cos(angle), 0.0
    if kind == "polynomial":
        p = case.get("power", 2.0)
        return 1 - t**p, t**p, 0.0, -p * t ** (p - 1), p * t ** (p - 1), 0.0
    if kind == "stochastic":
        a = case.get("gamma_scale", 1.0)
        return 1 - t, t, (a * t * (1 - t)) ** 2, -1.0, 1.0, 2 * a * a * t * (1 - t) * (1 - 2 * t)
    if kind == "fokker_planck":
        return 1 - t, t, t * (1 - t), -1.0, 1.0, 1 - 2 * t
    return 1 - t, t, 0.0, -1.0, 1.0, 0.0


class Case:
    """The matrices of a [theory] table, given as a dictionary."""

    def __init__(self, table):
        self.table = table
        array = lambda key: numpy.array(table[key], float)
        self.signal, self.initial = (array("signal_mean"), array("signal_covariance")), (array("initial_mean"), array("initial_covariance"))
        self.noise = array("noise_covariance")
        self.dimension = len(self.signal[0])
        self.operator = array("operator") if "operator" in table else numpy.eye(self.dimension)
        self.added = self.noise if table.get("interpolant") == "fokker_planck" else numpy.eye(self.dimension)

    def observe(self, law):
        return self.operator @ law[0], self.operator @ law[1] @ self.operator.T + self.noise

    def epsilon(self, t):
        epsilon = self.table.get("epsilon", 0.0)
        return epsilon * t if self.table.get("epsilon_schedule") == "linear" else epsilon

    def reverse_drift(self, law, t):
        """b - epsilon s as (matrix, offset), by regression of the velocity on the place."""
        alpha, beta, gamma2, alpha_rate, beta_rate, gamma2_rate = schedule(self.table, t)
        a = alpha * numpy.eye(self.dimension) + beta * self.operator
        a_rate = alpha_rate * numpy.eye(self.dimension) + beta_rate * self.operator
        spread = a @ law[1] @ a.T + beta**2 * self.noise + gamma2 * self.added
        cross = a_rate @ law[1] @ a.T + beta * beta_rate * self.noise + gamma2_rate / 2 * self.added
        matrix = (cross + self.epsilon(t) * numpy.eye(self.dimension)) @ numpy.linalg.inv(spread)
        return matrix, a_rate @ law[0] - matrix @ (a @ law[0])

    def transported(self, law):
        """Mean and covariance at t = 0 of the reverse SDE of iterate `law`, started from the true observations."""
        d = self.dimension

        def rate(t, state):
            matrix, offset = self.reverse_drift(law, t)
            mean, covariance = state[:d], state[d:].reshape(d, d)
            flow = matrix @ covariance
            return numpy.concatenate([matrix @ mean + offset, (flow + flow.T - 2 * self.epsilon(t) * numpy.eye(d)).ravel()])

        mean, covariance = self.observe(self.signal)
        end = scipy.integrate.solve_ivp(rate, (1.0, 0.0), numpy.concatenate([mean, covariance.ravel()]), "DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
        return end[:d], end[d:].reshape(d, d)

    def posterior_draws(self, law):
        """The same for draws of x given y: information form."""
        precision = numpy.linalg.inv(self.noise)
        covariance = numpy.linalg.inv(numpy.linalg.inv(law[1]) + self.operator.T @ precision @ self.operator)
        gain = covariance @ self.operator.T @ precision
        seen = self.observe(self.signal)
        return law[0] + gain @ (seen[0] - self.operator @ law[0]), covariance + gain @ seen[1] @ gain.T

    def iterates(self, count, em=False):
        laws = [self.initial]
        for _ in range(count):
            laws.append(self.posterior_draws(laws[-1]) if em else self.transported(laws[-1]))
        return laws


def kl_nats(p, q):
    """KL(p | q) by the textbook formula."""
    inverse, shift = numpy.linalg.inv(q[1]), q[0] - p[0]
    return 0.5 * (numpy.trace(inverse @ p[1]) - len(shift) + shift @ inverse @ shift + numpy.linalg.slogdet(q[1])[1] - numpy.linalg.slogdet(p[1])[1])


def w2(p, q):
    """By the formula of Bures."""
    root = scipy.linalg.sqrtm(p[1])
    cross = scipy.linalg.sqrtm(root @ q[1] @ root).real
    return numpy.sqrt(max(numpy.sum((p[0] - q[0]) ** 2) + numpy.trace(p[1] + q[1] - 2 * cross), 0.0))
