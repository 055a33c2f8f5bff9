#include "media/video_describe.h"

#include <stdio.h>
#include <string.h>

static void count_frames(const struct vsm_demux *demux, int64_t lead, struct vsm_video_info *info)
{
    const AVStream *stream = vsm_demux_stream(demux);
    const AVFormatContext *format = vsm_demux_format(demux);
    int64_t indexed = vsm_demux_indexed(demux), duration = stream->duration;
    AVRational rate = stream->avg_frame_rate;

    info->frames = -1;
    if (vsm_demux_is_still(demux)) {
        info->frames = 1;
        info->frames_exact = true;
    } else if (indexed >= 0) {
        info->frames = indexed - lead;
        info->frames_exact = true;
    } else if (stream->nb_frames > 0) {
        info->frames = stream->nb_frames;
    } else if (rate.num > 0 && rate.den > 0) {
        if (duration <= 0 && format->duration > 0)
            duration = av_rescale_q(format->duration, AV_TIME_BASE_Q, stream->time_base);
        if (duration > 0)
            info->frames = av_rescale_q(duration, stream->time_base, av_inv_q(rate));
    }
}

void vsm_video_describe(const struct vsm_demux *demux, const struct vsm_image *first, int64_t lead,
                        struct vsm_video_info *info)
{
    const AVStream *stream = vsm_demux_stream(demux);
    const AVFormatContext *format = vsm_demux_format(demux);
    AVRational aspect = av_guess_sample_aspect_ratio(NULL, (AVStream *)stream, NULL);

    snprintf(info->container, sizeof(info->container), "%.*s", (int)strcspn(format->iformat->name, ","),
             format->iformat->name);
    snprintf(info->codec, sizeof(info->codec), "%s", avcodec_get_name(stream->codecpar->codec_id));
    info->width = first->width;
    info->height = first->height;
    info->format = first->format;
    info->colour = first->colour;
    info->rotation = vsm_ff_stream_rotation(stream);
    info->time_base = vsm_ff_rational_from(stream->time_base);
    info->frame_rate =
        vsm_ff_rational_from(stream->avg_frame_rate.num > 0 ? stream->avg_frame_rate : stream->r_frame_rate);
    info->sample_aspect = vsm_ff_rational_from(aspect);
    for (unsigned i = 0; i < format->nb_streams; i++) {
        enum AVMediaType type = format->streams[i]->codecpar->codec_type;

        info->audio_streams += type == AVMEDIA_TYPE_AUDIO;
        info->data_streams += type == AVMEDIA_TYPE_DATA || type == AVMEDIA_TYPE_SUBTITLE;
    }
    info->boxes = vsm_demux_boxes(demux)->boxes;
    count_frames(demux, lead, info);
}
