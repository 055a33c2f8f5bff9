#include "media/video_decoder.h"

#include "media/device_decode.h"
#include "media/video_convert.h"

/* On the device one thread hands pictures out; more would only hold more of them. */
static int set_memory(struct vsm_video_decoder *d, enum vsm_video_reader_memory memory)
{
    if (memory == VSM_READER_PLAIN)
        return VSM_OK;
    if (memory == VSM_READER_PINNED)
        return vsm_device_decode_pin(d->codec, &d->pinned);
    d->codec->thread_count = 1;
    return vsm_device_decode_ask(d->codec);
}

int vsm_video_decoder_open(struct vsm_video_decoder *decoder, const char *path, const AVStream *stream,
                           const struct vsm_video_reader_options *options)
{
    struct vsm_video_decoder *d = decoder;
    const AVCodecParameters *par = stream->codecpar;
    const AVCodec *codec = avcodec_find_decoder(par->codec_id);
    const AVCodecDescriptor *descriptor = avcodec_descriptor_get(par->codec_id);
    int error;

    *d = (struct vsm_video_decoder){.path = path};
    if (!codec)
        return vsm_fail(VSM_E_INPUT,
                        "%s: this FFmpeg has no decoder for %s; convert the video to H.264 or HEVC first",
                        path, avcodec_get_name(par->codec_id));
    d->codec = avcodec_alloc_context3(codec);
    if (!d->codec)
        return vsm_fail_nomem("decoder", sizeof(*d->codec));
    error = avcodec_parameters_to_context(d->codec, par);
    if (error < 0)
        return vsm_ff_fail(VSM_E_INPUT, error, "%s: decoder %s cannot be set up", path, codec->name);
    d->codec->max_pixels = VSM_FF_MAX_PIXELS;
    d->codec->thread_count = options->threads;
    d->codec->thread_type = FF_THREAD_FRAME | FF_THREAD_SLICE;
    d->codec->flags |= AV_CODEC_FLAG_UNALIGNED; /* crop exactly, also where planes then begin unaligned */
    /* Where every picture stands alone, one with an error is left out; elsewhere decoders flag
     * what they conceal. */
    if (descriptor && (descriptor->props & AV_CODEC_PROP_INTRA_ONLY))
        d->codec->err_recognition |= AV_EF_CRCCHECK | AV_EF_EXPLODE;
    error = set_memory(d, options->memory);
    if (error)
        return error;
    error = avcodec_open2(d->codec, codec, NULL);
    if (error < 0)
        return vsm_ff_fail(VSM_E_INPUT, error, "%s: decoder %s cannot be opened", path, codec->name);
    return VSM_OK;
}

void vsm_video_decoder_close(struct vsm_video_decoder *decoder)
{
    avcodec_free_context(&decoder->codec);
    vsm_device_decode_unpin(decoder->pinned);
    vsm_video_convert_close(decoder->convert);
}

int vsm_video_decoder_image(struct vsm_video_decoder *decoder, const AVStream *stream, AVFrame *frame,
                            struct vsm_image **image)
{
    struct vsm_video_decoder *d = decoder;
    int status = VSM_OK;

    vsm_ff_stream_crop(stream, frame);
    if (frame->format == AV_PIX_FMT_CUDA || !vsm_video_convert_needed(frame->format)) {
        AVFrame *own = av_frame_alloc();

        if (!own)
            return vsm_fail_nomem("frame", sizeof(*own));
        av_frame_move_ref(own, frame);
        *image = vsm_ff_image_wrap(&own);
        av_frame_free(&own);
        return *image ? VSM_OK : VSM_E_NOMEM;
    }
    if (av_frame_apply_cropping(frame, AV_FRAME_CROP_UNALIGNED) < 0)
        return vsm_fail(VSM_E_INPUT, "%s: pictures are cropped to nothing", d->path);
    if (!d->convert)
        status = vsm_video_convert_open(frame, &d->convert);
    return status ? status : vsm_video_convert_run(d->convert, frame, image);
}
