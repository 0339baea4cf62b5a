#include <unchannel/channel.h>
#include <unchannel/random.h>

unsigned header_is_self_contained() { return unchannel_word(1, 2, 3, 4) + sizeof(unchannel_module); }
