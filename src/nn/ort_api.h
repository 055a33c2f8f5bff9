/* The ONNX Runtime library: its function tables, its errors as ours, its types and its environment.
 *
 * Only nn/ort_*.c include this.
 */
#ifndef VSM_NN_ORT_API_H
#define VSM_NN_ORT_API_H

#include "base/status.h"
#include "frame/tensor.h"

#include <onnxruntime_c_api.h>

/* The function tables; VSM_E_DEVICE if the library that was loaded is older than the headers or
 * lacks the editor. Any thread. */
int vsm_ort_api_get(const OrtApi **api, const OrtModelEditorApi **editor) VSM_NODISCARD;

/* VSM_OK for NULL; otherwise vsm_fail(status, "what: ONNX Runtime's text") and the OrtStatus is released. Out
 * of memory in the library becomes VSM_E_NOMEM. */
int vsm_ort_api_check(OrtStatus *result, enum vsm_status status, const char *what) VSM_NODISCARD;

/* The process has one environment: the library counts its users. Release with OrtApi::ReleaseEnv. The
 * library's warnings become log lines. */
int vsm_ort_api_env(OrtEnv **env) VSM_NODISCARD;

/* "ONNX Runtime 1.29.0", and "CUDAExecutionProvider,CPUExecutionProvider". Any thread. */
const char *vsm_ort_api_version(void);
const char *vsm_ort_api_providers(void);

ONNXTensorElementDataType vsm_ort_api_dtype(enum vsm_dtype dtype);

#endif
