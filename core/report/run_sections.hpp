#pragma once

#include <string>
#include <utility>
#include <vector>

#include "figure.hpp"
#include "html.hpp"
#include "run_history.hpp"

namespace unchannel::report {

/// Loss, consistency gap and (where monitored) error over steps, network calls and time.
Figure training_figure(const std::vector<Evaluation>& evaluations);

/// "Run": `summary` (what the settings mean, from the caller) and the complete configuration. "Provenance". "Training": figure, last
/// figures. Works for a run that has not evaluated anything yet.
void add_run_section(HtmlPage& page, const RunHistory& history, const std::vector<std::pair<std::string, std::string>>& summary);
void add_training_section(HtmlPage& page, const RunHistory& history);
void add_provenance_section(HtmlPage& page, const RunHistory& history);

}  // namespace unchannel::report
