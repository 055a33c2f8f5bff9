#include "people/gate.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define FINEST   256    /* the long side of the grid that is worked on is below twice this */
#define MATTE    0.10f  /* alpha from which a cell is part of somebody */
#define BODY     0.50f  /* alpha of a cell that growth may begin at */
#define GROWN    0.15f  /* of a box's sides: what belongs to it although nothing joins it to the body */
#define MIDDLE   0.30f  /* of a box's width to either side: where its body is, before or behind others */
#define NEARNESS 0.10f  /* of the long side: how far the gate reaches beyond a matte */
#define SOFT     0.010f /* of the long side: half the step between two people */
#define NOBODY   (-1)

#define BOX_STEPS 8 /* points along a box's side that are mapped to a view */

struct vsm_gate {
    int width, height, step; /* cells of the view; those along one cell of the work */
    int columns, rows;
    float *alpha, *open; /* of the work */
    int8_t *owner;
    int32_t *queue;
    int16_t *distance;
};

/* false: the view sees nothing of it. */
static bool box_of(const struct vsm_view_map *map, int width, int height, const struct vsm_person *person,
                   enum vsm_eye eye, struct vsm_gate_box *box)
{
    const struct vsm_person_box *from = &person->box[eye];
    bool any = false;

    *box = (struct vsm_gate_box){.left = INFINITY,
                                 .top = INFINITY,
                                 .right = -INFINITY,
                                 .bottom = -INFINITY,
                                 .parallax = person->parallax,
                                 .chosen = person->chosen};
    for (int i = 0; i <= BOX_STEPS; i++) {
        for (int k = 0; k <= BOX_STEPS; k++) {
            const double u = (double)from->left + (double)(from->right - from->left) * i / BOX_STEPS;
            const double v = (double)from->top + (double)(from->bottom - from->top) * k / BOX_STEPS;
            double x, y;

            if (!vsm_view_map_eye_to_grid(map, u * width, v * height, &x, &y))
                continue;
            any = true;
            box->left = fminf(box->left, (float)x);
            box->right = fmaxf(box->right, (float)x);
            box->top = fminf(box->top, (float)y);
            box->bottom = fmaxf(box->bottom, (float)y);
        }
    }
    return any && box->right > 0.0f && box->bottom > 0.0f && box->left < (float)map->width &&
           box->top < (float)map->height;
}

int vsm_gate_boxes_of(const struct vsm_view_map *map, int width, int height, const struct vsm_people *people,
                      enum vsm_eye eye, struct vsm_gate_box boxes[VSM_GATE_BOXES])
{
    int count = 0;

    for (int i = 0; i < people->count; i++)
        count += box_of(map, width, height, &people->person[i], eye, &boxes[count]);
    for (int i = 0; i < people->rival_count; i++) {
        if (box_of(map, width, height, &people->rival[i], eye, &boxes[count]))
            boxes[count++].rival = true;
    }
    return count;
}

int vsm_gate_create(int width, int height, struct vsm_gate **gate)
{
    struct vsm_gate *g;
    const int longest = width > height ? width : height;
    size_t cells;

    if (width < 16 || height < 16)
        return vsm_fail(VSM_E_INTERNAL, "gate: grid of %dx%d; both sides must be at least 16", width, height);
    g = vsm_mem_alloc("gate", 1, sizeof(*g));
    if (!g)
        return VSM_E_NOMEM;
    g->width = width;
    g->height = height;
    g->step = longest / FINEST > 1 ? longest / FINEST : 1;
    g->columns = (width + g->step - 1) / g->step;
    g->rows = (height + g->step - 1) / g->step;
    cells = (size_t)g->columns * (size_t)g->rows;
    g->alpha = vsm_mem_alloc("gate", cells, sizeof(float));
    g->open = vsm_mem_alloc("gate", 2 * cells, sizeof(float));
    g->owner = vsm_mem_alloc("gate", cells, sizeof(*g->owner));
    g->queue = vsm_mem_alloc("gate", cells, sizeof(*g->queue));
    g->distance = vsm_mem_alloc("gate", cells, sizeof(*g->distance));
    if (!g->alpha || !g->open || !g->owner || !g->queue || !g->distance) {
        vsm_gate_destroy(g);
        return VSM_E_NOMEM;
    }
    *gate = g;
    return VSM_OK;
}

void vsm_gate_destroy(struct vsm_gate *gate)
{
    if (!gate)
        return;
    vsm_mem_free(gate->alpha);
    vsm_mem_free(gate->open);
    vsm_mem_free(gate->owner);
    vsm_mem_free(gate->queue);
    vsm_mem_free(gate->distance);
    vsm_mem_free(gate);
}

/* The largest alpha in each cell: a thin arm must not be torn from its body. */
static void shrink(struct vsm_gate *g, const float *alpha)
{
    memset(g->alpha, 0, (size_t)g->columns * (size_t)g->rows * sizeof(float));
    for (int y = 0; y < g->height; y++) {
        const float *from = alpha + (size_t)y * (size_t)g->width;
        float *to = g->alpha + (size_t)(y / g->step) * (size_t)g->columns;

        for (int x = 0; x < g->width; x++)
            to[x / g->step] = fmaxf(to[x / g->step], from[x]);
    }
}

static bool holds(const struct vsm_gate_box *b, float x, float y, float grown)
{
    const float w = grown * (b->right - b->left), h = grown * (b->bottom - b->top);

    return x >= b->left - w && x <= b->right + w && y >= b->top - h && y <= b->bottom + h;
}

static float from_middle(const struct vsm_gate_box *b, float x)
{
    return fabsf(x - 0.5f * (b->left + b->right)) / fmaxf(b->right - b->left, 1.0f);
}

/* Whose body is at a place of the matte; NOBODY where it cannot be told at once. */
static int body_at(const struct vsm_gate_box *boxes, int count, float x, float y)
{
    int inside = 0, only = NOBODY, front = NOBODY;
    bool seen = false;

    for (int i = 0; i < count; i++) {
        const struct vsm_gate_box *b = &boxes[i];

        if (!holds(b, x, y, 0.0f))
            continue;
        inside++;
        if (b->rival && seen)
            continue;
        seen = !b->rival;
        only = i;
        if (from_middle(b, x) < MIDDLE && (front < 0 || b->parallax > boxes[front].parallax))
            front = i;
    }
    return inside == 1 ? only : front;
}

/* The grown box that a place lies in, the one whose middle is nearest. */
static int box_round(const struct vsm_gate_box *boxes, int count, float x, float y)
{
    int best = NOBODY;

    for (int i = 0; i < count; i++) {
        if (!holds(&boxes[i], x, y, GROWN) || (boxes[i].rival && best >= 0 && !boxes[best].rival))
            continue;
        if (best < 0 || from_middle(&boxes[i], x) < from_middle(&boxes[best], x))
            best = i;
    }
    return best;
}

/* From the `filled` cells in the queue on, breadth first, through cells of at least `least` alpha, at most
 * `reach` steps; the number of cells in the queue then. */
static int grow(struct vsm_gate *g, int filled, float least, int reach)
{
    static const int around[8][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};

    for (int at = 0; at < filled; at++) {
        const int cell = g->queue[at], x = cell % g->columns, y = cell / g->columns;

        if (g->distance[cell] >= reach)
            continue;
        for (int k = 0; k < 8; k++) {
            const int nx = x + around[k][0], ny = y + around[k][1], next = ny * g->columns + nx;

            if (nx < 0 || ny < 0 || nx >= g->columns || ny >= g->rows || g->owner[next] != NOBODY ||
                g->alpha[next] < least)
                continue;
            g->owner[next] = g->owner[cell];
            g->distance[next] = (int16_t)(g->distance[cell] + 1);
            g->queue[filled++] = next;
        }
    }
    return filled;
}

/* Puts everything that has an owner into the queue, as beginnings. */
static int begin(struct vsm_gate *g)
{
    int filled = 0;

    for (int i = 0; i < g->columns * g->rows; i++) {
        g->distance[i] = 0;
        if (g->owner[i] != NOBODY)
            g->queue[filled++] = i;
    }
    return filled;
}

static void share_out(struct vsm_gate *g, const struct vsm_gate_box *boxes, int count)
{
    const int cells = g->columns * g->rows, longest = g->columns > g->rows ? g->columns : g->rows;

    for (int i = 0; i < cells; i++) {
        const float x = ((float)(i % g->columns) + 0.5f) * (float)g->step;
        const float y = ((float)(i / g->columns) + 0.5f) * (float)g->step;

        g->owner[i] = (int8_t)(g->alpha[i] >= BODY ? body_at(boxes, count, x, y) : NOBODY);
    }
    (void)grow(g, begin(g), MATTE, cells);
    for (int i = 0; i < cells; i++) {
        const float x = ((float)(i % g->columns) + 0.5f) * (float)g->step;
        const float y = ((float)(i / g->columns) + 0.5f) * (float)g->step;

        if (g->owner[i] == NOBODY && g->alpha[i] >= MATTE)
            g->owner[i] = (int8_t)box_round(boxes, count, x, y);
    }
    (void)grow(g, begin(g), 0.0f, (int)(NEARNESS * (float)longest));
}

/* Mean over 2 radius + 1 values along a line; values beyond its ends repeat the last. */
static void blur_line(const float *from, float *to, int count, ptrdiff_t stride, int radius)
{
    float sum = 0.0f;

    for (int i = -radius; i <= radius; i++)
        sum += from[(i < 0 ? 0 : i >= count ? count - 1 : i) * stride];
    for (int i = 0; i < count; i++) {
        const int out = i - radius, in = i + radius + 1;

        to[i * stride] = sum / (float)(2 * radius + 1);
        sum += from[(in >= count ? count - 1 : in) * stride] - from[(out < 0 ? 0 : out) * stride];
    }
}

static void soften(struct vsm_gate *g)
{
    const int longest = g->columns > g->rows ? g->columns : g->rows;
    const int radius = (int)fmaxf(SOFT * (float)longest + 0.5f, 1.0f);
    float *other = g->open + (size_t)g->columns * (size_t)g->rows;

    if (2 * radius >= g->columns || 2 * radius >= g->rows)
        return;
    for (int y = 0; y < g->rows; y++)
        blur_line(g->open + (size_t)y * (size_t)g->columns, other + (size_t)y * (size_t)g->columns,
                  g->columns, 1, radius);
    for (int x = 0; x < g->columns; x++)
        blur_line(other + x, g->open + x, g->rows, g->columns, radius);
}

/* Between the middles of the work's cells. */
static void enlarge(const struct vsm_gate *g, float *open)
{
    for (int y = 0; y < g->height; y++) {
        const float fy = fmaxf(((float)y + 0.5f) / (float)g->step - 0.5f, 0.0f);
        const int y0 = (int)fy, y1 = y0 + 1 < g->rows ? y0 + 1 : y0;
        const float *above = g->open + (size_t)y0 * (size_t)g->columns,
                    *below = g->open + (size_t)y1 * (size_t)g->columns;

        for (int x = 0; x < g->width; x++) {
            const float fx = fmaxf(((float)x + 0.5f) / (float)g->step - 0.5f, 0.0f);
            const int x0 = (int)fx, x1 = x0 + 1 < g->columns ? x0 + 1 : x0;
            const float u = fx - (float)x0, v = fy - (float)y0;
            const float top = above[x0] + u * (above[x1] - above[x0]);
            const float bottom = below[x0] + u * (below[x1] - below[x0]);

            open[(size_t)y * (size_t)g->width + (size_t)x] =
                fminf(fmaxf(top + v * (bottom - top), 0.0f), 1.0f);
        }
    }
}

void vsm_gate_make(struct vsm_gate *gate, const float *alpha, const struct vsm_gate_box *boxes, int count,
                   float *open)
{
    shrink(gate, alpha);
    if (count > VSM_GATE_BOXES)
        count = VSM_GATE_BOXES;
    share_out(gate, boxes, count);
    for (int i = 0; i < gate->columns * gate->rows; i++)
        gate->open[i] = gate->owner[i] != NOBODY && boxes[gate->owner[i]].chosen ? 1.0f : 0.0f;
    soften(gate);
    enlarge(gate, open);
}
