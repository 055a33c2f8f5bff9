/* Small sources and pictures for tests of the output side, made with FFmpeg's own encoders, and a reader of
 * packets to compare files with. Everything is deterministic.
 */
#ifndef MEDIA_SOURCE_H
#define MEDIA_SOURCE_H

#include "base/hash.h"
#include "frame/image.h"
#include "media/video_encoder.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A path in a folder of this process that media_source_clean() removes. The last 64 stay valid. */
static const char *media_source_path(const char *name)
{
    static char folder[64], paths[64][256];
    static int turn;
    char *path = paths[turn++ % 64];

    if (!folder[0]) {
        snprintf(folder, sizeof(folder), "/tmp/vsm-test-XXXXXX");
        if (!mkdtemp(folder))
            abort();
    }
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

__attribute__((unused)) static void media_source_clean(void)
{
    char command[320];

    snprintf(command, sizeof(command), "rm -rf '%s'", media_source_path(""));
    if (system(command) != 0)
        printf("# could not remove %s\n", media_source_path(""));
}

/* What the tests encode with where they mean nothing special: one thread, default quality, 30
 * pictures a second. */
__attribute__((unused)) static struct vsm_video_encoder_options
media_source_encoder(const char *codec, struct vsm_format format, int width, int height)
{
    return (struct vsm_video_encoder_options){
        .codec = codec,
        .crf = -1,
        .threads = 1,
        .width = width,
        .height = height,
        .format = format,
        .colour = {1, 1, 1, false, 1},
        .time_base = {1, 90000},
        .frame_rate = {30, 1},
    };
}

/* Picture number `n`: a moving gradient with a little texture, so that encoders use B
 * pictures and vectors. */
__attribute__((unused)) static struct vsm_image *media_source_picture(struct vsm_format format, int width,
                                                                      int height, int n)
{
    struct vsm_image *image = vsm_image_create(format, width, height, (struct vsm_colour){1, 1, 1, false, 1});
    int planes = vsm_format_plane_count(format), scale = 1 << (format.depth - 8 + format.shift);

    for (int p = 0; image && p < planes; p++) {
        int w = vsm_format_plane_width(format, p, width), h = vsm_format_plane_height(format, p, height);

        for (int y = 0; y < h; y++) {
            uint8_t *row = image->data[p] + y * image->stride[p];

            for (int x = 0; x < w; x++) {
                int value = 16 + ((x * 3 + y * 2 + n * (p + 2) + ((x ^ y) & 7) * 4) & 127);

                if (format.depth > 8)
                    ((uint16_t *)row)[x] = (uint16_t)(value * scale);
                else
                    row[x] = (uint8_t)value;
            }
        }
    }
    return image;
}

struct media_source_audio {
    const char *codec; /* FFmpeg encoder name */
    int rate, channels;
};

static AVStream *media_source_add_audio(AVFormatContext *out, const struct media_source_audio *audio,
                                        AVCodecContext **context)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(audio->codec);
    AVStream *stream;

    if (!codec)
        return NULL;
    *context = avcodec_alloc_context3(codec);
    (*context)->sample_rate = audio->rate;
    (*context)->sample_fmt = codec->sample_fmts[0];
    av_channel_layout_default(&(*context)->ch_layout, audio->channels);
    (*context)->time_base = (AVRational){1, audio->rate};
    (*context)->flags |= AV_CODEC_FLAG_BITEXACT;
    (*context)->bit_rate = 64000;
    if (out->oformat->flags & AVFMT_GLOBALHEADER)
        (*context)->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (avcodec_open2(*context, codec, NULL) < 0)
        return NULL;
    stream = avformat_new_stream(out, NULL);
    stream->time_base = (*context)->time_base;
    avcodec_parameters_from_context(stream->codecpar, *context);
    return stream;
}

/* Sends a frame (NULL = drain) and writes what comes out. */
static int media_source_encode(AVFormatContext *out, AVStream *stream, AVCodecContext *context,
                               AVFrame *frame)
{
    AVPacket *packet = av_packet_alloc();
    int error = avcodec_send_frame(context, frame);

    while (error >= 0 && (error = avcodec_receive_packet(context, packet)) >= 0) {
        av_packet_rescale_ts(packet, context->time_base, stream->time_base);
        packet->stream_index = stream->index;
        error = av_interleaved_write_frame(out, packet);
    }
    av_packet_free(&packet);
    return error == AVERROR(EAGAIN) || error == AVERROR_EOF ? 0 : error;
}

static int media_source_tone(AVFormatContext *out, AVStream *stream, AVCodecContext *context, double seconds,
                             int which)
{
    int size = context->frame_size ? context->frame_size : 1024, error = 0;

    for (int64_t at = 0; error >= 0 && at < (int64_t)(seconds * context->sample_rate); at += size) {
        AVFrame *frame = av_frame_alloc();
        int bytes = av_get_bytes_per_sample(context->sample_fmt);

        frame->nb_samples = size;
        frame->format = context->sample_fmt;
        frame->sample_rate = context->sample_rate;
        av_channel_layout_copy(&frame->ch_layout, &context->ch_layout);
        frame->pts = at;
        if (av_frame_get_buffer(frame, 0) < 0)
            return -1;
        for (int p = 0; p < AV_NUM_DATA_POINTERS && frame->data[p]; p++)
            for (int i = 0; i < frame->linesize[0] / bytes; i++) {
                double v =
                    0.3 * sin((double)(at + i) * (0.03 + 0.01 * which)) + 0.1 * sin((double)(at + i) * 0.7);

                if (context->sample_fmt == AV_SAMPLE_FMT_FLTP || context->sample_fmt == AV_SAMPLE_FMT_FLT)
                    ((float *)frame->data[p])[i] = (float)v;
                else if (bytes == 2)
                    ((int16_t *)frame->data[p])[i] = (int16_t)(v * 20000);
            }
        error = media_source_encode(out, stream, context, frame);
        av_frame_free(&frame);
    }
    return error < 0 ? error : media_source_encode(out, stream, context, NULL);
}

/* A file with an MJPEG video of 32x32 at 30 pictures a second and these audio tracks. False if an encoder is
 * missing or fails. `movflags`: of FFmpeg's MP4 muxer, NULL = none; "timecode" gives MOV a tmcd track. */
__attribute__((unused)) static bool media_source_make(const char *path, double seconds,
                                                      const struct media_source_audio *audio, int audio_count,
                                                      const char *movflags)
{
    AVCodecContext *video = avcodec_alloc_context3(avcodec_find_encoder_by_name("mjpeg")), *contexts[4] = {0};
    AVFormatContext *out = NULL;
    AVDictionary *settings = NULL;
    AVStream *streams[4], *video_stream;
    bool ok = true;

    if (avformat_alloc_output_context2(&out, NULL, NULL, path) < 0)
        return false;
    out->flags |= AVFMT_FLAG_BITEXACT;
    video->width = video->height = 32;
    video->pix_fmt = AV_PIX_FMT_YUVJ420P;
    video->time_base = (AVRational){1, 30};
    video->framerate = (AVRational){30, 1};
    ok = avcodec_open2(video, NULL, NULL) >= 0;
    video_stream = avformat_new_stream(out, NULL);
    avcodec_parameters_from_context(video_stream->codecpar, video);
    video_stream->time_base = video->time_base;
    video_stream->avg_frame_rate = video->framerate;
    if (movflags && strcmp(movflags, "timecode") == 0)
        av_dict_set(&video_stream->metadata, "timecode", "01:00:00:00", 0);
    else if (movflags)
        av_dict_set(&settings, "movflags", movflags, 0);
    for (int i = 0; ok && i < audio_count; i++) {
        streams[i] = media_source_add_audio(out, &audio[i], &contexts[i]);
        ok = streams[i] != NULL;
        if (ok)
            av_dict_set(&streams[i]->metadata, "language", i ? "deu" : "eng", 0);
    }
    ok = ok && avio_open(&out->pb, path, AVIO_FLAG_WRITE) >= 0 && avformat_write_header(out, &settings) >= 0;
    av_dict_free(&settings);
    for (int n = 0; ok && n < (int)(seconds * 30); n++) {
        AVFrame *frame = av_frame_alloc();

        frame->width = frame->height = 32;
        frame->format = video->pix_fmt;
        frame->pts = n;
        ok = av_frame_get_buffer(frame, 0) >= 0;
        for (int p = 0; ok && p < 3; p++)
            memset(frame->data[p], 50 + n, (size_t)frame->linesize[p] * (p ? 16 : 32));
        ok = ok && media_source_encode(out, video_stream, video, frame) >= 0;
        av_frame_free(&frame);
    }
    for (int i = 0; ok && i < audio_count; i++)
        ok = media_source_tone(out, streams[i], contexts[i], seconds, i) >= 0;
    ok = ok && av_write_trailer(out) >= 0;
    for (int i = 0; i < audio_count; i++)
        avcodec_free_context(&contexts[i]);
    avcodec_free_context(&video);
    if (out->pb)
        avio_closep(&out->pb);
    avformat_free_context(out);
    return ok;
}

struct media_source_packet {
    int stream;
    int64_t pts, dts; /* microseconds, rounded */
    int64_t raw_pts;  /* in the stream's time base */
    int size, flags;
    uint32_t crc;
};

/* All packets of a file in file order; returns their number, -1 on failure. */
__attribute__((unused)) static int media_source_packets(const char *path, struct media_source_packet *packets,
                                                        int room)
{
    AVFormatContext *in = NULL;
    AVPacket *packet = av_packet_alloc();
    int count = 0;

    if (avformat_open_input(&in, path, NULL, NULL) < 0 || avformat_find_stream_info(in, NULL) < 0) {
        avformat_close_input(&in);
        av_packet_free(&packet);
        return -1;
    }
    while (count < room && av_read_frame(in, packet) >= 0) {
        AVRational base = in->streams[packet->stream_index]->time_base;

        packets[count++] = (struct media_source_packet){
            .stream = packet->stream_index,
            .pts = av_rescale_q(packet->pts, base, AV_TIME_BASE_Q),
            .dts = packet->dts == AV_NOPTS_VALUE ? 0 : av_rescale_q(packet->dts, base, AV_TIME_BASE_Q),
            .raw_pts = packet->pts,
            .size = packet->size,
            .flags = packet->flags,
            .crc = vsm_hash_crc32(0, packet->data, (size_t)packet->size),
        };
        av_packet_unref(packet);
    }
    avformat_close_input(&in);
    av_packet_free(&packet);
    return count;
}

#endif
