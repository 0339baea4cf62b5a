#include <unchannel/channel.h>
#include <unchannel/random.h>
#include <unchannel/simple.h>

static const unchannel_simple kEmpty = {0};
UNCHANNEL_SIMPLE_MODULE(kEmpty)

/* Sizes of v1.0: while the minor version is 0 they are those of the structs; later the structs may only be larger. */
#define AT_LEAST(type, v1_size) \
  _Static_assert(UNCHANNEL_ABI_MINOR == 0 ? sizeof(type) == (v1_size) : sizeof(type) >= (v1_size), #type " has lost its v1 part")
AT_LEAST(unchannel_configure_args, UNCHANNEL_CONFIGURE_ARGS_V1_SIZE);
AT_LEAST(unchannel_configure_result, UNCHANNEL_CONFIGURE_RESULT_V1_SIZE);
AT_LEAST(unchannel_batch, UNCHANNEL_BATCH_V1_SIZE);
AT_LEAST(unchannel_draw_latents_args, UNCHANNEL_DRAW_LATENTS_ARGS_V1_SIZE);
AT_LEAST(unchannel_simulate_args, UNCHANNEL_SIMULATE_ARGS_V1_SIZE);
AT_LEAST(unchannel_lift_args, UNCHANNEL_LIFT_ARGS_V1_SIZE);
AT_LEAST(unchannel_mean_args, UNCHANNEL_MEAN_ARGS_V1_SIZE);
AT_LEAST(unchannel_vjp_args, UNCHANNEL_VJP_ARGS_V1_SIZE);
AT_LEAST(unchannel_jvp_args, UNCHANNEL_JVP_ARGS_V1_SIZE);
AT_LEAST(unchannel_adjoint_args, UNCHANNEL_ADJOINT_ARGS_V1_SIZE);
AT_LEAST(unchannel_loglik_args, UNCHANNEL_LOGLIK_ARGS_V1_SIZE);

unsigned header_is_self_contained_in_c(void);
unsigned header_is_self_contained_in_c(void) { return unchannel_word(1, 2, 3, 4) + (unsigned)sizeof(unchannel_module); }
