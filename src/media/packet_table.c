#include "media/packet_table.h"

#include "base/mem.h"

#include <string.h>

#define FIRST_ROWS 1024

int vsm_packet_table_take_index(struct vsm_packet_table *table, AVStream *stream)
{
    const int count = avformat_index_get_entries_count(stream);
    int64_t last = INT64_MIN;

    if (count < 1)
        return VSM_OK;
    table->rows = vsm_mem_alloc("packet table", (size_t)count, sizeof(*table->rows));
    if (!table->rows)
        return VSM_E_NOMEM;
    for (int i = 0; i < count; i++) {
        const AVIndexEntry *e = avformat_index_get_entry(stream, i);

        if (!e || e->timestamp < last) {
            vsm_packet_table_finish(table);
            return VSM_OK;
        }
        last = e->timestamp;
        table->rows[i] = (struct vsm_packet_table_row){
            .pts = AV_NOPTS_VALUE,
            .dts = e->timestamp,
            .pos = e->pos,
            .size = e->size,
            .key = e->flags & AVINDEX_KEYFRAME,
            .shown = !(e->flags & AVINDEX_DISCARD_FRAME),
        };
        table->shown += table->rows[i].shown;
    }
    table->count = table->capacity = count;
    table->complete = table->indexed = true;
    return VSM_OK;
}

int vsm_packet_table_add(struct vsm_packet_table *table, const struct vsm_packet_table_row *row)
{
    if (table->count == table->capacity) {
        const int64_t capacity = table->capacity ? 2 * table->capacity : FIRST_ROWS;
        struct vsm_packet_table_row *rows =
            vsm_mem_alloc_raw("packet table", (size_t)capacity, sizeof(*rows));

        if (!rows)
            return VSM_E_NOMEM;
        if (table->count)
            memcpy(rows, table->rows, (size_t)table->count * sizeof(*rows));
        vsm_mem_free(table->rows);
        table->rows = rows;
        table->capacity = capacity;
    }
    table->rows[table->count++] = *row;
    table->shown += row->shown;
    return VSM_OK;
}

void vsm_packet_table_finish(struct vsm_packet_table *table)
{
    vsm_mem_free(table->rows);
    *table = (struct vsm_packet_table){0};
}

const struct vsm_packet_table_row *vsm_packet_table_at(const struct vsm_packet_table *table, int64_t number)
{
    return number < table->count ? &table->rows[number] : NULL;
}

bool vsm_packet_table_is(const struct vsm_packet_table *table, const struct vsm_packet_table_row *row,
                         const AVPacket *packet)
{
    if (packet->size != row->size || packet->pos != row->pos)
        return false;
    return table->indexed ? packet->dts == row->dts : packet->pts == row->pts;
}

bool vsm_packet_table_key_before(const struct vsm_packet_table *table, int64_t before, int64_t shown,
                                 int64_t *number, int64_t *shown_before)
{
    int64_t count = 0;
    bool found = false;

    for (int64_t i = 0; i < table->count && i < before && count <= shown; i++) {
        if (table->rows[i].key || i == 0) {
            *number = i;
            *shown_before = count;
            found = true;
        }
        count += table->rows[i].shown;
    }
    return found;
}
