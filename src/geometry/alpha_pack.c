#include "geometry/alpha_pack.h"

#include "base/mem.h"
#include "geometry/projection.h"

#include <math.h>
#include <string.h>

#define BAND    VSM_ALPHA_PACK_ALIGNMENT /* luma rows a job */
#define OUTSIDE (-1.0f)

/* Where the lower right quarter of a circle round the view's centre looks: entry (i, j) is the source
 * point seen at (i + 1/2, j + 1/2) from the circle's centre, as distances from the eye's centre in luma
 * pixels. The other quarters mirror it. */
struct quarter {
    int size;
    float *across, *down; /* OUTSIDE in `across` where nothing is seen */
};

struct vsm_alpha_pack {
    struct vsm_alpha_pack_options options;
    struct quarter circle; /* a point a pixel */
    struct quarter disc;   /* two points a pixel across and down */
};

struct draw {
    const struct vsm_alpha_pack *pack;
    const struct vsm_image *picture, *matte;
    struct vsm_image *frame;
};

/* One plane of a source picture as one eye's rectangle. */
struct window {
    const uint8_t *data;
    ptrdiff_t stride;
    int bytes;                    /* a sample */
    int left, top, right, bottom; /* first and last samples that belong to the eye */
    float centre_x, centre_y;     /* of the eye, where the first sample's centre is (0, 0) */
    float scale_x, scale_y;       /* samples a luma pixel */
};

static int create_quarter(struct quarter *quarter, double radius, const struct vsm_projection_eye *source,
                          const struct vsm_projection_eye *unit)
{
    int size = (int)ceil(radius);
    size_t count = (size_t)size * (size_t)size;

    quarter->size = size;
    quarter->across = vsm_mem_alloc_raw("fisheye mapping", count, sizeof(float));
    quarter->down = vsm_mem_alloc_raw("fisheye mapping", count, sizeof(float));
    if (!quarter->across || !quarter->down)
        return VSM_E_NOMEM;
    for (int j = 0; j < size; j++) {
        for (int i = 0; i < size; i++) {
            size_t at = (size_t)j * (size_t)size + (size_t)i;
            double direction[3], u = 0, v = 0;
            bool seen = vsm_projection_to_direction(unit, 1 + (i + 0.5) / radius, 1 + (j + 0.5) / radius,
                                                    direction) &&
                        vsm_projection_to_pixel(source, direction, &u, &v);

            quarter->across[at] = seen ? (float)(u - 0.5 * source->width) : OUTSIDE;
            quarter->down[at] = seen ? (float)(v - 0.5 * source->height) : 0;
        }
    }
    return VSM_OK;
}

static int create_mapping(struct vsm_alpha_pack *pack)
{
    const struct vsm_alpha_pack_options *o = &pack->options;
    struct vsm_projection_eye source, unit;
    int status =
        vsm_projection_eye(o->projection, o->eyes[0].width, o->eyes[0].height, o->field_of_view, &source);

    if (status == VSM_OK)
        status = vsm_projection_eye(VSM_FISHEYE, 2, 2, o->field_of_view, &unit);
    if (status == VSM_OK)
        status = create_quarter(&pack->circle, 0.5 * o->height, &source, &unit);
    if (status == VSM_OK)
        status = create_quarter(&pack->disc, 0.4 * o->height, &source, &unit);
    return status;
}

int vsm_alpha_pack_height(int eye_height)
{
    int height = eye_height < VSM_ALPHA_PACK_MAX ? eye_height : VSM_ALPHA_PACK_MAX;

    height = (height + VSM_ALPHA_PACK_ALIGNMENT - 1) / VSM_ALPHA_PACK_ALIGNMENT * VSM_ALPHA_PACK_ALIGNMENT;
    return height < VSM_ALPHA_PACK_MIN ? VSM_ALPHA_PACK_MIN : height;
}

int vsm_alpha_pack_create(const struct vsm_alpha_pack_options *options, struct vsm_alpha_pack **pack)
{
    const struct vsm_rect *left = &options->eyes[0], *right = &options->eyes[1];
    struct vsm_alpha_pack *p;
    int status;

    if (options->projection != VSM_HALF_EQUIRECT || left->width != right->width ||
        left->height != right->height || options->height < VSM_ALPHA_PACK_MIN ||
        options->height > VSM_ALPHA_PACK_MAX || options->height % VSM_ALPHA_PACK_ALIGNMENT)
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
    vsm_mem_free(pack->circle.across);
    vsm_mem_free(pack->circle.down);
    vsm_mem_free(pack->disc.across);
    vsm_mem_free(pack->disc.down);
    vsm_mem_free(pack);
}

static struct window open_window(const struct vsm_image *image, int plane, struct vsm_rect eye)
{
    int x = plane ? image->format.chroma_x : 0, y = plane ? image->format.chroma_y : 0;

    return (struct window){
        .data = image->data[plane],
        .stride = image->stride[plane],
        .bytes = vsm_format_bytes_per_sample(image->format),
        .left = eye.x >> x,
        .top = eye.y >> y,
        .right = (eye.x + eye.width - 1) >> x,
        .bottom = (eye.y + eye.height - 1) >> y,
        .centre_x = ((float)eye.x + 0.5f * (float)eye.width) / (float)(1 << x) - 0.5f,
        .centre_y = ((float)eye.y + 0.5f * (float)eye.height) / (float)(1 << y) - 0.5f,
        .scale_x = 1.0f / (float)(1 << x),
        .scale_y = 1.0f / (float)(1 << y),
    };
}

static float clamp(float x, int low, int high)
{
    return x < (float)low ? (float)low : x > (float)high ? (float)high : x;
}

static float sample_at(const struct window *w, int x, int y)
{
    const uint8_t *row = w->data + y * w->stride;
    uint16_t wide;

    if (w->bytes == 1)
        return row[x];
    memcpy(&wide, row + 2 * (ptrdiff_t)x, sizeof(wide));
    return wide;
}

/* The bilinear sample at a signed distance, in luma pixels, from the eye's centre. */
static float sample(const struct window *w, float across, float down)
{
    float u = clamp(w->centre_x + across * w->scale_x, w->left, w->right);
    float v = clamp(w->centre_y + down * w->scale_y, w->top, w->bottom);
    int x = (int)u, y = (int)v, right = x < w->right ? x + 1 : x, below = y < w->bottom ? y + 1 : y;
    float a = u - (float)x, b = v - (float)y;
    float upper = sample_at(w, x, y) * (1 - a) + sample_at(w, right, y) * a;
    float lower = sample_at(w, x, below) * (1 - a) + sample_at(w, right, below) * a;

    return upper * (1 - b) + lower * b;
}

static void put_sample(struct vsm_image *frame, int plane, int x, int y, float value)
{
    uint8_t *row = frame->data[plane] + y * frame->stride[plane];
    int code = (int)(value + 0.5f);

    if (frame->format.depth == 8)
        row[x] = (uint8_t)code;
    else
        ((uint16_t *)row)[x] = (uint16_t)code;
}

/* Index into a quarter for a sample at `offset` samples right of (below) the centre, and its side. */
static int mirror(int offset, float *sign)
{
    *sign = offset < 0 ? -1.0f : 1.0f;
    return offset < 0 ? -1 - offset : offset;
}

/* Row `row` of a plane's circle of one eye. A chroma sample looks at the middle of the pixels that it
 * covers. */
static void draw_circle(const struct draw *d, int plane, int row, int eye)
{
    const struct vsm_alpha_pack *pack = d->pack;
    const struct quarter *q = &pack->circle;
    int cx = plane ? d->frame->format.chroma_x : 0, cy = plane ? d->frame->format.chroma_y : 0;
    int radius = q->size >> cx, centre = (2 * eye + 1) * radius;
    struct window w = open_window(d->picture, plane, pack->options.eyes[eye]);
    float up, side;
    int j = mirror(row - (q->size >> cy), &up) << cy;
    const float *across = q->across + (size_t)j * (size_t)q->size, *across2 = across + cy * q->size;
    const float *down = q->down + (size_t)j * (size_t)q->size, *down2 = down + cy * q->size;

    for (int offset = -radius; offset < radius; offset++) {
        int i = mirror(offset, &side) << cx;
        float u = across[i], v = down[i];

        if (u < 0)
            continue;
        if (across2[i + cx] >= 0) {
            u = 0.5f * (u + across2[i + cx]);
            v = 0.5f * (v + down2[i + cx]);
        }
        put_sample(d->frame, plane, centre + offset, row, sample(&w, side * u, up * v));
    }
}

/* Alpha, 0..1, at pixel (x, y) from the centre of a disc; negative outside of it. */
static float disc_alpha(const struct draw *d, const struct window *w, int x, int y)
{
    const struct quarter *q = &d->pack->disc;
    double radius = 0.2 * d->pack->options.height;
    float side, up, sum = 0;
    int i = mirror(x, &side), j = mirror(y, &up);

    if ((i + 0.5) * (i + 0.5) + (j + 0.5) * (j + 0.5) > radius * radius)
        return OUTSIDE;
    for (int k = 0; k < 4; k++) {
        int column = 2 * i + (k & 1), row = 2 * j + (k >> 1);
        size_t at = (size_t)row * (size_t)q->size + (size_t)column;

        if (column < q->size && row < q->size && q->across[at] >= 0)
            sum += sample(w, side * q->across[at], up * q->down[at]);
    }
    return sum / (4 * 65535.0f);
}

/* Row `row` of a plane's part of the disc whose centre is `centre` = 0, 1 or 2 times H from the left. */
static void draw_disc(const struct draw *d, int plane, int row, int centre)
{
    const struct vsm_alpha_pack_options *o = &d->pack->options;
    int cx = plane ? d->frame->format.chroma_x : 0, cy = plane ? d->frame->format.chroma_y : 0;
    struct window w = open_window(d->matte, 0, o->eyes[centre == 1 ? VSM_LEFT : VSM_RIGHT]);
    int reach = (int)(0.2 * o->height) + 1, middle = (centre * o->height) >> cx;
    int first = centre == 0 ? 0 : -(reach >> cx) - 1, last = centre == 2 ? 0 : (reach >> cx) + 1;
    int y = row << cy, base = o->alpha_zero[plane];

    y -= 2 * y < o->height ? 0 : o->height;
    for (int offset = first; offset < last; offset++) {
        float sum = 0;
        int count = 0;

        for (int k = 0; k < 1 << (cx + cy); k++) {
            float alpha = disc_alpha(d, &w, offset * (1 << cx) + (k & cx), y + (cy ? k >> cx : 0));

            if (alpha >= 0) {
                sum += alpha;
                count++;
            }
        }
        if (count)
            put_sample(d->frame, plane, middle + offset, row,
                       (float)base + (float)(o->alpha_one[plane] - base) * sum / (float)(1 << (cx + cy)));
    }
}

static void draw_row(const struct draw *d, int plane, int row)
{
    const struct vsm_alpha_pack_options *o = &d->pack->options;
    int width = vsm_format_plane_width(d->frame->format, plane, d->frame->width);
    int height = vsm_format_plane_height(d->frame->format, plane, d->frame->height);
    int reach = (height + 4) / 5 + 1;

    for (int x = 0; x < width; x++)
        put_sample(d->frame, plane, x, row, (float)o->black[plane]);
    for (int eye = 0; eye < 2; eye++)
        draw_circle(d, plane, row, eye);
    if ((row >= reach && row < height - reach) || (plane && o->alpha_one[plane] == o->alpha_zero[plane]))
        return;
    for (int centre = 0; centre < 3; centre++)
        draw_disc(d, plane, row, centre);
}

static void draw_band(void *context, int index, int worker)
{
    const struct draw *d = context;

    (void)worker;
    for (int plane = 0; plane < 3; plane++) {
        int shift = plane ? d->frame->format.chroma_y : 0;

        for (int row = index * BAND >> shift; row < (index + 1) * BAND >> shift; row++)
            draw_row(d, plane, row);
    }
}

static bool contains(const struct vsm_image *image, struct vsm_rect r)
{
    return r.x >= 0 && r.y >= 0 && r.width <= image->width - r.x && r.height <= image->height - r.y;
}

int vsm_alpha_pack_draw(const struct vsm_alpha_pack *pack, const struct vsm_image *picture,
                        const struct vsm_image *matte, struct vsm_image *frame, struct vsm_parallel *pool)
{
    struct draw draw = {.pack = pack, .picture = picture, .matte = matte, .frame = frame};
    const struct vsm_alpha_pack_options *o = &pack->options;

    if (picture->format.planes != VSM_PLANES_YUV || picture->format.shift ||
        !vsm_format_equal(picture->format, frame->format) || frame->height != o->height ||
        frame->width != 2 * o->height || matte->format.planes != VSM_PLANES_GRAY ||
        matte->format.depth != 16 || matte->width != picture->width || matte->height != picture->height ||
        !contains(picture, o->eyes[0]) || !contains(picture, o->eyes[1]))
        return vsm_fail(VSM_E_INTERNAL, "alpha-packed: pictures of %dx%d and %dx%d do not fit the layout",
                        picture->width, picture->height, frame->width, frame->height);
    vsm_parallel_for(pool, o->height / BAND, draw_band, &draw);
    return VSM_OK;
}
