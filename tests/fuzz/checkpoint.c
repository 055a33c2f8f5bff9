/* Checkpoint files, as they are and with their checksums put right, so that mutations reach what lies behind
 * those. Whatever is accepted must encode to the same bytes. */
#include "checkpoint/checkpoint.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "checkpoint_checksums.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static int append(void *opaque, const void *data, size_t size)
{
    struct vsm_bytes_out *w = opaque;

    vsm_bytes_put(w, data, size);
    return w->failed ? VSM_E_NOMEM : VSM_OK;
}

static void decode(const uint8_t *data, size_t size)
{
    struct vsm_checkpoint checkpoint;
    struct vsm_bytes_out again = {0};

    if (vsm_checkpoint_decode("fuzz", data, size, &checkpoint) != VSM_OK)
        return;
    if (vsm_checkpoint_encode(&checkpoint, append, &again) != VSM_OK || again.size != size ||
        memcmp(again.data, data, size) != 0)
        abort();
    vsm_bytes_out_finish(&again);
    vsm_checkpoint_clear(&checkpoint);
}

void vsm_fuzz_one(const uint8_t *data, size_t size)
{
    uint8_t *copy = vsm_mem_alloc_raw("fuzz", size, 1);

    decode(data, size);
    if (copy && size > 0) {
        memcpy(copy, data, size);
        fix_checksums(copy, size);
        decode(copy, size);
    }
    vsm_mem_free(copy);
}
