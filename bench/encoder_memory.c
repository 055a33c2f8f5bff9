/* Peak resident memory of encoding pictures of a size with a codec, above what the pictures themselves take:
 *
 *   encoder_memory CODEC [WIDTH HEIGHT [PICTURES [DEPTH [THREADS [BITRATE]]]]]
 *
 * BITRATE in bits a second, 0 = by quality. Prints one line a run. One codec a process, because freed
 * memory would count for the next. */
#include "base/clock.h"
#include "media/packet.h"
#include "media/video_encoder.h"

#include <libavcodec/packet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static struct vsm_image *make_picture(struct vsm_format format, int width, int height, int n)
{
    struct vsm_image *image = vsm_image_create(format, width, height, (struct vsm_colour){1, 1, 1, false, 1});
    int bytes = vsm_format_bytes_per_sample(format);

    for (int p = 0; image && p < vsm_format_plane_count(format); p++)
        for (int y = 0; y < vsm_format_plane_height(format, p, height); y++)
            for (int x = 0; x < vsm_format_plane_width(format, p, width) * bytes; x += bytes)
                image->data[p][y * image->stride[p] + x] =
                    (uint8_t)(60 + ((x / 32 + y / 24 + n) & 63) + ((x * y) & 3));
    return image;
}

static long peak_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static int run(const struct vsm_video_encoder_options *options, int pictures)
{
    struct vsm_image *images[2] = {make_picture(options->format, options->width, options->height, 0),
                                   make_picture(options->format, options->width, options->height, 1)};
    struct vsm_video_encoder *encoder = NULL;
    struct vsm_packet *packet;
    long before = peak_kib();
    uint64_t start = vsm_clock_ns(), bytes = 0;
    int status = vsm_video_encoder_open(options, &encoder);

    for (int n = 0; status == VSM_OK && n < pictures; n++) {
        struct vsm_image *image = vsm_image_ref(images[n % 2]);

        status = vsm_video_encoder_put(encoder, &image, n, 1);
        vsm_image_unref(&image);
        while (status == VSM_OK && vsm_video_encoder_get(encoder, &packet) == VSM_OK) {
            bytes += (uint64_t)packet->av->size;
            vsm_packet_destroy(&packet);
        }
    }
    if (status == VSM_OK)
        status = vsm_video_encoder_end_segment(encoder);
    printf("%-11s %dx%d %2d bit, %d pictures, %d threads, %s: %ld MiB above the pictures, %.2f pictures/s\n",
           options->codec, options->width, options->height, options->format.depth, pictures, options->threads,
           options->bitrate > 0 ? "by bitrate" : "by quality", (peak_kib() - before) / 1024,
           pictures / ((double)(vsm_clock_ns() - start) * 1e-9));
    vsm_video_encoder_close(encoder);
    vsm_image_unref(&images[0]);
    vsm_image_unref(&images[1]);
    return status;
}

int main(int argc, char **argv)
{
    struct vsm_video_encoder_options options = {
        .codec = argc > 1 ? argv[1] : "libx264",
        .crf = -1,
        .bitrate = argc > 7 ? atoll(argv[7]) : 0,
        .width = argc > 3 ? atoi(argv[2]) : 8192,
        .height = argc > 3 ? atoi(argv[3]) : 4096,
        .threads = argc > 6 ? atoi(argv[6]) : 2,
        .format = {.planes = VSM_PLANES_YUV,
                   .depth = argc > 5 ? (uint8_t)atoi(argv[5]) : 8,
                   .chroma_x = 1,
                   .chroma_y = 1},
        .colour = {1, 1, 1, false, 1},
        .time_base = {1, 30},
        .frame_rate = {30, 1},
    };
    int status = run(&options, argc > 4 ? atoi(argv[4]) : 12);

    if (status != VSM_OK)
        fprintf(stderr, "%s\n", vsm_error_message());
    return status == VSM_OK ? 0 : 1;
}
