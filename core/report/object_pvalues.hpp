#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "html.hpp"

namespace unchannel::report {

/// The p-value of one object, "could the simulator have made this observation from this restoration?".
struct ObjectPvalue {
  std::int64_t number = 0;  ///< object_id, or the row where the file has no ids
  bool is_object_id = false;
  std::string name;    ///< empty: the file has none
  double p_value = 0;  ///< NaN where a simulation failed
};

/// The `count` objects with the smallest p-values, equal ones in the order of the file; those without a p-value are counted in the note.
/// A column of names only where an object has one.
Table worst_objects(const std::vector<ObjectPvalue>& objects, std::size_t count = 10);

/// One entry an object, in the order of the file: object_id or row, name where there is one, p_value (null where a simulation failed).
nlohmann::json pvalues_json(const std::vector<ObjectPvalue>& objects);

}  // namespace unchannel::report
