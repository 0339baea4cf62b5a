#include "svg_inline.hpp"

#include <string_view>

#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>

#include "figure_script.hpp"
#include "gnuplot.hpp"
#include "html.hpp"

namespace unchannel::report {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  std::string result;
  std::size_t begin = 0;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, begin)) {
    result.append(text, begin, at - begin).append(to);
    begin = at + from.size();
  }
  if (begin == 0) return;
  text = result.append(text, begin);
}

/// Removes every piece that starts with `open` and ends with the next `close`.
void remove_pieces(std::string& text, std::string_view open, std::string_view close) {
  std::string result;
  std::size_t begin = 0;
  for (std::size_t at = text.find(open); at != std::string::npos; at = text.find(open, begin)) {
    const std::size_t end = text.find(close, at + open.size());
    if (end == std::string::npos) break;
    result.append(text, begin, at - begin);
    begin = end + close.size();
  }
  text = result.append(text, begin);
}

}  // namespace

std::string inline_svg(const std::string& svg, const std::string& prefix, const std::string& description) {
  const std::size_t start = svg.find("<svg"), box = svg.find("viewBox=\"", start), head_end = svg.find('>', start);
  check<DataError>(start != std::string::npos && box != std::string::npos && box < head_end,
                   "gnuplot's output is no SVG drawing. gnuplot 5.2 or later with the svg terminal is needed.");
  const std::string view_box = svg.substr(box, svg.find('"', box + 9) + 1 - box);
  // "0 0 WIDTH HEIGHT". No figure is drawn larger than it was designed: all have letters of one size.
  const std::size_t width = view_box.find(' ', view_box.find(' ') + 1) + 1;
  const std::string style = "style=\"max-width:" + view_box.substr(width, view_box.find(' ', width) - width) + "px\"";
  std::string body = svg.substr(head_end + 1);
  remove_pieces(body, "<title>", "</title>");
  remove_pieces(body, "<desc>", "</desc>");
  remove_pieces(body, "<filter", "</filter>");
  remove_pieces(body, " id=\"", "\"");  // groups; what is referred to has single quotes
  replace_all(body, " id='gp", " id='" + prefix + "gp");
  replace_all(body, "xlink:href='#gp", "href='#" + prefix + "gp");
  replace_all(body, "stroke='black'", "stroke=\"currentColor\"");
  replace_all(body, "fill=\"black\"", "fill=\"currentColor\"");
  replace_all(body, "stroke='rgb(  0,   0,   0)'", "stroke=\"currentColor\"");
  replace_all(body, "color=\"black\"", "");
  replace_all(body, "color=\"white\"", "");
  const std::string text = escape(description);
  return "<svg " + view_box + " " + style + " role=\"img\" aria-label=\"" + text + "\">\n<title>" + text + "</title>" + body;
}

std::string render_figure(const Figure& figure) {
  const std::string script = gnuplot_script(figure);
  return inline_svg(run_gnuplot(script), "f" + sha256_text(script).substr(0, 8) + "-", figure.description);
}

}  // namespace unchannel::report
