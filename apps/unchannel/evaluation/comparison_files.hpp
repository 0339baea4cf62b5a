#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include <unchannel/report/comparison.hpp>

#include "report_objects.hpp"

// Shape legend: N objects · D elements of a signal
namespace unchannel {

/// Restorations that another program or command made, to be a row of the comparison.
struct ComparisonFile {
  std::string name, path;
};

/// The words of --compare, each NAME=FILE. Throws ConfigError: no '=', no name or file, a name above 32 bytes, given twice or that of one
/// of the report's own rows.
std::vector<ComparisonFile> parse_comparison_files(const std::vector<std::string>& words);

/// Their rows for the objects of the report, matched by object_id, or by row where neither file has ids; of several samples of an object
/// the first. Throws DataError (objects that are missing), ShapeError.
report::MethodResult read_comparison(const ComparisonFile& file, const ReportObjects& objects);

/// The law of clean signals from a file of other ones, as `unchannel evaluate --reference` takes it: the last third, in whole sets of as
/// many rows as there are objects, gives the floor, the rest the law and its spread. Read by blocks. Throws ShapeError (fewer than three
/// times as many rows as objects, another row size), DataError.
report::SignalLaw law_of_file(const std::string& path, const ReportObjects& objects);
/// The same errors without the work.
void check_reference_file(const std::string& path, const ReportObjects& objects);

}  // namespace unchannel
