#pragma once

#include <set>
#include <string>
#include <vector>

namespace unchannel::report_test {

/// Problems of a page by a reader of its own: tags that do not nest, ids that are not unique, references to anything outside.
inline std::vector<std::string> page_problems(const std::string& page) {
  static const std::set<std::string> kVoid = {"meta", "!DOCTYPE", "br", "hr"};
  std::vector<std::string> problems, open;
  std::set<std::string> ids;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    const std::size_t end = page.find('>', at);
    if (end == std::string::npos) {
      problems.push_back("tag without end");
      break;
    }
    const bool closing = page[at + 1] == '/', alone = page[end - 1] == '/';
    const std::size_t name_begin = at + 1 + (closing ? 1 : 0);
    const std::string name = page.substr(name_begin, page.find_first_of(" \n\t/>", name_begin) - name_begin);
    if (closing) {
      if (open.empty() || open.back() != name) {
        problems.push_back("</" + name + "> closes " + (open.empty() ? "nothing" : "<" + open.back() + ">"));
        break;
      }
      open.pop_back();
      continue;
    }
    const std::string tag = page.substr(at, end - at);
    for (const char* quote : {"\"", "'"}) {
      const std::string key = std::string(" id=") + quote;
      if (const std::size_t id = tag.find(key); id != std::string::npos) {
        const std::size_t begin = id + key.size();
        if (!ids.insert(tag.substr(begin, tag.find(quote[0], begin) - begin)).second) problems.push_back("id twice: " + tag);
      }
    }
    if (!alone && !kVoid.contains(name)) open.push_back(name);
  }
  if (problems.empty() && !open.empty()) problems.push_back("<" + open.back() + "> is not closed");
  for (const char* outside : {"http:", "https:", "file:", "url(", "@import", "<script", "src=", "xlink:", "<link"}) {
    if (page.find(outside) != std::string::npos) problems.push_back(std::string("refers outside: ") + outside);
  }
  return problems;
}

}  // namespace unchannel::report_test
