/* Puts the checksums of an edited checkpoint file right again: what a bug of the writer, or an attacker,
 * would do. Made from the description in checkpoint/checkpoint.h, not with its code. */
#ifndef CHECKPOINT_CHECKSUMS_H
#define CHECKPOINT_CHECKSUMS_H

#include "base/hash.h"

#include <stddef.h>
#include <stdint.h>

static inline void put_le(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static inline uint64_t take_le(const uint8_t *at, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

/* Follows the records as far as they make sense. */
static inline void fix_checksums(uint8_t *data, size_t size)
{
    size_t at = 232;

    if (size < 240)
        return;
    put_le(data + 228, vsm_hash_crc32(0, data, 228), 4);
    for (uint64_t left = take_le(data + 12, 4); left > 0 && at + 48 <= size - 8; left--) {
        uint64_t bytes = take_le(data + at + 32, 8), room = size - 8 - at - 48;

        if (bytes <= room)
            put_le(data + at + 40, vsm_hash_crc32(0, data + at + 48, bytes), 4);
        put_le(data + at + 44, vsm_hash_crc32(0, data + at, 44), 4);
        if (bytes > room)
            break;
        at += 48 + bytes;
    }
    put_le(data + size - 8, vsm_hash_crc32(0, data, size - 8), 4);
}

#endif
