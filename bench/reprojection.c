/* Draw one alpha-packed frame of 8192x4096 from a foreground picture and a 16-bit matte, one thread. Target:
 * at most 6 times memcpy of the bytes that must be read and written: picture, matte and frame. */
#include "geometry/reprojection.h"
#include "base/cpu.h"
#include "measure.h"

#define HEIGHT 4096

struct context {
    struct vsm_reprojection *reprojection;
    struct vsm_image *picture, *matte, *frame;
};

static int draw(void *argument)
{
    struct context *c = argument;

    return vsm_reprojection_draw(c->reprojection, c->picture, c->matte, c->frame, NULL);
}

static struct vsm_image *create(struct vsm_format format)
{
    struct vsm_image *image =
        vsm_image_create(format, 2 * HEIGHT, HEIGHT, (struct vsm_colour){1, 1, 1, false, 0});

    if (!image)
        exit(1);
    for (int p = 0; p < vsm_format_plane_count(format); p++)
        for (int y = 0; y < vsm_format_plane_height(format, p, HEIGHT); y++)
            for (ptrdiff_t x = 0; x < image->stride[p]; x++)
                image->data[p][y * image->stride[p] + x] =
                    (uint8_t)(format.depth == 10 && x % 2 ? 1 : x * 7 + y);
    return image;
}

static void run(const char *name, struct vsm_format format, int view)
{
    static const struct vsm_format gray = {.planes = VSM_PLANES_GRAY, .depth = 16};
    struct vsm_reprojection_options options = {
        .lens = {.projection = VSM_HALF_EQUIRECT},
        .eyes = {{0, 0, HEIGHT, HEIGHT}, {HEIGHT, 0, HEIGHT, HEIGHT}},
        .field_of_view = view,
        .height = HEIGHT,
        .format = format,
        .background = {16, 128, 128},
        .alpha_zero = {16, 128, 128},
        .alpha_one = {235, 128, 128},
    };
    struct context c = {.picture = create(format), .matte = create(gray), .frame = create(format)};
    char title[80];

    if (vsm_reprojection_create(&options, &c.reprojection))
        exit(1);
    snprintf(title, sizeof(title), "alpha_packed %s, %d degrees", name, view);
    measure(title,
            2 * vsm_format_bytes(format, 2 * HEIGHT, HEIGHT) + vsm_format_bytes(gray, 2 * HEIGHT, HEIGHT),
            draw, &c);
    vsm_reprojection_destroy(c.reprojection);
    vsm_image_unref(&c.picture);
    vsm_image_unref(&c.matte);
    vsm_image_unref(&c.frame);
}

int main(int argc, char **argv)
{
    const struct vsm_format yuv420p = {VSM_PLANES_YUV, 8, 0, 1, 1}, yuv420p10 = {VSM_PLANES_YUV, 10, 0, 1, 1};

    vsm_cpu_force_c(argc > 1 && strcmp(argv[1], "--c") == 0);
    run("yuv420p", yuv420p, 180);
    run("yuv420p10", yuv420p10, 180);
    run("yuv420p", yuv420p, 200);
    return 0;
}
