#include "nn/ort_memory.h"

#include "base/scratch.h"

#include <pthread.h>

static void *allocate(OrtAllocator *allocator, size_t size)
{
    (void)allocator;
    return size ? vsm_scratch_take(size) : NULL;
}

static void release(OrtAllocator *allocator, void *data)
{
    (void)allocator;
    vsm_scratch_free(data);
}

static OrtMemoryInfo *place;
static pthread_mutex_t place_lock = PTHREAD_MUTEX_INITIALIZER;

static const OrtMemoryInfo *place_of(const OrtAllocator *allocator)
{
    (void)allocator;
    return place;
}

static OrtAllocator tensors = {
    .version = ORT_API_VERSION, .Alloc = allocate, .Free = release, .Info = place_of, .Reserve = allocate};

int vsm_ort_memory_register(const OrtApi *api, OrtEnv *env)
{
    int status = VSM_OK;

    pthread_mutex_lock(&place_lock);
    if (!place)
        status = vsm_ort_api_check(api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &place),
                                   VSM_E_DEVICE, "ONNX Runtime");
    pthread_mutex_unlock(&place_lock);
    /* The library refuses it a second time, which is as good. */
    if (!status)
        api->ReleaseStatus(api->RegisterAllocator(env, &tensors));
    return status;
}
