// The plugin without CUDA: the channel of tomography.hpp and the entry of the library.
#include "tomography.hpp"

UNCHANNEL_MODULE(tomography::Tomography)
