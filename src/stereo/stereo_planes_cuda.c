#include "stereo/stereo_planes_cuda.h"

#include "base/mem.h"
#include "cuda/review.h"
#include "cuda/stereo_mend.h"
#include "cuda/stereo_move.h"
#include "cuda/stereo_sums.h"
#include "image/cuda_room.h"
#include "pixel/eye_health.h"
#include "pixel/transfer.h"
#include "stereo/cell_match_cuda.h"
#include "stereo/parallax.h"
#include "stereo/stereo_planes.h"

#include <stddef.h>
#include <string.h>

#define WHAT   "comparing the eyes"
#define SMALL  (VSM_EYE_HEALTH_SIDE * VSM_EYE_HEALTH_SIDE)
#define POINTS (VSM_EYE_HEALTH_POINTS * VSM_EYE_HEALTH_POINTS)

enum plane { ALPHA, MOVED, SETTLED, TARGET, WEIGHT, PLANES };

/* What goes up to the device, the same there and in page-locked memory. */
struct cells {
    struct vsm_disparity_map maps[2]; /* measured from each eye */
    float common[2][VSM_MEND_CELLS], taken[2][VSM_MEND_CELLS];
};

/* Copies of these that may still be under way. */
enum sent { SENT_MAP = 1, SENT_SHARES = 4 };

struct cuda {
    struct vsm_stereo_planes_options options;
    struct vsm_mend_grid grid;
    size_t pixels, count; /* of cells */
    struct vsm_cell_match_cuda *matcher;
    struct vsm_cuda_event *done; /* waited for awake: what is waited for takes microseconds */
    /* On the device: */
    float *planes;
    struct cells *cells;
    void *results, *working;
    struct vsm_transfer_landing *landings;
    uint8_t *need;
    /* Page-locked: */
    struct cells *up;
    void *down;    /* results; small ones are written there by the kernels themselves */
    unsigned sent; /* since the stream was waited for; maps by eye */
    /* Of a frame: */
    const float *rgb[2];
    float *maps[2];
    bool matched; /* once already */
    struct vsm_cuda_stereo_mend mend;
};

static float *plane_of(const struct cuda *c, enum plane plane, int eye)
{
    return c->planes + (2 * (size_t)plane + (size_t)eye) * c->pixels;
}

static int wait(struct cuda *c)
{
    int status = vsm_cuda_event_record(c->done, c->options.stream);

    if (status == VSM_OK)
        status = vsm_cuda_event_wait(c->done);
    if (status == VSM_OK)
        c->sent = 0;
    return status;
}

/* Before page-locked memory is written. */
static int make_free(struct cuda *c, unsigned sent)
{
    return c->sent & sent ? wait(c) : VSM_OK;
}

/* `from`: in the page-locked cells. */
static int send(struct cuda *c, const void *from, size_t bytes, unsigned sent)
{
    const ptrdiff_t at = (const char *)from - (const char *)c->up;

    c->sent |= sent;
    return vsm_cuda_copy((char *)c->cells + at, from, bytes, c->options.stream);
}

static int fetch(struct cuda *c, size_t bytes)
{
    const int status = vsm_cuda_copy(c->down, c->results, bytes, c->options.stream);

    return status == VSM_OK ? wait(c) : status;
}

/* The pair gives the same map more than once a frame. */
static int send_map(struct cuda *c, int eye, const struct vsm_disparity_map *map)
{
    const size_t bytes = offsetof(struct vsm_disparity_map, cells) + c->count * sizeof(map->cells[0]);
    int status;

    if (memcmp(&c->up->maps[eye], map, bytes) == 0)
        return VSM_OK;
    status = make_free(c, (unsigned)SENT_MAP << eye);
    if (status != VSM_OK)
        return status;
    memcpy(&c->up->maps[eye], map, bytes);
    return send(c, &c->up->maps[eye], bytes, (unsigned)SENT_MAP << eye);
}

/* As the host adds them: by rows of the small picture. */
static double edges_of(const float *lines, int height)
{
    double edges = 0.0;

    for (int band = 0; band < VSM_EYE_HEALTH_SIDE; band++) {
        const int from = vsm_eye_health_first(band, height), end = vsm_eye_health_first(band + 1, height);
        double sum = 0.0;

        for (int y = from + from % 2; y < end; y += 2)
            sum += (double)lines[y / 2];
        edges += sum;
    }
    return edges;
}

static int look(void *self, const float *const rgb[2], struct vsm_eye_health_look looks[2])
{
    struct cuda *c = self;
    const size_t floats = vsm_cuda_stereo_sums_look_floats(c->grid.height);
    int status = vsm_cuda_stereo_sums_look(rgb, c->grid.width, c->grid.height, c->down, c->options.stream);

    if (status == VSM_OK)
        status = wait(c);
    for (size_t eye = 0; eye < 2 && status == VSM_OK; eye++) {
        const float *seen = (const float *)c->down + eye * floats;

        memcpy(looks[eye].small, seen, sizeof(looks[eye].small));
        memcpy(looks[eye].points, seen + SMALL, sizeof(looks[eye].points));
        looks[eye].edges = edges_of(seen + SMALL + POINTS, c->grid.height);
    }
    return status;
}

static int begin(void *self, const float *const rgb[2], float *const maps[2])
{
    struct cuda *c = self;
    int status = VSM_OK;

    c->matched = false;
    for (int eye = 0; eye < 2 && status == VSM_OK; eye++) {
        c->rgb[eye] = rgb[eye];
        c->maps[eye] = maps[eye];
        status = vsm_cuda_review_alpha(rgb[eye], maps[eye], (int)c->pixels, plane_of(c, ALPHA, eye),
                                       c->options.stream);
    }
    return status;
}

static int match(void *self, int eye, const struct vsm_disparity_search *search, bool needed,
                 struct vsm_disparity_map *map)
{
    struct cuda *c = self;
    const struct vsm_cell_match_cuda_frame frame = {{c->rgb[0], c->rgb[1]},
                                                    {plane_of(c, ALPHA, 0), plane_of(c, ALPHA, 1)}};
    const int status =
        vsm_cell_match_cuda_run(c->matcher, &frame, eye, search, needed ? c->need : NULL, c->matched, map);

    c->matched = true;
    if (status == VSM_OK) /* it has waited for the stream */
        c->sent = 0;
    return status;
}

static int can_match(void *self, int eye, bool *can)
{
    struct cuda *c = self;
    const struct vsm_parallax *parallax = vsm_disparity_parallax(c->options.disparity[eye]);
    const struct vsm_match_grid grid = vsm_parallax_grid(parallax);
    const uint8_t *seen = c->down;
    int status = vsm_cuda_stereo_sums_seen(plane_of(c, ALPHA, eye), &grid, c->results, c->options.stream);

    if (status == VSM_OK)
        status = fetch(c, c->count);
    *can = false;
    for (size_t i = 0; i < c->count && status == VSM_OK; i++)
        *can = *can || (seen[i] && parallax->cells[i].usable);
    return status;
}

static int light(void *self, int eye, const struct vsm_disparity_map *map, double sums[2][3])
{
    struct cuda *c = self;
    const double *parts = c->down;
    int status = send_map(c, eye, map);

    memset(sums, 0, 2 * sizeof(sums[0]));
    if (status == VSM_OK)
        status = vsm_cuda_stereo_sums_light(&c->cells->maps[eye], c->rgb[eye], c->rgb[!eye], &c->grid,
                                            c->down, c->options.stream);
    if (status == VSM_OK)
        status = wait(c);
    for (int i = 0; i < VSM_CUDA_STEREO_SUMS_PARTS * 6 && status == VSM_OK; i++)
        sums[i / 3 % 2][i % 3] += parts[i];
    return status;
}

static int move(void *self, int eye, const struct vsm_disparity_map *map)
{
    struct cuda *c = self;
    const struct vsm_cuda_stereo_move job = {.map = &c->cells->maps[eye],
                                             .landings = c->landings,
                                             .from = plane_of(c, ALPHA, eye),
                                             .there = plane_of(c, ALPHA, !eye),
                                             .moved = plane_of(c, MOVED, !eye),
                                             .settled = plane_of(c, SETTLED, !eye)};
    int status = send_map(c, eye, map);

    return status == VSM_OK ? vsm_cuda_stereo_move_run(&job, &c->grid, c->options.stream) : status;
}

static int agree(void *self, int eye, struct vsm_consistency_sums *sums)
{
    struct cuda *c = self;
    const struct vsm_consistency_sums *parts = c->down;
    int status = vsm_cuda_stereo_sums_agree(plane_of(c, SETTLED, eye), plane_of(c, ALPHA, eye), &c->grid,
                                            c->down, c->options.stream);

    *sums = (struct vsm_consistency_sums){0};
    if (status == VSM_OK)
        status = wait(c);
    for (int i = 0; i < VSM_CUDA_STEREO_SUMS_PARTS && status == VSM_OK; i++)
        vsm_consistency_join(sums, &parts[i]);
    return status;
}

static int need(void *self, int eye)
{
    struct cuda *c = self;

    return vsm_cuda_stereo_sums_need(plane_of(c, ALPHA, eye), plane_of(c, MOVED, eye), &c->grid, c->need,
                                     c->options.stream);
}

static int measure(void *self, struct vsm_mend_sums cells[2][VSM_MEND_CELLS])
{
    struct cuda *c = self;
    const float *const own[2] = {plane_of(c, ALPHA, 0), plane_of(c, ALPHA, 1)};
    const float *const settled[2] = {plane_of(c, SETTLED, 0), plane_of(c, SETTLED, 1)};
    const struct vsm_mend_sums *sums = c->down;
    int status = vsm_cuda_stereo_sums_measure(own, settled, &c->grid, c->results, c->options.stream);

    if (status == VSM_OK)
        status = fetch(c, 2 * c->count * sizeof(*sums));
    for (size_t eye = 0; eye < 2 && status == VSM_OK; eye++)
        memcpy(cells[eye], sums + eye * c->count, c->count * sizeof(*sums));
    return status;
}

static int send_shares(struct cuda *c, const struct vsm_consensus *consensus, const struct vsm_mend *mend)
{
    const int status = make_free(c, SENT_SHARES);

    if (status != VSM_OK)
        return status;
    for (int eye = 0; eye < 2; eye++) {
        memcpy(c->up->common[eye], consensus->share[eye], c->count * sizeof(float));
        memcpy(c->up->taken[eye], mend->share[eye], c->count * sizeof(float));
    }
    return send(c, c->up->common, sizeof(c->up->common) + sizeof(c->up->taken), SENT_SHARES);
}

static int blend(void *self, const struct vsm_disparity_map *const maps[2],
                 const struct vsm_consensus *consensus, const struct vsm_mend *mend, const float gain[2][3])
{
    struct cuda *c = self;
    struct vsm_cuda_stereo_mend *m = &c->mend;
    int status = send_shares(c, consensus, mend);

    for (int eye = 0; eye < 2 && status == VSM_OK; eye++) {
        status = send_map(c, eye, maps[eye]);
        m->rgb[eye] = c->rgb[eye];
        m->fit[eye] = c->maps[eye];
        memcpy(m->gain[eye], gain[eye], sizeof(m->gain[eye]));
    }
    return status == VSM_OK ? vsm_cuda_stereo_mend_blend(m, c->options.stream) : status;
}

static int replace(void *self)
{
    struct cuda *c = self;

    return vsm_cuda_stereo_mend_replace(&c->mend, c->options.stream);
}

static int note(void *self, float means[2][VSM_MEND_CELLS])
{
    struct cuda *c = self;
    const float *const alpha[2] = {plane_of(c, ALPHA, 0), plane_of(c, ALPHA, 1)};
    const float *found = c->down;
    int status = vsm_cuda_stereo_sums_means(alpha, &c->grid, c->down, c->options.stream);

    if (status == VSM_OK)
        status = wait(c);
    for (size_t eye = 0; eye < 2 && status == VSM_OK; eye++)
        memcpy(means[eye], found + eye * c->count, c->count * sizeof(float));
    return status;
}

static void end(void *self)
{
    struct cuda *c = self;

    for (int eye = 0; eye < 2; eye++) {
        c->rgb[eye] = NULL;
        c->maps[eye] = NULL;
    }
}

static void destroy(void *self)
{
    struct cuda *c = self;
    void *const on_device[] = {c->planes, c->cells, c->results, c->working, c->landings, c->need};

    vsm_cell_match_cuda_destroy(c->matcher);
    vsm_cuda_event_destroy(c->done);
    for (size_t i = 0; i < sizeof(on_device) / sizeof(on_device[0]); i++)
        vsm_cuda_room_free(VSM_PLACE_CUDA, on_device[i]);
    vsm_cuda_room_free(VSM_PLACE_HOST, c->up);
    vsm_cuda_room_free(VSM_PLACE_HOST, c->down);
    vsm_mem_free(c);
}

/* The largest of what is fetched. */
static size_t result_bytes(const struct cuda *c)
{
    const size_t sizes[] = {2 * vsm_cuda_stereo_sums_look_floats(c->grid.height) * sizeof(float),
                            VSM_CUDA_STEREO_SUMS_PARTS * sizeof(struct vsm_consistency_sums),
                            VSM_CUDA_STEREO_SUMS_PARTS * 6 * sizeof(double), /* light */
                            2 * c->count * sizeof(struct vsm_mend_sums)};
    size_t most = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        most = sizes[i] > most ? sizes[i] : most;
    return most;
}

static int make_room(struct cuda *c)
{
    const struct {
        size_t bytes;
        enum vsm_place place;
        void **memory;
    } wishes[] = {{2 * PLANES * c->pixels * sizeof(float), VSM_PLACE_CUDA, (void **)&c->planes},
                  {sizeof(*c->cells), VSM_PLACE_CUDA, (void **)&c->cells},
                  {2 * c->count * sizeof(struct vsm_mend_sums), VSM_PLACE_CUDA, &c->results},
                  {vsm_cuda_stereo_mend_bytes(c->grid.width, c->grid.height), VSM_PLACE_CUDA, &c->working},
                  {c->count * sizeof(*c->landings), VSM_PLACE_CUDA, (void **)&c->landings},
                  {c->count, VSM_PLACE_CUDA, (void **)&c->need},
                  {sizeof(*c->up), VSM_PLACE_HOST, (void **)&c->up},
                  {result_bytes(c), VSM_PLACE_HOST, &c->down}};
    int status = VSM_OK;

    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]) && status == VSM_OK; i++)
        status = vsm_cuda_room_make(WHAT, wishes[i].place, wishes[i].bytes, NULL, wishes[i].memory);
    return status;
}

static void place_mending(struct cuda *c)
{
    struct vsm_cuda_stereo_mend *m = &c->mend;

    *m = (struct vsm_cuda_stereo_mend){.width = c->grid.width,
                                       .height = c->grid.height,
                                       .side = c->grid.side,
                                       .columns = c->grid.columns,
                                       .rows = c->grid.rows,
                                       .working = c->working};
    for (int eye = 0; eye < 2; eye++) {
        m->maps[eye] = &c->cells->maps[eye];
        m->common[eye] = c->cells->common[eye];
        m->taken[eye] = c->cells->taken[eye];
        m->moved[eye] = plane_of(c, MOVED, eye);
        m->settled[eye] = plane_of(c, SETTLED, eye);
        m->alpha[eye] = plane_of(c, ALPHA, eye);
        m->target[eye] = plane_of(c, TARGET, eye);
        m->weight[eye] = plane_of(c, WEIGHT, eye);
    }
}

int vsm_stereo_planes_cuda_create(const struct vsm_stereo_planes_options *options,
                                  struct vsm_stereo_planes *planes)
{
    static const struct vsm_stereo_planes_kind kind = {.look = look,
                                                       .begin = begin,
                                                       .match = match,
                                                       .can_match = can_match,
                                                       .light = light,
                                                       .move = move,
                                                       .agree = agree,
                                                       .need = need,
                                                       .measure = measure,
                                                       .blend = blend,
                                                       .replace = replace,
                                                       .note = note,
                                                       .end = end,
                                                       .destroy = destroy};
    const struct vsm_parallax *const parallax[2] = {vsm_disparity_parallax(options->disparity[0]),
                                                    vsm_disparity_parallax(options->disparity[1])};
    struct cuda *c = vsm_mem_alloc(WHAT, 1, sizeof(*c));
    int status;

    if (!c)
        return VSM_E_NOMEM;
    c->options = *options;
    vsm_disparity_grid(options->disparity[0], &c->grid.width, &c->grid.height);
    vsm_disparity_cells(options->disparity[0], &c->grid.side, &c->grid.columns, &c->grid.rows);
    c->pixels = (size_t)c->grid.width * (size_t)c->grid.height;
    c->count = (size_t)c->grid.columns * (size_t)c->grid.rows;
    status = vsm_cell_match_cuda_create(parallax, options->stream, &c->matcher);
    if (status == VSM_OK)
        status = vsm_cuda_event_create(1, &c->done);
    if (status == VSM_OK)
        status = make_room(c);
    if (status != VSM_OK) {
        destroy(c);
        return status;
    }
    memset(c->up, 0, sizeof(*c->up));
    place_mending(c);
    *planes = (struct vsm_stereo_planes){&kind, c};
    return VSM_OK;
}
