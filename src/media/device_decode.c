#include "media/device_decode.h"

#include "base/mem.h"
#include "cuda/device.h"
#include "media/ff.h"

#include <libavutil/hwcontext.h>
#include <libavutil/imgutils.h>
#include <pthread.h>

/* FFmpeg's header wants CUDA's, of which it needs two opaque types. */
#ifndef CUDA_VERSION
#define CUDA_VERSION 0
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
#endif
#include <libavutil/hwcontext_cuda.h>

/* Rows begin at multiples of this, in bytes; chroma rows are half as long. */
#define ALIGN 128

static enum AVPixelFormat choose_format(AVCodecContext *codec, const enum AVPixelFormat *formats)
{
    for (const enum AVPixelFormat *f = formats; *f != AV_PIX_FMT_NONE; f++)
        if (*f == AV_PIX_FMT_CUDA)
            return *f;
    return avcodec_default_get_format(codec, formats);
}

int vsm_device_decode_context(AVBufferRef **device)
{
    AVBufferRef *ref;
    AVCUDADeviceContext *cuda;
    void *context = NULL;
    int status = vsm_cuda_context(&context), error;

    if (status)
        return status;
    ref = av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_CUDA);
    if (!ref)
        return vsm_fail(VSM_E_DEVICE, "NVDEC: the linked FFmpeg was built without CUDA");
    cuda = ((AVHWDeviceContext *)(void *)ref->data)->hwctx;
    cuda->cuda_ctx = context;
    error = av_hwdevice_ctx_init(ref);
    if (error < 0) {
        av_buffer_unref(&ref);
        return vsm_ff_fail(VSM_E_DEVICE, error, "NVDEC: FFmpeg cannot use the device");
    }
    *device = ref;
    return VSM_OK;
}

int vsm_device_decode_ask(AVCodecContext *codec)
{
    AVBufferRef *device = NULL;
    int status = vsm_device_decode_context(&device);

    if (status)
        return status;
    codec->hw_device_ctx = device;
    codec->get_format = choose_format;
    codec->extra_hw_frames = VSM_DEVICE_DECODE_PICTURES;
    return VSM_OK;
}

struct vsm_device_decode_pool {
    pthread_mutex_t lock; /* the decoder's threads take buffers */
    AVBufferPool *buffers;
    size_t size; /* of a buffer */
};

static void free_pinned(void *opaque, uint8_t *data)
{
    (void)opaque;
    vsm_cuda_free_host(data);
}

static AVBufferRef *allocate_pinned(void *opaque, size_t size)
{
    AVBufferRef *buffer;
    void *memory = NULL;

    (void)opaque;
    if (vsm_cuda_alloc_host("picture", size, &memory))
        return NULL;
    buffer = av_buffer_create(memory, size, free_pinned, NULL, 0);
    if (!buffer)
        vsm_cuda_free_host(memory);
    return buffer;
}

static AVBufferRef *take(struct vsm_device_decode_pool *pool, size_t size)
{
    AVBufferRef *buffer;

    pthread_mutex_lock(&pool->lock);
    if (pool->size != size) {
        av_buffer_pool_uninit(&pool->buffers);
        pool->buffers = av_buffer_pool_init2(size, NULL, allocate_pinned, NULL);
        pool->size = pool->buffers ? size : 0;
    }
    buffer = pool->buffers ? av_buffer_pool_get(pool->buffers) : NULL;
    pthread_mutex_unlock(&pool->lock);
    return buffer;
}

static int get_buffer(AVCodecContext *codec, AVFrame *frame, int flags)
{
    int width = frame->width, height = frame->height, aligns[AV_NUM_DATA_POINTERS];
    ptrdiff_t strides[4];
    size_t sizes[4], total = 0;
    AVBufferRef *buffer;

    if (!(codec->codec->capabilities & AV_CODEC_CAP_DR1))
        return avcodec_default_get_buffer2(codec, frame, flags);
    avcodec_align_dimensions2(codec, &width, &height, aligns);
    if (av_image_fill_linesizes(frame->linesize, frame->format, FFALIGN(width, ALIGN)) < 0)
        return avcodec_default_get_buffer2(codec, frame, flags);
    for (int p = 0; p < 4; p++)
        strides[p] = frame->linesize[p];
    if (av_image_fill_plane_sizes(sizes, frame->format, height, strides) < 0)
        return avcodec_default_get_buffer2(codec, frame, flags);
    for (int p = 0; p < 4; p++)
        total +=
            sizes[p] ? FFALIGN(sizes[p] + ALIGN, ALIGN) : 0; /* decoders may write a little beyond a plane */
    buffer = take(codec->opaque, total);
    if (!buffer)
        return avcodec_default_get_buffer2(codec, frame, flags);
    frame->buf[0] = buffer;
    for (int p = 0, at = 0; p < 4 && sizes[p]; p++) {
        frame->data[p] = buffer->data + at;
        at += (int)FFALIGN(sizes[p] + ALIGN, ALIGN);
    }
    frame->extended_data = frame->data;
    return 0;
}

int vsm_device_decode_pin(AVCodecContext *codec, struct vsm_device_decode_pool **pool)
{
    struct vsm_device_decode_pool *made;
    void *context;
    int status = vsm_cuda_context(&context);

    if (status)
        return status;
    made = vsm_mem_alloc("picture pool", 1, sizeof(*made));
    if (!made)
        return VSM_E_NOMEM;
    pthread_mutex_init(&made->lock, NULL);
    codec->opaque = made;
    codec->get_buffer2 = get_buffer;
    vsm_ff_codec_threads_call_back(codec);
    *pool = made;
    return VSM_OK;
}

void vsm_device_decode_unpin(struct vsm_device_decode_pool *pool)
{
    if (!pool)
        return;
    av_buffer_pool_uninit(&pool->buffers);
    pthread_mutex_destroy(&pool->lock);
    vsm_mem_free(pool);
}
