#include "media/encoder_codec.h"

#include "base/mem.h"
#include "media/ff.h"

#include <libavutil/opt.h>

#include <stdio.h>
#include <string.h>

/* What the threads of a codec work on, hence how many of them are of use. */
enum split {
    SPLIT_ANYHOW,
    SPLIT_SLICES,   /* of half a megapixel */
    SPLIT_ROWS,     /* of 64 lines */
    SPLIT_TILES,    /* four across, of 256 pixels at least */
    SPLIT_PICTURES, /* side by side, each with its memory */
    SPLIT_NOT,      /* the device does it */
};

struct traits {
    const char *name;
    double cost;      /* vsm_encoder_codec_cost() */
    enum split split; /* into threads */
    int bytes; /* that a thread holds for each pixel, if it has a picture of its own (bench/encoder_memory) */
    const char *quality;    /* option that takes crf; NULL = the codec has no such scale */
    double default_quality; /* on that scale: visually transparent edges of a key colour */
    const char *speed;      /* option that takes preset; NULL = none */
    const char *default_speed;
    const char *fixed; /* further options, key=value:... */
};

/* Defaults by eye on keyed footage: x264 16-18 and x265 18-20 are taken as transparent by both
 * projects' own guides. */
static const struct traits all_traits[] = {
    {"libx264", 1, SPLIT_SLICES, 0, "crf", 17, "preset", "fast", NULL},
    {"libx265", 3, SPLIT_ROWS, 0, "crf", 19, "preset", "fast", NULL},
    {"libsvtav1", 3, SPLIT_ANYHOW, 0, "crf", 24, "preset", "8", NULL},
    {"libvpx-vp9", 5, SPLIT_TILES, 0, "crf", 22, "deadline", "good", "cpu-used=4:row-mt=0:tile-columns=2"},
    {"h264_nvenc", 0.1, SPLIT_NOT, 0, "cq", 19, "preset", "p5", "rc=vbr:forced-idr=1:bf=2:rc-lookahead=0"},
    {"hevc_nvenc", 0.1, SPLIT_NOT, 0, "cq", 21, "preset", "p5", "rc=vbr:forced-idr=1:bf=2:rc-lookahead=0"},
    {"prores_ks", 4, SPLIT_ROWS, 0, NULL, 0, "profile", NULL, "vendor=apl0"},
    {"ffv1", 2, SPLIT_ANYHOW, 0, NULL, 0, NULL, NULL, "level=3:coder=1:context=0:slicecrc=1"},
    {"png", 2, SPLIT_PICTURES, 16, NULL, 0, NULL, NULL, "compression_level=2:pred=sub"},
    {"exr", 4, SPLIT_PICTURES, 60, NULL, 0, NULL, NULL, "compression=zip16:format=half"},
    {"mjpeg", 1, SPLIT_SLICES, 0, "qscale", 2, NULL, NULL, NULL},
};

static const struct traits *find_traits(const char *name)
{
    static const struct traits unknown = {.cost = 2};

    for (size_t i = 0; i < sizeof(all_traits) / sizeof(all_traits[0]); i++)
        if (strcmp(all_traits[i].name, name) == 0)
            return &all_traits[i];
    return &unknown;
}

static int put(AVDictionary **dictionary, const char *key, const char *value)
{
    return av_dict_set(dictionary, key, value, 0) < 0 ? vsm_fail_nomem("encoder options", strlen(key))
                                                      : VSM_OK;
}

static int put_int(AVDictionary **dictionary, const char *key, int value)
{
    return av_dict_set_int(dictionary, key, value, 0) < 0 ? vsm_fail_nomem("encoder options", strlen(key))
                                                          : VSM_OK;
}

static double quality_of(const struct vsm_video_encoder_options *options, const struct traits *traits)
{
    return options->crf >= 0 ? options->crf : traits->default_quality;
}

/* Depth of look-ahead and references by picture size.
 *
 * Measured (bench/encoder_memory, FFmpeg 5.1.9, x264 164, x265 3.5, 2 threads; MiB above the pictures
 * given): x264 holds 5 bytes a pixel for each reference and 1.5 for each picture to code, x265 12 bytes a
 * pixel for each picture, and at least 4 of them whatever its options. Hence at 8192x4096: x264 450, x265
 * 1480 (8 bit), 2050 (10 bit). */
struct depth {
    int64_t pixels; /* up to */
    int lookahead, b_frames, references, frame_threads;
    int above_crf; /* x264 without a bitrate: this and crf are the quantiser of its P pictures */
};

/* One quantiser instead of x264's rate control by crf: that needs a look-ahead and a reduced copy of every
 * picture (five eighths of its size), and moves bits to flat parts, which a key colour and a matte have many
 * of. At 2048x1024 the same bytes give 1 dB more luma PSNR, in 27 MiB less and less time, and at 8192x4096
 * 0.5 dB and 6 % fewer bytes in 139 MiB less (doc/performance.md). crf + above_crf gives about the bytes that
 * crf would give. Nothing then looks at times, so that x264 need not hold a picture to know how long it lasts
 * (force-cfr, as its zerolatency has it); the times of packets stay ours. */
static const struct depth x264_depths[] = {
    {2048 * 1024, 4, 3, 1, 1, 6},
    {4096 * 2048, 4, 2, 1, 1, 5},
    {INT64_MAX, 0, 0, 1, 1, 2},
};

static const struct depth x264_matte_depths[] = {
    {4096 * 2048, 1, 0, 1, 1, 9},
    {INT64_MAX, 0, 0, 1, 1, 9},
};

#define X264_QUANTISER_MOST 51 /* for 8 bits */

static const struct depth x265_depths[] = {
    {2048 * 1024, 6, 3, 2, 1, 0},
    {INT64_MAX, 0, 0, 1, 1, 0},
};

static const struct depth *depth_of(const struct depth *depth,
                                    const struct vsm_video_encoder_options *options)
{
    while ((int64_t)options->width * options->height > depth->pixels)
        depth++;
    return depth;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* Memory of the pictures that all threads of a codec with SPLIT_PICTURES work on: unless one
 * alone is larger. */
#define PICTURES_BYTES ((int64_t)256 << 20)

double vsm_encoder_codec_cost(const char *codec)
{
    return find_traits(codec)->cost;
}

int vsm_encoder_codec_most_threads(const char *codec, int width, int height)
{
    const struct traits *traits = find_traits(codec);
    const int64_t pixels = (int64_t)width * height;
    int64_t most = VSM_VIDEO_ENCODER_MAX_AUTO_THREADS;

    if (traits->split == SPLIT_SLICES)
        most = pixels >> 19; /* each slice costs bits at its edges */
    else if (traits->split == SPLIT_ROWS)
        most = height / 64;
    else if (traits->split == SPLIT_TILES)
        most = width / 256 < 4 ? width / 256 : 4;
    else if (traits->split == SPLIT_PICTURES)
        most = PICTURES_BYTES / (pixels * traits->bytes);
    else if (traits->split == SPLIT_NOT)
        most = 1;
    most = most < VSM_VIDEO_ENCODER_MAX_AUTO_THREADS ? most : VSM_VIDEO_ENCODER_MAX_AUTO_THREADS;
    return most < 1 ? 1 : (int)most;
}

/* Two seconds between key pictures, rounded up: players of 180-degree video seek coarsely, and a lost segment
 * costs little. At 24 to 30 frames/s checkpoints every 300 frames then hardly need further ones. */
static int key_distance(const struct vsm_video_encoder_options *options)
{
    struct vsm_rational rate = options->frame_rate;

    if (rate.num <= 0 || rate.den <= 0 || rate.num / rate.den > 1000)
        return 60;
    return (int)((2 * (int64_t)rate.num + rate.den - 1) / rate.den);
}

static void put_hdr(const struct vsm_ff_static_data *data, const char *light_key, const char *mastering_key,
                    char *text, size_t size)
{
    const AVMasteringDisplayMetadata *m = &data->mastering;
    size_t used = strlen(text);

    if (data->has_mastering && m->has_primaries && m->has_luminance) {
        int x[4], y[4];

        for (int i = 0; i < 3; i++) {
            x[i] = (int)(av_q2d(m->display_primaries[i][0]) * 50000 + 0.5);
            y[i] = (int)(av_q2d(m->display_primaries[i][1]) * 50000 + 0.5);
        }
        x[3] = (int)(av_q2d(m->white_point[0]) * 50000 + 0.5);
        y[3] = (int)(av_q2d(m->white_point[1]) * 50000 + 0.5);
        used += (size_t)snprintf(text + used, size - used, ":%s=G(%d,%d)B(%d,%d)R(%d,%d)WP(%d,%d)L(%u,%u)",
                                 mastering_key, x[1], y[1], x[2], y[2], x[0], y[0], x[3], y[3],
                                 (unsigned)(av_q2d(m->max_luminance) * 10000 + 0.5),
                                 (unsigned)(av_q2d(m->min_luminance) * 10000 + 0.5));
    }
    if (data->has_light && used < size)
        snprintf(text + used, size - used, ":%s=%u,%u", light_key, data->light.MaxCLL, data->light.MaxFALL);
}

/* Quality 0 is lossless; higher depths count quantisers from lower down, as crf does not. */
static int set_quantiser(double quality, int above_crf, const AVCodecContext *codec,
                         AVDictionary **dictionary)
{
    const int depth = vsm_video_encoder_depth(av_get_pix_fmt_name(codec->pix_fmt));
    int quantiser = 0, status;

    if (quality > 0)
        quantiser = min_int((int)(quality + above_crf + 0.5), X264_QUANTISER_MOST) +
                    (depth > 8 ? 6 * (depth - 8) : 0);
    status = put(dictionary, "crf", NULL);
    return status == VSM_OK ? put_int(dictionary, "qp", quantiser) : status;
}

static int setup_x264(const struct vsm_video_encoder_options *options, const struct vsm_ff_static_data *hdr,
                      int threads, AVCodecContext *codec, AVDictionary **dictionary)
{
    const bool matte = options->format.planes == VSM_PLANES_GRAY, constant = options->bitrate <= 0;
    const struct depth *depth = depth_of(matte ? x264_matte_depths : x264_depths, options);
    const int most = vsm_encoder_codec_most_threads("libx264", options->width, options->height);
    char text[512];
    int status = VSM_OK;

    snprintf(
        text, sizeof(text),
        "rc-lookahead=%d:sync-lookahead=0:bframes=%d:b-pyramid=none:ref=%d:open-gop=0:sliced-threads=%d%s",
        constant ? 0 : depth->lookahead, depth->b_frames, depth->references, depth->frame_threads == 1,
        constant ? ":weightp=0:scenecut=0:b-adapt=0:force-cfr=1" : "");
    if (constant)
        status =
            set_quantiser(quality_of(options, find_traits("libx264")), depth->above_crf, codec, dictionary);
    put_hdr(hdr, "cll", "mastering-display", text, sizeof(text));
    codec->max_b_frames = depth->b_frames;
    codec->flags |= AV_CODEC_FLAG_CLOSED_GOP;
    codec->thread_count =
        depth->frame_threads > 1 ? min_int(threads, depth->frame_threads) : min_int(threads, most);
    return status == VSM_OK ? put(dictionary, "x264-params", text) : status;
}

static int setup_x265(const struct vsm_video_encoder_options *options, const struct vsm_ff_static_data *hdr,
                      int threads, AVCodecContext *codec, AVDictionary **dictionary)
{
    const struct depth *depth = depth_of(x265_depths, options);
    /* x265 3.5 reads unset memory in B pictures of one coding tree unit's width: never the
     * same bits twice. */
    int b_frames = options->width > 64 ? depth->b_frames : 0;
    char text[512];

    /* frame-threads changes the bits, pools only the speed, so both are explicit. */
    snprintf(
        text, sizeof(text),
        "log-level=none:info=0:open-gop=0:rc-lookahead=%d:lookahead-slices=0:bframes=%d:b-adapt=%d:ref=%d:"
        "frame-threads=%d:pools=%d:scenecut=%d:keyint=%d:min-keyint=1",
        depth->lookahead > b_frames ? depth->lookahead : b_frames, b_frames, b_frames ? 2 : 0,
        depth->references, min_int(threads, depth->frame_threads), threads, depth->lookahead ? 40 : 0,
        codec->gop_size);
    put_hdr(hdr, "max-cll", "master-display", text, sizeof(text));
    codec->max_b_frames = b_frames;
    codec->flags |= AV_CODEC_FLAG_CLOSED_GOP;
    codec->thread_count = threads;
    return put(dictionary, "x265-params", text);
}

/* Its encoder of alpha pictures knows no alternative references. */
static int setup_vp9(const struct vsm_video_encoder_options *options, const AVCodecContext *codec,
                     AVDictionary **dictionary)
{
    const int lag = (int64_t)options->width * options->height > 4096 * 2048 ? 0 : 4;
    const bool alpha = codec->pix_fmt == AV_PIX_FMT_YUVA420P;
    int status = put_int(dictionary, "lag-in-frames", lag);

    return status == VSM_OK ? put_int(dictionary, "auto-alt-ref", lag > 0 && !alpha) : status;
}

static int setup_svtav1(int threads, AVDictionary **dictionary)
{
    char text[64];

    snprintf(text, sizeof(text), "lp=%d", threads);
    return put(dictionary, "svtav1-params", text);
}

static int set_quality(const struct vsm_video_encoder_options *options, const struct traits *traits,
                       AVCodecContext *codec, AVDictionary **dictionary)
{
    const double quality = quality_of(options, traits);
    char text[32];

    if (options->crf >= 0 && !traits->quality)
        return vsm_fail(VSM_E_USAGE, "output.crf: %s has no such quality scale; leave it out",
                        options->codec);
    if (options->bitrate > 0) {
        codec->bit_rate = options->bitrate;
        return VSM_OK;
    }
    if (!traits->quality)
        return VSM_OK;
    if (strcmp(traits->quality, "qscale") == 0) {
        codec->flags |= AV_CODEC_FLAG_QSCALE;
        codec->global_quality = (int)(quality * FF_QP2LAMBDA + 0.5);
        return VSM_OK;
    }
    snprintf(text, sizeof(text), "%g", quality);
    return put(dictionary, traits->quality, text);
}

static int set_speed(const struct vsm_video_encoder_options *options, const struct traits *traits,
                     AVDictionary **dictionary)
{
    const char *speed = options->preset ? options->preset : traits->default_speed;

    if (options->preset && !traits->speed)
        return vsm_fail(VSM_E_USAGE, "output.preset: %s has no presets; leave it out", options->codec);
    return speed ? put(dictionary, traits->speed, speed) : VSM_OK;
}

int vsm_encoder_codec_settings(const AVCodecContext *codec, const AVDictionary *dictionary,
                               struct vsm_sha256 *settings)
{
    char *options = NULL, *text = NULL;
    int status;

    if (av_dict_get_string(dictionary, &options, '=', ':') < 0)
        return vsm_fail_nomem("encoder options", 0);
    text = vsm_mem_format("encoder options", "%s gop=%d b=%d threads=%d,%d slices=%d rate=%lld quality=%d %s",
                          codec->codec->name, codec->gop_size, codec->max_b_frames, codec->thread_count,
                          codec->thread_type, codec->slices, (long long)codec->bit_rate,
                          codec->global_quality, options);
    av_free(options);
    status = text ? vsm_hash_sha256(text, strlen(text), settings) : VSM_E_NOMEM;
    vsm_mem_free(text);
    return status;
}

int vsm_encoder_codec_setup(const struct vsm_video_encoder_options *options,
                            const struct vsm_ff_static_data *hdr, int threads, AVCodecContext *codec,
                            AVDictionary **dictionary)
{
    const struct traits *traits = find_traits(options->codec);
    int status;

    codec->thread_count = threads;
    if (traits->split == SPLIT_PICTURES)
        codec->thread_count =
            min_int(threads, vsm_encoder_codec_most_threads(options->codec, options->width, options->height));
    codec->gop_size = key_distance(options);
    if (traits->fixed && av_dict_parse_string(dictionary, traits->fixed, "=", ":", 0) < 0)
        return vsm_fail_nomem("encoder options", strlen(traits->fixed));
    status = set_quality(options, traits, codec, dictionary);
    if (status == VSM_OK)
        status = set_speed(options, traits, dictionary);
    if (status != VSM_OK)
        return status;
    if (strcmp(options->codec, "libx264") == 0)
        status = setup_x264(options, hdr, threads, codec, dictionary);
    else if (strcmp(options->codec, "libx265") == 0)
        status = setup_x265(options, hdr, threads, codec, dictionary);
    else if (strcmp(options->codec, "libsvtav1") == 0)
        status = setup_svtav1(threads, dictionary);
    else if (strcmp(options->codec, "libvpx-vp9") == 0)
        status = setup_vp9(options, codec, dictionary);
    else if (strcmp(options->codec, "prores_ks") == 0)
        codec->thread_type = FF_THREAD_SLICE; /* frame threads hold threads + 1 pictures of 4 bytes a pixel */
    else if (strcmp(options->codec, "ffv1") == 0)
        codec->slices = (int64_t)options->width * options->height > 1280 * 720 ? 16 : 4;
    return status;
}
