#include "media/device_encode.h"

#include "base/mem.h"
#include "cuda/device.h"
#include "media/device_decode.h"
#include "media/ff.h"
#include "media/ff_format.h"

#include <libavutil/hwcontext.h>
#include <libavutil/pixdesc.h>

#define SPARE 4 /* frames that are ready at the start; the pool grows */

struct vsm_device_encode {
    AVBufferRef *frames;
    struct vsm_cuda_stream *stream;
};

static int make_frames(struct vsm_device_encode *encode, AVBufferRef *device, int width, int height,
                       int format)
{
    AVHWFramesContext *frames;
    int error;

    encode->frames = av_hwframe_ctx_alloc(device);
    if (!encode->frames)
        return vsm_fail_nomem("frames on the device", sizeof(*frames));
    frames = (AVHWFramesContext *)(void *)encode->frames->data;
    frames->format = AV_PIX_FMT_CUDA;
    frames->sw_format = (enum AVPixelFormat)format;
    frames->width = width;
    frames->height = height;
    frames->initial_pool_size = SPARE;
    error = av_hwframe_ctx_init(encode->frames);
    return error < 0 ? vsm_ff_fail(VSM_E_DEVICE, error, "NVENC: no frames of %dx%d in %s on the device",
                                   width, height, av_get_pix_fmt_name((enum AVPixelFormat)format))
                     : VSM_OK;
}

int vsm_device_encode_create(int width, int height, int format, struct vsm_device_encode **encode)
{
    struct vsm_device_encode *made = vsm_mem_alloc("encoding on the device", 1, sizeof(*made));
    AVBufferRef *device = NULL;
    int status = made ? vsm_device_decode_context(&device) : VSM_E_NOMEM;

    if (!status)
        status = vsm_cuda_stream_create(&made->stream);
    if (!status)
        status = make_frames(made, device, width, height, format);
    av_buffer_unref(&device);
    if (status) {
        vsm_device_encode_destroy(made);
        return status;
    }
    *encode = made;
    return VSM_OK;
}

void vsm_device_encode_destroy(struct vsm_device_encode *encode)
{
    if (!encode)
        return;
    av_buffer_unref(&encode->frames);
    vsm_cuda_stream_destroy(encode->stream);
    vsm_mem_free(encode);
}

int vsm_device_encode_ask(const struct vsm_device_encode *encode, AVCodecContext *context)
{
    context->pix_fmt = AV_PIX_FMT_CUDA;
    context->hw_frames_ctx = av_buffer_ref(encode->frames);
    return context->hw_frames_ctx ? VSM_OK : vsm_fail_nomem("frames on the device", sizeof(AVBufferRef));
}

static int copy(struct vsm_device_encode *encode, const struct vsm_image *image, const AVFrame *frame)
{
    const AVHWFramesContext *frames = (const AVHWFramesContext *)(void *)encode->frames->data;
    int status = VSM_OK;

    if (image->place != VSM_PLACE_CUDA || vsm_ff_format_to(image->format) != frames->sw_format ||
        image->width != frames->width || image->height != frames->height)
        return vsm_fail(VSM_E_INTERNAL, "NVENC: a picture of %dx%d does not fit frames of %dx%d in %s",
                        image->width, image->height, frames->width, frames->height,
                        av_get_pix_fmt_name(frames->sw_format));
    for (int p = 0; p < vsm_format_plane_count(image->format) && !status; p++)
        status = vsm_cuda_copy_rows(frame->data[p], frame->linesize[p], image->data[p], image->stride[p],
                                    (size_t)vsm_format_plane_width(image->format, p, image->width) *
                                        (size_t)vsm_format_bytes_per_sample(image->format),
                                    (size_t)vsm_format_plane_height(image->format, p, image->height),
                                    encode->stream);
    return status ? status : vsm_cuda_stream_wait(encode->stream);
}

int vsm_device_encode_make(struct vsm_device_encode *encode, struct vsm_image **image, AVFrame **frame)
{
    AVFrame *made = av_frame_alloc();
    int error, status;

    if (!made)
        return vsm_fail_nomem("frame", sizeof(*made));
    error = av_hwframe_get_buffer(encode->frames, made, 0);
    status = error < 0 ? vsm_ff_fail(VSM_E_DEVICE, error, "NVENC: no frame on the device")
                       : copy(encode, *image, made);
    if (status) {
        av_frame_free(&made);
        return status;
    }
    vsm_image_unref(image);
    *frame = made;
    return VSM_OK;
}
