/* Names of parameters: from the official ones to those of the transformers library.
 *
 * Source: the checkpoint conversion scripts of the transformers library for SAM 2 video and EdgeTAM video.
 */
#ifndef VSM_MODELS_SAM2_NAMES_H
#define VSM_MODELS_SAM2_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes the transformers name (cut to `size`) of the tensor that holds the elements from *first on of the
 * official parameter `key`, and moves *first into that tensor. True if the tensor is a part or a union of
 * official ones, so that its size differs: the four point embeddings are one tensor there, EdgeTAM's to_kv is
 * two. */
bool vsm_sam2_names_transformers(const char *key, bool edgetam, int64_t *first, char *name, size_t size);

#endif
