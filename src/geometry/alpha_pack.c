#include "geometry/alpha_pack.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "geometry/alpha_pack_kernels.h"
#include "geometry/circle_map.h"

#include <string.h>

#define BAND  VSM_ALPHA_PACK_ALIGNMENT /* luma rows a job */
#define BLOCK VSM_ALPHA_PACK_BLOCK
/* Blocks of a tile, which is a band high: its source stays in the first-level cache and few memory pages. */
#define STRIP   32
#define SAMPLES (STRIP * BLOCK)

#define CACHE_LINE 64 /* bytes */

_Static_assert(VSM_CIRCLE_MAP_POLE % BLOCK == 0, "a block is near a pole or not");
_Static_assert(VSM_CIRCLE_MAP_STEP == VSM_ALPHA_PACK_BLOCK, "a block lies between two nodes");

struct vsm_alpha_pack {
    struct vsm_alpha_pack_options options;
    struct vsm_circle_map luma, chroma; /* the circles; chroma: if its samples are fewer */
    struct vsm_circle_map disc;         /* two points a pixel across and down */
};

struct draw {
    const struct vsm_alpha_pack *pack;
    const struct vsm_alpha_pack_kernels *kernels;
    const struct vsm_image *picture, *matte;
    struct vsm_image *frame;
};

/* Rows first..last-1 of one plane of the frame. */
struct rows {
    int plane, first, last;
};

/* Where a plane's samples lie in both eyes. */
struct lens {
    struct vsm_alpha_pack_window window;
    float centre_x, centre_y; /* of the eye, where the first sample's middle is (0, 0) */
    float scale_x, scale_y;   /* samples a luma pixel */
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

static int create_mapping(struct vsm_alpha_pack *pack)
{
    const struct vsm_alpha_pack_options *o = &pack->options;
    struct vsm_circle circle = {.field_of_view = o->field_of_view, .radius = 0.5 * o->height};
    struct vsm_projection_eye source;
    int status =
        vsm_projection_eye(o->projection, o->eyes[0].width, o->eyes[0].height, o->source_view, &source);

    if (status == VSM_OK)
        status = vsm_circle_map_create(&source, &circle, &pack->luma);
    circle.chroma_x = o->format.chroma_x;
    circle.chroma_y = o->format.chroma_y;
    if (status == VSM_OK && (circle.chroma_x || circle.chroma_y))
        status = vsm_circle_map_create(&source, &circle, &pack->chroma);
    circle = (struct vsm_circle){.field_of_view = o->field_of_view, .radius = 0.4 * o->height};
    return status == VSM_OK ? vsm_circle_map_create(&source, &circle, &pack->disc) : status;
}

int vsm_alpha_pack_height(int eye_height)
{
    int height = eye_height < VSM_ALPHA_PACK_MAX ? eye_height : VSM_ALPHA_PACK_MAX;

    height = (height + VSM_ALPHA_PACK_ALIGNMENT - 1) / VSM_ALPHA_PACK_ALIGNMENT * VSM_ALPHA_PACK_ALIGNMENT;
    return height < VSM_ALPHA_PACK_MIN ? VSM_ALPHA_PACK_MIN : height;
}

size_t vsm_alpha_pack_bytes(int height)
{
    return (size_t)height * (size_t)height / 2;
}

static bool is_drawable(struct vsm_format format)
{
    return !format.shift && (format.planes == VSM_PLANES_GRAY || format.planes == VSM_PLANES_YUV ||
                             format.planes == VSM_PLANES_YUVA);
}

int vsm_alpha_pack_create(const struct vsm_alpha_pack_options *options, struct vsm_alpha_pack **pack)
{
    const struct vsm_rect *left = &options->eyes[0], *right = &options->eyes[1];
    struct vsm_alpha_pack *p;
    int status;

    if (options->projection == VSM_RECTILINEAR || left->width != right->width ||
        left->height != right->height || left->width < 32 || left->height < 32 ||
        left->width > VSM_ALPHA_PACK_MAX || left->height > VSM_ALPHA_PACK_MAX ||
        (left->x | left->y | right->x | right->y | left->width | left->height) % 2 ||
        options->height < VSM_ALPHA_PACK_MIN || options->height > VSM_ALPHA_PACK_MAX ||
        options->height % VSM_ALPHA_PACK_ALIGNMENT || !is_drawable(options->format))
        return vsm_fail(VSM_E_INTERNAL,
                        "alpha-packed: eyes of %dx%d and %dx%d cannot become circles of %d lines",
                        left->width, left->height, right->width, right->height, options->height);
    p = vsm_mem_alloc("alpha-packed layout", 1, sizeof(*p));
    if (!p)
        return VSM_E_NOMEM;
    p->options = *options;
    status = create_mapping(p);
    if (status != VSM_OK) {
        vsm_alpha_pack_destroy(p);
        return status;
    }
    *pack = p;
    return VSM_OK;
}

void vsm_alpha_pack_destroy(struct vsm_alpha_pack *pack)
{
    if (!pack)
        return;
    vsm_circle_map_finish(&pack->luma);
    vsm_circle_map_finish(&pack->chroma);
    vsm_circle_map_finish(&pack->disc);
    vsm_mem_free(pack);
}

static const uint8_t *first_sample(const struct vsm_image *image, int plane, struct vsm_rect eye)
{
    int x = eye.x >> chroma_x_of(image->format, plane), y = eye.y >> chroma_y_of(image->format, plane);

    return image->data[plane] + y * image->stride[plane] +
           (ptrdiff_t)x * vsm_format_bytes_per_sample(image->format);
}

static struct lens open_lens(const struct draw *d, const struct vsm_image *image, int plane)
{
    const struct vsm_rect *eyes = d->pack->options.eyes;
    int x = chroma_x_of(image->format, plane), y = chroma_y_of(image->format, plane);
    float across = 1.0f / (float)(1 << x), down = 1.0f / (float)(1 << y);

    return (struct lens){
        .window = {.data = {first_sample(image, plane, eyes[0]), first_sample(image, plane, eyes[1])},
                   .stride = image->stride[plane],
                   .depth = image->format.depth,
                   .right = ((eyes[0].width + x) >> x) - 1,
                   .bottom = ((eyes[0].height + y) >> y) - 1},
        .centre_x = 0.5f * (float)eyes[0].width * across - 0.5f,
        .centre_y = 0.5f * (float)eyes[0].height * down - 0.5f,
        .scale_x = across,
        .scale_y = down,
    };
}

/* Where the middles of a block's samples look, if its left end looks at `from` and its right end at `to`. */
static void spread(float centre, float from, float to, float *start, float *step)
{
    const float unit = (float)(1 << VSM_ALPHA_PACK_WEIGHT_BITS);

    *step = (to - from) * (unit / BLOCK);
    *start = (centre + from) * unit + 0.5f * *step;
}

/* Blocks begin..end-1 of row `row` of a circle, counted from its centre (negative: left, above). */
static void place_blocks(const struct vsm_circle_map *map, const struct lens *lens, int row, int begin,
                         int end, struct vsm_alpha_pack_block *blocks)
{
    int mirrored = row < 0 ? -1 - row : row;
    float side_y = row < 0 ? -lens->scale_y : lens->scale_y;
    const float *across = map->across + (ptrdiff_t)mirrored * map->nodes;
    const float *down = map->down + (ptrdiff_t)mirrored * map->nodes;

    for (int b = begin; b < end; b++) {
        struct vsm_alpha_pack_block *block = &blocks[b - begin];
        int from = b < 0 ? -b : b, to = b < 0 ? -b - 1 : b + 1;
        float side_x = b < 0 ? -lens->scale_x : lens->scale_x;

        spread(lens->centre_x, across[from] * side_x, across[to] * side_x, &block->u, &block->du);
        spread(lens->centre_y, down[from] * side_y, down[to] * side_y, &block->v, &block->dv);
    }
}

static uint8_t *sample_address(struct vsm_image *frame, int plane, int x, int y)
{
    return frame->data[plane] + y * frame->stride[plane] +
           (ptrdiff_t)x * vsm_format_bytes_per_sample(frame->format);
}

/* Asks for the source of that part of a strip that sees something: neighbouring tiles lie on a curve that the hardware
 * does not foresee. */
static void prefetch_strip(const struct vsm_circle_map *map, const struct lens *lens, int row, int begin)
{
    const struct vsm_alpha_pack_window *w = &lens->window;
    int mirrored = row < 0 ? -1 - row : row, reach = mirrored < map->rows ? map->reach[mirrored] : 0;
    int half = round_up(reach) / BLOCK, from = begin > -half ? begin : -half;
    int to = begin + STRIP < half ? begin + STRIP : half, bytes = w->depth > 8 ? 2 : 1;
    float side_y = row < 0 ? -lens->scale_y : lens->scale_y;

    for (int b = from; b < to; b += CACHE_LINE / BLOCK / bytes) {
        ptrdiff_t node = (ptrdiff_t)mirrored * map->nodes + (b < 0 ? -b : b);
        int x = (int)(lens->centre_x + map->across[node] * (b < 0 ? -lens->scale_x : lens->scale_x));
        int y = (int)(lens->centre_y + map->down[node] * side_y);
        ptrdiff_t at = (y < 0 ? 0 : y) * w->stride + (ptrdiff_t)(x < 0 ? 0 : x) * bytes;

        __builtin_prefetch(w->data[0] + at);
        __builtin_prefetch(w->data[1] + at);
    }
}

/* Samples blocks begin..end-1 of a row near a pole, one by one: each is the first sample of a block of its own. */
static void sample_polar(const struct draw *d, const struct vsm_circle_map *map, const struct lens *lens,
                         int row, int begin, int end, uint8_t *const out[2])
{
    const float unit = (float)(1 << VSM_ALPHA_PACK_WEIGHT_BITS);
    int mirrored = row < 0 ? -1 - row : row, bytes = lens->window.depth > 8 ? 2 : 1;
    ptrdiff_t start = (ptrdiff_t)(mirrored - map->first_polar) * VSM_CIRCLE_MAP_POLE;
    _Alignas(32) uint8_t found[2][2 * BLOCK * BLOCK];
    struct vsm_alpha_pack_block blocks[BLOCK];

    for (int b = begin; b < end; b++) {
        for (int k = 0; k < BLOCK; k++) {
            int i = b * BLOCK + k;
            ptrdiff_t at = start + (i < 0 ? -1 - i : i);
            float across = i < 0 ? -map->polar_across[at] : map->polar_across[at];
            float down = row < 0 ? -map->polar_down[at] : map->polar_down[at];

            blocks[k] = (struct vsm_alpha_pack_block){(lens->centre_x + across * lens->scale_x) * unit, 0,
                                                      (lens->centre_y + down * lens->scale_y) * unit, 0};
        }
        d->kernels->sample(&lens->window, blocks, BLOCK, found[0], found[1]);
        for (int k = 0; k < 2 * BLOCK; k++)
            memcpy(out[k / BLOCK] + ((b - begin) * BLOCK + k % BLOCK) * bytes,
                   found[k / BLOCK] + (ptrdiff_t)(k % BLOCK * BLOCK * bytes), (size_t)bytes);
    }
}

/* Samples blocks begin..end-1 of a row. */
static void sample_blocks(const struct draw *d, const struct vsm_circle_map *map, const struct lens *lens,
                          int row, int begin, int end, uint8_t *const out[2])
{
    const int polar = VSM_CIRCLE_MAP_POLE / BLOCK;
    int bytes = BLOCK * (lens->window.depth > 8 ? 2 : 1);
    struct vsm_alpha_pack_block blocks[STRIP];

    if ((row < 0 ? -1 - row : row) >= map->first_polar && begin < polar && end > -polar) {
        int first = begin > -polar ? begin : -polar, last = end < polar ? end : polar;
        uint8_t *const near[2] = {out[0] + (first - begin) * bytes, out[1] + (first - begin) * bytes};

        sample_polar(d, map, lens, row, first, last, near);
        place_blocks(map, lens, row, begin, first, blocks);
        d->kernels->sample(&lens->window, blocks, first - begin, out[0], out[1]);
        place_blocks(map, lens, row, last, end, blocks);
        d->kernels->sample(&lens->window, blocks, end - last, out[0] + (last - begin) * bytes,
                           out[1] + (last - begin) * bytes);
        return;
    }
    place_blocks(map, lens, row, begin, end, blocks);
    d->kernels->sample(&lens->window, blocks, end - begin, out[0], out[1]);
}

/* Samples both eyes in that part of a strip, beginning with block `begin`, that sees something. The strip's first
 * sample is the first of `out`; returns false if nothing is seen, else which samples are, counted from
 * the centre. */
static bool sample_strip(const struct draw *d, const struct vsm_circle_map *map, const struct lens *lens,
                         int row, int begin, uint8_t *const out[2], int *first, int *last)
{
    int mirrored = row < 0 ? -1 - row : row, reach = mirrored < map->rows ? map->reach[mirrored] : 0;
    int half = round_up(reach) / BLOCK, from = begin > -half ? begin : -half;
    int to = begin + STRIP < half ? begin + STRIP : half;
    ptrdiff_t skip = (ptrdiff_t)(from - begin) * BLOCK * (lens->window.depth > 8 ? 2 : 1);
    uint8_t *const seen[2] = {out[0] + skip, out[1] + skip};

    if (from >= to)
        return false;
    sample_blocks(d, map, lens, row, from, to, seen);
    *first = from * BLOCK > -reach ? from * BLOCK : -reach;
    *last = to * BLOCK < reach ? to * BLOCK : reach;
    return true;
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
    int code = d->pack->options.background[plane];

    fill(d->frame, plane, row, 0, radius - reach, code);
    fill(d->frame, plane, row, radius + reach, 3 * radius - reach, code);
    fill(d->frame, plane, row, 3 * radius + reach, 4 * radius, code);
}

static void draw_circles(const struct draw *d, struct rows rows)
{
    const struct vsm_alpha_pack_options *o = &d->pack->options;
    int cx = chroma_x_of(o->format, rows.plane), cy = chroma_y_of(o->format, rows.plane);
    const struct vsm_circle_map *map = cx || cy ? &d->pack->chroma : &d->pack->luma;
    int radius = o->height / 2 >> cx, middle = o->height / 2 >> cy, bytes = o->format.depth > 8 ? 2 : 1;
    struct lens lens = open_lens(d, d->picture, rows.plane);
    _Alignas(32) uint8_t samples[2][2 * SAMPLES];
    uint8_t *const out[2] = {samples[0], samples[1]};

    for (int row = rows.first; row < rows.last; row++)
        draw_background(d, map, rows.plane, row, radius, middle);
    for (int begin = -round_up(radius) / BLOCK; begin < radius / BLOCK + 1; begin += STRIP) {
        for (int row = rows.first; row < rows.last; row++) {
            int first, last;

            prefetch_strip(map, &lens, row - middle, begin + STRIP);
            if (!sample_strip(d, map, &lens, row - middle, begin, out, &first, &last))
                continue;
            for (int eye = 0; eye < 2; eye++)
                memcpy(sample_address(d->frame, rows.plane, (2 * eye + 1) * radius + first, row),
                       samples[eye] + (ptrdiff_t)(first - begin * BLOCK) * bytes,
                       (size_t)((last - first) * bytes));
        }
    }
}

/* Codes of an alpha plane's samples from..to-1, counted from a disc's centre, which lies at `centre`. sums[0] is that
 * of sample `begin`. */
static void put_codes(const struct draw *d, const int32_t *sums, int begin, int from, int to, int plane,
                      int row, int centre)
{
    const struct vsm_alpha_pack_options *o = &d->pack->options;
    int shift = chroma_x_of(o->format, plane) + chroma_y_of(o->format, plane);
    float zero = (float)o->alpha_zero[plane] + 0.5f;
    float gain = (float)(o->alpha_one[plane] - o->alpha_zero[plane]) / (4 * 65535.0f * (float)(1 << shift));
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

/* Adds, for both eyes, four times the alpha of each pixel in row `row` of a strip of a disc, counted from
 * its centre, to `sums`. The strip begins with block `begin` of points. Points that see nothing count as 0. */
static void add_pixels(const struct draw *d, const struct lens *lens, int row, int begin,
                       int32_t sums[2][SAMPLES / 2])
{
    _Alignas(32) uint16_t points[2][2][SAMPLES]; /* by row and eye */
    int32_t fresh[SAMPLES / 2];

    for (int k = 0; k < 2; k++) {
        prefetch_strip(&d->pack->disc, lens, 2 * row + k, begin + STRIP);
    }
    for (int k = 0; k < 2; k++) {
        uint8_t *const out[2] = {(uint8_t *)points[k][0], (uint8_t *)points[k][1]};
        int first, last;

        if (!sample_strip(d, &d->pack->disc, lens, 2 * row + k, begin, out, &first, &last))
            first = last = begin * BLOCK;
        for (int eye = 0; eye < 2; eye++) {
            memset(points[k][eye], 0, (size_t)(first - begin * BLOCK) * sizeof(uint16_t));
            memset(points[k][eye] + (last - begin * BLOCK), 0,
                   (size_t)((begin + STRIP) * BLOCK - last) * sizeof(uint16_t));
        }
    }
    for (int eye = 0; eye < 2; eye++) {
        d->kernels->halve(points[0][eye], points[1][eye], SAMPLES / 2, fresh);
        for (int i = 0; i < SAMPLES / 2; i++)
            sums[eye][i] += fresh[i];
    }
}

/* Samples to the right of a disc's centre, in a plane's row, that cover one of its points. */
static int disc_reach(const struct vsm_circle_map *disc, int y, int cx, int cy)
{
    int nearest = y < 0 ? -1 - (2 * y + (2 << cy) - 1) : 2 * y; /* row of points, mirrored */

    return nearest < disc->rows ? ((disc->reach[nearest] + 1) / 2 + cx) >> cx : 0;
}

/* One strip of a row of both eyes' discs: the left one lies round the middle of the frame's border, the right one
 * round the corners. */
static void draw_disc_strip(const struct draw *d, const struct lens *lens, int plane, int row, int begin)
{
    const struct vsm_alpha_pack_options *o = &d->pack->options;
    int cx = chroma_x_of(o->format, plane), cy = chroma_y_of(o->format, plane), width = o->height >> cx;
    int y = (row << cy) - (2 * (row << cy) < o->height ? 0 : o->height);
    int reach = disc_reach(&d->pack->disc, y, cx, cy), first = begin * BLOCK / 2 / (1 << cx);
    int last = first + (SAMPLES / 2 >> cx), from = first > -reach ? first : -reach;
    int to = last < reach ? last : reach;
    int32_t sums[2][SAMPLES / 2] = {{0}};

    if (from >= to)
        return;
    for (int k = 0; k < 1 << cy; k++)
        add_pixels(d, lens, y + k, begin, sums);
    for (int eye = 0; cx && eye < 2; eye++)
        for (int i = 0; i < SAMPLES / 4; i++)
            sums[eye][i] = sums[eye][2 * i] + sums[eye][2 * i + 1];
    put_codes(d, sums[VSM_LEFT], first, from, to, plane, row, width);
    put_codes(d, sums[VSM_RIGHT], first, from > 0 ? from : 0, to, plane, row, 0);
    put_codes(d, sums[VSM_RIGHT], first, from, to < 0 ? to : 0, plane, row, 2 * width);
}

static void draw_discs(const struct draw *d, struct rows rows)
{
    const struct vsm_alpha_pack_options *o = &d->pack->options;
    int cy = chroma_y_of(o->format, rows.plane), height = o->height >> cy, reach = height / 5 + 2;
    struct lens lens = open_lens(d, d->matte, 0);
    int half = round_up(d->pack->disc.rows + BLOCK) / BLOCK & ~1; /* even: chroma takes points by four */

    if ((rows.first >= reach && rows.last <= height - reach) ||
        (rows.plane && o->alpha_one[rows.plane] == o->alpha_zero[rows.plane]))
        return;
    for (int begin = -half; begin < half; begin += STRIP)
        for (int row = rows.first; row < rows.last; row++)
            draw_disc_strip(d, &lens, rows.plane, row, begin);
}

static void draw_band(void *context, int index, int worker)
{
    const struct draw *d = context;

    (void)worker;
    for (int plane = 0; plane < vsm_format_plane_count(d->frame->format); plane++) {
        int shift = chroma_y_of(d->frame->format, plane);
        struct rows rows = {plane, index * BAND >> shift, (index + 1) * BAND >> shift};

        draw_circles(d, rows);
        if (d->matte)
            draw_discs(d, rows);
    }
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

static const struct vsm_alpha_pack_kernels *choose_kernels(const struct draw *d)
{
#if defined(__x86_64__)
    if (vsm_cpu_has_avx2() && is_small(d->picture) && (!d->matte || is_small(d->matte)))
        return &vsm_alpha_pack_kernels_avx2;
#endif
    return &vsm_alpha_pack_kernels_c;
}

int vsm_alpha_pack_draw(const struct vsm_alpha_pack *pack, const struct vsm_image *picture,
                        const struct vsm_image *matte, struct vsm_image *frame, struct vsm_parallel *pool)
{
    struct draw draw = {.pack = pack, .picture = picture, .matte = matte, .frame = frame};
    const struct vsm_alpha_pack_options *o = &pack->options;

    if (!vsm_format_equal(picture->format, o->format) || !vsm_format_equal(frame->format, o->format) ||
        frame->height != o->height || frame->width != 2 * o->height ||
        (matte && (matte->format.planes != VSM_PLANES_GRAY || matte->format.depth != 16 ||
                   matte->width != picture->width || matte->height != picture->height)) ||
        !contains(picture, o->eyes[0]) || !contains(picture, o->eyes[1]))
        return vsm_fail(VSM_E_INTERNAL, "alpha-packed: pictures of %dx%d and %dx%d do not fit the layout",
                        picture->width, picture->height, frame->width, frame->height);
    draw.kernels = choose_kernels(&draw);
    vsm_parallel_for(pool, o->height / BAND, draw_band, &draw);
    return VSM_OK;
}
