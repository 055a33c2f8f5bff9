/* torch .pt archives. Archives behind a ZIP directory are hard to mutate into new pickles, so an input that
 * does not look like one is read as a bare pickle. */
#include "nn/pt.h"
#include "fuzz.h"
#include "nn/pickle.h"
#include "nn/weights.h"

void vsm_fuzz_one(const uint8_t *data, size_t size)
{
    struct vsm_weights *weights;
    struct vsm_pickle *pickle;

    if (!vsm_pt_recognise(data, size)) {
        if (vsm_pickle_read("fuzz", data, size, &pickle) == VSM_OK)
            vsm_pickle_destroy(pickle);
        return;
    }
    if (vsm_weights_parse("fuzz", data, size, &weights) == VSM_OK) {
        if (vsm_weights_verify(weights)) {
        }
        vsm_weights_close(weights);
    }
}
