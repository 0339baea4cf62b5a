// The projector A: image → line integrals averaged over detector bins, and the lifts back. Formulas: README.md.
#pragma once

#include "slices.hpp"

#include <string_view>

namespace tomography {

/// A and, by its transpose, A^T. x in units u, y in u × length.
SliceOperator projector(const Geometry& geometry, const ImageGrid& grid);

enum class Filter { kRamp, kSheppLogan, kHann };

/// Its transpose is filtered back-projection: y [views, bins] → x [N, N].
SliceOperator filtered_back_projection(const Geometry& geometry, const ImageGrid& grid, Filter filter);

/// Its transpose is the inverse Fourier transform of the measured part of the plane; what no view has measured stays zero.
SliceOperator fourier_slice(const Geometry& geometry, const ImageGrid& grid);

}  // namespace tomography
