/* The CUDA device, its memory, streams and events, behind a C interface without CUDA's own types.
 *
 * The runtime is linked statically and finds the driver when the first call is made, so that the program also
 * runs on machines without one. Built without CUDA (src/cuda/stubs.c), every call fails with VSM_E_DEVICE.
 * Failures of CUDA become VSM_E_DEVICE (VSM_E_NOMEM for memory) with its own words in the message. Calls may
 * come from any thread; one stream, event or graph is used by one thread at a time.
 */
#ifndef VSM_CUDA_DEVICE_H
#define VSM_CUDA_DEVICE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/status.h"

struct vsm_cuda_stream;
struct vsm_cuda_event;
struct vsm_cuda_graph;

struct vsm_cuda_info {
    char name[64];
    int major, minor; /* compute capability */
    int driver;       /* CUDA version of the driver: 1000 * major + 10 * minor */
    size_t memory, memory_free;
    int multiprocessors;
};

/* Whether the kernels are in this build, or stubs. */
int vsm_cuda_built(void);

/* Describes device 0. VSM_E_DEVICE says why there is none that this build can use. Cost: the first call
 * starts the driver, about 0.2 s. */
int vsm_cuda_device_info(struct vsm_cuda_info *info) VSM_NODISCARD;

/* Free device memory, as the driver sees it. */
int vsm_cuda_memory_free(size_t *bytes) VSM_NODISCARD;

/* The driver's context (CUcontext) of device 0 that everything here uses, for libraries that want one. */
int vsm_cuda_context(void **context) VSM_NODISCARD;

/* Device memory, zeroed by the time that the call returns. Waits for the default stream, not for those of
 * vsm_cuda_stream_create(); for starts and growing, not for every frame. free: NULL is allowed. */
int vsm_cuda_alloc(const char *what, size_t bytes, void **memory) VSM_NODISCARD;
void vsm_cuda_free(void *memory);

/* Page-locked host memory, which copies without the host waiting. */
int vsm_cuda_alloc_host(const char *what, size_t bytes, void **memory) VSM_NODISCARD;
void vsm_cuda_free_host(void *memory);

/* A stream of work that does not wait for others. NULL stream arguments elsewhere mean CUDA's default
 * stream. */
int vsm_cuda_stream_create(struct vsm_cuda_stream **stream) VSM_NODISCARD;
void vsm_cuda_stream_destroy(struct vsm_cuda_stream *stream);
/* Waits for all work given to the stream; reports its failures. */
int vsm_cuda_stream_wait(struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* A point in a stream. With `timed`, vsm_cuda_event_ms() gives the time between two; without, waiting for it
 * leaves the processor to others. An event that was never recorded has happened. One thread may wait while
 * another records. destroy: NULL is allowed. */
int vsm_cuda_event_create(int timed, struct vsm_cuda_event **event) VSM_NODISCARD;
void vsm_cuda_event_destroy(struct vsm_cuda_event *event);
int vsm_cuda_event_record(struct vsm_cuda_event *event, struct vsm_cuda_stream *stream) VSM_NODISCARD;
/* The stream's later work waits for the event (on the device), or the caller does. */
int vsm_cuda_event_hold(struct vsm_cuda_event *event, struct vsm_cuda_stream *stream) VSM_NODISCARD;
int vsm_cuda_event_wait(struct vsm_cuda_event *event) VSM_NODISCARD;
int vsm_cuda_event_ms(struct vsm_cuda_event *begin, struct vsm_cuda_event *end, float *ms) VSM_NODISCARD;

/* Copies in the stream's order, between any two places. Without page-locked memory the call waits. */
int vsm_cuda_copy(void *to, const void *from, size_t bytes, struct vsm_cuda_stream *stream) VSM_NODISCARD;
/* `rows` rows of `width` bytes, strides in bytes. */
int vsm_cuda_copy_rows(void *to, ptrdiff_t to_stride, const void *from, ptrdiff_t from_stride, size_t width,
                       size_t rows, struct vsm_cuda_stream *stream) VSM_NODISCARD;
int vsm_cuda_clear(void *memory, size_t bytes, struct vsm_cuda_stream *stream) VSM_NODISCARD;

/* Records what is given to the stream between begin and end as one graph, to be launched again and again. */
int vsm_cuda_graph_begin(struct vsm_cuda_stream *stream) VSM_NODISCARD;
int vsm_cuda_graph_end(struct vsm_cuda_stream *stream, struct vsm_cuda_graph **graph) VSM_NODISCARD;
int vsm_cuda_graph_launch(struct vsm_cuda_graph *graph, struct vsm_cuda_stream *stream) VSM_NODISCARD;
void vsm_cuda_graph_destroy(struct vsm_cuda_graph *graph);

#ifdef __cplusplus
}
#endif

#endif
