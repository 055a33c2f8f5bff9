#include "stages/track_carry.h"

#include "base/mem.h"
#include "image/preprocess.h"
#include "stages/people_stage.h"
#include "stereo/box_transfer.h"

#include <math.h>
#include <stddef.h>

/* Half the side of the box that stands for a point, parts of the eye. */
#define POINT 1e-4f

struct vsm_track_carry {
    struct vsm_track_carry_options options;
    struct vsm_view views[2];
    struct vsm_box_transfer *transfers[2]; /* from this eye to the other one */
    float *rgb[2];
    float *mask; /* of the last prompt; NULL: none */
};

int vsm_track_carry_create(const struct vsm_track_carry_options *options, struct vsm_track_carry **carry)
{
    struct vsm_track_carry *c = vsm_mem_alloc("prompts", 1, sizeof(*c));
    int status = VSM_OK;

    if (!c)
        return VSM_E_NOMEM;
    c->options = *options;
    vsm_people_stage_views(options->eyes, 2, c->views);
    for (int eye = 0; status == VSM_OK && eye < 2; eye++) {
        struct vsm_disparity_options disparity = {.master = (enum vsm_eye)eye, .baseline = options->baseline};
        const size_t pixels = (size_t)c->views[eye].width * (size_t)c->views[eye].height;

        status = vsm_projection_eye(options->projection, c->views[eye].width, c->views[eye].height,
                                    options->field_of_view, &disparity.eye);
        if (status == VSM_OK)
            status = vsm_box_transfer_create(&disparity, &c->transfers[eye]);
        c->rgb[eye] = vsm_mem_alloc("prompts", 3 * pixels, sizeof(float));
        if (status == VSM_OK && !c->rgb[eye])
            status = VSM_E_NOMEM;
    }
    if (status != VSM_OK) {
        vsm_track_carry_destroy(c);
        return status;
    }
    *carry = c;
    return VSM_OK;
}

void vsm_track_carry_destroy(struct vsm_track_carry *carry)
{
    if (!carry)
        return;
    for (int eye = 0; eye < 2; eye++) {
        vsm_box_transfer_destroy(carry->transfers[eye]);
        vsm_mem_free(carry->rgb[eye]);
    }
    vsm_mem_free(carry->mask);
    vsm_mem_free(carry);
}

/* A shift of one prompt, in parts of the eye. */
struct shift {
    const struct vsm_box_transfer *transfer;
    float parallax, rise;
};

static struct vsm_person_box shift_box(const struct shift *s, const struct vsm_person_box *box)
{
    return vsm_box_transfer_shift(s->transfer, box, s->parallax, s->rise);
}

/* False for a point that leaves the picture. */
static bool shift_point(const struct shift *s, float *x, float *y)
{
    const struct vsm_person_box box = {*x - POINT, *y - POINT, *x + POINT, *y + POINT};
    const struct vsm_person_box to = shift_box(s, &box);

    *x = 0.5f * (to.left + to.right);
    *y = 0.5f * (to.top + to.bottom);
    return to.left > 0 && to.right < 1 && to.top > 0 && to.bottom < 1;
}

static bool carry_box(const struct shift *s, int size, const float from[4], float to[4])
{
    const float scale = (float)size;
    const struct vsm_person_box box = {from[0] / scale, from[1] / scale, from[2] / scale, from[3] / scale};
    const struct vsm_person_box moved = shift_box(s, &box);

    to[0] = moved.left * scale;
    to[1] = moved.top * scale;
    to[2] = moved.right * scale;
    to[3] = moved.bottom * scale;
    return to[2] - to[0] >= 1 && to[3] - to[1] >= 1;
}

/* Drops what leaves the picture; false if no point on the person is left. */
static bool carry_clicks(const struct shift *s, int size, const struct vsm_track_prompt *given,
                         struct vsm_track_prompt *carried)
{
    bool any = false;

    carried->click_count = 0;
    for (int i = 0; i < given->click_count; i++) {
        float x = given->clicks[i].x / (float)size, y = given->clicks[i].y / (float)size;

        if (!shift_point(s, &x, &y))
            continue;
        carried->clicks[carried->click_count++] =
            (struct vsm_sam2_click){x * (float)size, y * (float)size, given->clicks[i].positive};
        any = any || given->clicks[i].positive;
    }
    return any;
}

/* Every row is where its point at `middle` comes from; false if nothing of the mask is left. */
static bool carry_mask(const struct shift *s, const float *from, int side, float middle, float *to)
{
    bool any = false;

    for (int row = 0; row < side; row++) {
        const float here = ((float)row + 0.5f) / (float)side;
        float x = middle, y = here;
        const bool inside = shift_point(s, &x, &y);
        const int across = (int)lroundf((x - middle) * (float)side);
        const int source = (int)floorf((2 * here - y) * (float)side);

        for (int column = 0; inside && source >= 0 && source < side && column < side; column++) {
            const int target = column + across;

            if (from[(ptrdiff_t)source * side + column] <= 0 || target < 0 || target >= side)
                continue;
            to[(ptrdiff_t)row * side + target] = 1;
            any = true;
        }
    }
    return any;
}

static int measure(struct vsm_track_carry *c, const struct vsm_frame *frame, int eye,
                   const struct vsm_person_box *box, struct shift *shift, float *match)
{
    struct vsm_box_transfer_match m = {0};
    int status = VSM_OK;

    for (int i = 0; i < 2 && status == VSM_OK; i++)
        status = vsm_preprocess(frame->source, &c->views[i], c->rgb[i], c->options.pool);
    if (status != VSM_OK)
        return status;
    status = vsm_box_transfer_measure(c->transfers[eye], (const float *const *)c->rgb, box, 1, &m);
    if (status != VSM_OK)
        return status;
    *shift = (struct shift){c->transfers[eye], m.parallax, m.rise};
    *match = m.confidence;
    if (!(m.confidence > 0))
        shift->parallax = vsm_box_transfer_guess(c->transfers[eye], box);
    return VSM_OK;
}

int vsm_track_carry_prompt(struct vsm_track_carry *carry, const struct vsm_frame *frame,
                           const struct vsm_track_prompt *given, const float box[4], int size,
                           struct vsm_track_prompt *carried, bool *there, float *match)
{
    const float scale = (float)size;
    const struct vsm_person_box place = {box[0] / scale, box[1] / scale, box[2] / scale, box[3] / scale};
    const int side = given->mask_side;
    struct shift shift;
    int status = measure(carry, frame, given->eye, &place, &shift, match);

    if (status != VSM_OK)
        return status;
    *carried = *given;
    carried->eye = !given->eye;
    *there = true;
    if (given->has_box)
        *there = carry_box(&shift, size, given->box, carried->box);
    if (given->click_count)
        *there = carry_clicks(&shift, size, given, carried) && *there;
    if (given->mask) {
        vsm_mem_free(carry->mask);
        carry->mask = vsm_mem_alloc("mask", (size_t)side * (size_t)side, sizeof(float));
        if (!carry->mask)
            return VSM_E_NOMEM;
        *there = carry_mask(&shift, given->mask, side, 0.5f * (place.left + place.right), carry->mask);
        carried->mask = carry->mask;
    }
    return VSM_OK;
}
