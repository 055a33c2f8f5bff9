/* The interface of this folder when the program is built without CUDA: everything fails with one sentence. */
#include "cuda/attention.h"
#include "cuda/conv.h"
#include "cuda/dense.h"
#include "cuda/depthwise.h"
#include "cuda/device.h"
#include "cuda/fit.h"
#include "cuda/full.h"
#include "cuda/linear.h"
#include "cuda/norm.h"
#include "cuda/patches.h"
#include "cuda/planes.h"
#include "cuda/preprocess.h"
#include "cuda/refine.h"
#include "cuda/resample.h"
#include "cuda/review.h"
#include "cuda/stereo_match.h"
#include "cuda/stereo_mend.h"
#include "cuda/stereo_move.h"
#include "cuda/stereo_pyramid.h"
#include "cuda/stereo_sums.h"
#include "cuda/tokens.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

#define NO_CUDA vsm_fail(VSM_E_DEVICE, "CUDA: this program was built without it")

int vsm_cuda_built(void)
{
    return 0;
}

int vsm_cuda_device_info(struct vsm_cuda_info *info)
{
    return NO_CUDA;
}

int vsm_cuda_memory_free(size_t *bytes)
{
    return NO_CUDA;
}

int vsm_cuda_context(void **context)
{
    return NO_CUDA;
}

int vsm_cuda_alloc(const char *what, size_t bytes, void **memory)
{
    return NO_CUDA;
}

void vsm_cuda_free(void *memory)
{
}

int vsm_cuda_alloc_host(const char *what, size_t bytes, void **memory)
{
    return NO_CUDA;
}

void vsm_cuda_free_host(void *memory)
{
}

int vsm_cuda_stream_create(struct vsm_cuda_stream **stream)
{
    return NO_CUDA;
}

void vsm_cuda_stream_destroy(struct vsm_cuda_stream *stream)
{
}

int vsm_cuda_stream_wait(struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_event_create(int timed, struct vsm_cuda_event **event)
{
    return NO_CUDA;
}

void vsm_cuda_event_destroy(struct vsm_cuda_event *event)
{
}

int vsm_cuda_event_record(struct vsm_cuda_event *event, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_event_hold(struct vsm_cuda_event *event, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_event_wait(struct vsm_cuda_event *event)
{
    return NO_CUDA;
}

int vsm_cuda_event_ms(struct vsm_cuda_event *begin, struct vsm_cuda_event *end, float *ms)
{
    return NO_CUDA;
}

int vsm_cuda_copy(void *to, const void *from, size_t bytes, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_copy_rows(void *to, ptrdiff_t to_stride, const void *from, ptrdiff_t from_stride, size_t width,
                       size_t rows, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_clear(void *memory, size_t bytes, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_graph_begin(struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_graph_end(struct vsm_cuda_stream *stream, struct vsm_cuda_graph **graph)
{
    return NO_CUDA;
}

int vsm_cuda_graph_launch(struct vsm_cuda_graph *graph, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

void vsm_cuda_graph_destroy(struct vsm_cuda_graph *graph)
{
}

size_t vsm_cuda_conv_weight_bytes(int size, int in_channels, int out_channels)
{
    return 0;
}

void vsm_cuda_conv_pack(int size, int in_channels, int out_channels, const float *weights, void *packed)
{
}

int vsm_cuda_conv_scale_weights(const void *packed, int in_channels, int out_channels, const float *gain,
                                int batch, void *scaled, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_conv_run(const struct vsm_cuda_conv *conv, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_dense_mean(struct vsm_cuda_view in, int batch, int cells, float *partial,
                        struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_dense_run(const float *in, int parts, int batch, int channels, int outputs, const float *weights,
                       const float *bias, enum vsm_cuda_act act, float *out, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_depthwise_run(const struct vsm_cuda_depthwise *depthwise, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_fit_run(const float *rgb, const float *matte, int batch, int height, int width, float eps,
                     float *fit, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_full_run(const struct vsm_cuda_full *full, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_preprocess_run(const struct vsm_cuda_preprocess *preprocess, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_preprocess_turn_run(const struct vsm_cuda_preprocess_turn *turn, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_refine_fade(const struct vsm_cuda_refine_view *view, float keep, float *fit,
                         struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_refine_run(const struct vsm_cuda_refine *refine, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_resample_image(const float *rgb, int batch, int cells, const float mean[3], const float gain[3],
                            struct vsm_cuda_view out, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_resample_halve(struct vsm_cuda_view in, int batch, int height, int width,
                            struct vsm_cuda_view out, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_resample_join(const struct vsm_cuda_view *parts, const int *doubled, int count, int batch,
                           int height, int width, struct vsm_cuda_view out, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_resample_pack(const float *planes, int batch, int channels, int cells, struct vsm_cuda_view out,
                           struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_resample_planes(const float *pixels, int batch, int channels, int cells, float *planes,
                             struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_review_alpha(const float *rgb, const float *fit, int cells, float *alpha,
                          struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_review_close(const float *open, float *fit, int cells, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

size_t vsm_cuda_stereo_mend_bytes(int width, int height)
{
    return 0;
}

int vsm_cuda_stereo_mend_blend(const struct vsm_cuda_stereo_mend *mend, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_stereo_mend_replace(const struct vsm_cuda_stereo_mend *mend, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_stereo_pyramid_grey(const struct vsm_match_grid *grid, const float *rgb,
                                 const struct vsm_cuda_stereo_pyramid *to, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_stereo_pyramid_alpha(const struct vsm_match_grid *grid,
                                  const struct vsm_cuda_stereo_pyramid *alpha, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_stereo_match_run(const struct vsm_cuda_stereo_match *match,
                              struct vsm_cuda_stereo_match_cell *cells, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_linear_create(struct vsm_cuda_linear **linear)
{
    *linear = NULL;
    return NO_CUDA;
}

void vsm_cuda_linear_destroy(struct vsm_cuda_linear *linear)
{
}

int vsm_cuda_linear_run(struct vsm_cuda_linear *linear, const struct vsm_cuda_linear_layer *layer,
                        const void *x, const void *weights, const void *bias, const float *residual,
                        void *out, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_norm_run(const struct vsm_cuda_norm *norm, const void *x, const void *scale, const void *bias,
                      void *out, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_attention_available(void)
{
    return 0;
}

int vsm_cuda_attention_create(struct vsm_cuda_attention **attention)
{
    *attention = NULL;
    return NO_CUDA;
}

void vsm_cuda_attention_destroy(struct vsm_cuda_attention *attention)
{
}

int vsm_cuda_attention_run(struct vsm_cuda_attention *attention, int64_t batch, int64_t queries, int64_t keys,
                           const void *q, const void *k, const void *v, void *out,
                           struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_planes_finish(const struct vsm_cuda_planes *planes, const void *x, const void *bias,
                           const void *residual, void *out, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_planes_mean(const struct vsm_cuda_planes *planes, const void *x, void *out,
                         struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_tokens_pool(int64_t batch, int64_t height, int64_t width, int64_t channels, const void *x,
                         void *out, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_tokens_latent(int64_t groups, int64_t rows, const void *q, const void *k, const void *v,
                           void *out, struct vsm_cuda_stream *stream)
{
    (void)groups;
    (void)rows;
    (void)q;
    (void)k;
    (void)v;
    (void)out;
    (void)stream;
    return NO_CUDA;
}

int vsm_cuda_tokens_rotate(const struct vsm_cuda_tokens_rotation *rotation, const void *x, const void *cosine,
                           const void *sine, const void *still, void *out, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_patches_unfold(const struct vsm_cuda_patches *patches, const void *x, void *out,
                            struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_patches_small(const struct vsm_cuda_patches *patches, int64_t outputs, const void *x,
                           const void *weights, const void *bias, void *out, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_patches_depthwise(int64_t batch, int64_t height, int64_t width, int64_t channels, const void *x,
                               const void *weights, const void *bias, void *out,
                               struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_stereo_move_run(const struct vsm_cuda_stereo_move *move, const struct vsm_mend_grid *grid,
                             struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_stereo_sums_need(const float *own, const float *moved, const struct vsm_mend_grid *grid,
                              uint8_t *need, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

size_t vsm_cuda_stereo_sums_look_floats(int height)
{
    return 0;
}

int vsm_cuda_stereo_sums_look(const float *const rgb[2], int width, int height, float *looks,
                              struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_stereo_sums_light(const struct vsm_disparity_map *map, const float *master, const float *slave,
                               const struct vsm_mend_grid *grid, double *light,
                               struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_stereo_sums_agree(const float *settled, const float *own, const struct vsm_mend_grid *grid,
                               struct vsm_consistency_sums *sums, struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_stereo_sums_measure(const float *const own[2], const float *const settled[2],
                                 const struct vsm_mend_grid *grid, struct vsm_mend_sums *cells,
                                 struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_stereo_sums_means(const float *const alpha[2], const struct vsm_mend_grid *grid, float *means,
                               struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}

int vsm_cuda_stereo_sums_seen(const float *alpha, const struct vsm_match_grid *grid, uint8_t *seen,
                              struct vsm_cuda_stream *stream)
{
    return NO_CUDA;
}
