/* softmax(q k^T / sqrt(256)) v where values are narrow: the memory attention of SAM 2, whose values are the
 * memory itself.
 *
 * For compute capability 9.0: tiles of 128 queries by 128 keys through the copy engine and the matrix units'
 * shared-memory form, sums and statistics in float32, the softmax in one pass with a running maximum (Milakov
 * and Gimelshein, arXiv 1805.02867; Dao, arXiv 2307.08691). Where queries are too few to fill the card, keys
 * are shared out among several blocks whose results are then joined. The same shapes give the same bits.
 */
#ifndef VSM_CUDA_ATTENTION_H
#define VSM_CUDA_ATTENTION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/status.h"

/* Channels of queries and keys, and of values. */
#define VSM_CUDA_ATTENTION_DIM    256
#define VSM_CUDA_ATTENTION_VALUES 64

struct vsm_cuda_stream;
struct vsm_cuda_attention;

/* Whether device 0 can. */
int vsm_cuda_attention_available(void);

/* Holds the memory for joining; for one stream. */
int vsm_cuda_attention_create(struct vsm_cuda_attention **attention) VSM_NODISCARD;
/* The stream must have ended its work. NULL is allowed. */
void vsm_cuda_attention_destroy(struct vsm_cuda_attention *attention);

/* q [batch][queries][256], k [batch][keys][256], v [batch][keys][64] -> out [batch][queries][64], all
 * float16. The first call for larger shapes takes memory. */
int vsm_cuda_attention_run(struct vsm_cuda_attention *attention, int64_t batch, int64_t queries, int64_t keys,
                           const void *q, const void *k, const void *v, void *out,
                           struct vsm_cuda_stream *stream) VSM_NODISCARD;

#ifdef __cplusplus
}
#endif

#endif
