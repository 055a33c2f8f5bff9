/* safetensors files: 8 bytes of little-endian header length N, N bytes of JSON, then the tensors' bytes. Each
 * header entry is "name": {"dtype", "shape", "data_offsets": [begin, end)} with offsets from the end of the
 * header; the entry "__metadata__" is ignored. Source: the format's README,
 * https://github.com/huggingface/safetensors.
 */
#ifndef VSM_NN_SAFETENSORS_H
#define VSM_NN_SAFETENSORS_H

#include "nn/weights.h"

/* Longest header accepted, bytes: the limit of the format's own library. */
#define VSM_SAFETENSORS_MAX_HEADER 100000000u

/* True if byte 8 opens a JSON object. */
bool vsm_safetensors_recognise(const void *data, size_t size);

/* Adds all tensors of the file to `weights`. VSM_E_MODEL with the tensor and what is wrong with it. */
int vsm_safetensors_parse(const char *path, const void *data, size_t size,
                          struct vsm_weights *weights) VSM_NODISCARD;

#endif
