/* Downloads of large files that survive cut connections: into PATH.part, resumed where it ended, checked by
 * size and SHA-256, and only then renamed to PATH. The only user of libcurl.
 *
 * Fault points: download.write, and those of base/file.h.
 */
#ifndef VSM_MODELS_DOWNLOAD_H
#define VSM_MODELS_DOWNLOAD_H

#include "base/status.h"

#include <stdint.h>

struct vsm_download {
    const char *url;    /* http or https; redirects are followed, from https to https only */
    const char *path;   /* where the whole file will be */
    uint64_t bytes;     /* its size */
    const char *sha256; /* its hash, 64 hexadecimal digits */
    /* Called some times a second with what is there of the file so far; may be NULL. */
    void (*progress)(void *opaque, uint64_t done, uint64_t total);
    void *opaque;
};

/* Fetches the file. A PATH.part of an earlier call is continued. VSM_E_INPUT if the server or the network
 * fails (what arrived is kept for the next call) or the content is not what it should be (it is then
 * deleted); VSM_E_OUTPUT if it cannot be written, or another process downloads the same file. */
int vsm_download_run(const struct vsm_download *download) VSM_NODISCARD;

#endif
