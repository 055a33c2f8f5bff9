/* The checkpoints this program knows: where they come from, how to tell that they are whole, and under which
 * licence they are; and the folder where they live.
 *
 * Sizes and hashes are those of the official files, each confirmed by at least two independent public
 * sources.
 */
#ifndef VSM_MODELS_REGISTRY_H
#define VSM_MODELS_REGISTRY_H

#include "base/status.h"

#include <stdint.h>

struct vsm_registry_entry {
    const char *name; /* "sam2.1_hiera_tiny" */
    const char *file; /* its name in the folder */
    const char *url;
    uint64_t bytes;
    const char *sha256;
    const char *licence; /* SPDX */
    const char *speed;   /* class, by the work of one frame at 1024 with one person */
};

enum vsm_registry_state {
    VSM_REGISTRY_ABSENT,
    VSM_REGISTRY_PARTIAL,
    VSM_REGISTRY_PRESENT,
    VSM_REGISTRY_WRONG_SIZE
};

int vsm_registry_count(void);
const struct vsm_registry_entry *vsm_registry_at(int index);
/* By name or file name; NULL and a message that lists what there is. */
const struct vsm_registry_entry *vsm_registry_find(const char *name);

/* The folder: `chosen` if not NULL, else $XDG_DATA_HOME/vr180-streaming/models, else ~/.local/share/...; it
 * is made if `make` is set. Owned by the caller. */
int vsm_registry_folder(const char *chosen, int make, char **folder) VSM_NODISCARD;

/* FOLDER/FILE. Owned by the caller; NULL if out of memory. */
char *vsm_registry_path(const char *folder, const struct vsm_registry_entry *entry) VSM_NODISCARD;

/* By size only: cheap. */
enum vsm_registry_state vsm_registry_look(const char *folder, const struct vsm_registry_entry *entry);

/* Size and SHA-256 of FOLDER/FILE. VSM_E_MODEL if it is absent or altered. */
int vsm_registry_verify(const char *folder, const struct vsm_registry_entry *entry) VSM_NODISCARD;

/* Copies a file into the folder. A known one (by SHA-256) gets its known name; another one keeps its own, if
 * it is a checkpoint of a family this program runs. *entry: the known one, or NULL. *path: where it is now,
 * for the caller. */
int vsm_registry_import(const char *folder, const char *file, const struct vsm_registry_entry **entry,
                        char **path) VSM_NODISCARD;

/* Deletes FOLDER/FILE and a partial download. VSM_E_USAGE if neither is there. */
int vsm_registry_remove(const char *folder, const struct vsm_registry_entry *entry) VSM_NODISCARD;

#endif
