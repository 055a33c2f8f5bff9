#include "frame/frame.h"

#include "base/mem.h"

struct vsm_frame *vsm_frame_create(void)
{
    return vsm_mem_alloc("frame", 1, sizeof(struct vsm_frame));
}

void vsm_frame_destroy(struct vsm_frame **frame)
{
    struct vsm_frame *f = frame ? *frame : NULL;

    if (!f)
        return;
    *frame = NULL;
    vsm_image_unref(&f->source);
    vsm_tensor_unref(&f->thumbnails);
    vsm_tensor_unref(&f->alpha);
    vsm_tensor_unref(&f->fading_alpha);
    for (int i = 0; i < VSM_MAX_VIEWS; i++) {
        vsm_tensor_unref(&f->mattes[i].coefficients);
        vsm_tensor_unref(&f->mattes[i].inverse);
        vsm_tensor_unref(&f->fading[i].coefficients);
        vsm_tensor_unref(&f->fading[i].inverse);
    }
    for (int i = 0; i < VSM_MAX_OUTPUTS; i++)
        vsm_image_unref(&f->outputs[i]);
    vsm_mem_free(f);
}

static size_t image_bytes(const struct vsm_image *image)
{
    return image ? vsm_format_bytes(image->format, image->width, image->height) : 0;
}

static size_t tensor_bytes(const struct vsm_tensor *tensor)
{
    return tensor ? vsm_tensor_bytes(tensor) : 0;
}

size_t vsm_frame_bytes(const struct vsm_frame *frame)
{
    size_t bytes = sizeof(*frame) + image_bytes(frame->source);

    bytes += tensor_bytes(frame->thumbnails) + tensor_bytes(frame->alpha) + tensor_bytes(frame->fading_alpha);
    for (int i = 0; i < frame->view_count; i++) {
        bytes += tensor_bytes(frame->mattes[i].coefficients);
        bytes += tensor_bytes(frame->mattes[i].inverse);
    }
    for (int i = 0; i < frame->fading_count; i++)
        bytes += tensor_bytes(frame->fading[i].coefficients) + tensor_bytes(frame->fading[i].inverse);
    for (int i = 0; i < VSM_MAX_OUTPUTS; i++)
        bytes += image_bytes(frame->outputs[i]);
    return bytes;
}

const float *vsm_frame_alpha_plane(const struct vsm_tensor *alpha, int view)
{
    return vsm_tensor_f32(alpha) + view * alpha->dims[1] * alpha->dims[2];
}
