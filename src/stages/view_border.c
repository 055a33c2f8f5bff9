#include "stages/view_border.h"

#include "geometry/view_map.h"

#include <math.h>

#define OPAQUE 0.5f
#define STRIPS 64 /* parts of a side that a strip is wide, and that are looked at along it, twice */

/* Cells of another view that it must see beyond a point, parts of its side. */
#define INSIDE 0.02

struct sight {
    const struct vsm_people *people;
    const struct vsm_matte *mattes;
    const float *const *alpha;
    int count;
    struct vsm_view_map maps[VSM_MAX_VIEWS];
};

enum side { LEFT, RIGHT, TOP, BOTTOM };

static struct vsm_person_box hull(const struct vsm_person_box *a, const struct vsm_person_box *b)
{
    return (struct vsm_person_box){fminf(a->left, b->left), fminf(a->top, b->top), fmaxf(a->right, b->right),
                                   fmaxf(a->bottom, b->bottom)};
}

/* Where a point of view i's grid is in the eye, parts of its picture. */
static bool place_of(const struct sight *s, int i, double x, double y, double *u, double *v)
{
    const struct vsm_view *view = &s->mattes[i].view;

    if (!vsm_view_map_grid_to_eye(&s->maps[i], x, y, u, v))
        return false;
    *u /= view->source.width;
    *v /= view->source.height;
    return *u >= 0.0 && *v >= 0.0 && *u <= 1.0 && *v <= 1.0;
}

/* Whether the eye's picture ends near a point, also in its corners. */
static bool at_edge(const struct vsm_view *view, double u, double v)
{
    const double edge = VSM_VIEW_BORDER_EDGE;
    double radius = view->lens.radius / view->source.width, x = u - 0.5, y = v - 0.5;

    if (u < edge || v < edge || u > 1.0 - edge || v > 1.0 - edge)
        return true;
    if (view->lens.projection != VSM_FISHEYE)
        return false;
    if (radius > 0.0) {
        x = u - view->lens.centre_x / view->source.width;
        y = v - view->lens.centre_y / view->source.height;
    } else
        radius = 0.5;
    return hypot(x, y * view->source.height / view->source.width) > radius - edge;
}

/* Whether another view of the eye sees beyond a point of view i's side. */
static bool seen_by_another(const struct sight *s, int i, double x, double y)
{
    for (int k = 0; k < s->count; k++) {
        const double w = s->mattes[k].view.width, h = s->mattes[k].view.height;
        double at_x, at_y;

        if (k != i && s->mattes[k].view.eye == s->mattes[i].view.eye &&
            vsm_view_map_grid_to_grid(&s->maps[i], &s->maps[k], x, y, &at_x, &at_y) && at_x > INSIDE * w &&
            at_x < (1.0 - INSIDE) * w && at_y > INSIDE * h && at_y < (1.0 - INSIDE) * h)
            return true;
    }
    return false;
}

/* Whether a point belongs to somebody who is to be removed. */
static bool unwanted(const struct vsm_people *people, enum vsm_eye eye, double u, double v)
{
    bool out = false;

    for (int i = 0; i < people->count; i++) {
        const struct vsm_person *p = &people->person[i];
        const bool in = vsm_person_box_holds(&p->box[eye], u, v);

        if (in && p->chosen)
            return false;
        out = out || in;
    }
    for (int i = 0; i < people->rival_count; i++)
        out = out || (!people->rival[i].chosen && vsm_person_box_holds(&people->rival[i].box[eye], u, v));
    return out;
}

static float alpha_at(const struct sight *s, int i, int x, int y)
{
    return s->alpha[i][(ptrdiff_t)y * s->mattes[i].view.width + x];
}

/* The cell that is `depth` cells away from a side, `along` cells from its beginning. */
static void cell_at(const struct vsm_view *view, enum side side, int along, int depth, int *x, int *y)
{
    const int far_x = view->width - 1 - depth, far_y = view->height - 1 - depth;

    *x = side == LEFT ? depth : side == RIGHT ? far_x : along;
    *y = side == TOP ? depth : side == BOTTOM ? far_y : along;
}

/* What runs out through a side of view i; true if that is enough to be somebody. */
static bool look_at_side(const struct sight *s, int i, enum side side, struct vsm_person_box *box)
{
    const struct vsm_view *view = &s->mattes[i].view;
    const int length = side == LEFT || side == RIGHT ? view->height : view->width;
    const int wide = length / STRIPS > 2 ? length / STRIPS : 2, step = wide / 2;
    const float beyond = (float)VSM_VIEW_BORDER_BEYOND;
    int cut = 0;

    for (int along = step / 2; along < length; along += step) {
        struct vsm_person_box point;
        int x, y, inner_x, inner_y;
        double u, v;

        cell_at(view, side, along, 0, &x, &y);
        cell_at(view, side, along, wide - 1, &inner_x, &inner_y);
        if (alpha_at(s, i, x, y) + alpha_at(s, i, inner_x, inner_y) <= 2.0f * OPAQUE ||
            !place_of(s, i, x + 0.5, y + 0.5, &u, &v) || at_edge(view, u, v) ||
            seen_by_another(s, i, x + 0.5, y + 0.5) || unwanted(s->people, view->eye, u, v))
            continue;
        point = (struct vsm_person_box){(float)u - (side == LEFT ? beyond : 0.0f),
                                        (float)v - (side == TOP ? beyond : 0.0f),
                                        (float)u + (side == RIGHT ? beyond : 0.0f),
                                        (float)v + (side == BOTTOM ? beyond : 0.0f)};
        *box = cut++ ? hull(box, &point) : point;
    }
    return cut * step > VSM_VIEW_BORDER_LEAST * length;
}

/* Whether a view sees anything opaque in the box. */
static bool occupied(const struct sight *s, int i, const struct vsm_person_box *box)
{
    const struct vsm_view *view = &s->mattes[i].view;
    const int step = view->width / (2 * STRIPS) > 1 ? view->width / (2 * STRIPS) : 1;

    for (int y = step / 2; y < view->height; y += step) {
        for (int x = step / 2; x < view->width; x += step) {
            double u, v;

            if (alpha_at(s, i, x, y) > OPAQUE && place_of(s, i, x + 0.5, y + 0.5, &u, &v) &&
                vsm_person_box_holds(box, u, v))
                return true;
        }
    }
    return false;
}

static struct vsm_person_box in_picture(const struct vsm_person_box *box)
{
    return (struct vsm_person_box){fmaxf(box->left, 0.0f), fmaxf(box->top, 0.0f), fminf(box->right, 1.0f),
                                   fminf(box->bottom, 1.0f)};
}

int vsm_view_border_note(struct vsm_view_border *border, const struct vsm_people *people,
                         const struct vsm_matte *mattes, int count, const float *const alpha[])
{
    struct sight s = {.people = people, .mattes = mattes, .alpha = alpha, .count = count};
    bool still = false;
    int status = VSM_OK;

    for (int i = 0; i < count && status == VSM_OK; i++)
        status = vsm_view_map_init(&s.maps[i], &mattes[i].view);
    if (status != VSM_OK)
        return status;
    for (int i = 0; i < count && border->active && !still; i++)
        still = occupied(&s, i, &border->box);
    border->quiet = still ? 0 : border->quiet + 1;
    if (!border->active || border->quiet >= VSM_VIEW_BORDER_QUIET)
        *border = (struct vsm_view_border){0};
    for (int i = 0; i < count; i++) {
        for (int side = LEFT; side <= BOTTOM && mattes[i].view.kind == VSM_VIEW_TURNED; side++) {
            struct vsm_person_box box = {0};

            if (!look_at_side(&s, i, (enum side)side, &box))
                continue;
            box = border->active ? hull(&border->box, &box) : box;
            *border = (struct vsm_view_border){.active = true, .box = in_picture(&box)};
        }
    }
    return VSM_OK;
}

/* As sure as the surest, so that nobody counts for less because of it. */
struct vsm_people vsm_view_border_people(const struct vsm_view_border *border,
                                         const struct vsm_people *people)
{
    struct vsm_people all = *people;
    struct vsm_person cut = {.chosen = true, .box = {border->box, border->box}};

    if (!border->active || !people->known || people->count == 0)
        return all;
    for (int i = 0; i < all.count; i++)
        cut.score = fmaxf(cut.score, all.person[i].chosen ? all.person[i].score : 0.0f);
    if (all.count < VSM_MAX_PEOPLE)
        all.person[all.count++] = cut;
    else
        for (int eye = 0; eye < 2; eye++)
            all.person[0].box[eye] = hull(&all.person[0].box[eye], &border->box);
    return all;
}

void vsm_view_border_save(const struct vsm_view_border *b, struct vsm_bytes_out *out)
{
    vsm_bytes_put_u8(out, b->active);
    vsm_bytes_put_le32(out, (uint32_t)b->quiet);
    vsm_bytes_put_f64(out, b->box.left);
    vsm_bytes_put_f64(out, b->box.top);
    vsm_bytes_put_f64(out, b->box.right);
    vsm_bytes_put_f64(out, b->box.bottom);
}

bool vsm_view_border_load(struct vsm_view_border *b, struct vsm_bytes_in *in)
{
    float edges[4];
    bool sound;

    b->active = vsm_bytes_get_u8(in);
    b->quiet = (int32_t)vsm_bytes_get_le32(in);
    sound = b->quiet >= 0 && b->quiet < VSM_VIEW_BORDER_QUIET;
    for (int k = 0; k < 4; k++) {
        edges[k] = (float)vsm_bytes_get_f64(in);
        sound = sound && edges[k] >= 0.0f && edges[k] <= 1.0f;
    }
    b->box = (struct vsm_person_box){edges[0], edges[1], edges[2], edges[3]};
    return sound;
}
