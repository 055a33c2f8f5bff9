#include "media/nal.h"

#include <stdbool.h>
#include <string.h>

#define AVC_SPS 7
#define AVC_PPS 8

#define HEVC_VPS 32
#define HEVC_SPS 33
#define HEVC_PPS 34

#define AV1_TEMPORAL_DELIMITER 2

/* Parameter sets larger than this are not what an encoder makes. */
#define MAX_PARAMETER_SET 1024
#define MAX_SETS          16

struct unit {
    const uint8_t *data;
    size_t size;
};

/* Offset of the next 00 00 01, or `size`. */
static size_t find_start_code(const uint8_t *data, size_t size, size_t from)
{
    for (size_t i = from; i + 3 <= size; i++)
        if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1)
            return i;
    return size;
}

/* The next NAL unit behind *pos, without start code and trailing zeros. */
static bool next_unit(const uint8_t *data, size_t size, size_t *pos, struct unit *unit)
{
    size_t start, end;

    do {
        start = find_start_code(data, size, *pos);
        if (start == size)
            return false;
        start += 3;
        end = find_start_code(data, size, start);
        *pos = end;
        while (end > start && data[end - 1] == 0)
            end--;
    } while (end == start);
    *unit = (struct unit){data + start, end - start};
    return true;
}

void vsm_nal_to_lengths(const uint8_t *data, size_t size, struct vsm_bytes_out *out)
{
    struct unit unit;
    size_t pos = 0;

    while (next_unit(data, size, &pos, &unit)) {
        vsm_bytes_put_be32(out, (uint32_t)unit.size);
        vsm_bytes_put(out, unit.data, unit.size);
    }
}

/* Collects the units of one type; returns their number. */
static int find_units(const uint8_t *data, size_t size, bool hevc, int type, struct unit units[MAX_SETS])
{
    struct unit unit;
    size_t pos = 0;
    int count = 0;

    while (next_unit(data, size, &pos, &unit)) {
        int found = hevc ? unit.data[0] >> 1 & 0x3f : unit.data[0] & 0x1f;

        if (found == type && count < MAX_SETS && unit.size <= MAX_PARAMETER_SET)
            units[count++] = unit;
    }
    return count;
}

/* RBSP bits of a NAL unit, emulation prevention removed. Reads past the end give 0 and set `failed`. */
struct bits {
    uint8_t data[MAX_PARAMETER_SET];
    size_t bit_count, pos;
    bool failed;
};

static void bits_of(struct bits *b, struct unit unit, size_t skip)
{
    size_t used = 0;

    memset(b, 0, sizeof(*b));
    for (size_t i = skip, zeros = 0; i < unit.size; i++) {
        if (zeros >= 2 && unit.data[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = unit.data[i] == 0 ? zeros + 1 : 0;
        b->data[used++] = unit.data[i];
    }
    b->bit_count = used * 8;
}

static uint32_t get_bits(struct bits *b, unsigned count)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < count; i++, b->pos++) {
        if (b->pos >= b->bit_count) {
            b->failed = true;
            return 0;
        }
        v = v << 1 | (b->data[b->pos / 8] >> (7 - b->pos % 8) & 1);
    }
    return v;
}

/* ue(v) */
static uint32_t get_golomb(struct bits *b)
{
    unsigned zeros = 0;

    while (!b->failed && zeros < 32 && get_bits(b, 1) == 0)
        zeros++;
    if (zeros >= 32)
        b->failed = true;
    return b->failed ? 0 : (1u << zeros) - 1 + get_bits(b, zeros);
}

static void put_units(struct vsm_bytes_out *out, const struct unit *units, int count)
{
    for (int i = 0; i < count; i++) {
        vsm_bytes_put_be16(out, (uint16_t)units[i].size);
        vsm_bytes_put(out, units[i].data, units[i].size);
    }
}

static bool is_high_profile(uint8_t profile)
{
    return profile == 100 || profile == 110 || profile == 122 || profile == 144 || profile == 244;
}

int vsm_nal_write_avcc(const uint8_t *data, size_t size, struct vsm_bytes_out *out)
{
    struct unit sps[MAX_SETS], pps[MAX_SETS];
    int sps_count, pps_count;

    if (size > 0 && data[0] == 1) {
        vsm_bytes_put(out, data, size);
        return out->failed ? VSM_E_NOMEM : VSM_OK;
    }
    sps_count = find_units(data, size, false, AVC_SPS, sps);
    pps_count = find_units(data, size, false, AVC_PPS, pps);
    if (sps_count == 0 || pps_count == 0 || sps[0].size < 4)
        return vsm_fail(VSM_E_OUTPUT, "H.264 encoder: gave no parameter sets (%zu bytes of headers)", size);
    vsm_bytes_put_u8(out, 1);
    vsm_bytes_put(out, sps[0].data + 1, 3);
    vsm_bytes_put_u8(out, 0xfc | 3); /* 4-byte lengths */
    vsm_bytes_put_u8(out, (uint8_t)(0xe0 | sps_count));
    put_units(out, sps, sps_count);
    vsm_bytes_put_u8(out, (uint8_t)pps_count);
    put_units(out, pps, pps_count);
    if (is_high_profile(sps[0].data[1])) {
        struct bits b;
        uint32_t chroma, luma_depth, chroma_depth;

        bits_of(&b, sps[0], 4);
        get_golomb(&b); /* seq_parameter_set_id */
        chroma = get_golomb(&b);
        if (chroma == 3)
            get_bits(&b, 1);
        luma_depth = get_golomb(&b);
        chroma_depth = get_golomb(&b);
        if (b.failed || chroma > 3 || luma_depth > 6 || chroma_depth > 6)
            return vsm_fail(VSM_E_OUTPUT, "H.264 encoder: its sequence parameter set cannot be read");
        vsm_bytes_put_u8(out, (uint8_t)(0xfc | chroma));
        vsm_bytes_put_u8(out, (uint8_t)(0xf8 | luma_depth));
        vsm_bytes_put_u8(out, (uint8_t)(0xf8 | chroma_depth));
        vsm_bytes_put_u8(out, 0); /* no SPS extensions */
    }
    return out->failed ? VSM_E_NOMEM : VSM_OK;
}

struct hevc_sps {
    uint8_t profile_tier_level[12]; /* general_profile_space ... general_level_idc */
    uint8_t sub_layers, nesting;
    uint32_t chroma, luma_depth, chroma_depth;
};

static int read_hevc_sps(struct unit unit, struct hevc_sps *sps)
{
    uint8_t present[8] = {0};
    struct bits b;

    bits_of(&b, unit, 2);
    get_bits(&b, 4); /* sps_video_parameter_set_id */
    sps->sub_layers = (uint8_t)get_bits(&b, 3);
    sps->nesting = (uint8_t)get_bits(&b, 1);
    for (int i = 0; i < 12; i++)
        sps->profile_tier_level[i] = (uint8_t)get_bits(&b, 8);
    for (int i = 0; i < sps->sub_layers; i++)
        present[i] = (uint8_t)get_bits(&b, 2);
    for (int i = sps->sub_layers; sps->sub_layers > 0 && i < 8; i++)
        get_bits(&b, 2);
    for (int i = 0; i < sps->sub_layers; i++)
        b.pos += (present[i] & 2 ? 88u : 0u) + (present[i] & 1 ? 8u : 0u);
    get_golomb(&b); /* sps_seq_parameter_set_id */
    sps->chroma = get_golomb(&b);
    if (sps->chroma == 3)
        get_bits(&b, 1);
    get_golomb(&b); /* width */
    get_golomb(&b); /* height */
    if (get_bits(&b, 1))
        for (int i = 0; i < 4; i++)
            get_golomb(&b); /* conformance window */
    sps->luma_depth = get_golomb(&b);
    sps->chroma_depth = get_golomb(&b);
    if (b.failed || sps->chroma > 3 || sps->luma_depth > 8 || sps->chroma_depth > 8)
        return vsm_fail(VSM_E_OUTPUT, "HEVC encoder: its sequence parameter set cannot be read");
    return VSM_OK;
}

int vsm_nal_write_hvcc(const uint8_t *data, size_t size, struct vsm_bytes_out *out)
{
    static const uint8_t types[] = {HEVC_VPS, HEVC_SPS, HEVC_PPS};
    struct unit units[3][MAX_SETS];
    struct hevc_sps sps;
    int counts[3], status;

    if (size > 0 && data[0] == 1) {
        vsm_bytes_put(out, data, size);
        return out->failed ? VSM_E_NOMEM : VSM_OK;
    }
    for (int i = 0; i < 3; i++) {
        counts[i] = find_units(data, size, true, types[i], units[i]);
        if (counts[i] == 0)
            return vsm_fail(VSM_E_OUTPUT,
                            "HEVC encoder: gave no parameter set of type %d (%zu bytes of headers)", types[i],
                            size);
    }
    status = read_hevc_sps(units[1][0], &sps);
    if (status != VSM_OK)
        return status;
    vsm_bytes_put_u8(out, 1);
    vsm_bytes_put(out, sps.profile_tier_level, sizeof(sps.profile_tier_level));
    vsm_bytes_put_be16(out, 0xf000); /* min_spatial_segmentation_idc: unknown */
    vsm_bytes_put_u8(out, 0xfc);     /* parallelismType: unknown */
    vsm_bytes_put_u8(out, (uint8_t)(0xfc | sps.chroma));
    vsm_bytes_put_u8(out, (uint8_t)(0xf8 | sps.luma_depth));
    vsm_bytes_put_u8(out, (uint8_t)(0xf8 | sps.chroma_depth));
    vsm_bytes_put_be16(out, 0); /* avgFrameRate: unspecified */
    vsm_bytes_put_u8(out, (uint8_t)((sps.sub_layers + 1) << 3 | sps.nesting << 2 | 3));
    vsm_bytes_put_u8(out, 3);
    for (int i = 0; i < 3; i++) {
        vsm_bytes_put_u8(out, 0x80 | types[i]); /* all sets of this type are here */
        vsm_bytes_put_be16(out, (uint16_t)counts[i]);
        put_units(out, units[i], counts[i]);
    }
    return out->failed ? VSM_E_NOMEM : VSM_OK;
}

/* Size of the OBU at the cursor, header included; the rest of the data when it has no size field. */
static size_t obu_size(const uint8_t *data, size_t left)
{
    size_t header = data[0] & 4 ? 2 : 1;
    uint64_t payload = 0;

    if (!(data[0] & 2))
        return left;
    for (unsigned i = 0; i < 8 && header < left; i++) {
        uint8_t byte = data[header++];

        payload |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80))
            break;
    }
    return payload > left - header ? left : header + (size_t)payload;
}

void vsm_nal_strip_delimiters(const uint8_t *data, size_t size, struct vsm_bytes_out *out)
{
    for (size_t pos = 0; pos < size;) {
        size_t obu = obu_size(data + pos, size - pos);

        if ((data[pos] >> 3 & 15) != AV1_TEMPORAL_DELIMITER)
            vsm_bytes_put(out, data + pos, obu);
        pos += obu;
    }
}
