/* Tokens, float16 rows of channels: maxima of 2 x 2 pixels, rotary positions, and what one of them sees of
 * a few others. */
#ifndef VSM_CUDA_TOKENS_H
#define VSM_CUDA_TOKENS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/status.h"

struct vsm_cuda_stream;

/* x [batch][height][width][channels] -> [batch][height / 2][width / 2][channels]; channels a
 * multiple of 8. */
int vsm_cuda_tokens_pool(int64_t batch, int64_t height, int64_t width, int64_t channels, const void *x,
                         void *out, struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* Rows of `channels` numbers, a multiple of 8, whose neighbours 2 i and 2 i + 1 are turned by an angle. */
struct vsm_cuda_tokens_rotation {
    int64_t batch, rows; /* of x, in each element of the batch */
    int64_t period;      /* row r is turned as row r % period of the tables tells */
    int64_t still;       /* rows behind them that are copied */
    int64_t channels;
};

/* x [batch][rows][channels], cosine and sine [period][channels / 2], still [batch][still][channels] or NULL
 * -> [batch][rows + still][channels]. */
int vsm_cuda_tokens_rotate(const struct vsm_cuda_tokens_rotation *rotation, const void *x, const void *cosine,
                           const void *sine, const void *still, void *out,
                           struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* The attention of one query to the few rows of its group, softmax(q k^T / sqrt(64)) v: q and out
 * [groups][VSM_CUDA_TOKENS_LATENT], k and v [groups][rows][VSM_CUDA_TOKENS_LATENT]; rows at least 1. */
#define VSM_CUDA_TOKENS_LATENT 64
int vsm_cuda_tokens_latent(int64_t groups, int64_t rows, const void *q, const void *k, const void *v,
                           void *out, struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
