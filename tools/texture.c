#include "tools/texture.h"

#include "base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

int vsm_texture_create(int width, int height, enum vsm_texture_edge edge, struct vsm_texture *texture)
{
    *texture = (struct vsm_texture){.edge = edge, .level_count = 1};
    texture->levels[0] = (struct vsm_texture_level){width, height,
                                                    vsm_mem_alloc("texture", (size_t)width * (size_t)height,
                                                                  4 * sizeof(float))};
    return texture->levels[0].rgba ? VSM_OK : VSM_E_NOMEM;
}

void vsm_texture_destroy(struct vsm_texture *texture)
{
    for (int i = 0; i < texture->level_count; i++)
        vsm_mem_free(texture->levels[i].rgba);
    *texture = (struct vsm_texture){0};
}

/* Index of the texel that stands for `i`, or -1 for nothing. */
static int wrap(int i, int size, enum vsm_texture_edge edge)
{
    int period = 2 * size;

    if (i >= 0 && i < size)
        return i;
    if (edge == VSM_TEXTURE_CLEAR)
        return -1;
    i %= period;
    if (i < 0)
        i += period;
    return i < size ? i : period - 1 - i;
}

static const float *texel(const struct vsm_texture_level *level, enum vsm_texture_edge edge, int x, int y)
{
    static const float nothing[4];

    x = wrap(x, level->width, edge);
    y = wrap(y, level->height, edge);
    return x < 0 || y < 0 ? nothing : level->rgba + 4 * ((size_t)y * (size_t)level->width + (size_t)x);
}

static void halve(const struct vsm_texture_level *from, enum vsm_texture_edge edge,
                  struct vsm_texture_level *to)
{
    /* Whatever spilt over the edge of a texture with nothing around it would be lost. */
    static const float kernels[2][4] = {{0.125f, 0.375f, 0.375f, 0.125f}, {0.0f, 0.5f, 0.5f, 0.0f}};
    const float *kernel = kernels[edge == VSM_TEXTURE_CLEAR];

    for (int y = 0; y < to->height; y++) {
        for (int x = 0; x < to->width; x++) {
            float *out = to->rgba + 4 * ((size_t)y * (size_t)to->width + (size_t)x);

            for (int j = 0; j < 4; j++) {
                for (int i = 0; i < 4; i++) {
                    const float *in = texel(from, edge, 2 * x + i - 1, 2 * y + j - 1);

                    for (int c = 0; c < 4; c++)
                        out[c] += kernel[i] * kernel[j] * in[c];
                }
            }
        }
    }
}

int vsm_texture_finish(struct vsm_texture *texture)
{
    while (texture->level_count < VSM_TEXTURE_MAX_LEVELS) {
        const struct vsm_texture_level *from = &texture->levels[texture->level_count - 1];
        struct vsm_texture_level to = {(from->width + 1) / 2, (from->height + 1) / 2, NULL};

        if (from->width <= 2 && from->height <= 2)
            break;
        to.rgba = vsm_mem_alloc("texture", (size_t)to.width * (size_t)to.height, 4 * sizeof(float));
        if (!to.rgba)
            return VSM_E_NOMEM;
        halve(from, texture->edge, &to);
        texture->levels[texture->level_count++] = to;
    }
    return VSM_OK;
}

static float sample_of(const struct vsm_image *image, const uint8_t *row, int at)
{
    return image->format.depth > 8 ? (float)(row[2 * at] | row[2 * at + 1] << 8) / 65535.0f
                                   : (float)row[at] / 255.0f;
}

int vsm_texture_of_image(const struct vsm_image *image, enum vsm_texture_edge edge,
                         struct vsm_texture *texture)
{
    bool has_alpha = image->format.planes == VSM_PLANES_RGBA;
    int samples = has_alpha ? 4 : 3;
    int status = vsm_texture_create(image->width, image->height, edge, texture);

    for (int y = 0; status == VSM_OK && y < image->height; y++) {
        const uint8_t *row = image->data[0] + y * image->stride[0];
        float *out = texture->levels[0].rgba + 4 * (size_t)y * (size_t)image->width;

        for (int x = 0; x < image->width; x++, out += 4) {
            float alpha = has_alpha ? sample_of(image, row, samples * x + 3) : 1.0f;

            for (int c = 0; c < 3; c++)
                out[c] = alpha * sample_of(image, row, samples * x + c);
            out[3] = alpha;
        }
    }
    if (status == VSM_OK)
        status = vsm_texture_finish(texture);
    if (status != VSM_OK)
        vsm_texture_destroy(texture);
    return status;
}

/* Adds weight * the bilinear value of one level at (x, y) of level 0. */
static void add_bilinear(const struct vsm_texture *texture, int number, double x, double y, float weight,
                         float rgba[4])
{
    const struct vsm_texture_level *level = &texture->levels[number];
    double scale = ldexp(1.0, -number), sx = x * scale - 0.5, sy = y * scale - 0.5;
    int x0 = (int)floor(sx), y0 = (int)floor(sy);
    float fx = (float)(sx - x0), fy = (float)(sy - y0);
    const float *a, *b, *c, *d;

    if (x0 >= 0 && y0 >= 0 && x0 + 1 < level->width && y0 + 1 < level->height) {
        a = level->rgba + 4 * ((size_t)y0 * (size_t)level->width + (size_t)x0);
        b = a + 4;
        c = a + 4 * level->width;
        d = c + 4;
    } else {
        a = texel(level, texture->edge, x0, y0);
        b = texel(level, texture->edge, x0 + 1, y0);
        c = texel(level, texture->edge, x0, y0 + 1);
        d = texel(level, texture->edge, x0 + 1, y0 + 1);
    }
    for (int i = 0; i < 4; i++) {
        float upper = a[i] + fx * (b[i] - a[i]), lower = c[i] + fx * (d[i] - c[i]);

        rgba[i] += weight * (upper + fy * (lower - upper));
    }
}

static void add_sample(const struct vsm_texture *texture, double x, double y, double lod, float weight,
                       float rgba[4])
{
    double limit = texture->level_count - 1;
    int level;
    float part;

    lod = lod < 0.0 ? 0.0 : lod > limit ? limit : lod;
    level = (int)lod;
    part = (float)(lod - level);
    add_bilinear(texture, level, x, y, weight * (1.0f - part), rgba);
    if (part > 0.0f)
        add_bilinear(texture, level + 1, x, y, weight * part, rgba);
}

static bool far_outside(const struct vsm_texture *texture, double quad[4][2], double reach)
{
    for (int i = 0; i < 4; i++) {
        if (quad[i][0] > -reach && quad[i][0] < texture->levels[0].width + reach && quad[i][1] > -reach &&
            quad[i][1] < texture->levels[0].height + reach)
            return false;
    }
    return true;
}

void vsm_texture_quad(const struct vsm_texture *texture, double quad[4][2], double blur, float rgba[4])
{
    double across = hypot(quad[1][0] - quad[0][0], quad[1][1] - quad[0][1]);
    double down = hypot(quad[2][0] - quad[0][0], quad[2][1] - quad[0][1]);
    double size = fmax(across, down), lod = log2(fmax(size, 1e-6));

    memset(rgba, 0, 4 * sizeof(*rgba));
    if (texture->edge == VSM_TEXTURE_CLEAR && far_outside(texture, quad, 4.0 * fmax(1.0, size)))
        return;
    if (blur > lod + 2.0) { /* the whole element is smaller than a texel */
        add_sample(texture, 0.5 * (quad[0][0] + quad[3][0]), 0.5 * (quad[0][1] + quad[3][1]), blur, 1.0f,
                   rgba);
        return;
    }
    for (int i = 0; i < 4; i++)
        add_sample(texture, quad[i][0], quad[i][1], fmax(lod, blur), 0.25f, rgba);
}
