#include "stereo/disparity.h"

#include "base/mem.h"
#include "geometry/rotation.h"
#include "stereo/disparity_match.h"

#include <math.h>
#include <string.h>

#define LEVELS         5   /* at most: 4096 to 256 */
#define COARSE         256 /* the coarsest level is at most this wide */
#define SAMPLES        17  /* of parallax in the geometry table, from -largest to +largest */
#define PLANES         3
#define COARSE_REACH   6
#define FINE_REACH     20 /* of the finest level at a width of 1024 */
#define MAX_DENSE      12 /* reach up to which every row of a window counts, else every other */
#define MAX_CANDIDATES 160

/* Parallaxes of neighbours that a cell is compared with, when they lie so far apart, in pixels; and how much better one
 * must be than the cell's own. */
#define OTHERS       4
#define OTHERS_APART 1.5f
#define OTHER_GAIN   0.03f
#define TURNS        2

/* A second look through a small window, at places where the large one sees mostly somebody at another distance. */
#define SMALL_LEAST       5     /* its reach */
#define SMALL_SCORE       0.85f /* correlation of a match through it */
#define SMALL_LEAST_TRUST 0.3f  /* least confidence of such a match */
#define SMALL_TRUST       0.4f  /* of its confidence: fewer pixels, more chance */
#define SMALL_GAIN        0.10f /* by which it must be better than what the large window found */

#define MIN_PEOPLE     0.10f /* mean alpha of a cell to be matched at all */
#define MIN_SCORE      0.60f /* correlation of a believable match */
#define GOOD_SCORE     0.95f
#define GOOD_CURVATURE 0.004f /* correlation lost a pixel aside, of a sharp match */

enum { MASTER, SLAVE, WEIGHTS };

/* Shifts of one cell's centre for SAMPLES values of parallax, and for a radian of pitch. */
struct geometry {
    float du[SAMPLES], dv[SAMPLES];
    float pitch_u, pitch_v;
    bool usable;
};

struct vsm_disparity {
    struct vsm_disparity_options options; /* view points to the copy below */
    struct vsm_view_map view, other;
    float pixel; /* parallax that shifts the grid's middle by a pixel */
    int width, height, side, columns, rows, levels;
    double largest; /* parallax */
    int reach[LEVELS], small;
    struct vsm_disparity_match_plane planes[LEVELS][PLANES];
    float *memory; /* NULL: shared or lent */
    struct geometry *cells;
};

struct shift {
    float u, v;
};

static int check(const struct vsm_disparity_options *options)
{
    const double w = options->view ? options->view->width : options->eye.width;
    const double h = options->view ? options->view->height : options->eye.height;

    if (w < VSM_DISPARITY_MIN_GRID || h < VSM_DISPARITY_MIN_GRID || w > VSM_DISPARITY_MAX_GRID ||
        h > VSM_DISPARITY_MAX_GRID)
        return vsm_fail(VSM_E_USAGE, "disparity: grid %gx%g; both sides must be %d to %d", w, h,
                        VSM_DISPARITY_MIN_GRID, VSM_DISPARITY_MAX_GRID);
    if (!(options->baseline > 0.0 && options->baseline < 1.0))
        return vsm_fail(VSM_E_USAGE, "disparity: baseline of %g m; it must be between 0 and 1",
                        options->baseline);
    if (options->share && (options->share->width != (int)w || options->share->height != (int)h))
        return vsm_fail(VSM_E_INTERNAL, "disparity: grid %gx%g shares memory of one of %dx%d", w, h,
                        options->share->width, options->share->height);
    return VSM_OK;
}

/* Where the slave sees what the master sees at (x, y). */
static bool project(const struct vsm_disparity *d, double x, double y, double parallax, double pitch,
                    struct shift *s)
{
    const struct vsm_rotation pose = vsm_rotation_of(0.0, pitch, 0.0);
    double direction[3], u, v;

    if (!(d->options.view ? vsm_view_map_grid_to_direction(&d->view, x, y, direction)
                          : vsm_projection_to_direction(&d->options.eye, x, y, direction)))
        return false;
    direction[0] -= d->options.master == VSM_LEFT ? parallax : -parallax;
    vsm_rotation_in(&pose, direction, direction);
    if (!(d->options.view ? vsm_view_map_direction_to_grid(&d->other, direction, &u, &v)
                          : vsm_projection_to_pixel(&d->options.eye, direction, &u, &v)))
        return false;
    *s = (struct shift){(float)(u - x), (float)(v - y)};
    return true;
}

/* Cells near the poles, where the smallest parallax shifts far, are not usable. */
static void fill_geometry(struct vsm_disparity *d, int index)
{
    const double x = fmin((index % d->columns + 0.5) * d->side, d->width - 1.0);
    const double y = fmin((index / d->columns + 0.5) * d->side, d->height - 1.0), degree = M_PI / 180.0;
    struct geometry *g = &d->cells[index];
    struct shift s, level = {0};

    g->usable = project(d, x, y, 0.0, 0.0, &level);
    for (int i = 0; i < SAMPLES; i++) {
        g->usable = g->usable && project(d, x, y, d->largest * (2.0 * i / (SAMPLES - 1) - 1.0), 0.0, &s) &&
                    fabsf(s.u) < (float)d->width / 8 && fabsf(s.v) < (float)d->width / 8;
        if (!g->usable)
            return;
        g->du[i] = s.u;
        g->dv[i] = s.v;
    }
    g->usable = project(d, x, y, 0.0, degree, &s);
    g->pitch_u = (float)((s.u - level.u) / degree);
    g->pitch_v = (float)((s.v - level.v) / degree);
}

/* Where the middle sees nothing, which no real lens does, any pixel of the eye's is as good. */
static void measure_pixel(struct vsm_disparity *d)
{
    const double little = 0.01 * d->largest;
    struct shift near = {0}, far = {0};
    float across = 0.0f;

    if (project(d, 0.5 * d->width, 0.5 * d->height, little, 0.0, &near) &&
        project(d, 0.5 * d->width, 0.5 * d->height, 0.0, 0.0, &far))
        across = hypotf(near.u - far.u, near.v - far.v);
    d->pixel = across > 0.0f ? (float)little / across : (float)(M_PI / d->width);
}

/* Lays the planes out in memory, and counts the floats that they take; memory NULL: only counts. */
static size_t lay_out(const struct vsm_disparity *d, float *memory,
                      struct vsm_disparity_match_plane planes[LEVELS][PLANES])
{
    size_t at = 0;

    for (int level = 0; level < d->levels; level++) {
        const int w = d->width >> level, h = d->height >> level;
        const int margin = w / 8 + VSM_DISPARITY_MATCH_ROW + 16;
        const size_t stride = (size_t)(w + 2 * margin), rows = (size_t)(h + 2 * margin);

        for (int p = 0; p < PLANES; p++, at += stride * rows) {
            if (!memory)
                continue;
            /* Alpha is zero in the margin; pictures are repeated there (extend). */
            if (p == WEIGHTS)
                memset(memory + at, 0, stride * rows * sizeof(float));
            planes[level][p] =
                (struct vsm_disparity_match_plane){.origin =
                                                       memory + at + (size_t)margin * stride + (size_t)margin,
                                                   .stride = (ptrdiff_t)stride,
                                                   .width = w,
                                                   .height = h,
                                                   .margin = margin};
        }
    }
    return at;
}

size_t vsm_disparity_bytes(const struct vsm_disparity *disparity)
{
    return disparity->options.share ? 0 : lay_out(disparity, NULL, NULL) * sizeof(float);
}

void vsm_disparity_lend(struct vsm_disparity *disparity, void *memory)
{
    if (memory)
        lay_out(disparity, memory, disparity->planes);
    else
        memcpy(disparity->planes, disparity->options.share->planes, sizeof(disparity->planes));
}

static int make_planes(struct vsm_disparity *d)
{
    if (d->options.lent)
        return VSM_OK;
    if (!d->options.share) {
        d->memory = vsm_mem_alloc("stereo pictures", vsm_disparity_bytes(d), 1);
        if (!d->memory)
            return VSM_E_NOMEM;
    }
    vsm_disparity_lend(d, d->memory);
    return VSM_OK;
}

int vsm_disparity_create(const struct vsm_disparity_options *options, struct vsm_disparity **disparity)
{
    struct vsm_disparity *d;
    int status = check(options), longer;

    if (status)
        return status;
    d = vsm_mem_alloc("disparity", 1, sizeof(*d));
    if (!d)
        return VSM_E_NOMEM;
    d->options = *options;
    d->width = (int)options->eye.width;
    d->height = (int)options->eye.height;
    if (options->view) {
        d->view = *options->view;
        d->other = options->other ? *options->other : d->view;
        d->options.view = &d->view;
        d->width = d->view.width;
        d->height = d->view.height;
    }
    longer = d->width > d->height ? d->width : d->height;
    d->side = (longer + VSM_DISPARITY_CELLS - 1) / VSM_DISPARITY_CELLS;
    d->columns = (d->width + d->side - 1) / d->side;
    d->rows = (d->height + d->side - 1) / d->side;
    d->largest = options->baseline / VSM_DISPARITY_NEAR;
    for (d->levels = 1; d->width >> (d->levels - 1) > COARSE && d->levels < LEVELS;)
        d->levels++;
    for (int level = 0; level < d->levels; level++) {
        const int reach = FINE_REACH * (d->width >> level) / 1024;

        d->reach[level] = reach < COARSE_REACH                ? COARSE_REACH
                          : reach > VSM_DISPARITY_MATCH_REACH ? VSM_DISPARITY_MATCH_REACH
                                                              : reach;
    }
    d->small = d->side * 5 / 8 > SMALL_LEAST ? d->side * 5 / 8 : SMALL_LEAST;
    d->small = d->small < VSM_DISPARITY_MATCH_REACH ? d->small : VSM_DISPARITY_MATCH_REACH;
    d->cells = vsm_mem_alloc("stereo geometry", (size_t)(d->columns * d->rows), sizeof(*d->cells));
    status = d->cells ? make_planes(d) : VSM_E_NOMEM;
    if (status) {
        vsm_disparity_destroy(d);
        return status;
    }
    for (int i = 0; i < d->columns * d->rows; i++)
        fill_geometry(d, i);
    measure_pixel(d);
    *disparity = d;
    return VSM_OK;
}

void vsm_disparity_destroy(struct vsm_disparity *disparity)
{
    if (!disparity)
        return;
    vsm_mem_free(disparity->memory);
    vsm_mem_free(disparity->cells);
    vsm_mem_free(disparity);
}

void vsm_disparity_grid(const struct vsm_disparity *disparity, int *width, int *height)
{
    *width = disparity->width;
    *height = disparity->height;
}

void vsm_disparity_cells(const struct vsm_disparity *disparity, int *side, int *columns, int *rows)
{
    *side = disparity->side;
    *columns = disparity->columns;
    *rows = disparity->rows;
}

static struct shift shift_of(const struct vsm_disparity *d, int index, double parallax, double pitch)
{
    const struct geometry *g = &d->cells[index];
    double at = (parallax / d->largest + 1.0) * 0.5 * (SAMPLES - 1);
    int i;
    float f;

    at = fmin(fmax(at, 0.0), SAMPLES - 1.0);
    i = (int)fmin(at, SAMPLES - 2.0);
    f = (float)(at - i);
    return (struct shift){g->du[i] + f * (g->du[i + 1] - g->du[i]) + (float)pitch * g->pitch_u,
                          g->dv[i] + f * (g->dv[i + 1] - g->dv[i]) + (float)pitch * g->pitch_v};
}

void vsm_disparity_shift(const struct vsm_disparity *disparity, int index, double parallax, double pitch,
                         float *du, float *dv)
{
    const struct shift s = shift_of(disparity, index, parallax, pitch);

    *du = s.u;
    *dv = s.v;
}

/* The parallax that shifts the cell across by du; du is monotonous in it. */
static double parallax_of(const struct vsm_disparity *d, int index, double du, double pitch)
{
    double low = -d->largest, high = d->largest;
    const bool rising = shift_of(d, index, high, pitch).u > shift_of(d, index, low, pitch).u;

    for (int i = 0; i < 24; i++) {
        const double middle = 0.5 * (low + high);

        if ((shift_of(d, index, middle, pitch).u < (float)du) == rising)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

/* Repeats the border into the margin (pictures), or leaves it zero (alpha). */
static void extend(const struct vsm_disparity_match_plane *p)
{
    for (int y = 0; y < p->height; y++) {
        float *row = p->origin + y * p->stride;

        for (int x = 1; x <= p->margin; x++) {
            row[-x] = row[0];
            row[p->width - 1 + x] = row[p->width - 1];
        }
    }
    for (int y = 1; y <= p->margin; y++) {
        memcpy(p->origin - y * p->stride - p->margin, p->origin - p->margin,
               (size_t)p->stride * sizeof(float));
        memcpy(p->origin + (p->height - 1 + y) * p->stride - p->margin,
               p->origin + (p->height - 1) * p->stride - p->margin, (size_t)p->stride * sizeof(float));
    }
}

static void halve(const struct vsm_disparity_match_plane *from, const struct vsm_disparity_match_plane *to)
{
    for (int y = 0; y < to->height; y++) {
        const float *a = from->origin + 2 * y * from->stride, *b = a + from->stride;
        float *out = to->origin + y * to->stride;

        for (int x = 0; x < to->width; x++)
            out[x] = 0.25f * (a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1]);
    }
}

static void load_luma(struct vsm_disparity *d, const float *rgb, int plane)
{
    const size_t count = (size_t)d->width * (size_t)d->height;

    for (int y = 0; y < d->height; y++) {
        const float *r = rgb + (size_t)y * (size_t)d->width, *g = r + count, *b = g + count;
        float *luma = d->planes[0][plane].origin + y * d->planes[0][plane].stride;

        for (int x = 0; x < d->width; x++)
            luma[x] = 0.2126f * r[x] + 0.7152f * g[x] + 0.0722f * b[x];
    }
    for (int level = 1; level < d->levels; level++)
        halve(&d->planes[level - 1][plane], &d->planes[level][plane]);
    for (int level = 0; level < d->levels; level++)
        extend(&d->planes[level][plane]);
}

static void load_weights(struct vsm_disparity *d, const float *alpha)
{
    for (int y = 0; y < d->height; y++)
        memcpy(d->planes[0][WEIGHTS].origin + y * d->planes[0][WEIGHTS].stride,
               alpha + (size_t)y * (size_t)d->width, (size_t)d->width * sizeof(float));
    for (int level = 1; level < d->levels; level++)
        halve(&d->planes[level - 1][WEIGHTS], &d->planes[level][WEIGHTS]);
}

static float mean_alpha(const struct vsm_disparity *d, int index)
{
    const struct vsm_disparity_match_plane *alpha = &d->planes[0][WEIGHTS];
    const int x0 = index % d->columns * d->side, y0 = index / d->columns * d->side;
    const int x1 = x0 + d->side < d->width ? x0 + d->side : d->width;
    const int y1 = y0 + d->side < d->height ? y0 + d->side : d->height;
    float sum = 0.0f;

    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++)
            sum += alpha->origin[y * alpha->stride + x];
    }
    return sum / (float)((x1 - x0) * (y1 - y0));
}

static struct vsm_disparity_match_place centre_of(const struct vsm_disparity *d, int index, int level)
{
    struct vsm_disparity_match_place c = {(2 * (index % d->columns) + 1) * d->side >> (level + 1),
                                          (2 * (index / d->columns) + 1) * d->side >> (level + 1)};

    if (c.x >= d->width >> level)
        c.x = (d->width >> level) - 1;
    if (c.y >= d->height >> level)
        c.y = (d->height >> level) - 1;
    return c;
}

/* The integer shifts that a search tries on a level, without the vertical range. */
struct candidates {
    struct vsm_disparity_match_place shift[MAX_CANDIDATES];
    int count;
};

static void list_candidates(const struct vsm_disparity *d, int index, int level,
                            const struct vsm_disparity_search *search, struct candidates *list)
{
    const double low = search->both_ways ? -d->largest : -0.02 * d->largest;
    const float scale = 1.0f / (float)(1 << level);
    const float span = fabsf(shift_of(d, index, d->largest, 0).u - shift_of(d, index, low, 0).u) * scale;
    int steps = (int)ceilf(span) + 1;

    list->count = 0;
    if (steps > MAX_CANDIDATES - 2)
        steps = MAX_CANDIDATES - 2;
    for (int i = 0; i <= steps; i++) {
        const struct shift s = shift_of(d, index, low + (d->largest - low) * i / steps, search->pitch);
        const struct vsm_disparity_match_place p = {(int)lroundf(s.u * scale), (int)lroundf(s.v * scale)};

        if (list->count == 0 || list->shift[list->count - 1].x != p.x)
            list->shift[list->count++] = p;
    }
}

struct best {
    int x, y;
    float score;
};

static struct best search_all(const struct vsm_disparity_match_window *window,
                              const struct vsm_disparity_match_plane *picture,
                              struct vsm_disparity_match_place centre, int sign,
                              const struct candidates *list)
{
    struct best best = {.score = -2.0f};

    for (int i = 0; i < list->count; i++) {
        for (int j = -1; j <= 1; j++) {
            const int dx = sign * list->shift[i].x, dy = sign * list->shift[i].y + j;
            const float score = vsm_disparity_match_score(window, picture, centre.x + dx, centre.y + dy);

            if (score > best.score)
                best = (struct best){dx, dy, score};
        }
    }
    return best;
}

/* The slave's own matte has no say: it may have lost the person. */
static bool cut(const struct vsm_disparity *d, int level, int reach, int plane,
                struct vsm_disparity_match_place at, struct vsm_disparity_match_place from,
                struct vsm_disparity_match_window *window)
{
    return vsm_disparity_match_cut(&d->planes[level][plane], at, &d->planes[level][WEIGHTS], from, reach,
                                   reach > MAX_DENSE ? 2 : 1, window);
}

/* Left-right check: the slave's window there finds its way back. */
static bool comes_back(const struct vsm_disparity *d, int level, int reach,
                       struct vsm_disparity_match_place from, const struct best *there,
                       const struct candidates *list, struct vsm_disparity_match_window *window)
{
    const struct vsm_disparity_match_place to = {from.x + there->x, from.y + there->y};
    struct best back;

    if (!cut(d, level, reach, SLAVE, to, from, window))
        return false;
    back = search_all(window, &d->planes[level][MASTER], to, -1, list);
    return back.x + there->x >= -1 && back.x + there->x <= 1;
}

/* The vertex of the parabola through three values at -1, 0, 1; *curvature: the mean loss of the outer ones. */
static float parabola(float before, float middle, float after, float *curvature)
{
    *curvature = middle - 0.5f * (before + after);
    if (!(*curvature > 1e-6f))
        return 0.0f;
    return fminf(fmaxf(0.25f * (after - before) / *curvature, -0.5f), 0.5f);
}

/* The best integer shift around a guess; two pixels across, one down. Follows the ridge if it ends on the border. */
static struct best search_around(const struct vsm_disparity_match_window *window,
                                 const struct vsm_disparity_match_plane *picture,
                                 struct vsm_disparity_match_place centre, struct best guess)
{
    struct best best = {.score = -2.0f};

    for (int turn = 0; turn < 3; turn++) {
        best.score = -2.0f;
        for (int j = -1; j <= 1; j++) {
            for (int i = -1; i <= 1; i++) {
                const int dx = guess.x + i, dy = guess.y + j;
                const float score = vsm_disparity_match_score(window, picture, centre.x + dx, centre.y + dy);

                if (score > best.score)
                    best = (struct best){dx, dy, score};
            }
        }
        if (best.x == guess.x && best.y == guess.y)
            break;
        guess = best;
    }
    return best;
}

/* From the coarsest to the finest level. `windows`: the first is cut on the coarsest level, and on the finest afterwards.
 * false: no believable match. */
static bool match_down(const struct vsm_disparity *d, int index, const struct vsm_disparity_search *search,
                       struct vsm_disparity_match_window windows[2], struct best *best)
{
    struct candidates list;
    int level = d->levels - 1;
    struct vsm_disparity_match_place centre = centre_of(d, index, level);

    list_candidates(d, index, level, search, &list);
    *best = search_all(&windows[0], &d->planes[level][SLAVE], centre, 1, &list);
    if (best->score < MIN_SCORE || !comes_back(d, level, d->reach[level], centre, best, &list, &windows[1]))
        return false;
    while (--level >= 0) {
        centre = centre_of(d, index, level);
        if (!cut(d, level, d->reach[level], MASTER, centre, centre, &windows[0]))
            return false;
        best->x *= 2;
        best->y *= 2;
        *best = search_around(&windows[0], &d->planes[level][SLAVE], centre, *best);
    }
    return best->score >= MIN_SCORE;
}

/* Whether the cell's own pixels belong elsewhere than the large window says, or to a place where it found none. */
static bool match_small(const struct vsm_disparity *d, int index, const struct vsm_disparity_search *search,
                        struct vsm_disparity_match_window windows[2], bool found, struct best *best)
{
    const struct vsm_disparity_match_place centre = centre_of(d, index, 0);
    const struct vsm_disparity_match_plane *slave = &d->planes[0][SLAVE];
    struct candidates list;
    struct best other;
    float least = SMALL_SCORE;

    if (!cut(d, 0, d->small, MASTER, centre, centre, &windows[0]))
        return false;
    if (found) {
        least = vsm_disparity_match_score(&windows[0], slave, centre.x + best->x, centre.y + best->y);
        if (least >= SMALL_SCORE)
            return false;
        least = fmaxf(least + SMALL_GAIN, SMALL_SCORE);
    }
    list_candidates(d, index, 0, search, &list);
    other = search_all(&windows[0], slave, centre, 1, &list);
    if (other.score < least || !comes_back(d, 0, d->small, centre, &other, &list, &windows[1]))
        return false;
    *best = other;
    return true;
}

/* What the best integer shift through a window, on the finest level, makes of the cell. false: no believable match. */
static bool settle_match(const struct vsm_disparity *d, int index, const struct vsm_disparity_search *search,
                         const struct vsm_disparity_match_window *window, struct best best,
                         struct vsm_disparity_cell *cell)
{
    const struct vsm_disparity_match_plane *slave = &d->planes[0][SLAVE];
    const struct vsm_disparity_match_place centre = centre_of(d, index, 0);
    float u, v, curvature_u, curvature_v;

    u = (float)best.x +
        parabola(vsm_disparity_match_score(window, slave, centre.x + best.x - 1, centre.y + best.y),
                 best.score,
                 vsm_disparity_match_score(window, slave, centre.x + best.x + 1, centre.y + best.y),
                 &curvature_u);
    v = (float)best.y +
        parabola(vsm_disparity_match_score(window, slave, centre.x + best.x, centre.y + best.y - 1),
                 best.score,
                 vsm_disparity_match_score(window, slave, centre.x + best.x, centre.y + best.y + 1),
                 &curvature_v);
    cell->parallax = (float)parallax_of(d, index, u, search->pitch);
    cell->residual = v - shift_of(d, index, cell->parallax, search->pitch).v;
    cell->confidence = fminf((best.score - MIN_SCORE) / (GOOD_SCORE - MIN_SCORE), 1.0f) *
                       fminf(curvature_u / GOOD_CURVATURE, 1.0f);
    return cell->confidence > 0.0f;
}

/* false: no believable match. `windows` as for match_down(). */
static bool match(const struct vsm_disparity *d, int index, const struct vsm_disparity_search *search,
                  struct vsm_disparity_match_window windows[2], struct vsm_disparity_cell *cell)
{
    const struct vsm_disparity_match_place centre = centre_of(d, index, 0);
    struct best best;
    const bool found = match_down(d, index, search, windows, &best);

    if (match_small(d, index, search, windows, found, &best)) {
        if (!settle_match(d, index, search, &windows[0], best, cell) || cell->confidence < SMALL_LEAST_TRUST)
            return false;
        cell->confidence *= SMALL_TRUST;
        return true;
    }
    return found && cut(d, 0, d->reach[0], MASTER, centre, centre, &windows[0]) &&
           settle_match(d, index, search, &windows[0], best, cell);
}

/* What a loop over the cells needs; each index writes its own cell only. */
struct matching {
    const struct vsm_disparity *disparity;
    const struct vsm_disparity_search *search;
    struct vsm_disparity_map *map;
    bool tried[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
};

static void match_cell(void *context, int index, int worker)
{
    struct matching *m = context;
    const struct vsm_disparity *d = m->disparity;
    const int coarse = d->levels - 1;
    const struct vsm_disparity_match_place centre = centre_of(d, index, coarse);
    struct vsm_disparity_match_window windows[2];
    struct vsm_disparity_cell *c = &m->map->cells[index];

    (void)worker;
    c->people = mean_alpha(d, index);
    m->tried[index] = c->people >= MIN_PEOPLE && d->cells[index].usable &&
                      (!m->search->only || m->search->only[index]) &&
                      cut(d, coarse, d->reach[coarse], MASTER, centre, centre, &windows[0]);
    if (m->tried[index] && !match(d, index, m->search, windows, c))
        c->confidence = 0.0f;
}

/* Parallax of cells as it was before a pass, 0 confidence where there is none. */
struct found {
    float parallax[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
    float confidence[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
};

struct comparing {
    struct matching matching;
    struct found found;
};

/* Different parallaxes of a cell's neighbours, two cells away at most, but for its own. */
static int list_others(const struct vsm_disparity *d, const struct found *found, int index,
                       float others[OTHERS])
{
    const float apart = OTHERS_APART * d->pixel;
    int count = 0;

    for (int k = 0; k < 25 && count < OTHERS; k++) {
        const int x = index % d->columns + k % 5 - 2, y = index / d->columns + k / 5 - 2;
        const int at = y * d->columns + x;
        bool known = x < 0 || y < 0 || x >= d->columns || y >= d->rows || found->confidence[at] <= 0.0f;

        known = known || (found->confidence[index] > 0.0f &&
                          fabsf(found->parallax[at] - found->parallax[index]) < apart);
        for (int i = 0; i < count && !known; i++)
            known = fabsf(found->parallax[at] - others[i]) < apart;
        if (!known)
            others[count++] = found->parallax[at];
    }
    return count;
}

static struct best try_parallax(const struct vsm_disparity *d, int index,
                                const struct vsm_disparity_search *search,
                                const struct vsm_disparity_match_window *window, float parallax)
{
    const struct shift s = shift_of(d, index, parallax, search->pitch);

    return search_around(window, &d->planes[0][SLAVE], centre_of(d, index, 0),
                         (struct best){(int)lroundf(s.u), (int)lroundf(s.v), 0.0f});
}

/* Where the neighbours are at different distances: which of them the cell's own pixels go with. */
static void compare_cell(void *context, int index, int worker)
{
    struct comparing *c = context;
    const struct vsm_disparity *d = c->matching.disparity;
    const struct vsm_disparity_match_place centre = centre_of(d, index, 0);
    struct vsm_disparity_match_window window;
    float others[OTHERS];
    struct best best = {.score = SMALL_SCORE - SMALL_GAIN}, own = best;
    const int count = c->matching.tried[index] ? list_others(d, &c->found, index, others) : 0;

    (void)worker;
    if (count == 0 || !cut(d, 0, d->small, MASTER, centre, centre, &window))
        return;
    if (c->found.confidence[index] > 0.0f)
        best = own = try_parallax(d, index, c->matching.search, &window, c->found.parallax[index]);
    for (int i = 0; i < count; i++) {
        const struct best other = try_parallax(d, index, c->matching.search, &window, others[i]);

        if (other.score > best.score)
            best = other;
    }
    if (best.score > own.score + OTHER_GAIN)
        settle_match(d, index, c->matching.search, &window, best, &c->matching.map->cells[index]);
}

static void match_all(const struct vsm_disparity *d, const struct vsm_disparity_search *search,
                      struct vsm_disparity_map *map)
{
    struct comparing c = {.matching = {.disparity = d, .search = search, .map = map}};
    const int count = d->columns * d->rows;

    vsm_parallel_for(d->options.pool, count, match_cell, &c.matching);
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < count; i++) {
            c.found.parallax[i] = map->cells[i].parallax;
            c.found.confidence[i] = map->cells[i].confidence;
        }
        vsm_parallel_for(d->options.pool, count, compare_cell, &c);
    }
    for (int i = 0; i < count; i++) {
        map->tried += c.matching.tried[i];
        map->matched += c.matching.tried[i] && map->cells[i].confidence > 0.0f;
    }
}

void vsm_disparity_measure(struct vsm_disparity *disparity, const struct vsm_disparity_picture *master,
                           const struct vsm_disparity_picture *slave,
                           const struct vsm_disparity_search *search, struct vsm_disparity_map *map)
{
    struct vsm_disparity *d = disparity;

    load_luma(d, master->rgb, MASTER);
    load_luma(d, slave->rgb, SLAVE);
    load_weights(d, master->alpha);
    *map = (struct vsm_disparity_map){.columns = d->columns, .rows = d->rows, .side = d->side};
    match_all(d, search, map);
    vsm_disparity_map_settle(map, d->pixel);
    if (search->known)
        vsm_disparity_map_take(map, search->known);
    if (search->memory)
        vsm_disparity_map_remember(map, search->memory, d->pixel);
    vsm_disparity_map_spread(map);
    for (int i = 0; i < d->columns * d->rows; i++) {
        struct vsm_disparity_cell *c = &map->cells[i];

        if (c->known && d->cells[i].usable)
            vsm_disparity_shift(d, i, c->parallax, search->pitch, &c->du, &c->dv);
        else
            c->known = false;
    }
    if (search->memory)
        vsm_disparity_map_learn(map, search->memory);
}
