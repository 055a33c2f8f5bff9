/* Device memory for a group of networks that hand tensors to each other: one stream in whose order everything
 * happens, and memory that comes back at the same addresses.
 *
 * A released tensor's memory goes to the next tensor of the same size, the last released first. A loop that
 * releases its tensors in the reverse order of their making thus sees the same addresses each time, which is
 * what recorded runs need (nn/replay.h). Failures of copies and marks are kept and told by the next wait, so
 * that copies can be written like memcpy(). Used by one thread at a time.
 * */
#ifndef VSM_NN_DEVICE_POOL_H
#define VSM_NN_DEVICE_POOL_H

#include "base/status.h"
#include "cuda/device.h"
#include "frame/tensor.h"

#include <stddef.h>

struct vsm_cuda_linear;
struct vsm_device_pool;

/* VSM_E_DEVICE without a usable device; the message says why. */
int vsm_device_pool_create(struct vsm_device_pool **pool) VSM_NODISCARD;

/* The same interface over host memory, so that what is written for a device can be tested without one. */
int vsm_device_pool_create_host(struct vsm_device_pool **pool) VSM_NODISCARD;

/* All tensors must have been released before. NULL is allowed. */
void vsm_device_pool_destroy(struct vsm_device_pool *pool);

/* NULL over host memory. */
struct vsm_cuda_stream *vsm_device_pool_stream(const struct vsm_device_pool *pool);

/* A tensor on the device; its content is left over from earlier ones. NULL on failure (message set). */
struct vsm_tensor *vsm_device_pool_tensor(struct vsm_device_pool *pool, enum vsm_dtype dtype, int rank,
                                          const int64_t *dims) VSM_NODISCARD;

/* A tensor in host memory that the device reads and writes directly: three times as fast to copy. Its own,
 * not the pool's: it may outlive it. NULL on failure. */
struct vsm_tensor *vsm_device_pool_host_tensor(const struct vsm_device_pool *pool, enum vsm_dtype dtype,
                                               int rank, const int64_t *dims) VSM_NODISCARD;

/* Copies between any two places, in the stream's order. Host memory that is read may be reused at once,
 * unless it is of vsm_device_pool_host_tensor(); that, and what is written, after vsm_device_pool_wait(). */
void vsm_device_pool_copy(struct vsm_device_pool *pool, void *to, const void *from, size_t bytes);

/* Notes the stream's present end; and waits until the device is there, while later work goes on. Statuses
 * as those of vsm_device_pool_wait(). */
void vsm_device_pool_mark(struct vsm_device_pool *pool);
int vsm_device_pool_wait_mark(struct vsm_device_pool *pool) VSM_NODISCARD;

/* What does the products of all networks on this stream, so that they share its workspace; made when first
 * asked for. The pool's. Not over host memory. Statuses: those of vsm_cuda_linear_create(). */
int vsm_device_pool_linear(struct vsm_device_pool *pool, struct vsm_cuda_linear **linear) VSM_NODISCARD;

/* Waits for the stream; VSM_OK or the first failure since the pool was made. */
int vsm_device_pool_wait(struct vsm_device_pool *pool) VSM_NODISCARD;

#endif
