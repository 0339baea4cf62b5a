#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include <unchannel/report/comparison.hpp>
#include <unchannel/report/html.hpp>

#include "report_objects.hpp"

namespace unchannel {

/// [planes, height, width] where signals of this shape are images; empty where they are not.
std::vector<std::int64_t> image_shape_of(const std::vector<std::int64_t>& signal_shape);

/// At most eight objects, evenly spread over the rows, as a grid of images: observed, start, restored, oracle, the methods named `others`,
/// truth; methods that gave nothing are left out. `observed_NM`, see observed_elements, may be undefined. Returns which rows are shown and
/// the drawn range.
nlohmann::json add_image_section(report::HtmlPage& page, const ReportObjects& objects, const std::vector<report::MethodResult>& methods,
                                 const std::vector<std::string>& others, const at::Tensor& observed_NM,
                                 const std::vector<std::int64_t>& image_shape);

/// How many objects there are and where they come from, as the file says.
std::string data_in_words(const ReportObjects& objects);

}  // namespace unchannel
