#pragma once

#include <string>

namespace unchannel::report {

/// gnuplot's SVG made fit to stand inside a page: no XML declaration and namespaces, references and ids with `prefix` (several
/// figures share one page), black drawn in the page's text colour, the size left to the page, `description` as its text alternative.
/// Throws DataError when `svg` is not what gnuplot writes.
std::string inline_svg(const std::string& svg, const std::string& prefix, const std::string& description);

}  // namespace unchannel::report
