/* The directory of a ZIP archive whose members are all stored, for reading them in place.
 *
 * Source: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14-16 (ends,
 * zip64). Sizes and CRCs come from the central directory, because torch leaves them 0 in local headers; the
 * place of the data comes from the local header's own name and extra lengths, because torch pads there.
 */
#ifndef VSM_NN_ZIP_INDEX_H
#define VSM_NN_ZIP_INDEX_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct vsm_zip_member {
    const char *name; /* in the archive, name_size bytes, no NUL */
    size_t name_size;
    const uint8_t *data;
    size_t size;
    uint32_t crc;
};

struct vsm_zip_index {
    struct vsm_zip_member *members; /* sorted by name */
    size_t count;
};

/* Reads the directory of the archive in `data` (borrowed for the life of the index). Every member's bytes are
 * inside `data`; names are unique. VSM_E_MODEL for a damaged, encrypted, split or compressed archive. */
int vsm_zip_index_read(const char *path, const uint8_t *data, size_t size,
                       struct vsm_zip_index *index) VSM_NODISCARD;
void vsm_zip_index_finish(struct vsm_zip_index *index);

/* NULL if absent. */
const struct vsm_zip_member *vsm_zip_index_find(const struct vsm_zip_index *index, const char *name,
                                                size_t size);

#endif
