#include "stages/gpu_upload_stage.h"

#include "base/mem.h"
#include "cuda/device.h"
#include "image/cuda_pool.h"
#include "image/cuda_tensors.h"
#include "image/preprocess_cuda.h"
#include "stages/people_stage.h"

struct vsm_gpu_upload_stage {
    struct vsm_cuda_stream *stream;
    struct vsm_cuda_event *decoded, *ready;
    struct vsm_cuda_pool *pool;
    struct vsm_preprocess_cuda *preprocess;
    struct vsm_view views[2];
    int eye_count;
    void *device_rgb;                    /* of all views */
    struct vsm_cuda_tensors *thumbnails; /* its copies; page-locked */
};

static int create_thumbnails(struct vsm_gpu_upload_stage *s)
{
    const int64_t dims[] = {s->eye_count, 3, s->views[0].height, s->views[0].width};
    const size_t floats = 3 * (size_t)s->eye_count * (size_t)s->views[0].width * (size_t)s->views[0].height;

    s->thumbnails = vsm_cuda_tensors_create("thumbnails", VSM_PLACE_HOST, 4, dims);
    return s->thumbnails ? vsm_cuda_alloc("thumbnails", floats * sizeof(float), &s->device_rgb) : VSM_E_NOMEM;
}

int vsm_gpu_upload_stage_create(const struct vsm_image *source, const struct vsm_rect *eyes, int eye_count,
                                struct vsm_gpu_upload_stage **stage)
{
    struct vsm_gpu_upload_stage *s = vsm_mem_alloc("upload stage", 1, sizeof(*s));
    int status;

    if (!s)
        return VSM_E_NOMEM;
    s->eye_count = eye_count;
    vsm_people_stage_views(eyes, eye_count, s->views);
    s->pool =
        vsm_cuda_pool_create(VSM_PLACE_CUDA, source->format, source->width, source->height, source->colour);
    status = s->pool ? vsm_cuda_stream_create(&s->stream) : VSM_E_NOMEM;
    if (!status)
        status = vsm_cuda_event_create(0, &s->decoded);
    if (!status)
        status = vsm_cuda_event_create(0, &s->ready);
    if (!status)
        status = vsm_preprocess_cuda_create(source, s->views, eye_count, &s->preprocess);
    if (!status)
        status = create_thumbnails(s);
    if (status) {
        vsm_gpu_upload_stage_destroy(s);
        return status;
    }
    *stage = s;
    return VSM_OK;
}

void vsm_gpu_upload_stage_set_relief(struct vsm_gpu_upload_stage *stage, struct vsm_relief *relief)
{
    vsm_cuda_pool_set_relief(stage->pool, relief);
    vsm_cuda_tensors_set_relief(stage->thumbnails, relief);
}

void vsm_gpu_upload_stage_destroy(struct vsm_gpu_upload_stage *stage)
{
    if (!stage)
        return;
    vsm_cuda_stream_destroy(stage->stream);
    vsm_cuda_event_destroy(stage->decoded);
    vsm_cuda_event_destroy(stage->ready);
    vsm_preprocess_cuda_destroy(stage->preprocess);
    vsm_cuda_free(stage->device_rgb);
    vsm_cuda_tensors_destroy(stage->thumbnails);
    vsm_cuda_pool_destroy(stage->pool);
    vsm_mem_free(stage);
}

/* The decoder's last work on the picture is in the default stream. */
static int follow_decoder(struct vsm_gpu_upload_stage *stage)
{
    int status = vsm_cuda_event_record(stage->decoded, NULL);

    return status ? status : vsm_cuda_event_hold(stage->decoded, stage->stream);
}

static int upload(struct vsm_gpu_upload_stage *stage, const struct vsm_image *from, struct vsm_image **to)
{
    int status = vsm_cuda_pool_get(stage->pool, to);

    for (int p = 0; !status && p < vsm_format_plane_count(from->format); p++)
        status =
            vsm_cuda_copy_rows((*to)->data[p], (*to)->stride[p], from->data[p], from->stride[p],
                               (size_t)vsm_format_plane_width(from->format, p, from->width) *
                                   (size_t)vsm_format_bytes_per_sample(from->format),
                               (size_t)vsm_format_plane_height(from->format, p, from->height), stage->stream);
    return status;
}

static int make_thumbnails(struct vsm_gpu_upload_stage *stage, const struct vsm_image *source,
                           struct vsm_frame *frame)
{
    int status = vsm_cuda_tensors_get(stage->thumbnails, &frame->thumbnails);

    if (!status)
        status = vsm_preprocess_cuda_run(stage->preprocess, source, stage->device_rgb, stage->stream);
    if (!status)
        status = vsm_cuda_copy(frame->thumbnails->data, stage->device_rgb,
                               vsm_tensor_bytes(frame->thumbnails), stage->stream);
    if (!status)
        status = vsm_cuda_event_record(stage->ready, stage->stream);
    return status ? status : vsm_cuda_event_wait(stage->ready);
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_gpu_upload_stage *stage = self;
    struct vsm_image *device = NULL;
    int status = frame->source->place == VSM_PLACE_CUDA ? follow_decoder(stage) : VSM_OK;

    if (!status)
        status = upload(stage, frame->source, &device);
    if (!status)
        status = make_thumbnails(stage, device, frame);
    if (status) {
        vsm_image_unref(&device);
        return status;
    }
    vsm_image_unref(&frame->source);
    frame->source = device;
    return VSM_OK;
}

struct vsm_stage vsm_gpu_upload_stage_describe(struct vsm_gpu_upload_stage *stage)
{
    return (struct vsm_stage){.name = "upload", .self = stage, .run = run};
}
