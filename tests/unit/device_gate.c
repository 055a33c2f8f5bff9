/* The gate for maps on a device: whom it keeps, and that it is the one of the CPU's way. */
#include "stages/device_gate.h"

#include "image/coefficients.h"
#include "people/gate.h"
#include "stages/select_stage.h"
#include "tap.h"

#include <string.h>

#define SIDE   128
#define CELLS  (SIDE * SIDE)
#define MIDDLE (64 * SIDE + 64)

static const struct vsm_person_box whole = {0.3f, 0.3f, 0.7f, 0.7f}, left_half = {0.3f, 0.3f, 0.5f, 0.7f},
                                   right_half = {0.5f, 0.3f, 0.7f, 0.7f};
static float open[VSM_MAX_VIEWS * CELLS];

/* A frame whose mattes, of a grey of 1/2, have one body in the middle of either eye. */
static struct vsm_frame *make_frame(int width, int height)
{
    struct vsm_frame *frame = vsm_frame_create();

    frame->view_count = 2;
    frame->people.known = true;
    frame->alpha = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){2, height, width});
    for (int eye = 0; eye < 2; eye++)
        frame->mattes[eye].view = (struct vsm_view){.eye = (enum vsm_eye)eye,
                                                    .source = {eye * 256, 0, 256, 256},
                                                    .width = width,
                                                    .height = height};
    for (int i = 0; i < 2 * width * height; i++) {
        const int x = i % width * SIDE / width, y = i / width % height * SIDE / height;

        vsm_tensor_f32(frame->alpha)[i] = x >= 44 && x < 84 && y >= 40 && y < 88;
    }
    return frame;
}

static void add_person(struct vsm_frame *frame, const struct vsm_person_box *box, bool chosen)
{
    frame->people.person[frame->people.count++] =
        (struct vsm_person){.id = frame->people.count + 1, .box = {*box, *box}, .chosen = chosen};
}

static void test_others_are_left_out(void)
{
    struct vsm_device_gate *gate = NULL;

    CHECK_INT(vsm_device_gate_create(NULL, &gate), VSM_OK);
    for (int chosen = 0; chosen < 2; chosen++) {
        struct vsm_frame *frame = make_frame(SIDE, SIDE);

        add_person(frame, &whole, chosen);
        CHECK_INT(vsm_device_gate_make(gate, frame, false, open), VSM_OK);
        for (int eye = 0; eye < 2; eye++) {
            CHECK_NEAR(open[eye * CELLS + MIDDLE], chosen, 1e-6);
            CHECK_NEAR(open[eye * CELLS + 5], 0, 1e-6);
        }
        vsm_frame_destroy(&frame);
    }
    vsm_device_gate_destroy(gate);
}

/* Views that fade, on another grid, show a body that is not wanted where the others show nobody. */
static void test_fading_views_have_their_own(void)
{
    struct vsm_frame *frame = make_frame(SIDE, SIDE), *old = make_frame(SIDE / 2, SIDE);
    struct vsm_device_gate *gate = NULL;

    memset(vsm_tensor_f32(frame->alpha), 0, vsm_tensor_bytes(frame->alpha));
    frame->fading_count = 2;
    memcpy(frame->fading, old->mattes, sizeof(frame->fading));
    frame->fading_alpha = vsm_tensor_ref(old->alpha);
    CHECK_INT(vsm_device_gate_create(NULL, &gate), VSM_OK);
    for (int chosen = 0; chosen < 2; chosen++) {
        frame->people.count = 0;
        add_person(frame, &whole, chosen);
        CHECK_INT(vsm_device_gate_make(gate, frame, false, open), VSM_OK);
        CHECK_INT(vsm_device_gate_make(gate, frame, true, open), VSM_OK);
        for (int eye = 0; eye < 2; eye++) {
            CHECK_NEAR(open[eye * CELLS / 2 + MIDDLE / 2], chosen, 1e-6);
            CHECK_NEAR(open[eye * CELLS / 2 + 2], 0, 1e-6);
        }
    }
    vsm_device_gate_destroy(gate);
    vsm_frame_destroy(&old);
    vsm_frame_destroy(&frame);
}

/* Somebody out of sight holds half of the body against the chosen one, in both eyes. */
static void test_rivals_are_left_out(void)
{
    struct vsm_device_gate *gate = NULL;

    CHECK_INT(vsm_device_gate_create(NULL, &gate), VSM_OK);
    for (int rivals = 0; rivals < 2; rivals++) {
        struct vsm_frame *frame = make_frame(SIDE, SIDE);

        add_person(frame, &left_half, true);
        frame->people.rival_count = rivals;
        frame->people.rival[0] = (struct vsm_person){.id = 2, .box = {right_half, right_half}};
        CHECK_INT(vsm_device_gate_make(gate, frame, false, open), VSM_OK);
        for (int eye = 0; eye < 2; eye++) {
            CHECK_NEAR(open[eye * CELLS + 64 * SIDE + 50], 1, 1e-6);
            CHECK_NEAR(open[eye * CELLS + 64 * SIDE + 74], !rivals, 1e-6);
        }
        vsm_frame_destroy(&frame);
    }
    vsm_device_gate_destroy(gate);
}

/* Maps of the frame's alpha, the same at every colour, and a grey source to go with them. */
static void add_maps(struct vsm_frame *frame, int width, int height)
{
    const struct vsm_format format = {VSM_PLANES_YUV, 8, 0, 1, 1};
    const size_t cells = (size_t)width * (size_t)height;

    frame->source = vsm_image_create(format, 512, 256, (struct vsm_colour){1, 1, 1, true, 0});
    for (int p = 0; p < 3; p++)
        memset(frame->source->data[p], 128, (size_t)frame->source->stride[p] * (p ? 128 : 256));
    for (int eye = 0; eye < 2; eye++) {
        struct vsm_tensor *maps =
            vsm_tensor_create(VSM_F32, 3, (const int64_t[]){VSM_COEFFICIENT_MAPS, height, width});

        memcpy(vsm_tensor_f32(maps) + VSM_COEFFICIENT_ALPHA_B * cells,
               vsm_frame_alpha_plane(frame->alpha, eye), cells * sizeof(float));
        frame->mattes[eye].coefficients = maps;
    }
}

/* Also on grids that change from frame to frame. */
static void test_as_on_the_cpu(void)
{
    struct vsm_parallel *pool = vsm_parallel_create(2);
    struct vsm_device_gate *gate = NULL;
    struct vsm_select_stage *select = NULL;
    struct vsm_stage stage;

    CHECK_INT(vsm_device_gate_create(pool, &gate), VSM_OK);
    CHECK_INT(vsm_select_stage_create(NULL, &select), VSM_OK);
    stage = vsm_select_stage_describe(select);
    for (int k = 0; k < 3; k++) {
        const int width = k == 1 ? 96 : SIDE, height = k == 1 ? 80 : SIDE, cells = width * height;
        struct vsm_frame *frame = make_frame(width, height);
        int wrong = 0, closed = 0;

        add_person(frame, &left_half, true);
        add_person(frame, &right_half, false);
        add_maps(frame, width, height);
        CHECK_INT(vsm_device_gate_make(gate, frame, false, open), VSM_OK);
        CHECK_INT(stage.run(stage.self, frame), VSM_OK);
        for (int i = 0; i < 2 * cells; i++) {
            const float *maps = vsm_tensor_f32(frame->mattes[i / cells].coefficients);
            const float alpha = vsm_tensor_f32(frame->alpha)[i];

            closed += alpha > 0.0f && open[i] < 0.5f;
            wrong += maps[VSM_COEFFICIENT_ALPHA_B * cells + i % cells] != alpha * open[i];
        }
        CHECK(closed > cells / 16);
        CHECK_INT(wrong, 0);
        vsm_frame_destroy(&frame);
    }
    vsm_select_stage_destroy(select);
    vsm_device_gate_destroy(gate);
    vsm_parallel_destroy(pool);
}

static void test_impossible_grids_are_refused(void)
{
    struct vsm_device_gate *gate = NULL;
    struct vsm_frame *frame = make_frame(8, 8);

    CHECK_INT(vsm_device_gate_create(NULL, &gate), VSM_OK);
    CHECK_INT(vsm_device_gate_make(gate, frame, false, open), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "gate");
    vsm_frame_destroy(&frame);
    vsm_device_gate_destroy(gate);
}

int main(void)
{
    RUN(test_others_are_left_out);
    RUN(test_fading_views_have_their_own);
    RUN(test_rivals_are_left_out);
    RUN(test_as_on_the_cpu);
    RUN(test_impossible_grids_are_refused);
    return tap_done();
}
