/* The memory bank: what one tracked object remembers. Its size is fixed from the start.
 *
 * A memory is T tokens of 64 bfloat16 numbers (as the official code stores them, round to nearest even), a
 * pointer of 256 floats and the frame's number. Conditioning memories come from prompts; of more than
 * `capacity` the first and the most recent are kept (ours: the official rule would forget the first). Of
 * other frames the tokens of the last VSM_SAM2_RECENT and the pointers of the last VSM_SAM2_POINTERS - 1
 * before the present are used. The memory of the newest frame can be replaced, so that a correction does not
 * see itself.
 *
 * Bytes of one bank: (capacity + 7) * T * 128 + about 16 KiB; SAM 2 at 1024: 512 KiB a memory, EdgeTAM: 64
 * KiB.
 */
#ifndef VSM_MODELS_SAM2_BANK_H
#define VSM_MODELS_SAM2_BANK_H

#include "base/bytes.h"
#include "base/status.h"
#include "models/sam2_net.h"

#include <stdbool.h>
#include <stdint.h>

#define VSM_SAM2_BANK_MAX_CONDITIONING 16

struct vsm_sam2_bank;
struct vsm_device_pool;

/* What the networks run on. */
struct vsm_sam2_bank_place {
    struct vsm_device_pool
        *pool;      /* NULL: the CPU. Else memories come and go as bfloat16 on the device; borrowed */
    bool on_device; /* keep them there, too */
};

/* 2 <= capacity <= VSM_SAM2_BANK_MAX_CONDITIONING. `tokens` = config.memory_tokens. place NULL: the CPU. NULL
 * if out of memory. */
struct vsm_sam2_bank *vsm_sam2_bank_create(int tokens, int capacity,
                                           const struct vsm_sam2_bank_place *place) VSM_NODISCARD;
void vsm_sam2_bank_destroy(struct vsm_sam2_bank *bank);

/* Stores a frame's memory, rounding `memory` [tokens * 64] of float, or taking it rounded from the device;
 * replaces what the frame had. Frames never go back by more than one correction of the newest. */
void vsm_sam2_bank_store(struct vsm_sam2_bank *bank, int64_t frame, bool conditioning, const void *memory,
                         const float pointer[VSM_SAM2_DIM]);

bool vsm_sam2_bank_has_conditioning(const struct vsm_sam2_bank *bank, int64_t frame);
/* Whether anything can be attended to at `frame`. */
bool vsm_sam2_bank_usable(const struct vsm_sam2_bank *bank, int64_t frame);

/* Memories and pointers that frame `frame` attends to. */
struct vsm_sam2_bank_size {
    int memories, pointers;
};
struct vsm_sam2_bank_size vsm_sam2_bank_size(const struct vsm_sam2_bank *bank, int64_t frame);

/* Writes them as the memory attention wants them: memory [memories][tokens][64] (float, or bfloat16 on the
 * device), temporal [memories][64], pointers [4 * pointers][64], position [4 * pointers][64]. */
void vsm_sam2_bank_gather(const struct vsm_sam2_bank *bank, const struct vsm_sam2_learned *learned,
                          enum vsm_sam2_family family, int64_t frame, void *memory, float *temporal,
                          float *pointers, float *position);

/* Position of a pointer `distance` frames back: SAM 2.1 learned, else zeros. */
void vsm_sam2_bank_pointer_position(const struct vsm_sam2_learned *learned, enum vsm_sam2_family family,
                                    int64_t distance, float out[VSM_SAM2_MEMORY_DIM]);

/* Exact bytes of the bank, and a bank from them: VSM_E_INPUT if they do not fit this bank's shape. The bytes
 * are the same wherever the memories are kept. VSM_E_DEVICE, VSM_E_NOMEM. */
int vsm_sam2_bank_save(const struct vsm_sam2_bank *bank, struct vsm_bytes_out *out) VSM_NODISCARD;
int vsm_sam2_bank_load(struct vsm_sam2_bank *bank, struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
