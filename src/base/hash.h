/* Content hashes: SHA-256 for identity of models, settings and input; CRC-32 (ISO 3309) for damage. */
#ifndef VSM_BASE_HASH_H
#define VSM_BASE_HASH_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct vsm_sha256 {
    uint8_t bytes[32];
};

/* Room for the hexadecimal form and its NUL. */
#define VSM_SHA256_HEX 65

/* Hash of one block of memory. */
int vsm_hash_sha256(const void *data, size_t size, struct vsm_sha256 *hash) VSM_NODISCARD;

/* Hash of `size` bytes of an open file from `offset` (size UINT64_MAX: to the end). `path` is for messages
 * only. Reads through a 1 MiB buffer. VSM_E_INPUT if the file cannot be read or is shorter. */
int vsm_hash_sha256_file(int fd, const char *path, uint64_t offset, uint64_t size,
                         struct vsm_sha256 *hash) VSM_NODISCARD;

/* Hash of a whole file by path. */
int vsm_hash_sha256_path(const char *path, struct vsm_sha256 *hash) VSM_NODISCARD;

/* 64 lower-case digits and the end of the string. */
void vsm_hash_hex(const struct vsm_sha256 *hash, char hex[VSM_SHA256_HEX]);

/* CRC-32 of `size` bytes, continuing from `crc` (0 to begin). */
uint32_t vsm_hash_crc32(uint32_t crc, const void *data, size_t size);

#endif
