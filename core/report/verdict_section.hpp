#pragma once

#include "figure.hpp"
#include "html.hpp"
#include "run_history.hpp"

namespace unchannel::report {

/// Left: the figure of the law that moves most and its fit; right: the consistency gap; both over outer iterations, with the margin.
Figure verdict_figure(const RunHistory& history);

/// "Convergence": the verdict with its reason, remedy and figures. Says how to get one where the run has none.
void add_verdict_section(HtmlPage& page, const RunHistory& history);

}  // namespace unchannel::report
