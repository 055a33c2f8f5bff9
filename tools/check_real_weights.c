/* Shows whether an official SAM 2 or EdgeTAM checkpoint works here as it does elsewhere:
 *
 *   check_real_weights CHECKPOINT [PICTURE X Y [THREADS]]
 *
 * Without a picture: recognises and verifies the file. With one: puts one positive click at pixel X, Y and
 * prints the predicted qualities (IoU) of the three candidate masks. For the picture car.png of the public
 * repository ybelkada/segment-anything and the click 1000, 600 the expected triples are known from the
 * transformers library's conversion scripts, which accept differences of 0.01; they are printed beside. */
#include "base/mem.h"
#include "media/still.h"
#include "models/sam2_mask.h"
#include "models/sam2_tracker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    float ious[3];
} expected[] = {
    {"sam2.1_hiera_tiny", {.0316f, .9647f, .1029f}},
    {"sam2.1_hiera_small", {.9664f, .1494f, .0456f}},
    {"sam2.1_hiera_base_plus", {.0361f, .9775f, .1307f}},
    {"sam2.1_hiera_large", {.9648f, .0371f, .1898f}},
    {"sam2_hiera_tiny", {.0439f, .9567f, .1415f}},
    {"sam2_hiera_small", {.9593f, .1633f, .0392f}},
    {"sam2_hiera_base_plus", {.0423f, .9815f, .0897f}},
    {"sam2_hiera_large", {.9514f, .0535f, .1787f}},
    {"edgetam", {.0356f, .2141f, .9707f}},
};

/* One channel of the picture stretched to size x size, rounded to 8 bits as the reference does, 0..1. */
static int stretch(const struct vsm_image *picture, int channel, int channels, int size, float *out)
{
    float *plane =
        vsm_mem_alloc_raw("picture", (size_t)picture->width * (size_t)picture->height, sizeof(*plane));
    int status;

    if (!plane)
        return VSM_E_NOMEM;
    for (int y = 0; y < picture->height; y++)
        for (int x = 0; x < picture->width; x++)
            plane[(ptrdiff_t)y * picture->width + x] =
                picture->data[0][y * picture->stride[0] + x * channels + channel];
    status = vsm_sam2_mask_resize_smooth(plane, picture->height, picture->width, out, size, size);
    for (int i = 0; !status && i < size * size; i++)
        out[i] = roundf(out[i]) / 255;
    vsm_mem_free(plane);
    return status;
}

static int load(const char *path, struct vsm_tensor *pixels, int size, int *width, int *height)
{
    struct vsm_image *picture;
    int status = vsm_still_read(path, &picture), channels;

    if (status)
        return status;
    *width = picture->width;
    *height = picture->height;
    channels = picture->format.planes == VSM_PLANES_RGBA ? 4 : 3;
    if (picture->format.depth != 8)
        status = vsm_fail(VSM_E_INPUT, "%s: not 8 bits a channel", path);
    for (int c = 0; !status && c < 3; c++)
        status = stretch(picture, c, channels, size,
                         vsm_tensor_f32(pixels) + (size_t)c * (size_t)size * (size_t)size);
    if (!status)
        vsm_sam2_tracker_normalise(vsm_tensor_f32(pixels), (int64_t)size * size);
    vsm_image_unref(&picture);
    return status;
}

static int click_on(struct vsm_sam2_net *net, const char *path, float x, float y)
{
    const int size = vsm_sam2_net_config(net)->image_size;
    const char *name = vsm_sam2_net_config(net)->name;
    const int64_t dims[] = {1, 3, size, size};
    struct vsm_tensor *pixels = vsm_tensor_create(VSM_F32, 4, dims);
    struct vsm_sam2_tracker *tracker = NULL;
    const struct vsm_sam2_result *r = NULL;
    struct vsm_sam2_click click = {.positive = true};
    const struct vsm_sam2_prompt prompt = {.clicks = &click, .click_count = 1};
    int width, height, status = pixels ? load(path, pixels, size, &width, &height) : VSM_E_NOMEM;

    if (!status)
        status = vsm_sam2_tracker_create(net, &(struct vsm_sam2_tracker_options){.views = 1}, &tracker);
    if (!status)
        status = vsm_sam2_tracker_begin(tracker, pixels);
    if (!status) {
        click.x = x / (float)width * (float)size;
        click.y = y / (float)height * (float)size;
        status = vsm_sam2_tracker_prompt(tracker, 0, 1, &prompt, &r);
    }
    if (!status) {
        printf(
            "predicted IoU: %.4f %.4f %.4f; object score %.3f; candidate %d covers %.2f %% of the picture\n",
            (double)r->ious[1], (double)r->ious[2], (double)r->ious[3], (double)r->score, r->mask,
            100.0 * (double)vsm_sam2_mask_area(r->logits, (int64_t)r->side * r->side) / (r->side * r->side));
        for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
            if (strcmp(expected[i].name, name) == 0)
                printf("for car.png, 1000 600:  %.4f %.4f %.4f (%s)\n", (double)expected[i].ious[0],
                       (double)expected[i].ious[1], (double)expected[i].ious[2], name);
    }
    vsm_sam2_tracker_destroy(tracker);
    vsm_tensor_unref(&pixels);
    return status;
}

static bool number(const char *text, float *value)
{
    char *end;

    *value = strtof(text, &end);
    return end != text && *end == '\0' && isfinite(*value);
}

int main(int argc, char **argv)
{
    struct vsm_sam2_net_options options = {.session.threads = 2};
    struct vsm_sam2_net *net = NULL;
    float x = 0, y = 0;
    int status;

    if ((argc != 2 && argc != 5 && argc != 6) ||
        (argc > 2 && (!number(argv[3], &x) || !number(argv[4], &y))) || (argc == 6 && atoi(argv[5]) < 1)) {
        fprintf(stderr, "usage: check_real_weights CHECKPOINT [PICTURE X Y [THREADS]]\n");
        return 1;
    }
    options.path = argv[1];
    if (argc == 6)
        options.session.threads = atoi(argv[5]);
    status = vsm_sam2_net_create(&options, &net);
    if (!status)
        printf("%s: %s, intact, all tensors there\n", argv[1], vsm_sam2_net_config(net)->name);
    if (!status && argc > 2)
        status = click_on(net, argv[2], x, y);
    vsm_sam2_net_destroy(net);
    if (status)
        fprintf(stderr, "%s\n", vsm_error_message());
    return status ? 1 : 0;
}
