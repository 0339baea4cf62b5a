#include <unchannel/channel.h>
#include <unchannel/random.h>
#include <unchannel/simple.h>

static const unchannel_simple kEmpty = {};
UNCHANNEL_SIMPLE_MODULE(kEmpty)

unsigned header_is_self_contained() { return unchannel_word(1, 2, 3, 4) + sizeof(unchannel_module); }
