/* Makes small videos with FFmpeg's own encoders, for tests of the reading side. */
#ifndef TINY_VIDEO_H
#define TINY_VIDEO_H

#include "media/ff.h"

#include <libavutil/spherical.h>
#include <libavutil/stereo3d.h>

#include <stdbool.h>
#include <string.h>

struct tiny_video {
    const char *codec; /* encoder; NULL = mpeg4 */
    enum AVPixelFormat pixel_format;
    int width, height;
    int frames;
    int gop, b_frames;
    struct vsm_colour colour;
    bool turned; /* a display matrix turns it by 90 degrees clockwise */
    int vr;      /* half-equirectangular boxes: 1 left-right, 2 right-left (Matroska only) */
    bool hdr;    /* mastering display and light level */
};

/* A moving pattern with some noise, so that every picture differs in every block. */
static void tiny_paint(AVFrame *frame, int n)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(frame->format);
    unsigned noise = 12345u + (unsigned)n;

    for (int p = 0; p < 4 && frame->data[p]; p++) {
        int rows = p == 1 || p == 2 ? AV_CEIL_RSHIFT(frame->height, d->log2_chroma_h) : frame->height;

        for (int y = 0; y < rows; y++)
            for (int x = 0; x < frame->linesize[p]; x++) {
                noise = noise * 1664525u + 1013904223u;
                frame->data[p][y * frame->linesize[p] + x] =
                    (uint8_t)(d->comp[0].depth > 8 && (x & 1)
                                  ? n & 1
                                  : 64 + (x + 3 * n) % 64 + y % 32 + (int)(noise >> 30));
            }
    }
}

static bool tiny_drain(AVFormatContext *format, AVCodecContext *codec, AVPacket *packet)
{
    int r;

    while ((r = avcodec_receive_packet(codec, packet)) >= 0) {
        packet->duration = 1;
        av_packet_rescale_ts(packet, codec->time_base, format->streams[0]->time_base);
        packet->stream_index = 0;
        if (av_interleaved_write_frame(format, packet) < 0)
            return false;
    }
    return r == AVERROR(EAGAIN) || r == AVERROR_EOF;
}

static bool tiny_encode(AVFormatContext *format, AVCodecContext *codec, const struct tiny_video *video)
{
    AVPacket *packet = av_packet_alloc();
    bool good = packet != NULL;

    for (int n = 0; n <= video->frames && good; n++) {
        AVFrame *frame = n < video->frames ? av_frame_alloc() : NULL;

        if (frame) {
            frame->format = codec->pix_fmt;
            frame->width = codec->width;
            frame->height = codec->height;
            frame->pts = n;
            good = av_frame_get_buffer(frame, 0) >= 0;
            if (good)
                tiny_paint(frame, n);
            vsm_ff_colour_to_frame(video->colour, frame);
        }
        good = good && avcodec_send_frame(codec, frame) >= 0 && tiny_drain(format, codec, packet);
        av_frame_free(&frame);
    }
    av_packet_free(&packet);
    return good;
}

static void tiny_side_data(AVStream *stream, const struct tiny_video *video)
{
    static const AVContentLightMetadata light = {.MaxCLL = 1000, .MaxFALL = 400};
    AVMasteringDisplayMetadata mastering = {.max_luminance = {1000, 1},
                                            .min_luminance = {1, 10000},
                                            .has_luminance = 1,
                                            .has_primaries = 1};
    const int turn[9] = {0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30};

    for (int i = 0; i < 3; i++)
        mastering.display_primaries[i][0] = mastering.display_primaries[i][1] = (AVRational){3 + i, 10};
    mastering.white_point[0] = mastering.white_point[1] = (AVRational){3127, 10000};
    if (video->turned && vsm_ff_stream_set_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, turn, sizeof(turn)))
        return;
    if (video->hdr &&
        (vsm_ff_stream_set_side_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, &mastering,
                                     sizeof(mastering)) ||
         vsm_ff_stream_set_side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, &light, sizeof(light))))
        return;
}

static void tiny_vr_data(AVStream *stream, bool right_left)
{
    size_t size;
    AVSphericalMapping *sphere = av_spherical_alloc(&size);
    AVStereo3D *stereo = av_stereo3d_alloc();
    bool good = sphere && stereo;

    if (good) {
        sphere->projection = AV_SPHERICAL_EQUIRECTANGULAR_TILE;
        sphere->bound_left = sphere->bound_right = 0x3FFFFFFF;
        stereo->type = AV_STEREO3D_SIDEBYSIDE;
        stereo->flags = right_left ? AV_STEREO3D_FLAG_INVERT : 0;
        good = vsm_ff_stream_set_side_data(stream, AV_PKT_DATA_SPHERICAL, sphere, size) == VSM_OK &&
               vsm_ff_stream_set_side_data(stream, AV_PKT_DATA_STEREO3D, stereo, sizeof(*stereo)) == VSM_OK;
    }
    av_free(sphere);
    av_free(stereo);
}

static AVCodecContext *tiny_encoder(const AVFormatContext *format, const struct tiny_video *video)
{
    const AVCodec *encoder = avcodec_find_encoder_by_name(video->codec ? video->codec : "mpeg4");
    AVCodecContext *codec = encoder ? avcodec_alloc_context3(encoder) : NULL;

    if (!codec)
        return NULL;
    codec->width = video->width;
    codec->height = video->height;
    codec->pix_fmt = video->pixel_format;
    codec->time_base = (AVRational){1, 25};
    codec->framerate = (AVRational){25, 1};
    codec->gop_size = video->gop ? video->gop : 12;
    codec->max_b_frames = video->b_frames;
    codec->bit_rate = 400000;
    if (encoder->id == AV_CODEC_ID_FFV1)
        codec->level = 3; /* with checksums */
    codec->thread_count = 1;
    codec->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;
    codec->flags |= AV_CODEC_FLAG_BITEXACT;
    if (format->oformat->flags & AVFMT_GLOBALHEADER)
        codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    vsm_ff_colour_to_codec(video->colour, codec);
    if (avcodec_open2(codec, encoder, NULL) < 0)
        avcodec_free_context(&codec);
    return codec;
}

/* Writes the file; its container goes by the extension. false if this FFmpeg cannot. */
static bool tiny_video_write(const char *path, const struct tiny_video *video)
{
    AVFormatContext *format = NULL;
    AVCodecContext *codec = NULL;
    AVStream *stream = NULL;
    bool good;

    vsm_ff_init();
    good = avformat_alloc_output_context2(&format, NULL, NULL, path) >= 0;
    if (good) {
        format->flags |= AVFMT_FLAG_BITEXACT;
        format->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;
        stream = avformat_new_stream(format, NULL);
        codec = tiny_encoder(format, video);
        good = stream && codec && avcodec_parameters_from_context(stream->codecpar, codec) >= 0;
    }
    if (good) {
        stream->time_base = codec->time_base;
        stream->avg_frame_rate = codec->framerate;
        tiny_side_data(stream, video);
        if (video->vr)
            tiny_vr_data(stream, video->vr == 2);
        if (!(format->oformat->flags & AVFMT_NOFILE))
            good = avio_open(&format->pb, path, AVIO_FLAG_WRITE) >= 0;
        good = good && avformat_write_header(format, NULL) >= 0 && tiny_encode(format, codec, video) &&
               av_write_trailer(format) >= 0;
        if (format->pb && !(format->oformat->flags & AVFMT_NOFILE))
            avio_closep(&format->pb);
    }
    avcodec_free_context(&codec);
    avformat_free_context(format);
    return good;
}

#endif
