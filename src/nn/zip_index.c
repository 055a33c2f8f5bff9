#include "nn/zip_index.h"

#include "base/bytes.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define LOCAL_SIGNATURE   0x04034b50u
#define CENTRAL_SIGNATURE 0x02014b50u
#define END_SIGNATURE     0x06054b50u
#define END64_SIGNATURE   0x06064b50u
#define LOCATOR_SIGNATURE 0x07064b50u
#define END_SIZE          22u
#define LOCATOR_SIZE      20u
#define CENTRAL_SIZE      46u
#define FLAG_ENCRYPTED    1u

struct directory {
    uint64_t offset, size, count;
};

static uint32_t le32_at(const uint8_t *p)
{
    struct vsm_bytes_in in = vsm_bytes_in_of(p, 4);

    return vsm_bytes_get_le32(&in);
}

/* Position of the end record: the last place where its signature and comment length fit. */
static bool find_end(const uint8_t *data, size_t size, size_t *end)
{
    size_t lowest = size > END_SIZE + 65535 ? size - END_SIZE - 65535 : 0;

    if (size < END_SIZE)
        return false;
    for (size_t at = size - END_SIZE + 1; at-- > lowest;)
        if (le32_at(data + at) == END_SIGNATURE &&
            (size_t)(data[at + 20] | data[at + 21] << 8) == size - at - END_SIZE) {
            *end = at;
            return true;
        }
    return false;
}

static int read_end64(const char *path, const uint8_t *data, size_t size, size_t end, struct directory *dir)
{
    struct vsm_bytes_in in;
    uint64_t at;

    if (end < LOCATOR_SIZE || le32_at(data + end - LOCATOR_SIZE) != LOCATOR_SIGNATURE)
        return vsm_fail(VSM_E_MODEL, "%s: the archive's zip64 locator is missing; download the file again",
                        path);
    in = vsm_bytes_in_of(data + end - LOCATOR_SIZE + 8, 8);
    at = vsm_bytes_get_le64(&in);
    if (at > size || size - at < 56 || le32_at(data + at) != END64_SIGNATURE)
        return vsm_fail(VSM_E_MODEL, "%s: the archive's zip64 end record is not where its locator says",
                        path);
    in = vsm_bytes_in_of(data + at + 32, 24);
    dir->count = vsm_bytes_get_le64(&in);
    dir->size = vsm_bytes_get_le64(&in);
    dir->offset = vsm_bytes_get_le64(&in);
    return VSM_OK;
}

static int read_end(const char *path, const uint8_t *data, size_t size, struct directory *dir)
{
    struct vsm_bytes_in in;
    unsigned disk, first_disk;
    size_t end;

    if (!find_end(data, size, &end))
        return vsm_fail(VSM_E_MODEL,
                        "%s: the archive has no end (central directory); the file is cut, download it again",
                        path);
    in = vsm_bytes_in_of(data + end + 4, END_SIZE - 4);
    disk = vsm_bytes_get_le16(&in);
    first_disk = vsm_bytes_get_le16(&in);
    vsm_bytes_get_le16(&in);
    dir->count = vsm_bytes_get_le16(&in);
    dir->size = vsm_bytes_get_le32(&in);
    dir->offset = vsm_bytes_get_le32(&in);
    if (dir->count == 0xffff || dir->size == 0xffffffff || dir->offset == 0xffffffff) {
        int status = read_end64(path, data, size, end, dir);

        if (status)
            return status;
    } else if (disk != 0 || first_disk != 0) {
        return vsm_fail(VSM_E_MODEL, "%s: split archives are not supported", path);
    }
    if (dir->offset > end || dir->size > end - dir->offset || dir->count > dir->size / CENTRAL_SIZE)
        return vsm_fail(VSM_E_MODEL,
                        "%s: the archive's directory (%llu members, %llu bytes at %llu) is not inside it",
                        path, (unsigned long long)dir->count, (unsigned long long)dir->size,
                        (unsigned long long)dir->offset);
    return VSM_OK;
}

/* Replaces the fields that are all ones by those of the zip64 extra field, in its fixed order. */
static bool apply_zip64(struct vsm_bytes_in extra, uint64_t *size, uint64_t *packed, uint64_t *offset)
{
    while (vsm_bytes_left(&extra) >= 4) {
        unsigned id = vsm_bytes_get_le16(&extra), length = vsm_bytes_get_le16(&extra);
        const void *body = vsm_bytes_get(&extra, length);
        struct vsm_bytes_in in;

        if (!body)
            return false;
        if (id != 1)
            continue;
        in = vsm_bytes_in_of(body, length);
        if (*size == 0xffffffff)
            *size = vsm_bytes_get_le64(&in);
        if (*packed == 0xffffffff)
            *packed = vsm_bytes_get_le64(&in);
        if (*offset == 0xffffffff)
            *offset = vsm_bytes_get_le64(&in);
        return !in.failed;
    }
    return true;
}

/* Place of a member's bytes, from its local header; NULL if not inside the archive. */
static const uint8_t *locate(const uint8_t *data, size_t size, uint64_t offset, uint64_t length)
{
    struct vsm_bytes_in in;
    uint64_t start;

    if (offset > size || size - offset < 30 || le32_at(data + offset) != LOCAL_SIGNATURE)
        return NULL;
    in = vsm_bytes_in_of(data + offset + 26, 4);
    start = 30u + vsm_bytes_get_le16(&in);
    start += vsm_bytes_get_le16(&in);
    if (start > size - offset || length > size - offset - start)
        return NULL;
    return data + offset + start;
}

static int read_member(const char *path, const uint8_t *data, size_t size, struct vsm_bytes_in *in,
                       struct vsm_zip_member *m)
{
    unsigned flags, method, extra_size, comment_size;
    uint64_t packed, length, offset;
    const void *extra;

    if (vsm_bytes_get_le32(in) != CENTRAL_SIGNATURE)
        return vsm_fail(VSM_E_MODEL, "%s: the archive's directory is damaged", path);
    vsm_bytes_get_le32(in);
    flags = vsm_bytes_get_le16(in);
    method = vsm_bytes_get_le16(in);
    vsm_bytes_get_le32(in);
    m->crc = vsm_bytes_get_le32(in);
    packed = vsm_bytes_get_le32(in);
    length = vsm_bytes_get_le32(in);
    m->name_size = vsm_bytes_get_le16(in);
    extra_size = vsm_bytes_get_le16(in);
    comment_size = vsm_bytes_get_le16(in);
    vsm_bytes_get(in, 8);
    offset = vsm_bytes_get_le32(in);
    m->name = vsm_bytes_get(in, m->name_size);
    extra = vsm_bytes_get(in, extra_size);
    vsm_bytes_get(in, comment_size);
    if (in->failed || !apply_zip64(vsm_bytes_in_of(extra, extra_size), &length, &packed, &offset))
        return vsm_fail(VSM_E_MODEL, "%s: the archive's directory is cut", path);
    if (flags & FLAG_ENCRYPTED || method != 0 || packed != length)
        return vsm_fail(VSM_E_MODEL, "%s: member %.*s is %s; torch stores members plainly", path,
                        (int)m->name_size, m->name, flags & FLAG_ENCRYPTED ? "encrypted" : "compressed");
    m->data = locate(data, size, offset, length);
    if (!m->data)
        return vsm_fail(VSM_E_MODEL, "%s: member %.*s (%llu bytes at %llu) is not inside the archive", path,
                        (int)m->name_size, m->name, (unsigned long long)length, (unsigned long long)offset);
    m->size = (size_t)length;
    return VSM_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct vsm_zip_member *x = a, *y = b;
    int order = memcmp(x->name, y->name, x->name_size < y->name_size ? x->name_size : y->name_size);

    return order ? order : (x->name_size > y->name_size) - (x->name_size < y->name_size);
}

int vsm_zip_index_read(const char *path, const uint8_t *data, size_t size, struct vsm_zip_index *index)
{
    struct directory dir = {0};
    struct vsm_bytes_in in;
    int status = read_end(path, data, size, &dir);

    *index = (struct vsm_zip_index){0};
    if (status)
        return status;
    index->members = vsm_mem_alloc("archive directory", (size_t)dir.count, sizeof(*index->members));
    if (!index->members)
        return VSM_E_NOMEM;
    in = vsm_bytes_in_of(data + dir.offset, (size_t)dir.size);
    for (; index->count < dir.count && !status; index->count++)
        status = read_member(path, data, size, &in, &index->members[index->count]);
    if (!status && index->count)
        qsort(index->members, index->count, sizeof(*index->members), by_name);
    for (size_t i = 1; !status && i < index->count; i++)
        if (by_name(&index->members[i - 1], &index->members[i]) == 0)
            status = vsm_fail(VSM_E_MODEL, "%s: member %.*s is there twice", path,
                              (int)index->members[i].name_size, index->members[i].name);
    if (status)
        vsm_zip_index_finish(index);
    return status;
}

void vsm_zip_index_finish(struct vsm_zip_index *index)
{
    vsm_mem_free(index->members);
    *index = (struct vsm_zip_index){0};
}

const struct vsm_zip_member *vsm_zip_index_find(const struct vsm_zip_index *index, const char *name,
                                                size_t size)
{
    struct vsm_zip_member key = {.name = name, .name_size = size};

    if (index->count == 0)
        return NULL;
    return bsearch(&key, index->members, index->count, sizeof(key), by_name);
}
