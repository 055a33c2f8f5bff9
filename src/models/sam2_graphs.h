/* The five networks of the SAM 2 family as graphs. Each function starts, fills and leaves a graph in `b`; ask
 * vsm_sam2_build_status() afterwards. B is a free batch of views or of objects; S the image size, n = S / 16
 * the grid. Features are tokens in row-major order. With b->trace set, inner values are outputs too, under
 * the names of the reference data.
 *
 * With b->device set the graphs are made for a GPU, where data that the host does not need stays there:
 * memories are bfloat16, as the bank keeps them, and the memory encoder enlarges the mask, marks absent
 * objects and rounds itself. The attention's values are then as wide as its keys, which the library's fast
 * kernels want, unless b->narrow says that ours may be used, in half precision.
 */
#ifndef VSM_MODELS_SAM2_GRAPHS_H
#define VSM_MODELS_SAM2_GRAPHS_H

#include "models/sam2_build.h"

/* image [B, 3, S, S], normalised RGB, float16 with b->own ->
 * feat [B, n n, 256], the third level of the pyramid; f1 [B, 4 n n, 64] and f0 [B, 16 n n, 32], the finer
 * levels as the mask decoder wants them (its 1x1 convolutions are merged with the pyramid's lateral ones:
 * exact). Trace: trunk.0..3 [B, tokens, C]. */
void vsm_sam2_encoder_graph(struct vsm_sam2_build *b, const struct vsm_weights *weights,
                            const struct vsm_sam2_config *config);

/* The trunks: image -> tokens[4], each [B * pixels, channels] at strides 4, 8, 16, 32. */
void vsm_sam2_hiera_build(struct vsm_sam2_build *b, vsm_value image, vsm_value tokens[4]);
void vsm_edgetam_trunk_build(struct vsm_sam2_build *b, vsm_value image, vsm_value tokens[4]);

/* feat [B, n n, 256], memory [B, L, T, 64] (L memories of T = config.memory_tokens tokens), temporal [B, L,
 * 64] (a row of maskmem_tpos_enc a memory), pointers [B, Q, 64] (4 tokens a pointer), pointer_position [B, Q,
 * 64] -> conditioned [B, n n, 256]. The positions of tokens inside a memory are constants of the graph.
 * Values are the raw 64-channel memory, with the value and output projections merged behind the attention:
 * exact, and a quarter of the work. Trace: layer0.. [B, n n, 256]. */
void vsm_sam2_attention_graph(struct vsm_sam2_build *b, const struct vsm_weights *weights,
                              const struct vsm_sam2_config *config);

/* image [B, n n, 256] (feat + no_mem_embed, or conditioned), dense [B, 1 or n n, 256], sparse [B, K, 256],
 * f0, f1 -> masks [B, 4, 16 n n] raw logits, iou [B, 4], score [B, 1], tokens [B, 4, 256], pointers [B, 4,
 * 256] (of each mask token, before the object score is looked at). Trace: queries [B, 6 + K, 256], keys [B, n
 * n, 256]. */
void vsm_sam2_decoder_graph(struct vsm_sam2_build *b, const struct vsm_weights *weights,
                            const struct vsm_sam2_config *config);

/* mask [B, 1, 4 n, 4 n] logits -> dense [B, n n, 256]. */
void vsm_sam2_prompt_graph(struct vsm_sam2_build *b, const struct vsm_weights *weights,
                           const struct vsm_sam2_config *config);

/* feat [B, n n, 256], mask [B, 1, S, S] (probability * 20 - 10) -> memory [B, T, 64]. Trace:
 * mask_downsampled [B, n n, 256]; EdgeTAM also raw [B, n n, 64], the perceiver's input. device: logits [B,
 * 1, 4 n, 4 n] and binary [B, 1, 1, 1] (1: of a prompt, binarised) in place of mask, and SAM 2.1 also absent
 * [B, 1, 1] (1: nobody there). */
void vsm_sam2_memory_graph(struct vsm_sam2_build *b, const struct vsm_weights *weights,
                           const struct vsm_sam2_config *config);

/* EdgeTAM: map [B * n n, 64] -> latents [B, 512, 64]. And the position of each latent, out[512 * 64]. */
vsm_value vsm_edgetam_perceiver_build(struct vsm_sam2_build *b, vsm_value map);
void vsm_edgetam_perceiver_positions(float *out);

#endif
