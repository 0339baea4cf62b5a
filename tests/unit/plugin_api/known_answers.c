/* random.h compiled as C11. */
#include "known_answers_check.h"

int known_answers_wrong_in_c(void);
int known_answers_wrong_in_c(void) { return known_answers_wrong(); }
