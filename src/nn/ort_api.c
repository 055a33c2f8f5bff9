#include "nn/ort_api.h"

#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int vsm_ort_api_get(const OrtApi **api, const OrtModelEditorApi **editor)
{
    const OrtApi *found = OrtGetApiBase()->GetApi(ORT_API_VERSION);
    const OrtModelEditorApi *found_editor = found ? found->GetModelEditorApi() : NULL;

    *api = found;
    if (!found_editor)
        return vsm_fail(
            VSM_E_DEVICE,
            "ONNX Runtime %s: too old or a minimal build, the program was built for 1.%d; install that "
            "version or rebuild",
            OrtGetApiBase()->GetVersionString(), ORT_API_VERSION);
    if (editor)
        *editor = found_editor;
    return VSM_OK;
}

int vsm_ort_api_check(OrtStatus *result, enum vsm_status status, const char *what)
{
    const OrtApi *api;
    const char *text;

    if (!result)
        return VSM_OK;
    if (vsm_ort_api_get(&api, NULL))
        return VSM_E_DEVICE;
    text = api->GetErrorMessage(result);
    if (strstr(text, "bad_alloc") || strstr(text, "Failed to allocate memory"))
        status = VSM_E_NOMEM;
    status = (enum vsm_status)vsm_fail(status, "%s: %s", what, text);
    api->ReleaseStatus(result);
    return status;
}

static void log_line(void *param, OrtLoggingLevel severity, const char *category, const char *logid,
                     const char *code_location, const char *message)
{
    (void)param, (void)category, (void)logid, (void)code_location;
    vsm_log(severity >= ORT_LOGGING_LEVEL_ERROR ? VSM_LOG_ERROR : VSM_LOG_DEBUG, "onnxruntime", "%s",
            message);
}

/* The library's builds for Linux keep an identity of the machine and a list of events in the user's cache
 * folder from the environment's making on, before the API can forbid it. A variable forbids it in time; set
 * before there are threads, for others may read the process's variables. */
__attribute__((constructor)) static void forbid_events(void)
{
    (void)setenv("ORT_DISABLE_TELEMETRY", "1", 1);
}

int vsm_ort_api_env(OrtEnv **env)
{
    const OrtApi *api;
    int status = vsm_ort_api_get(&api, NULL);

    if (status)
        return status;
    status = vsm_ort_api_check(api->CreateEnvWithCustomLogger(log_line, NULL, ORT_LOGGING_LEVEL_WARNING,
                                                              "vsm", env),
                               VSM_E_DEVICE, "ONNX Runtime");
    /* Builds without that feature refuse the call, which is as good. */
    if (!status)
        api->ReleaseStatus(api->DisableTelemetryEvents(*env));
    return status;
}

ONNXTensorElementDataType vsm_ort_api_dtype(enum vsm_dtype dtype)
{
    static const ONNXTensorElementDataType types[] = {
        [VSM_F32] = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
        [VSM_F16] = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16,
        [VSM_BF16] = ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16,
        [VSM_I32] = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
        [VSM_I64] = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
        [VSM_U8] = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,
        [VSM_BOOL] = ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL,
    };

    return types[dtype];
}

static pthread_once_t texts_once = PTHREAD_ONCE_INIT;
static char version_text[48], providers_text[256];

static void make_texts(void)
{
    const OrtApi *api;
    char **names;
    int count;
    size_t at = 0;

    snprintf(version_text, sizeof(version_text), "ONNX Runtime %s", OrtGetApiBase()->GetVersionString());
    if (vsm_ort_api_get(&api, NULL) ||
        vsm_ort_api_check(api->GetAvailableProviders(&names, &count), VSM_E_DEVICE, "ONNX Runtime"))
        return;
    for (int i = 0; i < count && at < sizeof(providers_text); i++)
        at += (size_t)snprintf(providers_text + at, sizeof(providers_text) - at, i ? ",%s" : "%s", names[i]);
    api->ReleaseStatus(api->ReleaseAvailableProviders(names, count));
}

const char *vsm_ort_api_version(void)
{
    pthread_once(&texts_once, make_texts);
    return version_text;
}

const char *vsm_ort_api_providers(void)
{
    pthread_once(&texts_once, make_texts);
    return providers_text;
}
