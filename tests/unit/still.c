#include "media/still.h"

#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

static const struct vsm_colour colour = {.full_range = true};

static char *scratch(const char *name)
{
    static char path[256];
    const char *folder = getenv("TMPDIR");

    snprintf(path, sizeof(path), "%s/vsm_still_%d_%s", folder ? folder : "/tmp", (int)getpid(), name);
    return path;
}

static struct vsm_image *pattern(enum vsm_planes planes, int depth, int width, int height)
{
    struct vsm_format format = {.planes = planes, .depth = (uint8_t)depth};
    struct vsm_image *image = vsm_image_create(format, width, height, colour);
    unsigned value = 1;

    if (!image)
        return NULL;
    for (int y = 0; y < height; y++) {
        int bytes = vsm_format_plane_width(format, 0, width) * vsm_format_bytes_per_sample(format);

        for (int x = 0; x < bytes; x++) {
            value = value * 1103515245u + 12345u;
            image->data[0][y * image->stride[0] + x] = (uint8_t)(value >> 16);
        }
    }
    return image;
}

static void check_same_pixels(const struct vsm_image *a, const struct vsm_image *b)
{
    int bytes = vsm_format_plane_width(a->format, 0, a->width) * vsm_format_bytes_per_sample(a->format);

    CHECK(vsm_format_equal(a->format, b->format));
    CHECK_INT(a->width, b->width);
    CHECK_INT(a->height, b->height);
    if (!vsm_format_equal(a->format, b->format) || a->height != b->height || a->width != b->width)
        return;
    for (int y = 0; y < a->height; y++)
        CHECK(memcmp(a->data[0] + y * a->stride[0], b->data[0] + y * b->stride[0], (size_t)bytes) == 0);
}

static void check_round_trip(enum vsm_planes planes, int depth)
{
    struct vsm_image *image = pattern(planes, depth, 37, 11), *back = NULL;
    char *path = scratch("100%.png");

    CHECK(image != NULL);
    if (!image)
        return;
    CHECK_INT(vsm_still_write_png(path, image), VSM_OK);
    CHECK_INT(vsm_still_read(path, &back), VSM_OK);
    if (back)
        check_same_pixels(image, back);
    vsm_image_unref(&image);
    vsm_image_unref(&back);
    unlink(path);
}

static void test_png_round_trips(void)
{
    check_round_trip(VSM_PLANES_RGB, 8);
    check_round_trip(VSM_PLANES_RGBA, 8);
    check_round_trip(VSM_PLANES_RGB, 16);
    check_round_trip(VSM_PLANES_RGBA, 16);
}

static void test_grey_is_read_as_rgb(void)
{
    struct vsm_image *image = pattern(VSM_PLANES_GRAY, 8, 5, 3), *back = NULL;
    char *path = scratch("grey.png");

    CHECK_INT(vsm_still_write_png(path, image), VSM_OK);
    CHECK_INT(vsm_still_read(path, &back), VSM_OK);
    if (back) {
        CHECK_INT(back->format.planes, VSM_PLANES_RGB);
        for (int i = 0; i < 15; i++)
            CHECK_INT(back->data[0][(i / 5) * back->stride[0] + 3 * (i % 5) + i % 3],
                      image->data[0][(i / 5) * image->stride[0] + i % 5]);
    }
    vsm_image_unref(&image);
    vsm_image_unref(&back);
    unlink(path);
}

static void test_what_is_no_picture_is_refused(void)
{
    struct vsm_image *back = NULL;
    char *path = scratch("broken.png");
    FILE *file = fopen(path, "wb");

    CHECK_INT(vsm_still_read("/nonexistent/picture.png", &back), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "/nonexistent/picture.png");
    CHECK(file != NULL);
    if (file) {
        fputs("\x89PNG\r\n\x1a\nthis is not a chunk", file);
        fclose(file);
    }
    CHECK_INT(vsm_still_read(path, &back), VSM_E_INPUT);
    CHECK(back == NULL);
    unlink(path);
}

static void test_what_cannot_be_written_is_refused(void)
{
    struct vsm_image *wide = pattern(VSM_PLANES_GRAY, 10, 4, 4), *fine = pattern(VSM_PLANES_GRAY, 8, 4, 4);

    CHECK_INT(vsm_still_write_png("/nonexistent/a.png", fine), VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), "/nonexistent/a.png");
    CHECK_INT(vsm_still_write_png(scratch("ten.png"), wide), VSM_E_INTERNAL);
    CHECK(access(scratch("ten.png"), F_OK) != 0);
    vsm_image_unref(&wide);
    vsm_image_unref(&fine);
}

int main(void)
{
    RUN(test_png_round_trips);
    RUN(test_grey_is_read_as_rgb);
    RUN(test_what_is_no_picture_is_refused);
    RUN(test_what_cannot_be_written_is_refused);
    return tap_done();
}
