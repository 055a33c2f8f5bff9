#include "frame/frame.h"
#include "tap.h"

static const struct vsm_format yuv420p10 = {.planes = VSM_PLANES_YUV,
                                            .depth = 10,
                                            .chroma_x = 1,
                                            .chroma_y = 1};

static void test_format_sizes(void)
{
    const struct vsm_format nv12 = {.planes = VSM_PLANES_NV, .depth = 8, .chroma_x = 1, .chroma_y = 1};

    CHECK_INT(vsm_format_bytes(yuv420p10, 5, 3), 2 * (5 * 3 + 2 * 3 * 2));
    CHECK_INT(vsm_format_plane_width(nv12, 1, 5), 6);
    CHECK_INT(vsm_format_bytes(nv12, 4, 4), 24);
}

static void test_pool_recycles_and_outlives(void)
{
    struct vsm_image_pool *pool = vsm_image_pool_create(yuv420p10, 64, 32, (struct vsm_colour){0});
    struct vsm_image *a = vsm_image_pool_get(pool), *b = vsm_image_pool_get(pool);
    uint8_t *pixels = a->data[0];

    CHECK(a->data[0] != b->data[0]);
    vsm_image_unref(&a);
    a = vsm_image_pool_get(pool);
    CHECK(a->data[0] == pixels);
    vsm_image_pool_destroy(pool);
    memset(b->data[0], 1, (size_t)b->stride[0]);
    vsm_image_unref(&a);
    vsm_image_unref(&b);
}

static void test_tensor_shapes(void)
{
    struct vsm_tensor *t = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){2, 3, 4});

    CHECK_INT(vsm_tensor_bytes(t), 96);
    vsm_tensor_unref(&t);
    CHECK(!vsm_tensor_create(VSM_F32, 2, (const int64_t[]){INT64_MAX, 3}));
    CHECK(!vsm_tensor_create(VSM_F32, 1, (const int64_t[]){-1}));
}

static void test_frame_bytes(void)
{
    struct vsm_frame *f = vsm_frame_create();

    f->source = vsm_image_create(yuv420p10, 16, 16, (struct vsm_colour){0});
    f->outputs[1] = vsm_image_ref(f->source);
    CHECK_INT(vsm_frame_bytes(f), sizeof(*f) + 2 * 768);
    vsm_frame_destroy(&f);
    CHECK(!f);
}

static void test_boxes_overlap(void)
{
    const struct vsm_person_box a = {0.0f, 0.0f, 0.5f, 0.5f}, shifted = {0.25f, 0.0f, 0.75f, 0.5f},
                                beside = {0.5f, 0.0f, 1.0f, 0.5f}, empty = {0.25f, 0.25f, 0.25f, 0.25f};

    CHECK_NEAR(vsm_person_box_overlap(&a, &a), 1, 0);
    CHECK_NEAR(vsm_person_box_overlap(&a, &shifted), 1.0 / 3, 1e-6);
    CHECK_NEAR(vsm_person_box_overlap(&a, &beside), 0, 0);
    CHECK_NEAR(vsm_person_box_overlap(&a, &empty), 0, 0);
    CHECK_NEAR(vsm_person_box_overlap(&empty, &empty), 0, 0);
    CHECK(vsm_person_box_holds(&a, 0.5, 0.25));
    CHECK(!vsm_person_box_holds(&a, 0.51, 0.25));
}

int main(void)
{
    RUN(test_format_sizes);
    RUN(test_pool_recycles_and_outlives);
    RUN(test_tensor_shapes);
    RUN(test_frame_bytes);
    RUN(test_boxes_overlap);
    return tap_done();
}
