#include "stereo/box_transfer.h"

#include "base/mem.h"
#include "base/scratch.h"

#include <math.h>
#include <string.h>

#define BODY_WIDTH                                                                                           \
    0.30f /* half of it, in widths of the box: legs and arms leave the rest to the background */
#define BODY_TOP    0.04f /* in heights of the box */
#define BODY_BOTTOM 0.90f
#define MOST_CELLS  (VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS)
#define FEW_CELLS   3.0f   /* confidence adds up to this before a match counts fully */
#define SPREAD      0.004f /* radians between quartiles of a body; more is doubtful */

struct vsm_box_transfer {
    struct vsm_disparity *disparity;
    struct vsm_disparity_options options;
    struct vsm_disparity_map map;
    int width, height;
    float *body; /* 1 where a box has its body; while measuring */
    struct {
        float value, weight;
    } sorted[MOST_CELLS];
};

int vsm_box_transfer_create(const struct vsm_disparity_options *options, struct vsm_box_transfer **transfer)
{
    struct vsm_box_transfer *t = vsm_mem_alloc("box transfer", 1, sizeof(*t));
    int status;

    if (!t)
        return VSM_E_NOMEM;
    t->options = *options;
    t->options.lent = true;
    status = vsm_disparity_create(&t->options, &t->disparity);
    if (status == VSM_OK)
        vsm_disparity_grid(t->disparity, &t->width, &t->height);
    if (status != VSM_OK) {
        vsm_box_transfer_destroy(t);
        return status;
    }
    *transfer = t;
    return VSM_OK;
}

void vsm_box_transfer_destroy(struct vsm_box_transfer *transfer)
{
    if (!transfer)
        return;
    vsm_disparity_destroy(transfer->disparity);
    vsm_mem_free(transfer);
}

static bool in_body(const struct vsm_person_box *box, float x, float y)
{
    const float across = (x - 0.5f * (box->left + box->right)) / (box->right - box->left);
    const float down = (y - box->top) / (box->bottom - box->top);

    return fabsf(across) < BODY_WIDTH && down > BODY_TOP && down < BODY_BOTTOM;
}

/* The box whose body a place belongs to, or -1. */
static int owner_of(const struct vsm_person_box *boxes, int count, float x, float y)
{
    float nearest = 1.0f;
    int owner = -1;

    for (int i = 0; i < count; i++) {
        const struct vsm_person_box *b = &boxes[i];
        const float away = fabsf(x - 0.5f * (b->left + b->right)) / (b->right - b->left);

        if (in_body(b, x, y) && away < nearest) {
            nearest = away;
            owner = i;
        }
    }
    return owner;
}

static void mark(struct vsm_box_transfer *t, const struct vsm_person_box *box)
{
    const float width = (float)t->width, height = (float)t->height;
    const int x0 = (int)fmaxf(box->left * width, 0.0f), x1 = (int)fminf(box->right * width, width);
    const int y0 = (int)fmaxf(box->top * height, 0.0f), y1 = (int)fminf(box->bottom * height, height);

    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            if (in_body(box, ((float)x + 0.5f) / width, ((float)y + 0.5f) / height))
                t->body[(size_t)y * (size_t)t->width + (size_t)x] = 1.0f;
        }
    }
}

/* The value below which `share` of the weight lies. */
static float quantile(const struct vsm_box_transfer *t, int count, float total, float share)
{
    float below = 0.0f;

    for (int i = 0; i < count; i++) {
        below += t->sorted[i].weight;
        if (below >= share * total)
            return t->sorted[i].value;
    }
    return count > 0 ? t->sorted[count - 1].value : 0.0f;
}

static void insert(struct vsm_box_transfer *t, int *count, float value, float weight)
{
    int at = (*count)++;

    for (; at > 0 && t->sorted[at - 1].value > value; at--)
        t->sorted[at] = t->sorted[at - 1];
    t->sorted[at].value = value;
    t->sorted[at].weight = weight;
}

/* Collects parallax (or, with `rise`, the rest of the vertical shift) of one box's cells; the sum of
 * weights. */
static float collect(struct vsm_box_transfer *t, const struct vsm_person_box *boxes, int boxes_count,
                     int which, bool rise, int *count)
{
    float total = 0.0f;

    *count = 0;
    for (int i = 0; i < t->map.columns * t->map.rows; i++) {
        const struct vsm_disparity_cell *c = &t->map.cells[i];
        const float x = ((float)(i % t->map.columns) + 0.5f) * (float)t->map.side / (float)t->width;
        const float y = ((float)(i / t->map.columns) + 0.5f) * (float)t->map.side / (float)t->height;

        if (c->confidence <= 0.0f || owner_of(boxes, boxes_count, x, y) != which)
            continue;
        insert(t, count, rise ? c->residual / (float)t->height : c->parallax, c->confidence);
        total += c->confidence;
    }
    return total;
}

static struct vsm_box_transfer_match match(struct vsm_box_transfer *t, const struct vsm_person_box *boxes,
                                           int count, int which)
{
    struct vsm_box_transfer_match m = {0};
    int values;
    float total = collect(t, boxes, count, which, false, &values), spread;

    if (total <= 0.0f)
        return m;
    m.parallax = quantile(t, values, total, 0.5f);
    spread = quantile(t, values, total, 0.75f) - quantile(t, values, total, 0.25f);
    m.confidence = fminf(total / FEW_CELLS, 1.0f) * (spread > SPREAD ? SPREAD / spread : 1.0f);
    total = collect(t, boxes, count, which, true, &values);
    m.rise = quantile(t, values, total, 0.5f);
    return m;
}

static void measure(struct vsm_box_transfer *t, const float *const rgb[2], const struct vsm_person_box *boxes,
                    int count, float *memory)
{
    const size_t pixels = (size_t)t->width * (size_t)t->height;
    const int m = t->options.master == VSM_RIGHT;
    float *ones = memory + pixels;
    const struct vsm_disparity_picture master = {rgb[m], memory}, slave = {rgb[!m], ones};
    const struct vsm_disparity_search search = {.both_ways = true};

    t->body = memory;
    memset(t->body, 0, pixels * sizeof(float));
    for (size_t i = 0; i < pixels; i++)
        ones[i] = 1.0f;
    for (int i = 0; i < count; i++)
        mark(t, &boxes[i]);
    vsm_disparity_lend(t->disparity, memory + 2 * pixels);
    vsm_disparity_measure(t->disparity, &master, &slave, &search, &t->map);
}

int vsm_box_transfer_measure(struct vsm_box_transfer *transfer, const float *const rgb[2],
                             const struct vsm_person_box *boxes, int count,
                             struct vsm_box_transfer_match *matches)
{
    const size_t planes = 2 * (size_t)transfer->width * (size_t)transfer->height * sizeof(float);
    float *memory;

    if (count == 0)
        return VSM_OK;
    vsm_scratch_begin();
    memory = vsm_scratch_alloc("box transfer", planes + vsm_disparity_bytes(transfer->disparity), 1);
    if (memory)
        measure(transfer, rgb, boxes, count, memory);
    vsm_scratch_free(memory);
    vsm_scratch_end();
    for (int i = 0; memory && i < count; i++)
        matches[i] = match(transfer, boxes, count, i);
    return memory ? VSM_OK : VSM_E_NOMEM;
}

/* Where the slave sees a point of the master, parts of the eye; the point itself if it sees it nowhere. */
static void shift_point(const struct vsm_box_transfer *t, float parallax, float *x, float *y)
{
    const struct vsm_projection_eye *eye = &t->options.eye;
    double direction[3], u, v;

    if (!vsm_projection_to_direction(eye, *x * eye->width, *y * eye->height, direction))
        return;
    direction[0] -= t->options.master == VSM_LEFT ? (double)parallax : -(double)parallax;
    if (!vsm_projection_to_pixel(eye, direction, &u, &v))
        return;
    *x = (float)(u / eye->width);
    *y = (float)(v / eye->height);
}

static float clamp_unit(float v)
{
    return v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v;
}

struct vsm_person_box vsm_box_transfer_shift(const struct vsm_box_transfer *transfer,
                                             const struct vsm_person_box *box, float parallax, float rise)
{
    const float x = 0.5f * (box->left + box->right), y = 0.5f * (box->top + box->bottom);
    struct vsm_person_box moved = *box;
    float left_y = y, right_y = y, top_x = x, bottom_x = x;

    shift_point(transfer, parallax, &moved.left, &left_y);
    shift_point(transfer, parallax, &moved.right, &right_y);
    shift_point(transfer, parallax, &top_x, &moved.top);
    shift_point(transfer, parallax, &bottom_x, &moved.bottom);
    /* The border of the master's picture is not the person's: beyond it the slave may see more of them. */
    if (box->left <= 0.0f)
        moved.left = fminf(moved.left, 0.0f);
    if (box->right >= 1.0f)
        moved.right = fmaxf(moved.right, 1.0f);
    if (box->bottom >= 1.0f)
        moved.bottom = 1.0f;
    moved.left = clamp_unit(moved.left);
    moved.right = fmaxf(clamp_unit(moved.right), moved.left);
    moved.top = clamp_unit(moved.top + rise);
    moved.bottom = fmaxf(clamp_unit(moved.bottom + rise), moved.top);
    return moved;
}

float vsm_box_transfer_guess(const struct vsm_box_transfer *transfer, const struct vsm_person_box *box)
{
    const struct vsm_projection_eye *eye = &transfer->options.eye;
    const double across = 0.5 * (double)(box->left + box->right) * eye->width;
    double top[3], bottom[3], cosine, distance;

    if (!vsm_projection_to_direction(eye, across, (double)box->top * eye->height, top) ||
        !vsm_projection_to_direction(eye, across, (double)box->bottom * eye->height, bottom))
        return 0.0f;
    cosine = top[0] * bottom[0] + top[1] * bottom[1] + top[2] * bottom[2];
    distance = 0.5 * VSM_BOX_TRANSFER_HEIGHT / fmax(tan(0.5 * acos(fmin(fmax(cosine, -1.0), 1.0))), 1e-3);
    return (float)(transfer->options.baseline / fmax(distance, VSM_DISPARITY_NEAR));
}
