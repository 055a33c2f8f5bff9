/* What a job is: its input, the settings that affect the picture, and its models.
 *
 * A checkpoint may be resumed only by the job that made it. The input is known by its size and by hashes of
 * three windows, so that a file of any length is identified in milliseconds; time stamps do not count, a
 * copied file resumes. The hashes of settings and models are made by those who know them.
 */
#ifndef VSM_CHECKPOINT_IDENTITY_H
#define VSM_CHECKPOINT_IDENTITY_H

#include "base/hash.h"
#include "base/status.h"

#include <stdint.h>

/* Bytes of each window of the input, or the whole file where it is shorter. At 1 MiB the three together cost
 * less than one frame, and a change of container, index or first and last pictures falls into one of them. */
#define VSM_IDENTITY_WINDOW ((uint64_t)1 << 20)

struct vsm_identity {
    struct vsm_sha256 settings; /* of the settings that affect the picture */
    struct vsm_sha256 models;   /* of all model files used */
    uint64_t input_size;        /* bytes */
    struct vsm_sha256 input_head, input_middle, input_tail;
};

/* Fills the four input fields from the regular file at `path`; the others stay. VSM_E_INPUT. */
int vsm_identity_read_input(const char *path, struct vsm_identity *identity) VSM_NODISCARD;

/* One hash over all of it: the name of the job. */
int vsm_identity_hash(const struct vsm_identity *identity, struct vsm_sha256 *hash) VSM_NODISCARD;

/* VSM_OK if both are the same job. Otherwise a message that names everything that differs and what to
 * do, beginning with `subject` (the output), and the status of the first difference: VSM_E_INPUT,
 * VSM_E_MODEL or VSM_E_USAGE. */
int vsm_identity_compare(const char *subject, const struct vsm_identity *saved,
                         const struct vsm_identity *now) VSM_NODISCARD;

#endif
