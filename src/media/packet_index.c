#include "media/packet_index.h"

#include "base/bytes.h"
#include "base/fault.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int vsm_packet_index_create(const char *path, struct vsm_packet_index *index)
{
    index->used = 0;
    index->count = 0;
    index->crc = 0;
    return vsm_output_file_open(path, false, &index->file);
}

static int flush(struct vsm_packet_index *index)
{
    int status = vsm_output_file_write(&index->file, index->buffer, index->used);

    if (status == VSM_OK)
        index->used = 0;
    return status;
}

static void put_le(uint8_t *to, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

int vsm_packet_index_add(struct vsm_packet_index *index, const struct vsm_packet_entry *entry)
{
    uint8_t *to = index->buffer + index->used;

    put_le(to, (uint64_t)entry->pts, 8);
    put_le(to + 8, (uint64_t)entry->dts, 8);
    put_le(to + 16, (uint64_t)entry->duration, 8);
    put_le(to + 24, entry->size, 4);
    put_le(to + 28, entry->flags, 4);
    put_le(to + 32, entry->alpha, 4);
    index->crc = vsm_hash_crc32(index->crc, to, VSM_PACKET_INDEX_ENTRY);
    index->used += VSM_PACKET_INDEX_ENTRY;
    index->count++;
    return index->used == sizeof(index->buffer) ? flush(index) : VSM_OK;
}

int vsm_packet_index_sync(struct vsm_packet_index *index)
{
    int status = flush(index);

    return status == VSM_OK ? vsm_output_file_sync(&index->file) : status;
}

void vsm_packet_index_close(struct vsm_packet_index *index)
{
    vsm_output_file_close(&index->file);
}

static int visit_entries(const uint8_t *data, size_t size,
                         int (*visit)(void *, const struct vsm_packet_entry *), void *opaque)
{
    struct vsm_bytes_in in = vsm_bytes_in_of(data, size);
    int status = VSM_OK;

    while (status == VSM_OK && vsm_bytes_left(&in) > 0) {
        struct vsm_packet_entry entry = {0};

        entry.pts = (int64_t)vsm_bytes_get_le64(&in);
        entry.dts = (int64_t)vsm_bytes_get_le64(&in);
        entry.duration = (int64_t)vsm_bytes_get_le64(&in);
        entry.size = vsm_bytes_get_le32(&in);
        entry.flags = vsm_bytes_get_le32(&in);
        entry.alpha = vsm_bytes_get_le32(&in);
        status = visit(opaque, &entry);
    }
    return status;
}

/* Reads the counted entries once: for the CRC (visit NULL) or to visit them. */
static int read_entries(int fd, const char *path, uint64_t count, uint32_t *crc,
                        int (*visit)(void *, const struct vsm_packet_entry *), void *opaque)
{
    uint8_t buffer[128 * VSM_PACKET_INDEX_ENTRY];
    uint64_t at = 0, end = count * VSM_PACKET_INDEX_ENTRY;
    int status = VSM_OK;

    while (status == VSM_OK && at < end) {
        size_t want = end - at < sizeof(buffer) ? (size_t)(end - at) : sizeof(buffer), got = 0;

        while (got < want) {
            ssize_t n = VSM_FAULT_CALL("mux.read", pread(fd, buffer + got, want - got, (off_t)(at + got)));

            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                return vsm_fail(VSM_E_INPUT, "%s: %s; start anew", path,
                                n < 0 ? strerror(errno) : "shorter than it was");
            got += (size_t)n;
        }
        if (visit)
            status = visit_entries(buffer, got, visit, opaque);
        else
            *crc = vsm_hash_crc32(*crc, buffer, got);
        at += got;
    }
    return status;
}

int vsm_packet_index_resume(const char *path, uint64_t count, uint32_t crc,
                            int (*visit)(void *, const struct vsm_packet_entry *), void *opaque,
                            struct vsm_packet_index *index)
{
    int fd = VSM_FAULT_CALL("mux.open", open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)), status;
    uint32_t found = 0;

    if (fd < 0)
        return vsm_fail(VSM_E_INPUT, "%s: cannot be opened: %s; start anew", path, strerror(errno));
    if (count > INT64_MAX / VSM_PACKET_INDEX_ENTRY)
        status = vsm_fail(VSM_E_INPUT, "%s: no index has %llu entries", path, (unsigned long long)count);
    else
        status = read_entries(fd, path, count, &found, NULL, NULL);
    if (status == VSM_OK && found != crc)
        status = vsm_fail(VSM_E_INPUT, "%s: damaged (CRC %08x, expected %08x); start anew", path, found, crc);
    if (status == VSM_OK)
        status = read_entries(fd, path, count, &found, visit, opaque);
    close(fd);
    if (status == VSM_OK)
        status = vsm_output_file_open(path, true, &index->file);
    if (status == VSM_OK)
        status = vsm_output_file_truncate(&index->file, (int64_t)(count * VSM_PACKET_INDEX_ENTRY));
    if (status == VSM_OK)
        vsm_output_file_seek(&index->file, index->file.size);
    index->count = count;
    index->crc = crc;
    index->used = 0;
    return status;
}
