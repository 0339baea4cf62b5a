#include "object_pvalues.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <fmt/core.h>

namespace unchannel::report {

Table worst_objects(const std::vector<ObjectPvalue>& objects, std::size_t count) {
  std::vector<const ObjectPvalue*> ranked;
  for (const ObjectPvalue& object : objects) {
    if (!std::isnan(object.p_value)) ranked.push_back(&object);
  }
  std::ranges::stable_sort(ranked, {}, [](const ObjectPvalue* object) { return object->p_value; });
  Table table;
  const bool ids = !objects.empty() && objects.front().is_object_id;
  const bool names = std::ranges::any_of(objects, [](const ObjectPvalue& object) { return !object.name.empty(); });
  table.columns = {
      {ids ? "object_id" : "row", "", true},
      {"p-value", "share of the replicas, the observation counted in, that lie as far from the others as the observation does.", true}};
  if (names) table.columns.insert(table.columns.begin() + 1, Column{"name", "", false});
  for (const ObjectPvalue* object : ranked) {
    if (table.rows.size() == count) break;
    Row row{{std::to_string(object->number), fmt::format("{:.2g}", object->p_value)}, "", false};
    if (names) row.cells.insert(row.cells.begin() + 1, object->name);
    table.rows.push_back(std::move(row));
  }
  table.note = fmt::format("The {} objects that the simulator explains worst; equal p-values in the order of the file.", table.rows.size());
  if (const std::size_t failed = objects.size() - ranked.size(); failed > 0) {
    table.note += fmt::format(" Without a p-value, because a simulation failed: {}.", failed);
  }
  return table;
}

nlohmann::json pvalues_json(const std::vector<ObjectPvalue>& objects) {
  nlohmann::json list = nlohmann::json::array();
  for (const ObjectPvalue& object : objects) {
    nlohmann::json entry;
    entry[object.is_object_id ? "object_id" : "row"] = object.number;
    if (!object.name.empty()) entry["name"] = object.name;
    entry["p_value"] = std::isnan(object.p_value) ? nlohmann::json(nullptr) : nlohmann::json(object.p_value);
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace unchannel::report
