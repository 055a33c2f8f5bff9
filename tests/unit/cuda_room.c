/* Who is asked for memory of a CUDA device, and what is known after there was none. Needs no device: where
 * there is none, memory fails after the fault points. */
#include "image/cuda_room.h"

#include "base/fault.h"
#include "frame/tensor.h"
#include "image/view_fade_cuda.h"
#include "tap.h"

#include <errno.h>

#ifdef VSM_FAULT_POINTS
static int count_and_refuse(void *self)
{
    ++*(int *)self;
    return VSM_E_NOMEM;
}

static void test_only_for_the_device_is_asked(void)
{
    struct vsm_relief *relief = NULL;
    void *memory = NULL;
    int asked = 0;

    CHECK_INT(vsm_relief_create(count_and_refuse, &asked, &relief), VSM_OK);
    vsm_fault_arm("gpu.memory", 1, ENOMEM, 1);
    CHECK_INT(vsm_cuda_room_make("picture", VSM_PLACE_CUDA, 64, relief, &memory), VSM_E_NOMEM);
    CHECK_INT(asked, 1);
    vsm_fault_arm("gpu.locked", 1, ENOMEM, 1);
    CHECK_INT(vsm_cuda_room_make("picture", VSM_PLACE_HOST, 64, relief, &memory), VSM_E_NOMEM);
    CHECK_INT(asked, 1);
    CHECK_HAS(vsm_error_message(), "picture: 64 bytes of page-locked memory");
    CHECK_HAS(vsm_error_message(), "streaming.buffer_frames");
    CHECK(memory == NULL);
    vsm_fault_arm(NULL, 0, 0, 0);
    vsm_relief_destroy(relief);
}

static void test_a_block_without_memory_is_empty(void)
{
    const char bytes[8] = "1234567";
    struct vsm_cuda_block block = {NULL, 0};

    for (int i = 0; i < 2; i++) {
        vsm_fault_arm("gpu.memory", 1, ENOMEM, 0);
        CHECK_INT(vsm_cuda_block_fill(&block, "table", bytes, sizeof(bytes), NULL, NULL), VSM_E_NOMEM);
        CHECK_INT((intmax_t)vsm_fault_hits(), 1);
        CHECK(block.memory == NULL && block.bytes == 0);
    }
    vsm_fault_arm(NULL, 0, 0, 0);
}

/* The table from view to view is not taken for made because it was begun once. */
static void test_a_table_without_memory_is_made_again(void)
{
    struct vsm_tensor *maps = vsm_tensor_create(VSM_F32, 4, (const int64_t[]){1, 8, 16, 16});
    struct vsm_view_fade_cuda *fade = vsm_view_fade_cuda_create();
    const struct vsm_matte matte = {.view = {.source = {0, 0, 32, 32}, .width = 16, .height = 16},
                                    .coefficients = maps};

    for (int i = 0; i < 2; i++) {
        vsm_fault_arm("gpu.memory", 1, ENOMEM, 0);
        CHECK_INT(vsm_view_fade_cuda_run(fade, 0, &matte, 0.5f, &matte, 1, NULL), VSM_E_NOMEM);
        CHECK_INT((intmax_t)vsm_fault_hits(), 1);
    }
    vsm_fault_arm(NULL, 0, 0, 0);
    vsm_view_fade_cuda_destroy(fade);
    vsm_tensor_unref(&maps);
}
#else
static void test_without_fault_points(void)
{
    tap_skip("built without fault points");
}
#endif

int main(void)
{
#ifdef VSM_FAULT_POINTS
    RUN(test_only_for_the_device_is_asked);
    RUN(test_a_block_without_memory_is_empty);
    RUN(test_a_table_without_memory_is_made_again);
#else
    RUN(test_without_fault_points);
#endif
    return tap_done();
}
