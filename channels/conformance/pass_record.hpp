#pragma once

namespace unchannel::conformance {

struct CheckReport;

/// Remembers in check_record_file(), atomically, {"sha256", "unchannel_version", "passed", "checked_at", "untested", "needed"}: a pass
/// when the report is complete and nothing failed, and a failure of whatever was run, so that it voids an earlier pass. A part that passed
/// is not remembered. A cache that cannot be written is no error.
void record_outcome(const CheckReport& report);

}  // namespace unchannel::conformance
