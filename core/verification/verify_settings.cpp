#include "verify_settings.hpp"

namespace unchannel::verification {

void VerifySettings::visit(SettingsVisitor& visitor) {
  visitor.choice({"family", "Network of the drift, as model.family."}, family, {"affine", "mlp"});
  visitor.integer({"iterations", "Outer iterations to train, each with a network of its own."}, iterations, 1, 1000);
  visitor.integer({"repeats", "Whole repetitions with other random numbers; the error bars come from their scatter."}, repeats, 2, 1000);
  visitor.integer({"rows", "Observations and signals of each iteration. Drawn from their laws and brought to these laws' mean and covariance exactly."},
                  rows, 1024, 16777216);
  visitor.integer({"steps", "Optimiser steps of each fit."}, steps, 10, 10000000);
  visitor.integer({"batch", "Simulated pairs of one step, each used at two times."}, batch, 8, 1048576);
  visitor.number({"learning_rate", "Highest learning rate; it falls to a hundredth."}, learning_rate, 1e-6, 1.0);
  visitor.integer({"width", "mlp: hidden units."}, width, 4, 16384);
  visitor.integer({"depth",
                   "mlp: residual blocks. affine: degree of its polynomials in t; 16 where noise is three times a direction's spread, which makes the "
                   "drift turn fast."},
                  depth, 1, 64);
  visitor.integer({"transport_steps", "Heun steps of a transport, and the number of times at which the drift is learnt."}, transport_steps, 2, 4096);
  visitor.number({"fit_tolerance", "What one fit and one transport may be wrong by, as a share of the iterate's spread, beside what the repeats scatter."},
                 fit_tolerance, 0.0, 1.0);
  visitor.integer({"key", "Key of every random number."}, key, 0, INT64_MAX);
  visitor.integer({"threads", "CPU threads; more than one gains nothing for small matrices."}, threads, 1, 4096);
  visitor.choice({"fault",
                  "A fault put into the engine's transport on purpose, to see the verdict fail. drift_sign: away from the signal. time_grid: every "
                  "drift one level late. epsilon_factor: twice the noise and score. swapped_schedule: alpha and beta exchanged."},
                 fault, {"none", "drift_sign", "time_grid", "epsilon_factor", "swapped_schedule"});
}

}  // namespace unchannel::verification
