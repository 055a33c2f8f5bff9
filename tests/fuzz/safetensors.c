#include "fuzz.h"
#include "nn/weights.h"

void vsm_fuzz_one(const uint8_t *data, size_t size)
{
    struct vsm_weights *weights;

    if (vsm_weights_parse("fuzz", data, size, &weights) == VSM_OK) {
        if (vsm_weights_verify(weights)) {
        }
        vsm_weights_close(weights);
    }
}
