/* A checkpoint: everything needed to go on behind a frame as if nothing had happened, and its file format.
 *
 * The file, version 4. All integers are little-endian and unsigned unless said otherwise; CRC is
 * CRC-32 (ISO 3309).
 *
 *   offset size  header, 232 bytes
 *        0    8  magic: 89 56 53 4D 43 4B 0D 0A ("\x89VSMCK\r\n": text transfers break it)
 *        8    4  version: 4
 *       12    4  number of records R: 0..256
 *       16    8  size of the whole file in bytes: 240 + sum of (48 + D) over the records, at most 1 GiB
 *       24    8  generation: 1.. , the number of the commit that wrote it
 *       32    8  next_seq: 1..2^63-1, the frame to go on with; all frames before it are in the output
 *       40    8  elapsed time of the job in nanoseconds, over all its runs
 *       48    8  resumes: how often the job was resumed
 *       56   32  SHA-256 of the settings that affect the picture
 *       88   32  SHA-256 of the models
 *      120    8  size of the input in bytes
 *      128   32  SHA-256 of the input's head
 *      160   32  SHA-256 of the input's middle
 *      192   32  SHA-256 of the input's tail
 *      224    4  zero
 *      228    4  CRC of bytes 0..227
 *
 *                R records, each
 *        0   32  name: 1..31 of [a-z0-9._], the rest zero; unique in the file
 *       32    8  size of the data D
 *       40    4  CRC of the data
 *       44    4  CRC of bytes 0..43 of this record
 *       48    D  data, meaning is the stage's
 *
 *                trailer, 8 bytes
 *        0    4  CRC of everything before the trailer
 *        4    4  magic: 56 53 4D 2E ("VSM.")
 *
 * There is exactly one file for a given checkpoint: a file that is accepted encodes again to the same bytes.
 * The reader takes every file as hostile: each size is compared with what is left before anything is
 * allocated, every CRC, every zero, the order and the total are checked. Two levels of CRC tell which record
 * is damaged, and that the file is complete. A change of layout, of the file or of what a stage puts into its
 * record, is a new version; other versions are refused by number. (1 to 3 had the same file; 1 knew less of
 * people, of scenes and of encoders, 2 of views and of scaling; 3 had repairs of states on a GPU under way,
 * and in scaling what had been done beside the network.)
 */
#ifndef VSM_CHECKPOINT_CHECKPOINT_H
#define VSM_CHECKPOINT_CHECKPOINT_H

#include "base/status.h"
#include "checkpoint/identity.h"
#include "checkpoint/state.h"

#include <stddef.h>
#include <stdint.h>

#define VSM_CHECKPOINT_VERSION 4

/* Largest file in bytes: recurrent states of two eyes on a 768 grid need 30 MB, a tracker's memory 100 MB. */
#define VSM_CHECKPOINT_MAX_BYTES ((uint64_t)1 << 30)

struct vsm_checkpoint {
    uint64_t generation; /* set by the store */
    int64_t next_seq;
    uint64_t elapsed_ns;
    uint64_t resumes;
    struct vsm_identity identity;
    struct vsm_state *state; /* owned only in a decoded checkpoint */
};

/* Takes the next `size` bytes of the file; a status other than VSM_OK ends the encoding and is returned. */
typedef int (*vsm_checkpoint_write)(void *opaque, const void *data, size_t size);

/* Encodes without a copy of the records' data: `write` is called 2 + 2 R times at most. VSM_E_INTERNAL if the
 * checkpoint breaks a limit of the format. */
int vsm_checkpoint_encode(const struct vsm_checkpoint *checkpoint, vsm_checkpoint_write write,
                          void *opaque) VSM_NODISCARD;

/* Decodes a whole file; `subject` is for messages. The records are copied. On success release with
 * vsm_checkpoint_clear(); on failure (VSM_E_OUTPUT: damaged or of another version; VSM_E_NOMEM)
 * *checkpoint is zeroed. */
int vsm_checkpoint_decode(const char *subject, const void *data, size_t size,
                          struct vsm_checkpoint *checkpoint) VSM_NODISCARD;

/* Frees the state and zeroes the checkpoint. */
void vsm_checkpoint_clear(struct vsm_checkpoint *checkpoint);

#endif
