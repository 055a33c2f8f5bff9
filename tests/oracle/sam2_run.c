/* Tracks one click through raw frames and writes the logits, for comparison with another implementation:
 *
 *   oracle_sam2_run CHECKPOINT SIZE PICTURES.bin X Y OUT.bin [THREADS [cpu|cuda|half [FRAMES]]]
 *
 * PICTURES.bin: float32 [pictures][3][SIZE][SIZE], normalised, shown forth and back until there were FRAMES
 * of them (once if FRAMES is not given); cuda: on the GPU in float32, half: in half precision. X, Y: a
 * positive click on frame 0, in pixels of SIZE. OUT.bin: float32 [frames][SIZE / 4][SIZE / 4]. One line a
 * frame: object score, candidate, its IoUs, time. See sam2_transformers.py. */
#include "base/clock.h"
#include "models/sam2_tracker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(struct vsm_sam2_net *net, struct vsm_tensor *image, const char *pictures,
               struct vsm_sam2_click click, const char *out, int frames)
{
    const struct vsm_sam2_tracker_options options = {.views = 1};
    const struct vsm_sam2_prompt prompt = {.clicks = &click, .click_count = 1};
    FILE *in = fopen(pictures, "rb"), *to = fopen(out, "wb");
    const size_t bytes = vsm_tensor_bytes(image);
    struct vsm_sam2_tracker *tracker;
    int count, status = in && to ? VSM_OK : vsm_fail(VSM_E_INPUT, "%s or %s cannot be opened", pictures, out);

    if (!status)
        status = vsm_sam2_tracker_create(net, &options, &tracker);
    count = in && !fseek(in, 0, SEEK_END) ? (int)((size_t)ftell(in) / bytes) : 0;
    for (int frame = 0; !status && count > 0 && frame < (frames ? frames : count); frame++) {
        const int period = count > 1 ? 2 * (count - 1) : 1, phase = frame % period;
        const int picture = phase < count ? phase : period - phase;
        const struct vsm_sam2_result *r;
        uint64_t start;

        if (fseek(in, (long)((size_t)picture * bytes), SEEK_SET) || fread(image->data, 1, bytes, in) != bytes)
            return vsm_fail(VSM_E_INPUT, "%s ends early", pictures);
        start = vsm_clock_ns();
        status = vsm_sam2_tracker_begin(tracker, image);
        if (!status && frame == 0)
            status = vsm_sam2_tracker_prompt(tracker, 0, 1, &prompt, NULL);
        if (!status)
            status = vsm_sam2_tracker_track(tracker);
        if (status)
            break;
        r = vsm_sam2_tracker_at(tracker, 0);
        fwrite(r->logits, sizeof(float), (size_t)r->side * (size_t)r->side, to);
        printf("frame %d: score %.5f, candidate %d, IoUs %.5f %.5f %.5f %.5f, %.1f ms\n", frame,
               (double)r->score, r->mask, (double)r->ious[0], (double)r->ious[1], (double)r->ious[2],
               (double)r->ious[3], (double)(vsm_clock_ns() - start) * 1e-6);
    }
    if (in)
        fclose(in);
    if (to)
        fclose(to);
    return status;
}

int main(int argc, char **argv)
{
    struct vsm_sam2_net_options options = {.session.threads = 1};
    struct vsm_tensor *image;
    struct vsm_sam2_net *net;
    int status;

    if (argc < 7) {
        fprintf(stderr, "usage: oracle_sam2_run CHECKPOINT SIZE FRAMES.bin X Y OUT.bin [THREADS "
                        "[cpu|cuda|half [FRAMES]]]\n");
        return 1;
    }
    options.path = argv[1];
    options.image_size = atoi(argv[2]);
    if (argc > 7)
        options.session.threads = atoi(argv[7]);
    options.session.device = argc > 8 && strcmp(argv[8], "cpu") != 0 ? VSM_DEVICE_CUDA : VSM_DEVICE_CPU;
    options.session.half = argc > 8 && strcmp(argv[8], "half") == 0;
    status = vsm_sam2_net_create(&options, &net);
    if (!status) {
        const int64_t dims[] = {1, 3, options.image_size, options.image_size};
        const struct vsm_sam2_click click = {strtof(argv[4], NULL), strtof(argv[5], NULL), true};

        image = vsm_tensor_create(VSM_F32, 4, dims);
        status = image ? run(net, image, argv[3], click, argv[6], argc > 9 ? atoi(argv[9]) : 0) : VSM_E_NOMEM;
        vsm_tensor_unref(&image);
        vsm_sam2_net_destroy(net);
    }
    if (status)
        fprintf(stderr, "%s\n", vsm_error_message());
    return status ? 1 : 0;
}
