/* Refine and composite one 8192x4096 frame into a green picture and a matte, one thread. Target: at
 * most 4 times memcpy of the bytes that must be read and written: the source, both outputs, and both
 * eyes' coefficient maps. */
#include "base/cpu.h"
#include "image/refine.h"
#include "measure.h"

#include <math.h>

#define WIDTH  8192
#define HEIGHT 4096
#define GRID   768

struct context {
    struct vsm_image *source;
    struct vsm_matte mattes[2];
    struct vsm_composite_output outputs[2];
};

static int refine(void *argument)
{
    struct context *c = argument;
    const struct vsm_refine_options options = {.despill = 0.5f};

    return vsm_refine(c->source, c->mattes, 2, c->outputs, 2, &options, NULL);
}

/* A person-like ellipse over a fifth of the eye, or (`everywhere`) half-transparent and residual
 * in every pixel. */
static struct vsm_tensor *maps(bool everywhere)
{
    struct vsm_tensor *t = vsm_tensor_create(VSM_F32, 3, (const int64_t[]){8, GRID, GRID});
    size_t plane = (size_t)GRID * GRID;

    if (!t)
        exit(1);
    for (int y = 0; y < GRID; y++)
        for (int x = 0; x < GRID; x++) {
            float *m = vsm_tensor_f32(t) + y * GRID + x;
            double d = hypot((x - GRID / 2) / (0.17 * GRID), (y - GRID / 2) / (0.37 * GRID));
            double edge = fmin(fmax((1 - d) * 8 + 0.5, 0), 1);
            bool inside = everywhere || edge > 0;

            for (int c = 0; c < 3; c++) {
                m[(size_t)c * plane] = inside ? 0.02f * (float)sin(x * 0.3 + c) : 0;
                m[(size_t)(4 + c) * plane] = inside ? 0.01f * (float)cos(y * 0.3 + c) : 0;
            }
            m[3 * plane] = everywhere || (edge > 0 && edge < 1) ? 0.2f : 0;
            m[7 * plane] = everywhere ? 0.4f : (float)edge;
        }
    return t;
}

static void paint(struct vsm_image *image)
{
    for (int p = 0; p < vsm_format_plane_count(image->format); p++)
        for (int y = 0; y < vsm_format_plane_height(image->format, p, HEIGHT); y++)
            for (int x = 0; x < vsm_format_plane_width(image->format, p, WIDTH); x++) {
                uint8_t *to = image->data[p] + y * image->stride[p];
                uint16_t value = (uint16_t)((p ? 118 : 60) + (x * 7 + y * 13) % (p ? 20 : 120));

                value = (uint16_t)(value << (image->format.depth - 8));
                if (image->format.depth == 8)
                    to[x] = (uint8_t)value;
                else
                    memcpy(to + 2 * (ptrdiff_t)x, &value, 2);
            }
}

static void run(const char *name, struct vsm_format format, bool everywhere)
{
    const struct vsm_colour colour = {1, 1, 1, false, 0};
    struct context c = {.source = vsm_image_create(format, WIDTH, HEIGHT, colour)};
    char title[80];

    for (int i = 0; i < 2; i++) {
        struct vsm_rect eye = {i * WIDTH / 2, 0, WIDTH / 2, HEIGHT};

        c.mattes[i] = (struct vsm_matte){{.source = eye, .width = GRID, .height = GRID}, maps(everywhere)};
        c.outputs[i] = (struct vsm_composite_output){i ? VSM_COMPOSITE_MATTE : VSM_COMPOSITE_KEY,
                                                     vsm_image_create(format, WIDTH, HEIGHT, colour),
                                                     {0x00, 0xb1, 0x40}};
        if (!c.outputs[i].image)
            exit(1);
    }
    if (!c.source)
        exit(1);
    paint(c.source);
    snprintf(title, sizeof(title), "refine %s to green and matte, %s", name,
             everywhere ? "alpha everywhere" : "one person an eye");
    measure(title,
            3 * vsm_format_bytes(format, WIDTH, HEIGHT) + 2 * vsm_tensor_bytes(c.mattes[0].coefficients),
            refine, &c);
    for (int i = 0; i < 2; i++) {
        vsm_tensor_unref(&c.mattes[i].coefficients);
        vsm_image_unref(&c.outputs[i].image);
    }
    vsm_image_unref(&c.source);
}

int main(int argc, char **argv)
{
    const struct vsm_format yuv420p = {VSM_PLANES_YUV, 8, 0, 1, 1}, yuv420p10 = {VSM_PLANES_YUV, 10, 0, 1, 1};

    vsm_cpu_force_c(argc > 1 && strcmp(argv[1], "--c") == 0);
    run("yuv420p", yuv420p, false);
    run("yuv420p", yuv420p, true);
    run("yuv420p10", yuv420p10, false);
    run("yuv420p10", yuv420p10, true);
    return 0;
}
