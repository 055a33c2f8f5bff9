#include "geometry/reprojection.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "geometry/circle_tile.h"

#include <string.h>

#define BAND    VSM_REPROJECTION_ALIGNMENT /* luma rows a job */
#define BLOCK   VSM_REPROJECTION_BLOCK
#define BLOCKS  VSM_CIRCLE_TILE_BLOCKS
#define SAMPLES VSM_CIRCLE_TILE_SAMPLES

struct vsm_reprojection {
    struct vsm_reprojection_options options;
    struct vsm_circle_map luma, chroma; /* the circles; chroma: if its samples are fewer */
    struct vsm_circle_map disc;
    double centre[2]; /* of what an eye sees, luma pixels from its corner */
    struct vsm_image_pool
        *halves; /* for mattes at half size, both eyes side by side; NULL: discs need all of them */
};

struct draw {
    const struct vsm_reprojection *reprojection;
    const struct vsm_reprojection_kernels *kernels;
    const struct vsm_image *picture, *matte;
    struct vsm_image *frame, *half; /* half: the matte at half size, or NULL */
};

/* Rows first..last-1 of one plane of the frame. */
struct rows {
    int plane, first, last;
};

/* What a plane's circles are drawn from. */
struct circles {
    const struct vsm_circle_map *map;
    struct vsm_circle_lens lens;
    int radius; /* samples across */
};

static int round_up(int n)
{
    return (n + BLOCK - 1) / BLOCK * BLOCK;
}

static int chroma_x_of(struct vsm_format format, int plane)
{
    return plane == 1 || plane == 2 ? format.chroma_x : 0;
}

static int chroma_y_of(struct vsm_format format, int plane)
{
    return plane == 1 || plane == 2 ? format.chroma_y : 0;
}

static int create_mapping(struct vsm_reprojection *reprojection)
{
    const struct vsm_reprojection_options *o = &reprojection->options;
    struct vsm_circle circle = {.half_equirect = o->half_equirect,
                                .field_of_view = o->field_of_view,
                                .radius = 0.5 * o->height};
    struct vsm_projection_eye source;
    int status = vsm_projection_lens(&o->lens, o->eyes[0].width, o->eyes[0].height, &source);

    reprojection->centre[0] = source.centre_u;
    reprojection->centre[1] = source.centre_v;
    if (status == VSM_OK)
        status = vsm_circle_map_create(&source, &circle, &reprojection->luma);
    circle.chroma_x = o->format.chroma_x;
    circle.chroma_y = o->format.chroma_y;
    if (status == VSM_OK && (circle.chroma_x || circle.chroma_y))
        status = vsm_circle_map_create(&source, &circle, &reprojection->chroma);
    circle = (struct vsm_circle){.field_of_view = o->field_of_view, .radius = 0.2 * o->height};
    return status == VSM_OK ? vsm_circle_map_create(&source, &circle, &reprojection->disc) : status;
}

/* A disc's pixel covers more than two samples of the matte across and down, so that half of them are
 * enough. */
static int create_halves(struct vsm_reprojection *reprojection)
{
    static const struct vsm_format gray = {.planes = VSM_PLANES_GRAY, .depth = 16};
    const struct vsm_rect *eye = &reprojection->options.eyes[0];

    if (eye->height < 0.8 * reprojection->options.height)
        return VSM_OK;
    reprojection->halves = vsm_image_pool_create(gray, eye->width, eye->height / 2, (struct vsm_colour){0});
    return reprojection->halves ? VSM_OK : VSM_E_NOMEM;
}

int vsm_reprojection_height(int eye_height)
{
    int height = eye_height < VSM_REPROJECTION_MAX ? eye_height : VSM_REPROJECTION_MAX;

    height =
        (height + VSM_REPROJECTION_ALIGNMENT - 1) / VSM_REPROJECTION_ALIGNMENT * VSM_REPROJECTION_ALIGNMENT;
    return height < VSM_REPROJECTION_MIN ? VSM_REPROJECTION_MIN : height;
}

size_t vsm_reprojection_bytes(int height)
{
    return (size_t)height * (size_t)height * 3 / 2;
}

static bool is_drawable(struct vsm_format format)
{
    return !format.shift && (format.planes == VSM_PLANES_GRAY || format.planes == VSM_PLANES_YUV ||
                             format.planes == VSM_PLANES_YUVA);
}

int vsm_reprojection_create(const struct vsm_reprojection_options *options,
                            struct vsm_reprojection **reprojection)
{
    const struct vsm_rect *left = &options->eyes[0], *right = &options->eyes[1];
    struct vsm_reprojection *p;
    int status;

    if (options->lens.projection == VSM_RECTILINEAR || left->width != right->width ||
        left->height != right->height || left->width < 32 || left->height < 32 ||
        left->width > VSM_REPROJECTION_MAX || left->height > VSM_REPROJECTION_MAX ||
        (left->x | left->y | right->x | right->y | left->width | left->height) % 2 ||
        options->height < VSM_REPROJECTION_MIN || options->height > VSM_REPROJECTION_MAX ||
        options->height % VSM_REPROJECTION_ALIGNMENT || !is_drawable(options->format))
        return vsm_fail(VSM_E_INTERNAL, "reprojection: eyes of %dx%d and %dx%d cannot be drawn %d lines high",
                        left->width, left->height, right->width, right->height, options->height);
    p = vsm_mem_alloc("reprojection", 1, sizeof(*p));
    if (!p)
        return VSM_E_NOMEM;
    p->options = *options;
    status = create_mapping(p);
    if (status == VSM_OK)
        status = create_halves(p);
    if (status != VSM_OK) {
        vsm_reprojection_destroy(p);
        return status;
    }
    *reprojection = p;
    return VSM_OK;
}

void vsm_reprojection_destroy(struct vsm_reprojection *reprojection)
{
    if (!reprojection)
        return;
    vsm_circle_map_finish(&reprojection->luma);
    vsm_circle_map_finish(&reprojection->chroma);
    vsm_circle_map_finish(&reprojection->disc);
    vsm_image_pool_destroy(reprojection->halves);
    vsm_mem_free(reprojection);
}

static uint8_t *sample_address(struct vsm_image *frame, int plane, int x, int y)
{
    return frame->data[plane] + y * frame->stride[plane] +
           (ptrdiff_t)x * vsm_format_bytes_per_sample(frame->format);
}

static void fill(struct vsm_image *frame, int plane, int row, int from, int to, int code)
{
    uint8_t *at = sample_address(frame, plane, from, row);

    if (frame->format.depth == 8) {
        memset(at, code, (size_t)(to - from));
        return;
    }
    for (int x = 0; x < to - from; x++)
        ((uint16_t *)(void *)at)[x] = (uint16_t)code;
}

/* The samples of a row that belong to no circle. */
static void draw_background(const struct draw *d, const struct vsm_circle_map *map, int plane, int row,
                            int radius, int middle)
{
    int at = row - middle, reach = map->reach[at < 0 ? -1 - at : at];
    int code = d->reprojection->options.background[plane];

    fill(d->frame, plane, row, 0, radius - reach, code);
    fill(d->frame, plane, row, radius + reach, 3 * radius - reach, code);
    fill(d->frame, plane, row, 3 * radius + reach, 4 * radius, code);
}

static void draw_circle_run(const struct draw *d, const struct circles *c, const struct vsm_circle_run *run,
                            int plane, int row)
{
    int bytes = vsm_format_bytes_per_sample(d->frame->format);
    _Alignas(32) uint8_t samples[VSM_REPROJECTION_SOURCES][2 * SAMPLES];
    uint8_t *const out[] = {samples[0], samples[1], samples[2], samples[3]};

    if (run->first == run->last)
        return;
    vsm_circle_run_sample(run, c->map, &c->lens, d->kernels, out);
    for (int i = 0; i < c->lens.window.sources; i++)
        memcpy(sample_address(d->frame, plane + i / 2, (2 * (i % 2) + 1) * c->radius + run->first, row),
               samples[i] + (ptrdiff_t)(run->first - run->begin * BLOCK) * bytes,
               (size_t)((run->last - run->first) * bytes));
}

/* Draws `planes` planes, beginning with that of `rows`. A run is placed for the next tile as soon as it is
 * drawn. */
static void draw_circles(const struct draw *d, struct rows rows, int planes)
{
    const struct vsm_reprojection_options *o = &d->reprojection->options;
    int cx = chroma_x_of(o->format, rows.plane), cy = chroma_y_of(o->format, rows.plane);
    int middle = o->height / 2 >> cy;
    struct circles c = {.map = cx || cy ? &d->reprojection->chroma : &d->reprojection->luma,
                        .lens =
                            vsm_circle_lens(d->picture, rows.plane, planes, o->eyes, d->reprojection->centre),
                        .radius = o->height / 2 >> cx};
    struct vsm_circle_run runs[BAND];
    int first = -round_up(c.radius) / BLOCK, end = c.radius / BLOCK + 1;

    for (int row = rows.first; row < rows.last; row++)
        for (int p = rows.plane; p < rows.plane + planes; p++)
            draw_background(d, c.map, p, row, c.radius, middle);
    for (int next = first; next < end + BLOCKS; next += BLOCKS)
        for (int row = rows.first; row < rows.last; row++) {
            struct vsm_circle_run *run = &runs[row - rows.first];

            if (next > first)
                draw_circle_run(d, &c, run, rows.plane, row);
            if (next < end)
                vsm_circle_run_place(run, c.map, &c.lens, row - middle, next);
        }
}

/* Codes of an alpha plane's samples from..to-1, counted from a disc's centre, which lies at `centre`. sums[0]
 * is that of sample `begin`. */
static void put_codes(const struct draw *d, const int32_t *sums, int begin, int from, int to, int plane,
                      int row, int centre)
{
    const struct vsm_reprojection_options *o = &d->reprojection->options;
    int shift = chroma_x_of(o->format, plane) + chroma_y_of(o->format, plane);
    float zero = (float)o->alpha_zero[plane] + 0.5f;
    float gain = (float)(o->alpha_one[plane] - o->alpha_zero[plane]) / (65535.0f * (float)(1 << shift));
    uint8_t *bytes = sample_address(d->frame, plane, centre, row);
    uint16_t *words = (uint16_t *)(void *)bytes;

    for (int i = from; i < to; i++) {
        int code = (int)(zero + gain * (float)sums[i - begin]);

        if (o->format.depth == 8)
            bytes[i] = (uint8_t)code;
        else
            words[i] = (uint16_t)code;
    }
}

/* Adds, for both eyes, the alpha of a run's pixels to `sums`. */
static void add_pixels(const struct draw *d, const struct vsm_circle_lens *lens,
                       const struct vsm_circle_run *run, int32_t sums[2][SAMPLES])
{
    _Alignas(32) uint16_t pixels[2][SAMPLES];
    uint8_t *const out[2] = {(uint8_t *)pixels[0], (uint8_t *)pixels[1]};
    int begin = run->begin * BLOCK;

    vsm_circle_run_sample(run, &d->reprojection->disc, lens, d->kernels, out);
    for (int eye = 0; eye < 2; eye++)
        for (int i = run->first - begin; i < run->last - begin; i++)
            sums[eye][i] += pixels[eye][i];
}

/* Samples to the right of a disc's centre, in a plane's row, that cover one of its pixels. */
static int disc_reach(const struct vsm_circle_map *disc, int y, int cx, int cy)
{
    int nearest = y < 0 ? -y - (1 << cy) : y; /* row of pixels, mirrored */

    return nearest < disc->rows ? (disc->reach[nearest] + cx) >> cx : 0;
}

/* One tile's part of a row of both eyes' discs: the left one lies round the middle of the frame's border, the
 * right one round the corners. `runs`: of the pixels that the row covers. */
static void draw_disc_row(const struct draw *d, const struct vsm_circle_lens *lens, int plane, int row,
                          const struct vsm_circle_run *runs)
{
    const struct vsm_reprojection_options *o = &d->reprojection->options;
    int cx = chroma_x_of(o->format, plane), cy = chroma_y_of(o->format, plane), width = o->height >> cx;
    int reach = disc_reach(&d->reprojection->disc, runs[0].row, cx, cy);
    int first = runs[0].begin * BLOCK / (1 << cx), last = first + (SAMPLES >> cx);
    int from = first > -reach ? first : -reach, to = last < reach ? last : reach;
    int32_t sums[2][SAMPLES] = {{0}};

    if (from >= to)
        return;
    for (int k = 0; k < 1 << cy; k++)
        add_pixels(d, lens, &runs[k], sums);
    for (int eye = 0; cx && eye < 2; eye++)
        for (int i = 0; i < SAMPLES / 2; i++)
            sums[eye][i] = sums[eye][2 * i] + sums[eye][2 * i + 1];
    put_codes(d, sums[VSM_LEFT], first, from, to, plane, row, width);
    put_codes(d, sums[VSM_RIGHT], first, from > 0 ? from : 0, to, plane, row, 0);
    put_codes(d, sums[VSM_RIGHT], first, from, to < 0 ? to : 0, plane, row, 2 * width);
}

static struct vsm_circle_lens matte_lens(const struct draw *d)
{
    const struct vsm_rect *eyes = d->reprojection->options.eyes;
    struct vsm_rect left = {0, 0, eyes[0].width / 2, eyes[0].height / 2}, right = left;
    const double centre[2] = {0.5 * d->reprojection->centre[0], 0.5 * d->reprojection->centre[1]};
    struct vsm_circle_lens lens;

    if (!d->half)
        return vsm_circle_lens(d->matte, 0, 1, eyes, d->reprojection->centre);
    right.x = left.width;
    lens = vsm_circle_lens(d->half, 0, 1, (const struct vsm_rect[2]){left, right}, centre);
    lens.scale_x = lens.scale_y = 0.5f;
    return lens;
}

static void draw_discs(const struct draw *d, struct rows rows)
{
    const struct vsm_reprojection_options *o = &d->reprojection->options;
    int cy = chroma_y_of(o->format, rows.plane), height = o->height >> cy, reach = height / 5 + 2;
    int end = round_up(d->reprojection->disc.rows) / BLOCK, pixels = 1 << cy;
    int y = (rows.first << cy) - (2 * rows.first < height ? 0 : o->height);
    struct vsm_circle_lens lens = matte_lens(d);
    struct vsm_circle_run runs[BAND];

    if ((rows.first >= reach && rows.last <= height - reach) ||
        (rows.plane && o->alpha_one[rows.plane] == o->alpha_zero[rows.plane]))
        return;
    for (int next = -end; next < end + BLOCKS; next += BLOCKS)
        for (int row = rows.first; row < rows.last; row++) {
            int first = pixels * (row - rows.first);

            if (next > -end)
                draw_disc_row(d, &lens, rows.plane, row, &runs[first]);
            for (int i = first; next < end && i < first + pixels; i++)
                vsm_circle_run_place(&runs[i], &d->reprojection->disc, &lens, y + i, next);
        }
}

/* Both chroma planes are drawn at once, so that places are found once. */
static bool draws_together(const struct draw *d, int plane)
{
    return plane == 1 && d->picture->stride[1] == d->picture->stride[2];
}

static void draw_band(void *context, int index, int worker)
{
    const struct draw *d = context;

    (void)worker;
    for (int plane = 0; plane < vsm_format_plane_count(d->frame->format); plane++) {
        int shift = chroma_y_of(d->frame->format, plane);
        struct rows rows = {plane, index * BAND >> shift, (index + 1) * BAND >> shift};

        if (plane != 2 || !draws_together(d, 1))
            draw_circles(d, rows, draws_together(d, plane) ? 2 : 1);
        if (d->matte)
            draw_discs(d, rows);
    }
}

static void halve_band(void *context, int index, int worker)
{
    const struct draw *d = context;
    const struct vsm_rect *eyes = d->reprojection->options.eyes;
    int last = (index + 1) * BAND < d->half->height ? (index + 1) * BAND : d->half->height;

    (void)worker;
    for (int row = index * BAND; row < last; row++)
        for (int eye = 0; eye < 2; eye++) {
            ptrdiff_t stride = d->matte->stride[0];
            const uint8_t *from =
                d->matte->data[0] + (eyes[eye].y + 2 * row) * stride + 2 * (ptrdiff_t)eyes[eye].x;
            int n = eyes[eye].width / 2;

            d->kernels->halve((const uint16_t *)(const void *)from,
                              (const uint16_t *)(const void *)(from + stride), n,
                              (uint16_t *)(void *)(d->half->data[0] + row * d->half->stride[0]) + eye * n);
        }
}

static int halve_matte(struct draw *d, struct vsm_parallel *pool)
{
    if (!d->matte || !d->reprojection->halves)
        return VSM_OK;
    d->half = vsm_image_pool_get(d->reprojection->halves);
    if (!d->half)
        return VSM_E_NOMEM;
    vsm_parallel_for(pool, (d->half->height + BAND - 1) / BAND, halve_band, d);
    return VSM_OK;
}

static bool contains(const struct vsm_image *image, struct vsm_rect r)
{
    return r.x >= 0 && r.y >= 0 && r.width <= image->width - r.x && r.height <= image->height - r.y;
}

/* Whether places in its planes are within 32 bits, as vector kernels need. */
static bool is_small(const struct vsm_image *image)
{
    for (int p = 0; p < vsm_format_plane_count(image->format); p++)
        if (image->stride[p] < 0 || image->stride[p] > INT32_MAX / (image->height + 1))
            return false;
    return true;
}

static const struct vsm_reprojection_kernels *choose_kernels(const struct draw *d)
{
#if defined(__x86_64__)
    if (vsm_cpu_has_avx2() && is_small(d->picture) && (!d->matte || is_small(d->matte)))
        return &vsm_reprojection_kernels_avx2;
#endif
    return &vsm_reprojection_kernels_c;
}

int vsm_reprojection_draw(const struct vsm_reprojection *reprojection, const struct vsm_image *picture,
                          const struct vsm_image *matte, struct vsm_image *frame, struct vsm_parallel *pool)
{
    struct draw draw = {.reprojection = reprojection, .picture = picture, .matte = matte, .frame = frame};
    const struct vsm_reprojection_options *o = &reprojection->options;
    int status;

    if (!vsm_format_equal(picture->format, o->format) || !vsm_format_equal(frame->format, o->format) ||
        frame->height != o->height || frame->width != 2 * o->height ||
        (matte && (matte->format.planes != VSM_PLANES_GRAY || matte->format.depth != 16 ||
                   matte->width != picture->width || matte->height != picture->height)) ||
        !contains(picture, o->eyes[0]) || !contains(picture, o->eyes[1]))
        return vsm_fail(VSM_E_INTERNAL, "reprojection: pictures of %dx%d and %dx%d do not fit the layout",
                        picture->width, picture->height, frame->width, frame->height);
    draw.kernels = choose_kernels(&draw);
    status = halve_matte(&draw, pool);
    if (status == VSM_OK)
        vsm_parallel_for(pool, o->height / BAND, draw_band, &draw);
    vsm_image_unref(&draw.half);
    return status;
}
