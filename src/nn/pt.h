/* torch `.pt` files: an uncompressed ZIP archive (nn/zip_index.h) with a pickle of the structure
 * (nn/pickle.h) and one member a storage. Source: output of torch.save() 1.6 to 2.x. Older files (a bare
 * pickle stream) are refused.
 *
 * The tensors taken are those of the dictionary "model" of the root dictionary, or of the root itself if it
 * has no such entry.
 */
#ifndef VSM_NN_PT_H
#define VSM_NN_PT_H

#include "nn/weights.h"

/* True if the bytes begin like a ZIP archive. */
bool vsm_pt_recognise(const void *data, size_t size);

/* Adds all tensors of the archive to `weights`. VSM_E_MODEL with the member and what is wrong in it. */
int vsm_pt_parse(const char *path, const void *data, size_t size, struct vsm_weights *weights) VSM_NODISCARD;

#endif
