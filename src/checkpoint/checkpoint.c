#include "checkpoint/checkpoint.h"

#include "base/bytes.h"
#include "base/hash.h"

#include <stdbool.h>
#include <string.h>

#define HEADER_SIZE        232
#define RECORD_HEADER_SIZE 48
#define TRAILER_SIZE       8

static const uint8_t head_magic[8] = {0x89, 'V', 'S', 'M', 'C', 'K', '\r', '\n'};
static const uint8_t tail_magic[4] = {'V', 'S', 'M', '.'};

/* Where encoded bytes go, and the CRC over all of them. */
struct sink {
    vsm_checkpoint_write write;
    void *opaque;
    uint32_t crc;
};

static int emit(struct sink *sink, const void *data, size_t size)
{
    if (size == 0)
        return VSM_OK;
    sink->crc = vsm_hash_crc32(sink->crc, data, size);
    return sink->write(sink->opaque, data, size);
}

/* Sends what the writer holds and resets it. */
static int emit_bytes(struct sink *sink, struct vsm_bytes_out *w)
{
    int status = w->failed ? VSM_E_NOMEM : emit(sink, w->data, w->size);

    vsm_bytes_out_finish(w);
    return status;
}

static int file_size(const struct vsm_checkpoint *checkpoint, uint64_t *size)
{
    uint64_t total = HEADER_SIZE + TRAILER_SIZE;

    for (size_t i = 0; i < checkpoint->state->count; i++) {
        uint64_t record = checkpoint->state->records[i].size;

        if (record > VSM_CHECKPOINT_MAX_BYTES - RECORD_HEADER_SIZE ||
            record + RECORD_HEADER_SIZE > VSM_CHECKPOINT_MAX_BYTES - total)
            return vsm_fail(VSM_E_INTERNAL, "checkpoint: more than %llu bytes with record \"%s\"",
                            (unsigned long long)VSM_CHECKPOINT_MAX_BYTES, checkpoint->state->records[i].name);
        total += record + RECORD_HEADER_SIZE;
    }
    *size = total;
    return VSM_OK;
}

static int emit_header(struct sink *sink, const struct vsm_checkpoint *checkpoint, uint64_t size)
{
    const struct vsm_identity *identity = &checkpoint->identity;
    struct vsm_bytes_out w = {0};

    vsm_bytes_put(&w, head_magic, sizeof(head_magic));
    vsm_bytes_put_le32(&w, VSM_CHECKPOINT_VERSION);
    vsm_bytes_put_le32(&w, (uint32_t)checkpoint->state->count);
    vsm_bytes_put_le64(&w, size);
    vsm_bytes_put_le64(&w, checkpoint->generation);
    vsm_bytes_put_le64(&w, (uint64_t)checkpoint->next_seq);
    vsm_bytes_put_le64(&w, checkpoint->elapsed_ns);
    vsm_bytes_put_le64(&w, checkpoint->resumes);
    vsm_bytes_put(&w, identity->settings.bytes, 32);
    vsm_bytes_put(&w, identity->models.bytes, 32);
    vsm_bytes_put_le64(&w, identity->input_size);
    vsm_bytes_put(&w, identity->input_head.bytes, 32);
    vsm_bytes_put(&w, identity->input_middle.bytes, 32);
    vsm_bytes_put(&w, identity->input_tail.bytes, 32);
    vsm_bytes_put_le32(&w, 0);
    vsm_bytes_put_le32(&w, vsm_hash_crc32(0, w.data, w.size));
    return emit_bytes(sink, &w);
}

static int emit_record(struct sink *sink, const struct vsm_state_record *record)
{
    struct vsm_bytes_out w = {0};
    int status;

    vsm_bytes_put(&w, record->name, sizeof(record->name));
    vsm_bytes_put_le64(&w, record->size);
    vsm_bytes_put_le32(&w, vsm_hash_crc32(0, record->data, record->size));
    vsm_bytes_put_le32(&w, vsm_hash_crc32(0, w.data, w.size));
    status = emit_bytes(sink, &w);
    return status == VSM_OK ? emit(sink, record->data, record->size) : status;
}

int vsm_checkpoint_encode(const struct vsm_checkpoint *checkpoint, vsm_checkpoint_write write, void *opaque)
{
    struct sink sink = {.write = write, .opaque = opaque};
    struct vsm_bytes_out trailer = {0};
    uint64_t size = 0;
    int status;

    if (checkpoint->generation < 1 || checkpoint->next_seq < 1)
        return vsm_fail(VSM_E_INTERNAL, "checkpoint: generation %llu behind frame %lld, must be at least 1",
                        (unsigned long long)checkpoint->generation, (long long)checkpoint->next_seq);
    status = file_size(checkpoint, &size);
    if (status == VSM_OK)
        status = emit_header(&sink, checkpoint, size);
    for (size_t i = 0; status == VSM_OK && i < checkpoint->state->count; i++)
        status = emit_record(&sink, &checkpoint->state->records[i]);
    if (status != VSM_OK)
        return status;
    vsm_bytes_put_le32(&trailer, sink.crc);
    vsm_bytes_put(&trailer, tail_magic, sizeof(tail_magic));
    return emit_bytes(&sink, &trailer);
}

static int damaged(const char *subject, const char *what)
{
    return vsm_fail(VSM_E_OUTPUT, "%s: damaged checkpoint: %s", subject, what);
}

static void get_hash(struct vsm_bytes_in *r, struct vsm_sha256 *hash)
{
    const void *bytes = vsm_bytes_get(r, sizeof(hash->bytes));

    if (bytes)
        memcpy(hash->bytes, bytes, sizeof(hash->bytes));
}

/* The header's fields and the number of records. */
static int decode_header(const char *subject, struct vsm_bytes_in *r, struct vsm_checkpoint *checkpoint,
                         uint32_t *records)
{
    struct vsm_identity *identity = &checkpoint->identity;
    const void *magic = vsm_bytes_get(r, sizeof(head_magic));
    uint32_t version, zero, crc;
    uint64_t size, next_seq;

    if (!magic || memcmp(magic, head_magic, sizeof(head_magic)) != 0)
        return damaged(subject, "it does not begin like one");
    version = vsm_bytes_get_le32(r);
    if (!r->failed && version != VSM_CHECKPOINT_VERSION)
        return vsm_fail(VSM_E_OUTPUT,
                        "%s: checkpoint of format %u, this program reads %d; resume with the version "
                        "that wrote it, or start over with --restart",
                        subject, version, VSM_CHECKPOINT_VERSION);
    *records = vsm_bytes_get_le32(r);
    size = vsm_bytes_get_le64(r);
    checkpoint->generation = vsm_bytes_get_le64(r);
    next_seq = vsm_bytes_get_le64(r);
    checkpoint->elapsed_ns = vsm_bytes_get_le64(r);
    checkpoint->resumes = vsm_bytes_get_le64(r);
    get_hash(r, &identity->settings);
    get_hash(r, &identity->models);
    identity->input_size = vsm_bytes_get_le64(r);
    get_hash(r, &identity->input_head);
    get_hash(r, &identity->input_middle);
    get_hash(r, &identity->input_tail);
    zero = vsm_bytes_get_le32(r);
    crc = vsm_bytes_get_le32(r);
    if (r->failed)
        return damaged(subject, "it ends within its header");
    if (crc != vsm_hash_crc32(0, r->data, HEADER_SIZE - 4))
        return damaged(subject, "its header does not match its checksum");
    if (size != r->size)
        return damaged(subject, "it is not as long as it says");
    if (zero != 0 || *records > VSM_STATE_MAX_RECORDS || checkpoint->generation < 1 || next_seq < 1 ||
        next_seq > INT64_MAX)
        return damaged(subject, "its header has a value that is out of range");
    checkpoint->next_seq = (int64_t)next_seq;
    return VSM_OK;
}

static bool name_is_canonical(const char *name)
{
    if (memchr(name, 0, VSM_STATE_NAME_SIZE) == NULL || !vsm_state_name_is_valid(name))
        return false;
    for (size_t i = strlen(name); i < VSM_STATE_NAME_SIZE; i++)
        if (name[i] != 0)
            return false;
    return true;
}

static int decode_record(const char *subject, struct vsm_bytes_in *r, struct vsm_state *state)
{
    const char *header = vsm_bytes_get(r, RECORD_HEADER_SIZE);
    struct vsm_bytes_in fields;
    uint32_t data_crc, header_crc;
    const void *data;
    uint64_t size;

    if (!header)
        return damaged(subject, "it ends within a record");
    fields = vsm_bytes_in_of(header + VSM_STATE_NAME_SIZE, RECORD_HEADER_SIZE - VSM_STATE_NAME_SIZE);
    size = vsm_bytes_get_le64(&fields);
    data_crc = vsm_bytes_get_le32(&fields);
    header_crc = vsm_bytes_get_le32(&fields);
    if (header_crc != vsm_hash_crc32(0, header, RECORD_HEADER_SIZE - 4))
        return damaged(subject, "the head of a record does not match its checksum");
    if (!name_is_canonical(header) || vsm_state_find(state, header))
        return damaged(subject, "a record has an invalid or repeated name");
    if (size > vsm_bytes_left(r))
        return damaged(subject, "a record is longer than the file");
    data = vsm_bytes_get(r, (size_t)size);
    if (data_crc != vsm_hash_crc32(0, data, (size_t)size))
        return vsm_fail(VSM_E_OUTPUT, "%s: damaged checkpoint: record \"%s\" does not match its checksum",
                        subject, header);
    return vsm_state_add(state, header, data, (size_t)size);
}

static int decode_all(const char *subject, struct vsm_bytes_in *r, struct vsm_checkpoint *checkpoint)
{
    uint32_t records = 0;
    size_t body;
    int status = decode_header(subject, r, checkpoint, &records);

    if (status != VSM_OK)
        return status;
    checkpoint->state = vsm_state_create();
    if (!checkpoint->state)
        return VSM_E_NOMEM;
    for (uint32_t i = 0; i < records; i++) {
        status = decode_record(subject, r, checkpoint->state);
        if (status != VSM_OK)
            return status;
    }
    if (vsm_bytes_left(r) != TRAILER_SIZE)
        return damaged(subject, "its records do not fill it");
    body = r->pos;
    if (vsm_bytes_get_le32(r) != vsm_hash_crc32(0, r->data, body) ||
        memcmp(r->data + r->pos, tail_magic, sizeof(tail_magic)) != 0)
        return damaged(subject, "it does not match its checksum");
    return VSM_OK;
}

int vsm_checkpoint_decode(const char *subject, const void *data, size_t size,
                          struct vsm_checkpoint *checkpoint)
{
    struct vsm_bytes_in r = vsm_bytes_in_of(data, size);
    int status;

    *checkpoint = (struct vsm_checkpoint){0};
    if (size > VSM_CHECKPOINT_MAX_BYTES)
        status = damaged(subject, "it is larger than any checkpoint");
    else
        status = decode_all(subject, &r, checkpoint);
    if (status != VSM_OK)
        vsm_checkpoint_clear(checkpoint);
    return status;
}

void vsm_checkpoint_clear(struct vsm_checkpoint *checkpoint)
{
    vsm_state_destroy(&checkpoint->state);
    *checkpoint = (struct vsm_checkpoint){0};
}
