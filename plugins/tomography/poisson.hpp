// Exact Poisson numbers from the counter-based generator.
#pragma once

#include <cstdint>

namespace tomography {

/// A Poisson number of this mean, a pure function of its arguments; it uses the words 4 * cell … 4 * cell + 3 of as many blocks as it
/// needs. 0 ≤ mean ≤ 1e12; exact up to the 53 bits of its uniform numbers. Sequential search below a mean of 10, above it the transformed
/// rejection PTRS [Hörmann, Insurance: Mathematics and Economics 12 (1993) 39].
double poisson(uint64_t key, uint64_t id, uint32_t cell, double mean);

/// ln k! = ln Gamma(k + 1), k ≥ 0, a whole number or not: error ≤ 1e-13 of the larger of 1 and the result. (std::lgamma writes a global
/// variable.)
double log_factorial(double k);

}  // namespace tomography
