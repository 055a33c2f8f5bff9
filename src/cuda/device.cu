#include "cuda/device.h"

#include "cuda/check.cuh"

#include <stdio.h>

/* The oldest device with the matrix instructions that cuda/conv.cu uses. */
#define OLDEST_MAJOR 8

int vsm_cuda_built(void)
{
    return 1;
}

int vsm_cuda_device_info(struct vsm_cuda_info *info)
{
    cudaDeviceProp properties;
    int count = 0, status;
    const cudaError_t error = cudaGetDeviceCount(&count);

    if (error == cudaErrorInsufficientDriver)
        return vsm_fail(VSM_E_DEVICE, "CUDA: no driver, or one too old for CUDA %d.%d", CUDART_VERSION / 1000,
                        CUDART_VERSION % 1000 / 10);
    status = vsm_cuda_status(error, "no usable device or driver");
    if (status)
        return status;
    if (!count)
        return vsm_fail(VSM_E_DEVICE, "CUDA: the driver finds no device");
    status = vsm_cuda_status(cudaGetDeviceProperties(&properties, 0), "properties of device 0");
    if (status)
        return status;
    if (properties.major < OLDEST_MAJOR)
        return vsm_fail(VSM_E_DEVICE, "CUDA: %s has compute capability %d.%d; at least %d.0 is needed",
                        properties.name, properties.major, properties.minor, OLDEST_MAJOR);
    snprintf(info->name, sizeof(info->name), "%.63s", properties.name);
    info->major = properties.major;
    info->minor = properties.minor;
    info->multiprocessors = properties.multiProcessorCount;
    status = vsm_cuda_status(cudaDriverGetVersion(&info->driver), "version of the driver");
    if (!status)
        status = vsm_cuda_status(cudaMemGetInfo(&info->memory_free, &info->memory), "free memory");
    return status;
}

int vsm_cuda_memory_free(size_t *bytes)
{
    size_t total;

    return vsm_cuda_status(cudaMemGetInfo(bytes, &total), "free memory");
}

int vsm_cuda_context(void **context)
{
    typedef int get_current(void **);
    cudaDriverEntryPointQueryResult found;
    void *function = NULL;
    int status = vsm_cuda_status(cudaFree(NULL), "context");

    if (!status)
        status = vsm_cuda_status(
            cudaGetDriverEntryPointByVersion("cuCtxGetCurrent", &function, 12000, cudaEnableDefault, &found), "context");
    if (!status && (!function || ((get_current *)function)(context) != 0 || !*context))
        return vsm_fail(VSM_E_DEVICE, "CUDA: the driver gives no context");
    return status;
}

int vsm_cuda_alloc(const char *what, size_t bytes, void **memory)
{
    void *made = NULL;
    int status = vsm_cuda_status(cudaMalloc(&made, bytes ? bytes : 1), what);

    /* Streams that do not wait for the default stream, where this is done, could write before it is. */
    if (!status)
        status = vsm_cuda_status(cudaMemset(made, 0, bytes), what);
    if (!status)
        status = vsm_cuda_status(cudaStreamSynchronize(NULL), what);
    if (status)
        cudaFree(made);
    else
        *memory = made;
    return status;
}

void vsm_cuda_free(void *memory)
{
    cudaFree(memory);
}

int vsm_cuda_alloc_host(const char *what, size_t bytes, void **memory)
{
    return vsm_cuda_status(cudaMallocHost(memory, bytes ? bytes : 1), what);
}

void vsm_cuda_free_host(void *memory)
{
    cudaFreeHost(memory);
}

int vsm_cuda_stream_create(struct vsm_cuda_stream **stream)
{
    return vsm_cuda_status(cudaStreamCreateWithFlags((cudaStream_t *)stream, cudaStreamNonBlocking), "stream");
}

void vsm_cuda_stream_destroy(struct vsm_cuda_stream *stream)
{
    if (stream)
        cudaStreamDestroy(vsm_cuda_raw(stream));
}

int vsm_cuda_stream_wait(struct vsm_cuda_stream *stream)
{
    return vsm_cuda_status(cudaStreamSynchronize(vsm_cuda_raw(stream)), "work on the device");
}

int vsm_cuda_event_create(int timed, struct vsm_cuda_event **event)
{
    return vsm_cuda_status(
        cudaEventCreateWithFlags((cudaEvent_t *)event, timed ? cudaEventDefault : cudaEventDisableTiming | cudaEventBlockingSync), "event");
}

void vsm_cuda_event_destroy(struct vsm_cuda_event *event)
{
    if (event)
        cudaEventDestroy((cudaEvent_t)event);
}

int vsm_cuda_event_record(struct vsm_cuda_event *event, struct vsm_cuda_stream *stream)
{
    return vsm_cuda_status(cudaEventRecord((cudaEvent_t)event, vsm_cuda_raw(stream)), "event");
}

int vsm_cuda_event_hold(struct vsm_cuda_event *event, struct vsm_cuda_stream *stream)
{
    return vsm_cuda_status(cudaStreamWaitEvent(vsm_cuda_raw(stream), (cudaEvent_t)event, 0), "event");
}

int vsm_cuda_event_wait(struct vsm_cuda_event *event)
{
    return vsm_cuda_status(cudaEventSynchronize((cudaEvent_t)event), "work on the device");
}

int vsm_cuda_event_ms(struct vsm_cuda_event *begin, struct vsm_cuda_event *end, float *ms)
{
    return vsm_cuda_status(cudaEventElapsedTime(ms, (cudaEvent_t)begin, (cudaEvent_t)end), "time");
}

int vsm_cuda_copy(void *to, const void *from, size_t bytes, struct vsm_cuda_stream *stream)
{
    return vsm_cuda_status(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, vsm_cuda_raw(stream)), "copy");
}

int vsm_cuda_copy_rows(void *to, ptrdiff_t to_stride, const void *from, ptrdiff_t from_stride, size_t width,
                       size_t rows, struct vsm_cuda_stream *stream)
{
    if (to_stride < (ptrdiff_t)width || from_stride < (ptrdiff_t)width)
        return vsm_fail(VSM_E_INTERNAL, "CUDA: rows of %zu bytes with strides %td and %td", width, to_stride,
                        from_stride);
    return vsm_cuda_status(cudaMemcpy2DAsync(to, (size_t)to_stride, from, (size_t)from_stride, width, rows,
                                             cudaMemcpyDefault, vsm_cuda_raw(stream)),
                           "copy");
}

int vsm_cuda_clear(void *memory, size_t bytes, struct vsm_cuda_stream *stream)
{
    return vsm_cuda_status(cudaMemsetAsync(memory, 0, bytes, vsm_cuda_raw(stream)), "clearing memory");
}

int vsm_cuda_graph_begin(struct vsm_cuda_stream *stream)
{
    return vsm_cuda_status(cudaStreamBeginCapture(vsm_cuda_raw(stream), cudaStreamCaptureModeThreadLocal),
                           "recording");
}

int vsm_cuda_graph_end(struct vsm_cuda_stream *stream, struct vsm_cuda_graph **graph)
{
    cudaGraph_t recorded = NULL;
    int status = vsm_cuda_status(cudaStreamEndCapture(vsm_cuda_raw(stream), &recorded), "recording");

    if (!status)
        status = vsm_cuda_status(cudaGraphInstantiate((cudaGraphExec_t *)graph, recorded, 0), "graph");
    if (recorded)
        cudaGraphDestroy(recorded);
    return status;
}

int vsm_cuda_graph_launch(struct vsm_cuda_graph *graph, struct vsm_cuda_stream *stream)
{
    return vsm_cuda_status(cudaGraphLaunch((cudaGraphExec_t)(void *)graph, vsm_cuda_raw(stream)), "graph");
}

void vsm_cuda_graph_destroy(struct vsm_cuda_graph *graph)
{
    if (graph)
        cudaGraphExecDestroy((cudaGraphExec_t)(void *)graph);
}
