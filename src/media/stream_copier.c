#include "media/stream_copier.h"

#include "base/mem.h"
#include "media/ff.h"
#include "media/muxer.h"
#include "media/packet.h"

#include <libavcodec/bsf.h>
#include <libavutil/mathematics.h>

#include <stdio.h>
#include <string.h>

#define MAX_COPIED 48
/* How far apart in time packets may lie in the file and still be put in order, and how many are
 * held for it. */
#define WINDOW_US   1000000
#define MAX_WAITING 4096
/* Behind the wanted end, reading goes on for this long for packets that lie late in the file. */
#define END_SLACK_US 10000000

struct copied {
    AVStream *stream;
    AVBSFContext *filter; /* NULL = packets are taken as they are */
    int64_t shift;        /* taken off all time stamps, in the stream's time base */
    int64_t next_dts;     /* for packets without */
};

struct vsm_stream_copier {
    AVFormatContext *context;
    struct copied streams[MAX_COPIED];
    int count;
    int by_source[256]; /* copied index by source stream index, -1 = left behind */
    struct vsm_rational time_base;
    int64_t first_pts, end_pts;
    int64_t end_us;             /* on the output's time line */
    bool only_positive;         /* the container has no times before 0 */
    struct vsm_packet *waiting; /* sorted by time */
    int waiting_count;
    int64_t newest_us; /* latest time read from the file */
    bool ended;
    char remarks[1024];
};

static void remark(struct vsm_stream_copier *copier, const AVStream *stream, const char *why)
{
    const char *kind = av_get_media_type_string(stream->codecpar->codec_type);
    char tag[AV_FOURCC_MAX_STRING_SIZE] = "", name[64];
    size_t used = strlen(copier->remarks);

    snprintf(name, sizeof(name), "%s", avcodec_get_name(stream->codecpar->codec_id));
    if (stream->codecpar->codec_id == AV_CODEC_ID_NONE && stream->codecpar->codec_tag)
        snprintf(name, sizeof(name), "%s", av_fourcc_make_string(tag, stream->codecpar->codec_tag));
    if (used + 1 < sizeof(copier->remarks))
        snprintf(copier->remarks + used, sizeof(copier->remarks) - used,
                 "%s%s stream %d (%s) is left out: %s", used ? "; " : "", kind ? kind : "unknown",
                 stream->index, name, why);
}

/* AAC in transport streams comes with ADTS headers, which other containers keep once. */
static int add_filter(struct copied *copied)
{
    const AVCodecParameters *parameters = copied->stream->codecpar;
    const AVBitStreamFilter *filter = av_bsf_get_by_name("aac_adtstoasc");
    int error;

    if (parameters->codec_id != AV_CODEC_ID_AAC || parameters->extradata_size > 0 || !filter)
        return VSM_OK;
    error = av_bsf_alloc(filter, &copied->filter);
    if (error >= 0)
        error = avcodec_parameters_copy(copied->filter->par_in, parameters);
    if (error >= 0) {
        copied->filter->time_base_in = copied->stream->time_base;
        error = av_bsf_init(copied->filter);
    }
    return error < 0 ? vsm_ff_fail(VSM_E_INPUT, error, "audio stream %d", copied->stream->index) : VSM_OK;
}

static int choose_streams(struct vsm_stream_copier *copier, const struct vsm_stream_copier_options *options)
{
    int main_video = av_find_best_stream(copier->context, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);

    for (unsigned i = 0; i < copier->context->nb_streams; i++) {
        AVStream *stream = copier->context->streams[i];
        struct copied *copied = &copier->streams[copier->count];
        bool video = stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO;

        if (i < 256)
            copier->by_source[i] = -1;
        stream->discard = AVDISCARD_ALL;
        if ((int)i == main_video)
            continue;
        if (video || stream->disposition & AV_DISPOSITION_ATTACHED_PIC)
            remark(copier, stream, "only the main video is processed");
        else if (!vsm_muxer_can_copy(options->format, stream))
            remark(copier, stream, "the output's container cannot hold it");
        else if (i >= 256 || copier->count >= MAX_COPIED)
            remark(copier, stream, "too many streams");
        else {
            int status;

            copied->stream = stream;
            copied->shift = vsm_clock_rescale(copier->first_pts, copier->time_base,
                                              vsm_ff_rational_from(stream->time_base));
            copied->next_dts = AV_NOPTS_VALUE;
            stream->discard = AVDISCARD_DEFAULT;
            copier->by_source[i] = copier->count++;
            status = add_filter(copied);
            if (status != VSM_OK)
                return status;
        }
    }
    return VSM_OK;
}

int vsm_stream_copier_open(const struct vsm_stream_copier_options *options, struct vsm_stream_copier **result)
{
    struct vsm_stream_copier *copier = vsm_mem_alloc("stream copier", 1, sizeof(*copier));
    int error, status;

    if (!copier)
        return VSM_E_NOMEM;
    vsm_ff_init();
    copier->time_base = options->time_base;
    copier->first_pts = options->first_pts;
    copier->end_pts = options->end_pts;
    copier->end_us = options->end_pts == INT64_MAX
                         ? INT64_MAX
                         : av_rescale_q(options->end_pts - options->first_pts,
                                        vsm_ff_rational_to(options->time_base), AV_TIME_BASE_Q);
    copier->only_positive = strcmp(options->format, "matroska") == 0 || strcmp(options->format, "webm") == 0;
    copier->newest_us = INT64_MIN;
    error = avformat_open_input(&copier->context, options->path, NULL, NULL);
    if (error >= 0)
        error = avformat_find_stream_info(copier->context, NULL);
    status = error < 0 ? vsm_ff_fail(VSM_E_INPUT, error, "%s: cannot be opened for its audio", options->path)
                       : choose_streams(copier, options);
    if (status != VSM_OK) {
        vsm_stream_copier_close(copier);
        return status;
    }
    copier->ended = copier->count == 0;
    *result = copier;
    return VSM_OK;
}

void vsm_stream_copier_close(struct vsm_stream_copier *copier)
{
    if (!copier)
        return;
    while (copier->waiting) {
        struct vsm_packet *packet = copier->waiting;

        copier->waiting = packet->next;
        vsm_packet_destroy(&packet);
    }
    for (int i = 0; i < copier->count; i++)
        av_bsf_free(&copier->streams[i].filter);
    avformat_close_input(&copier->context);
    vsm_mem_free(copier);
}

int vsm_stream_copier_count(const struct vsm_stream_copier *copier)
{
    return copier->count;
}

const AVStream *vsm_stream_copier_stream(const struct vsm_stream_copier *copier, int index)
{
    return copier->streams[index].stream;
}

const char *vsm_stream_copier_remarks(const struct vsm_stream_copier *copier)
{
    return copier->remarks;
}

static int64_t time_us(const struct vsm_stream_copier *copier, const struct vsm_packet *packet)
{
    return av_rescale_q(packet->av->dts, copier->streams[packet->av->stream_index].stream->time_base,
                        AV_TIME_BASE_Q);
}

/* The earliest time that the container can hold. Matroska has none before 0, but shifts Opus
 * by its priming. */
static int64_t earliest(const struct vsm_stream_copier *copier, const AVStream *stream)
{
    const AVCodecParameters *parameters = stream->codecpar;

    if (copier->first_pts != 0)
        return 0;
    if (!copier->only_positive)
        return INT64_MIN;
    if (parameters->codec_id != AV_CODEC_ID_OPUS || parameters->sample_rate <= 0)
        return 0;
    return -av_rescale_q_rnd(parameters->initial_padding, (AVRational){1, parameters->sample_rate},
                             stream->time_base, AV_ROUND_UP);
}

/* Times for which the container has no place, or that the user does not want. */
static bool is_outside(const struct vsm_stream_copier *copier, const AVPacket *packet, const AVStream *stream)
{
    return packet->pts < earliest(copier, stream) ||
           (copier->end_pts != INT64_MAX &&
            av_compare_ts(packet->pts, stream->time_base, copier->end_pts - copier->first_pts,
                          vsm_ff_rational_to(copier->time_base)) >= 0);
}

/* Puts a packet into its place: behind all that are not later, and behind its own stream's. */
static void put_waiting(struct vsm_stream_copier *copier, struct vsm_packet *packet)
{
    AVRational own = copier->streams[packet->av->stream_index].stream->time_base;
    struct vsm_packet **place = &copier->waiting;

    for (struct vsm_packet *other = copier->waiting; other; other = other->next) {
        AVRational base = copier->streams[other->av->stream_index].stream->time_base;

        if (other->av->stream_index == packet->av->stream_index ||
            av_compare_ts(other->av->dts, base, packet->av->dts, own) <= 0)
            place = &other->next;
    }
    packet->next = *place;
    *place = packet;
    copier->waiting_count++;
}

/* Sets stream number and times as delivered; takes the packet. */
static void take(struct vsm_stream_copier *copier, int index, struct vsm_packet **taken)
{
    struct copied *copied = &copier->streams[index];
    AVPacket *packet = (*taken)->av;
    int64_t now;

    packet->stream_index = index;
    packet->time_base = copied->stream->time_base;
    if (packet->dts == AV_NOPTS_VALUE)
        packet->dts = packet->pts;
    if (packet->dts == AV_NOPTS_VALUE)
        packet->dts = copied->next_dts == AV_NOPTS_VALUE ? 0 : copied->next_dts;
    if (packet->pts == AV_NOPTS_VALUE)
        packet->pts = packet->dts;
    copied->next_dts = packet->dts + packet->duration;
    packet->pts -= copied->shift;
    packet->dts -= copied->shift;
    now = time_us(copier, *taken);
    if (now > copier->newest_us)
        copier->newest_us = now;
    if (copier->end_us != INT64_MAX && now > copier->end_us + END_SLACK_US)
        copier->ended = true;
    if (is_outside(copier, packet, copied->stream)) {
        vsm_packet_destroy(taken);
        return;
    }
    put_waiting(copier, *taken);
    *taken = NULL;
}

static int filter_and_take(struct vsm_stream_copier *copier, int index, struct vsm_packet **packet)
{
    AVBSFContext *filter = copier->streams[index].filter;
    int error;

    if (!filter) {
        take(copier, index, packet);
        return VSM_OK;
    }
    error = av_bsf_send_packet(filter, (*packet)->av);
    while (error >= 0) {
        if (!*packet)
            *packet = vsm_packet_create();
        if (!*packet)
            return VSM_E_NOMEM;
        error = av_bsf_receive_packet(filter, (*packet)->av);
        if (error >= 0)
            take(copier, index, packet);
    }
    vsm_packet_destroy(packet);
    if (error == AVERROR(EAGAIN) || error == AVERROR_EOF || error == AVERROR_INVALIDDATA)
        return VSM_OK; /* a damaged packet is left out, like a player would */
    return vsm_ff_fail(VSM_E_INPUT, error, "audio stream %d", copier->streams[index].stream->index);
}

/* Reads one packet of the file into the window. */
static int read_one(struct vsm_stream_copier *copier)
{
    struct vsm_packet *packet = vsm_packet_create();
    int error, index, status = VSM_OK;

    if (!packet)
        return VSM_E_NOMEM;
    error = av_read_frame(copier->context, packet->av);
    if (error < 0) {
        vsm_packet_destroy(&packet);
        /* Damage ends the sound here, as the end of the file does; the picture side reports it. */
        if (error == AVERROR(ENOMEM))
            return vsm_fail_nomem("packet", sizeof(AVPacket));
        copier->ended = true;
        return VSM_OK;
    }
    index = packet->av->stream_index < 256 ? copier->by_source[packet->av->stream_index] : -1;
    if (index >= 0)
        status = filter_and_take(copier, index, &packet);
    vsm_packet_destroy(&packet);
    return status;
}

/* Whether nothing that is still in the file should come before the first waiting packet or `limit`. */
static bool is_settled(const struct vsm_stream_copier *copier, int64_t limit)
{
    int64_t wanted_us = limit == INT64_MAX
                            ? INT64_MAX
                            : av_rescale_q(limit, vsm_ff_rational_to(copier->time_base), AV_TIME_BASE_Q);

    if (copier->ended || copier->waiting_count >= MAX_WAITING)
        return true;
    if (copier->newest_us == INT64_MIN)
        return false;
    if (copier->waiting && time_us(copier, copier->waiting) < wanted_us)
        wanted_us = time_us(copier, copier->waiting);
    return wanted_us != INT64_MAX && copier->newest_us - WINDOW_US >= wanted_us;
}

int vsm_stream_copier_next(struct vsm_stream_copier *copier, int64_t limit, struct vsm_packet **packet,
                           int *index)
{
    const AVStream *stream;

    *packet = NULL;
    while (!is_settled(copier, limit)) {
        int status = read_one(copier);

        if (status != VSM_OK)
            return status;
    }
    if (!copier->waiting)
        return VSM_EOF;
    *index = copier->waiting->av->stream_index;
    stream = copier->streams[*index].stream;
    if (limit != INT64_MAX && av_compare_ts(copier->waiting->av->dts, stream->time_base, limit,
                                            vsm_ff_rational_to(copier->time_base)) >= 0)
        return VSM_EOF;
    *packet = copier->waiting;
    copier->waiting = (*packet)->next;
    (*packet)->next = NULL;
    copier->waiting_count--;
    return VSM_OK;
}
