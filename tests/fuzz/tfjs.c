/* Input: the JSON document, a zero byte, and the bytes that every shard has. */
#include "nn/tfjs.h"
#include "base/mem.h"
#include "fuzz.h"

#include <string.h>

struct rest {
    const uint8_t *data;
    size_t size;
};

static int load_rest(void *opaque, const char *shard, void **data, size_t *size)
{
    const struct rest *rest = opaque;

    (void)shard;
    *size = rest->size;
    *data = vsm_mem_copy("shard", rest->data, rest->size);
    return *data ? VSM_OK : VSM_E_NOMEM;
}

void vsm_fuzz_one(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    const size_t json = zero ? (size_t)(zero - data) : size;
    struct rest rest = {zero ? zero + 1 : data, zero ? size - json - 1 : 0};
    struct vsm_tfjs *model;

    if (vsm_tfjs_parse("fuzz", data, json, load_rest, &rest, &model))
        return;
    for (size_t i = 0; i < vsm_tfjs_count(model); i++) {
        int status;
        struct vsm_tensor *tensor = vsm_tfjs_tensor(model, vsm_tfjs_name(model, i), &status);

        vsm_tensor_unref(&tensor);
    }
    vsm_tfjs_close(model);
}
