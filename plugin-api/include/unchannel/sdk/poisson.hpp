// Exact Poisson numbers from the counter-based generator, for the CPU and for CUDA kernels.
#ifndef UNCHANNEL_SDK_POISSON_HPP
#define UNCHANNEL_SDK_POISSON_HPP

#include <unchannel/random.h>

#include <cmath>
#include <cstdint>

namespace unchannel {
namespace sdk {

/// ln k! = ln Gamma(k + 1), k >= 0, a whole number or not: error <= 1e-13 of the larger of 1 and the result. (std::lgamma writes a global
/// variable.) Internal linkage, here and below: copies compiled for different instruction sets must not replace one another.
UNCHANNEL_HD static inline double log_factorial(double k) {
  double product = 1;
  for (; k < 16; k += 1) {
    product *= k + 1;
  }
  const double n = k + 1, r = 1 / (n * n);  // Stirling's series of ln Gamma(n); the first term left out is 1 / (1188 n^9) < 1e-14
  const double series = (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r / 1680))) / n;
  const double half_log_two_pi = 0.91893853320467274178;
  return (n - 0.5) * std::log(n) - n + half_log_two_pi + series - std::log(product);
}

namespace detail {

/// 53 bits in the open interval (0, 1).
UNCHANNEL_HD static inline double uniform53(uint32_t high, uint32_t low) {
  const uint64_t bits = (static_cast<uint64_t>(high) << 21) | (low >> 11);
  return (static_cast<double>(bits) + 0.5) / 9007199254740992.0;  // 2^53
}

UNCHANNEL_HD static inline double poisson_of_small_mean(double u, double mean) {
  double term = std::exp(-mean), below = term, k = 0;
  while (u > below && k < 200) {  // P(k >= 200 | mean 10) is far below the last bit of u; it ends the sum where rounding would not
    k += 1;
    term *= mean / k;
    below += term;
  }
  return k;
}

}  // namespace detail

/// A Poisson number of this mean, a pure function of its arguments; it uses the words 4 * cell ... 4 * cell + 3 of as many blocks as it
/// needs. 0 <= mean <= 1e12; exact up to the 53 bits of its uniform numbers. Sequential search below a mean of 10, above it the transformed
/// rejection PTRS [Hormann, Insurance: Mathematics and Economics 12 (1993) 39].
UNCHANNEL_HD static inline double poisson(uint64_t key, uint64_t id, uint32_t cell, double mean) {
  uint32_t words[4];
  if (mean < 10) {
    unchannel_words4(key, id, cell, 0, words);
    return detail::poisson_of_small_mean(detail::uniform53(words[0], words[1]), mean);
  }
  // The constants' names and values are Hormann's.
  const double b = 0.931 + 2.53 * std::sqrt(mean);
  const double a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
  const double v_r = 0.9277 - 3.6224 / (b - 2);
  for (uint32_t block = 0;; ++block) {
    unchannel_words4(key, id, cell, block, words);
    const double u = detail::uniform53(words[0], words[1]) - 0.5;
    const double v = detail::uniform53(words[2], words[3]);
    const double us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= v_r) {
      return k;
    }
    if (k < 0 || (us < 0.013 && v > us)) {
      continue;
    }
    if (std::log(v * inverse_alpha / (a / (us * us) + b)) <= k * std::log(mean) - mean - log_factorial(k)) {
      return k;
    }
  }
}

}  // namespace sdk
}  // namespace unchannel

#endif
