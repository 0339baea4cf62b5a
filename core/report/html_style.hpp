#pragma once

namespace unchannel::report {

/// Style sheet of every page. The rules on `[stroke=…]` re-colour gnuplot's series for dark backgrounds; the colours are those of
/// figure_script.cpp.
inline constexpr const char* kPageStyle = R"css(
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --rule: #d1d9e0; --page: #ffffff; --tint: #f6f8fa; --mark: #fff4e8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #9aa5b1; --rule: #3a424b; --page: #14181d; --tint: #1c2229; --mark: #33281b; }
  svg [stroke="rgb(  0, 114, 178)"] { stroke: #5ab4ec; } svg [fill="rgb(  0, 114, 178)"] { fill: #5ab4ec; }
  svg [color="rgb(  0, 114, 178)"] { color: #5ab4ec; }
  svg [stroke="rgb(  0, 140, 104)"] { stroke: #2fc79b; } svg [fill="rgb(  0, 140, 104)"] { fill: #2fc79b; }
  svg [stroke="rgb(213,  94,   0)"] { stroke: #ff8a3d; } svg [fill="rgb(213,  94,   0)"] { fill: #ff8a3d; }
  svg [color="rgb(213,  94,   0)"] { color: #ff8a3d; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 5rem; max-width: 68rem; background: var(--page); color: var(--ink);
       font: 16px/1.55 "Segoe UI", system-ui, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .8rem; padding-bottom: .3rem; border-bottom: 1px solid var(--rule); }
.subtitle { color: var(--soft); margin: 0 0 1.2rem; }
p { max-width: 46rem; }
nav { font-size: .92rem; }
nav a { color: inherit; margin-right: 1.2rem; white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.4rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; min-width: 60%; }
caption { text-align: left; }
th, td { padding: .38rem .8rem; text-align: left; border-bottom: 1px solid var(--rule); }
th { font-weight: 600; vertical-align: bottom; border-bottom: 2px solid var(--ink); }
th.number, td.number { text-align: right; white-space: nowrap; }
tr.strong td { background: var(--mark); font-weight: 600; }
td.remark { color: var(--soft); font-style: italic; }
.note, figcaption { color: var(--soft); font-size: .88rem; max-width: 60rem; }
figure { margin: 1.6rem 0 2rem; }
figcaption { margin-top: .5rem; }
figcaption b { color: var(--ink); }
svg { display: block; width: 100%; height: auto; color: var(--ink); }
svg text { font-family: "Segoe UI", system-ui, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
details { margin: 1rem 0; }
summary { cursor: pointer; }
pre { background: var(--tint); border: 1px solid var(--rule); border-radius: 4px; padding: .8rem 1rem; overflow-x: auto; font-size: .82rem;
      line-height: 1.45; }
@media print { body { max-width: none; padding: 0; } figure, tr { break-inside: avoid; } }
)css";

}  // namespace unchannel::report
