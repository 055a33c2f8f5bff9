#include "both_planes.h"

#include "base/mem.h"
#include "cuda/device.h"
#include "pixel/coefficients.h"
#include "stereo/stereo_planes_cuda.h"
#include "stereo/stereo_planes_host.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SHOWN 5 /* differences that are printed of each */

struct both_planes_tally both_planes_tallies[BOTH_PLANES_WHATS];
const char *const both_planes_names[BOTH_PLANES_WHATS] = {"look",  "edges", "match",       "can match",
                                                          "light", "agree", "agree after", "measure",
                                                          "maps",  "note"};
long both_planes_replaced;

/* Sums of up to a million terms in another order; alpha by a factor that follows from such sums and rounds
 * the other way now and then; and lines through that alpha, whose slope divides by at least 1e-5. */
static const double allowed[BOTH_PLANES_WHATS] = {
    [BOTH_PLANES_EDGES] = 1e-10, [BOTH_PLANES_LIGHT] = 1e-10, [BOTH_PLANES_AGREE] = 1e-10,
    [BOTH_PLANES_AFTER] = 1e-5,  [BOTH_PLANES_MAPS] = 1e-4,   [BOTH_PLANES_NOTE] = 1e-6};

struct both {
    struct vsm_stereo_planes host, device;
    struct vsm_cuda_stream *stream;
    int width, height;
    size_t pixels;
    void *rgb[2], *maps[2];                        /* on the device */
    float *turned;                                 /* maps of an eye in the device's layout */
    float *given[2];                               /* the frame's maps as they came */
    bool replaced;                                 /* in this frame */
    float *frame_maps[2];                          /* of the frame */
    struct vsm_disparity_map map;                  /* as the device has it */
    struct vsm_mend_sums cells[2][VSM_MEND_CELLS]; /* likewise */
    float means[2][VSM_MEND_CELLS];                /* likewise */
    struct vsm_eye_health_look looks[2];           /* likewise */
};

void both_planes_clear(void)
{
    memset(both_planes_tallies, 0, sizeof(both_planes_tallies));
    both_planes_replaced = 0;
}

static void compare(enum both_planes_what what, const char *name, int place, double host, double device)
{
    struct both_planes_tally *t = &both_planes_tallies[what];
    const double apart = fabs(host - device) / fmax(1.0, fabs(host));

    t->values++;
    if (memcmp(&host, &device, sizeof(host)) == 0 || (isnan(host) && isnan(device)))
        return;
    t->apart++;
    if (!(apart <= t->most))
        t->most = apart;
    if (apart <= allowed[what])
        return;
    if (t->beyond++ < SHOWN)
        printf("# %s, call %ld: %s of %d is %.9g on the host, %.9g on the device\n", both_planes_names[what],
               t->calls, name, place, host, device);
}

static int look(void *self, const float *const rgb[2], struct vsm_eye_health_look looks[2])
{
    struct both *b = self;
    const float *there[2] = {b->rgb[0], b->rgb[1]};
    int status = b->host.kind->look(b->host.self, rgb, looks);

    for (int eye = 0; eye < 2 && status == VSM_OK; eye++)
        status = vsm_cuda_copy(b->rgb[eye], rgb[eye], 3 * b->pixels * sizeof(float), b->stream);
    if (status == VSM_OK)
        status = b->device.kind->look(b->device.self, there, b->looks);
    if (status != VSM_OK)
        return status;
    both_planes_tallies[BOTH_PLANES_LOOK].calls++;
    both_planes_tallies[BOTH_PLANES_EDGES].calls++;
    for (int eye = 0; eye < 2; eye++) {
        const struct vsm_eye_health_look *h = &looks[eye], *d = &b->looks[eye];

        for (int i = 0; i < VSM_EYE_HEALTH_SIDE * VSM_EYE_HEALTH_SIDE; i++)
            compare(BOTH_PLANES_LOOK, "small", i, (double)h->small[i], (double)d->small[i]);
        for (int i = 0; i < VSM_EYE_HEALTH_POINTS * VSM_EYE_HEALTH_POINTS; i++)
            compare(BOTH_PLANES_LOOK, "point", i, (double)h->points[i], (double)d->points[i]);
        compare(BOTH_PLANES_EDGES, "edges", eye, h->edges, d->edges);
    }
    return VSM_OK;
}

static int begin(void *self, const float *const rgb[2], float *const maps[2])
{
    struct both *b = self;
    const float *rgb_there[2] = {b->rgb[0], b->rgb[1]};
    float *maps_there[2] = {b->maps[0], b->maps[1]};
    int status = b->host.kind->begin(b->host.self, rgb, maps);

    b->replaced = false;
    for (int eye = 0; eye < 2 && status == VSM_OK; eye++) {
        b->frame_maps[eye] = maps[eye];
        memcpy(b->given[eye], maps[eye], VSM_COEFFICIENT_MAPS * b->pixels * sizeof(float));
        for (size_t i = 0; i < VSM_COEFFICIENT_MAPS * b->pixels; i++)
            b->turned[i] = maps[eye][i % VSM_COEFFICIENT_MAPS * b->pixels + i / VSM_COEFFICIENT_MAPS];
        status = vsm_cuda_copy(b->rgb[eye], rgb[eye], 3 * b->pixels * sizeof(float), b->stream);
        if (status == VSM_OK)
            status = vsm_cuda_copy(b->maps[eye], b->turned, VSM_COEFFICIENT_MAPS * b->pixels * sizeof(float),
                                   b->stream);
    }
    return status == VSM_OK ? b->device.kind->begin(b->device.self, rgb_there, maps_there) : status;
}

static int match(void *self, int eye, const struct vsm_disparity_search *search, bool needed,
                 struct vsm_disparity_map *map)
{
    struct both *b = self;
    int status;

    b->map = *map;
    status = b->host.kind->match(b->host.self, eye, search, needed, map);
    if (status == VSM_OK)
        status = b->device.kind->match(b->device.self, eye, search, needed, &b->map);
    if (status != VSM_OK)
        return status;
    both_planes_tallies[BOTH_PLANES_MATCH].calls++;
    compare(BOTH_PLANES_MATCH, "tried", needed, map->tried, b->map.tried);
    compare(BOTH_PLANES_MATCH, "matched", needed, map->matched, b->map.matched);
    for (int i = 0; i < map->columns * map->rows; i++) {
        const struct vsm_disparity_cell *h = &map->cells[i], *d = &b->map.cells[i];

        compare(BOTH_PLANES_MATCH, "people", i, (double)h->people, (double)d->people);
        compare(BOTH_PLANES_MATCH, "confidence", i, (double)h->confidence, (double)d->confidence);
        if (h->confidence <= 0.0f)
            continue;
        compare(BOTH_PLANES_MATCH, "parallax", i, (double)h->parallax, (double)d->parallax);
        compare(BOTH_PLANES_MATCH, "residual", i, (double)h->residual, (double)d->residual);
    }
    return VSM_OK;
}

static int can_match(void *self, int eye, bool *can)
{
    struct both *b = self;
    bool there = false;
    int status = b->host.kind->can_match(b->host.self, eye, can);

    if (status == VSM_OK)
        status = b->device.kind->can_match(b->device.self, eye, &there);
    if (status != VSM_OK)
        return status;
    both_planes_tallies[BOTH_PLANES_CAN_MATCH].calls++;
    compare(BOTH_PLANES_CAN_MATCH, "can", eye, *can, there);
    return VSM_OK;
}

static int light(void *self, int eye, const struct vsm_disparity_map *map, double sums[2][3])
{
    struct both *b = self;
    double there[2][3];
    int status = b->host.kind->light(b->host.self, eye, map, sums);

    if (status == VSM_OK)
        status = b->device.kind->light(b->device.self, eye, map, there);
    if (status != VSM_OK)
        return status;
    both_planes_tallies[BOTH_PLANES_LIGHT].calls++;
    for (int i = 0; i < 6; i++)
        compare(BOTH_PLANES_LIGHT, "light", i, sums[i / 3][i % 3], there[i / 3][i % 3]);
    return VSM_OK;
}

static int move(void *self, int eye, const struct vsm_disparity_map *map)
{
    struct both *b = self;
    int status = b->host.kind->move(b->host.self, eye, map);

    return status == VSM_OK ? b->device.kind->move(b->device.self, eye, map) : status;
}

static int agree(void *self, int eye, struct vsm_consistency_sums *sums)
{
    struct both *b = self;
    const enum both_planes_what what = b->replaced ? BOTH_PLANES_AFTER : BOTH_PLANES_AGREE;
    struct vsm_consistency_sums there;
    int status = b->host.kind->agree(b->host.self, eye, sums);

    if (status == VSM_OK)
        status = b->device.kind->agree(b->device.self, eye, &there);
    if (status != VSM_OK)
        return status;
    both_planes_tallies[what].calls++;
    compare(what, "both", eye, sums->both, there.both);
    compare(what, "either", eye, sums->either, there.either);
    for (int i = 0; i < 2; i++) {
        compare(what, "area", i, sums->area[i], there.area[i]);
        compare(what, "x", i, sums->x[i], there.x[i]);
        compare(what, "y", i, sums->y[i], there.y[i]);
    }
    return VSM_OK;
}

static int need(void *self, int eye)
{
    struct both *b = self;
    int status = b->host.kind->need(b->host.self, eye);

    return status == VSM_OK ? b->device.kind->need(b->device.self, eye) : status;
}

static int measure(void *self, struct vsm_mend_sums cells[2][VSM_MEND_CELLS])
{
    struct both *b = self;
    int status = b->host.kind->measure(b->host.self, cells);

    if (status == VSM_OK)
        status = b->device.kind->measure(b->device.self, b->cells);
    if (status != VSM_OK)
        return status;
    both_planes_tallies[BOTH_PLANES_MEASURE].calls++;
    for (int i = 0; i < 2 * b->map.columns * b->map.rows; i++) {
        const int eye = i & 1, cell = i >> 1;
        const struct vsm_mend_sums *h = &cells[eye][cell], *d = &b->cells[eye][cell];

        compare(BOTH_PLANES_MEASURE, "own", cell, (double)h->own, (double)d->own);
        compare(BOTH_PLANES_MEASURE, "moved", cell, (double)h->moved, (double)d->moved);
        compare(BOTH_PLANES_MEASURE, "both", cell, (double)h->both, (double)d->both);
        compare(BOTH_PLANES_MEASURE, "either", cell, (double)h->either, (double)d->either);
        compare(BOTH_PLANES_MEASURE, "apart", cell, (double)h->apart, (double)d->apart);
        compare(BOTH_PLANES_MEASURE, "known", cell, (double)h->known, (double)d->known);
    }
    return VSM_OK;
}

static int blend(void *self, const struct vsm_disparity_map *const maps[2],
                 const struct vsm_consensus *consensus, const struct vsm_mend *mend, const float gain[2][3])
{
    struct both *b = self;
    int status = b->host.kind->blend(b->host.self, maps, consensus, mend, gain);

    return status == VSM_OK ? b->device.kind->blend(b->device.self, maps, consensus, mend, gain) : status;
}

static int compare_maps(struct both *b, int eye)
{
    const size_t count = VSM_COEFFICIENT_MAPS * b->pixels;
    int status = vsm_cuda_copy(b->turned, b->maps[eye], count * sizeof(float), b->stream);

    if (status == VSM_OK)
        status = vsm_cuda_stream_wait(b->stream);
    for (size_t i = 0; i < count && status == VSM_OK; i++) {
        const size_t at = i % VSM_COEFFICIENT_MAPS * b->pixels + i / VSM_COEFFICIENT_MAPS;

        compare(BOTH_PLANES_MAPS, eye ? "right map" : "left map", (int)i, (double)b->frame_maps[eye][at],
                (double)b->turned[i]);
        both_planes_replaced +=
            b->frame_maps[eye][at] < b->given[eye][at] || b->frame_maps[eye][at] > b->given[eye][at];
    }
    return status;
}

static int replace(void *self)
{
    struct both *b = self;
    int status = b->host.kind->replace(b->host.self);

    if (status == VSM_OK)
        status = b->device.kind->replace(b->device.self);
    b->replaced = true;
    both_planes_tallies[BOTH_PLANES_MAPS].calls++;
    for (int eye = 0; eye < 2 && status == VSM_OK; eye++)
        status = compare_maps(b, eye);
    return status;
}

static int note(void *self, float means[2][VSM_MEND_CELLS])
{
    struct both *b = self;
    int status = b->host.kind->note(b->host.self, means);

    if (status == VSM_OK)
        status = b->device.kind->note(b->device.self, b->means);
    if (status != VSM_OK)
        return status;
    both_planes_tallies[BOTH_PLANES_NOTE].calls++;
    for (int i = 0; i < 2 * b->map.columns * b->map.rows; i++)
        compare(BOTH_PLANES_NOTE, i & 1 ? "right mean" : "left mean", i >> 1, (double)means[i & 1][i >> 1],
                (double)b->means[i & 1][i >> 1]);
    return VSM_OK;
}

static void end(void *self)
{
    struct both *b = self;

    b->host.kind->end(b->host.self);
    b->device.kind->end(b->device.self);
}

static void destroy(void *self)
{
    struct both *b = self;

    if (b->host.kind)
        b->host.kind->destroy(b->host.self);
    if (b->device.kind)
        b->device.kind->destroy(b->device.self);
    for (int eye = 0; eye < 2; eye++) {
        vsm_cuda_free(b->rgb[eye]);
        vsm_cuda_free(b->maps[eye]);
        vsm_mem_free(b->given[eye]);
    }
    vsm_mem_free(b->turned);
    vsm_cuda_stream_destroy(b->stream);
    vsm_mem_free(b);
}

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

static int make_room(struct both *b)
{
    const size_t maps = VSM_COEFFICIENT_MAPS * b->pixels;
    int status = vsm_cuda_stream_create(&b->stream);

    for (int eye = 0; eye < 2 && status == VSM_OK; eye++) {
        status = vsm_cuda_alloc("pictures", 3 * b->pixels * sizeof(float), &b->rgb[eye]);
        if (status == VSM_OK)
            status = vsm_cuda_alloc("maps", maps * sizeof(float), &b->maps[eye]);
        if (status == VSM_OK && !(b->given[eye] = vsm_mem_alloc("maps", maps, sizeof(float))))
            status = VSM_E_NOMEM;
    }
    if (status == VSM_OK && !(b->turned = vsm_mem_alloc("maps", maps, sizeof(float))))
        status = VSM_E_NOMEM;
    return status;
}

/* The linker gives this the name's own function where tests have theirs in its place. */
int __real_vsm_stereo_planes_host_create(const struct vsm_stereo_planes_options *options,
                                         struct vsm_stereo_planes *planes) VSM_NODISCARD;

int both_planes_create(const struct vsm_stereo_planes_options *options, struct vsm_stereo_planes *planes)
{
    struct both *b = vsm_mem_alloc("both planes", 1, sizeof(*b));
    struct vsm_stereo_planes_options own = *options;
    int status;

    if (!b)
        return VSM_E_NOMEM;
    vsm_disparity_grid(options->disparity[0], &b->width, &b->height);
    vsm_disparity_cells(options->disparity[0], &b->map.side, &b->map.columns, &b->map.rows);
    b->pixels = (size_t)b->width * (size_t)b->height;
    status = make_room(b);
    own.stream = b->stream;
    if (status == VSM_OK)
        status = __real_vsm_stereo_planes_host_create(options, &b->host);
    if (status == VSM_OK)
        status = vsm_stereo_planes_cuda_create(&own, &b->device);
    if (status != VSM_OK) {
        destroy(b);
        return status;
    }
    *planes = (struct vsm_stereo_planes){.kind = &kind, .self = b};
    return VSM_OK;
}
