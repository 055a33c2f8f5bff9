/* From an 8192x4096 picture to both eyes' grids, one thread. Target: at most 3 times memcpy of
 * the bytes read. */
#include "image/preprocess.h"
#include "base/cpu.h"
#include "measure.h"

#define WIDTH  8192
#define HEIGHT 4096

struct context {
    struct vsm_image *image;
    int grid;
    float *rgb;
};

static int both_eyes(void *argument)
{
    struct context *c = argument;
    int status = 0;

    for (int eye = 0; eye < 2 && !status; eye++) {
        struct vsm_view view = {.source = {eye * WIDTH / 2, 0, WIDTH / 2, HEIGHT},
                                .width = c->grid,
                                .height = c->grid};

        status = vsm_preprocess(c->image, &view, c->rgb, NULL);
    }
    return status;
}

static void run(const char *name, struct vsm_format format, int grid)
{
    struct context c = {vsm_image_create(format, WIDTH, HEIGHT, (struct vsm_colour){1, 1, 1, false, 0}), grid,
                        NULL};
    char title[80];

    c.rgb = malloc(3 * sizeof(float) * (size_t)grid * (size_t)grid);
    if (!c.image || !c.rgb)
        exit(1);
    for (int p = 0; p < vsm_format_plane_count(format); p++)
        memset(c.image->data[p], p + 1,
               (size_t)c.image->stride[p] * (size_t)vsm_format_plane_height(format, p, HEIGHT));
    snprintf(title, sizeof(title), "preprocess %s to 2 x %dx%d", name, grid, grid);
    measure(title, vsm_format_bytes(format, WIDTH, HEIGHT), both_eyes, &c);
    free(c.rgb);
    vsm_image_unref(&c.image);
}

int main(int argc, char **argv)
{
    vsm_cpu_force_c(argc > 1 && strcmp(argv[1], "--c") == 0);
    run("yuv420p", (struct vsm_format){VSM_PLANES_YUV, 8, 0, 1, 1}, 768);
    run("yuv420p", (struct vsm_format){VSM_PLANES_YUV, 8, 0, 1, 1}, 1024);
    run("nv12", (struct vsm_format){VSM_PLANES_NV, 8, 0, 1, 1}, 768);
    run("yuv420p10", (struct vsm_format){VSM_PLANES_YUV, 10, 0, 1, 1}, 768);
    run("yuv422p12", (struct vsm_format){VSM_PLANES_YUV, 12, 0, 1, 0}, 768);
    return 0;
}
