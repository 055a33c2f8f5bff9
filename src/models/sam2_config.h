/* Which of the SAM 2 family a checkpoint is, and the sizes that follow from it.
 *
 * Sources: Ravi et al., "SAM 2: Segment Anything in Images and Videos", arXiv 2408.00714; Zhou et al.,
 * "EdgeTAM", arXiv 2501.07256; the public configurations of both projects.
 */
#ifndef VSM_MODELS_SAM2_CONFIG_H
#define VSM_MODELS_SAM2_CONFIG_H

#include "base/status.h"
#include "nn/weights.h"

#include <stdbool.h>

enum vsm_sam2_family { VSM_SAM2_0, VSM_SAM2_1, VSM_SAM2_EDGETAM };

/* Widths that all members share. */
#define VSM_SAM2_DIM        256 /* of features, tokens and object pointers */
#define VSM_SAM2_MEMORY_DIM 64  /* of memory tokens; a pointer is 4 of them */
#define VSM_SAM2_MASKS      4   /* masks the decoder proposes: 0 for clear prompts, 1..3 for ambiguous ones */
#define VSM_SAM2_RECENT     6   /* recent frames whose memory is attended to */
#define VSM_SAM2_POINTERS                                                                                    \
    16                      /* object pointers attended to, conditioning ones beyond the first not counted \
                                */
#define VSM_SAM2_TEMPORAL 7 /* temporal encodings: RECENT, and one for conditioning frames */

struct vsm_sam2_config {
    enum vsm_sam2_family family;
    const char *name;  /* "sam2.1_hiera_tiny", "edgetam" ... */
    bool hugging_face; /* tensors are named as in the transformers library */
    int image_size;    /* S: the side of the square picture, pixels */
    int grid;          /* n = S / 16: the side of the feature grid */
    /* Hiera only */
    int dim;   /* channels of stage 0; doubles with every stage */
    int heads; /* of stage 0; doubles with every stage */
    int blocks[4];
    int window[4];
    int global_blocks[3];
    int position_side; /* of the learned position table */
    /* memory */
    int attention_layers; /* of the memory attention */
    int memory_tokens;    /* of one frame: n * n, EdgeTAM 512 */
};

/* Recognises family and size from the tensors' names and shapes. image_size: a multiple of 32 from 128 to
 * 2048, for EdgeTAM a multiple of 256. VSM_E_MODEL for another kind of model, VSM_E_USAGE for the size. Warns
 * in the log about tensors that the family does not have. */
int vsm_sam2_config_detect(const struct vsm_weights *weights, int image_size,
                           struct vsm_sam2_config *config) VSM_NODISCARD;

/* Channels of trunk stage 0..3. */
int vsm_sam2_config_channels(const struct vsm_sam2_config *config, int stage);

#endif
