#include "base/hash.h"
#include "base/fault.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK ((size_t)1 << 20)

int vsm_hash_sha256(const void *data, size_t size, struct vsm_sha256 *hash)
{
    if (EVP_Digest(data, size, hash->bytes, NULL, EVP_sha256(), NULL) != 1)
        return vsm_fail(VSM_E_INTERNAL, "SHA-256 is not available in the crypto library");
    return VSM_OK;
}

int vsm_hash_sha256_file(int fd, const char *path, uint64_t offset, uint64_t size, struct vsm_sha256 *hash)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t *block = vsm_mem_alloc_raw("hash buffer", BLOCK, 1);
    bool to_end = size == UINT64_MAX;
    int status = VSM_OK;

    if (!context || !block || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        status = vsm_fail(VSM_E_NOMEM, "%s: cannot start SHA-256", path);
        goto done;
    }
    while (size > 0) {
        ssize_t n = VSM_FAULT_CALL("file.read", pread(fd, block, size < BLOCK ? size : BLOCK, (off_t)offset));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = vsm_fail(VSM_E_INPUT, "%s: cannot be read: %s", path, strerror(errno));
            goto done;
        }
        if (n == 0)
            break;
        EVP_DigestUpdate(context, block, (size_t)n);
        offset += (uint64_t)n;
        if (!to_end)
            size -= (uint64_t)n;
    }
    if (!to_end && size > 0) {
        status = vsm_fail(VSM_E_INPUT, "%s: ends %llu bytes early", path, (unsigned long long)size);
        goto done;
    }
    EVP_DigestFinal_ex(context, hash->bytes, NULL);
done:
    vsm_mem_free(block);
    EVP_MD_CTX_free(context);
    return status;
}

int vsm_hash_sha256_path(const char *path, struct vsm_sha256 *hash)
{
    int fd = VSM_FAULT_CALL("file.open", open(path, O_RDONLY | O_CLOEXEC));
    int status;

    if (fd < 0)
        return vsm_fail(VSM_E_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    status = vsm_hash_sha256_file(fd, path, 0, UINT64_MAX, hash);
    close(fd);
    return status;
}

void vsm_hash_hex(const struct vsm_sha256 *hash, char hex[VSM_SHA256_HEX])
{
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash->bytes[i]);
}

uint32_t vsm_hash_crc32(uint32_t crc, const void *data, size_t size)
{
    return (uint32_t)crc32_z(crc, data, size);
}
