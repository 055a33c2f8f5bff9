/* The synthetic weights and frames of the SAM 2 reference data, made from their recipe, and readers of its
 * files. */
#ifndef GOLDEN_SAM2_WEIGHTS_H
#define GOLDEN_SAM2_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes the weights described by `recipe` (weights/NAME.json) as a safetensors file; `transformers`
 * names them as that library does. False with a line on stdout if anything fails, also if the SHA-256
 * over all tensors differs. */
bool sam2_weights_write(const char *recipe, bool transformers, const char *path);

/* Frame t of side `size`: float32 [3][size][size], normalised. */
void sam2_weights_frame(int size, int t, float *out);

#endif
