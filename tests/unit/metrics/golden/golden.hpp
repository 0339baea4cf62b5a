#pragma once

// Written by make_golden.py (NumPy, SciPy). Do not edit.
namespace golden {
inline constexpr double kRmse = 0.304522942729832;
inline constexpr double kMae = 0.273770255036621;
inline constexpr double kSpreadError = 0.092374662740027;
inline constexpr double kAxisW2 = 0.172059691872071;
inline constexpr double kEnergy = 0.00317760784810339;
inline constexpr double kEnergyPaired = 0.0493886649571316;
inline constexpr double kBandwidth = 2.97264069428762;
inline constexpr double kMmdSquared = -0.00598179972857604;
inline constexpr double kSsim0 = 0.867519651065614;
inline constexpr double kSsim1 = 0.875261214488156;
}  // namespace golden
