#pragma once

#include <string>

#include "figure.hpp"

namespace unchannel::report {

/// The figure in gnuplot's language. Text is quoted so that nothing in it is interpreted; every range is explicit, so that the
/// script is valid for any data, empty or not finite included.
std::string gnuplot_script(const Figure& figure);

}  // namespace unchannel::report
