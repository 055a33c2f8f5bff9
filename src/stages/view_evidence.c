#include "stages/view_evidence.h"

#include "geometry/view_map.h"

#include <math.h>
#include <string.h>

#define SIDE   64 /* of the coarse grid; 2.8 degrees of half-equirect a cell */
#define STEP   4  /* of a view's cells, one of so many in both directions is looked at, at most */
#define OPAQUE 0.5f

/* Overlap of a patch's boxes from frame to frame, intersection by union, from which on it stays in its
 * place. */
#define STEADY 0.5f

struct patch {
    int count; /* cells */
    int low[2], high[2];
};

/* Marks where the matte is opaque, on the grid of its eye. */
static int mark(const struct vsm_view *view, const float *alpha, uint8_t marks[SIDE][SIDE])
{
    const int fine = view->width / (2 * SIDE), step = fine < 1 ? 1 : fine < STEP ? fine : STEP;
    struct vsm_view_map map;
    int status = vsm_view_map_init(&map, view);

    for (int y = step / 2; y < view->height && status == VSM_OK; y += step) {
        for (int x = step / 2; x < view->width; x += step) {
            double u, v;

            if (!(alpha[(ptrdiff_t)y * view->width + x] > OPAQUE) ||
                !vsm_view_map_grid_to_eye(&map, x + 0.5, y + 0.5, &u, &v))
                continue;
            u *= (double)SIDE / view->source.width;
            v *= (double)SIDE / view->source.height;
            if (u >= 0.0 && v >= 0.0 && u < SIDE && v < SIDE)
                marks[(int)v][(int)u] = 1;
        }
    }
    return status;
}

/* The patch round a marked cell, which is unmarked. */
static struct patch take(uint8_t marks[SIDE][SIDE], int x, int y)
{
    static const int beside[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
    struct patch patch = {0, {x, y}, {x + 1, y + 1}};
    int stack[SIDE * SIDE][2], depth = 0;

    marks[y][x] = 0;
    stack[depth][0] = x;
    stack[depth++][1] = y;
    while (depth > 0) {
        const int *at = stack[--depth], cx = at[0], cy = at[1];

        patch.count++;
        patch.low[0] = cx < patch.low[0] ? cx : patch.low[0];
        patch.low[1] = cy < patch.low[1] ? cy : patch.low[1];
        patch.high[0] = cx >= patch.high[0] ? cx + 1 : patch.high[0];
        patch.high[1] = cy >= patch.high[1] ? cy + 1 : patch.high[1];
        for (int k = 0; k < 4; k++) {
            const int nx = cx + beside[k][0], ny = cy + beside[k][1];

            if (nx < 0 || ny < 0 || nx >= SIDE || ny >= SIDE || !marks[ny][nx])
                continue;
            marks[ny][nx] = 0;
            stack[depth][0] = nx;
            stack[depth++][1] = ny;
        }
    }
    return patch;
}

static struct patch largest(uint8_t marks[SIDE][SIDE])
{
    struct patch best = {0};

    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            struct patch patch = {0};

            if (marks[y][x])
                patch = take(marks, x, y);
            if (patch.count > best.count)
                best = patch;
        }
    }
    return best;
}

static struct vsm_person_box box_of(const struct patch *patch)
{
    return (struct vsm_person_box){(float)patch->low[0] / SIDE, (float)patch->low[1] / SIDE,
                                   (float)patch->high[0] / SIDE, (float)patch->high[1] / SIDE};
}

/* Takes the larger of both eyes' patches as the measure; an eye without one is given the other's box. */
static void judge(struct vsm_view_evidence *e, const struct patch patches[2])
{
    const int main = patches[1].count > patches[0].count;
    const double share = (double)patches[main].count / (SIDE * SIDE);
    struct vsm_person_box box[2];

    for (int eye = 0; eye < 2; eye++)
        box[eye] = box_of(patches[eye].count > 0 ? &patches[eye] : &patches[main]);
    if (share < (e->active ? VSM_VIEW_EVIDENCE_LEAST : VSM_VIEW_EVIDENCE_FIRST)) {
        *e = (struct vsm_view_evidence){0};
        return;
    }
    e->running = vsm_person_box_overlap(&box[main], &e->box[main]) >= STEADY ? e->running + 1 : 1;
    e->running = e->running < VSM_VIEW_EVIDENCE_FRAMES ? e->running : VSM_VIEW_EVIDENCE_FRAMES;
    e->active = e->active || e->running == VSM_VIEW_EVIDENCE_FRAMES;
    memcpy(e->box, box, sizeof(box));
}

int vsm_view_evidence_note(struct vsm_view_evidence *evidence, const struct vsm_matte *mattes, int count,
                           const float *const alpha[])
{
    uint8_t marks[2][SIDE][SIDE] = {{{0}}};
    struct patch patches[2];
    int status = VSM_OK;

    for (int i = 0; i < count && status == VSM_OK; i++)
        status = mark(&mattes[i].view, alpha[i], marks[mattes[i].view.eye]);
    for (int eye = 0; eye < 2; eye++)
        patches[eye] = largest(marks[eye]);
    if (status == VSM_OK)
        judge(evidence, patches);
    return status;
}

struct vsm_people vsm_view_evidence_people(const struct vsm_view_evidence *evidence)
{
    struct vsm_people people = {.known = true, .count = evidence->active};

    if (evidence->active) {
        people.person[0].chosen = true;
        memcpy(people.person[0].box, evidence->box, sizeof(evidence->box));
    }
    return people;
}

void vsm_view_evidence_save(const struct vsm_view_evidence *e, struct vsm_bytes_out *out)
{
    vsm_bytes_put_u8(out, e->active);
    vsm_bytes_put_le32(out, (uint32_t)e->running);
    for (int eye = 0; eye < 2; eye++) {
        vsm_bytes_put_f64(out, e->box[eye].left);
        vsm_bytes_put_f64(out, e->box[eye].top);
        vsm_bytes_put_f64(out, e->box[eye].right);
        vsm_bytes_put_f64(out, e->box[eye].bottom);
    }
}

bool vsm_view_evidence_load(struct vsm_view_evidence *e, struct vsm_bytes_in *in)
{
    bool sound;

    e->active = vsm_bytes_get_u8(in);
    e->running = (int32_t)vsm_bytes_get_le32(in);
    sound = e->running >= 0 && e->running <= VSM_VIEW_EVIDENCE_FRAMES;
    for (int eye = 0; eye < 2; eye++) {
        float edges[4];

        for (int k = 0; k < 4; k++) {
            edges[k] = (float)vsm_bytes_get_f64(in);
            sound = sound && edges[k] >= 0.0f && edges[k] <= 1.0f;
        }
        e->box[eye] = (struct vsm_person_box){edges[0], edges[1], edges[2], edges[3]};
    }
    return sound;
}
